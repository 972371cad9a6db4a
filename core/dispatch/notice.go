package dispatch

import (
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
)

// NoticeTeller writes into the transaction that moves an order that somebody of the tenant's own people is to be told.
type NoticeTeller interface {
	Notice(tx *store.Tx, sh *shipment.Shipment, n usecase.Notice)
}

// noOptionLeft is the event of an order that nobody can carry.
const noOptionLeft = "no_option"

// steps returns whom the steps of a fallback rule tell, from one step up to before another.
func (s *Service) steps(sh *shipment.Shipment, f *rules.Fallback, event string, from, to int) []usecase.Notice {
	var out []usecase.Notice
	if f == nil {
		return nil
	}
	to = min(to, len(f.Steps))
	for _, st := range f.Steps[min(from, to):to] {
		if st.Notify != "" {
			out = append(out, usecase.Notice{To: st.Notify, Rule: f.Rule, Event: event, Message: fmt.Sprintf("Order %s: %s.", sh.Order.ExternalID, eventWords(event))})
		}
	}
	return out
}

// eventWords says an event to people.
func eventWords(event string) string {
	switch event {
	case bookingFailed:
		return "a carrier has refused the booking"
	case "cancelled_by_carrier":
		return "the carrier has cancelled the booking"
	case noDriver:
		return "no driver comes for the pickup"
	case providerDown:
		return "the carrier is out of order"
	}
	return "it was not picked up in time (" + event + ")"
}

// notify writes a line into the history for each notice, and has it told with the transaction. It is called when the order has been moved.
func (s *Service) notify(tx *store.Tx, sh *shipment.Shipment, list []usecase.Notice) {
	for _, n := range list {
		line := sh.Move(sh.Status, s.Clock.Now(), systemUser, shipment.WithNote("NOTIFY( "+n.To+": "+n.Rule+": "+n.Event+" )"), func(c *shipment.Change) { c.Late = true })
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
		if n.Seq = line.Seq; s.Notices != nil {
			s.Notices.Notice(tx, sh, n)
		}
	}
}

// ahead is how far the notices of a course are sent when one of its places is booked.
func (c *course) ahead(s *Service, sh *shipment.Shipment, p *past, place int) []usecase.Notice {
	if c.rule == nil {
		return nil
	}
	return s.steps(sh, c.rule, p.event(), p.told, c.steps[place])
}

// rest is what is left to be told when the course of a fallback has ended: up to where it waits, all where it is over.
func (c *course) rest(s *Service, sh *shipment.Shipment, p *past, waits bool) []usecase.Notice {
	if c.rule == nil {
		return nil
	}
	to := len(c.rule.Steps)
	if waits {
		to = c.end
	}
	return s.steps(sh, c.rule, p.event(), p.told, to)
}

// event is what the fallback of a walk is about.
func (p *past) event() string {
	if p.fallback != nil {
		return p.fallback.Event
	}
	return bookingFailed
}

// unserved is whom the rules want to be told that nobody can carry the order: by what they say of that, and by the rest of a fallback that
// was under way.
func (s *Service) unserved(sh *shipment.Shipment, e *estimate, p *past) []usecase.Notice {
	var out []usecase.Notice
	if none := e.decision.None; none != nil && none.Notify != "" {
		out = append(out, usecase.Notice{To: none.Notify, Rule: noOption, Event: noOptionLeft,
			Message: firstOf(none.Message, fmt.Sprintf("Nobody can carry order %s. %s", sh.Order.ExternalID, e.reasons()))})
	}
	if p.fallback == nil {
		return out
	}
	if f, ok := e.decision.FallbackFor(p.fallback.Event); ok && f.Rule == p.fallback.Rule {
		for _, n := range s.steps(sh, &f, p.fallback.Event, p.told, len(f.Steps)) {
			if !slices.ContainsFunc(out, func(o usecase.Notice) bool { return o.To == n.To }) {
				out = append(out, n)
			}
		}
	}
	return out
}
