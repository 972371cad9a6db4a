package dispatch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const twoHolds = `rules: 1
name: holds
currency: USD
hold:
  - name: Fraud review
    when: order.total < usd(100)
    until: released
  - name: Second look
    when: order.total < usd(50)
    until: released
guard:
  - name: Too dear
    max_fee: "3.00"
    on_breach: hold
`

var anna = usecase.Caller{Tenant: "demo", Key: "anna"}

// TestReleaseLetsOneRuleAfterTheOtherGo: each is released by its own word, and who has said it stands in the history.
func TestReleaseLetsOneRuleAfterTheOtherGo(t *testing.T) {
	cheap := newFake("cheap", "Cheap", 500)
	e := newEngine(t, cheap)
	e.bundle = rulesOf(t, twoHolds)
	sh := e.mustCreate("o")
	for _, rule := range []string{"Fraud review", "Second look", "Too dear"} {
		if sh.Status != shipping.PendingRelease || sh.Hold == nil || sh.Hold.Rule != rule {
			t.Fatalf("order is at %s, held by %+v, want %s", sh.Status, sh.Hold, rule)
		}
		res, err := e.Release(context.Background(), anna, "o")
		if err != nil {
			t.Fatal(err)
		}
		sh = res.Shipment
		_, h, err := e.History(context.Background(), caller, "o")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(h, func(c shipment.Change) bool { return c.User == "anna" && c.Note == "RELEASED( "+rule+" )" }) {
			t.Errorf("the history does not say who released %q: %+v", rule, h)
		}
	}
	e.wantStatusEnd("o", shipping.OrderDispatched)
	e.wantLive("o", "cheap")
	e.wantNoJobs()
	if _, err := e.Release(context.Background(), anna, "o"); usecase.AsError(err).Type != usecase.InvalidOperation {
		t.Errorf("releasing what is not held: %v", err)
	}
	ds, err := e.Decisions(context.Background(), caller, "o")
	if err != nil || len(ds) != 4 {
		t.Fatalf("%d decisions, %v, want one for each hold and one for the booking", len(ds), err)
	}
	for _, d := range ds {
		record, err := rules.ParseDecision(d.Record)
		if err != nil {
			t.Fatal(err)
		}
		again, err := rules.Recompute(e.bundle, record)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := again.JSON(); string(b) != string(d.Record) {
			t.Errorf("decision of round %d computes to other bytes", d.Round)
		}
	}
}

func TestAnEditOfAReleasedOrderIsLookedAtAgain(t *testing.T) {
	e := newEngine(t, newFake("cheap", "Cheap", 500))
	e.bundle = rulesOf(t, twoHolds)
	e.mustCreate("o")
	if _, err := e.Release(context.Background(), anna, "o"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Edit(context.Background(), caller, "o", func(o shipment.Order) (shipment.Order, error) {
		o.DeliveryAddress.Street1 = "726 Albany Street"
		return o, nil
	}); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Minute)
	if sh := e.get("o"); sh.Hold == nil || sh.Hold.Rule != "Fraud review" || sh.Released != nil {
		t.Errorf("held by %+v, released %v", sh.Hold, sh.Released)
	}
}

// TestAHoldForATimeEndsWithIt, though its condition still holds then; an edit lets it hold anew.
func TestAHoldForATimeEndsWithIt(t *testing.T) {
	e := newEngine(t, newFake("cheap", "Cheap", 500))
	e.bundle = rulesOf(t, "rules: 1\nname: h\nhold:\n  - { name: Pause, when: order.quantity > 0, for: 30m }\n  - { name: Another, when: order.quantity > 0, for: 10m }\n")
	e.mustCreate("o")
	e.pass(29 * time.Minute)
	e.wantStatusEnd("o", shipping.PendingRelease)
	e.pass(10 * time.Minute)
	if sh := e.get("o"); sh.Hold.Rule != "Another" || !slices.Equal(sh.Waited, []string{"Pause"}) {
		t.Errorf("held by %+v, waited for %v", sh.Hold, sh.Waited)
	}
	e.pass(2 * time.Minute)
	e.wantStatusEnd("o", shipping.OrderDispatched)
}

func TestNobodyLeftMayWaitForAPerson(t *testing.T) {
	cheap := newFake("cheap", "Cheap", 500)
	e := newEngine(t, cheap)
	e.bundle = rulesOf(t, "rules: 1\nname: n\ncurrency: USD\nexclude:\n  - { name: Dear, when: option.fee > usd(4), reason: dear }\nnone: { then: { hold: true, message: \"Nothing for {order.id}\" } }\n")
	sh := e.mustCreate("o")
	if sh.Status != shipping.PendingRelease || sh.Hold.Reason != "Nothing for o" {
		t.Fatalf("order is at %s, held by %+v", sh.Status, sh.Hold)
	}
	if res, err := e.Release(context.Background(), anna, "o"); err != nil || res.Shipment.Status != shipping.PendingRelease {
		t.Errorf("released though nobody is there: %v", err)
	}
	cheap.set(func(f *fakeCarrier) { f.fee = 300 })
	if res, err := e.Release(context.Background(), anna, "o"); err != nil || res.Shipment.Status != shipping.OrderDispatched {
		t.Errorf("released when somebody is there: %v", err)
	}
}

func trialOf(ds []store.Decision) *store.Trial { return ds[len(ds)-1].Trial }

// TestRulesOnTrialChangeNothingOrDecide, and what the others made of it is kept with the decision.
func TestRulesOnTrialChangeNothingOrDecide(t *testing.T) {
	cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	live, candidate := rules.Default(), rulesOf(t, "rules: 1\nname: c\nchoose:\n  - { name: Dear first, prefer: [dear] }\n")
	charging := rulesOf(t, "rules: 1\nname: c\ncurrency: USD\nadjust:\n  - { name: Surcharge, charge: 199.00 }\n")
	var trial dispatch.Trial
	e.Trial = func(string, string) dispatch.Trial { return trial }
	for id, c := range map[string]struct {
		trial   dispatch.Trial
		account string
		rules   *rules.Bundle
		want    *store.Trial
	}{
		"none":    {dispatch.Trial{}, "cheap", live, nil},
		"same":    {dispatch.Trial{Rules: live}, "cheap", live, &store.Trial{Rules: live.Hash()}},
		"shadow":  {dispatch.Trial{Rules: candidate}, "cheap", live, &store.Trial{Rules: candidate.Hash(), Differs: true, By: []string{"Dear first"}}},
		"charge":  {dispatch.Trial{Rules: charging}, "cheap", live, &store.Trial{Rules: charging.Hash(), Differs: true, By: []string{"Surcharge"}}},
		"charged": {dispatch.Trial{Rules: charging, Decides: true}, "cheap", charging, &store.Trial{Canary: true, Rules: live.Hash(), Differs: true, By: []string{"Surcharge"}}},
		"canary":  {dispatch.Trial{Rules: candidate, Decides: true}, "dear", candidate, &store.Trial{Canary: true, Rules: live.Hash(), Differs: true, By: []string{"Dear first"}}},
	} {
		trial = c.trial
		sh := e.mustCreate(id)
		if a := sh.Live(shipment.Forward); a.Account != c.account {
			t.Errorf("%s: booked at %s, want %s", id, a.Account, c.account)
		}
		ds, err := e.Decisions(context.Background(), caller, id)
		if err != nil {
			t.Fatal(err)
		}
		record, err := rules.ParseDecision(ds[0].Record)
		if err != nil || record.Rules != c.rules.Hash() {
			t.Errorf("%s: decided by %s (%v), want %s", id, record.Rules, err, c.rules.Hash())
		}
		got := trialOf(ds)
		if (got == nil) != (c.want == nil) {
			t.Errorf("%s: trial %+v", id, got)
		} else if got != nil && (got.Canary != c.want.Canary || got.Rules != c.want.Rules || got.Differs != c.want.Differs || !slices.Equal(got.By, c.want.By) || got.Sentence == "") {
			t.Errorf("%s: trial %+v, want %+v", id, got, c.want)
		}
	}
}
