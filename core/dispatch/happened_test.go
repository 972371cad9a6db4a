package dispatch_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// says notes what a carrier has said of an order's booking, as tracking does.
func (e *engine) says(id string, to shipping.Status, learn func(*shipment.Shipment)) {
	e.t.Helper()
	sh := e.get(id)
	tx := &store.Tx{Shipments: []*shipment.Shipment{sh}, Now: e.clock.Now()}
	lines, _ := sh.Follow(1, []shipment.Heard{{Status: to, User: "Cheap"}}, e.clock.Now())
	for _, l := range lines {
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: l})
	}
	if learn != nil {
		learn(sh)
	}
	if err := e.store.Commit(context.Background(), sh.Tenant, tx); err != nil {
		e.t.Fatal(err)
	}
}

// notes are the words of the history that begin with one.
func (e *engine) notes(id, prefix string) []string {
	e.t.Helper()
	_, history, err := e.History(context.Background(), e.who, id)
	if err != nil {
		e.t.Fatal(err)
	}
	var out []string
	for _, c := range history {
		if strings.HasPrefix(c.Note, prefix) {
			out = append(out, c.Note)
		}
	}
	return out
}

// TestAMissingDriverIsNoticed so long before the pickup as the configuration says, by the carrier's latest word of when that is; not where one is
// assigned, nor of a parcel, which nobody is assigned to.
func TestAMissingDriverIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(e *engine)
		mode    string
		mute    bool          // the carrier tells nothing of its drivers
		pickup  time.Duration // from the booking; 20 minutes where 0
		after   time.Duration // until the next carrier has it, 0 for never
	}{
		"nobody assigned": {after: 15 * time.Minute},
		"assigned":        {happens: func(e *engine) { e.says("o", shipping.OrderAssigned, nil) }},
		"a driver is known": {happens: func(e *engine) {
			e.says("o", "", func(sh *shipment.Shipment) { sh.Progress.Driver = &shipping.Driver{Name: "D"} })
		}},
		"given back": {after: 15 * time.Minute, happens: func(e *engine) {
			e.says("o", shipping.OrderAssigned, nil)
			e.says("o", shipping.OrderUnassigned, nil)
		}},
		"put off": {after: 45 * time.Minute, happens: func(e *engine) {
			e.says("o", "", func(sh *shipment.Shipment) {
				sh.Progress.EstimatedPickup = shipping.TimeWindow{StartsAt: shipping.At(e.clock.Now().Add(50 * time.Minute))}
			})
		}},
		"a parcel":               {mode: "ground"},
		"of whom nobody is told": {mute: true},
		"picked up at once":      {pickup: time.Second, after: 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
			if c.mode != "" {
				cheap.manifest.Services[0].Mode = c.mode
			}
			e := newEngine(t, cheap, dear)
			e.config.Dispatch.DriverLead = 5 * time.Minute
			if !c.mute {
				cheap.manifest.Abilities = append(cheap.manifest.Abilities, carrier.CanTrack)
			}
			at := shipping.At(e.clock.Now().Add(cmp.Or(c.pickup, 20*time.Minute)))
			cheap.onBooked = func(_ context.Context, b *carrier.Booking) { b.Pickup = shipping.TimeWindow{StartsAt: at} }
			e.bundle = rulesOf(t, "rules: 1\nfallback:\n  - { name: Driver, on: [ no_driver ], steps: [ { notify: manager }, next_ranked ] }\n")
			e.mustCreate("o")
			if c.happens != nil {
				c.happens(e)
			}
			if c.after == 0 {
				e.pass(time.Hour)
				e.wantLive("o", "cheap")
				return
			}
			e.pass(c.after - time.Minute)
			e.wantLive("o", "cheap")
			e.pass(2 * time.Minute)
			e.wantLive("o", "dear")
			if got := e.notes("o", "NOTIFY"); !slices.Equal(got, []string{"NOTIFY( manager: Driver: no_driver )"}) {
				t.Errorf("told %v", got)
			}
			e.pass(time.Hour)
			e.wantNoJobs()
		})
	}
}

// TestWhatIsDeliveredIsNotBookedAgain: a courier may be earlier than was promised, and what was to be looked at by the promised time is over
// then, also where the carrier has told of nothing but the end.
func TestWhatIsDeliveredIsNotBookedAgain(t *testing.T) {
	for _, end := range []shipping.Status{shipping.OrderDelivered, shipping.OrderUndeliverable} {
		t.Run(string(end), func(t *testing.T) {
			cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
			cheap.manifest.Abilities = append(cheap.manifest.Abilities, carrier.CanTrack)
			e := newEngine(t, cheap, dear)
			at := shipping.At(e.clock.Now().Add(20 * time.Minute))
			cheap.onBooked = func(_ context.Context, b *carrier.Booking) { b.Pickup = shipping.TimeWindow{StartsAt: at} }
			e.bundle = rulesOf(t, "rules: 1\nfallback:\n  - { name: Late, on: [ no_driver, pickup_late_10m, provider_down ], steps: [ next_ranked ] }\n")
			e.mustCreate("o")
			e.says("o", end, nil)
			if err := e.ProviderDown(context.Background(), "demo", "cheap"); err != nil {
				t.Fatal(err)
			}
			e.pass(2 * time.Hour)
			if sh := e.get("o"); sh.Status != end || len(sh.Attempts) != 1 {
				t.Errorf("the order is %s and has %d attempts, want %s and 1", sh.Status, len(sh.Attempts), end)
			}
		})
	}
}

// TestAnOutageMovesWhatIsNotPickedUp: the orders whose rules speak of it, where the booking can be cancelled.
func TestAnOutageMovesWhatIsNotPickedUp(t *testing.T) {
	cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	e.bundle = rulesOf(t, "rules: 1\nfallback:\n  - { name: Down, on: [ provider_down ], steps: [ next_ranked ] }\n")
	heeding := e.bundle
	e.Version = func(_, hash string) *rules.Bundle {
		if hash == heeding.Hash() {
			return heeding
		}
		return nil
	}
	e.mustCreate("moves")
	e.mustCreate("under-way")
	e.says("under-way", shipping.PickupCompleted, nil)
	e.bundle = rulesOf(t, "rules: 1\nname: silent\n")
	e.mustCreate("stays")
	if err := e.ProviderDown(context.Background(), "demo", "dear"); err != nil { // which has none of them
		t.Fatal(err)
	}
	e.wantNoJobs()
	if err := e.ProviderDown(context.Background(), "demo", "cheap"); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Minute)
	for id, want := range map[string]string{"moves": "dear", "under-way": "cheap", "stays": "cheap"} {
		if a := e.get(id).Live(shipment.Forward); a == nil || a.Account != want {
			t.Errorf("%s is live at %+v, want %s", id, a, want)
		}
	}
	if got := e.notes("moves", "FALLBACK"); len(got) == 0 || got[0] != "FALLBACK( Down: provider_down )" {
		t.Errorf("history %v", got)
	}
	e.wantNoJobs()
}

// TestACarrierThatIsDownWhenItIsToBook: a rule that speaks of that alone decides what follows; one that speaks of refusals goes before it, and a
// refusal that is about the order is none.
func TestACarrierThatIsDownWhenItIsToBook(t *testing.T) {
	const rule = "rules: 1\nfallback:\n  - { name: Down, on: [ provider_down ], steps: [ { notify: boss }, { use: dearest } ] }\n"
	for name, c := range map[string]struct {
		rules string
		code  carrier.Code
		want  string
		told  int
	}{
		"down":                          {rule, carrier.CarrierUnavailable, "dearest", 1},
		"breaker":                       {rule, carrier.BreakerOpen, "dearest", 1},
		"refused":                       {rule, carrier.CarrierRejected, "dear", 0},
		"a rule on refusals goes first": {rule + "  - { name: No, on: [ booking_failed ], steps: [ next_ranked ] }\n", carrier.CarrierUnavailable, "dear", 0},
	} {
		t.Run(name, func(t *testing.T) {
			cheap, dear, dearest := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900), newFake("dearest", "Dearest", 1200)
			e := newEngine(t, cheap, dear, dearest)
			e.bundle = rulesOf(t, c.rules)
			cheap.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(c.code) }
			e.mustCreate("o")
			e.wantLive("o", c.want)
			if cheap.quotes != 1 || dearest.quotes != 1 {
				t.Errorf("asked %d and %d times, want once", cheap.quotes, dearest.quotes)
			}
			if got := e.notes("o", "NOTIFY( boss: Down: provider_down )"); len(got) != c.told {
				t.Errorf("told %v", got)
			}
			e.wantNoJobs()
		})
	}
}

// TestRequoteNeverPassesAnExpiredOfferOver, while otherwise its carrier is asked anew.
func TestRequoteNeverPassesAnExpiredOfferOver(t *testing.T) {
	for requote, want := range map[string]string{"never": "dear", "expired": "cheap"} {
		t.Run(requote, func(t *testing.T) {
			cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
			e := newEngine(t, cheap, dear)
			e.bundle = rulesOf(t, fallbackRules("    steps: [ next_ranked ]\n    requote: "+requote+"\n"))
			expired := true
			cheap.onBook = func(carrier.BookRequest) (bool, error) {
				if expired {
					expired = false
					return false, refusal(carrier.QuoteExpired)
				}
				return true, nil
			}
			e.mustCreate("o")
			e.wantLive("o", want)
			if rounds := map[string]int{"never": 1, "expired": 2}[requote]; cheap.quotes != rounds || dear.quotes != rounds {
				t.Errorf("asked %d and %d times, want %d", cheap.quotes, dear.quotes, rounds)
			}
		})
	}
}

// TestNoticesStandOnce however often a round begins anew: what is committed with a booking is not told again with the next.
func TestNoticesStandOnce(t *testing.T) {
	a, b, c := newFake("a", "A", 500), newFake("b", "B", 900), newFake("c", "C", 1200)
	e := newEngine(t, a, b, c)
	e.bundle = rulesOf(t, fallbackRules("    steps: [ { notify: one }, next_ranked, { notify: two }, { hold_for: 30m }, { notify: three } ]\n"))
	refuses(a, true)
	refuses(c, true)
	once := true
	b.onBook = func(carrier.BookRequest) (bool, error) {
		code := carrier.CarrierUnavailable
		if once {
			code, once = carrier.QuoteExpired, false
		}
		return false, refusal(code)
	}
	if _, err := e.create("o"); err != nil {
		t.Fatal(err)
	}
	want := []string{"NOTIFY( one: Careful: booking_failed )", "NOTIFY( two: Careful: booking_failed )"}
	if got := e.notes("o", "NOTIFY"); !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	e.pass(time.Hour)
	if got := e.notes("o", "NOTIFY"); !slices.Equal(got, append(want, "NOTIFY( three: Careful: booking_failed )")) {
		t.Errorf("told %v", got)
	}
	e.wantStatusEnd("o", shipping.OrderFailed)
	e.wantNoJobs()
}
