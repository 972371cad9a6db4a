// Package portal is the page on which a buyer follows a delivery: /track/{token}. It needs no key: whoever has the link may look, and
// nobody can guess a link. It is written on the server and reads without JavaScript; with it, it updates by itself. It shows what
// somebody who waits for a delivery needs, and nothing of other people's orders.
package portal

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
)

// Reader is what the page reads: what was committed. Every store.Store is one.
type Reader interface {
	Shipment(ctx context.Context, tenant string, id shipment.ID) (*shipment.Shipment, error)
	History(ctx context.Context, tenant string, id shipment.ID) ([]shipment.Change, error)
	ListShipments(ctx context.Context, tenant string, q store.ShipmentQuery) (store.ShipmentPage, error)
	Tracker(ctx context.Context, tenant string, id tracker.ID) (*tracker.Tracker, error)
	TrackersByTag(ctx context.Context, tenant, tag string, limit int) ([]*tracker.Tracker, error)
}

// Settings is what the pages work with. All members are required but Returns and ReturnCode.
type Settings struct {
	Reader Reader
	Config func() *config.Config
	Clock  clock.Clock
	Log    hclog.Logger
	Secret []byte // of the tokens: whoever knows it can make links
	// Returns leads to where the buyer may give an order back that was delivered; "" where that is not possible. nil: nowhere is.
	Returns func(sh *shipment.Shipment, t *tracker.Tracker) string
	// ReturnCode leads to the picture of a code with which a return is handed in; "" where there is none. nil: there is none at all.
	ReturnCode func(sh *shipment.Shipment) string
	// MaxStreams bounds how many open pages are kept up to date at once; 0 for 2000. The others say that they must be reloaded.
	MaxStreams int
}

// Pages are the pages of all tenants.
type Pages struct {
	Settings
	live *live
}

// New returns the pages. Open ones are kept up to date while Run runs.
func New(s Settings) *Pages {
	if s.MaxStreams == 0 {
		s.MaxStreams = 2000
	}
	p := &Pages{Settings: s}
	p.live = newLive(s.Clock, s.Log, s.MaxStreams, p.version)
	return p
}

// Mount mounts the pages.
func (p *Pages) Mount(r *httpapi.Router) {
	r.HandleOpen(http.MethodGet, "/track/{token}", p.page)
	r.HandleRaw(http.MethodGet, "/track/{token}/events", http.HandlerFunc(p.events))
}

// Run keeps open pages up to date until ctx ends, and then ends what they wait for.
func (p *Pages) Run(ctx context.Context) error { return p.live.run(ctx) }

// ShipmentPage is where the buyer follows an order; "" where the tenant has no pages.
func (p *Pages) ShipmentPage(sh *shipment.Shipment) string {
	return p.link(ref{ofShipment, string(sh.ID), sh.Tenant})
}

// TrackerPage is where the buyer follows a tracker; "" where the tenant has no pages.
func (p *Pages) TrackerPage(t *tracker.Tracker) string {
	return p.link(ref{ofTracker, string(t.ID), t.Tenant})
}

// ShipmentReturns is where the buyer of an order sends something back; "" where that is not possible on a page.
func (p *Pages) ShipmentReturns(sh *shipment.Shipment) string {
	if p.Returns == nil {
		return ""
	}
	return p.Returns(sh, nil)
}

// TrackerReturns is likewise that of what a tracker has followed.
func (p *Pages) TrackerReturns(t *tracker.Tracker) string {
	if p.Returns == nil {
		return ""
	}
	return p.Returns(nil, t)
}

// ReturnCode is the picture of a code with which a return is handed in; "" where there is none, and for what is no return.
func (p *Pages) ReturnCode(sh *shipment.Shipment) string {
	if p.Settings.ReturnCode == nil {
		return ""
	}
	return p.Settings.ReturnCode(sh)
}

func (p *Pages) link(r ref) string {
	cfg := p.Config()
	if t := cfg.Tenants[r.tenant]; t == nil || !t.Portal.Enabled {
		return ""
	}
	token := seal(p.Secret, r)
	if token == "" {
		return ""
	}
	return cfg.Server.PublicURL + "/track/" + token
}

// asked returns what a request's token leads to, with its tenant; ok is false where it leads nowhere.
func (p *Pages) asked(q *http.Request) (r ref, t *config.Tenant, ok bool) {
	token, err := url.PathUnescape(mux.Vars(q)["token"])
	if err != nil {
		return ref{}, nil, false
	}
	if r, ok = unseal(p.Secret, token); !ok {
		return ref{}, nil, false
	}
	t = p.Config().Tenants[r.tenant]
	return r, t, t != nil && t.Portal.Enabled
}

// page answers the page itself, always as a page.
func (p *Pages) page(q *httpapi.Request) (httpapi.Answer, error) {
	accept := q.HTTP.Header.Get("Accept-Language")
	r, tenant, ok := p.asked(q.HTTP)
	if !ok {
		return plain(http.StatusNotFound, "notfound", accept)
	}
	d, err := p.load(q.Context(), r)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return plain(http.StatusNotFound, "notfound", accept)
	case err != nil:
		p.Log.Error("page could not be read", "request_id", q.ID, "tenant", r.tenant, "err", err)
		return plain(http.StatusInternalServerError, "failed", accept)
	}
	return p.write(tenant, d, accept)
}
