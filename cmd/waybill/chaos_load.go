package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// The limits of one request that is sent until it is answered.
const (
	chaosTry    = 20 * time.Second // for one answer
	chaosAnswer = 2 * time.Minute  // for any answer but a 5xx
)

// told is what a caller was told about one order.
type told struct {
	created    int // HTTP status of the create
	cancelled  int // HTTP status of the cancellation; 0 where none was asked for
	edited     int
	retried    int
	unanswered []string // requests that were never answered but with 5xx
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

const chaosOrder = `{"locationExternalId":"7709","orderExternalId":%q,"orderValue":10,
"deliveryContact":{"name":"Ann","phone":"+1 617-555-0123"},
"deliveryAddress":{"street1":"725 Albany Street","city":"Boston","state":"MA","countryCode":"US","postalCode":"02118"},
"package":{"name":"box","size":{"length":10,"width":10,"height":10,"unit":"in"},"weight":{"value":5,"unit":"lb"},"itemQuantity":1},
"itemList":[{"sku":"sku 1","quantity":1,"price":3,"title":"Watch"}]}`

// chaosEdits change what we alone keep, what a carrier may be told of, and what takes another booking.
var chaosEdits = []string{
	`{"groupId":"g1","orderAttributes":{"chaos":true}}`,
	`{"deliveryInstructions":"Leave it with the neighbour"}`,
	`{"deliveryAddress":{"street1":"801 Albany Street","city":"Boston","state":"MA","countryCode":"US","postalCode":"02119"}}`,
}

// load sends the orders, spread over the span, and with a tenth of them a cancellation or an edit at a random moment.
func (c *chaos) load(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.clients)
	begun := time.Now()
	for i := range c.orders {
		due := begun.Add(c.span * time.Duration(i) / time.Duration(c.orders))
		if err := pauseFor(ctx, time.Until(due)); err != nil {
			break // the group knows why
		}
		g.Go(func() error { return c.order(ctx, i) })
	}
	return g.Wait()
}

// order carries out everything that is asked of one order.
func (c *chaos) order(ctx context.Context, i int) error {
	id := fmt.Sprintf("chaos-%06d", i)
	rng := rand.New(rand.NewPCG(c.seed, uint64(i)+1))
	g, ctx := errgroup.WithContext(ctx)
	body := fmt.Appendf(nil, chaosOrder, id)
	g.Go(func() error {
		code, stored, err := c.insist(ctx, id, http.MethodPost, "/shipments", body, "Idempotency-Key", id)
		c.truth.note(id, func(o *told) { o.created = code })
		if err != nil || code != http.StatusUnprocessableEntity || !stored {
			return err
		}
		// Nobody would carry it just now. A merchant tries again.
		code, _, err = c.insist(ctx, id, http.MethodPost, shipmentPath(id, "/retry"), nil)
		c.truth.note(id, func(o *told) { o.retried = code })
		return err
	})
	moment, chance := time.Duration(rng.Int64N(int64(3*time.Second))), rng.Float64()
	edit := chaosEdits[rng.IntN(len(chaosEdits))]
	switch {
	case chance < .05:
		g.Go(func() error {
			code, err := c.later(ctx, id, moment, http.MethodDelete, nil)
			c.truth.note(id, func(o *told) { o.cancelled = code })
			return err
		})
	case chance < .10:
		g.Go(func() error {
			code, err := c.later(ctx, id, moment, http.MethodPut, []byte(edit))
			c.truth.note(id, func(o *told) { o.edited = code })
			return err
		})
	case chance < .12: // the caller's own haste: the same create twice at once
		g.Go(func() error {
			_, _, err := c.insist(ctx, id, http.MethodPost, "/shipments", body, "Idempotency-Key", id)
			return err
		})
	}
	return g.Wait()
}

// later changes an order after a while. An order that is not there yet is waited for: its create is on its way.
func (c *chaos) later(ctx context.Context, id string, after time.Duration, method string, body []byte) (int, error) {
	until := time.Now().Add(chaosAnswer)
	for {
		if err := pauseFor(ctx, after); err != nil {
			return 0, err
		}
		code, _, err := c.insist(ctx, id, method, shipmentPath(id), body)
		if err != nil || code != http.StatusNotFound || time.Now().After(until) {
			return code, err
		}
		after = 200 * time.Millisecond
	}
}

// insist sends a request until it is answered otherwise than by a fault of the machinery, and returns the status; stored tells
// whether a refusal names a stored order. A request that is never answered is noted, and is no error of the run.
func (c *chaos) insist(ctx context.Context, id, method, path string, body []byte, headers ...string) (status int, stored bool, err error) {
	until := time.Now().Add(chaosAnswer)
	for {
		tctx, stop := context.WithTimeout(ctx, chaosTry)
		a, err := c.api.do(tctx, method, path, body, headers...)
		stop()
		refused, said := errors.AsType[*apiError](err)
		switch {
		case err == nil:
			return a.status, true, nil
		case ctx.Err() != nil:
			return 0, false, context.Cause(ctx)
		case said && refused.Status < 500 && refused.Status != http.StatusTooManyRequests:
			return refused.Status, refused.ID != "", nil
		case time.Now().After(until):
			c.truth.note(id, func(o *told) { o.unanswered = append(o.unanswered, method+" "+path+": "+err.Error()) })
			return 0, false, nil
		}
		c.count(a.status)
		if err := pauseFor(ctx, 150*time.Millisecond); err != nil {
			return 0, false, err
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
