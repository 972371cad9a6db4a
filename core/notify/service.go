package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracking"
)

// Store is what notify needs of a store.Store.
type Store interface {
	Commit(ctx context.Context, tenant string, tx *store.Tx) error
	Shipment(ctx context.Context, tenant string, id shipment.ID) (*shipment.Shipment, error)
	ShipmentByExternalID(ctx context.Context, tenant, externalID string) (*shipment.Shipment, error)
	store.Outbox
}

// Pages are where buyers follow what is on its way; "" where the tenant has no such pages.
type Pages interface {
	ShipmentPage(sh *shipment.Shipment) string
	TrackerPage(t *tracker.Tracker) string
}

// Settings is what a Service works with. All members are required but ShowTracker, Pages, Shapes, Resolve and Registerer.
type Settings struct {
	Store  Store
	Config func() *config.Config
	Clock  clock.Clock
	Source clock.Source
	Log    hclog.Logger
	// ShowShipment and ShowTracker give the JSON of the Shipping Order and Tracker API for the shape waybill. Where ShowTracker is
	// nil, that shape has no words for trackers. back are the returns of what is shown, oldest first.
	ShowShipment func(sh *shipment.Shipment, back []*shipment.Shipment) any
	ShowTracker  func(t *tracker.Tracker, back []*shipment.Shipment) any
	// Pages are where messages to buyers lead, and what the shape delivery_solutions links to; nil for the carriers' own pages alone.
	Pages Pages
	// Shapes are those of other surfaces, by name.
	Shapes map[string]Shape
	// Resolve looks up a name before a subscription is created; nil for the machine's resolver.
	Resolve    func(ctx context.Context, host string) ([]netip.Addr, error)
	Registerer prometheus.Registerer
}

// Service tells everybody. It keeps nothing that a crash may not take.
type Service struct {
	Settings
	shapes    map[string]Shape
	interest  *interest
	metrics   *metrics
	client    *clients
	templates templates
	changed   chan struct{}        // subscriptions have changed
	failing   map[string]time.Time // since when, between two calls of RunDue, by subscription
}

var _ tracking.Teller = (*Service)(nil)

// New checks s and fills in what is not set. It starts nothing.
func New(s Settings) (*Service, error) {
	if s.Store == nil || s.Config == nil || s.Clock == nil || s.Source == nil || s.Log == nil || s.ShowShipment == nil {
		return nil, errors.New("notify: Store, Config, Clock, Source, Log and ShowShipment are required")
	}
	if s.Resolve == nil {
		s.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	words, err := builtIn()
	if err != nil {
		return nil, err
	}
	service := &Service{Settings: s, interest: newInterest(), metrics: newMetrics(s.Registerer), client: newClients(), templates: words,
		changed: make(chan struct{}, 1), failing: map[string]time.Time{}}
	service.shapes = map[string]Shape{ShapeWaybill: service.waybill, ShapeDeliverySolutions: service.deliverySolutions}
	for name := range s.Shapes {
		if _, taken := service.shapes[name]; taken || isAlert(name) {
			return nil, fmt.Errorf("notify: the shape %q is built in and cannot be replaced", name)
		}
	}
	maps.Copy(service.shapes, s.Shapes)
	return service, nil
}

// shipmentPage is where the buyer follows an order, nil where the tenant has no pages.
func (s *Service) shipmentPage(sh *shipment.Shipment) *string {
	if s.Pages == nil {
		return nil
	}
	return orNull(s.Pages.ShipmentPage(sh))
}

// trackerPage is likewise that of a tracker.
func (s *Service) trackerPage(t *tracker.Tracker) *string {
	if s.Pages == nil {
		return nil
	}
	return orNull(s.Pages.TrackerPage(t))
}

// Reload makes Run look at the configuration, which has changed.
func (s *Service) Reload() { s.poke() }

// poke makes Run look for subscriptions that have changed.
func (s *Service) poke() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
