package ship24

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
)

// Webhooks is what the surface needs of those who tell subscribers.
type Webhooks interface {
	Subscriptions(ctx context.Context, c usecase.Caller) ([]*store.Subscription, error)
	Deliveries(ctx context.Context, c usecase.Caller, q store.DeliveryQuery) (store.DeliveryPage, error)
	Redeliver(ctx context.Context, c usecase.Caller, id string, r notify.Redelivery) (int, error)
}

// surface holds what the handlers use.
type surface struct {
	cases    tracking.UseCases
	webhooks Webhooks
	router   *httpapi.Router
}

// firstAnswer is how long a caller waits for what a carrier says first.
const firstAnswer = time.Minute

// Mount mounts the surface.
func Mount(r *httpapi.Router, cases tracking.UseCases, webhooks Webhooks) {
	s := &surface{cases: cases, webhooks: webhooks, router: r}
	for _, base := range []string{"/public/v1", "/v1"} {
		r.Speak(base+"/", dialect)
		r.Handle(http.MethodPost, base+"/trackers", nil, s.create)
		r.Handle(http.MethodGet, base+"/trackers", nil, s.list)
		r.Handle(http.MethodPost, base+"/trackers/bulk", nil, s.bulk)
		r.HandleSlow(http.MethodPost, base+"/trackers/track", nil, firstAnswer, s.track)
		r.Handle(http.MethodGet, base+"/trackers/search/{trackingNumber}/results", nil, s.resultsByNumber)
		r.Handle(http.MethodGet, base+"/trackers/{trackerId}", nil, s.get)
		r.Handle(http.MethodPatch, base+"/trackers/{trackerId}", nil, s.update)
		r.Handle(http.MethodGet, base+"/trackers/{trackerId}/results", nil, s.results)
		r.Handle(http.MethodPost, base+"/trackers/{trackerId}/webhook-events/resend", nil, s.resend)
		r.Handle(http.MethodGet, base+"/trackers/{trackerId}/webhook-history/download", nil, s.history)
		r.Handle(http.MethodGet, base+"/couriers", nil, s.couriers)
		r.HandleSlow(http.MethodPost, base+"/tracking/search", nil, firstAnswer, s.search)
	}
}

// Codes of refusals, in Ship24's words. Those that Ship24 has no code for are marked as ours.
const (
	missingHeader       usecase.Type = "auth_missing_header"
	invalidHeader       usecase.Type = "auth_invalid_header"
	invalidKey          usecase.Type = "auth_invalid_api_key"
	validation          usecase.Type = "validation_error"
	missingField        usecase.Type = "missing_mandatory_field"
	parsing             usecase.Type = "parsing_error"
	processing          usecase.Type = "processing_error"
	notUpdatable        usecase.Type = "tracker_not_updatable"
	conflict            usecase.Type = "tracker_conflict"
	dateOutdated        usecase.Type = "shipping_date_outdated"
	webhookURLMissing   usecase.Type = "webhook_url_missing"
	noSubscription      usecase.Type = "no_active_subscription"
	quotaReached        usecase.Type = "quota_limit_reached"
	trackerNotFound     usecase.Type = "tracker_not_found"
	parcelNotFound      usecase.Type = "parcel_not_found"
	requestConflict     usecase.Type = "request_conflict"
	tooManyInBulk       usecase.Type = "bulk_create_limit_exceeded"
	routeNotFound       usecase.Type = "route_not_found"    // ours
	methodNotAllowed    usecase.Type = "method_not_allowed" // ours
	payloadTooLarge     usecase.Type = "payload_too_large"  // ours
	internalServerError usecase.Type = "internal_error"     // ours
)

// codes say what the engine's refusals are called here. A type that is not in it is a code of Ship24's already.
var codes = map[usecase.Type]usecase.Type{
	usecase.Unauthorized: invalidKey, usecase.ValidationError: validation, usecase.InvalidData: validation, usecase.NotFound: trackerNotFound,
	usecase.DuplicateID: conflict, usecase.InvalidTrackerData: validation, usecase.InvalidOperation: requestConflict,
	usecase.InternalServerError: internalServerError, usecase.QuotaReached: quotaReached,
}

var dialect = &httpapi.Dialect{
	Table: httpapi.Table{
		missingHeader: http.StatusBadRequest, invalidHeader: http.StatusBadRequest, notUpdatable: http.StatusBadRequest,
		webhookURLMissing: http.StatusBadRequest, usecase.DuplicateID: http.StatusBadRequest, usecase.InvalidData: http.StatusBadRequest,
		usecase.InvalidTrackerData: http.StatusBadRequest, parcelNotFound: http.StatusNotFound, noSubscription: http.StatusUnprocessableEntity,
	},
	Key:        key,
	Refuse:     refuse,
	TellLimits: true,
}

// key finds the key where Ship24's clients send it, and where all surfaces take it. Ship24 answers a missing header with 400.
func key(q *http.Request) (string, error) {
	if text := httpapi.KeyText(q); text != "" {
		return text, nil
	}
	if strings.TrimSpace(q.Header.Get("Authorization")) == "" {
		return "", usecase.Failf(missingHeader, "The Authorization header is missing. Send Authorization: Bearer and your API key.")
	}
	return "", usecase.Failf(invalidHeader, "The Authorization header is invalid. It must be Bearer and your API key, with a space between.")
}

// settled is an error as this surface words it: what others kept changing at the same time is a conflict, and no fault of the engine's.
func settled(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return &usecase.Error{Type: usecase.InvalidOperation, Message: "Other requests change the same tracker at the same time. Send the request again.", Err: err}
	}
	return err
}

// fault is one refusal.
type fault struct {
	Code    usecase.Type `json:"code"`
	Message string       `json:"message"`
}

// refusal is the envelope of everything that is refused.
type refusal struct {
	Errors []fault `json:"errors"`
	Data   *string `json:"data"` // always null
}

func refuse(q *httpapi.Request, status int, e *usecase.Error) httpapi.Answer {
	switch status {
	case http.StatusTooManyRequests:
		return httpapi.Answer{Raw: []byte(e.Message + "\n"), ContentType: "text/plain; charset=utf-8"}
	case http.StatusMethodNotAllowed:
		return envelope(fault{methodNotAllowed, e.Message})
	case http.StatusRequestEntityTooLarge:
		return envelope(fault{payloadTooLarge, e.Message})
	case http.StatusNotFound:
		if mux.CurrentRoute(q.HTTP) == nil {
			return envelope(fault{routeNotFound, "There is no such path."})
		}
	}
	return envelope(faultsOf(e)...)
}

func envelope(f ...fault) httpapi.Answer { return httpapi.Answer{Body: refusal{Errors: f}} }

// What a refusal may repeat of a request: so many faults, of so many characters.
const (
	maxFaults  = 100
	maxMessage = 500
)

// faultsOf lists what is wrong: each fault of the body, else the refusal itself.
func faultsOf(e *usecase.Error) []fault {
	code, known := codes[e.Type]
	if !known {
		code = e.Type
	}
	var out []fault
	for _, f := range e.Faults[:min(len(e.Faults), maxFaults)] {
		one := fault{code, short(strings.TrimSpace(f.Path + " " + f.Message))}
		if code == validation {
			switch {
			case f.Path == "":
				one.Code = parsing
			case strings.HasPrefix(f.Message, isRequired):
				one.Code = missingField
			case strings.HasPrefix(f.Message, isOutdated):
				one.Code = dateOutdated
			}
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		out = append(out, fault{code, short(e.Message)})
	}
	return out
}

func short(s string) string {
	if r := []rune(s); len(r) > maxMessage {
		return string(r[:maxMessage-1]) + "…"
	}
	return s
}
