package tracking

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// news is what one change of a tracker has come to: what its transaction must tell, and move, besides writing the tracker.
type news struct {
	entered []tracker.Event
	moved   bool
	facts   bool
	amount  shipping.Money
	unpark  []string
	jobs    []store.Job
	erased  bool // what was told of the tracker goes
	// allow may refuse, given the order that the tracker follows as it is now; nil for always.
	allow func(*shipment.Shipment) error
	// done looks at the order when it has been moved, and may refuse; nil for nothing.
	done func(*shipment.Shipment) error
}

// merge takes an update into a tracker, and adds to n what came of it.
func (n *news) merge(t *tracker.Tracker, u carrier.TrackUpdate, h tracker.Heard) {
	out := t.Merge(u, h)
	n.entered = append(n.entered, out.Entered...)
	n.moved = n.moved || out.Moved
	n.facts = n.facts || out.Facts
	if !u.Amount.IsZero() {
		n.amount = u.Amount
	}
}

func (n *news) any() bool { return len(n.entered) > 0 || n.moved || n.facts }

// change applies f to a tracker and commits what came of it, with the order that it follows, again from the stored state when
// somebody else was faster. The first try uses t as it is. f may return errUnchanged to stop without a commit. what names the
// commit's failpoints.
func (s *Service) change(ctx context.Context, t *tracker.Tracker, what string, f func(*tracker.Tracker) (*news, error)) (*tracker.Tracker, error) {
	for range maxConflicts {
		n, err := f(t)
		if errors.Is(err, errUnchanged) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		tx := &store.Tx{Trackers: []*tracker.Tracker{t}, Unpark: n.unpark, PutJobs: n.jobs}
		if n.erased {
			tx.EraseTrackers = []tracker.ID{t.ID}
		}
		if err := s.move(ctx, tx, t, n); err != nil {
			return t, err
		}
		told := t.News(n.entered)
		if s.Teller != nil && len(told) > 0 {
			s.Teller.Tracker(ctx, tx, t, told)
		}
		err = s.commit(ctx, t.Tenant, what, tx)
		if err == nil {
			s.count(n)
			return t, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return t, err
		}
		if t, err = s.Store.Tracker(context.WithoutCancel(ctx), t.Tenant, t.ID); err != nil {
			return t, err
		}
	}
	return t, fmt.Errorf("tracker %s: %w %d times", t.ID, store.ErrConflict, maxConflicts)
}

func (s *Service) count(n *news) {
	for _, e := range n.entered {
		s.metrics.events.WithLabelValues(string(e.Origin)).Inc()
		if e.Late {
			s.metrics.late.Inc()
		}
	}
	s.metrics.taken.Add(float64(len(n.unpark)))
}

// move puts the order that a tracker follows into tx, moved by what has entered.
func (s *Service) move(ctx context.Context, tx *store.Tx, t *tracker.Tracker, n *news) error {
	if t.Shipment == "" || !n.any() && n.amount.IsZero() && n.allow == nil {
		return nil
	}
	sh, err := s.Store.Shipment(ctx, t.Tenant, t.Shipment)
	if err != nil {
		return fmt.Errorf("order of tracker %s: %w", t.ID, err)
	}
	if n.allow != nil {
		if err := n.allow(sh); err != nil {
			return err
		}
	}
	a := sh.Attempt(t.Attempt)
	if a == nil {
		return fmt.Errorf("tracker %s follows attempt %d of order %s, which has none", t.ID, t.Attempt, sh.ID)
	}
	now, live, before := s.Clock.Now(), a.Live(), markOf(sh, a)
	lines, over := sh.Follow(t.Attempt, heardOf(t, a, n, live), now)
	sh.Learn(t.Attempt, t.Progress)
	sh.Charge(t.Attempt, n.amount)
	if live {
		outcome(tx, sh, a, lines, now)
	}
	if len(lines) > 0 {
		unassigned(tx, sh, a, now)
	}
	if n.done != nil {
		if err := n.done(sh); err != nil {
			return err
		}
	}
	if !a.Live() && t.Stopped == "" { // whatever it says, nobody waits for it
		stop(t, tracker.StopCancelled)
	}
	if t.Stopped == tracker.StopExpired && a.EndedAt.IsZero() {
		a.EndedAt, over = now, true // it is not one of the account's open bookings, whatever has become of it
	}
	if len(lines) == 0 && !over && markOf(sh, a).same(before) {
		return nil
	}
	sh.UpdatedAt = now
	tx.Shipments = append(tx.Shipments, sh)
	for _, l := range lines {
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: l})
	}
	if over {
		tx.Usage = append(tx.Usage, store.UsageDelta{Account: a.Account, Day: sh.Day(a.IntendedAt), Open: -1})
	}
	if s.Teller != nil && len(lines) > 0 {
		s.Teller.Shipment(ctx, tx, sh)
	}
	return nil
}

// mark is what may change about an order beside its history.
type mark struct {
	progress  shipment.Progress
	state     shipment.AttemptState
	ended     time.Time
	fee       shipping.Money
	cancelled bool
}

func markOf(sh *shipment.Shipment, a *shipment.Attempt) mark {
	return mark{progress: sh.Progress, state: a.State, ended: a.EndedAt, fee: a.Fee, cancelled: sh.Cancel != nil}
}

func (m mark) same(o mark) bool {
	return m.state == o.state && m.ended.Equal(o.ended) && m.fee == o.fee && m.cancelled == o.cancelled && m.progress.Same(o.progress)
}

// heardOf is what has entered a tracker in the words of the order's history. Where older news change what later ones meant, what
// they mean now comes last.
func heardOf(t *tracker.Tracker, a *shipment.Attempt, n *news, live bool) []shipment.Heard {
	var out []shipment.Heard
	settled := !n.moved || !live
	for _, e := range n.entered {
		h := shipment.Heard{Status: e.Status, SubStatus: e.SubStatus, Reason: e.Reason, At: e.Time.Time, User: a.Provider, Note: noteOf(e), Late: e.Late}
		switch e.Origin {
		case tracker.ByManual:
			h.User, h.Actor, h.Person = e.User, e.Actor, true
		case tracker.BySystem:
			h.User = shipment.System
		}
		settled = settled || !e.Late && e.Status == t.Status && e.SubStatus == t.SubStatus
		out = append(out, h)
	}
	if !settled {
		out = append(out, shipment.Heard{Status: t.Status, SubStatus: t.SubStatus, Reason: reasonOf(t), At: t.UpdatedAt, User: a.Provider})
	}
	return out
}

// reasonOf is the reason of what a tracker says about now: that of the last event which says the same.
func reasonOf(t *tracker.Tracker) *shipping.EventReason {
	for _, e := range slices.Backward(t.Events) {
		if e.Status == t.Status && e.SubStatus == t.SubStatus {
			return e.Reason
		}
	}
	return nil
}

// noteOf is a carrier's code and words as CODE( words ), or what a person has noted.
func noteOf(e tracker.Event) string {
	switch {
	case e.Origin == tracker.ByManual:
		return e.Note
	case e.CarrierWords == "":
		return e.CarrierCode
	case e.CarrierCode == "":
		return e.CarrierWords
	}
	return e.CarrierCode + "( " + e.CarrierWords + " )"
}

// stop ends polling.
func stop(t *tracker.Tracker, why string) {
	t.Stopped, t.NextPoll = why, time.Time{}
}
