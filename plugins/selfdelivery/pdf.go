package main

import (
	"bytes"
	"image/color"
	"strings"
	"sync"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/qr"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/encoding/charmap"
)

// The page, in points: 4 by 6 inches.
const (
	pageWidth  = 288.0
	pageHeight = 432.0
	margin     = 14.0
	qrSize     = 66.0
	barHeight  = 52.0
)

// page draws one label. Texts of western Europe use the fonts that every PDF reader has, which costs nothing; others embed a
// subset of the Go fonts, which know Latin, Greek and Cyrillic letters and cost some milliseconds. What neither has (Chinese,
// emoji) becomes a question mark.
type page struct {
	*fpdf.Fpdf
	font   string
	encode func(string) string
	y      float64
}

func drawPDF(s slip, at time.Time) ([]byte, error) {
	p := newPage(s, at)
	right := pageWidth - margin
	p.y = margin + 12
	p.line("B", 14, margin, right-margin-60, s.title)
	p.rightAligned("B", 14, s.parcel)
	p.y += 17
	p.line("B", 11, margin, right-margin, strings.TrimSpace("Order "+s.order))
	p.rule()

	for i, l := range s.from {
		if i == 0 {
			l = "From: " + l
		}
		p.y += 10
		p.line("", 8, margin, right-margin, l)
	}
	p.rule()
	for i, l := range s.to {
		size, style := 12.0, ""
		if i == 0 {
			size, style = 15, "B"
		}
		p.y += size + 3
		p.line(style, size, margin, right-margin, l)
	}
	if s.phone != "" {
		p.y += 14
		p.line("", 11, margin, right-margin, s.phone)
	}
	if s.due != "" {
		p.y += 15
		p.line("B", 11, margin, right-margin, "Deliver "+s.due)
	}
	if len(s.flags) > 0 {
		p.y += 15
		p.line("B", 11, margin, right-margin, strings.Join(s.flags, " / "))
	}
	p.rule()

	bars := pageHeight - margin - 14 - barHeight
	p.notes(s.notes, bars-8)
	if err := p.qr(s.tracking, right-qrSize, bars-qrSize-8); err != nil {
		return nil, err
	}
	if err := p.code128(s.barcode, bars); err != nil {
		return nil, err
	}
	p.y = pageHeight - margin
	p.SetFont(p.font, "", 10)
	text := p.encode(s.barcode)
	p.Text((pageWidth-p.GetStringWidth(text))/2, p.y, text)
	var out bytes.Buffer
	err := p.Output(&out)
	return out.Bytes(), err
}

func newPage(s slip, at time.Time) *page {
	f := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: pageWidth, Ht: pageHeight}})
	f.SetCompression(false) // costs more time than it saves bytes
	f.SetCatalogSort(true)
	f.SetCreationDate(at.UTC())
	f.SetModificationDate(at.UTC())
	f.SetTitle("Delivery label "+s.number, true)
	f.SetMargins(0, 0, 0)
	f.SetAutoPageBreak(false, 0)
	p := &page{Fpdf: f, font: "Helvetica", encode: western}
	if s.needsFont() {
		p.font, p.encode = "Go", embedded
		f.AddUTF8FontFromBytes(p.font, "", goregular.TTF)
		f.AddUTF8FontFromBytes(p.font, "B", gobold.TTF)
	}
	f.AddPage()
	f.SetLineWidth(0.7)
	return p
}

// needsFont reports whether the label has a letter that the built-in fonts of PDF lack and the Go fonts have.
func (s slip) needsFont() bool {
	for _, lines := range [][]string{{s.title, s.order, s.phone, s.due}, s.from, s.to, s.flags, s.notes} {
		for _, l := range lines {
			for _, r := range l {
				if _, western := charmap.Windows1252.EncodeRune(r); !western && inGoFont(r) {
					return true
				}
			}
		}
	}
	return false
}

// western writes text in the encoding of the built-in fonts.
func western(s string) string {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if b, ok := charmap.Windows1252.EncodeRune(r); ok {
			out = append(out, b)
		} else if !invisible(r) {
			out = append(out, '?')
		}
	}
	return string(out)
}

// embedded leaves text as it is but for what the Go fonts do not have.
func embedded(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case inGoFont(r):
			return r
		case invisible(r):
			return -1
		}
		return '?'
	}, s)
}

// invisible tells what no reader misses: joiners, direction marks, accents of their own, variants of emoji.
func invisible(r rune) bool { return unicode.In(r, unicode.Cf, unicode.Mn, unicode.Me) }

var goFont = sync.OnceValue(func() *sfnt.Font {
	f, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		panic(err) // the font is compiled into the program
	}
	return f
})

// inGoFont reports whether a letter can be drawn with the Go fonts. The PDF library panics on those beyond U+FFFF.
func inGoFont(r rune) bool {
	if r > 0xFFFF {
		return false
	}
	var buf sfnt.Buffer
	i, err := goFont().GlyphIndex(&buf, r)
	return err == nil && i != 0
}

// line draws text with its baseline at y, cut to width.
func (p *page) line(style string, size, x, width float64, text string) {
	p.SetFont(p.font, style, size)
	if runes := []rune(text); p.width(text) > width {
		for len(runes) > 0 && p.width(string(runes)+"…") > width {
			runes = runes[:len(runes)-1]
		}
		text = string(runes) + "…"
	}
	p.Text(x, p.y, p.encode(text))
}

func (p *page) width(text string) float64 { return p.GetStringWidth(p.encode(text)) }

func (p *page) rightAligned(style string, size float64, text string) {
	p.SetFont(p.font, style, size)
	p.Text(pageWidth-margin-p.width(text), p.y, p.encode(text))
}

func (p *page) rule() {
	p.y += 6
	p.Line(margin, p.y, pageWidth-margin, p.y)
	p.y += 2
}

// notes wraps the instructions into the room left of the QR code, down to bottom; what does not fit ends in an ellipsis.
func (p *page) notes(notes []string, bottom float64) {
	const size, leading = 8.0, 9.5
	p.SetFont(p.font, "", size)
	width := pageWidth - 2*margin - qrSize - 8
	var lines []string
	for _, n := range notes {
		lines = append(lines, p.wrap(n, width, 1+int((bottom-p.y)/leading))...)
	}
	for i, l := range lines {
		if p.y += leading; p.y+leading > bottom && i < len(lines)-1 {
			p.line("", size, margin, width, l+"…")
			return
		}
		p.line("", size, margin, width, l)
	}
}

// wrap breaks text at blanks into lines of at most width, and stops after limit lines.
func (p *page) wrap(text string, width float64, limit int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch joined := strings.TrimPrefix(line+" "+word, " "); {
		case line == "" || p.width(joined) <= width:
			line = joined
		default:
			if lines = append(lines, line); len(lines) >= limit {
				return lines
			}
			line = word
		}
	}
	return append(lines, line)
}

func (p *page) qr(text string, x, y float64) error {
	code, err := qr.Encode(text, qr.M, qr.AlphaNumeric)
	if err != nil {
		return err
	}
	n := code.Bounds().Dx()
	module := qrSize / float64(n)
	for row := range n {
		p.bars(code, row, n, x, y+float64(row)*module, module, module)
	}
	return nil
}

func (p *page) code128(text string, y float64) error {
	code, err := code128.Encode(text)
	if err != nil {
		return err
	}
	n := code.Bounds().Dx()
	// Ten modules of quiet zone on either side; no bar wider than a point, however short the text.
	module := min(pageWidth/float64(n+20), 1.0)
	p.bars(code, 0, n, (pageWidth-module*float64(n))/2, y, module, barHeight)
	return nil
}

// bars draws one row of a code, neighbouring dark modules as one rectangle.
func (p *page) bars(code barcode.Barcode, row, n int, x, y, module, height float64) {
	dark := func(i int) bool { return code.At(i, row) == color.Black }
	for i := 0; i < n; i++ {
		if !dark(i) {
			continue
		}
		start := i
		for i < n && dark(i) {
			i++
		}
		p.Rect(x+float64(start)*module, y, float64(i-start)*module, height, "F")
	}
}
