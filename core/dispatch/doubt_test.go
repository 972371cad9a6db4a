package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// once makes a booking's answer get lost the first time, after or before the carrier has committed.
func once(committed bool) func(carrier.BookRequest) (bool, error) {
	n := 0
	return func(carrier.BookRequest) (bool, error) {
		if n++; n == 1 {
			return committed, lost()
		}
		return true, nil
	}
}

func doubtful(t *testing.T, committed bool, change func(*fakeCarrier)) (*engine, *fakeCarrier, *fakeCarrier) {
	t.Helper()
	dash, ups := newFake("doordash", "DoorDash", 975), newFake("ups", "UPS", 1200)
	dash.onBook = once(committed)
	if change != nil {
		change(dash)
	}
	e := newEngine(t, dash, ups)
	res, err := e.create("o1")
	if err != nil || !res.Waiting {
		t.Fatalf("an order in doubt was answered %+v, %v", res, err)
	}
	if w := res.Shipment.AllWarnings(); len(w) != 1 || w[0].Code != "DISPATCH_IN_DOUBT" {
		t.Errorf("warnings = %+v", w)
	}
	e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesReceived, shipping.PendingDispatch)
	if len(ups.booked) != 0 {
		t.Fatal("another carrier was asked to book while an attempt is in doubt")
	}
	return e, dash, ups
}

func TestALostAnswerIsFoundAndAdopted(t *testing.T) {
	e, _, _ := doubtful(t, true, nil)
	e.pass(5 * time.Second) // the carrier may still commit until deadline + grace
	if st := e.get("o1").Status; st != shipping.PendingDispatch {
		t.Errorf("status before deadline and grace = %s", st)
	}
	e.pass(time.Minute)
	e.wantLive("o1", "doordash")
	e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesReceived, shipping.PendingDispatch, shipping.OrderDispatched)
	if a := e.get("o1").Attempts[0]; a.State != shipment.Adopted || a.Doubt.Looks != 1 {
		t.Errorf("attempt = %+v", a)
	}
	if _, err := e.Label(context.Background(), caller, "o1", 1); err != nil {
		t.Errorf("the adopted booking has no label: %v", err)
	}
	e.wantNoJobs()
}

// What is found costs what the carrier says; where it says nothing, the quote holds, and the booking tells that it does.
func TestWhatIsFoundCosts(t *testing.T) {
	for name, c := range map[string]struct {
		said   shipping.Money
		want   int64
		quoted bool
	}{
		"as quoted":                {shipping.Money{Minor: 975, Currency: "USD"}, 975, false},
		"more":                     {shipping.Money{Minor: 1075, Currency: "USD"}, 1075, false},
		"nothing, for now":         {shipping.Money{Currency: "USD"}, 0, false},
		"the carrier does not say": {shipping.Money{}, 975, true},
	} {
		t.Run(name, func(t *testing.T) {
			e, _, _ := doubtful(t, true, func(f *fakeCarrier) {
				f.onFind = func(r carrier.FindRequest) error {
					for i := range f.bookings[r.Reference] {
						f.bookings[r.Reference][i].Amount = c.said
					}
					return nil
				}
			})
			e.pass(time.Minute)
			a := e.get("o1").Attempts[0]
			if want := (shipping.Money{Minor: c.want, Currency: "USD"}); a.State != shipment.Adopted || a.Booking.Amount != want || a.Fee != want || a.Booking.Quoted != c.quoted {
				t.Errorf("found for %s: the booking costs %s (quoted %v), the order %s", c.said, a.Booking.Amount, a.Booking.Quoted, a.Fee)
			}
		})
	}
}

func TestAProvenAbsenceLetsTheNextRoundBegin(t *testing.T) {
	e, dash, _ := doubtful(t, false, nil)
	e.pass(5 * time.Minute)
	e.wantLive("o1", "doordash")
	sh := e.get("o1")
	if len(sh.Attempts) != 2 || sh.Attempts[0].State != shipment.Absent || sh.Attempts[0].Doubt.Misses != 2 || sh.Round != 2 {
		t.Errorf("attempts = %+v", sh.Attempts)
	}
	if len(dash.booked) != 2 || dash.booked[0].Reference == dash.booked[1].Reference {
		t.Error("the second round used the reference of the first")
	}
	e.watchOut()
	e.wantNoJobs()
}

// A proof of absence rests on the grace that a carrier is given. One that commits beyond it is seen all the same, by few looks, and
// nothing stays booked twice; nor does what nobody wants any more.
func TestACarrierLaterThanItsGraceIsFound(t *testing.T) {
	for name, cancelled := range map[string]bool{"the order goes on": false, "the order is cancelled": true} {
		t.Run(name, func(t *testing.T) {
			e, dash, _ := doubtful(t, false, nil)
			wants := "doordash"
			if cancelled {
				wants = ""
				if _, err := e.Cancel(context.Background(), caller, "o1", ""); err != nil {
					t.Fatal(err)
				}
			}
			e.pass(5 * time.Minute)
			e.wantLive("o1", wants)
			dash.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
			looks := 0
			dash.set(func(f *fakeCarrier) { f.onFind = func(carrier.FindRequest) error { looks++; return nil } })
			e.pass(10 * time.Minute)
			e.wantLive("o1", wants)
			if a := e.get("o1").Attempts[0]; a.State != shipment.Voided || len(a.Spares) != 1 {
				t.Errorf("the attempt is %s with %+v", a.State, a.Spares)
			}
			e.watchOut()
			e.wantNoJobs()
			if looks > 2 {
				t.Errorf("%d looks, also for what is voided", looks)
			}
		})
	}
	t.Run("as soon as the configuration says", func(t *testing.T) {
		e, dash, _ := doubtful(t, false, nil)
		e.config.Dispatch.WatchEvery = 30 * time.Second
		e.pass(5 * time.Minute)
		dash.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
		e.pass(5 * time.Minute)
		e.wantLive("o1", "doordash")
		if a := e.get("o1").Attempts[0]; a.State != shipment.Voided {
			t.Errorf("the attempt is %s with %+v", a.State, a.Spares)
		}
	})
	t.Run("though it was out of order when the watch would have ended", func(t *testing.T) {
		e, dash, _ := doubtful(t, false, nil)
		e.pass(5 * time.Minute)
		dash.set(func(f *fakeCarrier) {
			f.onFind = func(carrier.FindRequest) error { return refusal(carrier.CarrierUnavailable) }
		})
		e.pass(e.config.Dispatch.WatchFor)
		dash.set(func(f *fakeCarrier) { f.onFind = nil; f.commit(f.booked[0]) })
		e.pass(time.Hour)
		e.wantLive("o1", "doordash")
		e.watchOut()
		e.wantNoJobs()
	})
	t.Run("at the end, however long the pauses are by then", func(t *testing.T) {
		e, dash, _ := doubtful(t, false, nil)
		intended := e.get("o1").Attempts[0].IntendedAt
		e.pass(intended.Add(e.config.Dispatch.WatchFor - time.Minute).Sub(e.clock.Now()))
		dash.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
		e.pass(time.Hour)
		e.wantLive("o1", "doordash")
		e.watchOut()
		e.wantNoJobs()
	})
	t.Run("few looks", func(t *testing.T) {
		e, dash, _ := doubtful(t, false, nil)
		e.pass(5 * time.Minute)
		looks := 0
		dash.set(func(f *fakeCarrier) { f.onFind = func(carrier.FindRequest) error { looks++; return nil } })
		e.watchOut()
		e.wantNoJobs()
		if looks < 5 || looks > 12 {
			t.Errorf("%d looks in a week", looks)
		}
	})
}

func TestACarrierThatCannotBeAskedIsAskedAgain(t *testing.T) {
	e, dash, ups := doubtful(t, true, func(f *fakeCarrier) {
		f.onFind = func(carrier.FindRequest) error {
			return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetrySafe, Code: carrier.CarrierUnavailable, Message: "503"}
		}
	})
	e.pass(time.Hour)
	if st := e.get("o1").Status; st != shipping.PendingDispatch || len(ups.booked) != 0 {
		t.Fatalf("status = %s, the other carrier booked %d", st, len(ups.booked))
	}
	dash.set(func(f *fakeCarrier) { f.onFind = nil })
	e.pass(time.Hour)
	e.wantLive("o1", "doordash")
	e.wantNoJobs()
}

func TestANativeCarrierIsSentTheSameAgain(t *testing.T) {
	for _, committed := range []bool{true, false} {
		e, dash, _ := doubtful(t, committed, func(f *fakeCarrier) { f.manifest.Idempotency = carrier.Native })
		e.pass(time.Second) // no need to wait for deadline and grace
		e.wantLive("o1", "doordash")
		if len(dash.booked) != 2 || dash.booked[0].Reference != dash.booked[1].Reference {
			t.Errorf("committed %v: booked %+v", committed, dash.booked)
		}
		e.wantNoJobs()
	}
}

func TestAnUnprovenAbsenceIsWatched(t *testing.T) {
	e, dash, _ := doubtful(t, false, func(f *fakeCarrier) { f.manifest.Absence = carrier.Unproven })
	e.pass(5 * time.Minute)
	e.wantLive("o1", "doordash")
	// The carrier commits the first booking after all, a day later.
	e.pass(24 * time.Hour)
	dash.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
	if dash.live() != 2 {
		t.Fatalf("live = %d", dash.live())
	}
	e.pass(24 * time.Hour)
	e.wantLive("o1", "doordash")
	if a := e.get("o1").Attempts[0]; a.State != shipment.Voided {
		t.Errorf("the spare's attempt is %s", a.State)
	}
	e.pass(8 * 24 * time.Hour)
	e.wantNoJobs()
}

func TestAttentionIsAPersons(t *testing.T) {
	e, _, ups := doubtful(t, false, func(f *fakeCarrier) { f.manifest.Absence = carrier.Unproven })
	e.config.Tenants["demo"].Accounts["doordash"].Doubt = "attention"
	e.pass(24 * time.Hour)
	sh := e.get("o1")
	if a := sh.Open(shipment.Forward); a == nil || a.Doubt.Needs != "attention" {
		t.Errorf("attempts = %+v", sh.Attempts)
	}
	if len(ups.booked) != 0 || sh.Status != shipping.PendingDispatch {
		t.Errorf("status %s, other carrier booked %d", sh.Status, len(ups.booked))
	}
}

func TestADuplicateCommitIsCancelled(t *testing.T) {
	e, dash, _ := doubtful(t, true, nil)
	dash.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
	e.pass(time.Minute)
	e.wantLive("o1", "doordash")
	if len(dash.cancels) != 1 || dash.cancels[0].CarrierRef == e.get("o1").Live(shipment.Forward).Booking.CarrierRef {
		t.Errorf("cancels = %+v", dash.cancels)
	}
}

func TestACancelThatCrossesABookingWins(t *testing.T) {
	for _, committed := range []bool{true, false} {
		e, _, ups := doubtful(t, committed, nil)
		res, err := e.Cancel(context.Background(), caller, "o1", "")
		if err != nil || !res.Waiting {
			t.Fatalf("cancel in doubt: %+v, %v", res, err)
		}
		e.pass(10 * time.Minute)
		e.wantLive("o1", "")
		if st := e.get("o1").Status; st != shipping.OrderCancelled || len(ups.booked) != 0 {
			t.Errorf("committed %v: status = %s, other carrier booked %d", committed, st, len(ups.booked))
		}
		_, err = e.Cancel(context.Background(), caller, "o1", "")
		wantType(t, err, usecase.OrderAlreadyCanceled)
		e.watchOut()
		e.wantNoJobs()
	}
}

func TestAnOrderLeftByADeadProcess(t *testing.T) {
	t.Run("before anything was asked", func(t *testing.T) {
		e := newEngine(t, newFake("ups", "UPS", 500))
		e.mustCreate("o1", func(r *dispatch.CreateRequest) { r.Async = true })
		again := engineOn(t, e.store, e.clock, e.carriers["ups"])
		again.pass(time.Minute)
		again.wantLive("o1", "ups")
	})
	t.Run("while the carrier was asked", func(t *testing.T) {
		f := newFake("ups", "UPS", 500)
		e := newEngine(t, f)
		died := make(chan struct{})
		f.onBook = func(carrier.BookRequest) (bool, error) { close(died); select {} }
		go func() { _, _ = e.create("o1") }()
		<-died
		if a := e.get("o1").Open(shipment.Forward); a == nil || a.State != shipment.Intended || a.Deadline.IsZero() {
			t.Fatal("the intent was not committed before the carrier was asked")
		}
		// The process is gone with the call; the carrier has committed. The next one finds the booking.
		next := newFake("ups", "UPS", 500)
		next.commit(f.booked[0])
		again := engineOn(t, e.store, e.clock, next)
		again.pass(10 * time.Minute)
		again.wantLive("o1", "ups")
		if st := again.get("o1").Attempts[0].State; st != shipment.Adopted {
			t.Errorf("attempt = %s", st)
		}
	})
}

// A carrier that answers with a booking which is cancelled has not booked.
func TestABookingThatComesCancelledIsNone(t *testing.T) {
	dash, ups := newFake("doordash", "DoorDash", 975), newFake("ups", "UPS", 1200)
	dash.manifest.Idempotency = carrier.Native
	e := newEngine(t, dash, ups)
	dash.onBook = func(r carrier.BookRequest) (bool, error) {
		dash.onBook = nil
		dash.commit(r)
		dash.bookings[r.Reference][0].Cancelled = true
		return true, nil
	}
	res, err := e.create("o1")
	if err != nil || !res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	e.pass(time.Hour)
	e.wantLive("o1", "doordash")
	if a := e.get("o1").Attempts[0]; a.State != shipment.Absent {
		t.Errorf("attempt = %s", a.State)
	}
	e.wantNoJobs()
}

// A reconcile job that finds its attempt decided, and the order left without a job, has it dispatched on.
func TestAReconcileJobWithoutAnAttemptDispatchesOn(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1", func(r *dispatch.CreateRequest) { r.Order.DispatchAt = shipping.At(e.clock.Now().Add(time.Hour)) })
	sh := e.get("o1")
	lostJob := &store.Tx{Now: e.clock.Now(), DropJobs: []store.JobKey{{Kind: dispatch.JobDispatch, Key: string(sh.ID)}}}
	if err := e.Store.Commit(context.Background(), sh.Tenant, lostJob); err != nil {
		t.Fatal(err)
	}
	job := store.Job{ID: string(sh.ID) + "/" + dispatch.JobReconcile, Tenant: sh.Tenant, Kind: dispatch.JobReconcile, Key: string(sh.ID), Due: e.clock.Now()}
	if _, err := e.RunReconcile(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	if e.pass(time.Minute); len(f.booked) != 0 {
		t.Error("it was booked before its time")
	}
	e.pass(2 * time.Hour)
	e.wantLive("o1", "ups")
	e.wantNoJobs()
}
