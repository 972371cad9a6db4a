package table_test

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/waybill-dev/waybill/core/geo/internal/table"
	"pgregory.net/rapid"
)

func encode(t interface{ Fatal(...any) }, tables []table.Table) []byte {
	var b bytes.Buffer
	if err := table.Encode(&b, tables); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	thousandths := func(limit int) *rapid.Generator[float64] {
		return rapid.Map(rapid.IntRange(-limit*table.Unit, limit*table.Unit), func(n int) float64 { return float64(n) / table.Unit })
	}
	rapid.Check(t, func(t *rapid.T) {
		want := []table.Table{}
		for _, form := range []string{`[0-9]{5}`, `[A-Z][0-9][A-Z]`} {
			rows := rapid.MapOf(rapid.StringMatching(form), rapid.Custom(func(t *rapid.T) table.Row {
				return table.Row{
					Lat: thousandths(90).Draw(t, "lat"), Lng: thousandths(180).Draw(t, "lng"),
					Zone: rapid.SampledFrom([]string{"America/Adak", "America/New_York", "Pacific/Guam"}).Draw(t, "zone"),
				}
			})).Draw(t, "rows")
			c := table.Table{Country: form[1:3], Rows: []table.Row{}}
			for _, code := range slices.Sorted(maps.Keys(rows)) {
				r := rows[code]
				r.Code = code
				c.Rows = append(c.Rows, r)
			}
			want = append(want, c)
		}
		got, err := table.Decode(encode(t, want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestCoordinatesAreRounded(t *testing.T) {
	in := []table.Table{{Country: "US", Rows: []table.Row{{Code: "02118", Lat: 42.33786, Lng: -71.069805, Zone: "America/New_York"}}}}
	out, err := table.Decode(encode(t, in))
	if err != nil {
		t.Fatal(err)
	}
	r := out[0].Rows[0]
	if math.Abs(r.Lat-42.338) > 1e-9 || math.Abs(r.Lng+71.07) > 1e-9 {
		t.Errorf("got %v, want 42.338 -71.070", r)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, codes := range map[string][]string{
		"descending": {"2", "1"}, "twice": {"1", "1"}, "lengths": {"1", "22"}, "letters": {"a"}, "empty": {""},
		"long": {strings.Repeat("1", 13)},
	} {
		var rows []table.Row
		for _, c := range codes {
			rows = append(rows, table.Row{Code: c})
		}
		if err := table.Encode(&bytes.Buffer{}, []table.Table{{Country: "US", Rows: rows}}); err == nil {
			t.Errorf("%s: %q was encoded", name, codes)
		}
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	whole := encode(t, []table.Table{{Country: "US", Rows: []table.Row{{Code: "02118", Lat: 1, Lng: 2, Zone: "UTC"}}}})
	for n := range len(whole) {
		if _, err := table.Decode(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were decoded", n, len(whole))
		}
	}
}
