// Package shipping is the Shipping Order API: shipments from create to cancel, rates, labels, and why things are as they are.
package shipping

import (
	"maps"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// orderBody is an order as callers write it: the body of a create, of an edit, and of a price question.
type orderBody struct {
	LocationExternalID   string                                  `json:"locationExternalId"`
	OrderExternalID      string                                  `json:"orderExternalId"`
	GroupID              *string                                 `json:"groupId"`
	BrandExternalID      string                                  `json:"brandExternalId"`
	OrderValue           shipping.Decimal                        `json:"orderValue"`
	Tips                 shipping.Decimal                        `json:"tips"`
	DeliveryContact      shipping.Contact                        `json:"deliveryContact"`
	DeliveryAddress      shipping.Address                        `json:"deliveryAddress"`
	Package              *shipping.Parcel                        `json:"package"`
	Packages             httpapi.List[shipping.Parcel]           `json:"packages"`
	ItemList             httpapi.List[shipping.Item]             `json:"itemList"`
	PickupTime           *shipping.TimeWindow                    `json:"pickupTime"`
	DeliveryTime         *shipping.TimeWindow                    `json:"deliveryTime"`
	Signature            *string                                 `json:"signature"`
	DeliveryInstructions *string                                 `json:"deliveryInstructions"`
	PickupInstructions   *string                                 `json:"pickupInstructions"`
	Locale               *string                                 `json:"locale"`
	CurrencyCode         string                                  `json:"currencyCode"`
	CreatedDate          shipping.Instant                        `json:"createdDate"`
	OrderAttributes      map[string]any                          `json:"orderAttributes"`
	ProposedProviders    httpapi.List[shipment.ProposedProvider] `json:"proposedProviders"`
	Dispatch             *dispatchBody                           `json:"dispatch"`
}

// dispatchBody says when an order is dispatched: at once, or not before a time.
type dispatchBody struct {
	Type string           `json:"type"` // immediate (default) or scheduled
	Time shipping.Instant `json:"time"`
}

// order turns the body into the order that use cases take, and finds what is wrong with its shape.
func (b orderBody) order(f *shipping.Faults) shipment.Order {
	o := shipment.Order{
		ExternalID: b.OrderExternalID, LocationID: b.LocationExternalID, GroupID: b.GroupID, BrandID: b.BrandExternalID, Locale: b.Locale, Currency: b.CurrencyCode,
		Signature: b.Signature, CreatedDate: b.CreatedDate, Value: b.OrderValue, Tips: b.Tips,
		DeliveryContact: b.DeliveryContact, DeliveryAddress: b.DeliveryAddress,
		DeliveryInstructions: b.DeliveryInstructions, PickupInstructions: b.PickupInstructions,
		Packages: b.Packages, Plural: len(b.Packages) > 0, Items: b.ItemList, Attributes: b.OrderAttributes, Proposed: b.ProposedProviders,
	}
	if b.Package != nil {
		if len(b.Packages) > 0 {
			f.Add("packages", "cannot be given together with package")
		}
		o.Packages, o.Plural = []shipping.Parcel{*b.Package}, false
	}
	f.Line("brandExternalId", b.BrandExternalID, shipping.MaxText)
	if b.PickupTime != nil {
		o.PickupTime = *b.PickupTime
	}
	if b.DeliveryTime != nil {
		o.DeliveryTime = *b.DeliveryTime
	}
	if d := b.Dispatch; d != nil {
		switch {
		case d.Type == "scheduled" && d.Time.IsZero():
			f.Add("dispatch.time", "is required where dispatch.type is scheduled")
		case d.Type == "scheduled":
			o.DispatchAt = d.Time
		case d.Type != "" && d.Type != "immediate":
			f.Add("dispatch.type", "must be immediate or scheduled")
		}
	}
	return o
}

// bodyOf is the body that would have made this order. It shares nothing with the order that decoding into the body would change.
func bodyOf(o shipment.Order) orderBody {
	b := orderBody{
		LocationExternalID: o.LocationID, OrderExternalID: o.ExternalID, GroupID: clone(o.GroupID), BrandExternalID: o.BrandID, OrderValue: o.Value,
		Tips: o.Tips, DeliveryContact: o.DeliveryContact, DeliveryAddress: o.DeliveryAddress, ItemList: o.Items, Signature: clone(o.Signature), CurrencyCode: o.Currency,
		DeliveryInstructions: clone(o.DeliveryInstructions), PickupInstructions: clone(o.PickupInstructions), Locale: clone(o.Locale),
		CreatedDate: o.CreatedDate, OrderAttributes: maps.Clone(o.Attributes), ProposedProviders: o.Proposed,
	}
	b.DeliveryAddress.Latitude, b.DeliveryAddress.Longitude = clone(o.DeliveryAddress.Latitude), clone(o.DeliveryAddress.Longitude)
	if !o.PickupTime.IsZero() {
		b.PickupTime = &o.PickupTime
	}
	if !o.DeliveryTime.IsZero() {
		b.DeliveryTime = &o.DeliveryTime
	}
	if o.Plural {
		b.Packages = o.Packages
	} else if len(o.Packages) == 1 {
		p := clonePackage(o.Packages[0])
		b.Package = &p
	}
	if !o.DispatchAt.IsZero() {
		b.Dispatch = &dispatchBody{Type: "scheduled", Time: o.DispatchAt}
	}
	return b
}

func clonePackage(p shipping.Parcel) shipping.Parcel {
	p.Size, p.Weight, p.Content = clone(p.Size), clone(p.Weight), slices.Clone(p.Content)
	return p
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// decodeOrder reads an order and returns every fault of it: of its JSON, of its shape, and of what it says.
func decodeOrder(q *httpapi.Request, validate func(shipment.Order) shipping.Faults) (shipment.Order, error) {
	var b orderBody
	f, err := httpapi.Decode(q.Body, &b)
	if err != nil {
		return shipment.Order{}, err
	}
	o := b.order(&f)
	if f = shape.Add(f, validate(o)); len(f) > 0 {
		return o, invalid(f)
	}
	return o, nil
}

func invalid(f shipping.Faults) error { return usecase.Invalid(usecase.ValidationError, f) }

// editOf returns the change that an edit's body asks for: an absent member stays, null clears, objects merge member by member,
// lists and time windows are replaced whole. Coordinates do not outlive the words of the address that they belonged to.
func editOf(raw []byte) (func(shipment.Order) (shipment.Order, error), error) {
	var probe orderBody
	f, err := httpapi.Decode(raw, &probe)
	if err != nil {
		return nil, err
	}
	if len(f) > 0 {
		return nil, invalid(f)
	}
	var given map[string]jsontext.Value
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, invalid(shipping.Faults{{Message: "must be a JSON object"}})
	}
	return func(o shipment.Order) (shipment.Order, error) {
		b := bodyOf(o)
		if _, ok := given["pickupTime"]; ok {
			b.PickupTime = nil
		}
		if _, ok := given["deliveryTime"]; ok {
			b.DeliveryTime = nil
		}
		if _, ok := given["packages"]; ok {
			b.Package = nil
		}
		if _, ok := given["package"]; ok {
			b.Packages = nil
		}
		if _, ok := given["itemList"]; ok {
			b.ItemList = nil
		}
		if _, ok := given["proposedProviders"]; ok {
			b.ProposedProviders = nil
		}
		old := o.DeliveryAddress
		f, err := httpapi.Decode(raw, &b)
		if err != nil {
			return o, err
		}
		if len(f) > 0 {
			return o, invalid(f)
		}
		dropStaleCoordinates(&b.DeliveryAddress, old, given["deliveryAddress"])
		out := b.order(&f)
		if len(f) > 0 {
			return o, invalid(f)
		}
		return out, nil
	}, nil
}

func dropStaleCoordinates(now *shipping.Address, old shipping.Address, given jsontext.Value) {
	var named map[string]jsontext.Value
	if json.Unmarshal(given, &named) != nil {
		return
	}
	_, lat := named["latitude"]
	_, lng := named["longitude"]
	before, after := old, *now
	before.Latitude, before.Longitude, after.Latitude, after.Longitude = nil, nil, nil, nil
	if !lat && !lng && !reflect.DeepEqual(before, after) {
		now.Latitude, now.Longitude = nil, nil
	}
}
