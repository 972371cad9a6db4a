package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// quoteLife is how long DoorDash honours a quote. Its API reference does not say; several integrators give five minutes.
const quoteLife = 5 * time.Minute

// quoteToken comes back at Book and says that the reference is a quote of DoorDash's.
type quoteToken struct {
	Expires shipping.Instant `json:"expires"`
}

// Check reads a delivery that cannot exist: DoorDash answers 404 to who may ask and 401 to who may not.
func (a *Account) Check(ctx context.Context) error {
	_, e := a.call(ctx, http.MethodGet, deliveryPath("waybill-credentials-check"), nil)
	if e == nil || e.HTTPStatus == http.StatusNotFound {
		return nil
	}
	return e
}

// Quote asks for a price, which reserves the reference.
func (a *Account) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	if len(r.Services) > 0 && !slices.Contains(r.Services, serviceID) {
		return carrier.QuoteAnswer{}, nil
	}
	now := a.env.Now(ctx)
	d, e := a.call(ctx, http.MethodPost, "/drive/v2/quotes", a.newOrder(r.Consignment, now, r.WayBack))
	expires := now.Add(quoteLife)
	if e != nil && e.Code == carrier.DuplicateReference { // asked before, and the answer was lost
		if d, e = a.existing(ctx, r.Consignment, e); e == nil && d.Status != statusQuote {
			e = notOurs("The reference has been booked at DoorDash already.")
		}
		if e == nil {
			if at := parseTime(d.UpdatedAt); !at.IsZero() {
				expires = at.Add(quoteLife)
			}
		}
	}
	if e != nil {
		if refusal, ok := refusalOf(e); ok {
			return carrier.QuoteAnswer{Refusals: []shipping.Refusal{refusal}}, nil
		}
		return carrier.QuoteAnswer{}, e
	}
	token, err := json.Marshal(quoteToken{shipping.At(expires)})
	if err != nil {
		return carrier.QuoteAnswer{}, internal("A quote's token could not be written.", err)
	}
	amount, tax, charges := d.price(r.Consignment)
	return carrier.QuoteAnswer{Quotes: []shipping.Quote{{
		ServiceID: serviceID, ServiceCode: service.Code, ServiceType: service.Name, Mode: service.Mode, Vehicle: a.vehicle(),
		Amount: amount, Tax: tax, Charges: charges, Pickup: moment(d.PickupEstimated), Delivery: moment(d.DropoffEstimated),
		Expires: shipping.At(expires), Token: token,
	}}}, nil
}

// Book accepts the quote that reserved the reference, or makes a delivery where there was none. Whatever DoorDash has under
// the reference already is read and compared, never booked again.
func (a *Account) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	now := a.env.Now(ctx)
	var d *delivery
	var e *carrier.Error
	if len(r.Token) > 0 {
		var token quoteToken
		if err := json.Unmarshal(r.Token, &token); err != nil || token.Expires.IsZero() {
			return carrier.Booking{}, &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
				Code: carrier.InvalidField, Field: "token", Message: "The token is not one of this adapter's quotes.", Err: err}
		}
		if !now.Before(token.Expires.Time) {
			return carrier.Booking{}, quoteExpired(nil)
		}
		d, e = a.call(ctx, http.MethodPost, "/drive/v2/quotes/"+url.PathEscape(r.Reference)+"/accept",
			acceptance{Tip: cents(r.Tip), DropoffPhone: r.Delivery.Contact.Phone})
		if e != nil && expiredAtAccept(e) {
			return carrier.Booking{}, quoteExpired(e)
		}
	} else {
		d, e = a.call(ctx, http.MethodPost, "/drive/v2/deliveries", a.newOrder(r.Consignment, now, false))
	}
	if e != nil && e.HTTPStatus == http.StatusConflict {
		if d, e = a.existing(ctx, r.Consignment, e); e == nil && d.Status == statusQuote {
			return carrier.Booking{}, stillQuoted(len(r.Token) > 0)
		}
	}
	if e != nil {
		return carrier.Booking{}, e
	}
	if d.ExternalDeliveryID != r.Reference || d.Status == statusQuote {
		return carrier.Booking{}, &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectUnknown, Retry: carrier.RetryNever,
			Code: carrier.CarrierProtocol, Message: "DoorDash answered with something else than the delivery that was asked for."}
	}
	if d.Status == statusCancelled {
		return carrier.Booking{}, notOurs("The delivery under this reference is cancelled.")
	}
	b := d.booking(r.Consignment)
	for range len(r.Parcels) - 1 { // one Dasher takes them all, under one number and without labels
		b.Parcels = append(b.Parcels, b.Parcels[0])
	}
	return b, nil
}

// existing reads what DoorDash has under a reference after a 409, and checks that it is this order.
func (a *Account) existing(ctx context.Context, c carrier.Consignment, conflict *carrier.Error) (*delivery, *carrier.Error) {
	d, e := a.call(ctx, http.MethodGet, deliveryPath(c.Reference), nil)
	switch {
	case e != nil && e.Code == carrier.BookingNotFound: // a 409 about something else
		return nil, conflict
	case e != nil: // something is there, and it cannot be read now
		e.Effect = carrier.EffectUnknown
		return nil, e
	case !d.same(c):
		return nil, notOurs("DoorDash has another order under this reference.")
	}
	return d, nil
}

// same compares what DoorDash repeats unchanged. It may spell addresses in its own way, so of these only the postal code counts.
func (d *delivery) same(c carrier.Consignment) bool {
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, s)
	}
	postal := strings.ToLower(c.Delivery.Address.PostalCode)
	return d.ExternalDeliveryID == c.Reference &&
		(d.DropoffPhone == "" || digits(d.DropoffPhone) == digits(c.Delivery.Contact.Phone)) &&
		(d.OrderValue == nil || !inCents(c.OrderValue) || *d.OrderValue == c.OrderValue.Minor) &&
		(d.PickupReferenceTag == "" || d.PickupReferenceTag == c.ExternalID) &&
		(d.DropoffAddress == "" || strings.Contains(strings.ToLower(d.DropoffAddress), postal))
}

func notOurs(message string) *carrier.Error {
	return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.DuplicateReference,
		CarrierCode: duplicateID, HTTPStatus: http.StatusConflict, Message: message}
}

// expiredAtAccept tells the answers that mean a quote which DoorDash finds too old and the adapter does not; DoorDash documents
// none. Either it does not know the id any more that it has quoted under, or it refuses and names the quote. Any other 400 is
// about the order's data, and a 404 without that code is not about the quote at all.
func expiredAtAccept(e *carrier.Error) bool {
	switch e.HTTPStatus {
	case http.StatusNotFound:
		return e.CarrierCode == unknownDelivery
	case http.StatusBadRequest:
		said := strings.ToLower(e.CarrierCode + " " + e.CarrierMessage)
		return e.Field == "reference" || e.Field == "" && (strings.Contains(said, "quote") || strings.Contains(said, "expired"))
	}
	return false
}

func quoteExpired(e *carrier.Error) *carrier.Error {
	out := &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.QuoteExpired,
		Message: "DoorDash's quote is older than five minutes."}
	if e != nil {
		out.HTTPStatus, out.CarrierCode, out.CarrierMessage = e.HTTPStatus, e.CarrierCode, e.CarrierMessage
	}
	return out
}

// stillQuoted is the answer to a booking whose reference is a quote even so. When it was being accepted, an earlier accept may
// be on its way; when not, a quote whose price nobody chose holds the reference.
func stillQuoted(accepting bool) *carrier.Error {
	if accepting {
		return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectUnknown, Retry: carrier.RetryNever, Code: carrier.OutcomeUnknown,
			HTTPStatus: http.StatusConflict, Message: "DoorDash refuses to accept the quote and still shows it as a quote."}
	}
	e := quoteExpired(nil)
	e.HTTPStatus, e.CarrierCode = http.StatusConflict, duplicateID
	e.Message = "A quote holds the reference at DoorDash; it takes a new one."
	return e
}

// Cancel ends a delivery that no Dasher has picked up. One that is cancelled already is success.
func (a *Account) Cancel(ctx context.Context, r carrier.CancelRequest) (carrier.Cancellation, error) {
	d, e := a.call(ctx, http.MethodPut, deliveryPath(firstOf(r.CarrierRef, r.Reference))+"/cancel", nil)
	switch {
	case e == nil:
		return d.cancellation(), nil
	case e.HTTPStatus == http.StatusConflict && e.CarrierCode == deliveryCancelled:
		if d, e := a.call(ctx, http.MethodGet, deliveryPath(firstOf(r.CarrierRef, r.Reference)), nil); e == nil && d.Status == statusCancelled {
			return d.cancellation(), nil
		}
		return carrier.Cancellation{Note: e.CarrierMessage}, nil // that it is cancelled is certain all the same
	case refusedForStage(e):
		e.Code, e.Message = carrier.CancelRefused, "DoorDash does not cancel a delivery at this stage."
		if e.CarrierCode == creationInProgress {
			e.Retry, e.RetryAfter, e.Message = carrier.RetryAfter, rateLimitPause, "DoorDash is still creating the delivery."
		}
	}
	return carrier.Cancellation{}, e
}

// cancellation reads the end of a delivery. Of all reasons that DoorDash knows, one says what becomes of the money.
func (d *delivery) cancellation() carrier.Cancellation {
	c := carrier.Cancellation{Note: d.CancellationReason}
	if d.CancellationReason == assignFailed {
		c.Refund, _, _ = d.price(carrier.Consignment{})
	}
	return c
}

// Find reads the delivery by its reference. A quote that was never accepted is not a booking.
func (a *Account) Find(ctx context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	d, e := a.call(ctx, http.MethodGet, deliveryPath(r.Reference), nil)
	switch {
	case e != nil && e.Code == carrier.BookingNotFound:
		return nil, nil
	case e != nil:
		return nil, e
	case d.Status == statusQuote:
		return nil, nil
	}
	return []carrier.Booking{d.booking(carrier.Consignment{})}, nil
}

// Edit changes instructions, contact and signature of a delivery.
func (a *Account) Edit(ctx context.Context, r carrier.EditRequest) (carrier.Booking, error) {
	d, e := a.call(ctx, http.MethodPatch, deliveryPath(firstOf(r.CarrierRef, r.Reference)), newChange(r.Consignment))
	if e != nil {
		if refusedForStage(e) {
			e.Code, e.Message = carrier.EditRefused, "DoorDash does not change a delivery at this stage."
		}
		return carrier.Booking{}, e
	}
	return d.booking(r.Consignment), nil
}

// booking reads a delivery. DoorDash's own number is the support reference, which people see; its key is our reference.
func (d *delivery) booking(c carrier.Consignment) carrier.Booking {
	amount, _, charges := d.price(c)
	number := firstOf(d.SupportReference, d.ExternalDeliveryID)
	return carrier.Booking{
		Reference: d.ExternalDeliveryID, CarrierRef: d.ExternalDeliveryID, ServiceID: serviceID, TrackingID: number, TrackingURL: d.TrackingURL,
		Parcels: []carrier.BookedParcel{{Number: number}}, Amount: amount, Charges: charges,
		Pickup: moment(d.PickupEstimated), Delivery: moment(d.DropoffEstimated), Cancelled: d.Status == statusCancelled,
	}
}

// price reads fee and tax. The specification calls the fee that of the delivery and lists the tax (Canada) beside it, so the
// two are added. A tip is not part of either.
func (d *delivery) price(c carrier.Consignment) (amount, tax shipping.Money, charges []shipping.Charge) {
	currency := strings.ToUpper(d.Currency)
	if _, ok := shipping.CurrencyDigits(currency); !ok {
		currency = homeCurrency(c)
	}
	if currency == "" { // without a currency a number is not money
		return amount, tax, nil
	}
	money := func(cents int64) shipping.Money { return shipping.Money{Minor: cents, Currency: currency} }
	sum := int64(0)
	for _, f := range d.FeeComponents {
		sum += f.Amount
		charges = append(charges, shipping.Charge{Code: f.Type, Amount: money(f.Amount)})
	}
	if sum != d.Fee { // components that do not explain the fee would only confuse
		charges = []shipping.Charge{{Code: "fee", Name: "Delivery fee", Amount: money(d.Fee)}}
	}
	if d.Tax != 0 {
		tax = money(d.Tax)
		charges = append(charges, shipping.Charge{Code: "tax", Name: "Tax", Amount: tax})
	}
	return money(d.Fee + d.Tax), tax, charges
}

// homeCurrency is that of the pickup place, for answers that name none.
func homeCurrency(c carrier.Consignment) string {
	switch c.Pickup.Address.CountryCode {
	case "US", "PR":
		return "USD"
	case "CA":
		return "CAD"
	case "AU":
		return "AUD"
	case "NZ":
		return "NZD"
	}
	return c.Currency
}

// vehicle is what a Dasher will most likely come with, in the words of quotes.
func (a *Account) vehicle() string {
	switch a.cfg.Vehicles[0] {
	case "bicycle":
		return "bike"
	case "walking":
		return "foot"
	}
	return "car"
}
