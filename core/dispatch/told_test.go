package dispatch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// consign books at the carrier's, under the reference of the lost booking, parcels that have numbers of their own beside the master's.
func (f *fakeCarrier) consign(numbers ...string) string {
	r := f.booked[0]
	b := f.commit(r)
	b.Parcels = nil
	for _, n := range numbers {
		b.Parcels = append(b.Parcels, carrier.BookedParcel{Number: n, Label: &shipping.Label{Format: shipping.ZPL, Data: []byte(n)}})
	}
	all := f.bookings[r.Reference]
	all[len(all)-1] = b
	return b.CarrierRef
}

func booked(number string) dispatch.Resolution {
	return dispatch.Resolution{Outcome: dispatch.OutcomeBooked, TrackingID: number}
}

// wantOwn checks that the order holds the carrier's only live booking, with the numbers that the carrier gave, and that its tracker
// follows the parcels.
func (e *engine) wantOwn(master string, parcels ...string) {
	e.t.Helper()
	e.wantLive("o1", "doordash")
	sh := e.get("o1")
	a := sh.Live(shipment.Forward)
	if a == nil {
		return
	}
	if a.Booking.CarrierRef != master || a.Booking.TrackingID != master || len(a.Booking.Parcels) != len(parcels) || a.Doubt.Told || a.NeedsPerson() {
		e.t.Errorf("booking = %+v, doubt = %+v", a.Booking, a.Doubt)
	}
	for _, n := range parcels {
		ts, err := e.store.TrackersByTag(context.Background(), "demo", tracker.ParcelTag("doordash", n), 2)
		if err != nil || len(ts) != 1 || ts[0].Shipment != sh.ID || ts[0].Number != master {
			e.t.Errorf("trackers of parcel %s: %+v, %v", n, ts, err)
		}
	}
}

// The only booking that the carrier shows under the reference is the order's, whatever a person has typed, and whenever it shows.
func TestTheBookingUnderTheReferenceIsTheOrders(t *testing.T) {
	for name, typed := range map[string]string{"the second parcel's number": "P-2", "a digit wrong": "doordash000009", "the master": "doordash000001"} {
		for _, shows := range []string{"before", "after", "once the carrier can be asked"} {
			t.Run(name+" "+shows, func(t *testing.T) {
				e, dash := undecided(t)
				dash.manifest.Idempotency = carrier.NoIdempotency
				commit := func() { dash.set(func(f *fakeCarrier) { f.consign("P-1", "P-2") }) }
				if shows != "after" {
					commit()
				}
				if shows == "once the carrier can be asked" {
					dash.set(func(f *fakeCarrier) {
						f.onFind = func(carrier.FindRequest) error { return retrySafe(carrier.CarrierUnavailable) }
					})
				}
				if res, err := e.resolve(booked(typed)); err != nil || res.Waiting {
					t.Fatalf("%+v, %v", res, err)
				}
				if shows != "before" {
					if a := e.get("o1").Live(shipment.Forward); a == nil || a.Booking.TrackingID != typed || !a.Doubt.Told {
						t.Fatalf("a person's word is not taken: %+v", a)
					}
				}
				dash.set(func(f *fakeCarrier) { f.onFind = nil })
				if shows == "after" {
					e.pass(2 * time.Hour) // it is looked for all the while
					commit()
				}
				e.pass(24 * time.Hour)
				e.wantOwn("doordash000001", "P-1", "P-2")
				if len(dash.cancels) > 0 || len(e.get("o1").Attempts[0].Spares) > 0 {
					t.Errorf("the order's booking was cancelled: %+v", dash.cancels)
				}
				var want []string
				if typed != "doordash000001" {
					want = []string{"NUMBER_CORRECTED( DoorDash " + typed + ": the booking under the order's reference is doordash000001 )"}
				}
				if notes := e.notes("o1", "NUMBER_CORRECTED"); !slices.Equal(notes, want) {
					t.Errorf("history: %q", notes)
				}
				e.wantNoJobs()
			})
		}
	}
}

// Where the carrier shows several bookings, a person's number says which is kept, if it is one of them; else nothing is changed.
func TestAPersonSaysWhichOfSeveralBookings(t *testing.T) {
	e, dash := undecided(t)
	dash.set(func(f *fakeCarrier) { f.consign("P-1", "P-2"); f.consign("P-3", "P-4") })
	_, err := e.resolve(booked("P-5"))
	if e := wantType(t, err, usecase.InvalidOperation); !strings.Contains(e.Message, "doordash000001, doordash000002") {
		t.Errorf("it is not said what was found: %s", e.Message)
	}
	if len(e.needing()) != 1 || dash.live() != 2 {
		t.Fatalf("%d orders need a person, %d bookings are live", len(e.needing()), dash.live())
	}
	if _, err := e.resolve(booked("P-4")); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	e.wantOwn("doordash000002", "P-3", "P-4")
}

// A booking that the carrier shows as cancelled cannot be adopted.
func TestACancelledBookingIsNotAdopted(t *testing.T) {
	e, dash := undecided(t)
	dash.set(func(f *fakeCarrier) { f.consign("P-1"); f.bookings[f.booked[0].Reference][0].Cancelled = true })
	_, err := e.resolve(booked("P-1"))
	if e := wantType(t, err, usecase.InvalidOperation); !strings.Contains(e.Message, "doordash000001") {
		t.Errorf("it is not said what was found: %s", e.Message)
	}
	if len(e.needing()) != 1 {
		t.Error("the order does not need a person any more")
	}
}

// Bookings that show after a person's word, and of which none has the number, are a person's again: none is cancelled unasked.
func TestSeveralBookingsShowAfterAPersonsWord(t *testing.T) {
	e, dash := undecided(t)
	if _, err := e.resolve(booked("P-5")); err != nil {
		t.Fatal(err)
	}
	dash.set(func(f *fakeCarrier) { f.consign("P-1"); f.consign("P-2") })
	e.pass(time.Hour)
	if len(e.needing()) != 1 || dash.live() != 2 {
		t.Fatalf("%d orders need a person, %d bookings are live", len(e.needing()), dash.live())
	}
	_, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent})
	wantType(t, err, usecase.InvalidOperation)
	_, err = e.resolve(booked("P-6"))
	wantType(t, err, usecase.InvalidOperation)
	if _, err = e.resolve(booked("P-2")); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	e.wantOwn("doordash000002", "P-2")
	if len(e.needing()) != 0 {
		t.Error("the order still needs a person")
	}
}

// A number of another order's booking, its master's or a parcel's, at whichever account of the carrier, is neither adopted nor cancelled.
func TestABookingBelongsToOneOrder(t *testing.T) {
	e, dash := undecided(t)
	second := newFake("doordash", "DoorDash", 900)
	second.serial = 100
	second.onBooked = func(_ context.Context, b *carrier.Booking) {
		b.TrackingID = "T-1"
		b.Parcels = []carrier.BookedParcel{{Number: "P-1"}, {Number: "P-2"}}
	}
	e.carriers["doordash_two"] = second
	tenant := e.config.Tenants["demo"]
	tenant.Accounts["doordash_two"] = &config.Account{ID: "doordash_two", Tenant: "demo", Adapter: "doordash", Name: "second", Concurrency: 8}
	tenant.Locations["7709"].Accounts = []string{"doordash_two"}
	e.mustCreate("theirs")
	tenant.Locations["7709"].Accounts = []string{"doordash", "ups"}
	before := e.get("o1").Revision
	for _, number := range []string{"doordash000101", "T-1", "P-1", "P-2"} {
		_, err := e.resolve(booked(number))
		if e := wantType(t, err, usecase.InvalidOperation); !strings.Contains(e.Message, "theirs") {
			t.Errorf("%s: the other order is not named: %s", number, e.Message)
		}
	}
	if sh := e.get("o1"); sh.Revision != before || len(e.needing()) != 1 {
		t.Errorf("the order was changed: %+v", sh.Attempts)
	}
	if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
		t.Fatal(err)
	}
	_, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeSpare, TrackingID: "P-2"})
	wantType(t, err, usecase.InvalidOperation)
	e.pass(time.Hour)
	if len(second.cancels) > 0 || second.live() != 1 || dash.live() != 1 {
		t.Errorf("%d and %d live bookings, cancelled: %+v", second.live(), dash.live(), second.cancels)
	}
	// What is cancelled belongs to nobody.
	if _, err := e.cancel("theirs"); err != nil {
		t.Fatal(err)
	}
	if _, err = e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeSpare, TrackingID: "P-2"}); err != nil {
		t.Error(err)
	}
}
