package measure_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/rules/measure"
)

func TestTwins(t *testing.T) {
	begun := time.Now()
	a, err := measure.Twins(t.Context(), 2000, 2, 1, nil)
	t.Log(time.Since(begun), a)
	if err != nil || a.Expressions != 2000 || len(a.Different) > 0 {
		t.Errorf("%+v (%v)", a, err)
	}
}
