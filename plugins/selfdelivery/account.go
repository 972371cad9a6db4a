package main

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// serviceID is the one thing that own drivers sell.
const serviceID = "same_day"

// The refusals of an order. All that apply are answered together.
const (
	outOfZone       = "OUT_OF_ZONE"
	outsideHours    = "OUTSIDE_HOURS"
	capacityFull    = "CAPACITY_FULL"
	tooLate         = "TOO_LATE"
	notSupported    = "NOT_SUPPORTED"
	distanceUnknown = "DISTANCE_UNKNOWN"
)

// Account is one fleet. It keeps nothing but its configuration: what was booked is known to the engine alone, and all that a
// booking says follows from its request.
type Account struct {
	env    carrier.Env
	cfg    Config
	fee    fee
	zone   zone
	hours  hours
	usable map[string]bool // what Config.Supports lists
}

var (
	_ carrier.Quoter   = (*Account)(nil)
	_ carrier.Booker   = (*Account)(nil)
	_ carrier.Canceler = (*Account)(nil)
	_ carrier.Editor   = (*Account)(nil)
)

// estimate is what the fleet would do for a consignment. As JSON it is the quote's token, so that a booking keeps the times
// that were promised.
type estimate struct {
	Pickup   shipping.TimeWindow `json:"pickup"`
	Delivery shipping.TimeWindow `json:"delivery"`
}

// Quote answers from the configuration alone.
func (a *Account) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	if len(r.Services) > 0 && !slices.Contains(r.Services, serviceID) {
		return carrier.QuoteAnswer{}, nil
	}
	refusals := a.capacityRefusals(r.Usage)
	e, price, more, err := a.estimate(ctx, r.Consignment, r.WayBack)
	if err != nil {
		return carrier.QuoteAnswer{}, err
	}
	if refusals = append(refusals, more...); len(refusals) > 0 {
		return carrier.QuoteAnswer{Refusals: refusals}, nil
	}
	token, err := json.Marshal(e)
	if err != nil {
		return carrier.QuoteAnswer{}, err
	}
	return carrier.QuoteAnswer{Quotes: []shipping.Quote{{
		ServiceID: serviceID, ServiceCode: service.Code, ServiceType: service.Name, Mode: service.Mode, Vehicle: a.cfg.Drive.Vehicle,
		Amount: price.amount, Charges: price.charges, Pickup: e.Pickup, Delivery: e.Delivery,
		DistanceMetres: a.roadMetres(r.Consignment), Token: token,
	}}, Capacity: carrier.Usage{Open: a.cfg.Capacity.Open, Today: a.cfg.Capacity.PerDay}}, nil
}

// Book draws the labels. The same request gives the same booking, however often it is sent.
func (a *Account) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	if err := checkBooking(r); err != nil {
		return carrier.Booking{}, err
	}
	e, price, refusals, err := a.estimate(ctx, r.Consignment, false)
	if err != nil {
		return carrier.Booking{}, err
	}
	switch {
	case len(r.Token) > 0: // the quote was judged when it was given; the clock has moved since
		if e, err = decodeToken(r.Token); err != nil {
			return carrier.Booking{}, err
		}
	case len(refusals) > 0:
		return carrier.Booking{}, &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
			Code: carrier.ServiceUnavailable, CarrierCode: refusals[0].Code, Message: "The own drivers do not take this order: " + refusals[0].Message}
	}
	b, err := a.booking(r.Consignment, e, r.LabelFormat, a.env.Now(ctx))
	if err != nil {
		return carrier.Booking{}, err
	}
	b.Amount, b.Charges = price.amount, price.charges
	if !r.Quoted.IsZero() && r.Quoted != price.amount {
		b.Amount, b.Charges = r.Quoted, nil
	}
	b.BookedAt = shipping.At(a.env.Now(ctx))
	return b, nil
}

// Cancel succeeds until the order was picked up. The fleet holds no state, so the engine's word counts for where the order is.
func (a *Account) Cancel(_ context.Context, r carrier.CancelRequest) (carrier.Cancellation, error) {
	switch r.Status {
	case shipping.PickupCompleted, shipping.InTransit, shipping.OutForDelivery, shipping.OrderAtLocation, shipping.OrderRedelivery,
		shipping.OrderDelivered, shipping.OrderUndeliverable:
		return carrier.Cancellation{}, &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
			Code: carrier.CancelRefused, Message: "The driver has picked the order up; it can no longer be cancelled."}
	}
	return carrier.Cancellation{}, nil
}

// Edit draws the labels again with the new instructions and contacts. Numbers, times and price stay as they were booked, so
// times and price are left empty. The labels are PDF.
func (a *Account) Edit(ctx context.Context, r carrier.EditRequest) (carrier.Booking, error) {
	if err := checkBooking(carrier.BookRequest{Consignment: r.Consignment, ServiceID: r.ServiceID}); err != nil {
		return carrier.Booking{}, err
	}
	if missing := a.supportRefusals(r.Consignment); len(missing) > 0 {
		return carrier.Booking{}, &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
			Code: carrier.EditRefused, CarrierCode: missing[0].Code, Message: missing[0].Message}
	}
	b, err := a.booking(r.Consignment, estimate{Delivery: r.Delivery.Window}, "", a.env.Now(ctx))
	b.Delivery = shipping.TimeWindow{} // what was asked for, and on the label; what was promised is in the booking
	return b, err
}

func (a *Account) booking(c carrier.Consignment, e estimate, format shipping.LabelFormat, now time.Time) (carrier.Booking, error) {
	slips, warnings := a.slips(c, e)
	b := carrier.Booking{
		Reference: c.Reference, CarrierRef: slips[0].tracking, ServiceID: serviceID, TrackingID: slips[0].tracking,
		Pickup: e.Pickup, Delivery: e.Delivery, Warnings: warnings,
	}
	for _, s := range slips {
		l, err := drawLabel(s, format, now)
		if err != nil {
			return carrier.Booking{}, err
		}
		b.Parcels = append(b.Parcels, carrier.BookedParcel{Number: s.number, Label: l})
	}
	return b, nil
}

func checkBooking(r carrier.BookRequest) error {
	switch {
	case r.Reference == "":
		return invalid("reference", "A booking needs a reference: the tracking number is derived from it.")
	case len(r.Parcels) == 0:
		return invalid("parcels", "A booking needs at least one parcel.")
	case len(r.Parcels) > maxParcels:
		return invalid("parcels", fmt.Sprintf("One booking carries at most %d parcels, this has %d.", maxParcels, len(r.Parcels)))
	case r.ServiceID != "" && r.ServiceID != serviceID:
		return invalid("serviceId", "The own drivers have one service, "+serviceID+".")
	}
	return nil
}

func invalid(field, message string) error {
	return &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.InvalidField,
		Field: field, Message: message}
}

func decodeToken(b []byte) (estimate, error) {
	var e estimate
	if err := json.Unmarshal(b, &e); err != nil {
		return estimate{}, &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
			Code: carrier.InvalidField, Field: "token", Message: "The token is not one of this adapter's quotes.", Err: err}
	}
	return e, nil
}

func (a *Account) capacityRefusals(u carrier.Usage) []shipping.Refusal {
	var out []shipping.Refusal
	if limit := a.cfg.Capacity.Open; limit > 0 && u.Open >= limit {
		out = append(out, refuse(capacityFull, "%d deliveries are under way, as many as the drivers take at once.", u.Open))
	}
	if limit := a.cfg.Capacity.PerDay; limit > 0 && u.Today >= limit {
		out = append(out, refuse(capacityFull, "%d deliveries were booked today, as many as the drivers take in a day.", u.Today))
	}
	return out
}

func refuse(code, format string, args ...any) shipping.Refusal {
	return shipping.Refusal{ServiceID: serviceID, Code: code, Message: fmt.Sprintf(format, args...)}
}

// estimate judges a consignment by all rules but capacity. The way back costs what the way there does; the zone is then that of the
// pickup address, where the buyer is, and the merchant has nothing to prepare. An error is a fault of the request, not of the order.
func (a *Account) estimate(ctx context.Context, c carrier.Consignment, back bool) (estimate, price, []shipping.Refusal, error) {
	now := a.env.Now(ctx)
	c.Pickup.Window, c.Delivery.Window = current(c.Pickup.Window, now), current(c.Delivery.Window, now)
	refusals := a.supportRefusals(c)
	from, to, what, ready := c.Pickup.Address, c.Delivery.Address, "delivery address", now.Add(time.Duration(a.cfg.Drive.PrepMinutes)*time.Minute)
	if back {
		from, to, what, ready = to, from, "pickup address", now
	}
	if why := a.zone.refuses(from, to, what, c.DistanceMetres); why != "" {
		refusals = append(refusals, refuse(outOfZone, "%s", why))
	}
	metres, known := a.roadMetres(c), distanceKnown(c)
	p, err := a.fee.price(feeQuestion{metres: metres, known: known, value: c.OrderValue, currency: a.currency(c)})
	if err != nil {
		return estimate{}, price{}, nil, err
	}
	if p.refusal != nil {
		refusals = append(refusals, *p.refusal)
	}
	at, refusal, err := a.pickupTime(ready, c, a.travel(metres))
	if err != nil {
		return estimate{}, price{}, nil, err
	}
	if refusal != nil {
		return estimate{}, price{}, append(refusals, *refusal), nil
	}
	arrival := at.Add(a.travel(metres))
	until, end := arrival.Add(time.Duration(a.cfg.Drive.WindowMinutes)*time.Minute), c.Delivery.Window.EndsAt
	if !end.IsZero() {
		if arrival.After(end.Time) {
			refusals = append(refusals, refuse(tooLate, "The drivers would arrive after the end of the delivery window."))
		} else if until.After(end.Time) {
			until = end.Time
		}
	}
	return estimate{
		Pickup:   shipping.TimeWindow{StartsAt: shipping.At(at), EndsAt: shipping.At(at)},
		Delivery: shipping.TimeWindow{StartsAt: shipping.At(arrival), EndsAt: shipping.At(until)},
	}, p, refusals, nil
}

// pickupTime finds when a driver would set out: not before the parcels are ready, within the asked window, within the hours,
// and not so early that the driver waits at the customer's door.
func (a *Account) pickupTime(ready time.Time, c carrier.Consignment, travel time.Duration) (time.Time, *shipping.Refusal, error) {
	at := ready
	for _, t := range []time.Time{c.Pickup.Window.StartsAt.Time, c.Delivery.Window.StartsAt.Add(-travel)} {
		if t.After(at) {
			at = t
		}
	}
	latest := c.Pickup.Window.EndsAt.Time
	if end := c.Delivery.Window.EndsAt; !end.IsZero() {
		if by := end.Add(-travel); latest.IsZero() || by.Before(latest) {
			latest = by
		}
	}
	if !latest.IsZero() && at.After(latest) {
		r := refuse(tooLate, "The parcels cannot be ready and on the way within the asked windows.")
		return at, &r, nil
	}
	if !a.hours.limited() {
		return at, nil, nil
	}
	zone, err := loadZone(c.Pickup.Zone)
	if err != nil {
		return at, nil, err
	}
	if latest.IsZero() {
		latest = at
		if at.After(ready) { // asked for later, without an end: any time that day will do
			latest = endOfDay(at.In(zone))
		}
	}
	open, ok := a.hours.next(at.In(zone), latest)
	if !ok {
		r := refuse(outsideHours, "No driver sets out at the asked time.")
		return at, &r, nil
	}
	return open.UTC(), nil, nil
}

// current drops a window that is over: like none, it means as soon as possible.
func current(w shipping.TimeWindow, now time.Time) shipping.TimeWindow {
	if !w.EndsAt.IsZero() && !w.EndsAt.After(now) {
		return shipping.TimeWindow{}
	}
	return w
}

func (a *Account) supportRefusals(c carrier.Consignment) []shipping.Refusal {
	var needs []string
	needs = append(needs, c.Content...)
	if t := c.TemperatureControl; t != "" && t != "none" {
		needs = append(needs, t)
	}
	if s := c.Signature; s != "" && s != "not_required" && slices.Contains(shipping.Signatures, s) {
		needs = append(needs, "signature_"+s)
	}
	var missing []string
	for _, n := range needs {
		if !a.usable[n] && !slices.Contains(missing, n) {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []shipping.Refusal{refuse(notSupported, "The drivers are not set up for: %s.", strings.Join(missing, ", "))}
}

func (a *Account) currency(c carrier.Consignment) string {
	if a.cfg.Currency != "" {
		return a.cfg.Currency
	}
	return c.Currency
}

// distanceKnown reports whether DistanceMetres means something: 0 does only where both places have coordinates.
func distanceKnown(c carrier.Consignment) bool {
	return c.DistanceMetres > 0 || c.Pickup.Address.Placed() && c.Delivery.Address.Placed()
}

// roadMetres is the great-circle distance stretched to what a road would be.
func (a *Account) roadMetres(c carrier.Consignment) int64 {
	metres := min(max(c.DistanceMetres, 0), maxKM*1000)
	if a.cfg.Drive.RoadFactor.IsZero() {
		return metres
	}
	return roundHalfUp(new(big.Rat).Mul(rat(metres), a.cfg.Drive.RoadFactor.Rat()))
}

// travel is the time from leaving the pickup place to standing at the customer's door.
func (a *Account) travel(metres int64) time.Duration {
	driving := metres * 3600 / int64(a.cfg.Drive.SpeedKMH*1000)
	return time.Duration(driving)*time.Second + time.Duration(a.cfg.Drive.StopMinutes)*time.Minute
}
