package dispatch_test

import (
	"context"
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

// sharing is one engine as seen by two tenants, whose accounts share what their carriers book.
func sharing(t *testing.T, carriers ...*fakeCarrier) (mine, theirs *engine) {
	t.Helper()
	mine = newEngine(t, carriers...)
	second := *mine.config.Tenants["demo"]
	second.ID = "other"
	mine.config.Tenants["other"] = &second
	as := *mine
	as.who = usecase.Caller{Tenant: "other", Key: "other_key"}
	return mine, &as
}

// unsureDash is a carrier of whose bookings only a person can say whether they were made, and that hands out labels.
func unsureDash() (*fakeCarrier, *[]string) {
	dash := newFake("doordash", "DoorDash", 975)
	dash.manifest.Absence, dash.manifest.Idempotency = carrier.Unproven, carrier.NoIdempotency
	return dash, papers(dash, 1)
}

// loses has the carrier's answers to bookings be lost, and nothing be booked, or no longer so.
func (f *fakeCarrier) loses(yes bool) {
	f.set(func(f *fakeCarrier) {
		if f.onBook = nil; yes {
			f.onBook = func(carrier.BookRequest) (bool, error) { return false, lost() }
		}
	})
}

// undecided creates an order of which only a person can say whether it is booked.
func (e *engine) undecided(dash *fakeCarrier, id string) {
	e.t.Helper()
	e.config.Tenants[e.who.Tenant].Accounts["doordash"].Doubt = "attention"
	dash.loses(true)
	if res, err := e.create(id); err != nil || !res.Waiting {
		e.t.Fatalf("%+v, %v", res, err)
	}
	e.pass(time.Hour)
	if n := len(e.needing()); n != 1 {
		e.t.Fatalf("%d orders need a person", n)
	}
	dash.loses(false)
}

// wantUnnamed checks that a number is refused as another's, without a word of whose it is.
func wantUnnamed(t *testing.T, err error) {
	t.Helper()
	if x := wantType(t, err, usecase.InvalidOperation); !strings.Contains(x.Message, "is the booking of another order. Nothing was changed.") || strings.Contains(x.Message, "two-1") {
		t.Errorf("%s", x.Message)
	}
}

// withoutClaims has the store keep no claims, as a version wrote it that knew none, while do runs.
func (e *engine) withoutClaims(do func()) {
	e.store.onCommit(func(tx *store.Tx) { tx.Claims = nil })
	do()
	e.store.onCommit(nil)
}

// A number that another tenant's order is booked under is neither a spare to be cancelled, nor the order's own booking: whoever has a key
// cancels, and reads, nothing of another tenant's. So it is of bookings that an earlier version has made.
func TestANumberOfAnotherTenantsIsRefused(t *testing.T) {
	for name, claimed := range map[string]bool{"claimed": true, "of before there were claims": false} {
		t.Run(name, func(t *testing.T) {
			dash, asked := unsureDash()
			mine, theirs := sharing(t, dash)
			book := func() { theirs.mustCreate("two-1"); mine.mustCreate("mine") }
			if claimed {
				book()
			} else {
				mine.withoutClaims(book)
			}
			const number = "doordash000001"
			if b := theirs.get("two-1").Live(shipment.Forward).Booking; b.TrackingID != number {
				t.Fatalf("their booking is %s", b.TrackingID)
			}
			_, err := mine.Resolve(context.Background(), mine.who, "mine", dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeSpare, TrackingID: number})
			wantUnnamed(t, err)
			mine.undecided(dash, "mine2")
			wantUnnamed(t, mine.tell("mine2", number))
			wantUnnamed(t, mine.tell("mine2", "DoorDash-00 0001"))
			mine.pass(24 * time.Hour)
			if len(dash.cancels) != 0 || len(*asked) != 0 || dash.live() != 2 {
				t.Errorf("cancelled %+v; labels of %q; %d live", dash.cancels, *asked, dash.live())
			}
			if a := mine.get("mine2").Attempts[0]; a.State != shipment.InDoubt || a.Booking != nil {
				t.Errorf("the refused order was changed: %+v", a)
			}
			if err := mine.tell("mine2", "D-77"); err != nil {
				t.Errorf("a number that is nobody's: %v", err)
			}
		})
	}
}

// What an earlier version has let a person tell of another tenant's booking does no more harm: it is not cancelled, no label of it is
// fetched, or handed out where it was, and a spare of it is dropped.
func TestANumberOfAnotherTenantsThatAnEarlierVersionTook(t *testing.T) {
	const number = "doordash000001"
	for _, fetched := range []bool{false, true} {
		dash, asked := unsureDash()
		mine, theirs := sharing(t, dash)
		mine.undecided(dash, "o1")
		mine.withoutClaims(func() {
			if err := mine.tell("o1", number); err != nil { // nobody has it yet
				t.Fatal(err)
			}
			if fetched {
				mine.pass(time.Second)
				if _, err := mine.Label(context.Background(), mine.who, "o1", 1); err != nil || len(*asked) != 1 {
					t.Fatalf("the label of a number that is nobody else's: %v, asked for %q", err, *asked)
				}
			}
			theirs.mustCreate("two-1")
		})
		if given := theirs.get("two-1").Live(shipment.Forward).Booking.TrackingID; given != number {
			t.Fatalf("their booking is %s: the test shows nothing", given)
		}
		before := len(*asked)
		mine.pass(24 * time.Hour)
		if l, err := mine.Label(context.Background(), mine.who, "o1", 1); err == nil || len(*asked) != before {
			t.Errorf("label %q, asked for %q", l.Data, *asked)
		}
		_, err := mine.Cancel(context.Background(), mine.who, "o1", number)
		wantUnnamed(t, err)
		if len(dash.cancels) != 0 || dash.live() != 1 {
			t.Errorf("cancelled: %+v", dash.cancels)
		}
	}

	dash, _ := unsureDash()
	mine, theirs := sharing(t, dash)
	mine.undecided(dash, "o1")
	if _, err := mine.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
		t.Fatal(err)
	}
	mine.withoutClaims(func() {
		dash.loses(true)
		if _, err := mine.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeSpare, TrackingID: number}); err != nil {
			t.Fatal(err)
		}
		dash.loses(false)
		theirs.mustCreate("two-1")
	})
	if given := theirs.get("two-1").Live(shipment.Forward).Booking.TrackingID; given != number {
		t.Fatalf("their booking is %s: the test shows nothing", given)
	}
	mine.pass(24 * time.Hour)
	if notes := mine.notes("o1", "SPARE_DROPPED"); len(notes) != 1 || len(dash.cancels) != 0 {
		t.Errorf("history %q, cancelled %+v", notes, dash.cancels)
	}
}

// The carrier's word of whose a booking is counts more than a person's, whichever tenant's.
func TestAPersonsWordYieldsToAnotherTenantsCarrier(t *testing.T) {
	const number = "doordash000001"
	// told has a person of mine give the number of a booking that is theirs, as the carrier shows then.
	told := func(t *testing.T) (mine, theirs *engine, dash *fakeCarrier, show func()) {
		dash, _ = unsureDash()
		mine, theirs = sharing(t, dash)
		mine.undecided(dash, "o1")
		theirs.undecided(dash, "two-1")
		return mine, theirs, dash, func() {
			dash.set(func(f *fakeCarrier) { f.commit(f.booked[1]) })
			mine.pass(8 * time.Hour)
		}
	}
	wantTheirs := func(t *testing.T, mine, theirs *engine, dash *fakeCarrier) {
		t.Helper()
		if a := theirs.get("two-1").Live(shipment.Forward); a == nil || a.State != shipment.Adopted || a.Booking.TrackingID != number || dash.live() != 1 {
			t.Errorf("the booking's own order has %+v; %d live", a, dash.live())
		}
		sh := mine.get("o1")
		if a := sh.Attempts[0]; a.State != shipment.InDoubt || a.Booking != nil || a.CancelIntent != nil || !a.NeedsPerson() || sh.Status != shipping.PendingDispatch {
			t.Errorf("the other order, %s, has %+v, doubt %+v", sh.Status, a, a.Doubt)
		}
		if notes := mine.notes("o1", "NEEDS_ATTENTION( DoorDash: the number that a person gave, "+number+", is the booking of another order )"); len(notes) != 1 {
			t.Errorf("history %q", mine.notes("o1", ""))
		}
		if ts := mine.trackers("o1"); len(ts) != 0 {
			t.Errorf("another tenant's booking is followed: %+v", ts)
		}
		if _, err := mine.Label(context.Background(), mine.who, "o1", 1); err == nil {
			t.Error("a label of another tenant's is handed out")
		}
		wantUnnamed(t, mine.tell("o1", number))
	}
	t.Run("told", func(t *testing.T) {
		mine, theirs, dash, show := told(t)
		if err := mine.tell("o1", number); err != nil {
			t.Fatal(err)
		}
		show()
		wantTheirs(t, mine, theirs, dash)
	})
	t.Run("the process dies before the order has given it up", func(t *testing.T) {
		mine, theirs, dash, show := told(t)
		if err := mine.tell("o1", number); err != nil {
			t.Fatal(err)
		}
		refuse := func(tx *store.Tx) error {
			if len(tx.DropTrackers) > 0 {
				return store.ErrUnavailable
			}
			return nil
		}
		mine.store.refuse = refuse
		show()
		if theirs.get("two-1").Live(shipment.Forward) == nil || mine.get("o1").Live(shipment.Forward) == nil {
			t.Fatal("the commit that gives the number up was not cut off: the test shows nothing")
		}
		// Meanwhile nothing is asked of it.
		_, err := mine.Cancel(context.Background(), mine.who, "o1", number)
		wantUnnamed(t, err)
		if l, err := mine.Label(context.Background(), mine.who, "o1", 1); err == nil {
			t.Errorf("a label of another tenant's is handed out: %q", l.Data)
		}
		mine.store.refuse = nil
		next := mine.crash()
		next.config = mine.config
		next.pass(time.Hour)
		wantTheirs(t, next, theirs, dash)
	})
	t.Run("a confirmed cancellation is asked no more", func(t *testing.T) {
		mine, theirs, dash, show := told(t)
		if err := mine.tell("o1", number); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		asked, late := 0, false
		dash.set(func(f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) {
				mu.Lock()
				defer mu.Unlock()
				asked++
				if late {
					t.Error("the carrier is asked to cancel another tenant's booking")
				}
				return false, lost()
			}
		})
		if res, err := mine.Cancel(context.Background(), mine.who, "o1", number); err != nil || !res.Waiting || asked == 0 {
			t.Fatalf("%+v, %v, asked %d times", res, err, asked)
		}
		mine.store.refuse = func(tx *store.Tx) error {
			if len(tx.DropTrackers) > 0 {
				return store.ErrUnavailable // the order keeps its intent to cancel for long
			}
			return nil
		}
		mine.store.onCommit(func(tx *store.Tx) {
			for _, j := range tx.PutJobs {
				if j.Kind == dispatch.JobYield {
					mu.Lock()
					late = true
					mu.Unlock()
				}
			}
		})
		show()
		if mine.get("o1").Attempts[0].CancelIntent == nil || !late {
			t.Fatal("the intent is gone already: the test shows nothing")
		}
		mine.store.refuse = nil
		mine.pass(time.Hour)
		wantTheirs(t, mine, theirs, dash)
		if sh := mine.get("o1"); sh.Cancel == nil || !sh.Cancel.Kept {
			t.Errorf("the cancellation is forgotten: %+v", sh.Cancel)
		}
	})
	t.Run("a spare", func(t *testing.T) {
		mine, theirs, dash, show := told(t)
		if _, err := mine.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
			t.Fatal(err)
		}
		dash.set(func(f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, retrySafe(carrier.CarrierUnavailable) }
		})
		if _, err := mine.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeSpare, TrackingID: number}); err != nil {
			t.Fatal(err)
		}
		wantUnnamed(t, theirs.tell("two-1", number))
		show()
		if a := theirs.get("two-1").Live(shipment.Forward); a == nil || a.Booking.TrackingID != number {
			t.Fatalf("the booking's own order has %+v", a)
		}
		if notes := mine.notes("o1", "SPARE_DROPPED"); len(notes) != 1 || notes[0] != "SPARE_DROPPED( DoorDash "+number+": it is of another order )" || len(mine.get("o1").Attempts[0].Spares) != 0 {
			t.Errorf("history %q, spares %+v", notes, mine.get("o1").Attempts[0].Spares)
		}
		asked := len(dash.cancels)
		mine.pass(24 * time.Hour)
		if len(dash.cancels) != asked {
			t.Errorf("another's booking is asked to be cancelled: %+v", dash.cancels)
		}
	})
}
