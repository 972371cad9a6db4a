package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/waybill-dev/waybill/simulator/doordash"
	"github.com/waybill-dev/waybill/simulator/ups"
)

// TestBuiltAdaptersKeepTheContract runs `waybill plugin test` on the binaries that `make build` has made, UPS and DoorDash against
// the simulator of a `waybill dev`.
func TestBuiltAdaptersKeepTheContract(t *testing.T) {
	binary, plugins := built(t)
	sim := startDev(t).SimURL
	for name, c := range map[string]struct {
		config map[string]any
		passed []string // checks that must have been made and not be left out
	}{
		"ups": {map[string]any{"base_url": sim + "/ups", "client_id": ups.DevClient.ID, "client_secret": ups.DevClient.Secret, "shipper_number": ups.DevClient.Accounts[0].Number},
			[]string{"credentials_check", "quote_amounts", "book_complete", "find_booked", "cancel_twice", "track_unknown", "no_secret_leaks", "process_ends_with_its_host"}},
		"doordash": {map[string]any{"base_url": sim + "/doordash", "developer_id": doordash.DevDeveloperID, "key_id": doordash.DevKeyID, "signing_secret": doordash.DevSigningSecret},
			[]string{"credentials_check", "quote_amounts", "book_complete", "book_twice", "find_booked", "cancel_twice", "no_secret_leaks", "process_ends_with_its_host"}},
		"selfdelivery": {map[string]any{"currency": "USD", "fee": map[string]any{"flat": 2.5, "free_over": 5}}, // the sample order is worth 10: free
			[]string{"quote_amounts", "book_complete", "book_twice", "cancel_twice", "process_ends_with_its_host"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := json.Marshal(c.config)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "account.json")
			if err := os.WriteFile(file, config, 0o600); err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), binary, "plugin", "test", filepath.Join(plugins, "waybill-carrier-"+name), "--config", file, "--json")
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%v: %s\n%s", err, &stderr, out)
			}
			var verdicts []verdictView
			if err := json.Unmarshal(out, &verdicts); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got := map[string]string{}
			for _, v := range verdicts {
				got[v.Check] = v.Verdict
			}
			for _, check := range c.passed {
				if got[check] != "PASS" {
					t.Errorf("%s: %q, want PASS", check, got[check])
				}
			}
		})
	}
}
