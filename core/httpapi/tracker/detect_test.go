package tracker_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func TestDetect(t *testing.T) {
	h := apitest.New(t)
	for number, want := range map[string]string{
		"1z5r8939 0357 5671 27": `[{"courier":"ups","format":"UPS 1Z","valid":true}]`,
		"1Z12345E0390817264":    `[{"courier":"ups","format":"UPS 1Z","valid":false}]`,
		"100000237576": `[{"courier":"fedex","format":"FedEx Express (12 digits)","valid":true},
			{"courier":"purolator","format":"Purolator (12 digits)","valid":true}]`,
		"nothing":                          `[]`,
		"'; DROP TABLE\x00<script>\xff/..": `[]`,
		strings.Repeat("9", 100):           `[]`,
	} {
		a := h.Do("GET", "/couriers/detect?trackingNumber="+url.QueryEscape(number), "").Want(200)
		var got, expected any
		if err := json.Unmarshal([]byte(want), &expected); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(a.Body, &got); err != nil {
			t.Fatalf("%v: %s", err, a.Body)
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", number, diff)
		}
	}
}

func TestDetectRefuses(t *testing.T) {
	h := apitest.New(t)
	for query, message := range map[string]string{
		"":                                   "trackingNumber is required",
		"?trackingNumber=":                   "trackingNumber is required",
		"?trackingNumber=+-%20":              "trackingNumber is required",
		"?trackingnumber=1":                  "trackingNumber is required",
		"?trackingNumber=%zz":                "trackingNumber is required",
		"?trackingNumber=1&trackingNumber=2": "trackingNumber must be given once",
		"?trackingNumber=" + strings.Repeat("1", 101):    "trackingNumber must be at most 100 bytes",
		"?trackingNumber=" + strings.Repeat("%20", 5000): "trackingNumber is required",
	} {
		a := h.Do("GET", "/couriers/detect"+query, "").Want(400)
		if got, _ := a.At("errors.0.message").(string); a.At("type") != "VALIDATION_ERROR" || a.At("severity") != "Hard" ||
			a.At("errors.0.parameter") != "trackingNumber" || !strings.HasPrefix(got, message) {
			t.Errorf("%.60s: %s", query, a.Body)
		}
	}
	h.Do("GET", "/couriers/detect?trackingNumber=1Z5R89390357567127", "", "x-api-key", "").Want(401)
	h.Do("POST", "/couriers/detect?trackingNumber=1Z5R89390357567127", "").Want(405)
}
