package label

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"strings"
	"sync"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/datamatrix"
)

// The picture: 4x6 inches at 150 dots per inch: enough for three pixels a bar, and half the work of 200.
const (
	width  = 600
	height = 900
	margin = 18
)

const (
	white = 0
	black = 1
)

var palette = color.Palette{color.Gray{Y: 255}, color.Gray{Y: 0}}

// Where the parts of a label stand, in pixels from the upper left.
const (
	senderTop   = 33
	receiverTop = 160
	codesTop    = 316
	matrixSize  = 172
	serviceTop  = 507
	barcodeTop  = 600
	barcodeDown = 165
	footerTop   = 780
)

// raster draws labels as pictures.
type raster struct {
	bases sync.Map // service in words -> []byte, the pixels shared by all its labels
	free  sync.Pool
}

func (r *raster) gif(l *Label) ([]byte, error) {
	return r.encode(l, func(b *bytes.Buffer, img *image.Paletted) error {
		return gif.Encode(b, img, nil)
	})
}

var pngEncoder = png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: new(pngBuffers)}

// pngBuffers lets the encoder's large buffers be used again.
type pngBuffers struct{ pool sync.Pool }

func (p *pngBuffers) Get() *png.EncoderBuffer {
	b, _ := p.pool.Get().(*png.EncoderBuffer)
	return b
}

func (p *pngBuffers) Put(b *png.EncoderBuffer) { p.pool.Put(b) }

func (r *raster) png(l *Label) ([]byte, error) {
	return r.encode(l, func(b *bytes.Buffer, img *image.Paletted) error {
		return pngEncoder.Encode(b, img)
	})
}

// pdf puts the picture on a page of its size.
func (r *raster) pdf(l *Label) ([]byte, error) {
	picture, err := r.png(l)
	if err != nil {
		return nil, err
	}
	const wide, high = 4.0, 6.0 // inches
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "in", Size: fpdf.SizeType{Wd: wide, Ht: high}})
	doc.SetCreationDate(unprinted)
	doc.SetModificationDate(unprinted)
	doc.SetAutoPageBreak(false, 0)
	doc.SetTitle("Label "+l.Tracking, true)
	doc.AddPage()
	opts := fpdf.ImageOptions{ImageType: "PNG"}
	doc.RegisterImageOptionsReader(l.Tracking, opts, bytes.NewReader(picture))
	doc.ImageOptions(l.Tracking, 0, 0, wide, high, false, opts, 0, "")
	var b bytes.Buffer
	if err := doc.Output(&b); err != nil {
		return nil, fmt.Errorf("write label %s as PDF: %w", l.Tracking, err)
	}
	return b.Bytes(), nil
}

// unprinted dates every PDF alike, so that one label is the same bytes whenever it is drawn.
var unprinted = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (r *raster) encode(l *Label, write func(*bytes.Buffer, *image.Paletted) error) ([]byte, error) {
	img, _ := r.free.Get().(*image.Paletted)
	if img == nil {
		img = image.NewPaletted(image.Rect(0, 0, width, height), palette)
	}
	defer r.free.Put(img)
	copy(img.Pix, r.base(l.Service))
	if err := drawLabel(img, l); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := write(&b, img); err != nil {
		return nil, fmt.Errorf("encode label %s: %w", l.Tracking, err)
	}
	return b.Bytes(), nil
}

// base gives the pixels that all labels of a service share, drawing them at the first call.
func (r *raster) base(service string) []byte {
	if pix, ok := r.bases.Load(service); ok {
		return pix.([]byte)
	}
	img := image.NewPaletted(image.Rect(0, 0, width, height), palette)
	for _, rule := range []struct{ y, thick int }{{codesTop - 10, 2}, {codesTop + matrixSize + 8, 9}, {barcodeTop - 18, 2}, {footerTop - 9, 9}} {
		fill(img, image.Rect(margin, rule.y, width-margin, rule.y+rule.thick))
	}
	fill(img, image.Rect(margin+matrixSize+20, codesTop-10, margin+matrixSize+22, codesTop+matrixSize+8))
	text(img, strong, margin, receiverTop, "SHIP")
	text(img, strong, margin, receiverTop+24, "TO:")
	text(img, title, margin, serviceTop+36, title.fit(service, width-2*margin))
	text(img, body, margin, serviceTop+67, "TRACKING #:")
	text(img, small, margin, footerTop+22, "BILLING: P/P")
	text(img, huge, width-margin-huge.width(sampleMark), footerTop+63, sampleMark)
	text(img, small, width-margin-small.width(sampleLine), footerTop+94, sampleLine)
	pix, _ := r.bases.LoadOrStore(service, img.Pix)
	return pix.([]byte)
}

func drawLabel(img *image.Paletted, l *Label) error {
	block(img, small, margin, senderTop, 20, 345, l.Sender)
	text(img, strong, 390, senderTop+4, l.Weight)
	text(img, strong, width-margin-strong.width(l.pieces()), senderTop+4, l.pieces())
	block(img, body, margin+75, receiverTop, 25, width-2*margin-75, l.Receiver)

	right := margin + matrixSize + 39
	text(img, title, right, codesTop+68, title.fit(l.Routing, width-margin-right))
	text(img, strong, right, codesTop+128, strong.fit(l.Country+" "+l.PostalCode, width-margin-right))
	if err := drawMatrix(img, image.Pt(margin, codesTop), l.RoutingMessage()); err != nil {
		return fmt.Errorf("routing code of label %s: %w", l.Tracking, err)
	}
	text(img, body, margin+142, serviceTop+67, grouped(l.Tracking))
	if err := drawCode128(img, l.Tracking); err != nil {
		return fmt.Errorf("barcode of label %s: %w", l.Tracking, err)
	}
	for i, ref := range l.References[:min(len(l.References), 2)] {
		text(img, small, margin, footerTop+46+22*i, small.fit(fmt.Sprintf("REF %d: %s", i+1, ref), 292))
	}
	return nil
}

func block(img *image.Paletted, t *typeface, x, y, leading, max int, p Party) {
	text(img, t, x, y, t.fit(strings.ToUpper(p.Name), max))
	for i, line := range p.Lines[:min(len(p.Lines), 5)] {
		text(img, t, x, y+leading*(i+1), t.fit(strings.ToUpper(line), max))
	}
}

// text writes s with its baseline at y and cuts what would leave the picture.
func text(img *image.Paletted, t *typeface, x, y int, s string) {
	for _, r := range s {
		g := t.glyph(r)
		at := g.bounds.Add(image.Pt(x, y))
		if at.In(img.Rect) {
			w := at.Dx()
			for row := range at.Dy() {
				line := img.Pix[(at.Min.Y+row)*img.Stride+at.Min.X:]
				for col, ink := range g.ink[row*w : (row+1)*w] {
					if ink {
						line[col] = black
					}
				}
			}
		}
		x += g.advance
	}
}

func fill(img *image.Paletted, r image.Rectangle) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[y*img.Stride+r.Min.X : y*img.Stride+r.Max.X]
		for i := range row {
			row[i] = black
		}
	}
}

// drawCode128 draws the number over the whole width, with at least ten modules of white on both sides.
func drawCode128(img *image.Paletted, number string) error {
	code, err := code128.Encode(number)
	if err != nil {
		return err
	}
	modules := code.Bounds().Dx()
	size := max(1, min(3, width/(modules+20)))
	left := (width - modules*size) / 2
	for m := range modules {
		if dark(code.At(m, 0)) {
			fill(img, image.Rect(left+m*size, barcodeTop, left+(m+1)*size, barcodeTop+1))
		}
	}
	first := img.Pix[barcodeTop*img.Stride:][:width]
	for y := 1; y < barcodeDown; y++ {
		copy(img.Pix[(barcodeTop+y)*img.Stride:], first)
	}
	return nil
}

func drawMatrix(img *image.Paletted, at image.Point, message string) error {
	code, err := datamatrix.Encode(message)
	if err != nil {
		return err
	}
	modules := code.Bounds().Dx()
	size := max(1, matrixSize/modules)
	for y := range modules {
		for x := range modules {
			if dark(code.At(x, y)) {
				fill(img, image.Rect(at.X+x*size, at.Y+y*size, at.X+(x+1)*size, at.Y+(y+1)*size))
			}
		}
	}
	return nil
}

func dark(c color.Color) bool {
	r, _, _, _ := c.RGBA()
	return r == 0
}
