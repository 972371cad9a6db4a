package storetest

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
	"pgregory.net/rapid"
)

var listChecks = []check{
	{"newest first", checkNewestFirst},
	{"each filter narrows", checkFilters},
	{"a list follows changes", checkListFollows},
	{"pages go forth and back", checkPages},
	{"cursors are stable while shipments are added", checkCursorStability},
	{"a foreign cursor is refused", checkForeignCursor},
}

func ids(shipments []*shipment.Shipment) []string {
	list := []string{}
	for _, sh := range shipments {
		list = append(list, string(sh.ID))
	}
	return list
}

func list(t testing.TB, s store.Store, tenant string, q store.ShipmentQuery) store.ShipmentPage {
	t.Helper()
	page, err := s.ListShipments(t.Context(), tenant, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func checkNewestFirst(t *testing.T, s store.Store) {
	var want []string
	for i := range store.DefaultLimit + 20 {
		sh := NewShipment(tenant, i)
		sh.CreatedAt = now.Add(time.Duration(i/2) * time.Second) // two at each instant: the larger id first
		commit(t, s, tenant, put(sh))
		want = append(want, string(sh.ID))
	}
	commit(t, s, other, put(NewShipment(other, 5000)))
	slices.Reverse(want)
	page := list(t, s, tenant, store.ShipmentQuery{})
	equal(t, "first page of the size that is not named", ids(page.Shipments), want[:store.DefaultLimit])
	if page.Previous != "" || page.Next == "" {
		t.Errorf("tokens %q and %q, want only the next", page.Previous, page.Next)
	}
	page = list(t, s, tenant, store.ShipmentQuery{Limit: 1000})
	equal(t, "all", ids(page.Shipments), want)
	if page.Previous != "" || page.Next != "" {
		t.Errorf("tokens %q and %q of a page that holds all", page.Previous, page.Next)
	}
	if page = list(t, s, "nobody", store.ShipmentQuery{}); len(page.Shipments) != 0 || page.Next != "" || page.Previous != "" {
		t.Errorf("an empty list is %+v", page)
	}
}

func checkFilters(t *testing.T, s store.Store) {
	at := func(n int) shipping.Instant { return shipping.At(now.Add(time.Duration(n) * time.Second)) }
	for i := range 6 {
		sh := NewShipment(tenant, i)
		sh.UpdatedAt = now.Add(time.Hour + time.Duration(i)*time.Second + 999*time.Microsecond)
		sh.CreatedAt = sh.CreatedAt.Add(999 * time.Microsecond) // shown as the whole millisecond
		sh.Order.LocationID = fmt.Sprint("loc-", i%3)
		if i%2 == 0 {
			sh.Status = shipping.OrderDelivered
			sh.Order.GroupID = ptr("even")
			sh.PickupTime.StartsAt, sh.DeliveryTime.EndsAt = at(i), at(i+100)
		}
		if i == 5 {
			sh.Order.GroupID = ptr("")
			sh.Attempts = []shipment.Attempt{{State: shipment.InDoubt, Doubt: &shipment.Doubt{Needs: "attention"}}}
		}
		if i == 3 { // in doubt, and the engine still looks
			sh.Attempts = []shipment.Attempt{{State: shipment.InDoubt, Doubt: &shipment.Doubt{}}, {State: shipment.Absent, Doubt: &shipment.Doubt{Needs: "attention"}}}
		}
		commit(t, s, tenant, put(sh))
	}
	window := func(from, to int) shipping.TimeWindow {
		return shipping.TimeWindow{StartsAt: at(from), EndsAt: at(to)}
	}
	for name, c := range map[string]struct {
		q    store.ShipmentQuery
		want []int
	}{
		"created, both ends":      {store.ShipmentQuery{Created: window(1, 3)}, []int{3, 2, 1}},
		"created from":            {store.ShipmentQuery{Created: shipping.TimeWindow{StartsAt: at(4)}}, []int{5, 4}},
		"since":                   {store.ShipmentQuery{Since: at(4)}, []int{5, 4}},
		"since the later of two":  {store.ShipmentQuery{Since: at(2), Created: window(4, 9)}, []int{5, 4}},
		"since, of external ids":  {store.ShipmentQuery{Since: at(2), ExternalIDs: []string{"order-4", "order-1"}}, []int{4}},
		"created to":              {store.ShipmentQuery{Created: shipping.TimeWindow{EndsAt: at(1)}}, []int{1, 0}},
		"created, empty window":   {store.ShipmentQuery{Created: window(3, 1)}, nil},
		"updated, both ends":      {store.ShipmentQuery{Updated: window(3601, 3602)}, []int{2, 1}},
		"external ids":            {store.ShipmentQuery{ExternalIDs: []string{"order-4", "order-1", "nobody", "order-1"}}, []int{4, 1}},
		"external ids and window": {store.ShipmentQuery{ExternalIDs: []string{"order-4", "order-1"}, Created: window(2, 9)}, []int{4}},
		"group":                   {store.ShipmentQuery{GroupID: "even"}, []int{4, 2, 0}},
		"group and window":        {store.ShipmentQuery{GroupID: "even", Created: window(1, 3)}, []int{2}},
		"half a group":            {store.ShipmentQuery{GroupID: "eve"}, nil},
		"locations":               {store.ShipmentQuery{LocationIDs: []string{"loc-1", "loc-2"}}, []int{5, 4, 2, 1}},
		"statuses":                {store.ShipmentQuery{Statuses: []shipping.Status{shipping.RequestReceived, shipping.InTransit}}, []int{5, 3, 1}},
		"pickup from":             {store.ShipmentQuery{PickupFrom: at(2)}, []int{4, 2}},
		"delivery to":             {store.ShipmentQuery{DeliveryTo: at(102)}, []int{2, 0}},
		"needs a person":          {store.ShipmentQuery{NeedsPerson: true}, []int{5}},
		"all together":            {store.ShipmentQuery{Statuses: []shipping.Status{shipping.OrderDelivered}, LocationIDs: []string{"loc-2", "loc-1"}, GroupID: "even", PickupFrom: at(1)}, []int{4, 2}},
	} {
		want := []string{}
		for _, i := range c.want {
			want = append(want, string(NewShipment(tenant, i).ID))
		}
		equal(t, name, ids(list(t, s, tenant, c.q).Shipments), want)
	}
}

func checkListFollows(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	sh.Order.GroupID = ptr("before")
	sh.Attempts = []shipment.Attempt{{State: shipment.InDoubt, Doubt: &shipment.Doubt{Needs: "attention"}}}
	commit(t, s, tenant, put(sh))
	sh.Order.GroupID = ptr("after")
	sh.Attempts[0].State = shipment.Absent
	sh.Status = shipping.OrderCancelled
	sh.CreatedAt = sh.CreatedAt.Add(time.Hour) // an order may be dated anew; it must not be listed twice
	commit(t, s, tenant, put(sh))
	for name, c := range map[string]struct {
		q    store.ShipmentQuery
		want int
	}{
		"old group":  {store.ShipmentQuery{GroupID: "before"}, 0},
		"new group":  {store.ShipmentQuery{GroupID: "after"}, 1},
		"person":     {store.ShipmentQuery{NeedsPerson: true}, 0},
		"old status": {store.ShipmentQuery{Statuses: []shipping.Status{shipping.RequestReceived}}, 0},
		"new status": {store.ShipmentQuery{Statuses: []shipping.Status{shipping.OrderCancelled}}, 1},
		"all":        {store.ShipmentQuery{}, 1},
	} {
		if got := len(list(t, s, tenant, c.q).Shipments); got != c.want {
			t.Errorf("%s: %d shipments, want %d", name, got, c.want)
		}
	}
}

func checkPages(t *testing.T, s store.Store) {
	const n = 25
	var want []string
	for i := range n {
		sh := NewShipment(tenant, i)
		sh.Order.LocationID = fmt.Sprint("loc-", i%2)
		commit(t, s, tenant, put(sh))
		want = append(want, string(sh.ID))
	}
	slices.Reverse(want)
	var externals []string
	for i := range n {
		externals = append(externals, fmt.Sprint("order-", i))
	}
	for name, q := range map[string]store.ShipmentQuery{
		"list":         {LocationIDs: []string{"loc-0", "loc-1"}},
		"external ids": {ExternalIDs: externals},
		"window":       {Created: shipping.TimeWindow{StartsAt: shipping.At(now), EndsAt: shipping.At(now.Add(time.Hour))}},
	} {
		for _, limit := range []int{1, 7, 24, 25} {
			q.Limit, q.Cursor = limit, ""
			var pages [][]string
			page := list(t, s, tenant, q)
			for pages = append(pages, ids(page.Shipments)); page.Next != ""; pages = append(pages, ids(page.Shipments)) {
				q.Cursor = page.Next
				page = list(t, s, tenant, q)
			}
			equal(t, fmt.Sprintf("%s by %d", name, limit), slices.Concat(pages...), want)
			for i := len(pages) - 2; i >= 0; i-- {
				if page.Previous == "" {
					t.Fatalf("%s by %d: page %d has no previous", name, limit, i+1)
				}
				q.Cursor = page.Previous
				page = list(t, s, tenant, q)
				equal(t, fmt.Sprintf("%s by %d, back at page %d", name, limit, i), ids(page.Shipments), pages[i])
			}
			if page.Previous != "" {
				t.Errorf("%s by %d: the first page has a previous", name, limit)
			}
		}
	}
}

// checkCursorStability walks pages while shipments are added on every side: whatever was there at the start is met exactly once
// going forth, and once more going back.
func checkCursorStability(t *testing.T, s store.Store) {
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		tenant := fmt.Sprint("tenant-", run) // a fresh list each time
		next := run * 1000
		second := rapid.IntRange(0, 9)
		add := func(n int) []*shipment.Shipment {
			var added []*shipment.Shipment
			for range n {
				sh := NewShipment(tenant, next)
				next++
				sh.CreatedAt = now.Add(time.Duration(second.Draw(r, "created")) * time.Second)
				added = append(added, sh)
			}
			if err := s.Commit(t.Context(), tenant, put(added...)); err != nil {
				r.Fatal(err)
			}
			return added
		}
		start := add(rapid.IntRange(1, 12).Draw(r, "shipments"))
		slices.SortFunc(start, func(a, b *shipment.Shipment) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
		})
		known := map[string]bool{}
		for _, id := range ids(start) {
			known[id] = true
		}
		limit := rapid.IntRange(1, 5)
		walk := func(cursor string, forth bool) (seen []string, end store.ShipmentPage) {
			for {
				page, err := s.ListShipments(t.Context(), tenant, store.ShipmentQuery{Limit: limit.Draw(r, "limit"), Cursor: cursor})
				if err != nil {
					r.Fatal(err)
				}
				found := ids(page.Shipments)
				if !forth {
					slices.Reverse(found)
				}
				seen = append(seen, found...)
				if cursor = page.Next; !forth {
					cursor = page.Previous
				}
				if cursor == "" {
					return seen, page
				}
				add(rapid.IntRange(0, 2).Draw(r, "added"))
			}
		}
		check := func(way string, seen, want []string) {
			sorted := slices.Clone(seen)
			slices.Sort(sorted)
			if len(slices.Compact(sorted)) != len(seen) {
				r.Fatalf("%s: one was met twice: %v", way, seen)
			}
			seen = slices.DeleteFunc(slices.Clone(seen), func(id string) bool { return !known[id] })
			if !slices.Equal(seen, want) {
				r.Fatalf("%s: met %v, want %v", way, seen, want)
			}
		}
		seen, last := walk("", true)
		check("forth", seen, ids(start))
		if last.Previous == "" {
			return // all on one page
		}
		at := len(last.Shipments)
		back, _ := walk(last.Previous, false)
		before := slices.DeleteFunc(seen[:len(seen)-at], func(id string) bool { return !known[id] })
		slices.Reverse(before)
		check("back", back, before)
	})
}

func checkForeignCursor(t *testing.T, s store.Store) {
	for i := range 5 {
		commit(t, s, tenant, put(NewShipment(tenant, i)))
		commit(t, s, other, put(NewShipment(other, i+10)))
	}
	q := store.ShipmentQuery{Limit: 2, Statuses: []shipping.Status{shipping.RequestReceived}}
	token := list(t, s, tenant, q).Next
	q.Cursor = token
	if page := list(t, s, tenant, q); len(page.Shipments) != 2 {
		t.Fatalf("the token itself gives %d shipments", len(page.Shipments))
	}
	refuse := func(name, tenant string, q store.ShipmentQuery) {
		t.Helper()
		if page, err := s.ListShipments(t.Context(), tenant, q); !errors.Is(err, store.ErrCursor) || len(page.Shipments) != 0 {
			t.Errorf("%s: %d shipments, %v, want %v", name, len(page.Shipments), err, store.ErrCursor)
		}
	}
	q.Since = shipping.At(now.Add(-time.Hour)) // a bound that moves with the clock is no other question
	if page := list(t, s, tenant, q); len(page.Shipments) != 2 {
		t.Errorf("with another Since: %d shipments", len(page.Shipments))
	}
	refuse("another tenant's", other, q)
	changed := q
	changed.Statuses = nil
	refuse("another question's", tenant, changed)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatalf("a token that is not base64url: %v", err)
	}
	for _, token := range []string{"garbage", "!", "=", token + "A", token + "\n", token[:len(token)-1], token[:10], "AAAA" + token} {
		q.Cursor = token
		refuse(fmt.Sprintf("%q", token), tenant, q)
	}
	for i := range raw {
		spoilt := slices.Clone(raw)
		spoilt[i] ^= 0x10
		q.Cursor = base64.RawURLEncoding.EncodeToString(spoilt)
		refuse(fmt.Sprint("byte ", i, " changed"), tenant, q)
	}
}
