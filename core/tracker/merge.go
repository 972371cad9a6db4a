package tracker

import (
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// MaxEvents is how many events a tracker keeps: the newest. What older ones have said stays in its Base.
const MaxEvents = 500

// What a carrier may say at most; the rest is cut.
const (
	maxWords  = 500
	maxName   = 100
	maxURL    = 2000
	maxProofs = 20
	// ahead is how far in the future an event may lie: zones are mistaken for each other. Further, and everything that follows
	// would be late for ever.
	ahead = 26 * time.Hour
)

// warnDelivered is the warning of a delivery that was said to be impossible.
const warnDelivered = "DELIVERED_AFTER_UNDELIVERABLE"

// Heard says how news came.
type Heard struct {
	Origin Origin
	At     time.Time // when they reached us
	User   string    // of what was set by hand: the key
	Note   string    // likewise
	Actor  string    // likewise: who wrote it, where the key is not the person
}

// Outcome is what news have done to a tracker.
type Outcome struct {
	Entered []Event // the events that are new, in the order of truth
	Moved   bool    // status or sub-status are others than before
	Facts   bool    // what is known besides the status has changed
}

// Merge takes an update in. Events that are known already are left out; the present is found anew from all events, in the order of
// truth, which does not know how they came. A tracker whose personal data was erased learns nothing more.
func (t *Tracker) Merge(u carrier.TrackUpdate, h Heard) Outcome {
	t.alias() // one of old may not have it
	if !t.ErasedAt.IsZero() {
		return Outcome{}
	}
	before, _ := t.now()
	var decided *Event
	if before.by >= 0 {
		e := t.Events[before.by]
		decided = &e
	}
	entered := t.enter(u, h)
	var out Outcome
	after := before
	if len(entered) > 0 {
		slices.SortStableFunc(t.Events, truth)
		var effects []effect
		after, effects = t.now()
		out.Entered = t.lateness(entered, effects, after.by, decided)
		t.forget()
	}
	out.Moved = t.Status != after.status || t.SubStatus != after.sub
	t.Status, t.SubStatus = after.status, after.sub
	out.Facts = t.learn(u, h, before, after)
	if after.again {
		t.warn(warnDelivered, "The carrier reports a delivery after it had reported that the delivery is not possible.")
	} else { // older news may have come between the two
		t.Warnings = slices.DeleteFunc(t.Warnings, func(w shipment.Warning) bool { return w.Code == warnDelivered })
	}
	if out.Moved || out.Facts || len(out.Entered) > 0 {
		t.UpdatedAt = h.At
	}
	return out
}

// enter appends the events that are new and returns how they were told, by their numbers.
func (t *Tracker) enter(u carrier.TrackUpdate, h Heard) map[int]Telling {
	index := make(map[string]int, len(t.Events))
	for i := range t.Events {
		index[t.Events[i].ID] = i
	}
	numbers := t.Numbers()
	entered := map[int]Telling{}
	for _, te := range u.Events {
		trim(&te)
		e := Event{Account: t.Account, Origin: h.Origin, Received: h.At, User: h.User, Note: h.Note, Actor: h.Actor, TrackingEvent: te}
		e.Number = t.Number
		if i := slices.IndexFunc(numbers, func(n string) bool { return SameNumber(n, u.Number) }); i >= 0 && len(numbers) > 1 {
			e.Number = numbers[i]
		}
		known := t.alike(identity(&e, len(numbers) > 1), index)
		fresh := known.add(tellingOf(&e))
		e.Time = t.placed(te, h.At)
		if fresh && known.full() {
			if t.Base != nil && !e.Time.After(t.Base.Until) {
				continue
			}
			e.ID = numbered(known.key, len(known.events))
			t.Seq++
			e.Seq = t.Seq
			entered[e.Seq] = tellingOf(&e)
			index[e.ID] = len(t.Events)
			known.events = append(known.events, len(t.Events))
			t.Events = append(t.Events, e)
		}
		known.spread(t)
	}
	return entered
}

// Local is where local times of the tracker's events are from, nil where that is not known: they are then kept as if they were UTC.
func (t *Tracker) Local() *time.Location {
	zone := t.Zone
	if zone == "" && t.Pickup != nil {
		zone = t.Pickup.Zone
	}
	if zone == "" {
		return nil
	}
	return shipment.LoadZone(zone)
}

// placed is when the event happened. A local time without a zone is one of the tracker's zone; a time that cannot be is that of arrival.
func (t *Tracker) placed(e shipping.TrackingEvent, received time.Time) shipping.Instant {
	at := e.Time.Time
	if !e.ZoneKnown && !at.IsZero() {
		if l := t.Local(); l != nil {
			at = time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), l)
		}
	}
	if at.Year() < 1971 || at.After(received.Add(ahead)) {
		at = received
	}
	return shipping.At(at)
}

// lateness marks the new events that do not move the present, and returns all new ones in the words in which they came.
func (t *Tracker) lateness(entered map[int]Telling, effects []effect, by int, decided *Event) []Event {
	var out []Event
	for i := range t.Events {
		e := &t.Events[i]
		said, fresh := entered[e.Seq]
		if !fresh {
			continue
		}
		old := decided != nil && truth(*e, *decided) < 0
		switch {
		case i == by:
		case e.Status == "":
			e.Late = old
		default:
			e.Late = old || effects[i] == nothing
		}
		now := *e
		now.tell(said)
		out = append(out, now)
	}
	return out
}

// forget drops the oldest events over the limit, and keeps what they have said.
func (t *Tracker) forget() {
	over := len(t.Events) - MaxEvents
	if over <= 0 {
		return
	}
	p := t.begin()
	for i := range over {
		p.take(&t.Events[i])
	}
	b := Base{Count: over, Until: t.Events[over-1].Time.Time, Status: p.status, SubStatus: p.sub, Pickup: p.pickup, Ended: p.ended, Delivered: p.delivered, Again: p.again}
	if t.Base != nil {
		b.Count += t.Base.Count
	}
	t.Base = &b
	t.Events = slices.Clone(t.Events[over:])
}

// learn takes in what an update says besides its events, unless it is older than what is known.
func (t *Tracker) learn(u carrier.TrackUpdate, h Heard, before, after present) bool {
	old := t.facts()
	p := &t.Progress
	at := h.At
	if len(u.Events) > 0 {
		at = time.Time{}
		for _, e := range u.Events {
			if placed := t.placed(e, h.At).Time; placed.After(at) {
				at = placed
			}
		}
	}
	fresh := !u.Unknown && !at.Before(t.FactsAt)
	if fresh && !u.Unknown {
		t.refresh(u)
		if !t.facts().same(old) {
			t.FactsAt = at
		}
	}
	set(&t.SignedBy, u.SignedBy, fresh)
	set(&t.TrackingURL, u.TrackingURL, fresh)
	t.SignedBy, t.TrackingURL = cut(t.SignedBy, maxName), cut(t.TrackingURL, maxURL)
	actual(&p.ActualPickup, u.ActualPickup, before.pickup, after.pickup)
	actual(&p.ActualDelivery, u.ActualDelivery, before.delivery, after.delivery)
	for _, proof := range u.Proofs {
		known := slices.ContainsFunc(p.Proofs, func(a shipment.Attachment) bool { return a.URL == proof.URL })
		if proof.URL != "" && len(proof.URL) <= maxURL && !known && len(p.Proofs) < maxProofs {
			p.Proofs = append(p.Proofs, shipment.Attachment{Type: cut(proof.Type, maxName), URL: proof.URL, ContentType: cut(proof.ContentType, maxName)})
		}
	}
	if t.Status == shipping.OrderUnassigned { // whoever it was has given it back
		p.Driver, p.Vehicle, p.LastLocation = nil, nil, nil
	}
	return !t.facts().same(old)
}

// refresh takes in what the newest word wins about.
func (t *Tracker) refresh(u carrier.TrackUpdate) {
	p := &t.Progress
	if !u.Pickup.IsZero() && sane(u.Pickup) {
		p.EstimatedPickup = u.Pickup
	}
	if !u.Delivery.IsZero() && sane(u.Delivery) {
		p.EstimatedDelivery = u.Delivery
	}
	if _, known := shipping.CurrencyDigits(u.Tip.Currency); known && u.Tip.Minor >= 0 {
		p.Tip = u.Tip
	}
	if d := u.Driver; d != nil {
		p.Driver = &shipping.Driver{Name: cut(d.Name, maxName), Phone: cut(d.Phone, maxName), Photo: cut(d.Photo, maxURL)}
	}
	if v := u.Vehicle; v != nil {
		p.Vehicle = &shipping.Vehicle{Type: cut(v.Type, maxName), Color: cut(v.Color, maxName), Number: cut(v.Number, maxName)}
	}
	if l := u.LastLocation; l != nil && storable(l.UpdatedAt) && l.Latitude >= -90 && l.Latitude <= 90 && l.Longitude >= -180 && l.Longitude <= 180 {
		where := *l
		p.LastLocation = &where
	}
}

// facts is everything that learn may change. It replaces what members point to, and never writes there.
type facts struct {
	progress              shipment.Progress
	signedBy, trackingURL string
}

func (t *Tracker) facts() facts {
	return facts{progress: t.Progress, signedBy: t.SignedBy, trackingURL: t.TrackingURL}
}

func (f facts) same(o facts) bool {
	return f.signedBy == o.signedBy && f.trackingURL == o.trackingURL && f.progress.Same(o.progress)
}

// actual takes the carrier's word for when something happened, else what the events say, as long as no carrier's word is known.
func actual(have *shipping.Instant, said shipping.Instant, before, after time.Time) {
	switch {
	case !said.IsZero() && storable(said):
		*have = said
	case have.IsZero() || have.Equal(before):
		*have = shipping.At(after)
	}
}

func (t *Tracker) warn(code, message string) {
	if !slices.ContainsFunc(t.Warnings, func(w shipment.Warning) bool { return w.Code == code }) {
		t.Warnings = append(t.Warnings, shipment.Warning{Code: code, Message: message, Provider: t.Provider})
	}
}

func set(have *string, said string, fresh bool) {
	if said != "" && (fresh || *have == "") {
		*have = said
	}
}

// storable reports whether an instant can be written and read again: a stored document must never become unreadable by what a
// carrier has said.
func storable(i shipping.Instant) bool { return i.IsZero() || i.Year() >= 1971 && i.Year() < 2100 }

func sane(w shipping.TimeWindow) bool { return storable(w.StartsAt) && storable(w.EndsAt) }

// trim bounds what a carrier says, and leaves out what is not text.
func trim(e *shipping.TrackingEvent) {
	e.CarrierCode, e.CarrierWords = cut(e.CarrierCode, maxName), cut(e.CarrierWords, maxWords)
	e.SubStatus, e.City, e.State = cut(e.SubStatus, maxName), cut(e.City, maxName), cut(e.State, maxName)
	e.PostalCode, e.CountryCode = cut(e.PostalCode, maxName), cut(e.CountryCode, maxName)
	if r := e.Reason; r != nil {
		e.Reason = &shipping.EventReason{Code: cut(r.Code, maxName), Title: cut(r.Title, maxName), Note: cut(r.Note, maxWords)}
	}
	e.CarrierTime = clockOf(e)
	if !slices.Contains(shipping.Statuses, e.Status) {
		e.Status = ""
	}
}

// clockOf is what the carrier's clock showed, "" where it cannot be read, shows a time that cannot be, or contradicts the moment.
func clockOf(e *shipping.TrackingEvent) string {
	const longest = len("2006-01-02T15:04:05.000000000-07:00")
	if len(e.CarrierTime) > longest {
		return ""
	}
	at, zoned, ok := shipping.ParseCarrierTime(e.CarrierTime)
	if !ok || !storable(shipping.At(at)) || zoned && !at.Truncate(time.Second).Equal(e.Time.Truncate(time.Second)) {
		return ""
	}
	return e.CarrierTime
}

func cut(s string, limit int) string {
	s = strings.ToValidUTF8(strings.TrimSpace(s), "")
	if runes := []rune(s); len(s) > limit && len(runes) > limit {
		return string(runes[:limit])
	}
	return s
}

// News leaves out of events that have just entered those that only echo another way of asking: the same said without a place by a
// poll and by a push, one right after the other. A carrier without a history of its own words and times them differently.
func (t *Tracker) News(entered []Event) []Event {
	var out []Event
	for _, e := range entered {
		i := slices.IndexFunc(t.Events, func(o Event) bool { return o.Seq == e.Seq })
		if i > 0 && echo(e, t.Events[i-1]) || i >= 0 && i+1 < len(t.Events) && echo(e, t.Events[i+1]) {
			continue
		}
		out = append(out, e)
	}
	return out
}

func echo(e, of Event) bool {
	return of.Seq < e.Seq && e.Origin != of.Origin && e.Origin != ByManual && of.Origin != ByManual && e.Status != "" && e.Status == of.Status &&
		e.SubStatus == of.SubStatus && e.Number == of.Number && e.City == "" && of.City == "" && reasonCode(e) == reasonCode(of)
}

func reasonCode(e Event) string {
	if e.Reason == nil {
		return ""
	}
	return e.Reason.Code
}
