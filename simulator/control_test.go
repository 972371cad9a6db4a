package simulator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/simulator"
)

// TestControlShapes walks once through the control API; every answer that a
// client may rely on has a golden file.
func TestControlShapes(t *testing.T) {
	clock := simulator.NewManualClock(noon)
	s := start(t, simulator.Config{Clock: clock, Seed: 7}, false).login()
	s.golden("index", s.must(200, "GET", "/_sim/", ""))
	s.golden("healthz", s.must(200, "GET", "/_sim/healthz", ""))
	s.must(201, "POST", "/snail/parcels", `{"ref":"a"}`)
	clock.Advance(time.Minute)
	s.must(201, "POST", "/snail/parcels", `{"ref":"b"}`)
	s.golden("entities", s.must(200, "GET", "/_sim/entities?carrier=snail&state=booked&limit=1", ""))
	s.golden("step", s.must(200, "POST", "/_sim/entities/snail/Sa/steps", `{"to":"lost","reason":"stolen"}`))
	s.golden("step_illegal", s.must(409, "POST", "/_sim/entities/snail/Sb/steps", `{"to":"delivered"}`))
	s.golden("step_reason", s.must(400, "POST", "/_sim/entities/snail/Sb/steps", `{"to":"lost","reason":"sold"}`))
	s.golden("run_to", s.must(200, "POST", "/_sim/entities/snail/Sb/run-to", `{"state":"delivered"}`))
	s.golden("entity", s.must(200, "GET", "/_sim/entities/snail/Sb", ""))
	s.golden("entity_unknown", s.must(404, "GET", "/_sim/entities/snail/Sx", ""))
	s.golden("fault_created", s.must(201, "POST", "/_sim/faults",
		`{"on":{"carrier":"snail","op":"track","nth":2,"count":1},"do":{"kind":"http_error","status":500},"for":"10m"}`))
	s.golden("fault_invalid", s.must(400, "POST", "/_sim/faults",
		`{"idd":"x","on":{"carrier":"snial","probability":2},"do":{"kind":"latency","fixed":"soon","shape":"html_page"}}`))
	s.must(200, "GET", "/snail/parcels/Sa", "")
	s.must(500, "GET", "/snail/parcels/Sa", "")
	s.golden("faults", s.must(200, "GET", "/_sim/faults", ""))
	s.golden("faults_removed", s.must(200, "DELETE", "/_sim/faults/fault-1", ""))
	s.golden("ledger", s.must(200, "GET", "/_sim/ledger?carrier=snail&reference=a", ""))
	s.golden("journal", s.must(200, "GET", "/_sim/journal?carrier=snail&limit=3", ""))
	s.golden("clock", s.must(200, "GET", "/_sim/clock", ""))
	s.golden("clock_manual", s.must(409, "POST", "/_sim/clock", `{"speed":2}`))
	s.golden("query_invalid", s.must(400, "GET", "/_sim/entities?carier=snail&limit=-1&state=boked", ""))
	s.golden("control_unknown", s.must(404, "GET", "/_sim/entitys", ""))
	s.golden("path_unknown", s.must(501, "POST", "/snail/parcel", ""))
	s.golden("dialect_unknown", s.must(501, "GET", "/snale/parcels/1", ""))
}

func TestWrongMethodNamesTheRoute(t *testing.T) {
	s := start(t, simulator.Config{}, false)
	if a := s.must(501, "DELETE", "/snail/parcels/1", ""); !strings.Contains(string(a.body), `"GET /parcels/{id}"`) {
		t.Errorf("the nearest route is not named: %s", a.body)
	}
}

func TestPageForBrowsers(t *testing.T) {
	s := start(t, simulator.Config{}, false).login()
	s.must(201, "POST", "/snail/parcels", `{"ref":"<script>x"}`)
	a := s.must(200, "GET", "/_sim/", "", "Accept", "text/html")
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(string(a.body), `data-to="moving"`) {
		t.Errorf("the page lacks its step buttons: %s", a.body)
	}
	if strings.Contains(string(a.body), "<script>x") {
		t.Error("the page does not escape a reference")
	}
}

func TestClockSpeed(t *testing.T) {
	s := start(t, simulator.Config{}, false)
	s.must(200, "POST", "/_sim/clock", `{"speed":3600}`)
	var got struct {
		Now   time.Time
		Speed float64
	}
	if err := json.Unmarshal(s.must(200, "GET", "/_sim/clock", "").body, &got); err != nil || got.Speed != 3600 {
		t.Errorf("speed %v, %v; want 3600", got.Speed, err)
	}
	for _, bad := range []string{`{"speed":0}`, `{"speed":-1}`, `{"speed":1e9}`, `{}`, `{"sped":1}`, `[]`, `{"speed":1} {}`} {
		s.must(400, "POST", "/_sim/clock", bad)
	}
}

func TestBadInputChangesNothing(t *testing.T) {
	s := start(t, simulator.Config{}, false)
	for _, bad := range []string{
		`{`, `null`, `{"do":{"kind":"latency"}}`, `{"do":{"kind":"latency","fixed":"1s","uniform":{"min":"1s","max":"2s"}}}`,
		`{"do":{"kind":"latency","uniform":{"min":"3s","max":"2s"}}}`, `{"do":{"kind":"latency","lognormal":{"median":"1s","sigma":99}}}`,
		`{"do":{"kind":"http_error","status":200}}`, `{"do":{"kind":"malformed_body"}}`, `{"do":{"kind":"malformed_body","shape":"odd"}}`,
		`{"do":{"kind":"late_commit"}}`, `{"do":{"kind":"reset","at":"noon"}}`, `{"do":{"kind":"rate_limit","limit":-1}}`,
		`{"do":{"kind":"rate_limit","retry_after_as":"words"}}`, `{"do":{"kind":"response_lost","status":500}}`,
		`{"on":{"op":"fly"},"do":{"kind":"reset"}}`, `{"on":{"nth":-1,"count":-1},"do":{"kind":"reset"}}`,
		`{"id":"a b","do":{"kind":"reset"}}`, `{"do":{"kind":"reset"},"expires":"2001-01-01T00:00:00Z"}`,
		`{"do":{"kind":"reset"},"expires":"2099-01-01T00:00:00Z","for":"1m"}`, `{"do":{"kind":"reset","kind":"latency"}}`,
	} {
		s.must(400, "POST", "/_sim/faults", bad)
	}
	if n := len(s.Faults()); n != 0 {
		t.Errorf("%d faults were set by bad requests", n)
	}
	s.must(404, "DELETE", "/_sim/faults/none", "")
	s.must(400, "POST", "/_sim/entities/snail/S1/steps", `{}`)
	s.must(400, "POST", "/_sim/entities/snail/S1/run-to", `{"stat":"x"}`)
	s.must(400, "GET", "/_sim/ledger?after=x&kind=gift", "")
	s.must(400, "GET", "/_sim/journal?direction=up&op=a&op=b", "")
}

func TestNewRefusesABadConfig(t *testing.T) {
	for name, cfg := range map[string]simulator.Config{
		"no dialect": {}, "twice": {Dialects: []simulator.Dialect{&snail{}, &snail{}}},
		"negative": {Dialects: []simulator.Dialect{&snail{}}, JournalSize: -1},
		"bad edge": {Dialects: []simulator.Dialect{&broken{}}},
	} {
		if _, err := simulator.New(cfg); err == nil {
			t.Errorf("%s: New took it", name)
		}
	}
}

// broken leads to a state that it does not define.
type broken struct{ snail }

func (*broken) Machine() simulator.Machine {
	return simulator.Machine{Next: map[simulator.State][]simulator.State{"a": {"b"}}}
}
