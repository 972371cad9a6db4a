package ship24_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func TestKeys(t *testing.T) {
	a := newAPI(t)
	for _, path := range []string{"/couriers", "/v1/couriers"} {
		a.ask("GET", path, "", "Authorization", "").refused(400, "auth_missing_header")
		for _, scheme := range []string{"Basic abc", "Bearer", "Bearer ", a.Key, "Token " + a.Key} {
			a.ask("GET", path, "", "Authorization", scheme).refused(400, "auth_invalid_header")
		}
		a.ask("GET", path, "", "Authorization", "Bearer nobody").refused(401, "auth_invalid_api_key")
		a.ask("GET", path, "", "tenantId", "rival").refused(401, "auth_invalid_api_key")
		a.ask("GET", path, "", "Authorization", "bearer "+a.Key).want(200)
		a.ask("GET", path, "", "Authorization", "", "x-api-key", a.Key).want(200)
	}
	a.ask("POST", "/trackers/bulk", `[]`, "Authorization", "").refused(400, "auth_missing_header")
}

func TestLimits(t *testing.T) {
	a := newAPI(t)
	slow := []string{"Authorization", "Bearer " + apitest.SlowKey}
	for i, want := range []map[string]string{
		{"RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "1", "Retry-After": ""},
		{"RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "2", "Retry-After": ""},
		{"RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "2", "Retry-After": "1"},
	} {
		got := a.ask("GET", "/couriers", "", slow...)
		for name, w := range want {
			if g := got.Header.Get(name); g != w {
				t.Errorf("request %d: %s is %q, want %q", i, name, g, w)
			}
		}
		if i < 2 {
			got.want(200)
		} else if got.want(429); got.Header.Get("Content-Type") != "text/plain; charset=utf-8" || strings.ContainsAny(string(got.body), "{}") {
			t.Errorf("%s: %s", got.Header.Get("Content-Type"), got.body)
		}
	}
	// Other surfaces speak as ever.
	if other := a.Do("GET", "/locations", "", "x-api-key", apitest.SlowKey).Want(429); other.At("type") != "TOO_MANY_REQUESTS" || other.Header.Get("RateLimit-Limit") != "" {
		t.Errorf("%v %s", other.Header, other.Body)
	}
}

func TestWrongBodies(t *testing.T) {
	a := newAPI(t)
	commits := a.Store.Commits()
	number := `"trackingNumber":"1Z5R89390357567127"`
	for body, codes := range map[string][]string{
		``: {"parsing_error"}, `{`: {"parsing_error"}, `[]`: {"parsing_error"}, `null`: {"parsing_error"}, `{"a":1,"a":2}`: {"parsing_error"}, "{\"a\":\"\xff\"}": {"parsing_error"},
		`{}`: {"missing_mandatory_field"}, `{"trackingNumber":null}`: {"missing_mandatory_field"}, `{"trackingNumber":""}`: {"missing_mandatory_field"},
		`{"trackingNumber":5}`: {"validation_error"}, `{"trackingNumber":"TEST"}`: {"validation_error"}, `{"trackingNumber":"AB CD12345"}`: {"validation_error"},
		`{"trackingNumber":"` + strings.Repeat("a1", 26) + `"}`: {"validation_error"}, `{"trackingNumber":"12345678"}`: {"validation_error"},
		`{"trackingNumber":"9876543210"}`: {"validation_error"}, `{"trackingNumber":"0000000"}`: {"validation_error"}, `{"trackingNumber":"-----"}`: {"validation_error"},
		`{` + number + `,"originCountryCode":"XX"}`: {"validation_error"}, `{` + number + `,"destinationCountryCode":"840"}`: {"validation_error"},
		`{` + number + `,"destinationCountryCode":"EUR","originCountryCode":"United States"}`: {"validation_error", "validation_error"},
		`{` + number + `,"shippingDate":"yesterday"}`:                                         {"validation_error"}, `{` + number + `,"shippingDate":"2021-02-30"}`: {"validation_error"},
		`{` + number + `,"courierCode":["a","b","c","d"]}`: {"validation_error"}, `{` + number + `,"courierCode":[5]}`: {"validation_error"}, `{` + number + `,"courierCode":{}}`: {"validation_error"},
		`{` + number + `,"recipient":{"email":"nobody"}}`: {"validation_error"}, `{` + number + `,"recipient":5}`: {"validation_error"},
		`{` + number + `,"settings":{"restrictTrackingToCourierCode":"yes"}}`: {"validation_error"}, `{` + number + `,"title":"a\u0000b"}`: {"validation_error"},
		`{` + number + `,"clientTrackerId":"` + strings.Repeat("x", 256) + `"}`: {"validation_error"},
	} {
		for _, path := range []string{"/trackers", "/trackers/track"} {
			a.ask("POST", path, body).refused(400, codes...)
		}
	}
	for _, body := range []string{`{`, `{}`, `{"trackingNumber":"TEST"}`} {
		a.ask("POST", "/tracking/search", body).want(400)
	}
	if a.Store.Commits() != commits {
		t.Error("something was written")
	}
	for _, good := range []string{`12345679`, `1Z12345E0205271688`, `a.b-c_d/e`, `11112`, `AAAAB`, strings.Repeat("x1", 25)} {
		a.ask("POST", "/trackers", `{"trackingNumber":"`+good+`","originCountryCode":"cn","destinationCountryCode":"USA","shipmentReference":null,"courierCode":null}`).want(201)
	}
	a.ask("POST", "/trackers", `{"trackingNumber":"`+strings.Repeat("x", 1<<21)+`"}`).refused(413, "payload_too_large")
}

func TestNothingThere(t *testing.T) {
	a := newAPI(t)
	for _, id := range []string{"26148317-7502-d3ac-44a9-546d240ac0dd", "00000000-0000-8000-8000-000000000000", "000000000000000000000000", "x", "%FF", strings.Repeat("x", 300), "..", "bulk"} {
		for _, c := range [][3]string{{"GET", "", ""}, {"PATCH", "", `{"isSubscribed":false}`}, {"GET", "/results", ""}, {"POST", "/webhook-events/resend", ""}, {"GET", "/webhook-history/download", ""}} {
			for _, query := range []string{"", "?searchBy=clientTrackerId", "?searchBy=trackerId"} {
				a.ask(c[0], "/trackers/"+id+c[1]+query, c[2]).refused(404, "tracker_not_found")
			}
		}
	}
	a.ask("GET", "/trackers/x?searchBy=number", "").refused(400, "validation_error")
	a.ask("GET", "/nothing", "").refused(404, "route_not_found")
	got := a.ask("DELETE", "/trackers/x", "").refused(405, "method_not_allowed")
	if allow := got.Header.Get("Allow"); allow != "GET, HEAD, PATCH" {
		t.Errorf("Allow: %s", allow)
	}
	// Trackers of other surfaces are none of this one.
	a.Do("POST", "/shipments", apitest.Order("mine")).Want(201)
	a.ask("GET", "/trackers?page=1&limit=500", "").want(200).is(map[string]any{"data.trackers": []any{}})
}

// TestStoreFails answers 500 in the same envelope, and says nothing of the store's words.
func TestStoreFails(t *testing.T) {
	a := newAPI(t)
	id := a.ask("POST", "/trackers", full).want(201).text("data.tracker.trackerId")
	a.Store.Fail(http.ErrBodyNotAllowed)
	for _, c := range [][3]string{{"POST", "/trackers", `{"trackingNumber":"ABC12345X"}`}, {"POST", "/trackers/track", full}, {"POST", "/trackers/bulk", "[" + full + "]"},
		{"GET", "/trackers?page=1&limit=1", ""}, {"GET", "/trackers/" + id, ""}, {"GET", "/trackers/" + id + "?searchBy=clientTrackerId", ""}, {"PATCH", "/trackers/" + id, "{}"},
		{"GET", "/trackers/search/" + ours + "/results", ""}, {"POST", "/trackers/" + id + "/webhook-events/resend", ""}} {
		got := a.ask(c[0], c[1], c[2]).refused(500, "internal_error")
		if strings.Contains(string(got.body), http.ErrBodyNotAllowed.Error()) {
			t.Errorf("the answer tells the store's words: %s", got.body)
		}
	}
}

func TestBulk(t *testing.T) {
	a := newAPI(t)
	one, two := `{"trackingNumber":"1Z5R89390357567127","title":"one"}`, `{"trackingNumber":"ABC12345X"}`
	bad := `{"trackingNumber":"TEST"}`
	a.ask("POST", "/trackers/bulk", "["+one+","+two+","+one+"]").want(201).is(map[string]any{"status": "success", "error": nil,
		"summary":           map[string]int{"totalInputs": 3, "totalCreated": 2, "totalExisting": 1, "totalErrors": 0},
		"data.0.itemStatus": "created", "data.2.itemStatus": "existing", "data.0.errors": nil, "data.0.inputData.title": "one"})
	some := a.ask("POST", "/trackers/bulk", "["+one+","+bad+`,5,{"trackingNumber":"NEW-12345","originCountryCode":"XX","title":7}]`).want(207).is(map[string]any{"status": "partial", "error": nil,
		"summary.totalExisting": 1, "summary.totalErrors": 3, "data.1.tracker": nil, "data.1.errors.0.code": "validation_error", "data.2.errors.0.code": "parsing_error",
		"data.3.errors.1.code": "validation_error", "data.3.errors.2": nil})
	golden(t, "bulk", some.body)
	a.ask("POST", "/trackers/bulk", "["+bad+"]").want(400).is(map[string]any{"status": "error", "error.code": "processing_error", "summary.totalErrors": 1, "data.0.itemStatus": "error"})
	for body, code := range map[string]string{``: "parsing_error", `{}`: "parsing_error", `[`: "parsing_error", `[{"a":1,"a":2}]`: "parsing_error", `[],"x":[]`: "parsing_error",
		`null`: "parsing_error", `[]`: "validation_error", "[" + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "]": "parsing_error"} {
		a.ask("POST", "/trackers/bulk", body).want(400).is(map[string]any{"status": "error", "summary": nil, "data": nil, "error.code": code})
	}
	a.ask("POST", "/trackers/bulk", "["+strings.Repeat(two+",", 100)+two+"]").want(403).is(map[string]any{"status": "error", "summary": nil, "data": nil, "error.code": "bulk_create_limit_exceeded"})
	a.ask("POST", "/trackers/bulk", "["+strings.Repeat(two+",", 99)+two+"]").want(201).is(map[string]any{"summary.totalExisting": 100})
}

// TestTenantsSeeNothingOfEachOther visits every route with the key of another tenant.
func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	a := newAPI(t)
	a.tells(3)
	hook := a.subscribe()
	id := a.ask("POST", "/trackers/track", full).want(200).text("data.trackings.0.tracker.trackerId")
	if len(a.deliver(hook)) == 0 {
		t.Fatal("nothing was told")
	}
	rival := []string{"Authorization", "Bearer " + a.OtherKey}
	commits := a.Store.Commits()
	things := map[string]string{id: "", string(engineID(id)): "", "3fa99515-3ca0-4901-85bb-056ee016799b": "?searchBy=clientTrackerId", ours: ""}
	all, err := a.Router.Routes()
	if err != nil {
		t.Fatal(err)
	}
	visited := 0
	for _, route := range all {
		method, path, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(path, "/public/v1/") || method == http.MethodHead {
			continue
		}
		visited++
		path = strings.TrimPrefix(path, "/public/v1")
		for thing, query := range things {
			switch {
			case strings.Contains(path, "{trackerId}"):
				a.ask(method, strings.Replace(path, "{trackerId}", thing, 1)+query, `{"isSubscribed":false}`, rival...).refused(404, "tracker_not_found")
			case strings.Contains(path, "{trackingNumber}"):
				a.ask(method, strings.Replace(path, "{trackingNumber}", thing, 1), "", rival...).want(200).is(map[string]any{"data.trackings": []any{}})
			case route == "GET /public/v1/trackers":
				a.ask(method, path+"?page=1&limit=500", "", rival...).want(200).is(map[string]any{"data.trackers": []any{}})
			case route == "GET /public/v1/couriers":
				if got := a.ask(method, path, "", rival...).want(200); strings.Contains(string(got.body), "DoorDash_123") {
					t.Errorf("the accounts of another tenant are told: %s", got.body)
				}
			case method != http.MethodPost:
				t.Errorf("%s: nothing says what another tenant is answered there", route)
			}
		}
	}
	if visited != 12 || a.Store.Commits() != commits {
		t.Errorf("%d routes, %d commits by the stranger", visited, a.Store.Commits()-commits)
	}
	// The same payload is another tracker.
	if theirs := a.ask("POST", "/trackers", full, rival...).want(201); theirs.at("data.tracker.trackerId") == id {
		t.Error("two tenants have one tracker")
	}
	a.ask("GET", "/trackers/"+id+"/results", "").want(200).is(map[string]any{"data.trackings.0.tracker.isSubscribed": true})
}

// FuzzBodies: whatever a body holds, the answer is in the envelope, and what was taken is found again.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{full, `{}`, `[`, `[` + full + `]`, `{"trackingNumber":"ABC12345X","courierCode":[]}`, `{"trackingNumber":"ABC12345X","n":1e400}`,
		`{"isSubscribed":false,"courierCode":"ups"}`, `{"trackingNumber":"ABC12345X","courierCode":"","clientTrackerId":""}`, `{"trackingNumber":"ABC12345X","recipient":{},"settings":{}}`} {
		f.Add([]byte(body))
	}
	a := newAPI(f)
	ask := func(method, path string, body []byte) *httptest.ResponseRecorder {
		q := httptest.NewRequest(method, "/public/v1"+path, strings.NewReader(string(body)))
		q.Header.Set("Authorization", "Bearer "+a.Key)
		w := httptest.NewRecorder()
		a.Router.ServeHTTP(w, q)
		return w
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := a.Store.Commits()
		w := ask("POST", "/trackers", body)
		got := &answer{Response: w.Result(), body: w.Body.Bytes(), t: t}
		switch w.Code {
		case 201:
			again := ask("POST", "/trackers", body)
			if again.Body.String() != w.Body.String() {
				t.Fatalf("the same payload: %s, then %s", w.Body, again.Body)
			}
			path := "/trackers/" + got.text("data.tracker.trackerId")
			if found := ask("GET", path, nil); found.Body.String() != w.Body.String() {
				t.Fatalf("answered %s, read %s", w.Body, found.Body)
			}
			if w := ask("PATCH", path, body); w.Code != 200 && w.Code != 400 {
				t.Fatalf("PATCH: %d %s", w.Code, w.Body)
			}
			ask("PATCH", path, []byte(`{"isSubscribed":true}`))
		case 400:
			if got.at("errors.0.code") == nil || a.Store.Commits() != before {
				t.Fatalf("%s, %d commits", w.Body, a.Store.Commits()-before)
			}
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w := ask("POST", "/tracking/search", body); w.Code != 201 && w.Code != 400 && w.Code != 404 {
			t.Fatalf("search: %d %s", w.Code, w.Body)
		}
		if w := ask("POST", "/trackers/bulk", body); w.Code != 201 && w.Code != 207 && w.Code != 400 && w.Code != 403 {
			t.Fatalf("bulk: %d %s", w.Code, w.Body)
		}
	})
}
