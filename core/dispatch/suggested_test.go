package dispatch_test

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// situations are orders in every state in which a person may be told what to do.
var situations = map[string]func(*testing.T) *engine{
	"booked": func(t *testing.T) *engine {
		e := newEngine(t, newFake("doordash", "DoorDash", 975))
		e.mustCreate("o1")
		return e
	},
	"in doubt":             func(t *testing.T) *engine { e, _, _ := doubtful(t, true, nil); return e },
	"a person's":           func(t *testing.T) *engine { e, _ := undecided(t); return e },
	"told":                 func(t *testing.T) *engine { e, _ := byWord(t); return e },
	"told, delivered":      func(t *testing.T) *engine { e, _ := endedByWord(t, shipping.OrderDelivered); return e },
	"told, undeliverable":  func(t *testing.T) *engine { e, _ := endedByWord(t, shipping.OrderUndeliverable); return e },
	"told, given up":       func(t *testing.T) *engine { e, _ := endedByWord(t, shipping.OrderFailed); return e },
	"a spare that is kept": func(t *testing.T) *engine { e, _ := keptSpare(t); return e },
	"a person's, booked, and shown": func(t *testing.T) *engine {
		e, f := undecided(t)
		f.set(func(f *fakeCarrier) { f.consign("P-1") })
		return e
	},
	"told, and another shown": func(t *testing.T) *engine {
		e, f := byWord(t)
		f.set(func(f *fakeCarrier) { f.consign("P-1") })
		return e
	},
	"told, and several shown": func(t *testing.T) *engine {
		e, f := byWord(t)
		f.set(func(f *fakeCarrier) { f.consign("P-1"); f.consign("P-2") })
		return e
	},
	"told, and its cancellation in doubt":   func(t *testing.T) *engine { return toldAndCancelled(t, lost(), 0) },
	"told, and its cancellation a person's": func(t *testing.T) *engine { return toldAndCancelled(t, lost(), 25*time.Hour) },
	"told, and not known to its carrier":    func(t *testing.T) *engine { return toldAndCancelled(t, refusal(carrier.BookingNotFound), time.Hour) },
	"told, and nothing was heard": func(t *testing.T) *engine {
		e, _ := byWord(t)
		e.rewrite("o1", func(sh *shipment.Shipment) {
			sh.Status, sh.Attempts[0].EndedAt = shipping.ErrorException, e.clock.Now()
		})
		return e
	},
	"told, delivered, with a return": func(t *testing.T) *engine {
		e, _ := endedByWord(t, shipping.OrderDelivered)
		if _, err := e.Return(context.Background(), caller, "o1", dispatch.ReturnRequest{Reason: "too_small"}); err != nil {
			t.Fatal(err)
		}
		return e
	},
	"told, delivered, as another order": func(t *testing.T) *engine {
		e, f := endedByWord(t, shipping.OrderDelivered)
		f.set(func(f *fakeCarrier) {
			f.onBook = nil
			f.onBooked = func(_ context.Context, b *carrier.Booking) { *b = f.rename(*b, "D-77") }
		})
		e.mustCreate("o2")
		return e
	},
	"a cancellation that is a person's": func(t *testing.T) *engine {
		e, f := booking(t)
		f.set(func(f *fakeCarrier) { f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() } })
		if _, err := e.cancel("o1"); err != nil {
			t.Fatal(err)
		}
		e.pass(25 * time.Hour)
		return e
	},
	"cancelled, and held still": func(t *testing.T) *engine {
		e, f := booking(t)
		if _, err := e.cancel("o1"); err != nil {
			t.Fatal(err)
		}
		f.set(func(f *fakeCarrier) { f.bookings[f.booked[0].Reference][0].Cancelled = false })
		return e
	},
	"cancelled, and held still, by the number that another order was told": func(t *testing.T) *engine {
		e, f, _ := doubtful(t, false, func(f *fakeCarrier) { f.manifest.Absence = carrier.Unproven })
		e.config.Tenants["demo"].Accounts["doordash"].Doubt = "attention"
		e.mustCreate("o2")
		if _, err := e.Cancel(context.Background(), caller, "o2", ""); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Hour)
		if err := e.tell("o1", "doordash000001"); err != nil {
			t.Fatal(err)
		}
		f.set(func(f *fakeCarrier) { f.bookings[f.booked[1].Reference][0].Cancelled = false })
		return e
	},
	"not held": func(t *testing.T) *engine {
		e, f := booking(t)
		f.set(func(f *fakeCarrier) { f.bookings[f.booked[0].Reference][0].Cancelled = true })
		return e
	},
	"held, by an adapter that cannot cancel":     func(t *testing.T) *engine { return cannotCancel(t, false) },
	"not held, by an adapter that cannot cancel": func(t *testing.T) *engine { return cannotCancel(t, true) },
	"held twice": func(t *testing.T) *engine {
		e, f := booking(t)
		f.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
		return e
	},
	"undeliverable":                func(t *testing.T) *engine { return ends(t, shipping.OrderUndeliverable, false) },
	"undeliverable, and not known": func(t *testing.T) *engine { return ends(t, shipping.OrderUndeliverable, true) },
	"delivered, and not known":     func(t *testing.T) *engine { return ends(t, shipping.OrderDelivered, true) },
	"failed, and held":             func(t *testing.T) *engine { return ends(t, shipping.OrderFailed, false) },
	"delivered by the second, and the first held": func(t *testing.T) *engine {
		e, fs := keepers(t, "[ next_ranked ]")
		e.mustCreate("o1")
		e.givesUp("o1")
		e.pass(time.Minute)
		fs[0].set(func(f *fakeCarrier) { f.bookings[f.booked[0].Reference][0].Cancelled = false })
		if err := e.hear("o1", shipment.Heard{Status: shipping.OrderDelivered, User: "Dear"}); err != nil {
			t.Fatal(err)
		}
		return e
	},
	"absent, and held": func(t *testing.T) *engine {
		e, f := undecided(t)
		if _, err := e.resolve(absent); err != nil {
			t.Fatal(err)
		}
		f.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
		return e
	},
	"in doubt again, and held twice": func(t *testing.T) *engine {
		e, f := undecided(t)
		f.set(func(f *fakeCarrier) { f.onBook = func(carrier.BookRequest) (bool, error) { return true, lost() } })
		if _, err := e.resolve(absent); err != nil {
			t.Fatal(err)
		}
		e.pass(0)
		f.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
		return e
	},
	"half way, with a booking": func(t *testing.T) *engine {
		e, _ := booking(t)
		e.rewrite("o1", func(sh *shipment.Shipment) { sh.Status = shipping.PendingDispatch })
		return e
	},
	"half way": func(t *testing.T) *engine {
		e, f := booking(t)
		f.set(func(f *fakeCarrier) { clear(f.bookings) })
		e.rewrite("o1", func(sh *shipment.Shipment) { sh.Status, sh.Attempts = shipping.EstimatesReceived, nil })
		return e
	},
}

// cannotCancel has an order that is booked at a carrier whose adapter cannot cancel; cancelled says that it is cancelled there.
func cannotCancel(t *testing.T, cancelled bool) *engine {
	t.Helper()
	e, f := booking(t)
	f.set(func(f *fakeCarrier) {
		f.manifest.Abilities = slices.DeleteFunc(slices.Clone(f.manifest.Abilities), func(a carrier.Ability) bool { return a == carrier.CanCancel })
		f.bookings[f.booked[0].Reference][0].Cancelled = cancelled
	})
	return e
}

func booking(t *testing.T) (*engine, *fakeCarrier) {
	t.Helper()
	f := newFake("doordash", "DoorDash", 975)
	e := newEngine(t, f)
	e.mustCreate("o1")
	return e, f
}

// toldAndCancelled asks to cancel a booking that is a person's word; the carrier answers with err.
func toldAndCancelled(t *testing.T, err error, after time.Duration) *engine {
	t.Helper()
	e, f := byWord(t)
	f.set(func(f *fakeCarrier) { f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, err } })
	if _, err := e.confirm("D-77"); err != nil {
		t.Fatal(err)
	}
	e.pass(after)
	return e
}

// ends has an order come to an end; forgotten says that the carrier does not know it any more.
func ends(t *testing.T, to shipping.Status, forgotten bool) *engine {
	t.Helper()
	e, f := booking(t)
	if err := e.hear("o1", shipment.Heard{Status: to, User: "DoorDash"}); err != nil {
		t.Fatal(err)
	}
	if forgotten {
		f.set(func(f *fakeCarrier) { clear(f.bookings) })
	}
	return e
}

// rename gives a booking that the carrier has another number.
func (f *fakeCarrier) rename(b carrier.Booking, number string) carrier.Booking {
	b.CarrierRef, b.TrackingID, b.Parcels = number, number, []carrier.BookedParcel{{Number: number}}
	all := f.bookings[b.Reference]
	all[len(all)-1] = b
	return b
}

// rewrite puts an order into a state that only a fault could have brought about.
func (e *engine) rewrite(id string, f func(*shipment.Shipment)) {
	e.t.Helper()
	sh := e.get(id)
	f(sh)
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{Shipments: []*shipment.Shipment{sh}, Now: e.clock.Now()}); err != nil {
		e.t.Fatal(err)
	}
}

// audited is everything that the audit, what void answers and the orders that need a person say.
func (e *engine) audited() (texts []string) {
	e.t.Helper()
	p, err := e.List(context.Background(), caller, store.ShipmentQuery{Limit: 100})
	if err != nil {
		e.t.Fatal(err)
	}
	var orders []audit.Order
	numbers := []string{""}
	for _, sh := range p.Shipments {
		orders = append(orders, audit.OrderOf(sh))
		for i := range sh.Attempts {
			a := &sh.Attempts[i]
			if a.Booking != nil {
				numbers = append(numbers, a.Booking.TrackingID)
			}
			if a.NeedsPerson() && a.Undecided() != nil {
				texts = append(texts, a.Undecided().Last)
			}
		}
	}
	var claims []audit.Claim
	for name, f := range e.carriers {
		for ref, all := range f.bookings {
			for _, b := range all {
				claims = append(claims, audit.Claim{Carrier: name, Entity: b.CarrierRef, Reference: ref, Live: !b.Cancelled, Unpriced: true})
			}
		}
	}
	audit.Uncancellable(orders, func(_, id string) (audit.Account, bool) { f, ok := e.carriers[id]; return f, ok })
	u := audit.New(claims, func(audit.Attempt) string { return "" }, e.clock.Now().Add(time.Hour))
	for _, o := range orders {
		u.Add(o)
	}
	for _, row := range u.Report().Differences {
		texts = append(texts, row.Mend)
	}
	for _, c := range claims { // as who is to void one hears it
		for _, n := range append(numbers, c.Entity) {
			_, mend := audit.Known(orders, c.Carrier, n, c.Reference)
			texts = append(texts, mend)
		}
	}
	for _, n := range numbers {
		for name := range e.carriers {
			_, mend := audit.Known(orders, name, n, "")
			texts = append(texts, mend)
		}
	}
	return texts
}

// probes are what a person may say or ask, so that the engine refuses it with a hint.
var probes = func() (out []func(*engine) error) {
	say := func(r dispatch.Resolution) {
		out = append(out, func(e *engine) error { _, err := e.resolve(r); return err })
	}
	for attempt := 1; attempt <= 2; attempt++ {
		for _, number := range []string{"D-77", "D-78", "doordash000001"} {
			say(dispatch.Resolution{Attempt: attempt, Outcome: dispatch.OutcomeBooked, TrackingID: number})
			say(dispatch.Resolution{Attempt: attempt, Outcome: dispatch.OutcomeBooked, TrackingID: number, Withdraw: "D-77", Reason: "x"})
			say(dispatch.Resolution{Attempt: attempt, Outcome: dispatch.OutcomeSpare, TrackingID: number})
		}
		say(dispatch.Resolution{Attempt: attempt, Outcome: dispatch.OutcomeAbsent})
		say(dispatch.Resolution{Attempt: attempt, Outcome: dispatch.OutcomeAbsent, Withdraw: "D-77", Reason: "x"})
	}
	for _, number := range []string{"", "D-78"} {
		out = append(out, func(e *engine) error { _, err := e.confirm(number); return err })
	}
	for _, street := range []bool{true, false} {
		out = append(out, func(e *engine) error {
			_, err := e.Edit(context.Background(), caller, "o1", func(o shipment.Order) (shipment.Order, error) {
				if text := "ring twice"; street {
					o.DeliveryAddress.Street1 = "1 New Street"
				} else {
					o.DeliveryInstructions = &text
				}
				return o, nil
			})
			return err
		})
	}
	return append(out, func(e *engine) error { _, err := e.Retry(context.Background(), caller, "o1"); return err })
}()

var (
	suggestion = regexp.MustCompile(`waybill shipments (?:cancel|resolve|retry|get|history|trace) [^\s,;:]+(?: --[a-z-]+ [^\s,;:]+)*(?:, or --outcome booked --tracking [^\s,;:]+)?`)
	either     = regexp.MustCompile(` --outcome absent, or( --outcome .*)$`)
)

// commands are those that a text names.
func commands(text string) (out []string) {
	for _, c := range suggestion.FindAllString(text, -1) {
		c = strings.TrimSuffix(c, ".")
		if m := either.FindStringSubmatchIndex(c); m != nil {
			out = append(out, c[:m[0]]+" --outcome absent", c[:m[0]]+c[m[2]:m[3]])
			continue
		}
		out = append(out, c)
	}
	return out
}

// obeys does what a command says, and reports how it was refused: by the engine itself, that is, before any carrier was asked to cancel.
func (e *engine) obeys(command string) error {
	words := strings.Fields(command)
	order, flags := words[3], map[string]string{}
	for i := 4; i+1 < len(words); i += 2 {
		flags[words[i]] = words[i+1]
	}
	if flags["--tracking"] == "NUMBER" {
		flags["--tracking"] = "FREE-9"
		for _, f := range e.carriers { // of several that the carrier shows, a person takes one that it shows
			for _, all := range f.bookings {
				if live := slices.DeleteFunc(slices.Clone(all), func(b carrier.Booking) bool { return b.Cancelled }); len(live) > 1 {
					flags["--tracking"] = live[0].TrackingID
				}
			}
		}
	}
	asked := func() (n int) {
		for _, f := range e.carriers {
			n += len(f.cancelled())
		}
		return n
	}
	before, corrected, ctx := asked(), len(e.notes(order, "NUMBER_CORRECTED")), context.Background()
	var err error
	switch words[2] {
	case "cancel":
		_, err = e.Cancel(ctx, caller, order, flags["--confirm-number"])
	case "retry":
		_, err = e.Retry(ctx, caller, order)
	case "resolve":
		r := dispatch.Resolution{Outcome: dispatch.Outcome(flags["--outcome"]), TrackingID: flags["--tracking"], Withdraw: flags["--withdraw"], Reason: flags["--reason"]}
		if r.Attempt, err = strconv.Atoi(flags["--attempt"]); err == nil {
			_, err = e.Resolve(ctx, caller, order, r)
		}
	default:
		_, err = e.Get(ctx, caller, order)
	}
	if err == nil || asked() > before {
		return nil
	}
	switch usecase.AsError(err).Type {
	case usecase.PlaceOrderFailed, usecase.NoProviderMatched: // it was taken, and nobody carries the order
		return nil
	}
	if was := len(e.notes(order, "NUMBER_CORRECTED")) > corrected; was || strings.Contains(err.Error(), " shows ") {
		return nil // the carrier has just shown what nobody could know
	}
	return err
}

// revisions tell whether an order has changed.
func (e *engine) revisions() (out []int64) {
	e.t.Helper()
	p, err := e.List(context.Background(), caller, store.ShipmentQuery{Limit: 100})
	if err != nil {
		e.t.Fatal(err)
	}
	for _, sh := range p.Shipments {
		out = append(out, sh.Revision)
	}
	return out
}

// Whatever a person is told to do, by a refusal, by an audit or of an order that needs them, is taken as things stand then.
func TestWhatIsSuggestedIsTaken(t *testing.T) {
	for name, situation := range situations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tried := map[string]bool{}
			// try obeys each command of the texts, each in a situation of its own, brought to where it was named by say.
			try := func(texts []string, say func(*engine)) {
				for _, text := range texts {
					for _, c := range commands(text) {
						if tried[c] {
							continue
						}
						tried[c] = true
						e := situation(t)
						say(e)
						if err := e.obeys(c); err != nil {
							t.Errorf("a person is told: %s\nand %q is refused: %v", text, c, err)
						}
					}
				}
			}
			e := situation(t)
			try(e.audited(), func(*engine) {})
			for _, probe := range probes {
				before := e.revisions()
				if err := probe(e); err != nil {
					try([]string{usecase.AsError(err).Message}, func(e *engine) { _ = probe(e) })
				}
				if !slices.Equal(before, e.revisions()) {
					e = situation(t)
				}
			}
			if len(tried) == 0 {
				t.Error("nothing is suggested")
			}
		})
	}
}
