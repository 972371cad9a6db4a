package badgerstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"golang.org/x/sys/unix"
)

// cutDir makes the test binary open the folder named by this variable, and cut its file named by cutFile to nothing while it reads.
const (
	cutDir  = "BADGERSTORE_TEST_CUT_DIR"
	cutFile = "BADGERSTORE_TEST_CUT_FILE"
)

// readWhatIsCut prints what each read says, and what is said behind that. It does not come to its end where a fault kills it.
func readWhatIsCut(dir, file string) {
	ctx := context.Background()
	s, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	if err == nil {
		err = os.Truncate(filepath.Join(dir, file), 0)
	}
	if err != nil {
		fmt.Println("not begun:", err)
		return
	}
	_, err = s.Shipment(ctx, "acme", bigOrder(1).ID)
	fmt.Println("read:", err)
	_, err = s.ListShipments(ctx, "acme", store.ShipmentQuery{})
	fmt.Println("list:", err)
	sh := bigOrder(1)
	sh.Revision = 1
	err = s.Commit(ctx, "acme", &store.Tx{Shipments: []*shipment.Shipment{sh}})
	fmt.Println("change:", err)
	err = s.Commit(ctx, "acme", &store.Tx{Shipments: []*shipment.Shipment{storetest.NewShipment("acme", 99)}})
	fmt.Println("create:", err)
	fmt.Println("ready:", s.Check(ctx))
	fmt.Println("closed:", s.Close())
}

// TestAFileThatIsCutUnderARead cuts files that are mapped, in a process of its own: it must live, and accept nothing more.
func TestAFileThatIsCutUnderARead(t *testing.T) {
	for _, file := range []string{"000001.vlog", "000001.sst"} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, badgerstore.Config{Dir: dir})
			bigOrders(t, s, 0, 3)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), cutDir+"="+dir, cutFile+"="+file)
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Contains(string(out), "not begun") {
				t.Fatalf("%v:\n%s", err, out)
			}
			for line := range strings.Lines(string(out)) {
				says(t, errors.New(line), "damaged", "restore a backup", dir)
			}
			if !strings.Contains(string(out), "read:") || !strings.Contains(string(out), "closed:") {
				t.Errorf("it did not come to its end:\n%s", out)
			}
			again, err := badgerstore.Open(badgerstore.Config{Dir: dir})
			if err == nil {
				again.Close()
			}
			says(t, err, filepath.Join(dir, file), "damaged", "restore a backup")
		})
	}
}

// A process that has no files left cannot look at its store. To take that for damage would send the operator to a backup, which has less.
func TestAProcessWithoutFilesIsNoDamage(t *testing.T) {
	dir := closedWith(t, 5)
	s := open(t, badgerstore.Config{Dir: dir})
	withoutFiles(t, func() {
		if err := s.CollectGarbage(t.Context()); !errors.Is(err, unix.EMFILE) {
			t.Errorf("upkeep without files: %v", err)
		}
	})
	if err := s.CollectGarbage(t.Context()); err != nil {
		t.Errorf("upkeep with files again: %v", err)
	}
	bigOrders(t, s, 5, 1)
	if _, err := os.Lstat(filepath.Join(dir, "DAMAGED")); err == nil {
		t.Error("the store is said to be damaged")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	withoutFiles(t, func() {
		_, err := badgerstore.Open(badgerstore.Config{Dir: dir})
		if !errors.Is(err, unix.EMFILE) || strings.Contains(err.Error(), "damaged") {
			t.Errorf("opening without files: %v", err)
		}
	})
	open(t, badgerstore.Config{Dir: dir})
}

// withoutFiles runs do where no file can be opened beyond those that are.
func withoutFiles(t *testing.T, do func()) {
	t.Helper()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}
