package dispatch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// byWord has an order that is booked as D-77 by a person's word, which the carrier does not show.
func byWord(t *testing.T) (*engine, *fakeCarrier) {
	t.Helper()
	e, dash := undecided(t)
	if err := e.tell("o1", "D-77"); err != nil {
		t.Fatal(err)
	}
	if a := e.get("o1").Live(shipment.Forward); a == nil || !a.Doubt.Told {
		t.Fatalf("a person's word is not taken: %+v", a)
	}
	return e, dash
}

func (e *engine) confirm(number string) (dispatch.Result, error) {
	return e.Cancel(context.Background(), caller, "o1", number)
}

// cancelled are the numbers that the carrier was asked to cancel.
func (f *fakeCarrier) cancelled() (refs []string) {
	f.set(func(f *fakeCarrier) {
		for _, c := range f.cancels {
			refs = append(refs, c.CarrierRef)
		}
	})
	return refs
}

func (e *engine) wantCancelled(f *fakeCarrier, refs ...string) {
	e.t.Helper()
	if st := e.get("o1").Status; st != shipping.OrderCancelled || !slices.Equal(f.cancelled(), refs) {
		e.t.Errorf("status %s, asked to cancel %q, want %q", st, f.cancelled(), refs)
	}
}

// wantUnsure checks that a cancellation is refused, with these words, and that nothing is asked of the carrier or changed.
func (e *engine) wantUnsure(f *fakeCarrier, number string, words ...string) {
	e.t.Helper()
	before, asked := e.get("o1").Revision, len(f.cancelled())
	_, err := e.confirm(number)
	x := wantType(e.t.(*testing.T), err, usecase.InvalidOperation)
	for _, w := range words {
		if !strings.Contains(x.Message, w) {
			e.t.Errorf("%q is not said: %s", w, x.Message)
		}
	}
	if len(f.cancelled()) != asked || e.get("o1").Revision != before || e.get("o1").Cancel != nil {
		e.t.Errorf("asked to cancel %q, the order is kept to be cancelled: %+v", f.cancelled(), e.get("o1").Cancel)
	}
}

const confirmWith = "waybill shipments cancel o1 --confirm-number D-77"

// A number of which a person alone has told is only cancelled once that person has given it again.
func TestAPersonsNumberIsConfirmedBeforeItIsCancelled(t *testing.T) {
	unseen := map[string]func(*engine, *fakeCarrier){
		"the carrier shows nothing": func(*engine, *fakeCarrier) {},
		"the carrier does not answer": func(_ *engine, f *fakeCarrier) {
			f.onFind = func(carrier.FindRequest) error { return retrySafe(carrier.CarrierUnavailable) }
		},
		"the carrier cannot be asked": func(_ *engine, f *fakeCarrier) {
			f.manifest.Abilities = slices.DeleteFunc(slices.Clone(f.manifest.Abilities), func(a carrier.Ability) bool { return a == carrier.CanFind })
		},
		"the adapter has not started": func(_ *engine, f *fakeCarrier) { f.starting = true },
		"all that it shows is cancelled": func(_ *engine, f *fakeCarrier) {
			f.consign("P-1")
			f.bookings[f.booked[0].Reference][0].Cancelled = true
		},
	}
	for name, change := range unseen {
		t.Run(name, func(t *testing.T) {
			e, dash := byWord(t)
			dash.set(func(f *fakeCarrier) { change(e, f) })
			e.wantUnsure(dash, "", "D-77", "person's word", confirmWith)
			e.wantUnsure(dash, "D-78", "booked at DoorDash as D-77, not as D-78")
			dash.set(func(f *fakeCarrier) { f.starting = false })
			if res, err := e.confirm("d 77"); err != nil || res.Waiting {
				t.Fatalf("%+v, %v", res, err)
			}
			e.wantCancelled(dash, "D-77")
		})
	}
	t.Run("the account is gone", func(t *testing.T) {
		e, dash := byWord(t)
		delete(e.carriers, "doordash")
		e.wantUnsure(dash, "", confirmWith)
	})
}

// What the carrier shows under the order's reference is cancelled, whatever a person has typed.
func TestTheCarriersNumberIsCancelled(t *testing.T) {
	for _, given := range []string{"", "doordash000001", "P-2"} {
		e, dash := byWord(t)
		dash.set(func(f *fakeCarrier) { f.consign("P-1", "P-2") })
		if res, err := e.confirm(given); err != nil || res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		e.wantCancelled(dash, "doordash000001")
		if notes := e.notes("o1", "NUMBER_CORRECTED"); len(notes) != 1 {
			t.Errorf("history: %q", notes)
		}
	}
	t.Run("not what was confirmed", func(t *testing.T) {
		e, dash := byWord(t)
		dash.set(func(f *fakeCarrier) { f.consign("P-1") })
		_, err := e.confirm("D-77")
		if x := wantType(t, err, usecase.InvalidOperation); !strings.Contains(x.Message, "as doordash000001, not as D-77") || len(dash.cancelled()) > 0 {
			t.Errorf("%s, asked to cancel %q", x.Message, dash.cancelled())
		}
	})
	t.Run("cancelled there already", func(t *testing.T) {
		e, dash := undecided(t)
		if err := e.tell("o1", "doordash000001"); err != nil {
			t.Fatal(err)
		}
		dash.set(func(f *fakeCarrier) { f.consign("P-1"); f.bookings[f.booked[0].Reference][0].Cancelled = true })
		if _, err := e.confirm(""); err != nil {
			t.Fatal(err)
		}
		e.wantCancelled(dash, "doordash000001")
	})
}

// Of several bookings under the reference, of which none is the one told, none is cancelled, confirmed or not.
func TestNoneOfSeveralBookingsIsCancelled(t *testing.T) {
	e, dash := byWord(t)
	dash.set(func(f *fakeCarrier) { f.consign("P-1"); f.consign("P-2") })
	if _, err := e.confirm(""); err == nil {
		t.Fatal("it is cancelled")
	}
	for _, number := range []string{"", "D-77"} {
		e.wantUnsure(dash, number, "doordash000001, doordash000002", "Resolve the attempt")
	}
	if len(e.needing()) != 1 || dash.live() != 2 {
		t.Errorf("%d orders need a person, %d bookings live", len(e.needing()), dash.live())
	}
	if err := e.tell("o1", "P-2"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.confirm(""); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	if st := e.get("o1").Status; st != shipping.OrderCancelled || dash.live() != 0 {
		t.Errorf("status %s, %d bookings live", st, dash.live())
	}
}

// A number that is given to be confirmed is the booking's, also where the carrier has told it.
func TestAConfirmedNumberIsTheBookings(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	e.wantUnsure(f, "ups000002", "as ups000001, not as ups000002")
	if _, err := e.confirm("UPS 000001"); err != nil {
		t.Fatal(err)
	}
	e.wantCancelled(f, "ups000001")
}

// A cancellation that waited for the booking is not sent under a number that a person then tells: it waits on, until that is confirmed,
// or the carrier shows the booking.
func TestAKeptCancellationWaitsForCertainty(t *testing.T) {
	kept := func(t *testing.T) (*engine, *fakeCarrier) {
		t.Helper()
		e, dash := undecided(t)
		if res, err := e.cancel("o1"); err != nil || !res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		res, err := e.resolve(booked("D-77"))
		if err != nil || !res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		if need := e.needing(); len(need) != 1 || !strings.Contains(need[0].Attempts[0].Doubt.Last, confirmWith) || len(e.notes("o1", "NEEDS_ATTENTION( DoorDash: the cancellation waits")) != 1 {
			t.Fatalf("what is to be done is not told: %+v", need)
		}
		_, err = e.confirm("")
		wantType(t, err, usecase.InvalidOperation)
		e.pass(time.Hour)
		if len(dash.cancelled()) > 0 || e.get("o1").Cancel == nil {
			t.Fatalf("asked to cancel %q", dash.cancelled())
		}
		return e, dash
	}
	t.Run("confirmed", func(t *testing.T) {
		e, dash := kept(t)
		if res, err := e.confirm("D-77"); err != nil || res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		e.wantCancelled(dash, "D-77")
		if len(e.needing()) != 0 {
			t.Error("the order still needs a person")
		}
	})
	t.Run("a mistake", func(t *testing.T) {
		e, dash := kept(t)
		if res, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil || res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		e.wantCancelled(dash)
		if len(e.needing()) != 0 {
			t.Error("the order still needs a person")
		}
	})
	t.Run("shown", func(t *testing.T) {
		e, dash := kept(t)
		dash.set(func(f *fakeCarrier) { f.consign("P-1") })
		e.pass(24 * time.Hour)
		e.wantCancelled(dash, "doordash000001")
		if len(e.needing()) != 0 {
			t.Error("the order still needs a person")
		}
	})
	t.Run("resolved once it shows", func(t *testing.T) {
		e, dash := kept(t)
		dash.set(func(f *fakeCarrier) { f.consign("P-1") })
		if _, err := e.resolve(booked("P-1")); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Minute)
		e.wantCancelled(dash, "doordash000001")
	})
}

// A confirmed cancellation whose answer is lost is asked for again under the confirmed number.
func TestAConfirmedCancellationIsPursued(t *testing.T) {
	e, dash := byWord(t)
	dash.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
	})
	if res, err := e.confirm("D-77"); err != nil || !res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	dash.set(func(f *fakeCarrier) { f.onCancel = nil })
	e = e.crash()
	e.pass(time.Hour)
	e.wantCancelled(dash, "D-77", "D-77", "D-77")
}

// An intent of an earlier version, which asked nobody whose the number is, is not carried out under it: it becomes a person's, or goes
// on once the carrier shows the booking.
func TestAnUnconfirmedIntentIsNotCarriedOut(t *testing.T) {
	for _, shows := range []bool{false, true} {
		e, dash := byWord(t)
		sh := e.get("o1")
		a := sh.Live(shipment.Forward)
		now := e.clock.Now()
		sh.Cancel = &shipment.CancelRequest{By: "k", At: now}
		a.CancelIntent = &shipment.CancelIntent{By: "k", At: now, Deadline: now}
		if err := e.store.Commit(t.Context(), "demo", &store.Tx{Now: now, Shipments: []*shipment.Shipment{sh},
			PutJobs: []store.Job{{ID: string(sh.ID) + "/cancel", Kind: dispatch.JobCancel, Key: string(sh.ID), Due: now}}}); err != nil {
			t.Fatal(err)
		}
		if shows {
			dash.set(func(f *fakeCarrier) { f.consign("P-1") })
		}
		e.pass(25 * time.Hour)
		if shows {
			e.wantCancelled(dash, "doordash000001")
			continue
		}
		if len(dash.cancelled()) > 0 || len(e.needing()) != 1 {
			t.Errorf("asked to cancel %q, %d orders need a person", dash.cancelled(), len(e.needing()))
		}
		if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
			t.Fatal(err)
		}
		e.wantCancelled(dash)
	}
}

// What the carrier is to change of a booking is asked of it as carefully: it may be another's.
func TestAPersonsNumberIsNotEdited(t *testing.T) {
	e, dash := byWord(t)
	before := e.get("o1").Revision
	_, err := e.edit("o1", rung)
	x := wantType(t, err, usecase.InvalidOperation)
	for _, w := range []string{"D-77", "Nothing was changed", confirmWith, "waybill shipments resolve o1 --attempt 1 --outcome absent"} {
		if !strings.Contains(x.Message, w) {
			t.Errorf("%q is not said: %s", w, x.Message)
		}
	}
	if e.get("o1").Revision != before || len(dash.edits) > 0 {
		t.Errorf("the carrier was asked: %+v", dash.edits)
	}
	group := "g"
	if _, err := e.edit("o1", func(o *shipment.Order) { o.GroupID = &group }); err != nil { // what concerns nobody else
		t.Fatal(err)
	}
	dash.set(func(f *fakeCarrier) { f.consign("P-1") })
	if _, err := e.edit("o1", rung); err != nil {
		t.Fatal(err)
	}
	if len(dash.edits) != 1 || dash.edits[0].CarrierRef != "doordash000001" || e.get("o1").Order.DeliveryContact.Name != "Bea" {
		t.Errorf("asked to change %+v", dash.edits)
	}
}

// An edit of an earlier version, which asked nobody whose the number is, is not sent under it.
func TestAnUnconfirmedEditIsNotSent(t *testing.T) {
	e, dash := byWord(t)
	sh := e.get("o1")
	a := sh.Live(shipment.Forward)
	now := e.clock.Now()
	a.EditIntent = &shipment.EditIntent{By: "k", At: now, Deadline: now, Order: sh.Order}
	rung(&a.EditIntent.Order)
	if err := e.store.Commit(t.Context(), "demo", &store.Tx{Now: now, Shipments: []*shipment.Shipment{sh},
		PutJobs: []store.Job{{ID: string(sh.ID) + "/edit", Kind: dispatch.JobEdit, Key: string(sh.ID), Due: now}}}); err != nil {
		t.Fatal(err)
	}
	e.pass(25 * time.Hour)
	if len(dash.edits) > 0 || len(e.needing()) != 1 {
		t.Errorf("asked to change %+v, %d orders need a person", dash.edits, len(e.needing()))
	}
}

// What would cancel a booking on the way to another is as careful.
func TestAPersonsNumberIsNotRebooked(t *testing.T) {
	t.Run("by an edit", func(t *testing.T) {
		e, dash := byWord(t)
		before := e.get("o1").Revision
		_, err := e.edit("o1", moved)
		if x := wantType(t, err, usecase.InvalidOperation); !strings.Contains(x.Message, confirmWith) || len(dash.cancelled()) > 0 || e.get("o1").Revision != before {
			t.Errorf("%s, asked to cancel %q", x.Message, dash.cancelled())
		}
		dash.set(func(f *fakeCarrier) { f.consign("P-1") })
		if _, err := e.edit("o1", moved); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Minute)
		if asked := dash.cancelled(); !slices.Equal(asked, []string{"doordash000001"}) || e.get("o1").Order.DeliveryAddress.Street1 != "1 New Street" {
			t.Errorf("asked to cancel %q", asked)
		}
	})
	t.Run("by a fallback", func(t *testing.T) {
		dash, ups := newFake("doordash", "DoorDash", 975), newFake("ups", "UPS", 1200)
		dash.manifest.Absence = carrier.Unproven
		dash.onBook = func(carrier.BookRequest) (bool, error) { return false, lost() }
		e := newEngine(t, dash, ups)
		e.config.Tenants["demo"].Accounts["doordash"].Doubt = "attention"
		e.bundle = rulesOf(t, fallbackRules("    steps: [ next_ranked ]\n"))
		if _, err := e.create("o1"); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Hour)
		if err := e.tell("o1", "D-77"); err != nil {
			t.Fatal(err)
		}
		e.happens("o1", "no_driver")
		e.pass(time.Minute)
		if notes := e.notes("o1", "FALLBACK"); len(notes) != 1 || !strings.Contains(notes[0], "person's word") || len(dash.cancelled()) > 0 {
			t.Errorf("history %q, asked to cancel %q", notes, dash.cancelled())
		}
	})
}

// A person is not asked any more about a cancellation that the carrier has refused.
func TestARefusedCancellationWaitsForNobody(t *testing.T) {
	e, dash := undecided(t)
	if res, err := e.cancel("o1"); err != nil || !res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := e.resolve(booked("D-77")); err != nil {
		t.Fatal(err)
	}
	if len(e.needing()) != 1 {
		t.Fatal("the cancellation waits for nobody")
	}
	dash.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
	})
	if _, err := e.confirm("D-77"); err == nil {
		t.Fatal("it is cancelled")
	}
	sh := e.get("o1")
	if len(e.needing()) != 0 || sh.Cancel != nil || sh.Status != shipping.OrderDispatched || len(e.notes("o1", "CANCELLATION_REFUSED")) != 1 {
		t.Errorf("status %s, cancel %+v, doubt %+v", sh.Status, sh.Cancel, sh.Attempts[0].Doubt)
	}
	// The number is a person's word still, and may be taken back.
	if _, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeAbsent}); err != nil {
		t.Error(err)
	}
}

// Which of several bookings is the order's is asked of a person whatever becomes of a cancellation, in whatever words it is asked; what is
// asked for the sake of the cancellation ends with it.
func TestWhichOfSeveralIsAskedBeyondACancellation(t *testing.T) {
	refused := func(t *testing.T, e *engine, dash *fakeCarrier) {
		t.Helper()
		dash.set(func(f *fakeCarrier) {
			f.onFind = func(carrier.FindRequest) error { return retrySafe(carrier.CarrierUnavailable) }
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.BookingNotFound) }
		})
		if res, err := e.confirm("D-77"); err != nil || !res.Waiting || len(e.needing()) != 1 {
			t.Fatalf("%+v, %v", res, err)
		}
		sh := e.get("o1")
		sh.Attempts[0].Doubt.Last = "words of an earlier version"
		if err := e.store.Commit(t.Context(), "demo", &store.Tx{Now: e.clock.Now(), Shipments: []*shipment.Shipment{sh}}); err != nil {
			t.Fatal(err)
		}
		dash.set(func(f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
		})
		if _, err := e.confirm("D-77"); err == nil || e.get("o1").Cancel != nil {
			t.Fatalf("%v, cancel %+v", err, e.get("o1").Cancel)
		}
	}
	t.Run("several", func(t *testing.T) {
		e, dash := byWord(t)
		dash.set(func(f *fakeCarrier) { f.consign("P-1"); f.consign("P-2") })
		e.pass(time.Hour)
		if len(e.needing()) != 1 || !e.get("o1").Attempts[0].Doubt.Several {
			t.Fatal("nobody is asked which of several bookings is the order's")
		}
		refused(t, e, dash)
		if len(e.needing()) != 1 {
			t.Error("nobody is asked any more which of several bookings is the order's")
		}
		dash.set(func(f *fakeCarrier) { f.onFind, f.onCancel = nil, nil })
		if err := e.tell("o1", "P-2"); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Hour)
		e.wantOwn("doordash000002", "P-2")
		if e.get("o1").Attempts[0].Doubt.Several {
			t.Error("it is still said to be one of several")
		}
	})
	t.Run("the cancellation's", func(t *testing.T) {
		e, dash := byWord(t)
		refused(t, e, dash)
		if need := e.needing(); len(need) != 0 {
			t.Errorf("a person is asked about a cancellation that is over: %+v", need[0].Attempts[0].Doubt)
		}
	})
}

// Where the adapter cannot cancel, nobody is asked to confirm the number for a cancellation that would be refused: it is over.
func TestAKeptCancellationIsRefusedWhereTheAdapterCannotCancel(t *testing.T) {
	e, dash := undecided(t)
	if res, err := e.cancel("o1"); err != nil || !res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	dash.set(func(f *fakeCarrier) {
		f.manifest.Abilities = slices.DeleteFunc(slices.Clone(f.manifest.Abilities), func(a carrier.Ability) bool { return a == carrier.CanCancel })
	})
	if _, err := e.resolve(booked("D-77")); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	sh := e.get("o1")
	if len(e.needing()) != 0 || sh.Cancel != nil || sh.Status != shipping.OrderDispatched || len(e.notes("o1", "CANCELLATION_REFUSED")) != 1 || len(dash.cancelled()) > 0 {
		t.Errorf("status %s, cancel %+v, doubt %+v, asked to cancel %q", sh.Status, sh.Cancel, sh.Attempts[0].Doubt, dash.cancelled())
	}
}
