package tracker

import (
	"context"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/returns"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
)

// Returner is the use cases of sending back what a tracker has followed.
type Returner interface {
	ReturnTracker(ctx context.Context, c usecase.Caller, id tracker.ID, r dispatch.ReturnRequest) (dispatch.Result, error)
	Returns(ctx context.Context, c usecase.Caller, ids []shipment.ID) ([]*shipment.Shipment, error)
}

// giveBack books the way back of what a tracker has followed.
func (s *surface) giveBack(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	r, err := returns.Decode(q, "POST /trackers/"+string(t.ID)+"/return")
	if err != nil {
		return httpapi.Answer{}, err
	}
	res, err := s.Back.ReturnTracker(q.Context(), q.Caller, t.ID, r)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return returns.Answer(r, res, s.router.Config().Server.PublicURL, s.Pages), nil
}

// present turns a tracker into its answer, with what has become of its returns.
func (s *surface) present(q *httpapi.Request, t *tracker.Tracker) (view, error) {
	v := s.show(q.Tenant, t)
	if len(t.Returns) > 0 {
		list, err := s.Back.Returns(q.Context(), q.Caller, t.Returns)
		if err != nil {
			return v, err
		}
		v.ReturnRequest, v.Returns = returns.Present(list, s.router.Config().Server.PublicURL, s.Pages)
	}
	return v, nil
}

func (s *surface) answer(q *httpapi.Request, t *tracker.Tracker) (httpapi.Answer, error) {
	v, err := s.present(q, t)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: v}, nil
}
