package shipping

import (
	"os"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	sdk "github.com/waybill-dev/waybill/sdk/shipping"
)

// BenchmarkCreate is what the surface itself costs an order: the body read and its shape checked, the answer made and written.
func BenchmarkCreate(b *testing.B) {
	body, err := os.ReadFile("testdata/seed/create.json")
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 3, 7, 20, 30, 0, 0, time.UTC)
	q := &httpapi.Request{Body: body, Caller: usecase.Caller{Tenant: "shop", Key: "k"}}
	fine := func(shipment.Order) sdk.Faults { return nil }
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		o, err := decodeOrder(q, fine)
		if err != nil {
			b.Fatal(err)
		}
		sh := &shipment.Shipment{ID: "0123456789abcdef01234567", Tenant: "shop", Order: o, Currency: "USD", Status: sdk.OrderDispatched, CreatedAt: now, UpdatedAt: now,
			Attempts: []shipment.Attempt{{Number: 1, Kind: shipment.Forward, State: shipment.Booked, Account: "ups", Provider: "UPS", DisplayName: "UPS",
				ServiceID: "ground", ServiceType: "Ground", Fee: sdk.Money{Minor: 1034, Currency: "USD"}, Booking: &shipment.Booking{TrackingID: "1Z",
					Amount: sdk.Money{Minor: 1034, Currency: "USD"}, Parcels: []shipment.BookedParcel{{Number: "1Z", LabelFormat: sdk.ZPL}}}}}}
		if _, err := json.Marshal(show(sh, "https://ship.example.com"), json.Deterministic(true), jsontext.AllowInvalidUTF8(true)); err != nil {
			b.Fatal(err)
		}
	}
}
