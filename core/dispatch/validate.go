package dispatch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Validate returns every fault of an order that needs no network to see.
func (s *Service) Validate(c usecase.Caller, o shipment.Order) shipping.Faults {
	t, err := s.tenant(c.Tenant)
	if err != nil {
		return nil
	}
	var f shipping.Faults
	f.Required("orderExternalId", o.ExternalID, shipping.MaxText)
	if o.ExternalID == "." || o.ExternalID == ".." {
		// RFC 3986 has clients and proxies take these out of a path before they send it, percent-encoded or not.
		f.Add("orderExternalId", "must not be . or .., which cannot stand in the path of a URL")
	}
	validateOrder(&f, t, o)
	return f
}

// validateOrder checks everything but the external id, which a price question has not.
func validateOrder(f *shipping.Faults, t *config.Tenant, o shipment.Order) {
	f.Required("locationExternalId", o.LocationID, shipping.MaxText)
	currency := t.Currency
	if l := t.Locations[o.LocationID]; l != nil && l.Currency != "" {
		currency = l.Currency
	}
	if o.Currency != "" {
		if _, ok := shipping.CurrencyDigits(o.Currency); !ok {
			f.Add("currencyCode", "must be an ISO 4217 code such as USD")
		} else {
			currency = o.Currency
		}
	}
	optional := func(check func(path, text string, limit int), path string, s *string, limit int) {
		if s != nil {
			check(path, *s, limit)
		}
	}
	optional(f.Line, "groupId", o.GroupID, shipping.MaxText)
	optional(f.Line, "locale", o.Locale, 50)
	optional(f.Line, "signature", o.Signature, shipping.MaxText)
	optional(f.Text, "deliveryInstructions", o.DeliveryInstructions, shipping.MaxNote)
	optional(f.Text, "pickupInstructions", o.PickupInstructions, shipping.MaxNote)
	shipping.Amount(f, "orderValue", o.Value, currency)
	shipping.Amount(f, "tips", o.Tips, currency)

	o.DeliveryAddress.Validate(f, "deliveryAddress")
	o.DeliveryContact.Validate(f, "deliveryContact")
	if p := o.DeliveryContact.Phone; strings.TrimSpace(p) != "" && usecase.E164(p, o.DeliveryAddress.CountryCode) == "" {
		f.Add("deliveryContact.phone", "is not a possible phone number")
	}
	o.PickupTime.Validate(f, "pickupTime")
	o.DeliveryTime.Validate(f, "deliveryTime")
	validatePackages(f, t, o)
	usecase.CheckItems(f, o.Items, currency)
	usecase.CheckAttributes(f, o.Attributes)
	validateProposed(f, o.Proposed)
}

func validatePackages(f *shipping.Faults, t *config.Tenant, o shipment.Order) {
	if len(o.Packages) == 0 {
		f.Add("package", "is required")
	}
	if len(o.Packages) > shipping.MaxItems {
		f.Add("packages", "must have at most %d entries", shipping.MaxItems)
	}
	for i, p := range o.Packages {
		path := packagePath(o, i)
		p.Validate(f, path)
		preset, known := t.Preset(p.Name)
		if p.Size == nil && (!known || preset.Size.Unit == "") {
			f.Add(path+".size", "is required where package.name is no preset of the configuration")
		}
		if p.Weight == nil && (!known || preset.Weight.Unit == "") {
			f.Add(path+".weight", "is required where package.name is no preset of the configuration")
		}
	}
}

func packagePath(o shipment.Order, i int) string {
	if o.Plural {
		return fmt.Sprintf("packages[%d]", i)
	}
	return "package"
}

func validateProposed(f *shipping.Faults, proposed []shipment.ProposedProvider) {
	if len(proposed) > shipping.MaxItems {
		f.Add("proposedProviders", "must have at most %d entries", shipping.MaxItems)
	}
	for i, p := range proposed {
		f.Required(fmt.Sprintf("proposedProviders[%d].name", i), p.Name, shipping.MaxText)
		for j, sv := range p.Services {
			f.Required(fmt.Sprintf("proposedProviders[%d].services[%d].id", i, j), sv.ID, shipping.MaxText)
		}
	}
}

// duplicateName returns the name under which a provider is proposed a second time, "" where none is. One provider has several
// names: its id, its display name, and its adapter's.
func (s *Service) duplicateName(t *config.Tenant, accounts []string, proposed []shipment.ProposedProvider) string {
	for i, p := range proposed {
		if slices.ContainsFunc(proposed[:i], func(q shipment.ProposedProvider) bool { return strings.EqualFold(q.Name, p.Name) }) {
			return p.Name
		}
	}
	for _, id := range accounts {
		m, _ := s.manifest(t.ID, id)
		seen := false
		for _, p := range proposed {
			if a := t.Accounts[id]; a == nil || !answersTo(p.Name, a, m) {
				continue
			}
			if seen && !s.shared(t, accounts, p.Name) {
				return p.Name
			}
			seen = true
		}
	}
	return ""
}

// shared reports whether a name means several accounts, as an adapter's name may.
func (s *Service) shared(t *config.Tenant, accounts []string, name string) bool {
	n := 0
	for _, id := range accounts {
		m, _ := s.manifest(t.ID, id)
		if a := t.Accounts[id]; a != nil && answersTo(name, a, m) {
			n++
		}
	}
	return n > 1
}
