package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

var claimChecks = []check{
	{"a claim is its shipment's until another takes it from that one", checkClaims},
	{"a claim is one of the whole store, whichever tenant's it is", checkClaimTenants},
	{"of many that claim at once one has it", checkClaimRace},
	{"a claim that is freed is nobody's, and is freed by whom has it alone", checkClaimFreed},
}

func claimants(t testing.TB, s store.Store, names ...string) []store.Claimant {
	t.Helper()
	got, err := s.Claimants(t.Context(), names)
	if err != nil {
		t.Fatalf("claimants: %v", err)
	}
	return got
}

// by is a shipment of the suite's tenant as one that has claimed something; "" for nobody.
func by(ids ...shipment.ID) []store.Claimant {
	out := make([]store.Claimant, len(ids))
	for i, id := range ids {
		if id != "" {
			out[i] = store.Claimant{Tenant: tenant, Shipment: id}
		}
	}
	return out
}

func checkClaims(t *testing.T, s store.Store) {
	claim := func(name string, id, before shipment.ID) *store.Tx {
		return &store.Tx{Claims: []store.Claim{{Name: name, Shipment: id, Before: by(before)[0]}}}
	}
	commit(t, s, tenant, &store.Tx{Claims: []store.Claim{{Name: "n1", Shipment: "a"}, {Name: "n2", Shipment: "a"}}})
	equal(t, "claimants", claimants(t, s, "n2", "n", "n1", "n11"), by("a", "", "a", ""))

	// What comes with a claim that does not hold is not written.
	sh := NewShipment(tenant, 1)
	for _, before := range []shipment.ID{"", "b"} {
		tx := claim("n1", "b", before)
		tx.Shipments = []*shipment.Shipment{sh}
		tx.Claims = append(tx.Claims, store.Claim{Name: "n3", Shipment: "b"})
		refused(t, s, tenant, tx, store.ErrConflict)
	}
	refused(t, s, tenant, claim("n3", "b", "a"), store.ErrConflict) // nobody has it
	notFound(t, "what came with a claim that does not hold", second(s.Shipment(t.Context(), tenant, sh.ID)))
	equal(t, "claimants after refusals", claimants(t, s, "n1", "n3"), by("a", ""))

	commit(t, s, tenant, claim("n1", "b", "a"))
	commit(t, s, tenant, claim("n1", "b", "b"))
	equal(t, "claimants in the end", claimants(t, s, "n1", "n2"), by("b", "a"))
	if err := s.Commit(t.Context(), tenant, &store.Tx{Claims: []store.Claim{{Name: "n4", Shipment: "a"}, {Name: "n4", Shipment: "b"}}}); err == nil {
		t.Error("one transaction gives a name to two shipments")
	}
}

// checkClaimTenants: what one tenant's shipment has claimed is seen by all, and is taken only from that one.
func checkClaimTenants(t *testing.T, s store.Store) {
	theirs := store.Claimant{Tenant: other, Shipment: "a"}
	take := func(before store.Claimant) *store.Tx {
		return &store.Tx{Claims: []store.Claim{{Name: "n1", Shipment: "a", Before: before}}}
	}
	commit(t, s, other, take(store.Claimant{}))
	equal(t, "another tenant's", claimants(t, s, "n1"), []store.Claimant{theirs})
	refused(t, s, tenant, take(store.Claimant{}), store.ErrConflict)
	refused(t, s, tenant, take(by("a")[0]), store.ErrConflict) // a shipment of the same id is another
	refused(t, s, tenant, &store.Tx{Claims: []store.Claim{{Name: "n1", Before: by("a")[0]}}}, store.ErrConflict)
	equal(t, "after refusals", claimants(t, s, "n1"), []store.Claimant{theirs})
	commit(t, s, tenant, take(theirs))
	equal(t, "taken", claimants(t, s, "n1"), by("a"))
	refused(t, s, other, take(theirs), store.ErrConflict)
}

func owner(sh *shipment.Shipment) store.Claimant {
	return store.Claimant{Tenant: sh.Tenant, Shipment: sh.ID}
}

// checkClaimRace lets writers of two tenants claim one number, each with a shipment of its own: those that are refused find in it who was first.
func checkClaimRace(t *testing.T, s store.Store) {
	for round := range 10 {
		name := fmt.Sprint("n", round)
		outcomes := make([]error, writers)
		shipments := make([]*shipment.Shipment, writers)
		each(func(i int) {
			sh := NewShipment([]string{tenant, other}[i%2], round*1000+i)
			tx := put(sh)
			tx.Claims = []store.Claim{{Name: name, Shipment: sh.ID}}
			shipments[i], outcomes[i] = sh, s.Commit(t.Context(), sh.Tenant, tx)
			if outcomes[i] == nil {
				return
			}
			if got, err := s.Claimants(t.Context(), []string{name}); err != nil || got[0].Shipment == "" || got[0] == owner(sh) {
				t.Errorf("who is refused finds that %q has it, %v", got, err)
			}
		})
		won := 0
		for i, err := range outcomes {
			switch has := claimants(t, s, name)[0]; {
			case err == nil:
				won++
				equal(t, "claimant", has, owner(shipments[i]))
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("%v, want %v", err, store.ErrConflict)
			}
		}
		if won != 1 {
			t.Fatalf("round %d: %d have the name, want one", round, won)
		}
	}
}

func checkClaimFreed(t *testing.T, s store.Store) {
	free := func(name string, before shipment.ID) *store.Tx {
		return &store.Tx{Claims: []store.Claim{{Name: name, Before: by(before)[0]}}}
	}
	commit(t, s, tenant, &store.Tx{Claims: []store.Claim{{Name: "n1", Shipment: "a"}, {Name: "n2", Shipment: "a"}}})
	refused(t, s, tenant, free("n1", "b"), store.ErrConflict)
	refused(t, s, tenant, free("n1", ""), store.ErrConflict)
	equal(t, "claimant after a refusal", claimants(t, s, "n1"), by("a"))
	commit(t, s, tenant, free("n1", "a"))
	commit(t, s, tenant, free("n1", "")) // it is nobody's
	equal(t, "claimants", claimants(t, s, "n1", "n2"), by("", "a"))
	refused(t, s, tenant, &store.Tx{Claims: []store.Claim{{Name: "n1", Shipment: "b", Before: by("a")[0]}}}, store.ErrConflict)
	commit(t, s, tenant, &store.Tx{Claims: []store.Claim{{Name: "n1", Shipment: "b"}}})
	equal(t, "claimant in the end", claimants(t, s, "n1"), by("b"))

	// One is freed while all others claim it: it is the freed one's no more, and one of the others' at most.
	for round := range 10 {
		name := fmt.Sprint("r", round)
		commit(t, s, tenant, &store.Tx{Claims: []store.Claim{{Name: name, Shipment: "first"}}})
		outcomes := make([]error, writers)
		each(func(i int) {
			c := store.Claim{Name: name, Shipment: shipment.ID(fmt.Sprint("w", i))}
			if i == 0 {
				c = store.Claim{Name: name, Before: by("first")[0]}
			}
			outcomes[i] = s.Commit(t.Context(), tenant, &store.Tx{Claims: []store.Claim{c}})
		})
		var want shipment.ID
		for i, err := range outcomes {
			switch {
			case err == nil && i > 0 && want != "":
				t.Fatalf("round %d: %s and w%d have the name", round, want, i)
			case err == nil && i > 0:
				want = shipment.ID(fmt.Sprint("w", i))
			case i == 0 && err != nil, err != nil && !errors.Is(err, store.ErrConflict):
				t.Fatalf("writer %d: %v", i, err)
			}
		}
		equal(t, "claimant", claimants(t, s, name), by(want))
	}
}
