package dispatch_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
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

// bothUndecided has two orders, o1 and o2, of which only a person can say whether their carrier has booked them. Nothing is booked.
func bothUndecided(t *testing.T) (*engine, *fakeCarrier) {
	t.Helper()
	dash := newFake("doordash", "DoorDash", 975)
	dash.manifest.Absence, dash.manifest.Idempotency = carrier.Unproven, carrier.NoIdempotency
	dash.onBook = func(carrier.BookRequest) (bool, error) { return false, lost() }
	e := newEngine(t, dash)
	e.config.Tenants["demo"].Accounts["doordash"].Doubt = "attention"
	for _, id := range []string{"o1", "o2"} {
		if res, err := e.create(id); err != nil || !res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	e.pass(time.Hour)
	if n := len(e.needing()); n != 2 {
		t.Fatalf("%d orders need a person", n)
	}
	return e, dash
}

func (e *engine) tell(id, number string) error {
	_, err := e.Resolve(context.Background(), e.who, id, booked(number))
	return err
}

// show has the carrier hold a booking of the second order, and the engine find it.
func (e *engine) show(dash *fakeCarrier) {
	e.t.Helper()
	dash.set(func(f *fakeCarrier) { f.commit(f.booked[1]) })
	e.pass(8 * time.Hour)
}

// claimed collects the names of all that is claimed from now on.
func (e *engine) claimed() func() []string {
	var mu sync.Mutex
	names := map[string]bool{}
	e.store.onCommit(func(tx *store.Tx) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range tx.Claims {
			names[c.Name] = true
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Sorted(maps.Keys(names))
	}
}

func (e *engine) claimants(names ...string) []shipment.ID {
	e.t.Helper()
	all, err := e.store.Claimants(context.Background(), names)
	if err != nil {
		e.t.Fatal(err)
	}
	has := make([]shipment.ID, len(all))
	for i, c := range all {
		has[i] = c.Shipment
	}
	return has
}

// wantDisowned checks that the first order, told to be the second's booking, is a person's again, and that nothing of it is followed.
func (e *engine) wantDisowned() {
	e.t.Helper()
	sh, owner := e.get("o1"), e.get("o2").Live(shipment.Forward)
	a := &sh.Attempts[0]
	if owner == nil || owner.State != shipment.Adopted || owner.Booking.TrackingID != "doordash000001" || owner.Doubt.Told {
		e.t.Fatalf("the booking's own order has %+v", owner)
	}
	if a.State != shipment.InDoubt || a.Booking != nil || a.CancelIntent != nil || a.Doubt.Told || !a.NeedsPerson() {
		e.t.Errorf("the other order has %+v, doubt %+v", a, a.Doubt)
	}
	if notes := e.notes("o1", "NEEDS_ATTENTION( DoorDash: the number that a person gave, doordash000001, is the booking of order o2 )"); len(notes) != 1 || sh.Status != shipping.PendingDispatch {
		e.t.Errorf("status %s, history %q", sh.Status, e.notes("o1", ""))
	}
	ts, err := e.store.TrackersByTags(context.Background(), "demo", []string{"shipment:" + string(sh.ID)}, 10)
	if err != nil || len(ts) != 0 {
		e.t.Errorf("trackers of an order without a booking: %+v, %v", ts, err)
	}
}

// Two persons give one number for two orders at one instant: both have seen that nobody has it when they commit. One gets it.
func TestOneNumberIsToldOfTwoOrdersAtOnce(t *testing.T) {
	e, _ := bothUndecided(t)
	var mu sync.Mutex
	arrived, both := 0, make(chan struct{})
	e.store.onCommit(func(tx *store.Tx) {
		if len(tx.Claims) == 0 {
			return
		}
		mu.Lock()
		if arrived++; arrived == 2 {
			close(both)
		}
		mu.Unlock()
		<-both
	})
	var errs [2]error
	var wg sync.WaitGroup
	for i, number := range []string{"D-77", "d 77"} { // however it is written
		wg.Go(func() { errs[i] = e.tell([]string{"o1", "o2"}[i], number) })
	}
	wg.Wait()
	won, lost := "o1", "o2"
	if errs[0] != nil {
		won, lost = lost, won
		errs[0], errs[1] = errs[1], errs[0]
	}
	if errs[0] != nil {
		t.Fatalf("neither has it: %v, %v", errs[0], errs[1])
	}
	if x := wantType(t, errs[1], usecase.InvalidOperation); !strings.Contains(x.Message, "is the booking of another order, "+won) {
		t.Errorf("the order that has it is not named: %s", x.Message)
	}
	if a := e.get(won).Live(shipment.Forward); a == nil {
		t.Errorf("%s has no booking", won)
	}
	if a := e.get(lost).Attempts[0]; a.State != shipment.InDoubt || a.Booking != nil || len(e.needing()) != 1 || len(e.notes(lost, "NEEDS_ATTENTION")) != 1 {
		t.Errorf("the refused order was changed: %+v", a)
	}
}

// The carrier's word of whose a booking is counts more than a person's, whichever comes first.
func TestAPersonsWordYieldsToTheCarriers(t *testing.T) {
	t.Run("told before", func(t *testing.T) {
		e, dash := bothUndecided(t)
		if err := e.tell("o1", "doordash000001"); err != nil {
			t.Fatal(err)
		}
		e.show(dash)
		e.wantDisowned()
		if dash.live() != 1 || len(dash.cancels) != 0 {
			t.Errorf("cancelled: %+v", dash.cancels)
		}
		// The order goes on as a person says.
		dash.set(func(f *fakeCarrier) { f.onBook = nil })
		if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Hour)
		if a := e.get("o1").Live(shipment.Forward); a == nil || a.Number != 2 || a.Booking.TrackingID != "doordash000002" {
			t.Errorf("booked anew: %+v", a)
		}
		if u, err := e.store.Usage(context.Background(), "demo", "doordash", ""); err != nil || u.Open != 2 {
			t.Errorf("usage %+v, %v", u, err)
		}
	})
	t.Run("told a parcel's number before", func(t *testing.T) {
		e, dash := bothUndecided(t)
		if err := e.tell("o1", "P-2"); err != nil {
			t.Fatal(err)
		}
		dash.set(func(f *fakeCarrier) { f.booked = f.booked[1:]; f.consign("P-1", "P-2") })
		e.pass(8 * time.Hour)
		if a := e.get("o1").Attempts[0]; a.State != shipment.InDoubt || len(e.notes("o1", "NEEDS_ATTENTION( DoorDash: the number that a person gave, P-2, is the booking of order o2 )")) != 1 {
			t.Errorf("%+v, history %q", a, e.notes("o1", ""))
		}
	})
	t.Run("told when it is about to be adopted", func(t *testing.T) {
		e, dash := bothUndecided(t)
		first := true
		e.store.onCommit(func(tx *store.Tx) {
			if len(tx.Claims) > 0 && first {
				first = false
				if err := e.tell("o1", "doordash000001"); err != nil {
					t.Errorf("it is nobody's at that moment: %v", err)
				}
			}
		})
		e.show(dash)
		e.wantDisowned()
	})
	t.Run("adopted when it is about to be told", func(t *testing.T) {
		e, dash := bothUndecided(t)
		first := true
		e.store.onCommit(func(tx *store.Tx) {
			if len(tx.Claims) > 0 && first {
				first = false
				e.show(dash)
			}
		})
		before := e.get("o1")
		x := wantType(t, e.tell("o1", "doordash000001"), usecase.InvalidOperation)
		if !strings.Contains(x.Message, "another order, o2") || e.get("o2").Live(shipment.Forward) == nil {
			t.Errorf("%s", x.Message)
		}
		if a := e.get("o1").Attempts[0]; a.State != before.Attempts[0].State || a.Booking != nil {
			t.Errorf("the refused order was changed: %+v", a)
		}
	})
	t.Run("a cancellation goes on", func(t *testing.T) {
		e, dash := bothUndecided(t)
		if err := e.tell("o1", "doordash000001"); err != nil {
			t.Fatal(err)
		}
		dash.set(func(f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, retrySafe(carrier.CarrierUnavailable) }
			f.onFind = func(carrier.FindRequest) error { return retrySafe(carrier.CarrierUnavailable) }
		})
		if _, err := e.Cancel(context.Background(), caller, "o1", "doordash000001"); err == nil {
			t.Fatal("the carrier was busy")
		}
		dash.set(func(f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
		})
		res, err := e.Cancel(context.Background(), caller, "o1", "doordash000001")
		if err != nil || !res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		dash.set(func(f *fakeCarrier) { f.onFind = nil })
		e.show(dash)
		e.wantDisowned()
		if sh := e.get("o1"); sh.Cancel == nil || !sh.Cancel.Kept {
			t.Errorf("the cancellation is forgotten: %+v", sh.Cancel)
		}
		if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
			t.Fatal(err)
		}
		if st := e.get("o1").Status; st != shipping.OrderCancelled {
			t.Errorf("status %s", st)
		}
	})
}

// A spare that a person has told of is dropped where the carrier tells it to be another order's; nobody else may name it meanwhile.
func TestAToldSpareYieldsToTheCarriers(t *testing.T) {
	e, dash := bothUndecided(t)
	if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
		t.Fatal(err)
	}
	dash.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, retrySafe(carrier.CarrierUnavailable) }
	})
	if _, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeSpare, TrackingID: "doordash000001"}); err != nil {
		t.Fatal(err)
	}
	if x := wantType(t, e.tell("o2", "doordash000001"), usecase.InvalidOperation); !strings.Contains(x.Message, "another order, o1") {
		t.Errorf("%s", x.Message)
	}
	e.show(dash)
	if a := e.get("o2").Live(shipment.Forward); a == nil || a.Booking.TrackingID != "doordash000001" {
		t.Fatalf("the booking's own order has %+v", a)
	}
	if notes := e.notes("o1", "SPARE_DROPPED"); !slices.Equal(notes, []string{"SPARE_DROPPED( DoorDash doordash000001: it is of order o2 )"}) || len(e.get("o1").Attempts[0].Spares) != 0 {
		t.Errorf("history %q, spares %+v", notes, e.get("o1").Attempts[0].Spares)
	}
	asked := len(dash.cancels)
	e.pass(24 * time.Hour)
	if len(dash.cancels) != asked {
		t.Errorf("another's booking is asked to be cancelled: %+v", dash.cancels)
	}
}

// Carriers give numbers anew: what they say themselves of two orders is not judged.
func TestACarrierMayGiveANumberTwice(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.onBooked = func(_ context.Context, b *carrier.Booking) { b.TrackingID = "T-1" }
	e := newEngine(t, f)
	e.mustCreate("o1")
	e.mustCreate("o2")
	for _, id := range []string{"o1", "o2"} {
		if a := e.get(id).Live(shipment.Forward); a == nil || a.Booking.TrackingID != "T-1" {
			t.Errorf("%s has %+v", id, a)
		}
	}
	// Each frees what is its own when it is erased.
	names := []string{"booking:ups:T1"}
	for i, want := range []shipment.ID{e.get("o2").ID, ""} {
		id := []string{"o1", "o2"}[i]
		if _, err := e.cancel(id); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Erase(context.Background(), caller, id); err != nil {
			t.Fatal(err)
		}
		if has := e.claimants(names...); has[0] != want {
			t.Errorf("after %s is erased: %q, want %q", id, has, want)
		}
	}
}

// What is claimed is freed with the spare that is gone, the number that was a mistake, and the order that is erased.
func TestClaimsDoNotLiveForEver(t *testing.T) {
	e, dash := bothUndecided(t)
	all := e.claimed()
	if err := e.tell("o1", "D-77"); err != nil {
		t.Fatal(err)
	}
	dash.set(func(f *fakeCarrier) { f.consign("P-1", "P-2"); f.consign("P-3") }) // of the first order, twice
	if x := wantType(t, e.tell("o2", "D-77"), usecase.InvalidOperation); !strings.Contains(x.Message, "o1") {
		t.Errorf("%s", x.Message)
	}
	e.pass(time.Hour)
	if err := e.tell("o1", "P-2"); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	id := e.get("o1").ID
	want := map[string]shipment.ID{"D77": "", "DOORDASH000001": id, "P1": id, "P2": id, "DOORDASH000002": ""}
	names := all()
	for i, has := range e.claimants(names...) {
		number := strings.TrimPrefix(names[i], "booking:doordash:")
		w, expected := want[number]
		if delete(want, number); !expected || has != w {
			t.Errorf("%s is claimed by %q, want %q", names[i], has, w)
		}
	}
	if len(want) > 0 || dash.live() != 1 {
		t.Errorf("never claimed: %v; %d bookings live", want, dash.live())
	}
	if err := e.tell("o2", "D-77"); err != nil {
		t.Errorf("a number that was a mistake is nobody's: %v", err)
	}
	for _, id := range []string{"o1", "o2"} {
		if err := e.setStatus(id, shipping.OrderDelivered, ""); err != nil {
			t.Fatal(err)
		}
		if err := e.store.Commit(context.Background(), "demo", &store.Tx{PutJobs: []store.Job{dispatch.EraseJob("demo", e.get(id).ID, e.clock.Now())}}); err != nil {
			t.Fatal(err)
		}
	}
	e.pass(time.Minute)
	if e.get("o1").ErasedAt.IsZero() || e.get("o2").ErasedAt.IsZero() {
		t.Fatal("the orders are not erased")
	}
	for i, has := range e.claimants(all()...) {
		if has != "" {
			t.Errorf("%s is claimed by %s, which is erased", all()[i], has)
		}
	}
}

// A spare that is left when its order is erased is claimed until it is gone.
func TestASpareOfAnErasedOrderStaysClaimed(t *testing.T) {
	f := newFake("doordash", "DoorDash", 975)
	f.manifest.Idempotency = carrier.NoIdempotency
	f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, retrySafe(carrier.CarrierUnavailable) }
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
	e.pass(time.Hour)
	if err := e.setStatus("o1", shipping.OrderDelivered, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Erase(context.Background(), caller, "o1"); err != nil {
		t.Fatal(err)
	}
	id := e.get("o1").ID
	names := []string{"booking:doordash:DOORDASH000001", "booking:doordash:DOORDASH000002"}
	if has := e.claimants(names...); has[0] != "" || has[1] != id {
		t.Errorf("erased: %q", has)
	}
	f.set(func(f *fakeCarrier) { f.onCancel = nil })
	e.pass(24 * time.Hour)
	if has := e.claimants(names...); has[1] != "" || f.live() != 1 {
		t.Errorf("its spare is cancelled: %q, %d live", has, f.live())
	}
}

// Orders that were booked before there were claims are found by what follows their bookings.
func TestABookingWithoutAClaimIsTheOrdersAllTheSame(t *testing.T) {
	e, dash := bothUndecided(t)
	e.store.onCommit(func(tx *store.Tx) { tx.Claims = nil }) // as a version wrote it that knew none
	e.show(dash)
	e.store.onCommit(nil)
	if has := e.claimants("booking:doordash:DOORDASH000001"); has[0] != "" {
		t.Fatalf("it is claimed by %s: the test shows nothing", has[0])
	}
	if x := wantType(t, e.tell("o1", "doordash000001"), usecase.InvalidOperation); !strings.Contains(x.Message, "another order, o2") {
		t.Errorf("%s", x.Message)
	}
	// It is neither cancelled where both had it then.
	e, dash = bothUndecided(t)
	e.store.onCommit(func(tx *store.Tx) { tx.Claims = nil })
	if err := e.tell("o1", "doordash000001"); err != nil {
		t.Fatal(err)
	}
	e.show(dash)
	e.store.onCommit(nil)
	_, err := e.Cancel(context.Background(), caller, "o1", "doordash000001")
	if x := wantType(t, err, usecase.InvalidOperation); !strings.Contains(x.Message, "another order, o2") || dash.live() != 1 {
		t.Errorf("%s; %d live", x.Message, dash.live())
	}
}

// A claim of an order that is not there any more is nobody's.
func TestAClaimOfNoOrderIsFree(t *testing.T) {
	e, _ := bothUndecided(t)
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{Claims: []store.Claim{{Name: "booking:doordash:D77", Shipment: "gone"}}}); err != nil {
		t.Fatal(err)
	}
	if err := e.tell("o1", "D-77"); err != nil {
		t.Fatal(err)
	}
	if has := e.claimants("booking:doordash:D77"); has[0] != e.get("o1").ID {
		t.Errorf("it is claimed by %q", has)
	}
	if _, err := e.store.Shipment(context.Background(), "demo", "gone"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the order is there: %v", err)
	}
}

// Why an order that has lost its number to another needs a person is told beside what the looks since have shown, until one has told anew.
func TestWhyANumberWasLostIsNotForgotten(t *testing.T) {
	e, dash := bothUndecided(t)
	if err := e.tell("o1", "doordash000001"); err != nil {
		t.Fatal(err)
	}
	e.show(dash)
	e.wantDisowned()
	why := "the number that a person gave, doordash000001, is the booking of order o2"
	looks := e.get("o1").Attempts[0].Doubt.Looks
	e.pass(24 * time.Hour)
	a := e.get("o1").Attempts[0]
	if a.Doubt.Looks == looks {
		t.Fatal("nobody has looked since: the test shows nothing")
	}
	if last := a.Undecided().Last; !strings.Contains(last, why) || !strings.Contains(last, "the carrier knows of no booking") {
		t.Errorf("what is known: %s", last)
	}
	if err := e.tell("o1", "D-77"); err != nil {
		t.Fatal(err)
	}
	if a := e.get("o1").Attempts[0]; strings.Contains(a.Undecided().Last, why) {
		t.Errorf("what is known: %s", a.Undecided().Last)
	}
}
