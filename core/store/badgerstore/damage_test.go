package badgerstore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// acknowledged is the file that says what was acknowledged.
const acknowledged = "ACKNOWLEDGED"

// copied is what is in a folder now, as a process that is killed now would leave it; the large files of zeros stay sparse.
func copied(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-r", "--sparse=always", dir, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

func commitOrders(t testing.TB, s *badgerstore.Store, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		if err := s.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{storetest.NewShipment("acme", i)}}); err != nil {
			t.Fatal(err)
		}
	}
}

func hasOrders(t testing.TB, s *badgerstore.Store, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		want := storetest.NewShipment("acme", i)
		if _, err := s.Shipment(t.Context(), "acme", want.ID); err != nil {
			t.Errorf("order %d: %v", i, err)
		}
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func only(t testing.TB, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v in %s: %v, want one", files, dir, err)
	}
	return files[0]
}

// newestFile returns the last of a kind.
func newestFile(t testing.TB, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s in %s: %v", pattern, dir, err)
	}
	return files[len(files)-1]
}

// written is how much of a log is not the zeros that it was laid out with.
func written(b []byte) int { return len(bytes.TrimRight(b, "\x00")) }

// flip changes one byte of a file in place.
func flip(t testing.TB, path string, at int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], int64(at))
	b[0] ^= 0x41
	if err == nil {
		_, err = f.WriteAt(b[:], int64(at))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// refuses expects Open to name the file and say what is to be done, and to leave all files as they are, for whoever looks at them.
func refuses(t testing.TB, cfg badgerstore.Config, path string) {
	t.Helper()
	before := contents(t, cfg.Dir)
	s, err := badgerstore.Open(cfg)
	if err == nil {
		t.Errorf("a store with a damaged %s was opened", filepath.Base(path))
		s.Close()
		return
	}
	says(t, err, path, "damaged", "restore a backup", "waybill restore")
	for name, b := range contents(t, cfg.Dir) {
		if !bytes.Equal(b, before[name]) {
			t.Errorf("refusing to open has changed %s", name)
		}
		delete(before, name)
	}
	if len(before) > 0 {
		t.Errorf("refusing to open has removed files")
	}
}

// contents is all files but the long zeros at their ends.
func contents(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		b := readFile(t, filepath.Join(dir, f.Name()))
		all[f.Name()] = b[:written(b)]
	}
	return all
}

// killed is a store of some orders that nobody has closed, and where its log ended before the last of them. With late, what it says of
// the last order's acknowledgement is what it said before: as when the power fails before that was noted.
func killed(t testing.TB, key []byte, late bool) (dir string, before, after int) {
	t.Helper()
	live := t.TempDir()
	s := open(t, badgerstore.Config{Dir: live, EncryptionKey: key})
	commitOrders(t, s, 0, 20)
	said := readFile(t, filepath.Join(live, acknowledged))
	before = written(readFile(t, only(t, live, "*.mem")))
	commitOrders(t, s, 20, 1)
	dir = copied(t, live)
	log := readFile(t, only(t, dir, "*.mem"))
	after = written(log)
	for log[before] == 0 { // a commit's last byte may be zero; an entry's first one, which says what it is, is not
		before++
	}
	// Less of the zeros that they are laid out with, which take long to read.
	if err := errors.Join(os.Truncate(only(t, dir, "*.mem"), int64(after+4096)), os.Truncate(only(t, dir, "*.vlog"), 4096)); err != nil {
		t.Fatal(err)
	}
	if late {
		if err := os.WriteFile(filepath.Join(dir, acknowledged), said, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, before, after
}

// every is the step from one damaged byte to the next. Where WAYBILL_EVERY_BYTE is set it is each byte, which takes minutes:
// TestEachByteOfALastCommit, which opens no store, always tries each.
func every(n int) int {
	if os.Getenv("WAYBILL_EVERY_BYTE") != "" {
		return 1
	}
	return n
}

var keys = map[string][]byte{"plain": nil, "encrypted": storeKey}

// TestATornLastCommitIsCutOff cuts the log in a commit that was not acknowledged, and fills it with what a disk may leave.
func TestATornLastCommitIsCutOff(t *testing.T) {
	t.Parallel()
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			dir, before, after := killed(t, key, true)
			mem := only(t, dir, "*.mem")
			whole := readFile(t, mem)[:after+100]
			r := rand.New(rand.NewPCG(1, 2))
			said := readFile(t, filepath.Join(dir, acknowledged))
			for at := before; at <= after; at += every(1 + (after-before)/12) {
				b := bytes.Clone(whole)
				switch r.IntN(4) {
				case 0:
					b = b[:at]
				case 1:
					clear(b[at:])
				case 2: // one page has come to the disk and the one before has not
					clear(b[before:at])
				case 3:
					for i := at; i < len(b); i++ {
						b[i] = byte(r.Uint32())
					}
				}
				again := t.TempDir()
				for name, c := range map[string][]byte{filepath.Base(mem): b, acknowledged: said, "MANIFEST": readFile(t, filepath.Join(dir, "MANIFEST")), "KEYREGISTRY": readFile(t, filepath.Join(dir, "KEYREGISTRY"))} {
					if err := os.WriteFile(filepath.Join(again, name), c, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				s, err := badgerstore.Open(badgerstore.Config{Dir: again, EncryptionKey: key})
				if err != nil {
					t.Fatalf("cut at byte %d of %d to %d: %v", at, before, after, err)
				}
				hasOrders(t, s, 0, 20)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestATornLastCommitIsTold reads the log.
func TestATornLastCommitIsTold(t *testing.T) {
	dir, before, _ := killed(t, nil, true)
	mem := only(t, dir, "*.mem")
	flip(t, mem, before+10)
	var out bytes.Buffer
	s := open(t, badgerstore.Config{Dir: dir, Log: hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Warn})})
	hasOrders(t, s, 0, 20)
	if !strings.Contains(out.String(), "cut off") || !strings.Contains(out.String(), mem) {
		t.Errorf("what was cut off is not told:\n%s", &out)
	}
}

// TestDamageToALogIsRefused flips bytes, and cuts, before the end of the last commit that was acknowledged.
func TestDamageToALogIsRefused(t *testing.T) {
	t.Parallel()
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			dir, before, after := killed(t, key, false)
			mem := only(t, dir, "*.mem")
			cfg := badgerstore.Config{Dir: dir, EncryptionKey: key}
			const header = 20
			for at := header; at < after; at += every(1 + (after-header)/60) {
				flip(t, mem, at)
				refuses(t, cfg, mem)
				flip(t, mem, at)
			}
			whole := readFile(t, mem)
			for _, at := range []int{0, 5, header, (header + before) / 2, before, before + 1, after - 1} {
				if err := os.WriteFile(mem, whole[:at], 0o600); err != nil {
					t.Fatal(err)
				}
				if at < header { // nothing is in it; that the log is missing is seen from what was acknowledged
					if _, err := badgerstore.Open(cfg); err == nil {
						t.Errorf("a log of %d bytes was opened", at)
					}
					continue
				}
				refuses(t, cfg, mem)
			}
			if err := os.Remove(mem); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			refuses(t, cfg, "MANIFEST")
			if err := os.WriteFile(mem, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			hasOrders(t, open(t, cfg), 0, 21)
		})
	}
}

// TestDamageBehindWhichCommitsStandIsSeenWithoutARecord forgets what was acknowledged, as a machine that lost power may have by a moment.
func TestDamageBehindWhichCommitsStandIsSeenWithoutARecord(t *testing.T) {
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			dir, before, _ := killed(t, key, false)
			mem := only(t, dir, "*.mem")
			accept(t, dir)
			for at := 20; at < before*9/10; at += before / 20 {
				flip(t, mem, at)
				refuses(t, badgerstore.Config{Dir: dir, EncryptionKey: key}, mem)
				flip(t, mem, at)
			}
			hasOrders(t, open(t, badgerstore.Config{Dir: dir, EncryptionKey: key}), 0, 21)
		})
	}
}

// accept loses the record of what was acknowledged, and says that what is found is to be served.
func accept(t testing.TB, dir string) {
	t.Helper()
	if err := errors.Join(os.Remove(filepath.Join(dir, acknowledged)), os.WriteFile(filepath.Join(dir, "ACCEPT-LOSS"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestWithoutItsRecordAStoreIsServedOnlyWhenToldTo cuts the log to half: nothing but the record that is missing would tell.
func TestWithoutItsRecordAStoreIsServedOnlyWhenToldTo(t *testing.T) {
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			dir, _, after := killed(t, key, false)
			mem, said := only(t, dir, "*.mem"), filepath.Join(dir, acknowledged)
			if err := errors.Join(os.Remove(said), os.Truncate(mem, int64(after/2))); err != nil {
				t.Fatal(err)
			}
			cfg := badgerstore.Config{Dir: dir, EncryptionKey: key}
			refuses(t, cfg, said)
			_, err := badgerstore.Open(cfg)
			says(t, err, "ACCEPT-LOSS")
			if err := os.WriteFile(filepath.Join(dir, "ACCEPT-LOSS"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			cfg.Log = hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Warn})
			s := open(t, cfg)
			hasOrders(t, s, 0, 5)
			says(t, errors.New(out.String()), "whether it was acknowledged is not known", mem)
			if strings.Contains(out.String(), "never acknowledged") {
				t.Errorf("it says what it cannot know:\n%s", &out)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			hasOrders(t, open(t, cfg), 0, 5)
			if _, err := os.Stat(filepath.Join(dir, "ACCEPT-LOSS")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("what was said once holds for ever: %v", err)
			}
		})
	}
}

// TestAStoreOfBeforeItsRecordsIsAdopted opens one that has neither record.
func TestAStoreOfBeforeItsRecordsIsAdopted(t *testing.T) {
	dir := closed(t, nil)
	old := func() error {
		return errors.Join(os.Remove(filepath.Join(dir, acknowledged)), os.Remove(filepath.Join(dir, "VALUES")))
	}
	if err := old(); err != nil {
		t.Fatal(err)
	}
	s := open(t, badgerstore.Config{Dir: dir})
	hasOrders(t, s, 0, 100)
	if err := errors.Join(s.Close(), old(), os.Remove(newestFile(t, dir, "*1.vlog"))); err != nil {
		t.Fatal(err)
	}
	for range 2 { // also when it has once been tried
		s, err := badgerstore.Open(badgerstore.Config{Dir: dir})
		if err == nil {
			s.Close()
			t.Fatal("a store without its value log was adopted")
		}
		says(t, err, "vlog", "restore a backup")
	}
}

// TestALostValueLogIsSeen takes a store whose values are in a file that is being written, and in one that is not any more.
func TestALostValueLogIsSeen(t *testing.T) {
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			live := t.TempDir()
			s := open(t, badgerstore.Config{Dir: live, EncryptionKey: key})
			l := label(storetest.NewShipment("acme", 1).ID, 1, bytes.Repeat(noise(1), 300))
			if err := s.Commit(t.Context(), "acme", &store.Tx{Labels: []store.Label{l}}); err != nil {
				t.Fatal(err)
			}
			dir := copied(t, live)
			if err := os.Remove(only(t, dir, "*.vlog")); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				s, err := badgerstore.Open(badgerstore.Config{Dir: dir, EncryptionKey: key})
				if err == nil {
					s.Close()
					t.Fatal("a store without the value log of a process that was killed was opened")
				}
				says(t, err, "vlog", "damaged", "restore a backup")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, badgerstore.Config{Dir: live, EncryptionKey: key})
			if err := os.Remove(only(t, live, "*1.vlog")); err != nil {
				t.Fatal(err)
			}
			says(t, s.CollectGarbage(t.Context()), "vlog", "damaged")
			if err := s.Check(t.Context()); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("ready without a value log: %v", err)
			}
		})
	}
}

// closed is a store of some orders and labels that was closed: everything is in tables and in the value log.
func closed(t testing.TB, key []byte) string {
	t.Helper()
	dir := t.TempDir()
	s := open(t, badgerstore.Config{Dir: dir, EncryptionKey: key})
	commitOrders(t, s, 0, 100)
	for i := range 3 {
		l := label(storetest.NewShipment("acme", i).ID, 1, bytes.Repeat(noise(i), 300))
		if err := s.Commit(t.Context(), "acme", &store.Tx{Labels: []store.Label{l}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDamageToAClosedStoreIsRefused(t *testing.T) {
	t.Parallel()
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			dir := closed(t, key)
			cfg := badgerstore.Config{Dir: dir, EncryptionKey: key}
			manifest, table := filepath.Join(dir, "MANIFEST"), only(t, dir, "*.sst")
			values, said := newestFile(t, dir, "*.vlog"), filepath.Join(dir, acknowledged)
			whole := map[string][]byte{}
			for _, path := range []string{manifest, table, values, said} {
				whole[path] = readFile(t, path)
			}
			damaged := func(path string, change func([]byte) []byte) {
				t.Helper()
				if err := os.WriteFile(path, change(bytes.Clone(whole[path])), 0o600); err != nil {
					t.Fatal(err)
				}
				refuses(t, cfg, path)
				if err := os.WriteFile(path, whole[path], 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for n := 1; n <= len(whole[manifest])-16; n += every(3) { // down to that of an empty store
				damaged(manifest, func(b []byte) []byte { return b[:len(b)-n] })
			}
			for path, step := range map[string]int{manifest: every(2), table: len(whole[table])/50 + 1, values: len(whole[values])/20 + 1} {
				for at := 20; at < len(whole[path]); at += step {
					damaged(path, func(b []byte) []byte { b[at] ^= 0x41; return b })
				}
			}
			damaged(table, func(b []byte) []byte { return b[:len(b)/2] })
			damaged(said, func(b []byte) []byte { return b[:0] })
			damaged(said, func(b []byte) []byte { clear(b); return b })
			damaged(values, func(b []byte) []byte { return b[:0] })
			damaged(values, func(b []byte) []byte { return b[:20] })
			for _, path := range []string{manifest, table, values, said} {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				refuses(t, cfg, path)
				if err := os.WriteFile(path, whole[path], 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, cfg)
			hasOrders(t, s, 0, 100)
			if l, err := s.Label(t.Context(), "acme", storetest.NewShipment("acme", 2).ID, 1, 1); err != nil || len(l.Data) != 300_000 {
				t.Errorf("%d bytes, %v", len(l.Data), err)
			}
		})
	}
}

// TestBackupsOfDamagedFilesFail damages files under an open store: no backup is made that lacks a row, nothing is accepted any more, and
// upkeep says it as well.
func TestBackupsOfDamagedFilesFail(t *testing.T) {
	for name, key := range keys {
		for _, pattern := range []string{"*.sst", "*1.vlog"} {
			t.Run(name+pattern[1:], func(t *testing.T) {
				dir := closed(t, key)
				s := open(t, badgerstore.Config{Dir: dir, EncryptionKey: key})
				path := only(t, dir, pattern)
				flip(t, path, len(readFile(t, path))/2)
				var b bytes.Buffer
				says(t, s.Backup(t.Context(), &b), path, "damaged", "restore a backup")
				if b.Len() > 0 {
					t.Errorf("a backup of %d bytes was written", b.Len())
				}
				if err := s.Check(t.Context()); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("ready with damaged files: %v", err)
				}
				err := s.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{storetest.NewShipment("acme", 999)}})
				if !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("accepted an order with damaged files: %v", err)
				}
				says(t, s.CollectGarbage(t.Context()), path, "damaged")
			})
		}
	}
}

// TestBackupsOfDamagedNewValuesFail damages the file of the value log that is being written, which is read only where rows point.
func TestBackupsOfDamagedNewValuesFail(t *testing.T) {
	dir := t.TempDir()
	s := open(t, badgerstore.Config{Dir: dir})
	l := label(storetest.NewShipment("acme", 1).ID, 1, bytes.Repeat(noise(1), 300))
	if err := s.Commit(t.Context(), "acme", &store.Tx{Labels: []store.Label{l}}); err != nil {
		t.Fatal(err)
	}
	flip(t, only(t, dir, "*.vlog"), 1000)
	says(t, s.Backup(t.Context(), &bytes.Buffer{}), "vlog", "damaged", "restore a backup")
	if err := s.Check(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ready with damaged files: %v", err)
	}
}

// writeOrders says that it opens the store, and then the number of each order that was acknowledged, until it is killed.
func writeOrders(dir, from string) error {
	n, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	fmt.Println("opens")
	s, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	if err != nil {
		return err
	}
	for ; ; n++ {
		sh := storetest.NewShipment("acme", n)
		tx := &store.Tx{Shipments: []*shipment.Shipment{sh}}
		if n%7 == 0 {
			tx.Labels = []store.Label{{Shipment: sh.ID, Attempt: 1, Parcel: 1, Label: shipping.Label{Format: shipping.PDF, Data: bytes.Repeat(noise(n), 1200)}}}
		}
		if err := s.Commit(context.Background(), "acme", tx); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// TestKillingNeverLooksLikeDamage kills a writer again and again on one folder, at any moment: also while it opens.
func TestKillingNeverLooksLikeDamage(t *testing.T) {
	t.Parallel()
	const runs = 10
	dir := t.TempDir()
	var said []int
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for run := range runs {
		lines := r.IntN(40)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir, crashFrom+"="+fmt.Sprint((run+1)<<10))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		all := bufio.NewScanner(out)
		read := 0
		for ; read < lines && all.Scan(); read++ {
			if n, err := strconv.Atoi(all.Text()); err == nil {
				said = append(said, n)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if read < lines || stderr.Len() > 0 {
			t.Fatalf("after %d kills: %s", run, &stderr)
		}
	}
	s := open(t, badgerstore.Config{Dir: dir})
	for _, n := range said {
		hasOrders(t, s, n, 1)
	}
	t.Logf("%d runs were killed, and had acknowledged %d orders", runs, len(said))
}
