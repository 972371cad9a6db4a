// Package shop follows what a web shop sends. The shop tells its orders and their fulfilments; each fulfilment becomes a tracker, so
// that its carrier is asked and may push, and each order a tracker without a number, which only keeps what the shop has said. From
// the timelines the package finds in which of the shop's statuses each fulfilment and each order is, and tells those who asked.
//
// Telling is done by a job: the transaction in which a fulfilment learns something puts the job of its order, and the job compares
// what the fulfilments have come to with what was told last. So nothing is told twice or forgotten, whoever dies, and an order whose
// fulfilments move at the same moment is told as delivered once.
package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
)

// Store is what shop needs of a store.Store.
type Store interface {
	Commit(ctx context.Context, tenant string, tx *store.Tx) error
	TrackerByName(ctx context.Context, tenant, name string) (*tracker.Tracker, error)
	TrackersByTag(ctx context.Context, tenant, tag string, limit int) ([]*tracker.Tracker, error)
	IdempotencyKey(ctx context.Context, tenant, key string, now time.Time) (store.IdempotencyKey, error)
}

// Messages puts what is to be told into a transaction.
type Messages interface {
	Tell(tx *store.Tx, tenant string, e notify.Event)
}

// Settings is what a Service works with. All members are required.
type Settings struct {
	Store    Store
	Tracking tracking.UseCases
	Messages Messages
	Config   func() *config.Config
	Clock    clock.Clock
	Log      hclog.Logger
}

// Service carries out the use cases. It keeps nothing.
type Service struct{ Settings }

// New returns a Service. It starts nothing.
func New(s Settings) *Service { return &Service{Settings: s} }

// JobSettle is the kind of the job that tells what the fulfilments of one order have come to.
const JobSettle = "shop"

// Handlers returns the handlers of the jobs that this package puts.
func (s *Service) Handlers() map[string]jobs.Handler {
	return map[string]jobs.Handler{JobSettle: s.runSettle}
}

// Teller stands before the Teller of all others, and puts the job of the order where a fulfilment has learnt something.
type Teller struct {
	Next  tracking.Teller
	Clock clock.Clock
}

var _ tracking.Teller = Teller{}

// Shipment implements tracking.Teller.
func (t Teller) Shipment(ctx context.Context, tx *store.Tx, sh *shipment.Shipment) {
	t.Next.Shipment(ctx, tx, sh)
}

// Tracker implements tracking.Teller.
func (t Teller) Tracker(ctx context.Context, tx *store.Tx, tr *tracker.Tracker, entered []tracker.Event) {
	switch tr.Surface {
	case tracker.OfTracktor:
		tx.PutJobs = append(tx.PutJobs, settleJob(tr.Tenant, orderOf(tr), t.Clock.Now()))
	case tracker.OfShop:
	default:
		t.Next.Tracker(ctx, tx, tr, entered)
	}
}

func settleJob(tenant string, order int64, now time.Time) store.Job {
	key := JobSettle + "/" + text(order)
	return store.Job{ID: key, Tenant: tenant, Kind: JobSettle, Key: key, Due: now, Payload: []byte(text(order))}
}

func (s *Service) runSettle(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	order, err := strconv.ParseInt(string(j.Payload), 10, 64)
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("job of an order: %w", err)
	}
	if s.Config().Tenants[j.Tenant] == nil { // nobody is left to be told
		return jobs.Done(), nil
	}
	return jobs.Done(), s.settle(ctx, j.Tenant, order, nil)
}

// The names and tags of trackers here.
const (
	kindOrder      = tracker.KindShopOrder
	kindFulfilment = "shop_fulfilment"
)

func orderTag(order int64) string { return kindOrder + ":" + text(order) }

// orderOf is the id of the order that a fulfilment's tracker belongs to.
func orderOf(t *tracker.Tracker) int64 { return idIn(t.Tags, kindOrder) }

// idOf is the shop's id of what a tracker stands for.
func idOf(t *tracker.Tracker) int64 {
	if t.Surface == tracker.OfShop {
		return idIn(t.Names, kindOrder)
	}
	return idIn(t.Names, kindFulfilment)
}

func idIn(list []string, kind string) int64 {
	for _, n := range list {
		if id, ok := strings.CutPrefix(n, kind+":"); ok {
			if i, err := strconv.ParseInt(id, 10, 64); err == nil {
				return i
			}
		}
	}
	return 0
}

func text(id int64) string { return strconv.FormatInt(id, 10) }

// maxFulfilments is how many fulfilments of one order are looked at.
const maxFulfilments = 100

// parcel is a fulfilment with its tracker.
type parcel struct {
	t   *tracker.Tracker
	doc fulfilmentDoc
}

// order is an order with its tracker, nil as long as the shop has told its fulfilments only, and with these, oldest first.
type order struct {
	id      int64
	tenant  *config.Tenant
	t       *tracker.Tracker
	doc     orderDoc
	parcels []*parcel
}

// load reads an order.
func (s *Service) load(ctx context.Context, tenant string, id int64) (*order, error) {
	o := &order{id: id, tenant: s.Config().Tenants[tenant]}
	if o.tenant == nil {
		return nil, fmt.Errorf("tenant %q is not in the configuration", tenant)
	}
	t, err := s.Store.TrackerByName(ctx, tenant, tracker.Name(kindOrder, text(id)))
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("read order %d: %w", id, err)
	default:
		o.t = t
		if o.doc, err = read[orderDoc](t); err != nil {
			return nil, err
		}
	}
	found, err := s.Store.TrackersByTag(ctx, tenant, orderTag(id), maxFulfilments)
	if err != nil {
		return nil, fmt.Errorf("read the fulfilments of order %d: %w", id, err)
	}
	for _, t := range found {
		doc, err := read[fulfilmentDoc](t)
		if err != nil {
			return nil, err
		}
		if !doc.Cancelled {
			o.parcels = append(o.parcels, &parcel{t: t, doc: doc})
		}
	}
	slices.SortStableFunc(o.parcels, func(a, b *parcel) int {
		return cmp.Or(a.doc.CreatedAt.Compare(b.doc.CreatedAt), cmp.Compare(idOf(a.t), idOf(b.t)))
	})
	return o, nil
}

// Order returns an order with its fulfilments, as they are now.
func (s *Service) Order(ctx context.Context, c usecase.Caller, id int64) (OrderView, error) {
	o, err := s.load(ctx, c.Tenant, id)
	if err != nil {
		return OrderView{}, refusal(err)
	}
	if o.t == nil {
		return OrderView{}, usecase.Failf(usecase.NotFound, "Order %d is not found. Orders come here by the shop's webhooks.", id)
	}
	return o.view(s.Clock.Now(), nil), nil
}

// Fulfilment returns a fulfilment as it is now. It may be there before its order is; what the order says is then empty.
func (s *Service) Fulfilment(ctx context.Context, c usecase.Caller, id int64) (FulfilmentView, error) {
	t, err := s.Store.TrackerByName(ctx, c.Tenant, tracker.Name(kindFulfilment, text(id)))
	if errors.Is(err, store.ErrNotFound) {
		return FulfilmentView{}, usecase.Failf(usecase.NotFound, "Fulfillment %d is not found. Fulfillments come here by the shop's webhooks.", id)
	}
	if err != nil {
		return FulfilmentView{}, refusal(err)
	}
	o, err := s.load(ctx, c.Tenant, orderOf(t))
	if err != nil {
		return FulfilmentView{}, refusal(err)
	}
	doc, err := read[fulfilmentDoc](t)
	if err != nil {
		return FulfilmentView{}, refusal(err)
	}
	p := &parcel{t: t, doc: doc} // a cancelled one is not among the order's
	return o.viewOf(p, p.present(catalogueOf(o.tenant))), nil
}

// Find returns the tracker by which what an id of the shop means is followed: an order, else a fulfilment. Of an order that the shop has
// not told yet it is its first fulfilment.
func (s *Service) Find(ctx context.Context, c usecase.Caller, id string) (*tracker.Tracker, error) {
	for _, kind := range []string{kindOrder, kindFulfilment} {
		t, err := s.Store.TrackerByName(ctx, c.Tenant, tracker.Name(kind, id))
		if err == nil {
			return t, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, refusal(err)
		}
	}
	of, err := s.Store.TrackersByTag(ctx, c.Tenant, tracker.Name(kindOrder, id), 1)
	if err != nil {
		return nil, refusal(err)
	}
	if len(of) == 0 {
		return nil, usecase.Failf(usecase.NotFound, "The shop has told neither an order nor a fulfillment %s.", id)
	}
	return of[0], nil
}

// Statuses returns the statuses that a tenant's shop has, in their order.
func (s *Service) Statuses(c usecase.Caller) []config.TracktorStatus {
	t := s.Config().Tenants[c.Tenant]
	if t == nil {
		return nil
	}
	return t.Tracktor.AllStatuses()
}

// refusal words an error for the caller.
func refusal(err error) error {
	e := usecase.AsError(err)
	if errors.Is(err, store.ErrUnavailable) {
		e.Message = "The store cannot be used at the moment; nothing was changed. Try again later."
	}
	return e
}
