// Command waybill-carrier-selfdelivery is the carrier of merchants who deliver with their own drivers. There is no remote
// side: fee, zone, hours and capacity come from the account's configuration, labels are drawn here, and the stages of a
// delivery are told to the engine by hand, through its API.
//
// The adapter holds no state at all. Every number follows from the engine's reference, so the same booking may be sent any
// number of times (Idempotency native) and there is nothing to look for afterwards.
package main

import (
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const (
	displayName = "Self Delivery"
	maxParcels  = 50
)

// service says all that a fleet may be able to do; Config.Supports says what one can, and Quote refuses the rest.
var service = carrier.Service{
	ID: serviceID, Code: "Same Day Delivery", Name: "Delivery", Mode: "courier",
	Supports: []string{
		"alcohol", "tobacco", "pharmacy", "lithium", "fragile", "perishable",
		"ambient", "refrigerated", "frozen",
		"signature_required", "signature_direct", "signature_adult",
	},
}

var adapter = carrier.Adapter[Config, *Account]{
	Name: "selfdelivery", DisplayName: displayName, Version: "1.0.0",
	Services:     []carrier.Service{service},
	Idempotency:  carrier.Native,
	Absence:      carrier.Proven,
	LabelFormats: []shipping.LabelFormat{shipping.PDF, shipping.ZPL},
	MaxParcels:   maxParcels,
	Open:         open,
}

func main() { plugin.Serve(adapter) }
