package main

import (
	"bytes"
	"context"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// stubs are carriers that answer at once, in process: what is left is the engine.
type stubs map[string]*stub

// Account implements dispatch.Carriers.
func (s stubs) Account(_, id string) (dispatch.Account, bool) {
	a, ok := s[id]
	return a, ok
}

func newStubs() stubs {
	out := stubs{}
	for i, id := range benchAccounts {
		s := &stub{manifest: carrier.Manifest{
			Name: id, DisplayName: id, Version: "1.0.0", Idempotency: carrier.ByReference, Absence: carrier.Proven, MaxParcels: 1,
			Abilities: []carrier.Ability{carrier.CanQuote, carrier.CanBook, carrier.CanCancel, carrier.CanFind},
			Services:  []carrier.Service{{ID: "delivery", Name: "Delivery", Mode: "ground"}},
		}, price: int64(900 + 100*i)}
		if id == "ups" {
			s.manifest.LabelFormats = []shipping.LabelFormat{shipping.ZPL}
			s.label = bytes.Repeat([]byte("^FO50,50^A0N,30,30^FDBench^FS\n"), 70) // 2 KB, as a ZPL label has
		}
		out[id] = s
	}
	return out
}

// stub is one carrier with one service.
type stub struct {
	manifest carrier.Manifest
	price    int64 // minor units
	label    []byte
}

func (s *stub) Manifest() (carrier.Manifest, bool) { return s.manifest, true }

func (s *stub) Started(context.Context) bool { return true }

func (s *stub) Down() bool { return false }

func (s *stub) Quote(_ context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	return carrier.QuoteAnswer{Quotes: []shipping.Quote{{
		ServiceID: "delivery", ServiceType: "Delivery", Mode: "ground", Amount: shipping.Money{Minor: s.price, Currency: r.Currency},
		Delivery: shipping.TimeWindow{EndsAt: shipping.At(time.Now().Add(time.Hour))},
	}}}, nil
}

func (s *stub) Book(_ context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	b := carrier.Booking{Reference: r.Reference, CarrierRef: r.Reference, TrackingID: r.Reference, ServiceID: r.ServiceID, Amount: r.Quoted,
		Parcels: []carrier.BookedParcel{{Number: r.Reference}}}
	if s.label != nil {
		b.Parcels[0].Label = &shipping.Label{Format: shipping.ZPL, Data: s.label}
	}
	return b, nil
}

func (s *stub) Cancel(context.Context, carrier.CancelRequest) (carrier.Cancellation, error) {
	return carrier.Cancellation{}, nil
}

func (s *stub) Find(context.Context, carrier.FindRequest) ([]carrier.Booking, error) { return nil, nil }

func (s *stub) Edit(context.Context, carrier.EditRequest) (carrier.Booking, error) {
	return carrier.Booking{}, unsupported("edit")
}

func (s *stub) BookReturn(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	return s.Book(ctx, r)
}

func (s *stub) Document(context.Context, carrier.DocumentRequest) (shipping.Label, error) {
	return shipping.Label{}, unsupported("provide documents")
}

func unsupported(what string) error {
	return &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.Unsupported,
		Message: "a stub of the bench cannot " + what}
}
