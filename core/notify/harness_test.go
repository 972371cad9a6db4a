package notify_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/dgraph-io/ristretto/v2/z.(*AllocatorPool).freeupAllocators"),
		goleak.IgnoreAnyFunction("github.com/dgraph-io/badger/v4.(*DB).monitorCache"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

var caller = usecase.Caller{Tenant: "shop", Key: "Default_Business_Key"}

var start = time.Date(2026, 3, 8, 9, 0, 0, 0, time.UTC)

// office is a Service on a real store, for one tenant, with a clock that the test moves.
type office struct {
	*notify.Service
	t       testing.TB
	store   store.Store
	clock   clock.Clock
	manual  *clock.Manual // nil where the clock is the real one
	config  *config.Config
	metrics *prometheus.Registry
	orders  map[string]*shipment.Shipment
}

// view is the JSON of a shipment here; the real one belongs to its surface.
func view(sh *shipment.Shipment, back []*shipment.Shipment) any {
	v := map[string]any{"id": sh.ID, "status": sh.Status, "orderExternalId": sh.Order.ExternalID}
	for _, r := range back {
		v["returnRequest"], v["returnStatus"], v["returnedBy"] = r.Order.ExternalID, r.Status, r.Order.DeliveryContact.Name
	}
	return v
}

type option func(*notify.Settings)

func newOffice(t testing.TB, opts ...option) *office {
	t.Helper()
	manual := clock.NewManual(start)
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true, Log: hclog.NewNullLogger(), Source: clock.Seeded(1, manual)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return officeOn(t, st, manual, manual, opts...)
}

func officeOn(t testing.TB, st store.Store, clk clock.Clock, manual *clock.Manual, opts ...option) *office {
	t.Helper()
	o := &office{t: t, store: st, clock: clk, manual: manual, metrics: prometheus.NewRegistry(), orders: map[string]*shipment.Shipment{}}
	o.config = &config.Config{Tenants: map[string]*config.Tenant{
		"shop":  {ID: "shop", Name: "Corner Shop", Notify: config.Notify{AllowPrivate: true, Alerts: config.Alerts{Locale: "en"}}},
		"rival": {ID: "rival", Name: "Rival"},
	}}
	s := notify.Settings{Store: st, Config: func() *config.Config { return o.config }, Clock: clk, Source: clock.Seeded(7, clk), Log: hclog.NewNullLogger(),
		ShowShipment: view, Registerer: o.metrics}
	for _, opt := range opts {
		opt(&s)
	}
	service, err := notify.New(s)
	if err != nil {
		t.Fatal(err)
	}
	o.Service = service
	return o
}

// happen moves an order to a status and commits that as use cases do.
func (o *office) happen(order string, status shipping.Status) {
	o.t.Helper()
	if err := o.tryHappen(order, status); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) tryHappen(order string, status shipping.Status) error {
	sh := o.orders[order]
	if sh == nil {
		sh = newShipment(order, o.clock.Now())
		o.orders[order] = sh
	}
	line := sh.Move(status, o.clock.Now(), "system", shipment.WithNote("OF( out for delivery )"))
	tx := &store.Tx{Now: o.clock.Now(), Shipments: []*shipment.Shipment{sh}, Changes: []store.Change{{Shipment: sh.ID, Change: line}}}
	o.Shipment(context.Background(), tx, sh)
	return o.store.Commit(context.Background(), "shop", tx)
}

func newShipment(order string, now time.Time) *shipment.Shipment {
	sz := shipping.Size{Length: shipping.MustDecimal("10"), Width: shipping.MustDecimal("10"), Height: shipping.MustDecimal("10"), Unit: "in"}
	locale := "fr-CA"
	return &shipment.Shipment{
		Schema: shipment.Schema, ID: shipment.ID(fmt.Sprintf("%024x", order)[:24]), Tenant: "shop", Currency: "USD", Brand: "dummyaccount1", CreatedAt: now, UpdatedAt: now,
		Pickup: shipment.Place{ID: "7709", Name: "Boston Harrison Avenue", Zone: "America/New_York", Instructions: "Ask at the desk",
			Address: shipping.Address{Street1: "345 Harrison Avenue", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US"},
			Contact: shipping.Contact{Name: "asd", Phone: "+1 234-567-8900"}},
		Order: shipment.Order{ExternalID: order, LocationID: "7709", Value: shipping.MustDecimal("10"), Locale: &locale,
			DeliveryContact: shipping.Contact{Name: "Ann Example", Phone: "+1 617-555-0123", Email: "ann@example.com"},
			DeliveryAddress: shipping.Address{Street1: "725 Albany Street", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US"},
			Packages:        []shipping.Parcel{{Name: "Solid", ItemQuantity: 1, Size: &sz, TemperatureControl: "refrigerated", Content: []string{"wine"}}},
			Items:           []shipping.Item{{SKU: "sku 1", Quantity: 1, Title: "Watch", Price: shipping.MustDecimal("3")}}},
		Attempts: []shipment.Attempt{{Number: 1, Kind: shipment.Forward, State: shipment.Booked, Account: "ups", Provider: "UPS", ServiceID: "ground",
			Fee: shipping.Money{Minor: 1133, Currency: "USD"}, Booking: &shipment.Booking{TrackingID: "1Z999AA10123456784", TrackingURL: "https://carrier.example/1Z",
				Amount: shipping.Money{Minor: 1034, Currency: "USD"}}}},
		Progress: shipment.Progress{EstimatedDelivery: shipping.TimeWindow{EndsAt: shipping.At(now.Add(6 * time.Hour))}},
	}
}

// subscribe creates a webhook of the tenant shop.
func (o *office) subscribe(url string, topics ...string) *store.Subscription {
	o.t.Helper()
	sub, err := o.Subscribe(context.Background(), caller, notify.NewSubscription{URL: url, Topics: topics})
	if err != nil {
		o.t.Fatal(err)
	}
	return sub
}

// due does what is due now, and returns how many requests that took.
func (o *office) due() int {
	o.t.Helper()
	n, err := o.RunDue(context.Background(), o.clock.Now())
	if err != nil {
		o.t.Fatal(err)
	}
	return n
}

// pass lets time go by from one due moment to the next.
func (o *office) pass(d time.Duration) {
	o.t.Helper()
	end := o.manual.Now().Add(d)
	for range 1000 {
		o.due()
		at, ok, err := o.NextDue(context.Background())
		if err != nil {
			o.t.Fatal(err)
		}
		if !ok || at.After(end) {
			o.manual.Set(end)
			return
		}
		if at.After(o.manual.Now()) {
			o.manual.Set(at)
		}
	}
	o.t.Fatal("deliveries do not come to rest")
}

func (o *office) deliveries(sub string, q store.DeliveryQuery) []store.Delivery {
	o.t.Helper()
	q.Subscription = sub
	page, err := o.Deliveries(context.Background(), caller, q)
	if err != nil {
		o.t.Fatal(err)
	}
	return page.Deliveries
}

func (o *office) get(sub string) *store.Subscription {
	o.t.Helper()
	s, err := o.Subscription(context.Background(), caller, sub)
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

// heard is a request that a subscriber got.
type heard struct {
	header http.Header
	body   []byte
}

// subscriber is somebody else's server on loopback. answer says what it answers; nil for 204.
type subscriber struct {
	*httptest.Server
	mu     sync.Mutex
	heard  []heard
	came   chan struct{} // one for each request
	answer http.HandlerFunc
}

func newSubscriber(t testing.TB, answer http.HandlerFunc) *subscriber {
	t.Helper()
	s := &subscriber{came: make(chan struct{}, 10_000), answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.heard = append(s.heard, heard{q.Header.Clone(), b})
		answer := s.answer
		s.mu.Unlock()
		s.came <- struct{}{}
		if answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, q)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *subscriber) all() []heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]heard(nil), s.heard...)
}

func (s *subscriber) say(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// with answers a status.
func with(status int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
	}
}

// metric is the value of a counter with a label.
func (o *office) metric(name, label, value string) float64 {
	o.t.Helper()
	families, err := o.metrics.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}
