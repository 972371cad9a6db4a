package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/ruleset"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// What reloading rules must bear.
const (
	reloadCount     = 10_000 // half of them broken
	reloadDecisions = 2_000  // a second, meanwhile
)

// reloadStorm reloads rules through the reload call, every second time broken files, while orders are decided at a steady rate. Each
// version charges and warns by its own number, so that a decision which took anything from two versions shows it.
type reloadStorm struct {
	set       *ruleset.Set
	dir       string
	input     rules.Input
	numbers   sync.Map // of good versions, by hash
	took      []time.Duration
	mixed     int // decisions that are not wholly of one good version
	dropped   int // decisions without the winner that every good version has
	taken     int
	refused   int
	reloading time.Duration
}

func stormVersion(n int) []byte {
	return fmt.Appendf(nil, `rules: 1
name: v%[1]d
currency: USD
exclude:
  - { name: Far, when: order.distance > mi(40), reason: far }
  - { name: Heavy, when: order.weight > lb(70) and option.fee < usd(5), reason: heavy }
adjust:
  - { name: Version, charge: "%[1]d.00" }
rank: { score: "dollars(option.cost) + mins(option.dropoff_in) * 0.01" }
warn:
  - { name: Version said, message: "v%[1]d" }
`, n)
}

func newReloadStorm(dir string) (*reloadStorm, error) {
	cfg := &config.Config{Tenants: map[string]*config.Tenant{"bench": {ID: "bench", Rules: dir}}}
	s := &reloadStorm{dir: dir, set: ruleset.New(ruleset.Settings{Config: func() *config.Config { return cfg }, Log: hclog.NewNullLogger(),
		Providers: func(*config.Tenant) map[string]rules.Provider {
			return map[string]rules.Provider{"ups": {}, "doordash": {}}
		}})}
	var err error
	if s.input, err = rules.NewInput(rules.InputSource{ExternalID: "bench", Currency: "USD", Now: time.Now()}); err != nil {
		return nil, err
	}
	if err := s.write(1); err != nil {
		return nil, err
	}
	return s, s.set.Load()
}

func (s *reloadStorm) write(n int) error {
	text := stormVersion(n)
	s.numbers.Store(rules.HashOf([]rules.File{{Name: "bench.rules.yaml", Data: text}}), n)
	return os.WriteFile(filepath.Join(s.dir, "bench.rules.yaml"), text, 0o600)
}

// run reloads so often while decisions are made.
func (s *reloadStorm) run(ctx context.Context, reloads, perSecond int) error {
	deciding, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.decide(deciding, perSecond) })
	err := s.reload(ctx, reloads)
	stop()
	wg.Wait()
	slices.Sort(s.took)
	return err
}

func (s *reloadStorm) reload(ctx context.Context, reloads int) error {
	begun := time.Now()
	for i := range reloads {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var err error
		if i%2 == 0 {
			err = os.WriteFile(filepath.Join(s.dir, "bench.rules.yaml"), fmt.Appendf(nil, "rules: 1\nexclude:\n  - { name: x%d, when: order.totl > usd(1) }\n", i), 0o600)
		} else {
			err = s.write(i + 2)
		}
		if err != nil {
			return fmt.Errorf("write rules to reload: %w", err)
		}
		if s.set.Load() == nil {
			s.taken++
		} else {
			s.refused++
		}
	}
	s.reloading = time.Since(begun)
	return nil
}

// decide makes decisions at a steady rate until ctx ends; what it falls behind is made up for.
func (s *reloadStorm) decide(ctx context.Context, perSecond int) {
	pause := time.Second / time.Duration(perSecond)
	offers := []rules.Offer{
		{ID: "1", Account: "ups", Quote: shipping.Quote{ServiceID: "ground", Amount: shipping.Money{Minor: 900, Currency: "USD"}}},
		{ID: "2", Account: "doordash", Quote: shipping.Quote{ServiceID: "delivery", Amount: shipping.Money{Minor: 500, Currency: "USD"}}},
	}
	for due := time.Now(); ctx.Err() == nil; due = due.Add(pause) {
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		begun := time.Now()
		b := s.set.Bundle("bench")
		plan := b.Prepare(s.input, []rules.Candidate{{Account: "ups"}, {Account: "doordash"}})
		d := b.Decide(plan, offers)
		s.took = append(s.took, time.Since(begun))
		n, known := s.numbers.Load(d.Rules)
		switch {
		case d.Winner == nil:
			s.dropped++
		case !known || plan.Rules != d.Rules || d.Winner.Charge.Minor != int64(n.(int))*100 || len(d.Warnings) != 1 || d.Warnings[0].Message != fmt.Sprint("v", n):
			s.mixed++
		}
	}
}

func newBenchReloadCmd() *cobra.Command {
	b := &bench{}
	asJSON := false
	cmd := &cobra.Command{
		Use: "reload", Short: "Measure reloading rules while orders are decided", Args: cobra.NoArgs,
		Long: fmt.Sprintf("Reload rules %d times, half of them broken, while %d orders a second are decided by them; no decision may be dropped or be\n"+
			"made by parts of two versions.", reloadCount, reloadDecisions),
		Example: "  waybill bench reload",
		RunE:    func(cmd *cobra.Command, _ []string) error { return b.report(cmd, asJSON, b.rulesReload) },
	}
	b.flags(cmd, &asJSON)
	return cmd
}

// rulesReload measures the reload call under decisions.
func (b *bench) rulesReload(ctx context.Context) error {
	b.say("%d reloads of rules, half of them broken, under %d decisions a second", reloadCount, reloadDecisions)
	dir := filepath.Join(b.dir, "reload")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s, err := newReloadStorm(dir)
	if err != nil {
		return err
	}
	if err := s.run(ctx, reloadCount, reloadDecisions); err != nil {
		return err
	}
	if s.taken != reloadCount/2 || s.refused != reloadCount/2 {
		return errors.New("not every good version was taken and every broken one refused")
	}
	rate := float64(len(s.took)) / s.reloading.Seconds()
	b.table.add("rules reloaded, half of them broken", "/s", float64(reloadCount)/s.reloading.Seconds())
	b.table.add("decisions meanwhile", "/s", rate).expect(rate >= 0.95*reloadDecisions, "%d", reloadDecisions)
	b.table.add("decisions dropped or of mixed version, over "+count(reloadCount, "reload"), "", float64(s.dropped+s.mixed)).expect(s.dropped+s.mixed == 0, "0")
	b.table.add("decision while rules are reloaded, p99", "ms", millis(quantile(s.took, 0.99)))
	return nil
}
