package shipping_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	shippingapi "github.com/waybill-dev/waybill/core/httpapi/shipping"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// TestShowTellsOfReturns: what is told of an order elsewhere shows its return as GET does.
func TestShowTellsOfReturns(t *testing.T) {
	h := apitest.New(t)
	h.UPS.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanReturn) })
	delivered(h, "o")
	h.Do("POST", "/shipments/o/return", `{"reason":"other"}`).Want(201)
	var list []*shipment.Shipment
	for _, id := range []string{"o", "o-R1"} {
		sh, err := h.Store.ShipmentByExternalID(t.Context(), "shop", id)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, sh)
	}
	var told any
	if err := json.Unmarshal([]byte(apitest.JSON(shippingapi.Show(list[0], list[1:], h.Config.Server.PublicURL, h.Pages))), &told); err != nil {
		t.Fatal(err)
	}
	shown := h.Do("GET", "/shipments/o", "").Want(200)
	if got, want := apitest.Lookup(told, "returnRequest"), shown.At("returnRequest"); got == nil || !cmp.Equal(got, want) {
		t.Errorf("the return is told as %v, GET answers %v", got, want)
	}
}
