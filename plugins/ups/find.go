package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// maxCandidates bounds how many parcels under one reference are asked about.
const maxCandidates = 20

// Find looks for what was booked under our reference: first by label recovery, which knows shipments that no driver has
// seen yet and brings the labels along, then by tracking, which also knows voided ones. That both find nothing proves
// nothing.
func (a *Account) Find(ctx context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	format := r.LabelFormat
	if format == "" {
		format = shipping.LabelFormat(a.cfg.LabelFormat)
	}
	found, err := a.recoverByReference(ctx, r.Reference, format)
	switch {
	case err == nil && len(found.TrackingCandidate) == 0:
		return []carrier.Booking{found.booking(r.Reference, format)}, nil
	case err == nil:
		c := &collection{account: a, reference: r.Reference, format: format}
		if found.ShipmentIdentificationNumber != "" {
			c.add(found.booking(r.Reference, format))
		}
		for _, x := range found.TrackingCandidate[:min(len(found.TrackingCandidate), maxCandidates)] {
			if err := c.number(ctx, string(x.TrackingNumber)); err != nil {
				return nil, err
			}
		}
		return c.bookings, nil
	case !aboutTheLabel(err):
		return nil, err
	}
	bookings, trackErr := a.findByTracking(ctx, r, format)
	if trackErr != nil {
		return nil, trackErr
	}
	if e := carrier.AsError(err); len(bookings) == 0 && slices.Contains(shipmentExists, e.CarrierCode) {
		e.Retry, e.RetryAfter = carrier.RetryAfter, trackingLag
		return nil, e // something was booked, and it would be a lie to say that nothing was found
	}
	return bookings, nil
}

// shipmentExists are label recovery's refusals of a shipment that it knows: several, sent already, too many parcels, a wrong
// return service, expired, not processed yet.
var shipmentExists = []string{"300001", "300002", "300003", "300004", "300006", "300034", "300035"}

// trackingLag is when to look again for a shipment that tracking does not show yet; UPS publishes no figure.
const trackingLag = time.Minute

// aboutTheLabel reports whether label recovery has answered, and merely has no label to give.
func aboutTheLabel(err error) bool {
	return strings.HasPrefix(carrier.AsError(err).CarrierCode, "3000")
}

// findByTracking asks for parcels under the reference. Pickup dates are given: UPS's default is the last 14 days.
func (a *Account) findByTracking(ctx context.Context, r carrier.FindRequest, format shipping.LabelFormat) ([]carrier.Booking, error) {
	from, to := r.From, r.To
	if to.IsZero() {
		to = a.env.Now(ctx)
	}
	if from.IsZero() {
		from = to.AddDate(0, 0, -14)
	}
	// A day of slack on both sides for the zone of the pickup, and as many ahead as a shipment may be dated.
	answer, err := a.trackReference(ctx, r.Reference, from.AddDate(0, 0, -1), to.AddDate(0, 0, maxDaysAhead+1))
	if err != nil {
		return nil, err
	}
	c := &collection{account: a, reference: r.Reference, format: format}
	counts := map[string]string{}
	for _, s := range answer.TrackResponse.first().Shipment {
		for _, p := range s.Package {
			if p.TrackingNumber == "" || !p.bears(r.Reference) {
				continue
			}
			if p.voided() {
				c.lone(string(p.TrackingNumber), true)
				continue
			}
			if len(c.bookings) >= maxCandidates {
				return c.joined(counts), nil
			}
			counts[string(p.TrackingNumber)] = string(p.PackageCount)
			if err := c.number(ctx, string(p.TrackingNumber)); err != nil {
				return nil, err
			}
		}
	}
	return c.joined(counts), nil
}

// collection gathers parcels into the shipments that they belong to.
type collection struct {
	account   *Account
	reference string
	format    shipping.LabelFormat
	bookings  []carrier.Booking
	loose     map[string]bool // the bookings that are a parcel which UPS has no label of, by its number
}

// joined makes one booking of loose parcels which can be the parcels of one shipment, by what UPS says of how many that has; counts tells
// it by parcel. Told apart, all but one would be taken for bookings too many. Where there are more than one shipment has, nobody can say
// which belong together.
func (c *collection) joined(counts map[string]string) []carrier.Booking {
	shares := map[string]int{}
	for _, b := range c.bookings {
		if c.loose[b.CarrierRef] && !b.Cancelled {
			shares[counts[b.CarrierRef]]++
		}
	}
	first := map[string]int{}
	var out []carrier.Booking
	for _, b := range c.bookings {
		of := counts[b.CarrierRef]
		if n, err := strconv.Atoi(of); err != nil || !c.loose[b.CarrierRef] || b.Cancelled || shares[of] > n {
			out = append(out, b)
			continue
		}
		if i, known := first[of]; known {
			out[i].Parcels = append(out[i].Parcels, b.Parcels...)
			continue
		}
		first[of] = len(out)
		out = append(out, b)
	}
	return out
}

// number adds the shipment of a parcel. Where UPS has no label any more the parcel stands for itself.
func (c *collection) number(ctx context.Context, number string) error {
	for _, b := range c.bookings {
		for _, p := range b.Parcels {
			if p.Number == number {
				return nil
			}
		}
	}
	found, err := c.account.recoverByNumber(ctx, number, c.format)
	switch {
	case err == nil:
		b := found.booking(c.reference, c.format)
		if b.CarrierRef == "" {
			b.CarrierRef, b.TrackingID = number, number
		}
		c.add(b)
	case aboutTheLabel(err):
		if c.loose == nil {
			c.loose = map[string]bool{}
		}
		c.loose[number] = true
		c.lone(number, carrier.AsError(err).CarrierCode == labelVoided)
	default:
		return err
	}
	return nil
}

// lone adds a parcel that stands for itself.
func (c *collection) lone(number string, cancelled bool) {
	c.add(carrier.Booking{Reference: c.reference, CarrierRef: number, TrackingID: number, TrackingURL: trackingURL(number),
		Cancelled: cancelled, Parcels: []carrier.BookedParcel{{Number: number}}})
}

// add joins a booking to the one that has the same shipment number, if any.
func (c *collection) add(b carrier.Booking) {
	for i := range c.bookings {
		if c.bookings[i].CarrierRef != b.CarrierRef {
			continue
		}
		for _, p := range b.Parcels {
			if !hasParcel(c.bookings[i], p.Number) {
				c.bookings[i].Parcels = append(c.bookings[i].Parcels, p)
			}
		}
		return
	}
	c.bookings = append(c.bookings, b)
}

func hasParcel(b carrier.Booking, number string) bool {
	for _, p := range b.Parcels {
		if p.Number == number {
			return true
		}
	}
	return false
}

// booking maps recovered labels. Label recovery says neither service nor price.
func (f recovered) booking(ref string, asked shipping.LabelFormat) carrier.Booking {
	b := carrier.Booking{Reference: ref, CarrierRef: string(f.ShipmentIdentificationNumber)}
	for _, l := range f.LabelResults {
		p := carrier.BookedParcel{Number: string(l.TrackingNumber)}
		if p.Number == "" {
			p.Number = b.CarrierRef
		}
		label, err := l.label(asked)
		if err != nil {
			b.Warnings = append(b.Warnings, "a label must be fetched again: "+err.Error())
		}
		p.Label = label
		b.Parcels = append(b.Parcels, p)
	}
	if b.CarrierRef == "" && len(b.Parcels) > 0 {
		b.CarrierRef = b.Parcels[0].Number
	}
	b.TrackingID = b.CarrierRef
	b.TrackingURL = trackingURL(b.TrackingID)
	return b
}

// bears reports whether a parcel has our reference. Where UPS names none, the search that found it is believed.
func (p trackedPackage) bears(ref string) bool {
	named := false
	for _, n := range p.ReferenceNumber {
		if strings.EqualFold(string(n.Number), ref) {
			return true
		}
		named = named || (n.Number != "" && n.Number != "NA")
	}
	return !named
}

func (p trackedPackage) voided() bool {
	return len(p.Activity) > 0 && p.Activity[0].Status.first().Type == "MV"
}
