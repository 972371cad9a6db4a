package admin_test

import (
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }

func TestSpec(t *testing.T) {
	if _, err := apitest.Spec(); err != nil {
		t.Fatal(err)
	}
}
func TestOne(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", `{"locationExternalId":"7709","orderExternalId":"a b","deliveryContact":{"name":"a","phone":"+1 234-567-8900"},"deliveryAddress":{"street1":"725 Albany Street","city":"Boston","countryCode":"US","postalCode":"02118"},"package":{"name":"small"}}`).Want(201)
	h.Do("GET", "/shipments/a%20b/trace", "").Want(200)
	h.Do("GET", "/shipments/a%20b/decision", "").Want(200)
	h.Do("GET", "/providers", "").Want(200)
	h.Do("GET", "/locations", "").Want(200)
}
