package shop

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The exceptions that a fulfilment may have, in Tracktor's words.
const (
	NotFound    = "not_found"   // the carrier has not known the number for a long time
	Exception   = "exception"   // late, lost, on its way back, cancelled
	Undelivered = "undelivered" // tried, and nobody was there
	Pending     = "pending"     // the carrier was asked and does not know the number yet
	Expired     = "expired"     // the carrier has said nothing new for a long time
)

// exceptionLabels are what the app shows for them.
var exceptionLabels = map[string]string{
	NotFound: "Needs Attention", Expired: "Needs Attention", Exception: "Shipping Exception", Undelivered: "Failed Attempt", Pending: "Pending Details",
}

// builtIn says which of the statuses that every shop has a status of a carrier means. Others leave the status what it was.
var builtIn = map[shipping.Status]string{
	shipping.OrderDispatched: "order_ready", shipping.Staged: "order_ready", shipping.OrderAssigned: "order_ready",
	shipping.OrderUnassigned: "order_ready", shipping.PickupStarted: "order_ready",
	shipping.PickupCompleted: "in_transit", shipping.InTransit: "in_transit",
	shipping.OutForDelivery: "out_for_delivery", shipping.OrderDelivered: "delivered",
}

// catalogue are the statuses of one shop, in their order.
type catalogue []config.TracktorStatus

func catalogueOf(t *config.Tenant) catalogue { return t.Tracktor.AllStatuses() }

const (
	first = "order_ready"
	last  = "delivered"
)

func isBuiltIn(key string) bool {
	return slices.ContainsFunc(config.TracktorBuiltIn, func(s config.TracktorStatus) bool { return s.Key == key })
}

// find returns the status of a key.
func (c catalogue) find(key string) (config.TracktorStatus, bool) {
	i := slices.IndexFunc(c, func(s config.TracktorStatus) bool { return s.Key == key })
	if i < 0 {
		return config.TracktorStatus{}, false
	}
	return c[i], true
}

// keyOf is the key of the status that a carrier's word means: the shop's own, unless what there always is stands for the same; ""
// for none.
func (c catalogue) keyOf(status shipping.Status) string {
	if isPrimary(status) {
		return builtIn[status]
	}
	for _, s := range c {
		if s.Status == status {
			return s.Key
		}
	}
	return builtIn[status]
}

func isPrimary(status shipping.Status) bool {
	return slices.ContainsFunc(config.TracktorBuiltIn, func(s config.TracktorStatus) bool { return s.Status == status })
}

// place is the position of a key, 0 for one that is not configured any more.
func (c catalogue) place(key string) int {
	s, _ := c.find(key)
	return s.Position
}

// reached is the last of the statuses that every shop has which lies at a position or before it, "" for none.
func (c catalogue) reached(position int) string {
	key := ""
	for _, s := range c {
		if s.Position <= position && isBuiltIn(s.Key) {
			key = s.Key
		}
	}
	return key
}

// moment is what a fulfilment came to at one time.
type moment struct {
	Status    string
	Exception string
	At        time.Time
	Event     *tracker.Event // that said so; nil where none did
}

func (m moment) same(o moment) bool { return m.Status == o.Status && m.Exception == o.Exception }

// after is the moment that a status makes of the one before it. What is on its way is never ready for it again.
func (c catalogue) after(m moment, status shipping.Status, milestone tracker.Milestone, sub string) moment {
	key := c.keyOf(status)
	if builtIn[status] == first && m.Status != first {
		return m
	}
	if key != "" {
		m.Status = key
	}
	m.Exception = exceptionOf(status, milestone, sub)
	return m
}

func exceptionOf(status shipping.Status, milestone tracker.Milestone, sub string) string {
	switch {
	case status == shipping.ErrorException && sub == tracker.SubNotFound:
		return NotFound
	case status == shipping.ErrorException && sub == tracker.SubExpired:
		return Expired
	case milestone.Milestone == tracker.FailedAttempt:
		return Undelivered
	case milestone.Milestone == tracker.Exception:
		return Exception
	}
	return ""
}

// timeline is what a fulfilment has come to, moment by moment, from its beginning to now: those that carriers have told, or where a
// status was set by hand that one behind what was known by then.
func (p *parcel) timeline(c catalogue) []moment {
	m := moment{Status: first, At: p.begun()}
	if b := p.t.Base; b != nil {
		m = c.after(m, b.Status, tracker.MilestoneOf(b.Status, b.SubStatus, nil), b.SubStatus)
		m.At = b.Until
	}
	out := []moment{m}
	for i := range p.t.Events {
		e := &p.t.Events[i]
		if e.Late || e.Status == "" || p.doc.Manual != nil && e.Received.After(p.doc.Manual.At) {
			continue
		}
		m = c.after(m, e.Status, e.Milestone(), e.SubStatus)
		m.At, m.Event = e.Time.Time, e
		out = append(out, m)
	}
	if by := p.doc.Manual; by != nil {
		return append(out, moment{Status: c.manualKey(by), At: by.At})
	}
	if len(p.t.Events) == 0 && p.t.Base == nil {
		return out
	}
	if now := c.after(m, p.t.Status, p.t.Milestone(), p.t.SubStatus); !now.same(m) {
		now.At = p.t.UpdatedAt
		out = append(out, now)
	}
	return out
}

// manualKey is the key of what was set by hand, or where that is configured no more what it stood for.
func (c catalogue) manualKey(m *manual) string {
	if _, ok := c.find(m.Status); ok {
		return m.Status
	}
	if key := c.keyOf(m.Stands); key != "" {
		return key
	}
	return first
}

// begun is when the shop has handed the fulfilment over, by its own clock.
func (p *parcel) begun() time.Time {
	if p.doc.CreatedAt.IsZero() {
		return p.t.CreatedAt
	}
	return p.doc.CreatedAt
}

// present is what a fulfilment is now. That a carrier does not know a number yet is no event, and shown all the same.
func (p *parcel) present(c catalogue) moment {
	line := p.timeline(c)
	m := line[len(line)-1]
	if len(line) == 1 && p.t.Stopped == "" && p.t.Polls.Unknown > 0 && p.t.Polls.FoundAt.IsZero() {
		m.Exception = Pending
	}
	return m
}

// untold are the moments that nobody was told of yet: those of events that have entered since, and the last where it is another.
func (p *parcel) untold(c catalogue) []moment {
	line := p.timeline(c)
	at := moment{Status: p.doc.Told.Status, Exception: p.doc.Told.Exception}
	var out []moment
	for i, m := range line {
		fresh := m.Event != nil && m.Event.Seq > p.doc.Told.Events || i == 0 && at.Status == "" || i == len(line)-1
		if fresh && !m.same(at) {
			out = append(out, m)
			at = m
		}
	}
	return out
}
