package measure

import (
	"time"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Manifests are the accounts of the demo as their adapters declare them.
func Manifests() map[string]rules.Provider {
	signatures := []string{"signature_required", "signature_direct", "signature_adult"}
	return map[string]rules.Provider{
		"ups": {Services: []rules.ServiceInfo{
			{ID: "ground", Mode: "ground", Supports: signatures}, {ID: "2nd_day_air", Mode: "air", Supports: signatures},
			{ID: "next_day_air", Mode: "air", Supports: signatures},
		}},
		"doordash":  {Services: []rules.ServiceInfo{{ID: "delivery", Mode: "courier", Supports: []string{"alcohol", "signature_required"}}}},
		"own_fleet": {Services: []rules.ServiceInfo{{ID: "delivery", Mode: "courier", Supports: signatures}}},
	}
}

// Candidates are these accounts, each in order.
func Candidates() []rules.Candidate {
	m := Manifests()
	return []rules.Candidate{
		{Account: "ups", Adapter: "ups", Name: "UPS", Services: m["ups"].Services},
		{Account: "doordash", Adapter: "doordash", Name: "DoorDash", Services: m["doordash"].Services},
		{Account: "own_fleet", Adapter: "selfdelivery", Name: "Own fleet", Services: m["own_fleet"].Services},
	}
}

// Friday is the moment of Source.
var Friday = time.Date(2026, 4, 10, 22, 0, 0, 0, time.UTC) // 18:00 in New York

func usd(minor int64) shipping.Money { return shipping.Money{Minor: minor, Currency: "USD"} }

// Source is an order of a watch within Boston.
func Source() rules.InputSource {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err)
	}
	return rules.InputSource{
		ExternalID: "7709-001", Currency: "USD", Value: shipping.MustDecimal("42.5"),
		Parcels: []shipping.Parcel{{
			Weight: &shipping.Weight{Value: shipping.MustDecimal("10"), Unit: "lb"}, ItemQuantity: 1, TemperatureControl: "none",
			Size: &shipping.Size{Length: shipping.MustDecimal("10"), Width: shipping.MustDecimal("8"), Height: shipping.MustDecimal("6"), Unit: "in"},
		}},
		Items: []shipping.Item{{SKU: "sku 1", Title: "Watch", Quantity: 2, Price: shipping.MustDecimal("3"), Tags: []string{"gift"}}},
		Delivery: shipping.Address{Street1: "725 Albany Street", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US",
			Type: "residential"},
		Pickup:         shipping.Address{Street1: "345 Harrison Avenue", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US"},
		DistanceMetres: 9000, PlacedAt: Friday, Now: Friday,
		Location: rules.LocationSource{ID: "7709", Tags: []string{"downtown"}, Zone: zone},
	}
}

func quote(service, name string, minor int64, in time.Duration) shipping.Quote {
	return shipping.Quote{
		ServiceID: service, ServiceType: name, Amount: usd(minor), Token: []byte("t-" + service),
		Delivery: shipping.TimeWindow{EndsAt: shipping.At(Friday.Add(in))},
	}
}

// Offers are what the accounts ask for it.
func Offers() []rules.Offer {
	return []rules.Offer{
		{ID: "q1", Account: "ups", Quote: quote("ground", "Ground", 1033, 72*time.Hour)},
		{ID: "q2", Account: "ups", Quote: quote("2nd_day_air", "2nd Day Air", 2210, 48*time.Hour)},
		{ID: "q3", Account: "ups", Quote: quote("next_day_air", "Next Day Air", 4120, 20*time.Hour)},
		{ID: "q4", Account: "doordash", Quote: quote("delivery", "Delivery", 975, 50*time.Minute)},
		{ID: "q5", Account: "own_fleet", Quote: quote("delivery", "Delivery", 1200, 70*time.Minute)},
	}
}
