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
	Withdraw   string           `json:"withdraw"`
	Reason     string           `json:"reason"`
}

// maxReason bounds the words with which a number is taken back, in characters.
const maxReason = 500

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
	switch {
	case b.Withdraw == "" && b.Reason != "":
		more.Add("reason", "is only taken with withdraw")
	case b.Withdraw != "" && b.Outcome == dispatch.OutcomeSpare:
		more.Add("withdraw", "is only taken with outcome absent or booked")
	case b.Withdraw != "":
		more.Line("withdraw", b.Withdraw, shipping.MaxText)
		more.Required("reason", b.Reason, maxReason)
	}
	if f = shape.Add(f, more); len(f) > 0 {
		return httpapi.Answer{}, invalid(f)
	}
	res, err := s.cases.Resolve(q.Context(), q.Caller, id,
		dispatch.Resolution{Attempt: b.Attempt, Outcome: b.Outcome, TrackingID: b.TrackingID, Withdraw: b.Withdraw, Reason: b.Reason})
	if err != nil {
		return httpapi.Answer{}, err
	}
	if res.Waiting {
		return s.answer(q, res, http.StatusAccepted)
	}
	return s.answer(q, res, http.StatusOK)
}
