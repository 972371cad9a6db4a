package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const alertBody = `{"trackingNumber":"1ZCIETST0111111114","localActivityDate":"20260302","localActivityTime":"100500",
 "activityLocation":{"city":"ALPHARETTA","stateProvince":"GA","postalCode":"","country":"US"},
 "activityStatus":{"type":"I","code":"OT","description":"Out For Delivery ","descriptionCode":"021"},
 "scheduledDeliveryDate":"20260302","actualDeliveryDate":"","actualDeliveryTime":"","gmtActivityDate":"20260302","gmtActivityTime":"150500",
 "gmtOffset":"-05.00","receivedBy":""}`

func receive(t *testing.T, header http.Header, body string, credential string) (carrier.TrackUpdate, *carrier.Error) {
	t.Helper()
	a := &Account{cfg: Config{PushCredential: carrier.Secret(credential)}}
	answer, err := a.ReceivePush(t.Context(), carrier.Push{Method: http.MethodPost, Header: header, Body: []byte(body)})
	if err != nil {
		return carrier.TrackUpdate{}, carrier.AsError(err)
	}
	return answer.Updates[0], nil
}

func TestPushIsRead(t *testing.T) {
	for _, h := range []http.Header{{"Credential": {"s3cret"}}, {"X-Api-Key": {"s3cret"}}, {"Authorization": {"Bearer s3cret"}}} {
		u, err := receive(t, h, alertBody, "s3cret")
		if err != nil {
			t.Fatal(err)
		}
		e := u.Events[0]
		want := time.Date(2026, 3, 2, 15, 5, 0, 0, time.UTC)
		if u.Number != "1ZCIETST0111111114" || e.Status != shipping.OutForDelivery || !e.Time.Equal(want) || !e.ZoneKnown || e.CarrierTime != "2026-03-02T10:05:00-05:00" || e.City != "ALPHARETTA" ||
			e.CarrierCode != "I/OT/021" || e.CarrierWords != "Out For Delivery" || e.CountryCode != "US" {
			t.Errorf("%v: %+v", h, u)
		}
	}
}

func TestPushWithoutTheCredentialIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		header     http.Header
		credential string
	}{"none": {nil, "s3cret"}, "another": {http.Header{"Credential": {"other"}}, "s3cret"}, "none agreed": {http.Header{"Credential": {""}}, ""},
		"basic": {http.Header{"Authorization": {"Basic s3cret"}}, "s3cret"}} {
		if _, err := receive(t, c.header, alertBody, c.credential); err == nil || err.Code != carrier.PushRejected {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPushThatSaysNothing(t *testing.T) {
	for _, body := range []string{"", "[]", "{}", `{"trackingNumber":"1Z"}`, `{"trackingNumber":"1Z","activityStatus":{"type":"I","code":"OT"}}`} {
		if _, err := receive(t, http.Header{"Credential": {"s3cret"}}, body, "s3cret"); err == nil || err.Code != carrier.CarrierProtocol {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// FuzzAlert reads foreign bytes.
func FuzzAlert(f *testing.F) {
	f.Add([]byte(alertBody))
	f.Fuzz(func(t *testing.T, body []byte) {
		u, err := decodeAlert(body)
		if err == nil && (u.Number == "" || len(u.Events) != 1 || u.Events[0].Time.IsZero()) {
			t.Errorf("taken without a number or a time: %+v", u)
		}
	})
}
