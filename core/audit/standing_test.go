package audit_test

import (
	"bytes"
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestTheOrderAndItsBookingsContradictEachOther: what an order's status says is held against its attempts and against what the carriers
// hold, and against its attempts alone where the carriers tell nothing.
func TestTheOrderAndItsBookingsContradictEachOther(t *testing.T) {
	own := func(a audit.Attempt) audit.Attempt { a.Adapter, a.Account = "selfdelivery", "own"; return a }
	back := attempt(2, shipment.Booked)
	back.Kind = shipment.Return
	booked, ended, cancelled := attempt(1, shipment.Booked), attempt(1, shipment.Ended), attempt(1, shipment.Cancelled)
	live, dead := []audit.Claim{claim(1, true)}, []audit.Claim{claim(1, false)}
	both := []audit.Claim{claim(1, false), claim(2, true)}
	owed := func(minor int64) []audit.Claim {
		c := claim(1, false)
		c.Charged, c.Refunded = minor, 0
		return []audit.Claim{c}
	}
	type world struct {
		status   shipping.Status
		attempts []audit.Attempt
		claims   []audit.Claim
		want     string
	}
	of := func(a ...audit.Attempt) []audit.Attempt { return a }
	for name, c := range map[string]world{
		"cancelled, and booked and held":           {shipping.OrderCancelled, of(booked), live, "lost e1"},
		"cancelled, and booked, not held":          {shipping.OrderCancelled, of(booked), dead, "status e1"},
		"cancelled, and booked, nobody can tell":   {shipping.OrderCancelled, of(own(booked)), nil, "status e1"},
		"failed, and booked and held":              {shipping.OrderFailed, of(booked), live, "lost e1"},
		"no estimates, and booked and held":        {shipping.EstimatesFailed, of(booked), live, "lost e1"},
		"waits, and booked and held":               {shipping.PendingDispatch, of(booked), live, "lost e1"},
		"dispatched without an attempt":            {shipping.OrderDispatched, nil, nil, "status "},
		"dispatched, and its attempt is cancelled": {shipping.OrderDispatched, of(cancelled), dead, "status "},
		"in transit with an attempt at its end":    {shipping.InTransit, of(ended), live, "status "},
		"delivered without an attempt":             {shipping.OrderDelivered, nil, nil, "status "},
		"delivered, and the carrier cancelled":     {shipping.OrderDelivered, of(ended), dead, "status e1"},
		"delivered, and the carrier knows nothing": {shipping.OrderDelivered, of(ended), nil, "status e1"},
		"in trouble without an attempt":            {shipping.ErrorException, of(cancelled), dead, "status "},
		"undeliverable, and billed for more":       {shipping.OrderUndeliverable, of(booked), owed(1900), "money e1"},
		"undeliverable, and nobody knows of it":    {shipping.OrderUndeliverable, of(booked), nil, "status e1"},

		"dispatched":                                          {shipping.OrderDispatched, of(booked), live, ""},
		"dispatched by own drivers":                           {shipping.OrderDispatched, of(own(booked)), nil, ""},
		"delivered":                                           {shipping.OrderDelivered, of(ended), live, ""},
		"delivered by the second":                             {shipping.OrderDelivered, of(ended, attempt(2, shipment.Ended)), both, ""},
		"delivered by own drivers":                            {shipping.OrderDelivered, of(own(ended)), nil, ""},
		"delivered by own drivers in the end":                 {shipping.OrderDelivered, of(ended, own(attempt(2, shipment.Ended))), dead, ""},
		"cancelled":                                           {shipping.OrderCancelled, of(cancelled), dead, ""},
		"cancelled after the carrier gave it up":              {shipping.OrderCancelled, of(ended), dead, ""},
		"failed after the carrier gave it up":                 {shipping.OrderFailed, of(ended), dead, ""},
		"in trouble":                                          {shipping.ErrorException, of(booked), live, ""},
		"given up by the carrier":                             {shipping.ErrorException, of(ended), dead, ""},
		"undeliverable, on its way back":                      {shipping.OrderUndeliverable, of(booked), live, ""},
		"undeliverable, and ended by the carrier for its fee": {shipping.OrderUndeliverable, of(booked), owed(900), ""},
		"undeliverable, and ended by the carrier for nothing": {shipping.OrderUndeliverable, of(booked), dead, ""},
		"undeliverable, with its return":                      {shipping.OrderUndeliverable, of(attempt(1, shipment.Ended), back), []audit.Claim{claim(1, true), claim(2, true)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			u := audit.New(c.claims, audit.Covered([]string{"ups"}), overdue)
			u.Add(audit.Order{Tenant: "acme", ID: "o1", Status: c.status, Attempts: c.attempts})
			tells(t, u.Report(), c.want)
		})
	}
}

// TestAnUndeliverableOrderIsNotToBeCancelled: the engine refuses to cancel it, so that no row says so.
func TestAnUndeliverableOrderIsNotToBeCancelled(t *testing.T) {
	u := audit.New(nil, all, overdue)
	u.Add(audit.Order{Tenant: "acme", ID: "o1", Status: shipping.OrderUndeliverable, Attempts: []audit.Attempt{attempt(1, shipment.Booked)}})
	r := u.Report()
	tells(t, r, "status e1")
	if !strings.Contains(r.Differences[0].Mend, "waybill shipments history o1") {
		t.Errorf("%+v", r.Differences)
	}
}

// tells compares a report with the kind and number of each row it should have.
func tells(t *testing.T, r audit.Report, want string) {
	t.Helper()
	var got []string
	for _, d := range r.Differences {
		got = append(got, string(d.Kind)+" "+d.Entity)
		if d.Detail == "" || d.Mend == "" || d.Order != "o1" {
			t.Errorf("a row that helps nobody: %+v", d)
		}
	}
	if g := strings.Join(got, ", "); g != want {
		t.Errorf("differences: %s; want %s\n%+v", g, want, r.Differences)
	}
}

// TestWhatNobodyCanLookAtIsToldWhenItIsOverdue: an attempt of which the carriers tell nothing is told where its own state does.
func TestWhatNobodyCanLookAtIsToldWhenItIsOverdue(t *testing.T) {
	open := func(state shipment.AttemptState, deadline time.Time, needs string) audit.Attempt {
		a := attempt(1, state)
		a.Account, a.Adapter, a.IntendedAt, a.Deadline, a.Needs = "own", "selfdelivery", overdue.Add(-24*time.Hour), deadline, needs
		return a
	}
	before, after := overdue.Add(-time.Second), overdue.Add(time.Second)
	for name, c := range map[string]struct {
		attempt audit.Attempt
		want    string
		mend    string
	}{
		"in doubt for long":         {open(shipment.InDoubt, before, ""), "status ", "waybill shipments get o1"},
		"in doubt":                  {open(shipment.InDoubt, after, ""), "", ""},
		"intended for long":         {open(shipment.Intended, before, ""), "status ", "waybill shipments get o1"},
		"without a deadline":        {open(shipment.InDoubt, time.Time{}, ""), "status ", "waybill shipments get o1"},
		"a person must decide":      {open(shipment.InDoubt, after, shipment.Attention), "status ", "waybill shipments resolve o1 --attempt 1 --outcome absent, or --outcome booked --tracking NUMBER"},
		"a cancel a person decides": {open(shipment.Booked, after, shipment.Attention), "status e1", "waybill shipments resolve o1 --attempt 1 --outcome absent, or --outcome booked --tracking e1"},
		"settled":                   {open(shipment.Absent, before, ""), "", ""},
		"booked at an own driver":   {open(shipment.Booked, before, ""), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			u := audit.New(nil, audit.Covered([]string{"ups"}), overdue)
			u.Add(audit.Order{Tenant: "acme", ID: "o1", Attempts: []audit.Attempt{c.attempt}})
			r := u.Report()
			tells(t, r, c.want)
			if c.want != "" && !strings.Contains(r.Differences[0].Mend, c.mend) || r.NotCompared != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestAnAccountThatLeft: what is open or goes on at an account that is not in the configuration any more is told.
func TestAnAccountThatLeft(t *testing.T) {
	now := overdue.Add(time.Hour)
	for state, want := range map[shipment.AttemptState]string{shipment.Booked: "status e1", shipment.InDoubt: "status ", shipment.Ended: "", shipment.Refused: ""} {
		a := attempt(1, state)
		a.IntendedAt = overdue.Add(-time.Minute)
		o := audit.Order{Tenant: "acme", ID: "o1", Attempts: []audit.Attempt{a}}
		claims, untold, err := audit.Ask(t.Context(), []audit.Order{o}, now.Add(-24*time.Hour), now, func(string, string) (audit.Account, bool) { return nil, false })
		if err != nil {
			t.Fatal(err)
		}
		u := audit.New(claims, untold, overdue)
		u.Add(o)
		tells(t, u.Report(), want)
	}
}

// TestOrdersThatNobodyGoesOnWith: what waits is stored with the time at which the engine was to go on with it, and told past that. What
// waits for a person, or for a booking whose fate is not known, has no such time of its own.
func TestOrdersThatNobodyGoesOnWith(t *testing.T) {
	before, after := overdue.Add(-time.Second), overdue.Add(time.Second)
	held := func(until time.Time) func(*shipment.Shipment) {
		return func(sh *shipment.Shipment) { sh.Hold = &shipment.Hold{Rule: "r", Until: until} }
	}
	scheduled := func(at time.Time) func(*shipment.Shipment) {
		return func(sh *shipment.Shipment) { sh.Order.DispatchAt = shipping.At(at) }
	}
	again := func(at time.Time) func(*shipment.Shipment) {
		return func(sh *shipment.Shipment) { sh.RetryAt = at }
	}
	for name, c := range map[string]struct {
		status shipping.Status
		with   func(*shipment.Shipment)
		want   string
	}{
		"scheduled, and past":            {shipping.PendingDispatch, scheduled(before), "status "},
		"scheduled":                      {shipping.PendingDispatch, scheduled(after), ""},
		"to be dispatched, and past":     {shipping.PendingDispatch, nil, "status "},
		"to be tried again, and past":    {shipping.PendingAutoRetry, again(before), "status "},
		"to be tried again":              {shipping.PendingAutoRetry, again(after), ""},
		"held until, and past":           {shipping.PendingRelease, held(before), "status "},
		"held until":                     {shipping.PendingRelease, held(after), ""},
		"held for a person":              {shipping.PendingRelease, held(time.Time{}), ""},
		"held, by whom nobody has noted": {shipping.PendingRelease, nil, ""},
		"half way":                       {shipping.RequestReceived, scheduled(after), "status "},
		"at its end":                     {shipping.OrderFailed, nil, ""},
		"waits for a booking in doubt": {shipping.PendingDispatch, func(sh *shipment.Shipment) {
			sh.Attempts = []shipment.Attempt{{Number: 1, Kind: shipment.Forward, Adapter: "own", State: shipment.InDoubt, Deadline: after}}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			sh := storetest.NewShipment("acme", 1)
			sh.Order.ExternalID, sh.Status, sh.Attempts, sh.UpdatedAt, sh.Order.DispatchAt = "o1", c.status, nil, overdue.Add(-time.Hour), shipping.Instant{}
			if c.with != nil {
				c.with(sh)
			}
			u := audit.New(nil, audit.Covered([]string{"ups"}), overdue)
			for _, o := range exported(t, sh) {
				u.Add(o)
			}
			tells(t, u.Report(), c.want)
		})
	}
}

// exported stores a shipment and reads it as an audit does.
func exported(t *testing.T, sh *shipment.Shipment) []audit.Order {
	t.Helper()
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if err := st.Commit(t.Context(), sh.Tenant, &store.Tx{Shipments: []*shipment.Shipment{sh}}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := audit.Export(t.Context(), st, &config.Config{Tenants: map[string]*config.Tenant{sh.Tenant: {ID: sh.Tenant}}}, &b); err != nil {
		t.Fatal(err)
	}
	orders, err := audit.Import(&b)
	if err != nil || len(orders) != 1 {
		t.Fatal(orders, err)
	}
	return orders
}

// TestARunThatComparedNothingIsBlind: attempts that were to be compared, and none was.
func TestARunThatComparedNothingIsBlind(t *testing.T) {
	now := overdue.Add(time.Hour)
	order := func(number int, adapter string, age time.Duration) audit.Order {
		a := attempt(number, shipment.Booked)
		a.Account, a.Adapter, a.IntendedAt = adapter, adapter, now.Add(-age)
		return audit.Order{Tenant: "acme", ID: cmp.Or(adapter, "o"), Status: shipping.OrderDispatched, Attempts: []audit.Attempt{a}}
	}
	ups := &finder{manifest: carrier.Manifest{Abilities: []carrier.Ability{carrier.CanFind}, Absence: carrier.Proven}}
	for name, c := range map[string]struct {
		orders []audit.Order
		want   bool
	}{
		"no orders":             {nil, false},
		"no attempts":           {[]audit.Order{{Tenant: "acme", ID: "o"}}, false},
		"own drivers alone":     {[]audit.Order{order(1, "own", 0)}, true},
		"long ago":              {[]audit.Order{order(1, "ups", 48*time.Hour)}, false},
		"long ago, and blind":   {[]audit.Order{order(1, "ups", 48*time.Hour), order(2, "own", 0)}, true},
		"one of them told":      {[]audit.Order{order(1, "ups", 0), order(2, "own", 0)}, false},
		"an account that left":  {[]audit.Order{order(1, "left", 0)}, true},
		"one told, and a rogue": {[]audit.Order{order(1, "ups", 0), order(2, "left", 0)}, false},
	} {
		claims, untold, err := audit.Ask(t.Context(), c.orders, now.Add(-24*time.Hour), now, func(_, id string) (audit.Account, bool) {
			switch id {
			case "ups":
				return ups, true
			case "own":
				return &finder{}, true
			}
			return nil, false
		})
		if err != nil {
			t.Fatal(err)
		}
		u := audit.New(claims, untold, overdue)
		for _, o := range c.orders {
			u.Add(o)
		}
		if got := u.Report().Blind(); got != c.want {
			t.Errorf("%s: blind %v", name, got)
		}
	}
}
