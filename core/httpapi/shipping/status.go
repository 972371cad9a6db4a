package shipping

import (
	"net/http"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
)

// setStatus moves an order by hand, as drivers and staff do.
func (s *surface) setStatus(q *httpapi.Request, id string) (httpapi.Answer, error) {
	u, err := shape.ReadStatus(q.Body, s.router.Clock.Now())
	if err != nil {
		return httpapi.Answer{}, err
	}
	sh, err := s.follow.SetShipmentStatus(q.Context(), q.Caller, id, u)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return s.answerShown(q, sh, http.StatusOK)
}
