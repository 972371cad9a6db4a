// Package ruleset keeps each tenant's live rules: it loads their folders, looks again when files change, swaps a bundle whole when
// it is good, and keeps the last good one when it is not, over restarts too. Beside the live rules it keeps those on trial, which look
// on or decide for a share of the orders.
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

// Settings is what a Set works with. All members are required but Registerer and Kept.
type Settings struct {
	Config func() *config.Config
	// Providers tells what is known of a tenant's accounts, for checking names and services.
	Providers  func(t *config.Tenant) map[string]rules.Provider
	Log        hclog.Logger
	Registerer prometheus.Registerer
	// Kept outlives the process: the last good rules of each tenant are kept in it. Without it, faulty rules at start have no stand-in.
	Kept Keeper
}

// Set is the live rules of all tenants. It is safe for concurrent use.
type Set struct {
	Settings
	live   atomic.Pointer[map[folder]*rules.Bundle]
	faults atomic.Pointer[map[folder]error] // of what stands in the folders now, nil where nothing is wrong; all that were looked at
	mu     sync.Mutex                       // one load at a time
	seen   map[folder][sha256.Size]byte
	since  map[folder]time.Time // when the live rules were taken
	loads  *prometheus.CounterVec
	oldMu  sync.Mutex
	old    []version // that orders stay on, the latest last
}

// folder is one folder of rules of a tenant.
type folder struct {
	tenant string
	trial  bool
}

func (f folder) String() string {
	if f.trial {
		return "rules on trial of tenant " + f.tenant
	}
	return "rules of tenant " + f.tenant
}

// folders are those of a configuration, with where they are.
func folders(c *config.Config) map[folder]string {
	out := map[folder]string{}
	for id, t := range c.Tenants {
		if t.Rules != "" {
			out[folder{id, false}] = t.Rules
		}
		if t.Trial != nil {
			out[folder{id, true}] = t.Trial.Rules
		}
	}
	return out
}

func ordered(all map[folder]string) []folder {
	return slices.SortedFunc(maps.Keys(all), func(a, b folder) int {
		switch {
		case a.tenant < b.tenant, a.tenant == b.tenant && !a.trial && b.trial:
			return -1
		case a == b:
			return 0
		}
		return 1
	})
}

// New returns a Set that has loaded nothing yet. Load fills it.
func New(s Settings) *Set {
	r := &Set{Settings: s, seen: map[folder][sha256.Size]byte{}, since: map[folder]time.Time{},
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_rules_loads_total",
			Help: "Rule folders read, by outcome: taken, refused, or restored where the last good rules from before a restart stand in."}, []string{"outcome"})}
	r.live.Store(&map[folder]*rules.Bundle{})
	r.faults.Store(&map[folder]error{})
	if s.Registerer != nil {
		s.Registerer.MustRegister(r.loads, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "waybill_rules_degraded",
			Help: "Rule folders that are faulty as they are now."}, func() float64 { return float64(len(r.problems())) }))
	}
	return r
}

// Bundle returns a tenant's live rules; where it has no folder, those by which the cheapest offer wins, then the fastest. It is nil
// where the files are faulty and there are no good ones from before: the built-in rules must not decide in their place.
func (r *Set) Bundle(tenant string) *rules.Bundle {
	t := r.Config().Tenants[tenant]
	if t == nil || t.Rules == "" {
		return rules.Default()
	}
	f := folder{tenant, false}
	if b := (*r.live.Load())[f]; b != nil {
		return b
	}
	if _, looked := (*r.faults.Load())[f]; !looked {
		_ = r.Load() // a tenant that has just come; faults are logged, and kept for Problem
	}
	return (*r.live.Load())[f]
}

// canary is the experiment that the bucket of an order is drawn in.
const canary = "canary"

// Trial returns the rules on trial of a tenant, nil where there are none that are good, and whether they decide for this order: for
// the same orders as long as the share is the same, and for those among others when it grows.
func (r *Set) Trial(tenant, order string) (b *rules.Bundle, decides bool) {
	t := r.Config().Tenants[tenant]
	if t == nil || t.Trial == nil {
		return nil, false
	}
	b = (*r.live.Load())[folder{tenant, true}]
	return b, b != nil && rules.Bucket(canary, order) < t.Trial.Percent()
}

// Load reads every folder that has changed. It returns the faults, folder by folder; where rules are faulty the last good ones stay,
// or those from before a restart stand in. See Missing for where there are none.
func (r *Set) Load() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := folders(r.Config())
	live, faults := map[folder]*rules.Bundle{}, map[folder]error{}
	for f, dir := range all {
		if b := (*r.live.Load())[f]; b != nil {
			live[f] = b
		}
		faults[f] = (*r.faults.Load())[f]
		sum := r.digest(f, dir)
		if sum != r.seen[f] || live[f] == nil {
			r.seen[f] = sum
			faults[f] = r.look(f, dir, live)
		}
	}
	r.live.Store(&live)
	r.faults.Store(&faults)
	var err error
	for _, f := range ordered(all) {
		if faults[f] != nil {
			err = errors.Join(err, fmt.Errorf("%s in %s:\n%w", f, all[f], faults[f]))
		}
	}
	return err
}

// look reads one folder, and puts what is to serve into live. The error is what is wrong with the files.
func (r *Set) look(f folder, dir string, live map[folder]*rules.Bundle) error {
	files, b, err := r.load(f, dir)
	if err == nil {
		r.loads.WithLabelValues("taken").Inc()
		r.Log.Info("rules were taken", "tenant", f.tenant, "trial", f.trial, "version", b.Hash())
		if before := live[f]; before == nil || before.Hash() != b.Hash() {
			r.since[f] = clock.Real().Now()
		}
		live[f] = b
		r.keep(f, files, b.Hash())
		return nil
	}
	r.loads.WithLabelValues("refused").Inc()
	if live[f] == nil && !f.trial {
		if live[f] = r.restore(f); live[f] != nil {
			r.loads.WithLabelValues("restored").Inc()
		} else {
			delete(live, f)
		}
	}
	rejected := "files that could not be read"
	if files != nil {
		rejected = rules.HashOf(files)
	}
	if b := live[f]; b != nil {
		r.Log.Error("rules were not taken; the last good ones stay", "tenant", f.tenant, "trial", f.trial, "folder", dir, "version", b.Hash(), "rejected", rejected, "err", err)
		if rejected == b.Hash() { // a test was changed, an account or a location
			return fmt.Errorf("the rules of the folder, %s, serve; with the tests, accounts and locations of now they would be rejected: %w", rejected, err)
		}
		return fmt.Errorf("rejected %s, %s serves: %w", rejected, b.Hash(), err)
	}
	r.Log.Error("rules were not taken, and there are none from before", "tenant", f.tenant, "trial", f.trial, "folder", dir, "rejected", rejected, "err", err)
	return fmt.Errorf("rejected %s, and there are none from before: %w", rejected, err)
}

// load loads a folder and runs the tests that stand in it. files is nil where they could not be read. Here alone the locations that rules name
// must be there: rules that have served go on when a location leaves the configuration.
func (r *Set) load(f folder, dir string) (files []rules.File, b *rules.Bundle, err error) {
	fsys := os.DirFS(dir)
	if files, err = rules.ReadDir(fsys); err != nil {
		return nil, nil, err
	}
	opt := r.options(f)
	opt.Locations = r.Config().Tenants[f.tenant].Places()
	if b, err = rules.Load(files, opt); err == nil {
		err = b.Verify(fsys)
	}
	return files, b, err
}

func (r *Set) options(f folder) rules.Options {
	t := r.Config().Tenants[f.tenant]
	return rules.Options{Providers: r.Providers(t), NoPersonal: !t.RulesPII}
}

// Missing returns what keeps tenants from having any rules, nil where all have some. At start, the caller should not serve then.
func (r *Set) Missing() error {
	live, faults := *r.live.Load(), *r.faults.Load()
	all := folders(r.Config())
	var err error
	for _, f := range ordered(all) {
		if !f.trial && live[f] == nil && faults[f] != nil {
			err = errors.Join(err, fmt.Errorf("%s in %s:\n%w", f, all[f], faults[f]))
		}
	}
	return err
}

// Problem returns what is wrong with the folders as they are now, folder by folder, nil where nothing is.
func (r *Set) Problem() error { return errors.Join(r.problems()...) }

func (r *Set) problems() []error {
	var out []error
	faults := *r.faults.Load()
	for _, f := range ordered(folders(r.Config())) {
		if err := faults[f]; err != nil {
			out = append(out, fmt.Errorf("%s: %w", f, err))
		}
	}
	return out
}

// watchEvery is how often the folders are looked at, by wall time: a person has just saved a file.
const watchEvery = time.Second

// Run looks at the folders until ctx ends. A change is taken when it has stood still for one look, so that a file that is being
// written is not read by half.
func (r *Set) Run(ctx context.Context) error {
	last := map[folder][sha256.Size]byte{}
	for clock.Sleep(ctx, clock.Real(), watchEvery) == nil {
		changed := false
		for f, dir := range folders(r.Config()) {
			now := r.digest(f, dir)
			r.mu.Lock()
			changed = changed || now != r.seen[f] && now == last[f]
			r.mu.Unlock()
			last[f] = now
		}
		if changed {
			_ = r.Load() // logged, and kept for Problem
		}
	}
	return nil
}

// digest is what a folder holds together, and what the configuration lets it say.
func (r *Set) digest(f folder, dir string) [sha256.Size]byte {
	sum := digest(os.DirFS(dir))
	t := r.Config().Tenants[f.tenant]
	if t == nil {
		return sum
	}
	h := sha256.New()
	fmt.Fprintf(h, "%x %t\n", sum, t.RulesPII)
	for _, id := range slices.Sorted(maps.Keys(t.Locations)) {
		fmt.Fprintf(h, "%q %q\n", id, t.Locations[id].Tags)
	}
	return [sha256.Size]byte(h.Sum(nil))
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
