package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// onlyBy writes a configuration in which one carrier gets every order.
func onlyBy(t testing.TB, account string) string {
	t.Helper()
	path := courierOnly(t)
	others := slices.DeleteFunc([]string{"ups", "doordash", "own_fleet"}, func(id string) bool { return id == account })
	rules := fmt.Sprintf("rules: 1\nname: only\nproviders: [ups, doordash, own_fleet]\nexclude:\n  - name: Only one\n    providers: [%s]\n    reason: only one\n", strings.Join(others, ", "))
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "rules", "courier.rules.yaml"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPushesReachTheOrder: what the simulated carriers do to a delivery comes to the order by their pushes, through HTTP and the real
// adapters.
func TestPushesReachTheOrder(t *testing.T) {
	for _, c := range []struct {
		account, user string
		want          []string
	}{
		{"doordash", "DoorDash", []string{"ORDER_ASSIGNED", "PICKUP_STARTED", "PICKUP_COMPLETED", "OUT_FOR_DELIVERY", "ORDER_DELIVERED"}},
		{"ups", "UPS", []string{"PICKUP_COMPLETED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "ORDER_DELIVERED"}},
	} {
		t.Run(c.account, func(t *testing.T) {
			d := startDev(t, "--config", onlyBy(t, c.account))
			if status, body := d.Request(t, "POST", "/shipments", boston("o1")); status != http.StatusCreated {
				t.Fatalf("%d: %s", status, body)
			}
			_, body := d.Sim(t, "GET", "/entities?carrier="+c.account, "")
			var world struct{ Entities []struct{ ID string } }
			if err := json.Unmarshal(body, &world); err != nil || len(world.Entities) != 1 {
				t.Fatalf("%v: %s", err, body)
			}
			end := map[string]string{"doordash": "delivered", "ups": "DELIVERED"}[c.account]
			if status, body := d.Sim(t, "POST", "/entities/"+c.account+"/"+world.Entities[0].ID+"/run-to", `{"state":"`+end+`"}`); status != http.StatusOK {
				t.Fatalf("%d: %s", status, body)
			}
			err := d.wait("the delivery", func() bool {
				_, body := d.Request(t, "GET", "/shipments/o1", "")
				return strings.Contains(string(body), `"status":"ORDER_DELIVERED"`)
			})
			if err != nil {
				t.Fatal(err)
			}
			_, body = d.Request(t, "GET", "/shipments/o1/status-history", "")
			var history []struct {
				OrderStatus []struct{ Status, StatusUser, Note string }
			}
			if err := json.Unmarshal(body, &history); err != nil || len(history) != 1 {
				t.Fatalf("%v: %s", err, body)
			}
			told := map[string]bool{}
			for _, l := range history[0].OrderStatus {
				if l.StatusUser == c.user && l.Note != "" {
					told[l.Status] = true
				}
			}
			for _, w := range c.want {
				if !told[w] {
					t.Errorf("%s was not told: %s", w, body)
				}
			}
			pushedOnly(t, d, c.account)
		})
	}
}

// pushedOnly looks at who may push: who knows the URL, which the providers show, and what the carrier sends along.
func pushedOnly(t *testing.T, d *devProcess, account string) {
	t.Helper()
	_, body := d.Request(t, "GET", "/providers", "")
	var providers struct {
		Data []struct{ ID, PushURL string }
	}
	if err := json.Unmarshal(body, &providers); err != nil {
		t.Fatal(err)
	}
	for _, p := range providers.Data {
		if (p.PushURL != "") != (p.ID != "own_fleet") {
			t.Errorf("push URL of %s: %q", p.ID, p.PushURL)
		}
		if p.ID != account {
			continue
		}
		path := strings.TrimPrefix(p.PushURL, d.URL)
		if status, _ := d.Request(t, "POST", path, "{}"); status != http.StatusUnauthorized {
			t.Errorf("a push without the carrier's credential is answered %d", status)
		}
		if status, _ := d.Request(t, "POST", path+"x", "{}"); status != http.StatusNotFound {
			t.Errorf("a push with another secret is answered %d", status)
		}
	}
}
