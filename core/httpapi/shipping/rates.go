package shipping

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

type ratesView struct {
	RateID   string              `json:"rateId"`
	Rates    []rateView          `json:"rates"`
	Errors   []httpapi.ErrorItem `json:"errors"`
	Warnings []shipment.Warning  `json:"warnings,omitempty"`
}

type rateView struct {
	Type                  string              `json:"type"`
	Provider              string              `json:"provider"`
	ProviderID            string              `json:"providerId"`
	ProviderDisplayName   string              `json:"providerDisplayName"`
	ServiceType           string              `json:"serviceType"`
	ServiceID             string              `json:"serviceId"`
	ServiceCode           *string             `json:"serviceCode"`
	Mode                  *string             `json:"mode"`
	EstimatedPickupTime   shipping.TimeWindow `json:"estimatedPickupTime"`
	EstimatedDeliveryTime shipping.TimeWindow `json:"estimatedDeliveryTime"`
	TransitDays           *int                `json:"transitDays"`
	Expires               shipping.Instant    `json:"expires"`
	CurrencyCode          string              `json:"currencyCode"`
	Amount                shipping.Decimal    `json:"amount"`
	Fee                   shipping.Decimal    `json:"fee"`
	ChargeDetails         []chargeView        `json:"chargeDetails"`
	RuleApplied           bool                `json:"ruleApplied"`
}

type chargeView struct {
	Code   string           `json:"code"`
	Name   string           `json:"name"`
	Amount shipping.Decimal `json:"amount"`
}

// rates answers what each account would ask for an order, books nothing and stores nothing.
func (s *surface) rates(q *httpapi.Request) (httpapi.Answer, error) {
	o, err := decodeOrder(q, func(o shipment.Order) shipping.Faults {
		return slices.DeleteFunc(s.cases.Validate(q.Caller, o), func(x shipping.Fault) bool { return x.Path == "orderExternalId" })
	})
	if err != nil {
		return httpapi.Answer{}, err
	}
	r, err := s.cases.Rates(q.Context(), q.Caller, o)
	if err != nil {
		return httpapi.Answer{}, err
	}
	v := ratesView{RateID: r.ID, Rates: []rateView{}, Errors: []httpapi.ErrorItem{}, Warnings: r.Warnings}
	for _, row := range r.Rows {
		v.Rates = append(v.Rates, rate(row))
	}
	slices.SortStableFunc(v.Rates, func(a, b rateView) int { return a.Fee.Rat().Cmp(b.Fee.Rat()) })
	for _, e := range r.Errors {
		v.Errors = append(v.Errors, httpapi.ErrorItem{Type: e.Type, Message: e.Message, Provider: e.Provider, Code: e.Code})
	}
	return httpapi.Answer{Body: v}, nil
}

func rate(row dispatch.RateRow) rateView {
	qt := row.Quote
	v := rateView{
		Type: "delivery", Provider: row.Provider, ProviderID: row.Account.ID, ProviderDisplayName: cmp.Or(row.Account.Name, row.Provider),
		ServiceType: qt.ServiceType, ServiceID: qt.ServiceID, ServiceCode: shape.Text(qt.ServiceCode), Mode: shape.Text(qt.Mode),
		EstimatedPickupTime: qt.Pickup, EstimatedDeliveryTime: qt.Delivery, Expires: qt.Expires,
		CurrencyCode: qt.Amount.Currency, Amount: qt.Amount.Major(), Fee: row.Fee.Major(), ChargeDetails: []chargeView{}, RuleApplied: row.RuleApplied,
	}
	if qt.Mode != "courier" {
		v.Type = "shipping"
	}
	if qt.TransitDays > 0 {
		v.TransitDays = &qt.TransitDays
	}
	for _, c := range qt.Charges {
		v.ChargeDetails = append(v.ChargeDetails, chargeView{Code: c.Code, Name: c.Name, Amount: c.Amount.Major()})
	}
	return v
}

type decisionView struct {
	ID              shipment.ID   `json:"id"`
	OrderExternalID string        `json:"orderExternalId"`
	Decisions       []roundView   `json:"decisions"`
	Attempts        []attemptView `json:"attempts"`
}

type roundView struct {
	Round    int            `json:"round"`
	At       string         `json:"at"`
	Sentence string         `json:"sentence"`
	Trial    *store.Trial   `json:"trial,omitempty"`
	Record   jsontext.Value `json:"record"`
}

type attemptView struct {
	Number     int                   `json:"number"`
	Round      int                   `json:"round"`
	Provider   string                `json:"provider"`
	ServiceID  string                `json:"serviceId"`
	Reference  string                `json:"reference"`
	State      shipment.AttemptState `json:"state"`
	IntendedAt string                `json:"intendedAt"`
	Fee        shipping.Decimal      `json:"fee"`
	TrackingID *string               `json:"trackingId"`
	Error      *shipment.CallError   `json:"error"`
	Doubt      *shipment.Doubt       `json:"doubt"`
	Spares     []spareView           `json:"spares,omitempty"`
}

// spareView is a booking beside the one that the order counts on, which the carrier has not cancelled yet.
type spareView struct {
	TrackingID string `json:"trackingId"`
	FoundAt    string `json:"foundAt"`
	Needs      string `json:"needs,omitempty"`
	Last       string `json:"last,omitempty"` // what the carrier said when it was asked to cancel it
}

// sparesLeft are the spare bookings of an attempt that are not cancelled.
func sparesLeft(a *shipment.Attempt) []spareView {
	var out []spareView
	for _, sp := range a.Spares {
		if !sp.CancelledAt.IsZero() {
			continue
		}
		v := spareView{TrackingID: sp.TrackingID, FoundAt: clock.Millis(sp.FoundAt), Needs: sp.Needs}
		if v.TrackingID == "" {
			v.TrackingID = sp.CarrierRef
		}
		if sp.Error != nil {
			v.Last = sp.Error.Message
		}
		out = append(out, v)
	}
	return out
}

// decision answers why an order went where it went: every round's record and every attempt.
func (s *surface) decision(q *httpapi.Request, id string) (httpapi.Answer, error) {
	sh, err := s.cases.Get(q.Context(), q.Caller, id)
	if err != nil {
		return httpapi.Answer{}, err
	}
	ds, err := s.cases.Decisions(q.Context(), q.Caller, id)
	if err != nil {
		return httpapi.Answer{}, err
	}
	v := decisionView{ID: sh.ID, OrderExternalID: sh.Order.ExternalID, Decisions: []roundView{}, Attempts: []attemptView{}}
	for _, d := range ds {
		v.Decisions = append(v.Decisions, roundView{Round: d.Round, At: clock.Millis(d.At), Sentence: dispatch.Sentence(d.Record), Trial: d.Trial, Record: d.Record})
	}
	for _, a := range sh.Attempts {
		av := attemptView{Number: a.Number, Round: a.Round, Provider: a.Account, ServiceID: a.ServiceID, Reference: a.Reference, State: a.State,
			IntendedAt: clock.Millis(a.IntendedAt), Fee: a.Fee.Major(), Error: a.Error, Doubt: a.Undecided(), Spares: sparesLeft(&a)}
		if a.Booking != nil {
			av.TrackingID = shape.Text(a.Booking.TrackingID)
		}
		v.Attempts = append(v.Attempts, av)
	}
	return httpapi.Answer{Body: v}, nil
}

type traceView struct {
	ID        shipment.ID    `json:"id"`
	Exchanges []exchangeView `json:"exchanges"`
}

// exchangeView is one exchange, or the note that some were lost: then lost says why and the members of the exchange are null.
type exchangeView struct {
	Provider       string            `json:"provider"`
	Op             string            `json:"op"`
	Attempt        *int              `json:"attempt"` // null for a question that belongs to no attempt
	Round          int               `json:"round"`
	Lost           *string           `json:"lost"`
	At             *string           `json:"at"`
	DurationMillis *float64          `json:"durationMs"`
	Method         *string           `json:"method"`
	URL            *string           `json:"url"`
	RequestHeader  map[string]string `json:"requestHeader"`
	RequestBody    *string           `json:"requestBody"`
	Status         *int              `json:"status"` // null where no answer came
	ResponseHeader map[string]string `json:"responseHeader"`
	ResponseBody   *string           `json:"responseBody"`
	Truncated      bool              `json:"truncated"`
	Error          *string           `json:"error"`
}

// trace answers what went over the wire for an order, redacted.
func (s *surface) trace(q *httpapi.Request, id string) (httpapi.Answer, error) {
	t, err := s.cases.Trace(q.Context(), q.Caller, id)
	if err != nil {
		return httpapi.Answer{}, err
	}
	v := traceView{ID: t.Shipment, Exchanges: make([]exchangeView, 0, len(t.Exchanges))}
	for _, x := range t.Exchanges {
		v.Exchanges = append(v.Exchanges, exchange(x))
	}
	return httpapi.Answer{Body: v}, nil
}

func exchange(x store.Exchange) exchangeView {
	v := exchangeView{Provider: x.Account, Op: x.Op, Attempt: number(x.Attempt), Round: x.Round, Lost: shape.Text(x.Lost)}
	if x.Lost != "" {
		return v
	}
	at, ms := clock.Millis(x.At), float64(x.Duration.Microseconds())/1000
	v.At, v.DurationMillis, v.Method, v.URL, v.Status = &at, &ms, &x.Method, &x.URL, number(x.Exchange.Status)
	v.RequestHeader, v.RequestBody = x.RequestHeader, shape.Text(x.RequestBody)
	v.ResponseHeader, v.ResponseBody = x.ResponseHeader, shape.Text(x.ResponseBody)
	v.Truncated, v.Error = x.Truncated, shape.Text(x.Error)
	return v
}

func number(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
