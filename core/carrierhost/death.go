package carrierhost

import (
	"errors"
	"time"
)

// Cause is why a process ended, or never came to be.
type Cause string

// The causes.
const (
	CauseExit         Cause = "exit"          // it ended by itself; a panic outside a call is an exit too
	CauseSignal       Cause = "signal"        // something killed it
	CauseMemory       Cause = "memory"        // it wanted more than Config.Memory
	CauseWedged       Cause = "wedged"        // it did not answer health checks and was killed by the host
	CauseStart        Cause = "start"         // it ended, or spoke another language, before the handshake was over
	CauseStartTimeout Cause = "start_timeout" // the handshake was not over in time
	CauseMissing      Cause = "missing"       // there is no such binary, or it may not be run
	CauseChecksum     Cause = "checksum"      // the binary is not the one that was locked
	CauseWrongName    Cause = "wrong_name"    // the binary is another adapter than its name says
)

// hopeless reports whether starting the same binary again cannot help.
func (c Cause) hopeless() bool {
	return c == CauseMissing || c == CauseChecksum || c == CauseWrongName
}

// Death is the end of a process that nobody asked for.
type Death struct {
	At     time.Time
	Cause  Cause
	Detail string // for the operator
	Code   int    // exit code, of CauseExit and CauseMemory
	Signal string // of CauseSignal
}

// deathAtStart reads the cause from the error of a start.
func deathAtStart(err error) Death {
	d := Death{Cause: CauseStart, Detail: err.Error()}
	for cause, is := range map[Cause]error{
		CauseMissing: errMissing, CauseWrongName: errWrongName, CauseChecksum: errChecksum, CauseStartTimeout: errTimeout,
	} {
		if errors.Is(err, is) {
			d.Cause = cause
		}
	}
	return d
}
