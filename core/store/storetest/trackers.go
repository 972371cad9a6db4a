package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var trackerChecks = []check{
	{"every member of a tracker comes back", checkTrackerMembers},
	{"a tracker's revision counts commits", checkTrackerRevision},
	{"a name is one tracker's", checkTrackerNames},
	{"a name passes on within a transaction", checkNamesPassOn},
	{"exactly one gets a name", checkOneIsNamed},
	{"exactly one wins per revision of a tracker", checkOneTrackerWins},
	{"tags are shared", checkTags},
	{"trackers page both ways", checkTrackerPages},
	{"a foreign token of trackers is refused", checkTrackerTokens},
	{"trackers are due by account", checkTrackersDue},
	{"a dropped tracker is not found", checkDropTracker},
	{"parked updates wait and expire", checkParked},
	{"a parked update is replaced and taken", checkUnpark},
	{"trackers are their tenant's", checkTrackerTenants},
	{"a tracker that is no tracker is refused", checkTrackerFaults},
}

// NewTracker returns a small tracker that the store does not have. N makes its id, its name, its number and its second of creation.
func NewTracker(tenant string, n int) *tracker.Tracker {
	created := now.Add(time.Duration(n) * time.Second)
	number := fmt.Sprintf("1Z%016d", n)
	return &tracker.Tracker{
		ID: tracker.ID(fmt.Sprintf("%024x", n+1)), Tenant: tenant, Surface: tracker.OfAPI,
		Names: []string{tracker.Name("number", number)}, Tags: []string{tracker.ParcelTag("ups", number)},
		Number: number, Account: "ups", NextPoll: created.Add(time.Hour), CreatedAt: created, UpdatedAt: created,
	}
}

func putTrackers(trackers ...*tracker.Tracker) *store.Tx {
	return &store.Tx{Trackers: trackers, Now: now}
}

func loadTracker(t testing.TB, s store.Store, tenant string, id tracker.ID) *tracker.Tracker {
	t.Helper()
	x, err := s.Tracker(t.Context(), tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func trackerIDs(trackers []*tracker.Tracker) []tracker.ID {
	ids := []tracker.ID{}
	for _, x := range trackers {
		ids = append(ids, x.ID)
	}
	return ids
}

func checkTrackerMembers(t *testing.T, s store.Store) {
	x := Filled[tracker.Tracker]()
	x.Tenant, x.Revision = tenant, 0
	commit(t, s, tenant, putTrackers(&x))
	if x.Revision != 1 || x.Schema != tracker.Schema {
		t.Errorf("revision %d, schema %d after the first commit", x.Revision, x.Schema)
	}
	equal(t, "by id", loadTracker(t, s, tenant, x.ID), &x)
	for _, name := range x.Names {
		got, err := s.TrackerByName(t.Context(), tenant, name)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "by name", got, &x)
	}
	due, _, err := s.TrackersDue(t.Context(), tenant, x.Account, x.NextPoll, 5)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "when due", due, []*tracker.Tracker{&x})
	equal(t, "in a list", listTrackers(t, s, tenant, store.TrackerQuery{Surface: x.Surface}).Trackers, []*tracker.Tracker{&x})
	bare := NewTracker(tenant, 1)
	bare.Names, bare.Tags, bare.Account, bare.NextPoll, bare.Extra = nil, nil, "", time.Time{}, json.RawMessage(`[1]`)
	commit(t, s, tenant, putTrackers(bare))
	equal(t, "with next to nothing", loadTracker(t, s, tenant, bare.ID), bare)
}

func checkTrackerRevision(t *testing.T, s store.Store) {
	x := NewTracker(tenant, 1)
	commit(t, s, tenant, putTrackers(x))
	first, second := loadTracker(t, s, tenant, x.ID), loadTracker(t, s, tenant, x.ID)
	first.Provider, second.Provider = "first", "second"
	commit(t, s, tenant, putTrackers(first))
	missing := NewTracker(tenant, 2)
	missing.Revision = 7
	for what, stale := range map[string]*tracker.Tracker{"an old revision": second, "one that is there": NewTracker(tenant, 1), "one that is not": missing} {
		before := stale.Revision
		refused(t, s, tenant, putTrackers(stale), store.ErrConflict)
		if stale.Revision != before {
			t.Errorf("%s: a refused commit counted the revision up to %d", what, stale.Revision)
		}
	}
	if got := loadTracker(t, s, tenant, x.ID); got.Provider != "first" || got.Revision != 2 {
		t.Errorf("%q at revision %d, want that of the one who came first, at 2", got.Provider, got.Revision)
	}
	// A conflict is told before a name that is taken, and a refused transaction leaves nothing.
	tx := putTrackers(NewTracker(tenant, 1))
	tx.Messages = []store.Message{{ID: "m", Subject: store.TrackerSubject(string(x.ID)), At: now}}
	refused(t, s, tenant, tx, store.ErrConflict)
	if end, err := s.LogEnd(t.Context(), tenant); end != 0 || err != nil {
		t.Errorf("the log ends at %d, %v, after refusals only", end, err)
	}
}

// named expects each name to find a tracker; "" expects none.
func named(t testing.TB, s store.Store, want map[string]tracker.ID) {
	t.Helper()
	for name, id := range want {
		got, err := s.TrackerByName(t.Context(), tenant, name)
		if id == "" {
			notFound(t, name, err)
		} else if err != nil || got.ID != id {
			t.Errorf("%s: %v, %v, want %s", name, got, err, id)
		}
	}
}

func checkTrackerNames(t *testing.T, s store.Store) {
	a, b := NewTracker(tenant, 1), NewTracker(tenant, 2)
	a.Names = []string{"one", "two"}
	b.Names = []string{"two"}
	commit(t, s, tenant, putTrackers(a))
	refused(t, s, tenant, putTrackers(b), store.ErrDuplicate)
	notFound(t, "the refused tracker", second(s.Tracker(t.Context(), tenant, b.ID)))
	commit(t, s, other, putTrackers(func() *tracker.Tracker { x := NewTracker(other, 3); x.Names = []string{"two"}; return x }()))
	a.Names = []string{"three", "one"}
	commit(t, s, tenant, putTrackers(a))
	named(t, s, map[string]tracker.ID{"one": a.ID, "two": "", "three": a.ID, "tw": ""})
	commit(t, s, tenant, putTrackers(b))
	named(t, s, map[string]tracker.ID{"one": a.ID, "two": b.ID, "three": a.ID})
	c, d := NewTracker(tenant, 4), NewTracker(tenant, 5)
	c.Names, d.Names = []string{"same"}, []string{"same"}
	refused(t, s, tenant, putTrackers(c, d), store.ErrDuplicate)
}

func checkNamesPassOn(t *testing.T, s store.Store) {
	a, b, c := NewTracker(tenant, 1), NewTracker(tenant, 2), NewTracker(tenant, 3)
	a.Names = []string{"name"}
	commit(t, s, tenant, putTrackers(a))
	a.Names, b.Names = nil, []string{"name"}
	commit(t, s, tenant, putTrackers(b, a))
	named(t, s, map[string]tracker.ID{"name": b.ID})
	c.Names = []string{"name"}
	tx := putTrackers(c)
	tx.DropTrackers = []tracker.ID{b.ID}
	commit(t, s, tenant, tx)
	named(t, s, map[string]tracker.ID{"name": c.ID})
	a.Names, c.Names = []string{"name"}, []string{"other"}
	commit(t, s, tenant, putTrackers(c, a))
	named(t, s, map[string]tracker.ID{"name": a.ID, "other": c.ID})
}

func checkOneIsNamed(t *testing.T, s store.Store) {
	for round := range 5 {
		name := fmt.Sprint("contended-", round)
		outcomes := make([]error, writers)
		each(func(i int) {
			x := NewTracker(tenant, round*1000+i)
			x.Names = []string{name}
			outcomes[i] = s.Commit(t.Context(), tenant, putTrackers(x))
			if outcomes[i] == nil {
				return
			}
			if _, err := s.TrackerByName(t.Context(), tenant, name); err != nil {
				t.Errorf("refused for a name that finds nothing: %v", err)
			}
		})
		oneWon(t, outcomes, store.ErrDuplicate)
	}
}

func checkOneTrackerWins(t *testing.T, s store.Store) {
	const rounds = 4
	x := NewTracker(tenant, 1)
	commit(t, s, tenant, putTrackers(x))
	each(func(int) {
		for done := 0; done < rounds && !t.Failed(); {
			mine, err := s.Tracker(t.Context(), tenant, x.ID)
			if err != nil {
				t.Error(err)
				return
			}
			mine.Seq++
			mine.NextPoll = mine.NextPoll.Add(time.Second)
			if err := s.Commit(t.Context(), tenant, putTrackers(mine)); err == nil {
				done++
			} else if !isConflict(err) {
				t.Error(err)
			}
		}
	})
	got := loadTracker(t, s, tenant, x.ID)
	if got.Seq != writers*rounds || got.Revision != writers*rounds+1 {
		t.Errorf("%d counted at revision %d, want %d: an update was lost", got.Seq, got.Revision, writers*rounds)
	}
	due, next, err := s.TrackersDue(t.Context(), tenant, "ups", got.NextPoll, 10)
	if err != nil || len(due) != 1 || !next.IsZero() {
		t.Errorf("%d trackers are due, then at %v, %v; want the one", len(due), next, err)
	}
}

func checkTags(t *testing.T, s store.Store) {
	var all []*tracker.Tracker
	for i := range 5 {
		x := NewTracker(tenant, i)
		x.Tags = []string{tracker.GroupTag("g"), tracker.NumberTag(x.Surface, fmt.Sprint(i%2))}
		if i%2 == 1 {
			x.Surface = tracker.OfShip24
		}
		all = append(all, x)
		commit(t, s, tenant, putTrackers(x))
	}
	stranger := NewTracker(other, 10)
	stranger.Tags = []string{tracker.GroupTag("g")}
	commit(t, s, other, putTrackers(stranger))
	expect := func(tag string, limit int, want ...tracker.ID) {
		t.Helper()
		got, err := s.TrackersByTag(t.Context(), tenant, tag, limit)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, tag, trackerIDs(got), append([]tracker.ID{}, want...))
	}
	expect("group:g", 10, trackerIDs(all)...)
	expect("group:g", 2, all[0].ID, all[1].ID)
	expect("number:tracker:1", 10, all[1].ID, all[3].ID)
	expect("group:", 10)
	several, err := s.TrackersByTags(t.Context(), tenant, []string{"number:tracker:1", "group:", "group:g"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "of several tags", trackerIDs(several), trackerIDs(all[:2]))
	equal(t, "of one surface", trackerIDs(listTrackers(t, s, tenant, store.TrackerQuery{Tag: "group:g", Surface: tracker.OfShip24}).Trackers), []tracker.ID{all[3].ID, all[1].ID})
	equal(t, "of all", trackerIDs(listTrackers(t, s, tenant, store.TrackerQuery{Tag: "group:g", Ascending: true}).Trackers), trackerIDs(all))
	all[1].Tags = []string{"new"}
	commit(t, s, tenant, putTrackers(all[1]))
	expect("number:tracker:1", 10, all[3].ID)
	expect("new", 10, all[1].ID)
}

func listTrackers(t testing.TB, s store.Store, tenant string, q store.TrackerQuery) store.TrackerPage {
	t.Helper()
	page, err := s.ListTrackers(t.Context(), tenant, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func checkTrackerPages(t *testing.T, s store.Store) {
	const n = 25
	var mine, all []tracker.ID
	for i := range 2 * n {
		x := NewTracker(tenant, i)
		x.CreatedAt = now.Add(time.Duration(i/4) * time.Second) // four at each instant: the smaller id first
		x.Tags = []string{"tag"}
		if i%2 == 0 {
			x.Surface, x.Status = tracker.OfTracktor, shipping.OrderDelivered
			mine = append(mine, x.ID)
		}
		all = append(all, x.ID)
		commit(t, s, tenant, putTrackers(x))
	}
	for _, ascending := range []bool{true, false} {
		for _, c := range []struct {
			q    store.TrackerQuery
			want []tracker.ID
		}{
			{store.TrackerQuery{Surface: tracker.OfTracktor}, mine},
			{store.TrackerQuery{Surface: tracker.OfTracktor, Tag: "tag"}, mine},
			{store.TrackerQuery{}, all},
			{store.TrackerQuery{Statuses: []shipping.Status{shipping.OrderFailed, shipping.OrderDelivered}}, mine},
			{store.TrackerQuery{Statuses: []shipping.Status{shipping.OrderDelivered}, Tag: "tag"}, mine},
			{store.TrackerQuery{Statuses: []shipping.Status{shipping.OrderFailed}}, nil},
			{store.TrackerQuery{Surface: tracker.OfShop}, nil},
		} {
			q, want := c.q, slices.Clone(c.want)
			q.Ascending = ascending
			if !ascending {
				slices.Reverse(want)
			}
			for _, limit := range []int{1, 7, 25, 60} {
				q.Limit = limit
				turnPages(t, s, q, want)
			}
		}
	}
}

// turnPages goes forth and back by cursor, and forth by offset.
func turnPages(t *testing.T, s store.Store, q store.TrackerQuery, want []tracker.ID) {
	t.Helper()
	var pages [][]tracker.ID
	page := listTrackers(t, s, tenant, q)
	if page.Previous != "" {
		t.Errorf("%+v: the first page has a previous", q)
	}
	for pages = append(pages, trackerIDs(page.Trackers)); page.Next != ""; pages = append(pages, trackerIDs(page.Trackers)) {
		q.Cursor = page.Next
		page = listTrackers(t, s, tenant, q)
	}
	equal(t, fmt.Sprintf("%+v", q), slices.Concat(pages...), want)
	for i := len(pages) - 2; i >= 0; i-- {
		if page.Previous == "" {
			t.Fatalf("%+v: page %d has no previous", q, i+1)
		}
		q.Cursor = page.Previous
		page = listTrackers(t, s, tenant, q)
		equal(t, fmt.Sprintf("%+v, back at page %d", q, i), trackerIDs(page.Trackers), pages[i])
	}
	q.Cursor = ""
	for i := range pages {
		q.Offset = i * q.Limit
		page = listTrackers(t, s, tenant, q)
		equal(t, fmt.Sprintf("%+v", q), trackerIDs(page.Trackers), pages[i])
		if (page.Previous != "") != (i > 0) || (page.Next != "") != (i < len(pages)-1) {
			t.Errorf("%+v: tokens %q and %q on page %d of %d", q, page.Previous, page.Next, i, len(pages))
		}
	}
	q.Offset = len(want) + 5
	if page = listTrackers(t, s, tenant, q); len(page.Trackers) != 0 || page.Next != "" {
		t.Errorf("%+v: %d trackers beyond the end", q, len(page.Trackers))
	}
}
