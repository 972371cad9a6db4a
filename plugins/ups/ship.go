package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Book buys a shipment with all its parcels and their labels. UPS answers with everything at once.
func (a *Account) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	o, format, err := a.checkBooking(r)
	if err != nil {
		return carrier.Booking{}, err
	}
	req := a.shipRequest(ctx, r, o, format)
	s := &req.ShipmentRequest.Shipment
	options, perPackage := signatureOptions(r.Consignment)
	options.SaturdayDeliveryIndicator = mark(string(r.Token) == saturdayToken)
	if options != (shipmentOptions{}) {
		s.ShipmentServiceOptions = &options
	}
	for i := range s.Package {
		s.Package[i].PackageServiceOptions = perPackage
	}
	return a.ship(ctx, r, req)
}

// BookReturn buys the way back with UPS's Print Return Label: the label comes with the answer and the merchant gives it to
// the customer, who is at Pickup. UPS takes one parcel a return in the United States, twenty elsewhere, and no signatures.
func (a *Account) BookReturn(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	o, format, err := a.checkBooking(r)
	if err != nil {
		return carrier.Booking{}, err
	}
	var f shipping.Faults
	if !o.returnable {
		f.Add("serviceId", "UPS has no returns by %s", o.Name)
	}
	if limit := returnLimit(r.Consignment); len(r.Parcels) > limit {
		f.Add("parcels", "must be at most %d in a return from %s", limit, r.Pickup.Address.CountryCode)
	}
	if err := callerFault(f); err != nil {
		return carrier.Booking{}, err
	}
	req := a.shipRequest(ctx, r, o, format)
	s := &req.ShipmentRequest.Shipment
	s.ReturnService = codeOf{Code: printReturnLabel}
	s.Shipper = a.shipParty(a.shipperOr(r.Delivery))
	s.Shipper.ShipperNumber = a.cfg.ShipperNumber
	for i, p := range r.Parcels {
		s.Package[i].Description = goods(r.Items, p, maxParcelWords)
	}
	return a.ship(ctx, r, req)
}

// printReturnLabel is the ReturnService whose label comes with the answer.
const printReturnLabel = "9"

// returnLimit is how many parcels one return may have.
func returnLimit(c carrier.Consignment) int {
	if domesticUS(c.Pickup.Address.CountryCode) {
		return 1
	}
	return maxReturnParcels
}

const (
	maxReturnParcels = 20
	maxGoods         = 50 // characters of Shipment.Description
	maxParcelWords   = 35 // characters of Package.Description
	maxDaysAhead     = 7  // of Shipment.ShipmentDate
)

// checkBooking refuses, before UPS is asked, what it could not be asked.
func (a *Account) checkBooking(r carrier.BookRequest) (offer, shipping.LabelFormat, error) {
	if err := faultsOf(r.Consignment); err != nil {
		return offer{}, "", err
	}
	o, ok := offerByID(r.ServiceID, r.Pickup.Address.CountryCode)
	if !ok {
		return offer{}, "", &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
			Code: carrier.ServiceUnavailable, Field: "serviceId", Message: fmt.Sprintf("UPS sells no %s from %s", r.ServiceID, r.Pickup.Address.CountryCode)}
	}
	format := r.LabelFormat
	if format == "" {
		format = shipping.LabelFormat(a.cfg.LabelFormat)
	}
	var f shipping.Faults
	switch format {
	case shipping.GIF, shipping.ZPL, shipping.EPL:
	default:
		f.Add("labelFormat", "must be GIF, ZPL or EPL: UPS prints no %s", format)
	}
	u := a.units(r.Consignment)
	for i, p := range r.Parcels {
		if code, message := oversize(p, u); code != "" {
			f.Add(fmt.Sprintf("parcels[%d]", i), "%s", message)
		}
	}
	return o, format, callerFault(f)
}

// shipRequest is what forward shipments and returns have in common.
func (a *Account) shipRequest(ctx context.Context, r carrier.BookRequest, o offer, format shipping.LabelFormat) *shipRequest {
	out := &shipRequest{}
	q := &out.ShipmentRequest
	q.Request.RequestOption, q.Request.SubVersion = "nonvalidate", "2205"
	if a.cfg.ValidateAddresses {
		q.Request.RequestOption = "validate"
	}
	q.Request.TransactionReference.CustomerContext = r.Reference
	q.LabelSpecification = labelSpec(format)

	s := &q.Shipment
	s.Shipper = a.shipParty(a.shipperOr(r.Pickup))
	s.Shipper.ShipperNumber = a.cfg.ShipperNumber
	s.ShipFrom, s.ShipTo = a.shipParty(r.Pickup), a.shipParty(r.Delivery)
	s.ShipTo.Address.ResidentialAddressIndicator = mark(residential(r.Delivery.Address))
	s.ShipTo.Address.POBoxIndicator = mark(r.Delivery.Address.Type == "po_box")
	s.PaymentInformation = a.billShipper()
	s.Service.Code = o.Code
	s.ShipmentRatingOptions.NegotiatedRatesIndicator = mark(a.cfg.NegotiatedRates)
	s.TaxInformationIndicator = mark(taxed(r.Pickup.Address))

	u := a.units(r.Consignment)
	for _, p := range r.Parcels {
		s.Package = append(s.Package, shipPackage{
			Packaging: codeOf{Code: a.cfg.Packaging}, Dimensions: dimensionsOf(p, u), PackageWeight: weightOf(p.Weight.In(u.weight), u),
		})
	}
	from, to := r.Pickup.Address.CountryCode, r.Delivery.Address.CountryCode
	refs := references(r.Consignment)
	if from == to && domesticUS(from) {
		for i := range s.Package {
			s.Package[i].ReferenceNumber = refs
		}
	} else {
		s.ReferenceNumber = refs
	}
	if from != to {
		s.Description = goods(r.Items, r.Parcels[0], maxGoods)
		if from == "US" && (to == "PR" || to == "CA") {
			s.InvoiceLineTotal = invoiceTotal(r.Consignment)
		}
	}
	if day, now := pickupDay(r.Consignment, a.env.Now(ctx)), a.env.Now(ctx); day.Format(dateForm) > now.In(day.Location()).Format(dateForm) &&
		day.Before(now.AddDate(0, 0, maxDaysAhead)) {
		s.ShipmentDate = day.Format(dateForm)
	}
	return out
}

func labelSpec(format shipping.LabelFormat) labelSpecification {
	l := labelSpecification{LabelImageFormat: codeOf{Code: string(format)}}
	l.LabelStockSize.Height, l.LabelStockSize.Width = "6", "4" // inches
	if format == shipping.GIF {
		l.HTTPUserAgent = "Mozilla/4.5" // UPS's own default, which it wants named for images
	}
	return l
}

// references are ours, by which a lost booking is found again, and the merchant's order number, for people; labels show two.
func references(c carrier.Consignment) []reference {
	refs := []reference{{Value: c.Reference}}
	if id := line(c.ExternalID, maxReference); id != "" {
		refs = append(refs, reference{Value: id})
	}
	return refs
}

// goods describes the contents for customs and return labels.
func goods(items []shipping.Item, p shipping.Parcel, limit int) string {
	if s := line(p.Description, limit); s != "" {
		return s
	}
	var titles []string
	for _, i := range items {
		if t := line(i.Title, limit); t != "" {
			titles = append(titles, t)
		}
	}
	if len(titles) > 0 {
		return line(strings.Join(titles, ", "), limit)
	}
	return "Merchandise"
}

func (a *Account) shipParty(s carrier.Stop) shipParty {
	p := shipParty{Address: addressOf(s.Address)}
	p.Name, p.AttentionName = names(s)
	if n := phone(s.Contact.Phone); n != "" {
		p.Phone = &phoneNumber{n}
	}
	if e := line(s.Contact.Email, shipping.MaxText); len(e) <= maxEmail {
		p.EMailAddress = e
	}
	return p
}

func (a *Account) ship(ctx context.Context, r carrier.BookRequest, req *shipRequest) (carrier.Booking, error) {
	x := exchange{method: http.MethodPost, path: "/api/shipments/v2409/ship", body: req, acts: true}
	if a.cfg.ValidateAddresses {
		x.query = url.Values{"additionaladdressvalidation": {"city"}}
	}
	var answer shipAnswer
	resp, err := a.ask(ctx, x, &answer)
	if err != nil {
		return carrier.Booking{}, err
	}
	results := answer.ShipmentResponse.first().ShipmentResults.first()
	if results.ShipmentIdentificationNumber == "" {
		return carrier.Booking{}, x.missing(resp, "ShipmentIdentificationNumber")
	}
	return bookingOf(r, answer, shipping.LabelFormat(req.ShipmentRequest.LabelSpecification.LabelImageFormat.Code)), nil
}

// bookingOf maps a shipment that UPS has made: from here on nothing is an error, for that would lose it. A label or a price
// that cannot be read becomes a warning; a label can be fetched again.
func bookingOf(r carrier.BookRequest, answer shipAnswer, asked shipping.LabelFormat) carrier.Booking {
	response := answer.ShipmentResponse.first()
	s := response.ShipmentResults.first()
	b := carrier.Booking{
		Reference: r.Reference, CarrierRef: string(s.ShipmentIdentificationNumber), TrackingID: string(s.ShipmentIdentificationNumber), ServiceID: r.ServiceID,
	}
	for _, alert := range response.Response.first().Alert {
		if alert.Description != "" && alert.Code != invoiceMayVary {
			b.Warnings = append(b.Warnings, string(alert.Description))
		}
	}
	if p, err := priceOf(s.ShipmentCharges.first(), s.NegotiatedRateCharges); err != nil {
		b.Warnings = append(b.Warnings, "UPS's answer names no price that can be read")
	} else {
		b.Amount, b.Charges = p.total, p.charges
	}
	for i, pkg := range s.PackageResults {
		p := carrier.BookedParcel{Number: string(pkg.TrackingNumber)}
		if pkg.USPSPICNumber != "" {
			p.Number = string(pkg.USPSPICNumber) // Ground Saver: the number by which the parcel is tracked to the door
		}
		l := pkg.ShippingLabel.first()
		label, err := labelOf(string(l.GraphicImage), string(l.ImageFormat.first().Code), asked)
		if err != nil {
			b.Warnings = append(b.Warnings, fmt.Sprintf("the label of parcel %d must be fetched again: %v", i+1, err))
		}
		p.Label = label
		b.Parcels = append(b.Parcels, p)
	}
	if len(b.Parcels) == 0 {
		b.Parcels = []carrier.BookedParcel{{Number: b.CarrierRef}} // the shipment has the number of its first parcel
	}
	if got, want := len(b.Parcels), len(r.Parcels); got != want {
		b.Warnings = append(b.Warnings, fmt.Sprintf("UPS's answer names %d parcels of %d", got, want))
	}
	if b.Parcels[0].Number != "" {
		b.TrackingID = b.Parcels[0].Number
	}
	b.TrackingURL = trackingURL(b.TrackingID)
	return b
}

func trackingURL(number string) string {
	return "https://www.ups.com/track?tracknum=" + url.QueryEscape(number)
}

// labelOf decodes a label. Its format is read from its first bytes, for UPS answers PNG where GIF was asked for, then from
// what UPS says, then from what was asked.
func labelOf(image, said string, asked shipping.LabelFormat) (*shipping.Label, error) {
	image = strings.Join(strings.Fields(image), "")
	if image == "" {
		return nil, fmt.Errorf("UPS sent no image")
	}
	data, err := base64.StdEncoding.DecodeString(image)
	if err != nil {
		return nil, fmt.Errorf("its image is not base64")
	}
	l := &shipping.Label{Format: asked, Data: data}
	switch f := shipping.LabelFormat(strings.ToUpper(said)); f {
	case shipping.GIF, shipping.PNG, shipping.ZPL, shipping.EPL, shipping.PDF:
		l.Format = f
	case "EPL2":
		l.Format = shipping.EPL
	}
	head := string(data[:min(len(data), 8)])
	switch {
	case strings.HasPrefix(head, "GIF8"):
		l.Format = shipping.GIF
	case strings.HasPrefix(head, "\x89PNG"):
		l.Format = shipping.PNG
	case strings.HasPrefix(head, "%PDF"):
		l.Format = shipping.PDF
	}
	return l, nil
}
