package tracking

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

const (
	// pushTime bounds how long an adapter may take to read a push.
	pushTime = 20 * time.Second
	// crowd is how many trackers of one number are read at a time, and writers how many of these are written at once: the store
	// commits in groups.
	crowd   = 100
	writers = 16
)

// Push takes what a carrier has pushed to an account.
func (s *Service) Push(ctx context.Context, account, secret string, p carrier.Push) (carrier.PushAnswer, error) {
	a, err := s.pushedTo(ctx, account, secret)
	if err != nil {
		return carrier.PushAnswer{}, refusal("find the account of a push", err)
	}
	if a == nil {
		return carrier.PushAnswer{}, usecase.Failf(usecase.NotFound, "There is no such push URL.")
	}
	acc, ok := s.Carriers.Account(a.Tenant, a.ID)
	if !ok || !s.can(a.Tenant, a.ID, carrier.CanReceivePush) {
		return carrier.PushAnswer{}, usecase.Failf(usecase.NotFound, "The carrier of this account is not known to push.")
	}
	cctx, cancel := context.WithTimeout(ctx, pushTime)
	defer cancel()
	answer, err := acc.ReceivePush(cctx, p)
	if err != nil {
		return carrier.PushAnswer{}, s.unread(a, carrier.AsError(err))
	}
	outcome := "repeated"
	for _, u := range answer.Updates {
		heard, err := s.hear(ctx, a, u)
		if err != nil {
			s.metrics.pushes.WithLabelValues(a.Adapter, "failed").Inc()
			return carrier.PushAnswer{}, refusal("take in a push", err)
		}
		outcome = cmp.Or(heard, outcome)
	}
	s.metrics.pushes.WithLabelValues(a.Adapter, outcome).Inc()
	return answer, nil
}

// pushedTo returns the account that a push URL names, nil for none. Several tenants may have an account of this id; the secret
// tells whose it is. Every one is compared, each in constant time. A push to an account that was taken out of the configuration is
// refused so that the carrier sends it again: nobody is there to read it until the account is back.
func (s *Service) pushedTo(ctx context.Context, account, secret string) (*config.Account, error) {
	given := sha256.Sum256([]byte(secret))
	var found *config.Account
	former := ""
	tenants := s.Config().Tenants
	for _, id := range slices.Sorted(maps.Keys(tenants)) {
		a := tenants[id].Accounts[account]
		secret := s.PushSecret
		if a == nil { // it may have been there once
			secret = s.derivedSecret
		}
		want, err := secret(ctx, id, account)
		if err != nil {
			return nil, err
		}
		hash := sha256.Sum256([]byte(want))
		switch same := subtle.ConstantTimeCompare(hash[:], given[:]) == 1; {
		case same && a != nil:
			found = a
		case same:
			former = id
		}
	}
	if found == nil && former != "" {
		s.Log.Warn("a carrier pushes to an account that is not configured any more; put it back with retired: true as long as parcels are on their way",
			"account", account, "tenant", former)
		return nil, usecase.Failf(usecase.ServiceUnavailable, "The account %s is not configured any more, and what its carrier says cannot be read. Send it again later.", account)
	}
	return found, nil
}

// unread words for the carrier why its push was not taken.
func (s *Service) unread(a *config.Account, e *carrier.Error) error {
	s.metrics.pushes.WithLabelValues(a.Adapter, "rejected").Inc()
	s.Log.Warn("push was not taken", "account", a.ID, "tenant", a.Tenant, "code", string(e.Code), "source", string(e.Source))
	switch e.Code {
	case carrier.PushRejected:
		return &usecase.Error{Type: usecase.Unauthorized, Message: "The push does not carry what the account is configured to expect.", Err: e}
	case carrier.CarrierProtocol, carrier.InvalidField:
		return &usecase.Error{Type: usecase.ValidationError, Message: "The push cannot be read.", Err: e}
	}
	return &usecase.Error{Type: usecase.InternalServerError, Message: "The push cannot be taken at the moment. Send it again later.", Err: e}
}

// hear commits one update to every tracker that it is about, or parks it where there is none. It returns when that is written.
func (s *Service) hear(ctx context.Context, a *config.Account, u carrier.TrackUpdate) (outcome string, err error) {
	found, fresh, err := s.tellAll(ctx, a, u, nil)
	if err != nil {
		return "", err
	}
	if !found {
		parked, err := s.park(ctx, a, u)
		if err != nil || parked == nil {
			return "parked", err
		}
		// Somebody may have begun to follow it just now, and have found nothing parked.
		if found, fresh, err = s.tellAll(ctx, a, u, parked); err != nil || !found {
			return "parked", err
		}
	}
	if fresh {
		outcome = "news"
	}
	return outcome, nil
}

// tellAll commits an update to all trackers that it is about. It tells whether there are any, and whether it was new to one. parked is
// what the update was parked as, nil where it was not.
func (s *Service) tellAll(ctx context.Context, a *config.Account, u carrier.TrackUpdate, parked *store.Parked) (found, fresh bool, err error) {
	var known atomic.Bool
	err = s.followers(ctx, a, u, func(page []*tracker.Tracker) error {
		found = true
		var g errgroup.Group
		if g.SetLimit(1); len(page) > writers {
			g.SetLimit(writers)
		}
		for _, t := range page {
			g.Go(func() error {
				entered, err := s.tell(ctx, t, u, parked)
				if entered {
					known.Store(true)
				}
				return err
			})
		}
		return g.Wait()
	})
	return found, known.Load(), err
}

// tell commits an update to a tracker, and tells whether it was new.
func (s *Service) tell(ctx context.Context, t *tracker.Tracker, u carrier.TrackUpdate, parked *store.Parked) (fresh bool, err error) {
	_, err = s.change(ctx, t, "news", func(t *tracker.Tracker) (*news, error) {
		now, n := s.Clock.Now(), &news{}
		n.merge(t, u, tracker.Heard{Origin: tracker.ByPush, At: now})
		if parked != nil {
			n.unpark = []string{parked.ID}
		}
		if !n.any() && parked == nil {
			return nil, errUnchanged
		}
		fresh = true
		if len(n.entered) > 0 {
			revive(t)
			s.schedule(t, now)
		}
		return n, nil
	})
	if errors.Is(err, store.ErrNotFound) { // a tracker that was removed meanwhile wants no news
		return false, nil
	}
	return fresh, err
}

// followers calls f with the trackers that an update of an account is about, at most a crowd at a time: those of its number, and the
// one of its reference, which is most often among them. Those that follow booked orders come first.
func (s *Service) followers(ctx context.Context, a *config.Account, u carrier.TrackUpdate, f func([]*tracker.Tracker) error) error {
	var tags []string
	if u.Number != "" {
		tags = tracker.ParcelTags(a.ID, u.Number)
	}
	found, err := s.Store.TrackersByTags(ctx, a.Tenant, tags, crowd)
	referred := func(t *tracker.Tracker) bool { return t.Account == a.ID && t.Reference == u.Reference }
	if err == nil && u.Reference != "" && !slices.ContainsFunc(found, referred) {
		tags = append(tags, tracker.ReferenceTag(u.Reference))
		found, err = s.Store.TrackersByTags(ctx, a.Tenant, tags, crowd)
	}
	if err != nil {
		return fmt.Errorf("trackers of a push: %w", err)
	}
	booked := func(t *tracker.Tracker) bool { return t.Surface == tracker.OfShipment }
	pass := func(page []*tracker.Tracker) error {
		if page = slices.DeleteFunc(page, func(t *tracker.Tracker) bool { return t.Account != a.ID }); len(page) == 0 {
			return nil
		}
		return f(page)
	}
	if len(found) < crowd { // then none of the tags has more
		slices.SortStableFunc(found, func(a, b *tracker.Tracker) int { return cmp.Compare(b.Attempt, a.Attempt) }) // others have none
		return pass(found)
	}
	for _, tag := range tags {
		if err := s.each(ctx, a.Tenant, store.TrackerQuery{Tag: tag, Surface: tracker.OfShipment}, pass); err != nil {
			return err
		}
	}
	for _, tag := range tags {
		err := s.each(ctx, a.Tenant, store.TrackerQuery{Tag: tag}, func(page []*tracker.Tracker) error { return pass(slices.DeleteFunc(page, booked)) })
		if err != nil {
			return err
		}
	}
	return nil
}

// each calls f with a page after another of the trackers that a query asks for, oldest first. What f does to a tracker does not move it
// in the list.
func (s *Service) each(ctx context.Context, tenant string, q store.TrackerQuery, f func([]*tracker.Tracker) error) error {
	q.Limit, q.Ascending = crowd, true
	for {
		page, err := s.Store.ListTrackers(ctx, tenant, q)
		if err != nil {
			return fmt.Errorf("trackers with the tag %q: %w", q.Tag, err)
		}
		if err := f(page.Trackers); err != nil || page.Next == "" {
			return err
		}
		q.Cursor = page.Next
	}
}

// park keeps an update that nobody waits for yet. The same update is parked once. An update that names nothing is dropped.
func (s *Service) park(ctx context.Context, a *config.Account, u carrier.TrackUpdate) (*store.Parked, error) {
	p := &store.Parked{Account: a.ID, At: s.Clock.Now()}
	for _, key := range []string{tracker.PlainNumber(u.Number), u.Reference} {
		if key != "" {
			p.Keys = append(p.Keys, key)
		}
	}
	if len(p.Keys) == 0 {
		return nil, nil
	}
	body, err := json.Marshal(u)
	if err != nil {
		return nil, fmt.Errorf("park a push: %w", err)
	}
	sum := sha256.Sum256(append([]byte(a.ID+"\n"), body...))
	p.ID, p.Update, p.Expires = hex.EncodeToString(sum[:12]), body, p.At.Add(s.Config().TrackingOf(a).Park)
	if err := s.commit(ctx, a.Tenant, "park", &store.Tx{Parked: []store.Parked{*p}}); err != nil {
		return nil, err
	}
	s.metrics.parked.Inc()
	return p, nil
}

// parkedFor returns what was pushed about a tracker before it was there.
func (s *Service) parkedFor(ctx context.Context, t *tracker.Tracker) ([]store.Parked, error) {
	if t.Account == "" {
		return nil, nil
	}
	var out []store.Parked
	keys := t.Numbers()
	for _, n := range keys {
		if plain := tracker.PlainNumber(n); !slices.Contains(keys, plain) {
			keys = append(keys, plain)
		}
	}
	if t.Reference != "" {
		keys = append(keys, t.Reference)
	}
	for _, key := range keys {
		found, err := s.Store.Parked(ctx, t.Tenant, t.Account, key)
		if err != nil {
			return nil, fmt.Errorf("parked news of tracker %s: %w", t.ID, err)
		}
		for _, p := range found {
			if !slices.ContainsFunc(out, func(o store.Parked) bool { return o.ID == p.ID }) {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// unpark merges parked news into a tracker.
func (s *Service) unpark(t *tracker.Tracker, parked []store.Parked, n *news) {
	for _, p := range parked {
		var u carrier.TrackUpdate
		if err := json.Unmarshal(p.Update, &u); err != nil { // it is removed all the same: nobody will ever read it
			s.Log.Error("parked news cannot be read and are dropped", "tracker_id", t.ID, "err", err)
		} else {
			n.merge(t, u, tracker.Heard{Origin: tracker.ByPush, At: p.At})
		}
		n.unpark = append(n.unpark, p.ID)
	}
}
