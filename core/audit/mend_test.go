package audit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestADeliveryByAPersonsWordIsHeldAgainstTheCarrier: where that has not got the number, or has it as another order's, the row names the
// command that takes it back, as long as it is taken.
func TestADeliveryByAPersonsWordIsHeldAgainstTheCarrier(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*shipment.Shipment)
		want   bool
	}{
		"a person's word": {func(*shipment.Shipment) {}, true},
		"the carrier's":   {func(sh *shipment.Shipment) { sh.Attempts[0].Doubt.Told = false }, false},
		"erased":          {func(sh *shipment.Shipment) { sh.ErasedAt = overdue }, false},
		"with a return":   {func(sh *shipment.Shipment) { sh.Returns = []shipment.ID{"r"} }, false},
		"with a spare": {func(sh *shipment.Shipment) {
			sh.Attempts[0].Spares = []shipment.Spare{{CarrierRef: "e3", FoundAt: overdue}}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			sh := &shipment.Shipment{Tenant: "acme", Status: shipping.OrderDelivered, Order: shipment.Order{ExternalID: "o1"}, Attempts: []shipment.Attempt{{Number: 1,
				Kind: shipment.Forward, Adapter: "ups", Account: "ups", Reference: "r1", State: shipment.Ended, EndedAt: overdue,
				Booking: &shipment.Booking{CarrierRef: "e2", TrackingID: "e2"}, Doubt: &shipment.Doubt{Told: true}}}}
			c.change(sh)
			owner := attempt(2, shipment.Booked)
			owner.Number = 1
			u := audit.New([]audit.Claim{claim(2, true)}, all, overdue)
			u.Add(audit.Order{Tenant: "acme", ID: "owner", Status: shipping.OrderDispatched, Attempts: []audit.Attempt{owner}})
			u.Add(audit.OrderOf(sh))
			rows := u.Report().Differences
			if len(rows) != 1 || rows[0].Order != "o1" || !strings.Contains(rows[0].Detail, "as order owner's") {
				t.Fatalf("%+v", rows)
			}
			if has := strings.Contains(rows[0].Mend, "waybill shipments resolve o1 --attempt 1 --withdraw e2 --reason WHY --outcome absent"); has != c.want {
				t.Errorf("%s", rows[0].Mend)
			}
		})
	}
}

// TestKnown: of a booking that is to be voided, the order that has it is told, before one that had it.
func TestKnown(t *testing.T) {
	order := func(id string, status shipping.Status, a ...audit.Attempt) audit.Order {
		return audit.Order{Tenant: "acme", ID: id, Status: status, Attempts: a}
	}
	had := order("had", shipping.OrderCancelled, attempt(1, shipment.Cancelled))
	parcels := attempt(1, shipment.Booked)
	parcels.Parcels = []string{"1Z 77"}
	needs := attempt(1, shipment.InDoubt)
	needs.Needs = shipment.Attention
	told := attempt(1, shipment.Adopted)
	told.Told = true
	fixed := attempt(1, shipment.Booked)
	fixed.Uncancellable = true
	spared := attempt(1, shipment.Booked)
	spared.Spares = []audit.Spare{{Entity: "e8", Tracking: "T8", Needs: shipment.Attention}}
	for name, c := range map[string]struct {
		orders            []audit.Order
		number, reference string
		detail, mend      string
	}{
		"a spare":       {[]audit.Order{order("o1", shipping.OrderDispatched, spared)}, "t 8", "", "attempt 1 of order o1 knows t 8", "have it cancelled at ups, then: waybill shipments resolve o1 --attempt 1 --outcome absent"},
		"nobody":        {[]audit.Order{had}, "e2", "r2", "", ""},
		"another's":     {[]audit.Order{had}, "e2", "", "", ""},
		"had":           {[]audit.Order{had}, "e1", "", "attempt 1 of order had knows e1", "waybill shipments resolve had --attempt 1 --outcome spare --tracking e1"},
		"has":           {[]audit.Order{had, order("has", shipping.OrderDispatched, attempt(1, shipment.Booked))}, "E 1", "", "attempt 1 of order has knows E 1", "waybill shipments cancel has"},
		"a parcel's":    {[]audit.Order{order("o1", shipping.OrderDispatched, parcels)}, "1z77", "", "attempt 1 of order o1 knows 1z77", "waybill shipments cancel o1"},
		"asked for":     {[]audit.Order{order("o1", shipping.OrderFailed, attempt(1, shipment.Refused))}, "e9", "r1", "attempt 1 of order o1 has asked for e9", "waybill shipments resolve o1 --attempt 1 --outcome spare --tracking e9"},
		"in doubt":      {[]audit.Order{order("o1", shipping.PendingDispatch, attempt(1, shipment.InDoubt))}, "e9", "r1", "attempt 1 of order o1 has asked for e9", "wait for the engine, which is finding out: waybill shipments get o1"},
		"a person's":    {[]audit.Order{order("o1", shipping.PendingDispatch, needs)}, "e9", "r1", "attempt 1 of order o1 has asked for e9", "ask ups what became of it, then: waybill shipments resolve o1 --attempt 1 --outcome absent, or --outcome booked --tracking NUMBER"},
		"told":          {[]audit.Order{order("o 1", shipping.OrderDispatched, told)}, "e1", "", "attempt 1 of order o 1 knows e1", "waybill shipments cancel 'o 1' --confirm-number e1"},
		"cannot cancel": {[]audit.Order{order("o1", shipping.OrderDispatched, fixed)}, "e1", "", "attempt 1 of order o1 knows e1", "the adapter ups cannot cancel: ask the carrier what became of e1, and have it cancelled there; what was heard of it: waybill shipments history o1; what the carrier never tells: waybill shipments status o1 STATUS --override --note WHY"},
		"half way":      {[]audit.Order{order("o1", shipping.PendingDispatch, fixed)}, "e1", "", "attempt 1 of order o1 knows e1", "the adapter ups cannot cancel: ask the carrier what became of e1, and have it cancelled there; what was heard of it: waybill shipments history o1"},
		"undeliverable": {[]audit.Order{order("o1", shipping.OrderUndeliverable, attempt(1, shipment.Booked))}, "e1", "", "attempt 1 of order o1 knows e1", "ask ups what became of e1; what was heard of it: waybill shipments history o1"},
		"delivered":     {[]audit.Order{order("o1", shipping.OrderDelivered, attempt(1, shipment.Ended))}, "e1", "", "attempt 1 of order o1 knows e1", "it has delivered the order; what was heard of it: waybill shipments history o1"},
		"given up":      {[]audit.Order{order("o1", shipping.OrderDelivered, attempt(1, shipment.Ended), attempt(2, shipment.Ended))}, "e1", "", "attempt 1 of order o1 knows e1", "waybill shipments resolve o1 --attempt 1 --outcome spare --tracking e1"},
	} {
		t.Run(name, func(t *testing.T) {
			if detail, mend := audit.Known(c.orders, "ups", c.number, c.reference); detail != c.detail || mend != c.mend {
				t.Errorf("%q: %q", detail, mend)
			}
			if detail, _ := audit.Known(c.orders, "doordash", c.number, c.reference); detail != "" {
				t.Errorf("another carrier's: %q", detail)
			}
		})
	}
}

// TestTheParcelsOfAnOrderAreTold, as far as their numbers are not the booking's.
func TestTheParcelsOfAnOrderAreTold(t *testing.T) {
	sh := &shipment.Shipment{Attempts: []shipment.Attempt{{Number: 1, State: shipment.Booked, Deadline: time.Time{}, Booking: &shipment.Booking{CarrierRef: "1Z1", TrackingID: "1Z1",
		Parcels: []shipment.BookedParcel{{Number: "1Z1"}, {Number: "1Z2"}}}}}}
	if got := audit.OrderOf(sh).Attempts[0].Parcels; len(got) != 1 || got[0] != "1Z2" {
		t.Errorf("parcels %q", got)
	}
}

// TestASpareThatTheStoreKnowsIsToldWhenNobodyElseTells: where the carriers tell of it, it has its row by their word, or none; and the engine has
// its time to cancel it.
func TestASpareThatTheStoreKnowsIsToldWhenNobodyElseTells(t *testing.T) {
	silent, left := func(audit.Attempt) string { return "it is not known" }, func(audit.Attempt) string { return "its account is not in the configuration" }
	late, early := overdue.Add(-time.Minute), overdue.Add(time.Minute)
	held, gone := spare(claim(1, true)), spare(claim(1, false))
	wait, resolve := "wait for the engine, which is asking ups to cancel it: waybill shipments get o1", "have it cancelled at ups, then: waybill shipments resolve o1 --attempt 1 --outcome absent"
	for name, c := range map[string]struct {
		found  time.Time
		needs  string
		untold func(audit.Attempt) string
		claims []audit.Claim
		want   string
		mend   string
	}{
		"a person's, and nobody can be asked":     {early, shipment.Attention, silent, nil, "lost e1-spare", resolve},
		"for long, and nobody can be asked":       {late, "", silent, nil, "lost e1-spare", wait},
		"its account has left":                    {early, "", left, nil, "lost e1-spare", "put the account ups back with retired: true, then: waybill config check FILE"},
		"a person's, and its account has left":    {early, shipment.Attention, left, nil, "lost e1-spare", resolve},
		"a while, and nobody can be asked":        {early, "", silent, nil, "", ""},
		"a person's, and the carrier is silent":   {early, shipment.Attention, all, []audit.Claim{claim(1, true)}, "lost e1-spare", resolve},
		"a person's, and the carrier holds it":    {early, shipment.Attention, all, []audit.Claim{claim(1, true), held}, "duplicate e1-spare", resolve},
		"the carrier holds it":                    {early, "", all, []audit.Claim{claim(1, true), held}, "duplicate e1-spare", wait},
		"a person's, and the carrier has it gone": {late, shipment.Attention, all, []audit.Claim{claim(1, true), gone}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			sh := &shipment.Shipment{Tenant: "acme", Status: shipping.OrderDispatched, Order: shipment.Order{ExternalID: "o1"}, Attempts: []shipment.Attempt{{Number: 1,
				Kind: shipment.Forward, Adapter: "ups", Account: "ups", Reference: "r1", State: shipment.Booked,
				Booking: &shipment.Booking{CarrierRef: "e1", TrackingID: "e1", Amount: usd(900)},
				Spares:  []shipment.Spare{{CarrierRef: "e1-spare", FoundAt: c.found, Needs: c.needs}, {CarrierRef: "e0", FoundAt: late, CancelledAt: late, Needs: c.needs}}}}}
			u := audit.New(c.claims, c.untold, overdue)
			u.Add(audit.OrderOf(sh))
			r := u.Report()
			// That nobody looks after the booking itself has its own row.
			r.Differences = slices.DeleteFunc(r.Differences, func(d audit.Row) bool { return d.Entity == "e1" })
			tells(t, r, c.want)
			if len(r.Differences) == 1 && r.Differences[0].Mend != c.mend {
				t.Errorf("mend: %s", r.Differences[0].Mend)
			}
		})
	}
}

// TestTheCommandOfAnOrphanNamesTheAccounts of which any may have booked it, where there are several.
func TestTheCommandOfAnOrphanNamesTheAccounts(t *testing.T) {
	accounts := []audit.AccountOf{{Tenant: "t1", ID: "desk"}, {Tenant: "t1", ID: "ups"}, {Tenant: "t2", ID: "ups"}}
	const void = "waybill audit void ups e1 --reference r1"
	for n, want := range map[int]string{
		0: "no account at ups is in the configuration: put the one back that has booked it, then: " + void,
		1: void,
		3: "with the account that has booked it: " + void + " --account desk --tenant t1 or: " + void + " --account ups --tenant t1 or: " + void + " --account ups --tenant t2",
	} {
		u := audit.New([]audit.Claim{claim(1, true)}, all, overdue)
		u.Accounts(func(adapter string) []audit.AccountOf {
			if adapter != "ups" {
				t.Errorf("asked for accounts at %s", adapter)
			}
			return accounts[:n]
		})
		r := u.Report()
		if len(r.Differences) != 1 || r.Differences[0].Mend != want {
			t.Errorf("%d accounts: %+v", n, r.Differences)
		}
	}
}

// TestAnOrphanThatHasEndedIsNotToBeCancelled: no command would mend its row.
func TestAnOrphanThatHasEndedIsNotToBeCancelled(t *testing.T) {
	for end, mend := range map[string]string{"": "waybill audit void ups e1 --reference r1", "DELIVERED": audit.MendEnded("ups", "e1")} {
		u := audit.New([]audit.Claim{claim(1, true)}, all, overdue)
		u.Ends(func(c audit.Claim) string {
			if c.Carrier != "ups" || c.Entity != "e1" {
				t.Errorf("asked of %+v", c)
			}
			return end
		})
		if r := u.Report(); len(r.Differences) != 1 || r.Differences[0].Mend != mend || !strings.HasSuffix(r.Differences[0].Detail, end) {
			t.Errorf("ended as %q: %+v", end, r.Differences)
		}
	}
}
