package shipping

import (
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

type historyView struct {
	OrderID     shipment.ID  `json:"orderId"`
	TenantID    string       `json:"tenantId"`
	OrderStatus []statusView `json:"orderStatus"`
	TrackingURL *string      `json:"trackingUrl"`
}

type statusView struct {
	Status         shipping.Status       `json:"status"`
	UpdatedAt      string                `json:"updatedAt"`
	UpdatedAtEpoch int64                 `json:"updatedAtEpoch"`
	Note           *string               `json:"note"`
	StatusUser     string                `json:"statusUser"`
	Actor          string                `json:"actor,omitempty"`
	EventReason    *shipping.EventReason `json:"eventReason,omitempty"`
	SubStatus      string                `json:"subStatus,omitempty"`
}

// noHistory is that of an order which does not exist.
func noHistory() (httpapi.Answer, error) { return httpapi.Answer{Body: []historyView{}}, nil }

// history answers the status history.
func (s *surface) history(q *httpapi.Request, id string) (httpapi.Answer, error) {
	sh, changes, err := s.cases.History(q.Context(), q.Caller, id)
	if e, ok := errors.AsType[*usecase.Error](err); ok && e.Type == usecase.NotFound {
		return noHistory()
	}
	if err != nil {
		return httpapi.Answer{}, err
	}
	zone := sh.Zone()
	v := historyView{OrderID: sh.ID, TenantID: sh.Tenant, OrderStatus: make([]statusView, 0, len(changes))}
	if v.TrackingURL = shape.Text(s.pages.ShipmentPage(sh)); v.TrackingURL == nil && sh.Shown() != nil {
		v.TrackingURL = shape.Text(sh.Shown().Booking.TrackingURL)
	}
	for _, c := range changes {
		v.OrderStatus = append(v.OrderStatus, statusView{Status: c.Status, UpdatedAt: inWords(c.At.In(zone)), UpdatedAtEpoch: c.At.UnixMilli(),
			Note: shape.Text(c.Note), StatusUser: c.User, Actor: c.Actor, EventReason: c.Reason, SubStatus: c.SubStatus})
	}
	return httpapi.Answer{Body: []historyView{v}}, nil
}

// inWords writes a time as the seed does: "April 27th 2022, 2:45:45 am CDT".
func inWords(t time.Time) string {
	return fmt.Sprintf("%s %d%s %s", t.Format("January"), t.Day(), ordinal(t.Day()), t.Format("2006, 3:04:05 pm MST"))
}

func ordinal(n int) string {
	if n >= 11 && n <= 13 {
		return "th"
	}
	switch n % 10 {
	case 1:
		return "st"
	case 2:
		return "nd"
	case 3:
		return "rd"
	}
	return "th"
}
