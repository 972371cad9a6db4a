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
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// endedByWord has an order come to an end by a number that a person has told, and that is another's.
func endedByWord(t *testing.T, to shipping.Status) (*engine, *fakeCarrier) {
	t.Helper()
	e, dash := byWord(t)
	for _, st := range []shipping.Status{shipping.OutForDelivery, to} {
		if err := e.hear("o1", shipment.Heard{Status: st, User: "DoorDash"}); err != nil {
			t.Fatal(err)
		}
	}
	if st := e.get("o1").Status; st != to {
		t.Fatalf("the order is at %s", st)
	}
	return e, dash
}

func withdraw(r dispatch.Resolution) dispatch.Resolution {
	r.Withdraw, r.Reason = "D-77", "the buyer of another order has it"
	return r
}

// usage is what the account has open.
func (e *engine) usage(account string) int {
	e.t.Helper()
	u, err := e.store.Usage(context.Background(), "demo", account, e.clock.Now().Format(time.DateOnly))
	if err != nil {
		e.t.Fatal(err)
	}
	return u.Open
}

var withdrawn = "NUMBER_WITHDRAWN( DoorDash D-77: a person has found that it is not the order's: the buyer of another order has it )"

// The mistyped number of another's parcel that was delivered is taken back: the order goes on as if nothing had been told, and what was
// stands in its history.
func TestADeliveryUnderAnothersNumberIsTakenBack(t *testing.T) {
	for _, to := range []shipping.Status{shipping.OrderDelivered, shipping.OrderUndeliverable} {
		t.Run(string(to), func(t *testing.T) {
			e, dash := endedByWord(t, to)
			if e.usage("doordash") != 0 {
				t.Fatalf("%d are open", e.usage("doordash"))
			}
			if res, err := e.resolve(withdraw(absent)); err != nil || !res.Waiting {
				t.Fatalf("%+v, %v", res, err)
			}
			sh := e.get("o1")
			if a := sh.Attempts[0]; a.State != shipment.Absent || a.Booking != nil || a.Doubt.Told || sh.Status != shipping.PendingDispatch || !sh.Progress.ActualDelivery.IsZero() {
				t.Errorf("status %s, attempt %+v, progress %+v", sh.Status, a, sh.Progress)
			}
			if notes := e.notes("o1", "NUMBER_WITHDRAWN"); !slices.Equal(notes, []string{withdrawn}) {
				t.Errorf("history: %q", notes)
			}
			if has, follow := e.claimants("booking:doordash:D77"), e.followers("o1"); has[0] != "" || len(follow) > 0 || e.usage("doordash") != 0 {
				t.Errorf("its number is claimed by %q, followed as %q, %d are open", has, follow, e.usage("doordash"))
			}
			e.pass(time.Minute)
			e.wantLive("o1", "doordash")
			if st := e.statuses("o1"); !slices.Contains(st, to) || e.usage("doordash") != 1 {
				t.Errorf("history %v; %d are open", st, e.usage("doordash"))
			}
			dash.set(func(f *fakeCarrier) { f.commit(f.booked[0]) }) // the person was wrong again
			e.pass(24 * time.Hour)
			e.wantLive("o1", "doordash")
			e.watchOut()
			e.wantNoJobs()
		})
	}
}

// The right number is told in the place of the wrong one, or the carrier shows the booking by now.
func TestADeliveryUnderAnothersNumberIsToldAnew(t *testing.T) {
	for _, shows := range []bool{false, true} {
		e, dash := endedByWord(t, shipping.OrderDelivered)
		want := "D-78"
		if shows {
			dash.set(func(f *fakeCarrier) { want = f.consign("P-1") })
		}
		if res, err := e.resolve(withdraw(booked("D-78"))); err != nil || res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		sh := e.get("o1")
		a := sh.Live(shipment.Forward)
		if a == nil || a.Booking.TrackingID != want || a.Doubt.Told == shows || !a.EndedAt.IsZero() || sh.Status != shipping.OrderDispatched || e.usage("doordash") != 1 {
			t.Fatalf("status %s, attempt %+v, %d open", sh.Status, a, e.usage("doordash"))
		}
		if has := e.claimants("booking:doordash:D77"); has[0] != "" || !slices.Equal(e.notes("o1", "NUMBER_WITHDRAWN"), []string{withdrawn}) {
			t.Errorf("claimed by %q, history %q", has, e.notes("o1", "NUMBER_WITHDRAWN"))
		}
		if f := e.followers("o1"); !slices.Equal(f, []string{want}) {
			t.Errorf("followed as %q", f)
		}
		if err := e.hear("o1", shipment.Heard{Status: shipping.OrderDelivered, User: "DoorDash"}); err != nil || e.get("o1").Status != shipping.OrderDelivered {
			t.Errorf("the order is at %s, %v", e.get("o1").Status, err)
		}
	}
}

// A tracker that has heard nothing of a number for long leaves the order with a booking that no account counts as open. That number is
// taken back as well.
func TestANumberOfWhichNothingWasHeardIsTakenBack(t *testing.T) {
	e, _ := byWord(t)
	if err := e.hear("o1", shipment.Heard{Status: shipping.ErrorException, SubStatus: "NOT_FOUND", User: shipment.System}); err != nil {
		t.Fatal(err)
	}
	sh := e.get("o1")
	a := sh.Live(shipment.Forward)
	a.EndedAt = e.clock.Now() // as when its tracker has expired
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{Shipments: []*shipment.Shipment{sh}, Now: e.clock.Now(),
		Usage: []store.UsageDelta{{Account: a.Account, Day: sh.Day(a.IntendedAt), Open: -1}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.resolve(withdraw(absent)); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Minute)
	e.wantLive("o1", "doordash")
	if e.usage("doordash") != 1 {
		t.Errorf("%d are open", e.usage("doordash"))
	}
}

// What was delivered does not count as delivered when it was another's.
func TestATakenBackDeliveryDoesNotCount(t *testing.T) {
	e, _ := endedByWord(t, shipping.OrderDelivered)
	sh := e.get("o1")
	a := &sh.Attempts[0]
	keys := tally.RateKeys("doordash", e.clock.Now())
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{Shipments: []*shipment.Shipment{sh}, Now: e.clock.Now(),
		Counts: tally.Delivered(a, a.Quote.Delivery.EndsAt.Time, sh.Progress.ActualDelivery.Time)}); err != nil {
		t.Fatal(err)
	}
	sum := func() (n int64) {
		has, err := e.store.Counts(context.Background(), "demo", keys)
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range keys {
			if !strings.HasPrefix(k.Name, "quota/") {
				n += has[i]
			}
		}
		return n
	}
	if sum() != 2 {
		t.Fatalf("a delivery counts as %d", sum())
	}
	if _, err := e.resolve(withdraw(booked("D-78"))); err != nil {
		t.Fatal(err)
	}
	if sum() != 0 {
		t.Errorf("taken back, it counts as %d", sum())
	}
}

// Only what is a person's word is taken back, by that very number, and only where it still can be.
func TestWhatIsNotTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		to      shipping.Status
		prepare func(*engine, *fakeCarrier)
		ask     dispatch.Resolution
		want    string
	}{
		"not the number": {shipping.OrderDelivered, nil, dispatch.Resolution{Outcome: dispatch.OutcomeAbsent, Withdraw: "D-7", Reason: "x"}, "as D-77, not as D-7"},
		"no number":      {shipping.OrderUndeliverable, nil, absent, "waybill shipments resolve o1 --attempt 1 --withdraw D-77 --reason WHY --outcome absent"},
		"not asked":      {shipping.OrderDelivered, nil, absent, "waybill shipments resolve o1 --attempt 1 --withdraw D-77 --reason WHY --outcome absent"},
		"shown by the carrier": {shipping.OrderDelivered, func(_ *engine, f *fakeCarrier) {
			f.consign("D-77")
		}, withdraw(absent), "DoorDash shows D-77 under the order's reference"},
		"another booking shown": {shipping.OrderDelivered, func(_ *engine, f *fakeCarrier) {
			f.consign("P-1")
		}, withdraw(absent), "DoorDash shows of attempt 1: doordash000001"},
		"erased": {shipping.OrderDelivered, func(e *engine, _ *fakeCarrier) {
			if _, err := e.Erase(context.Background(), caller, "o1"); err != nil {
				t.Fatal(err)
			}
		}, withdraw(absent), "personal data was erased"},
		"given up": {shipping.OrderFailed, nil, withdraw(absent), "waybill shipments retry o1"},
		"a spare is left": {shipping.OrderDelivered, func(e *engine, f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
			f.consign("P-1")
			e.pass(time.Hour)
		}, withdraw(booked("D-78")), "another booking of attempt 1"},
		"a return": {shipping.OrderDelivered, func(e *engine, _ *fakeCarrier) {
			if _, err := e.Return(context.Background(), caller, "o1", dispatch.ReturnRequest{Reason: "too_small"}); err != nil {
				t.Fatal(err)
			}
		}, withdraw(absent), "on its way back with o1-R1"},
		"another's": {shipping.OrderDelivered, func(e *engine, f *fakeCarrier) {
			f.onBook = nil
			e.mustCreate("o2")
		}, withdraw(booked("doordash000001")), "the booking of another order, o2"},
	} {
		t.Run(name, func(t *testing.T) {
			e, dash := endedByWord(t, c.to)
			if c.prepare != nil {
				c.prepare(e, dash)
			}
			before := e.get("o1")
			_, err := e.resolve(c.ask)
			if x := wantType(t, err, usecase.InvalidOperation); !strings.Contains(x.Message, c.want) {
				t.Errorf("%s", x.Message)
			}
			if after := e.get("o1"); after.Status != before.Status || after.Revision != before.Revision {
				t.Errorf("the order has changed: %s", after.Status)
			}
		})
	}
}

// What the carrier itself has told is no person's to take back.
func TestACarriersWordIsNotTakenBack(t *testing.T) {
	e := newEngine(t, newFake("doordash", "DoorDash", 975))
	e.mustCreate("o1")
	if err := e.hear("o1", shipment.Heard{Status: shipping.OrderDelivered, User: "DoorDash"}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []dispatch.Resolution{absent, {Outcome: dispatch.OutcomeAbsent, Withdraw: "doordash000001", Reason: "x"}} {
		_, err := e.resolve(r)
		if x := wantType(t, err, usecase.InvalidOperation); strings.Contains(x.Message, "--withdraw") {
			t.Errorf("%s", x.Message)
		}
	}
}

// subscriber notes the lines of which subscribers are told.
type subscriber struct{ notes []string }

func (h *subscriber) Shipment(ctx context.Context, tx *store.Tx, sh *shipment.Shipment) {
	for _, c := range tx.Changes {
		if c.Shipment == sh.ID {
			h.notes = append(h.notes, string(c.Change.Status)+" "+c.Change.Note)
		}
	}
}

// Who was told that the order is delivered is told that it was not, and what it is now.
func TestSubscribersHearThatADeliveryIsTakenBack(t *testing.T) {
	e, _ := endedByWord(t, shipping.OrderDelivered)
	h := &subscriber{}
	e.Teller = h
	if _, err := e.resolve(withdraw(booked("D-78"))); err != nil {
		t.Fatal(err)
	}
	if want := []string{"PENDING_DISPATCH " + withdrawn, "ORDER_DISPATCHED "}; !slices.Equal(h.notes, want) {
		t.Errorf("told %q, want %q", h.notes, want)
	}
}
