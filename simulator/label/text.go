package label

import (
	"image"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// typeface is one font at one size with its glyphs kept as bitmaps. An opentype.Face serves one goroutine at a
// time, so glyphs are rasterised under the lock and read without it.
type typeface struct {
	load   func() font.Face
	glyphs sync.Map // rune -> *glyph

	mu   sync.Mutex
	face font.Face
}

// glyph is a black-or-white bitmap, placed relative to the pen on the baseline.
type glyph struct {
	bounds  image.Rectangle
	ink     []bool
	advance int
}

var (
	small  = newTypeface(goregular.TTF, 17)
	body   = newTypeface(goregular.TTF, 21)
	strong = newTypeface(gobold.TTF, 22)
	title  = newTypeface(gobold.TTF, 40)
	huge   = newTypeface(gobold.TTF, 58)
)

func newTypeface(ttf []byte, pixels float64) *typeface {
	return &typeface{load: sync.OnceValue(func() font.Face {
		parsed, err := opentype.Parse(ttf)
		if err == nil {
			var face font.Face
			// At 72 dots per inch a point is a pixel.
			if face, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: pixels, DPI: 72, Hinting: font.HintingFull}); err == nil {
				return face
			}
		}
		panic("label: the font compiled into the binary does not load: " + err.Error())
	})}
}

func (t *typeface) glyph(r rune) *glyph {
	if g, ok := t.glyphs.Load(r); ok {
		return g.(*glyph)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.face == nil {
		t.face = t.load()
	}
	dr, mask, maskp, advance, _ := t.face.Glyph(fixed.Point26_6{}, r)
	g := &glyph{bounds: dr, ink: make([]bool, dr.Dx()*dr.Dy()), advance: advance.Round()}
	for y := range dr.Dy() {
		for x := range dr.Dx() {
			_, _, _, a := mask.At(maskp.X+x, maskp.Y+y).RGBA()
			g.ink[y*dr.Dx()+x] = a >= 0x7000
		}
	}
	t.glyphs.Store(r, g)
	return g
}

// width tells how many pixels the text takes.
func (t *typeface) width(s string) int {
	w := 0
	for _, r := range s {
		w += t.glyph(r).advance
	}
	return w
}

// fit cuts the text so that it takes at most max pixels.
func (t *typeface) fit(s string, max int) string {
	w := 0
	for i, r := range s {
		if w += t.glyph(r).advance; w > max {
			return s[:i]
		}
	}
	return s
}
