package simulator

import "math/rand/v2"

// Stream returns the random stream of one purpose of one entity. The same
// arguments give the same draws in every run and on every machine, whatever
// else the world is asked in between, so that adding a carrier or a request
// never changes another's history. A stream is not safe for concurrent use.
func Stream(seed uint64, carrier, entity, purpose string) *rand.Rand {
	a := mix(seed ^ 0x9e3779b97f4a7c15)
	b := mix(seed + 0xd1b54a32d192ed03)
	for _, part := range [...]string{carrier, entity, purpose} {
		for i := range len(part) {
			a = (a ^ uint64(part[i])) * 0x100000001b3
			b = (b + uint64(part[i])) * 0xbf58476d1ce4e5b9
		}
		// A separator, so that ("ab", "c") and ("a", "bc") differ.
		a, b = mix(a^0xff), mix(b+0x101)
	}
	return rand.New(rand.NewPCG(mix(a), mix(b)))
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}
