package notify

import (
	"math/rand/v2"
	"time"
)

// waits is how long after each failed try the next one comes; after the last the pace stays, until giveUpAfter.
var waits = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	3 * time.Hour, 6 * time.Hour, 12 * time.Hour}

// giveUpAfter is how long after its first try a delivery is tried.
const giveUpAfter = 72 * time.Hour

// nextTry returns when to try again after a delivery has failed tried times, the first of them at first; ok is false where it is to
// be given up. Up to a tenth is added at random, so that what failed together does not come back together. asked is what the
// subscriber wished with Retry-After, 0 for nothing.
func nextTry(r *rand.Rand, first, now time.Time, tried int, asked time.Duration) (at time.Time, ok bool) {
	wait := waits[min(max(tried, 1), len(waits))-1]
	wait = max(wait, min(asked, 12*time.Hour))
	at = now.Add(wait + time.Duration(r.Float64()*float64(wait)/10))
	last := first.Add(giveUpAfter)
	if at.After(last) {
		at = last
	}
	return at, now.Before(last)
}
