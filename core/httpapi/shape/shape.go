// Package shape holds what the shipping and the tracker surface show and read alike: small views, a status set by hand, the merged
// timeline, and how faults of a body are put together.
package shape

import (
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Pages knows where a buyer follows a delivery; "" where the tenant has no such pages.
type Pages interface {
	ShipmentPage(sh *shipment.Shipment) string
	TrackerPage(t *tracker.Tracker) string
	// ShipmentReturns and TrackerReturns are where a buyer sends something back; "" where that is not possible on a page.
	ShipmentReturns(sh *shipment.Shipment) string
	TrackerReturns(t *tracker.Tracker) string
	// ReturnCode is the picture of a code with which a return is handed in; "" where there is none, and for what is no return.
	ReturnCode(sh *shipment.Shipment) string
}

// Provider is who carries, null and "" before that is known.
type Provider struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	DisplayName string  `json:"displayName"`
	ServiceID   *string `json:"serviceId"`
	ServiceType *string `json:"serviceType"`
}

// Contact and Address leave out what a merchant's own place has not.
type Contact struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
	Email string `json:"email,omitempty"`
}

// Address is a merchant's own place.
type Address struct {
	Street1         string   `json:"street1"`
	Street2         string   `json:"street2"`
	ApartmentNumber string   `json:"apartmentNumber,omitempty"`
	City            string   `json:"city"`
	State           string   `json:"state"`
	PostalCode      string   `json:"postalCode"`
	CountryCode     string   `json:"countryCode"`
	Latitude        *float64 `json:"latitude"`
	Longitude       *float64 `json:"longitude"`
}

// PlaceAddress shows the address of a merchant's own place.
func PlaceAddress(a shipping.Address) Address {
	return Address{Street1: a.Street1, Street2: a.Street2, ApartmentNumber: a.ApartmentNumber, City: a.City, State: a.State,
		PostalCode: a.PostalCode, CountryCode: a.CountryCode, Latitude: a.Latitude, Longitude: a.Longitude}
}

// Tokens lead to the pages before and after, null at the ends.
type Tokens struct {
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
}

// Text is s, or null where it is empty.
func Text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Add adds to f what other finds at places where f has found nothing yet: a member that could not be read is not also missing.
func Add(f, other shipping.Faults) shipping.Faults {
	had := f
	for _, x := range other {
		known := false
		for _, h := range had {
			known = known || covers(h.Path, x.Path) || covers(x.Path, h.Path)
		}
		if !known {
			f = append(f, x)
		}
	}
	return f
}

func covers(outer, inner string) bool {
	return inner == outer || len(inner) > len(outer) && inner[:len(outer)] == outer && (inner[len(outer)] == '.' || inner[len(outer)] == '[')
}
