package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/store/badgerstore"
)

// TestBench runs all parts with few orders. How fast they were is not asserted: that every order was carried out is.
func TestBench(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		t.Skip("the bench reads processes from /proc: ", err)
	}
	binary, plugins := built(t)
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), binary, "bench", "--orders", "60", "--clients", "4", "--idle", "1ms", "--stretch", "20ms", "--plugins", plugins, "--json")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var table benchTable
	if err := json.Unmarshal(out, &table); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	won, floors := 0.0, 0
	for _, f := range table.Figures {
		switch {
		case f.Name == "(a) failed orders" && f.Value != 0, f.Value <= 0 && f.Unit != "" && !strings.Contains(f.Name, "processor time"):
			t.Errorf("%s: %v %s", f.Name, f.Value, f.Unit)
		case strings.HasPrefix(f.Name, "(a) orders won by "):
			won += f.Value
			if f.Met != nil && !*f.Met {
				t.Errorf("%s: %s", f.Name, f.Expect)
			}
			if f.Value < 20 || f.Value > 50 {
				t.Errorf("%s: %v %%, about a third was to be", f.Name, f.Value)
			}
		}
		if f.Floor > 0 {
			floors++
			if f.Ratio <= 0 || f.Of == "" {
				t.Errorf("%s: ratio %v of floor %q", f.Name, f.Ratio, f.Of)
			}
		}
	}
	if math.Abs(won-100) > 0.01 || floors != 6 {
		t.Errorf("%v %% of the orders were won, %d figures have a floor: %s", won, floors, out)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("the bench has left %v, %v", left, err)
	}
}

// TestBenchTrackers starts an engine that follows a few. What it took is not asserted: that all of it was measured is, and the bench
// itself looks whether acknowledged pushes have moved their orders.
func TestBenchTrackers(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		t.Skip("the bench reads processes from /proc: ", err)
	}
	binary, plugins := built(t)
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), binary, "bench", "trackers", "--trackers", "450", "--pushes", "60", "--clients", "4", "--idle", "300ms", "--stretch", "20ms", "--plugins", plugins, "--json")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var table benchTable
	if err := json.Unmarshal(out, &table); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if table.Trackers != 450 {
		t.Errorf("%d trackers", table.Trackers)
	}
	floors := map[string]bool{}
	for _, f := range table.Figures {
		if f.Value <= 0 && !strings.Contains(f.Name, "processor time") {
			t.Errorf("%s: %v %s", f.Name, f.Value, f.Unit)
		}
		if f.Floor > 0 && f.Ratio > 0 {
			floors[f.Of] = true
		}
	}
	if len(table.Figures) != 13 || len(floors) != 3 {
		t.Errorf("%d figures beside %d floors: %s", len(table.Figures), len(floors), out)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("the bench has left %v, %v", left, err)
	}
}

func TestPutDeliveries(t *testing.T) {
	dir := t.TempDir()
	at := time.Now().UTC().Truncate(time.Second)
	if err := putDeliveries(t.Context(), dir, 250, at); err != nil {
		t.Fatal(err)
	}
	st, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	all, _, err := st.TrackersDue(t.Context(), "bench", "doordash", at, 1000)
	if len(all) != 250 || err != nil || len(all[249].Events) == 0 || all[249].Number != deliveryNumber(0) {
		t.Errorf("%d trackers are due, %v", len(all), err)
	}
	sh, err := st.Shipment(t.Context(), "bench", all[0].Shipment)
	if err != nil || sh.Attempt(1) == nil || !sh.Attempt(1).Live() || sh.Status != all[0].Status {
		t.Errorf("order %+v, %v", sh, err)
	}
}

func TestBenchTable(t *testing.T) {
	var table benchTable
	table.add("fast", "ms", 2).over(1, "light").expect(true, "< 5 ms")
	table.add("large", "MiB", 130).expect(false, "≤ 120 MiB")
	var out bytes.Buffer
	if err := table.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fast    2.00 ms  1.00 ms  2      < 5 ms     met     light", "large   130 MiB                  ≤ 120 MiB  MISSED"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
