package tracker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The types of trackers. Of a pickup the buyer collects the order, so it needs no address of delivery.
const (
	typeDelivery = "delivery"
	typePickup   = "pickup"
	typeShipping = "shipping"
)

// createBody is a tracker as callers write it.
type createBody struct {
	LocationExternalID    string                        `json:"locationExternalId"`
	Pickup                *pickupBody                   `json:"pickup"`
	Provider              string                        `json:"provider"`
	TrackingID            string                        `json:"trackingId"`
	TrackerExternalID     string                        `json:"trackerExternalId"`
	Type                  string                        `json:"type"`
	GroupID               *string                       `json:"groupId"`
	OrderAttributes       map[string]any                `json:"orderAttributes"`
	OrderValue            shipping.Decimal              `json:"orderValue"`
	PickupTime            *shipping.TimeWindow          `json:"pickupTime"`
	DeliveryTime          *shipping.TimeWindow          `json:"deliveryTime"`
	EstimatedDeliveryTime *shipping.TimeWindow          `json:"estimatedDeliveryTime"`
	DeliveryContact       *shipping.Contact             `json:"deliveryContact"`
	DeliveryAddress       *shipping.Address             `json:"deliveryAddress"`
	PickupInstructions    *string                       `json:"pickupInstructions"`
	DeliveryInstructions  *string                       `json:"deliveryInstructions"`
	Packages              httpapi.List[shipping.Parcel] `json:"packages"`
	Barcodes              httpapi.List[string]          `json:"barcodes"`
	CreatedDate           shipping.Instant              `json:"createdDate"`
	ItemList              httpapi.List[shipping.Item]   `json:"itemList"`
	Locale                *string                       `json:"locale"`
}

// pickupBody is a place that is none of the configured locations.
type pickupBody struct {
	Name         string           `json:"name"`
	Address      shipping.Address `json:"address"`
	Contact      shipping.Contact `json:"contact"`
	Instructions string           `json:"instructions"`
	TimeZone     string           `json:"timeZone"`
}

// extra is what the surface keeps of a body that no other package has a word for.
type extra struct {
	Barcodes []string `json:"barcodes,omitempty"`
	Zone     string   `json:"deliveryZone,omitempty"` // IANA, of the buyer's place
}

// faults are what is wrong with the body, as far as the configuration of the tenant tells.
func (b *createBody) faults(t *config.Tenant) shipping.Faults {
	var f shipping.Faults
	currency := t.Currency
	switch l := t.Locations[b.LocationExternalID]; {
	case b.LocationExternalID == "" && b.Pickup == nil:
		f.Add("locationExternalId", "or pickup is required")
	case b.LocationExternalID != "" && l == nil:
		if f.Line("locationExternalId", b.LocationExternalID, shipping.MaxText); len(f) == 0 {
			f.Add("locationExternalId", "%q is not a location of the configuration", b.LocationExternalID)
		}
	case l != nil:
		currency = cmp.Or(l.Currency, currency)
	}
	if p := b.Pickup; p != nil {
		p.faults(&f)
	}
	f.Required("trackingId", b.TrackingID, shipping.MaxText)
	f.Line("trackerExternalId", b.TrackerExternalID, shipping.MaxText)
	if !slices.Contains([]string{"", typeDelivery, typePickup, typeShipping}, b.Type) {
		f.Add("type", "must be delivery, pickup or shipping")
	}
	for path, text := range map[string]*string{"groupId": b.GroupID, "locale": b.Locale} {
		if text != nil {
			f.Line(path, *text, shipping.MaxText)
		}
	}
	for path, text := range map[string]*string{"pickupInstructions": b.PickupInstructions, "deliveryInstructions": b.DeliveryInstructions} {
		if text != nil {
			f.Text(path, *text, shipping.MaxNote)
		}
	}
	for path, w := range map[string]*shipping.TimeWindow{"pickupTime": b.PickupTime, "deliveryTime": b.DeliveryTime, "estimatedDeliveryTime": b.EstimatedDeliveryTime} {
		if w != nil {
			w.Validate(&f, path)
		}
	}
	shipping.Amount(&f, "orderValue", b.OrderValue, currency)
	b.delivery(&f)
	b.things(&f, currency)
	slices.SortStableFunc(f, func(a, b shipping.Fault) int { return cmp.Compare(a.Path, b.Path) })
	return f
}

// delivery checks who gets it, and where.
func (b *createBody) delivery(f *shipping.Faults) {
	country := ""
	switch {
	case b.DeliveryAddress != nil:
		b.DeliveryAddress.Validate(f, "deliveryAddress")
		country = b.DeliveryAddress.CountryCode
	case b.Type != typePickup:
		f.Add("deliveryAddress", "is required unless type is pickup")
	}
	c := b.DeliveryContact
	if c == nil {
		return
	}
	c.Validate(f, "deliveryContact")
	phone(f, "deliveryContact.phone", c.Phone, country)
}

func phone(f *shipping.Faults, path, number, country string) {
	if strings.TrimSpace(number) != "" && len(number) <= shipping.MaxText && usecase.E164(number, country) == "" {
		f.Add(path, "is not a possible phone number")
	}
}

// things checks what is carried.
func (b *createBody) things(f *shipping.Faults, currency string) {
	if len(b.Packages) > shipping.MaxItems {
		f.Add("packages", "must have at most %d entries", shipping.MaxItems)
	}
	for i, p := range b.Packages {
		p.Validate(f, fmt.Sprintf("packages[%d]", i))
	}
	if len(b.Barcodes) > shipping.MaxItems {
		f.Add("barcodes", "must have at most %d entries", shipping.MaxItems)
	}
	for i, code := range b.Barcodes {
		f.Required(fmt.Sprintf("barcodes[%d]", i), code, shipping.MaxText)
	}
	usecase.CheckItems(f, b.ItemList, currency)
	usecase.CheckAttributes(f, b.OrderAttributes)
}

func (p *pickupBody) faults(f *shipping.Faults) {
	f.Line("pickup.name", p.Name, shipping.MaxText)
	p.Address.Validate(f, "pickup.address")
	f.Text("pickup.instructions", p.Instructions, shipping.MaxNote)
	if p.Contact != (shipping.Contact{}) {
		p.Contact.Validate(f, "pickup.contact")
		phone(f, "pickup.contact.phone", p.Contact.Phone, p.Address.CountryCode)
	}
	if p.TimeZone != "" {
		if _, err := time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "Local" {
			f.Add("pickup.timeZone", "must be an IANA name such as America/New_York")
		}
	}
}

// order is what the body tells of the order.
func (b *createBody) order() *shipment.Order {
	o := &shipment.Order{ExternalID: b.TrackerExternalID, LocationID: b.LocationExternalID, GroupID: b.GroupID, Locale: b.Locale, CreatedDate: b.CreatedDate,
		Value: b.OrderValue, DeliveryInstructions: b.DeliveryInstructions, PickupInstructions: b.PickupInstructions,
		Packages: b.Packages, Plural: true, Items: b.ItemList, Attributes: b.OrderAttributes}
	for i := range o.Packages {
		o.Packages[i].TemperatureControl = cmp.Or(o.Packages[i].TemperatureControl, "none")
	}
	if b.DeliveryContact != nil {
		o.DeliveryContact = *b.DeliveryContact
	}
	if b.DeliveryAddress != nil {
		o.DeliveryAddress = *b.DeliveryAddress
	}
	if b.PickupTime != nil {
		o.PickupTime = *b.PickupTime
	}
	if b.DeliveryTime != nil {
		o.DeliveryTime = *b.DeliveryTime
	}
	return o
}

// refuse turns faults into the refusal of a create: what is not there is MISSING_TRACKER_DATA, what is there and wrong is
// INVALID_TRACKER_DATA. Where both happen, the first counts.
func refuse(raw []byte, f shipping.Faults) error {
	var body any
	_ = json.Unmarshal(raw, &body) // Decode has read it before; what cannot be read is missing
	e := &usecase.Error{Type: usecase.InvalidTrackerData, Message: "Invalid data: " + f[0].Path + " " + f[0].Message, Faults: f}
	for _, x := range f {
		if blank(body, x.Path) {
			e.Type, e.Message = usecase.MissingTrackerData, "Invalid data: "+x.Path+" "+x.Message
			break
		}
	}
	return e
}

// blank reports whether nothing stands at a path of a body: no member, null or empty text.
func blank(v any, path string) bool {
	for part := range strings.SplitSeq(strings.ReplaceAll(path, "[", "."), ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i := 0
			if _, err := fmt.Sscanf(part, "%d]", &i); err != nil || i < 0 || i >= len(x) {
				return false
			}
			v = x[i]
		case nil:
			return true
		default:
			return false
		}
	}
	text, isText := v.(string)
	return v == nil || isText && strings.TrimSpace(text) == ""
}
