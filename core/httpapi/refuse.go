package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/core/usecase"
)

// Types that only the surface itself knows.
const (
	unauthorized                  = usecase.Unauthorized
	tooManyRequests  usecase.Type = "TOO_MANY_REQUESTS"
	methodNotAllowed usecase.Type = "METHOD_NOT_ALLOWED"
	payloadTooLarge  usecase.Type = "PAYLOAD_TOO_LARGE"
)

// Table says which HTTP status a refusal has on a route, where it differs from the usual one.
type Table map[usecase.Type]int

var usual = map[usecase.Type]int{
	unauthorized: http.StatusUnauthorized, tooManyRequests: http.StatusTooManyRequests, methodNotAllowed: http.StatusMethodNotAllowed,
	payloadTooLarge:                 http.StatusRequestEntityTooLarge,
	usecase.ValidationError:         http.StatusBadRequest,
	usecase.InvalidData:             http.StatusUnprocessableEntity,
	usecase.DuplicateID:             http.StatusUnprocessableEntity,
	usecase.DuplicateName:           http.StatusUnprocessableEntity,
	usecase.DuplicateResource:       http.StatusUnprocessableEntity,
	usecase.NotFound:                http.StatusNotFound,
	usecase.NoProviderAssigned:      http.StatusUnprocessableEntity,
	usecase.NoProviderMatched:       http.StatusUnprocessableEntity,
	usecase.PlaceOrderFailed:        http.StatusUnprocessableEntity,
	usecase.GeocodingFailed:         http.StatusUnprocessableEntity,
	usecase.UnmappedError:           http.StatusUnprocessableEntity,
	usecase.CancellationNotAllowed:  http.StatusForbidden,
	usecase.OrderCancellationFailed: http.StatusUnprocessableEntity,
	usecase.OrderAlreadyCanceled:    http.StatusConflict,
	usecase.InvalidOperation:        http.StatusConflict,
	usecase.InvalidTrackerData:      http.StatusUnprocessableEntity,
	usecase.MissingTrackerData:      http.StatusBadRequest,
	usecase.QuotaReached:            http.StatusForbidden,
	usecase.InternalServerError:     http.StatusInternalServerError,
	usecase.ServiceUnavailable:      http.StatusServiceUnavailable,
}

// statusOf is the one place where a refusal gets its HTTP status.
func statusOf(t usecase.Type, table Table) int {
	if s, ok := table[t]; ok {
		return s
	}
	if s, ok := usual[t]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// severityOf says whether the same request may succeed later, after the seed's tables.
func severityOf(t usecase.Type) string {
	switch t {
	case usecase.InternalServerError, usecase.ServiceUnavailable, usecase.PlaceOrderFailed, tooManyRequests, usecase.UnmappedError:
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

// BodyOf words a refusal, within bounds: a hostile body would else be answered with as much as it holds.
func BodyOf(e *usecase.Error, requestID string) ErrorBody {
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
