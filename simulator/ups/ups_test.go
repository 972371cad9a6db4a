package ups_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/ups"
)

func TestToken(t *testing.T) {
	r := newRig(t, ups.Config{})
	out := r.askToken(ups.DevClient.ID, ups.DevClient.Secret, "grant_type=client_credentials")
	checkSpec(t, "token", out.status, out.body)
	golden(t, "token", out.body)
	var body map[string]any
	out.into(t, &body)
	for name, v := range body {
		if _, ok := v.(string); !ok {
			t.Errorf("%s is %T, every value must be a string", name, v)
		}
	}
	for name, tc := range map[string]struct {
		id, secret, form string
		status           int
		code             string
	}{
		"no credentials": {"", "", "grant_type=client_credentials", 400, "10400"},
		"no grant":       {ups.DevClient.ID, ups.DevClient.Secret, "", 400, "10400"},
		"wrong secret":   {ups.DevClient.ID, "no", "grant_type=client_credentials", 401, "10401"},
		"wrong client":   {"no", ups.DevClient.Secret, "grant_type=client_credentials", 401, "10401"},
	} {
		t.Run(name, func(t *testing.T) {
			out := r.askToken(tc.id, tc.secret, tc.form)
			if out.status != tc.status || out.code(t) != tc.code {
				t.Errorf("%d %s, want %d %s", out.status, out.code(t), tc.status, tc.code)
			}
		})
	}
}

func TestBearer(t *testing.T) {
	r := newRig(t, ups.Config{TokenTTL: time.Hour})
	try := func(authorization string) reply {
		return r.send(http.MethodGet, "/api/track/v1/details/1Z0000000000000000", "", map[string]string{"Authorization": authorization})
	}
	for authorization, code := range map[string]string{"": "250002", "Bearer ": "250002", "Bearer nonsense": "250002", "Basic " + r.token: "250002"} {
		if out := try(authorization); out.status != 401 || out.code(t) != code {
			t.Errorf("%q: %d %s, want 401 %s", authorization, out.status, out.body, code)
		}
	}
	if out := try("Bearer " + r.token); out.status != 200 {
		t.Errorf("good token: %d %s", out.status, out.body)
	}
	r.advance(time.Hour)
	if out := try("Bearer " + r.token); out.status != 401 || out.code(t) != "251004" {
		t.Errorf("expired token: %d %s, want 401 251004", out.status, out.body)
	}
	if out := try("Bearer " + r.newToken()); out.status != 200 {
		t.Errorf("renewed token: %d %s", out.status, out.body)
	}
}

func TestOldFault(t *testing.T) {
	r := newRig(t, ups.Config{Quirks: ups.Quirks{OldFaults: true}})
	out := r.send(http.MethodGet, "/api/track/v1/details/1Z0000000000000000", "", nil)
	if out.status != 401 {
		t.Errorf("status %d, want 401", out.status)
	}
	golden(t, "old_fault", out.body)
}

// The carrier's own bodies for what breaks on its side.
func TestFaultBodies(t *testing.T) {
	d, err := ups.New(ups.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for status, code := range map[int]string{400: "10002", 401: "250002", 403: "250002", 413: "10013", 429: "10429", 500: "10004", 503: "10004"} {
		f := d.Fault(status)
		if f.Status != status || (reply{f.Status, f.Header, f.Body}).code(t) != code {
			t.Errorf("fault %d answers %d %s, want code %s", status, f.Status, f.Body, code)
		}
	}
}

func TestUnknownPathsNameTheNearest(t *testing.T) {
	r := newRig(t, ups.Config{})
	for path, nearest := range map[string]string{
		"/api/rating/v9999/Shop":     "/api/rating/",
		"/api/rating/v2409/Bargain":  "/api/rating/",
		"/oauth/token":               "/security/v1/oauth/token",
		"/api/shipments/v2409/shipp": "/api/shipments/",
	} {
		out := r.send(http.MethodPost, path, "{}", map[string]string{"Authorization": "Bearer " + r.token})
		if out.status != http.StatusNotImplemented || !strings.Contains(string(out.body), nearest) {
			t.Errorf("%s: %d %s, want 501 naming %s", path, out.status, out.body, nearest)
		}
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	r := newRig(t, ups.Config{})
	auth := map[string]string{"Authorization": "Bearer " + r.token}
	for body, code := range map[string]string{
		"":                                   "10003",
		"{":                                  "10001",
		"<xml/>":                             "10001",
		`{"ShipmentRequest":{"Shipment":7}}`: "10002",
		`{}`:                                 "10002",
	} {
		out := r.send(http.MethodPost, "/api/shipments/v2409/ship", body, auth)
		if out.status != 400 || out.code(t) != code {
			t.Errorf("%q: %d %s, want 400 %s", body, out.status, out.body, code)
		}
	}
	// A control character that is not escaped: 200, nothing in it, the error in headers only.
	for _, path := range []string{"/api/shipments/v2409/ship", "/api/rating/v2409/Shop"} {
		out := r.send(http.MethodPost, path, strings.Replace(shipBody(box, "ZPL", ""), "A. Rivera", "A.\x01Rivera", 1), auth)
		if out.status != 200 || len(out.body) != 0 || out.header.Get("Errorcode") != "1" || out.header.Get("Content-Length") != "0" {
			t.Errorf("control character: %d %q %v", out.status, out.body, out.header)
		}
	}
}

func TestHeaders(t *testing.T) {
	r := newRig(t, ups.Config{Quirks: ups.Quirks{StrictHeaders: true}})
	auth := map[string]string{"Authorization": "Bearer " + r.token}
	if out := r.send(http.MethodGet, "/api/track/v1/details/1Z0000000000000000", "", auth); out.code(t) != "10002" {
		t.Errorf("without transId: %s", out.body)
	}
	auth["transId"], auth["transactionSrc"] = "t-1", "testing"
	out := r.send(http.MethodGet, "/api/track/v1/details/1Z0000000000000000", "", auth)
	if out.status != 200 || len(out.header.Get("X-Request-Id")) != 36 || out.header.Get("Bkndtransid") == "" {
		t.Errorf("%d, headers %v", out.status, out.header)
	}
}

func TestConfigFaultsComeTogether(t *testing.T) {
	_, err := ups.New(ups.Config{
		Clients: []ups.Client{{ID: "a", Accounts: []ups.Account{{Number: "short"}, {Number: "ABC123", Discount: 120}}}, {ID: "a", Secret: "s"}},
		Pace:    "fast", TokenTTL: time.Millisecond,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"clients[0]: id and secret", "clients[0].accounts[0].number", "clients[0].accounts[1].discount", "clients[1].id", `pace: "fast"`, "token ttl"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %q:\n%v", want, err)
		}
	}
}

func TestAddressValidation(t *testing.T) {
	r := newRig(t, ups.Config{})
	body := func(state, zip, line, country string) string {
		return `{"XAVRequest":{"AddressKeyFormat":{"AddressLine":["` + line + `"],"PoliticalDivision2":"Los Angeles","PoliticalDivision1":"` + state +
			`","PostcodePrimaryLow":"` + zip + `","CountryCode":"` + country + `"}}}`
	}
	for name, tc := range map[string]struct {
		option, state, zip, line, indicator, class string
		candidates                                 int
	}{
		"valid residential":  {"3", "CA", "90012", "200 N Spring St Apt 5", "ValidAddressIndicator", "2", 1},
		"valid commercial":   {"3", "CA", "90012", "200 N Spring St Ste 5", "ValidAddressIndicator", "1", 1},
		"validate only":      {"1", "CA", "90012", "200 N Spring St", "ValidAddressIndicator", "", 1},
		"classify only":      {"2", "CA", "90012", "200 N Spring St #4", "ValidAddressIndicator", "2", 0},
		"ambiguous":          {"3", "NY", "90012", "200 N Spring St", "AmbiguousAddressIndicator", "", 2},
		"none: postal code":  {"3", "CA", "00000", "200 N Spring St", "NoCandidatesIndicator", "0", 0},
		"none: no number":    {"3", "CA", "90012", "Somewhere", "NoCandidatesIndicator", "0", 0},
		"state may be empty": {"1", "", "90012", "200 N Spring St", "ValidAddressIndicator", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			out := r.call("address", http.MethodPost, "/api/addressvalidation/v2/"+tc.option, body(tc.state, tc.zip, tc.line, "US"))
			var got struct{ XAVResponse map[string]json.RawMessage }
			out.into(t, &got)
			for _, indicator := range []string{"ValidAddressIndicator", "AmbiguousAddressIndicator", "NoCandidatesIndicator"} {
				v, present := got.XAVResponse[indicator]
				if present != (indicator == tc.indicator) || present && string(v) != `""` {
					t.Errorf("%s is %s, want only %s, as an empty string", indicator, v, tc.indicator)
				}
			}
			var class struct{ Code string }
			if raw, ok := got.XAVResponse["AddressClassification"]; ok {
				if err := json.Unmarshal(raw, &class); err != nil {
					t.Fatal(err)
				}
			}
			var candidates []json.RawMessage
			if raw, ok := got.XAVResponse["Candidate"]; ok {
				if err := json.Unmarshal(raw, &candidates); err != nil {
					t.Fatal(err)
				}
			}
			if class.Code != tc.class || len(candidates) != tc.candidates {
				t.Errorf("class %q and %d candidates, want %q and %d", class.Code, len(candidates), tc.class, tc.candidates)
			}
		})
	}
	golden(t, "address_ambiguous", r.call("address", http.MethodPost, "/api/addressvalidation/v2/3", body("NY", "90012", "200 N Spring St", "US")).body)
	golden(t, "address_v1", r.send(http.MethodPost, "/api/addressvalidation/v1/3", body("CA", "90012", "200 N Spring St", "US"), map[string]string{"Authorization": "Bearer " + r.token}).body)
	if out := r.call("address", http.MethodPost, "/api/addressvalidation/v2/3", body("BE", "10117", "Unter den Linden 1", "DE")); out.code(t) != "9264030" {
		t.Errorf("abroad: %s", out.body)
	}
	if out := r.call("address", http.MethodPost, "/api/addressvalidation/v2/3", `{"XAVRequest":{}}`); out.code(t) != "9264028" {
		t.Errorf("no address: %s", out.body)
	}
}

func TestTimeInTransit(t *testing.T) {
	r := newRig(t, ups.Config{})
	body := `{"originCountryCode":"US","originStateProvince":"NY","originCityName":"New York","originPostalCode":"10118","destinationCountryCode":"US",` +
		`"destinationStateProvince":"CA","destinationCityName":"Los Angeles","destinationPostalCode":"90012","shipDate":"2026-03-06","shipTime":"10:00:00","weight":"5","weightUnitOfMeasure":"LBS"}`
	out := r.call("transit", http.MethodPost, "/api/shipments/v1/transittimes", body)
	golden(t, "transit", out.body)
	if out.status != 200 {
		t.Errorf("status %d", out.status)
	}
	out = r.call("transit", http.MethodPost, "/api/shipments/v1/transittimes", strings.Replace(body, "90012", "10012", 1))
	if out.status != http.StatusPartialContent {
		t.Errorf("ambiguous destination: %d, want 206", out.status)
	}
	golden(t, "transit_ambiguous", out.body)
	for _, change := range [][2]string{{"2026-03-06", "2027-03-06"}, {`"originCountryCode":"US",`, ""}} {
		if out := r.call("transit", http.MethodPost, "/api/shipments/v1/transittimes", strings.Replace(body, change[0], change[1], 1)); out.code(t) != "10002" {
			t.Errorf("%q: %d %s", change[1], out.status, out.body)
		}
	}
}

// FuzzRequests: whatever comes, the dialect answers as a carrier and does not fall over.
func FuzzRequests(f *testing.F) {
	f.Add(rateBody("["+pack+"]", ","+whenReady))
	f.Add(shipBody(box, "ZPL", ""))
	f.Add(`{"LabelRecoveryRequest":{"TrackingNumber":"1Z"}}`)
	f.Add(`{"XAVRequest":{"AddressKeyFormat":{"AddressLine":"1 A","PostcodePrimaryLow":"10001-0001","CountryCode":"US"}}}`)
	d, err := ups.New(ups.Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`["1Z","1Z"]`)
	routes := d.Routes()
	f.Fuzz(func(t *testing.T, body string) {
		// A world of its own for each body, so that nothing depends on those before it.
		sim, err := simulator.New(simulator.Config{Dialects: []simulator.Dialect{d}, Clock: simulator.NewManualClock(start)})
		if err != nil {
			t.Fatal(err)
		}
		for _, route := range routes {
			req, err := http.NewRequest(route.Method, "http://simulator/?trackingnumber="+url.QueryEscape(body), nil)
			if err != nil {
				t.Fatal(err)
			}
			x := &simulator.Exchange{Carrier: ups.Name, Op: route.Op, Request: req, Body: []byte(body), World: sim.World(),
				Vars: map[string]string{"version": "v2409", "option": "1"}, Account: ups.DevClient.ID}
			act := route.Handler(x)
			var out simulator.Response
			sim.World().Do(func(tx *simulator.Tx) { out = act(tx) })
			if out.Render != nil {
				if out.Body, err = out.Render(); err != nil {
					t.Errorf("%s: %v", route.Op, err)
				}
			}
			if out.Status < 200 || out.Status >= 500 {
				t.Errorf("%s answers %d %s", route.Op, out.Status, out.Body)
			}
		}
	})
}
