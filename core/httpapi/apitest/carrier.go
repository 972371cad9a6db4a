package apitest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Carrier stands for an account at a carrier, and for the carrier itself.
type Carrier struct {
	mu       sync.Mutex
	manifest carrier.Manifest
	fee      int64 // minor units, of the first service
	label    shipping.LabelFormat
	serial   int
	bookings map[string]*carrier.Booking // by the carrier's own reference
	hooks    Hooks

	quotes  []carrier.QuoteRequest
	booked  []carrier.BookRequest
	edits   []carrier.EditRequest
	cancels []carrier.CancelRequest
}

// Hooks change what a carrier does. An error of Book or Cancel is answered without the carrier having acted.
type Hooks struct {
	Quote  func(carrier.QuoteRequest) (carrier.QuoteAnswer, error)
	Book   func(carrier.BookRequest) error
	Cancel func(carrier.CancelRequest) error
	Edit   func(carrier.EditRequest) error
	Track  func(carrier.TrackRequest) ([]carrier.TrackUpdate, error)
}

func newCarrier(name, display string, fee int64, label shipping.LabelFormat, services ...carrier.Service) *Carrier {
	return &Carrier{fee: fee, label: label, bookings: map[string]*carrier.Booking{}, manifest: carrier.Manifest{
		Name: name, DisplayName: display, Version: "1.2.3", Services: services, Idempotency: carrier.ByReference, Absence: carrier.Proven,
		Grace: time.Second, MaxParcels: 10,
		Abilities: []carrier.Ability{carrier.CanQuote, carrier.CanBook, carrier.CanCancel, carrier.CanFind, carrier.CanEdit},
	}}
}

// Set changes what the carrier does from now on.
func (c *Carrier) Set(h Hooks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks = h
}

// SetManifest changes what the carrier's adapter declares.
func (c *Carrier) SetManifest(change func(*carrier.Manifest)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.manifest)
}

// SetLabel changes the format of the labels; "" for none.
func (c *Carrier) SetLabel(f shipping.LabelFormat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.label = f
}

// Quotes returns what the carrier was asked to quote.
func (c *Carrier) Quotes() []carrier.QuoteRequest { return listed(c, &c.quotes) }

// Booked returns what the carrier was asked to book.
func (c *Carrier) Booked() []carrier.BookRequest { return listed(c, &c.booked) }

// Edits returns what the carrier was asked to change.
func (c *Carrier) Edits() []carrier.EditRequest { return listed(c, &c.edits) }

// Cancels returns what the carrier was asked to cancel.
func (c *Carrier) Cancels() []carrier.CancelRequest { return listed(c, &c.cancels) }

func listed[T any](c *Carrier, l *[]T) []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]T(nil), *l...)
}

// Live counts the bookings that the carrier means to carry out.
func (c *Carrier) Live() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, b := range c.bookings {
		if !b.Cancelled {
			n++
		}
	}
	return n
}

// Manifest implements dispatch.Account.
func (c *Carrier) Manifest() (carrier.Manifest, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.manifest, true
}

// Started implements dispatch.Account.
func (c *Carrier) Started(context.Context) bool { return true }

// Down implements dispatch.Account.
func (c *Carrier) Down() bool { return false }

// Quote offers every service that is asked for, each a dollar dearer than the one before.
func (c *Carrier) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quotes = append(c.quotes, r)
	exchanged(ctx, "/quote", `{"ask":"price"}`)
	if c.hooks.Quote != nil {
		return c.hooks.Quote(r)
	}
	var a carrier.QuoteAnswer
	for i, s := range c.manifest.Services {
		if len(r.Services) > 0 && !contains(r.Services, s.ID) {
			continue
		}
		a.Quotes = append(a.Quotes, shipping.Quote{ServiceID: s.ID, ServiceCode: s.Code, ServiceType: s.Name, Mode: s.Mode,
			Amount: shipping.Money{Minor: c.fee + int64(i)*100, Currency: r.Currency}, Token: []byte(r.Reference),
			Charges:  []shipping.Charge{{Code: "BASE", Name: "Base rate", Amount: shipping.Money{Minor: c.fee + int64(i)*100, Currency: r.Currency}}},
			Pickup:   shipping.TimeWindow{StartsAt: shipping.At(Start.Add(time.Hour))},
			Delivery: shipping.TimeWindow{EndsAt: shipping.At(Start.Add(26 * time.Hour))}})
	}
	return a, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func exchanged(ctx context.Context, path, body string) {
	carrier.TraceOf(ctx).Add(carrier.Exchange{At: Start, Duration: 1500 * time.Microsecond, Method: "POST", URL: "http://carrier.example" + path,
		RequestHeader: map[string]string{"Content-Type": "application/json"}, RequestBody: body, Status: 200,
		ResponseHeader: map[string]string{"Content-Type": "application/json"}, ResponseBody: `{"ok":true}`})
}

// Book books: each parcel gets a number of its own and a label that shows it.
func (c *Carrier) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.booked = append(c.booked, r)
	exchanged(ctx, "/book", `{"do":"book"}`)
	if c.hooks.Book != nil {
		if err := c.hooks.Book(r); err != nil {
			return carrier.Booking{}, err
		}
	}
	c.serial++
	ref := fmt.Sprintf("%s-%06d", c.manifest.Name, c.serial)
	b := carrier.Booking{Reference: r.Reference, CarrierRef: ref, ServiceID: r.ServiceID, TrackingID: ref + "-1", Amount: r.Quoted,
		TrackingURL: "https://carrier.example/track/" + ref}
	for i := range r.Parcels {
		p := carrier.BookedParcel{Number: fmt.Sprintf("%s-%d", ref, i+1)}
		if c.label != "" {
			p.Label = &shipping.Label{Format: c.label, Data: []byte("label of " + p.Number)}
		}
		b.Parcels = append(b.Parcels, p)
	}
	kept := b
	c.bookings[ref] = &kept
	return b, nil
}

// BookReturn books the way back as the way there.
func (c *Carrier) BookReturn(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	return c.Book(ctx, r)
}

// Cancel voids a booking.
func (c *Carrier) Cancel(ctx context.Context, r carrier.CancelRequest) (carrier.Cancellation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancels = append(c.cancels, r)
	exchanged(ctx, "/cancel", `{"do":"cancel"}`)
	if c.hooks.Cancel != nil {
		if err := c.hooks.Cancel(r); err != nil {
			return carrier.Cancellation{}, err
		}
	}
	if b := c.bookings[r.CarrierRef]; b != nil {
		b.Cancelled = true
	}
	return carrier.Cancellation{}, nil
}

// Find looks for the bookings under a reference.
func (c *Carrier) Find(_ context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []carrier.Booking
	for _, b := range c.bookings {
		if b.Reference == r.Reference {
			found = append(found, *b)
		}
	}
	return found, nil
}

// Edit takes every change.
func (c *Carrier) Edit(_ context.Context, r carrier.EditRequest) (carrier.Booking, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.edits = append(c.edits, r)
	if c.hooks.Edit != nil {
		if err := c.hooks.Edit(r); err != nil {
			return carrier.Booking{}, err
		}
	}
	return carrier.Booking{CarrierRef: r.CarrierRef}, nil
}

// Document has no documents.
func (c *Carrier) Document(context.Context, carrier.DocumentRequest) (shipping.Label, error) {
	return shipping.Label{}, &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectNone, Code: carrier.Unsupported, Message: "There are no documents."}
}

// Refusal is a clear no of a carrier with this code.
func Refusal(code carrier.Code) error {
	return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: code,
		Message: "The carrier says no.", CarrierCode: "X-100", CarrierMessage: "not today"}
}

// Lost is the error of a call whose answer was lost: nobody knows whether the carrier has acted.
func Lost() error {
	return &carrier.Error{Source: carrier.SourceNetwork, Effect: carrier.EffectUnknown, Retry: carrier.RetryNever, Code: carrier.OutcomeUnknown,
		Message: "The answer was lost."}
}

// carriers finds accounts, the same carriers for every tenant.
type carriers map[string]*Carrier

func (c carriers) Account(_, id string) (dispatch.Account, bool) {
	a, ok := c[id]
	return a, ok
}
