package label

import (
	"fmt"
	"strconv"
	"strings"
)

// zpl writes the label for a printer of 203 dots per inch; the printer draws text and codes itself.
func zpl(l *Label) []byte {
	b := make([]byte, 0, 2048)
	b = append(b, "^XA^CI28^PW812^LL1218^LH0,0"+
		"^FO24,408^GB764,3,3^FS^FO24,666^GB764,12,12^FS^FO24,786^GB764,3,3^FS^FO24,1036^GB764,12,12^FS^FO286,408^GB3,258,3^FS"+
		"^FO24,200^A0N,30,30^FDSHIP^FS^FO24,232^A0N,30,30^FDTO:^FS^FO24,748^A0N,28,28^FDTRACKING #:^FS"+
		"^FO24,1060^A0N,22,22^FDBILLING: P/P^FS"+
		"^FO480,1056^A0N,80,80^FD"+sampleMark+"^FS^FO390,1150^A0N,22,22^FD"+sampleLine+"^FS"...)
	b = zplText(b, 24, 690, 54, l.Service)
	b = zplBlock(b, 24, 30, 22, 26, l.Sender)
	b = zplText(b, 520, 30, 30, l.Weight)
	b = zplText(b, 670, 30, 30, l.pieces())
	b = zplBlock(b, 124, 200, 28, 34, l.Receiver)
	b = zplText(b, 306, 460, 54, l.Routing)
	b = zplText(b, 306, 560, 30, l.Country+" "+l.PostalCode)
	b = append(b, "^FO40,424^BXN,7,200^FH^FD"...)
	b = append(zplEscape(b, l.RoutingMessage()), "^FS"...)
	b = zplText(b, 214, 748, 28, grouped(l.Tracking))
	// Mode A lets the printer change between the subsets of Code 128, as the number is letters and long runs of digits.
	b = append(b, "^FO60,806^BY3^BCN,210,N,N,N,A^FD"...)
	b = append(append(b, l.Tracking...), "^FS"...)
	for i, ref := range l.References[:min(len(l.References), 2)] {
		b = zplText(b, 24, 1092+30*i, 22, "REF "+strconv.Itoa(i+1)+": "+ref)
	}
	return append(b, "^XZ\n"...)
}

func zplBlock(b []byte, x, y, size, leading int, p Party) []byte {
	b = zplText(b, x, y, size, strings.ToUpper(p.Name))
	for i, line := range p.Lines[:min(len(p.Lines), 5)] {
		b = zplText(b, x, y+leading*(i+1), size, strings.ToUpper(line))
	}
	return b
}

func zplText(b []byte, x, y, size int, s string) []byte {
	b = append(b, "^FO"...)
	b = strconv.AppendInt(b, int64(x), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(y), 10)
	b = append(b, "^A0N,"...)
	b = strconv.AppendInt(b, int64(size), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(size), 10)
	b = append(b, "^FH^FD"...)
	return append(zplEscape(b, s), "^FS"...)
}

// zplEscape writes data of a field marked ^FH: what would start a command, the escape character itself and control
// characters go as "_" and two hexadecimal digits.
func zplEscape(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range []byte(s) {
		if c == '^' || c == '~' || c == '_' || c < ' ' || c == 0x7f {
			b = append(b, '_', hex[c>>4], hex[c&15])
			continue
		}
		b = append(b, c)
	}
	return b
}

// epl writes the label in EPL2, the older language of the same printers.
func epl(l *Label) []byte {
	var b strings.Builder
	b.WriteString("\nN\nq812\nQ1218,24\n")
	for _, rule := range [][4]int{{24, 408, 764, 3}, {24, 666, 764, 12}, {24, 786, 764, 3}, {24, 1036, 764, 12}, {286, 408, 3, 258}} {
		fmt.Fprintf(&b, "LO%d,%d,%d,%d\n", rule[0], rule[1], rule[2], rule[3])
	}
	put := func(x, y, font, scale int, s string) {
		fmt.Fprintf(&b, "A%d,%d,0,%d,%d,%d,N,\"%s\"\n", x, y, font, scale, scale, eplEscape(s))
	}
	put(24, 200, 4, 1, "SHIP")
	put(24, 232, 4, 1, "TO:")
	put(24, 690, 4, 2, l.Service)
	for i, line := range append([]string{l.Sender.Name}, l.Sender.Lines[:min(len(l.Sender.Lines), 5)]...) {
		put(24, 30+26*i, 2, 1, strings.ToUpper(line))
	}
	put(520, 30, 4, 1, l.Weight)
	put(670, 30, 4, 1, l.pieces())
	for i, line := range append([]string{l.Receiver.Name}, l.Receiver.Lines[:min(len(l.Receiver.Lines), 5)]...) {
		put(124, 200+34*i, 3, 1, strings.ToUpper(line))
	}
	put(306, 460, 4, 2, l.Routing)
	put(306, 560, 4, 1, l.Country+" "+l.PostalCode)
	fmt.Fprintf(&b, "b40,424,D,h7,\"%s\"\n", eplEscape(l.RoutingMessage()))
	put(24, 748, 3, 1, "TRACKING #: "+grouped(l.Tracking))
	fmt.Fprintf(&b, "B60,806,0,1,3,3,210,N,\"%s\"\n", l.Tracking)
	put(24, 1060, 2, 1, "BILLING: P/P")
	for i, ref := range l.References[:min(len(l.References), 2)] {
		put(24, 1092+30*i, 2, 1, "REF "+strconv.Itoa(i+1)+": "+ref)
	}
	put(500, 1056, 5, 1, sampleMark)
	put(390, 1150, 2, 1, sampleLine)
	b.WriteString("P1\n")
	return []byte(b.String())
}

// eplEscape makes s fit for a quoted EPL2 field: printable ASCII, with quote and backslash escaped.
func eplEscape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r > '~':
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
