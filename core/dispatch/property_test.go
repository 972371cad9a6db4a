package dispatch_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// storm is an engine among carriers that do whatever carriers do, a store that fails, and processes that die.
type storm struct {
	*engine
	rt     *rapid.T
	calm   bool
	inside bool // somebody comes between a decision and its commit
	orders []string
	late   []lateCommit
	fakes  []*fakeCarrier
}

// lateCommit is a booking that a carrier makes after its caller was told nothing.
type lateCommit struct {
	carrier *fakeCarrier
	request carrier.BookRequest
	at      time.Time
}

func newStorm(rt *rapid.T) *storm {
	st := &storm{rt: rt}
	for i, name := range []string{"doordash", "ups"} {
		f := newFake(name, name, int64(500+100*i))
		f.manifest.Idempotency = rapid.SampledFrom([]carrier.Idempotency{carrier.Native, carrier.ByReference, carrier.NoIdempotency}).Draw(rt, name+" idempotency")
		f.manifest.Absence = rapid.SampledFrom([]carrier.Absence{carrier.Proven, carrier.Unproven}).Draw(rt, name+" absence")
		f.onBook = func(r carrier.BookRequest) (bool, error) { return st.onBook(f, r) }
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return st.onCall("cancel", carrier.CancelRefused) }
		f.onEdit = func(carrier.EditRequest) error { _, err := st.onCall("edit", carrier.EditRefused); return err }
		f.onFind = func(carrier.FindRequest) error { return st.onFind(f) }
		f.onQuote = func(r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
			return carrier.QuoteAnswer{Quotes: []shipping.Quote{{ServiceID: "delivery", Amount: shipping.Money{Minor: f.fee, Currency: "USD"},
				Token: []byte(r.Reference + r.Delivery.Address.Street1)}}}, nil
		}
		st.fakes = append(st.fakes, f)
	}
	st.engine = newEngine(rt, st.fakes...)
	st.store.onCommit(st.intrude)
	if requote := rapid.SampledFrom([]string{"", "never", "expired", "always"}).Draw(rt, "requote"); requote != "" {
		st.bundle = rulesOf(rt, fallbackRules("    steps: [ next_ranked, { hold_for: 30m }, next_ranked ]\n    requote: "+requote+"\n"))
		st.Version = func(string, string) *rules.Bundle { return st.bundle }
	}
	for _, f := range st.fakes {
		st.config.Tenants["demo"].Accounts[f.manifest.Name].Doubt = rapid.SampledFrom([]string{"", "watch", "attention"}).Draw(rt, f.manifest.Name+" doubt")
	}
	return st
}

// draw names an outcome; in calm weather all goes well.
func (st *storm) draw(what string, outcomes ...string) string {
	if st.calm {
		return "well"
	}
	return rapid.SampledFrom(append([]string{"well", "well"}, outcomes...)).Draw(st.rt, what)
}

// settle makes the late bookings whose time has come. The carrier's lock is held.
func (st *storm) settle(f *fakeCarrier) {
	st.late = slices.DeleteFunc(st.late, func(l lateCommit) bool {
		due := l.carrier == f && !l.at.After(st.clock.Now())
		if due {
			f.commit(l.request)
		}
		return due
	})
}

func (st *storm) onBook(f *fakeCarrier, r carrier.BookRequest) (bool, error) {
	st.settle(f)
	if want := r.Reference + r.Delivery.Address.Street1; string(r.Token) != want {
		st.rt.Errorf("booked %s with the offer for %s", want, r.Token)
	}
	switch st.draw("book", "refused", "expired", "unavailable", "lost before", "lost after", "late", "very late", "twice", "twice and lost", "slow") {
	case "refused":
		return false, refusal(carrier.ServiceUnavailable)
	case "expired":
		return false, refusal(carrier.QuoteExpired)
	case "unavailable":
		return false, retrySafe(carrier.CarrierUnavailable)
	case "lost before":
		return false, lost()
	case "lost after":
		return true, lost()
	case "late":
		st.late = append(st.late, lateCommit{f, r, st.clock.Now().Add(time.Duration(rapid.IntRange(0, 10_999).Draw(st.rt, "late by ms")) * time.Millisecond)})
		return false, lost()
	case "very late":
		st.late = append(st.late, lateCommit{f, r, st.clock.Now().Add(time.Duration(rapid.IntRange(1, 48).Draw(st.rt, "late by hours")) * time.Hour)})
		return false, lost()
	case "twice":
		if f.manifest.Idempotency == carrier.NoIdempotency {
			f.commit(r)
		}
	case "twice and lost":
		f.commit(r)
		return true, lost()
	case "slow":
		st.clock.Advance(time.Duration(rapid.IntRange(1, 400).Draw(st.rt, "seconds")) * time.Second)
		st.meanwhile(f)
	}
	return true, nil
}

// meanwhile lets the job runner work while a carrier is being asked: leases may have ended.
func (st *storm) meanwhile(f *fakeCarrier) {
	f.mu.Unlock()
	defer f.mu.Lock()
	if _, err := st.runner.RunDue(context.Background(), st.clock.Now()); err != nil {
		st.rt.Fatalf("run due jobs: %v", err)
	}
}

func (st *storm) onCall(what string, refused carrier.Code) (bool, error) {
	switch st.draw(what, "refused", "unavailable", "lost before", "lost after") {
	case "refused":
		return false, refusal(refused)
	case "unavailable":
		return false, retrySafe(carrier.CarrierUnavailable)
	case "lost before":
		return false, lost()
	case "lost after":
		return true, lost()
	}
	return true, nil
}

func (st *storm) onFind(f *fakeCarrier) error {
	st.settle(f)
	if st.draw("find", "unavailable") == "unavailable" {
		return retrySafe(carrier.CarrierUnavailable)
	}
	return nil
}

// intrude has somebody else change the order, or the runner work, between a decision and its commit.
func (st *storm) intrude(tx *store.Tx) {
	if st.calm || st.inside || len(tx.Shipments) == 0 || rapid.IntRange(0, 9).Draw(st.rt, "nobody intrudes") != 0 {
		return
	}
	st.inside = true
	defer func() { st.inside = false }()
	id := tx.Shipments[0].Order.ExternalID
	switch rapid.SampledFrom([]string{"cancel", "edit", "retry", "lease ends"}).Draw(st.rt, "intruder") {
	case "cancel":
		_, _ = st.cancel(id)
	case "edit":
		_, _ = st.edit(id, st.change())
	case "retry":
		_, _ = st.Retry(context.Background(), caller, id)
	case "lease ends":
		st.clock.Advance(6 * time.Minute)
		if _, err := st.runner.RunDue(context.Background(), st.clock.Now()); err != nil {
			st.rt.Fatalf("run due jobs: %v", err)
		}
	}
}

// order draws one of the orders so far, under whatever name it has now.
func (st *storm) order() string { return rapid.SampledFrom(st.orders).Draw(st.rt, "order") }

// step does one thing that people, machines or fate do.
func (st *storm) step() {
	ops := []string{"create", "pass", "pass", "crash", "store fails"}
	if len(st.orders) > 0 {
		ops = append(ops, "cancel", "cancel", "edit", "edit", "retry", "status", "return", "return", "given up", "no driver")
	}
	op := rapid.SampledFrom(ops).Draw(st.rt, "op")
	ctx := context.Background()
	switch op {
	case "create":
		id := fmt.Sprintf("o%d", len(st.orders)+1)
		_, err := st.create(id, func(r *dispatch.CreateRequest) {
			r.Async = rapid.Bool().Draw(st.rt, "async")
			if rapid.IntRange(0, 4).Draw(st.rt, "scheduled") == 0 {
				r.Order.DispatchAt = shipping.At(st.clock.Now().Add(10 * time.Minute))
			}
		})
		if _, gone := st.Get(ctx, caller, id); gone == nil || err == nil {
			st.orders = append(st.orders, id)
		}
	case "pass":
		st.pass(time.Duration(rapid.IntRange(1, 1200).Draw(st.rt, "seconds")) * time.Second)
	case "crash":
		st.reborn()
	case "store fails":
		// Once; or from then on, as if the process had died there, and it does at the end of the next step.
		nth := rapid.IntRange(1, 5).Draw(st.rt, "nth commit")
		if rapid.Bool().Draw(st.rt, "dies") {
			st.store.fail(nth, 1000, false)
			st.step()
			st.reborn()
			return
		}
		st.store.fail(nth, 1, rapid.Bool().Draw(st.rt, "written"))
		st.step()
	case "cancel":
		_, _ = st.cancel(st.order())
	case "edit":
		_, _ = st.edit(st.order(), st.change())
	case "retry":
		_, _ = st.Retry(ctx, caller, st.order())
	case "given up":
		st.giveUp(st.order())
	case "no driver":
		st.tell(st.get(st.order()), "no_driver")
	case "status":
		to := rapid.SampledFrom([]shipping.Status{shipping.PickupCompleted, shipping.OrderUndeliverable, shipping.OrderDelivered}).Draw(st.rt, "to")
		_ = st.setStatus(st.order(), to, "")
	case "return":
		id := st.order()
		_ = st.setStatus(id, shipping.OrderDelivered, "")
		_, _ = st.Return(ctx, caller, id, dispatch.ReturnRequest{Reason: "too_small", Async: rapid.Bool().Draw(st.rt, "async")})
		st.comeBack(id)
	}
}

// giveUp has the carrier of an order cancel its booking by itself, should the engine take the word in.
func (st *storm) giveUp(id string) {
	sh := st.get(id)
	a := sh.Live(shipment.Forward)
	if a == nil || sh.Stage() != shipment.WithCarrier || len(st.carriers[a.Account].bookings[a.Reference]) == 0 {
		return
	}
	st.inside = true // who tells reads and writes the order at once
	defer func() { st.inside = false }()
	_ = st.hear(id, shipment.Heard{Status: shipping.OrderCancelled, User: a.Provider})
	if sh = st.get(id); sh.Attempt(a.Number).State != shipment.Ended {
		return
	}
	f := st.carriers[a.Account]
	f.set(func(f *fakeCarrier) {
		for i := range f.bookings[a.Reference] {
			if b := &f.bookings[a.Reference][i]; b.CarrierRef == a.Booking.CarrierRef {
				b.Cancelled = true
			}
		}
	})
	st.tell(sh, "cancelled_by_carrier")
}

// tell puts the job that tells the fallback rules of an event, unless the store fails.
func (st *storm) tell(sh *shipment.Shipment, event string) {
	if len(sh.Attempts) == 0 {
		return
	}
	tx := st.fallbackTx(sh, event)
	tx.Shipments = nil
	_ = st.store.Commit(context.Background(), sh.Tenant, tx)
}

// comeBack takes up the returns of an order, whether their asking was answered or not: they are orders like any other.
func (st *storm) comeBack(id string) {
	for _, back := range st.get(id).Returns {
		sh, err := st.store.Shipment(context.Background(), "demo", back)
		if err != nil {
			st.rt.Fatalf("%s names the return %s: %v", id, back, err)
		}
		if !slices.Contains(st.orders, sh.Order.ExternalID) {
			st.orders = append(st.orders, sh.Order.ExternalID)
		}
	}
}

func (st *storm) change() func(*shipment.Order) {
	n := rapid.IntRange(0, 99).Draw(st.rt, "house")
	text := fmt.Sprint(n)
	return map[string]func(*shipment.Order){
		"street":       func(o *shipment.Order) { o.DeliveryAddress.Street1 = text + " New Street" },
		"instructions": func(o *shipment.Order) { o.DeliveryInstructions = &text },
		"group":        func(o *shipment.Order) { o.GroupID = &text },
		"later": func(o *shipment.Order) {
			o.DispatchAt = shipping.At(st.clock.Now().Add(time.Duration(n) * time.Minute))
		},
	}[rapid.SampledFrom([]string{"street", "instructions", "group", "later"}).Draw(st.rt, "edit")]
}

// reborn ends the process and starts another.
func (st *storm) reborn() {
	st.store.heal()
	st.engine = st.crash()
}

// audit holds the store against what the carriers have.
func (st *storm) audit() {
	ctx := context.Background()
	open := map[string]int{}
	for _, id := range st.orders {
		sh := st.get(id)
		_, h, err := st.History(ctx, caller, id)
		if err != nil {
			st.rt.Fatal(err)
		}
		last := shipping.Status("")
		for i, c := range h {
			if c.Seq != i {
				st.rt.Errorf("%s: line %d of the history has number %d", id, i, c.Seq)
			}
			if !c.Late {
				last = c.Status
			}
		}
		person, coming := false, 0
		for _, back := range sh.Returns {
			if r, err := st.store.Shipment(ctx, "demo", back); err != nil || !r.CameToNothing() {
				coming++
			}
		}
		if coming > 1 {
			st.rt.Errorf("%s: its one item is returned %d times", id, coming)
		}
		for i := range sh.Attempts {
			a := &sh.Attempts[i]
			person = person || a.NeedsPerson()
			if a.Open() || a.Live() && a.EndedAt.IsZero() {
				open[a.Account]++
			}
			if a.CancelIntent != nil || a.EditIntent != nil || a.SpareLeft() && !a.NeedsPerson() {
				st.rt.Errorf("%s: attempt %d is not finished: %+v", id, i+1, a)
			}
			if slices.ContainsFunc(sh.Attempts[:i], func(b shipment.Attempt) bool { return b.Reference == a.Reference }) {
				st.rt.Errorf("%s: attempt %d has the reference of an earlier one", id, i+1)
			}
		}
		switch {
		case last != sh.Status || len(h) != sh.Changes:
			st.rt.Errorf("%s: status %s, history ends with %s, %d of %d lines", id, sh.Status, last, len(h), sh.Changes)
		case sh.Waiting() && !person:
			st.rt.Errorf("%s: waits for ever as %s", id, sh.Status)
		case sh.Cancel != nil && !person:
			st.rt.Errorf("%s: its cancellation was forgotten at %s", id, sh.Status)
		}
		if a := sh.Live(sh.Way()); a != nil && !slices.ContainsFunc(st.carriers[a.Account].bookings[a.Reference], func(b carrier.Booking) bool {
			return b.CarrierRef == a.Booking.CarrierRef && !b.Cancelled
		}) {
			st.rt.Errorf("%s: its booking %s is not live at %s", id, a.Booking.CarrierRef, a.Account)
		}
	}
	for _, f := range st.fakes {
		st.bookings(f)
		if u, err := st.store.Usage(ctx, "demo", f.manifest.Name, ""); err != nil || u.Open != open[f.manifest.Name] {
			st.rt.Errorf("%s has %d open bookings, counted %d (%v)", f.manifest.Name, open[f.manifest.Name], u.Open, err)
		}
	}
}

// counts checks that quotas count the bookings that were made and not cancelled, and nothing else.
func (st *storm) counts() {
	want := map[store.CountKey]int64{}
	for _, id := range st.orders {
		sh := st.get(id)
		for i := range sh.Attempts {
			a := &sh.Attempts[i]
			day := a.IntendedAt.In(boston).Format(time.DateOnly)
			key := store.CountKey{Name: "quota/" + a.Account, Period: day}
			want[key] += 0
			switch a.State {
			case shipment.Refused, shipment.Absent, shipment.Voided, shipment.Cancelled:
				if a.Counted != nil {
					st.rt.Errorf("%s: attempt %d is %s and counts on", id, i+1, a.State)
				}
			default:
				if a.Counted == nil || a.Counted.Day != day {
					st.rt.Errorf("%s: attempt %d is %s and counts as %+v", id, i+1, a.State, a.Counted)
				}
				want[key]++
			}
		}
	}
	for key, n := range want {
		if has, err := st.store.Counts(context.Background(), "demo", []store.CountKey{key}); err != nil || has[0] != n {
			st.rt.Errorf("%s on %s: counted %v, want %d (%v)", key.Name, key.Period, has, n, err)
		}
	}
}

var boston, _ = time.LoadLocation("America/New_York")

// bookings checks that each live booking is that of exactly one order, or is in a person's hands.
func (st *storm) bookings(f *fakeCarrier) {
	for ref, bs := range f.bookings {
		for _, b := range bs {
			if b.Cancelled {
				continue
			}
			sh, err := st.store.ShipmentByReference(context.Background(), ref)
			if err != nil {
				st.rt.Errorf("%s: booking %s under %s is known by no order: %v", f.manifest.Name, b.CarrierRef, ref, err)
				continue
			}
			i := slices.IndexFunc(sh.Attempts, func(a shipment.Attempt) bool { return a.Reference == ref })
			a := &sh.Attempts[i]
			if !(a.Live() && a.Booking.CarrierRef == b.CarrierRef) && !(a.State == shipment.Ended && a.Booking.CarrierRef == b.CarrierRef) && !a.NeedsPerson() {
				st.rt.Errorf("%s: live booking %s is a spare of order %s: attempt %d is %s", f.manifest.Name, b.CarrierRef, sh.Order.ExternalID, a.Number, a.State)
			}
		}
	}
}

func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		st := newStorm(rt)
		for range rapid.IntRange(1, 16).Draw(rt, "steps") {
			st.step()
		}
		st.calm = true
		st.reborn()
		st.pass(3 * 24 * time.Hour)
		for _, f := range st.fakes {
			f.set(st.settle)
		}
		st.pass(6 * 24 * time.Hour)
		st.audit()
		st.counts()
		p, err := st.List(context.Background(), caller, store.ShipmentQuery{NeedsPerson: true})
		if err == nil && len(p.Shipments) == 0 {
			st.wantNoJobs()
		}
	})
}
