//go:build failpoint

package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/waybill-dev/waybill/core/failpoint"
)

// failpoints are the places beside commits at which this build can be made to die.
func failpoints() []string { return failpoint.Names() }

// nextPoint returns what arms every second start of the engine with the next failpoint, to die there at one of its first visits.
func (c *chaos) nextPoint() func() []string {
	points := failpoints()
	rng := rand.New(rand.NewPCG(c.seed, 0xfa11))
	n := 0
	return func() []string {
		n++
		if n%2 == 0 {
			return nil
		}
		return []string{fmt.Sprintf("%s=%s:kill:%d", failpoint.Variable, points[n/2%len(points)], 1+rng.IntN(10))}
	}
}
