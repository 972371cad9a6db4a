package dispatch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// tb is what a test and a property have in common.
type tb interface {
	Helper()
	Cleanup(func())
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// engine is dispatch on a real store, with a clock that the test moves and carriers that the test scripts.
type engine struct {
	*dispatch.Service
	t        tb
	store    *faultyStore
	clock    *clock.Manual
	carriers fakeCarriers
	config   *config.Config
	runner   *jobs.Runner
	bundle   *rules.Bundle
	who      usecase.Caller
}

var caller = usecase.Caller{Tenant: "demo", Key: "Default_Business_Key"}

func newEngine(t tb, carriers ...*fakeCarrier) *engine {
	t.Helper()
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return engineOn(t, &faultyStore{Store: st}, clock.NewManual(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)), carriers...)
}

// engineOn starts an engine over a store that an earlier one may have used.
func engineOn(t tb, st *faultyStore, clk *clock.Manual, carriers ...*fakeCarrier) *engine {
	t.Helper()
	e := &engine{t: t, store: st, clock: clk, carriers: fakeCarriers{}, bundle: rules.Default(), who: caller}
	lat, lng := 42.3452369, -71.0639399
	tenant := &config.Tenant{ID: "demo", Brand: "dummyaccount1", Currency: "USD", Accounts: map[string]*config.Account{},
		Locations: map[string]*config.Location{}, Packages: map[string]config.Preset{
			"small": {Size: size("6"), Weight: shipping.Weight{Value: shipping.MustDecimal("2"), Unit: "lb"}},
		}}
	tenant.Returns = config.Returns{Window: 30 * 24 * time.Hour, Exchanges: true,
		Reasons: []config.ReturnReason{{ID: "too_small", Text: "It is too small"}, {ID: "other", Text: "Another reason"}}}
	loc := &config.Location{ID: "7709", Name: "Boston", Zone: "America/New_York", ReturnLocation: "301",
		Address: shipping.Address{Street1: "345 Harrison Avenue", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US", Latitude: &lat, Longitude: &lng},
		Contact: shipping.Contact{Name: "asd", Phone: "+1 234-567-8900"}}
	back := *loc
	back.ID, back.Name, back.ReturnLocation = "301", "WareHouse 301", ""
	for _, f := range carriers {
		id := f.manifest.Name
		e.carriers[id] = f
		tenant.Accounts[id] = &config.Account{ID: id, Tenant: "demo", Adapter: id, Name: f.manifest.DisplayName + " account", Concurrency: 8}
		loc.Accounts = append(loc.Accounts, id)
	}
	tenant.Locations["7709"], tenant.Locations["301"] = loc, &back
	e.config = &config.Config{Tenants: map[string]*config.Tenant{"demo": tenant, "other": {ID: "other", Currency: "USD"}},
		Dispatch: config.Dispatch{AnswerWithin: 0, QuoteTimeout: 2 * time.Second, BookTimeout: 10 * time.Second, WatchFor: 7 * 24 * time.Hour, WatchEvery: 10 * time.Minute}}
	placer, err := geo.New(geo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(placer.Close)
	src := clock.Crypto(e.clock)
	e.Service = dispatch.New(dispatch.Settings{Store: st, Carriers: e.carriers, Placer: placer, Config: func() *config.Config { return e.config },
		Rules: func(string) *rules.Bundle { return e.bundle }, Clock: e.clock, Source: src, Log: hclog.NewNullLogger()})
	e.runner, err = jobs.New(jobs.Config{Store: st, Clock: e.clock, Source: src, Log: hclog.NewNullLogger(), Handlers: e.Handlers()})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func size(inches string) shipping.Size {
	d := shipping.MustDecimal(inches)
	return shipping.Size{Length: d, Width: d, Height: d, Unit: "in"}
}

// order is the seed's create, Boston 7709-001.
func order(id string) shipment.Order {
	lat, lng := 42.3346944, -71.071818
	sz := size("10")
	return shipment.Order{
		ExternalID: id, LocationID: "7709", Value: shipping.MustDecimal("10"),
		DeliveryContact: shipping.Contact{Name: "asd", Phone: "+1 234-567-8900"},
		DeliveryAddress: shipping.Address{Street1: "725 Albany Street", City: "Boston", State: "MA", CountryCode: "US", PostalCode: "02118", Latitude: &lat, Longitude: &lng},
		Packages:        []shipping.Parcel{{Name: "Solid", ItemQuantity: 1, Size: &sz, Weight: &shipping.Weight{Value: shipping.MustDecimal("10"), Unit: "lb"}}},
		Items:           []shipping.Item{{SKU: "sku 1", Quantity: 1, Title: "Watch", Price: shipping.MustDecimal("3"), SalePrice: shipping.MustDecimal("3")}},
	}
}

func (e *engine) create(id string, change ...func(*dispatch.CreateRequest)) (dispatch.Result, error) {
	r := dispatch.CreateRequest{Order: order(id)}
	for _, c := range change {
		c(&r)
	}
	return e.Create(context.Background(), e.who, r)
}

func (e *engine) mustCreate(id string, change ...func(*dispatch.CreateRequest)) *shipment.Shipment {
	e.t.Helper()
	res, err := e.create(id, change...)
	if err != nil {
		e.t.Fatalf("create %s: %v", id, err)
	}
	return res.Shipment
}

func (e *engine) get(id string) *shipment.Shipment {
	e.t.Helper()
	sh, err := e.Get(context.Background(), e.who, id)
	if err != nil {
		e.t.Fatalf("get %s: %v", id, err)
	}
	return sh
}

// setStatus moves an order as if its carrier had said so.
func (e *engine) setStatus(id string, to shipping.Status, note string) error {
	ctx := context.Background()
	sh, err := e.Get(ctx, e.who, id)
	if err != nil {
		return err
	}
	a := sh.Live(sh.Way())
	if a == nil || !slices.Contains(sh.ManualNext(), to) {
		return &usecase.Error{Type: usecase.InvalidOperation, Message: "not from " + string(sh.Status)}
	}
	return e.hear(id, shipment.Heard{Status: to, Note: note, User: a.Provider, Person: true})
}

// hear moves an order as its live booking is told of.
func (e *engine) hear(id string, h shipment.Heard) error {
	ctx := context.Background()
	sh, err := e.Get(ctx, e.who, id)
	if err != nil {
		return err
	}
	a := sh.Live(sh.Way())
	lines, over := sh.Follow(a.Number, []shipment.Heard{h}, e.clock.Now())
	tx := &store.Tx{Shipments: []*shipment.Shipment{sh}, Now: e.clock.Now()}
	for _, l := range lines {
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: l})
	}
	if over {
		tx.Usage = []store.UsageDelta{{Account: a.Account, Day: sh.Day(a.IntendedAt), Open: -1}}
	}
	return e.store.Commit(ctx, sh.Tenant, tx)
}

// put stores an order as it is.
func (e *engine) put(sh *shipment.Shipment) error {
	return e.store.Commit(context.Background(), sh.Tenant, &store.Tx{Shipments: []*shipment.Shipment{sh}, Now: e.clock.Now()})
}

// pass lets time go by in steps, doing what is due at each.
func (e *engine) pass(d time.Duration) {
	e.t.Helper()
	end := e.clock.Now().Add(d)
	for range 10_000 {
		if _, err := e.runner.RunDue(context.Background(), e.clock.Now()); err != nil {
			e.t.Fatalf("run due jobs: %v", err)
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
	e.t.Fatal("the jobs do not come to rest")
}

// statuses is the history as words.
func (e *engine) statuses(id string) []shipping.Status {
	e.t.Helper()
	_, h, err := e.History(context.Background(), e.who, id)
	if err != nil {
		e.t.Fatal(err)
	}
	var out []shipping.Status
	for i, c := range h {
		if c.Seq != i {
			e.t.Errorf("change %d of %s has number %d", i, id, c.Seq)
		}
		out = append(out, c.Status)
	}
	return out
}

func (e *engine) wantStatus(id string, want ...shipping.Status) {
	e.t.Helper()
	if got := e.statuses(id); !slices.Equal(got, want) {
		e.t.Errorf("history of %s = %v\nwant %v", id, got, want)
	}
	if sh := e.get(id); sh.Status != want[len(want)-1] {
		e.t.Errorf("status of %s = %s, history says %s", id, sh.Status, want[len(want)-1])
	}
}

// wantLive checks the promise: one live booking at this carrier, which the order knows, and none at the others.
func (e *engine) wantLive(id, account string) {
	e.t.Helper()
	sh := e.get(id)
	a := sh.Live(sh.Way())
	if account == "" {
		if a != nil {
			e.t.Errorf("order %s is live at %s", id, a.Account)
		}
	} else if a == nil || a.Account != account {
		e.t.Errorf("order %s is live as %+v, want at %s", id, a, account)
	}
	for name, f := range e.carriers {
		want := 0
		if name == account {
			want = 1
		}
		if got := f.live(); got != want {
			e.t.Errorf("carrier %s has %d live bookings, want %d", name, got, want)
		}
	}
}

// watchOut lets the time pass for which an absent booking is looked for.
func (e *engine) watchOut() {
	e.t.Helper()
	e.pass(e.config.Dispatch.WatchFor + longestLook)
}

// longestLook is beyond the pause between two looks.
const longestLook = 24 * time.Hour

// wantNoJobs checks that nothing is left to do.
func (e *engine) wantNoJobs() {
	e.t.Helper()
	if due, ok, err := e.runner.NextDue(context.Background()); err != nil || ok {
		e.t.Errorf("a job is left, due %v (%v)", due, err)
	}
}

func wantType(t *testing.T, err error, want usecase.Type) *usecase.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	e := usecase.AsError(err)
	if e.Type != want {
		t.Fatalf("error %v, want %s", err, want)
	}
	return e
}

func rulesOf(t tb, text string) *rules.Bundle {
	t.Helper()
	b, err := rules.Load([]rules.File{{Name: "test.rules.yaml", Data: []byte(text)}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
