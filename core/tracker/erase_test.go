package tracker_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/core/tracker"
)

var update = flag.Bool("update", false, "write golden files")

// TestEraseKeepsWhatIsNamed lists every member of a stored tracker that erasing leaves filled. A member that is added to the document
// shows here, and somebody decides whether it tells of people.
func TestEraseKeepsWhatIsNamed(t *testing.T) {
	tr := storetest.Filled[tracker.Tracker]()
	tr.Extra = json.RawMessage(`{"a":1}`)
	tr.ErasedAt = time.Time{}
	tr.Erase(time.Unix(1, 0))
	got := storetest.FilledPaths(t, tr)
	const golden = "testdata/erased.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("what is kept has changed; if it tells of nobody, run with -update:\n%s", got)
	}
	once := tr
	once.Erase(time.Unix(2, 0))
	if once.ErasedAt != tr.ErasedAt {
		t.Error("erasing again moved the time")
	}
}
