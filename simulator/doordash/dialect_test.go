package doordash_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/doordash"
)

func TestAuthentication(t *testing.T) {
	d := open(t, doordash.Config{})
	good := jwt.MapClaims{"aud": "doordash", "iss": doordash.DevDeveloperID, "kid": doordash.DevKeyID,
		"iat": noon.Unix(), "exp": noon.Add(30 * time.Minute).Unix()}
	but := func(claim string, v any) jwt.MapClaims {
		c := maps.Clone(good)
		if c[claim] = v; v == nil {
			delete(c, claim)
		}
		return c
	}
	secret := doordash.DevSigningSecret
	ascii := jwt.NewWithClaims(jwt.SigningMethodHS256, good)
	ascii.Header["dd-ver"] = "DD-JWT-V1"
	asText, err := ascii.SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	none := jwt.NewWithClaims(jwt.SigningMethodNone, good)
	none.Header["dd-ver"] = "DD-JWT-V1"
	unsigned, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"no token": "", "no JWT": "abc", "secret used as text": asText, "unsigned": unsigned,
		"other secret": sign(t, "b3RoZXI", "DD-JWT-V1", good), "version": sign(t, secret, "DD-JWT-V2", good),
		"aud": sign(t, secret, "DD-JWT-V1", but("aud", "uber")), "iss": sign(t, secret, "DD-JWT-V1", but("iss", "x")),
		"kid": sign(t, secret, "DD-JWT-V1", but("kid", "x")), "no kid": sign(t, secret, "DD-JWT-V1", but("kid", nil)),
		"expired": sign(t, secret, "DD-JWT-V1", but("exp", noon.Unix()-1)), "no exp": sign(t, secret, "DD-JWT-V1", but("exp", nil)),
		"no iat": sign(t, secret, "DD-JWT-V1", but("iat", nil)), "future": sign(t, secret, "DD-JWT-V1", but("iat", noon.Unix()+90)),
		"long": sign(t, secret, "DD-JWT-V1", but("exp", noon.Unix()+1801)),
	} {
		if r := d.send(token, "GET", "/drive/v2/deliveries/x", ""); r.status != 401 || r.Code != "authentication_error" {
			t.Errorf("%s: got %d %s", name, r.status, r.body)
		}
	}
	if r := d.send(sign(t, secret, "DD-JWT-V1", good), "GET", "/drive/v2/deliveries/x", ""); r.status != 404 {
		t.Errorf("a good token: got %d %s", r.status, r.body)
	}
}

// TestAFastWorldTakesTokensOfASlowCaller: an engine in real time signs by its
// own clock, however fast the world's days go by.
func TestAFastWorldTakesTokensOfASlowCaller(t *testing.T) {
	clock, err := simulator.NewRealClock(1)
	if err != nil {
		t.Fatal(err)
	}
	d := openAt(t, doordash.Config{}, clock)
	wall := clock.Now() // at speed 1 the world's time is the caller's
	if err := clock.SetSpeed(simulator.MaxSpeed); err != nil {
		t.Fatal(err)
	}
	for clock.Now().Sub(wall) < time.Hour {
		d.send("", "GET", "/drive/v2/deliveries/x", "")
	}
	if r := d.send(d.sign(wall), "GET", "/drive/v2/deliveries/x", ""); r.status != 404 {
		t.Errorf("the caller's token: %d %s", r.status, r.body)
	}
	if r := d.send(d.sign(wall.Add(-10*time.Minute)), "GET", "/drive/v2/deliveries/x", ""); r.status != 401 {
		t.Errorf("a token that has expired by both clocks: %d %s", r.status, r.body)
	}
}

// TestShapes pins what DoorDash answers along one order.
func TestShapes(t *testing.T) {
	d := open(t, doordash.Config{})
	golden(t, d, "quote", d.ask(200, "POST", "/drive/v2/quotes", with("o1")).body)
	golden(t, d, "accept", d.ask(200, "POST", "/drive/v2/quotes/o1/accept", `{"tip":700,"dropoff_address":"ignored, here"}`).body)
	d.clock.Advance(time.Minute)
	d.run("o1", "picked_up")
	golden(t, d, "get_picked_up", d.ask(200, "GET", "/drive/v2/deliveries/o1", "").body)
	golden(t, d, "cancel_not_allowed", d.ask(409, "PUT", "/drive/v2/deliveries/o1/cancel", "").body)
	golden(t, d, "duplicate", d.ask(409, "POST", "/drive/v2/deliveries", with("o1")).body)
	golden(t, d, "unknown", d.ask(404, "GET", "/drive/v2/deliveries/o2", "").body)
	golden(t, d, "validation", d.ask(400, "POST", "/drive/v2/deliveries",
		with("o 2", `"+13125550142"`, `"0142"`, `6420`, `-1`, `"quantity":2`, `"quantity":0`)).body)
	golden(t, d, "too_long", d.ask(422, "POST", "/drive/v2/quotes", with("o3", "Chicago, IL 60606", "Los Angeles, CA 90012")).body)
	golden(t, d, "serviceability", d.ask(200, "POST", "/drive/v2/serviceability", with("s")).body)
}

func TestAQuoteHoldsItsPriceForFiveMinutes(t *testing.T) {
	for policy, want := range map[string]struct {
		status int
		code   string
	}{"": {404, "unknown_delivery_id"}, "validation_error": {400, "validation_error"}} {
		d := open(t, doordash.Config{LateAccept: policy})
		for _, id := range []string{"a", "b"} {
			if r := d.ask(200, "POST", "/drive/v2/quotes", with(id)); r.Status != "quote" || r.Fee != 975 {
				t.Errorf("quote: %s", r.body)
			}
		}
		d.clock.Advance(5*time.Minute - time.Second)
		d.RunDue(t.Context())
		if r := d.ask(200, "POST", "/drive/v2/quotes/a/accept", ""); r.Status != "created" || r.Tip != 600 {
			t.Errorf("accept: %s", r.body)
		}
		d.clock.Advance(time.Second)
		d.RunDue(t.Context())
		if r := d.ask(want.status, "POST", "/drive/v2/quotes/b/accept", ""); r.Code != want.code {
			t.Errorf("late accept: %s", r.body)
		}
		d.ask(404, "GET", "/drive/v2/deliveries/b", "")
		d.ask(409, "POST", "/drive/v2/quotes", with("b"))
		d.ask(409, "POST", "/drive/v2/quotes/a/accept", "")
		if got := d.totals(); got.LiveBookings != 1 || got.Outstanding["USD"] != 975+600 {
			t.Errorf("ledger: %+v", got)
		}
	}
}

func TestDuplicatePolicy(t *testing.T) {
	d := open(t, doordash.Config{Duplicates: doordash.SameBodyReturnsExisting})
	d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	if r := d.ask(200, "POST", "/drive/v2/deliveries", with("a")); r.Status != "created" {
		t.Errorf("replay: %s", r.body)
	}
	if r := d.ask(409, "POST", "/drive/v2/deliveries", with("a", "6420", "1")); r.Code != "duplicate_delivery_id" || r.ID != "a" {
		t.Errorf("other data: %s", r.body)
	}
	d.ask(409, "POST", "/drive/v2/quotes", with("a"))
	if d.totals().Bookings != 1 {
		t.Error("a replay has booked again")
	}
	d = open(t, doordash.Config{})
	d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	d.ask(409, "POST", "/drive/v2/deliveries", with("a"))
}

func TestFeeByDistance(t *testing.T) {
	d := open(t, doordash.Config{Places: map[string]doordash.Point{"60602": {Lat: 41, Lng: -87}}})
	// One degree of latitude is 69.09 miles on the sphere that the dialect takes.
	for i, c := range []struct {
		miles float64
		fee   int64
	}{{0.5, 975}, {4.9, 975}, {5.1, 1050}, {6.9, 1125}, {14.9, 1725}, {15.1, 0}} {
		at := fmt.Sprintf(`"dropoff_location":{"lat":%f,"lng":-87},"order_value"`, 41+c.miles/69.0933)
		status := http.StatusOK
		if c.fee == 0 {
			status = http.StatusUnprocessableEntity
		}
		r := d.ask(status, "POST", "/drive/v2/quotes", with(fmt.Sprint(i), `"order_value"`, at))
		if r.Fee != c.fee || (c.fee == 0 && r.Reason != "distance_too_long") {
			t.Errorf("%v miles: %s", c.miles, r.body)
		}
	}
}

func TestValidation(t *testing.T) {
	d := open(t, doordash.Config{Stores: map[string]string{"default/s1": "1 N State St, Chicago, IL 60602"}, NotCovered: []string{"99", "98101"}})
	ask := func(status int, pairs ...string) reply {
		t.Helper()
		return d.ask(status, "POST", "/drive/v2/deliveries", with("x", pairs...))
	}
	for field, pairs := range map[string][]string{
		"external_delivery_id":     {`"ID"`, `"a b"`},
		"dropoff_phone_number":     {`"dropoff_phone_number"`, `"other"`},
		"dropoff_address":          {`"233 S Wacker Dr, Chicago, IL 60606"`, `"Wacker"`},
		"pickup_address":           {`"pickup_address"`, `"other"`},
		"pickup_external_store_id": {`"order_value"`, `"pickup_external_business_id":"b","order_value"`},
		"tip":                      {`600,`, `6.5,`},
		"items":                    {`"Meal"`, `""`},
		"locale":                   {`"order_value"`, `"locale":"de-DE","order_value"`},
		"contactless_dropoff":      {`"order_value"`, `"contactless_dropoff":"yes","order_value"`},
		"pickup_time":              {`"order_value"`, `"pickup_time":"2026-05-15T17:00:00Z","order_value"`},
		"dropoff_time":             {`"order_value"`, `"dropoff_time":"tomorrow","order_value"`},
		"dropoff_window":           {`"order_value"`, `"dropoff_window":{"start_time":"2026-05-16T17:00:00Z","end_time":"2026-05-16T16:00:00Z"},"order_value"`},
		"dropoff_location":         {`"order_value"`, `"dropoff_location":{"lat":95,"lng":0},"order_value"`},
	} {
		r := ask(400, pairs...)
		if r.Code != "validation_error" || len(r.Fields) != 1 || r.Fields[0].Field != field {
			t.Errorf("%s: %s", field, r.body)
		}
	}
	for _, body := range []string{"[", "[]", `"x"`, `{"tip":1,"tip":2}`} {
		if r := d.ask(400, "POST", "/drive/v2/quotes", body); len(r.Fields) != 1 || r.Fields[0].Field != "body" {
			t.Errorf("%s: %s", body, r.body)
		}
	}
	for reason, pairs := range map[string][]string{
		"delivery_address_not_in_coverage": {"60606", "98101"},
		"pickup_address_not_in_coverage":   {"60602", "99501"},
		"outside_of_delivery_time":         {`"order_value"`, `"pickup_time":"2027-05-15T17:00:00Z","order_value"`},
	} {
		if r := ask(422, pairs...); r.Code != "invalid_delivery_parameters" || r.Reason != reason {
			t.Errorf("%s: %s", reason, r.body)
		}
	}
	store := `"pickup_external_business_id":"default","pickup_external_store_id":"S"`
	if r := ask(404, `"pickup_address":"1 N State St, Chicago, IL 60602"`, store); r.Code != "unknown_store_id_under_business_id" {
		t.Errorf("unknown store: %s", r.body)
	}
	ask(200, `"pickup_address":"1 N State St, Chicago, IL 60602"`, strings.Replace(store, `"S"`, `"s1"`, 1))
	if d.totals().Bookings != 1 {
		t.Error("what was refused has booked")
	}
	// A quote needs no phone, its acceptance does.
	d.ask(200, "POST", "/drive/v2/quotes", with("q", `"dropoff_phone_number"`, `"other"`))
	if r := d.ask(400, "POST", "/drive/v2/quotes/q/accept", ""); r.Fields[0].Field != "dropoff_phone_number" {
		t.Errorf("accept without phone: %s", r.body)
	}
	d.ask(200, "POST", "/drive/v2/quotes/q/accept", `{"dropoff_phone_number":"+13125550142"}`)
	if r := d.ask(200, "POST", "/drive/v2/serviceability", with("s", "60606", "98101")); *r.Serviceable || !slices.Equal(r.Reasons, []string{"delivery_address_not_in_coverage"}) {
		t.Errorf("serviceability: %s", r.body)
	}
}

func TestCancelAndUpdateByState(t *testing.T) {
	for state, want := range map[simulator.State]struct{ cancel, update string }{
		"created":            {"", ""},
		"confirmed":          {"cancellation_window_closed", ""},
		"arrived_at_pickup":  {"cancellation_window_closed", ""},
		"picked_up":          {"delivery_picked_up", "delivery_picked_up"},
		"arrived_at_dropoff": {"delivery_picked_up", "delivery_picked_up"},
		"enroute_to_return":  {"delivery_picked_up", "delivery_picked_up"},
		"delivered":          {"delivery_completed", "delivery_completed"},
		"returned":           {"delivery_completed", "delivery_completed"},
		"cancelled":          {"delivery_cancelled", "delivery_cancelled"},
		"quote":              {"delivery_creation_in_progress", "delivery_creation_in_progress"},
	} {
		d := open(t, doordash.Config{})
		d.ask(200, "POST", "/drive/v2/quotes", with("a"))
		if state != "quote" {
			d.ask(200, "POST", "/drive/v2/quotes/a/accept", "")
			d.run("a", state)
		}
		check := func(reason, code, method, path, body string) reply {
			t.Helper()
			if reason == "" {
				return d.ask(200, method, path, body)
			}
			r := d.ask(409, method, path, body)
			if r.Code != code || r.Reason != reason {
				t.Errorf("%s: %s", state, r.body)
			}
			return r
		}
		if r := check(want.update, "update_not_allowed", "PATCH", "/drive/v2/deliveries/a", `{"tip":900,"external_delivery_id":"z"}`); want.update == "" && r.Tip != 900 {
			t.Errorf("update: %s", r.body)
		}
		if r := check(want.cancel, "cancel_not_allowed", "PUT", "/drive/v2/deliveries/a/cancel", ""); want.cancel == "" && r.Cancellation != "cancelled_by_creator" {
			t.Errorf("cancel: %s", r.body)
		}
	}
}

func TestUpdateChangesThePrice(t *testing.T) {
	d := open(t, doordash.Config{Places: map[string]doordash.Point{"60607": {Lat: 41.8831, Lng: -87.78}}})
	d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	far := `{"dropoff_address":"1 Far St, Chicago, IL 60607"}`
	if r := d.ask(200, "PATCH", "/drive/v2/deliveries/a", far); r.Fee != 975+3*75 {
		t.Errorf("7.8 miles: %s", r.body)
	}
	if got := d.totals(); got.Outstanding["USD"] != 975+3*75+600 {
		t.Errorf("ledger: %+v", got)
	}
	v, _ := d.World().Entity("doordash", "a")
	if shown, err := json.Marshal(v.Details); err != nil || !strings.Contains(string(shown), "1 Far St") {
		t.Errorf("the control API shows %s, %v; want the address as it was changed", shown, err)
	}
	if r := d.ask(422, "PATCH", "/drive/v2/deliveries/a", strings.ReplaceAll(far, "60607", "90012")); r.Reason != "distance_too_long" {
		t.Errorf("too far: %s", r.body)
	}
	d.ask(200, "PATCH", "/drive/v2/deliveries/a", `{"tip":0,"dropoff_address":"233 S Wacker Dr, Chicago, IL 60606"}`)
	if got := d.totals(); got.Outstanding["USD"] != 975 {
		t.Errorf("ledger: %+v", got)
	}
	d.ask(400, "PATCH", "/drive/v2/deliveries/a", `{"tip":"x"}`)
	d.ask(404, "PATCH", "/drive/v2/deliveries/b", `{}`)
	d.run("a", "confirmed")
	if r := d.ask(409, "PATCH", "/drive/v2/deliveries/a", `{"pickup_address":"2 N State St, Chicago, IL 60602"}`); r.Reason != "update_window_closed" {
		t.Errorf("pickup: %s", r.body)
	}
	at := noon.Add(2 * time.Hour).Format(time.RFC3339)
	if r := d.ask(200, "PATCH", "/drive/v2/deliveries/a", `{"dropoff_time":"`+at+`"}`); !r.Dropoff.Equal(noon.Add(2 * time.Hour)) {
		t.Errorf("dropoff time: %s", r.body)
	}
}

func TestUnassignBringsAnotherDasher(t *testing.T) {
	d := open(t, doordash.Config{})
	d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	get := func() reply { t.Helper(); return d.ask(200, "GET", "/drive/v2/deliveries/a", "") }
	if r := get(); r.Dasher != "" {
		t.Errorf("a Dasher before confirmed: %s", r.body)
	}
	d.run("a", "arrived_at_pickup")
	if r := get(); r.Dasher == "" {
		t.Errorf("no Dasher at the pickup: %s", r.body)
	}
	d.run("a", "created")
	if r := get(); r.Status != "created" || r.Dasher != "" {
		t.Errorf("after unassigning: %s", r.body)
	}
	d.clock.Advance(time.Minute)
	d.run("a", "delivered")
	if r := get(); !r.Delivered.Equal(noon.Add(time.Minute)) || r.PickedUp.IsZero() {
		t.Errorf("delivered: %s", r.body)
	}
	if got := d.totals(); got.Bookings != 1 || got.LiveBookings != 1 || got.Outstanding["USD"] != 1575 {
		t.Errorf("ledger: %+v", got)
	}
}

func TestMoneyOfWhatGoesWrong(t *testing.T) {
	for _, c := range []struct {
		at     simulator.State
		to     simulator.State
		reason string
		owed   int64
		live   int
	}{
		{"created", "cancelled", "failed_to_assign_and_refunded", 0, 0},
		{"created", "cancelled", "failed_to_process_payment", 0, 0},
		{"confirmed", "cancelled", "failed_to_pickup", 0, 0},
		{"arrived_at_dropoff", "cancelled", "failed_to_deliver", 1575, 0},
		{"arrived_at_dropoff", "enroute_to_return", "", 1575 + 585, 1},
		{"arrived_at_return", "cancelled", "failed_to_return", 1575 + 585, 0},
	} {
		d := open(t, doordash.Config{})
		d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
		d.run("a", c.at)
		if _, err := d.World().Step("doordash", "a", c.to, c.reason); err != nil {
			t.Fatal(err)
		}
		if r := d.ask(200, "GET", "/drive/v2/deliveries/a", ""); r.Cancellation != c.reason {
			t.Errorf("%s: %s", c.at, r.body)
		}
		if got := d.totals(); got.Outstanding["USD"] != c.owed || got.LiveBookings != c.live {
			t.Errorf("%s -> %s %s: %+v", c.at, c.to, c.reason, got)
		}
	}
}

func TestColdChainGoesBack(t *testing.T) {
	d := open(t, doordash.Config{})
	d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	d.run("a", "picked_up")
	if r := d.ask(200, "PUT", "/drive/v2/deliveries/a/cancel", `{"reason_code":"cold_chain","should_create_return_delivery":true}`); r.Status != "enroute_to_return" {
		t.Errorf("got %s", r.body)
	}
	d.ask(400, "PUT", "/drive/v2/deliveries/a/cancel", `{"reason_code":1}`)
	d.ask(404, "PUT", "/drive/v2/deliveries/b/cancel", "")
}

func TestAutoCancelAfterAnHour(t *testing.T) {
	d := open(t, doordash.Config{AutoCancel: true})
	d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	d.ask(200, "POST", "/drive/v2/deliveries", with("b"))
	d.run("b", "delivered")
	d.clock.Advance(time.Hour)
	d.RunDue(t.Context())
	if a, b := d.ask(200, "GET", "/drive/v2/deliveries/a", ""), d.ask(200, "GET", "/drive/v2/deliveries/b", ""); a.Status != "cancelled" || b.Status != "delivered" {
		t.Errorf("after an hour: %s and %s", a.Status, b.Status)
	}
}

func TestDeliveriesMoveByThemselves(t *testing.T) {
	for _, name := range []string{"doordash-steady", "doordash-rush"} {
		p, err := simulator.LoadProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		d := open(t, doordash.Config{Profile: &p})
		d.ask(200, "POST", "/drive/v2/deliveries", with("now"))
		d.ask(200, "POST", "/drive/v2/deliveries", with("later", `"order_value"`, `"pickup_time":"2026-05-16T18:05:00Z","order_value"`))
		d.clock.Advance(20 * time.Hour)
		d.RunDue(t.Context())
		if r := d.ask(200, "GET", "/drive/v2/deliveries/now", ""); r.Status != "delivered" {
			t.Errorf("%s: after 20 hours it is %s", name, r.Status)
		}
		if r := d.ask(200, "GET", "/drive/v2/deliveries/later", ""); r.Status != "created" {
			t.Errorf("%s: four hours before its pickup it is %s", name, r.Status)
		}
		d.clock.Advance(20 * time.Hour)
		d.RunDue(t.Context())
		if r := d.ask(200, "GET", "/drive/v2/deliveries/later", ""); r.Status != "delivered" {
			t.Errorf("%s: in the end it is %s", name, r.Status)
		}
	}
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	d := open(t, doordash.Config{Accounts: []doordash.Account{
		{DeveloperID: doordash.DevDeveloperID, KeyID: doordash.DevKeyID, SigningSecret: doordash.DevSigningSecret},
		{DeveloperID: "dev2", KeyID: "key2", SigningSecret: "b3RoZXI="}}})
	d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	other := sign(t, "b3RoZXI", "DD-JWT-V1", jwt.MapClaims{"aud": "doordash", "iss": "dev2", "kid": "key2", "iat": noon.Unix(), "exp": noon.Unix() + 60})
	if r := d.send(other, "GET", "/drive/v2/deliveries/a", ""); r.status != 404 {
		t.Errorf("another account reads it: %d %s", r.status, r.body)
	}
}

func TestTrackingPage(t *testing.T) {
	d := open(t, doordash.Config{})
	r := d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	d.run("a", "confirmed")
	res, err := d.client.Get(r.Tracking)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%s answers %d", r.Tracking, res.StatusCode)
	}
}

func TestNewNamesEveryMistake(t *testing.T) {
	steady, err := simulator.LoadProfile("doordash-steady")
	if err != nil {
		t.Fatal(err)
	}
	steady.Legs = steady.Legs[1:]
	_, err = doordash.New(doordash.Config{Accounts: []doordash.Account{{}, {DeveloperID: "d", KeyID: "k", SigningSecret: "!"},
		{DeveloperID: "d", KeyID: "k", SigningSecret: "eA", Webhook: doordash.Webhook{URL: "nowhere"}}},
		Duplicates: "never", LateAccept: "no", Profile: &steady, Places: map[string]doordash.Point{"1": {Lat: 91}}})
	for _, want := range []string{"accounts[0]", "accounts[1]", "accounts[2].webhook", "duplicates", "late_accept", "legs[0]", "places[1]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the mistakes: %v", want, err)
		}
	}
}

// TestLedgerFollowsTheStates walks deliveries at random and compares the money
// and the fee that is told with what their ends say.
func TestLedgerFollowsTheStates(t *testing.T) {
	dialect, err := doordash.New(doordash.Config{})
	if err != nil {
		t.Fatal(err)
	}
	machine := dialect.Machine()
	rapid.Check(t, func(rt *rapid.T) {
		d := open(t, doordash.Config{})
		d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
		for range rapid.IntRange(0, 14).Draw(rt, "steps") {
			v, _ := d.World().Entity("doordash", "a")
			if v.Final {
				break
			}
			step := rapid.SampledFrom(v.Next).Draw(rt, "step")
			reason := ""
			if len(step.Reasons) > 0 {
				reason = rapid.SampledFrom(step.Reasons).Draw(rt, "reason")
			}
			if _, err := d.World().Step("doordash", "a", step.To, reason); err != nil {
				rt.Fatal(err)
			}
		}
		v, _ := d.World().Entity("doordash", "a")
		reason, returns := v.Timeline[len(v.Timeline)-1].Reason, int64(0)
		for i, m := range v.Timeline {
			if i > 0 && !machine.Legal(v.Timeline[i-1].State, m.State) {
				rt.Fatalf("illegal edge in %v", v.Timeline)
			}
			if m.State == "enroute_to_return" {
				returns++
			}
		}
		want, live := 1575+585*returns, 1
		if v.State == "cancelled" {
			live = 0
			if reason != "failed_to_deliver" && reason != "failed_to_return" {
				want = 0
			}
		}
		if got := d.totals(); got.Outstanding["USD"] != want || got.LiveBookings != live {
			rt.Fatalf("%s %s: ledger %+v, want %d cents and %d live", v.State, reason, got, want, live)
		}
		if r := d.ask(200, "GET", "/drive/v2/deliveries/a", ""); r.Fee != 975+585*returns {
			rt.Fatalf("the fee told after %d returns: %s", returns, r.body)
		}
	})
}
