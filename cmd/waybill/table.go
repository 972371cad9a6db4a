package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// table writes aligned columns. Cells are made printable: what a carrier or a caller has written must not steer a terminal.
type table struct {
	w    *tabwriter.Writer
	out  io.Writer
	text *bytes.Buffer // what w has laid out
}

func newTable(out io.Writer, head ...string) *table {
	text := &bytes.Buffer{}
	t := &table{tabwriter.NewWriter(text, 0, 0, 2, ' ', 0), out, text}
	if len(head) > 0 {
		t.row(head...)
	}
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t")) // also what is empty at the end: a row with fewer cells begins a table of its own
}

// field writes a name and a value, unless there is none.
func (t *table) field(name, value string) {
	if value != "" {
		t.row(name, value)
	}
}

// flush writes the rows, without blanks at their ends.
func (t *table) flush() error {
	if err := t.w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(t.text.String()) {
		if _, err := fmt.Fprintln(t.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	t.text.Reset()
	return nil
}

// printable is s on one line without control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '�'
		}
		return r
	}, s)
}

// at shows an instant in the zone of whoever looks.
func at(i shipping.Instant) string {
	if i.IsZero() {
		return ""
	}
	return i.Local().Format("2006-01-02 15:04:05")
}

// window shows a stretch of time that may be open at either end.
func window(w shipping.TimeWindow) string {
	from, to := at(w.StartsAt), at(w.EndsAt)
	switch {
	case to == "" || from == to:
		return from
	case from == "":
		return "by " + to
	}
	return from + " to " + to
}

// price shows an amount, "" where there is none.
func price(amount shipping.Decimal, currency string) string {
	if amount.IsZero() {
		return ""
	}
	text := amount.String()
	if digits, ok := shipping.CurrencyDigits(currency); ok {
		text = amount.Fixed(digits)
	}
	return strings.TrimSpace(text + " " + currency)
}
