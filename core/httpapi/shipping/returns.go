package shipping

import (
	"net/http"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/returns"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
)

// giveBack books the way back of an order.
func (s *surface) giveBack(q *httpapi.Request, id string) (httpapi.Answer, error) {
	r, err := returns.Decode(q, "POST /shipments/"+id+"/return")
	if err != nil {
		return httpapi.Answer{}, err
	}
	res, err := s.cases.Return(q.Context(), q.Caller, id, r)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return returns.Answer(r, res, s.base(), s.pages), nil
}

// show turns a shipment into its answer, with what has become of its returns.
func (s *surface) show(q *httpapi.Request, sh *shipment.Shipment) (view, error) {
	v := linked(sh, s.base(), s.pages)
	if len(sh.Returns) > 0 {
		list, err := s.cases.Returns(q.Context(), q.Caller, sh.Returns)
		if err != nil {
			return v, err
		}
		v.ReturnRequest, v.Returns = returns.Present(list, s.base(), s.pages)
	}
	return v, nil
}

func (s *surface) answerShown(q *httpapi.Request, sh *shipment.Shipment, status int) (httpapi.Answer, error) {
	v, err := s.show(q, sh)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Status: status, Body: v}, nil
}

// returnOfView says of a return what it returns.
type returnOfView struct {
	ShipmentID      *shipment.ID        `json:"shipmentId"`
	TrackerID       *string             `json:"trackerId"`
	OrderExternalID string              `json:"orderExternalId"`
	Type            shipment.ReturnType `json:"type"`
	Reason          string              `json:"reason"`
}

func showReturnOf(r *shipment.ReturnOf) *returnOfView {
	if r == nil {
		return nil
	}
	v := &returnOfView{OrderExternalID: r.OriginID, Type: r.Type, Reason: r.Reason, TrackerID: shape.Text(r.Tracker)}
	if r.Shipment != "" {
		v.ShipmentID = &r.Shipment
	}
	return v
}

// mountReturns mounts the routes of returns.
func (s *surface) mountReturns(r *httpapi.Router) {
	r.Handle(http.MethodPost, "/shipments/{id}/return", nil, ofOrder(s.giveBack, invalidID))
}
