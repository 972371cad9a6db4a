package carrierhost

import (
	"cmp"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

// State is where an adapter is in its life; DESIGN.md draws the transitions.
type State string

// The states.
const (
	Starting    State = "starting"    // a process is being started, its accounts opened
	Ready       State = "ready"       // calls are answered
	Backoff     State = "backoff"     // dead; the next start is planned
	Quarantined State = "quarantined" // died too often, or cannot be started; tried again at times
	Draining    State = "draining"    // calls in flight end, no new ones
	Stopped     State = "stopped"     // no longer needed, or not yet started
)

// AccountState is what has become of an account in its adapter's present process.
type AccountState string

// The states of an account.
const (
	AccountOpening AccountState = "opening" // or waiting for the adapter
	AccountOpen    AccountState = "open"
	AccountRefused AccountState = "refused" // the adapter refuses the configuration; Problem names the member
	AccountFailed  AccountState = "failed"  // not opened for another reason; tried again
)

// AdapterStatus is the present state of an adapter that some account needs. Version and Manifest are empty as long as it has
// never started.
type AdapterStatus struct {
	Name      string
	Path      string // of the binary
	Version   string
	Manifest  *carrier.Manifest
	State     State
	Since     time.Time // of State
	NextStart time.Time // in Backoff and Quarantined
	PID       int       // 0 where no process lives
	Restarts  int
	LastDeath *Death
	Accounts  []AccountStatus
}

// AccountStatus is the present state of an account.
type AccountStatus struct {
	Tenant   string
	ID       string
	State    AccountState
	Problem  *carrier.Error // of AccountRefused and AccountFailed
	InFlight int
	Retired  bool
	// OpenBreakers names the classes of calls that are kept back: quote, book, cancel, find, track.
	OpenBreakers []string
	// Down says that the carrier is out of order: a breaker of quotes, bookings or cancellations is open and a probe has failed too, or the
	// adapter does not run.
	Down bool
}

// Status answers the adapters that accounts need, by name, each with its accounts by tenant and id.
func (h *Host) Status() []AdapterStatus {
	out := []AdapterStatus{}
	for _, a := range h.snapshot() {
		out = append(out, a.status())
	}
	slices.SortFunc(out, func(x, y AdapterStatus) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

func (a *adapter) status() AdapterStatus {
	r := a.alive()
	accounts := a.wanted()
	a.mu.Lock()
	s := AdapterStatus{
		Name: a.name, Path: a.path, Manifest: a.manifest.Load(), State: a.state, Since: a.since, NextStart: a.next,
		Restarts: a.restarts, LastDeath: a.last,
	}
	a.mu.Unlock()
	if s.Manifest != nil {
		s.Version = s.Manifest.Version
	}
	if r != nil {
		s.PID = r.proc.PID()
	}
	for _, c := range accounts {
		s.Accounts = append(s.Accounts, c.status(r))
	}
	slices.SortFunc(s.Accounts, func(x, y AccountStatus) int {
		return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.ID, y.ID))
	})
	return s
}

// down says that an adapter in this state answers nobody.
func (s State) down() bool { return s == Quarantined || s == Backoff || s == Starting }

// Down says that the carrier is out of order, as AccountStatus does.
func (c *Account) Down() bool {
	c.adapter.mu.Lock()
	state := c.adapter.state
	c.adapter.mu.Unlock()
	if state.down() {
		return true
	}
	for k, b := range c.terms.Load().breakers {
		if k := class(k); b != nil && b.isOpen() && (k == quoting || k == booking || k == cancelling) && b.proven() {
			return true
		}
	}
	return false
}

func (c *Account) status(r *run) AccountStatus {
	t := c.terms.Load()
	s := AccountStatus{
		Tenant: c.key.tenant, ID: c.key.id, State: AccountOpening, InFlight: int(c.gate.inside.Load()), Retired: t.cfg.Retired, Down: c.Down(),
	}
	for k, b := range t.breakers {
		if b != nil && b.isOpen() {
			s.OpenBreakers = append(s.OpenBreakers, classNames[k])
		}
	}
	if r == nil || !c.settled(r) {
		return s
	}
	p := c.trouble()
	switch {
	case p.err == nil:
		s.State = AccountOpen
	case p.err.Source == carrier.SourceConfig:
		s.State, s.Problem = AccountRefused, p.err
	default:
		s.State, s.Problem = AccountFailed, p.err
	}
	return s
}
