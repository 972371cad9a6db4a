// Package tracker serves the Tracker API: parcels that were not dispatched here and are followed all the same. Detect tells
// which couriers may have given a number, for whoever is about to create a tracker.
package tracker

import (
	"fmt"
	"net/http"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// MountDetect mounts GET /couriers/detect.
func MountDetect(r *httpapi.Router) {
	r.Handle(http.MethodGet, "/couriers/detect", nil, detect)
}

// detect answers the readings of ?trackingNumber=, best first; none is an empty list and no error, for couriers have formats that
// are not known here.
func detect(q *httpapi.Request) (httpapi.Answer, error) {
	given := q.HTTP.URL.Query()["trackingNumber"]
	fault := ""
	switch {
	case len(given) > 1:
		fault = "must be given once"
	case len(given) == 0 || number.Normalize(given[0]) == "":
		fault = "is required: add ?trackingNumber= with the number, URL-encoded"
	case len(given[0]) > number.MaxLength:
		fault = fmt.Sprintf("must be at most %d bytes", number.MaxLength)
	}
	if fault != "" {
		return httpapi.Answer{}, usecase.Invalid(usecase.ValidationError, shipping.Faults{{Path: "trackingNumber", Message: fault}})
	}
	return httpapi.Answer{Body: number.Detect(given[0])}, nil
}
