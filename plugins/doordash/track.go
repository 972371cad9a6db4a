package main

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// maxParallel bounds the reads of one Track call: DoorDash reads one delivery at a time and counts requests.
const maxParallel = 8

const (
	statusQuote     = "quote"
	statusCancelled = "cancelled"
)

// meaning is what a word of DoorDash's says in ours.
type meaning struct {
	status shipping.Status
	sub    string
}

// statuses maps delivery_status. "created" comes back when a Dasher gives a delivery back; which of the two it is, only the
// history tells, which the engine has.
var statuses = map[string]meaning{
	"created":                          {shipping.OrderDispatched, ""},
	"confirmed":                        {shipping.OrderAssigned, ""},
	"enroute_to_pickup":                {shipping.PickupStarted, ""},
	"arrived_at_pickup":                {shipping.PickupStarted, "DRIVER_AT_PICKUP"},
	"picked_up":                        {shipping.PickupCompleted, ""},
	"enroute_to_dropoff":               {shipping.OutForDelivery, ""},
	"arrived_at_dropoff":               {shipping.OutForDelivery, "COURIER_NEARBY"},
	"delivered":                        {shipping.OrderDelivered, ""},
	"enroute_to_return":                {shipping.OrderUndeliverable, "RETURN_STARTED"},
	"arrived_at_return":                {shipping.OrderUndeliverable, "RETURN_AT_LOCATION"},
	"returned":                         {shipping.OrderUndeliverable, "RETURNED"},
	statusCancelled:                    {shipping.OrderCancelled, ""},
	"delivery_cancelled":               {shipping.OrderCancelled, ""},
	"delivery_created":                 {shipping.OrderDispatched, ""},
	"delivery_batched":                 {shipping.OrderDispatched, "BATCHED"},
	"dasher_confirmed":                 {shipping.OrderAssigned, ""},
	"dasher_picked_up":                 {shipping.PickupCompleted, ""},
	"dasher_dropped_off":               {shipping.OrderDelivered, ""},
	"delivery_returned":                {shipping.OrderUndeliverable, "RETURNED"},
	"parcel_labeled":                   {shipping.OrderDispatched, ""},
	"parcel_scanned":                   {shipping.InTransit, ""},
	"dasher_enroute_to_pickup":         {shipping.PickupStarted, ""},
	"dasher_confirmed_pickup_arrival":  {shipping.PickupStarted, "DRIVER_AT_PICKUP"},
	"dasher_enroute_to_dropoff":        {shipping.OutForDelivery, ""},
	"dasher_confirmed_dropoff_arrival": {shipping.OutForDelivery, "COURIER_NEARBY"},
	"delivery_return_initialized":      {shipping.OrderUndeliverable, "RETURN_STARTED"},
	"dasher_enroute_to_return":         {shipping.OrderUndeliverable, "RETURN_STARTED"},
	"dasher_confirmed_return_arrival":  {shipping.OrderUndeliverable, "RETURN_AT_LOCATION"},
	"dasher_attempted_delivery":        {shipping.OrderRedelivery, "DELIVERY_ATTEMPTED"},
	"parcel_received_to_redeliver":     {shipping.OrderRedelivery, ""},
	"parcel_return_to_merchant":        {shipping.OrderUndeliverable, "RETURN_STARTED"},
	"parcel_lost_in_transit":           {shipping.ErrorException, ""},
}

// ends maps cancellation_reason, which says what a cancellation means.
var ends = map[string]struct {
	meaning
	reason, title string
}{
	"cancelled_by_creator":      {meaning{shipping.OrderCancelled, ""}, shipping.CancelledByMerchant, "Cancelled by the merchant"},
	assignFailed:                {meaning{shipping.OrderFailed, ""}, "NO_DRIVER_AVAILABLE", "No driver available"},
	"failed_to_process_payment": {meaning{shipping.OrderFailed, ""}, "OTHER", "Payment failed"},
	"failed_to_pickup":          {meaning{shipping.ErrorException, ""}, "ORDER_ISSUE", "Order issue"},
	"failed_to_deliver":         {meaning{shipping.OrderUndeliverable, "DELIVERY_ATTEMPTED"}, "CUSTOMER_UNAVAILABLE", "Customer unavailable"},
	"failed_to_return":          {meaning{shipping.OrderUndeliverable, "RETURN_FAILED"}, "OTHER", "Return failed"},
}

// event reads one word of DoorDash's, a status or the name of a webhook. clock is its time as DoorDash wrote it, "" where it wrote
// none. A word that is not known keeps Status empty.
func event(word, cancellation string, at shipping.Instant, clock string) shipping.TrackingEvent {
	name := strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(word))
	m := statuses[name]
	e := shipping.TrackingEvent{Time: at, ZoneKnown: true, CarrierTime: clock, CarrierCode: word, CarrierWords: cancellation, Status: m.status, SubStatus: m.sub}
	if m.status == shipping.OrderCancelled && cancellation != "" {
		end, known := ends[strings.ToLower(cancellation)]
		if known {
			e.Status, e.SubStatus = end.status, end.sub
		} else {
			end.reason, end.title = "OTHER", "Other"
		}
		e.Reason = &shipping.EventReason{Code: end.reason, Title: end.title, Note: cancellation}
	}
	return e
}

// Track reads the deliveries one by one, a few at a time. Where some can be read and some not, the latter are answered without
// news; where none can, the first error tells why.
func (a *Account) Track(ctx context.Context, r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
	updates := make([]carrier.TrackUpdate, len(r.Parcels))
	faults := make([]*carrier.Error, len(r.Parcels))
	slots := make(chan struct{}, maxParallel)
	var wg sync.WaitGroup
	for i, p := range r.Parcels {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			updates[i], faults[i] = a.trackOne(ctx, p)
		})
	}
	wg.Wait()
	var first *carrier.Error
	failed := 0
	for _, e := range faults {
		if e != nil {
			failed++
			if first == nil {
				first = e
			}
		}
	}
	if failed > 0 && failed == len(r.Parcels) {
		return nil, first
	}
	if failed > 0 {
		a.env.Log().Warn("some deliveries could not be read", "failed", failed, "asked", len(r.Parcels), "code", string(first.Code), "status", first.HTTPStatus)
	}
	return updates, nil
}

func (a *Account) trackOne(ctx context.Context, p carrier.TrackedParcel) (carrier.TrackUpdate, *carrier.Error) {
	u := carrier.TrackUpdate{Number: p.Number, Reference: p.Reference}
	d, e := a.call(ctx, http.MethodGet, deliveryPath(firstOf(p.Reference, p.Number)), nil)
	switch {
	case e != nil && e.Code == carrier.BookingNotFound:
		u.Unknown = true
		return u, nil
	case e != nil:
		return u, e
	case d.Status == statusQuote:
		u.Unknown = true
		return u, nil
	}
	clock := d.changed()
	at := parseTime(clock)
	if at.IsZero() {
		at = shipping.At(a.env.Now(ctx))
	}
	u.Events = []shipping.TrackingEvent{event(d.Status, d.CancellationReason, at, clock)}
	u.Pickup, u.Delivery = moment(d.PickupEstimated), moment(d.DropoffEstimated)
	u.ActualPickup, u.ActualDelivery = parseTime(d.PickupActual), parseTime(d.DropoffActual)
	u.TrackingURL = d.TrackingURL
	d.fill(&u, at)
	if d.Currency != "" {
		u.Amount, _, _ = d.price(carrier.Consignment{})
	}
	return u, nil
}

// changed is when the present status began, as near as DoorDash tells; "" where that is no time.
func (d *delivery) changed() string {
	exact := map[string]string{"picked_up": d.PickupActual, "delivered": d.DropoffActual, "returned": d.ReturnActual}[d.Status]
	for _, text := range []string{exact, d.UpdatedAt} {
		if !parseTime(text).IsZero() {
			return text
		}
	}
	return ""
}

// fill puts in who carries the delivery, what proves it, and the Dasher's tip. at is when DoorDash said so.
func (t told) fill(u *carrier.TrackUpdate, at shipping.Instant) {
	u.Driver, u.Vehicle, u.LastLocation = t.courier(at)
	for _, proof := range []carrier.Proof{{Type: "pickup_photo", URL: t.PickupImage}, {Type: "photo", URL: t.DropoffImage}, {Type: "signature", URL: t.SignatureImage}} {
		if proof.URL != "" {
			u.Proofs = append(u.Proofs, proof)
		}
	}
	currency := strings.ToUpper(t.Currency)
	if _, known := shipping.CurrencyDigits(currency); known && t.Tip != nil {
		u.Tip = shipping.Money{Minor: *t.Tip, Currency: currency}
	}
}

// courier is who carries the delivery and where he was last seen; all nil before a Dasher has accepted.
func (d dasher) courier(at shipping.Instant) (*shipping.Driver, *shipping.Vehicle, *shipping.Location) {
	var driver *shipping.Driver
	var vehicle *shipping.Vehicle
	var seen *shipping.Location
	if d.DasherName != "" {
		driver = &shipping.Driver{Name: d.DasherName, Phone: firstOf(d.DasherDropoffPhone, d.DasherPickupPhone)}
	}
	if model := strings.Join(strings.Fields(d.DasherVehicleYear+" "+d.DasherVehicleMake+" "+d.DasherVehicleModel), " "); model != "" {
		vehicle = &shipping.Vehicle{Type: model}
	}
	if l := d.DasherLocation; l != nil {
		seen = &shipping.Location{Latitude: l.Lat, Longitude: l.Lng, UpdatedAt: at}
	}
	return driver, vehicle, seen
}
