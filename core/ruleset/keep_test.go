package ruleset_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/ruleset"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/rules"
)

const broken = "rules: 2\n"

// process is one life of the engine's rules over a store on disk.
type process struct {
	*ruleset.Set
	log     bytes.Buffer
	metrics *prometheus.Registry
	close   func()
}

func start(t *testing.T, data string, cfg *config.Config) *process {
	t.Helper()
	st, err := badgerstore.Open(badgerstore.Config{Dir: data, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{metrics: prometheus.NewRegistry(), close: func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}}
	p.Set = ruleset.New(ruleset.Settings{Config: func() *config.Config { return cfg }, Log: hclog.New(&hclog.LoggerOptions{Output: &p.log}), Kept: st,
		Registerer: p.metrics, Providers: func(*config.Tenant) map[string]rules.Provider { return map[string]rules.Provider{"doordash": {}} }})
	return p
}

func tenants(dirs map[string]string) *config.Config {
	c := &config.Config{Tenants: map[string]*config.Tenant{}}
	for id, dir := range dirs {
		c.Tenants[id] = &config.Tenant{ID: id, Rules: dir}
	}
	return c
}

// TestTheLastGoodRulesOutliveTheProcess: a start with faulty files serves by the rules of before, and says so.
func TestTheLastGoodRulesOutliveTheProcess(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	cfg := tenants(map[string]string{"demo": dir})
	write(t, dir, good)
	p := start(t, data, cfg)
	if err := p.Load(); err != nil {
		t.Fatal(err)
	}
	version := p.Bundle("demo").Hash()
	p.close()

	write(t, dir, broken)
	p = start(t, data, cfg)
	if err := p.Load(); err == nil || p.Missing() != nil {
		t.Fatalf("load of faulty files: %v; missing: %v", err, p.Missing())
	}
	if b := p.Bundle("demo"); b == nil || b.Hash() != version {
		t.Error("the last good rules do not serve")
	}
	if problem := p.Problem(); problem == nil || !strings.Contains(problem.Error(), version+" serves") || !strings.Contains(problem.Error(), "rejected sha256:") {
		t.Errorf("the problem does not tell which version serves: %v", problem)
	}
	if !strings.Contains(p.log.String(), "from before the start stand in") {
		t.Errorf("the log does not tell it: %s", p.log.String())
	}
	if n := gauge(t, p.metrics, "waybill_rules_degraded"); n != 1 {
		t.Errorf("the metric says %v", n)
	}
	write(t, dir, good)
	failing := filepath.Join(dir, "a.test.yaml")
	if err := os.WriteFile(failing, []byte("tests: 1\ncases: [{ name: A, expect: { none: false } }]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Load(); err == nil || strings.Contains(err.Error(), "rejected "+version) || !strings.Contains(err.Error(), version+", serve; with the tests") {
		t.Errorf("only a test is at fault: %v", err)
	}
	if err := os.Remove(failing); err != nil {
		t.Fatal(err)
	}
	write(t, dir, strings.Replace(good, "name: one", "name: two", 1))
	if err := p.Load(); err != nil || p.Problem() != nil || p.Bundle("demo").Hash() == version {
		t.Errorf("mended files are not taken: %v", err)
	}
	p.close()
}

// TestATenantThatComesWithFaultyRulesHasNone: the built-in rules do not decide in their place.
func TestATenantThatComesWithFaultyRulesHasNone(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	write(t, dir, good)
	write(t, other, broken)
	cfg := tenants(map[string]string{"demo": dir})
	p := start(t, t.TempDir(), cfg)
	defer p.close()
	if err := p.Load(); err != nil {
		t.Fatal(err)
	}
	cfg.Tenants["late"] = &config.Tenant{ID: "late", Rules: other}
	if b := p.Bundle("late"); b != nil {
		t.Errorf("faulty rules of a new tenant gave way to %s", b.Hash())
	}
	if p.Problem() == nil || p.Missing() == nil || strings.Contains(p.Missing().Error(), "demo") {
		t.Errorf("problem %v, missing %v", p.Problem(), p.Missing())
	}
	write(t, other, strings.Replace(good, "name: one", "name: two", 1))
	if err := p.Load(); err != nil || p.Bundle("late") == nil || p.Missing() != nil {
		t.Errorf("mended rules are not taken: %v", err)
	}
}

// TestTheShareOfACanaryIsSticky: the same orders are with it when it grows, and faulty rules on trial touch nothing.
func TestTheShareOfACanaryIsSticky(t *testing.T) {
	dir, next := t.TempDir(), t.TempDir()
	write(t, dir, good)
	write(t, next, strings.Replace(good, "name: one", "name: two", 1))
	cfg := tenants(map[string]string{"demo": dir})
	trial := &config.Trial{Rules: next}
	cfg.Tenants["demo"].Trial = trial
	p := start(t, t.TempDir(), cfg)
	defer p.close()
	if err := p.Load(); err != nil {
		t.Fatal(err)
	}
	const orders = 10_000
	var before map[string]bool
	for _, step := range []struct {
		canary    string
		low, high int
	}{{"", 0, 0}, {"5%", 400, 600}, {"20%", 1800, 2200}, {"100%", orders, orders}} {
		trial.Canary = step.canary
		with := map[string]bool{}
		for i := range orders {
			id := fmt.Sprint("order-", i)
			b, decides := p.Trial("demo", id)
			if b == nil || b.Hash() == p.Bundle("demo").Hash() {
				t.Fatal("the rules on trial are not there")
			}
			if decides {
				with[id] = true
			} else if before[id] {
				t.Errorf("order %s was with the canary, and is not at %s", id, step.canary)
			}
		}
		if len(with) < step.low || len(with) > step.high {
			t.Errorf("%d of %d orders are with a canary of %q", len(with), orders, step.canary)
		}
		before = with
	}
	write(t, next, broken)
	if err := p.Load(); err == nil || !strings.Contains(err.Error(), "rules on trial of tenant demo") || p.Missing() != nil {
		t.Errorf("faulty rules on trial: %v", err)
	}
	cfg.Tenants["demo"].Trial = nil
	if b, decides := p.Trial("demo", "order-1"); b != nil || decides || p.Problem() != nil {
		t.Errorf("a trial that was taken back goes on: %v", p.Problem())
	}
}

// TestVersionsAreKept: an order that stays on the rules that decided finds them after reloads and restarts, and nobody else's.
func TestVersionsAreKept(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	cfg := tenants(map[string]string{"demo": dir, "other": t.TempDir()})
	write(t, cfg.Tenants["other"].Rules, good)
	p := start(t, data, cfg)
	var hashes []string
	for i := range 20 {
		write(t, dir, fmt.Sprintf("%s# %d\n", good, i))
		if err := p.Load(); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, p.Bundle("demo").Hash())
	}
	p.close()
	p = start(t, data, cfg)
	defer p.close()
	if err := p.Load(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i, hash := range hashes {
			if b := p.Version("demo", hash); b == nil || b.Hash() != hash {
				t.Errorf("version %d is not known any more", i)
			}
		}
	}
	if p.Version("other", hashes[0]) != nil || p.Version("demo", "sha256:00") != nil || p.Version("nobody", hashes[0]) != nil {
		t.Error("a version was found that there is not")
	}
	if def := rules.Default(); p.Version("demo", def.Hash()) != def {
		t.Error("the built-in rules are always known")
	}
}
