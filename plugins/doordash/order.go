package main

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// newOrder writes a consignment in DoorDash's words. The way back is fetched at the buyer's address, not at the account's store, and is
// given back to the buyer where the merchant does not take it; DoorDash asks the same for it as for any delivery.
func (a *Account) newOrder(c carrier.Consignment, now time.Time, back bool) order {
	o := order{
		ExternalDeliveryID: c.Reference, Locale: locale(c.Locale), FulfillmentMethod: a.cfg.FulfillmentMethod,
		PickupBusinessName: c.Pickup.Name, PickupPhone: c.Pickup.Contact.Phone, PickupInstructions: c.Pickup.Instructions,
		PickupReferenceTag: c.ExternalID, DropoffAddress: oneLine(c.Delivery.Address), DropoffComponents: components(c.Delivery.Address),
		DropoffBusinessName: c.Delivery.Name, DropoffPhone: c.Delivery.Contact.Phone, DropoffInstructions: c.Delivery.Instructions,
		Tip: cents(c.Tip), Items: items(c), Vehicles: a.cfg.Vehicles, Undeliverable: "dispose",
	}
	if a.cfg.StoreID != "" && !back {
		o.PickupBusinessID, o.PickupStoreID = a.cfg.BusinessID, a.cfg.StoreID
	} else {
		o.PickupAddress = oneLine(c.Pickup.Address)
	}
	if d := c.Delivery.Address; d.Placed() {
		o.DropoffLocation = &location{*d.Latitude, *d.Longitude}
	}
	o.DropoffGivenName, o.DropoffFamilyName = splitName(c.Delivery.Contact.Name)
	if a.cfg.Silent {
		o.DropoffNotify = new(bool)
	}
	o.DropoffOptions = options(c)
	if a.cfg.Contactless && o.DropoffOptions == nil {
		yes := true
		o.Contactless = &yes
	}
	if inCents(c.OrderValue) {
		o.OrderValue = &c.OrderValue.Minor
	}
	o.Contains = contains(c.Content)
	if c.Return != nil || back { // DoorDash returns to the pickup place; it takes no other
		o.Undeliverable = "return_to_pickup"
	}
	// Only one of the two times may be sent; neither means as soon as possible.
	switch {
	case c.Pickup.Window.StartsAt.After(now):
		o.PickupTime = c.Pickup.Window.StartsAt.UTC().Format(time.RFC3339)
	case c.Delivery.Window.StartsAt.After(now):
		o.DropoffTime = c.Delivery.Window.StartsAt.UTC().Format(time.RFC3339)
	}
	return o
}

// newChange holds what may change while a delivery is under way. Everything else needs a new delivery.
func newChange(c carrier.Consignment) change {
	o := change{
		PickupInstructions: c.Pickup.Instructions, PickupPhone: c.Pickup.Contact.Phone,
		DropoffInstructions: c.Delivery.Instructions, DropoffPhone: c.Delivery.Contact.Phone, DropoffOptions: options(c),
	}
	o.DropoffGivenName, o.DropoffFamilyName = splitName(c.Delivery.Contact.Name)
	if o.DropoffOptions == nil {
		o.DropoffOptions = &dropoffOptions{Signature: "none", ID: "none"}
	}
	return o
}

// oneLine writes an address as DoorDash wants it: one text with commas.
func oneLine(a shipping.Address) string {
	street := strings.TrimSpace(a.Street1 + " " + a.ApartmentNumber)
	var parts []string
	for _, p := range []string{street, a.Street2, a.City, a.State + " " + a.PostalCode, a.CountryCode} {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// components are read for the United States only.
func components(a shipping.Address) *addressComponents {
	if a.CountryCode != "US" {
		return nil
	}
	sub := a.ApartmentNumber
	if sub == "" {
		sub = a.Street2
	}
	return &addressComponents{Street: a.Street1, SubPremise: sub, City: a.City, State: a.State, Zip: a.PostalCode, Country: a.CountryCode}
}

func splitName(name string) (given, family string) {
	given, family, _ = strings.Cut(strings.Join(strings.Fields(name), " "), " ")
	return given, family
}

// ageRestricted contents may be handed only to adults who prove it.
var ageRestricted = []string{"alcohol", "tobacco", "hemp"}

func options(c carrier.Consignment) *dropoffOptions {
	var o dropoffOptions
	switch c.Signature {
	case "adult":
		o.ID = "required"
		o.Signature = "required"
	case "required", "direct":
		o.Signature = "required"
	}
	if slices.ContainsFunc(c.Content, func(s string) bool { return slices.Contains(ageRestricted, s) }) {
		o.ID = "required"
	}
	if o == (dropoffOptions{}) {
		return nil
	}
	return &o
}

func contains(content []string) *orderContains {
	var o orderContains
	for _, c := range content {
		switch c {
		case "alcohol":
			o.Alcohol = true
		case "pharmacy":
			o.Pharmacy = true
		case "tobacco":
			o.Tobacco = true
		case "hemp":
			o.Hemp = true
		case "otc":
			o.OTC = true
		}
	}
	if o == (orderContains{}) {
		return nil
	}
	return &o
}

// locale picks one of the three languages of DoorDash's messages; "" leaves it to DoorDash.
func locale(l string) string {
	language, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(l), "_", "-"), "-")
	return map[string]string{"en": "en-US", "fr": "fr-CA", "es": "es-US"}[language]
}

// inCents reports whether an amount has two decimals, as those of all of DoorDash's countries do.
func inCents(m shipping.Money) bool {
	digits, ok := shipping.CurrencyDigits(m.Currency)
	return ok && digits == 2
}

func cents(m shipping.Money) int64 {
	if !inCents(m) {
		return 0
	}
	return m.Minor
}

// items lists what the order holds; where the merchant named no items, its parcels stand for them.
func items(c carrier.Consignment) []item {
	var out []item
	for _, i := range c.Items {
		x := item{Name: firstOf(i.Title, i.SKU, "Item"), Quantity: i.Quantity, Description: i.Description, ExternalID: i.SKU, Barcode: i.Barcode}
		price := i.SalePrice
		if price.IsZero() {
			price = i.Price
		}
		if m, err := shipping.BindMoney(price, c.Currency); err == nil {
			x.Price = cents(m)
		}
		x.measure(i.Size, i.Weight)
		out = append(out, x)
	}
	if len(out) > 0 {
		return out
	}
	for _, p := range c.Parcels {
		x := item{Name: firstOf(p.Name, "Parcel"), Quantity: 1, Description: p.Description, Barcode: p.Barcode}
		x.measure(p.Size, p.Weight)
		out = append(out, x)
	}
	return out
}

func (x *item) measure(s *shipping.Size, w *shipping.Weight) {
	if s != nil {
		l, wd, h := s.In("in")
		x.Length, x.Width, x.Height = thousandths(l), thousandths(wd), thousandths(h)
		cubicInches := new(big.Rat).Mul(new(big.Rat).Mul(l, wd), h)
		x.Volume = thousandths(cubicInches.Quo(cubicInches, big.NewRat(12*12*12, 1)))
	}
	if w != nil {
		x.Weight = thousandths(w.In("lb"))
	}
}

// thousandths rounds up, so that nothing looks smaller than it is and nothing vanishes.
func thousandths(r *big.Rat) float64 {
	n := new(big.Int).Mul(r.Num(), big.NewInt(1000))
	n.Add(n, new(big.Int).Sub(r.Denom(), big.NewInt(1)))
	f, _ := new(big.Rat).SetFrac(n.Quo(n, r.Denom()), big.NewInt(1000)).Float64()
	return f
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
