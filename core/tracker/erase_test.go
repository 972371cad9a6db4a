package tracker_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
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
	b, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	leaves(doc, "", kept)
	var lines []string
	for path := range kept {
		lines = append(lines, path)
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
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

func leaves(v any, path string, kept map[string]bool) {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			leaves(e, strings.TrimPrefix(path+"."+k, "."), kept)
		}
	case []any:
		for _, e := range x {
			leaves(e, path+"[]", kept)
		}
	default:
		if x != nil && fmt.Sprint(x) != "" && fmt.Sprint(x) != "0" && x != "0001-01-01T00:00:00Z" {
			kept[path] = true
		}
	}
}
