package notify_test

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// overtaken is a store in which something happens just after somebody has asked what is due and found some.
type overtaken struct {
	store.Store
	found atomic.Pointer[func()]
	ill   atomic.Bool // the next who reads messages hears of it
}

func (s *overtaken) DeliveriesDue(ctx context.Context, tenant, sub string, now time.Time, limit int) ([]store.Delivery, time.Time, error) {
	due, next, err := s.Store.DeliveriesDue(ctx, tenant, sub, now, limit)
	if len(due) > 0 && err == nil {
		if f := s.found.Swap(nil); f != nil {
			(*f)()
		}
	}
	return due, next, err
}

func (s *overtaken) MessageLog(ctx context.Context, tenant string, after uint64, limit int) ([]store.Message, error) {
	if s.ill.Swap(false) {
		return nil, store.ErrUnavailable
	}
	return s.Store.MessageLog(ctx, tenant, after, limit)
}

// waitingFor runs a service whose first messages, of the orders a and b, have failed and wait. It returns when each is due, with the
// reader at rest until the first is.
func waitingFor(t *testing.T) (o *office, st *overtaken, s *subscriber, a, b time.Time) {
	t.Helper()
	manual := clock.NewManual(start)
	inner, err := badgerstore.Open(badgerstore.Config{InMemory: true, Log: hclog.NewNullLogger(), Source: clock.Seeded(1, manual)})
	if err != nil {
		t.Fatal(err)
	}
	st = &overtaken{Store: inner}
	o = officeOn(t, st, manual, manual)
	o.runs(inner.Close)
	s = newSubscriber(t, with(http.StatusServiceUnavailable))
	sub := o.subscribe(s.URL)
	for _, order := range []string{"a", "b"} {
		o.happen(order, shipping.OrderDelivered)
		<-s.came
		manual.Advance(2 * time.Second)
	}
	var list []store.Delivery
	o.until("two deliveries wait", func() bool {
		list = o.deliveries(sub.ID, store.DeliveryQuery{State: store.DeliveryWaiting})
		return len(list) == 2
	})
	a, b = list[0].Due, list[1].Due
	if b.Before(a) {
		a, b = b, a
	}
	o.restsUntil(a)
	s.say(nil)
	return o, st, s, a, b
}

// until looks until it is so, and not for ever.
func (o *office) until(what string, so func() bool) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute) // reached only where the test fails
	defer cancel()
	for !so() {
		if ctx.Err() != nil {
			o.t.Fatalf("%s: it does not come to that", what)
		}
		runtime.Gosched()
	}
}

// restsUntil waits until nothing happens before at, when somebody wakes.
func (o *office) restsUntil(at time.Time) {
	o.t.Helper()
	o.until("the reader sleeps until "+at.String(), func() bool {
		next, ok := o.manual.NextTimer()
		return ok && next.Equal(at)
	})
}

// TestWhatIsErasedAsItFallsDueHoldsNobodyUp: the reader knows all the same when the next is due.
func TestWhatIsErasedAsItFallsDueHoldsNobodyUp(t *testing.T) {
	o, st, s, a, b := waitingFor(t)
	erased := func() { o.erase("a") }
	st.found.Store(&erased)
	o.manual.Set(a)
	o.restsUntil(b)
	o.manual.Set(b)
	<-s.came
	if n := len(s.all()); n != 3 {
		t.Errorf("%d requests, want two that failed and one of the order that is left", n)
	}
}

// TestWhatFallsDueAsTheStoreIsIllIsLookedForAgain: it need not wait until the next is due.
func TestWhatFallsDueAsTheStoreIsIllIsLookedForAgain(t *testing.T) {
	o, st, s, a, _ := waitingFor(t)
	ill := func() { st.ill.Store(true) }
	st.found.Store(&ill)
	o.manual.Set(a)
	again := a.Add(time.Second)
	o.restsUntil(again)
	o.manual.Set(again)
	o.until("the first is told", func() bool { return len(s.all()) == 3 })
}
