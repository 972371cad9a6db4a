package main

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// failure is DoorDash's error envelope.
type failure struct {
	Code        string       `json:"code"`
	Reason      string       `json:"reason"`
	Message     string       `json:"message"`
	FieldErrors []fieldError `json:"field_errors"`
}

type fieldError struct {
	Field string `json:"field"`
	Error string `json:"error"`
}

// What the adapter branches on. DoorDash's specification puts some of these into reason; its own Node SDK expects the same
// words in code. So the reason is read first, then the code.
const (
	duplicateID        = "duplicate_delivery_id"
	deliveryCancelled  = "delivery_cancelled"
	creationInProgress = "delivery_creation_in_progress"
	unknownDelivery    = "unknown_delivery_id"
	assignFailed       = "failed_to_assign_and_refunded" // a cancellation_reason
)

// lanes are the reasons for which DoorDash does not serve an order, with the refusals that they become.
var lanes = map[string]shipping.Refusal{
	"distance_too_long":                {Code: "TOO_FAR", Message: "The distance is too long for DoorDash."},
	"pickup_address_not_in_coverage":   {Code: "OUT_OF_ZONE", Message: "DoorDash does not serve the pickup address."},
	"delivery_address_not_in_coverage": {Code: "OUT_OF_ZONE", Message: "DoorDash does not serve the delivery address."},
	"outside_of_delivery_time":         {Code: "OUTSIDE_HOURS", Message: "DoorDash does not deliver at the asked time."},
}

// fields are DoorDash's names of what a consignment calls otherwise.
var fields = map[string]string{
	"pickup_address": "pickup.address", "pickup_phone_number": "pickup.contact.phone", "pickup_instructions": "pickup.instructions", "pickup_time": "pickup.window.startsAt",
	"pickup_business_name": "pickup.name", "pickup_reference_tag": "externalId",
	"dropoff_address": "delivery.address", "dropoff_address_components": "delivery.address", "dropoff_location": "delivery.address",
	"dropoff_phone_number": "delivery.contact.phone", "phone_number": "delivery.contact.phone", "dropoff_instructions": "delivery.instructions",
	"dropoff_time": "delivery.window.startsAt", "dropoff_contact_given_name": "delivery.contact.name", "dropoff_contact_family_name": "delivery.contact.name",
	"order_value": "orderValue", "tip": "tip", "items": "items", "external_delivery_id": "reference", "locale": "locale",
}

// rateLimitPause is how long to wait after a 429 that does not say; DoorDash counts about 300 requests a minute.
const rateLimitPause = 5 * time.Second

// fault classifies an answer; nil for success. CarrierCode is the reason where there is one.
func fault(r *carrier.Response) *carrier.Error {
	e := r.Fault()
	if e == nil {
		return nil
	}
	if r.Status == http.StatusTooManyRequests && e.RetryAfter == 0 {
		e.RetryAfter = rateLimitPause
	}
	var f failure
	if err := json.Unmarshal(r.Body, &f, lenient); err != nil {
		return e // a gateway's page: the status must do
	}
	e.CarrierCode, e.CarrierMessage = f.Code, f.Message
	if f.Reason != "" {
		e.CarrierCode = f.Reason
	}
	switch r.Status {
	case http.StatusBadRequest:
		e.Source, e.Code, e.Message = carrier.SourceCaller, carrier.InvalidField, "DoorDash refuses the order's data."
		for _, x := range f.FieldErrors {
			e.CarrierMessage += "; " + x.Field + ": " + x.Error
			if e.Field == "" {
				e.Field = ourField(x.Field)
			}
		}
	case http.StatusNotFound:
		if e.CarrierCode == unknownDelivery {
			e.Code, e.Message = carrier.BookingNotFound, "DoorDash does not know this delivery."
		}
	case http.StatusConflict:
		if e.CarrierCode == duplicateID {
			e.Code, e.Message = carrier.DuplicateReference, "DoorDash has a delivery under this reference already."
		}
	case http.StatusUnprocessableEntity:
		e.Source, e.Code, e.Message = carrier.SourceCaller, carrier.ServiceUnavailable, "DoorDash does not deliver this order."
		if lane, ok := lanes[e.CarrierCode]; ok {
			e.Message = lane.Message
		}
	}
	return e
}

// ourField translates a field of DoorDash's: "items[0].name" and "items" are both about the items.
func ourField(theirs string) string {
	name, _, _ := strings.Cut(theirs, ".")
	name, _, _ = strings.Cut(name, "[")
	if ours, ok := fields[name]; ok {
		return ours
	}
	return theirs
}

// refusalOf returns the refusal that an error of a quote is, if it is one.
func refusalOf(e *carrier.Error) (shipping.Refusal, bool) {
	if e.Code != carrier.ServiceUnavailable {
		return shipping.Refusal{}, false
	}
	r, ok := lanes[e.CarrierCode]
	if !ok {
		r = shipping.Refusal{Code: strings.ToUpper(e.CarrierCode), Message: e.Message}
	}
	if e.CarrierMessage != "" {
		r.Message += " " + e.CarrierMessage
	}
	r.ServiceID = serviceID
	return r, true
}

// refusedForStage reports whether a 409 to a cancellation or change names the stage that a delivery has reached.
func refusedForStage(e *carrier.Error) bool {
	return e.HTTPStatus == http.StatusConflict && slices.Contains([]string{
		"cancel_not_allowed", "update_not_allowed", "delivery_abandoned", deliveryCancelled, "delivery_completed", creationInProgress, "delivery_picked_up",
		"cancellation_window_closed", "update_window_closed", "duplicate_request",
	}, e.CarrierCode)
}
