package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The limits of one request that is sent until it is answered.
const (
	chaosTry    = 20 * time.Second // for one answer
	chaosAnswer = 10 * time.Minute // for any answer but a 5xx
)

// chaosEncore is how much longer orders are sent, at most, when there are failpoints that the engine has not died at.
const chaosEncore = 10 * time.Minute

// told is what a caller has asked of one order, and what it was told: the HTTP status of each request, 0 where it was not sent.
type told struct {
	body       []byte // of the create; nil for what was not created by a body
	edit       []byte // of the edit
	created    int
	id         string // that the create was answered with
	booked     string // the number that a create was answered with that was dispatched at once
	again      int    // the create sent again
	againID    string
	cancelled  int
	inDark     int // requests to cancel that were sent and not answered
	edited     int
	editInDark int  // requests to edit that were sent and not answered
	editDoubts bool // the edit was answered with the word that it is under way
	editMade   bool // it was answered with a refusal that names the order: it is made, and nobody would carry the order then
	retried    int
	delivered  int // the status set by hand
	erased     int
	carried    bool              // the carrier, or a driver, has delivered it
	driven     []shipping.Status // what the engine has taken note of from the merchant's own drivers
	drove      string            // the reference of the booking that they were at
	fell       shipping.Status   // at which it stood when the storm was over, and it was tried again; "" where a carrier had it
	gaveUp     string            // the reference of the booking that its carrier has given up
	number     string            // of a parcel of somebody else's
	pushed     int               // news of that parcel
	followed   int               // and a tracker of it
	forgot     int               // the removal of a tracker
	subscribed int               // the change of a webhook
	unanswered []string          // requests that were never answered but with 5xx
}

// truth is what all callers were told.
type truth struct {
	mu     sync.Mutex
	orders map[string]*told
}

func newTruth() *truth { return &truth{orders: map[string]*told{}} }

func (t *truth) note(id string, f func(*told)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.orders[id]
	if o == nil {
		o = &told{}
		t.orders[id] = o
	}
	f(o)
}

// awaits tells whether the carrier has delivered an order, or given it up, that does not know it.
func (t *truth) awaits(sh *shipment.Shipment) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.orders[sh.Order.ExternalID]
	if o == nil {
		return false
	}
	return o.carried && sh.Status != shipping.OrderDelivered ||
		slices.ContainsFunc(sh.Attempts, func(a shipment.Attempt) bool { return a.Live() && a.Reference == o.gaveUp })
}

// load sends the orders, spread over the span, and goes on with orders of the rarer fates while the engine has failpoints that it
// has not died at. It calls sent when all were sent: from then on nothing need be killed any more, as what is asked only waits to be done.
func (c *chaos) load(ctx context.Context, sent func()) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.clients)
	begun := time.Now()
	pace := c.span / time.Duration(c.orders)
	for i := range c.orders {
		if err := pauseFor(ctx, time.Until(begun.Add(pace*time.Duration(i)))); err != nil {
			return errors.Join(g.Wait(), err)
		}
		c.detour.hold(i < c.orders*3/4) // the rest of the time is for what shows of it in the storm
		g.Go(func() error { return c.order(ctx, i, drawFate) })
	}
	if err := c.encore(ctx, g, pace); err != nil {
		return errors.Join(g.Wait(), err)
	}
	sent()
	return g.Wait()
}

func (c *chaos) encore(ctx context.Context, g *errgroup.Group, pace time.Duration) error {
	if c.orders < pointsFrom {
		return nil
	}
	until := time.Now().Add(chaosEncore)
	c.targets.onlyMissing()
	for len(c.targets.missing()) > 0 && time.Now().Before(until) {
		i := c.orders + c.report.Encore
		c.report.Encore++
		g.Go(func() error { return c.order(ctx, i, drawRare) })
		if err := pauseFor(ctx, pace); err != nil {
			return err
		}
	}
	return nil
}

// order carries out everything that is asked of one order.
func (c *chaos) order(ctx context.Context, i int, draw func(*rand.Rand) *fate) error {
	rng := rand.New(rand.NewPCG(c.seed, uint64(i)+1))
	f := draw(rng)
	o := &sent{chaos: c, id: fmt.Sprintf("chaos-%06d", i), rng: rng, fate: f}
	c.truth.mu.Lock()
	c.report.Asked[f.name]++
	c.truth.mu.Unlock()
	o.body = fmt.Appendf(nil, chaosOrder, firstOf(f.location, chaosStore), o.id, firstOf(f.attributes, "{}"))
	g, ctx := errgroup.WithContext(ctx)
	created := make(chan struct{})
	g.Go(func() error {
		defer close(created)
		return o.create(ctx)
	})
	if f.meanwhile != nil {
		g.Go(func() error { return f.meanwhile(o, ctx) })
	}
	if f.then != nil {
		g.Go(func() error {
			<-created
			return f.then(o, ctx)
		})
	}
	return g.Wait()
}

// sent is one order that is sent.
type sent struct {
	*chaos
	id   string
	fate *fate
	body []byte
	rng  *rand.Rand
}

// chaosRetries is how often a merchant has an order tried again that nobody would carry.
const chaosRetries = 5

// create sends the order, and has it tried again where nobody would carry it just now, as a merchant does.
func (o *sent) create(ctx context.Context) error {
	a, err := o.answered(ctx, o.id, http.MethodPost, "/shipments", o.body, "Idempotency-Key", o.id)
	o.truth.note(o.id, func(t *told) {
		t.created, t.id, t.booked, t.body = a.status, idIn(a.answer), bookedIn(a.answer), o.body
	})
	if err != nil || o.fate.attributes != "" || o.fate.left || a.status != http.StatusAccepted && !(a.status == http.StatusUnprocessableEntity && idIn(a.answer) != "") {
		return err
	}
	for range chaosRetries {
		if failed, err := o.reaches(ctx, shipping.EstimatesFailed, shipping.OrderFailed); !failed {
			return err
		}
		if err := o.retry(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (o *sent) retry(ctx context.Context) error {
	code, err := o.insist(ctx, o.id, http.MethodPost, shipmentPath(o.id, "/retry"), nil)
	o.truth.note(o.id, func(t *told) { t.retried = code })
	return err
}

// later changes an order after a while. An order that is not there yet is waited for: its create is on its way.
func (o *sent) later(ctx context.Context, after time.Duration, method string, body []byte) (insisted, error) {
	until := time.Now().Add(chaosAnswer)
	inDark := 0
	for {
		if err := pauseFor(ctx, after); err != nil {
			return insisted{}, err
		}
		a, err := o.answered(ctx, o.id, method, shipmentPath(o.id), body)
		inDark += a.inDark
		a.inDark = inDark
		if err != nil || a.status != http.StatusNotFound || time.Now().After(until) {
			return a, err
		}
		after = 200 * time.Millisecond
	}
}

// settled tells whether a status is one that no dispatch leaves unless somebody asks for it.
func settled(s shipping.Status) bool {
	return s == shipping.OrderFailed || s == shipping.EstimatesFailed || shipment.StageOf(s) != shipment.BeforeDispatch
}

// reaches waits until the order stands at one of the statuses; false says that it has settled at another, or did not get there in
// time.
func (o *sent) reaches(ctx context.Context, wanted ...shipping.Status) (bool, error) {
	until := time.Now().Add(o.patience)
	for time.Now().Before(until) {
		var order struct {
			Status shipping.Status `json:"status"`
		}
		if o.api.get(ctx, shipmentPath(o.id), &order) == nil {
			if slices.Contains(wanted, order.Status) {
				return true, nil
			}
			if settled(order.Status) {
				return false, nil
			}
		}
		if err := pauseFor(ctx, 250*time.Millisecond); err != nil {
			return false, err
		}
	}
	return false, nil
}

// insist sends a request until it is answered, and returns the status.
func (c *chaos) insist(ctx context.Context, id, method, path string, body []byte, headers ...string) (status int, err error) {
	a, err := c.answered(ctx, id, method, path, body, headers...)
	return a.status, err
}

// idIn is the id of the stored order that an answer names, a refusal too; "" where it names none.
func idIn(a answer) string {
	var named struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(a.body, &named) != nil {
		return ""
	}
	return named.ID
}

// bookedIn is the number of the booking that a create was answered with; "" where the order was not dispatched then.
func bookedIn(a answer) string {
	if a.status != http.StatusCreated {
		return ""
	}
	return numberIn(a)
}

// numberIn is the number of the booking of the order that an answer shows, "" where it shows none.
func numberIn(a answer) string {
	var shown struct {
		TrackingID string `json:"trackingId"`
	}
	if json.Unmarshal(a.body, &shown) != nil {
		return ""
	}
	return shown.TrackingID
}

// insisted is the answer to a request, and how often it was sent before without any.
type insisted struct {
	answer
	inDark int
}

// answered sends a request until it is answered otherwise than by a fault of the machinery, and returns the answer. A request that is
// never answered is noted, and is no error of the run.
func (c *chaos) answered(ctx context.Context, id, method, path string, body []byte, headers ...string) (insisted, error) {
	until := time.Now().Add(chaosAnswer)
	for inDark := 0; ; inDark++ {
		tctx, stop := context.WithTimeout(ctx, chaosTry)
		a, err := c.api.do(tctx, method, path, body, headers...)
		stop()
		switch {
		case err == nil:
			return insisted{a, inDark}, nil
		case ctx.Err() != nil:
			return insisted{}, context.Cause(ctx)
		case a.status/100 == 4 && a.status != http.StatusTooManyRequests:
			return insisted{a, inDark}, nil
		case time.Now().After(until):
			c.truth.note(id, func(o *told) { o.unanswered = append(o.unanswered, method+" "+path+": "+err.Error()) })
			return insisted{}, nil
		}
		c.count(a.status)
		if err := pauseFor(ctx, 150*time.Millisecond); err != nil {
			return insisted{}, err
		}
	}
}

// count counts a request that had to be sent again, by what came instead of an answer.
func (c *chaos) count(status int) {
	what := "no connection"
	if status != 0 {
		what = strconv.Itoa(status)
	}
	c.truth.mu.Lock()
	defer c.truth.mu.Unlock()
	c.report.SentAgain[what]++
}
