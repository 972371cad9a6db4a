package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/store"
)

var subscriptionChecks = []check{
	{"every member of a subscription comes back", checkSubscriptionMembers},
	{"a subscription's revision counts commits", checkSubscriptionRevision},
	{"a cursor is where it was put", checkCursors},
	{"every member of a delivery comes back", checkDeliveryMembers},
	{"deliveries are listed newest first", checkDeliveries},
	{"a foreign token of deliveries is refused", checkDeliveryTokens},
	{"deliveries that wait are due", checkDeliveriesDue},
	{"a removed subscription leaves nothing", checkDropSubscription},
	{"nothing is put for a subscription that is not there", checkOrphans},
	{"subscriptions are their tenant's", checkSubscriptionTenants},
	{"a secret stays", checkSecret},
}

// subscription was created in its minute.
func subscription(id string, minute int) *store.Subscription {
	return &store.Subscription{ID: id, Tenant: tenant, Shape: "waybill", State: "active", CreatedAt: now.Add(time.Duration(minute) * time.Minute)}
}

// delivery was created, and is due, in the minute of its position.
func delivery(to string, position uint64, state string) store.Delivery {
	at := now.Add(time.Duration(position) * time.Minute)
	return store.Delivery{Subscription: to, Position: position, Message: fmt.Sprint("m", position), Subject: "tracker/a", Topic: "tracker.in_transit", State: state, Due: at, CreatedAt: at}
}

func deliveries(t testing.TB, s store.Store, tenant string, q store.DeliveryQuery) store.DeliveryPage {
	t.Helper()
	page, err := s.Deliveries(t.Context(), tenant, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func positions(deliveries []store.Delivery) []uint64 {
	all := []uint64{}
	for _, d := range deliveries {
		all = append(all, d.Position)
	}
	return all
}

func checkSubscriptionMembers(t *testing.T, s store.Store) {
	x := Filled[store.Subscription]()
	x.Tenant, x.Revision = tenant, 0
	commit(t, s, tenant, &store.Tx{Subscriptions: []*store.Subscription{&x}})
	got, err := s.Subscription(t.Context(), tenant, x.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "by id", got, &x)
	older, twin := subscription("z", -5), subscription("y", -5)
	commit(t, s, tenant, &store.Tx{Subscriptions: []*store.Subscription{older, twin}})
	all, err := s.Subscriptions(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "all", all, []*store.Subscription{twin, older, &x})
}

func checkSubscriptionRevision(t *testing.T, s store.Store) {
	x := subscription("a", 1)
	commit(t, s, tenant, &store.Tx{Subscriptions: []*store.Subscription{x}})
	stale := *x
	x.State = "paused"
	commit(t, s, tenant, &store.Tx{Subscriptions: []*store.Subscription{x}})
	if x.Revision != 2 {
		t.Errorf("revision %d after two commits", x.Revision)
	}
	missing := subscription("b", 1)
	missing.Revision = 3
	for _, bad := range []*store.Subscription{&stale, subscription("a", 1), missing} {
		before := bad.Revision
		refused(t, s, tenant, &store.Tx{Subscriptions: []*store.Subscription{bad}}, store.ErrConflict)
		if bad.Revision != before {
			t.Errorf("a refused commit counted the revision up to %d", bad.Revision)
		}
	}
	outcomes := make([]error, writers)
	each(func(i int) {
		mine := *x
		mine.Reason = fmt.Sprint(i)
		outcomes[i] = s.Commit(t.Context(), tenant, &store.Tx{Subscriptions: []*store.Subscription{&mine}})
	})
	oneWon(t, outcomes, store.ErrConflict)
}

func checkCursors(t *testing.T, s store.Store) {
	commit(t, s, tenant, &store.Tx{Subscriptions: []*store.Subscription{subscription("a", 1), subscription("b", 2)}, Cursors: []store.Cursor{{Subscription: "a", Position: 7}}})
	for _, position := range []uint64{7, 1 << 40, 3} {
		commit(t, s, tenant, &store.Tx{Cursors: []store.Cursor{{Subscription: "a", Position: position}}})
		for id, want := range map[string]uint64{"a": position, "b": 0, "nobody": 0} {
			if got, err := s.ReadUpTo(t.Context(), tenant, id); got != want || err != nil {
				t.Errorf("%s has read up to %d, %v, want %d", id, got, err, want)
			}
		}
	}
}

func checkDeliveryMembers(t *testing.T, s store.Store) {
	commit(t, s, tenant, &store.Tx{Subscriptions: []*store.Subscription{subscription("a", 1)}})
	d := Filled[store.Delivery]()
	d.Subscription, d.State = "a", store.DeliveryWaiting
	d.Tries = append(d.Tries, store.Try{At: now, ResponseBody: bytes.Repeat([]byte("\xff\x00 large "), 1000)}, store.Try{At: now, RequestHeader: http.Header{"A": {"b", "c"}}, Error: "no answer"})
	expect := func() {
		t.Helper()
		got, err := s.Delivery(t.Context(), tenant, "a", d.Position)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "by position", got, d)
		equal(t, "in a list", deliveries(t, s, tenant, store.DeliveryQuery{Subscription: "a"}).Deliveries, []store.Delivery{d})
		equal(t, "by subject", deliveries(t, s, tenant, store.DeliveryQuery{Subscription: "a", Subject: d.Subject}).Deliveries, []store.Delivery{d})
		due, _, err := s.DeliveriesDue(t.Context(), tenant, "a", now.Add(time.Hour), 10)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "when due", due, []store.Delivery{d})
	}
	commit(t, s, tenant, &store.Tx{Deliveries: []store.Delivery{d}})
	expect()
	before := d.Subject
	d.Tries, d.Subject, d.Due, d.Tried = d.Tries[:1], "tracker/other", now.Add(time.Minute), 9
	commit(t, s, tenant, &store.Tx{Deliveries: []store.Delivery{d}})
	expect()
	if got := deliveries(t, s, tenant, store.DeliveryQuery{Subscription: "a", Subject: before}); len(got.Deliveries) != 0 {
		t.Errorf("%d are found about what it is no longer about", len(got.Deliveries))
	}
	notFound(t, "another position", second(s.Delivery(t.Context(), tenant, "a", d.Position+1)))
	notFound(t, "another subscription", second(s.Delivery(t.Context(), tenant, "b", d.Position)))
}

func checkDeliveries(t *testing.T, s store.Store) {
	tx := &store.Tx{Subscriptions: []*store.Subscription{subscription("a", 1), subscription("ab", 1)}}
	for n := uint64(1); n <= 20; n++ {
		d := delivery("a", n, []string{store.DeliveryDelivered, store.DeliveryFailed}[n%2])
		d.CreatedAt = d.CreatedAt.Add(999 * time.Microsecond) // shown as the whole millisecond
		d.Subject = fmt.Sprint("tracker/", n%4)
		tx.Deliveries = append(tx.Deliveries, d, delivery("ab", n, store.DeliveryFailed))
	}
	commit(t, s, tenant, tx)
	at := func(n int) time.Time { return now.Add(time.Duration(n) * time.Minute) }
	for name, c := range map[string]struct {
		q    store.DeliveryQuery
		want []uint64
	}{
		"all":           {store.DeliveryQuery{}, []uint64{20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		"state":         {store.DeliveryQuery{State: store.DeliveryFailed}, []uint64{19, 17, 15, 13, 11, 9, 7, 5, 3, 1}},
		"subject":       {store.DeliveryQuery{Subject: "tracker/3"}, []uint64{19, 15, 11, 7, 3}},
		"no subject":    {store.DeliveryQuery{Subject: "tracker/"}, []uint64{}},
		"window":        {store.DeliveryQuery{From: at(3), To: at(5)}, []uint64{5, 4, 3}},
		"from":          {store.DeliveryQuery{From: at(19)}, []uint64{20, 19}},
		"to":            {store.DeliveryQuery{To: at(2)}, []uint64{2, 1}},
		"everything":    {store.DeliveryQuery{Subject: "tracker/1", State: store.DeliveryFailed, From: at(2), To: at(13)}, []uint64{13, 9, 5}},
		"and what not":  {store.DeliveryQuery{Subject: "tracker/2", State: store.DeliveryFailed}, []uint64{}},
		"nobody's":      {store.DeliveryQuery{Subscription: "nobody"}, []uint64{}},
		"a half's name": {store.DeliveryQuery{Subscription: "ab", To: at(2)}, []uint64{2, 1}},
	} {
		if c.q.Subscription == "" {
			c.q.Subscription = "a"
		}
		for _, limit := range []int{0, 1, 3, 20} {
			c.q.Limit, c.q.Cursor = limit, ""
			page := deliveries(t, s, tenant, c.q)
			got := positions(page.Deliveries)
			for page.Next != "" {
				c.q.Cursor = page.Next
				page = deliveries(t, s, tenant, c.q)
				got = append(got, positions(page.Deliveries)...)
			}
			equal(t, fmt.Sprint(name, " by ", limit), got, c.want)
		}
	}
}

func checkDeliveryTokens(t *testing.T, s store.Store) {
	tx := &store.Tx{Subscriptions: []*store.Subscription{subscription("a", 1), subscription("b", 1)}}
	for n := uint64(1); n <= 5; n++ {
		tx.Deliveries = append(tx.Deliveries, delivery("a", n, store.DeliveryFailed), delivery("b", n, store.DeliveryFailed))
	}
	commit(t, s, tenant, tx)
	q := store.DeliveryQuery{Subscription: "a", Limit: 2}
	q.Cursor = deliveries(t, s, tenant, q).Next
	equal(t, "the token itself", positions(deliveries(t, s, tenant, q).Deliveries), []uint64{3, 2})
	elsewhere, narrower, garbage := q, q, q
	elsewhere.Subscription, narrower.State, garbage.Cursor = "b", store.DeliveryFailed, "x"+q.Cursor
	for what, q := range map[string]store.DeliveryQuery{"another subscription's": elsewhere, "another question's": narrower, "garbage": garbage} {
		if _, err := s.Deliveries(t.Context(), tenant, q); !errors.Is(err, store.ErrCursor) {
			t.Errorf("%s: %v, want %v", what, err, store.ErrCursor)
		}
	}
}

func checkDeliveriesDue(t *testing.T, s store.Store) {
	tx := &store.Tx{Subscriptions: []*store.Subscription{subscription("a", 1), subscription("b", 1)}}
	at := func(n int) time.Time { return now.Add(time.Duration(n) * time.Minute) }
	for n, due := range map[uint64]int{1: 5, 2: 3, 3: 4, 4: 3} {
		d := delivery("a", n, store.DeliveryWaiting)
		d.Due = at(due)
		tx.Deliveries = append(tx.Deliveries, d)
	}
	tx.Deliveries = append(tx.Deliveries, delivery("a", 5, store.DeliveryFailed), delivery("b", 1, store.DeliveryWaiting))
	commit(t, s, tenant, tx)
	expect := func(minute, limit int, next time.Time, want ...uint64) {
		t.Helper()
		due, then, err := s.DeliveriesDue(t.Context(), tenant, "a", at(minute), limit)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprintf("due in minute %d, at most %d", minute, limit), positions(due), append([]uint64{}, want...))
		if !then.Equal(next) {
			t.Errorf("the next is due at %v, want %v", then, next)
		}
	}
	expect(2, 10, at(3))
	expect(3, 10, at(4), 2, 4)
	expect(4, 1, at(3), 2)
	expect(9, 10, time.Time{}, 2, 4, 3, 1)
	delivered, later := delivery("a", 2, store.DeliveryDelivered), delivery("a", 4, store.DeliveryWaiting)
	later.Due = at(30)
	commit(t, s, tenant, &store.Tx{Deliveries: []store.Delivery{delivered, later}})
	expect(9, 10, at(30), 3, 1)
	again := delivery("a", 2, store.DeliveryWaiting)
	again.Due, again.Again = at(1), true
	commit(t, s, tenant, &store.Tx{Deliveries: []store.Delivery{again}})
	expect(1, 10, at(4), 2)
}

func checkDropSubscription(t *testing.T, s store.Store) {
	const n = 1200
	tx := &store.Tx{Subscriptions: []*store.Subscription{subscription("a", 1), subscription("b", 1)}, Cursors: []store.Cursor{{Subscription: "a", Position: 7}, {Subscription: "b", Position: 8}}}
	for i := range uint64(n) {
		tx.Deliveries = append(tx.Deliveries, delivery("a", i, store.DeliveryWaiting))
	}
	tx.Deliveries = append(tx.Deliveries, delivery("b", 1, store.DeliveryWaiting))
	commit(t, s, tenant, tx)
	commit(t, s, other, &store.Tx{DropSubscriptions: []string{"a"}})
	if _, err := s.Subscription(t.Context(), tenant, "a"); err != nil {
		t.Fatalf("another tenant removed it: %v", err)
	}
	commit(t, s, tenant, &store.Tx{DropSubscriptions: []string{"a", "nobody"}})
	gone := func() {
		t.Helper()
		notFound(t, "the subscription", second(s.Subscription(t.Context(), tenant, "a")))
		notFound(t, "a delivery", second(s.Delivery(t.Context(), tenant, "a", 1)))
		due, next, err1 := s.DeliveriesDue(t.Context(), tenant, "a", now.Add(24*time.Hour), 10)
		read, err2 := s.ReadUpTo(t.Context(), tenant, "a")
		all, err3 := s.Subscriptions(t.Context(), tenant)
		listed := deliveries(t, s, tenant, store.DeliveryQuery{Subscription: "a"})
		if err := errors.Join(err1, err2, err3); err != nil || len(due) != 0 || !next.IsZero() || read != 0 || len(all) != 1 || len(listed.Deliveries) != 0 {
			t.Errorf("%d due, then at %v, read up to %d, %d subscriptions, %d deliveries, %v", len(due), next, read, len(all), len(listed.Deliveries), err)
		}
	}
	gone()
	if swept, err := s.Sweep(t.Context(), now); swept != n || err != nil {
		t.Errorf("swept %d, %v, want %d", swept, err, n)
	}
	if swept, err := s.Sweep(t.Context(), now); swept != 0 || err != nil {
		t.Errorf("a second sweep: %d, %v", swept, err)
	}
	gone()
	equal(t, "another's deliveries", positions(deliveries(t, s, tenant, store.DeliveryQuery{Subscription: "b"}).Deliveries), []uint64{1})
}

func checkOrphans(t *testing.T, s store.Store) {
	commit(t, s, tenant, &store.Tx{Subscriptions: []*store.Subscription{subscription("a", 1)}})
	refused(t, s, tenant, &store.Tx{Cursors: []store.Cursor{{Subscription: "nobody", Position: 1}}}, store.ErrConflict)
	refused(t, s, tenant, &store.Tx{Deliveries: []store.Delivery{delivery("nobody", 1, store.DeliveryWaiting)}}, store.ErrConflict)
	refused(t, s, other, &store.Tx{Deliveries: []store.Delivery{delivery("a", 1, store.DeliveryWaiting)}}, store.ErrConflict)
	refused(t, s, tenant, &store.Tx{DropSubscriptions: []string{"a"}, Cursors: []store.Cursor{{Subscription: "a", Position: 1}}}, store.ErrConflict)
	// One that delivers, while another removes the subscription: nothing is left, whoever comes first.
	each(func(i int) {
		tx := &store.Tx{Deliveries: []store.Delivery{delivery("a", uint64(i), store.DeliveryWaiting)}}
		if i == writers/2 {
			tx = &store.Tx{DropSubscriptions: []string{"a"}}
		}
		if err := s.Commit(t.Context(), tenant, tx); err != nil && !errors.Is(err, store.ErrConflict) {
			t.Error(err)
		}
	})
	if got := deliveries(t, s, tenant, store.DeliveryQuery{Subscription: "a"}); len(got.Deliveries) != 0 {
		t.Errorf("%d deliveries of a removed subscription", len(got.Deliveries))
	}
}

func checkSubscriptionTenants(t *testing.T, s store.Store) {
	commit(t, s, tenant, &store.Tx{
		Subscriptions: []*store.Subscription{subscription("a", 1)}, Cursors: []store.Cursor{{Subscription: "a", Position: 7}},
		Deliveries: []store.Delivery{delivery("a", 1, store.DeliveryWaiting)},
	})
	for _, stranger := range []string{other, tenant[:2], tenant + "2", ""} {
		notFound(t, "a subscription", second(s.Subscription(t.Context(), stranger, "a")))
		notFound(t, "a delivery", second(s.Delivery(t.Context(), stranger, "a", 1)))
		all, err1 := s.Subscriptions(t.Context(), stranger)
		read, err2 := s.ReadUpTo(t.Context(), stranger, "a")
		due, next, err3 := s.DeliveriesDue(t.Context(), stranger, "a", now.Add(24*time.Hour), 10)
		listed := deliveries(t, s, stranger, store.DeliveryQuery{Subscription: "a"})
		if err := errors.Join(err1, err2, err3); err != nil || len(all)+len(due)+len(listed.Deliveries) != 0 || read != 0 || !next.IsZero() {
			t.Errorf("tenant %q sees %d subscriptions, read up to %d, %d due, %d deliveries, %v", stranger, len(all), read, len(due), len(listed.Deliveries), err)
		}
	}
	if err := s.Commit(t.Context(), other, &store.Tx{Subscriptions: []*store.Subscription{subscription("b", 1)}}); err == nil {
		t.Error("a tenant wrote another's subscription")
	}
}

func checkSecret(t *testing.T, s store.Store) {
	secret := func(name string) []byte {
		t.Helper()
		b, err := s.Secret(t.Context(), name)
		if err != nil || len(b) != 32 {
			t.Fatalf("a secret of %d bytes, %v, want 32", len(b), err)
		}
		return b
	}
	first := secret("links")
	if !bytes.Equal(first, secret("links")) {
		t.Error("a name has two secrets")
	}
	if bytes.Equal(first, secret("link")) || bytes.Equal(first, secret("")) {
		t.Error("two names have one secret")
	}
	first[0]++
	if bytes.Equal(first, secret("links")) {
		t.Error("a caller changed the secret")
	}
}
