package main

import (
	"strings"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// outcome is what one of UPS's statuses means.
type outcome struct {
	status shipping.Status
	sub    string
	reason string // code of the event's reason
}

// Sub-statuses and reasons that UPS's words give rise to.
const (
	returnStarted       = "RETURN_STARTED"
	returned            = "RETURNED"
	customs             = "CUSTOMS"
	weather             = "WEATHER"
	customerUnavailable = "CUSTOMER_UNAVAILABLE"
)

// withdrawn is the end of a shipment that was voided. UPS documents voids as the shipper's own alone, by the interface or at ups.com.
var withdrawn = outcome{status: shipping.OrderCancelled, reason: shipping.CancelledByMerchant}

var reasonTitles = map[string]string{
	customs: "Held by customs", weather: "Weather", customerUnavailable: "Receiver not available",
	shipping.CancelledByMerchant: "Cancelled by the merchant",
}

// bySure are the three-digit codes that mean one thing under every type. 005 is not here: it stands for the first scan and
// for every one after it.
var bySure = table(map[outcome]string{
	{status: shipping.OrderDispatched}:                             "003",
	withdrawn:                                                      "007",
	{status: shipping.PickupCompleted}:                             "038 167 168 169",
	{status: shipping.InTransit}:                                   "014 071", // 014: customs have released it
	{status: shipping.OutForDelivery}:                              "006 021 037 072 089 091",
	{status: shipping.OrderAtLocation}:                             "040",
	{status: shipping.OrderDelivered}:                              "011 026 143 144",
	{status: shipping.OrderDelayed, sub: customs, reason: customs}: "012 058 092 123 124 125 126",
	{status: shipping.OrderDelayed, sub: weather, reason: weather}: "051 052 053",
	{status: shipping.OrderUndeliverable, sub: returnStarted}:      "033 034 035 036 067 081 118",
})

// byPair are type and code.
var byPair = table(map[outcome]string{
	{status: shipping.OrderDispatched}:                              "M/MP",
	withdrawn:                                                       "MV/VP",
	{status: shipping.PickupCompleted}:                              "P/PU I/PU I/PC I/PT I/OR I/OC I/XD",
	{status: shipping.InTransit}:                                    "I/AR I/DP I/DS I/AF I/HU I/AT I/EP I/IP I/YP",
	{status: shipping.OutForDelivery}:                               "I/OD I/OF I/OT",
	{status: shipping.OrderAtLocation}:                              "D/2Q D/ZP",
	{status: shipping.OrderDelivered}:                               "D/FS D/F4 D/KM D/KB",
	{status: shipping.OrderUndeliverable, sub: returned}:            "D/UA", // returned to sender, reported as a delivery
	{status: shipping.OrderDelayed, sub: weather, reason: weather}:  "X/DJ X/7V X/7W",
	{status: shipping.OrderDelayed, sub: customs, reason: customs}:  "X/RZ X/BB X/DA",
	{status: shipping.OrderRedelivery, reason: customerUnavailable}: "X/48 X/55",
	{status: shipping.OrderUndeliverable}:                           "X/49", // the last attempt
	{status: shipping.OrderUndeliverable, sub: returnStarted}:       "X/DL X/RS",
})

// byDoubt are three-digit codes that decide only where type and code do not.
var byDoubt = table(map[outcome]string{
	{status: shipping.InTransit}:                                    "005",
	{status: shipping.OrderDelivered}:                               "161",
	{status: shipping.OrderRedelivery, reason: customerUnavailable}: "022 023 024 060",
})

// byType is what a type says alone. D and I are not here: D has been used for out for delivery and for returns, I holds
// everything from the first scan to the van.
var byType = map[text]outcome{
	"M":  {status: shipping.OrderDispatched},
	"MV": withdrawn,
	"P":  {status: shipping.PickupCompleted},
	"RS": {status: shipping.OrderUndeliverable, sub: returnStarted},
	"X":  {status: shipping.ErrorException},
}

func table(m map[outcome]string) map[text]outcome {
	out := map[text]outcome{}
	for o, codes := range m {
		for c := range strings.FieldsSeq(codes) {
			out[text(c)] = o
		}
	}
	return out
}

// meaningOfStatus maps a status; the zero outcome means that UPS's code says nothing that we know.
func meaningOfStatus(s status) outcome {
	pair := s.Type + "/" + s.Code
	three := threeDigits(s)
	if s.Type == "D" && (pair == "D/UA" || three == returnedToSender) {
		return outcome{status: shipping.OrderUndeliverable, sub: returned}
	}
	if o, ok := bySure[three]; ok {
		return o
	}
	if o, ok := byPair[pair]; ok {
		return o
	}
	if o, ok := byDoubt[three]; ok {
		return o
	}
	return byType[s.Type]
}

// returnedToSender is the package's own status while its last activity claims a delivery.
const returnedToSender = "034"

// threeDigits returns the three-digit status, which stands in statusCode or, on the wire of some answers, in code; leading
// zeros that were dropped come back.
func threeDigits(s status) text {
	code := s.StatusCode
	if code == "" && len(s.Code) == 3 && allDigits(s.Code) {
		code = s.Code
	}
	if code == "" || !allDigits(code) {
		return ""
	}
	for len(code) < 3 {
		code = "0" + code
	}
	return code
}

func allDigits(t text) bool {
	return t != "" && strings.Trim(string(t), "0123456789") == ""
}
