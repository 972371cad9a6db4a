package tally_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// book is the store's counts by what was added to them.
type book map[store.CountKey]int64

func (b book) add(counts []store.Count) {
	for _, c := range counts {
		b[c.CountKey] += c.Add
	}
}

func (b book) rates(account string, today time.Time) (onTime, cancelled float64, any bool) {
	keys := tally.RateKeys(account, today)
	has := make([]int64, len(keys))
	for i, k := range keys {
		has[i] = b[k]
	}
	return tally.Rates(has)
}

func attempt(account string, day time.Time) *shipment.Attempt {
	return &shipment.Attempt{Account: account, Counted: &shipment.Counted{Location: "7709", Day: day.Format(time.DateOnly),
		Spends: []shipment.Spend{{Guard: "Budget", PerLocation: true, Amount: shipping.Money{Minor: 900, Currency: "USD"}}}}}
}

// TestWhatIsTakenBackLeavesNothing draws bookings that are kept, taken back, given up and delivered.
func TestWhatIsTakenBackLeavesNothing(t *testing.T) {
	today := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		b := book{}
		kept, lost, came, inTime := 0, 0, 0, 0
		for range rapid.IntRange(0, 20).Draw(t, "bookings") {
			a := attempt("ups", today.AddDate(0, 0, -rapid.IntRange(0, 6).Draw(t, "days ago")))
			b.add(tally.Booked(a))
			switch rapid.SampledFrom([]string{"kept", "back", "given up", "in time", "late", "not it"}).Draw(t, "end") {
			case "kept":
				kept++
			case "back":
				b.add(tally.Back(a))
				b.add(tally.Back(a)) // once
			case "given up":
				lost++
				b.add(tally.GivenUp(a))
				b.add(tally.GivenUp(a))
			case "in time":
				kept, came, inTime = kept+1, came+1, inTime+1
				b.add(tally.Delivered(a, today, today))
			case "late":
				kept, came = kept+1, came+1
				b.add(tally.Delivered(a, today, today.Add(time.Second)))
			case "not it":
				kept++
				at := today.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "late")) * time.Second)
				b.add(tally.Delivered(a, today, at))
				b.add(tally.Undelivered(a, today, at))
			}
		}
		var spent, booked int64
		for k, n := range b {
			if k.Name == tally.Budget("Budget", "7709", "USD", "2026-03-31").Name {
				spent += n
			}
			if k == tally.Quota("ups", "7709", "2026-03") {
				booked = n
			}
		}
		if spent != int64(900*kept) || booked != int64(kept) {
			t.Fatalf("%d spent and %d booked for %d bookings", spent, booked, kept)
		}
		onTime, cancelled, any := b.rates("ups", today)
		share := func(n, of int, none float64) float64 {
			if of == 0 {
				return none
			}
			return float64(n) / float64(of)
		}
		if any != (kept+lost > 0) || onTime != share(inTime, came, 1) || cancelled != share(lost, kept+lost, 0) {
			t.Fatalf("on time %v, cancelled %v (%t) of %d kept, %d lost, %d of %d in time", onTime, cancelled, any, kept, lost, inTime, came)
		}
	})
}

// TestRatesForget what is older than they look back, and what is another's.
func TestRatesForget(t *testing.T) {
	today := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	b := book{}
	for _, x := range []struct {
		account string
		days    int
	}{{"ups", 7}, {"fedex", 0}} {
		a := attempt(x.account, today.AddDate(0, 0, -x.days))
		b.add(tally.Booked(a))
		b.add(tally.GivenUp(a))
	}
	old := attempt("ups", today.AddDate(0, 0, -30))
	b.add(tally.Booked(old))
	b.add(tally.Delivered(old, today.AddDate(0, 0, -29), today))
	if _, _, any := b.rates("ups", today); any {
		t.Error("old bookings count still")
	}
	if _, cancelled, any := b.rates("fedex", today); !any || cancelled != 1 {
		t.Error("the other's do not")
	}
}
