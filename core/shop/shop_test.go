package shop_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shop"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }

var caller = usecase.Caller{Tenant: "shop", Key: "shopify"}

var start = apitest.Start.Add(-48 * time.Hour)

func must[T any](t rapid.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestHoweverMessagesCome: in which order, how often, and what of them together; what is known in the end is what was newest.
func TestHoweverMessagesCome(t *testing.T) {
	h := apitest.New(t)
	id := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		id += 100
		var deliveries []shop.Delivery
		versions := rapid.IntRange(1, 4).Draw(t, "versions")
		for v := range versions {
			at := start.Add(time.Duration(v) * time.Minute)
			deliveries = append(deliveries, shop.Delivery{ID: fmt.Sprintf("%d-o%d", id, v), Order: &shop.Order{ID: id, Name: fmt.Sprint(v), CreatedAt: start, UpdatedAt: at}})
			for n := range rapid.IntRange(0, 2).Draw(t, "fulfilments") {
				f := shop.Fulfilment{ID: id + int64(n) + 1, OrderID: id, Company: "UPS", Numbers: []string{fmt.Sprintf("N%d-%d-%d", id, n, v/2)}, CreatedAt: start, UpdatedAt: at,
					Cancelled: rapid.Bool().Draw(t, "cancelled")}
				deliveries = append(deliveries, shop.Delivery{ID: fmt.Sprintf("%d-f%d-%d", id, n, v), Fulfilments: []shop.Fulfilment{f}})
			}
		}
		newest := map[int64]shop.Fulfilment{}
		for _, d := range deliveries {
			for _, f := range d.Fulfilments {
				newest[f.ID] = f
			}
		}
		come := rapid.Permutation(append(slices.Clone(deliveries), rapid.SliceOfN(rapid.SampledFrom(deliveries), 0, 4).Draw(t, "again")...)).Draw(t, "come")
		seen := map[string]bool{}
		for _, d := range come {
			if fresh := must(t, first(h.Shop.Take(t.Context(), caller, d)), nil); fresh == seen[d.ID] {
				t.Fatalf("%s: fresh is %v", d.ID, fresh)
			}
			seen[d.ID] = true
		}
		v := must(t, first(h.Shop.Order(t.Context(), caller, id)), nil)
		if v.Name != fmt.Sprint(versions-1) {
			t.Fatalf("the order is that of version %s of %d", v.Name, versions)
		}
		want := 0
		for _, f := range newest {
			got := must(t, first(h.Shop.Fulfilment(t.Context(), caller, f.ID)), nil)
			if diff := cmp.Diff(f, got.Fulfilment, cmpopts.EquateEmpty()); diff != "" || got.Number != f.Numbers[0] {
				t.Fatalf("number %s, fulfilment (-want +got):\n%s", got.Number, diff)
			}
			if !f.Cancelled {
				want++
			}
		}
		if len(v.Fulfilments) != want {
			t.Fatalf("%d fulfilments, want %d", len(v.Fulfilments), want)
		}
	})
}

// first passes a value on and panics where there is an error, which no input here may lead to.
func first[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// steps is how far a status has come.
var steps = []shipping.Status{shipping.OrderDispatched, shipping.InTransit, shipping.OutForDelivery, shipping.OrderDelivered}

var keys = []string{"order_ready", "in_transit", "out_for_delivery", "delivered"}

// TestWhatIsTold: whenever the jobs run, each status that a fulfilment has gone through is told once and in its order; and an order is
// told as delivered once, when all is.
func TestWhatIsTold(t *testing.T) {
	h := apitest.New(t)
	h.Config.Tenants["shop"].Notify.AllowPrivate = true
	h.UPS.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanReceivePush) })
	id := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		id += 100
		sub, err := h.Notify.Subscribe(t.Context(), caller, notify.NewSubscription{URL: "http://127.0.0.1:1/", Topics: []string{"tracker.*"}, Shape: notify.ShapeTracktor})
		must(t, sub, err)
		defer func() {
			if err := h.Notify.Unsubscribe(t.Context(), caller, sub.ID); err != nil {
				t.Error(err)
			}
		}()
		at := make([]int, rapid.IntRange(1, 3).Draw(t, "fulfilments"))
		d := shop.Delivery{Order: &shop.Order{ID: id, CreatedAt: start, UpdatedAt: start}}
		for n := range at {
			d.Fulfilments = append(d.Fulfilments, shop.Fulfilment{ID: id + int64(n) + 1, OrderID: id, Company: "UPS", Numbers: []string{fmt.Sprintf("T%d-%d", id, n)}, CreatedAt: start, UpdatedAt: start})
		}
		first(h.Shop.Take(t.Context(), caller, d))
		secret := first(h.Tracking.PushSecret(t.Context(), "shop", "ups"))
		want := make([][]string, len(at))
		for n := range want {
			want[n] = []string{keys[0]}
		}
		for slices.Min(at) < 3 {
			n := rapid.IntRange(0, len(at)-1).Draw(t, "which")
			if at[n] == 3 {
				continue
			}
			h.Clock.Advance(time.Minute)
			u := carrier.TrackUpdate{Number: fmt.Sprintf("T%d-%d", id, n)}
			for range rapid.IntRange(1, 2).Draw(t, "events") { // what happened since the carrier was heard last
				at[n] = min(at[n]+rapid.IntRange(1, 2).Draw(t, "steps"), 3)
				h.Clock.Advance(time.Second)
				u.Events = append(u.Events, shipping.TrackingEvent{Time: shipping.At(h.Clock.Now()), ZoneKnown: true, Status: steps[at[n]]})
				if at[n] == 3 {
					break
				}
			}
			for _, e := range u.Events {
				want[n] = append(want[n], keys[slices.Index(steps, e.Status)])
			}
			body := first(json.Marshal(u))
			first(h.Tracking.Push(t.Context(), "ups", secret, carrier.Push{Method: "POST", Body: body, Header: map[string][]string{"Authorization": {apitest.PushKey}}}))
			if rapid.Bool().Draw(t, "jobs run") {
				h.Catch()
			}
		}
		h.Catch()
		h.Catch() // once more tells nothing more
		got, topics := told(t, h, id, len(at))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("told %v\nwant %v", got, want)
		}
		n := 0
		for _, topic := range topics {
			if topic == "order/delivered" {
				n++
			}
		}
		if n != 1 || topics[len(topics)-1] != "order/delivered" || topics[0] != "order/pre_transit" {
			t.Fatalf("the order was told %v", topics)
		}
		if i := slices.IndexFunc(topics, func(x string) bool { return x == "order/all" }); i == 0 {
			t.Fatalf("topics %v", topics)
		}
	})
}

// told is which statuses of each fulfilment were told, and under which topics but all the order was.
func told(t *rapid.T, h *apitest.Harness, id int64, n int) (got [][]string, topics []string) {
	for i := range n {
		f := must(t, first(h.Store.TrackerByName(t.Context(), "shop", tracker.Name("shop_fulfilment", fmt.Sprint(id+int64(i)+1)))), nil)
		var list []string
		for _, m := range first(h.Store.MessagesOf(t.Context(), "shop", store.TrackerSubject(string(f.ID)))) {
			list = append(list, notice(t, m).Fulfilment.Status)
		}
		got = append(got, list)
	}
	o := must(t, first(h.Store.TrackerByName(t.Context(), "shop", tracker.Name("shop_order", fmt.Sprint(id)))), nil)
	for _, m := range first(h.Store.MessagesOf(t.Context(), "shop", store.TrackerSubject(string(o.ID)))) {
		for _, topic := range notice(t, m).Topics {
			if topic != "order/all" {
				topics = append(topics, topic)
			}
		}
	}
	return got, topics
}

func notice(t rapid.TB, m store.Message) shop.Notice {
	var snap notify.Snapshot
	if err := json.Unmarshal(m.Body, &snap); err != nil {
		t.Fatal(err)
	}
	n, ok, err := shop.NoticeOf(snap)
	if !ok || err != nil {
		t.Fatalf("message %s is no notice: %v", m.ID, err)
	}
	return n
}

// TestNoticeOfOthers: what is told of other trackers is none of a shop's.
func TestNoticeOfOthers(t *testing.T) {
	for _, snap := range []notify.Snapshot{{}, {Tracker: &tracker.Tracker{Surface: tracker.OfAPI}}} {
		if _, ok, err := shop.NoticeOf(snap); ok || err != nil {
			t.Errorf("%v %v", ok, err)
		}
	}
	if _, _, err := shop.NoticeOf(notify.Snapshot{Tracker: &tracker.Tracker{Surface: tracker.OfShop, Extra: []byte("{")}}); err == nil {
		t.Error("what cannot be read is no error")
	}
}
