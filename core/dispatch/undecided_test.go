package dispatch_test

import (
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

// left has an order at the cheaper of two carriers, of which nobody knows whether it has done what ask has asked of it, and whose account
// has left the configuration.
func left(t *testing.T, ask func(*engine) error) (*engine, *fakeCarrier) {
	t.Helper()
	cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	e.mustCreate("o1")
	cheap.onCancel = func(carrier.CancelRequest) (bool, error) { return true, lost() }
	cheap.onEdit = func(carrier.EditRequest) error { return lost() }
	if err := ask(e); err != nil {
		t.Fatal(err)
	}
	delete(e.carriers, "cheap")
	e.pass(time.Hour)
	if n, told := len(e.needing()), len(e.notes("o1", "NEEDS_ATTENTION( Cheap: ")); n != 1 || told != 1 {
		t.Fatalf("%d orders need a person, the history says so %d times", n, told)
	}
	if d := e.get("o1").Attempts[0].Undecided(); d == nil || d.Needs != shipment.Attention || !strings.Contains(d.Last, "not configured") {
		t.Errorf("what is known: %+v", d)
	}
	return e, dear
}

// wantResolved checks that a person's word is in the history under their key, and that nothing is left to decide.
func (e *engine) wantResolved(note string) {
	e.t.Helper()
	lines, err := e.store.History(e.t.(*testing.T).Context(), "demo", e.get("o1").ID)
	if err != nil {
		e.t.Fatal(err)
	}
	said := 0
	for _, l := range lines {
		if l.Note == note && l.User == caller.Key {
			said++
		}
	}
	if said != 1 || len(e.needing()) != 0 {
		e.t.Errorf("said %d times: %s; %d orders need a person; history %+v", said, note, len(e.needing()), lines)
	}
	e.pass(time.Hour)
	e.wantNoJobs()
}

func cancelled(e *engine) error { _, err := e.cancel("o1"); return err }

func TestACancelAtAnAccountThatLeftIsAPersons(t *testing.T) {
	t.Run("gone", func(t *testing.T) {
		e, _ := left(t, cancelled)
		if _, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeAbsent}); err != nil {
			t.Fatal(err)
		}
		if sh := e.get("o1"); sh.Status != shipping.OrderCancelled || sh.Cancel != nil || sh.Attempts[0].State != shipment.Cancelled {
			t.Errorf("the order is %s, its attempt %+v", sh.Status, sh.Attempts[0])
		}
		e.wantResolved("RESOLVED( Cheap: a person has found that the booking is gone )")
		if u, err := e.store.Usage(t.Context(), "demo", "cheap", ""); err != nil || u.Open != 0 {
			t.Errorf("usage %+v, %v", u, err)
		}
	})
	t.Run("stands", func(t *testing.T) {
		e, _ := left(t, cancelled)
		_, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeBooked, TrackingID: "another"})
		wantType(t, err, usecase.InvalidOperation)
		if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeBooked, TrackingID: e.get("o1").Attempts[0].Booking.TrackingID}); err != nil {
			t.Fatal(err)
		}
		if sh := e.get("o1"); sh.Live(shipment.Forward) == nil || sh.Cancel != nil || sh.Attempts[0].CancelIntent != nil {
			t.Errorf("the order is %s, its attempt %+v", sh.Status, sh.Attempts[0])
		}
		e.wantResolved("CANCELLATION_REFUSED( Cheap: a person has found that the booking stands )")
	})
}

func TestARerouteAtAnAccountThatLeftIsAPersons(t *testing.T) {
	e, _ := left(t, func(e *engine) error { _, err := e.edit("o1", moved); return err })
	delete(e.config.Tenants["demo"].Accounts, "cheap")
	if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Minute)
	e.wantLive("o1", "dear")
	if sh := e.get("o1"); sh.Order.DeliveryAddress.Street1 != "1 New Street" {
		t.Errorf("the order is %+v", sh.Order.DeliveryAddress)
	}
	e.wantResolved("RESOLVED( Cheap: a person has found that the booking is gone )")
}

func TestAnEditAtAnAccountThatLeftIsAPersons(t *testing.T) {
	edited := func(e *engine) error { _, err := e.edit("o1", rung); return err }
	for outcome, note := range map[dispatch.Outcome]string{
		dispatch.OutcomeBooked: "EDITED( Cheap: the change is taken )",
		dispatch.OutcomeAbsent: "EDIT_REFUSED( Cheap: a person has found that the change is not taken )",
	} {
		e, _ := left(t, edited)
		r := dispatch.Resolution{Attempt: 1, Outcome: outcome}
		if outcome == dispatch.OutcomeBooked {
			r.TrackingID = e.get("o1").Attempts[0].Booking.TrackingID
		}
		if _, err := e.resolve(r); err != nil {
			t.Fatal(err)
		}
		sh := e.get("o1")
		if a := sh.Live(shipment.Forward); a == nil || a.EditIntent != nil || *sh.Order.DeliveryInstructions != "Ring twice" {
			t.Errorf("%s: attempt %+v, order %+v", outcome, a, sh.Order)
		}
		if told := len(sh.Warnings) == 1 && sh.Warnings[0].Code == "PROVIDER_NOT_INFORMED"; told != (outcome == dispatch.OutcomeAbsent) {
			t.Errorf("%s: warnings %+v", outcome, sh.Warnings)
		}
		e.wantResolved(note)
	}
}

// A person resolves an edit to a name that another order has taken meanwhile: all but the name is changed.
func TestAResolvedEditWhoseNameIsTaken(t *testing.T) {
	e, _ := left(t, func(e *engine) error {
		_, err := e.edit("o1", func(o *shipment.Order) { rung(o); o.ExternalID = "o2" })
		return err
	})
	e.mustCreate("o2")
	if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
		t.Fatal(err)
	}
	if sh := e.get("o1"); *sh.Order.DeliveryInstructions != "Ring twice" || len(e.needing()) != 0 {
		t.Errorf("order %+v", sh.Order)
	}
}

// A carrier that answers for a day that it did nothing is a person's, and one that rejects the credentials for a minute; the engine asks on.
func TestACancelThatIsNotDoneForLongIsAPersons(t *testing.T) {
	for name, again := range map[string]error{"is busy": retrySafe(carrier.CarrierUnavailable), "is silent": lost(), "rejects": refusal(carrier.CredentialsRejected)} {
		t.Run(name, func(t *testing.T) {
			f := newFake("ups", "UPS", 500)
			e := newEngine(t, f)
			e.mustCreate("o1")
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
			if res, err := e.cancel("o1"); err != nil || !res.Waiting {
				t.Fatalf("%+v, %v", res, err)
			}
			f.set(func(f *fakeCarrier) {
				f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, again }
			})
			asked := 0
			if name != "rejects" {
				e.pass(23 * time.Hour)
			}
			if n := len(e.needing()); n != 0 {
				t.Errorf("%d orders need a person within the day", n)
			}
			e.store.onCommit(func(tx *store.Tx) {
				for _, c := range tx.Changes {
					if strings.HasPrefix(c.Change.Note, "NEEDS_ATTENTION") {
						asked++
					}
				}
			})
			if name == "rejects" {
				e.pass(3 * time.Minute)
			} else {
				e.pass(2 * time.Hour)
			}
			if n := len(e.needing()); n != 1 || asked != 1 {
				t.Errorf("%d orders need a person, who was asked %d times", n, asked)
			}
			f.set(func(f *fakeCarrier) { f.onCancel = nil })
			e.pass(time.Hour)
			e.wantLive("o1", "")
			if n := len(e.needing()); n != 0 {
				t.Errorf("%d orders need a person though it is done", n)
			}
			e.wantNoJobs()
		})
	}
}
