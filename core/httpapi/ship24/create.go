package ship24

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
)

// follow creates the tracker that a body asks for, or finds it.
func (s *surface) follow(q *httpapi.Request, body []byte) (t *tracker.Tracker, created bool, err error) {
	r, err := decode(body, s.router.Clock.Now())
	if err != nil {
		return nil, false, err
	}
	plan, err := r.plan(q, body)
	if err != nil {
		return nil, false, err
	}
	t, created, err = s.cases.Create(q.Context(), q.Caller, plan)
	if e := usecase.AsError(err); err != nil && e.Type == usecase.DuplicateID {
		e.Message = "Another tracker has this clientTrackerId. Send the same payload to get that one, or set it free with isSubscribed false."
	}
	if err != nil || created || !extraOf(t).Unsubscribed || !t.ErasedAt.IsZero() {
		return t, created, settled(err)
	}
	t, err = s.subscribeAgain(q, t)
	return t, false, err
}

// subscribeAgain lets a tracker that nobody wanted any more be followed again: whoever creates it wants it.
func (s *surface) subscribeAgain(q *httpapi.Request, t *tracker.Tracker) (*tracker.Tracker, error) {
	on := true
	t, err := s.cases.Update(q.Context(), q.Caller, t.ID, change{IsSubscribed: &on}.apply)
	if e := usecase.AsError(err); err != nil && e.Type == usecase.DuplicateID {
		e.Message = takenMeanwhile
	}
	return t, settled(err)
}

// takenMeanwhile is why a tracker cannot be subscribed again.
const takenMeanwhile = "Another tracker has this clientTrackerId by now."

// create answers 201 also for a tracker that exists, as Ship24 does.
func (s *surface) create(q *httpapi.Request) (httpapi.Answer, error) {
	t, _, err := s.follow(q, q.Body)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Status: http.StatusCreated, Body: data("tracker", show(t, q.Tenant))}, nil
}

// track creates or finds a tracker and answers its results. Where no carrier has been asked yet it is asked now.
func (s *surface) track(q *httpapi.Request) (httpapi.Answer, error) {
	t, _, err := s.follow(q, q.Body)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if t.Stopped == "" && t.Polls.Count == 0 && len(t.Events) == 0 {
		ctx, cancel := context.WithTimeout(q.Context(), firstAnswer)
		defer cancel()
		if t, err = s.cases.Refresh(ctx, q.Caller, t.ID); err != nil {
			return httpapi.Answer{}, err
		}
	}
	return httpapi.Answer{Body: data("trackings", []result{trackingOf(t, q.Tenant)})}, nil
}

// searchBody is the body of a search; it takes some members of a tracker's, and no others.
type searchBody struct {
	TrackingNumber         string        `json:"trackingNumber"`
	OriginCountryCode      *string       `json:"originCountryCode"`
	DestinationCountryCode *string       `json:"destinationCountryCode"`
	DestinationPostCode    *string       `json:"destinationPostCode"`
	ShippingDate           *string       `json:"shippingDate"`
	CourierCode            *courierCodes `json:"courierCode"`
}

// search asks the carrier once, and keeps nothing.
func (s *surface) search(q *httpapi.Request) (httpapi.Answer, error) {
	var b searchBody
	f, err := httpapi.Decode(q.Body, &b)
	if err != nil {
		return httpapi.Answer{}, err
	}
	r := request{TrackingNumber: b.TrackingNumber, OriginCountryCode: b.OriginCountryCode, DestinationCountryCode: b.DestinationCountryCode,
		DestinationPostCode: b.DestinationPostCode, ShippingDate: b.ShippingDate, CourierCode: b.CourierCode}
	if err := invalid(f, r.faults(s.router.Clock.Now())); err != nil {
		return httpapi.Answer{}, err
	}
	t, err := r.tracker(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(q.Context(), firstAnswer)
	defer cancel()
	if t, err = s.cases.Look(ctx, q.Caller, t); err != nil {
		return httpapi.Answer{}, err
	}
	if t.Polls.Unknown > 0 && len(t.Events) == 0 {
		return httpapi.Answer{}, usecase.Failf(parcelNotFound, "Parcel not found: the courier was asked and does not know the number %s (yet).", t.Number)
	}
	found := trackingOf(t, q.Tenant)
	found.Tracker = nil
	return httpapi.Answer{Status: http.StatusCreated, Body: data("trackings", []result{found})}, nil
}

// maxBulk is how many trackers one request may create.
const maxBulk = 100

// bulkAnswer is the envelope of POST /trackers/bulk, which is unlike all others.
type bulkAnswer struct {
	Status  string       `json:"status"` // success, partial or error
	Summary *bulkSummary `json:"summary"`
	Data    *[]bulkItem  `json:"data"`
	Error   *fault       `json:"error"`
}

type bulkSummary struct {
	Inputs   int `json:"totalInputs"`
	Created  int `json:"totalCreated"`
	Existing int `json:"totalExisting"`
	Errors   int `json:"totalErrors"`
}

type bulkItem struct {
	Status  string         `json:"itemStatus"` // created, existing or error
	Input   jsontext.Value `json:"inputData"`
	Tracker *trackerView   `json:"tracker,omitzero"` // absent where there is an error: it cannot be null
	Errors  *[]fault       `json:"errors"`
}

// bulk creates trackers one after another: what is wrong with one does not keep the others.
func (s *surface) bulk(q *httpapi.Request) (httpapi.Answer, error) {
	items, err := httpapi.DecodeList(q.Body)
	if err != nil {
		return bulkRefusal(http.StatusBadRequest, faultsOf(usecase.AsError(err))[0]), nil
	}
	switch {
	case len(items) == 0:
		return bulkRefusal(http.StatusBadRequest, fault{validation, "The list is empty. Send 1 to 100 trackers."}), nil
	case len(items) > maxBulk:
		return bulkRefusal(http.StatusForbidden, fault{tooManyInBulk, fmt.Sprintf("The list has %d trackers. Send at most %d at a time.", len(items), maxBulk)}), nil
	}
	sum := bulkSummary{Inputs: len(items)}
	done := []bulkItem{}
	out := bulkAnswer{Status: "success", Summary: &sum, Data: &done}
	for _, input := range items {
		item := bulkItem{Status: "existing", Input: input}
		t, created, err := s.follow(q, input)
		switch e := usecase.AsError(err); {
		case err == nil && created:
			item.Status = "created"
			sum.Created++
		case err == nil:
			sum.Existing++
		case e.Type == usecase.QuotaReached && sum.Created+sum.Existing+sum.Errors == 0:
			return bulkRefusal(http.StatusForbidden, fault{quotaReached, e.Message}), nil
		case e.Type == usecase.InternalServerError:
			return httpapi.Answer{}, err // the list may be sent again: what was created is found
		default:
			why := faultsOf(e)
			item.Status, item.Errors = "error", &why
			sum.Errors++
		}
		if err == nil {
			v := show(t, q.Tenant)
			item.Tracker = &v
		}
		done = append(done, item)
	}
	status := http.StatusCreated
	switch sum.Errors {
	case 0:
	case sum.Inputs:
		status, out.Status = http.StatusBadRequest, "error"
		out.Error = &fault{processing, "Every single item failed. The errors of each item say why."}
	default:
		status, out.Status = http.StatusMultiStatus, "partial"
	}
	return httpapi.Answer{Status: status, Body: out}, nil
}

func bulkRefusal(status int, f fault) httpapi.Answer {
	return httpapi.Answer{Status: status, Body: bulkAnswer{Status: "error", Error: &f}}
}
