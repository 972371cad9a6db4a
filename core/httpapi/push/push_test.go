package push_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/httpapi/push"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }

func ready(t *testing.T) (*apitest.Harness, string) {
	t.Helper()
	h := apitest.New(t)
	for _, c := range []*apitest.Carrier{h.UPS, h.DoorDash} {
		c.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanTrack, carrier.CanReceivePush) })
	}
	secret, err := h.Tracking.PushSecret(t.Context(), "shop", "ups")
	if err != nil {
		t.Fatal(err)
	}
	return h, push.URL("", "ups", secret)
}

func body(t *testing.T, number string, status shipping.Status) string {
	t.Helper()
	b, err := json.Marshal(carrier.TrackUpdate{Number: number, Events: []shipping.TrackingEvent{{Time: shipping.At(apitest.Start), ZoneKnown: true,
		CarrierCode: "C", Status: status}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAPushMovesTheOrder(t *testing.T) {
	h, url := ready(t)
	number := h.Do("POST", "/shipments", apitest.Order("o1")).Want(http.StatusCreated).At("trackingId").(string)
	for range 2 {
		a := h.Do("POST", url, body(t, number, shipping.OutForDelivery), "x-api-key", "", "Authorization", apitest.PushKey).Want(http.StatusOK)
		if string(a.Body) != "thanks" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("answered %q as %s", a.Body, a.Header.Get("Content-Type"))
		}
	}
	if got := h.Do("GET", "/shipments/o1", "").Want(http.StatusOK).At("status"); got != "OUT_FOR_DELIVERY" {
		t.Errorf("status = %v", got)
	}
	history := h.Do("GET", "/shipments/o1/status-history", "").Want(http.StatusOK).At("0.orderStatus").([]any)
	if len(history) != 4 {
		t.Errorf("history has %d lines: %v", len(history), history)
	}
	last := history[3].(map[string]any)
	if last["statusUser"] != "UPS" || last["note"] != "C" {
		t.Errorf("last line = %v", last)
	}
	// A person goes on from there, with proof.
	h.Clock.Advance(1e9)
	done := h.Do("POST", "/shipments/o1/status", `{"status":"ORDER_DELIVERED","override":true,"driver":{"name":"Bea","phone":"","photo":""},"lastLocation":{"latitude":42.3,"longitude":-71},
		"attachments":[{"type":"photo","url":"https://proofs.example/1.jpg","contentType":"image/jpeg"}]}`).Want(http.StatusOK)
	if done.At("driver.name") != "Bea" || done.At("lastLocation.isManual") != true || !strings.Contains(string(done.Body), "proofs.example") {
		t.Errorf("%s", done.Body)
	}
}

func TestPushesThatAreRefused(t *testing.T) {
	h, url := ready(t)
	h.Do("POST", url, body(t, "1Z", shipping.InTransit), "x-api-key", "").Want(http.StatusUnauthorized)
	h.Do("POST", url, `"nothing"`, "x-api-key", "", "Authorization", apitest.PushKey).Want(http.StatusBadRequest)
	for _, path := range []string{url + "0", "/carriers/ups/push/%20", strings.Replace(url, "ups", "fedex", 1), strings.Replace(url, "ups", "%zz", 1)} {
		if a, err := h.Send("POST", path, nil, "x-api-key", "", "Authorization", apitest.PushKey); err == nil && a.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	// The key of the API opens no push URL.
	h.Do("POST", "/carriers/ups/push/"+h.Key, "{}", "Authorization", apitest.PushKey).Want(http.StatusNotFound)
	if strings.Contains(h.Log(), url[len("/carriers/ups/push/"):]) {
		t.Error("the log shows the secret of a push URL")
	}
}

func TestLongerPathsAreTaken(t *testing.T) {
	h, url := ready(t)
	a, err := http.Post(h.URL+url+"/v2/event?x=1", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if a.StatusCode != http.StatusUnauthorized { // the carrier was asked, and missed its credential
		t.Errorf("status = %d", a.StatusCode)
	}
}

func TestStatusBodiesAreChecked(t *testing.T) {
	h, _ := ready(t)
	h.Do("POST", "/shipments", apitest.Order("o1")).Want(http.StatusCreated)
	a := h.Do("POST", "/shipments/o1/status", `{"status":"NO","lastLocation":{"latitude":99,"longitude":0},"attachments":[{"type":"photo","url":"javascript:x"}],
		"driver":{"name":"a\nb"}}`).Want(http.StatusBadRequest)
	for _, parameter := range []string{`"status"`, `"lastLocation"`, `"attachments[0].url"`, `"driver.name"`} {
		if !strings.Contains(string(a.Body), parameter) {
			t.Errorf("%s is not named in %s", parameter, a.Body)
		}
	}
}
