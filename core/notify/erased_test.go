package notify_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// interposed is a store in which something happens just before deliveries are committed, or just after a message was looked at.
type interposed struct {
	store.Store
	commit func()
	looked func()
}

func (s *interposed) Commit(ctx context.Context, tenant string, tx *store.Tx) error {
	if f := s.commit; f != nil && len(tx.Deliveries) > 0 {
		s.commit = nil
		f()
	}
	return s.Store.Commit(ctx, tenant, tx)
}

func (s *interposed) MessageLog(ctx context.Context, tenant string, after uint64, limit int) ([]store.Message, error) {
	list, err := s.Store.MessageLog(ctx, tenant, after, limit)
	if f := s.looked; f != nil && limit == 1 {
		s.looked = nil
		f()
	}
	return list, err
}

func newInterposed(t *testing.T) (*office, *interposed) {
	t.Helper()
	manual := clock.NewManual(start)
	inner, err := badgerstore.Open(badgerstore.Config{InMemory: true, Log: hclog.NewNullLogger(), Source: clock.Seeded(1, manual)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := inner.Close(); err != nil {
			t.Error(err)
		}
	})
	st := &interposed{Store: inner}
	return officeOn(t, st, manual, manual), st
}

// erase does to an order what dispatch does.
func (o *office) erase(order string) {
	o.t.Helper()
	if err := o.store.Commit(context.Background(), "shop", &store.Tx{Now: o.clock.Now(), Erase: []shipment.ID{o.orders[order].ID}}); err != nil {
		o.t.Error(err)
	}
}

// wantBare fails where a row of the log holds what was sent or answered.
func wantBare(t *testing.T, d store.Delivery) {
	t.Helper()
	for _, try := range d.Tries {
		if len(try.RequestBody)+len(try.ResponseBody)+len(try.RequestHeader)+len(try.ResponseHeader)+len(try.Error) != 0 {
			t.Errorf("the log still holds %+v", try)
		}
	}
}

func TestWhatIsErasedBeforeItsDeliveryIsWrittenIsNotKept(t *testing.T) {
	o, st := newInterposed(t)
	s := newSubscriber(t, nil)
	sub := o.subscribe(s.URL)
	o.happen("a", shipping.OrderDelivered)
	st.commit = func() { o.erase("a") }
	o.due()
	d := o.deliveries(sub.ID, store.DeliveryQuery{})
	if len(s.all()) != 1 || len(d) != 1 || d[0].State != store.DeliveryDelivered || d[0].Tries[0].Status != http.StatusNoContent {
		t.Fatalf("%d requests, and the log has %+v", len(s.all()), d)
	}
	wantBare(t, d[0])
	o.erase("a")
	if d := o.deliveries(sub.ID, store.DeliveryQuery{}); len(d) != 0 {
		t.Errorf("erased once more, the log has %+v", d)
	}
}

func TestWhatIsErasedInItsLaneIsNotSent(t *testing.T) {
	o := newOffice(t)
	s := newSubscriber(t, func(w http.ResponseWriter, _ *http.Request) {
		o.erase("b")
		w.WriteHeader(http.StatusNoContent)
	})
	sub := o.subscribe(s.URL)
	o.happen("a", shipping.OrderDelivered)
	o.happen("b", shipping.OrderDelivered)
	o.due()
	if d := o.deliveries(sub.ID, store.DeliveryQuery{}); len(s.all()) != 1 || len(d) != 1 || d[0].Subject != store.ShipmentSubject(string(o.orders["a"].ID)) {
		t.Errorf("%d requests, and the log has %+v", len(s.all()), d)
	}
}

func TestWhatIsErasedWhileTheConnectionIsMadeIsNotSent(t *testing.T) {
	o, st := newInterposed(t)
	s := newSubscriber(t, nil)
	sub := o.subscribe(s.URL)
	o.happen("a", shipping.OrderDelivered)
	st.looked = func() { o.erase("a") }
	o.due()
	if d := o.deliveries(sub.ID, store.DeliveryQuery{}); len(s.all()) != 0 || len(d) != 0 || st.looked != nil {
		t.Errorf("%d requests, and the log has %+v", len(s.all()), d)
	}
	o.happen("b", shipping.OrderDelivered)
	o.due()
	if len(s.all()) != 1 {
		t.Errorf("%d requests after the next order", len(s.all()))
	}
}

// TestWhatIsErasedWhileItWaitsIsNotMadeDueAgain: the order is erased between the look at what waits behind a delivery and its commit.
func TestWhatIsErasedWhileItWaitsIsNotMadeDueAgain(t *testing.T) {
	o, st := newInterposed(t)
	s := newSubscriber(t, with(http.StatusServiceUnavailable))
	sub := o.subscribe(s.URL)
	o.happen("a", shipping.OrderDispatched)
	o.due()
	o.happen("a", shipping.OrderDelivered)
	st.commit = func() { o.erase("a") }
	o.due()
	for _, d := range o.deliveries(sub.ID, store.DeliveryQuery{}) {
		wantBare(t, d)
		if d.State == store.DeliveryWaiting {
			t.Errorf("a delivery of the erased waits: %+v", d)
		}
	}
}

func TestWhatIsErasedWhileTheMailServerIsReachedIsNotSent(t *testing.T) {
	o, st := newInterposed(t)
	s := newMailServer(t)
	o.byMail(s, "ORDER_DELIVERED")
	o.due() // plans the alerts
	o.happen("a", shipping.OrderDelivered)
	st.looked = func() { o.erase("a") }
	o.due()
	if n := len(s.all(t)); n != 0 || st.looked != nil {
		t.Errorf("%d mails about what was erased", n)
	}
	o.happen("b", shipping.OrderDelivered)
	o.due()
	if n := len(s.all(t)); n != 1 {
		t.Errorf("%d mails about the next order", n)
	}
}
