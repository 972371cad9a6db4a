package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/failpoint"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The topics under which a moment is told, behind "order/" or "fulfillment/": All, and where a status is reached that every shop
// has, that.
const (
	All        = "all"
	PreTransit = "pre_transit" // what the topics call order_ready
)

// Notice is the Extra of the tracker in a notify.Snapshot: what is told of an order or of a fulfilment. It is whole, so that each
// try says the same, whatever has happened or was configured since.
type Notice struct {
	Topics     []string        `json:"topics"` // order/all, order/in_transit, …
	Order      *OrderView      `json:"order,omitempty"`
	Fulfilment *FulfilmentView `json:"fulfilment,omitempty"`
}

// NoticeOf reads what a message tells; ok is false where it is about no shop.
func NoticeOf(snap notify.Snapshot) (n Notice, ok bool, err error) {
	t := snap.Tracker
	if t == nil || t.Surface != tracker.OfTracktor && t.Surface != tracker.OfShop {
		return n, false, nil
	}
	if err := json.Unmarshal(t.Extra, &n); err != nil {
		return n, false, fmt.Errorf("read what a shop is to be told: %w", err)
	}
	return n, true, nil
}

const maxConflicts = 20

// settle tells what the fulfilments of an order have come to since it was told last, and uses up keys. Where somebody else was
// faster it begins anew.
func (s *Service) settle(ctx context.Context, tenant string, id int64, keys []store.IdempotencyKey) error {
	for range maxConflicts {
		o, err := s.load(ctx, tenant, id)
		if err != nil {
			return err
		}
		tx := &store.Tx{Now: s.Clock.Now(), Keys: keys}
		if err := s.tell(tx, o); err != nil {
			return err
		}
		if len(tx.Trackers) == 0 && len(keys) == 0 {
			return nil
		}
		// The client may have left; what the shop has said must not wait for its next try.
		err = s.commit(context.WithoutCancel(ctx), tenant, tx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, store.ErrKeyUsed): // by a twin of the same moment, which has told less than is known now
			keys = nil
		case !errors.Is(err, store.ErrConflict):
			return fmt.Errorf("tell of order %d: %w", id, err)
		}
	}
	return fmt.Errorf("tell of order %d: %w %d times", id, store.ErrConflict, maxConflicts)
}

func (s *Service) commit(ctx context.Context, tenant string, tx *store.Tx) error {
	if err := failpoint.Hit("shop", failpoint.Before, "settle"); err != nil {
		return err
	}
	if err := s.Store.Commit(ctx, tenant, tx); err != nil {
		return err
	}
	return failpoint.Hit("shop", failpoint.After, "settle")
}

// tell puts into tx what is to be told, and that it was.
func (s *Service) tell(tx *store.Tx, o *order) error {
	c := catalogueOf(o.tenant)
	at, untold, changed := map[*parcel]moment{}, map[*parcel][]moment{}, map[*parcel]bool{}
	for _, p := range o.parcels {
		if !p.t.ErasedAt.IsZero() { // it keeps nothing any more, not what was told either
			at[p] = p.present(c)
			continue
		}
		at[p], untold[p] = moment{Status: cmp.Or(p.doc.Told.Status, first), Exception: p.doc.Told.Exception, At: p.begun()}, p.untold(c)
	}
	before := o.doc.Told
	for p := next(o.parcels, untold); p != nil; p = next(o.parcels, untold) {
		m := untold[p][0]
		untold[p] = untold[p][1:]
		at[p], changed[p] = m, true
		if err := s.tellParcel(tx, o, p, m); err != nil {
			return err
		}
		if err := s.tellOrder(tx, o, at, m); err != nil {
			return err
		}
	}
	if now := o.reached(c, at); c.place(now) > c.place(o.doc.Told.Status) { // the order has come behind its fulfilments, or one was cancelled
		if err := s.tellOrder(tx, o, at, newest(at)); err != nil {
			return err
		}
	}
	for _, p := range o.parcels {
		if !changed[p] {
			continue
		}
		p.doc.Told.Events = p.t.Seq
		if err := write(p.t, p.doc); err != nil {
			return err
		}
		tx.Trackers = append(tx.Trackers, p.t)
	}
	o.lower(c, at)
	if o.t == nil || o.doc.Told == before {
		return nil
	}
	tx.Trackers = append(tx.Trackers, o.t)
	return write(o.t, o.doc)
}

// next is the fulfilment whose untold moment is the earliest, nil where all was told.
func next(parcels []*parcel, untold map[*parcel][]moment) *parcel {
	var found *parcel
	for _, p := range parcels {
		if list := untold[p]; len(list) > 0 && (found == nil || list[0].At.Before(untold[found][0].At)) {
			found = p
		}
	}
	return found
}

// newest is the latest of some moments.
func newest(at map[*parcel]moment) (m moment) {
	for _, x := range at {
		if x.At.After(m.At) {
			m = x
		}
	}
	return m
}

func (s *Service) tellParcel(tx *store.Tx, o *order, p *parcel, m moment) error {
	topics := []string{"fulfillment/" + All}
	if m.Status != p.doc.Told.Status && isBuiltIn(m.Status) {
		topics = append(topics, "fulfillment/"+topicOf(m.Status))
	}
	p.doc.Told.Count++
	p.doc.Told.Status, p.doc.Told.Exception = m.Status, m.Exception
	v := o.viewOf(p, m)
	return s.put(tx, p.t, p.doc.Told.Count, m, Notice{Topics: topics, Fulfilment: &v})
}

// tellOrder tells an order of which one fulfilment has come to a moment. A status is the order's when all fulfilments have reached
// it, and it is told when the order rises to it.
func (s *Service) tellOrder(tx *store.Tx, o *order, at map[*parcel]moment, m moment) error {
	if o.t == nil || !o.t.ErasedAt.IsZero() {
		return nil
	}
	c := catalogueOf(o.tenant)
	topics := []string{"order/" + All}
	if now := o.reached(c, at); now != "" && c.place(now) > c.place(o.doc.Told.Status) {
		topics = append(topics, "order/"+topicOf(now))
		o.doc.Told.Status = now
	}
	o.lower(c, at)
	o.doc.Told.Count++
	v := o.view(s.Clock.Now(), at)
	return s.put(tx, o.t, o.doc.Told.Count, m, Notice{Topics: topics, Order: &v})
}

// reached is the status that all fulfilments of an order have reached.
func (o *order) reached(c catalogue, at map[*parcel]moment) string {
	if len(o.parcels) == 0 {
		return ""
	}
	least := len(c)
	for _, p := range o.parcels {
		least = min(least, c.place(at[p].Status))
	}
	return c.reached(least)
}

// lower notes that an order has got a fulfilment which is not as far as the others, so that it is told again when all are.
func (o *order) lower(c catalogue, at map[*parcel]moment) {
	if now := o.reached(c, at); o.t != nil && c.place(now) < c.place(o.doc.Told.Status) {
		o.doc.Told.Status = now
	}
}

func topicOf(key string) string {
	if key == first {
		return PreTransit
	}
	return key
}

// put puts a message. Its topic is that of what the carriers call the moment; who is told decides the notice's topics.
func (s *Service) put(tx *store.Tx, t *tracker.Tracker, count int, m moment, n Notice) error {
	extra, err := json.Marshal(n, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("write what a shop is to be told: %w", err)
	}
	status := shipping.OrderDispatched
	if m.Event != nil {
		status = m.Event.Status
	}
	now := s.Clock.Now()
	snap := notify.Snapshot{Tracker: &tracker.Tracker{Schema: tracker.Schema, ID: t.ID, Tenant: t.Tenant, Surface: t.Surface, CreatedAt: t.CreatedAt}}
	if t.Surface == tracker.OfTracktor { // subscribers in other shapes are told the whole
		whole := *t
		snap.Tracker = &whole
	}
	if m.Event != nil {
		snap.Tracker.SubStatus, snap.Entered = m.Event.SubStatus, []tracker.Event{*m.Event}
	}
	snap.Tracker.Status, snap.Tracker.UpdatedAt, snap.Tracker.Extra = status, now, extra
	s.Messages.Tell(tx, t.Tenant, notify.Event{Subject: store.TrackerSubject(string(t.ID)), Seq: count, Topic: "tracker." + strings.ToLower(string(status)), At: now, Snapshot: snap})
	return nil
}

// keep is for how long a delivery of the shop is known, so that it is not taken twice. Shopify tries one again for two days at most.
const keep = 7 * 24 * time.Hour
