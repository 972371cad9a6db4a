package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

const engineRules = `rules: 1
name: live
currency: USD
hold:
  - { name: Large orders, when: order.quantity > 50, until: released }
exclude:
  - { name: Two a day, when: 'quota("own", "day").used >= 2', providers: [own], reason: full }
`

// TestRulesOfARunningEngine: held orders are released, quotas hold over a restart, decisions are exported and replayed, rules on trial
// look on, and a start with broken files serves by the last good ones.
func TestRulesOfARunningEngine(t *testing.T) {
	binary, plugins := built(t)
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256([]byte(devKey))
	put("waybill.yaml", strings.NewReplacer("KEY", hex.EncodeToString(sum[:]), "    rules: rules\n", "    rules: rules\n    trial: { rules: next }\n").Replace(reloadConfig))
	put("rules/a.rules.yaml", engineRules)
	next := strings.NewReplacer("name: live", "name: next", "used >= 2", "used >= 1").Replace(engineRules)
	put("next/a.rules.yaml", next)
	serve := func() *devProcess {
		t.Helper()
		d, err := launch(binary, dir, os.Environ(), []string{"serve", "--config", "waybill.yaml", "--listen", "127.0.0.1:0", "--data", "data", "--plugins", plugins})
		if err != nil {
			t.Fatal(err)
		}
		d.Key = devKey
		return d
	}
	order := func(id string) string { return strings.ReplaceAll(boston(id), `"7709"`, `"a"`) }
	d := serve()
	run := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := commandLine(t, map[string]string{"WAYBILL_URL": d.URL, "WAYBILL_KEY": devKey}, args...)
		if code != 0 {
			t.Fatalf("waybill %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		}
		return stdout
	}
	large := strings.Replace(order("large"), `"quantity":1`, `"quantity":51`, 1)
	if status, body := d.Request(t, http.MethodPost, "/shipments", large); status != http.StatusAccepted || !strings.Contains(string(body), "PENDING_RELEASE") {
		t.Fatalf("an order that a rule holds: %d %s", status, body)
	}
	if out := run("shipments", "release", "large"); !strings.Contains(out, "ORDER_DISPATCHED") {
		t.Errorf("released: %s", out)
	}
	create(t, d, order("second"))

	d.Stop(t)
	put("rules/a.rules.yaml", "rules: 2\n")
	d = serve()
	t.Cleanup(func() { d.Stop(t) })
	var health struct{ Status, Problem string }
	if status, body := d.Request(t, http.MethodGet, "/readyz", ""); status != http.StatusOK || json.Unmarshal(body, &health) != nil || health.Status != "degraded" {
		t.Errorf("readiness with broken rules: %d %s", status, body)
	}
	if status, body := d.Request(t, http.MethodPost, "/shipments", order("third")); status != http.StatusUnprocessableEntity || !strings.Contains(string(body), "full") {
		t.Errorf("beyond the quota that was counted before the restart: %d %s", status, body)
	}

	file := filepath.Join(dir, "orders.jsonl")
	run("rules", "export", "--since", "1d", "--out", file)
	var report struct {
		Backtest struct{ Orders, Rounds, Changed, Unknown int }
	}
	if err := json.Unmarshal([]byte(run("rules", "backtest", "--orders", file, "--new", filepath.Join(dir, "next"), "--format", "json")), &report); err != nil {
		t.Fatal(err)
	}
	if r := report.Backtest; r.Orders != 3 || r.Rounds != 4 || r.Changed != 1 || r.Unknown != 0 { // large twice: held, and released
		t.Errorf("backtest of rules that allow one a day: %+v", r)
	}
	if out := run("rules", "trial"); !strings.Contains(out, "4 decisions with rules on trial: 1 differ") || !strings.Contains(out, "second") || !strings.Contains(out, "Two a day") {
		t.Errorf("trial: %s", out)
	}
	if _, metrics := d.Request(t, http.MethodGet, "/metrics", ""); !strings.Contains(string(metrics), `waybill_rules_trial_decisions_total{canary="false",outcome="same",tenant="shop"} 1`) ||
		!strings.Contains(string(metrics), `waybill_rules_loads_total{outcome="restored"} 1`) {
		t.Error("the metrics do not tell of the trial and of the rules that stand in")
	}
}

// TestAnEarlierVersionIsLoaded whatever its lists hold: before entries were looked at, it decided.
func TestAnEarlierVersionIsLoaded(t *testing.T) {
	files := []rules.File{{Name: "a.rules.yaml", Data: []byte("rules: 1\nlists: { l: [ 12/25/2026 ] }\nhold: [ { name: A, when: local.date in lists.l, until: released } ]\n")}}
	b, err := rules.Load(files, rules.Options{Taken: true})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := json.Marshal(map[string]any{"version": b.Hash(), "files": []map[string]any{{"name": files[0].Name, "data": files[0].Data}}})
	if err != nil {
		t.Fatal(err)
	}
	var v ruleVersion
	if err := json.Unmarshal(answer, &v); err != nil {
		t.Fatal(err)
	}
	d := b.Decide(b.Prepare(rules.Input{}, nil), nil)
	if _, err := v.load(&d); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, files[0].Name), files[0].Data, 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := new(program).deciders(t.Context(), &clientFlags{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := known.of(t.Context(), &d); err != nil {
		t.Error(err)
	}
}
