package notify

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The bodies below are Delivery Solutions' webhooks of the classic generation (docs.deliverysolutions.co, Webhooks): names of v2, and
// what a carrier asks in cents.

// dsOrder is the order webhook: one for each change of status.
type dsOrder struct {
	OrderID               shipment.ID              `json:"orderId"`
	TenantID              string                   `json:"tenantId"`
	BrandExternalID       string                   `json:"brandExternalId"`
	StoreExternalID       string                   `json:"storeExternalId"`
	OrderExternalID       string                   `json:"orderExternalId"`
	GroupID               *string                  `json:"groupId"`
	Status                shipping.Status          `json:"status"`
	SubStatus             *string                  `json:"subStatus"`
	EventReason           *shipping.EventReason    `json:"eventReason"`
	Note                  string                   `json:"note"`
	StatusUser            string                   `json:"statusUser"`
	LastUpdatedAt         string                   `json:"lastUpdatedAt"`
	OrderValue            shipping.Decimal         `json:"orderValue"`
	Tips                  shipping.Decimal         `json:"tips"`
	Provider              *string                  `json:"provider"`
	ServiceID             *string                  `json:"serviceId"`
	TrackingNumber        *string                  `json:"trackingNumber"`
	Amount                *int64                   `json:"amount"` // minor units
	Fee                   *int64                   `json:"fee"`    // minor units
	CurrencyCode          string                   `json:"currencyCode"`
	PickUpAddress         dsAddress                `json:"pickUpAddress"`
	PickUpContact         shipping.Contact         `json:"pickUpContact"`
	DeliveryAddress       dsAddress                `json:"deliveryAddress"`
	DeliveryContact       shipping.Contact         `json:"deliveryContact"`
	PickupTime            shipping.TimeWindow      `json:"pickupTime"`
	DropoffTime           shipping.TimeWindow      `json:"dropoffTime"`
	EstimatedPickupTime   shipping.Instant         `json:"estimatedPickupTime"`   // Unix milliseconds
	EstimatedDeliveryTime shipping.Instant         `json:"estimatedDeliveryTime"` // likewise
	ActualPickupTime      shipping.Instant         `json:"actualPickupTime"`
	ActualDeliveryTime    shipping.Instant         `json:"actualDeliveryTime"`
	PickupInstructions    string                   `json:"pickupInstructions"`
	DeliveryInstructions  string                   `json:"deliveryInstructions"`
	Packages              []shipping.Parcel        `json:"packages"`
	ItemList              []shipping.Item          `json:"itemList"`
	Notifications         []struct{}               `json:"notifications"`
	OrderAttributes       map[string]any           `json:"orderAttributes"`
	Attachments           []shipment.Attachment    `json:"attachments"`
	Driver                *shipping.Driver         `json:"driver"`
	Vehicle               *shipping.Vehicle        `json:"vehicle"`
	LastLocation          *shipping.Location       `json:"lastLocation"`
	TrackingURL           *string                  `json:"trackingUrl"`         // the tenant's page, else the carrier's
	ProviderTrackingURL   *string                  `json:"providerTrackingUrl"` // the carrier's
	ReferenceLinks        dsLinks                  `json:"referenceLinks"`
	ReturnStoreID         *string                  `json:"returnStoreId"`
	IsSpirit              bool                     `json:"isSpirit"`
	IsBeerOrWine          bool                     `json:"isBeerOrWine"`
	IsTobacco             bool                     `json:"isTobacco"`
	IsFragile             bool                     `json:"isFragile"`
	IsRx                  bool                     `json:"isRx"`
	HasRefrigeratedItems  bool                     `json:"hasRefrigeratedItems"`
	HasPerishableItems    bool                     `json:"hasPerishableItems"`
	UndeliverableReturnTo *dsReturn                `json:"undeliverableOrderReturnLocation"`
	LatestErrors          []shipment.ProviderError `json:"latestErrors"`
	// Sequence is ours: it grows with each change of the order, so that a receiver can drop what was overtaken.
	Sequence int `json:"sequence"`
}

// dsLinks are the pages of an order.
type dsLinks struct {
	TrackingURL        *string `json:"trackingUrl"`        // as that of the order
	CustomerWebflowURL *string `json:"customerWebflowUrl"` // the tenant's page for the buyer
}

// dsAddress is an address in the names of v2.
type dsAddress struct {
	Street          string   `json:"street"`
	Street2         string   `json:"street2"`
	ApartmentNumber string   `json:"apartmentNumber"`
	City            string   `json:"city"`
	State           string   `json:"state"`
	Zipcode         string   `json:"zipcode"`
	Country         string   `json:"country"`
	Latitude        *float64 `json:"latitude"`
	Longitude       *float64 `json:"longitude"`
}

type dsReturn struct {
	Name    string           `json:"name"`
	Address dsAddress        `json:"address"`
	Contact shipping.Contact `json:"contact"`
}

// deliverySolutions is the shape delivery_solutions: the order webhook for a shipment's changes, the communication webhook for what
// buyers were told. It has no words for trackers.
func (s *Service) deliverySolutions(t Told) (Rendered, bool, error) {
	switch snap := t.Snapshot; {
	case snap.Shipment != nil && snap.Change != nil:
		o := dsOrderOf(snap.Shipment, snap.Change, s.shipmentPage(snap.Shipment))
		o.Sequence = t.Message.Seq
		return signed(o)
	case t.Message.Topic == TopicCommunication:
		return signed(json.RawMessage(snap.Data))
	}
	return Rendered{}, false, nil
}

// dsOrderOf is an order as it was when something changed. page is where its buyer follows it, nil for nowhere of ours.
func dsOrderOf(sh *shipment.Shipment, c *shipment.Change, page *string) dsOrder {
	o := sh.Order
	out := dsOrder{
		OrderID: sh.ID, TenantID: sh.Tenant, BrandExternalID: sh.Brand, StoreExternalID: o.LocationID, OrderExternalID: o.ExternalID, GroupID: o.GroupID,
		Status: c.Status, SubStatus: orNull(c.SubStatus), EventReason: c.Reason, Note: c.Note, StatusUser: c.User, LastUpdatedAt: clock.Millis(c.At),
		OrderValue: o.Value, Tips: sh.Progress.Tips(o.Tips, sh.Currency), CurrencyCode: sh.Currency,
		PickUpAddress: dsAddressOf(sh.Pickup.Address), PickUpContact: sh.Pickup.Contact,
		DeliveryAddress: dsAddressOf(o.DeliveryAddress), DeliveryContact: o.DeliveryContact,
		PickupTime: sh.PickupTime, DropoffTime: sh.DeliveryTime,
		EstimatedPickupTime: sh.Progress.EstimatedPickup.StartsAt, EstimatedDeliveryTime: sh.Progress.EstimatedDelivery.EndsAt,
		ActualPickupTime: sh.Progress.ActualPickup, ActualDeliveryTime: sh.Progress.ActualDelivery,
		PickupInstructions: sh.Pickup.Instructions, Packages: orEmpty(o.Packages), ItemList: orEmpty(o.Items), Notifications: []struct{}{},
		OrderAttributes: o.Attributes, Attachments: orEmpty(sh.Progress.Proofs), Driver: sh.Progress.Driver, Vehicle: sh.Progress.Vehicle,
		LastLocation: sh.Progress.LastLocation, LatestErrors: []shipment.ProviderError{},
	}
	if o.PickupInstructions != nil {
		out.PickupInstructions = *o.PickupInstructions
	}
	if o.DeliveryInstructions != nil {
		out.DeliveryInstructions = *o.DeliveryInstructions
	}
	if out.OrderAttributes == nil {
		out.OrderAttributes = map[string]any{}
	}
	if sh.Failure != nil {
		out.LatestErrors = orEmpty(sh.Failure.Errors)
	}
	if r := sh.Return; r != nil {
		out.ReturnStoreID = &r.ID
		out.UndeliverableReturnTo = &dsReturn{Name: r.Name, Address: dsAddressOf(r.Address), Contact: r.Contact}
	}
	if a := sh.Shown(); a != nil {
		out.Provider, out.ServiceID, out.TrackingNumber = &a.Provider, orNull(a.ServiceID), orNull(a.Booking.TrackingID)
		out.Amount, out.Fee, out.ProviderTrackingURL = &a.Booking.Amount.Minor, &a.Fee.Minor, orNull(a.Booking.TrackingURL)
	}
	out.TrackingURL = either(page, out.ProviderTrackingURL)
	out.ReferenceLinks = dsLinks{TrackingURL: out.TrackingURL, CustomerWebflowURL: page}
	out.flags(o.Packages)
	return out
}

// flags reads the contents of parcels, which are free words.
func (d *dsOrder) flags(parcels []shipping.Parcel) {
	holds := func(words ...string) bool {
		return slices.ContainsFunc(parcels, func(p shipping.Parcel) bool {
			return slices.ContainsFunc(p.Content, func(c string) bool { return slices.Contains(words, strings.ToLower(c)) })
		})
	}
	d.IsSpirit, d.IsBeerOrWine, d.IsTobacco = holds("spirit", "spirits", "alcohol"), holds("beer", "wine", "beer_or_wine", "alcohol"), holds("tobacco")
	d.IsFragile, d.IsRx, d.HasPerishableItems = holds("fragile"), holds("rx", "prescription"), holds("perishable")
	d.HasRefrigeratedItems = slices.ContainsFunc(parcels, func(p shipping.Parcel) bool {
		return p.TemperatureControl == "refrigerated" || p.TemperatureControl == "frozen"
	})
}

func dsAddressOf(a shipping.Address) dsAddress {
	return dsAddress{Street: a.Street1, Street2: a.Street2, ApartmentNumber: a.ApartmentNumber, City: a.City, State: a.State, Zipcode: a.PostalCode,
		Country: a.CountryCode, Latitude: a.Latitude, Longitude: a.Longitude}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// either is the first of two that is known.
func either(first, second *string) *string {
	if first != nil {
		return first
	}
	return second
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// communication is the communication webhook: one for each message to a buyer.
type communication struct {
	Status      string     `json:"status"` // sent
	Medium      string     `json:"medium"` // email or sms
	SentAt      string     `json:"sentAt"`
	EventType   string     `json:"eventType"` // the topic that the buyer was told about
	Contents    string     `json:"contents"`
	Subject     string     `json:"subject,omitempty"`
	ContentType string     `json:"contentType"`
	From        party      `json:"from"`
	To          party      `json:"to"`
	Provider    dsProvider `json:"provider"`
	Order       dsEvent    `json:"order"`
}

type party struct {
	Type  string `json:"type"`
	Phone string `json:"phone,omitempty"`
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
}

type dsProvider struct {
	Name string `json:"name"`
}

// dsEvent is the order inside of a communication.
type dsEvent struct {
	Event                 string                `json:"event"`
	Status                shipping.Status       `json:"status"`
	Note                  string                `json:"note"`
	ReceivedAt            string                `json:"receivedAt"`
	StatusUser            string                `json:"statusUser"`
	OrderID               string                `json:"orderId"`
	OrderExternalID       string                `json:"orderExternalId"`
	GroupID               *string               `json:"groupId"`
	TenantID              string                `json:"tenantId"`
	StoreExternalID       string                `json:"storeExternalId"`
	Provider              *string               `json:"provider"`
	TrackingNumber        *string               `json:"trackingNumber"`
	TrackingURL           *string               `json:"trackingUrl"`         // the tenant's page, else the carrier's
	ProviderTrackingURL   *string               `json:"providerTrackingUrl"` // the carrier's
	CustomerWebflowURL    *string               `json:"customerWebflowUrl"`  // the tenant's page for the buyer
	Amount                *int64                `json:"amount"`              // minor units
	OrderAttributes       map[string]any        `json:"orderAttributes"`
	Attachments           []shipment.Attachment `json:"attachments"`
	Driver                *shipping.Driver      `json:"driver"`
	Vehicle               *shipping.Vehicle     `json:"vehicle"`
	LastLocation          *shipping.Location    `json:"lastLocation"`
	EstimatedPickupTime   shipping.Instant      `json:"estimatedPickupTime"`
	EstimatedDeliveryTime shipping.Instant      `json:"estimatedDeliveryTime"`
	PickupInstructions    string                `json:"pickupInstructions"`
	DeliveryInstructions  string                `json:"deliveryInstructions"`
	DeliveryContact       shipping.Contact      `json:"deliveryContact"`
}
