package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// topics are the types of what was heard, in order.
func topics(t *testing.T, list []heard) []string {
	t.Helper()
	var out []string
	for _, h := range list {
		var b struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(h.body, &b); err != nil {
			t.Fatalf("%v: %s", err, h.body)
		}
		out = append(out, b.Type)
	}
	return out
}

func TestEventsAreToldSignedAndInOrder(t *testing.T) {
	o, s := newOffice(t), newSubscriber(t, nil)
	sub := o.subscribe(s.URL)
	o.happen("a", shipping.OrderDispatched)
	o.happen("a", shipping.OutForDelivery)
	o.happen("a", shipping.OrderDelivered)
	if n := o.due(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
	if n := o.metric("waybill_notify_tries_total", "outcome", "delivered"); n != 3 {
		t.Errorf("the metric counts %v delivered", n)
	}
	list := s.all()
	if got := topics(t, list); !slices.Equal(got, []string{"shipment.order_dispatched", "shipment.out_for_delivery", "shipment.order_delivered"}) {
		t.Errorf("told %v", got)
	}
	w, err := standardwebhooks.NewWebhook(sub.Signing[0].Secret)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, h := range list {
		if err := w.VerifyIgnoringTimestamp(h.body, h.header); err != nil {
			t.Errorf("signature: %v", err)
		}
		ids[h.header.Get("webhook-id")] = true
		if h.header.Get("webhook-timestamp") != "1772960400" || h.header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", h.header)
		}
	}
	if len(ids) != 3 {
		t.Errorf("ids %v are not one each", ids)
	}
	if o.due() != 0 {
		t.Error("it is told again")
	}
	for _, d := range o.deliveries(sub.ID, store.DeliveryQuery{}) {
		if d.State != store.DeliveryDelivered || len(d.Tries) != 1 || d.Tries[0].Status != 204 || !bytes.Contains(d.Tries[0].RequestBody, []byte(`"orderExternalId":"a"`)) {
			t.Errorf("the log of deliveries says %+v", d)
		}
	}
}

func TestNobodyAsksNothingIsWritten(t *testing.T) {
	o, s := newOffice(t), newSubscriber(t, nil)
	o.due()
	o.happen("a", shipping.OrderDispatched)
	if end, err := o.store.LogEnd(t.Context(), "shop"); err != nil || end != 0 {
		t.Errorf("the log ends at %d, %v", end, err)
	}
	sub := o.subscribe(s.URL, "shipment.order_delivered")
	o.happen("a", shipping.OutForDelivery)
	o.happen("a", shipping.OrderDelivered)
	o.due()
	if got := topics(t, s.all()); !slices.Equal(got, []string{"shipment.order_delivered"}) {
		t.Errorf("told %v", got)
	}
	if err := o.Unsubscribe(t.Context(), caller, sub.ID); err != nil {
		t.Fatal(err)
	}
	end, err := o.store.LogEnd(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	o.happen("b", shipping.OrderDelivered)
	if after, err := o.store.LogEnd(t.Context(), "shop"); err != nil || after != end {
		t.Errorf("the log went on to %d from %d, %v", after, end, err)
	}
}

func TestErasureIsNoNews(t *testing.T) {
	o := newOffice(t)
	sh := newShipment("a", start)
	tx := &store.Tx{Erase: []shipment.ID{sh.ID}, Changes: []store.Change{{Shipment: sh.ID, Change: shipment.Change{Status: shipping.OrderDelivered}}}}
	if o.Shipment(context.Background(), tx, sh); len(tx.Messages) != 0 {
		t.Errorf("an erasure is told: %+v", tx.Messages)
	}
}

// TestFailuresAreTriedAgainWithTheSameBytes: also after the shipment has moved on, in order for the order, and not for others.
func TestFailuresAreTriedAgainWithTheSameBytes(t *testing.T) {
	o, s := newOffice(t), newSubscriber(t, nil)
	sub := o.subscribe(s.URL)
	s.say(with(http.StatusServiceUnavailable))
	o.happen("a", shipping.OrderDispatched)
	o.due()
	s.say(nil)
	o.happen("a", shipping.OutForDelivery) // waits for the first
	o.happen("b", shipping.OrderDispatched)
	o.due()
	list := s.all()
	if got := topics(t, list); !slices.Equal(got, []string{"shipment.order_dispatched", "shipment.order_dispatched"}) || bytes.Equal(list[0].body, list[1].body) {
		t.Fatalf("told %v", got)
	}
	o.pass(6 * time.Second)
	list = s.all()
	if got := topics(t, list)[2:]; !slices.Equal(got, []string{"shipment.order_dispatched", "shipment.out_for_delivery"}) {
		t.Fatalf("told %v", got)
	}
	if !bytes.Equal(list[0].body, list[2].body) || list[0].header.Get("webhook-id") != list[2].header.Get("webhook-id") {
		t.Errorf("the second try differs:\n%s\n%s", list[0].body, list[2].body)
	}
	if list[0].header.Get("webhook-signature") == list[2].header.Get("webhook-signature") {
		t.Error("the signature of the second try covers the time of the first")
	}
	d := o.deliveries(sub.ID, store.DeliveryQuery{Subject: store.ShipmentSubject(string(o.orders["a"].ID))})
	if len(d) != 2 || d[1].Tried != 2 || d[1].Tries[0].Status != 503 || d[1].Tries[0].Error == "" || d[1].State != store.DeliveryDelivered {
		t.Errorf("the log of deliveries says %+v", d)
	}
}

// TestOrderIsKeptForAMinuteOnly: what will not be tried within a minute is not waited for.
func TestOrderIsKeptForAMinuteOnly(t *testing.T) {
	o, s := newOffice(t), newSubscriber(t, nil)
	sub := o.subscribe(s.URL)
	s.say(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasSuffix(q.Header.Get("webhook-id"), "_1") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	o.happen("a", shipping.OrderDispatched) // the poisoned one
	o.happen("a", shipping.OutForDelivery)
	o.pass(34 * time.Second)
	if got := topics(t, s.all()); slices.Contains(got, "shipment.out_for_delivery") {
		t.Fatalf("told %v", got)
	}
	o.pass(3 * time.Minute)
	got := topics(t, s.all())
	if n := len(got); n < 4 || !slices.Contains(got, "shipment.out_for_delivery") {
		t.Fatalf("told %v", got)
	}
	// The later one came after the tries of the first minute (at once, at 5 s, at 35 s), and before the one at 2 min 35.
	if at := slices.Index(got, "shipment.out_for_delivery"); at != 3 {
		t.Errorf("the later one came as number %d of %v", at, got)
	}
	if w := o.deliveries(sub.ID, store.DeliveryQuery{State: store.DeliveryWaiting}); len(w) != 1 {
		t.Errorf("waiting: %+v", w)
	}
}

func TestGoneEndsASubscription(t *testing.T) {
	o, s := newOffice(t), newSubscriber(t, with(http.StatusGone))
	sub := o.subscribe(s.URL)
	o.happen("a", shipping.OrderDispatched)
	o.due()
	if got := o.get(sub.ID); got.State != notify.Disabled || !strings.Contains(got.Reason, "410") {
		t.Errorf("%s: %s", got.State, got.Reason)
	}
	if n := o.metric("waybill_notify_subscriptions_stopped_total", "state", notify.Disabled); n != 1 {
		t.Errorf("the metric counts %v stopped", n)
	}
	o.happen("a", shipping.OrderDelivered)
	s.say(nil)
	if n := o.due(); n != 0 {
		t.Errorf("%d requests to who wants none", n)
	}
	active := notify.Active
	if _, err := o.Update(t.Context(), caller, sub.ID, notify.Change{State: &active}); err != nil {
		t.Fatal(err)
	}
	o.happen("b", shipping.OrderDelivered)
	o.due()
	if got := topics(t, s.all())[1:]; !slices.Equal(got, []string{"shipment.order_delivered"}) || len(s.all()) != 2 {
		t.Errorf("told %v after it was taken up again", got)
	}
}

// TestWhoFailsForDaysIsPaused and the tenant hears of it.
func TestWhoFailsForDaysIsPaused(t *testing.T) {
	o, bad, good := newOffice(t), newSubscriber(t, with(http.StatusInternalServerError)), newSubscriber(t, nil)
	failing, watching := o.subscribe(bad.URL, "shipment.*"), o.subscribe(good.URL, notify.TopicPaused)
	o.happen("a", shipping.OrderDispatched)
	o.pass(3 * time.Minute)
	if got := o.get(failing.ID); got.FailingSince != start || got.State != notify.Active {
		t.Errorf("after three minutes: failing since %v, %s", got.FailingSince, got.State)
	}
	o.pass(74 * time.Hour)
	o.due()
	if got := o.get(failing.ID); got.State != notify.Paused || got.Reason == "" {
		t.Fatalf("after three days: %s %s", got.State, got.Reason)
	}
	if d := o.deliveries(failing.ID, store.DeliveryQuery{}); len(d) != 1 || d[0].State != store.DeliveryFailed || len(d[0].Tries) != 10 || d[0].Tried < 12 {
		t.Errorf("%+v", d)
	}
	if got := topics(t, good.all()); !slices.Equal(got, []string{notify.TopicPaused}) || !bytes.Contains(good.all()[0].body, []byte(failing.ID)) {
		t.Errorf("%s was told %v", watching.ID, got)
	}
	// What happens meanwhile is kept for it.
	o.happen("b", shipping.OrderDispatched)
	bad.say(nil)
	before, active := len(bad.all()), notify.Active
	if _, err := o.Update(t.Context(), caller, failing.ID, notify.Change{State: &active}); err != nil {
		t.Fatal(err)
	}
	o.due()
	if got := len(bad.all()) - before; got != 1 {
		t.Errorf("%d messages after it was taken up again, want the one of meanwhile", got)
	}
	if got := o.get(failing.ID); !got.FailingSince.IsZero() {
		t.Errorf("still failing since %v", got.FailingSince)
	}
}

func TestAnswers(t *testing.T) {
	elsewhere := newSubscriber(t, nil)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		wait   time.Duration // until the next try, at least
		says   string
	}{
		"retry after seconds": {with(429, "Retry-After", "120"), 120 * time.Second, "429"},
		"retry after a date":  {with(503, "Retry-After", start.Add(10*time.Minute).Format(http.TimeFormat)), 10 * time.Minute, "503"},
		"a redirect":          {with(302, "Location", elsewhere.URL), 5 * time.Second, "not followed"},
		"not found":           {with(404), 5 * time.Second, "404"},
		"no answer":           {func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, 5 * time.Second, "EOF"},
		"a long answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20)) // the reader leaves
		}, 5 * time.Second, "500"},
	} {
		t.Run(name, func(t *testing.T) {
			o, s := newOffice(t), newSubscriber(t, c.answer)
			sub := o.subscribe(s.URL)
			o.happen("a", shipping.OrderDispatched)
			o.due()
			d := o.deliveries(sub.ID, store.DeliveryQuery{})
			if len(d) != 1 || d[0].State != store.DeliveryWaiting || !strings.Contains(d[0].Tries[0].Error, c.says) {
				t.Fatalf("%+v", d)
			}
			if wait := d[0].Due.Sub(start); wait < c.wait || wait > c.wait+c.wait/10 {
				t.Errorf("next try after %v, want %v", wait, c.wait)
			}
			if len(d[0].Tries[0].ResponseBody) > 1024 {
				t.Errorf("%d bytes of the answer are kept", len(d[0].Tries[0].ResponseBody))
			}
		})
	}
	if len(elsewhere.all()) != 0 {
		t.Error("a redirect was followed")
	}
}

// TestPrivateAddressesAreRefusedAtTheDial: also where the name led elsewhere when the webhook was created.
func TestPrivateAddressesAreRefusedAtTheDial(t *testing.T) {
	o, s := newOffice(t), newSubscriber(t, nil)
	sub := o.subscribe(s.URL)
	o.config.Tenants["shop"].Notify = config.Notify{}
	o.happen("a", shipping.OrderDispatched)
	o.due()
	d := o.deliveries(sub.ID, store.DeliveryQuery{})
	if len(d) != 1 || d[0].State != store.DeliveryWaiting || !strings.Contains(d[0].Tries[0].Error, "not a public one") {
		t.Errorf("%+v", d)
	}
	if len(s.all()) != 0 {
		t.Error("loopback was reached")
	}
	_, err := o.Subscribe(t.Context(), caller, notify.NewSubscription{URL: s.URL, Topics: []string{"nonsense", "shipment.nonsense"}, Shape: "square"})
	if e := usecase.AsError(err); e.Type != usecase.ValidationError || len(e.Faults) != 4 {
		t.Errorf("faults %+v", e.Faults)
	}
}

func TestRotatedSecretsBothSign(t *testing.T) {
	o, s := newOffice(t), newSubscriber(t, nil)
	old := o.subscribe(s.URL)
	fresh, err := o.Rotate(t.Context(), caller, old.ID)
	if err != nil {
		t.Fatal(err)
	}
	good := func(h heard, secret string) bool {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		return w.VerifyIgnoringTimestamp(h.body, h.header) == nil
	}
	o.happen("a", shipping.OrderDispatched)
	o.due()
	if h := s.all()[0]; !good(h, old.Signing[0].Secret) || !good(h, fresh.Signing[0].Secret) {
		t.Error("one of the two secrets does not verify")
	}
	o.pass(25 * time.Hour)
	o.happen("a", shipping.OrderDelivered)
	o.due()
	if h := s.all()[1]; good(h, old.Signing[0].Secret) || !good(h, fresh.Signing[0].Secret) {
		t.Error("after a day the old secret still verifies, or the new one does not")
	}
}

// TestBearerShapes: what has no signature of its own sends the token.
func TestBearerShapes(t *testing.T) {
	shape := func(notify.Told) (notify.Rendered, bool, error) {
		return notify.Rendered{Body: []byte(`{"trackings":[]}`), Header: http.Header{"X-Shape": {"ship24"}}}, true, nil
	}
	o, s := newOffice(t, func(s *notify.Settings) { s.Shapes = map[string]notify.Shape{notify.ShapeShip24: shape} }), newSubscriber(t, nil)
	sub, err := o.Subscribe(t.Context(), caller, notify.NewSubscription{URL: s.URL, Shape: notify.ShapeShip24, Bearer: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	o.happen("a", shipping.OrderDispatched)
	o.due()
	h := s.all()[0].header
	if h.Get("Authorization") != "Bearer s3cret" || h.Get("X-Shape") != "ship24" || h.Get("webhook-signature") != "" {
		t.Errorf("headers %v", h)
	}
	if d := o.deliveries(sub.ID, store.DeliveryQuery{}); strings.Contains(d[0].Tries[0].RequestHeader.Get("Authorization"), "s3cret") {
		t.Error("the log of deliveries shows the token")
	}
}

func TestTestAndRedelivery(t *testing.T) {
	o, s, other := newOffice(t), newSubscriber(t, nil), newSubscriber(t, nil)
	sub := o.subscribe(s.URL)
	o.subscribe(other.URL, "*")
	id, err := o.Test(t.Context(), caller, sub.ID)
	if err != nil {
		t.Fatal(err)
	}
	o.due()
	if got := s.all(); len(got) != 1 || got[0].header.Get("webhook-id") != id || len(other.all()) != 0 {
		t.Fatalf("the test reached %d and %d", len(got), len(other.all()))
	}
	o.happen("a", shipping.OrderDispatched)
	o.manual.Advance(time.Hour)
	o.happen("a", shipping.OrderDelivered)
	o.due()
	first := s.all()[1]
	if n, err := o.Redeliver(t.Context(), caller, sub.ID, notify.Redelivery{MessageID: first.header.Get("webhook-id")}); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	o.due()
	if got := s.all(); len(got) != 4 || !bytes.Equal(got[3].body, first.body) {
		t.Errorf("%d requests", len(got))
	}
	if n, err := o.Redeliver(t.Context(), caller, sub.ID, notify.Redelivery{From: start.Add(time.Minute), To: start.Add(2 * time.Hour)}); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	o.due()
	if got := topics(t, s.all()); len(got) != 5 || got[4] != "shipment.order_delivered" {
		t.Errorf("told %v", got)
	}
	for _, bad := range []string{"nonsense", "msg_shipment_x_1", "msg_shipment_" + string(o.orders["a"].ID) + "_9"} {
		if _, err := o.Redeliver(t.Context(), caller, sub.ID, notify.Redelivery{MessageID: bad}); usecase.AsError(err).Type != usecase.NotFound {
			t.Errorf("%s: %v", bad, err)
		}
	}
	rival := usecase.Caller{Tenant: "rival"}
	if _, err := o.Test(context.Background(), rival, sub.ID); usecase.AsError(err).Type != usecase.NotFound {
		t.Errorf("another tenant: %v", err)
	}
}

// TestWhatIsErasedOnItsWayStaysErased: the order is erased while a webhook has its event and has not answered.
func TestWhatIsErasedOnItsWayStaysErased(t *testing.T) {
	o := newOffice(t)
	s := newSubscriber(t, func(w http.ResponseWriter, _ *http.Request) {
		if err := o.store.Commit(context.Background(), "shop", &store.Tx{Now: start, Erase: []shipment.ID{o.orders["a"].ID}}); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	sub := o.subscribe(s.URL)
	o.happen("a", shipping.OrderDispatched)
	o.pass(time.Hour)
	d := o.deliveries(sub.ID, store.DeliveryQuery{})
	if len(s.all()) != 1 || len(d) != 1 || d[0].State != store.DeliveryDropped || d[0].Tries[0].Status != http.StatusInternalServerError {
		t.Fatalf("%d requests, and the log has %+v", len(s.all()), d)
	}
	wantBare(t, d[0])
	if err := o.Unsubscribe(t.Context(), caller, sub.ID); err != nil {
		t.Fatal(err)
	}
}
