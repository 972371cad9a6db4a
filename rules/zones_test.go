package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

const zoneRules = `rules: 1
name: zones
zones:
  loop: { center: "41.8839,-87.6270", radius: 2 km }
  lake: { corners: [ "41.80,-87.60", "41.90,-87.60", "41.90,-87.50", "41.80,-87.50" ] }
exclude:
  - { name: Downtown only, when: 'not within(order.to, "loop")', providers: [bikes], reason: too far out }
`

func zoned(t *testing.T, text string) *rules.Bundle {
	t.Helper()
	b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(text)}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestZones(t *testing.T) {
	b := zoned(t, zoneRules)
	for _, c := range []struct {
		lat, lng float64
		in       string
		asked    bool
	}{
		{41.8839, -87.6270, "loop", true}, {41.8985, -87.6270, "loop", true}, // 1.6 km to the north
		{41.9030, -87.6270, "", false}, // 2.1 km
		{41.85, -87.55, "lake", false}, {41.85, -87.49, "", false}, {41.95, -87.55, "", false},
	} {
		var at []string
		for _, id := range b.ZonesAt(c.lat, c.lng) {
			name, _, _ := strings.Cut(id, "@")
			at = append(at, name)
		}
		if strings.Join(at, " ") != c.in {
			t.Errorf("%v,%v lies in %v, want %q", c.lat, c.lng, at, c.in)
		}
		in, err := rules.NewInput(rules.InputSource{ExternalID: "o", Currency: "USD", Zones: b.ZonesKnown(), DeliveryZones: b.ZonesAt(c.lat, c.lng)})
		if err != nil {
			t.Fatal(err)
		}
		d := b.Decide(b.Prepare(in, []rules.Candidate{{Account: "bikes"}}), nil)
		if asked := len(d.Plan.Ask) == 1; asked != c.asked || len(d.Faults) > 0 {
			t.Errorf("%v,%v: asked %v, want %v; faults %v", c.lat, c.lng, asked, c.asked, d.Faults)
		}
		record, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := rules.ParseDecision(record)
		if err != nil {
			t.Fatal(err)
		}
		again, err := rules.Recompute(b, back)
		if err != nil {
			t.Fatal(err)
		}
		if bytes, err := again.JSON(); err != nil || string(bytes) != string(record) {
			t.Errorf("the record computes to other bytes (%v)", err)
		}
		// The same name for another area is another zone, and nobody knows whether the order lies in it.
		other := zoned(t, strings.Replace(zoneRules, "2 km", "3 km", 1))
		if r := other.Replay(&back); !slices.Equal(r.Unknown, []string{"zone loop"}) && !slices.Contains(r.Unknown, "zone loop") {
			t.Errorf("replayed with another zone of the name, unknown is %v", r.Unknown)
		}
	}
}

func TestZoneMistakes(t *testing.T) {
	for from, want := range map[string]struct{ to, words string }{
		`2 km`:               {`2 lb`, "is not a distance"},
		`"41.8839,-87.6270"`: {`"91,-87"`, "is not a point"},
		`"41.80,-87.60", "41.90,-87.60", "41.90,-87.50", `: {``, "a zone is a circle or has corners"},
		`(order.to, "loop")`:         {`(order.to, "lop")`, `did you mean "loop"`},
		`not within(order.to, "loop`: {`not within(order, "loop`, "takes order.to or order.from"},
	} {
		_, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(strings.Replace(zoneRules, from, want.to, 1))}}, rules.Options{})
		if err == nil || !strings.Contains(err.Error(), strings.Trim(want.words, `"`)) && !strings.Contains(strings.ReplaceAll(err.Error(), `"`, ""), strings.ReplaceAll(want.words, `"`, "")) {
			t.Errorf("%s: %v, want %q", want.to, err, want.words)
		}
	}
	_, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte("rules: 1\nexclude:\n  - { name: x, when: 'within(order.to, \"loop\")' }\n")}}, rules.Options{})
	if err == nil || !strings.Contains(err.Error(), "declare zones:") {
		t.Errorf("a zone of a file that has none: %v", err)
	}
}
