package node

import (
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/carrierhost"
)

// TestAnOutageIsToldOnce: when it has lasted, again when it comes again, and never where it was short.
func TestAnOutageIsToldOnce(t *testing.T) {
	begin := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	o := newOutages()
	told := func(seconds int, down ...string) []string {
		var list []carrierhost.AdapterStatus
		for _, id := range []string{"ups", "doordash"} {
			list = append(list, carrierhost.AdapterStatus{Accounts: []carrierhost.AccountStatus{{Tenant: "demo", ID: id, Down: slices.Contains(down, id)}}})
		}
		var out []string
		for _, k := range o.look(list, begin.Add(time.Duration(seconds)*time.Second), time.Minute) {
			o.told[k] = true
			out = append(out, k.account)
		}
		return out
	}
	for _, step := range []struct {
		at   int
		down []string
		want []string
	}{
		{0, []string{"ups"}, nil}, {59, []string{"ups", "doordash"}, nil}, {60, []string{"ups"}, []string{"ups"}}, {300, []string{"ups"}, nil},
		{310, nil, nil}, {320, []string{"ups", "doordash"}, nil}, {379, []string{"ups", "doordash"}, nil}, {380, []string{"ups", "doordash"}, []string{"ups", "doordash"}},
	} {
		if got := told(step.at, step.down...); !slices.Equal(got, step.want) {
			t.Errorf("after %d s: told of %v, want %v", step.at, got, step.want)
		}
	}
}
