package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/core/dispatch"
)

// Types that only the surface itself knows.
const (
	unauthorized     dispatch.Type = "UNAUTHORIZED"
	tooManyRequests  dispatch.Type = "TOO_MANY_REQUESTS"
	methodNotAllowed dispatch.Type = "METHOD_NOT_ALLOWED"
	payloadTooLarge  dispatch.Type = "PAYLOAD_TOO_LARGE"
)

// Table says which HTTP status a refusal has on a route, where it differs from the usual one.
type Table map[dispatch.Type]int

var usual = map[dispatch.Type]int{
	unauthorized: http.StatusUnauthorized, tooManyRequests: http.StatusTooManyRequests, methodNotAllowed: http.StatusMethodNotAllowed,
	payloadTooLarge:                  http.StatusRequestEntityTooLarge,
	dispatch.ValidationError:         http.StatusBadRequest,
	dispatch.InvalidData:             http.StatusUnprocessableEntity,
	dispatch.DuplicateID:             http.StatusUnprocessableEntity,
	dispatch.DuplicateName:           http.StatusUnprocessableEntity,
	dispatch.DuplicateResource:       http.StatusUnprocessableEntity,
	dispatch.NotFound:                http.StatusNotFound,
	dispatch.NoProviderAssigned:      http.StatusUnprocessableEntity,
	dispatch.NoProviderMatched:       http.StatusUnprocessableEntity,
	dispatch.PlaceOrderFailed:        http.StatusUnprocessableEntity,
	dispatch.GeocodingFailed:         http.StatusUnprocessableEntity,
	dispatch.UnmappedError:           http.StatusUnprocessableEntity,
	dispatch.CancellationNotAllowed:  http.StatusForbidden,
	dispatch.OrderCancellationFailed: http.StatusUnprocessableEntity,
	dispatch.OrderAlreadyCanceled:    http.StatusConflict,
	dispatch.InvalidOperation:        http.StatusConflict,
	dispatch.InternalServerError:     http.StatusInternalServerError,
}

// statusOf is the one place where a refusal gets its HTTP status.
func statusOf(t dispatch.Type, table Table) int {
	if s, ok := table[t]; ok {
		return s
	}
	if s, ok := usual[t]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// severityOf says whether the same request may succeed later, after the seed's tables.
func severityOf(t dispatch.Type) string {
	switch t {
	case dispatch.InternalServerError, dispatch.PlaceOrderFailed, tooManyRequests, dispatch.UnmappedError:
		return "Transient"
	}
	return "Hard"
}

// ErrorBody is what every refusal looks like.
type ErrorBody struct {
	Type      string      `json:"type"`
	Message   string      `json:"message"`
	Severity  string      `json:"severity"`
	Errors    []ErrorItem `json:"errors"`
	RequestID string      `json:"requestId"`
	ID        string      `json:"id,omitempty"` // of the shipment, where the order is stored all the same
}

// ErrorItem is one fault of the body, or what one provider said.
type ErrorItem struct {
	Type      string `json:"type"`
	Message   string `json:"message"`
	Parameter string `json:"parameter,omitempty"`
	Provider  string `json:"provider,omitempty"`
	Code      string `json:"code,omitempty"`
}

// maxErrors bounds how many faults one answer lists; a hostile body could have more than fit in memory.
const maxErrors = 100

// errorBody words a refusal, within bounds: a hostile body would else be answered with as much as it holds.
func errorBody(e *dispatch.Error, requestID string) ErrorBody {
	message := short(e.Message, maxMessage)
	b := ErrorBody{Type: string(e.Type), Message: message, Severity: severityOf(e.Type), RequestID: requestID, ID: string(e.Shipment), Errors: []ErrorItem{}}
	for i, f := range e.Faults {
		if i == maxErrors {
			b.Errors = append(b.Errors, ErrorItem{Type: string(e.Type), Message: fmt.Sprintf("and %d more", len(e.Faults)-maxErrors)})
			break
		}
		path := short(f.Path, maxEcho)
		b.Errors = append(b.Errors, ErrorItem{Type: string(e.Type), Message: strings.TrimSpace(path + " " + short(f.Message, maxMessage)), Parameter: path})
	}
	for _, p := range e.Providers {
		b.Errors = append(b.Errors, ErrorItem{Type: p.Type, Message: short(p.Message, maxMessage), Provider: p.Provider, Code: p.Code})
	}
	if len(b.Errors) == 0 {
		b.Errors = append(b.Errors, ErrorItem{Type: string(e.Type), Message: message})
	}
	return b
}
