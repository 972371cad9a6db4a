// Package usecase holds what all use cases have in common, whichever package carries them out: who asks, and how they refuse.
package usecase

import (
	"errors"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Caller is who asks: a tenant, by the name of one of its keys.
type Caller struct {
	Tenant string
	Key    string
}

// Type is a row of the API's error tables. Which HTTP status it has is the surface's business.
type Type string

// The types that use cases return.
const (
	ValidationError         Type = "VALIDATION_ERROR"
	InvalidData             Type = "INVALID_DATA"
	DuplicateID             Type = "DUPLICATE_ID"
	DuplicateName           Type = "DUPLICATE_NAME"
	DuplicateResource       Type = "DUPLICATE_RESOURCE"
	NotFound                Type = "NOT_FOUND"
	NoProviderAssigned      Type = "NO_PROVIDER_ASSIGNED"
	NoProviderMatched       Type = "NO_PROVIDER_MATCHED"
	PlaceOrderFailed        Type = "PLACE_ORDER_FAILED"
	GeocodingFailed         Type = "GEOCODING_FAILED"
	UnmappedError           Type = "UNMAPPED_ERROR"
	CancellationNotAllowed  Type = "CANCELLATION_NOT_ALLOWED"
	OrderCancellationFailed Type = "ORDER_CANCELLATION_FAILED"
	OrderAlreadyCanceled    Type = "ORDER_ALREADY_CANCELED"
	InvalidOperation        Type = "INVALID_OPERATION"
	InvalidTrackerData      Type = "INVALID_TRACKER_DATA"
	MissingTrackerData      Type = "MISSING_TRACKER_DATA"
	InternalServerError     Type = "INTERNAL_SERVER_ERROR"
	Unauthorized            Type = "UNAUTHORIZED"
	ServiceUnavailable      Type = "SERVICE_UNAVAILABLE" // the same request may succeed when the operator has done something
	QuotaReached            Type = "QUOTA_REACHED"       // of what the tenant's configuration allows
)

// Error is a use case's refusal, in words for the caller.
type Error struct {
	Type      Type
	Message   string
	Faults    shipping.Faults          // of the body
	Providers []shipment.ProviderError // what the carriers said
	Shipment  shipment.ID              // where the order is stored all the same
	Err       error                    // for the operator's log
}

// Error returns the message, with the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Type, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Type, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Invalid refuses what was asked for its faults, of which there is at least one.
func Invalid(t Type, f shipping.Faults) *Error {
	return &Error{Type: t, Message: "Invalid Data: " + strings.TrimSpace(f[0].Path+" "+f[0].Message), Faults: f}
}

// AsError returns err as an *Error; anything unrecognised is the engine's own fault.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Type: InternalServerError, Message: "An unexpected error occurred while processing the request.", Err: err}
}

// Failf returns a refusal of a type.
func Failf(t Type, format string, args ...any) *Error {
	return &Error{Type: t, Message: fmt.Sprintf(format, args...)}
}
