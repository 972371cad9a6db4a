// Package simulator stands for the carriers' side of the world: it speaks each
// carrier's own wire format, remembers what the carrier would remember, and
// breaks in the ways in which carriers break.
//
// A [World] holds every parcel and delivery, the events that will move them,
// and the [Ledger] of what the carriers believe. A [Dialect] is one carrier's
// API on top of that world. A [Server] mounts the dialects on one listener,
// each under its own name (http://127.0.0.1:8081/ups, …/doordash), runs every
// request as one exchange with an explicit commit point, and lets a person or
// a test look at and disturb all of it through the control API under /_sim/.
//
// One exchange goes: request arrives, the dialect authenticates it, faults of
// the arrival fire (reset, rate limit, error), the carrier commits, faults of
// the answer fire (lost, malformed, late), the answer leaves. A dialect never
// deals with faults: its handler checks the request and returns an [Act], and
// only the act may change the world.
//
// Nothing here starts by itself: New checks and returns, [Server.Run] owns the
// goroutines that carry out due events and send pushes. Time comes from a
// [Clock], randomness from named streams (see [Stream]); one seed and one
// order of requests per entity give one history.
package simulator
