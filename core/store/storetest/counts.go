package storetest

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

var countChecks = []check{
	{"what is counted comes back", checkCounts},
	{"nothing is counted beyond a limit", checkCountLimit},
	{"many at once never pass a limit", checkCountRace},
	{"a sweep removes old counts alone", checkCountSweep},
	{"a document is kept by its name", checkDocument},
}

func counts(t testing.TB, s store.Store, tenant string, keys ...store.CountKey) []int64 {
	t.Helper()
	got, err := s.Counts(t.Context(), tenant, keys)
	if err != nil {
		t.Fatalf("counts: %v", err)
	}
	return got
}

func checkCounts(t *testing.T, s store.Store) {
	day, month := store.CountKey{Name: "ups", Period: "2026-03-08"}, store.CountKey{Name: "ups", Period: "2026-03"}
	commit(t, s, tenant, &store.Tx{Counts: []store.Count{{CountKey: day, Add: 1}, {CountKey: day, Add: 2}, {CountKey: month, Add: 1 << 40}}})
	commit(t, s, other, &store.Tx{Counts: []store.Count{{CountKey: day, Add: 50}}})
	commit(t, s, tenant, &store.Tx{Counts: []store.Count{{CountKey: day, Add: -1}}})
	equal(t, "counts", counts(t, s, tenant, month, day, store.CountKey{Name: "up", Period: "2026-03-08"}), []int64{1 << 40, 2, 0})
	equal(t, "another's counts", counts(t, s, other, day, month), []int64{50, 0})
}

func checkCountLimit(t *testing.T, s store.Store) {
	k := store.CountKey{Name: "ups", Period: "2026-03-08"}
	one := func(most int64) store.Count { return store.Count{CountKey: k, Add: 1, Limited: true, Most: most} }
	commit(t, s, tenant, &store.Tx{Counts: []store.Count{one(0)}})
	sh := NewShipment(tenant, 1)
	over := &store.Tx{Shipments: []*shipment.Shipment{sh}, Counts: []store.Count{one(0)}}
	refused(t, s, tenant, over, store.ErrConflict)
	refused(t, s, tenant, over, store.ErrOverCounted)
	notFound(t, "what came with a count over its limit", second(s.Shipment(t.Context(), tenant, sh.ID)))
	// What the same transaction has added counts with it.
	refused(t, s, tenant, &store.Tx{Counts: []store.Count{one(1), one(1)}}, store.ErrOverCounted)
	commit(t, s, tenant, &store.Tx{Counts: []store.Count{one(1), one(2)}})
	equal(t, "the count", counts(t, s, tenant, k), []int64{3})
}

func checkCountRace(t *testing.T, s store.Store) {
	const writers, limit = 64, 10
	k := store.CountKey{Name: "ups", Period: "2026-03-08"}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for {
				has, err := s.Counts(t.Context(), tenant, []store.CountKey{k})
				if err != nil || has[0] >= limit {
					if err != nil {
						t.Error(err)
					}
					return
				}
				err = s.Commit(t.Context(), tenant, &store.Tx{Counts: []store.Count{{CountKey: k, Add: 1, Limited: true, Most: has[0]}}})
				if err == nil || !errors.Is(err, store.ErrOverCounted) {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	equal(t, "the count", counts(t, s, tenant, k), []int64{limit})
}

func checkCountSweep(t *testing.T, s store.Store) {
	before := store.OldPeriod(now)
	at := func(period string) store.CountKey { return store.CountKey{Name: "ups", Period: period} }
	old, oldMonth, kept, today := at("2024-01-31"), at("2024-01"), at(before), at("2026-03-08")
	tx := &store.Tx{Usage: []store.UsageDelta{{Account: "ups", Day: "2024-01-31", Open: 1, Today: 1}, {Account: "ups", Day: "2026-03-08", Open: 1, Today: 1}}}
	for _, k := range []store.CountKey{old, oldMonth, kept, today} {
		tx.Counts = append(tx.Counts, store.Count{CountKey: k, Add: 1})
	}
	commit(t, s, tenant, tx)
	if n, err := s.Sweep(t.Context(), now); n != 3 || err != nil {
		t.Errorf("swept %d, %v, want two counts and a day's bookings", n, err)
	}
	equal(t, "counts after the sweep", counts(t, s, tenant, old, oldMonth, kept, today), []int64{0, 0, 1, 1})
	if u, err := s.Usage(t.Context(), tenant, "ups", "2026-03-08"); err != nil || u.Today != 1 || u.Open != 2 {
		t.Errorf("usage after the sweep: %+v, %v", u, err)
	}
}

func checkDocument(t *testing.T, s store.Store) {
	notFound(t, "a document that nobody wrote", second(s.Document(t.Context(), tenant, "rules")))
	for _, n := range []int{10, 0, 300 << 10} {
		data := blob(n, n)
		commit(t, s, tenant, &store.Tx{Documents: []store.Document{{Name: "rules", Data: data}}})
		if got, err := s.Document(t.Context(), tenant, "rules"); err != nil || !bytes.Equal(got, data) {
			t.Errorf("document of %d bytes came back with %d, %v", n, len(got), err)
		}
	}
	notFound(t, "another's document", second(s.Document(t.Context(), other, "rules")))
	commit(t, s, tenant, &store.Tx{Documents: []store.Document{{Name: "rules/b"}, {Name: "rules/a"}, {Name: "rule"}}})
	commit(t, s, other, &store.Tx{Documents: []store.Document{{Name: "rules/c"}}})
	names := func(want ...string) {
		t.Helper()
		if got, err := s.DocumentNames(t.Context(), tenant, "rules/"); err != nil || !slices.Equal(got, want) {
			t.Errorf("documents %q, %v, want %q", got, err, want)
		}
	}
	names("rules/a", "rules/b")
	commit(t, s, tenant, &store.Tx{DropDocuments: []string{"rules/a", "rules/none", "rules/b"}, Documents: []store.Document{{Name: "rules/b", Data: []byte("new")}}})
	names("rules/b")
	notFound(t, "a document that was removed", second(s.Document(t.Context(), tenant, "rules/a")))
}
