package ship24_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// ours is a number of UPS, and full a payload with every member.
const (
	ours = "1Z5R89390357567127"
	full = `{"trackingNumber":"1Z5R89390357567127","shipmentReference":"c6e4fef4-a816-b68f-4024-3b7e4c5a9f81","clientTrackerId":"3fa99515-3ca0-4901-85bb-056ee016799b",
		"originCountryCode":"CN","destinationCountryCode":"USA","destinationPostCode":"94901","shippingDate":"2021-03-01T11:09:00+02:00","courierCode":["ups","us-post"],
		"courierName":"UPS Standard","trackingUrl":"https://example.com/?n=1","orderNumber":"DF14R2022","title":"Shoes","recipient":{"email":"r@example.com","name":"Marc"},
		"settings":{"restrictTrackingToCourierCode":true}}`
)

var uuid = regexp.MustCompile(`"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`)

// golden holds JSON, its ids made alike, against a file.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(uuid.ReplaceAll(got, []byte(`"UUID"`)), '\n')
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs from its golden file (-want +got):\n%s", name, diff)
	}
}

// TestWalk goes through the overview of trackers as a client of Ship24's does.
func TestWalk(t *testing.T) {
	a := newAPI(t)
	made := a.ask("POST", "/trackers", full).want(201).is(map[string]any{"data.tracker.isSubscribed": true, "data.tracker.isTracked": true,
		"data.tracker.courierCode": []string{"ups", "us-post"}, "data.tracker.shipmentReference": "c6e4fef4-a816-b68f-4024-3b7e4c5a9f81"})
	golden(t, "tracker", made.body)
	id := made.text("data.tracker.trackerId")
	if !uuid.MatchString(`"` + id + `"`) {
		t.Errorf("trackerId %s is no UUID", id)
	}
	a.ask("GET", "/trackers/"+id+"/results", "").want(200).is(map[string]any{"data.trackings.0.events": []any{},
		"data.trackings.0.shipment.statusMilestone": "pending", "data.trackings.0.shipment.shipmentId": nil, "data.trackings.0.tracker.trackerId": id})

	a.tells(3)
	a.hear(id)
	a.ask("GET", "/trackers/"+id+"/results", "").want(200).is(map[string]any{"data.trackings.0.shipment.statusMilestone": "in_transit",
		"data.trackings.0.events.0.statusCode": nil, "data.trackings.0.events.0.statusCategory": nil, "data.trackings.0.events.2.statusMilestone": "info_received"})
	a.tells(6)
	a.hear(id)
	results := a.ask("GET", "/trackers/"+id+"/results", "").want(200).is(map[string]any{
		"data.trackings.0.tracker.isTracked": false, "data.trackings.0.tracker.isSubscribed": true})
	golden(t, "results", results.body)

	// The engine's own form of the id, the caller's id and the number find the same; /v1 is the same as /public/v1.
	client := "3fa99515-3ca0-4901-85bb-056ee016799b"
	for _, path := range []string{"/trackers/" + string(engineID(id)) + "/results", "/trackers/" + strings.ToUpper(id) + "/results",
		"/trackers/" + client + "/results?searchBy=clientTrackerId", "/trackers/search/" + ours + "/results",
		"/trackers/search/" + strings.ToLower(ours) + "/results", "/v1/trackers/" + id + "/results"} {
		same(t, path, a.ask("GET", path, "").want(200).value(), results.value())
	}
	a.ask("GET", "/trackers/"+id, "").want(200).is(map[string]any{"data.tracker.trackerId": id})

	// Several trackers may share a number.
	a.ask("POST", "/trackers", `{"trackingNumber":"`+ours+`"}`).want(201)
	both := a.ask("GET", "/trackers/search/"+ours+"/results", "").want(200)
	both.is(map[string]any{"data.trackings.0.tracker.trackerId": id, "data.trackings.1.tracker.clientTrackerId": nil, "data.trackings.2": nil})
	if both.at("data.trackings.1.tracker.trackerId") == id || both.at("data.trackings.1.shipment.statusMilestone") != "delivered" {
		t.Errorf("the second tracker: %s", both.body)
	}
	if both.at("data.trackings.0.events.3.occurrenceDatetime") != both.at("data.trackings.1.events.3.occurrenceDatetime") ||
		both.at("data.trackings.0.events.3.eventId") != both.at("data.trackings.1.events.3.eventId") {
		t.Errorf("what is shared is not the same: %s", both.body)
	}
	a.ask("GET", "/trackers/search/UNKNOWN00/results", "").want(200).is(map[string]any{"data.trackings": []any{}})
}

func TestSamePayloadIsTheSameTracker(t *testing.T) {
	a := newAPI(t)
	id := a.ask("POST", "/trackers", `{"trackingNumber":"1Z5R89390357567127","courierCode":"ups","title":"a"}`).want(201).text("data.tracker.trackerId")
	commits := a.Store.Commits()
	for _, body := range []string{`{"title":"a","courierCode":"ups","trackingNumber":"1Z5R89390357567127"}`, `{ "trackingNumber" : "1Z5R8939035756712\u0037","courierCode":"ups","title":"\u0061"}`} {
		a.ask("POST", "/trackers", body).want(201).is(map[string]any{"data.tracker.trackerId": id, "data.tracker.courierCode": "ups"})
	}
	if a.Store.Commits() != commits {
		t.Error("the same payload was written again")
	}
	seen := map[string]bool{id: true}
	for _, body := range []string{`{"trackingNumber":"1Z5R89390357567127","courierCode":["ups"],"title":"a"}`, `{"trackingNumber":"1Z5R89390357567127","courierCode":"ups","title":"b"}`,
		`{"trackingNumber":"1Z5R89390357567127","courierCode":"ups"}`, `{"trackingNumber":"1Z5R89390357567127","courierCode":"ups","title":"a","unknown":{"x":1}}`} {
		other := a.ask("POST", "/trackers", body).want(201).text("data.tracker.trackerId")
		if seen[other] {
			t.Errorf("%s is a tracker that exists", body)
		}
		seen[other] = true
	}
	// A clientTrackerId is of one tracker.
	a.ask("POST", "/trackers", `{"trackingNumber":"ABC12345X","clientTrackerId":"mine"}`).want(201)
	a.ask("POST", "/trackers", `{"trackingNumber":"ABC12345X","clientTrackerId":"mine"}`).want(201)
	a.ask("POST", "/trackers", `{"trackingNumber":"ABC12345Y","clientTrackerId":"mine"}`).refused(400, "tracker_conflict")
}

// TestTrack asks the carrier the first time, and answers at once later.
func TestTrack(t *testing.T) {
	a := newAPI(t)
	a.tells(2)
	body := `{"trackingNumber":"1Z5R89390357567127"}`
	first := a.ask("POST", "/trackers/track", body).want(200).is(map[string]any{"data.trackings.0.shipment.statusMilestone": "in_transit",
		"data.trackings.0.shipment.statusCode": "transit_handover", "data.trackings.0.events.1.order": 1})
	a.UPS.Set(apitest.Hooks{Track: func(carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		t.Error("the carrier was asked again")
		return nil, nil
	}})
	same(t, "again", a.ask("POST", "/trackers/track", body).want(200).value(), first.value())
	a.ask("POST", "/trackers", body).want(201).is(map[string]any{"data.tracker.trackerId": first.at("data.trackings.0.tracker.trackerId")})

	// A carrier that fails, and a number of nobody's, are pending.
	a.UPS.Set(apitest.Hooks{Track: func(carrier.TrackRequest) ([]carrier.TrackUpdate, error) { return nil, apitest.Lost() }})
	a.ask("POST", "/trackers/track", `{"trackingNumber":"1Z5R89390357567127","title":"x","courierCode":"ups"}`).want(200)
	a.ask("POST", "/trackers/track", `{"trackingNumber":"NOBODYS.1/2_3"}`).want(200).is(map[string]any{"data.trackings.0.shipment.statusMilestone": "pending",
		"data.trackings.0.tracker.isTracked": false, "data.trackings.0.tracker.isSubscribed": true})
	a.ask("GET", "/trackers/search/NOBODYS.1%2F2_3/results", "").want(200).is(map[string]any{"data.trackings.0.tracker.trackingNumber": "NOBODYS.1/2_3"})
}

// TestSearch asks once and keeps nothing.
func TestSearch(t *testing.T) {
	a := newAPI(t)
	a.tells(6)
	commits := a.Store.Commits()
	got := a.ask("POST", "/tracking/search", `{"trackingNumber":"1Z5R89390357567127","courierCode":["ups"],"destinationCountryCode":"US"}`).want(201)
	got.is(map[string]any{"data.trackings.0.tracker": nil, "data.trackings.0.shipment.statusMilestone": "delivered", "data.trackings.0.events.5.statusMilestone": "info_received"})
	if strings.Contains(string(got.body), `"tracker"`) || a.Store.Commits() != commits {
		t.Errorf("something was kept: %s", got.body)
	}
	a.ask("GET", "/trackers/search/"+ours+"/results", "").want(200).is(map[string]any{"data.trackings": []any{}})
	a.ask("POST", "/tracking/search", `{"trackingNumber":"1Z5R89390357567127","destinationCountryCode":"Nowhere"}`).refused(400, "validation_error")
}

func TestList(t *testing.T) {
	a := newAPI(t)
	var ids []any
	for i := range 5 {
		ids = append(ids, a.ask("POST", "/trackers", fmt.Sprintf(`{"trackingNumber":"LIST-%d","destinationPostCode":"%d","shippingDate":"2021-03-01"}`, i, i)).want(201).at("data.tracker.trackerId"))
		a.Clock.Advance(time.Second)
	}
	listed := func(query string) []any {
		var out []any
		list, _ := a.ask("GET", "/trackers?"+query, "").want(200).at("data.trackers").([]any)
		for _, v := range list {
			out = append(out, v.(map[string]any)["trackerId"])
		}
		return out
	}
	for query, want := range map[string][]any{"page=1&limit=500": ids, "page=1&limit=2&sort=1": ids[:2], "page=3&limit=2": ids[4:], "page=4&limit=2": nil,
		"page=1&limit=2&sort=-1": {ids[4], ids[3]}, "page=2&limit=4&sort=-1": {ids[0]}, "page=1000000000&limit=500": nil} {
		if got := listed(query); !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	a.ask("GET", "/trackers?page=2&limit=1", "").is(map[string]any{"data.trackers.0.destinationPostCode": "1", "data.trackers.0.shippingDate": "2021-03-01",
		"data.trackers.0.originCountryCode": nil, "data.trackers.0.trackingUrl": nil, "data.trackers.0.courierName": nil})
	a.ask("GET", "/trackers", "").refused(400, "missing_mandatory_field", "missing_mandatory_field")
	for _, query := range []string{"page=0&limit=1", "page=1&limit=0", "page=1&limit=501", "page=x&limit=1", "page=1&limit=1&sort=2", "page=1e3&limit=1", "page=99999999999999999999&limit=1"} {
		a.ask("GET", "/trackers?"+query, "").refused(400, "validation_error")
	}
}

func TestUpdate(t *testing.T) {
	a := newAPI(t)
	// Nobody is asked about a number that could be anybody's; a courier may be added.
	id := a.ask("POST", "/trackers", `{"trackingNumber":"ABC12345X","clientTrackerId":"mine"}`).want(201).is(map[string]any{"data.tracker.isTracked": false}).text("data.tracker.trackerId")
	a.ask("PATCH", "/trackers/"+id, `{"courierCode":"UPS","originCountryCode":"CN","shippingDate":"2021-03-01T11:09:00"}`).want(200).
		is(map[string]any{"data.tracker.isTracked": true, "data.tracker.courierCode": "UPS"})
	a.tells(3)
	a.hear(id)
	for _, body := range []string{`{"courierCode":["us-post"]}`, `{"originCountryCode":"US"}`, `{"destinationCountryCode":"US"}`, `{"shippingDate":"2021-03-02"}`,
		`{"isSubscribed":false,"originCountryCode":"US"}`} {
		a.ask("PATCH", "/trackers/"+id, body).refused(400, "tracker_not_updatable")
	}
	a.ask("PATCH", "/trackers/"+id, `{"originCountryCode":"CN","courierCode":["UPS"],"destinationPostCode":"94901"}`).want(200).is(map[string]any{"data.tracker.isSubscribed": true})
	a.ask("GET", "/trackers/"+id+"/results", "").is(map[string]any{"data.trackings.0.shipment.recipient.postCode": "94901", "data.trackings.0.shipment.originCountryCode": "CN"})

	// Unsubscribed, it is asked for no more, and its clientTrackerId is free.
	client := "/trackers/mine?searchBy=clientTrackerId"
	a.ask("PATCH", client, `{"isSubscribed":false}`).want(200).is(map[string]any{"data.tracker.isSubscribed": false, "data.tracker.isTracked": false})
	due, next, err := a.Store.TrackersDue(t.Context(), "shop", "ups", a.Clock.Now().Add(1e6*time.Hour), 10)
	if err != nil || len(due) > 0 || !next.IsZero() {
		t.Errorf("UPS will be asked for %v at %v: %v", due, next, err)
	}
	a.ask("GET", client, "").want(200).is(map[string]any{"data.tracker.trackerId": id})
	other := a.ask("POST", "/trackers", `{"trackingNumber":"ABC12345Y","clientTrackerId":"mine"}`).want(201).text("data.tracker.trackerId")
	a.ask("GET", client, "").want(200).is(map[string]any{"data.tracker.trackerId": other})
	a.ask("PATCH", "/trackers/"+id, `{"isSubscribed":true}`).refused(400, "tracker_conflict")
	a.ask("PATCH", "/trackers/"+other, `{"isSubscribed":false}`).want(200)
	a.ask("PATCH", "/trackers/"+id, `{"isSubscribed":true}`).want(200).is(map[string]any{"data.tracker.isSubscribed": true, "data.tracker.isTracked": true})
	a.ask("GET", client, "").want(200).is(map[string]any{"data.tracker.trackerId": id})
	a.ask("PATCH", client, `{}`).want(200).is(map[string]any{"data.tracker.isSubscribed": true})
	a.ask("PATCH", client, `{"isSubscribed":"no","courierCode":5,"originCountryCode":"Mars"}`).refused(400, "validation_error", "validation_error", "validation_error")

	// Erased, nothing is told any more.
	if _, err := a.Tracking.Erase(t.Context(), caller, engineID(id)); err != nil {
		t.Fatal(err)
	}
	a.ask("GET", "/trackers/"+id, "").want(200).is(map[string]any{"data.tracker.isSubscribed": false, "data.tracker.isTracked": false, "data.tracker.clientTrackerId": nil})
	a.ask("PATCH", "/trackers/"+id, `{"isSubscribed":true}`).refused(400, "tracker_not_updatable")
}

// TestTimesComeOutAsTheyCameIn: of the payload in all four shapes, of events as far as carriers tell.
func TestTimesComeOutAsTheyCameIn(t *testing.T) {
	a := newAPI(t)
	for i, date := range []string{"2021-03-01T11:09:00.000Z", "2021-03-01", "2021-03-01T11:09:00", "2021-03-01T11:09:00+02:00"} {
		a.ask("POST", "/trackers", apitest.JSON(map[string]any{"trackingNumber": "TIMES1", "shippingDate": date})).want(201)
		a.ask("GET", fmt.Sprintf("/trackers?page=%d&limit=1", i+1), "").is(map[string]any{"data.trackers.0.shippingDate": date})
		a.Clock.Advance(time.Second)
	}
	a.tells(3)
	a.ask("POST", "/trackers/track", `{"trackingNumber":"1Z5R89390357567127"}`).want(200).is(map[string]any{
		"data.trackings.0.events.0.occurrenceDatetime": "2026-03-02T08:00:00", "data.trackings.0.events.1.occurrenceDatetime": "2026-03-01T17:00:00.000Z",
		"data.trackings.0.statistics.timestamps.infoReceivedDatetime": "2026-03-01T12:00:00.000Z", "data.trackings.0.statistics.timestamps.deliveredDatetime": nil})
}

func TestCouriers(t *testing.T) {
	a := newAPI(t)
	list := a.ask("GET", "/couriers", "").want(200).at("data.couriers").([]any)
	seen := map[string]any{}
	for _, v := range list {
		seen[v.(map[string]any)["courierCode"].(string)] = v
	}
	same(t, "us-post", seen["us-post"], map[string]any{"courierCode": "us-post", "courierName": "United States Postal Service", "website": "https://www.usps.com",
		"isPost": true, "countryCode": "US", "requiredFields": nil, "isDeprecated": false})
	same(t, "doordash", seen["doordash"], map[string]any{"courierCode": "doordash", "courierName": "DoorDash_123", "website": nil,
		"isPost": false, "countryCode": nil, "requiredFields": nil, "isDeprecated": false})
	// Whatever is listed can be named.
	for code := range seen {
		a.ask("POST", "/trackers", apitest.JSON(map[string]any{"trackingNumber": "ANYBODYS-1", "courierCode": code})).want(201).is(map[string]any{"data.tracker.isTracked": code == "ups" || code == "doordash" || code == "quiet"})
	}
}
