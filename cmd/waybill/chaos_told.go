package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
)

// patience is how long the engine holds a message back for an earlier one of its subject.
const patience = time.Minute

// logRead is how many messages are read at once.
const logRead = 1000

// event is something that the engine has committed.
type event struct {
	id, subject string
	seq         int
	at          time.Time
}

// happened is everything that the engine has committed and that is to be told.
type happened struct {
	events  []event         // in the order of the log
	logged  map[string]bool // by id
	orders  map[string]string
	erased  map[string]bool   // subjects that take with them what was told of them
	foreign map[string]string // the number by subject, of parcels that are told in the shape of another surface alone
}

// eachMessage reads the tenant's log behind a position.
func eachMessage(ctx context.Context, st store.Store, after uint64, f func(store.Message)) error {
	for {
		list, err := st.MessageLog(ctx, chaosTenant, after, logRead)
		if err != nil {
			return err
		}
		for _, m := range list {
			f(m)
			after = m.Position
		}
		if len(list) < logRead {
			return nil
		}
	}
}

func eachTracker(ctx context.Context, st store.Store, f func(*tracker.Tracker)) error {
	for q := (store.TrackerQuery{Limit: 500}); ; {
		page, err := st.ListTrackers(ctx, chaosTenant, q)
		if err != nil {
			return err
		}
		for _, t := range page.Trackers {
			f(t)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// happenings reads what has happened. Lines of history that never came into the log are differences.
func (c *chaos) happenings(ctx context.Context, st store.Store, x *examination) (*happened, error) {
	h := &happened{logged: map[string]bool{}, orders: map[string]string{}, erased: map[string]bool{}, foreign: map[string]string{}}
	err := eachMessage(ctx, st, 0, func(m store.Message) {
		h.logged[m.ID] = true
		h.events = append(h.events, event{m.ID, m.Subject, m.Seq, m.At})
	})
	if err != nil {
		return nil, err
	}
	if err := eachTracker(ctx, st, func(t *tracker.Tracker) {
		h.erased[store.TrackerSubject(string(t.ID))] = !t.ErasedAt.IsZero()
		if t.Surface == tracker.OfShip24 {
			h.foreign[store.TrackerSubject(string(t.ID))] = t.Number
		}
		x.tracker(t)
	}); err != nil {
		return nil, err
	}
	return h, eachShipment(ctx, st, func(sh *shipment.Shipment) error {
		subject := store.ShipmentSubject(string(sh.ID))
		h.orders[subject] = sh.Order.ExternalID
		h.erased[subject] = !sh.ErasedAt.IsZero()
		lines, err := st.History(ctx, chaosTenant, sh.ID)
		if err != nil {
			return err
		}
		for _, l := range lines {
			x.line(sh.Order.ExternalID, l)
			if id := fmt.Sprintf("msg_shipment_%s_%d", sh.ID, l.Seq+1); !h.logged[id] && !h.erased[subject] {
				x.differ("untold", &owned{id: sh.Order.ExternalID}, nil, "line %d of its history, %s, is in no message", l.Seq, l.Status)
			}
		}
		return nil
	})
}

// hears checks that a subscriber was told of all that has happened, of nothing else, and in the right order.
func (x *examination) hears(h *happened, name string, said map[string]heard) {
	bySubject := map[string][]event{}
	for _, e := range h.events {
		if h.foreign[e.subject] != "" {
			continue
		}
		if _, told := said[e.id]; told {
			bySubject[e.subject] = append(bySubject[e.subject], e)
			continue
		}
		if !h.erased[e.subject] {
			x.differ("untold", &owned{id: h.orders[e.subject]}, nil, "subscriber %s was never told of %s", name, e.id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(said)) {
		if subject, ok := subjectOfMessage(id); !h.logged[id] && !(ok && h.erased[subject]) {
			x.differ("untold", &owned{id: h.orders[subject]}, nil, "subscriber %s was told of %s, which has not happened", name, id)
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(bySubject)) {
		list := bySubject[subject]
		slices.SortFunc(list, func(a, b event) int { return a.seq - b.seq })
		for i := 1; i < len(list); i++ {
			before, after := list[i-1], list[i]
			if b, a := said[before.id], said[after.id]; a.order < b.order && b.first.Before(after.at.Add(patience)) {
				x.differ("untold", &owned{id: h.orders[subject]}, nil, "subscriber %s was told of %s at %s, before it was told of %s at %s",
					name, after.id, a.first.Format(time.StampMilli), before.id, b.first.Format(time.StampMilli))
			}
		}
	}
}

// hearsForeign checks that a subscriber was told of everything that has happened to the parcels of others. In the shape of their
// surface a message has an id of its own, so those of each number are counted.
func (x *examination) hearsForeign(h *happened, name string, said map[string]heard) {
	happened, told := map[string]int{}, map[string]int{}
	for _, number := range h.foreign {
		happened[number] = 0
	}
	for _, e := range h.events {
		if number := h.foreign[e.subject]; number != "" {
			happened[number]++
		}
	}
	for id := range said {
		number, _, _ := strings.Cut(id, "/")
		told[number]++
		happened[number] += 0 // told of a number that nobody follows
	}
	for _, number := range slices.Sorted(maps.Keys(happened)) {
		if happened[number] != told[number] {
			x.differ("untold", nil, nil, "of parcel %s %d events have happened, and subscriber %s was told of %d", number, happened[number], name, told[number])
		}
	}
}

// subjectOfMessage returns the subject in a message's id: msg_<kind>_<id>_<number>.
func subjectOfMessage(id string) (string, bool) {
	parts := strings.Split(id, "_")
	if len(parts) < 4 || parts[0] != "msg" {
		return "", false
	}
	return parts[1] + "/" + parts[2], true
}

// examineTold compares what has happened with what each subscriber was told.
func (c *chaos) examineTold(ctx context.Context, st store.Store, x *examination) error {
	h, err := c.happenings(ctx, st, x)
	if err != nil {
		return err
	}
	c.report.Events = len(h.events)
	for _, s := range c.subscribers {
		said, sum, wrong := s.says()
		c.report.Hearings[s.Name] = sum
		for _, w := range wrong {
			x.differ("untold", nil, nil, "subscriber %s: %s", s.Name, w)
		}
		if s.tellsForeign() {
			x.hearsForeign(h, s.Name, said)
			continue
		}
		x.hears(h, s.Name, said)
	}
	return nil
}

// untold returns a subscriber that is yet to be told of something, "" for none.
func (c *chaos) untold(ctx context.Context, st store.Store) (string, error) {
	for _, s := range c.subscribers {
		read, err := st.ReadUpTo(ctx, chaosTenant, s.id)
		if err != nil {
			return "", err
		}
		ahead := false
		err = eachMessage(ctx, st, read, func(m store.Message) {
			// What it has not asked for is read and passed over; that is not written down.
			ahead = ahead || !s.tellsForeign() || strings.HasPrefix(m.Subject, store.TrackerSubject(""))
		})
		if err != nil || ahead {
			return s.Name, err
		}
		due, next, err := st.DeliveriesDue(ctx, chaosTenant, s.id, time.Now(), 1)
		if err != nil || len(due) > 0 || !next.IsZero() {
			return s.Name, err
		}
	}
	return "", nil
}
