package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// alert is one push of Track Alert (UPSTrackAlert, TrackingEventRequest). What UPS does not know yet is "".
type alert struct {
	TrackingNumber     text              `json:"trackingNumber"`
	LocalDate          text              `json:"localActivityDate"` // YYYYMMDD
	LocalTime          text              `json:"localActivityTime"` // HHMMSS
	GMTDate            text              `json:"gmtActivityDate"`
	GMTTime            text              `json:"gmtActivityTime"`
	GMTOffset          text              `json:"gmtOffset"` // -04.00
	Location           many[place]       `json:"activityLocation"`
	Status             many[alertStatus] `json:"activityStatus"`
	ActualDeliveryDate text              `json:"actualDeliveryDate"`
	ReceivedBy         text              `json:"receivedBy"`
}

// alertStatus is a status; descriptionCode, the three digits, stands in UPS's examples and not in its schema.
type alertStatus struct {
	Type            text `json:"type"`
	Code            text `json:"code"`
	Description     text `json:"description"`
	DescriptionCode text `json:"descriptionCode"`
}

var errNoActivity = errors.New("it has no trackingNumber, no activityStatus or no readable time")

// ReceivePush reads one event of Track Alert. UPS signs nothing. It sends the credential that was agreed: in the header credential
// (v1), as x-api-key, or as the bearer that the merchant's own token endpoint has given out (v2).
func (a *Account) ReceivePush(_ context.Context, p carrier.Push) (carrier.PushAnswer, error) {
	agreed := a.cfg.PushCredential.Reveal()
	if agreed == "" || !carries(p, agreed) {
		e := &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.PushRejected,
			Message: "The push does not carry the agreed credential."}
		if agreed == "" {
			e.Source, e.Message = carrier.SourceConfig, "The account has no push_credential, so no push can be trusted."
		}
		return carrier.PushAnswer{}, e
	}
	u, err := decodeAlert(p.Body)
	if err != nil {
		return carrier.PushAnswer{}, &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
			Code: carrier.CarrierProtocol, Message: "The push cannot be read.", Err: err}
	}
	return carrier.PushAnswer{Updates: []carrier.TrackUpdate{u}}, nil
}

// carries reports whether a push carries the credential. Every place is compared, each in constant time.
func carries(p carrier.Push, agreed string) bool {
	want := sha256.Sum256([]byte(agreed))
	found := 0
	scheme, bearer, _ := strings.Cut(p.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		bearer = ""
	}
	for _, given := range []string{p.Header.Get("Credential"), p.Header.Get("X-Api-Key"), strings.TrimSpace(bearer)} {
		sum := sha256.Sum256([]byte(given))
		found |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	return found == 1
}

func decodeAlert(body []byte) (carrier.TrackUpdate, error) {
	var a alert
	if err := decode(body, &a); err != nil {
		return carrier.TrackUpdate{}, err
	}
	s := a.Status.first()
	act := activity{Date: a.LocalDate, Time: a.LocalTime, GMTDate: a.GMTDate, GMTTime: a.GMTTime, GMTOffset: a.GMTOffset,
		Status: many[status]{{Type: s.Type, Code: s.Code, StatusCode: s.DescriptionCode, Description: s.Description}}}
	e, ok := eventOf(act)
	if a.TrackingNumber == "" || len(a.Status) == 0 || !ok {
		return carrier.TrackUpdate{}, errNoActivity
	}
	at := a.Location.first()
	e.City, e.State, e.PostalCode, e.CountryCode = string(at.City), string(at.StateProvince), string(at.PostalCode), at.country()
	if e.Status == "" && s.Type == "D" && a.ActualDeliveryDate != "" {
		e.Status = shipping.OrderDelivered
	}
	u := carrier.TrackUpdate{Number: string(a.TrackingNumber), Events: []shipping.TrackingEvent{e}, SignedBy: string(a.ReceivedBy),
		TrackingURL: trackingURL(string(a.TrackingNumber))}
	switch e.Status {
	case shipping.PickupCompleted:
		u.ActualPickup = e.Time
	case shipping.OrderDelivered:
		u.ActualDelivery = e.Time
	}
	return u, nil
}
