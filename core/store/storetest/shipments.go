package storetest

import (
	"testing"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var shipmentChecks = []check{
	{"every member comes back", checkEveryMember},
	{"nil stays apart from empty", checkNilAndEmpty},
	{"a revision counts commits", checkRevision},
	{"a stale revision is a conflict", checkConflict},
	{"a transaction is whole or nothing", checkWhole},
	{"an external id is taken once", checkDuplicate},
	{"a renamed shipment frees its external id", checkRename},
	{"two shipments exchange nothing by accident", checkHandOver},
	{"a reference finds its shipment", checkReference},
	{"nothing crosses tenants", checkTenants},
	{"what is returned belongs to the caller", checkOwnership},
	{"a fault of the program is refused", checkFaults},
}

func checkEveryMember(t *testing.T, s store.Store) {
	sh := Filled[shipment.Shipment]()
	sh.Tenant, sh.Revision = tenant, 0
	commit(t, s, tenant, put(&sh))
	if sh.Revision != 1 || sh.Schema != shipment.Schema {
		t.Errorf("revision %d, schema %d after the first commit", sh.Revision, sh.Schema)
	}
	equal(t, "by id", load(t, s, tenant, sh.ID), &sh)
	got, err := s.ShipmentByExternalID(t.Context(), tenant, sh.Order.ExternalID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "by external id", got, &sh)
	page, err := s.ListShipments(t.Context(), tenant, store.ShipmentQuery{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "in a list", page.Shipments, []*shipment.Shipment{&sh})
}

func checkNilAndEmpty(t *testing.T, s store.Store) {
	a, b := NewShipment(tenant, 1), NewShipment(tenant, 2)
	b.Accounts, b.Attempts = []string{}, nil
	b.Order.Attributes = map[string]any{}
	commit(t, s, tenant, put(a, b))
	equal(t, "nil", load(t, s, tenant, a.ID), a)
	equal(t, "empty", load(t, s, tenant, b.ID), b)
}

func checkRevision(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	for want := int64(1); want <= 3; want++ {
		commit(t, s, tenant, put(sh))
		if got := load(t, s, tenant, sh.ID).Revision; sh.Revision != want || got != want {
			t.Fatalf("revision %d in hand, %d stored, want %d", sh.Revision, got, want)
		}
	}
}

func checkConflict(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	commit(t, s, tenant, put(sh))
	first, second := load(t, s, tenant, sh.ID), load(t, s, tenant, sh.ID)
	first.Brand, second.Brand = "first", "second"
	commit(t, s, tenant, put(first))
	refused(t, s, tenant, put(second), store.ErrConflict)
	refused(t, s, tenant, put(NewShipment(tenant, 1)), store.ErrConflict)
	missing := NewShipment(tenant, 2)
	missing.Revision = 7
	refused(t, s, tenant, put(missing), store.ErrConflict)
	if got := load(t, s, tenant, sh.ID); got.Brand != "first" {
		t.Errorf("brand %q, want that of the one who came first", got.Brand)
	}
}

func checkWhole(t *testing.T, s store.Store) {
	old := NewShipment(tenant, 1)
	commit(t, s, tenant, put(old))
	fresh := NewShipment(tenant, 2)
	tx := everyRow(fresh)
	tx.Shipments = append(tx.Shipments, NewShipment(tenant, 1)) // at revision 0: a conflict
	refused(t, s, tenant, tx, store.ErrConflict)
	nothingOf(t, s, tenant, fresh)
	if at, ok, err := s.NextJob(t.Context()); ok || err != nil {
		t.Errorf("a job is due at %v (%v) of a refused commit", at, err)
	}
}

func checkDuplicate(t *testing.T, s store.Store) {
	a, b := NewShipment(tenant, 1), NewShipment(tenant, 2)
	commit(t, s, tenant, put(a))
	b.Order.ExternalID = a.Order.ExternalID
	refused(t, s, tenant, put(b), store.ErrDuplicate)
	notFound(t, "the refused shipment", second(s.Shipment(t.Context(), tenant, b.ID)))

	c, d := NewShipment(tenant, 3), NewShipment(tenant, 4)
	d.Order.ExternalID = c.Order.ExternalID
	refused(t, s, tenant, put(c, d), store.ErrDuplicate)

	foreign := NewShipment(other, 5)
	foreign.Order.ExternalID = a.Order.ExternalID
	commit(t, s, other, put(foreign))
	nameless, another := NewShipment(tenant, 6), NewShipment(tenant, 7)
	nameless.Order.ExternalID, another.Order.ExternalID = "", ""
	commit(t, s, tenant, put(nameless, another))
}

func checkRename(t *testing.T, s store.Store) {
	a, b := NewShipment(tenant, 1), NewShipment(tenant, 2)
	commit(t, s, tenant, put(a, b))
	free := a.Order.ExternalID
	a.Order.ExternalID = b.Order.ExternalID
	refused(t, s, tenant, put(a), store.ErrDuplicate)
	a.Order.ExternalID = "renamed"
	commit(t, s, tenant, put(a))
	notFound(t, "the old external id", second(s.ShipmentByExternalID(t.Context(), tenant, free)))
	c := NewShipment(tenant, 3)
	c.Order.ExternalID = free
	commit(t, s, tenant, put(c))
	for external, want := range map[string]shipment.ID{"renamed": a.ID, free: c.ID, b.Order.ExternalID: b.ID} {
		got, err := s.ShipmentByExternalID(t.Context(), tenant, external)
		if err != nil || got.ID != want {
			t.Errorf("%s: %v %v, want %s", external, got, err, want)
		}
	}
}

func checkHandOver(t *testing.T, s store.Store) {
	a, b := NewShipment(tenant, 1), NewShipment(tenant, 2)
	commit(t, s, tenant, put(a))
	external := a.Order.ExternalID
	a.Order.ExternalID, b.Order.ExternalID = "given-up", external
	commit(t, s, tenant, put(b, a))
	for external, want := range map[string]shipment.ID{"given-up": a.ID, external: b.ID} {
		got, err := s.ShipmentByExternalID(t.Context(), tenant, external)
		if err != nil || got.ID != want {
			t.Errorf("%s: %v %v, want %s", external, got, err, want)
		}
	}
}

func checkReference(t *testing.T, s store.Store) {
	a, b := NewShipment(tenant, 1), NewShipment(other, 2)
	for _, sh := range []*shipment.Shipment{a, b} {
		commit(t, s, sh.Tenant, put(sh))
		sh.Attempts = append(sh.Attempts, shipment.Attempt{Number: 1, Reference: reference(sh.ID)})
		commit(t, s, sh.Tenant, put(sh))
		sh.Attempts = append(sh.Attempts, shipment.Attempt{Number: 2, Reference: reference(sh.ID) + "2"})
		commit(t, s, sh.Tenant, put(sh))
	}
	for _, sh := range []*shipment.Shipment{a, b} {
		for _, r := range []string{reference(sh.ID), reference(sh.ID) + "2"} {
			got, err := s.ShipmentByReference(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, r, got, sh)
		}
	}
	notFound(t, "an unknown reference", second(s.ShipmentByReference(t.Context(), "nobody")))
	notFound(t, "half a reference", second(s.ShipmentByReference(t.Context(), reference(a.ID)[:5])))
}

func checkTenants(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	commit(t, s, tenant, everyRow(sh))
	// Names that run into one another must not.
	for _, stranger := range []string{other, tenant[:2], tenant + "2", ""} {
		nothingOf(t, s, stranger, sh)
	}
	if err := s.Commit(t.Context(), other, put(NewShipment(tenant, 2))); err == nil {
		t.Error("a tenant wrote another's shipment")
	}
}

func checkOwnership(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	sh.Accounts = []string{"ups"}
	commit(t, s, tenant, put(sh))
	load(t, s, tenant, sh.ID).Accounts[0] = "spoilt"
	sh.Accounts[0] = "spoilt"
	if got := load(t, s, tenant, sh.ID).Accounts[0]; got != "ups" {
		t.Errorf("account %q: a caller changed what is stored", got)
	}
}

func checkFaults(t *testing.T, s store.Store) {
	nameless := NewShipment(tenant, 1)
	nameless.ID = ""
	twice := NewShipment(tenant, 2)
	for name, tx := range map[string]*store.Tx{
		"no id":             put(nameless),
		"twice":             put(twice, twice),
		"job without id":    {PutJobs: []store.Job{{Kind: "poll", Key: "k"}}},
		"job of no tenant":  {PutJobs: []store.Job{{ID: "j", Tenant: other + "\x00", Kind: "poll", Key: "k"}}},
		"label of parcel 0": {Labels: []store.Label{{Shipment: twice.ID, Attempt: 1}}},
	} {
		if err := s.Commit(t.Context(), tenant, tx); err == nil {
			t.Errorf("%s was committed", name)
		}
	}
	if err := s.Commit(t.Context(), "", put(NewShipment("", 3))); err == nil {
		t.Error("a transaction of no tenant was committed")
	}
	page, err := s.ListShipments(t.Context(), tenant, store.ShipmentQuery{Statuses: []shipping.Status{shipping.RequestReceived}})
	if err != nil || len(page.Shipments) != 0 {
		t.Errorf("%d shipments, %v, want none", len(page.Shipments), err)
	}
}

func second[T any](_ T, err error) error { return err }
