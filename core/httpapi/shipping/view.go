package shipping

import (
	"net/url"
	"strconv"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/httpapi/returns"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// view is a shipment as every route answers it: the union of all the seed's answers, null where unknown.
type view struct {
	ID                    shipment.ID                 `json:"id"`
	TenantID              string                      `json:"tenantId"`
	BrandExternalID       string                      `json:"brandExternalId"`
	LocationExternalID    string                      `json:"locationExternalId"`
	OrderExternalID       string                      `json:"orderExternalId"`
	GroupID               *string                     `json:"groupId"`
	Status                shipping.Status             `json:"status"`
	SubStatus             string                      `json:"subStatus,omitempty"`
	OrderValue            shipping.Decimal            `json:"orderValue"`
	Tips                  shipping.Decimal            `json:"tips"`
	CurrencyCode          string                      `json:"currencyCode"`
	DeliveryContact       shipping.Contact            `json:"deliveryContact"`
	DeliveryAddress       shipping.Address            `json:"deliveryAddress"`
	PickupContact         shape.Contact               `json:"pickupContact"`
	PickupAddress         shape.Address               `json:"pickupAddress"`
	Package               *shipping.Parcel            `json:"package"`
	Packages              []shipping.Parcel           `json:"packages,omitempty"`
	ItemList              []shipping.Item             `json:"itemList"`
	PickupTime            shipping.TimeWindow         `json:"pickupTime"`
	DeliveryTime          shipping.TimeWindow         `json:"deliveryTime"`
	EstimatedPickupTime   shipping.TimeWindow         `json:"estimatedPickupTime"`
	EstimatedDeliveryTime shipping.TimeWindow         `json:"estimatedDeliveryTime"`
	ActualPickupTime      shipping.Instant            `json:"actualPickupTime"`
	ActualDeliveryTime    shipping.Instant            `json:"actualDeliveryTime"`
	Signature             string                      `json:"signature"`
	DeliveryInstructions  *string                     `json:"deliveryInstructions"`
	PickupInstructions    *string                     `json:"pickupInstructions"`
	Locale                *string                     `json:"locale"`
	CreatedDate           shipping.Instant            `json:"createdDate"`
	OrderAttributes       map[string]any              `json:"orderAttributes"`
	ProposedProviders     []shipment.ProposedProvider `json:"proposedProviders"`
	Dispatch              *dispatchBody               `json:"dispatch,omitempty"`
	Provider              shape.Provider              `json:"provider"`
	TrackingID            *string                     `json:"trackingId"`
	Parcels               []parcelView                `json:"parcels,omitempty"`
	Amount                shipping.Decimal            `json:"amount"`
	Fee                   shipping.Decimal            `json:"fee"`
	Label                 *string                     `json:"label"`
	Attachments           []shipment.Attachment       `json:"attachments"`
	Driver                *shipping.Driver            `json:"driver"`
	Vehicle               *shipping.Vehicle           `json:"vehicle"`
	LastLocation          *shipping.Location          `json:"lastLocation"`
	ReferenceLinks        linksView                   `json:"referenceLinks"`
	ReturnRequest         *returns.View               `json:"returnRequest"`
	Returns               []returns.View              `json:"returns,omitempty"` // where there are several
	ReturnOf              *returnOfView               `json:"returnOf,omitempty"`
	ReturnLocationID      *string                     `json:"returnLocationId"`
	UndeliverableReturn   *returnView                 `json:"undeliverableOrderReturnLocation"`
	CreatedAt             string                      `json:"createdAt"`
	LastUpdatedAt         string                      `json:"lastUpdatedAt"`
	Warnings              []shipment.Warning          `json:"warnings,omitempty"`
}

type parcelView struct {
	TrackingID string  `json:"trackingId"`
	Label      *string `json:"label"`
}

type linksView struct {
	TrackingURL *string `json:"trackingUrl"`
	QRCodeLink  *string `json:"qrcodeLink"`
	ReturnsURL  string  `json:"returnsUrl,omitempty"` // where the tenant lets buyers ask for returns themselves
}

type returnView struct {
	Name    string        `json:"name"`
	Address shape.Address `json:"address"`
	Contact shape.Contact `json:"contact"`
}

// Show turns a shipment into what GET /shipments/{id} answers, for those who tell of it elsewhere. back are its returns, oldest first;
// base is what links begin with; pages may be nil.
func Show(sh *shipment.Shipment, back []*shipment.Shipment, base string, pages shape.Pages) any {
	v := linked(sh, base, pages)
	if len(back) > 0 {
		v.ReturnRequest, v.Returns = returns.Present(back, base, pages)
	}
	return v
}

// linked puts the page that a buyer follows the order on before the carrier's own.
func linked(sh *shipment.Shipment, base string, pages shape.Pages) view {
	v := show(sh, base)
	if pages == nil {
		return v
	}
	if page := pages.ShipmentPage(sh); page != "" {
		v.ReferenceLinks.TrackingURL = &page
	}
	v.ReferenceLinks.ReturnsURL = pages.ShipmentReturns(sh)
	v.ReferenceLinks.QRCodeLink = shape.Text(pages.ReturnCode(sh))
	return v
}

// show turns a shipment into its answer. base is what links begin with.
func show(sh *shipment.Shipment, base string) view {
	o := sh.Order
	v := view{
		ID: sh.ID, TenantID: sh.Tenant, BrandExternalID: sh.Brand, LocationExternalID: o.LocationID, OrderExternalID: o.ExternalID, GroupID: o.GroupID,
		Status: sh.Status, SubStatus: sh.SubStatus, OrderValue: o.Value, Tips: sh.Progress.Tips(o.Tips, sh.Currency), CurrencyCode: sh.Currency,
		DeliveryContact: o.DeliveryContact, DeliveryAddress: o.DeliveryAddress,
		PickupContact: shape.Contact(sh.Pickup.Contact), PickupAddress: shape.PlaceAddress(sh.Pickup.Address),
		ItemList: o.Items, PickupTime: sh.PickupTime, DeliveryTime: sh.DeliveryTime,
		EstimatedPickupTime: sh.Progress.EstimatedPickup, EstimatedDeliveryTime: sh.Progress.EstimatedDelivery,
		ActualPickupTime: sh.Progress.ActualPickup, ActualDeliveryTime: sh.Progress.ActualDelivery,
		Signature: "not_required", DeliveryInstructions: o.DeliveryInstructions, PickupInstructions: o.PickupInstructions,
		Locale: o.Locale, CreatedDate: o.CreatedDate, OrderAttributes: o.Attributes, ProposedProviders: o.Proposed,
		Driver: sh.Progress.Driver, Vehicle: sh.Progress.Vehicle, LastLocation: sh.Progress.LastLocation, Attachments: sh.Progress.Proofs,
		CreatedAt: clock.Millis(sh.CreatedAt), LastUpdatedAt: clock.Millis(sh.UpdatedAt), Warnings: sh.AllWarnings(),
		ReturnOf: showReturnOf(sh.ReturnOf),
	}
	if o.Signature != nil {
		v.Signature = *o.Signature
	}
	if v.PickupInstructions == nil {
		v.PickupInstructions = shape.Text(sh.Pickup.Instructions)
	}
	if v.OrderAttributes == nil {
		v.OrderAttributes = map[string]any{}
	}
	if v.ProposedProviders == nil {
		v.ProposedProviders = []shipment.ProposedProvider{}
	}
	if v.ItemList == nil {
		v.ItemList = []shipping.Item{}
	}
	if len(o.Packages) > 0 {
		v.Package = &o.Packages[0]
	}
	if len(o.Packages) > 1 {
		v.Packages = o.Packages
	}
	if !o.DispatchAt.IsZero() {
		v.Dispatch = &dispatchBody{Type: "scheduled", Time: o.DispatchAt}
	}
	if r := sh.Return; r != nil {
		v.ReturnLocationID = &r.ID
		v.UndeliverableReturn = &returnView{Name: r.Name, Address: shape.PlaceAddress(r.Address), Contact: shape.Contact(r.Contact)}
	}
	if a := sh.Shown(); a != nil {
		showBooking(&v, sh, a, base)
	}
	return v
}

// showBooking fills what only a booking knows.
func showBooking(v *view, sh *shipment.Shipment, a *shipment.Attempt, base string) {
	v.Provider = shape.Provider{ID: a.Account, Name: a.Provider, DisplayName: a.DisplayName, ServiceID: shape.Text(a.ServiceID), ServiceType: shape.Text(a.ServiceType)}
	v.TrackingID = shape.Text(a.Booking.TrackingID)
	v.Amount, v.Fee = a.Booking.Amount.Major(), a.Fee.Major()
	v.ReferenceLinks.TrackingURL = shape.Text(a.Booking.TrackingURL)
	label := base + "/shipments/" + url.PathEscape(sh.Order.ExternalID) + "/label"
	for i, p := range a.Booking.Parcels {
		pv := parcelView{TrackingID: p.Number}
		if p.LabelFormat != "" {
			link := label
			if i > 0 {
				link += "?parcel=" + strconv.Itoa(i+1)
			}
			pv.Label = &link
			if v.Label == nil {
				v.Label = &link
			}
			v.Attachments = append(v.Attachments, shipment.Attachment{Type: "label", URL: link, ContentType: p.LabelFormat.ContentType()})
		}
		if len(a.Booking.Parcels) > 1 {
			v.Parcels = append(v.Parcels, pv)
		}
	}
}
