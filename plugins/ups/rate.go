package main

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Quote asks UPS for all its services at once, with their times in transit. What UPS never carries is refused without
// asking it. The way back is priced as the return that BookReturn makes of it, which costs more.
func (a *Account) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	if err := faultsOf(r.Consignment); err != nil {
		return carrier.QuoteAnswer{}, err
	}
	u := a.units(r.Consignment)
	for _, p := range r.Parcels {
		if code, message := oversize(p, u); code != "" {
			return refuseAll(code, message), nil
		}
	}
	if limit := returnLimit(r.Consignment); r.WayBack && len(r.Parcels) > limit {
		return refuseAll("NOT_SUPPORTED", fmt.Sprintf("UPS takes at most %d parcels in a return from %s", limit, r.Pickup.Address.CountryCode)), nil
	}
	x := exchange{
		method: http.MethodPost, path: "/api/rating/v2409/Shoptimeintransit",
		query: url.Values{"additionalinfo": {"timeintransit"}}, body: a.rateRequest(ctx, r, u),
	}
	var answer rateAnswer
	resp, err := a.ask(ctx, x, &answer)
	if err != nil {
		if refused, ok := asRefusal(err); ok {
			return refused, nil
		}
		return carrier.QuoteAnswer{}, err
	}
	if len(answer.RateResponse.first().RatedShipment) == 0 {
		err := x.missing(resp, "RatedShipment")
		if refused, ok := asRefusal(err); ok {
			return refused, nil
		}
		return carrier.QuoteAnswer{}, err
	}
	return a.quotes(r, answer), nil
}

// asRefusal turns what UPS says about this consignment alone into a refusal of all services.
func asRefusal(err error) (carrier.QuoteAnswer, bool) {
	e := carrier.AsError(err)
	switch {
	case e.Code == carrier.ServiceUnavailable:
		return refuseAll(string(e.Code), words(e)), true
	case e.Code == carrier.InvalidField && e.Message == tooLarge:
		return refuseAll("TOO_LARGE", words(e)), true
	}
	return carrier.QuoteAnswer{}, false
}

func words(e *carrier.Error) string {
	if e.CarrierMessage != "" {
		return e.CarrierMessage
	}
	return e.Message
}

func refuseAll(code, message string) carrier.QuoteAnswer {
	return carrier.QuoteAnswer{Refusals: []shipping.Refusal{{Code: code, Message: message}}}
}

// faultsOf refuses what no request to UPS can be made of.
func faultsOf(c carrier.Consignment) error {
	var f shipping.Faults
	switch {
	case len(c.Parcels) == 0:
		f.Add("parcels", "must not be empty")
	case len(c.Parcels) > maxParcels:
		f.Add("parcels", "must be at most %d", maxParcels)
	}
	for i, p := range c.Parcels {
		if p.Weight == nil {
			f.Add(fmt.Sprintf("parcels[%d].weight", i), "is required")
		} else {
			p.Weight.Validate(&f, fmt.Sprintf("parcels[%d].weight", i))
		}
		if p.Size != nil {
			p.Size.Validate(&f, fmt.Sprintf("parcels[%d].size", i))
		}
	}
	for _, end := range []struct {
		path string
		at   carrier.Stop
	}{{"pickup.address", c.Pickup}, {"delivery.address", c.Delivery}} {
		if len(end.at.Address.CountryCode) != 2 {
			f.Add(end.path+".countryCode", "must be two letters")
		}
		if _, ok := addressLines(end.at.Address); !ok {
			f.Add(end.path+".street1", "with street2 and apartmentNumber must fit into three lines of %d characters", maxLine)
		}
	}
	return callerFault(f)
}

func callerFault(f shipping.Faults) error {
	if len(f) == 0 {
		return nil
	}
	return &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
		Code: carrier.InvalidField, Field: f[0].Path, Message: f.Error()}
}

func (a *Account) units(c carrier.Consignment) *system {
	return unitsFor(a.cfg.Units, a.shipperOr(c.Pickup).Address.CountryCode)
}

func (a *Account) rateRequest(ctx context.Context, r carrier.QuoteRequest, u *system) *rateRequest {
	out := &rateRequest{}
	q := &out.RateRequest
	q.Request.RequestOption, q.Request.SubVersion = "Shoptimeintransit", "2409"
	q.Request.TransactionReference.CustomerContext = r.Reference
	q.PickupType.Code = a.cfg.PickupType
	if domesticUS(r.Pickup.Address.CountryCode) {
		q.CustomerClassification.Code = "00" // the rates that belong to the shipper number
	}
	s := &q.Shipment
	merchant := r.Pickup
	if r.WayBack {
		merchant = r.Delivery
	}
	s.Shipper = ratePartyOf(a.shipperOr(merchant))
	s.Shipper.ShipperNumber = a.cfg.ShipperNumber
	s.ShipFrom, s.ShipTo = ratePartyOf(r.Pickup), ratePartyOf(r.Delivery)
	s.ShipTo.Address.ResidentialAddressIndicator = mark(residential(r.Delivery.Address))
	s.PaymentDetails = a.billShipper()
	s.ShipmentRatingOptions.NegotiatedRatesIndicator = mark(a.cfg.NegotiatedRates)
	s.TaxInformationIndicator = mark(taxed(r.Pickup.Address))
	var o shipmentOptions
	var perPackage *packageOptions
	if r.WayBack { // it is booked without signature and for weekdays, whatever the account and the order want of the way there
		o.ReturnService = &codeOf{Code: printReturnLabel}
	} else if o, perPackage = signatureOptions(r.Consignment); a.cfg.SaturdayDelivery {
		o.AvailableServicesOption = "1" // weekday and Saturday
	}
	if o != (shipmentOptions{}) {
		s.ShipmentServiceOptions = &o
	}
	for _, p := range r.Parcels {
		s.Package = append(s.Package, ratePackage{
			PackagingType: codeOf{Code: a.cfg.Packaging}, Dimensions: dimensionsOf(p, u), PackageWeight: weightOf(p.Weight.In(u.weight), u),
			PackageServiceOptions: perPackage,
		})
	}
	if r.Pickup.Address.CountryCode != r.Delivery.Address.CountryCode {
		s.InvoiceLineTotal = invoiceTotal(r.Consignment)
		sum := new(big.Rat)
		for _, p := range r.Parcels {
			sum.Add(sum, p.Weight.In(u.weight))
		}
		total := weightOf(sum, u)
		s.ShipmentTotalWeight = &total
	}
	day := pickupDay(r.Consignment, a.env.Now(ctx))
	s.DeliveryTimeInformation.PackageBillType = "03" // not documents
	s.DeliveryTimeInformation.Pickup.Date = day.Format(dateForm)
	s.DeliveryTimeInformation.Pickup.Time = day.Format("1504")
	return out
}

// dateForm is UPS's YYYYMMDD.
const dateForm = "20060102"

// endOfDay is by when UPS means to come where it names a day and no time.
const endOfDay = "235959"

// pickupDay is when the parcels are handed over: where the pickup window opens, but not before now.
func pickupDay(c carrier.Consignment, now time.Time) time.Time {
	at := now
	if start := c.Pickup.Window.StartsAt; start.After(now) {
		at = start.Time
	}
	return at.In(zoneOr(c.Pickup.Zone, time.UTC))
}

// zones keeps the zones that were asked for: each comes from a file.
var zones sync.Map // name -> *time.Location

// zoneOr returns the zone of a place, or other where it has none that is known.
func zoneOr(name string, other *time.Location) *time.Location {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location)
	}
	if name == "" {
		return other
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return other
	}
	zones.Store(name, z)
	return z
}

func ratePartyOf(s carrier.Stop) rateParty {
	name, attention := names(s)
	return rateParty{Name: name, AttentionName: attention, Address: addressOf(s.Address)}
}

// names are the company and the person at a place; UPS wants the first always.
func names(s carrier.Stop) (name, attention string) {
	name, attention = line(s.Name, maxName), line(s.Contact.Name, maxName)
	if name == "" {
		return attention, attention
	}
	return name, attention
}

func addressOf(a shipping.Address) address {
	lines, _ := addressLines(a)
	return address{
		AddressLine: lines, City: line(a.City, maxCity), StateProvinceCode: line(a.State, maxState), PostalCode: postal(a), CountryCode: a.CountryCode,
	}
}

func (a *Account) billShipper() payment {
	c := shipmentCharge{Type: "01"} // transportation; duties and taxes are the receiver's by UPS's default
	c.BillShipper.AccountNumber = a.cfg.ShipperNumber
	return payment{ShipmentCharge: []shipmentCharge{c}}
}

func dimensionsOf(p shipping.Parcel, u *system) *dimensions {
	if p.Size == nil {
		return nil
	}
	s := sides(*p.Size, u)
	return &dimensions{codeOf{u.lengthCode, u.lengthName}, s[0].String(), s[1].String(), s[2].String()}
}

func weightOf(w *big.Rat, u *system) measured {
	return measured{codeOf{u.weightCode, u.weightName}, weightText(w)}
}

// taxed reports whether UPS charges taxes on shipments from a country; it does not in the United States.
func taxed(from shipping.Address) bool { return !domesticUS(from.CountryCode) }

// invoiceTotal is the value of the goods, which Rating wants for times in transit across borders: 1 or more.
func invoiceTotal(c carrier.Consignment) *amount {
	value := c.OrderValue
	digits, ok := shipping.CurrencyDigits(value.Currency)
	if !ok {
		value.Currency = c.Currency
		digits, _ = shipping.CurrencyDigits(value.Currency)
	}
	one := int64(1)
	for range digits {
		one *= 10
	}
	value.Minor = max(value.Minor, one)
	return &amount{value.Currency, money(value)}
}

// signatureOptions says how to ask for a signature: at the packages within US and PR or within Canada, at the shipment
// elsewhere, where the same field counts differently. A direct signature is one at the delivery address itself.
func signatureOptions(c carrier.Consignment) (shipment shipmentOptions, perPackage *packageOptions) {
	var level int
	switch c.Signature {
	case "required":
		level = 1
	case "direct":
		level, shipment.DirectDeliveryOnlyIndicator = 1, true
	case "adult":
		level = 2
	default:
		return shipment, nil
	}
	from, to := c.Pickup.Address.CountryCode, c.Delivery.Address.CountryCode
	if domesticUS(from) && domesticUS(to) || from == "CA" && to == "CA" {
		return shipment, &packageOptions{confirmation{strconv.Itoa(level + 1)}}
	}
	shipment.DeliveryConfirmation = &confirmation{strconv.Itoa(level)}
	return shipment, nil
}

// saturdayToken comes back at Book with a quote whose price and time are those of Saturday delivery.
const saturdayToken = "saturday"

// quotes maps an answer. A service that stands twice is there once for weekdays and once for Saturday: the account's
// configuration says which of them is meant.
func (a *Account) quotes(r carrier.QuoteRequest, answer rateAnswer) carrier.QuoteAnswer {
	var out carrier.QuoteAnswer
	origin := r.Pickup.Address.CountryCode
	from, to := zoneOr(r.Pickup.Zone, nil), zoneOr(r.Delivery.Zone, nil)
	at := map[string]int{}
	var refused []string
	for _, rated := range answer.RateResponse.first().RatedShipment {
		code := string(rated.Service.first().Code)
		o, ok := offerByCode(code, origin)
		if !ok {
			a.env.Log().Debug("UPS offers a service that no table knows", "service", code)
			continue
		}
		if len(r.Services) > 0 && !slices.Contains(r.Services, o.ID) || r.WayBack && !o.returnable {
			continue
		}
		q, err := quoteOf(o, rated, from, to)
		if err != nil {
			refused = append(refused, o.ID)
			out.Refusals = append(out.Refusals, shipping.Refusal{ServiceID: o.ID, Code: string(carrier.CarrierProtocol),
				Message: "UPS's price cannot be read: " + err.Error()})
			continue
		}
		saturday, wanted := rated.saturday(), a.cfg.SaturdayDelivery && !r.WayBack
		if saturday && wanted {
			q.Token = []byte(saturdayToken)
		}
		if i, twin := at[o.ID]; twin {
			if saturday == wanted {
				out.Quotes[i] = q
			}
			continue
		}
		at[o.ID] = len(out.Quotes)
		out.Quotes = append(out.Quotes, q)
	}
	for _, id := range r.Services {
		if _, quoted := at[id]; !quoted && !slices.Contains(refused, id) {
			out.Refusals = append(out.Refusals, shipping.Refusal{ServiceID: id, Code: string(carrier.ServiceUnavailable),
				Message: "UPS does not offer this service for this shipment"})
		}
	}
	return out
}

// saturday reports that a row is one of Saturday delivery at an additional charge, or could be had as one.
func (r ratedShipment) saturday() bool {
	return r.TimeInTransit.first().ServiceSummary.first().SaturdayDelivery == "1"
}

func quoteOf(o offer, rated ratedShipment, from, to *time.Location) (shipping.Quote, error) {
	p, err := priceOf(rated.charges, rated.NegotiatedRateCharges)
	if err != nil {
		return shipping.Quote{}, err
	}
	q := shipping.Quote{ServiceID: o.ID, ServiceCode: o.Code, ServiceType: o.Name, Mode: o.Mode, Amount: p.total, Tax: p.tax, Charges: p.charges}
	g := rated.GuaranteedDelivery.first()
	summary := rated.TimeInTransit.first().ServiceSummary.first()
	arrival := summary.EstimatedArrival.first()
	q.Guaranteed = len(rated.GuaranteedDelivery) > 0 || bool(summary.GuaranteedIndicator)
	q.TransitDays = days(arrival.BusinessDaysInTransit, g.BusinessDaysInTransit, arrival.TotalTransitDays)
	q.Delivery.EndsAt = arrival.Arrival.first().instant(to)
	if q.Delivery.EndsAt.IsZero() {
		q.Delivery.EndsAt = localTime{g.ScheduledDeliveryDate, clockTime(g.DeliveryByTime)}.instant(to)
	}
	q.Pickup.EndsAt = arrival.Pickup.first().instant(from)
	for _, alert := range rated.RatedShipmentAlert {
		if alert.Code != invoiceMayVary && alert.Description != "" {
			q.Warnings = append(q.Warnings, string(alert.Description))
		}
	}
	return q, nil
}

// invoiceMayVary stands in nearly every answer and says only that the invoice may differ from the displayed rates.
const invoiceMayVary = "110971"

// days returns the first of the texts that is a number of days.
func days(texts ...text) int {
	for _, t := range texts {
		if n, err := strconv.Atoi(string(t)); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// instant places a local time in its zone. Without a zone there is no instant; a day without a time means its end.
func (l localTime) instant(zone *time.Location) shipping.Instant {
	if zone == nil || l.Date == "" {
		return shipping.Instant{}
	}
	clock := l.Time
	if clock == "" {
		clock = endOfDay
	}
	t, ok := timeOf(l.Date, clock, zone)
	if !ok {
		return shipping.Instant{}
	}
	return shipping.At(t)
}

// clockTime turns Rating's prose ("10:30 A.M.") into HHMM, "" where it is none.
func clockTime(prose text) text {
	s := make([]byte, 0, len(prose))
	for i := range len(prose) {
		if c := prose[i]; c != '.' && c != ' ' {
			s = append(s, c)
		}
	}
	t, err := time.Parse("3:04PM", string(s))
	if err != nil {
		return ""
	}
	return text(t.Format("1504"))
}
