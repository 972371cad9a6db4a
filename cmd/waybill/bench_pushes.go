package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
)

// deliveryToCome are DoorDash's words for what happens to a delivery while the bench runs.
var deliveryToCome = []string{"DASHER_CONFIRMED_PICKUP_ARRIVAL", "DASHER_PICKED_UP", "DASHER_ENROUTE_TO_DROPOFF", "DASHER_CONFIRMED_DROPOFF_ARRIVAL",
	"DASHER_DROPPED_OFF"}

// pushes is how a carrier tells of deliveries: of all in turns, what happens first to each, then what happens next.
type pushes struct {
	first, deliveries int
	begun             time.Time
}

// one is what the carrier sends as number i.
func (p pushes) one(i int) []byte {
	step, delivery := i/p.deliveries, p.first+i%p.deliveries
	return fmt.Appendf(nil, `{"created_at":%q,"event_name":%q,"external_delivery_id":%q,"cancellation_reason":null,"client":"Bench Direct",`+
		`"contactless_dropoff":false,"currency":"USD","dasher_dropoff_phone_number":"+15555550100","dasher_id":1234567,"dasher_location":{"lat":42.34,"lng":-71.07},`+
		`"dasher_name":"Bea B","dasher_pickup_phone_number":"+15555550100","dasher_vehicle_make":"Toyota","dasher_vehicle_model":"Prius","dasher_vehicle_year":"2014",`+
		`"dropoff_address":"725 Albany Street, Boston, MA 02118","dropoff_phone_number":"+16175550123","dropoff_time_estimated":%q,"fee":975,"order_value":1000,`+
		`"pickup_address":"345 Harrison Avenue, Boston, MA 02118","pickup_phone_number":"+12345678900","pickup_time_estimated":%q,"support_reference":%q,"tip":0,`+
		`"tracking_url":"https://www.doordash.com/orders/track?id=%s"}`,
		p.begun.Add(time.Duration(step+1)*time.Second).Format(time.RFC3339), deliveryToCome[step], deliveryReference(delivery),
		p.begun.Add(time.Hour).Format(time.RFC3339), p.begun.Add(time.Minute).Format(time.RFC3339), deliveryNumber(delivery), deliveryNumber(delivery))
}

// send sends n pushes over many connections.
func (p pushes) send(ctx context.Context, address string, clients, n int) (*loadResult, error) {
	r, err := load(ctx, address, clients, n, func(c *caller, i int) (string, error) {
		status, answer, err := c.send(http.MethodPost, benchPush, "Authorization: "+benchAuthorization, p.one(i))
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("push %d was answered %d: %s", i, status, answer)
		}
		return "", err
	})
	if err == nil {
		err = r.firstFail
	}
	return r, err
}

// bare is what pushes cost without the engine.
type bare struct{ http, commits float64 } // a second

// ofPushes tells the deliveries that pushes are about: the first of all, which are polled last.
func (b *benchFollow) ofPushes() pushes {
	of := max(1, (b.pushes+len(deliveryToCome)-1)/len(deliveryToCome))
	return pushes{deliveries: min(of, max(1, b.table.Trackers/2)), begun: b.begun}
}

func (b *benchFollow) barePushes(ctx context.Context) (bare, error) {
	b.say("floors of pushes: HTTP, commits")
	var found bare
	address, stop, err := serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	if err != nil {
		return found, err
	}
	p := b.ofPushes()
	r, err := p.send(ctx, address, b.clients, min(b.pushes, p.deliveries*len(deliveryToCome)))
	if err = errors.Join(err, stop()); err != nil {
		return found, err
	}
	found.http = r.perSecond()
	st, err := badgerstore.Open(badgerstore.Config{Dir: filepath.Join(b.dir, "bare")})
	if err != nil {
		return found, err
	}
	var n atomic.Int64
	found.commits, err = rate(b.clients, b.stretch, func(int) func() error {
		return func() error {
			tx := &store.Tx{Now: b.begun}
			putDelivery(tx, int(n.Add(1)), b.begun)
			tx.Changes = tx.Changes[:1]
			return st.Commit(ctx, "bench", tx)
		}
	})
	return found, errors.Join(err, st.Close())
}

// push measures how many pushes an engine takes in.
func (b *benchFollow) push(ctx context.Context, engine *child, bare bare) error {
	p := b.ofPushes()
	n := min(b.pushes, p.deliveries*len(deliveryToCome))
	b.say("%d pushes about %d deliveries", n, p.deliveries)
	warm := pushes{first: p.deliveries, deliveries: min(warmUp, b.table.Trackers-p.deliveries), begun: b.begun}
	if _, err := warm.send(ctx, engine.address, b.clients, warm.deliveries); err != nil {
		return err
	}
	before, err := b.used(engine)
	if err != nil {
		return err
	}
	r, err := p.send(ctx, engine.address, b.clients, n)
	if err != nil {
		return err
	}
	after, err := b.used(engine)
	if err != nil {
		return err
	}
	if err := b.arrived(ctx, engine.address, n/p.deliveries, p.deliveries); err != nil {
		return err
	}
	name := fmt.Sprintf("pushes taken in, %d connections", b.clients)
	b.table.add(name, "/s", r.perSecond()).over(bare.http, "net/http that reads the same body and answers").expect(r.perSecond() >= wantPushes, "≥ %d", wantPushes)
	b.table.add(name+", beside commits", "/s", r.perSecond()).over(bare.commits, "bare commits of an order and its tracker, as many writers")
	b.table.add("p50 of a push", "ms", millis(quantile(r.latencies, 0.5)))
	b.table.add("p99 of a push", "ms", millis(quantile(r.latencies, 0.99)))
	per := func(d time.Duration) float64 { return micros(d) / float64(n) }
	b.table.add("processor time a push: engine", "µs", per(after.engine-before.engine))
	b.table.add("processor time a push: adapter", "µs", per(after.adapter-before.adapter))
	b.table.add("processor time a push: carrier", "µs", per(after.clients-before.clients))
	return nil
}

// arrived looks at some of the orders: what was acknowledged must have moved them.
func (b *benchFollow) arrived(ctx context.Context, address string, steps, deliveries int) error {
	if steps < len(deliveryToCome) {
		return nil // not every delivery was brought to its end
	}
	c, err := dialCaller(ctx, address)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for i := 0; i < deliveries; i += max(1, deliveries/20) {
		var order struct {
			Status string `json:"status"`
		}
		if err := c.get(fmt.Sprintf("/shipments/bench-%d", i), &order); err != nil {
			return err
		}
		if order.Status != "ORDER_DELIVERED" {
			return fmt.Errorf("all pushes about order bench-%d were acknowledged, and it is %s", i, order.Status)
		}
	}
	return nil
}
