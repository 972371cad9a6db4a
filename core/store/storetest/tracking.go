package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
)

func isConflict(err error) bool { return errors.Is(err, store.ErrConflict) }

// oneWon expects one success, and all others to be refused for one reason.
func oneWon(t testing.TB, outcomes []error, refusal error) {
	t.Helper()
	won := 0
	for _, err := range outcomes {
		if err == nil {
			won++
		} else if !errors.Is(err, refusal) {
			t.Errorf("%v, want %v", err, refusal)
		}
	}
	if won != 1 {
		t.Errorf("%d won, want one", won)
	}
}

func checkTrackerTokens(t *testing.T, s store.Store) {
	for i := range 5 {
		commit(t, s, tenant, putTrackers(NewTracker(tenant, i)))
		commit(t, s, other, putTrackers(NewTracker(other, i+10)))
	}
	q := store.TrackerQuery{Surface: tracker.OfAPI, Limit: 2}
	q.Cursor = listTrackers(t, s, tenant, q).Next
	q.Limit, q.Offset = 3, 1 // neither is part of the question, and the offset is not looked at
	if page := listTrackers(t, s, tenant, q); len(page.Trackers) != 3 {
		t.Errorf("the token itself gives %d trackers", len(page.Trackers))
	}
	upside, tagged, garbage := q, q, q
	upside.Ascending, tagged.Tag, garbage.Cursor = true, "tag", q.Cursor[1:]
	for what, c := range map[string]struct {
		tenant string
		q      store.TrackerQuery
	}{"another tenant's": {other, q}, "the other way": {tenant, upside}, "another question's": {tenant, tagged}, "garbage": {tenant, garbage}} {
		if _, err := s.ListTrackers(t.Context(), c.tenant, c.q); !errors.Is(err, store.ErrCursor) {
			t.Errorf("%s: %v, want %v", what, err, store.ErrCursor)
		}
	}
}

func checkTrackersDue(t *testing.T, s store.Store) {
	at := func(n int) time.Time { return now.Add(time.Duration(n) * time.Minute) }
	var all []*tracker.Tracker
	for i, due := range []time.Time{at(3), at(1), at(2), {}, at(2), now.Add(-60 * 365 * 24 * time.Hour)} {
		x := NewTracker(tenant, i)
		x.NextPoll = due
		all = append(all, x)
		commit(t, s, tenant, putTrackers(x))
	}
	foreign, strange := NewTracker(other, 20), NewTracker(tenant, 21)
	foreign.NextPoll, strange.NextPoll, strange.Account = at(1), at(1), "ups_2"
	commit(t, s, other, putTrackers(foreign))
	commit(t, s, tenant, putTrackers(strange))
	expect := func(now time.Time, limit int, next time.Time, want ...int) {
		t.Helper()
		due, then, err := s.TrackersDue(t.Context(), tenant, "ups", now, limit)
		if err != nil {
			t.Fatal(err)
		}
		ids := []tracker.ID{}
		for _, i := range want {
			ids = append(ids, all[i].ID)
		}
		equal(t, fmt.Sprintf("due at %v, at most %d", now, limit), trackerIDs(due), ids)
		if !then.Equal(next) {
			t.Errorf("the next is due at %v, want %v", then, next)
		}
	}
	expect(at(2).Add(-1), 10, at(2), 5, 1)
	expect(at(2), 10, at(3), 5, 1, 2, 4)
	expect(at(2), 3, at(2), 5, 1, 2)
	expect(at(2), 4, at(3), 5, 1, 2, 4)
	expect(at(9), 10, time.Time{}, 5, 1, 2, 4, 0)
	all[1].NextPoll, all[5].NextPoll, all[3].NextPoll = at(5), time.Time{}, at(4)
	commit(t, s, tenant, putTrackers(all[1], all[5], all[3]))
	expect(at(9), 10, time.Time{}, 2, 4, 0, 3, 1)
	all[2].Account = "ups_2"
	commit(t, s, tenant, putTrackers(all[2]))
	expect(at(4), 10, at(5), 4, 0, 3)
	due, next, err := s.TrackersDue(t.Context(), tenant, "nobody", at(9), 10)
	if len(due) != 0 || !next.IsZero() || err != nil {
		t.Errorf("%d trackers, then at %v, %v, of an account that has none", len(due), next, err)
	}
}

func checkDropTracker(t *testing.T, s store.Store) {
	x, stays := NewTracker(tenant, 1), NewTracker(tenant, 2)
	tx := putTrackers(x, stays)
	tx.Messages = []store.Message{{ID: "m", Subject: store.TrackerSubject(string(x.ID)), At: now}}
	commit(t, s, tenant, tx)
	if err := s.Commit(t.Context(), other, &store.Tx{DropTrackers: []tracker.ID{x.ID}}); err != nil {
		t.Errorf("dropping what is not there: %v", err)
	}
	loadTracker(t, s, tenant, x.ID)
	commit(t, s, tenant, &store.Tx{DropTrackers: []tracker.ID{x.ID}})
	notFound(t, "by id", second(s.Tracker(t.Context(), tenant, x.ID)))
	notFound(t, "by name", second(s.TrackerByName(t.Context(), tenant, x.Names[0])))
	tagged, err1 := s.TrackersByTag(t.Context(), tenant, x.Tags[0], 10)
	due, _, err2 := s.TrackersDue(t.Context(), tenant, "ups", now.Add(24*time.Hour), 10)
	if err := errors.Join(err1, err2); err != nil || len(tagged) != 0 {
		t.Errorf("%d by tag, %v", len(tagged), err)
	}
	equal(t, "due", trackerIDs(due), []tracker.ID{stays.ID})
	equal(t, "listed", trackerIDs(listTrackers(t, s, tenant, store.TrackerQuery{}).Trackers), []tracker.ID{stays.ID})
	if messages, err := s.MessagesOf(t.Context(), tenant, store.TrackerSubject(string(x.ID))); len(messages) != 1 || err != nil {
		t.Errorf("%d messages, %v: what was told stays", len(messages), err)
	}
	refused(t, s, tenant, putTrackers(x), store.ErrConflict) // at revision 1
	commit(t, s, tenant, putTrackers(NewTracker(tenant, 1)))
}

func parked(id string, minute int, keys ...string) store.Parked {
	at := now.Add(time.Duration(minute) * time.Minute)
	return store.Parked{ID: id, Account: "ups", Keys: keys, At: at, Expires: at.Add(time.Hour), Update: []byte(`{"id": "` + id + `"}`)}
}

func checkParked(t *testing.T, s store.Store) {
	a, b, c := parked("a", 2, "1Z1", "ref-1"), parked("b", 1, "1Z1"), parked("c", 3, "1Z12")
	commit(t, s, tenant, &store.Tx{Parked: []store.Parked{a, b, c}})
	expect := func(key string, want ...store.Parked) {
		t.Helper()
		got, err := s.Parked(t.Context(), tenant, "ups", key)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "parked under "+key, got, want)
	}
	expect("1Z1", b, a)
	expect("ref-1", a)
	expect("1Z", []store.Parked(nil)...)
	for tenant, account := range map[string]string{other: "ups", tenant: "ups_2"} {
		if got, err := s.Parked(t.Context(), tenant, account, "1Z1"); len(got) != 0 || err != nil {
			t.Errorf("tenant %s, account %s: %d updates, %v", tenant, account, len(got), err)
		}
	}
	for _, sweep := range []struct {
		minute, want int
	}{{60, 0}, {61, 1}, {61, 0}, {62, 1}} {
		if n, err := s.Sweep(t.Context(), now.Add(time.Duration(sweep.minute)*time.Minute)); n != sweep.want || err != nil {
			t.Errorf("swept %d at minute %d, %v, want %d", n, sweep.minute, err, sweep.want)
		}
	}
	expect("1Z1")
	expect("ref-1")
	expect("1Z12", c)
}

func checkUnpark(t *testing.T, s store.Store) {
	commit(t, s, tenant, &store.Tx{Parked: []store.Parked{parked("a", 1, "one", "two"), parked("b", 2, "two")}})
	again := parked("a", 5, "two", "three")
	commit(t, s, tenant, &store.Tx{Parked: []store.Parked{again}, Unpark: []string{"b", "nobody"}})
	for key, want := range map[string][]store.Parked{"one": nil, "two": {again}, "three": {again}} {
		got, err := s.Parked(t.Context(), tenant, "ups", key)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, key, got, want)
	}
	if n, err := s.Sweep(t.Context(), now.Add(64*time.Minute)); n != 0 || err != nil {
		t.Errorf("swept %d, %v: it was put anew and lives longer", n, err)
	}
	commit(t, s, other, &store.Tx{Unpark: []string{"a"}})
	commit(t, s, tenant, &store.Tx{Unpark: []string{"a"}})
	if n, err := s.Sweep(t.Context(), now.Add(24*time.Hour)); n != 0 || err != nil {
		t.Errorf("swept %d, %v, and all was taken", n, err)
	}
}

func checkTrackerTenants(t *testing.T, s store.Store) {
	x := NewTracker(tenant, 1)
	commit(t, s, tenant, putTrackers(x))
	for _, stranger := range []string{other, tenant[:2], tenant + "2", ""} {
		notFound(t, "by id", second(s.Tracker(t.Context(), stranger, x.ID)))
		notFound(t, "by name", second(s.TrackerByName(t.Context(), stranger, x.Names[0])))
		tagged, err1 := s.TrackersByTag(t.Context(), stranger, x.Tags[0], 10)
		due, next, err2 := s.TrackersDue(t.Context(), stranger, "ups", now.Add(24*time.Hour), 10)
		page, err3 := s.ListTrackers(t.Context(), stranger, store.TrackerQuery{})
		if err := errors.Join(err1, err2, err3); err != nil || len(tagged)+len(due)+len(page.Trackers) != 0 || !next.IsZero() {
			t.Errorf("tenant %q sees %d by tag, %d due, then at %v, and %d listed; %v", stranger, len(tagged), len(due), next, len(page.Trackers), err)
		}
	}
	if err := s.Commit(t.Context(), other, putTrackers(NewTracker(tenant, 2))); err == nil {
		t.Error("a tenant wrote another's tracker")
	}
}

func checkTrackerFaults(t *testing.T, s store.Store) {
	nameless, untagged, placeless, twice := NewTracker(tenant, 1), NewTracker(tenant, 2), NewTracker(tenant, 3), NewTracker(tenant, 4)
	nameless.Names, untagged.Tags, placeless.Surface = []string{""}, []string{"a\x00b"}, ""
	for what, tx := range map[string]*store.Tx{
		"an empty name":       putTrackers(nameless),
		"a tag of two":        putTrackers(untagged),
		"no surface":          putTrackers(placeless),
		"twice":               putTrackers(twice, twice),
		"put and dropped":     {Trackers: []*tracker.Tracker{twice}, DropTrackers: []tracker.ID{twice.ID}},
		"parked without id":   {Parked: []store.Parked{parked("", 1, "k")}},
		"parked by no key":    {Parked: []store.Parked{parked("a", 1, "")}},
		"parked twice":        {Parked: []store.Parked{parked("a", 1, "k"), parked("a", 1, "k")}},
		"about nothing":       {Messages: []store.Message{{ID: "m"}}},
		"a message of no id":  {Messages: []store.Message{{Subject: "tracker/a"}}},
		"a nameless cursor":   {Cursors: []store.Cursor{{}}},
		"a nameless delivery": {Deliveries: []store.Delivery{{}}},
	} {
		if err := s.Commit(t.Context(), tenant, tx); err == nil {
			t.Errorf("%s was committed", what)
		}
	}
}
