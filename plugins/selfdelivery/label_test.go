package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func labels(t testing.TB, c carrier.Consignment, format shipping.LabelFormat) []carrier.BookedParcel {
	t.Helper()
	b, err := fleet(t, Config{Supports: []string{"alcohol", "frozen", "signature_adult"}}, noon).Book(t.Context(), carrier.BookRequest{Consignment: c, ServiceID: serviceID, LabelFormat: format})
	if err != nil {
		t.Fatal(err)
	}
	return b.Parcels
}

// busy is an order with something in every corner of its label.
func busy() carrier.Consignment {
	c := order()
	c.Parcels = []shipping.Parcel{{}, {Barcode: "SKU-000123/AB"}}
	c.Content, c.TemperatureControl, c.Signature = []string{"alcohol"}, "frozen", "adult"
	c.Delivery.Instructions = "Ring twice. " + strings.Repeat("The dog may be playing in the yard. ", 30)
	return c
}

func TestPDFShowsTheOrder(t *testing.T) {
	parcels := labels(t, busy(), shipping.PDF)
	for i, p := range parcels {
		pdf := parsePDF(t, p.Label.Data)
		text := strings.Join(pdf.texts, "\n")
		for _, want := range []string{
			"Self Delivery", "Order 1908244", fmt.Sprintf("%d of 2", i+1), "WareHouse 301", "Charlize Brian", "5411 Mercedes Avenue, 4B", "Dallas, TX 75206",
			"+12015555555", "Pickup: Enter from the staff entrance", "Delivery: Ring twice.", "ADULT SIGNATURE / FROZEN / ALCOHOL", "Deliver Wed 4 Mar 12:10 - 12:40 CST",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("parcel %d: %q is not in\n%s", i+1, want, text)
			}
		}
		if pdf.box != "[0 0 288.00 432.00]" {
			t.Errorf("page is %s points", pdf.box)
		}
	}
}

// The codes are read by another library, off a picture made of the rectangles that the page draws.
func TestPDFCodesCanBeScanned(t *testing.T) {
	c := busy()
	c.Parcels = append(c.Parcels, shipping.Parcel{Barcode: strings.Repeat("W", barcodeLimit)})
	tracking := trackingNumber(c.Reference)
	for i, want := range []string{tracking + "-01", "SKU-000123/AB", strings.Repeat("W", barcodeLimit)} {
		page := parsePDF(t, labels(t, c, "")[i].Label.Data).draw()
		if got := scan(t, oned.NewCode128Reader(), page); got != want {
			t.Errorf("parcel %d: Code 128 says %q, want %q", i+1, got, want)
		}
		if got := scan(t, qrcode.NewQRCodeReader(), page); got != tracking {
			t.Errorf("parcel %d: QR says %q, want %q", i+1, got, tracking)
		}
	}
}

// Where poppler is at hand, a real PDF reader draws the page, texts included.
func TestPDFInARealReader(t *testing.T) {
	tool, err := exec.LookPath("pdftoppm")
	if err != nil {
		t.Skip("pdftoppm is not installed: the PDF is opened by this test's own reader only")
	}
	c := busy()
	c.Delivery.Contact.Name = "Ελένη Ковальчук"
	for i, p := range labels(t, c, shipping.PDF) {
		cmd := exec.CommandContext(t.Context(), tool, "-png", "-r", "203", "-")
		cmd.Stdin = bytes.NewReader(p.Label.Data)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		page, err := png.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		want := p.Number
		if c.Parcels[i].Barcode != "" {
			want = c.Parcels[i].Barcode
		}
		if got := scan(t, oned.NewCode128Reader(), page); got != want {
			t.Errorf("parcel %d: Code 128 says %q, want %q", i+1, got, want)
		}
	}
}

func TestPDFOfOtherScripts(t *testing.T) {
	c := order()
	c.Delivery.Contact.Name = "Ελένη Ковальчук, Łódź"
	data := labels(t, c, shipping.PDF)[0].Label.Data
	if pdf := parsePDF(t, data); !bytes.Contains(data, []byte("/FontFile2")) || len(pdf.rects) == 0 {
		t.Error("letters beyond western Europe were drawn without a font that has them")
	}
	c.Delivery.Contact.Name = "Zoë Müller – Čapek"[:len("Zoë Müller –")]
	if data := labels(t, c, shipping.PDF)[0].Label.Data; bytes.Contains(data, []byte("/FontFile2")) || !bytes.Contains(data, []byte("Zo\xeb M\xfcller \x96")) {
		t.Error("western European letters need no embedded font and must be drawn as they are")
	}
}

// No text of an order breaks its label.
func TestLabelsOfAnyText(t *testing.T) {
	a := fleet(t, Config{}, noon)
	rapid.Check(t, func(rt *rapid.T) {
		c := order()
		for _, p := range []*string{&c.ExternalID, &c.Pickup.Name, &c.Pickup.Instructions, &c.Delivery.Instructions, &c.Delivery.Contact.Name,
			&c.Delivery.Address.Street1, &c.Delivery.Address.City, &c.Parcels[0].Barcode} {
			*p = rapid.OneOf(rapid.StringN(0, 120, -1), rapid.SampledFrom([]string{"^XZ^XA", "a~JRb", `c:\&d`, ") Tj ET", "\xff\xfe", "_5E", ">;>8"})).Draw(rt, "text")
		}
		slips, _ := a.slips(c, estimate{})
		parsePDF(rt, must(drawPDF(slips[0], noon)))
		zpl := string(drawZPL(slips[0]))
		if strings.Count(zpl, "^XA") != 1 || strings.Count(zpl, "^XZ") != 1 || strings.Contains(zpl, "~") || !utf8.ValidString(zpl) {
			rt.Fatalf("text became commands: %s", zpl)
		}
	})
}

func TestZPLGolden(t *testing.T) {
	golden(t, "label.zpl", labels(t, busy(), shipping.ZPL)[1].Label.Data)
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// document is what the reader below understands of a PDF: one page, its texts and its filled rectangles.
type document struct {
	box   string
	texts []string
	rects [][4]float64
}

var (
	startXref = regexp.MustCompile(`startxref\n(\d+)\n%%EOF`)
	xrefEntry = regexp.MustCompile(`(?m)^(\d{10}) 00000 n `)
	mediaBox  = regexp.MustCompile(`/MediaBox (\[[^\]]*\])`)
	showText  = regexp.MustCompile(`(?s)\(((?:\\.|[^\\)])*)\) ?Tj`)
	fillRect  = regexp.MustCompile(`(?m)(-?[\d.]+) (-?[\d.]+) (-?[\d.]+) (-?[\d.]+) re f`)
	contents  = regexp.MustCompile(`(?s)stream\n(.*?)\nendstream`)
)

// parsePDF follows the cross references, which every PDF reader does first, then reads the page's content.
func parsePDF(t interface{ Fatalf(string, ...any) }, data []byte) document {
	at := startXref.FindSubmatch(data)
	if !bytes.HasPrefix(data, []byte("%PDF-1.")) || at == nil {
		t.Fatalf("not a PDF")
	}
	offset, _ := strconv.Atoi(string(at[1]))
	if offset >= len(data) || !bytes.HasPrefix(data[offset:], []byte("xref\n")) {
		t.Fatalf("no cross references at %d", offset)
	}
	for i, entry := range xrefEntry.FindAllSubmatch(data[offset:], -1) {
		object, _ := strconv.Atoi(string(entry[1]))
		if !bytes.HasPrefix(data[object:], fmt.Appendf(nil, "%d 0 obj", i+1)) {
			t.Fatalf("object %d is not at %d", i+1, object)
		}
	}
	box, page := mediaBox.FindSubmatch(data), contents.FindSubmatch(data)
	if box == nil || page == nil {
		t.Fatalf("no page")
	}
	d := document{box: string(box[1])}
	for _, m := range showText.FindAllSubmatch(page[1], -1) {
		d.texts = append(d.texts, strings.NewReplacer(`\(`, "(", `\)`, ")", `\\`, `\`).Replace(string(m[1])))
	}
	for _, m := range fillRect.FindAllSubmatch(page[1], -1) {
		var r [4]float64
		for i := range r {
			r[i], _ = strconv.ParseFloat(string(m[i+1]), 64)
		}
		d.rects = append(d.rects, r)
	}
	return d
}

// draw makes a picture of the page as a printer of 406 dots to the inch would.
func (d document) draw() image.Image {
	const scale = 406.0 / 72
	img := image.NewGray(image.Rect(0, 0, int(pageWidth*scale), int(pageHeight*scale)))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	px := func(v float64) int { return int(math.Round(v * scale)) }
	for _, r := range d.rects {
		x0, x1 := px(r[0]), px(r[0]+r[2])
		y0, y1 := px(pageHeight-r[1]), px(pageHeight-r[1]-r[3]) // heights count downwards from the top
		draw.Draw(img, image.Rect(x0, y0, x1, y1).Canon(), image.NewUniform(color.Black), image.Point{}, draw.Src)
	}
	return img
}

func scan(t *testing.T, reader gozxing.Reader, page image.Image) string {
	t.Helper()
	bits, err := gozxing.NewBinaryBitmapFromImage(page)
	if err != nil {
		t.Fatal(err)
	}
	result, err := reader.Decode(bits, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		t.Fatalf("cannot be scanned: %v (drawn in %s)", err, filepath.Base(t.TempDir()))
	}
	return result.GetText()
}

func BenchmarkLabel(b *testing.B) {
	for name, format := range map[string]shipping.LabelFormat{"pdf": shipping.PDF, "zpl": shipping.ZPL} {
		b.Run(name, func(b *testing.B) {
			a := fleet(b, Config{}, noon)
			r := carrier.BookRequest{Consignment: order(), ServiceID: serviceID, LabelFormat: format}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Book(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("pdf with embedded font", func(b *testing.B) {
		a := fleet(b, Config{}, noon)
		r := carrier.BookRequest{Consignment: order(), ServiceID: serviceID}
		r.Delivery.Contact.Name = "Łódź"
		for b.Loop() {
			if _, err := a.Book(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkQuote(b *testing.B) {
	a := fleet(b, Config{Fee: Fee{Flat: dec("5"), PerKM: dec("1")}, Hours: Hours{Wednesday: []string{"09:00-18:00"}}}, noon)
	for b.Loop() {
		if _, err := a.Quote(b.Context(), carrier.QuoteRequest{Consignment: order()}); err != nil {
			b.Fatal(err)
		}
	}
}
