package dispatch_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// moved changes the street, which needs another booking.
func moved(o *shipment.Order) { o.DeliveryAddress.Street1 = "1 New Street" }

func retrySafe(code carrier.Code) error {
	return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetrySafe, Code: code, Message: "not now"}
}

// crash ends the engine as a dead process would: leases are void, nothing in memory is left.
func (e *engine) crash() *engine {
	e.t.Helper()
	e.store.Forsake()
	var fs []*fakeCarrier
	for _, id := range e.config.Tenants["demo"].Locations["7709"].Accounts {
		fs = append(fs, e.carriers[id])
	}
	next := engineOn(e.t, e.store, e.clock, fs...)
	next.bundle, next.config = e.bundle, e.config
	return next
}

// Whatever commit fails, written or not, the order ends with one booking that it knows.
func TestEveryCommitMayFail(t *testing.T) {
	for nth := 1; nth <= 4; nth++ {
		for _, written := range []bool{false, true} {
			f := newFake("ups", "UPS", 500)
			e := newEngine(t, f)
			e.store.fail(nth, 1, written)
			_, err := e.create("o1")
			if nth <= 3 && err == nil {
				t.Errorf("commit %d failed and nobody heard of it", nth)
			}
			if x := usecase.AsError(err); nth > 1 && err != nil && x.Shipment == "" {
				t.Errorf("commit %d failed after the order was stored, and the answer hides that: %v", nth, err)
			}
			e.pass(time.Minute)
			e.pass(2 * time.Minute)
			if _, err := e.Get(context.Background(), caller, "o1"); err != nil {
				if nth != 1 || written {
					t.Errorf("commit %d: the order is gone: %v", nth, err)
				}
				continue
			}
			if nth == 1 {
				e.pass(10 * time.Minute) // nobody holds the lease that was written without anybody knowing
			}
			e.wantLive("o1", "ups")
			e.statuses("o1")
			e.watchOut()
			e.wantNoJobs()
		}
	}
}

// A new round has new references even where the last one was never committed: the carrier may have reserved them.
func TestAJobTakenUpAgainAsksUnderNewReferences(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.store.fail(2, 1, false)
	if _, err := e.create("o1"); err == nil {
		t.Fatal("the intent was not committed, and nobody heard of it")
	}
	e.pass(time.Minute)
	e.wantLive("o1", "ups")
	if len(f.asked) != 2 || f.asked[0].Reference == f.asked[1].Reference {
		t.Errorf("asked %d times, under %q", len(f.asked), f.asked[0].Reference)
	}
}

func TestACancelIsNotLostBetweenAdoptionAndAsking(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.onBook = once(true)
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.cancel("o1"); err != nil {
		t.Fatal(err)
	}
	// The commit after that of the adoption never happens, and the process dies.
	e.store.onCommit(func(tx *store.Tx) {
		if len(tx.Shipments) == 1 && tx.Shipments[0].Live(shipment.Forward) != nil {
			e.store.onCommit(nil)
			e.store.fail(2, 1000, false)
		}
	})
	e.clock.Advance(time.Minute)
	_, _ = e.runner.RunDue(context.Background(), e.clock.Now())
	e.store.heal()
	e = e.crash()
	e.pass(10 * time.Minute)
	e.wantLive("o1", "")
	if st := e.get("o1").Status; st != shipping.OrderCancelled {
		t.Errorf("status = %s", st)
	}
	e.wantNoJobs()
}

func TestACrossingCancelOutlivesABusyCarrier(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.onBook = once(true)
	f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, retrySafe(carrier.BreakerOpen) }
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	if res, err := e.cancel("o1"); err != nil || !res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	e.pass(10 * time.Minute)
	if e.get("o1").Cancel == nil {
		t.Fatal("the cancellation was forgotten")
	}
	asked := len(f.cancels)
	if asked > 30 {
		t.Errorf("asked %d times in ten minutes", asked)
	}
	f.set(func(f *fakeCarrier) { f.onCancel = nil })
	e.pass(time.Hour)
	e.wantLive("o1", "")
	e.wantNoJobs()
}

// The first answer was lost, so the second, which says that nothing was done, does not say what the first did.
func TestALostCancelIsNotUndoneByARefusalToAskAgain(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	n := 0
	f.onCancel = func(carrier.CancelRequest) (bool, error) {
		if n++; n == 1 {
			return true, lost()
		}
		return false, retrySafe(carrier.TooBusy)
	}
	res, err := e.cancel("o1")
	if err != nil || !res.Waiting {
		t.Fatalf("cancel: %+v, %v", res, err)
	}
	f.set(func(f *fakeCarrier) { f.onCancel = nil })
	e.pass(time.Hour)
	if st := e.get("o1").Status; st != shipping.OrderCancelled {
		t.Errorf("status = %s", st)
	}
	e.wantLive("o1", "")
}

func TestACancelThatCrossedAndIsRefusedIsTold(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.onBook = once(true)
	f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.cancel("o1"); err != nil {
		t.Fatal(err)
	}
	e.pass(10 * time.Minute)
	e.wantLive("o1", "ups")
	_, h, err := e.History(context.Background(), caller, "o1")
	if last := h[len(h)-1]; err != nil || !last.Late || e.get("o1").Cancel != nil {
		t.Errorf("the refusal is not told: %+v", last)
	}
	e.wantNoJobs()
}

// A process dies at each point of an edit that needs another booking.
func TestAReroutedOrderSurvivesEachCrash(t *testing.T) {
	for nth := 1; nth <= 5; nth++ {
		for _, written := range []bool{false, true} {
			f := newFake("ups", "UPS", 500)
			e := newEngine(t, f)
			e.mustCreate("o1")
			e.store.fail(nth, 1000, written && nth < 3)
			if written && nth < 3 {
				e.store.fail(nth, 1, true)
			}
			_, err := e.edit("o1", moved)
			if nth <= 4 && err == nil {
				t.Errorf("commit %d failed and nobody heard of it", nth)
			}
			e.store.heal()
			e = e.crash()
			e.pass(20 * time.Minute)
			e.wantLive("o1", "ups")
			sh := e.get("o1")
			if sh.Live(shipment.Forward).CancelIntent != nil || sh.Cancel != nil {
				t.Errorf("commit %d: an intent is left: %+v", nth, sh)
			}
			if nth > 1 && sh.Order.DeliveryAddress.Street1 != "1 New Street" {
				t.Errorf("commit %d: the change was lost", nth)
			}
			e.wantNoJobs()
		}
	}
}

func TestARerouteWhoseCancelIsLostEndsRerouted(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.onCancel = func(carrier.CancelRequest) (bool, error) { return true, lost() }
	res, err := e.edit("o1", moved)
	if err != nil || len(res.Shipment.AllWarnings()) != 1 || res.Shipment.AllWarnings()[0].Code != "EDIT_IN_DOUBT" {
		t.Fatalf("edit: %+v, %v", res.Shipment.AllWarnings(), err)
	}
	f.set(func(f *fakeCarrier) { f.onCancel = nil })
	e.pass(time.Hour)
	e.wantLive("o1", "ups")
	if sh := e.get("o1"); sh.Order.DeliveryAddress.Street1 != "1 New Street" || len(sh.Attempts) != 2 {
		t.Errorf("attempts %d, order %+v", len(sh.Attempts), sh.Order.DeliveryAddress)
	}
	e.wantNoJobs()
}

// A cancel that comes while a reroute waits for the carrier's cancellation wins over the rebooking.
func TestACancelDuringARerouteWins(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	inside, leave := make(chan struct{}), make(chan struct{})
	f.onCancel = func(carrier.CancelRequest) (bool, error) {
		f.onCancel = nil
		close(inside)
		<-leave
		return true, nil
	}
	var wg sync.WaitGroup
	var edited error
	wg.Go(func() { _, edited = e.edit("o1", moved) })
	<-inside
	cancelled := make(chan struct{})
	wg.Go(func() {
		defer close(cancelled)
		if _, err := e.cancel("o1"); err != nil {
			t.Errorf("cancel: %v", err)
		}
	})
	<-cancelled
	close(leave)
	wg.Wait()
	e.pass(time.Hour)
	e.wantLive("o1", "")
	if sh := e.get("o1"); sh.Status != shipping.OrderCancelled || len(f.booked) != 1 {
		t.Errorf("status %s, booked %d times", sh.Status, len(f.booked))
	}
	wantType(t, edited, usecase.ValidationError)
	if got := e.notes("o1", "EDIT_REFUSED"); len(got) != 1 || got[0] != "EDIT_REFUSED( UPS: the order is cancelled )" {
		t.Errorf("history says %q", got)
	}
	e.wantNoJobs()
}

// The order is edited while the carriers are asked: what was asked about the old order is not booked.
func TestAnEditDuringTheQuestionsIsAskedAfresh(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	edited := false
	f.onQuote = func(r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		if !edited {
			edited = true
			if _, err := e.edit("o1", moved); err != nil {
				t.Errorf("edit: %v", err)
			}
		}
		return carrier.QuoteAnswer{Quotes: []shipping.Quote{{ServiceID: "delivery", Amount: shipping.Money{Minor: 500, Currency: "USD"}, Token: []byte(r.Delivery.Address.Street1)}}}, nil
	}
	e.mustCreate("o1")
	e.wantLive("o1", "ups")
	b := f.booked[0]
	if b.Delivery.Address.Street1 != "1 New Street" || string(b.Token) != "1 New Street" {
		t.Errorf("booked to %q with the offer for %q", b.Delivery.Address.Street1, b.Token)
	}
	if f.asked[0].Reference == b.Reference {
		t.Error("the changed order has the reference of the old one")
	}
	e.pass(time.Hour)
	e.wantLive("o1", "ups")
	e.wantNoJobs()
}

func TestEditsOfWaitingOrders(t *testing.T) {
	t.Run("held until a person changes it", func(t *testing.T) {
		f := newFake("ups", "UPS", 500)
		e := newEngine(t, f)
		e.bundle = rulesOf(t, "rules: 1\nname: hold\nhold:\n  - name: No unit\n    when: not order.to.has_unit\n    until: released\n    reason: look at it\n")
		res, err := e.create("o1")
		if err != nil || res.Shipment.Status != shipping.PendingRelease {
			t.Fatalf("%+v, %v", res, err)
		}
		e.pass(time.Hour)
		if _, err := e.edit("o1", func(o *shipment.Order) { o.DeliveryAddress.ApartmentNumber = "4" }); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Minute)
		e.wantLive("o1", "ups")
		e.wantNoJobs()
	})
	t.Run("scheduled, then wanted now", func(t *testing.T) {
		e := newEngine(t, newFake("ups", "UPS", 500))
		e.mustCreate("o1", func(r *dispatch.CreateRequest) { r.Order.DispatchAt = shipping.At(e.clock.Now().Add(24 * time.Hour)) })
		if _, err := e.edit("o1", func(o *shipment.Order) { o.DispatchAt = shipping.Instant{} }); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Minute)
		e.wantLive("o1", "ups")
		e.wantNoJobs()
	})
	t.Run("wanted later while it is asked about", func(t *testing.T) {
		f := newFake("ups", "UPS", 500)
		e := newEngine(t, f)
		at := e.clock.Now().Add(time.Hour)
		f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
			f.onQuote = nil
			if _, err := e.edit("o1", func(o *shipment.Order) { o.DispatchAt = shipping.At(at) }); err != nil {
				t.Errorf("edit: %v", err)
			}
			return carrier.QuoteAnswer{Quotes: []shipping.Quote{{ServiceID: "delivery", Amount: shipping.Money{Minor: 500, Currency: "USD"}}}}, nil
		}
		e.mustCreate("o1")
		if len(f.booked) != 0 || e.get("o1").Status != shipping.PendingDispatch {
			t.Errorf("booked %d times, status %s", len(f.booked), e.get("o1").Status)
		}
		e.pass(59 * time.Minute)
		e.wantLive("o1", "")
		e.pass(2 * time.Minute)
		e.wantLive("o1", "ups")
		e.wantNoJobs()
	})
}

// Two edits at once: neither is lost.
func TestTwoEditsAtOnce(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	first := true
	group := "g"
	_, err := e.edit("o1", func(o *shipment.Order) {
		if first {
			first = false
			if _, err := e.edit("o1", func(o *shipment.Order) { fr := "fr"; o.Locale = &fr }); err != nil {
				t.Errorf("edit: %v", err)
			}
		}
		o.GroupID = &group
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := e.get("o1").Order; (o.Locale == nil || *o.Locale != "fr") || o.GroupID == nil {
		t.Errorf("an edit was lost: %+v", o)
	}
}

func TestAnEditWhoseAnswerIsLostIsAskedAgain(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.onEdit = func(carrier.EditRequest) error { return lost() }
	ins := "Ring twice"
	ring := func(o *shipment.Order) { o.DeliveryInstructions = &ins }
	res, err := e.edit("o1", ring)
	if err != nil || len(res.Shipment.AllWarnings()) != 1 || res.Shipment.AllWarnings()[0].Code != "EDIT_IN_DOUBT" {
		t.Fatalf("edit: %+v, %v", res.Shipment.AllWarnings(), err)
	}
	_, err = e.edit("o1", moved)
	wantType(t, err, usecase.ValidationError)
	f.set(func(f *fakeCarrier) { f.onEdit = nil })
	e = e.crash()
	e.pass(time.Hour)
	sh := e.get("o1")
	if d := sh.Order.DeliveryInstructions; d == nil || *d != ins || sh.Live(shipment.Forward).EditIntent != nil {
		t.Errorf("the edit was lost: %v", d)
	}
	if last := f.edits[len(f.edits)-1]; last.Delivery.Instructions != ins {
		t.Errorf("the carrier heard %q", last.Delivery.Instructions)
	}
	e.wantLive("o1", "ups")
	e.wantNoJobs()
}

func TestAnEditThatDiesBeforeItsAnswerIsWritten(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	e.store.fail(2, 1, false)
	ins := "Ring twice"
	if _, err := e.edit("o1", func(o *shipment.Order) { o.DeliveryInstructions = &ins }); err == nil {
		t.Fatal("the commit failed and nobody heard of it")
	}
	e = e.crash()
	e.pass(time.Hour)
	if d := e.get("o1").Order.DeliveryInstructions; d == nil || *d != ins {
		t.Error("the carrier knows of an edit that the order does not know")
	}
	e.wantNoJobs()
}

// The lease of an inline dispatch ends while the carrier is being asked.
func TestAnExpiredLeaseDoesNotBookTwice(t *testing.T) {
	for _, committed := range []bool{true, false} {
		dash, ups := newFake("doordash", "DoorDash", 975), newFake("ups", "UPS", 1200)
		e := newEngine(t, dash, ups)
		dash.onBook = func(carrier.BookRequest) (bool, error) {
			dash.onBook = nil
			dash.mu.Unlock()
			defer dash.mu.Lock()
			e.clock.Advance(6 * time.Minute)
			if _, err := e.runner.RunDue(context.Background(), e.clock.Now()); err != nil {
				t.Error(err)
			}
			if committed {
				return true, nil
			}
			return false, refusal(carrier.ServiceUnavailable)
		}
		if _, err := e.create("o1"); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Hour)
		if n := dash.live() + ups.live(); n != 1 {
			t.Errorf("committed %v: %d live bookings", committed, n)
		}
		e.statuses("o1")
		e.wantNoJobs()
	}
}

// The walk dies between a refusal and the next intent, after another run had taken its attempt for lost.
func TestARefusalAfterTheLeaseIsLostLeavesAJob(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	f.onBook = func(carrier.BookRequest) (bool, error) {
		f.onBook = nil
		f.mu.Unlock()
		defer f.mu.Lock()
		e.clock.Advance(5*time.Minute + time.Second)
		// Only the dispatch job: reconciliation must not come to its end.
		f.onFind = func(carrier.FindRequest) error { return retrySafe(carrier.CarrierUnavailable) }
		_, _ = e.runner.RunDue(context.Background(), e.clock.Now())
		e.store.fail(2, 1000, false)
		return false, refusal(carrier.QuoteExpired)
	}
	_, _ = e.create("o1")
	e.store.heal()
	f.set(func(f *fakeCarrier) { f.onFind = nil })
	e = e.crash()
	e.pass(2 * time.Hour)
	e.wantLive("o1", "ups")
	e.watchOut()
	e.wantNoJobs()
}

func TestUndeliverableTwiceCountsOnce(t *testing.T) {
	f := newFake("own_fleet", "Self Delivery", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	for _, st := range []shipping.Status{shipping.PickupCompleted, shipping.OrderUndeliverable, shipping.OrderUndeliverable, shipping.OrderDelivered} {
		if err := e.setStatus("o1", st, ""); err != nil {
			t.Fatalf("%s: %v", st, err)
		}
	}
	e.mustCreate("o2")
	if u := f.asked[1].Usage; u.Open != 0 {
		t.Errorf("usage = %+v", u)
	}
}

// A native carrier may refuse the order sent again for reasons that say nothing of the first: only looking proves.
func TestARefusedResendDoesNotProveAbsence(t *testing.T) {
	for code, source := range map[carrier.Code]carrier.Source{carrier.CredentialsRejected: carrier.SourceConfig, carrier.InvalidField: carrier.SourceCarrier} {
		dash, ups := newFake("doordash", "DoorDash", 975), newFake("ups", "UPS", 1200)
		dash.manifest.Idempotency = carrier.Native
		n := 0
		dash.onBook = func(carrier.BookRequest) (bool, error) {
			if n++; n == 1 {
				return true, lost()
			}
			return false, &carrier.Error{Source: source, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: code, Message: "no"}
		}
		e := newEngine(t, dash, ups)
		if _, err := e.create("o1"); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Hour)
		if d, u := dash.live(), ups.live(); d != 1 || u != 0 {
			t.Errorf("%s: %d and %d live bookings", code, d, u)
		}
	}
}

// A retry while another job of the order runs waits for its turn and does not fail.
func TestARetryBesideARunningWatch(t *testing.T) {
	dash := newFake("doordash", "DoorDash", 975)
	dash.manifest.Absence = carrier.Unproven
	dash.onBook = once(false)
	e := newEngine(t, dash)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	// The second round is refused, so the order fails while the first attempt is watched.
	dash.set(func(f *fakeCarrier) {
		f.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.ServiceUnavailable) }
	})
	e.pass(5 * time.Minute)
	if st := e.get("o1").Status; st != shipping.OrderFailed {
		t.Fatalf("status = %s", st)
	}
	dash.set(func(f *fakeCarrier) { f.onBook = nil })
	retried := false
	dash.onFind = func(carrier.FindRequest) error {
		if !retried {
			retried = true
			dash.mu.Unlock()
			defer dash.mu.Lock()
			if _, err := e.Retry(context.Background(), caller, "o1"); err != nil {
				t.Errorf("retry: %v", err)
			}
		}
		return nil
	}
	e.pass(time.Hour)
	if !retried {
		t.Fatal("the attempt was not watched")
	}
	e.wantLive("o1", "doordash")
}

// An order held for hours answers a repeated create at once; one in motion is waited for.
func TestARepeatedCreateDoesNotWaitForTime(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) { return carrier.QuoteAnswer{}, nil }
	e := newEngine(t, f)
	e.config.Dispatch.AnswerWithin = time.Hour
	e.bundle = rulesOf(t, "rules: 1\nname: wait\nnone: { hold_for: 3m, retry: 2 }\n")
	with := func(r *dispatch.CreateRequest) { r.IdempotencyKey, r.BodyHash = "POST /shipments k", []byte("hash") }
	for range 2 {
		ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
		r := dispatch.CreateRequest{Order: order("o1")}
		with(&r)
		res, err := e.Create(ctx, caller, r)
		if err != nil || ctx.Err() != nil || res.Shipment.Status != shipping.PendingAutoRetry {
			t.Errorf("%+v, %v, %v", res, err, ctx.Err())
		}
		stop()
	}
}

// The engine stops, or the job is another's, while the carriers are asked: that none of them answered says nothing about them.
func TestAStopDuringTheQuestionsIsNoFailure(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	ctx, stop := context.WithCancel(context.Background())
	f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		f.onQuote = nil
		stop()
		return carrier.QuoteAnswer{}, retrySafe(carrier.DeadlineExceeded)
	}
	e.mustCreate("o1", func(r *dispatch.CreateRequest) { r.Async = true })
	_, _ = e.runner.RunDue(ctx, e.clock.Now())
	e.wantStatus("o1", shipping.RequestReceived)
	e.pass(time.Minute)
	e.wantLive("o1", "ups")
	e.wantNoJobs()
}

// The engine stops while the carrier is asked to book: its answer is kept.
func TestAStopDuringTheBookingKeepsTheAnswer(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	ctx, stop := context.WithCancel(context.Background())
	f.onBook = func(carrier.BookRequest) (bool, error) {
		stop()
		return true, nil
	}
	e.mustCreate("o1", func(r *dispatch.CreateRequest) { r.Async = true })
	_, _ = e.runner.RunDue(ctx, e.clock.Now())
	e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderDispatched)
	e.wantLive("o1", "ups")
	e.wantNoJobs()
}
