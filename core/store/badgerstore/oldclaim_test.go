package badgerstore

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// Claims that an earlier version kept for each tenant are those of the whole store once it is opened, also where an opening was cut off
// between its commits, and where there are more than one commit takes; and a program of before, which would not see them, refuses the store.
func TestClaimsOfAnEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	const many = convertAtOnce + 10
	err = s.update(func(txn *badger.Txn) error {
		p := putter{txn: txn}
		old1(t, s, &p)
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
	secret := s.secret
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	for range 2 { // the second opening finds nothing to do
		if s, err = Open(Config{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		if m, err := readMeta(s.db, dir); err != nil || m.Schema != Schema || string(m.Secret) != string(secret) {
			t.Fatalf("schema %d, want %d, with the secret of before; %v", m.Schema, Schema, err)
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

// old1 gives a store the number that it had when claims were each tenant's.
func old1(t *testing.T, s *Store, p *putter) {
	t.Helper()
	b, err := json.Marshal(meta{Schema: 1, Secret: s.secret})
	if err != nil {
		t.Fatal(err)
	}
	p.set(metaKey(), b)
}

// A backup of an earlier version is restored, and converted when it is opened. One that is made then is refused by a program of before.
func TestABackupOfAnEarlierVersion(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.update(func(txn *badger.Txn) error {
		p := putter{txn: txn}
		old1(t, s, &p)
		value, err := encodeRecord(shipment.ID("a"), nil)
		if err != nil {
			t.Fatal(err)
		}
		p.set(newKey(kindTenantClaim, "acme").last("booking:ups:1Z"), value)
		return p.err
	})
	if err != nil {
		t.Fatal(err)
	}
	var made bytes.Buffer
	if err := s.Backup(t.Context(), &made); err != nil {
		t.Fatal(err)
	}
	_, rows, _ := bytes.Cut(made.Bytes(), []byte{'\n'})
	line, err := backupHead{Format: backupFormat, Schema: 1}.line() // as a program of before has written it
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: filepath.Join(t.TempDir(), "restored")}
	if err := Restore(cfg, io.MultiReader(bytes.NewReader(line), bytes.NewReader(rows))); err != nil {
		t.Fatal(err)
	}
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	has, err := r.Claimants(t.Context(), []string{"booking:ups:1Z"})
	if diff := cmp.Diff([]store.Claimant{{Tenant: "acme", Shipment: "a"}}, has); diff != "" || err != nil {
		t.Errorf("claimants (-want +got):\n%s%v", diff, err)
	}
	made.Reset()
	if err := r.Backup(t.Context(), &made); err != nil {
		t.Fatal(err)
	}
	if head, _, err := readHead(bufio.NewReader(&made)); err != nil || head.Schema < 2 {
		t.Errorf("the backup says %+v, %v", head, err)
	}
}
