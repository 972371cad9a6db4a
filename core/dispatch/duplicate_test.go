package dispatch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// bookedBefore has a carrier hold a booking under the first reference that it is asked about, as of a store that knew more than this one.
func bookedBefore(f *fakeCarrier, reference string, cancelled bool) {
	if len(f.bookings) == 0 {
		f.bookings[reference] = []carrier.Booking{{Reference: reference, CarrierRef: "D-77", TrackingID: "D-77", ServiceID: "express", Cancelled: cancelled,
			Amount: shipping.Money{Minor: 700, Currency: "USD"}}}
	}
}

// duplicates is a carrier that refuses the references under which it has a booking, as some do when they are asked for a price, others when
// they are to book.
func duplicates(atBook, cancelled, shows bool) *fakeCarrier {
	f := newFake("doordash", "DoorDash", 500, carrier.Service{ID: "delivery", Code: "D", Name: "Delivery", Mode: "courier"},
		carrier.Service{ID: "express", Code: "X", Name: "Express", Mode: "courier"})
	refused := map[string]bool{}
	refuse := func(reference string) error {
		if shows {
			bookedBefore(f, reference, cancelled)
		}
		if len(refused) == 0 || refused[reference] {
			refused[reference] = true
			return refusal(carrier.DuplicateReference)
		}
		return nil
	}
	if atBook {
		f.onBook = func(r carrier.BookRequest) (bool, error) { err := refuse(r.Reference); return err == nil, err }
		return f
	}
	f.onQuote = func(r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		if err := refuse(r.Reference); err != nil {
			return carrier.QuoteAnswer{}, err
		}
		return carrier.QuoteAnswer{Quotes: []shipping.Quote{{ServiceID: "delivery", Mode: "courier", Amount: shipping.Money{Minor: 500, Currency: "USD"}}}}, nil
	}
	return f
}

func (e *engine) wantUsage(account string, open, today int) {
	e.t.Helper()
	if u, err := e.store.Usage(context.Background(), "demo", account, "2026-03-02"); err != nil || u.Open != open || u.Today != today {
		e.t.Errorf("usage of %s: %+v, %v, want %d open and %d today", account, u, err, open, today)
	}
}

// What a carrier refuses as a duplicate of a booking that nobody knows of is the order's own: it is found and adopted, and nobody else books.
func TestABookingThatNobodyKnewOfIsAdopted(t *testing.T) {
	for name, change := range map[string]func() *fakeCarrier{
		"at the quote":   func() *fakeCarrier { return duplicates(false, false, true) },
		"at the booking": func() *fakeCarrier { return duplicates(true, false, true) },
		"at the quote of a carrier that takes a reference again and again": func() *fakeCarrier {
			f := duplicates(false, false, true)
			f.manifest.Idempotency = carrier.Native
			return f
		},
		"at a carrier that cannot prove an absence": func() *fakeCarrier {
			f := duplicates(false, false, true)
			f.manifest.Absence = carrier.Unproven
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			dd, ups := change(), newFake("ups", "UPS", 900)
			e := newEngine(t, dd, ups)
			sh := e.mustCreate("o1")
			if a := sh.Open(shipment.Forward); sh.Status != shipping.PendingDispatch || a == nil || a.State != shipment.InDoubt || a.Account != "doordash" {
				t.Fatalf("%s, attempts %+v", sh.Status, sh.Attempts)
			}
			e.pass(5 * time.Minute)
			e.wantLive("o1", "doordash")
			sh = e.get("o1")
			a := sh.Live(shipment.Forward)
			if a == nil || a.State != shipment.Adopted || a.Booking.CarrierRef != "D-77" || a.Booking.Amount.Minor != 700 || a.Booking.Quoted || a.Fee.Minor != 700 || a.Quote.Mode != "courier" || a.ServiceID == "" {
				t.Fatalf("attempt %+v, booking %+v", a, a.Booking)
			}
			if len(ups.booked) != 0 || name != "at the booking" && len(dd.booked) != 0 || len(sh.Attempts) != 1 {
				t.Errorf("UPS booked %d, DoorDash %d, %d attempts", len(ups.booked), len(dd.booked), len(sh.Attempts))
			}
			e.wantUsage("doordash", 1, 1)
			if _, err := e.Cancel(t.Context(), e.who, "o1", ""); err != nil || dd.live() != 0 {
				t.Errorf("cancelled: %v, %d live", err, dd.live())
			}
			e.wantUsage("doordash", 0, 1)
		})
	}
}

// A booking that is cancelled already, or that there is not, lets the order go on, under another reference.
func TestAReferenceThatIsSpentIsNotAskedAgain(t *testing.T) {
	for name, dd := range map[string]*fakeCarrier{
		"cancelled, at the quote": duplicates(false, true, true), "cancelled, at the booking": duplicates(true, true, true),
		"nothing, at the quote": duplicates(false, false, false), "nothing, at the booking": duplicates(true, false, false),
	} {
		t.Run(name, func(t *testing.T) {
			ups := newFake("ups", "UPS", 900)
			e := newEngine(t, dd, ups)
			e.mustCreate("o1")
			if len(ups.booked) != 0 {
				t.Fatal("another was asked before it was known what the first has")
			}
			e.pass(5 * time.Minute)
			e.wantLive("o1", "doordash")
			sh := e.get("o1")
			if len(sh.Attempts) != 2 || sh.Attempts[0].State != shipment.Absent || sh.Attempts[0].Reference == sh.Attempts[1].Reference {
				t.Errorf("attempts %+v", sh.Attempts)
			}
			e.wantUsage("doordash", 1, 1)
		})
	}
}

// Where nobody can show what the carrier says that it has, a person is asked, and nobody else books.
func TestADuplicateThatDoesNotShowIsAPersons(t *testing.T) {
	for name, change := range map[string]func(*fakeCarrier){
		"its absence cannot be proven": func(f *fakeCarrier) { f.manifest.Absence = carrier.Unproven },
		"it cannot be looked for": func(f *fakeCarrier) {
			f.manifest.Abilities = slices.DeleteFunc(f.manifest.Abilities, func(a carrier.Ability) bool { return a == carrier.CanFind })
			f.onFind = func(carrier.FindRequest) error {
				return &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectNone, Code: carrier.Unsupported}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dd, ups := duplicates(false, false, false), newFake("ups", "UPS", 900)
			change(dd)
			e := newEngine(t, dd, ups)
			e.mustCreate("o1")
			e.pass(time.Hour)
			if sh := e.get("o1"); len(sh.Attempts) != 1 || !sh.Attempts[0].NeedsPerson() || len(ups.booked)+len(dd.booked) != 0 {
				t.Errorf("%s, attempts %+v; booked at UPS %d, DoorDash %d", sh.Status, sh.Attempts, len(ups.booked), len(dd.booked))
			}
		})
	}
}

// A carrier that calls every reference a duplicate and shows nothing is believed a few times.
func TestWhoSpeaksOfDuplicatesForEverIsRefusing(t *testing.T) {
	for name, set := range map[string]func(*fakeCarrier){
		"at the quote": func(f *fakeCarrier) {
			f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
				return carrier.QuoteAnswer{}, refusal(carrier.DuplicateReference)
			}
		},
		"at the booking": func(f *fakeCarrier) {
			f.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.DuplicateReference) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			dd, ups := newFake("doordash", "DoorDash", 500), newFake("ups", "UPS", 900)
			set(dd)
			e := newEngine(t, dd, ups)
			e.mustCreate("o1")
			e.pass(time.Hour)
			e.wantLive("o1", "ups")
			e.wantUsage("doordash", 0, 0)
		})
	}
}

// What was booked long before the attempt that found it is looked for since then: a cancellation whose answer was lost, and which the carrier
// then refuses, is not taken for done because the booking is older than the attempt.
func TestAnOldBookingThatWasAdoptedIsSeenOn(t *testing.T) {
	dd := duplicates(false, false, true)
	e := newEngine(t, dd)
	booked := e.clock.Now()
	all := dd.bookings
	dd.onFind = func(r carrier.FindRequest) error { // shows what was booked in the time that is asked about
		for ref := range all {
			all[ref][0].BookedAt = shipping.At(booked)
		}
		if dd.bookings = all; booked.Before(r.From) {
			dd.bookings = map[string][]carrier.Booking{}
		}
		return nil
	}
	e.mustCreate("o1", func(r *dispatch.CreateRequest) { r.Order.DispatchAt = shipping.At(booked.Add(72 * time.Hour)) })
	e.pass(73 * time.Hour)
	e.wantLive("o1", "doordash")
	asked := 0
	dd.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) {
			if asked++; asked == 1 {
				return false, lost()
			}
			return false, refusal(carrier.CancelRefused)
		}
	})
	if _, err := e.Cancel(t.Context(), e.who, "o1", ""); err == nil {
		t.Error("a cancellation that the carrier refuses was answered as done")
	}
	dd.set(func(f *fakeCarrier) { f.bookings = all })
	e.wantLive("o1", "doordash")
}
