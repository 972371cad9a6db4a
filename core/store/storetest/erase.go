package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var eraseChecks = []check{
	{"what is erased is gone, and nothing else", checkErase},
	{"a refused transaction erases nothing", checkEraseRefused},
	{"old exchanges are not retained", checkRetainExchanges},
	{"old labels are not retained", checkRetainLabels},
	{"retention keeps what it is not asked to remove", checkRetainNothing},
	{"retention removes more than fits in one group", checkRetainMany},
}

// rowCount is what a tenant sees of a shipment's rows.
type rowCount struct{ History, Decisions, Exchanges, Messages, Labels int }

func rowsOf(t testing.TB, s store.Store, tenant string, id shipment.ID) rowCount {
	t.Helper()
	ctx := t.Context()
	h, err1 := s.History(ctx, tenant, id)
	d, err2 := s.Decisions(ctx, tenant, id)
	x, err3 := s.Exchanges(ctx, tenant, id)
	m, err4 := s.MessagesOf(ctx, tenant, store.ShipmentSubject(string(id)))
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			t.Fatal(err)
		}
	}
	n := rowCount{len(h), len(d), len(x), len(m), 0}
	for parcel := 1; parcel <= 3; parcel++ {
		if _, err := s.Label(ctx, tenant, id, 1, parcel); err == nil {
			n.Labels++
		}
	}
	return n
}

func checkErase(t *testing.T, s store.Store) {
	mine, neighbour, foreign := NewShipment(tenant, 1), NewShipment(tenant, 2), NewShipment(other, 3)
	for _, sh := range []*shipment.Shipment{mine, neighbour, foreign} {
		tx := everyRow(sh)
		tx.Labels = append(tx.Labels, store.Label{Shipment: sh.ID, Attempt: 1, Parcel: 2, Label: shipping.Label{Format: shipping.PDF, Data: bytes.Repeat([]byte("x"), 3<<20)}})
		commit(t, s, sh.Tenant, tx)
	}
	mine.ErasedAt = now
	line := shipment.Change{Status: mine.Status, At: now, User: "erased"}
	commit(t, s, tenant, &store.Tx{Now: now, Shipments: []*shipment.Shipment{mine}, Erase: []shipment.ID{mine.ID, foreign.ID},
		Changes:   []store.Change{{Shipment: mine.ID, Change: line}},
		Decisions: []store.Decision{{Shipment: mine.ID, Round: 9, At: now, Record: []byte(`{}`)}}})
	equal(t, "rows of the erased", rowsOf(t, s, tenant, mine.ID), rowCount{History: 1, Decisions: 1})
	whole := rowCount{1, 1, 1, 1, 2}
	equal(t, "rows of a neighbour", rowsOf(t, s, tenant, neighbour.ID), whole)
	equal(t, "rows of another tenant's", rowsOf(t, s, other, foreign.ID), whole)
	equal(t, "the document", load(t, s, tenant, mine.ID), mine)
	history, err := s.History(t.Context(), tenant, mine.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the line that was written again", history, []shipment.Change{line})
	usage, err := s.Usage(t.Context(), tenant, "ups", "2026-03-08")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "usage", usage, carrier.Usage{Open: 2, Today: 2})
}

func checkEraseRefused(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	commit(t, s, tenant, everyRow(sh))
	stale := *sh
	stale.Revision = 7
	refused(t, s, tenant, &store.Tx{Now: now, Shipments: []*shipment.Shipment{&stale}, Erase: []shipment.ID{sh.ID}}, store.ErrConflict)
	equal(t, "rows", rowsOf(t, s, tenant, sh.ID), rowCount{1, 1, 1, 1, 1})
}

func exchangeAt(sh *shipment.Shipment, at time.Time) store.Exchange {
	return store.Exchange{Shipment: sh.ID, Account: "ups", Exchange: carrier.Exchange{At: at, Method: "POST"}}
}

func retained(t testing.TB, s store.Store, tenant string, r store.Retention, want int) {
	t.Helper()
	if n, err := s.Retain(t.Context(), tenant, r); err != nil || n != want {
		t.Errorf("removed %d rows, %v; want %d", n, err, want)
	}
}

func checkRetainExchanges(t *testing.T, s store.Store) {
	mine, foreign := NewShipment(tenant, 1), NewShipment(other, 2)
	commit(t, s, tenant, put(mine))
	commit(t, s, other, put(foreign))
	edge := now.Add(time.Hour)
	ages := []time.Time{now.Add(-100 * 365 * 24 * time.Hour), now, edge.Add(-1), edge, edge.Add(1)}
	for _, at := range ages {
		commit(t, s, tenant, &store.Tx{Now: now, Exchanges: []store.Exchange{exchangeAt(mine, at)}})
		commit(t, s, other, &store.Tx{Now: now, Exchanges: []store.Exchange{exchangeAt(foreign, at)}})
	}
	retained(t, s, tenant, store.Retention{Exchanges: edge}, 3)
	left, err := s.Exchanges(t.Context(), tenant, mine.ID)
	if err != nil || len(left) != 2 || !left[0].At.Equal(edge) {
		t.Errorf("%d exchanges are left, %v", len(left), err)
	}
	equal(t, "another tenant's", rowsOf(t, s, other, foreign.ID).Exchanges, len(ages))
	retained(t, s, tenant, store.Retention{Exchanges: edge}, 0)
}

func checkRetainLabels(t *testing.T, s store.Store) {
	label := func(sh *shipment.Shipment, parcel int) store.Label {
		return store.Label{Shipment: sh.ID, Attempt: 1, Parcel: parcel, Label: shipping.Label{Format: shipping.ZPL, Data: bytes.Repeat([]byte("^XA"), 1<<19)}}
	}
	aged, fresh, foreign := NewShipment(tenant, 1), NewShipment(tenant, 2), NewShipment(other, 3)
	fresh.UpdatedAt = now.Add(time.Hour)
	for _, sh := range []*shipment.Shipment{aged, fresh, foreign} {
		tx := put(sh)
		tx.Labels = []store.Label{label(sh, 1), label(sh, 2)}
		commit(t, s, sh.Tenant, tx)
	}
	retained(t, s, tenant, store.Retention{Labels: now.Add(time.Minute)}, 2)
	equal(t, "labels of the old", rowsOf(t, s, tenant, aged.ID).Labels, 0)
	equal(t, "labels of the fresh", rowsOf(t, s, tenant, fresh.ID).Labels, 2)
	equal(t, "labels of another tenant", rowsOf(t, s, other, foreign.ID).Labels, 2)
	equal(t, "the document", load(t, s, tenant, aged.ID), aged)
}

func checkRetainNothing(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	commit(t, s, tenant, everyRow(sh))
	retained(t, s, tenant, store.Retention{}, 0)
	retained(t, s, tenant, store.Retention{Exchanges: now.Add(-time.Hour), Labels: now.Add(-time.Hour)}, 0)
	equal(t, "rows", rowsOf(t, s, tenant, sh.ID), rowCount{1, 1, 1, 1, 1})
}

func checkRetainMany(t *testing.T, s store.Store) {
	const shipments, each = 20, 55
	for n := range shipments {
		sh := NewShipment(tenant, n)
		tx := put(sh)
		for i := range each {
			tx.Exchanges = append(tx.Exchanges, exchangeAt(sh, now.Add(time.Duration(i)*time.Second)))
		}
		commit(t, s, tenant, tx)
	}
	retained(t, s, tenant, store.Retention{Exchanges: now.Add(50 * time.Second)}, shipments*50)
	retained(t, s, tenant, store.Retention{Exchanges: now.Add(time.Hour)}, shipments*5)
}
