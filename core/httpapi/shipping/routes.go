package shipping

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// surface holds what the handlers use.
type surface struct {
	cases  dispatch.UseCases
	follow tracking.UseCases
	pages  shape.Pages
	router *httpapi.Router
}

// Mount mounts the surface.
func Mount(r *httpapi.Router, cases dispatch.UseCases, follow tracking.UseCases, pages shape.Pages) {
	s := &surface{cases: cases, follow: follow, pages: pages, router: r}
	// The seed answers INVALID_DATA on list and edit with 400, elsewhere with 422, and has no such row for a cancellation.
	listing := httpapi.Table{usecase.InvalidData: http.StatusBadRequest}
	r.Handle(http.MethodPost, "/shipments", nil, s.create)
	r.Handle(http.MethodPost, "/shipments/list", listing, s.list)
	r.Handle(http.MethodGet, "/shipments/{id}", nil, ofOrder(s.get, invalidID))
	r.Handle(http.MethodPut, "/shipments/{id}", listing, ofOrder(s.edit, invalidID))
	r.Handle(http.MethodDelete, "/shipments/{id}", nil, ofOrder(s.cancel, noSuchOrder))
	r.Handle(http.MethodGet, "/shipments/{id}/status-history", nil, ofOrder(s.history, noHistory))
	r.Handle(http.MethodPost, "/shipments/{id}/status", nil, ofOrder(s.setStatus, invalidID))
	r.Handle(http.MethodGet, "/shipments/{id}/events", nil, ofOrder(s.events, invalidID))
	r.Handle(http.MethodPost, "/shipments/{id}/retry", nil, ofOrder(s.retry, invalidID))
	r.Handle(http.MethodPost, "/shipments/{id}/release", nil, ofOrder(s.release, invalidID))
	r.Handle(http.MethodPost, "/shipments/{id}/erase", nil, ofOrder(s.erase, invalidID))
	r.Handle(http.MethodPost, "/shipments/{id}/resolve", nil, ofOrder(s.resolve, invalidID))
	r.Handle(http.MethodGet, "/shipments/{id}/label", nil, ofOrder(s.label, invalidID))
	r.Handle(http.MethodGet, "/shipments/{id}/decision", nil, ofOrder(s.decision, invalidID))
	r.Handle(http.MethodGet, "/shipments/{id}/trace", nil, ofOrder(s.trace, invalidID))
	r.HandleStream(http.MethodGet, "/decisions", "application/jsonl", s.decisions)
	r.Handle(http.MethodPost, "/rates", nil, s.rates)
	s.mountReturns(r)
}

// base is what links in answers begin with.
func (s *surface) base() string { return s.router.Config().Server.PublicURL }

// ofOrder gives h the order's id, read from the path. bad answers for what cannot be the id of any order.
func ofOrder(h func(q *httpapi.Request, id string) (httpapi.Answer, error), bad func() (httpapi.Answer, error)) httpapi.Handler {
	return func(q *httpapi.Request) (httpapi.Answer, error) {
		id, err := url.PathUnescape(mux.Vars(q.HTTP)["id"])
		if err != nil || id == "" || !utf8.ValidString(id) || utf8.RuneCountInString(id) > shipping.MaxText || strings.ContainsFunc(id, unicode.IsControl) {
			return bad()
		}
		return h(q, id)
	}
}

func invalidID() (httpapi.Answer, error) {
	return httpapi.Answer{}, &usecase.Error{Type: usecase.InvalidData, Message: "Invalid data: Invalid Order Id. It has at most 100 characters, and no control characters."}
}

// noSuchOrder is for a cancellation, as the seed's table of that has no row for such an id.
func noSuchOrder() (httpapi.Answer, error) {
	return httpapi.Answer{}, &usecase.Error{Type: usecase.NotFound,
		Message: "An order with this id is not found: an id has at most 100 characters, and no control characters."}
}

func (s *surface) answer(q *httpapi.Request, res dispatch.Result, done int) (httpapi.Answer, error) {
	if res.Waiting && done == http.StatusCreated {
		done = http.StatusAccepted
	}
	return s.answerShown(q, res.Shipment, done)
}

func (s *surface) create(q *httpapi.Request) (httpapi.Answer, error) {
	o, err := decodeOrder(q, func(o shipment.Order) shipping.Faults { return s.cases.Validate(q.Caller, o) })
	if err != nil {
		return httpapi.Answer{}, err
	}
	r := dispatch.CreateRequest{Order: o, Async: httpapi.PrefersAsync(q.HTTP.Header)}
	if key := q.HTTP.Header.Get("Idempotency-Key"); key != "" {
		if len(key) > 255 {
			return httpapi.Answer{}, invalid(shipping.Faults{{Path: "Idempotency-Key", Message: "must be at most 255 bytes"}})
		}
		hash := sha256.Sum256(q.Body)
		r.IdempotencyKey, r.BodyHash = "POST /shipments "+key, hash[:]
	}
	res, err := s.cases.Create(q.Context(), q.Caller, r)
	if err != nil {
		return httpapi.Answer{}, err
	}
	a, err := s.answer(q, res, http.StatusCreated)
	if err != nil {
		return httpapi.Answer{}, err
	}
	a.Header = http.Header{"Location": {s.base() + "/shipments/" + url.PathEscape(res.Shipment.Order.ExternalID)}}
	if r.Async {
		a.Header.Set("Preference-Applied", "respond-async")
	}
	return a, nil
}

func (s *surface) get(q *httpapi.Request, id string) (httpapi.Answer, error) {
	sh, err := s.cases.Get(q.Context(), q.Caller, id)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return s.answerShown(q, sh, http.StatusOK)
}

func (s *surface) edit(q *httpapi.Request, id string) (httpapi.Answer, error) {
	change, err := editOf(q.Body)
	if err != nil {
		return httpapi.Answer{}, err
	}
	res, err := s.cases.Edit(q.Context(), q.Caller, id, change)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if res.Waiting {
		return s.answer(q, res, http.StatusAccepted)
	}
	v, err := s.show(q, res.Shipment)
	if err != nil {
		return httpapi.Answer{}, err
	}
	// Of this edit nothing is in doubt. What is may be another's.
	v.Warnings = slices.DeleteFunc(v.Warnings, func(w shipment.Warning) bool { return w.Code == shipment.EditInDoubt })
	return httpapi.Answer{Body: v}, nil
}

func (s *surface) cancel(q *httpapi.Request, id string) (httpapi.Answer, error) {
	res, err := s.cases.Cancel(q.Context(), q.Caller, id, q.HTTP.URL.Query().Get("confirmNumber"))
	if err != nil {
		return httpapi.Answer{}, err
	}
	if res.Waiting {
		return s.answer(q, res, http.StatusAccepted)
	}
	return s.answer(q, res, http.StatusOK)
}

func (s *surface) retry(q *httpapi.Request, id string) (httpapi.Answer, error) {
	res, err := s.cases.Retry(q.Context(), q.Caller, id)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return s.answer(q, res, http.StatusCreated)
}

// release lets an order go on that a rule holds.
func (s *surface) release(q *httpapi.Request, id string) (httpapi.Answer, error) {
	res, err := s.cases.Release(q.Context(), q.Caller, id)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return s.answer(q, res, http.StatusCreated)
}

func (s *surface) erase(q *httpapi.Request, id string) (httpapi.Answer, error) {
	sh, err := s.cases.Erase(q.Context(), q.Caller, id)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return s.answerShown(q, sh, http.StatusOK)
}

func (s *surface) label(q *httpapi.Request, id string) (httpapi.Answer, error) {
	parcel := 1
	if p := q.HTTP.URL.Query().Get("parcel"); p != "" {
		var err error
		if parcel, err = strconv.Atoi(p); err != nil || parcel < 1 {
			return httpapi.Answer{}, invalid(shipping.Faults{{Path: "parcel", Message: "must be the number of a parcel, from 1"}})
		}
	}
	l, err := s.cases.Label(q.Context(), q.Caller, id, parcel)
	if err != nil {
		return httpapi.Answer{}, err
	}
	name := "label-" + url.PathEscape(id) + "-" + strconv.Itoa(parcel) + "." + strings.ToLower(string(l.Format))
	return httpapi.Answer{Raw: l.Data, ContentType: l.Format.ContentType(), Header: http.Header{"Content-Disposition": {`inline; filename="` + name + `"`}}}, nil
}
