package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const reloadConfig = `server: { metrics: open }
tenants:
  shop:
    rules: rules
    keys: [ { name: web, sha256: KEY } ]
    accounts:
      own:
        adapter: selfdelivery
        config: { currency: USD, fee: { flat: 5.90 } }
    locations:
      a:
        address: { street1: 1 Main St, city: Boston, state: MA, postalCode: "02118", countryCode: US, latitude: 42.33, longitude: -71.07 }
        contact: { name: Ann, phone: "+1 617-555-0123" }
        accounts: [own]
`

// TestFaultyFilesDegradeANodeAndNoMore: a slip in rules or configuration of a running node is told, and what has worked goes on.
func TestFaultyFilesDegradeANodeAndNoMore(t *testing.T) {
	t.Parallel()
	binary, plugins := built(t)
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(devKey))
	good := strings.Replace(reloadConfig, "KEY", hex.EncodeToString(sum[:]), 1)
	const rules = "rules: 1\nexclude:\n  - { name: Far, when: order.quantity > 900 }\n"
	put("waybill.yaml", good)
	put("rules/a.rules.yaml", rules)
	d, err := launch(binary, dir, os.Environ(), []string{"serve", "--config", "waybill.yaml", "--listen", "127.0.0.1:0", "--data", "data", "--plugins", plugins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Stop(t) })
	ask := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("x-api-key", devKey)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	// becomes waits until readiness has a status and speaks of something. It is 200 all the while.
	becomes := func(status, words string) {
		t.Helper()
		var last string
		if err := d.wait("readiness "+status+" with "+words, func() bool {
			code, body := ask("/readyz")
			if last = body; code != http.StatusOK {
				t.Fatalf("readiness is %d: %s", code, body)
			}
			var health struct{ Status, Problem string }
			return json.Unmarshal([]byte(body), &health) == nil && health.Status == status && strings.Contains(health.Problem, words)
		}); err != nil {
			t.Fatalf("%v\nthe last answer was %s", err, last)
		}
	}
	metric := func(line string) {
		t.Helper()
		if _, text := ask("/metrics"); !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	becomes("ready", "")
	metric("waybill_rules_degraded 0")
	metric("waybill_config_degraded 0")

	put("rules/a.rules.yaml", strings.Replace(rules, "quantity", "quantty", 1))
	for _, slip := range []struct {
		old, new, words string
		account         bool
	}{
		{"flat: 5.90", "flatt: 5.90", `the adapter knows no member "flatt"; did you mean "flat"?`, true},
		{"selfdelivery", "selfdelivry", `there is no adapter "selfdelivry"; did you mean "selfdelivery"?`, true},
		{"rules: rules", "rules: policies", "there is no folder", false},
	} {
		put("waybill.yaml", strings.Replace(good, slip.old, slip.new, 1))
		becomes("degraded", slip.words)
		metric("waybill_config_degraded 1")
		code, body := ask("/providers")
		if code != http.StatusOK || !strings.Contains(body, `"state":"ready"`) || strings.Contains(body, "new configuration was not taken") != slip.account {
			t.Errorf("%s: providers say %d %s", slip.new, code, body)
		}
	}
	becomes("degraded", "quantty")
	metric("waybill_rules_degraded 1")
	put("waybill.yaml", good)
	put("rules/a.rules.yaml", rules)
	becomes("ready", "")
	metric("waybill_rules_degraded 0")
	metric("waybill_config_degraded 0")
}
