package main

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// slip is what one label says, before it is drawn in any format. All texts are single lines without control characters.
type slip struct {
	title    string
	order    string
	tracking string // of the whole delivery
	number   string // of this parcel
	barcode  string // what the Code 128 says; fits barcodeLimit
	parcel   string // "2 of 3"; "" for a single parcel
	from     []string
	to       []string // the first line is whom to ask for
	phone    string
	due      string
	flags    []string
	notes    []string
}

// barcodeLimit is how many characters of Code 128 fit the width of a label in bars wide enough for a hand scanner.
const barcodeLimit = 28

// numbers are written in Crockford's alphabet, which has no letters that look like digits.
var numbers = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// trackingNumber derives a delivery's number from the engine's reference: SD and 80 bits of its hash, so that it can be shown
// to anybody without telling the reference, and two deliveries never share one.
func trackingNumber(reference string) string {
	sum := sha256.Sum256([]byte("waybill self delivery " + reference))
	return "SD" + numbers.EncodeToString(sum[:10])
}

func parcelNumber(tracking string, i, n int) string {
	if n == 1 {
		return tracking
	}
	return fmt.Sprintf("%s-%02d", tracking, i+1)
}

// slips lays out one label for each parcel, and warns of barcodes that no label can carry.
func (a *Account) slips(c carrier.Consignment, e estimate) ([]slip, []string) {
	base := slip{
		title: oneLine(a.cfg.Title), order: oneLine(c.ExternalID), tracking: trackingNumber(c.Reference),
		from:  placeLines(c.Pickup.Name, c.Pickup.Address),
		to:    placeLines(c.Delivery.Contact.Name, c.Delivery.Address),
		phone: oneLine(c.Delivery.Contact.Phone), due: due(e.Delivery, c.Delivery.Zone), flags: flags(c),
	}
	for _, n := range []struct{ head, text string }{{"Pickup", c.Pickup.Instructions}, {"Delivery", c.Delivery.Instructions}} {
		if text := oneLine(n.text); text != "" {
			base.notes = append(base.notes, n.head+": "+text)
		}
	}
	var warnings []string
	out := make([]slip, len(c.Parcels))
	for i, p := range c.Parcels {
		s := base
		s.number = parcelNumber(base.tracking, i, len(c.Parcels))
		if len(c.Parcels) > 1 {
			s.parcel = fmt.Sprintf("%d of %d", i+1, len(c.Parcels))
		}
		s.barcode = s.number
		switch {
		case p.Barcode == "":
		case printable(p.Barcode):
			s.barcode = p.Barcode
		default:
			warnings = append(warnings, fmt.Sprintf("The barcode of parcel %d has more than %d characters or some that labels cannot show; its label shows the tracking number instead.", i+1, barcodeLimit))
		}
		out[i] = s
	}
	return out, warnings
}

// printable reports whether every label can show s as Code 128. Printers read > in a barcode as the beginning of a command.
func printable(s string) bool {
	return len(s) <= barcodeLimit && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '>' })
}

// oneLine joins lines with blanks and drops what cannot be printed.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}

func placeLines(name string, a shipping.Address) []string {
	street := oneLine(a.Street1)
	if apt := oneLine(a.ApartmentNumber); apt != "" {
		street += ", " + apt
	}
	city := oneLine(strings.TrimSpace(a.City + ", " + strings.TrimSpace(a.State+" "+a.PostalCode)))
	var out []string
	for _, line := range []string{oneLine(name), street, oneLine(a.Street2), strings.Trim(city, ", ")} {
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}

// due tells the promised window in the customer's own time, "" where nothing is promised.
func due(w shipping.TimeWindow, zone string) string {
	if w.StartsAt.IsZero() || w.EndsAt.IsZero() {
		return ""
	}
	z, err := loadZone(zone)
	if err != nil { // a label without a zone is better than none
		z = time.UTC
	}
	from, to := w.StartsAt.In(z), w.EndsAt.In(z)
	if from.YearDay() == to.YearDay() && from.Year() == to.Year() {
		return from.Format("Mon 2 Jan 15:04") + to.Format(" - 15:04 MST")
	}
	return from.Format("Mon 2 Jan 15:04") + to.Format(" - Mon 2 Jan 15:04 MST")
}

// flags are what the driver must not overlook.
func flags(c carrier.Consignment) []string {
	var out []string
	switch c.Signature {
	case "required", "direct":
		out = append(out, "SIGNATURE")
	case "adult":
		out = append(out, "ADULT SIGNATURE")
	}
	if t := c.TemperatureControl; t == "refrigerated" || t == "frozen" {
		out = append(out, strings.ToUpper(t))
	}
	for _, content := range c.Content {
		out = append(out, strings.ToUpper(oneLine(content)))
	}
	return out
}

// drawLabel draws a slip; the empty format is PDF. The label's bytes depend on slip, format and time alone.
func drawLabel(s slip, format shipping.LabelFormat, at time.Time) (*shipping.Label, error) {
	switch format {
	case "", shipping.PDF:
		b, err := drawPDF(s, at)
		if err != nil {
			return nil, &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
				Code: carrier.Internal, Message: "The label could not be drawn.", Err: err}
		}
		return &shipping.Label{Format: shipping.PDF, Data: b}, nil
	case shipping.ZPL:
		return &shipping.Label{Format: shipping.ZPL, Data: drawZPL(s)}, nil
	}
	return nil, invalid("labelFormat", "Own drivers' labels come as PDF or ZPL, not as "+string(format)+".")
}
