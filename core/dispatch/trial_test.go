package dispatch_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// settings sets each member of what rules can set.
var settings = map[string]string{
	"Signature": "signature: adult", "Tip": "tip: 3.00", "Instructions": "instructions: Ring", "PickupInstructions": "pickup_instructions: Backdoor",
	"LabelFormat": "label_format: ZPL", "Vehicle": "vehicle: foot", "ShipAt": "ship_date: next_business_day", "Weight": "weight: 2.5 kg",
}

// TestATrialKnowsWhatCarriersWereAsked: what rules on trial would have decided is unknown exactly where they have carriers told something else,
// for everything that they can set.
func TestATrialKnowsWhatCarriersWereAsked(t *testing.T) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[rules.Settings]()) {
		if f.Name == "By" { // which rules have set the others
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			if settings[f.Name] == "" {
				t.Fatalf("nothing sets %s: add it to settings, and to rules.Plan.ToldApart where carriers are told of it", f.Name)
			}
			cheap := newFake("cheap", "Cheap", 500)
			cheap.manifest.Services[0].Supports = []string{"signature_adult"}
			e := newEngine(t, cheap)
			live, next := rules.Default(), rulesOf(t, "rules: 1\ncurrency: USD\nset:\n  - { name: Set, set: { "+settings[f.Name]+" } }\n")
			e.Trial = func(string, string) dispatch.Trial { return dispatch.Trial{Rules: next} }
			e.bundle = live
			got := e.tried("shadow")
			e.Trial = func(string, string) dispatch.Trial { return dispatch.Trial{Rules: next, Decides: true} }
			back := e.tried("canary")

			var questions []carrier.QuoteRequest
			for _, q := range cheap.asked {
				q.Reference, q.ExternalID, q.Usage = "", "", carrier.Usage{}
				questions = append(questions, q)
			}
			apart := !reflect.DeepEqual(questions[0], questions[1])
			for name, r := range map[string]*store.Trial{"shadow": got, "canary": back} {
				if (len(r.Unknown) > 0) != apart || r.Differs || len(r.By) > 0 {
					t.Errorf("%s: carriers are told otherwise: %v, unknown %v, differs %v by %v", name, apart, r.Unknown, r.Differs, r.By)
				}
				if apart && r.Sentence != "Not known: these rules look at what was not recorded." {
					t.Errorf("%s claims %q", name, r.Sentence)
				}
			}
		})
	}
	var members []string
	for i := range reflect.TypeFor[carrier.QuoteRequest]().NumField() {
		members = append(members, reflect.TypeFor[carrier.QuoteRequest]().Field(i).Name)
	}
	if want := []string{"Consignment", "Services", "Usage", "WayBack"}; !slices.Equal(members, want) {
		t.Errorf("a carrier is asked for quotes with %v, want %v: where a new member comes from the plan, rules.Bundle.Replay must look at it", members, want)
	}
}

// tried creates an order and tells what the rules that looked on made of it.
func (e *engine) tried(id string) *store.Trial {
	e.t.Helper()
	e.mustCreate(id, func(r *dispatch.CreateRequest) { r.Order.Packages[0].Barcode = "B-1" }) // else each gets its own
	ds, err := e.Decisions(context.Background(), caller, id)
	if err != nil {
		e.t.Fatal(err)
	}
	return trialOf(ds)
}
