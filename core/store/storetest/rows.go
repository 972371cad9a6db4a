package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var rowChecks = []check{
	{"every row of a shipment comes back", checkRows},
	{"rows come oldest first", checkOrder},
	{"bodies that are not text are kept", checkForeignBytes},
	{"labels of every size", checkLabels},
	{"a label is replaced whole", checkLabelReplaced},
	{"an idempotency key is used once", checkKeyUsed},
	{"a used key is told before a duplicate", checkKeyFirst},
	{"an expired key is free", checkKeyExpired},
	{"a sweep removes only what has expired", checkSweep},
	{"usage is counted", checkUsage},
	{"usage is bounded", checkUsageBounds},
	{"too large is refused", checkTooLarge},
}

// everyRow is a transaction with one row of each kind for a shipment.
func everyRow(sh *shipment.Shipment) *store.Tx {
	sh.Attempts = []shipment.Attempt{{Number: 1, Reference: reference(sh.ID)}}
	return &store.Tx{
		Now:       now,
		Shipments: []*shipment.Shipment{sh},
		Changes:   []store.Change{{Shipment: sh.ID, Change: shipment.Change{Status: sh.Status, At: now}}},
		Decisions: []store.Decision{{Shipment: sh.ID, Round: 1, At: now, Record: []byte(`{"winner":"ups"}`)}},
		Exchanges: []store.Exchange{{Shipment: sh.ID, Account: "ups", Exchange: carrier.Exchange{At: now, Method: "POST"}}},
		Labels:    []store.Label{{Shipment: sh.ID, Attempt: 1, Parcel: 1, Label: shipping.Label{Format: shipping.PDF, Data: []byte("%PDF")}}},
		Messages:  []store.Message{{ID: "m-" + string(sh.ID), Subject: about(sh), Topic: "shipment.request_received", At: now, Body: []byte(`{}`)}},
		Usage:     []store.UsageDelta{{Account: "ups", Day: "2026-03-08", Open: 1, Today: 1}},
		PutJobs:   []store.Job{{ID: "j-" + string(sh.ID), Kind: "poll", Key: string(sh.ID), Due: now}},
		Keys:      []store.IdempotencyKey{{Key: "key-" + string(sh.ID), Shipment: sh.ID, Expires: now.Add(time.Hour)}},
		Claims:    []store.Claim{{Name: "claim-" + string(sh.ID), Shipment: sh.ID}},
	}
}

// nothingOf expects that a tenant finds nothing of what everyRow wrote, jobs apart.
func nothingOf(t testing.TB, s store.Store, tenant string, sh *shipment.Shipment) {
	t.Helper()
	ctx := t.Context()
	notFound(t, "shipment", second(s.Shipment(ctx, tenant, sh.ID)))
	notFound(t, "external id", second(s.ShipmentByExternalID(ctx, tenant, sh.Order.ExternalID)))
	notFound(t, "label", second(s.Label(ctx, tenant, sh.ID, 1, 1)))
	if has := claimants(t, s, "claim-"+string(sh.ID))[0]; has.Tenant == tenant {
		t.Errorf("claimant %+v", has)
	}
	notFound(t, "key", second(s.IdempotencyKey(ctx, tenant, "key-"+string(sh.ID), now)))
	history, err1 := s.History(ctx, tenant, sh.ID)
	decisions, err2 := s.Decisions(ctx, tenant, sh.ID)
	exchanges, err3 := s.Exchanges(ctx, tenant, sh.ID)
	messages, err4 := s.MessagesOf(ctx, tenant, about(sh))
	usage, err5 := s.Usage(ctx, tenant, "ups", "2026-03-08")
	page, err6 := s.ListShipments(ctx, tenant, store.ShipmentQuery{ExternalIDs: []string{sh.Order.ExternalID}})
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Error(err)
	}
	if n := len(history) + len(decisions) + len(exchanges) + len(messages) + len(page.Shipments); n != 0 || usage != (carrier.Usage{}) {
		t.Errorf("tenant %q sees %d rows and usage %+v", tenant, n, usage)
	}
}

func checkRows(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	change := Filled[store.Change]()
	decision := Filled[store.Decision]()
	exchange := Filled[store.Exchange]()
	message := Filled[store.Message]()
	key := Filled[store.IdempotencyKey]()
	change.Shipment, decision.Shipment, exchange.Shipment, message.Subject = sh.ID, sh.ID, sh.ID, about(sh)
	decision.Record, message.Body = []byte(`{"a":[1, 2]}`), []byte(`{"b":"ü"}`)
	commit(t, s, tenant, &store.Tx{
		Now: now, Shipments: []*shipment.Shipment{sh}, Changes: []store.Change{change}, Decisions: []store.Decision{decision},
		Exchanges: []store.Exchange{exchange}, Messages: []store.Message{message}, Keys: []store.IdempotencyKey{key},
	})
	message.Position = 1
	ctx := t.Context()
	history, err1 := s.History(ctx, tenant, sh.ID)
	decisions, err2 := s.Decisions(ctx, tenant, sh.ID)
	exchanges, err3 := s.Exchanges(ctx, tenant, sh.ID)
	messages, err4 := s.MessagesOf(ctx, tenant, about(sh))
	got, err5 := s.IdempotencyKey(ctx, tenant, key.Key, now)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	equal(t, "history", history, []shipment.Change{change.Change})
	equal(t, "decisions", decisions, []store.Decision{decision})
	equal(t, "exchanges", exchanges, []store.Exchange{exchange})
	equal(t, "messages", messages, []store.Message{message})
	equal(t, "idempotency key", got, key)
}

func checkOrder(t *testing.T, s store.Store) {
	sh, neighbour := NewShipment(tenant, 1), NewShipment(tenant, 2)
	commit(t, s, tenant, everyRow(neighbour))
	for i := range 300 {
		at := now.Add(time.Duration(i/3) * time.Second) // three at each instant
		tx := &store.Tx{
			Changes:   []store.Change{{Shipment: sh.ID, Change: shipment.Change{Seq: i, At: at}}},
			Decisions: []store.Decision{{Shipment: sh.ID, Round: i, At: at, Record: []byte("{}")}},
			Exchanges: []store.Exchange{{Shipment: sh.ID, Round: i, Exchange: carrier.Exchange{At: at}}},
			Messages:  []store.Message{{ID: fmt.Sprintf("%03d", i), Subject: about(sh), At: at}},
		}
		commit(t, s, tenant, tx)
	}
	history, err1 := s.History(t.Context(), tenant, sh.ID)
	decisions, err2 := s.Decisions(t.Context(), tenant, sh.ID)
	exchanges, err3 := s.Exchanges(t.Context(), tenant, sh.ID)
	messages, err4 := s.MessagesOf(t.Context(), tenant, about(sh))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	if len(history) != 300 || len(decisions) != 300 || len(exchanges) != 300 || len(messages) != 300 {
		t.Fatalf("%d changes, %d decisions, %d exchanges, %d messages, want 300 each", len(history), len(decisions), len(exchanges), len(messages))
	}
	for i := range 300 {
		if history[i].Seq != i || decisions[i].Round != i || exchanges[i].Round != i || messages[i].ID != fmt.Sprintf("%03d", i) {
			t.Fatalf("place %d: change %d, decision %d, exchange %d, message %s", i, history[i].Seq, decisions[i].Round, exchanges[i].Round, messages[i].ID)
		}
	}
}

func checkForeignBytes(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	commit(t, s, tenant, &store.Tx{
		Shipments: []*shipment.Shipment{sh},
		Exchanges: []store.Exchange{{Shipment: sh.ID, Exchange: carrier.Exchange{At: now, ResponseBody: "caf\xe9 \x00", Duration: time.Second}}},
		PutJobs:   []store.Job{{ID: "j", Kind: "k", Key: "k", Due: now, Payload: []byte("\xff\x00")}},
	})
	xs, err := s.Exchanges(t.Context(), tenant, sh.ID)
	if err != nil || len(xs) != 1 || xs[0].ResponseBody != "caf\uFFFD \x00" || xs[0].Duration != time.Second {
		t.Errorf("exchange %+v, %v", xs, err)
	}
	jobs, err := s.ClaimJobs(t.Context(), now, time.Minute, 1)
	if err != nil || len(jobs) != 1 || !bytes.Equal(jobs[0].Payload, []byte("\xff\x00")) {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
}

// blob returns n bytes that do not repeat at the size of any page.
func blob(n, salt int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((i*31 + i>>9 + salt) % 251)
	}
	return b
}

func checkLabels(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	commit(t, s, tenant, put(sh))
	sizes := []int{0, 1, 64 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5 << 20, 32 << 20}
	for i, n := range sizes {
		label := store.Label{Shipment: sh.ID, Attempt: 1, Parcel: i + 1, Label: shipping.Label{Format: shipping.PDF, Data: blob(n, i)}}
		commit(t, s, tenant, &store.Tx{Shipments: []*shipment.Shipment{sh}, Labels: []store.Label{label}})
	}
	// Several that are large only together.
	tx := &store.Tx{Shipments: []*shipment.Shipment{sh}}
	for i := range 10 {
		tx.Labels = append(tx.Labels, store.Label{Shipment: sh.ID, Attempt: 2, Parcel: i + 1, Label: shipping.Label{Format: shipping.ZPL, Data: blob(700<<10, i)}})
	}
	commit(t, s, tenant, tx)
	expect := func(attempt, parcel int, f shipping.LabelFormat, data []byte) {
		t.Helper()
		l, err := s.Label(t.Context(), tenant, sh.ID, attempt, parcel)
		if err != nil || l.Format != f || !bytes.Equal(l.Data, data) {
			t.Errorf("label %d/%d: %s, %d bytes, %v; want %d bytes as they were", attempt, parcel, l.Format, len(l.Data), err, len(data))
		}
	}
	for i, n := range sizes {
		expect(1, i+1, shipping.PDF, blob(n, i))
	}
	for i := range 10 {
		expect(2, i+1, shipping.ZPL, blob(700<<10, i))
	}
	notFound(t, "a label that is not there", second(s.Label(t.Context(), tenant, sh.ID, 3, 1)))
	notFound(t, "a label of parcel 0", second(s.Label(t.Context(), tenant, sh.ID, 1, 0)))
	stale := NewShipment(tenant, 1)
	refused(t, s, tenant, &store.Tx{
		Shipments: []*shipment.Shipment{stale},
		Labels:    []store.Label{{Shipment: sh.ID, Attempt: 3, Parcel: 1, Label: shipping.Label{Format: shipping.PDF, Data: blob(3<<20, 1)}}},
	}, store.ErrConflict)
	notFound(t, "the large label of a refused commit", second(s.Label(t.Context(), tenant, sh.ID, 3, 1)))
}

func checkLabelReplaced(t *testing.T, s store.Store) {
	id := NewShipment(tenant, 1).ID
	for i, n := range []int{3 << 20, 10, 2 << 20, 700 << 10, 0} {
		l := shipping.Label{Format: shipping.GIF, Data: blob(n, i)}
		commit(t, s, tenant, &store.Tx{Labels: []store.Label{{Shipment: id, Attempt: 1, Parcel: 1, Label: l}}})
		got, err := s.Label(t.Context(), tenant, id, 1, 1)
		if err != nil || !bytes.Equal(got.Data, l.Data) {
			t.Fatalf("version %d: %d bytes, %v, want %d", i, len(got.Data), err, n)
		}
	}
}

func keyed(n int, expires time.Time) *store.Tx {
	sh := NewShipment(tenant, n)
	tx := put(sh)
	tx.Keys = []store.IdempotencyKey{{Key: "create/abc", Hash: []byte{1, 2}, Shipment: sh.ID, Expires: expires}}
	return tx
}

func checkKeyUsed(t *testing.T, s store.Store) {
	commit(t, s, tenant, keyed(1, now.Add(time.Hour)))
	refused(t, s, tenant, keyed(2, now.Add(time.Hour)), store.ErrKeyUsed)
	notFound(t, "the second order", second(s.Shipment(t.Context(), tenant, NewShipment(tenant, 2).ID)))
	k, err := s.IdempotencyKey(t.Context(), tenant, "create/abc", now)
	if err != nil || k.Shipment != NewShipment(tenant, 1).ID || !bytes.Equal(k.Hash, []byte{1, 2}) {
		t.Errorf("key %+v, %v, want that of the first", k, err)
	}
	notFound(t, "another's key", second(s.IdempotencyKey(t.Context(), other, "create/abc", now)))
}

func checkKeyFirst(t *testing.T, s store.Store) {
	commit(t, s, tenant, keyed(1, now.Add(time.Hour)))
	refused(t, s, tenant, keyed(1, now.Add(time.Hour)), store.ErrKeyUsed)
}

func checkKeyExpired(t *testing.T, s store.Store) {
	end := now.Add(time.Hour)
	commit(t, s, tenant, keyed(1, end))
	if _, err := s.IdempotencyKey(t.Context(), tenant, "create/abc", end.Add(-1)); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	notFound(t, "at its end", second(s.IdempotencyKey(t.Context(), tenant, "create/abc", end)))
	tx := keyed(2, end.Add(time.Hour))
	tx.Now = end
	commit(t, s, tenant, tx)
	if k, err := s.IdempotencyKey(t.Context(), tenant, "create/abc", end); err != nil || k.Shipment != NewShipment(tenant, 2).ID {
		t.Errorf("key %+v, %v, want that of the second", k, err)
	}
	// The first use must not take the second away when it is swept.
	if n, err := s.Sweep(t.Context(), end); n != 0 || err != nil {
		t.Errorf("swept %d, %v; the key is in use again", n, err)
	}
	if _, err := s.IdempotencyKey(t.Context(), tenant, "create/abc", end); err != nil {
		t.Errorf("after a sweep: %v", err)
	}
}

func checkSweep(t *testing.T, s store.Store) {
	const n = 1200
	tx := &store.Tx{Now: now}
	for i := range n {
		tx.Keys = append(tx.Keys, store.IdempotencyKey{Key: fmt.Sprint("k", i), Expires: now.Add(time.Duration(i) * time.Second)})
	}
	commit(t, s, tenant, tx)
	swept, err := s.Sweep(t.Context(), now.Add(999*time.Second))
	if err != nil || swept != 1000 {
		t.Fatalf("swept %d, %v, want 1000", swept, err)
	}
	for i, want := range map[int]bool{0: false, 999: false, 1000: true, n - 1: true} {
		if _, err := s.IdempotencyKey(t.Context(), tenant, fmt.Sprint("k", i), now.Add(-time.Second)); (err == nil) != want {
			t.Errorf("key %d after the sweep: %v, want it there: %v", i, err, want)
		}
	}
	if swept, err := s.Sweep(t.Context(), now.Add(999*time.Second)); swept != 0 || err != nil {
		t.Errorf("a second sweep: %d, %v", swept, err)
	}
}

func checkUsage(t *testing.T, s store.Store) {
	const today, tomorrow = "2026-03-08", "2026-03-09"
	commit(t, s, tenant, &store.Tx{Usage: []store.UsageDelta{{Account: "ups", Day: today, Open: 2, Today: 2}, {Account: "ups", Day: today, Open: 1, Today: 1}, {Account: "ups_2", Day: today, Open: 5, Today: 5}}})
	commit(t, s, tenant, &store.Tx{Usage: []store.UsageDelta{{Account: "ups", Day: tomorrow, Open: 1, Today: 1}}})
	commit(t, s, tenant, &store.Tx{Usage: []store.UsageDelta{{Account: "ups", Open: -3}}})
	for day, want := range map[string]carrier.Usage{today: {Open: 1, Today: 3}, tomorrow: {Open: 1, Today: 1}, "2026-03-10": {Open: 1}} {
		if got, err := s.Usage(t.Context(), tenant, "ups", day); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", day, got, err, want)
		}
	}
}

func checkUsageBounds(t *testing.T, s store.Store) {
	const today, tomorrow = "2026-03-08", "2026-03-09"
	take := func(day string) *store.Tx {
		return &store.Tx{Usage: []store.UsageDelta{{Account: "own", Day: day, Open: 1, Today: 1, MaxOpen: 3, MaxToday: 2}}}
	}
	commit(t, s, tenant, take(today))
	commit(t, s, tenant, take(today))
	sh := NewShipment(tenant, 1)
	full := take(today)
	full.Shipments = []*shipment.Shipment{sh}
	refused(t, s, tenant, full, store.ErrUsage) // in a day
	if _, err := s.Shipment(t.Context(), tenant, sh.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a refused transaction was written: %v", err)
	}
	commit(t, s, tenant, take(tomorrow))
	refused(t, s, tenant, take(tomorrow), store.ErrUsage) // at once
	commit(t, s, "another", take(tomorrow))
	commit(t, s, tenant, &store.Tx{Usage: []store.UsageDelta{{Account: "own", Day: tomorrow, Open: -1, MaxOpen: 3, MaxToday: 2}}})
	commit(t, s, tenant, take(tomorrow))
	// Of those that come at once no more get in than there is room for.
	var wg sync.WaitGroup
	var in atomic.Int64
	for range 64 {
		wg.Go(func() {
			switch err := s.Commit(t.Context(), tenant, &store.Tx{Usage: []store.UsageDelta{{Account: "busy", Day: today, Open: 1, Today: 1, MaxOpen: 5}}}); {
			case err == nil:
				in.Add(1)
			case !errors.Is(err, store.ErrUsage):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if u, err := s.Usage(t.Context(), tenant, "busy", today); err != nil || u != (carrier.Usage{Open: 5, Today: 5}) || in.Load() != 5 {
		t.Errorf("%d got in, usage %+v, %v", in.Load(), u, err)
	}
}

func checkTooLarge(t *testing.T, s store.Store) {
	sh := NewShipment(tenant, 1)
	sh.Order.DeliveryInstructions = ptr(string(bytes.Repeat([]byte("x"), 16<<20)))
	refused(t, s, tenant, put(sh), store.ErrTooLarge)
	refused(t, s, tenant, &store.Tx{Labels: []store.Label{{Shipment: sh.ID, Attempt: 1, Parcel: 1, Label: shipping.Label{Data: make([]byte, 33<<20)}}}}, store.ErrTooLarge)
	sh.Order.DeliveryInstructions = ptr(string(bytes.Repeat([]byte("x"), 512<<10)))
	commit(t, s, tenant, put(sh))
}

func ptr[T any](v T) *T { return &v }
