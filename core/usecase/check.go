package usecase

import (
	"fmt"
	"maps"
	"slices"

	"github.com/nyaruka/phonenumbers"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// CheckItems adds every fault of an order's lines, money being checked against currency.
func CheckItems(f *shipping.Faults, items []shipping.Item, currency string) {
	if len(items) > shipping.MaxItems {
		f.Add("itemList", "must have at most %d entries", shipping.MaxItems)
	}
	seen := map[string]int{}
	for i, it := range items {
		path := fmt.Sprintf("itemList[%d]", i)
		it.Validate(f, path, currency)
		if it.SKU == "" {
			continue
		}
		if first, twice := seen[it.SKU]; twice {
			f.Add(path+".sku", "stands already in itemList[%d]; a sku stands once, with its quantity", first)
			continue
		}
		seen[it.SKU] = i
	}
}

// maxAttributes bounds orderAttributes, which are kept with the order and shown to rules.
const maxAttributes = 100

// CheckAttributes adds every fault of the attributes that a caller keeps with an order.
func CheckAttributes(f *shipping.Faults, attributes map[string]any) {
	if len(attributes) > maxAttributes {
		f.Add("orderAttributes", "must have at most %d members", maxAttributes)
	}
	for _, k := range slices.Sorted(maps.Keys(attributes)) {
		v := attributes[k]
		path := "orderAttributes." + k
		f.Line(path, k, shipping.MaxText)
		switch v := v.(type) {
		case string:
			f.Text(path, v, shipping.MaxNote)
		case nil, bool, float64:
		default:
			f.Add(path, "must be text, a number, true, false or null")
		}
	}
}

// E164 returns a phone number as carriers want it, "" where the text is not a possible number in the country.
func E164(phone, country string) string {
	n, err := phonenumbers.Parse(phone, country)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return ""
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}
