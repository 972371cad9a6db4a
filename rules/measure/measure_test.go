package measure_test

import (
	"testing"

	"github.com/waybill-dev/waybill/rules/measure"
)

// The figures themselves are printed by `waybill bench rules`; the tests hold that nothing is wrong, on fewer cases.

func TestTwinsAgree(t *testing.T) {
	told := 0
	a, err := measure.Twins(t.Context(), 600, 2, 1, func(done int) { told = max(told, done) })
	if err != nil || a.Expressions != 600 || told != 600 || len(a.Different) > 0 {
		t.Errorf("%+v, progress told %d (%v)", a, told, err)
	}
	if a.Failing == 0 || a.Failing > 300 {
		t.Errorf("%d of 600 fail while they run: the failing ones are to be compared too, and are not to be the most", a.Failing)
	}
	if a.Named < 100 {
		t.Errorf("%d of 600 name lets that can be written out", a.Named)
	}
	again, err := measure.Twins(t.Context(), 600, 1, 1, nil)
	if err != nil || again.Failing != a.Failing || again.Refused != a.Refused {
		t.Errorf("the same seed draws other expressions: %+v, %+v (%v)", a, again, err)
	}
}

func TestSlipsAreToldWhereTheyAre(t *testing.T) {
	if told := measure.Slips(); told.Mistakes < 100 || len(told.Missed) > 0 {
		t.Errorf("%d mistakes: %v", told.Mistakes, told.Missed)
	}
	if told := measure.Typing(100, 1); told.Place < 95 || told.Suggested < 85 {
		t.Errorf("%+v", told)
	}
}

func TestPlantedFaultsAreShown(t *testing.T) {
	if p := measure.Planted(); p.Planted < 22 || p.Found != p.Planted || p.Shown+p.Plain != p.Planted || p.Shown < 22 {
		t.Errorf("%+v", p)
	}
}

// allocated is what refusing a file may allocate, in bytes.
var allocated uint64 = 64 << 20

func TestHostileFilesAreRefused(t *testing.T) {
	if w := measure.Hostile(1); w.Files < 30 || len(w.Taken) > 0 || w.Bytes > allocated {
		t.Errorf("%+v", w)
	}
}

func TestEndlessFilesAreLookedInto(t *testing.T) {
	if w := measure.Endless(); w.Files < 9 || w.Bytes > allocated {
		t.Errorf("%+v", w)
	}
}

func TestBacktestReplaysEveryRecord(t *testing.T) {
	told := 0
	r, err := measure.Backtest(2300, 2, func(done int) { told = max(told, done) })
	if err != nil || r.Orders != 2300 || r.Changed == 0 || r.Changed == r.Orders || told == 0 || r.Bytes == 0 {
		t.Errorf("%+v, progress told %d (%v)", r, told, err)
	}
}

func TestTimes(t *testing.T) {
	if d := measure.Deciding(50); d.P50 <= 0 || d.P99 < d.P50 {
		t.Errorf("%+v", d)
	}
	if e, err := measure.Explaining(20); err != nil || e.P50 <= 0 || e.P99 < e.P50 {
		t.Errorf("%+v (%v)", e, err)
	}
}
