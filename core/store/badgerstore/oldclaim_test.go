package badgerstore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// Claims that an earlier version kept for each tenant are those of the whole store once it is opened, also where an opening was cut off
// between its commits, and where there are more than one commit takes.
func TestClaimsOfAnEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	const many = convertAtOnce + 10
	err = s.update(func(txn *badger.Txn) error {
		p := putter{txn: txn}
		old := func(tenant, name string, by shipment.ID) {
			value, err := encodeRecord(by, nil)
			if err != nil {
				t.Fatal(err)
			}
			p.set(newKey(kindTenantClaim, tenant).last(name), value)
		}
		for i := range many {
			old("acme", fmt.Sprintf("m%05d", i), "a")
		}
		old("acme", "both", "a")
		old("zeta", "both", "z")
		old("zeta", "booking:ups:1Z", "z")
		old("zeta", "converted", "before") // by an opening that was cut off, and claimed anew since
		return p.err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), "acme", &store.Tx{Claims: []store.Claim{{Name: "converted", Shipment: "a"}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	for range 2 { // the second opening finds nothing to do
		if s, err = Open(Config{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		a, z := store.Claimant{Tenant: "acme", Shipment: "a"}, store.Claimant{Tenant: "zeta", Shipment: "z"}
		got, err := s.Claimants(t.Context(), []string{"m00000", fmt.Sprintf("m%05d", many-1), "both", "booking:ups:1Z", "converted", "none"})
		if diff := cmp.Diff([]store.Claimant{a, a, a, z, a, {}}, got); diff != "" || err != nil {
			t.Errorf("claimants (-want +got):\n%s%v", diff, err)
		}
		if n, m := count(t, s, kindClaim), count(t, s, kindTenantClaim); n != many+3 || m != 0 {
			t.Errorf("%d claims of the store, want %d; %d of tenants", n, many+3, m)
		}
		take := func(before store.Claimant) error {
			return s.Commit(t.Context(), "acme", &store.Tx{Claims: []store.Claim{{Name: "booking:ups:1Z", Shipment: "z", Before: before}}})
		}
		if err := take(store.Claimant{}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("what another tenant has is taken as nobody's: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
