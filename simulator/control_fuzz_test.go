package simulator_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waybill-dev/waybill/simulator"
)

// FuzzControl sends anything to the routes of the control API that read a body or a query: none fails by itself, each answers JSON,
// and what is refused changes nothing.
func FuzzControl(f *testing.F) {
	routes := []struct{ method, path string }{
		{"POST", "/_sim/faults"}, {"POST", "/_sim/clock"}, {"POST", "/_sim/entities/snail/Sa/steps"}, {"POST", "/_sim/entities/snail/Sa/run-to"},
		{"GET", "/_sim/entities"}, {"GET", "/_sim/ledger"}, {"GET", "/_sim/journal"},
	}
	for i, seed := range []string{
		`{"on":{"carrier":"snail","op":"track","nth":2,"count":1},"do":{"kind":"http_error","status":500},"for":"10m"}`, `{"speed":2}`,
		`{"to":"lost","reason":"stolen"}`, `{"state":"delivered"}`, "carrier=snail&state=booked&limit=1", "carrier=snail&reference=a&kind=booking", "op=track&after=1",
	} {
		f.Add(i, seed)
	}
	f.Fuzz(func(t *testing.T, route int, input string) {
		srv, err := simulator.New(simulator.Config{Dialects: []simulator.Dialect{&snail{}}, Clock: simulator.NewManualClock(noon), Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		r := routes[(route%len(routes)+len(routes))%len(routes)]
		q := httptest.NewRequest(r.method, r.path, nil)
		if r.method == http.MethodGet {
			q.URL.RawQuery = input
		} else {
			q = httptest.NewRequest(r.method, r.path, bytes.NewReader([]byte(input)))
		}
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, q)
		if w.Code >= http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %s %q: %d %s", r.method, r.path, input, w.Code, w.Body)
		}
		if faults := len(srv.Faults()); (w.Code == http.StatusCreated) != (faults == 1) {
			t.Errorf("answered %d, and %d faults are there", w.Code, faults)
		}
	})
}
