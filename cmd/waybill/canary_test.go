package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// What must never show. The first carriers' secrets are those with which calls succeed, the others are refused by the carriers, so
// that both kinds of answers are looked at.
const (
	canaryEnvironment = "canary-env-5d1f0c"       // a variable that nobody has asked for
	canaryClient      = "canary-client-secret-8a" // of a UPS account, by ${ENV}
	canaryFile        = "canary-file-secret-77"   // of a UPS account, by ${file:…}
	canarySigning     = "Y2FuYXJ5LXNpZ25pbmctMTIzNDU2Nzg5MGFiY2RlZmdoaWpr"
	canaryStoreKey    = "ca9a71ca9a71ca9a71ca9a71ca9a71ca9a71ca9a71ca9a71ca9a71ca9a71ca9a"
	canaryAPIKey      = "canary-api-key-1234567890" // of a caller, and wrong
	canaryQuery       = "canary-query-3c91"         // in the query of URLs, by ${ENV}
	canaryPassword    = "canary-password-e2"        // in a URL, in clear
	canaryPath        = "canary-path-6b/v1 x"       // in the path of an account's base_url, by ${ENV}
	canaryPathFile    = "canary-path-file-91"       // the same by ${file:…}
)

var secrets = []string{
	canaryEnvironment, canaryClient, canaryFile, canarySigning, canaryStoreKey, canaryAPIKey, canaryQuery, canaryPassword, "canary-path-", "waybill-dev-secret",
	"bm90LWEtc2VjcmV0LW9ubHktZm9yLXRoZS1zaW11bGF0b3I", "not-a-secret-only-for-the-simulator", "canary-signing-",
}

// credentials are forms that no output may have, whatever the secret.
var credentials = []*regexp.Regexp{
	regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.`), // a JWT
	regexp.MustCompile(`(?i)\b(bearer|basic) +[A-Za-z0-9+/_=.-]{12,}`),
}

// peopleInOrders must not be in logs and metrics; answers to the tenant hold them.
var peopleInOrders = []string{"Eulalia", "617-555-0147", "eulalia@", "Hidden Lane", "back door"}

func findSecrets(t *testing.T, what string, output []byte, words ...string) {
	t.Helper()
	near := func(at int) []byte { return output[max(0, at-120):min(len(output), at+120)] }
	for _, s := range append(words, secrets...) {
		if at := bytes.Index(output, []byte(s)); at >= 0 {
			t.Errorf("%s shows %q: …%s…", what, s, near(at))
		}
	}
	for _, form := range credentials {
		if at := form.FindIndex(output); at != nil {
			t.Errorf("%s shows credentials: …%s…", what, near(at[0]))
		}
	}
}

// canaryConfig is the example with accounts whose credentials the carriers refuse, beside those that they accept.
func canaryConfig(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(repository(t), "examples", "waybill.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(path, name, adapter, members string) string {
		return fmt.Sprintf("      %s:\n        adapter: %s\n        config: { base_url: \"${WAYBILL_SIM_URL}/%s\", %s }\n", name, adapter, path, members)
	}
	account := func(name, adapter, members string) string { return at(adapter, name, adapter, members) }
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	t.Cleanup(gateway.Close)
	nowhere := strings.TrimPrefix(gateway.URL, "http://") + "/?key=${CANARY_QUERY}"
	cfg := strings.NewReplacer("    rules: rules #", "    # ",
		"store:\n", "geocoding: { nominatim: { base_url: \"http://u:"+canaryPassword+"@127.0.0.1:1\" } }\nstore:\n  encryption_key: ${CANARY_STORE_KEY}\n",
		"      # alerts:", "      alerts: { sms: { statuses: [ORDER_DISPATCHED], url: \"http://u:"+canaryPassword+"@"+nowhere+"\", from: SHOP }, templates: { en: { ORDER_DISPATCHED: { sms: Booked } } } }\n      # alerts:",
		"      # webhook: {", "      webhook: { url: \"http://"+nowhere+"\", secret: \"${CANARY_QUERY}\" }\n      # webhook: {",
		"accounts: [ups, doordash, own_fleet]", "accounts: [ups, doordash, own_fleet, ups_env, ups_file, dash_bad, ups_path, dash_path]",
		"    accounts: #", account("ups_env", "ups", `client_id: waybill-dev-client, client_secret: "${CANARY_CLIENT}", shipper_number: WB0001`)+
			account("ups_file", "ups", `client_id: waybill-dev-client, client_secret: "${file:secret}", shipper_number: WB0001`)+
			account("dash_bad", "doordash", `developer_id: 00000000-d0d0-4000-8000-00000000demo, key_id: 00000000-d0d0-4000-8000-000000000key, signing_secret: "${CANARY_SIGNING}"`)+
			at("${CANARY_PATH}", "ups_path", "ups", `client_id: waybill-dev-client, client_secret: waybill-dev-secret, shipper_number: WB0001`)+
			at("x-${file:path}/dash", "dash_path", "doordash", `developer_id: 00000000-d0d0-4000-8000-00000000demo, key_id: 00000000-d0d0-4000-8000-000000000key, signing_secret: "${CANARY_SIGNING}"`)+"      #",
	).Replace(string(text))
	begin := strings.Index(cfg, "      ups_env:")
	cfg = cfg[:begin] + "    accounts:\n" + cfg[begin:]
	for name, content := range map[string]string{"waybill.yaml": cfg, "secret": canaryFile + "\n", "path": canaryPathFile + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "waybill.yaml")
}

// TestNoSecretShows plants secrets wherever they come in, lets calls succeed and fail, adapters crash and requests be refused, all at
// the most talkative level, and looks for them in everything that comes out.
func TestNoSecretShows(t *testing.T) {
	for name, value := range map[string]string{"CANARY_CLIENT": canaryClient, "CANARY_SIGNING": canarySigning, "CANARY_STORE_KEY": canaryStoreKey, "CANARY_QUERY": canaryQuery, "CANARY_PATH": canaryPath,
		"AWS_SECRET_ACCESS_KEY": canaryEnvironment, "WAYBILL_SIM_URL": "http://127.0.0.1:1"} {
		t.Setenv(name, value)
	}
	cfg := canaryConfig(t)
	d := startDev(t, "--config", cfg, "--log-level", "trace", "--log-json")
	adapters := d.Adapters(t)
	for name, pid := range adapters {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			t.Fatal(err)
		}
		findSecrets(t, "the environment of adapter "+name, env)
	}
	order := func(id string) string {
		return strings.NewReplacer(`"name":"asd"`, `"name":"Eulalia Price"`, "+1 234-567-8900", "+1 617-555-0147", `"email":""`, `"email":"eulalia@example.com"`,
			"725 Albany Street", "7 Hidden Lane", `"pickupTime":null`, `"deliveryInstructions":"Use the back door","pickupTime":null`).Replace(boston(id))
	}
	create(t, d, order("canary-1"))
	for _, pid := range adapters { // each dumps its stacks into the log as it dies
		if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.wait("the adapters' return", func() bool { return len(d.Adapters(t)) == len(adapters) && d.Adapters(t)["ups"] != adapters["ups"] }); err != nil {
		t.Fatal(err)
	}
	create(t, d, order("canary-2"))

	erased(t, d, order("canary-gone"))
	answers := map[string][]byte{}
	for _, id := range []string{"canary-1", "canary-2"} {
		for _, path := range []string{"", "/status-history", "/decision", "/trace"} {
			_, answers[id+path] = d.Request(t, http.MethodGet, "/shipments/"+id+path, "")
		}
	}
	if trace := string(answers["canary-1/trace"]); !strings.Contains(trace, "REDACTED") || !strings.Contains(trace, `"status":401`) && !strings.Contains(trace, `"status": 401`) {
		t.Errorf("the trace shows no redacted exchange and no refused one: the test shows nothing about traces: %.2000s", trace)
	}
	for _, path := range []string{"/REDACTED/", "/x-REDACTED/dash/"} {
		if !bytes.Contains(answers["canary-1/trace"], []byte(path)) {
			t.Errorf("the trace shows no exchange at %s: the test shows nothing about paths", path)
		}
	}
	for _, path := range []string{"/providers", "/locations", "/readyz", "/metrics", "/nowhere"} {
		_, answers[path] = d.Request(t, http.MethodGet, path, "")
	}
	_, answers["a bad body"] = d.Request(t, http.MethodPost, "/shipments", `{"deliveryContact": "`+canaryAPIKey[:6])
	_, answers["rates"] = d.Request(t, http.MethodPost, "/rates", order("canary-3"))
	for _, path := range []string{"/shipments/canary-1", "/admin/backup"} {
		_, answers["a wrong key at "+path] = request(t, http.MethodGet, d.URL+path, "", canaryAPIKey)
	}
	if err := d.wait("the failure of an SMS", func() bool {
		_, answers["a failed SMS"] = d.Request(t, http.MethodGet, "/shipments/canary-1/communications", "")
		return bytes.Contains(answers["a failed SMS"], []byte(`"failed"`))
	}); err != nil {
		t.Errorf("%v: %s", err, answers["a failed SMS"])
	}
	code, out, errs := command(t, nil, "config", "check", cfg, "--print")
	if code != 0 || strings.Count(out, "http://REDACTED@127.0.0.1:") != 2 || strings.Count(out, "/?REDACTED") != 2 {
		t.Errorf("config check: %d %s\n%s", code, errs, out)
	}
	answers["config check"] = []byte(out + errs)
	answers["a faulty configuration"] = faulty(t, cfg)
	_, out, errs = command(t, nil, "shipments", "trace", "canary-1", "--url", d.URL)
	answers["shipments trace"] = []byte(out + errs)
	_, out, errs = command(t, nil, "shipments", "get", "canary-1", "--url", d.URL, "--key", canaryAPIKey)
	answers["a refused command"] = []byte(out + errs)
	for what, output := range answers {
		findSecrets(t, what, output)
	}
	findSecrets(t, "/metrics", answers["/metrics"], peopleInOrders...)
	d.Stop(t)
	log := []byte(d.output.String())
	if !bytes.Contains(log, []byte(`"@level":"trace"`)) || !bytes.Contains(log, []byte("SIGQUIT")) {
		t.Error("the log has no line of level trace, or none of the crash: the test shows nothing about logs")
	}
	findSecrets(t, "the log", log, peopleInOrders...)
}

// erased creates an order, cancels it and erases what it tells of people: afterwards no answer tells it either.
func erased(t *testing.T, d *devProcess, body string) {
	t.Helper()
	create(t, d, body)
	const path = "/shipments/canary-gone"
	if code, answer := d.Request(t, http.MethodPost, path+"/erase", ""); code != http.StatusConflict {
		t.Errorf("an order that a carrier has was erased: %d %s", code, answer)
	}
	if code, answer := d.Request(t, http.MethodDelete, path, ""); code != http.StatusOK {
		t.Errorf("cancel: %d %s", code, answer)
	}
	if code, answer := d.Request(t, http.MethodPost, path+"/erase", ""); code != http.StatusOK {
		t.Errorf("erase: %d %s", code, answer)
	}
	for _, more := range []string{"", "/status-history", "/decision", "/trace"} {
		code, answer := d.Request(t, http.MethodGet, path+more, "")
		if code != http.StatusOK {
			t.Errorf("%s of an erased order: %d %s", more, code, answer)
		}
		findSecrets(t, "an erased order's "+more, answer, peopleInOrders...)
	}
}

func create(t *testing.T, d *devProcess, body string) {
	t.Helper()
	if code, answer := d.Request(t, http.MethodPost, "/shipments", body); code != http.StatusCreated {
		t.Fatalf("%d %s", code, answer)
	}
}

// faulty is what is said of a configuration with mistakes on the lines that hold secrets, in clear.
func faulty(t *testing.T, cfg string) []byte {
	t.Helper()
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.NewReplacer("${CANARY_STORE_KEY}", canaryStoreKey+"zz", `"${CANARY_CLIENT}"`, "{ nested: "+canaryClient+", nested: 2 }",
		"dash_bad:\n", "dash_bad:\n        conifg: "+canarySigning+"\n", `url: "http://u:`, `url: "htp://u:`, `base_url: "http://u:`, `base_url: "http:/u:`,
		"  listen: 127.0.0.1:8080", "  listen: ${CANARY_QUERY}\n  public_url: https://u:"+canaryPassword+"@ship.example").Replace(string(text))
	path := filepath.Join(filepath.Dir(cfg), "faulty.yaml")
	if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, nil, "config", "check", path)
	if code != exitUsage || strings.Count(errs, "faulty.yaml:") < 7 {
		t.Errorf("a faulty configuration: %d %s", code, errs)
	}
	return []byte(out + errs)
}
