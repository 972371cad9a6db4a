package badgerstore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write the golden records of the present schema")

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	newer, _ := json.Marshal(meta{Schema: Schema + 1, Secret: s.secret})
	err = s.db.Update(func(txn *badger.Txn) error { return txn.Set(newKey(kindMeta).last("store"), newer) })
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "has schema 2, and this program knows 1") {
		t.Errorf("opened: %v", err)
	}
}

// TestFullDisk lets the disk run full and be freed again: writes are refused meanwhile, reads go on, and nothing is half there.
func TestFullDisk(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var free atomic.Uint64
	s.free = func(string) (uint64, error) { return free.Load(), nil }
	tx := func() *store.Tx {
		sh := storetest.NewShipment("acme", 1)
		return &store.Tx{
			Shipments: []*shipment.Shipment{sh},
			Labels:    []store.Label{{Shipment: sh.ID, Attempt: 1, Parcel: 1, Label: shipping.Label{Data: bytes.Repeat([]byte("x"), 3<<20)}}},
			PutJobs:   []store.Job{{ID: "j", Kind: "poll", Key: "k"}},
		}
	}
	err = s.Commit(t.Context(), "acme", tx())
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("commit on a full disk: %v", err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("check on a full disk: %v", err)
	}
	if _, err := s.Shipment(t.Context(), "acme", tx().Shipments[0].ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("read on a full disk: %v", err)
	}
	if jobs, err := s.ClaimJobs(t.Context(), time.Now(), time.Minute, 1); len(jobs) != 0 || err != nil {
		t.Errorf("claimed %v, %v, of a commit that failed", jobs, err)
	}
	free.Store(DefaultMinFree)
	if err := errors.Join(s.Check(t.Context()), s.Commit(t.Context(), "acme", tx())); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if l, err := s.Label(t.Context(), "acme", tx().Shipments[0].ID, 1, 1); err != nil || len(l.Data) != 3<<20 {
		t.Errorf("label of %d bytes, %v", len(l.Data), err)
	}
	if jobs, err := s.ClaimJobs(t.Context(), time.Now(), time.Minute, 1); len(jobs) != 1 || err != nil {
		t.Errorf("claimed %v, %v", jobs, err)
	}
}

func count(t *testing.T, s *Store, kind byte) (n int) {
	t.Helper()
	if err := s.db.View(func(txn *badger.Txn) error {
		return scanKeys(txn, newKey(kind), func([]byte) error { n++; return nil })
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLabelOfACrashIsRemoved writes a label ahead, as a crash would leave it, and opens again.
func TestLabelOfACrashIsRemoved(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	tx := &store.Tx{Labels: []store.Label{{Shipment: "a", Attempt: 1, Parcel: 1, Label: shipping.Label{Data: make([]byte, 3<<20)}}}}
	if err := s.Commit(t.Context(), "acme", tx); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, kindPending); n != 0 {
		t.Errorf("%d marks of labels that were named", n)
	}
	chunks := count(t, s, kindBlob)
	w := &write{store: s, tenant: "acme"}
	if err := errors.Join(w.encodeLabels(tx), w.writeAhead()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, kindBlob); n != 2*chunks || chunks == 0 {
		t.Fatalf("%d chunks, want those of two labels of %d", n, chunks)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := count(t, s, kindBlob); n != chunks || count(t, s, kindPending) != 0 {
		t.Errorf("%d chunks after opening, want the %d that are named", n, chunks)
	}
	if l, err := s.Label(t.Context(), "acme", "a", 1, 1); err != nil || len(l.Data) != 3<<20 {
		t.Errorf("the named label: %d bytes, %v", len(l.Data), err)
	}
}

// records are one of each kind, as the present schema writes them.
func records(t *testing.T) map[string][]byte {
	t.Helper()
	sh := storetest.Filled[shipment.Shipment]()
	columns, doc, err := encodeShipment(&sh, 7)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{"shipment": doc, "list": columns.encode([]byte{schema}, false)}
	add := func(name string, head any, body string) {
		b, err := encodeRecord(head, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = b
	}
	decision, message, job := storetest.Filled[store.Decision](), storetest.Filled[store.Message](), storetest.Filled[store.Job]()
	decision.Record, message.Body, job.Payload, job.Lease = nil, nil, nil, nil
	add("change", storetest.Filled[shipment.Change](), "")
	add("decision", decision, `{"winner":"ups"}`)
	add("exchange", storetest.Filled[store.Exchange](), "")
	add("message", message, `{"order":1}`)
	add("job", job, "payload")
	add("idempotency key", storetest.Filled[store.IdempotencyKey](), "")
	add("label", labelHead{Format: shipping.PDF, Size: 1, Blob: 2, Chunks: 1}, "")
	return all
}

// read decodes a record of a kind to something to compare.
func read(t *testing.T, name string, b []byte) any {
	t.Helper()
	decode := func(v any) any {
		body, err := decodeRecord(b, v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return []any{v, string(body)}
	}
	switch name {
	case "shipment":
		sh, err := decodeShipment(b)
		c, err2 := shipmentColumns(b)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if c.revision != sh.Revision || len(c.references) != len(sh.Attempts) {
			t.Errorf("columns %+v do not fit the document", c)
		}
		return sh
	case "list":
		c, err := decodeColumns(b[1:])
		if err != nil {
			t.Fatal(err)
		}
		return c
	case "change":
		return decode(&shipment.Change{})
	case "decision":
		return decode(&store.Decision{})
	case "exchange":
		return decode(&store.Exchange{})
	case "message":
		return decode(&store.Message{})
	case "job":
		return decode(&store.Job{})
	case "idempotency key":
		return decode(&store.IdempotencyKey{})
	case "label":
		return decode(&labelHead{})
	}
	t.Fatalf("no such record: %s", name)
	return nil
}

// TestGoldenRecords reads what every schema has written. A record of the present schema that is no more what it was means that
// stored data would not be read right: give the schema a new number and keep reading the old one.
func TestGoldenRecords(t *testing.T) {
	exact := cmp.Options{cmp.AllowUnexported(columns{}), cmp.Comparer(func(a, b shipping.Decimal) bool { return a.String() == b.String() })}
	dir := filepath.Join("testdata", "schema1")
	for name, written := range records(t) {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".hex")
		if *update {
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(path, []byte(fold(hex.EncodeToString(written))), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v; run with -update", err)
		}
		golden, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(read(t, name, golden), read(t, name, written), exact); d != "" {
			t.Errorf("%s (-golden +written now):\n%s", name, d)
		}
		if !bytes.Equal(golden, written) {
			t.Errorf("%s: the stored form has changed", name)
		}
	}
}

func fold(s string) string {
	var b strings.Builder
	for ; len(s) > 120; s = s[120:] {
		b.WriteString(s[:120] + "\n")
	}
	return b.String() + s + "\n"
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2, 0})
	sh := storetest.NewShipment("acme", 1)
	_, doc, err := encodeShipment(sh, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := shipmentColumns(b); err == nil {
			again, err := decodeColumns(c.encode(nil, true))
			if err != nil || cmp.Diff(c, again, cmp.AllowUnexported(columns{})) != "" {
				t.Errorf("columns %+v come back as %+v, %v", c, again, err)
			}
		}
		decodeShipment(b)
		decodeRecord(b, &store.Exchange{})
	})
}

func FuzzCursor(f *testing.F) {
	s := &Store{secret: []byte("secret")}
	f.Add("")
	f.Add(s.cursor("acme", store.ShipmentQuery{}, position("12345678id"), true))
	f.Fuzz(func(t *testing.T, token string) {
		q := store.ShipmentQuery{Cursor: token}
		at, newer, err := s.readCursor("acme", q)
		if err != nil {
			if !errors.Is(err, store.ErrCursor) {
				t.Errorf("%q: %v", token, err)
			}
			return
		}
		if token != "" && s.cursor("acme", q, at, newer) != token {
			t.Errorf("%q was taken for a token", token)
		}
	})
}
