package shape

import (
	"cmp"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Event is one line of a merged timeline.
type Event struct {
	ID           string                `json:"id"`
	TrackingID   string                `json:"trackingId"`
	Status       *shipping.Status      `json:"status"` // null where the carrier's code has no meaning that is known
	SubStatus    *string               `json:"subStatus"`
	Milestone    string                `json:"milestone"`
	Category     *string               `json:"category"`
	Code         *string               `json:"code"`
	EventReason  *shipping.EventReason `json:"eventReason"`
	CarrierCode  *string               `json:"carrierCode"`
	CarrierWords *string               `json:"carrierWords"`
	Place        Place                 `json:"place"`
	Time         shipping.Instant      `json:"time"`
	LocalTime    *string               `json:"localTime"`
	CarrierTime  *string               `json:"carrierTime"` // null where the carrier told a moment and showed no clock
	ZoneKnown    bool                  `json:"zoneKnown"`
	ReceivedAt   string                `json:"receivedAt"`
	Source       tracker.Origin        `json:"source"`
	Provider     *string               `json:"provider"`
	User         *string               `json:"user"`
	Note         *string               `json:"note"`
	Actor        string                `json:"actor,omitempty"`
	Late         bool                  `json:"late"`
}

// Place is where a carrier says that something happened, as far as it says so.
type Place struct {
	City        *string `json:"city"`
	State       *string `json:"state"`
	PostalCode  *string `json:"postalCode"`
	CountryCode *string `json:"countryCode"`
}

// Events shows the timelines of some trackers as one, oldest first. Within one timeline the order of truth stays.
func Events(trackers ...*tracker.Tracker) []Event {
	type at struct {
		time  time.Time
		event Event
	}
	var all []at
	for _, t := range trackers {
		last := time.Time{}
		for i := range t.Events {
			if e := &t.Events[i]; e.Time.After(last) {
				last = e.Time.Time
			}
			all = append(all, at{last, eventOf(t, &t.Events[i])})
		}
	}
	slices.SortStableFunc(all, func(a, b at) int { return cmp.Compare(a.time.UnixNano(), b.time.UnixNano()) })
	out := make([]Event, 0, len(all))
	for _, x := range all {
		out = append(out, x.event)
	}
	return out
}

func eventOf(t *tracker.Tracker, e *tracker.Event) Event {
	m := e.Milestone()
	v := Event{ID: e.ID, TrackingID: e.Number, SubStatus: Text(e.SubStatus), Milestone: m.Milestone, Category: Text(m.Category), Code: Text(m.Code),
		EventReason: e.Reason, CarrierCode: Text(e.CarrierCode), CarrierWords: Text(e.CarrierWords),
		Place: Place{City: Text(e.City), State: Text(e.State), PostalCode: Text(e.PostalCode), CountryCode: Text(e.CountryCode)},
		Time:  e.Time, LocalTime: localTime(t, e), CarrierTime: Text(e.Clock()), ZoneKnown: e.ZoneKnown, ReceivedAt: clock.Millis(e.Received), Source: e.Origin, Provider: Text(e.Account),
		User: Text(e.User), Note: Text(e.Note), Actor: e.Actor, Late: e.Late}
	if e.Status != "" {
		v.Status = &e.Status
	}
	return v
}

// localTime is what the clock on the wall showed: with its offset where the carrier gave one, without where it gave a local time and
// the zone had to be assumed.
func localTime(t *tracker.Tracker, e *tracker.Event) *string {
	name := t.Zone
	if name == "" && t.Pickup != nil {
		name = t.Pickup.Zone
	}
	zone := shipment.LoadZone(name)
	if e.Time.IsZero() || zone == nil || name == "" {
		return nil
	}
	layout := "2006-01-02T15:04:05"
	if e.ZoneKnown {
		layout = time.RFC3339
	}
	return Text(e.Time.In(zone).Format(layout))
}
