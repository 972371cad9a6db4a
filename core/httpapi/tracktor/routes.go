package tracktor

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shop"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Shop is what the surface asks of shop.Service.
type Shop interface {
	Take(ctx context.Context, c usecase.Caller, d shop.Delivery) (fresh bool, err error)
	Order(ctx context.Context, c usecase.Caller, id int64) (shop.OrderView, error)
	Fulfilment(ctx context.Context, c usecase.Caller, id int64) (shop.FulfilmentView, error)
	SetStatus(ctx context.Context, c usecase.Caller, id int64, u shop.ManualUpdate) (shop.OrderView, error)
	Statuses(c usecase.Caller) []config.TracktorStatus
}

// Webhooks is what the surface asks of notify.Service.
type Webhooks interface {
	Subscribe(ctx context.Context, c usecase.Caller, n notify.NewSubscription) (*store.Subscription, error)
	Subscriptions(ctx context.Context, c usecase.Caller) ([]*store.Subscription, error)
	Subscription(ctx context.Context, c usecase.Caller, id string) (*store.Subscription, error)
	Unsubscribe(ctx context.Context, c usecase.Caller, id string) error
}

// Settings is what the surface works with. All members are required.
type Settings struct {
	Shop     Shop
	Webhooks Webhooks
	Config   func() *config.Config
	Log      hclog.Logger
}

type surface struct{ Settings }

const base = "/apps/tracktor/api/admin/{uuid}/"

// Mount mounts the surface, for clients and for the shop.
func Mount(r *httpapi.Router, settings Settings) {
	s := &surface{settings}
	r.Speak("/apps/tracktor/", dialect)
	handle := func(method, path string, h httpapi.Handler) { r.Handle(method, base+path, nil, s.ofTenant(h)) }
	handle(http.MethodGet, "fulfillments/{fulfillment_id}.json", s.fulfillment)
	handle(http.MethodGet, "orders/{order_id}.json", s.order)
	handle(http.MethodPost, "orders/{order_id}.json", s.update)
	handle(http.MethodGet, "status-options.json", s.options)
	handle(http.MethodGet, "webhooks.json", s.list)
	handle(http.MethodPost, "webhooks.json", s.create)
	handle(http.MethodDelete, "webhooks/{webhook_id}.json", s.remove)
	r.HandleOpen(http.MethodPost, "/apps/tracktor/shopify/{uuid}", s.shopify)
}

// dialect says refusals in this surface's shape.
var dialect = &httpapi.Dialect{
	Key: func(q *http.Request) (string, error) { return httpapi.KeyText(q), nil },
	Refuse: func(q *httpapi.Request, _ int, e *usecase.Error) httpapi.Answer {
		return httpapi.Answer{Body: showError(httpapi.BodyOf(e, q.ID))}
	},
}

// ofTenant lets a handler see requests only whose path names the key's own tenant. Others' shops are answered like those that there
// are not, so that no key can tell which there are.
func (s *surface) ofTenant(h httpapi.Handler) httpapi.Handler {
	return func(q *httpapi.Request) (httpapi.Answer, error) {
		t, err := s.tenant(q)
		if err != nil {
			return httpapi.Answer{}, err
		}
		if t.ID != q.Caller.Tenant {
			return httpapi.Answer{}, noShop()
		}
		return h(q)
	}
}

// tenant is whom the path names.
func (s *surface) tenant(q *httpapi.Request) (*config.Tenant, error) {
	if t := s.Config().TracktorTenant(variable(q, "uuid")); t != nil {
		return t, nil
	}
	return nil, noShop()
}

func noShop() error {
	return usecase.Failf(usecase.NotFound, "There is no shop of this uuid that the key opens: it is a tenant's id, or one of tracktor.aliases in its configuration.")
}

// variable is a part of the path, "" where it cannot be read.
func variable(q *httpapi.Request, name string) string {
	v, err := url.PathUnescape(mux.Vars(q.HTTP)[name])
	if err != nil {
		return ""
	}
	return v
}

// id is a number in the path. What is none names nothing.
func id(q *httpapi.Request, name, what string) (int64, error) {
	v, err := strconv.ParseInt(variable(q, name), 10, 64)
	if err != nil || v <= 0 {
		return 0, usecase.Failf(usecase.NotFound, "%s is not found: its id is a whole number.", what)
	}
	return v, nil
}

func (s *surface) fulfillment(q *httpapi.Request) (httpapi.Answer, error) {
	n, err := id(q, "fulfillment_id", "The fulfillment")
	if err != nil {
		return httpapi.Answer{}, err
	}
	v, err := s.Shop.Fulfilment(q.Context(), q.Caller, n)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: showFulfillment(v)}, nil
}

func (s *surface) order(q *httpapi.Request) (httpapi.Answer, error) {
	n, err := id(q, "order_id", "The order")
	if err != nil {
		return httpapi.Answer{}, err
	}
	v, err := s.Shop.Order(q.Context(), q.Caller, n)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: showOrder(v)}, nil
}

func (s *surface) update(q *httpapi.Request) (httpapi.Answer, error) {
	n, err := id(q, "order_id", "The order")
	if err != nil {
		return httpapi.Answer{}, err
	}
	var b updateBody
	if err := decode(q.Body, &b); err != nil {
		return httpapi.Answer{}, err
	}
	v, err := s.Shop.SetStatus(q.Context(), q.Caller, n, shop.ManualUpdate{Status: b.Status, Fulfilment: b.FulfillmentID, Automatic: b.IsAutomatic})
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: showOrder(v)}, nil
}

// decode reads a body, all its faults at once.
func decode(body []byte, v any) error {
	f, err := httpapi.Decode(body, v)
	if err != nil {
		return err
	}
	return invalid(f)
}

func invalid(f shipping.Faults) error {
	if len(f) == 0 {
		return nil
	}
	return usecase.Invalid(usecase.InvalidData, f)
}

func (s *surface) options(q *httpapi.Request) (httpapi.Answer, error) {
	custom := func(key string) bool {
		return !slices.ContainsFunc(config.TracktorBuiltIn, func(b config.TracktorStatus) bool { return b.Key == key })
	}
	return httpapi.Answer{Body: showOptions(s.Shop.Statuses(q.Caller), custom)}, nil
}
