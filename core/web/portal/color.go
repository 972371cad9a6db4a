package portal

import (
	"fmt"
	"math"
	"strconv"
)

// rgb is a colour, each part from 0 to 1.
type rgb [3]float64

// parseColor reads #rrggbb, which the configuration has checked.
func parseColor(s string) rgb {
	var c rgb
	for i := range c {
		if len(s) == 7 {
			n, _ := strconv.ParseUint(s[1+2*i:3+2*i], 16, 8)
			c[i] = float64(n) / 255
		}
	}
	return c
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// luminance is the relative luminance of WCAG 2.
func (c rgb) luminance() float64 {
	part := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*part(c[0]) + 0.7152*part(c[1]) + 0.0722*part(c[2])
}

// contrast is the contrast ratio of WCAG 2, from 1 to 21.
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

var black, white = rgb{0, 0, 0}, rgb{1, 1, 1}

// readable shifts a colour towards black or white, whichever is farther from the ground, until it stands out from that.
func readable(c, ground rgb, ratio float64) rgb {
	goal := white
	if contrast(black, ground) > contrast(white, ground) {
		goal = black
	}
	for step := range 21 {
		part := float64(step) / 20
		var mixed rgb
		for i := range mixed {
			mixed[i] = math.Round((c[i]*(1-part)+goal[i]*part)*255) / 255 // as it will be written
		}
		if contrast(mixed, ground) >= ratio {
			return mixed
		}
	}
	return goal
}

// onto is the colour of text on a ground: white where that can be read, else black.
func onto(ground rgb) rgb {
	if contrast(white, ground) >= 4.5 {
		return white
	}
	return black
}

// The grounds of the page by day and by night; style.css has the same.
var (
	lightGround, lightPage = parseColor("#ffffff"), parseColor("#f4f5f7")
	darkGround, darkPage   = parseColor("#1c1f24"), parseColor("#111317")
)
