// Command waybill-carrier-doordash talks to DoorDash Drive (API v2), which sends a Dasher from a shop to a customer.
//
// The engine's reference is DoorDash's external_delivery_id, the key of everything there. A quote reserves it; a booking
// accepts the quote. DoorDash refuses a second delivery under the same id (409), and the adapter then reads what is there
// and compares: so a lost answer is found again instead of booked twice. Because the id is the key, and a read of it is
// authoritative, a "not found" proves that nothing was booked.
//
// Facts about the API are from DoorDash's OpenAPI file "Drive API" 2.1.59 and its documentation pages unless a comment says
// otherwise.
package main

import (
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

const (
	serviceID   = "delivery"
	defaultHost = "openapi.doordash.com"
	maxParcels  = 20
)

var service = carrier.Service{
	ID: serviceID, Code: "standard", Name: "Delivery", Mode: "courier",
	Supports: []string{"alcohol", "pharmacy", "tobacco", "hemp", "otc", "ambient", "signature_required", "signature_direct", "signature_adult"},
}

var adapter = carrier.Adapter[Config, *Account]{
	Name: "doordash", DisplayName: "DoorDash", Version: "1.0.0",
	Services:    []carrier.Service{service},
	Hosts:       []string{defaultHost},
	Idempotency: carrier.ByReference,
	Absence:     carrier.Proven,
	Grace:       time.Minute,
	MaxParcels:  maxParcels,
	Open:        open,
}

func main() { plugin.Serve(adapter) }
