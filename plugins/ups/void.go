package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

// Cancel voids a whole shipment by its identification number. Voiding twice is no error, so a lost answer may be followed by
// another call.
func (a *Account) Cancel(ctx context.Context, r carrier.CancelRequest) (carrier.Cancellation, error) {
	number := r.CarrierRef
	if number == "" {
		number = r.TrackingID
	}
	if number == "" {
		return carrier.Cancellation{}, &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
			Code: carrier.InvalidField, Field: "carrierRef", Message: "a shipment is voided by UPS's number, and none is given"}
	}
	x := exchange{method: http.MethodDelete, path: "/api/shipments/v2409/void/cancel/" + url.PathEscape(number), acts: true}
	var answer voidAnswer
	resp, err := a.ask(ctx, x, &answer)
	if err != nil {
		return voidRefused(err)
	}
	v := answer.VoidShipmentResponse.first()
	if len(v.SummaryResult) == 0 {
		return voidRefused(x.missing(resp, "SummaryResult"))
	}
	if v.whole() {
		return carrier.Cancellation{Note: "voided"}, nil
	}
	s := v.SummaryResult.first().Status.first()
	return carrier.Cancellation{}, &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectUnknown, Retry: carrier.RetrySafe,
		Code: carrier.CancelRefused, CarrierCode: string(s.Code), CarrierMessage: string(s.Description), HTTPStatus: resp.Status,
		Message: "UPS did not void every parcel of the shipment"}
}

func voidRefused(err error) (carrier.Cancellation, error) {
	e := carrier.AsError(err)
	if e.CarrierCode == alreadyVoided {
		return carrier.Cancellation{Note: "already voided"}, nil
	}
	if e.Effect == carrier.EffectUnknown {
		e.Retry = carrier.RetrySafe
	}
	return carrier.Cancellation{}, e
}

// voidAnswer has no package results where the whole shipment was voided. Their name is plural in the schema and singular
// on the wire.
type voidAnswer struct {
	VoidShipmentResponse many[voided] `json:"VoidShipmentResponse"`
}

type voided struct {
	SummaryResult many[struct {
		Status many[coded] `json:"Status"`
	}] `json:"SummaryResult"`
	PackageLevelResult  many[packageVoided] `json:"PackageLevelResult"`
	PackageLevelResults many[packageVoided] `json:"PackageLevelResults"`
}

type packageVoided struct {
	Status many[coded] `json:"Status"`
}

// whole reports whether all of the shipment is void: the summary says 1, or every package does (1 is also "was void before").
func (v voided) whole() bool {
	packages := append(v.PackageLevelResult, v.PackageLevelResults...)
	for _, p := range packages {
		if p.Status.first().Code != "1" {
			return false
		}
	}
	return v.SummaryResult.first().Status.first().Code == "1" || len(packages) > 0
}
