package audit_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// overdue is when what waits should have come to an end.
var overdue = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func usd(minor int64) shipping.Money { return shipping.Money{Minor: minor, Currency: "USD"} }

// attempt is one at UPS, of reference "r<n>", which knows the number "e<n>" where it is booked.
func attempt(n int, state shipment.AttemptState) audit.Attempt {
	a := audit.Attempt{Number: n, Kind: shipment.Forward, Account: "ups", Adapter: "ups", Reference: fmt.Sprint("r", n), State: state}
	switch state {
	case shipment.Booked, shipment.Adopted, shipment.Ended, shipment.Cancelled:
		a.Entity, a.Amount = fmt.Sprint("e", n), usd(900)
	}
	return a
}

// all says that every attempt is told of.
func all(audit.Attempt) string { return "" }

func claim(n int, live bool) audit.Claim {
	c := audit.Claim{Carrier: "ups", Entity: fmt.Sprint("e", n), Reference: fmt.Sprint("r", n), Live: live, Charged: 900, Currency: "USD"}
	if !live {
		c.Refunded = 900
	}
	return c
}

func spare(c audit.Claim) audit.Claim { c.Entity += "-spare"; return c }

func TestDifferences(t *testing.T) {
	refunded := func(a audit.Attempt, minor int64) audit.Attempt { a.Refund = usd(minor); return a }
	tipped := func(a audit.Attempt) audit.Attempt { a.Tip = usd(350); return a }
	charged := func(c audit.Claim, minor int64) audit.Claim { c.Charged = minor; return c }
	elsewhere := attempt(1, shipment.Booked)
	elsewhere.Adapter = "selfdelivery"
	back := attempt(2, shipment.Booked)
	back.Kind = shipment.Return
	// Two services of one account in one round: one reference.
	second := attempt(2, shipment.Booked)
	second.Reference = "r1"
	seconds := claim(2, true)
	seconds.Reference = "r1"
	needs := attempt(1, shipment.InDoubt)
	needs.Needs = "attention"
	quoted := attempt(1, shipment.Adopted)
	quoted.Quoted = true
	for name, c := range map[string]struct {
		attempts []audit.Attempt
		claims   []audit.Claim
		want     string // kind and number of each row
	}{
		"nothing":                               {},
		"booked and held":                       {[]audit.Attempt{attempt(1, shipment.Booked)}, []audit.Claim{claim(1, true)}, ""},
		"the next service under one reference":  {[]audit.Attempt{attempt(1, shipment.Refused), second}, []audit.Claim{seconds}, ""},
		"a spare of the next service":           {[]audit.Attempt{attempt(1, shipment.Refused), second}, []audit.Claim{seconds, spare(seconds)}, "duplicate e2-spare"},
		"adopted and held":                      {[]audit.Attempt{attempt(1, shipment.Adopted)}, []audit.Claim{claim(1, true)}, ""},
		"delivered":                             {[]audit.Attempt{attempt(1, shipment.Ended)}, []audit.Claim{claim(1, true)}, ""},
		"given up by the carrier":               {[]audit.Attempt{attempt(1, shipment.Ended)}, []audit.Claim{claim(1, false)}, ""},
		"refused, then booked":                  {[]audit.Attempt{attempt(1, shipment.Refused), attempt(2, shipment.Booked)}, []audit.Claim{claim(2, true)}, ""},
		"cancelled":                             {[]audit.Attempt{attempt(1, shipment.Cancelled)}, []audit.Claim{claim(1, false)}, ""},
		"a spare that was cancelled":            {[]audit.Attempt{attempt(1, shipment.Booked)}, []audit.Claim{spare(claim(1, false)), claim(1, true)}, ""},
		"a return beside its way there":         {[]audit.Attempt{attempt(1, shipment.Booked), back}, []audit.Claim{claim(1, true), claim(2, true)}, ""},
		"not compared":                          {[]audit.Attempt{elsewhere}, nil, ""},
		"booked, and the carrier knows of none": {[]audit.Attempt{attempt(1, shipment.Booked)}, nil, "status e1"},
		"booked, and the carrier cancelled":     {[]audit.Attempt{attempt(1, shipment.Booked)}, []audit.Claim{claim(1, false)}, "status e1"},
		"cancelled, and the carrier holds":      {[]audit.Attempt{attempt(1, shipment.Cancelled)}, []audit.Claim{claim(1, true)}, "lost e1"},
		"refused, and the carrier holds":        {[]audit.Attempt{attempt(1, shipment.Refused)}, []audit.Claim{claim(1, true)}, "lost e1"},
		"absent, and the carrier holds":         {[]audit.Attempt{attempt(1, shipment.Absent)}, []audit.Claim{claim(1, true)}, "lost e1"},
		"in doubt, and the carrier holds":       {[]audit.Attempt{attempt(1, shipment.InDoubt)}, []audit.Claim{claim(1, true)}, "lost e1"},
		"in doubt":                              {[]audit.Attempt{attempt(1, shipment.InDoubt)}, nil, "status "},
		"a person must decide":                  {[]audit.Attempt{needs}, nil, "status "},
		"intended for ever":                     {[]audit.Attempt{attempt(1, shipment.Intended)}, nil, "status "},
		"one reference booked twice":            {[]audit.Attempt{attempt(1, shipment.Booked)}, []audit.Claim{spare(claim(1, true)), claim(1, true)}, "duplicate e1-spare"},
		"two carriers hold": {[]audit.Attempt{attempt(1, shipment.Absent), attempt(2, shipment.Booked)}, []audit.Claim{claim(1, true), claim(2, true)},
			"duplicate e1, lost e1"},
		"nobody's":                                     {nil, []audit.Claim{claim(9, true)}, "orphan e9"},
		"a voided spare whose charge is kept":          {[]audit.Attempt{attempt(1, shipment.Booked)}, []audit.Claim{claim(1, true), charged(spare(claim(1, false)), 901)}, "money e1-spare"},
		"a voided booking whose charge is kept":        {[]audit.Attempt{attempt(1, shipment.Voided)}, []audit.Claim{charged(claim(1, false), 901)}, "money e1"},
		"nobody's, cancelled, and its charge is kept":  {nil, []audit.Claim{charged(claim(9, false), 901)}, "money e9"},
		"given up by the carrier, and billed":          {[]audit.Attempt{attempt(1, shipment.Ended)}, []audit.Claim{charged(claim(1, false), 1800)}, ""},
		"given up by the carrier, and billed for more": {[]audit.Attempt{attempt(1, shipment.Ended)}, []audit.Claim{charged(claim(1, false), 2300)}, "money e1"},
		"cancelled, no price is told":                  {[]audit.Attempt{attempt(1, shipment.Cancelled)}, []audit.Claim{{Carrier: "ups", Entity: "e1", Reference: "r1", Unpriced: true, Charged: 7}}, ""},
		"nobody's, and cancelled":                      {nil, []audit.Claim{claim(9, false)}, ""},
		"another price":                                {[]audit.Attempt{attempt(1, shipment.Booked)}, []audit.Claim{charged(claim(1, true), 901)}, "money e1"},
		"another price than the quote's":               {[]audit.Attempt{quoted}, []audit.Claim{charged(claim(1, true), 901)}, "money e1"},
		"a tip beside the price":                       {[]audit.Attempt{tipped(attempt(1, shipment.Booked))}, []audit.Claim{charged(claim(1, true), 1250)}, ""},
		"a tip that the carrier does not pass on":      {[]audit.Attempt{tipped(attempt(1, shipment.Booked))}, []audit.Claim{claim(1, true)}, ""},
		"another tip":                                  {[]audit.Attempt{tipped(attempt(1, shipment.Booked))}, []audit.Claim{charged(claim(1, true), 1251)}, "money e1"},
		"a tip that is kept of what was cancelled":     {[]audit.Attempt{tipped(attempt(1, shipment.Cancelled))}, []audit.Claim{charged(claim(1, false), 1250)}, "money e1"},
		"refund as told":                               {[]audit.Attempt{refunded(attempt(1, shipment.Cancelled), 900)}, []audit.Claim{claim(1, false)}, ""},
		"refund untold":                                {[]audit.Attempt{attempt(1, shipment.Cancelled)}, []audit.Claim{charged(claim(1, false), 1500)}, "money e1"},
		"another refund":                               {[]audit.Attempt{refunded(attempt(1, shipment.Cancelled), 500)}, []audit.Claim{claim(1, false)}, "money e1"},
	} {
		t.Run(name, func(t *testing.T) {
			u := audit.New(c.claims, audit.Covered([]string{"ups"}), overdue)
			u.Add(audit.Order{Tenant: "acme", ID: "o1", Attempts: c.attempts})
			var got []string
			for _, r := range u.Report().Differences {
				got = append(got, string(r.Kind)+" "+r.Entity)
				if r.Detail == "" || r.Mend == "" || (r.Order == "o1") == (r.Reference == "r9") {
					t.Errorf("a row that helps nobody: %+v", r)
				}
				mends(t, r)
				if r.Kind == audit.Money && strings.Contains(r.Detail, "quoted") != (name == "another price than the quote's") {
					t.Errorf("where the price comes from: %s", r.Detail)
				}
			}
			if g := strings.Join(got, ", "); g != c.want {
				t.Errorf("differences: %s; want %s", g, c.want)
			}
		})
	}
}

// mends expects the command that mends a row, of the kinds that have one.
func mends(t *testing.T, r audit.Row) {
	t.Helper()
	want := map[audit.Kind]string{audit.Lost: "waybill shipments ", audit.Duplicate: "waybill shipments resolve o1 --attempt ", audit.Orphan: "waybill audit void ups e9 --reference r9"}[r.Kind]
	if r.Kind == audit.Money && r.Order != "" {
		want = "waybill shipments trace o1,"
	}
	if !strings.Contains(r.Mend, want) {
		t.Errorf("no command mends it: %+v", r)
	}
}

// A number that is a person's word is not cancelled where the carrier does not have it: the word is taken back.
func TestANumberThatTheCarrierDoesNotHoldIsTakenBack(t *testing.T) {
	sh := &shipment.Shipment{Tenant: "acme", Status: shipping.OrderDispatched, Order: shipment.Order{ExternalID: "o1"}, Attempts: []shipment.Attempt{{Number: 1,
		Kind: shipment.Forward, Adapter: "ups", Account: "ups", Reference: "r1", State: shipment.Adopted, Booking: &shipment.Booking{CarrierRef: "e1", TrackingID: "e1"},
		Doubt: &shipment.Doubt{Told: true}}}}
	for _, told := range []bool{true, false} {
		sh.Attempts[0].Doubt.Told = told
		u := audit.New(nil, all, overdue)
		u.Add(audit.OrderOf(sh))
		rows := u.Report().Differences
		if len(rows) != 1 || strings.Contains(rows[0].Mend, "waybill shipments resolve o1 --attempt 1 --outcome absent") != told ||
			strings.Contains(rows[0].Mend, "waybill shipments cancel o1") == told {
			t.Errorf("told %v: %+v", told, rows)
		}
	}
}

func TestOrdersHalfWay(t *testing.T) {
	for status, want := range map[shipping.Status]int{shipping.RequestReceived: 1, shipping.EstimatesReceived: 1, shipping.PendingRelease: 0,
		shipping.PendingDispatch: 0, shipping.PendingAutoRetry: 0, shipping.OrderFailed: 0, shipping.OrderCancelled: 0} {
		u := audit.New(nil, all, overdue)
		u.Add(audit.Order{Tenant: "acme", ID: "o1", Status: status, Attempts: []audit.Attempt{attempt(1, shipment.Refused)}})
		if got := u.Report().Differences; len(got) != want {
			t.Errorf("%s: %v", status, got)
		}
	}
}

// TestEveryUnmatchedBookingIsARow: whatever the order of things, each live booking beyond one an order is told of.
func TestEveryUnmatchedBookingIsARow(t *testing.T) {
	states := []shipment.AttemptState{shipment.Booked, shipment.Adopted, shipment.Refused, shipment.Absent, shipment.Cancelled, shipment.InDoubt, shipment.Voided}
	rapid.Check(t, func(t *rapid.T) {
		var claims []audit.Claim
		held, orders := 0, rapid.IntRange(0, 5).Draw(t, "orders")
		u := func() *audit.Auditor { return audit.New(claims, all, overdue) }
		var all []audit.Order
		good := 0
		for n := 1; n <= orders; n++ {
			state := rapid.SampledFrom(states).Draw(t, "state")
			live := rapid.IntRange(0, 2).Draw(t, "live")
			for i := range live {
				c := claim(n, true)
				if i > 0 {
					c = spare(c)
				}
				claims = append(claims, c)
			}
			held += live
			if live > 0 && (state == shipment.Booked || state == shipment.Adopted) {
				good++
			}
			all = append(all, audit.Order{Tenant: "acme", ID: fmt.Sprint("o", n), Attempts: []audit.Attempt{attempt(n, state)}})
		}
		for n := range rapid.IntRange(0, 3).Draw(t, "orphans") {
			claims = append(claims, claim(100+n, true))
			held++
		}
		auditor := u()
		for _, o := range all {
			auditor.Add(o)
		}
		told := 0
		for _, r := range auditor.Report().Differences {
			if r.Kind == audit.Lost || r.Kind == audit.Duplicate || r.Kind == audit.Orphan {
				told++
			}
		}
		if told != held-good {
			t.Fatalf("%d bookings are held, %d of them rightly, and %d are told of", held, good, told)
		}
	})
}

func TestOrdersAreExportedWhole(t *testing.T) {
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	const orders = 1100 // more than two pages
	tx := &store.Tx{}
	want := map[string]audit.Order{}
	for n := range orders {
		sh := storetest.NewShipment("acme", n)
		sh.Order.DeliveryContact.Name = "Eulalia"
		sh.Attempts = []shipment.Attempt{{Number: 1, Kind: shipment.Forward, Adapter: "ups", Reference: fmt.Sprint("r", n), State: shipment.Booked,
			Booking: &shipment.Booking{CarrierRef: fmt.Sprint("e", n), Amount: usd(int64(n))}}}
		tx.Shipments = append(tx.Shipments, sh)
		want[sh.Order.ExternalID] = audit.OrderOf(sh)
	}
	if err := st.Commit(t.Context(), "acme", tx); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := audit.Export(t.Context(), st, &config.Config{Tenants: map[string]*config.Tenant{"acme": {ID: "acme"}, "empty": {ID: "empty"}}}, &b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "Eulalia") {
		t.Error("an audit tells of people")
	}
	whole := b.Bytes()
	got, err := audit.Import(bytes.NewReader(whole))
	if err != nil || len(got) != orders {
		t.Fatalf("%d orders, %v", len(got), err)
	}
	for _, o := range got {
		if d := cmp.Diff(want[o.ID], o); d != "" {
			t.Fatalf("order %s (-want +got):\n%s", o.ID, d)
		}
	}
	cut := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for name, part := range map[string][]byte{"without its last line": whole[:cut], "cut in a line": whole[:cut-10], "nothing": nil} {
		if _, err := audit.Import(bytes.NewReader(part)); err == nil {
			t.Errorf("%s was taken for all orders", name)
		}
	}
}

// What an order counts on is never the spare, whichever attempt came first: the engine refuses to cancel it as one.
func TestTheSpareIsTheOneThatNobodyCountsOn(t *testing.T) {
	u := audit.New([]audit.Claim{claim(1, true), claim(2, true)}, audit.Covered([]string{"ups"}), overdue)
	u.Add(audit.Order{Tenant: "acme", ID: "o1", Status: shipping.OrderDispatched,
		Attempts: []audit.Attempt{attempt(1, shipment.Absent), attempt(2, shipment.Booked)}})
	rows := u.Report().Differences
	if len(rows) != 2 {
		t.Fatalf("rows %+v", rows)
	}
	for _, r := range rows {
		if r.Attempt != 1 || r.Entity != "e1" || r.Mend != "waybill shipments resolve o1 --attempt 1 --outcome spare --tracking e1" {
			t.Errorf("%s of attempt %d, %s: %s", r.Kind, r.Attempt, r.Entity, r.Mend)
		}
	}
}

// TestABookingIsTheOrdersThatKnowsItsNumber: what a person has booked at the carrier's by hand, and told of, stands there under a reference
// that no order has asked under. It is no orphan; a row says what differs, once.
func TestABookingIsTheOrdersThatKnowsItsNumber(t *testing.T) {
	hand := func(n int, live bool) audit.Claim { c := claim(n, live); c.Reference = "by hand"; return c }
	order := func(id string, status shipping.Status, a ...audit.Attempt) audit.Order {
		return audit.Order{Tenant: "acme", ID: id, Status: status, Attempts: a}
	}
	told := func(reference string, state shipment.AttemptState) audit.Attempt {
		a := attempt(1, state)
		a.Reference, a.Tracking, a.Told = reference, "e1", state == shipment.Adopted
		return a
	}
	written := told("r7", shipment.Adopted)
	written.Entity, written.Tracking = "E-1", "E-1"
	again := told("r8", shipment.Adopted)
	again.Number = 2
	dear := hand(1, true)
	dear.Charged = 901
	for name, c := range map[string]struct {
		orders []audit.Order
		claims []audit.Claim
		want   string // kind, order and number of each row
		says   string // of the first
		mend   string
	}{
		"held":            {[]audit.Order{order("o1", shipping.OrderDispatched, told("r7", shipment.Adopted))}, []audit.Claim{hand(1, true)}, "", "", ""},
		"written another": {[]audit.Order{order("o1", shipping.OrderDispatched, written)}, []audit.Claim{hand(1, true)}, "", "", ""},
		"delivered":       {[]audit.Order{order("o1", shipping.OrderDelivered, told("r7", shipment.Ended))}, []audit.Claim{hand(1, true)}, "", "", ""},
		"cancelled":       {[]audit.Order{order("o1", shipping.OrderCancelled, told("r7", shipment.Cancelled))}, []audit.Claim{hand(1, false)}, "", "", ""},
		"told again":      {[]audit.Order{order("o1", shipping.OrderDispatched, told("r7", shipment.Cancelled), again)}, []audit.Claim{hand(1, true)}, "", "", ""},
		"under a reference of an attempt before": {[]audit.Order{order("o1", shipping.OrderDispatched, attempt(2, shipment.Refused), told("r7", shipment.Adopted))},
			[]audit.Claim{{Carrier: "ups", Entity: "e1", Reference: "r2", Live: true, Charged: 900, Currency: "USD"}}, "", "", ""},
		"beside another that is nobody's": {[]audit.Order{order("o1", shipping.OrderDispatched, told("r7", shipment.Adopted))}, []audit.Claim{hand(1, true), hand(9, true)},
			"orphan  e9", "no order has asked for it", "waybill audit void ups e9"},
		"beside one of its own": {[]audit.Order{order("o1", shipping.OrderDispatched, told("r2", shipment.Adopted))}, []audit.Claim{hand(1, true), claim(2, true)},
			"duplicate o1 e2", "ups holds e2 beside e1", "--outcome spare --tracking e2"},
		"cancelled at the carrier's, and the carrier has told its number": {[]audit.Order{order("o1", shipping.OrderDispatched, attempt(1, shipment.Booked))}, []audit.Claim{claim(1, false)},
			"status o1 e1", "has it as cancelled", "start the engine, which hears of it from the carrier's tracking; or, while it serves: waybill shipments cancel o1"},
		"cancelled at the carrier's": {[]audit.Order{order("o1", shipping.OrderDispatched, told("r7", shipment.Adopted))}, []audit.Claim{hand(1, false)},
			"status o1 e1", "has it as cancelled", "waybill shipments resolve o1 --attempt 1 --outcome absent"},
		"held, and the order is cancelled": {[]audit.Order{order("o1", shipping.OrderCancelled, told("r7", shipment.Cancelled))}, []audit.Claim{hand(1, true)},
			"lost o1 e1", "the carrier holds e1", "waybill shipments resolve o1 --attempt 1 --outcome spare --tracking e1"},
		"dearer": {[]audit.Order{order("o1", shipping.OrderDispatched, told("r7", shipment.Adopted))}, []audit.Claim{dear},
			"money o1 e1", "the carrier asks 9.01 USD", "waybill shipments trace o1"},
		"another order has asked for it": {[]audit.Order{order("o1", shipping.OrderDispatched, told("r7", shipment.Adopted)), order("o2", shipping.OrderDispatched, attempt(1, shipment.Booked))},
			[]audit.Claim{claim(1, true)}, "status o1 e1", "has it under the reference r1, as order o2's", "waybill shipments resolve o1 --attempt 1 --outcome absent"},
		"another order has it by hand": {[]audit.Order{order("o1", shipping.OrderDispatched, told("r7", shipment.Adopted)), order("o2", shipping.OrderDispatched, told("r8", shipment.Adopted))},
			[]audit.Claim{hand(1, true)}, "status o2 e1", "has it under the reference by hand, as order o1's", "waybill shipments resolve o2 --attempt 1 --outcome absent"},
		"another order had it": {[]audit.Order{order("o1", shipping.OrderCancelled, told("r7", shipment.Cancelled)), order("o2", shipping.OrderDispatched, told("r8", shipment.Adopted))},
			[]audit.Claim{hand(1, true)}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			u := audit.New(c.claims, all, overdue)
			for _, o := range c.orders {
				u.Add(o)
			}
			for range 2 { // a report asked for twice is the same
				var got []string
				rows := u.Report().Differences
				for _, r := range rows {
					got = append(got, string(r.Kind)+" "+r.Order+" "+r.Entity)
				}
				if g := strings.Join(got, ", "); g != c.want {
					t.Fatalf("differences: %s; want %s\n%+v", g, c.want, rows)
				}
				if c.want != "" && (!strings.Contains(rows[0].Detail, c.says) || !strings.Contains(rows[0].Mend, c.mend)) {
					t.Errorf("%+v", rows[0])
				}
			}
		})
	}
}
