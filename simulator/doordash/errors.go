package doordash

import (
	"net/http"

	"github.com/waybill-dev/waybill/simulator"
)

// failure is DoorDash's error envelope.
type failure struct {
	Code    string       `json:"code"`
	Message string       `json:"message"`
	ID      string       `json:"external_delivery_id,omitzero"`
	Reason  string       `json:"reason,omitzero"`
	Fields  []fieldError `json:"field_errors,omitempty"` // only with validation_error
}

type fieldError struct {
	Field string `json:"field"` // a member, a parameter, or "body"
	Error string `json:"error"`
}

func refusal(status int, code, message string) *simulator.Response {
	r := simulator.JSON(status, failure{Code: code, Message: message})
	return &r
}

// faultCodes are the codes that DoorDash documents for a status; the one of
// 429 is chosen.
var faultCodes = map[int]string{
	http.StatusBadRequest:          "validation_error",
	http.StatusUnauthorized:        "authentication_error",
	http.StatusForbidden:           "authorization_error",
	http.StatusNotFound:            "unknown_delivery_id",
	http.StatusConflict:            "duplicate_delivery_id",
	http.StatusUnprocessableEntity: "invalid_delivery_parameters",
	http.StatusTooManyRequests:     "too_many_requests",
}

// Fault implements [simulator.Dialect].
func (d *Dialect) Fault(status int) simulator.Response {
	code, ok := faultCodes[status]
	if !ok {
		code = "service_fault"
	}
	return *refusal(status, code, http.StatusText(status))
}

func invalidFields(fields []fieldError) simulator.Response {
	return simulator.JSON(http.StatusBadRequest, failure{Code: "validation_error",
		Message: "One or more request values couldn't be validated.", Fields: fields})
}

func invalidField(field, message string) simulator.Response {
	return invalidFields([]fieldError{{field, message}})
}

func unknownDelivery(id string) simulator.Response {
	return simulator.JSON(http.StatusNotFound, failure{Code: "unknown_delivery_id", ID: id,
		Message: "The delivery specified by the external_delivery_id was not found."})
}

func duplicateDelivery(id string) simulator.Response {
	return simulator.JSON(http.StatusConflict, failure{Code: "duplicate_delivery_id", ID: id,
		Message: "A delivery or quote with this external_delivery_id exists already."})
}

func notDeliverable(reason string) simulator.Response {
	return simulator.JSON(http.StatusUnprocessableEntity, failure{Code: "invalid_delivery_parameters", Reason: reason,
		Message: "DoorDash cannot fulfil this delivery."})
}

func notAllowed(code, reason string) simulator.Response {
	return simulator.JSON(http.StatusConflict, failure{Code: code, Reason: reason,
		Message: "The delivery is not in a state that allows this."})
}
