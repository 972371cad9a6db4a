package ship24

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// data is the envelope of what is answered: {"data":{name: what}}.
func data(name string, what any) any { return map[string]any{"data": map[string]any{name: what}} }

type trackerView struct {
	TrackerID         string        `json:"trackerId"`
	TrackingNumber    string        `json:"trackingNumber"`
	ShipmentReference *string       `json:"shipmentReference"`
	CourierCode       *courierCodes `json:"courierCode,omitzero"` // absent where none was told: it cannot be null
	ClientTrackerID   *string       `json:"clientTrackerId"`
	IsSubscribed      bool          `json:"isSubscribed"`
	IsTracked         *bool         `json:"isTracked,omitzero"` // absent in webhooks
	CreatedAt         string        `json:"createdAt"`
}

// listed is a tracker in a list, which shows more of what was told.
type listed struct {
	trackerView
	OriginCountryCode      *string `json:"originCountryCode"`
	DestinationCountryCode *string `json:"destinationCountryCode"`
	DestinationPostCode    *string `json:"destinationPostCode"`
	ShippingDate           *string `json:"shippingDate"`
	CourierName            *string `json:"courierName"`
	TrackingURL            *string `json:"trackingUrl"`
}

func show(t *tracker.Tracker, tenant *config.Tenant) trackerView {
	x := extraOf(t)
	tracked := t.Stopped == "" && tenant != nil && tenant.Accounts[t.Account] != nil // an account may have been taken out since
	return trackerView{TrackerID: uuidOf(t.ID), TrackingNumber: t.Number, ShipmentReference: x.Request.ShipmentReference, CourierCode: x.Request.CourierCode,
		ClientTrackerID: x.Request.ClientTrackerID, IsSubscribed: !x.Unsubscribed, IsTracked: &tracked, CreatedAt: clock.Millis(t.CreatedAt)}
}

func showListed(t *tracker.Tracker, tenant *config.Tenant) listed {
	r := extraOf(t).Request
	return listed{trackerView: show(t, tenant), OriginCountryCode: r.OriginCountryCode, DestinationCountryCode: r.DestinationCountryCode,
		DestinationPostCode: r.DestinationPostCode, ShippingDate: r.ShippingDate, CourierName: r.CourierName, TrackingURL: r.TrackingURL}
}

type result struct {
	Metadata   *metadata    `json:"metadata,omitzero"` // in webhooks only
	Tracker    *trackerView `json:"tracker,omitzero"`  // not in searches
	Shipment   shipmentView `json:"shipment"`
	Events     []eventView  `json:"events"`
	Statistics statistics   `json:"statistics"`
}

type metadata struct {
	GeneratedAt string `json:"generatedAt"`
	MessageID   string `json:"messageId"`
	Topic       string `json:"topic"`
}

type shipmentView struct {
	ShipmentID             *string        `json:"shipmentId"`
	StatusCode             *string        `json:"statusCode"`
	StatusCategory         *string        `json:"statusCategory"`
	StatusMilestone        string         `json:"statusMilestone"`
	OriginCountryCode      *string        `json:"originCountryCode"`
	DestinationCountryCode *string        `json:"destinationCountryCode"`
	Delivery               delivery       `json:"delivery"`
	TrackingNumbers        []oneNumber    `json:"trackingNumbers"`
	Recipient              *recipientView `json:"recipient"`
}

type delivery struct {
	Estimated        *string `json:"estimatedDeliveryDate"`
	CourierEstimated *window `json:"courierEstimatedDeliveryDate"`
	Service          *string `json:"service"`
	SignedBy         *string `json:"signedBy"`
}

type window struct {
	From *string `json:"from"`
	To   *string `json:"to"`
}

type oneNumber struct {
	TN string `json:"tn"`
}

type recipientView struct {
	Name        *string `json:"name"`
	Address     *string `json:"address"`
	PostCode    *string `json:"postCode"`
	City        *string `json:"city"`
	Subdivision *string `json:"subdivision"`
}

type eventView struct {
	EventID             string  `json:"eventId"`
	TrackingNumber      string  `json:"trackingNumber"`
	EventTrackingNumber string  `json:"eventTrackingNumber"`
	Status              string  `json:"status"`
	OccurrenceDatetime  string  `json:"occurrenceDatetime"`
	Order               int     `json:"order"`
	Location            *string `json:"location"`
	SourceCode          *string `json:"sourceCode"`
	CourierCode         *string `json:"courierCode"`
	StatusCode          *string `json:"statusCode"`
	StatusCategory      *string `json:"statusCategory"`
	StatusMilestone     string  `json:"statusMilestone"`
}

type statistics struct {
	Timestamps timestamps `json:"timestamps"`
}

// timestamps are when each milestone was first reached.
type timestamps struct {
	InfoReceived       *string `json:"infoReceivedDatetime"`
	InTransit          *string `json:"inTransitDatetime"`
	OutForDelivery     *string `json:"outForDeliveryDatetime"`
	FailedAttempt      *string `json:"failedAttemptDatetime"`
	AvailableForPickup *string `json:"availableForPickupDatetime"`
	Exception          *string `json:"exceptionDatetime"`
	Delivered          *string `json:"deliveredDatetime"`
}

// trackingOf is all that is known of a tracker. tenant knows whose accounts have heard it.
func trackingOf(t *tracker.Tracker, tenant *config.Tenant) result {
	v := show(t, tenant)
	out := result{Tracker: &v, Shipment: shipmentOf(t), Events: []eventView{}}
	place := cmp.Or(t.Local(), time.UTC)
	reached := tracker.Milestone{Milestone: tracker.Pending}
	first := 1 // events that are not kept any more were before these
	if t.Base != nil {
		first += t.Base.Count
		reached = tracker.MilestoneOf(t.Base.Status, t.Base.SubStatus, nil)
	}
	for i := range t.Events {
		e := &t.Events[i]
		m := milestoneOf(e, reached)
		reached = m
		at := when(e, place)
		out.Statistics.Timestamps.reach(m.Milestone, at)
		out.Events = append(out.Events, eventView{EventID: named("event", t.Number, e.ID), TrackingNumber: t.Number, EventTrackingNumber: cmp.Or(e.Number, t.Number),
			Status: words(e), OccurrenceDatetime: at, Order: first + i, Location: shape.Text(location(e)), SourceCode: shape.Text(e.Account), CourierCode: courierOf(tenant, e.Account),
			StatusCode: shape.Text(m.Code), StatusCategory: shape.Text(m.Category), StatusMilestone: m.Milestone})
	}
	slices.Reverse(out.Events)
	return out
}

// milestoneOf is where the parcel was when something happened. An event whose meaning nobody knows is an ordinary scan: it leaves the
// parcel where it was, on its way at least.
func milestoneOf(e *tracker.Event, before tracker.Milestone) tracker.Milestone {
	if e.Status != "" {
		return e.Milestone()
	}
	switch before.Milestone {
	case tracker.Pending, tracker.InfoReceived:
		return tracker.Milestone{Milestone: tracker.InTransit}
	}
	return tracker.Milestone{Milestone: before.Milestone}
}

func (ts *timestamps) reach(milestone, at string) {
	to := map[string]**string{tracker.InfoReceived: &ts.InfoReceived, tracker.InTransit: &ts.InTransit, tracker.OutForDelivery: &ts.OutForDelivery,
		tracker.FailedAttempt: &ts.FailedAttempt, tracker.AvailableForPickup: &ts.AvailableForPickup, tracker.Exception: &ts.Exception,
		tracker.Delivered: &ts.Delivered}[milestone]
	if to != nil && *to == nil {
		*to = &at
	}
}

func shipmentOf(t *tracker.Tracker) shipmentView {
	r := extraOf(t).Request
	m := t.Milestone()
	s := shipmentView{StatusCode: shape.Text(m.Code), StatusCategory: shape.Text(m.Category), StatusMilestone: m.Milestone, OriginCountryCode: r.OriginCountryCode,
		DestinationCountryCode: r.DestinationCountryCode, TrackingNumbers: []oneNumber{{t.Number}}}
	if m.Milestone != tracker.Pending {
		id := named("shipment", string(t.ID))
		s.ShipmentID = &id
	}
	for i := range t.Events {
		if n := (oneNumber{t.Events[i].Number}); n.TN != "" && !slices.Contains(s.TrackingNumbers, n) {
			s.TrackingNumbers = append(s.TrackingNumbers, n)
		}
	}
	s.Delivery.SignedBy = shape.Text(t.SignedBy)
	if w := t.Progress.EstimatedDelivery; !w.IsZero() {
		s.Delivery.CourierEstimated = &window{From: instant(w.StartsAt), To: instant(w.EndsAt)}
		if s.Delivery.Estimated = instant(w.EndsAt); w.EndsAt.IsZero() {
			s.Delivery.Estimated = instant(w.StartsAt)
		}
	}
	var who recipientView
	if r.Recipient != nil {
		who.Name = r.Recipient.Name
	}
	if who.PostCode = r.DestinationPostCode; who != (recipientView{}) {
		s.Recipient = &who
	}
	return s
}

// words are the carrier's own; where it has none, those that say what happened.
func words(e *tracker.Event) string {
	return cmp.Or(e.CarrierWords, e.Note, e.CarrierCode, strings.ToLower(strings.ReplaceAll(string(e.Status), "_", " ")))
}

func location(e *tracker.Event) string {
	var parts []string
	for _, p := range []string{e.City, strings.TrimSpace(e.State + " " + e.PostalCode), e.CountryCode} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// courierOf is the courier behind an account, in Ship24's code where there is one.
func courierOf(tenant *config.Tenant, account string) *string {
	if tenant == nil || tenant.Accounts[account] == nil {
		return nil
	}
	adapter := tenant.Accounts[account].Adapter
	if c, ok := number.Lookup(adapter); ok {
		return &c.Ship24
	}
	return &adapter
}

// when is the time of an event in one of the logistic shapes: as the carrier's clock showed it. Where no clock was told it is in UTC,
// or without a zone where none is known.
func when(e *tracker.Event, place *time.Location) string {
	if clock := e.Clock(); clock != "" {
		return clock
	}
	if e.ZoneKnown {
		return clock.Millis(e.Time.Time)
	}
	return e.Time.In(place).Format("2006-01-02T15:04:05")
}

func instant(t shipping.Instant) *string {
	if t.IsZero() {
		return nil
	}
	s := clock.Millis(t.Time)
	return &s
}
