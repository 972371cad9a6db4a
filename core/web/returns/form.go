package returns

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// form is what a buyer has filled in, and what is wrong with it.
type form struct {
	lines   []line // of what is chosen
	kind    shipment.ReturnType
	reason  string
	note    string
	nonce   string            // names the form once it is filled in rightly
	faults  map[string]string // by field
	problem string            // what was refused when it was sent
	sent    bool
}

// line is one item of the order that is to come back.
type line struct {
	line, quantity int
	wish           string // what is wanted in its place
}

// maxNote bounds what a buyer writes, in characters.
const maxNote = 500

// read takes a form from what a browser has sent. What it does not know it leaves out.
func read(v url.Values, o *opened) *form {
	f := &form{kind: shipment.ReturnType(v.Get("type")), reason: v.Get("reason"), note: clean(v.Get("note")), nonce: v.Get("nonce"), sent: true, faults: map[string]string{}}
	if len(f.nonce) > 64 {
		f.nonce = ""
	}
	if f.kind != shipment.ForGoods || !o.tenant.Returns.Exchanges {
		f.kind = shipment.ForMoney
	}
	for i := range o.Order.Items {
		n, err := strconv.Atoi(v.Get(field("quantity", i+1)))
		if err != nil || n < 1 {
			continue
		}
		f.lines = append(f.lines, line{line: i + 1, quantity: n, wish: strings.Join(strings.Fields(clean(v.Get(field("wish", i+1)))), " ")})
	}
	return f
}

// clean takes out what no keyboard writes.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return -1
		case r == '\n' || !unicode.IsControl(r) && r != unicode.ReplacementChar:
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "")))
}

func field(name string, line int) string { return name + "-" + strconv.Itoa(line) }

// check finds what is wrong and reports whether anything is.
func (f *form) check(o *opened) bool {
	w := o.words
	if len(f.lines) == 0 && !o.Whole {
		f.faults["items"] = w.Say("returns.fault.items")
	}
	for _, l := range f.lines {
		if left := o.Left[l.line-1]; l.quantity > left {
			f.faults[field("quantity", l.line)] = w.Say("returns.fault.left", "n", strconv.Itoa(left))
		}
		if f.kind == shipment.ForGoods && l.wish == "" {
			f.faults[field("wish", l.line)] = w.Say("returns.fault.wish")
		}
		if len([]rune(l.wish)) > shipping.MaxText {
			f.faults[field("wish", l.line)] = w.Say("returns.fault.long", "n", strconv.Itoa(shipping.MaxText))
		}
	}
	if f.kind == shipment.ForGoods && o.Whole {
		f.faults["type"] = w.Say("returns.fault.exchange")
	}
	if _, ok := o.tenant.Returns.Reason(f.reason); !ok {
		f.faults["reason"] = w.Say("returns.fault.reason")
	}
	if len([]rune(f.note)) > maxNote {
		f.faults["note"] = w.Say("returns.fault.long", "n", strconv.Itoa(maxNote))
	}
	return len(f.faults) > 0
}

// request is what the form asks for.
func (f *form) request(o *opened) dispatch.ReturnRequest {
	r := dispatch.ReturnRequest{Type: f.kind, Reason: f.reason, Note: f.note}
	for _, l := range f.lines {
		r.Items = append(r.Items, dispatch.ReturnItem{Line: l.line, Quantity: l.quantity})
		if f.kind == shipment.ForGoods {
			r.Exchange = append(r.Exchange, shipping.Item{SKU: o.Order.Items[l.line-1].SKU, Title: l.wish, Quantity: l.quantity})
		}
	}
	return r
}

// of returns what is chosen of a line.
func (f *form) of(n int) line {
	for _, l := range f.lines {
		if l.line == n {
			return l
		}
	}
	return line{line: n}
}
