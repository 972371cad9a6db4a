package main

import (
	"slices"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

const (
	air    = "air"
	ground = "ground"
)

var (
	signatures  = []string{"signature_required", "signature_direct", "signature_adult"}
	noSignature []string
)

// A service's code means different things by origin: from Canada 01 is Express and 02 is Expedited. Each meaning has its
// own slug, so that a rule which names a slug never buys something else.
type offer struct {
	carrier.Service
	canada     bool // sold from Canada under this code, instead of what the code means elsewhere
	returnable bool
}

// offers are the parcel services of UPS's service table; freight, Mail Innovations, Roadie and UPS Today, which need
// contracts of their own, are left out. Services 13 and 59 have no return (UPS Shipping, ReturnService).
var offers = []offer{
	sold("next_day_air_early", "14", "Next Day Air Early", air, signatures, true),
	sold("next_day_air", "01", "Next Day Air", air, signatures, true),
	sold("next_day_air_saver", "13", "Next Day Air Saver", air, signatures, false),
	sold("2nd_day_air_am", "59", "2nd Day Air A.M.", air, signatures, false),
	sold("2nd_day_air", "02", "2nd Day Air", air, signatures, true),
	sold("3_day_select", "12", "3 Day Select", ground, signatures, true),
	sold("ground", "03", "Ground", ground, signatures, true),
	sold("ground_saver", "93", "Ground Saver", ground, noSignature, false),
	sold("standard", "11", "Standard", ground, signatures, true),
	sold("worldwide_express_plus", "54", "Worldwide Express Plus", air, signatures, true),
	sold("worldwide_express", "07", "Worldwide Express", air, signatures, true),
	sold("express_1200", "74", "Express 12:00", air, signatures, true),
	sold("saver", "65", "Saver", air, signatures, true),
	sold("worldwide_expedited", "08", "Worldwide Expedited", air, signatures, true),
	fromCanada("express_early", "14", "Express Early", true),
	fromCanada("express", "01", "Express", true),
	fromCanada("express_saver", "13", "Express Saver", false),
	fromCanada("expedited", "02", "Expedited", true),
}

func sold(id, code, name, mode string, supports []string, returnable bool) offer {
	if returnable {
		supports = append(slices.Clone(supports), carrier.SupportsReturn)
	}
	return offer{Service: carrier.Service{ID: id, Code: code, Name: name, Mode: mode, Supports: supports}, returnable: returnable}
}

func fromCanada(id, code, name string, returnable bool) offer {
	o := sold(id, code, name, air, signatures, returnable)
	o.canada = true
	return o
}

func services() []carrier.Service {
	out := make([]carrier.Service, len(offers))
	for i, o := range offers {
		out[i] = o.Service
	}
	return out
}

// offerByCode returns what a code means in an origin country.
func offerByCode(code, origin string) (offer, bool) {
	var found offer
	for _, o := range offers {
		if o.Code == code && (!o.canada || origin == "CA") {
			found = o // a Canadian meaning stands after the general one and wins
		}
	}
	return found, found.ID != ""
}

// offerByID returns a service that is sold from an origin country.
func offerByID(id, origin string) (offer, bool) {
	for _, o := range offers {
		if o.ID == id {
			meant, _ := offerByCode(o.Code, origin)
			return o, meant.ID == id
		}
	}
	return offer{}, false
}
