package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// courierOnly writes a configuration in which DoorDash gets every order.
func courierOnly(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile(filepath.Join(repository(t), "examples", "waybill.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	rules := "rules: 1\nname: courier\nproviders: [ups, doordash, own_fleet]\nexclude:\n  - name: Courier only\n    providers: [ups, own_fleet]\n    reason: courier only\n"
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"waybill.yaml": string(config), "rules/courier.rules.yaml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "waybill.yaml")
}

type heardPush struct {
	event, authorization string
}

// TestSimulatedCarriersPush hears what simulated DoorDash tells the webhook that dev was given.
func TestSimulatedCarriersPush(t *testing.T) {
	pushes := make(chan heardPush, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var push struct {
			Event string `json:"event_name"`
		}
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/hook" || json.Unmarshal(body, &push) != nil {
			t.Errorf("%s %s: %v, %s", r.Method, r.URL.Path, err, body)
		}
		pushes <- heardPush{push.Event, r.Header.Get("Authorization")}
	}))
	defer receiver.Close()
	t.Setenv("WAYBILL_SIM_DOORDASH_PROFILE", "doordash-rush") // the flag wins: nothing moves by itself
	t.Setenv("WAYBILL_SIM_DOORDASH_WEBHOOK_AUTHORIZATION", "Basic d2F5YmlsbDpzM2NyZXQ=")
	d := startDev(t, "--config", courierOnly(t), "--webhook", "doordash="+receiver.URL+"/hook", "--profile", "doordash=doordash-manual", "--profile", "ups=calm")
	status, body := d.Request(t, "POST", "/shipments", boston("push-1"))
	if status != http.StatusCreated {
		t.Fatalf("%d: %s", status, body)
	}
	_, body = d.Sim(t, "GET", "/entities?carrier=doordash", "")
	var world struct {
		Entities []struct {
			ID   string
			Plan []any
		}
	}
	if err := json.Unmarshal(body, &world); err != nil || len(world.Entities) != 1 || len(world.Entities[0].Plan) != 0 {
		t.Fatalf("%v: %s", err, body)
	}
	if status, body := d.Sim(t, "POST", "/entities/doordash/"+world.Entities[0].ID+"/run-to", `{"state":"delivered"}`); status != http.StatusOK {
		t.Fatalf("%d: %s", status, body)
	}
	missing := []string{"DELIVERY_CREATED", "DASHER_CONFIRMED", "DASHER_PICKED_UP", "DASHER_DROPPED_OFF"}
	late := time.After(patient)
	for len(missing) > 0 {
		select {
		case p := <-pushes:
			missing = slices.DeleteFunc(missing, func(e string) bool { return e == p.event })
			if p.authorization != "Basic d2F5YmlsbDpzM2NyZXQ=" {
				t.Errorf("%s came with Authorization %q", p.event, p.authorization)
			}
		case <-late:
			t.Fatalf("no push of %v came", missing)
		}
	}
}

func TestCarrierFlagsAreRefused(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	for name, c := range map[string]struct {
		flags carrierFlags
		want  []string
	}{
		"all faults at once": {carrierFlags{webhooks: []string{"dordash=http://x"}, profiles: []string{"ups=ground-peek", "doordash=ground-peak"}},
			[]string{`no simulated carrier is named "dordash"; did you mean "doordash"?`, `no profile "ground-peek"; did you mean "ground-peak"?`, `simulated doordash has no profile "ground-peak"`, "doordash-rush"}},
		"no value":       {carrierFlags{profiles: []string{"ups"}}, []string{"write ups=VALUE"}},
		"half a URL":     {carrierFlags{webhooks: []string{"doordash=127.0.0.1:9000"}}, []string{"such as http://"}},
		"nobody is told": {carrierFlags{authorizations: []string{"doordash=Basic s3cret"}}, []string{"add --webhook doordash=URL"}},
	} {
		_, err := c.flags.read(none)
		if err == nil {
			t.Errorf("%s: not refused", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q in it", name, err, want)
			}
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows the authorization: %v", name, err)
		}
	}
	s, err := (&carrierFlags{profiles: []string{"ups=ground-strained"}}).read(func(name string) (string, bool) {
		v, ok := map[string]string{"WAYBILL_SIM_UPS_PROFILE": "calm", "WAYBILL_SIM_DOORDASH_PROFILE": "doordash-rush"}[name]
		return v, ok
	})
	if err != nil || s.pace != "ground-strained" || s.moves == nil || s.moves.Name != "doordash-rush" {
		t.Errorf("%+v, %v; want the flag before the environment, and the environment elsewhere", s, err)
	}
}
