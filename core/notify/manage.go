package notify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/failpoint"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const (
	maxURL           = 2048
	maxTopics        = 100
	maxSubscriptions = 200 // of one tenant
	// rotatedFor is how long a secret stays good after it was replaced.
	rotatedFor = 24 * time.Hour
	maxSecrets = 5
	// lookUpFor bounds the look-up of a name; one that takes longer counts as one that does not resolve.
	lookUpFor = 3 * time.Second
)

// DefaultTopics is what a webhook is told that names no topics: all that a shop must know to go on. What buyers were told and what rules
// want to be told is for those who ask for it.
func DefaultTopics() []string { return []string{"shipment.*", "tracker.*", "return.*", TopicPaused} }

// NewSubscription is what a surface asks for.
type NewSubscription struct {
	URL    string
	Topics []string // nil: DefaultTopics; an empty list is a fault
	Shape  string   // "" for waybill
	// Bearer is for shapes that send one; "" makes one up.
	Bearer string
	Extra  []byte
}

// Subscribe creates a subscription. What it was given to prove who sends, Signing or Bearer, is in the answer and is not to be shown
// again. It hears of what happens from now on.
func (s *Service) Subscribe(ctx context.Context, c usecase.Caller, n NewSubscription) (*store.Subscription, error) {
	if n.Shape == "" {
		n.Shape = ShapeWaybill
	}
	if n.Topics == nil {
		n.Topics = DefaultTopics()
	}
	if err := s.check(ctx, c.Tenant, n); err != nil {
		return nil, err
	}
	list, err := s.Store.Subscriptions(ctx, c.Tenant)
	if err != nil {
		return nil, storeError("read subscriptions", err)
	}
	if len(list) >= maxSubscriptions {
		return nil, usecase.Failf(usecase.InvalidOperation, "The tenant has %d webhooks, which is as many as it may have; remove one that is not needed.", maxSubscriptions)
	}
	now := s.Clock.Now()
	sub := &store.Subscription{ID: s.Source.ID(), Tenant: c.Tenant, Shape: n.Shape, Topics: slices.Clone(n.Topics), URL: n.URL, Extra: n.Extra, State: Active,
		CreatedBy: c.Key, CreatedAt: now, UpdatedAt: now}
	if signs(n.Shape) {
		sub.Signing = []store.SigningSecret{s.newSecret(now)}
	} else if sub.Bearer = n.Bearer; sub.Bearer == "" {
		sub.Bearer = s.Source.Token(32)
	}
	end, err := s.Store.LogEnd(ctx, c.Tenant)
	if err != nil {
		return nil, storeError("read the end of the log", err)
	}
	err = s.commit(ctx, c.Tenant, &store.Tx{Now: now, Subscriptions: []*store.Subscription{sub}, Cursors: []store.Cursor{{Subscription: sub.ID, Position: end}}})
	if err != nil {
		return nil, storeError("create a subscription", err)
	}
	s.Log.Info("a webhook was created", "tenant", c.Tenant, "subscription", sub.ID, "shape", sub.Shape, "by", c.Key)
	return sub, nil
}

// signs reports whether a shape has our signature. Ship24 and Tracktor prove themselves by a bearer token.
func signs(shape string) bool { return shape != ShapeShip24 && shape != ShapeTracktor }

// newSecret makes a secret as Standard Webhooks writes them.
func (s *Service) newSecret(now time.Time) store.SigningSecret {
	raw, err := base64.RawURLEncoding.DecodeString(s.Source.Token(32))
	if err != nil { // a Source's promise
		panic(err)
	}
	return store.SigningSecret{Secret: "whsec_" + base64.StdEncoding.EncodeToString(raw), CreatedAt: now}
}

// check finds everything that is wrong with a subscription.
func (s *Service) check(ctx context.Context, tenant string, n NewSubscription) error {
	ctx, cancel := context.WithTimeout(ctx, lookUpFor)
	defer cancel()
	var f shipping.Faults
	t := s.Config().Tenants[tenant]
	switch {
	case strings.TrimSpace(n.URL) == "":
		f.Add("url", "is required")
	case len(n.URL) > maxURL:
		f.Add("url", "must be at most %d bytes", maxURL)
	default:
		if err := checkURL(ctx, s.Resolve, n.URL, t != nil && t.Notify.AllowPrivate); err != nil {
			f.Add("url", "%s", err)
		}
	}
	if len(n.Topics) == 0 {
		f.Add("topics", "must not be empty")
	}
	if len(n.Topics) > maxTopics {
		f.Add("topics", "must have at most %d entries", maxTopics)
	}
	for i, topic := range n.Topics[:min(len(n.Topics), maxTopics)] {
		if !known(topic) {
			f.Add(fmt.Sprintf("topics[%d]", i), "%q is not a topic; there are shipment.<status>, tracker.<status> in lower case, return.*, shipment.*, tracker.*, %s, %s, %s and *",
				topic, TopicPaused, TopicCommunication, TopicNotice)
		}
	}
	if s.shapes[n.Shape] == nil {
		f.Add("shape", "must be one of %s", strings.Join(s.shapeNames(), ", "))
	} else if words := topicsOf[n.Shape]; len(words) > 0 && len(f) == 0 && !slices.ContainsFunc(n.Topics, func(topic string) bool { return tellable(topic, words) }) {
		f.Add("topics", "can never be told in the shape %s: it has words for %s only; name one of these or use the shape %s", n.Shape, strings.Join(words, " and "), ShapeWaybill)
	}
	f.Line("bearer", n.Bearer, 200)
	return invalid(f)
}

func (s *Service) shapeNames() []string {
	var out []string
	for name := range s.shapes {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func invalid(f shipping.Faults) error {
	if len(f) == 0 {
		return nil
	}
	return usecase.Invalid(usecase.ValidationError, f)
}

// Subscriptions returns the tenant's webhooks, oldest first.
func (s *Service) Subscriptions(ctx context.Context, c usecase.Caller) ([]*store.Subscription, error) {
	list, err := s.Store.Subscriptions(ctx, c.Tenant)
	if err != nil {
		return nil, storeError("read subscriptions", err)
	}
	return slices.DeleteFunc(list, func(sub *store.Subscription) bool { return isAlert(sub.Shape) }), nil
}

// Subscription returns one webhook.
func (s *Service) Subscription(ctx context.Context, c usecase.Caller, id string) (*store.Subscription, error) {
	sub, err := s.Store.Subscription(ctx, c.Tenant, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && isAlert(sub.Shape) {
		return nil, usecase.Failf(usecase.NotFound, "A webhook with the id %s is not found.", id)
	}
	if err != nil {
		return nil, storeError("read a subscription", err)
	}
	return sub, nil
}

// Change is what an update changes; nil stays.
type Change struct {
	URL    *string
	Topics *[]string
	State  *string // Active, Paused or Disabled
	Extra  []byte
}

// Update changes a webhook. A paused one that becomes active goes on where it stopped, a disabled one with what happens from now on.
//
// Topics have no place in the log: a message that was written before a change and is read after it is judged by the new ones. That
// concerns what is written within moments of the change, and all that a paused webhook has not read yet; nothing that both the old and
// the new topics name is lost or told twice.
func (s *Service) Update(ctx context.Context, c usecase.Caller, id string, ch Change) (*store.Subscription, error) {
	return s.change(ctx, c, id, func(sub *store.Subscription, tx *store.Tx) error {
		was := sub.State
		var f shipping.Faults
		if ch.URL != nil {
			sub.URL = *ch.URL
		}
		if ch.Topics != nil {
			sub.Topics = slices.Clone(*ch.Topics)
		}
		if ch.Extra != nil {
			sub.Extra = ch.Extra
		}
		if ch.State != nil {
			if !slices.Contains([]string{Active, Paused, Disabled}, *ch.State) {
				f.Add("state", "must be active, paused or disabled")
			}
			sub.State = *ch.State
		}
		if err := s.check(ctx, c.Tenant, NewSubscription{URL: sub.URL, Topics: sub.Topics, Shape: sub.Shape}); err != nil {
			f = append(usecase.AsError(err).Faults, f...)
		}
		if err := invalid(f); err != nil || was == sub.State {
			return err
		}
		sub.Reason, sub.FailingSince = "", time.Time{}
		if sub.State != Active {
			sub.Reason = "Set by hand."
		}
		if was != Disabled || sub.State == Disabled {
			return nil
		}
		end, err := s.Store.LogEnd(ctx, c.Tenant)
		if err != nil {
			return storeError("read the end of the log", err)
		}
		tx.Cursors = []store.Cursor{{Subscription: sub.ID, Position: end}}
		return nil
	})
}

// Rotate gives a webhook a new secret; a signing secret that it had stays good for a day. The new one is in the answer and is not to
// be shown again.
func (s *Service) Rotate(ctx context.Context, c usecase.Caller, id string) (*store.Subscription, error) {
	return s.change(ctx, c, id, func(sub *store.Subscription, tx *store.Tx) error {
		if !signs(sub.Shape) {
			sub.Bearer = s.Source.Token(32)
			return nil
		}
		kept := []store.SigningSecret{s.newSecret(tx.Now)}
		for _, x := range sub.Signing {
			if x.ExpiresAt.IsZero() {
				x.ExpiresAt = tx.Now.Add(rotatedFor)
			}
			if tx.Now.Before(x.ExpiresAt) && len(kept) < maxSecrets {
				kept = append(kept, x)
			}
		}
		sub.Signing = kept
		return nil
	})
}

// Unsubscribe removes a webhook with its log of deliveries.
func (s *Service) Unsubscribe(ctx context.Context, c usecase.Caller, id string) error {
	if _, err := s.Subscription(ctx, c, id); err != nil {
		return err
	}
	if err := s.commit(ctx, c.Tenant, &store.Tx{Now: s.Clock.Now(), DropSubscriptions: []string{id}}); err != nil {
		return storeError("remove a subscription", err)
	}
	s.Log.Info("a webhook was removed", "tenant", c.Tenant, "subscription", id, "by", c.Key)
	return nil
}

const maxConflicts = 20

// change applies f and commits, again from the stored state where somebody else was faster.
func (s *Service) change(ctx context.Context, c usecase.Caller, id string, f func(*store.Subscription, *store.Tx) error) (*store.Subscription, error) {
	for range maxConflicts {
		sub, err := s.Subscription(ctx, c, id)
		if err != nil {
			return nil, err
		}
		now := s.Clock.Now()
		tx := &store.Tx{Now: now, Subscriptions: []*store.Subscription{sub}}
		if err := f(sub, tx); err != nil {
			return nil, err
		}
		sub.UpdatedAt = now
		err = s.commit(ctx, c.Tenant, tx)
		if err == nil {
			return sub, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, storeError("change a subscription", err)
		}
	}
	return nil, storeError("change a subscription", store.ErrConflict)
}

// commit commits what changes subscriptions or what is due for them, and takes notice of it.
func (s *Service) commit(ctx context.Context, tenant string, tx *store.Tx) error {
	if err := s.write(context.WithoutCancel(ctx), tenant, "subscription", tx); err != nil {
		return err
	}
	if _, err := s.refresh(context.WithoutCancel(ctx), tenant); err != nil {
		s.Log.Warn("what a tenant wants to be told is noted later", "tenant", tenant, "err", err)
	}
	s.poke()
	return nil
}

// write commits between the two failpoints of what.
func (s *Service) write(ctx context.Context, tenant, what string, tx *store.Tx) error {
	if err := failpoint.Hit("notify", failpoint.Before, what); err != nil {
		return err
	}
	if err := s.Store.Commit(ctx, tenant, tx); err != nil {
		return err
	}
	return failpoint.Hit("notify", failpoint.After, what)
}

// storeError words a store that failed.
func storeError(doing string, err error) error {
	e := usecase.AsError(fmt.Errorf("%s: %w", doing, err))
	if errors.Is(err, store.ErrUnavailable) {
		e.Message = "The store cannot be used at the moment; nothing was changed. Try again later."
	}
	if errors.Is(err, store.ErrCursor) {
		return usecase.Failf(usecase.InvalidData, "The paginationToken is not one of ours, or belongs to another question.")
	}
	return e
}
