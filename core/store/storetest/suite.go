// Package storetest is the suite that every store passes: what core/store promises, said as checks through its public door. A
// store's own tests call Run, and keep for themselves only what is theirs: files, errors of opening, speed.
package storetest

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Options say what a store can do besides the contract.
type Options struct {
	// Reopen closes a store and opens it again over the same data, as after a restart. Nil where nothing outlives Close.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Crash returns a command that calls Acknowledge with a new store until it is killed, and a function that opens that store
	// afterwards. Nil where a store cannot outlive its process.
	Crash func(t *testing.T) (writer *exec.Cmd, reopen func() store.Store)
}

// Run runs every check. Open returns a new, empty store, and sees to its being closed.
func Run(t *testing.T, open func(t *testing.T) store.Store, o Options) {
	for _, group := range []struct {
		name   string
		checks []check
	}{
		{"shipments", shipmentChecks},
		{"rows", rowChecks},
		{"lists", listChecks},
		{"jobs", jobChecks},
		{"writers", writerChecks},
		{"erase", eraseChecks},
		{"trackers", trackerChecks},
		{"log", logChecks},
		{"subscriptions", subscriptionChecks},
		{"counts", countChecks},
		{"claims", claimChecks},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel() // the checks wait for the disk, not for the processor
			for _, c := range group.checks {
				t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
			}
		})
	}
	t.Run("life", func(t *testing.T) { lifeChecks(t, open, o) })
}

type check struct {
	name string
	run  func(t *testing.T, s store.Store)
}

// Two tenants, and the present of every check.
const (
	tenant = "acme"
	other  = "globex"
)

var now = time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)

// NewShipment returns a small shipment that the store does not have. N makes its id, its external id and its second of creation.
func NewShipment(tenant string, n int) *shipment.Shipment {
	created := now.Add(time.Duration(n) * time.Second)
	return &shipment.Shipment{
		ID: shipment.ID(fmt.Sprintf("%024x", n+1)), Tenant: tenant, Status: shipping.RequestReceived,
		Order:     shipment.Order{ExternalID: fmt.Sprintf("order-%d", n), LocationID: "loc-1"},
		CreatedAt: created, UpdatedAt: created,
	}
}

func about(sh *shipment.Shipment) string { return store.ShipmentSubject(string(sh.ID)) }

func reference(id shipment.ID) string { return "ab" + string(id) }

func commit(t testing.TB, s store.Store, tenant string, tx *store.Tx) {
	t.Helper()
	if err := s.Commit(t.Context(), tenant, tx); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// refused expects a commit to be refused, and the shipments' revisions to stay.
func refused(t testing.TB, s store.Store, tenant string, tx *store.Tx, want error) {
	t.Helper()
	var before []int64
	for _, sh := range tx.Shipments {
		before = append(before, sh.Revision)
	}
	if err := s.Commit(t.Context(), tenant, tx); !errors.Is(err, want) {
		t.Fatalf("commit: %v, want %v", err, want)
	}
	for i, sh := range tx.Shipments {
		if sh.Revision != before[i] {
			t.Errorf("a refused commit counted the revision of %s up to %d", sh.ID, sh.Revision)
		}
	}
}

func put(shipments ...*shipment.Shipment) *store.Tx {
	return &store.Tx{Shipments: shipments, Now: now}
}

func load(t testing.TB, s store.Store, tenant string, id shipment.ID) *shipment.Shipment {
	t.Helper()
	sh, err := s.Shipment(t.Context(), tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return sh
}

func notFound(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%s: %v, want %v", what, err, store.ErrNotFound)
	}
}

// exact compares to the last member, nil apart from empty.
var exact = cmp.Options{cmp.Comparer(func(a, b shipping.Decimal) bool { return a.String() == b.String() })}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, exact); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
