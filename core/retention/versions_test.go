package retention_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/retention"
	"github.com/waybill-dev/waybill/core/ruleset"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
)

// TestVersionsGoThatNobodyNames: neither a decision nor a trial nor an order that stays on it, and that are not in use; and those of erased orders
// when a month has passed.
func TestVersionsGoThatNobodyNames(t *testing.T) {
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	clk := clock.NewManual(storetest.NewShipment("demo", 0).CreatedAt)
	cfg := &config.Config{Tenants: map[string]*config.Tenant{"demo": {ID: "demo"}}}
	commit := func(tx *store.Tx) {
		t.Helper()
		if err := st.Commit(context.Background(), "demo", tx); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []string{"live", "decided", "looked-on", "pinned", "erased", "never"} {
		commit(&store.Tx{Documents: []store.Document{{Name: ruleset.VersionPrefix + v, Data: []byte("{}")}, {Name: "rules/last-good", Data: []byte("{}")}}})
	}
	record := func(v string) []byte { return fmt.Appendf(nil, `{"schema":1,"rules":%q}`, v) }
	orders := []*shipment.Shipment{}
	for n, d := range []store.Decision{{Record: record("decided"), Trial: &store.Trial{Rules: "looked-on"}}, {Record: record("built-in")}, {Record: record("erased")}} {
		sh := storetest.NewShipment("demo", n)
		if n == 1 {
			sh.Rules = "pinned"
		}
		d.Shipment, d.Round = sh.ID, 1
		commit(&store.Tx{Shipments: []*shipment.Shipment{sh}, Decisions: []store.Decision{d}})
		orders = append(orders, sh)
	}
	r := retention.New(retention.Settings{Store: st, Config: func() *config.Config { return cfg }, Clock: clk, Log: hclog.NewNullLogger(),
		RulesInUse: func(string) []string { return []string{"live"} }})
	runner, err := jobs.New(jobs.Config{Store: st, Clock: clk, Source: clock.Seeded(1, clk), Handlers: map[string]jobs.Handler{
		retention.JobRetention: r.RunRetention, retention.JobUpkeep: r.RunUpkeep}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	days := func(n int, want ...string) {
		t.Helper()
		for range n {
			if _, err := runner.RunDue(t.Context(), clk.Now()); err != nil {
				t.Fatal(err)
			}
			clk.Advance(24 * time.Hour)
		}
		slices.Sort(want)
		for i := range want {
			want[i] = ruleset.VersionPrefix + want[i]
		}
		if got, err := st.DocumentNames(t.Context(), "demo", ruleset.VersionPrefix); err != nil || !slices.Equal(got, want) {
			t.Errorf("left are %q, %v, want %q", got, err, want)
		}
	}
	days(1, "live", "decided", "looked-on", "pinned", "erased", "never") // it may be deciding this moment
	days(1, "live", "decided", "looked-on", "pinned", "erased")
	commit(&store.Tx{Shipments: []*shipment.Shipment{orders[2]}, Erase: []shipment.ID{orders[2].ID}})
	days(1, "live", "decided", "looked-on", "pinned", "erased")
	days(35, "live", "decided", "looked-on", "pinned")
	if _, err := st.Document(t.Context(), "demo", "rules/last-good"); err != nil {
		t.Error(err)
	}
}
