package retention_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/retention"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

// TestOldThingsGo runs the jobs over 200 days for four tenants: one with the usual retention, one that erases early, one that is as that and
// leaves the configuration on the second day, and one that leaves it before its job has run once.
func TestOldThingsGo(t *testing.T) {
	ctx := t.Context()
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	begin := storetest.NewShipment("usual", 0).CreatedAt
	clk := clock.NewManual(begin)
	cfg := &config.Config{
		Retention: config.Retention{Exchanges: 30 * day, Labels: 180 * day},
		Tenants: map[string]*config.Tenant{"usual": {ID: "usual"}, "unseen": {ID: "unseen"}, "early": {ID: "early", Retention: config.Retention{Labels: 3 * day, Personal: 10 * day}},
			"leaving": {ID: "leaving", Retention: config.Retention{Labels: 3 * day, Personal: 10 * day}}},
	}
	const orders = 450 // more than a page
	var ids []shipment.ID
	for n := range orders {
		for i, tenant := range []string{"usual", "early", "leaving", "unseen"} {
			sh := storetest.NewShipment(tenant, n*4+i)
			sh.Status, sh.Order.DeliveryContact.Name = shipping.OrderDelivered, "Eulalia"
			if tenant == "early" {
				ids = append(ids, sh.ID)
			}
			tx := &store.Tx{Shipments: []*shipment.Shipment{sh},
				Exchanges: []store.Exchange{{Shipment: sh.ID, Account: "ups", Exchange: carrier.Exchange{At: clk.Now()}}},
				Labels:    []store.Label{{Shipment: sh.ID, Attempt: 1, Parcel: 1, Label: shipping.Label{Format: shipping.ZPL, Data: []byte("^XA^XZ")}}},
				Keys:      []store.IdempotencyKey{{Key: "k" + string(sh.ID), Expires: begin.Add(day)}}}
			if err := st.Commit(ctx, tenant, tx); err != nil {
				t.Fatal(err)
			}
		}
	}
	current := func() *config.Config { return cfg }
	source := clock.Seeded(1, clk)
	cases := dispatch.New(dispatch.Settings{Store: st, Config: current, Clock: clk, Source: source, Log: hclog.NewNullLogger()})
	collected := 0
	r := retention.New(retention.Settings{Store: st, Config: current, Clock: clk, Log: hclog.NewNullLogger(),
		CollectGarbage: func(context.Context) error { collected++; return nil }})
	runner, err := jobs.New(jobs.Config{Store: st, Clock: clk, Source: source, Handlers: map[string]jobs.Handler{
		retention.JobRetention: r.RunRetention, retention.JobUpkeep: r.RunUpkeep, dispatch.JobErase: cases.RunErase}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Plan(ctx), r.Plan(ctx)); err != nil { // planned twice, there once
		t.Fatal(err)
	}
	delete(cfg.Tenants, "unseen")
	// left says, for one tenant, how many of its orders still have an exchange, a label, a name.
	left := func(tenant string) (n [3]int) {
		q := store.ShipmentQuery{Limit: 1000}
		page, err := st.ListShipments(ctx, tenant, q)
		if err != nil || len(page.Shipments) != orders {
			t.Fatalf("tenant %s has %d orders, %v", tenant, len(page.Shipments), err)
		}
		for _, sh := range page.Shipments {
			x, err := st.Exchanges(ctx, tenant, sh.ID)
			if err != nil {
				t.Fatal(err)
			}
			n[0] += len(x)
			if _, err := st.Label(ctx, tenant, sh.ID, 1, 1); err == nil {
				n[1]++
			}
			if sh.Order.DeliveryContact.Name != "" {
				n[2]++
			}
		}
		return n
	}
	all := [3]int{orders, orders, orders}
	for _, step := range []struct {
		day          int
		usual, early [3]int
	}{
		{1, all, all},
		{5, all, [3]int{orders, 0, orders}},
		{12, all, [3]int{}},
		{32, [3]int{0, orders, orders}, [3]int{}},
		{182, [3]int{0, 0, orders}, [3]int{}},
	} {
		pass(t, runner, clk, begin.Add(time.Duration(step.day)*day))
		for tenant, want := range map[string][3]int{"usual": step.usual, "unseen": step.usual, "early": step.early, "leaving": step.early} {
			if got := left(tenant); got != want {
				t.Errorf("day %d: %s has %v, want %v", step.day, tenant, got, want)
			}
		}
		delete(cfg.Tenants, "leaving")
	}
	if collected < 180 || collected > 184 {
		t.Errorf("garbage was collected %d times in 182 days", collected)
	}
	if _, err := st.IdempotencyKey(ctx, "early", "k"+string(ids[0]), begin); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an expired key is there: %v", err)
	}
	cfg.Tenants["unseen"] = &config.Tenant{ID: "unseen", Retention: config.Retention{Personal: day}}
	if err := r.Plan(ctx); err != nil {
		t.Fatal(err)
	}
	pass(t, runner, clk, clk.Now().Add(day))
	if got := left("unseen"); got != [3]int{} {
		t.Errorf("a tenant that came back, with shorter days: %v", got)
	}
}

// pass does what is due until a time.
func pass(t *testing.T, runner *jobs.Runner, clk *clock.Manual, end time.Time) {
	t.Helper()
	for range 100_000 {
		if _, err := runner.RunDue(t.Context(), clk.Now()); err != nil {
			t.Fatal(err)
		}
		next, ok, err := runner.NextDue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok || next.After(end) {
			clk.Set(end)
			return
		}
		if next.After(clk.Now()) {
			clk.Set(next)
		}
	}
	t.Fatal(fmt.Errorf("the jobs do not come to rest"))
}
