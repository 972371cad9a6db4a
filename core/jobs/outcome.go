package jobs

import "time"

// Outcome is what a handler says when its job has run.
type Outcome struct {
	again   time.Time
	settled bool
}

// Done lets the runner remove the job.
func Done() Outcome { return Outcome{} }

// Again has the job run again at a time.
func Again(at time.Time) Outcome { return Outcome{again: at} }

// Settled says that the handler's own commit has removed or replaced the job.
func Settled() Outcome { return Outcome{settled: true} }
