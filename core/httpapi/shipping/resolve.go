package shipping

import (
	"net/http"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

type resolveBody struct {
	Attempt    int              `json:"attempt"`
	Outcome    dispatch.Outcome `json:"outcome"`
	TrackingID string           `json:"trackingId"`
}

// resolve takes a person's word about an attempt that nobody else can decide.
func (s *surface) resolve(q *httpapi.Request, id string) (httpapi.Answer, error) {
	var b resolveBody
	f, err := httpapi.Decode(q.Body, &b)
	if err != nil {
		return httpapi.Answer{}, err
	}
	var more shipping.Faults
	if b.Attempt < 0 {
		more.Add("attempt", "must be the number of an attempt, from 1, or be absent for the one that needs a decision")
	}
	switch b.Outcome {
	case dispatch.OutcomeSpare:
		more.Required("trackingId", b.TrackingID, shipping.MaxText)
		if b.Attempt == 0 {
			more.Add("attempt", "is required with outcome spare: the attempt under whose reference the carrier has it")
		}
	case dispatch.OutcomeBooked:
		more.Required("trackingId", b.TrackingID, shipping.MaxText)
	case dispatch.OutcomeAbsent:
		if b.TrackingID != "" {
			more.Add("trackingId", "is only taken with outcome booked or spare")
		}
	default:
		more.Add("outcome", "must be absent, booked or spare")
	}
	if f = shape.Add(f, more); len(f) > 0 {
		return httpapi.Answer{}, invalid(f)
	}
	res, err := s.cases.Resolve(q.Context(), q.Caller, id, dispatch.Resolution{Attempt: b.Attempt, Outcome: b.Outcome, TrackingID: b.TrackingID})
	if err != nil {
		return httpapi.Answer{}, err
	}
	if res.Waiting {
		return s.answer(q, res, http.StatusAccepted)
	}
	return s.answer(q, res, http.StatusOK)
}
