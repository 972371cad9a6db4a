package tracking

import (
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const (
	// pushedFactor is how much less often a carrier is asked about what it pushes.
	pushedFactor = 5
	// jitter spreads polls: an interval is up to this much shorter or longer.
	jitter = 0.15
	// firstRetry and lastRetry bound the pauses after failures that concern one number.
	firstRetry = 2 * time.Minute
	lastRetry  = 6 * time.Hour
)

// schedule says when the carrier is asked next, or that nobody asks any more.
func (s *Service) schedule(t *tracker.Tracker, now time.Time) {
	if tracker.Final(t.Status, t.SubStatus) {
		stop(t, endOf(t.Status))
		return
	}
	if t.Stopped != "" && t.Stopped != tracker.StopExpired {
		t.NextPoll = time.Time{}
		return
	}
	a := s.account(t.Tenant, t.Account)
	if a == nil || len(t.Numbers()) == 0 && t.Reference == "" || !s.can(t.Tenant, t.Account, carrier.CanTrack) {
		t.NextPoll = time.Time{}
		return
	}
	if t.Stopped == tracker.StopExpired { // until it says something again
		t.NextPoll = time.Time{}
		return
	}
	every := interval(t, s.Config().TrackingOf(a), s.byCourier(t))
	if pushed(t) || t.PushedUntil.After(now) && !t.Polls.FoundAt.IsZero() {
		every *= pushedFactor
	}
	t.NextPoll = now.Add(s.spread(t, every))
}

// spread makes an interval a little shorter or longer, so that what came together does not stay together.
func (s *Service) spread(t *tracker.Tracker, every time.Duration) time.Duration {
	share := 1 - jitter + 2*jitter*s.Source.Rand("poll", t.Tenant, string(t.ID), strconv.Itoa(t.Polls.Count)).Float64()
	return time.Duration(float64(every) * share)
}

func endOf(status shipping.Status) string {
	switch status {
	case shipping.OrderDelivered:
		return tracker.StopDelivered
	case shipping.OrderUndeliverable:
		return tracker.StopReturned
	}
	return tracker.StopCancelled
}

// TypeDelivery is the type of a tracker that follows a courier, who is asked about often.
const TypeDelivery = "delivery"

// modeCourier is the mode of services that one courier carries out.
const modeCourier = "courier"

// byCourier reports whether a courier carries out what is followed. Of our own booking the type says it. Of what others booked the
// carrier's services say it, since callers call parcels deliveries too; the type decides where the carrier has services of both kinds.
func (s *Service) byCourier(t *tracker.Tracker) bool {
	if t.Shipment != "" {
		return t.Type == TypeDelivery
	}
	acc, ok := s.Carriers.Account(t.Tenant, t.Account)
	if !ok {
		return false
	}
	m, known := acc.Manifest()
	if !known || len(m.Services) == 0 {
		return false
	}
	couriers := 0
	for _, service := range m.Services {
		if service.Mode == modeCourier {
			couriers++
		}
	}
	return couriers == len(m.Services) || couriers > 0 && t.Type == TypeDelivery
}

// interval is how long after an answer the carrier is asked again.
func interval(t *tracker.Tracker, c config.Tracking, courier bool) time.Duration {
	if courier {
		return c.Courier
	}
	switch t.Milestone().Milestone {
	case tracker.Pending, tracker.InfoReceived:
		return c.Waiting
	case tracker.OutForDelivery:
		return c.Out
	case tracker.AvailableForPickup:
		return c.AtPoint
	case tracker.InTransit:
		return c.Transit
	}
	return c.Trouble
}

// pushed reports whether the newest event came by a push.
func pushed(t *tracker.Tracker) bool {
	newest := -1
	for i := range t.Events {
		if newest < 0 || t.Events[i].Seq > t.Events[newest].Seq {
			newest = i
		}
	}
	return newest >= 0 && t.Events[newest].Origin == tracker.ByPush
}

// backoff doubles with each failure.
func backoff(failures int, first, last time.Duration) time.Duration {
	d := first
	for range failures - 1 {
		if d >= last/2 {
			return last
		}
		d *= 2
	}
	return d
}

// pace is how much an account may be asked just now. It is kept in memory: a start begins with what is allowed in one pause.
type pace struct {
	tokens   float64
	at       time.Time
	failures int // calls in a row that failed as a whole
	idle     time.Duration
	asleep   time.Time // when the account's job means to look again; zero while it runs
}

// saved is how long an account's budget is saved up.
const saved = 3 * time.Second

// allowance returns how many numbers an account may be asked for now, and how long until it may be asked for some more.
func (p *pace) allowance(now time.Time, perSecond float64) (int, time.Duration) {
	limit := max(1, perSecond*saved.Seconds())
	if p.at.IsZero() {
		p.tokens = limit
	} else {
		p.tokens = min(limit, p.tokens+now.Sub(p.at).Seconds()*perSecond)
	}
	p.at = now
	if p.tokens >= 1 {
		return int(p.tokens), 0
	}
	wait := time.Duration((1 - p.tokens) / perSecond * float64(time.Second))
	return 0, max(wait, saved)
}

// spend takes from the budget what a call has cost. It may go into debt.
func (p *pace) spend(numbers int) { p.tokens -= float64(numbers) }
