package main

import (
	"net/http"
	"testing"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

func FuzzErrorAnswer(f *testing.F) {
	for _, s := range []struct {
		status int
		body   string
	}{
		{400, `{"field_errors":[{"field":"dropoff_address","error":"bad"}],"message":"m","code":"validation_error"}`},
		{404, `{"code":"unknown_delivery_id","message":"m"}`}, {409, `{"code":"c","reason":"duplicate_delivery_id"}`},
		{422, `{"reason":"distance_too_long"}`}, {422, `{"code":""}`}, {429, ``}, {500, `<html>`}, {503, `[]`},
	} {
		f.Add(s.status, []byte(s.body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 400 || status > 599 {
			return
		}
		e := fault(&carrier.Response{Status: status, Header: http.Header{}, Body: body})
		if e == nil || e.Code == "" || e.Effect == "" || e.Source == "" {
			t.Fatalf("%d %q became %+v", status, body, e)
		}
		refusedForStage(e)
		if r, ok := refusalOf(e); ok && r.ServiceID == "" {
			t.Errorf("%d %q is a refusal of no service: %+v", status, body, r)
		}
	})
}
