//go:build failpoint

package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/waybill-dev/waybill/core/failpoint"
)

// failpoints are the places beside commits at which this build can be made to die.
func failpoints() []string { return failpoint.Names() }

// nextPoint returns what arms each start of the engine with the next failpoint, to die there at its first or second visit.
func (c *chaos) nextPoint() func() []string {
	points := failpoints()
	rng := rand.New(rand.NewPCG(c.seed, 0xfa11))
	n := 0
	return func() []string {
		name := points[n%len(points)]
		n++
		return []string{fmt.Sprintf("%s=%s:kill:%d", failpoint.Variable, name, 1+rng.IntN(2))}
	}
}
