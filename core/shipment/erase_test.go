package shipment_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write golden files")

// TestEraseKeepsWhatIsNamed lists every member of a stored shipment that erasing leaves filled. A member that is added to the
// document shows here, and somebody decides whether it tells of people.
func TestEraseKeepsWhatIsNamed(t *testing.T) {
	s := storetest.Filled[shipment.Shipment]()
	s.ErasedAt = time.Time{}
	s.Erase(time.Unix(1, 0))
	golden(t, "testdata/erased.golden", storetest.FilledPaths(t, s))
	once := s
	once.Erase(time.Unix(2, 0))
	if once.ErasedAt != s.ErasedAt {
		t.Error("erasing again moved the time")
	}
}

// golden compares a list of what is kept with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("what is kept has changed; if it tells of nobody, run with -update:\n%s", got)
	}
}

// TestErasedLinesKeepWhatIsNamed does the same for a line of the history.
func TestErasedLinesKeepWhatIsNamed(t *testing.T) {
	line := storetest.Filled[shipment.Change]()
	line.Erase()
	golden(t, "testdata/erasedline.golden", storetest.FilledPaths(t, line))
}

// TestErasedCodesAreCodes: who sets a status by hand writes what they like in the place of a code.
func TestErasedCodesAreCodes(t *testing.T) {
	s := storetest.Filled[shipment.Shipment]()
	s.SubStatus = "with Ann next door"
	s.Erase(time.Unix(1, 0))
	line := shipment.Change{SubStatus: "with Ann next door", Reason: &shipping.EventReason{Code: "Ann was out"}}
	line.Erase()
	if s.SubStatus != "" || line.SubStatus != "" || line.Reason.Code != "" {
		t.Errorf("left: %q, %q, %+v", s.SubStatus, line.SubStatus, line.Reason)
	}
}

func TestErasedLinesKeepTheCode(t *testing.T) {
	for note, want := range map[string]string{
		"FS( Signed by SMITH )": "FS", "SPARE_CANCELLED( UPS 1Z )": "SPARE_CANCELLED", "Left with John (neighbour)": "", "RETRY": "", "": "",
		"Ask Ann( she knows )": "", "( no code )": "", "Maria( took it": "", "Maria(took it)": "",
	} {
		c := shipment.Change{Note: note, Reason: &shipping.EventReason{Code: "C", Title: "T", Note: "Ann's door"}}
		before := c.Reason
		c.Erase()
		if c.Note != want || *c.Reason != (shipping.EventReason{Code: "C"}) || before.Note == "" {
			t.Errorf("%q became %q, reason %+v; want %q", note, c.Note, c.Reason, want)
		}
	}
}

// A way there is picked up at the merchant's own place, which tells of nobody; the golden file is of a way back.
func TestEraseKeepsTheMerchantsPlace(t *testing.T) {
	s := storetest.Filled[shipment.Shipment]()
	s.ReturnOf = nil
	want := fmt.Sprintf("%+v", s.Pickup)
	s.Erase(time.Unix(1, 0))
	if got := fmt.Sprintf("%+v", s.Pickup); got != want {
		t.Errorf("left of the merchant's place: %s, want %s", got, want)
	}
}
