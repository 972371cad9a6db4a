package dispatch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const downRule = "rules: 1\nfallback:\n  - { name: Move, on: [ provider_down, cancelled_by_carrier ], steps: [ next_ranked ] }\n"

// rung changes what a carrier with an Editor takes.
func rung(o *shipment.Order) {
	ring := "Ring twice"
	o.DeliveryInstructions = &ring
	o.DeliveryContact.Name = "Bea"
}

// editInDoubt has an order at the cheaper of two carriers, of which nobody knows whether it has taken an edit.
func editInDoubt(t *testing.T) (e *engine, cheap, dear *fakeCarrier) {
	t.Helper()
	cheap, dear = newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e = newEngine(t, cheap, dear)
	e.bundle = rulesOf(t, downRule)
	e.mustCreate("o1")
	cheap.onEdit = func(carrier.EditRequest) error { return lost() }
	res, err := e.edit("o1", rung)
	if err != nil || len(res.Shipment.AllWarnings()) != 1 || res.Shipment.AllWarnings()[0].Code != "EDIT_IN_DOUBT" {
		t.Fatalf("edit: %+v, %v", res.Shipment.AllWarnings(), err)
	}
	return e, cheap, dear
}

// wantRung checks that the order is the edited one and that the carrier that has it was asked to carry that.
func (e *engine) wantRung(account string) {
	e.t.Helper()
	o := e.get("o1").Order
	if o.DeliveryInstructions == nil || *o.DeliveryInstructions != "Ring twice" || o.DeliveryContact.Name != "Bea" {
		e.t.Errorf("the acknowledged edit is gone: %v, %+v", o.DeliveryInstructions, o.DeliveryContact)
	}
	f := e.carriers[account]
	if last := f.booked[len(f.booked)-1].Consignment; last.Delivery.Instructions != "Ring twice" || last.Delivery.Contact.Name != "Bea" {
		e.t.Errorf("%s was asked to carry the order as it was: %+v", account, last.Delivery)
	}
}

// A fallback that takes the booking away while an edit is in doubt books the edited order.
func TestAFallbackKeepsAnEditInDoubt(t *testing.T) {
	e, _, _ := editInDoubt(t)
	e.tellFallback("o1", usecase.ProviderDown)
	e.pass(time.Minute)
	e.wantLive("o1", "dear")
	e.wantRung("dear")
	if got := e.notes("o1", "EDITED"); len(got) != 1 || got[0] != "EDITED( Cheap: the booking is cancelled, the next is made with the change )" {
		t.Errorf("history says %v", got)
	}
	e.pass(time.Hour)
	e.wantNoJobs()
}

// The end of an edit in doubt is told, to whoever was answered that it is in doubt: once, and with a line that is news.
func TestTheEndOfAnEditInDoubtIsTold(t *testing.T) {
	for want, end := range map[string]func(carrier.EditRequest) error{
		"EDITED( Cheap: the change is taken )":        nil,
		"EDIT_REFUSED( Cheap: The carrier says no. )": func(carrier.EditRequest) error { return refusal(carrier.EditRefused) },
	} {
		e, cheap, _ := editInDoubt(t)
		cheap.set(func(f *fakeCarrier) { f.onEdit = end })
		told := 0
		e.store.onCommit(func(tx *store.Tx) {
			for _, c := range tx.Changes {
				if c.Change.Note == want {
					told++
				}
			}
		})
		e.pass(time.Hour)
		if got := e.notes("o1", "EDIT"); told != 1 || len(got) != 1 || got[0] != want {
			t.Errorf("told %d times, history %v, want %s", told, got, want)
		}
		e.wantNoJobs()
	}
	e := newEngine(t, newFake("cheap", "Cheap", 500))
	e.mustCreate("o1")
	if _, err := e.edit("o1", rung); err != nil {
		t.Fatal(err)
	}
	if got := e.notes("o1", "EDIT"); len(got) != 0 { // its caller has heard
		t.Errorf("history %v", got)
	}
}

// What a carrier takes while the fallback's cancellation is in doubt is the order from then on.
func TestAnEditThatEndsDuringAFallbackIsKept(t *testing.T) {
	e, cheap, _ := editInDoubt(t)
	cheap.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
	})
	e.tellFallback("o1", usecase.ProviderDown)
	e.pass(2 * time.Second)
	cheap.set(func(f *fakeCarrier) { f.onEdit = nil })
	e.pass(time.Minute)
	if a := e.get("o1").Live(shipment.Forward); a == nil || a.Account != "cheap" || a.EditIntent != nil {
		t.Fatalf("the edit has not ended before the cancellation: %+v", a)
	}
	cheap.set(func(f *fakeCarrier) { f.onCancel = nil })
	e.pass(time.Hour)
	e.wantLive("o1", "dear")
	e.wantRung("dear")
	e.wantNoJobs()
}

// A carrier that cancels by itself while an edit is in doubt leaves the edited order, which the fallback and a retry book.
func TestACarriersOwnCancelKeepsAnEditInDoubt(t *testing.T) {
	for _, by := range []string{"fallback", "retry"} {
		e, cheap, _ := editInDoubt(t)
		cheap.set(func(f *fakeCarrier) {
			for ref := range f.bookings {
				f.bookings[ref][0].Cancelled = true
			}
			f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) { return carrier.QuoteAnswer{}, nil }
		})
		if err := e.hear("o1", shipment.Heard{Status: shipping.OrderCancelled, User: "Cheap"}); err != nil {
			t.Fatal(err)
		}
		if by == "fallback" {
			e.tellFallback("o1", "cancelled_by_carrier")
		} else if _, err := e.Retry(t.Context(), caller, "o1"); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Minute)
		e.wantLive("o1", "dear")
		e.wantRung("dear")
		if got := e.notes("o1", "EDITED"); len(got) != 1 {
			t.Errorf("history says %v", got)
		}
		e.pass(time.Hour)
		e.wantNoJobs()
	}
}

// Who asks the carrier for a change that a fallback makes meanwhile hears that it is made.
func TestAnEditThatAFallbackMakesMeanwhileIsNotAnsweredAsRefused(t *testing.T) {
	cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	e.bundle = rulesOf(t, downRule)
	e.mustCreate("o1")
	cheap.onEdit = func(carrier.EditRequest) error {
		cheap.onEdit = nil
		cheap.mu.Unlock()
		defer cheap.mu.Lock()
		e.tellFallback("o1", usecase.ProviderDown)
		e.pass(time.Second)
		return retrySafe(carrier.CarrierUnavailable)
	}
	if res, err := e.edit("o1", rung); err != nil || len(res.Shipment.AllWarnings()) != 0 {
		t.Errorf("answered %+v, %v", res.Shipment.AllWarnings(), err)
	}
	e.pass(time.Minute)
	e.wantLive("o1", "dear")
	e.wantRung("dear")
}

// A cancellation wins over an edit in doubt, and the history says what became of that.
func TestACancelEndsAnEditInDoubt(t *testing.T) {
	e, _, _ := editInDoubt(t)
	if _, err := e.cancel("o1"); err != nil {
		t.Fatal(err)
	}
	e.wantLive("o1", "")
	if got := e.notes("o1", "EDIT_REFUSED"); len(got) != 1 || e.get("o1").Status != shipping.OrderCancelled {
		t.Errorf("status %s, history %v", e.get("o1").Status, got)
	}
	e.pass(time.Hour)
	e.wantNoJobs()
}

// rebookInDoubt has an order that is to be booked anew for an edit, of whose booking nobody knows whether it is cancelled.
func rebookInDoubt(t *testing.T) (*engine, *fakeCarrier) {
	t.Helper()
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
	res, err := e.edit("o1", moved)
	if err != nil || len(res.Shipment.AllWarnings()) != 1 || res.Shipment.AllWarnings()[0].Code != "EDIT_IN_DOUBT" {
		t.Fatalf("edit: %+v, %v", res.Shipment.AllWarnings(), err)
	}
	return e, f
}

// The end of an edit that needs another booking is told, whatever ends it.
func TestTheEndOfARebookingInDoubtIsTold(t *testing.T) {
	refuses := func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
	}
	for name, c := range map[string]struct {
		end  func(*engine, *fakeCarrier)
		want []string
	}{
		"cancelled": {func(e *engine, f *fakeCarrier) {
			f.set(func(f *fakeCarrier) { f.onCancel = nil })
			_, _ = e.cancel("o1")
		}, []string{"EDIT_REFUSED( UPS: the order is cancelled )"}},
		"refused":           {func(_ *engine, f *fakeCarrier) { f.set(refuses) }, []string{"EDIT_REFUSED( UPS: The carrier says no. )"}},
		"a cancel, refused": {func(e *engine, f *fakeCarrier) { _, _ = e.cancel("o1"); f.set(refuses) }, []string{"CANCELLATION_REFUSED( UPS: The carrier says no. )", "EDIT_REFUSED( UPS: The carrier says no. )"}},
		"a person, it is gone": {func(e *engine, _ *fakeCarrier) {
			_, _ = e.cancel("o1")
			e.pass(25 * time.Hour)
			_, _ = e.resolve(absent)
		}, []string{"EDIT_REFUSED( UPS: the order is cancelled )"}},
		"a person, it stands": {func(e *engine, _ *fakeCarrier) {
			e.pass(25 * time.Hour)
			_, _ = e.resolve(booked("ups000001"))
		}, []string{"EDIT_REFUSED( UPS: a person has found that the booking stands )"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, f := rebookInDoubt(t)
			c.end(e, f)
			e.pass(time.Hour)
			got := append(e.notes("o1", "CANCELLATION_REFUSED"), e.notes("o1", "EDIT_REFUSED")...)
			if sh := e.get("o1"); !slices.Equal(got, c.want) || sh.Order.DeliveryAddress.Street1 == "1 New Street" || sh.Cancel != nil {
				t.Errorf("history says %q, want %q", got, c.want)
			}
			e.wantNoJobs()
		})
	}
}

// A cancel that comes while a carrier is asked for an edit, and wins, does not let that be answered as made.
func TestAnEditThatACancelOvertakesIsNotAnsweredAsMade(t *testing.T) {
	f := newFake("cheap", "Cheap", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.onEdit = func(carrier.EditRequest) error {
		f.mu.Unlock()
		defer f.mu.Lock()
		if _, err := e.cancel("o1"); err != nil {
			t.Errorf("cancel: %v", err)
		}
		return nil
	}
	_, err := e.edit("o1", rung)
	wantType(t, err, usecase.ValidationError)
	if got := e.notes("o1", "EDIT_REFUSED"); len(got) != 1 || e.get("o1").Status != shipping.OrderCancelled {
		t.Errorf("status %s, history %q", e.get("o1").Status, got)
	}
	e.wantNoJobs()
}

// The job may ask again while the first call still waits for an answer that is lost: who waits hears what has become of the change.
func TestAnEditThatTheJobSettlesMeanwhileIsAnsweredAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		again error // what the job is answered
		warns bool
	}{
		"taken":          {nil, false},
		"kept by itself": {refusal(carrier.EditRefused), true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake("cheap", "Cheap", 500)
			e := newEngine(t, f)
			e.mustCreate("o1")
			f.onEdit = func(carrier.EditRequest) error {
				f.onEdit = func(carrier.EditRequest) error { return c.again }
				f.mu.Unlock()
				defer f.mu.Lock()
				e.pass(time.Minute)
				return lost()
			}
			res, err := e.edit("o1", rung)
			if err != nil || res.Waiting {
				t.Fatalf("answered %+v, %v", res, err)
			}
			o := res.Shipment.Order
			warns := len(res.Shipment.Warnings) == 1 && res.Shipment.Warnings[0].Code == "PROVIDER_NOT_INFORMED"
			if o.DeliveryInstructions == nil || *o.DeliveryInstructions != "Ring twice" || warns != c.warns {
				t.Errorf("the answer shows %v with %+v", o.DeliveryInstructions, res.Shipment.Warnings)
			}
			e.wantNoJobs()
		})
	}
}

// losesAllButTheJobs has a carrier cancel for the second call, the job's, alone: to the first the answer is lost after something has happened
// meanwhile, and to any later one.
func (f *fakeCarrier) losesAllButTheJobs(meanwhile func()) {
	calls := 0
	f.onCancel = func(carrier.CancelRequest) (bool, error) {
		if calls++; calls == 1 {
			f.mu.Unlock()
			defer f.mu.Lock()
			meanwhile()
			return false, lost()
		}
		if calls == 2 {
			return true, nil
		}
		return false, lost()
	}
}

// So it is where the change needs another booking, which the job has made meanwhile.
func TestARebookingThatTheJobMakesMeanwhileIsAnsweredAsMade(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.losesAllButTheJobs(func() { e.pass(time.Minute) })
	res, err := e.edit("o1", moved)
	if err != nil || len(res.Shipment.AllWarnings()) != 0 || res.Shipment.Order.DeliveryAddress.Street1 != "1 New Street" {
		t.Fatalf("answered %+v, %v", res, err)
	}
	e.wantLive("o1", "ups")
	if a := e.get("o1").Live(shipment.Forward); a == nil || a.Number != 2 {
		t.Errorf("the order is live as %+v", a)
	}
}

// A cancellation that wins while the first call waits for an answer that is lost leaves the order as it was.
func TestARebookingThatACancelOvertakesIsAnsweredSo(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.losesAllButTheJobs(func() {
		if _, err := e.cancel("o1"); err != nil {
			t.Errorf("cancel: %v", err)
		}
		e.pass(time.Minute)
	})
	_, err := e.edit("o1", moved)
	wantType(t, err, usecase.ValidationError)
	e.wantLive("o1", "")
}
