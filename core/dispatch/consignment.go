package dispatch

import (
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// consignment is the order as carriers see it: placed, with numbers that machines can dial, and what the rules set.
func consignment(sh *shipment.Shipment, reference string, set rules.Settings) carrier.Consignment {
	o := sh.Order
	pickup, delivery := wanted(sh)
	c := carrier.Consignment{
		Reference: reference, ExternalID: o.ExternalID,
		Pickup:  stop(sh.Pickup, placePhone),
		Parcels: o.Packages, Items: o.Items, Currency: sh.Currency, Locale: deref(o.Locale),
		Signature:      firstOf(set.Signature, carriedSignature(deref(o.Signature))),
		DistanceMetres: sh.Distance,
	}
	if sh.ReturnOf != nil {
		c.Pickup = stop(sh.Pickup, phoneOf) // the buyer's own
	}
	c.Pickup.Window = notBefore(pickup, set.ShipAt)
	if set.Weight != nil {
		c.Parcels = slices.Clone(o.Packages)
		for i := range c.Parcels {
			c.Parcels[i].Weight = set.Weight
		}
	}
	c.Pickup.Instructions = firstOf(set.PickupInstructions, deref(o.PickupInstructions), sh.Pickup.Instructions)
	c.Delivery = carrier.Stop{
		Address: o.DeliveryAddress, Contact: o.DeliveryContact, Window: delivery, Zone: sh.Delivery.Zone,
		Instructions: firstOf(set.Instructions, deref(o.DeliveryInstructions)),
	}
	if sh.ReturnOf != nil {
		c.Delivery.Name = sh.ReturnOf.LocationName
	}
	c.Delivery.Address.Latitude, c.Delivery.Address.Longitude = &sh.Delivery.Latitude, &sh.Delivery.Longitude
	c.Delivery.Contact.Phone = firstOf(usecase.E164(o.DeliveryContact.Phone, o.DeliveryAddress.CountryCode), o.DeliveryContact.Phone)
	if sh.Return != nil {
		back := stop(*sh.Return, placePhone)
		c.Return = &back
	}
	// Amounts have passed Validate, so binding cannot fail.
	if !o.Value.IsZero() {
		c.OrderValue, _ = shipping.BindMoney(o.Value, sh.Currency)
	}
	if set.Tip != nil {
		c.Tip = *set.Tip
	} else if !o.Tips.IsZero() {
		c.Tip, _ = shipping.BindMoney(o.Tips, sh.Currency)
	}
	c.Content, c.TemperatureControl = handling(o.Packages)
	return c
}

// notBefore puts a window off until a moment that rules have set.
func notBefore(w shipping.TimeWindow, at time.Time) shipping.TimeWindow {
	if at.IsZero() || !w.StartsAt.Before(at) {
		return w
	}
	w.StartsAt = shipping.At(at)
	if !w.EndsAt.After(at) {
		w.EndsAt = shipping.Instant{}
	}
	return w
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func stop(p shipment.Place, phone func(shipment.Place) string) carrier.Stop {
	st := carrier.Stop{Name: p.Name, Address: p.Address, Contact: p.Contact, Instructions: p.Instructions, Zone: p.Zone}
	st.Contact.Phone = firstOf(phone(p), p.Contact.Phone)
	return st
}

func phoneOf(p shipment.Place) string { return usecase.E164(p.Contact.Phone, p.Address.CountryCode) }

// placePhones keeps the numbers of configured locations, by number and country: there are few, and reading one is among the
// costly things that an order needs.
var placePhones sync.Map

func placePhone(p shipment.Place) string {
	key := [2]string{p.Contact.Phone, p.Address.CountryCode}
	if known, ok := placePhones.Load(key); ok {
		return known.(string)
	}
	phone := phoneOf(p)
	placePhones.Store(key, phone)
	return phone
}

// handling is what the parcels need together: every content, and the strictest temperature.
func handling(parcels []shipping.Parcel) (content []string, temperature string) {
	seen := map[string]bool{}
	strictest := 0
	for _, p := range parcels {
		for _, c := range p.Content {
			if !seen[c] {
				seen[c] = true
				content = append(content, c)
			}
		}
		for i, t := range shipping.Temperatures {
			if t == p.TemperatureControl {
				strictest = max(strictest, i)
			}
		}
	}
	return content, shipping.Temperatures[strictest]
}
