package main

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/core/failpoint"
)

// outOfReach are the failpoints that a run cannot reach but by luck, with the reason. All others must be reached.
var outOfReach = map[string]string{
	"dispatch/before-adrift": adriftOutOfReach,
	"dispatch/after-adrift":  adriftOutOfReach,

	"dispatch/before-provider-down": downOutOfReach,
	"dispatch/after-provider-down":  downOutOfReach,

	"dispatch/before-label": labelOutOfReach,
	"dispatch/after-label":  labelOutOfReach,

	"dispatch/before-yield": yieldOutOfReach,
	"dispatch/after-yield":  yieldOutOfReach,

	"retention/before-erase-orders": ageOutOfReach,
	"retention/after-erase-orders":  ageOutOfReach,
	"retention/before-versions":     ageOutOfReach,
	"retention/after-versions":      ageOutOfReach,

	"notify/before-configured": configuredOutOfReach,
	"notify/after-configured":  configuredOutOfReach,
	"notify/before-alerts":     configuredOutOfReach,
	"notify/after-alerts":      configuredOutOfReach,

	"shop/before-settle": shopOutOfReach,
	"shop/after-settle":  shopOutOfReach,
}

const ageOutOfReach = "needs what has been kept for a day at least: that is how often retention looks, and the run takes minutes. Tests of retention's, " +
	"which have a clock of their own, bring the commit about"

const configuredOutOfReach = "needs a configuration that names a webhook of Ship24's shape or alerts to buyers, and the run's names neither: it makes its " +
	"subscriptions by the API, so that it knows what each must have been told. Tests of notify's bring the commit about"

const shopOutOfReach = "needs webhooks that a shop has signed, and the run's tenant has no shop. Tests of the shop's bring the commit about"

// atStarts are the failpoints of commits that belong to a start, some of them to the first on an empty store alone: the rules are kept, and
// the daily jobs are planned and run for the first time. The first starts die at them, one after the other, before anything is sent.
var atStarts = []string{
	"ruleset/before-keep", "ruleset/after-keep", "retention/before-plan", "retention/after-plan", "retention/before-done", "retention/after-done",
}

const labelOutOfReach = "needs a booking that its carrier shows without its label, and a label that the carrier hands out alone: the carriers of a run " +
	"that hand labels out show them with the booking. Tests of dispatch's bring it about"

const yieldOutOfReach = "needs two tenants whose accounts share a carrier's bookings, and a number that a person of one gives and the carrier then shows to be " +
	"the other's: the run has one tenant. Tests of dispatch's bring it about"

const downOutOfReach = "needs an account that is out of order for as long as dispatch.down_after says, and rules that take its orders away then: in a " +
	"storm whatever is killed is back within seconds, and the orders that the run follows to their end must stay where they are. Tests of " +
	"dispatch's bring it about"

const adriftOutOfReach = "needs two walks of one order at once, or a person's word in the instant between the claim of a reconcile job and its first " +
	"look at the order: one process holds an order's key as long as it walks. A test of dispatch's brings it about"

// pointsFrom is how many orders a run must have for the failpoints that it did not reach to be its fault.
const pointsFrom = 2000

// The failpoints that one start of the engine is armed with: several that nobody has died at yet, so that what is visited seldom is
// not drowned by what is visited with each order.
const (
	armedMissing = 6
	armedAgain   = 2
	latestVisit  = 3 // the visit at which to die is drawn from 1 to this
)

// targets chooses at which failpoints the engine is to die, and counts where it did. It is safe for concurrent use.
type targets struct {
	mu     sync.Mutex
	rng    *rand.Rand
	on     bool
	last   bool // only those that are missing, at their first visit
	starts int  // how many of atStarts were passed
	deaths map[string]int
}

func newTargets(seed uint64) *targets {
	t := &targets{rng: rand.New(rand.NewPCG(seed, 0xfa11)), deaths: map[string]int{}}
	for _, name := range reachable() {
		t.deaths[name] = 0
	}
	return t
}

// reachable are the failpoints of this build that a run must reach; none where the build has none.
func reachable() []string {
	if !failpoint.Enabled {
		return nil
	}
	return slices.DeleteFunc(failpoint.Names(), func(name string) bool { return outOfReach[name] != "" })
}

// arm is what is added to the environment of the engine's next start.
func (t *targets) arm() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !failpoint.Enabled {
		return nil
	}
	if t.starts < len(atStarts) {
		return []string{failpoint.Variable + "=" + atStarts[t.starts] + ":kill:1"}
	}
	if !t.on {
		return nil
	}
	// Those at which it died least come first, in random order where it died as often.
	names := slices.Sorted(maps.Keys(t.deaths))
	t.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(t.deaths[a], t.deaths[b]) })
	missing := len(t.missingNow())
	n := min(missing, armedMissing)
	if t.last {
		n = missing
	}
	if missing == 0 {
		n = armedAgain
	}
	points := make([]string, 0, n)
	for _, name := range names[:n] {
		nth := 1
		if !t.last {
			nth += t.rng.IntN(latestVisit)
		}
		points = append(points, fmt.Sprintf("%s:kill:%d", name, nth))
	}
	return []string{failpoint.Variable + "=" + strings.Join(points, ",")}
}

// died counts a death, by what the engine wrote in its life; false says that it was at no failpoint.
func (t *targets) died(said []byte) bool {
	name, ok := failpoint.DiedAt(said)
	if !ok {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deaths[name]++
	if t.starts < len(atStarts) && atStarts[t.starts] == name {
		t.starts++
	}
	return true
}

// started tells whether the engine has died at everything that it must die at before anything is sent.
func (t *targets) started() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !failpoint.Enabled || t.starts == len(atStarts)
}

// start has every start of the engine armed from now on, until disarm.
func (t *targets) start() { t.set(true) }

// disarm ends it: from now on the engine is started without.
func (t *targets) disarm() { t.set(false) }

func (t *targets) set(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.on = on
}

// onlyMissing has the engine die at nothing any more but where it has not died yet.
func (t *targets) onlyMissing() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = true
}

// missing are the failpoints that were not reached.
func (t *targets) missing() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.missingNow()
}

func (t *targets) missingNow() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(t.deaths)) {
		if t.deaths[name] == 0 {
			out = append(out, name)
		}
	}
	return out
}

// counts are the deaths by failpoint.
func (t *targets) counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := maps.Clone(t.deaths)
	maps.DeleteFunc(out, func(_ string, n int) bool { return n == 0 })
	return out
}
