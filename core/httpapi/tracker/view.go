package tracker

import (
	"cmp"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi/returns"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// view is a tracker as every route answers it, null where unknown.
type view struct {
	ID                    tracker.ID            `json:"id"`
	TrackerExternalID     *string               `json:"trackerExternalId"`
	OrderExternalID       *string               `json:"orderExternalId"`
	LocationExternalID    *string               `json:"locationExternalId"`
	BrandExternalID       string                `json:"brandExternalId"`
	TrackingID            string                `json:"trackingId"`
	Barcodes              []string              `json:"barcodes"`
	Type                  string                `json:"type"`
	GroupID               *string               `json:"groupId"`
	Status                shipping.Status       `json:"status"`
	SubStatus             string                `json:"subStatus,omitempty"`
	Milestone             string                `json:"milestone"`
	Category              *string               `json:"category"`
	Code                  *string               `json:"code"`
	Provider              shape.Provider        `json:"provider"`
	OrderAttributes       map[string]any        `json:"orderAttributes"`
	OrderValue            shipping.Decimal      `json:"orderValue"`
	CurrencyCode          string                `json:"currencyCode"`
	Tips                  shipping.Decimal      `json:"tips"`
	Packages              []shipping.Parcel     `json:"packages"`
	ItemList              []shipping.Item       `json:"itemList"`
	PickupTime            shipping.TimeWindow   `json:"pickupTime"`
	DeliveryTime          shipping.TimeWindow   `json:"deliveryTime"`
	EstimatedPickupTime   shipping.TimeWindow   `json:"estimatedPickupTime"`
	EstimatedDeliveryTime shipping.TimeWindow   `json:"estimatedDeliveryTime"`
	ActualPickupTime      shipping.Instant      `json:"actualPickupTime"`
	ActualDeliveryTime    shipping.Instant      `json:"actualDeliveryTime"`
	LastLocation          *shipping.Location    `json:"lastLocation"`
	Driver                *shipping.Driver      `json:"driver"`
	Vehicle               *shipping.Vehicle     `json:"vehicle"`
	Attachments           []shipment.Attachment `json:"attachments"`
	SignedBy              *string               `json:"signedBy"`
	DeliveryAddress       *shipping.Address     `json:"deliveryAddress"`
	DeliveryContact       *shipping.Contact     `json:"deliveryContact"`
	DeliveryInstructions  *string               `json:"deliveryInstructions"`
	PickupAddress         *shape.Address        `json:"pickupAddress"`
	PickupContact         *shape.Contact        `json:"pickupContact"`
	PickupInstructions    *string               `json:"pickupInstructions"`
	TimeZone              string                `json:"timeZone"`
	Locale                *string               `json:"locale"`
	CreatedDate           shipping.Instant      `json:"createdDate"`
	ReferenceLinks        linksView             `json:"referenceLinks"`
	Source                tracker.Source        `json:"source"`
	ReturnRequest         *returns.View         `json:"returnRequest,omitempty"`
	Returns               []returns.View        `json:"returns,omitempty"` // where there are several
	CreatedAt             string                `json:"createdAt"`
	LastUpdatedAt         string                `json:"lastUpdatedAt"`
	Warnings              []shipment.Warning    `json:"warnings,omitempty"`
}

type linksView struct {
	CustomerWebflowURL *string `json:"customerWebflowUrl"`
	TrackingURL        *string `json:"trackingUrl"` // the carrier's own page
	ReturnsURL         string  `json:"returnsUrl,omitempty"`
}

// show turns a tracker into its answer.
func (s *surface) show(tenant *config.Tenant, t *tracker.Tracker) view {
	o := t.Order
	if o == nil {
		o = &shipment.Order{}
	}
	var x extra
	_ = json.Unmarshal(t.Extra, &x) // ours; absent once it was erased
	m := t.Milestone()
	v := view{
		ID: t.ID, TrackerExternalID: shape.Text(o.ExternalID), OrderExternalID: shape.Text(o.ExternalID), LocationExternalID: shape.Text(o.LocationID),
		BrandExternalID: tenant.Brand, TrackingID: t.Number, Barcodes: list(x.Barcodes), Type: cmp.Or(t.Type, typeShipping), GroupID: o.GroupID,
		Status: t.Status, SubStatus: t.SubStatus, Milestone: m.Milestone, Category: shape.Text(m.Category), Code: shape.Text(m.Code),
		Provider: s.provider(tenant, t), OrderAttributes: o.Attributes, OrderValue: o.Value, CurrencyCode: tenant.Currency,
		Packages: list(o.Packages), ItemList: list(o.Items), PickupTime: o.PickupTime, DeliveryTime: o.DeliveryTime,
		EstimatedPickupTime: t.Progress.EstimatedPickup, EstimatedDeliveryTime: t.Progress.EstimatedDelivery,
		ActualPickupTime: t.Progress.ActualPickup, ActualDeliveryTime: t.Progress.ActualDelivery, LastLocation: t.Progress.LastLocation,
		Driver: t.Progress.Driver, Vehicle: t.Progress.Vehicle, Attachments: list(t.Progress.Proofs), SignedBy: shape.Text(t.SignedBy),
		DeliveryInstructions: o.DeliveryInstructions, PickupInstructions: o.PickupInstructions, TimeZone: t.Zone, Locale: o.Locale, CreatedDate: o.CreatedDate,
		ReferenceLinks: linksView{CustomerWebflowURL: shape.Text(s.Pages.TrackerPage(t)), TrackingURL: shape.Text(t.TrackingURL), ReturnsURL: s.Pages.TrackerReturns(t)},
		Source:         t.Source, CreatedAt: clock.Millis(t.CreatedAt), LastUpdatedAt: clock.Millis(t.UpdatedAt), Warnings: t.Warnings,
	}
	v.soon(t)
	if l := tenant.Locations[o.LocationID]; l != nil {
		v.BrandExternalID, v.CurrencyCode = cmp.Or(l.Brand, v.BrandExternalID), cmp.Or(l.Currency, v.CurrencyCode)
	}
	v.Tips = t.Progress.Tips(o.Tips, v.CurrencyCode)
	if v.OrderAttributes == nil {
		v.OrderAttributes = map[string]any{}
	}
	if o.DeliveryAddress != (shipping.Address{}) {
		v.DeliveryAddress = &o.DeliveryAddress
	}
	if o.DeliveryContact != (shipping.Contact{}) {
		v.DeliveryContact = &o.DeliveryContact
	}
	if p := t.Pickup; p != nil {
		address, contact := shape.PlaceAddress(p.Address), shape.Contact(p.Contact)
		v.PickupAddress, v.PickupContact = &address, &contact
		if v.PickupInstructions == nil {
			v.PickupInstructions = shape.Text(p.Instructions)
		}
	}
	return v
}

// asSoonAsPossible is how long after the tracker began the end of a delivery window lies that was not given, as in answers of orders.
const asSoonAsPossible = time.Minute

// soon names the instants of windows that the caller has left open, which means as soon as possible. What the buyer collects is not
// delivered.
func (v *view) soon(t *tracker.Tracker) {
	if t.Surface != tracker.OfAPI {
		return
	}
	if v.PickupTime.IsZero() {
		v.PickupTime.StartsAt = shipping.At(t.CreatedAt)
	}
	if v.DeliveryTime.IsZero() && t.Type != typePickup {
		v.DeliveryTime.EndsAt = shipping.At(t.CreatedAt.Add(asSoonAsPossible))
	}
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// provider names who carries. Which service was booked is known to who has booked it alone.
func (s *surface) provider(tenant *config.Tenant, t *tracker.Tracker) shape.Provider {
	p := shape.Provider{ID: t.Account, Name: t.Provider, DisplayName: t.Provider}
	a := tenant.Accounts[t.Account]
	if a == nil {
		return p
	}
	p.Name = a.Adapter
	if m, known := s.Manifest(tenant.ID, a.ID); known {
		p.Name = m.DisplayName
	}
	p.DisplayName = cmp.Or(a.Name, p.Name)
	return p
}
