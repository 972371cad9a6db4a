package label

import (
	"bytes"
	"flag"
	"image"
	_ "image/gif"
	_ "image/png"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/datamatrix"
	"github.com/makiuchi-d/gozxing/oned"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sample() Label {
	return Label{
		Service: "UPS GROUND", Tracking: "1Z5R89390357567127",
		Sender:   Party{Name: "Waybill Store 1", Lines: []string{"350 5th Ave", "New York NY 10118", "United States"}},
		Receiver: Party{Name: "A. Rivera", Lines: []string{"Apt 5", "200 N Spring St", "Los Angeles CA 90012", "United States"}},
		Weight:   "5 LBS", Piece: 1, Pieces: 2, References: []string{"abcdefghijklmnopqrstuvwx01"},
		Routing: "CA 900 9-04", PostalCode: "90012", Country: "US",
	}
}

func decode(t testing.TB, picture []byte, format string) image.Image {
	t.Helper()
	img, kind, err := image.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatalf("the label does not open as a picture: %v", err)
	}
	if kind != format {
		t.Fatalf("picture is a %s, want a %s", kind, format)
	}
	return img
}

func scan(t testing.TB, img image.Image, reader gozxing.Reader) string {
	t.Helper()
	bmp, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	result, err := reader.Decode(bmp, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		t.Fatalf("no code was read: %v", err)
	}
	return result.GetText()
}

// matrixArea is where a scanner is held to read the Data Matrix.
var matrixArea = image.Rect(0, codesTop-8, margin+matrixSize+18, codesTop+matrixSize+6)

func crop(img image.Image, r image.Rectangle) image.Image {
	return img.(interface {
		SubImage(image.Rectangle) image.Image
	}).SubImage(r)
}

func TestPicturesOpenAndScan(t *testing.T) {
	r := NewRenderer()
	for format, kind := range map[Format]string{GIF: "gif", PNG: "png"} {
		t.Run(kind, func(t *testing.T) {
			// Twice with other facts: what the first label drew must not shine through the second.
			for _, number := range []string{"1Z5R89390357567127", "1ZXX3150YW44070023"} {
				l := sample()
				l.Tracking = number
				out, err := r.Render(l, format)
				if err != nil {
					t.Fatal(err)
				}
				img := decode(t, out, kind)
				if got := img.Bounds().Size(); got != (image.Point{X: 600, Y: 900}) {
					t.Errorf("size %v, want 600x900", got)
				}
				if got := scan(t, img, oned.NewCode128Reader()); got != number {
					t.Errorf("Code 128 reads %q, want %q", got, number)
				}
				if got := scan(t, crop(img, matrixArea), datamatrix.NewDataMatrixReader()); got != l.RoutingMessage() {
					t.Errorf("Data Matrix reads %q, want %q", got, l.RoutingMessage())
				}
			}
		})
	}
}

func TestEveryNumberScans(t *testing.T) {
	r := NewRenderer()
	rapid.Check(t, func(t *rapid.T) {
		l := sample()
		l.Tracking = "1Z" + rapid.StringMatching(`[0-9A-Z]{6}[0-9]{10}`).Draw(t, "number")
		out, err := r.Render(l, PNG)
		if err != nil {
			t.Fatal(err)
		}
		img, _, err := image.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		bmp, err := gozxing.NewBinaryBitmapFromImage(crop(img, image.Rect(0, barcodeTop, width, barcodeTop+40)))
		if err != nil {
			t.Fatal(err)
		}
		result, err := oned.NewCode128Reader().Decode(bmp, nil)
		if err != nil || result.GetText() != l.Tracking {
			t.Fatalf("label of %s reads %v, %v", l.Tracking, result, err)
		}
	})
}

func TestPicturesOfOneLabelAgree(t *testing.T) {
	r := NewRenderer()
	asGIF, err := r.Render(sample(), GIF)
	if err != nil {
		t.Fatal(err)
	}
	asPNG, err := r.Render(sample(), PNG)
	if err != nil {
		t.Fatal(err)
	}
	a, b := decode(t, asGIF, "gif"), decode(t, asPNG, "png")
	for y := range 900 {
		for x := range 600 {
			ar, _, _, _ := a.At(x, y).RGBA()
			br, _, _, _ := b.At(x, y).RGBA()
			if ar != br {
				t.Fatalf("GIF and PNG differ at %d,%d", x, y)
			}
		}
	}
}

// A PDF has one page of 4x6 inches, which are 288x432 points, and is the same bytes each time.
func TestPDF(t *testing.T) {
	r := NewRenderer()
	first, err := r.Render(sample(), PDF)
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewRenderer().Render(sample(), PDF)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("one label drawn twice gives two files")
	}
	for _, want := range []string{"%PDF-1.", "/Count 1\n", "288.00 432.00]", "/Subtype /Image", "/Width 600", "%%EOF"} {
		if !bytes.Contains(first, []byte(want)) {
			t.Errorf("the file holds no %q", want)
		}
	}
}

func TestPrinterText(t *testing.T) {
	for format, name := range map[Format]string{ZPL: "label.zpl", EPL: "label.epl"} {
		out, err := NewRenderer().Render(sample(), format)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, out, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

var zplField = regexp.MustCompile(`\^FO(\d+),(\d+)((?:\^[A-Z0-9]{2}[^^]*)*?)\^(FD([^^~]*)|GB[^^]*)\^FS`)

// TestZPLIsWellFormed reads the text as a printer does: between ^XA and ^XZ nothing but setup and closed fields,
// each inside the label, whatever the caller's words hold.
func TestZPLIsWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := sample()
		l.Receiver.Name = rapid.String().Draw(t, "name")
		l.References = rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "references")
		out, err := NewRenderer().Render(l, ZPL)
		if err != nil {
			t.Fatal(err)
		}
		inner, ok := strings.CutPrefix(string(out), "^XA^CI28^PW812^LL1218^LH0,0")
		inner, closed := strings.CutSuffix(inner, "^XZ\n")
		if !ok || !closed {
			t.Fatalf("not one label: %q", out)
		}
		if rest := zplField.ReplaceAllString(inner, ""); rest != "" {
			t.Fatalf("outside of every field: %q", rest)
		}
		codes := map[string]string{}
		for _, f := range zplField.FindAllStringSubmatch(inner, -1) {
			x, _ := strconv.Atoi(f[1])
			y, _ := strconv.Atoi(f[2])
			if x >= 812 || y >= 1218 {
				t.Fatalf("field off the label: %q", f[0])
			}
			for _, kind := range []string{"^BC", "^BX"} {
				if strings.Contains(f[3], kind) {
					codes[kind] = f[5]
				}
			}
		}
		want := map[string]string{"^BC": l.Tracking, "^BX": l.RoutingMessage()}
		if diff := cmp.Diff(want, codes); diff != "" {
			t.Fatalf("codes (-want +got):\n%s", diff)
		}
	})
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Label)
		format Format
		want   string
	}{
		"format":         {func(*Label) {}, "SPL", `label format "SPL" is not known`},
		"no number":      {func(l *Label) { l.Tracking = "" }, ZPL, "tracking number of 1 to 24"},
		"long number":    {func(l *Label) { l.Tracking = strings.Repeat("1", 25) }, ZPL, "tracking number of 1 to 24"},
		"command inside": {func(l *Label) { l.Tracking = "1Z^XZ" }, ZPL, "only ASCII letters and digits"},
		"piece":          {func(l *Label) { l.Piece = 3 }, ZPL, "place in the shipment"},
	} {
		t.Run(name, func(t *testing.T) {
			l := sample()
			tc.change(&l)
			_, err := NewRenderer().Render(l, tc.format)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// Words that no font or paper holds are cut, never an error or a panic.
func TestOddWords(t *testing.T) {
	l := sample()
	l.Sender = Party{Name: strings.Repeat("Wide Name ", 40), Lines: strings.Split(strings.Repeat("x,", 20), ",")}
	l.Receiver = Party{Name: "Zoë 東京 \x00\xff", Lines: nil}
	l.Routing = strings.Repeat("9", 99)
	r := NewRenderer()
	for _, f := range []Format{GIF, PNG, PDF, ZPL, EPL} {
		if _, err := r.Render(l, f); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	r := NewRenderer()
	for _, f := range []Format{GIF, PNG, PDF, ZPL, EPL} {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			l := sample()
			for b.Loop() {
				out, err := r.Render(l, f)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(out)))
			}
		})
	}
}
