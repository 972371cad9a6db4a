package ruleset

import "time"

// Status is how a tenant's rules stand.
type Status struct {
	Since   time.Time // when the live rules were taken, by wall time; zero for the built-in ones and those from before the start
	Problem error     // what is wrong with the folder as it is now; nil where nothing is
}

// Status returns how a tenant's rules stand.
func (r *Set) Status(tenant string) Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := folder{tenant, false}
	return Status{Since: r.since[f], Problem: (*r.faults.Load())[f]}
}
