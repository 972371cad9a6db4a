package badgerstore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/google/go-cmp/cmp"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write the golden records that are missing")

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
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has schema %d, and this program knows %d", Schema+1, Schema)) {
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

// deliveryBodies are what the golden delivery has sent and been answered.
const deliveryBodies = "sentansweredsentanswered"

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
	decision.Record, message.Body, message.Position, job.Payload, job.Lease = nil, nil, 0, nil, nil
	add("change", storetest.Filled[shipment.Change](), "")
	add("decision", decision, `{"winner":"ups"}`)
	add("exchange", storetest.Filled[store.Exchange](), "") // as it was stored once
	row, bodies := newExchangeRow(store.Exchange{Exchange: carrier.Exchange{Method: "POST", RequestBody: "{}", ResponseBody: "[1]"}})
	add("trace", row, string(bodies))
	add("message", message, `{"order":1}`)
	add("job", job, "payload")
	add("key", storetest.Filled[store.IdempotencyKey](), "")
	parked := storetest.Filled[store.Parked]()
	parked.Update = nil
	add("parked", parked, `{"event":1}`)
	add("subscription", storetest.Filled[store.Subscription](), "")
	told := storetest.Filled[store.Delivery]()
	for i := range told.Tries {
		told.Tries[i].RequestBody, told.Tries[i].ResponseBody = []byte("sent"), []byte("answered")
	}
	delivery, sent := newDeliveryRow(told)
	add("delivery", delivery, string(sent))
	waits := deliveryColumns{created: 1, due: 2, state: store.DeliveryWaiting, subject: "tracker/a"}
	all["outcome"] = waits.encode()
	followed := storetest.Filled[tracker.Tracker]()
	if _, all["tracker"], err = encodeTracker(&followed, 7); err != nil {
		t.Fatal(err)
	}
	add("claim", shipment.ID("01h"), "")
	add("owner", store.Claimant{Tenant: "acme", Shipment: "01h"}, "")
	add("label", labelHead{Format: shipping.PDF, Size: 1, Blob: 2, Chunks: 1}, "")
	return all
}

// reread returns the JSON of a stored record, and that of what the present program reads from it.
func reread(t *testing.T, kind string, b []byte) (stored, again []byte) {
	t.Helper()
	head, body, err := splitRecord(b)
	if err != nil {
		t.Fatal(err)
	}
	if kind == "shipment" {
		sh, err := decodeShipment(b)
		if err != nil {
			t.Fatal(err)
		}
		now, err1 := shipmentColumns(b)
		_, anew, err2 := encodeShipment(sh, sh.Revision)
		then, err3 := shipmentColumns(anew)
		if err := errors.Join(err1, err2, err3); err != nil || cmp.Diff(now, then, cmp.AllowUnexported(columns{})) != "" {
			t.Errorf("columns %+v do not fit the document: %+v, %v", now, then, err)
		}
		if _, body2, err := splitRecord(anew); err == nil {
			again = body2
		}
		return body, again
	}
	if kind == "tracker" {
		followed, err := decodeTracker(b)
		if err != nil {
			t.Fatal(err)
		}
		now, err1 := columnsBefore(b)
		_, anew, err2 := encodeTracker(followed, followed.Revision)
		then, err3 := columnsBefore(anew)
		if err := errors.Join(err1, err2, err3); err != nil || cmp.Diff(now, then, cmp.AllowUnexported(trackerColumns{})) != "" {
			t.Errorf("columns %+v do not fit the document: %+v, %v", now, then, err)
		}
		if _, body2, err := splitRecord(anew); err == nil {
			again = body2
		}
		return body, again
	}
	v := map[string]any{
		"change": &shipment.Change{}, "decision": &store.Decision{}, "exchange": &store.Exchange{}, "trace": &exchangeRow{}, "message": &store.Message{},
		"job": &store.Job{}, "key": &store.IdempotencyKey{}, "label": &labelHead{}, "claim": new(shipment.ID), "owner": &store.Claimant{}, "parked": &store.Parked{}, "subscription": &store.Subscription{}, "delivery": &deliveryRow{},
	}[kind]
	got, err := decodeRecord(b, v)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"decision": `{"winner":"ups"}`, "message": `{"order":1}`, "job": "payload", "trace": "{}[1]", "parked": `{"event":1}`, "delivery": deliveryBodies}[kind]; string(got) != want {
		t.Errorf("body %q, want %q", got, want)
	}
	anew, err := encodeRecord(v, nil)
	if err == nil {
		again, _, err = splitRecord(anew)
	}
	if err != nil {
		t.Fatal(err)
	}
	return head, again
}

// lost lists what is in stored and not in again. What a newer program has added is no loss.
func lost(path string, stored, again any) (paths []string) {
	switch stored := stored.(type) {
	case map[string]any:
		m, _ := again.(map[string]any)
		for name, v := range stored {
			paths = append(paths, lost(path+"."+name, v, m[name])...)
		}
	case []any:
		list, _ := again.([]any)
		if len(list) != len(stored) {
			return []string{path}
		}
		for i, v := range stored {
			paths = append(paths, lost(fmt.Sprintf("%s[%d]", path, i), v, list[i])...)
		}
	default:
		if !cmp.Equal(stored, again) {
			return []string{path}
		}
	}
	return paths
}

// TestGoldenRecords reads what was ever written, and finds all of it again. What it finds lost was renamed, removed or given
// another form: keep reading the old one, or give the schema a new number and do so under that. With -update it writes the records
// that it has no file of; those that are there stay.
func TestGoldenRecords(t *testing.T) {
	const dir = "testdata/schema1"
	for kind, written := range records(t) {
		path := filepath.Join(dir, kind+".hex")
		if _, err := os.Stat(path); *update && errors.Is(err, os.ErrNotExist) {
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(path, []byte(fold(hex.EncodeToString(written))), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, kind+"*.hex"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no golden record, %v; run with -update", kind, err)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) { checkGolden(t, kind, file) })
		}
	}
}

func checkGolden(t *testing.T, kind, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	if kind == "list" {
		c, err := decodeColumns(golden[1:])
		if err != nil || !bytes.Equal(c.encode([]byte{schema}, false), golden) {
			t.Errorf("columns %+v, %v, are not what was stored", c, err)
		}
		return
	}
	if kind == "outcome" {
		c, err := decodeDeliveryColumns(golden)
		if err != nil || !bytes.Equal(c.encode(), golden) {
			t.Errorf("columns %+v, %v, are not what was stored", c, err)
		}
		return
	}
	stored, again := reread(t, kind, golden)
	var a, b any
	if err := errors.Join(json.Unmarshal(stored, &a), json.Unmarshal(again, &b)); err != nil {
		t.Fatal(err)
	}
	if paths := lost(kind, a, b); len(paths) > 0 {
		t.Errorf("lost in reading: %v", paths)
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
	followed := storetest.NewTracker("acme", 1)
	if _, doc, err = encodeTracker(followed, 1); err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	delivery, sent := newDeliveryRow(storetest.Filled[store.Delivery]())
	if doc, err = encodeRecord(delivery, sent); err != nil {
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
		if c, err := columnsBefore(b); err == nil {
			again, err := decodeTrackerColumns(c.encode(nil))
			if err != nil || cmp.Diff(c, again, cmp.AllowUnexported(trackerColumns{})) != "" {
				t.Errorf("columns %+v come back as %+v, %v", c, again, err)
			}
		}
		if c, err := decodeDeliveryColumns(b); err == nil {
			if again, err := decodeDeliveryColumns(c.encode()); err != nil || c != again {
				t.Errorf("columns %+v come back as %+v, %v", c, again, err)
			}
		}
		decodeTracker(b)
		var d deliveryRow
		if bodies, err := decodeRecord(b, &d); err == nil {
			d.whole(bodies)
		}
		var r exchangeRow
		if bodies, err := decodeRecord(b, &r); err == nil {
			r.whole(bodies)
		}
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

// TestATableThatIsCompactedMeanwhileIsNoDamage looks at a table that Badger has taken out of the manifest and emptied, and not removed yet.
func TestATableThatIsCompactedMeanwhileIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	keys, err := readKeys(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	named, _, err := readManifest(dir)
	if err != nil || len(named) == 0 {
		t.Fatalf("%d tables, %v", len(named), err)
	}
	const gone = 4711
	stale := maps.Clone(named)
	stale[gone] = badger.TableManifest{}
	look := func(live bool) error {
		return eachTable(dir, stale, keys, live, func(f *tableFile) error { return f.verify(t.Context()) })
	}
	if err := look(true); err != nil {
		t.Errorf("a table that is gone: %v", err)
	}
	if err := os.WriteFile(table.NewFilename(gone, dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := look(true); err != nil {
		t.Errorf("a table that is emptied: %v", err)
	}
	if err := look(false); err == nil {
		t.Error("an empty table of a store that nobody has open is no damage")
	}
	for id := range named {
		if err := os.Truncate(table.NewFilename(id, dir), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := look(true); err == nil {
		t.Error("an empty table that the manifest names is no damage")
	}
}
