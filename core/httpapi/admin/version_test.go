package admin_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// TestTheRulesOfADecisionAreServed to its own tenant alone.
func TestTheRulesOfADecisionAreServed(t *testing.T) {
	h := apitest.New(t)
	const text = "rules: 1\nname: of then\nexclude: [{ name: No air, services: [ups/next_day_air] }]\n"
	h.Rules(text)
	h.Do("POST", "/shipments", apitest.Order("o")).Want(201)
	d := h.Do("GET", "/shipments/o/decision", "").Want(200)
	path := "/rules/versions/" + d.At("decisions.0.record.rules").(string)
	v := h.Do("GET", path, "").Want(200)
	data, err := base64.StdEncoding.DecodeString(v.At("files.0.data").(string))
	if err != nil || string(data) != text || v.At("accounts.0.id") != "doordash" || v.At("accounts.0.services.0.id") != "delivery" {
		t.Errorf("%s, %v", v.Body, err)
	}
	h.Strangers([]string{"/rules"}, []string{strings.TrimPrefix(path, "/rules/versions/")}, map[string]apitest.Visit{"GET /rules/versions/{version}": {}}, "next_day_air")
	h.Do("GET", path, "", "x-api-key", "").Want(401)
	for _, odd := range []string{"sha256:" + strings.Repeat("0", 64), "latest", "..%2Flast-good", "%00"} {
		h.Do("GET", "/rules/versions/"+odd, "").Want(404)
	}
}
