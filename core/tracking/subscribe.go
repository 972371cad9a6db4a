package tracking

import (
	"context"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

const (
	// askPushAgain is when a carrier is asked again that has not agreed to push, or that did not answer.
	askPushAgain = 24 * time.Hour
	// renewBefore is how long before its end an agreement is renewed.
	renewBefore = 48 * time.Hour
)

// agreement is what a carrier has agreed to push about a tracker.
type agreement struct{ until, next time.Time }

// subscribe asks the carrier to push news of the visited trackers, where it pushes what it is asked to push by number. Polls go on,
// more rarely: a carrier that does not answer now loses nothing.
func (s *Service) subscribe(ctx context.Context, a *config.Account, visits []*visit) {
	acc, ok := s.Carriers.Account(a.Tenant, a.ID)
	if !ok {
		return
	}
	subscriber, able := acc.(carrier.PushSubscriber)
	if m, known := acc.Manifest(); !able || !known || !m.Has(carrier.CanSubscribePush) {
		return
	}
	now := s.Clock.Now()
	var wanting []*visit
	var r carrier.SubscribeRequest
	for _, v := range visits {
		if numbers := v.t.Numbers(); len(numbers) > 0 && !tracker.Final(v.t.Status, v.t.SubStatus) && !v.t.NextAsked.After(now) {
			wanting = append(wanting, v)
			r.Numbers = append(r.Numbers, numbers...)
		}
	}
	if len(wanting) == 0 {
		return
	}
	slices.Sort(r.Numbers)
	r.Numbers = slices.Compact(r.Numbers)
	agreed, err := s.askToPush(ctx, a, subscriber, r)
	if err != nil {
		s.Log.Warn("carrier could not be asked to push, it will be asked again", "account", a.ID, "tenant", a.Tenant, "code", string(carrier.AsError(err).Code),
			"again_in", askPushAgain.String())
	}
	taken := func(number string) bool {
		return slices.ContainsFunc(agreed.Numbers, func(n string) bool { return tracker.SameNumber(n, number) })
	}
	for _, v := range wanting {
		v.asked = &agreement{until: v.t.PushedUntil, next: now.Add(askPushAgain)}
		switch whole := !slices.ContainsFunc(v.t.Numbers(), func(n string) bool { return !taken(n) }); {
		case err != nil: // what was agreed before still holds
		case !whole:
			v.asked.until = time.Time{}
		case agreed.Until.IsZero(): // for as long as there is news
			v.asked.until, v.asked.next = now.AddDate(1, 0, 0), now.AddDate(1, 0, 0)
		default:
			v.asked.until = agreed.Until.Time
			v.asked.next = clock.Later(agreed.Until.Add(-renewBefore), now.Add(firstRetry))
		}
	}
}

func (s *Service) askToPush(ctx context.Context, a *config.Account, to carrier.PushSubscriber, r carrier.SubscribeRequest) (carrier.PushSubscription, error) {
	url, err := s.PushURL(ctx, a.Tenant, a.ID)
	if err != nil {
		return carrier.PushSubscription{}, err
	}
	r.URL = url
	cctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return to.SubscribePush(cctx, r)
}
