package badgerstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
	"go.uber.org/goleak"
)

// crashDir makes the test binary the process that is killed: it writes to the folder named by this variable until then.
const crashDir = "BADGERSTORE_TEST_CRASH_DIR"

// crashFrom, with crashDir, has it write orders of its own, from this number on.
const crashFrom = "BADGERSTORE_TEST_CRASH_FROM"

// openSmall makes the test binary open the folder named by this variable, with a limit on the size of its files.
const openSmall = "BADGERSTORE_TEST_OPEN_SMALL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(openSmall); dir != "" {
		err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 20 << 20, Max: 20 << 20})
		if err == nil {
			_, err = badgerstore.Open(badgerstore.Config{Dir: dir})
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if dir := os.Getenv(cutDir); dir != "" {
		readWhatIsCut(dir, os.Getenv(cutFile))
		os.Exit(0)
	}
	if dir, from := os.Getenv(crashDir), os.Getenv(crashFrom); from != "" {
		fmt.Fprintln(os.Stderr, writeOrders(dir, from))
		os.Exit(1)
	} else if dir != "" {
		s, err := badgerstore.Open(badgerstore.Config{Dir: dir})
		if err == nil {
			err = storetest.Acknowledge(s, os.Stdout)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Badger leaves these behind when it refuses to open a folder.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/dgraph-io/ristretto/v2/z.(*AllocatorPool).freeupAllocators"),
		goleak.IgnoreAnyFunction("github.com/dgraph-io/badger/v4.(*DB).monitorCache"))
}

func open(t testing.TB, cfg badgerstore.Config) *badgerstore.Store {
	t.Helper()
	s, err := badgerstore.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	var dirs sync.Map
	storetest.Run(t, func(t *testing.T) store.Store {
		dir := t.TempDir()
		s := open(t, badgerstore.Config{Dir: dir})
		dirs.Store(s, dir)
		return s
	}, storetest.Options{
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			dir, _ := dirs.Load(s)
			return open(t, badgerstore.Config{Dir: dir.(string)})
		},
		Crash: func(t *testing.T) (*exec.Cmd, func() store.Store) {
			dir := t.TempDir()
			writer := exec.Command(os.Args[0])
			writer.Env = append(os.Environ(), crashDir+"="+dir)
			writer.Stderr = os.Stderr
			return writer, func() store.Store { return open(t, badgerstore.Config{Dir: dir}) }
		},
	})
}

func TestStoreInMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, badgerstore.Config{InMemory: true}) }, storetest.Options{})
}

func label(id shipment.ID, parcel int, data []byte) store.Label {
	return store.Label{Shipment: id, Attempt: 1, Parcel: parcel, Label: shipping.Label{Format: shipping.PDF, Data: data}}
}

func TestEncryptedFilesShowNothing(t *testing.T) {
	t.Parallel()
	secret := []byte("a street that nobody shall read")
	for name, key := range map[string][]byte{"plain": nil, "encrypted": bytes.Repeat([]byte("k"), 32)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, badgerstore.Config{Dir: dir, EncryptionKey: key})
			sh := storetest.NewShipment("acme", 1)
			sh.Order.DeliveryAddress.Street1 = string(secret)
			large := bytes.Repeat(secret, 3<<20/len(secret))
			if err := s.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{sh}, Labels: []store.Label{label(sh.ID, 1, large)}}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if found := inFiles(t, dir, secret); found != (key == nil) {
				t.Errorf("the address is readable in the files: %v", found)
			}
			s = open(t, badgerstore.Config{Dir: dir, EncryptionKey: key})
			if l, err := s.Label(t.Context(), "acme", sh.ID, 1, 1); err != nil || !bytes.Equal(l.Data, large) {
				t.Errorf("after reopening: %d bytes, %v", len(l.Data), err)
			}
			if key == nil {
				return
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := badgerstore.Open(badgerstore.Config{Dir: dir, EncryptionKey: bytes.Repeat([]byte("x"), 32)})
			says(t, err, "encryption key is not that of", dir)
		})
	}
}

func inFiles(t *testing.T, dir string, secret []byte) bool {
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, secret) {
			return true
		}
	}
	return false
}

// says expects an error that names what an operator needs.
func says(t testing.TB, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("error %v does not say %q", err, w)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Run("config", func(t *testing.T) {
		_, err := badgerstore.Open(badgerstore.Config{EncryptionKey: []byte("short")})
		says(t, err, "name a folder", "5 bytes long")
		_, err = badgerstore.Open(badgerstore.Config{InMemory: true, Dir: t.TempDir()})
		says(t, err, "not both")
	})
	t.Run("in use", func(t *testing.T) {
		dir := t.TempDir()
		open(t, badgerstore.Config{Dir: dir})
		_, err := badgerstore.Open(badgerstore.Config{Dir: dir})
		says(t, err, dir, fmt.Sprintf("in use by process %d", os.Getpid()), "stop it")
	})
	t.Run("a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := badgerstore.Open(badgerstore.Config{Dir: path})
		says(t, err, path, "cannot make the folder")
	})
	t.Run("not writable", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everywhere")
		}
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		_, err := badgerstore.Open(badgerstore.Config{Dir: dir})
		says(t, err, dir, "cannot write to")
	})
	t.Run("disk full", func(t *testing.T) {
		_, err := badgerstore.Open(badgerstore.Config{Dir: t.TempDir(), MinFree: 1 << 60})
		says(t, err, "disk is full", "opening needs")
	})
	t.Run("disk nearly full", func(t *testing.T) {
		var st syscall.Statfs_t
		dir := t.TempDir()
		if err := syscall.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		// Room to open, and not to write.
		_, err := badgerstore.Open(badgerstore.Config{Dir: dir, MinFree: st.Bavail * uint64(st.Bsize) * 3 / 2})
		says(t, err, "disk is full", "must stay free for writing", "is to be started again")
	})
	t.Run("files may not be large", func(t *testing.T) {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), openSmall+"="+dir)
		out, _ := cmd.CombinedOutput()
		says(t, errors.New(string(out)), dir, "file too large", "ulimit -f")
		if strings.Contains(string(out), "damaged") || strings.Contains(string(out), "restore a backup") {
			t.Errorf("it blames the files: %s", out)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		dir := t.TempDir()
		if err := open(t, badgerstore.Config{Dir: dir}).Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "MANIFEST"), bytes.Repeat([]byte("damaged "), 100), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := badgerstore.Open(badgerstore.Config{Dir: dir})
		says(t, err, dir, "damaged", "restore a backup")
	})
}

func TestForsakeIsLikeReopening(t *testing.T) {
	s := open(t, badgerstore.Config{InMemory: true})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.Commit(t.Context(), "acme", &store.Tx{PutJobs: []store.Job{{ID: "a", Kind: "poll", Key: "k", Due: now}}}); err != nil {
		t.Fatal(err)
	}
	owner := s.Owner()
	held, err := s.ClaimJobs(t.Context(), now, time.Hour, 1)
	if err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	s.Forsake()
	again, err := s.ClaimJobs(t.Context(), now, time.Hour, 1)
	if err != nil || len(again) != 1 || s.Owner() == owner {
		t.Errorf("claimed %v, %v, as owner %s, before %s", again, err, s.Owner(), owner)
	}
	if err := s.RenewJob(t.Context(), held[0], now.Add(time.Hour)); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the lease of before: %v", err)
	}
}

func TestBackupIsRestored(t *testing.T) {
	t.Parallel()
	s := open(t, badgerstore.Config{Dir: t.TempDir()})
	var want []*shipment.Shipment
	large := bytes.Repeat([]byte("label "), 1<<19)
	for i := range 100 {
		sh := storetest.NewShipment("acme", i)
		want = append(want, sh)
		tx := &store.Tx{Shipments: []*shipment.Shipment{sh}, PutJobs: []store.Job{{ID: fmt.Sprint("j", i), Kind: "poll", Key: fmt.Sprint(i)}}}
		if i == 50 {
			tx.Labels = []store.Label{label(sh.ID, 1, large)}
		}
		if err := s.Commit(t.Context(), "acme", tx); err != nil {
			t.Fatal(err)
		}
	}
	followed, sub := told(t, s)
	var copied bytes.Buffer
	if err := s.Backup(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	page, err := s.ListShipments(t.Context(), "acme", store.ShipmentQuery{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}

	cfg := badgerstore.Config{Dir: filepath.Join(t.TempDir(), "restored")}
	for name, bad := range map[string][]byte{
		"no backup": []byte("something else, long enough to be looked at"), "nothing": nil,
		"cut short": copied.Bytes()[:copied.Len()/2], "without its end": copied.Bytes()[:copied.Len()-8],
	} {
		if err := badgerstore.Restore(cfg, bytes.NewReader(bad)); err == nil {
			t.Errorf("%s was restored", name)
		}
	}
	if err := badgerstore.Restore(cfg, bytes.NewReader(copied.Bytes())); err != nil {
		t.Fatal(err) // also where a failure has left something
	}
	says(t, badgerstore.Restore(cfg, bytes.NewReader(copied.Bytes())), cfg.Dir, "not empty")
	r := open(t, cfg)
	for _, sh := range want {
		if got, err := r.ShipmentByExternalID(t.Context(), "acme", sh.Order.ExternalID); err != nil || got.ID != sh.ID || got.Revision != 1 {
			t.Fatalf("%s: %+v, %v", sh.ID, got, err)
		}
	}
	if l, err := r.Label(t.Context(), "acme", want[50].ID, 1, 1); err != nil || !bytes.Equal(l.Data, large) {
		t.Errorf("label of %d bytes, %v", len(l.Data), err)
	}
	if jobs, err := r.ClaimJobs(t.Context(), time.Now(), time.Minute, 1000); len(jobs) != 100 || err != nil {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
	if next, err := r.ListShipments(t.Context(), "acme", store.ShipmentQuery{Limit: 10, Cursor: page.Next}); err != nil || len(next.Shipments) != 10 {
		t.Errorf("a token of before: %d shipments, %v", len(next.Shipments), err)
	}
	restoredTold(t, s, r, followed, sub)
	if err := r.Commit(t.Context(), "acme", &store.Tx{Shipments: want[:1]}); err != nil {
		t.Errorf("commit after restoring: %v", err)
	}
}

// told puts a tracker, a message, and one of everything that follows from it.
func told(t *testing.T, s *badgerstore.Store) (*tracker.Tracker, *store.Subscription) {
	t.Helper()
	followed := storetest.NewTracker("acme", 1)
	sub := &store.Subscription{ID: "hook", Tenant: "acme", State: "active"}
	about := store.TrackerSubject(string(followed.ID))
	err := s.Commit(t.Context(), "acme", &store.Tx{
		Trackers: []*tracker.Tracker{followed}, Parked: []store.Parked{{ID: "p", Account: "ups", Keys: []string{"1Z"}}},
		Messages: []store.Message{{ID: "m", Subject: about, Body: []byte("{}")}}, Subscriptions: []*store.Subscription{sub},
		Cursors:    []store.Cursor{{Subscription: sub.ID, Position: 1}},
		Deliveries: []store.Delivery{{Subscription: sub.ID, Position: 1, Subject: about, State: store.DeliveryWaiting, Tries: []store.Try{{RequestBody: []byte("{}")}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return followed, sub
}

// restoredTold expects a restored store to answer as the first one does.
func restoredTold(t *testing.T, s, r *badgerstore.Store, followed *tracker.Tracker, sub *store.Subscription) {
	t.Helper()
	all := func(s *badgerstore.Store) []any {
		ctx, late := t.Context(), time.Now().Add(time.Hour)
		x, err1 := s.TrackerByName(ctx, "acme", followed.Names[0])
		tagged, err2 := s.TrackersByTag(ctx, "acme", followed.Tags[0], 10)
		due, _, err3 := s.TrackersDue(ctx, "acme", followed.Account, followed.NextPoll, 10)
		parked, err4 := s.Parked(ctx, "acme", "ups", "1Z")
		log, err5 := s.MessageLog(ctx, "acme", 0, 10)
		about, err6 := s.MessagesOf(ctx, "acme", store.TrackerSubject(string(followed.ID)))
		subs, err7 := s.Subscriptions(ctx, "acme")
		read, err8 := s.ReadUpTo(ctx, "acme", sub.ID)
		page, err9 := s.Deliveries(ctx, "acme", store.DeliveryQuery{Subscription: sub.ID})
		waiting, _, err10 := s.DeliveriesDue(ctx, "acme", sub.ID, late, 10)
		secret, err11 := s.Secret(ctx, "links")
		listed, err12 := s.ListTrackers(ctx, "acme", store.TrackerQuery{})
		if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11, err12); err != nil {
			t.Fatal(err)
		}
		if n := len(tagged) + len(due) + len(parked) + len(log) + len(about) + len(subs) + len(page.Deliveries) + len(waiting) + len(listed.Trackers); n != 9 || read != 1 {
			t.Errorf("%d rows, want one of each of 9 kinds, and a cursor at 1, not %d", n, read)
		}
		return []any{x, tagged, due, parked, log, about, subs, read, page, waiting, secret, listed}
	}
	if d := cmp.Diff(all(s), all(r)); d != "" {
		t.Errorf("restored (-first +restored):\n%s", d)
	}
}

func TestGarbageIsCollected(t *testing.T) {
	t.Parallel()
	s := open(t, badgerstore.Config{Dir: t.TempDir()})
	if err := s.CollectGarbage(t.Context()); err != nil {
		t.Errorf("of an empty store: %v", err)
	}
	if err := open(t, badgerstore.Config{InMemory: true}).CollectGarbage(t.Context()); err != nil {
		t.Errorf("in memory: %v", err)
	}
}
