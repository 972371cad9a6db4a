// Package ruleset keeps each tenant's live rules: it loads their folders, looks again when files change, swaps a bundle whole when
// it is good, and keeps the last good one when it is not.
package ruleset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/rules"
)

// Settings is what a Set works with. All members are required but Registerer.
type Settings struct {
	Config func() *config.Config
	// Providers tells what is known of a tenant's accounts, for checking names and services.
	Providers  func(t *config.Tenant) map[string]rules.Provider
	Log        hclog.Logger
	Registerer prometheus.Registerer
}

// Set is the live rules of all tenants. It is safe for concurrent use.
type Set struct {
	Settings
	live   atomic.Pointer[map[string]*rules.Bundle]
	mu     sync.Mutex
	seen   map[string][sha256.Size]byte // by tenant
	faults map[string]error             // of what stands in the folders now
	loads  *prometheus.CounterVec
}

// New returns a Set in which every tenant has the built-in rules. Load fills it.
func New(s Settings) *Set {
	r := &Set{Settings: s, seen: map[string][sha256.Size]byte{}, faults: map[string]error{},
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_rules_loads_total", Help: "Rule folders read, by outcome."}, []string{"outcome"})}
	r.live.Store(&map[string]*rules.Bundle{})
	if s.Registerer != nil {
		s.Registerer.MustRegister(r.loads, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "waybill_rules_degraded",
			Help: "Tenants whose rule files are faulty as they are now."}, func() float64 { return float64(len(r.problems())) }))
	}
	return r
}

// Bundle returns a tenant's live rules; without a folder, the cheapest offer wins, then the fastest.
func (r *Set) Bundle(tenant string) *rules.Bundle {
	if b := (*r.live.Load())[tenant]; b != nil {
		return b
	}
	return rules.Default()
}

// Load reads every tenant's folder that has changed. It returns the faults, tenant by tenant; a tenant whose rules are faulty keeps
// the last good ones. At start there are none: then the caller should not serve.
func (r *Set) Load() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := map[string]*rules.Bundle{}
	old := *r.live.Load()
	var first error
	tenants := r.Config().Tenants
	for id, t := range tenants {
		if t.Rules == "" {
			continue
		}
		if b := old[id]; b != nil {
			next[id] = b
		}
		sum := digest(os.DirFS(t.Rules))
		if sum != r.seen[id] || next[id] == nil {
			r.seen[id] = sum
			b, err := r.load(t)
			r.faults[id] = err
			if err != nil {
				r.loads.WithLabelValues("refused").Inc()
				r.refused(id, t.Rules, err, next[id] != nil)
			} else {
				r.loads.WithLabelValues("taken").Inc()
				r.Log.Info("rules were taken", "tenant", id, "version", b.Hash())
				next[id] = b
			}
		}
		if err := r.faults[id]; err != nil {
			first = errors.Join(first, fmt.Errorf("rules of tenant %s in %s:\n%w", id, t.Rules, err))
		}
	}
	r.live.Store(&next)
	return first
}

func (r *Set) refused(tenant, folder string, err error, before bool) {
	if before {
		r.Log.Error("rules were not taken; the last good ones stay", "tenant", tenant, "folder", folder, "err", err)
		return
	}
	r.Log.Error("rules were not taken, and there are none from before", "tenant", tenant, "folder", folder, "err", err)
}

// load loads a tenant's folder, runs the tests that stand in it, and refuses what the engine cannot keep its word about.
func (r *Set) load(t *config.Tenant) (*rules.Bundle, error) {
	folder := os.DirFS(t.Rules)
	b, err := rules.LoadDir(folder, rules.Options{Providers: r.Providers(t)})
	if err != nil {
		return nil, err
	}
	if n := b.Needs(); len(n.Quotas) > 0 || len(n.Budgets) > 0 {
		return nil, errors.New("the rules use quota(…) or daily_budget, which this engine does not count yet; take these rules out")
	}
	if err := b.Verify(folder); err != nil {
		return nil, err
	}
	return b, nil
}

// Problem returns what is wrong with the folders as they are now, tenant by tenant, nil where nothing is.
func (r *Set) Problem() error { return errors.Join(r.problems()...) }

func (r *Set) problems() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []error
	tenants := r.Config().Tenants
	for _, id := range slices.Sorted(maps.Keys(tenants)) {
		if err := r.faults[id]; err != nil && tenants[id].Rules != "" {
			out = append(out, fmt.Errorf("rules of tenant %s: %w", id, err))
		}
	}
	return out
}

// watchEvery is how often the folders are looked at, by wall time: a person has just saved a file.
const watchEvery = time.Second

// Run looks at the folders until ctx ends. A change is taken when it has stood still for one look, so that a file that is being
// written is not read by half.
func (r *Set) Run(ctx context.Context) error {
	last := map[string][sha256.Size]byte{}
	for clock.Sleep(ctx, clock.Real(), watchEvery) == nil {
		changed := false
		for id, t := range r.Config().Tenants {
			if t.Rules == "" {
				continue
			}
			now := digest(os.DirFS(t.Rules))
			r.mu.Lock()
			changed = changed || now != r.seen[id] && now == last[id]
			r.mu.Unlock()
			last[id] = now
		}
		if changed {
			_ = r.Load() // logged, and kept for Problem
		}
	}
	return nil
}

// digest is what a folder holds together.
func digest(fsys fs.FS) [sha256.Size]byte {
	h := sha256.New()
	var names []string
	_ = fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return nil // what cannot be read is the loader's to say
	})
	slices.Sort(names)
	for _, n := range names {
		b, err := fs.ReadFile(fsys, n)
		if err != nil {
			b = []byte(err.Error())
		}
		sum := sha256.Sum256(b)
		fmt.Fprintf(h, "%s\x00", n)
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}
