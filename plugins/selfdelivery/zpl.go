package main

import (
	"bytes"
	"fmt"
	"strings"
)

// drawZPL writes a label of 4 by 6 inches for printers of 203 dots to the inch. Barcodes are left to the printer.
func drawZPL(s slip) []byte {
	var b bytes.Buffer
	b.WriteString("^XA^CI28^PW812^LL1218^LH0,0\n") // ^CI28: UTF-8
	text := func(x, y, height, width, lines int, t string) {
		if t != "" {
			fmt.Fprintf(&b, "^FO%d,%d^A0N,%d^FB%d,%d^FH^FD%s^FS\n", x, y, height, width, lines, zplText.Replace(cut(t, 2*width*lines/height)))
		}
	}
	rule := func(y int) { fmt.Fprintf(&b, "^FO40,%d^GB732,2,2^FS\n", y) }
	text(40, 40, 40, 560, 1, s.title)
	text(620, 40, 40, 150, 1, s.parcel)
	text(40, 90, 32, 732, 1, strings.TrimSpace("Order "+s.order))
	rule(132)
	y := 144
	for i, l := range s.from {
		if i == 0 {
			l = "From: " + l
		}
		text(40, y, 24, 732, 1, l)
		y += 28
	}
	rule(y + 4)
	y += 18
	for i, l := range s.to {
		height := 34
		if i == 0 {
			height = 44
		}
		text(40, y, height, 732, 1, l)
		y += height + 8
	}
	for _, l := range []string{s.phone, strings.TrimSpace("Deliver " + s.due), strings.Join(s.flags, " / ")} {
		if l != "" && l != "Deliver" {
			text(40, y, 32, 732, 1, l)
			y += 40
		}
	}
	rule(y + 4)
	text(40, y+18, 22, 520, max((980-y-18)/22, 1), strings.Join(s.notes, " "))
	fmt.Fprintf(&b, "^FO590,780^BQN,2,6^FH^FDQA,%s^FS\n", zplCode.Replace(s.tracking))
	fmt.Fprintf(&b, "^FO60,1000^BY2^BCN,150,Y,N,N,A^FH^FD%s^FS\n", zplCode.Replace(s.barcode))
	b.WriteString("^XZ\n")
	return b.Bytes()
}

// cut shortens text to n letters. A text block that has more than its lines hold prints over its last line; a letter of the
// printers' font is about half as wide as high.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// The characters that begin ZPL commands are hidden behind _, and so is _ itself. In a text block, a backslash begins a
// command too, which no hiding prevents.
var (
	zplCode = strings.NewReplacer("^", "_5E", "~", "_7E", "_", "_5F")
	zplText = strings.NewReplacer("^", "_5E", "~", "_7E", "_", "_5F", `\`, "/")
)
