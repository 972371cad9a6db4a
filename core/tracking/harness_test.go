package tracking_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/dgraph-io/ristretto/v2/z.(*AllocatorPool).freeupAllocators"),
		goleak.IgnoreAnyFunction("github.com/dgraph-io/badger/v4.(*DB).monitorCache"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

var start = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

var caller = usecase.Caller{Tenant: "demo", Key: "key"}

// fakeCarrier stands for an account at a carrier: it knows a timeline for each number.
type fakeCarrier struct {
	mu       sync.Mutex
	manifest carrier.Manifest
	updates  map[string]carrier.TrackUpdate // by number
	fail     func(carrier.TrackRequest) error
	asked    [][]string
	push     func(carrier.Push) (carrier.PushAnswer, error)
	agree    func(carrier.SubscribeRequest) (carrier.PushSubscription, error)
}

func newFake(abilities ...carrier.Ability) *fakeCarrier {
	if len(abilities) == 0 {
		abilities = []carrier.Ability{carrier.CanTrack, carrier.CanReceivePush}
	}
	return &fakeCarrier{manifest: carrier.Manifest{Name: "ups", DisplayName: "UPS", Abilities: abilities}, updates: map[string]carrier.TrackUpdate{}}
}

func (f *fakeCarrier) Manifest() (carrier.Manifest, bool) { return f.manifest, true }

func (f *fakeCarrier) Track(_ context.Context, r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var numbers []string
	var out []carrier.TrackUpdate
	for _, p := range r.Parcels {
		numbers = append(numbers, p.Number)
		u, ok := f.updates[p.Number]
		u.Number, u.Reference, u.Unknown = p.Number, p.Reference, !ok
		out = append(out, u)
	}
	f.asked = append(f.asked, numbers)
	if f.fail != nil {
		if err := f.fail(r); err != nil {
			return nil, err
		}
	}
	slices.Reverse(out) // the order of an answer means nothing
	return out, nil
}

func (f *fakeCarrier) ReceivePush(_ context.Context, p carrier.Push) (carrier.PushAnswer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.push(p)
}

func (f *fakeCarrier) SubscribePush(_ context.Context, r carrier.SubscribeRequest) (carrier.PushSubscription, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.agree(r)
}

// says adds events to what the carrier knows of a number.
func (f *fakeCarrier) says(number string, events ...shipping.TrackingEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.updates[number]
	u.Events = append(slices.Clone(u.Events), events...)
	f.updates[number] = u
}

func (f *fakeCarrier) set(change func(*fakeCarrier)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// calls returns what was asked so far, and forgets it.
func (f *fakeCarrier) calls() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return asked
}

type fakeCarriers map[[2]string]*fakeCarrier

func (f fakeCarriers) Account(tenant, id string) (tracking.Account, bool) {
	a, ok := f[[2]string{tenant, id}]
	return a, ok
}

// ear hears what is told.
type ear struct {
	mu   sync.Mutex
	told []string
}

func (e *ear) Shipment(ctx context.Context, tx *store.Tx, sh *shipment.Shipment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range tx.Changes {
		e.told = append(e.told, "shipment "+string(c.Status))
	}
}

func (e *ear) Tracker(_ context.Context, _ *store.Tx, _ *tracker.Tracker, entered []tracker.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range entered {
		e.told = append(e.told, "tracker "+string(ev.Status))
	}
}

// follower is tracking on a real store, with a clock that the test moves and a carrier that it scripts.
type follower struct {
	*tracking.Service
	t       testing.TB
	store   store.Store
	clock   *clock.Manual
	carrier *fakeCarrier
	rival   *fakeCarrier // of another tenant, under the same id
	config  *config.Config
	runner  *jobs.Runner
	ear     *ear
	serial  int
}

func newFollower(t testing.TB, abilities ...carrier.Ability) *follower {
	t.Helper()
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	e := &follower{t: t, store: st, clock: clock.NewManual(start), carrier: newFake(abilities...), rival: newFake(), ear: &ear{}}
	account := func(tenant string) *config.Tenant {
		return &config.Tenant{ID: tenant, Accounts: map[string]*config.Account{"ups": {ID: "ups", Tenant: tenant, Adapter: "ups", Name: "Our UPS"}}}
	}
	e.config = &config.Config{Tenants: map[string]*config.Tenant{"demo": account("demo"), "rival": account("rival")}, Tracking: config.Tracking{
		Waiting: 2 * time.Hour, Transit: 4 * time.Hour, Out: 20 * time.Minute, AtPoint: 6 * time.Hour, Trouble: 4 * time.Hour, Courier: 2 * time.Minute,
		NotFound: 2 * 24 * time.Hour, Silent: 5 * 24 * time.Hour, PerSecond: 1000, Park: 14 * 24 * time.Hour}}
	e.restart()
	return e
}

// restart begins with a new service over the same store.
func (e *follower) restart() {
	src := clock.Seeded(1, e.clock)
	e.Service = tracking.New(tracking.Settings{Store: e.store, Carriers: fakeCarriers{{"demo", "ups"}: e.carrier, {"rival", "ups"}: e.rival},
		Config: func() *config.Config { return e.config }, Clock: e.clock, Source: src, Log: hclog.NewNullLogger(), Teller: e.ear})
	var err error
	e.runner, err = jobs.New(jobs.Config{Store: e.store, Clock: e.clock, Source: src, Log: hclog.NewNullLogger(), Handlers: e.Handlers()})
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.Plan(context.Background()); err != nil {
		e.t.Fatal(err)
	}
}

// pass lets time go by, doing what is due at each moment.
func (e *follower) pass(d time.Duration) {
	e.t.Helper()
	end := e.clock.Now().Add(d)
	for {
		if _, err := e.runner.RunDue(context.Background(), e.clock.Now()); err != nil {
			e.t.Fatal(err)
		}
		next, ok, err := e.runner.NextDue(context.Background())
		if err != nil {
			e.t.Fatal(err)
		}
		if !ok || next.After(end) {
			e.clock.Set(end)
			return
		}
		if next.After(e.clock.Now()) {
			e.clock.Set(next)
		}
	}
}

func (e *follower) follow(number string, change ...func(*tracker.Tracker)) *tracker.Tracker {
	e.t.Helper()
	e.serial++
	t := &tracker.Tracker{Surface: tracker.OfAPI, Number: number, Account: "ups", Names: []string{tracker.Name("test", fmt.Sprint(e.serial))}}
	for _, c := range change {
		c(t)
	}
	got, created, err := e.Create(context.Background(), caller, tracking.CreateRequest{Tracker: t})
	if err != nil || !created {
		e.t.Fatalf("create: %v, %v", created, err)
	}
	return got
}

func (e *follower) tracker(id tracker.ID) *tracker.Tracker {
	e.t.Helper()
	t, err := e.Tracker(context.Background(), caller, id)
	if err != nil {
		e.t.Fatal(err)
	}
	return t
}

// book puts an order into the store that the carrier has, with its tracker, as dispatch does.
func (e *follower) book(id, mode string, numbers ...string) (*shipment.Shipment, *tracker.Tracker) {
	e.t.Helper()
	e.serial++
	now := e.clock.Now()
	sh := &shipment.Shipment{Schema: shipment.Schema, ID: shipment.ID(fmt.Sprintf("%024x", e.serial)), Tenant: "demo", Order: shipment.Order{ExternalID: id},
		Pickup: shipment.Place{ID: "1", Zone: "America/New_York"}, Status: shipping.OrderDispatched, CreatedAt: now, UpdatedAt: now}
	a := shipment.Attempt{Number: 1, Kind: shipment.Forward, State: shipment.Booked, Reference: fmt.Sprintf("%026d", e.serial), Account: "ups", Provider: "UPS",
		Quote: shipping.Quote{Mode: mode}, IntendedAt: now, Booking: &shipment.Booking{TrackingID: numbers[0]}}
	t := &tracker.Tracker{Schema: tracker.Schema, ID: tracker.ID(fmt.Sprintf("%024x", 1<<20+e.serial)), Tenant: "demo", Surface: tracker.OfShipment,
		Names: []string{tracker.Name("attempt", id)}, Number: numbers[0], Reference: a.Reference, Account: "ups", Shipment: sh.ID, Attempt: 1, Type: "shipping",
		Status: shipping.OrderDispatched, NextPoll: now, CreatedAt: now, UpdatedAt: now, Tags: []string{tracker.ReferenceTag(a.Reference), tracker.ShipmentTag(sh.ID)}}
	for _, n := range numbers {
		a.Booking.Parcels = append(a.Booking.Parcels, shipment.BookedParcel{Number: n})
		t.Follow(n)
	}
	if mode == "courier" {
		t.Type = "delivery"
	}
	sh.Attempts = []shipment.Attempt{a}
	err := e.store.Commit(context.Background(), "demo", &store.Tx{Shipments: []*shipment.Shipment{sh}, Trackers: []*tracker.Tracker{t}, Now: now,
		Usage: []store.UsageDelta{{Account: "ups", Day: sh.Day(now), Open: 1, Today: 1}}})
	if err != nil {
		e.t.Fatal(err)
	}
	return sh, t
}

func (e *follower) shipment(id shipment.ID) *shipment.Shipment {
	e.t.Helper()
	sh, err := e.store.Shipment(context.Background(), "demo", id)
	if err != nil {
		e.t.Fatal(err)
	}
	return sh
}

// history is that of an order as words; late lines begin with a question mark.
func (e *follower) history(id shipment.ID) []string {
	e.t.Helper()
	lines, err := e.store.History(context.Background(), "demo", id)
	if err != nil {
		e.t.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		w := string(l.Status)
		if l.SubStatus != "" {
			w += "/" + l.SubStatus
		}
		if l.Late {
			w = "?" + w
		}
		out = append(out, w)
	}
	return out
}

func (e *follower) wantHistory(id shipment.ID, want ...string) {
	e.t.Helper()
	if got := e.history(id); !slices.Equal(got, want) {
		e.t.Errorf("history = %v, want %v", got, want)
	}
}

func (e *follower) open() int {
	e.t.Helper()
	u, err := e.store.Usage(context.Background(), "demo", "ups", start.Format(time.DateOnly))
	if err != nil {
		e.t.Fatal(err)
	}
	return u.Open
}

// tell pushes an update to the account.
func (e *follower) tell(u carrier.TrackUpdate) error {
	e.t.Helper()
	secret, err := e.PushSecret(context.Background(), "demo", "ups")
	if err != nil {
		e.t.Fatal(err)
	}
	e.carrier.set(func(f *fakeCarrier) {
		f.push = func(carrier.Push) (carrier.PushAnswer, error) {
			return carrier.PushAnswer{Updates: []carrier.TrackUpdate{u}}, nil
		}
	})
	_, err = e.Push(context.Background(), "ups", secret, carrier.Push{Method: http.MethodPost})
	return err
}

func (e *follower) mustTell(u carrier.TrackUpdate) {
	e.t.Helper()
	if err := e.tell(u); err != nil {
		e.t.Fatal(err)
	}
}

// ev is an event some minutes after the start.
func ev(minute int, s shipping.Status, sub ...string) shipping.TrackingEvent {
	e := shipping.TrackingEvent{Time: shipping.At(start.Add(time.Duration(minute) * time.Minute)), ZoneKnown: true, CarrierCode: "C", CarrierWords: string(s), Status: s}
	if len(sub) > 0 {
		e.SubStatus = sub[0]
	}
	return e
}

func news(number string, events ...shipping.TrackingEvent) carrier.TrackUpdate {
	return carrier.TrackUpdate{Number: number, Events: events}
}

func wantType(t testing.TB, err error, want usecase.Type) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	if got := usecase.AsError(err).Type; got != want {
		t.Fatalf("error %v, want %s", err, want)
	}
}
