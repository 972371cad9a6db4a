// Package returns is what the surfaces have in common where something is sent back: how a return is asked for, and how it is shown
// beside what it returns.
package returns

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strconv"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// body is a return as callers ask for it.
type body struct {
	Type               shipment.ReturnType                     `json:"type"`
	Reason             string                                  `json:"reason"`
	Note               string                                  `json:"note"`
	ItemList           httpapi.List[item]                      `json:"itemList"`
	ExchangeItems      httpapi.List[shipping.Item]             `json:"exchangeItems"`
	PickupAddress      *shipping.Address                       `json:"pickupAddress"`
	PickupContact      *shipping.Contact                       `json:"pickupContact"`
	PickupInstructions *string                                 `json:"pickupInstructions"`
	Package            *shipping.Parcel                        `json:"package"`
	Packages           httpapi.List[shipping.Parcel]           `json:"packages"`
	ProposedProviders  httpapi.List[shipment.ProposedProvider] `json:"proposedProviders"`
}

// item is how many of one item come back.
type item struct {
	SKU      string `json:"sku"`
	Line     int    `json:"line"`
	Quantity int    `json:"quantity"`
}

// maxKey bounds an Idempotency-Key, in bytes.
const maxKey = 255

// Decode reads what a caller asks to have returned. route is what an Idempotency-Key belongs to.
func Decode(q *httpapi.Request, route string) (dispatch.ReturnRequest, error) {
	var b body
	f, err := httpapi.Decode(q.Body, &b)
	if err != nil {
		return dispatch.ReturnRequest{}, err
	}
	r := dispatch.ReturnRequest{Type: b.Type, Reason: b.Reason, Note: b.Note, Exchange: b.ExchangeItems, Address: b.PickupAddress, Contact: b.PickupContact,
		Instructions: b.PickupInstructions, Packages: b.Packages, Plural: len(b.Packages) > 0, Proposed: b.ProposedProviders, Async: httpapi.PrefersAsync(q.HTTP.Header)}
	for _, it := range b.ItemList {
		r.Items = append(r.Items, dispatch.ReturnItem(it))
	}
	if b.Package != nil {
		if len(b.Packages) > 0 {
			f.Add("packages", "cannot be given together with package")
		}
		r.Packages, r.Plural = []shipping.Parcel{*b.Package}, false
	}
	if key := q.HTTP.Header.Get("Idempotency-Key"); key != "" {
		if len(key) > maxKey {
			f.Add("Idempotency-Key", "must be at most %d bytes", maxKey)
		}
		hash := sha256.Sum256(q.Body)
		r.IdempotencyKey, r.BodyHash = route+" "+key, hash[:]
	}
	if len(f) > 0 {
		return r, usecase.Invalid(usecase.ValidationError, f)
	}
	return r, nil
}

// View is a return, as it is shown beside what it returns. It is a shipment of its own: under its orderExternalId, the routes of
// shipments tell more, cancel it and try it again.
type View struct {
	ID              shipment.ID         `json:"id"`
	OrderExternalID string              `json:"orderExternalId"`
	Status          shipping.Status     `json:"status"`
	Type            shipment.ReturnType `json:"type"`
	Reason          string              `json:"reason"`
	Note            string              `json:"note"`
	Items           []shipping.Item     `json:"items"`
	ExchangeItems   []shipping.Item     `json:"exchangeItems"`
	Provider        *ProviderView       `json:"provider"`
	TrackingID      *string             `json:"trackingId"`
	TrackingURL     *string             `json:"trackingUrl"`
	Amount          shipping.Decimal    `json:"amount"`
	Fee             shipping.Decimal    `json:"fee"`
	LabelURL        *string             `json:"labelUrl"`
	LabelURLs       []string            `json:"labelUrls"`
	QRCodeLink      *string             `json:"qrcodeLink"`
	ReturnTo        string              `json:"returnLocationId"`
	CreatedAt       string              `json:"createdAt"`
	LastUpdatedAt   string              `json:"lastUpdatedAt"`
	Warnings        []shipment.Warning  `json:"warnings,omitempty"`
}

// ProviderView is who brings it back.
type ProviderView struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	ServiceID   string `json:"serviceId"`
	ServiceType string `json:"serviceType"`
}

// Show turns a return into what is shown of it. base is what links begin with; pages may be nil.
func Show(sh *shipment.Shipment, base string, pages shape.Pages) View {
	v := View{ID: sh.ID, OrderExternalID: sh.Order.ExternalID, Status: sh.Status, Items: sh.Order.Items, ExchangeItems: []shipping.Item{}, LabelURLs: []string{},
		CreatedAt: clock.Millis(sh.CreatedAt), LastUpdatedAt: clock.Millis(sh.UpdatedAt), Warnings: sh.AllWarnings()}
	if r := sh.ReturnOf; r != nil {
		v.Type, v.Reason, v.Note, v.ReturnTo = r.Type, r.Reason, r.Note, r.Location
		if r.Exchange != nil {
			v.ExchangeItems = r.Exchange
		}
	}
	a := sh.Shown()
	if a == nil {
		return v
	}
	v.Provider = &ProviderView{ID: a.Account, Name: a.Provider, DisplayName: a.DisplayName, ServiceID: a.ServiceID, ServiceType: a.ServiceType}
	v.TrackingID, v.TrackingURL = shape.Text(a.Booking.TrackingID), shape.Text(a.Booking.TrackingURL)
	v.Amount, v.Fee = a.Booking.Amount.Major(), a.Fee.Major()
	label := base + "/shipments/" + url.PathEscape(sh.Order.ExternalID) + "/label"
	for i, p := range a.Booking.Parcels {
		if p.LabelFormat == "" {
			continue
		}
		link := label
		if i > 0 {
			link += "?parcel=" + strconv.Itoa(i+1)
		}
		v.LabelURLs = append(v.LabelURLs, link)
	}
	if len(v.LabelURLs) > 0 {
		v.LabelURL = &v.LabelURLs[0]
	}
	if pages != nil {
		v.QRCodeLink = shape.Text(pages.ReturnCode(sh))
	}
	return v
}

// Present returns what is shown of an order's returns: the one that counts, which is the last that was not cancelled, else the last;
// and all of them where there are several.
func Present(list []*shipment.Shipment, base string, pages shape.Pages) (one *View, all []View) {
	for _, sh := range list {
		v := Show(sh, base, pages)
		all = append(all, v)
		if one == nil || v.Status != shipping.OrderCancelled || one.Status == shipping.OrderCancelled {
			one = &v
		}
	}
	if len(all) < 2 {
		all = nil
	}
	return one, all
}

// Answer is the answer to a return that was asked for: 201 with the return, 202 where its outcome is not known yet.
func Answer(r dispatch.ReturnRequest, res dispatch.Result, base string, pages shape.Pages) httpapi.Answer {
	a := httpapi.Answer{Status: http.StatusCreated, Body: Show(res.Shipment, base, pages),
		Header: http.Header{"Location": {base + "/shipments/" + url.PathEscape(res.Shipment.Order.ExternalID)}}}
	if res.Waiting {
		a.Status = http.StatusAccepted
	}
	if r.Async {
		a.Header.Set("Preference-Applied", "respond-async")
	}
	return a
}
