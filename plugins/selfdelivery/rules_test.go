package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestPrice(t *testing.T) {
	tiers := []Tier{{UpToKM: dec("3"), Amount: dec("4")}, {UpToKM: dec("8"), Amount: dec("6.50")}, {Amount: dec("11")}}
	for name, c := range map[string]struct {
		fee    Fee
		metres int64
		cur    string
		want   int64
	}{
		"nothing":             {Fee{}, 5000, "USD", 0},
		"flat":                {Fee{Flat: dec("4.99")}, 5000, "USD", 499},
		"per kilometre":       {Fee{PerKM: dec("1.20")}, 5250, "USD", 630},
		"half a cent":         {Fee{PerKM: dec("0.01")}, 500, "USD", 1},
		"included":            {Fee{Flat: dec("3"), PerKM: dec("1"), IncludedKM: dec("5")}, 5000, "USD", 300},
		"beyond included":     {Fee{Flat: dec("3"), PerKM: dec("1"), IncludedKM: dec("5")}, 5500, "USD", 350},
		"first tier":          {Fee{Tiers: tiers}, 3000, "USD", 400},
		"second tier":         {Fee{Tiers: tiers}, 3001, "USD", 650},
		"open tier":           {Fee{Tiers: tiers}, 900_000, "USD", 1100},
		"yen have no decimal": {Fee{Flat: dec("450.5")}, 0, "JPY", 451},
		"free at the limit":   {Fee{Flat: dec("5"), FreeOver: dec("78.65")}, 0, "USD", 0},
		"not yet free":        {Fee{Flat: dec("5"), FreeOver: dec("78.66")}, 0, "USD", 500},
		"other currency":      {Fee{Flat: dec("5"), FreeOver: dec("1")}, 0, "EUR", 500},
	} {
		var f shipping.Faults
		p, err := newFee(&f, c.fee).price(feeQuestion{metres: c.metres, known: true, value: usd(7865), currency: c.cur})
		if err != nil || p.refusal != nil || p.amount != (shipping.Money{Minor: c.want, Currency: c.cur}) || len(f) > 0 {
			t.Errorf("%s: %v %v %v %v, want %d", name, p.amount, p.refusal, err, f, c.want)
		}
	}
}

// A fee never falls with the distance, is never negative, and its charges add up to it.
func TestPriceProperties(t *testing.T) {
	cents := func(t *rapid.T, name string, most int64) shipping.Decimal {
		return shipping.Money{Minor: rapid.Int64Range(0, most).Draw(t, name), Currency: "USD"}.Major()
	}
	rapid.Check(t, func(t *rapid.T) {
		cfg := Fee{Flat: cents(t, "flat", 5000), PerKM: cents(t, "per km", 900), IncludedKM: cents(t, "included", 2000)}
		km, amount := int64(0), int64(0)
		for range rapid.IntRange(0, 4).Draw(t, "tiers") {
			km += rapid.Int64Range(1, 20).Draw(t, "km")
			amount += rapid.Int64Range(0, 800).Draw(t, "amount")
			cfg.Tiers = append(cfg.Tiers, Tier{UpToKM: shipping.DecimalFromInt(km), Amount: usd(amount).Major()})
		}
		if rapid.Bool().Draw(t, "free") {
			cfg.FreeOver = cents(t, "free over", 10_000)
		}
		var f shipping.Faults
		rule := newFee(&f, cfg)
		if len(f) > 0 {
			t.Fatal(f)
		}
		near := rapid.Int64Range(0, 100_000).Draw(t, "metres")
		far := near + rapid.Int64Range(0, 50_000).Draw(t, "more")
		value := usd(rapid.Int64Range(0, 20_000).Draw(t, "value"))
		ask := func(metres int64) price {
			p, err := rule.price(feeQuestion{metres: metres, known: true, value: value, currency: "USD"})
			if err != nil {
				t.Fatal(err)
			}
			var sum int64
			for _, c := range p.charges {
				sum += c.Amount.Minor
			}
			if sum != p.amount.Minor || sum < 0 {
				t.Fatalf("charges %v add up to %d, amount %v", p.charges, sum, p.amount)
			}
			return p
		}
		a, b := ask(near), ask(far)
		if a.refusal != nil && b.refusal == nil {
			t.Fatalf("%d m is too far and %d m is not", near, far)
		}
		if b.refusal == nil && b.amount.Minor < a.amount.Minor {
			t.Fatalf("%d m costs %v, %d m costs %v", near, a.amount, far, b.amount)
		}
	})
}

func TestZone(t *testing.T) {
	triangle := []Point{{32.80, -96.80}, {32.80, -96.75}, {32.85, -96.77}}
	at := func(code string, lat, lng float64) shipping.Address {
		a := shipping.Address{PostalCode: code, CountryCode: "US"}
		a.Latitude, a.Longitude = place(lat, lng)
		return a
	}
	from := at("75219", 32.81, -96.81)
	for name, c := range map[string]struct {
		zone   Zone
		to     shipping.Address
		metres int64
		in     bool
	}{
		"no zone":              {Zone{}, at("1", 0, 0), 9e6, true},
		"exact code":           {Zone{PostalCodes: []string{"75206"}}, at("75206", 0, 0), 0, true},
		"ZIP+4":                {Zone{PostalCodes: []string{"75206"}}, at("75206-1234", 0, 0), 0, true},
		"prefix":               {Zone{PostalCodes: []string{"752*"}}, at("75299", 0, 0), 0, true},
		"other prefix":         {Zone{PostalCodes: []string{"752*"}}, at("75300", 0, 0), 0, false},
		"exact is no prefix":   {Zone{PostalCodes: []string{"752"}}, at("75206", 0, 0), 0, false},
		"spelling":             {Zone{PostalCodes: []string{"sw1a 1*"}}, at("SW1A1AA", 0, 0), 0, true},
		"other country":        {Zone{PostalCodes: []string{"75206"}}, shipping.Address{PostalCode: "75206", CountryCode: "FR"}, 0, false},
		"excepted":             {Zone{RadiusKM: dec("9"), Except: []string{"75206"}}, at("75206", 32.82, -96.77), 1000, false},
		"in polygon":           {Zone{Polygon: triangle}, at("", 32.81, -96.77), 0, true},
		"out of polygon":       {Zone{Polygon: triangle}, at("", 32.84, -96.75), 0, false},
		"unplaced":             {Zone{Polygon: triangle}, shipping.Address{CountryCode: "US"}, 0, false},
		"any: one holds":       {Zone{RadiusKM: dec("1"), PostalCodes: []string{"75206"}}, at("75206", 0, 0), 5000, true},
		"all: one fails":       {Zone{RadiusKM: dec("1"), PostalCodes: []string{"75206"}, Match: "all"}, at("75206", 0, 0), 5000, false},
		"all: all hold":        {Zone{RadiusKM: dec("9"), PostalCodes: []string{"75206"}, Match: "all"}, at("75206", 0, 0), 5000, true},
		"radius, not placed":   {Zone{RadiusKM: dec("9")}, shipping.Address{CountryCode: "US"}, 0, false},
		"radius, a known 0 km": {Zone{RadiusKM: dec("9")}, from, 0, true},
	} {
		var f shipping.Faults
		why := newZone(&f, c.zone).refuses(from, c.to, "delivery address", c.metres)
		if (why == "") != c.in || len(f) > 0 {
			t.Errorf("%s: refused with %q, faults %v", name, why, f)
		}
	}
}

func TestOpenHours(t *testing.T) {
	zone, err := loadZone("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	var f shipping.Faults
	h := newHours(&f, Hours{Saturday: []string{"18:00-02:30"}, Monday: []string{"00:00-24:00"}, Holidays: []string{"2026-03-14", "12-25"}})
	if len(f) > 0 {
		t.Fatal(f)
	}
	for at, want := range map[string]bool{
		"2026-03-07 17:59": false, "2026-03-07 18:00": true, "2026-03-08 01:59": true,
		"2026-03-08 03:00": false, // summer time begins: 02:00 to 02:30 does not exist
		"2026-11-01 01:30": true, "2026-11-01 02:29": true, "2026-11-01 02:30": false,
		"2026-03-09 00:00": true, "2026-03-09 23:59": true, "2026-03-10 00:00": false,
		"2026-03-14 20:00": false, "2026-03-15 01:00": false, // a holiday, and its night
	} {
		local, err := time.ParseInLocation("2006-01-02 15:04", at, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.open(local); got != want {
			t.Errorf("open at %s: %v", at, got)
		}
	}
	twice := time.Date(2026, 11, 1, 6, 30, 0, 0, time.UTC) // 01:30 comes twice, an hour apart
	for _, at := range []time.Time{twice, twice.Add(time.Hour)} {
		if local := at.In(zone); !h.open(local) || local.Hour() != 1 {
			t.Errorf("closed at %v", local)
		}
	}
}

// The next opening is open, lies within its bounds, and nothing between is open, also over changes of the clock.
func TestNextOpeningProperties(t *testing.T) {
	zones := []string{"America/Chicago", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"}
	changes := []time.Time{ // near the days on which some of the zones change
		time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 3, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC),
	}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := loadZone(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		var week [7][]string
		for d := range week {
			for range rapid.IntRange(0, 2).Draw(t, "windows") {
				from, to := rapid.IntRange(0, 47).Draw(t, "from"), rapid.IntRange(0, 48).Draw(t, "to")
				if from != to {
					week[d] = append(week[d], clockText(from)+"-"+clockText(to))
				}
			}
		}
		var f shipping.Faults
		h := newHours(&f, Hours{Sunday: week[0], Monday: week[1], Tuesday: week[2], Wednesday: week[3], Thursday: week[4], Friday: week[5], Saturday: week[6],
			Holidays: rapid.SampledFrom([][]string{nil, {"03-08"}, {"2026-10-25", "11-01"}}).Draw(t, "holidays")})
		if len(f) > 0 {
			t.Fatal(f)
		}
		start := rapid.SampledFrom(changes).Draw(t, "change").Add(time.Duration(rapid.IntRange(-90_000, 90_000).Draw(t, "seconds")) * time.Second).In(zone)
		latest := start.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "minutes")) * time.Minute)
		got, ok := h.next(start, latest)
		end := latest
		if ok {
			if !h.open(got) || got.Before(start) || got.After(latest) {
				t.Fatalf("next(%v, %v) = %v, open %v", start, latest, got, h.open(got))
			}
			end = got.Add(-time.Second)
		}
		for at := start; !at.After(end); at = at.Add(time.Minute) {
			if h.open(at) {
				t.Fatalf("open at %v, before %v", at, got)
			}
		}
	})
}

func clockText(halfHours int) string {
	return fmt.Sprintf("%02d:%02d", halfHours/2, halfHours%2*30)
}

// A quote's times keep what was asked: not before the window, promise not beyond it, in order.
func TestEstimateProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := Config{Hours: Hours{Wednesday: []string{"08:00-20:00"}, Thursday: []string{"10:00-12:00"}}, Drive: Drive{
			PrepMinutes: rapid.IntRange(0, 90).Draw(rt, "prep"), SpeedKMH: rapid.IntRange(5, 90).Draw(rt, "speed")}}
		c := order()
		c.DistanceMetres = rapid.Int64Range(1, 60_000).Draw(rt, "metres")
		draw := func(name string) shipping.TimeWindow {
			var w shipping.TimeWindow
			from := noon.Add(time.Duration(rapid.IntRange(-600, 1500).Draw(rt, name)) * time.Minute)
			if rapid.Bool().Draw(rt, name+" starts") {
				w.StartsAt = shipping.At(from)
			}
			if rapid.Bool().Draw(rt, name+" ends") {
				w.EndsAt = shipping.At(from.Add(time.Duration(rapid.IntRange(0, 600).Draw(rt, name+" length")) * time.Minute))
			}
			return w
		}
		c.Pickup.Window, c.Delivery.Window = draw("pickup"), draw("delivery")
		e, _, refusals, err := fleet(t, cfg, noon).estimate(t.Context(), c, false)
		if err != nil {
			rt.Fatal(err)
		}
		if len(refusals) > 0 {
			return
		}
		times := []time.Time{noon, e.Pickup.StartsAt.Time, e.Delivery.StartsAt.Time, e.Delivery.EndsAt.Time}
		if !slices.IsSortedFunc(times, time.Time.Compare) {
			rt.Fatalf("times are out of order: %v", times)
		}
		for name, w := range map[string][2]shipping.TimeWindow{"pickup": {c.Pickup.Window, e.Pickup}, "delivery": {c.Delivery.Window, e.Delivery}} {
			asked, got := current(w[0], noon), w[1]
			if got.StartsAt.Before(asked.StartsAt.Time) || !asked.EndsAt.IsZero() && got.EndsAt.After(asked.EndsAt.Time) {
				rt.Fatalf("%s: asked for %v, got %v", name, asked, got)
			}
		}
	})
}

func TestTrackingNumbersDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := rapid.StringMatching(`[a-z0-9]{26}`)
		a, b := ref.Draw(t, "a"), ref.Draw(t, "b")
		if (a == b) != (trackingNumber(a) == trackingNumber(b)) || !printable(parcelNumber(trackingNumber(a), 49, 50)) || strings.Contains(trackingNumber(a), a) {
			t.Fatalf("%s: %s, %s: %s", a, trackingNumber(a), b, trackingNumber(b))
		}
	})
}
