package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// running starts Run on the real clock, and ends it with the test.
func running(t *testing.T, opts ...option) *office {
	t.Helper()
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	o := officeOn(t, st, clock.Real(), nil, opts...)
	o.runs(st.Close)
	return o
}

// runs starts Run, and ends it with the test, and then what it rests on.
func (o *office) runs(closeStore func() error) {
	o.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	o.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			o.t.Error(err)
		}
		if err := closeStore(); err != nil {
			o.t.Error(err)
		}
	})
}

// hanging never answers until the test ends, and counts how many requests it has held at once.
func hanging(t *testing.T) (s *subscriber, most *atomic.Int64) {
	t.Helper()
	release := make(chan struct{})
	var held atomic.Int64
	most = new(atomic.Int64)
	s = newSubscriber(t, func(_ http.ResponseWriter, q *http.Request) {
		defer held.Add(-1)
		for n, was := held.Add(1), most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		select {
		case <-release:
		case <-q.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	return s, most
}

// TestHangingSubscribersDoNotSlowAGoodOne: fifty of them hold all that they can get, and everything still reaches the good one.
func TestHangingSubscribersDoNotSlowAGoodOne(t *testing.T) {
	good := newSubscriber(t, nil) // before the others: it is closed after them
	o := running(t)
	bad, most := hanging(t)
	for range 50 {
		o.subscribe(bad.URL)
	}
	o.subscribe(good.URL)
	const each = 2 // requests that one who has never answered may have at once
	for i := range 100 {
		o.happen(fmt.Sprint("order-", i), shipping.OrderDispatched)
	}
	for range 50 * each { // every hanging one has got as many as it may have at once
		<-bad.came
	}
	for i := range 100 {
		o.happen(fmt.Sprint("order-", i), shipping.OrderDelivered)
	}
	for range 200 {
		<-good.came
	}
	if n := most.Load(); n > 50*each { // not how many have come: on a busy machine the first are given up and tried again
		t.Errorf("hanging subscribers had %d requests at once, want at most %d", n, 50*each)
	}
	if order := firstOutOfOrder(good.all()); order != "" {
		t.Errorf("%s came in the wrong order", order)
	}
}

// slowToWrite is a store that holds back what is written of deliveries until the gate is closed.
type slowToWrite struct {
	notify.Store
	held chan struct{} // receives one for each commit that is held
	gate chan struct{}
}

func (s *slowToWrite) Commit(ctx context.Context, tenant string, tx *store.Tx) error {
	if len(tx.Deliveries) > 0 {
		s.held <- struct{}{}
		<-s.gate
	}
	return s.Store.Commit(ctx, tenant, tx)
}

// TestNewsDoNotWaitForWhatIsWrittenOfOthers: an event waits for its own commit, and not for that of another's delivery. What is told of
// one order stays in its order all the same, and each is told once.
func TestNewsDoNotWaitForWhatIsWrittenOfOthers(t *testing.T) {
	good := newSubscriber(t, nil)
	slow := &slowToWrite{held: make(chan struct{}, 100), gate: make(chan struct{})}
	open := sync.OnceFunc(func() { close(slow.gate) })
	o := running(t, func(s *notify.Settings) {
		slow.Store = s.Store
		s.Store = slow
	})
	t.Cleanup(open) // before Run is ended, which writes what is left
	o.subscribe(good.URL)
	o.happen("order-1", shipping.OrderDispatched)
	<-good.came
	<-slow.held
	for i := 2; i <= 5; i++ { // while the first is being written
		o.happen(fmt.Sprint("order-", i), shipping.OrderDispatched)
		<-good.came
	}
	for i := 1; i <= 5; i++ {
		o.happen(fmt.Sprint("order-", i), shipping.OrderDelivered)
	}
	open()
	for range 5 {
		<-good.came
	}
	all := good.all()
	if first := firstOutOfOrder(all); first != "" || len(all) != 10 {
		t.Errorf("%d were told, want 10; out of order: %q", len(all), first)
	}
}

// firstOutOfOrder names a subject whose messages came in another order than that of their numbers.
func firstOutOfOrder(list []heard) string {
	last := map[string]int{}
	for _, h := range list {
		id := h.header.Get("webhook-id")
		var seq int
		subject := id[:len("msg_shipment_")+24]
		if _, err := fmt.Sscanf(id[len(subject):], "_%d", &seq); err != nil || seq < last[subject] {
			return id
		}
		last[subject] = seq
	}
	return ""
}

// TestARunningNodeHearsOfSubscriptions: one that comes while it runs, and one that is removed.
func TestARunningNodeHearsOfSubscriptions(t *testing.T) {
	first, second := newSubscriber(t, nil), newSubscriber(t, nil)
	o := running(t)
	one := o.subscribe(first.URL)
	o.happen("a", shipping.OrderDispatched)
	<-first.came
	o.subscribe(second.URL)
	if err := o.Unsubscribe(t.Context(), caller, one.ID); err != nil {
		t.Fatal(err)
	}
	o.happen("a", shipping.OrderDelivered)
	<-second.came
	if got := topics(t, second.all()); !slices.Equal(got, []string{"shipment.order_delivered"}) {
		t.Errorf("told %v", got)
	}
}

// TestWhatAShapeLeavesOutHoldsNothingUp: messages without words are settled while an earlier one is under way, more of them than a
// reader takes at once; what comes after them is told.
func TestWhatAShapeLeavesOutHoldsNothingUp(t *testing.T) {
	deliveredOnly := func(told notify.Told) (notify.Rendered, bool, error) {
		return notify.Rendered{Body: []byte("{}")}, told.Message.Topic == "shipment.order_delivered", nil
	}
	release := make(chan struct{})
	s := newSubscriber(t, func(http.ResponseWriter, *http.Request) { <-release })
	o := running(t, func(s *notify.Settings) { s.Shapes = map[string]notify.Shape{notify.ShapeTracktor: deliveredOnly} })
	sub, err := o.Subscribe(t.Context(), caller, notify.NewSubscription{URL: s.URL, Topics: []string{"*"}, Shape: notify.ShapeTracktor})
	if err != nil {
		t.Fatal(err)
	}
	o.happen("first", shipping.OrderDelivered)
	<-s.came
	for i := range 200 {
		o.happen(fmt.Sprint("silent-", i), shipping.OrderDispatched)
	}
	close(release)
	o.happen("last", shipping.OrderDelivered)
	select {
	case <-s.came:
	case <-time.After(time.Minute): // reached only where the test fails
		at, err := o.store.ReadUpTo(t.Context(), "shop", sub.ID)
		t.Fatalf("the last message is not told; the cursor stands at %d, %v", at, err)
	}
}

// TestTopicsThatComeLaterTellWhatComesLater: what was passed over is not told when more topics are asked for.
func TestTopicsThatComeLaterTellWhatComesLater(t *testing.T) {
	s := newSubscriber(t, nil)
	o := running(t)
	sub := o.subscribe(s.URL, "shipment.order_delivered")
	for i := range 10 {
		o.happen(fmt.Sprint("early-", i), shipping.OrderDispatched)
	}
	o.happen("early", shipping.OrderDelivered)
	<-s.came
	topics := []string{"shipment.*"}
	if _, err := o.Update(t.Context(), caller, sub.ID, notify.Change{Topics: &topics}); err != nil {
		t.Fatal(err)
	}
	o.happen("late", shipping.OrderDelivered)
	<-s.came
	if got := len(s.all()); got != 2 {
		t.Errorf("told %d messages, want the two deliveries", got)
	}
}

// brittle is a store that a crash can come to: from then on nothing is written.
type brittle struct {
	store.Store
	dead    atomic.Bool
	commits atomic.Int64
	dieAt   int64 // how manieth commit of deliveries is not written any more; 0 for never
}

var errDead = errors.New("the process is dead")

func (b *brittle) Commit(ctx context.Context, tenant string, tx *store.Tx) error {
	if len(tx.Deliveries) > 0 && b.dieAt > 0 && b.commits.Add(1) == b.dieAt {
		b.dead.Store(true)
	}
	if b.dead.Load() {
		return errDead
	}
	return b.Store.Commit(ctx, tenant, tx)
}

// TestEverythingIsToldAtLeastOnceInOrder lets the process die after requests and before their outcome is written, lets subscribers
// fail, and holds what was heard against what happened.
func TestEverythingIsToldAtLeastOnceInOrder(t *testing.T) {
	manual := clock.NewManual(start)
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	worlds := 0
	rapid.Check(t, func(r *rapid.T) {
		worlds++ // each has its own orders
		fails := map[int]bool{}
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, 30), 0, 6).Draw(r, "failing requests") {
			fails[n] = true
		}
		var asked atomic.Int64
		s := newSubscriber(t, func(w http.ResponseWriter, _ *http.Request) {
			if fails[int(asked.Add(1))] {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		defer s.Close()
		alive := &brittle{Store: st}
		o := officeOn(t, alive, manual, manual)
		sub := o.subscribe(s.URL)
		happened := map[string]bool{}
		statuses := []shipping.Status{shipping.OrderDispatched, shipping.PickupCompleted, shipping.OutForDelivery, shipping.OrderDelivered}
		for range rapid.IntRange(1, 5).Draw(r, "lives") {
			for range rapid.IntRange(1, 6).Draw(r, "events") {
				order := fmt.Sprint(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "order"), worlds)
				o.happen(order, statuses[rapid.IntRange(0, 3).Draw(r, "status")])
				sh := o.orders[order]
				happened[fmt.Sprintf("msg_shipment_%s_%d", sh.ID, sh.Changes)] = true
			}
			alive.dieAt = int64(rapid.IntRange(0, 3).Draw(r, "dies at"))
			alive.commits.Store(0)
			if _, err := o.RunDue(context.Background(), manual.Now()); err != nil && !errors.Is(err, errDead) {
				t.Fatal(err)
			}
			orders := o.orders
			alive = &brittle{Store: st}
			o = officeOn(t, alive, manual, manual)
			o.orders = orders
		}
		for range 6 {
			o.pass(30 * time.Minute)
		}
		for _, h := range s.all() {
			delete(happened, h.header.Get("webhook-id"))
		}
		if len(happened) > 0 {
			r.Errorf("never told: %v", happened)
		}
		if w := o.deliveries(sub.ID, store.DeliveryQuery{State: store.DeliveryWaiting}); len(w) > 0 {
			r.Errorf("still waiting: %+v", w)
		}
		if err := firstTimesInOrder(s.all()); err != nil {
			r.Error(err)
		}
		if err := o.Unsubscribe(context.Background(), caller, sub.ID); err != nil {
			t.Fatal(err)
		}
	})
}

// firstTimesInOrder holds the first time that each message was heard against the order of its subject; later times are repetitions.
func firstTimesInOrder(list []heard) error {
	var first []heard
	seen := map[string]bool{}
	for _, h := range list {
		if id := h.header.Get("webhook-id"); !seen[id] {
			seen[id] = true
			first = append(first, h)
		}
	}
	if id := firstOutOfOrder(first); id != "" {
		return fmt.Errorf("%s was heard before an earlier one", id)
	}
	return nil
}
