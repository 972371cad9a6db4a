package shipping

import (
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
)

type eventsView struct {
	OrderID         shipment.ID   `json:"orderId"`
	OrderExternalID string        `json:"orderExternalId"`
	TrackingID      *string       `json:"trackingId"`
	Events          []shape.Event `json:"events"`
}

// events answers the merged timeline of all that was booked for the order.
func (s *surface) events(q *httpapi.Request, id string) (httpapi.Answer, error) {
	sh, err := s.cases.Get(q.Context(), q.Caller, id)
	if err != nil {
		return httpapi.Answer{}, err
	}
	followed, err := s.follow.TrackersByTag(q.Context(), q.Caller, tracker.ShipmentTag(sh.ID))
	if err != nil {
		return httpapi.Answer{}, err
	}
	v := eventsView{OrderID: sh.ID, OrderExternalID: sh.Order.ExternalID, Events: shape.Events(followed...)}
	if a := sh.Shown(); a != nil {
		v.TrackingID = shape.Text(a.Booking.TrackingID)
	}
	return httpapi.Answer{Body: v}, nil
}
