package config_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/config"
)

func env(m map[string]string) func(string) (string, bool) {
	return func(k string) (string, bool) { v, ok := m[k]; return v, ok }
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExampleLoads(t *testing.T) {
	c, err := config.Load("../../examples/waybill.yaml", env(nil))
	if err != nil {
		t.Fatal(err)
	}
	tenant, key := c.KeyByHash(sha256.Sum256([]byte("dev-key")))
	if tenant == nil || tenant.ID != "demo" || key.Name != "Default_Business_Key" {
		t.Fatalf("dev-key names tenant %v, key %v", tenant, key)
	}
	if tenant, _ := c.KeyByHash(sha256.Sum256([]byte("dev-kez"))); tenant != nil {
		t.Fatal("another key opens the tenant too")
	}
	for _, id := range []string{"7709", "100983", "NYClocation101"} {
		l := tenant.Locations[id]
		if l == nil || len(l.Accounts) != 3 || l.ID != id {
			t.Errorf("location %s = %+v", id, l)
		}
	}
	if got := tenant.Locations["7709"].ReturnLocation; got != "301" {
		t.Errorf("return location of 7709 = %q", got)
	}
	ups := tenant.Accounts["ups"]
	var cfg map[string]any
	if err := json.Unmarshal([]byte(ups.Config.Reveal()), &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg["base_url"] != "http://127.0.0.1:8081/ups" || cfg["negotiated_rates"] != true {
		t.Errorf("adapter configuration = %v", cfg)
	}
	if c.Dispatch.AnswerWithin != 20*time.Second || c.Dispatch.WatchEvery != 10*time.Minute || c.Server.MaxBody != 1<<20 || c.Retention.Labels != 180*24*time.Hour {
		t.Errorf("defaults: %+v %+v %+v", c.Dispatch, c.Server, c.Retention)
	}
}

const minimal = `tenants:
  demo:
    accounts:
      ups: { adapter: ups, config: { client_secret: "${SECRET}", shipper_number: 123456, ratio: 0.5, on: true } }
    locations:
      a:
        address: { street1: 1 Main St, city: Boston, state: MA, postalCode: "02118", countryCode: US }
        contact: { name: A, phone: "2323232323" }
        accounts: [ups]
`

func TestReferencesAreResolved(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "secret", "from-file\n")
	p := write(t, dir, "waybill.yaml", strings.Replace(minimal, "${SECRET}", "${SECRET}/${file:secret}/${NONE:-fallback}/${EMPTY:-e}", 1))
	c, err := config.Load(p, env(map[string]string{"SECRET": "from-env", "EMPTY": ""}))
	if err != nil {
		t.Fatal(err)
	}
	got := c.Tenants["demo"].Accounts["ups"].Config.Reveal()
	want := `{"client_secret":"from-env/from-file/fallback/e","on":true,"ratio":0.5,"shipper_number":123456}`
	if got != want {
		t.Errorf("config = %s\nwant     %s", got, want)
	}
}

func TestIncludesAreMerged(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.yaml", "tenants:\n  demo:\n    accounts:\n      dd: { adapter: doordash }\n  second:\n    currency: EUR\n")
	p := write(t, dir, "waybill.yaml", "include: [b*.yaml]\n"+minimal)
	c, err := config.Load(p, env(map[string]string{"SECRET": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Tenants["demo"].Accounts["dd"] == nil || c.Tenants["demo"].Accounts["ups"] == nil || c.Tenants["second"].Currency != "EUR" {
		t.Errorf("tenants = %+v", c.Tenants)
	}
	write(t, dir, "b2.yaml", "tenants:\n  demo:\n    accounts:\n      ups: { adapter: other }\n")
	_, err = config.Load(p, env(map[string]string{"SECRET": "x"}))
	if err == nil || !strings.Contains(err.Error(), "b2.yaml:4:14") || !strings.Contains(err.Error(), "said twice; it stands already in") {
		t.Errorf("a member said in two files: %v", err)
	}
}

// Each case replaces a piece of the minimal file and names the place and the words of the problem that must come of it.
func TestFaults(t *testing.T) {
	cases := []struct{ name, old, new, place, words string }{
		{"unknown member", "locations:", "locatoins:", "5:5", `unknown member "locatoins"; did you mean "locations"?`},
		{"unknown top member", "tenants:", "servers: {}\ntenants:", "1:1", `did you mean "server"?`},
		{"duplicate member", "      ups: {", "      ups: { adapter: b }\n      ups: {", "", `member "ups" stands twice`},
		{"unset variable", "${SECRET}", "${MISSING}", "4:53", "the environment variable MISSING is not set"},
		{"missing file", "${SECRET}", "${file:nothere}", "4:53", "cannot be read"},
		{"bad account id", "      ups: {", "      UPS-1: {", "", `"UPS-1" cannot be an account's id`},
		{"unknown account", "accounts: [ups]", "accounts: [upss]", "9:20", `the tenant has no account "upss"; did you mean "ups"?`},
		{"account twice", "accounts: [ups]", "accounts: [ups, ups]", "9:25", "named twice"},
		{"not a list", "accounts: [ups]", "accounts: ups", "9:19", "must be a list"},
		{"bad country", "countryCode: US", "countryCode: USA", "7:99", "two-letter"},
		{"no phone", `, phone: "2323232323"`, "", "8:18", "is required"},
		{"bad zone", "accounts: [ups]", "accounts: [ups]\n        zone: Mars/North", "10:15", "unknown time zone"},
		{"bad currency", "    accounts:\n", "    currency: EURO\n    accounts:\n", "3:15", "unknown currency"},
		{"unknown return location", "accounts: [ups]", "accounts: [ups]\n        return_location: b", "10:26", `no location "b"`},
		{"bad duration", "tenants:", "dispatch: { quote_timeout: 8 }\ntenants:", "1:28", "is not a duration"},
		{"negative duration", "tenants:", "dispatch: { quote_timeout: -8s }\ntenants:", "1:28", "is not a duration"},
		{"a booking that outlasts the connection", "tenants:", "server: { write_timeout: 10s }\ndispatch: { book_timeout: 90s }\ntenants:", "2:27",
			"a quote of 8s and a booking of 1m30s take more than a call may, 7.5s: three quarters of server.write_timeout, 10s; lower it, or raise server.write_timeout to 2m11s or more"},
		{"a connection closed before a booking's default", "tenants:", "server: { write_timeout: 10s }\ntenants:", "", "dispatch.book_timeout: a quote of 8s and a booking of 30s"},
		{"an account's booking that outlasts it", "{ adapter: ups,", "{ adapter: ups, book_timeout: 50s,", "4:42", "a quote of 8s and a booking of 50s"},
		{"an account's quote that does", "{ adapter: ups,", "{ adapter: ups, quote_timeout: 20s,", "4:43", "a quote of 20s and a booking of 30s"},
		{"a wait that outlasts it", "tenants:", "dispatch: { answer_within: 46s }\ntenants:", "1:28", "46s is more than a call may take, 45s: three quarters of server.write_timeout, 1m0s; lower it, or raise server.write_timeout to 1m2s or more"},
		{"bad listen", "tenants:", "server: { listen: nowhere }\ntenants:", "1:19", "is not an address to listen on"},
		{"bad public url", "tenants:", "server: { public_url: nowhere }\ntenants:", "1:23", "is not a URL"},
		{"half a tls", "tenants:", "server: { tls: { cert: a } }\ntenants:", "1:16", "belong together"},
		{"bad level", "tenants:", "server: { log_level: loud }\ntenants:", "1:22", "unknown level"},
		{"small body limit", "tenants:", "server: { max_body: 3 }\ntenants:", "1:21", "must be between"},
		{"unknown store", "tenants:", "store: { kind: bager }\ntenants:", "1:16", `did you mean "badger"?`},
		{"bad encryption key", "tenants:", "store: { encryption_key: abc }\ntenants:", "1:26", "is not a key"},
		{"bad number", "tenants:", "plugins: { quarantine: { deaths: many } }\ntenants:", "1:34", "must be a whole number"},
		{"no deaths", "tenants:", "plugins: { quarantine: { deaths: -1 } }\ntenants:", "1:34", "must be 1 or more"},
		{"bad bool", "tenants:", "plugins: { auto_mtls: maybe }\ntenants:", "1:23", "must be true or false"},
		{"bad admin key", "tenants:", "server: { admin_keys: [ { name: ops, sha256: abc } ] }\ntenants:", "1:46", "must be 64 hex digits"},
		{"nameless admin key", "tenants:", "server: { admin_keys: [ { sha256: " + strings.Repeat("a", 64) + " } ] }\ntenants:", "1:25", "is required"},
		{"a tenant's key for an operator", "tenants:\n  demo:\n", "server: { admin_keys: [ { name: ops, sha256: " + strings.Repeat("a", 64) + " } ] }\ntenants:\n  demo:\n    keys: [ { name: k, sha256: " + strings.Repeat("A", 64) + " } ]\n", "4:32", "stands at server.admin_keys[0] already"},
		{"bad key hash", "    accounts:\n", "    keys: [ { name: k, sha256: dev-key } ]\n    accounts:\n", "3:32", "must be 64 hex digits"},
		{"nameless key", "    accounts:\n", "    keys: [ { sha256: " + strings.Repeat("a", 64) + " } ]\n    accounts:\n", "3:13", "is required"},
		{"key twice", "    accounts:\n", "    keys: [ { name: a, sha256: " + strings.Repeat("a", 64) + " }, { name: b, sha256: " + strings.Repeat("A", 64) + " } ]\n    accounts:\n", "", "stands at tenants.demo.keys[0] already"},
		{"key name twice", "    accounts:\n", "    keys: [ { name: a, sha256: " + strings.Repeat("a", 64) + " }, { name: a, sha256: " + strings.Repeat("b", 64) + " } ]\n    accounts:\n", "", `another key has the name "a"`},
		{"bad label format", "{ adapter: ups,", "{ adapter: ups, label_format: JPG,", "4:42", "unknown label format"},
		{"bad policy", "{ adapter: ups,", "{ adapter: ups, doubt: hope,", "4:35", "unknown policy"},
		{"bad concurrency", "{ adapter: ups,", "{ adapter: ups, concurrency: -2,", "4:41", "between 1 and 10000"},
		{"no adapter", "{ adapter: ups,", "{", "4:12", "cannot be an adapter"},
		{"alias", "tenants:", "store: &s { dir: a }\nserver: *s\ntenants:", "", "aliases are not allowed"},
		{"merge key", "      ups: {", "      ups: { <<: { adapter: x },", "", "must be plain text"},
		{"broken yaml", "tenants:", "tenants: [", "", "is not YAML"},
		{"mapping for text", "street1: 1 Main St", "street1: { a: b }", "7:29", "must be a single value"},
		{"text for mapping", "contact: { name: A, phone: \"2323232323\" }", "contact: me", "8:18", "must be a mapping"},
		{"bad package", "    accounts:\n", "    packages: { p: { weight: { value: -1, unit: lb } } }\n    accounts:\n", "3:39", "must be more than 0"},
		{"bad package unit", "    accounts:\n", "    packages: { p: { weight: { value: 1, unit: stone } } }\n    accounts:\n", "3:48", "must be one of lb, oz, kg, g"},
		{"bad geocoder", "tenants:", "geocoding: { nominatim: { base_url: x } }\ntenants:", "1:37", "is not a URL"},
		{"geocoder with a query", "tenants:", "geocoding: { nominatim: { base_url: 'https://n.example/?key=1' } }\ntenants:", "1:37", "must have no query"},
		{"geocoder for nobody", "tenants:", "geocoding: { nominatim: { base_url: 'https://n.example', email: me } }\ntenants:", "1:65", "is not an address of mail"},
		{"geocoder that goes backwards", "tenants:", "geocoding: { nominatim: { base_url: 'https://n.example', rate_per_second: -1 } }\ntenants:", "1:75", "must be a positive number"},
		{"public url with a password", "tenants:", "server: { public_url: 'https://u:p@ship.example' }\ntenants:", "1:23", "must hold no user, password"},
		{"public url with a query", "tenants:", "server: { public_url: 'https://ship.example?a=b' }\ntenants:", "1:23", "must hold no user, password"},
		{"a port that is none", "tenants:", "server: { listen: 'localhost:70000' }\ntenants:", "1:19", "is not an address to listen on"},
		{"no memory", "tenants:", "plugins: { memory: -1 }\ntenants:", "1:20", "must be more than 0"},
		{"alert of no status", "    accounts:\n", "    notify: { alerts: { sms: { url: 'https://s.example/', statuses: [DELIVERED] } } }\n    accounts:\n", "3:70", `"DELIVERED" is not a status`},
		{"alerts of none", "    accounts:\n", "    notify: { alerts: { sms: { url: 'https://s.example/' } } }\n    accounts:\n", "", "at least one status is needed"},
		{"gateway that is none", "    accounts:\n", "    notify: { alerts: { sms: { url: gateway, statuses: [IN_TRANSIT] } } }\n    accounts:\n", "3:37", "is not a URL"},
		{"bad template of SMS", "    accounts:\n", "    notify: { alerts: { sms: { url: 'https://s.example/', statuses: [IN_TRANSIT], body: '{{.To' } } }\n    accounts:\n", "", "cannot be read"},
		{"bad template of a gateway", "    accounts:\n", "    notify: { alerts: { sms: { url: 'https://s.example/{{.To', statuses: [IN_TRANSIT] } } }\n    accounts:\n", "3:37", "cannot be read"},
		{"mail without a host", "    accounts:\n", "    notify: { alerts: { email: { statuses: [IN_TRANSIT], from: a@b.example } } }\n    accounts:\n", "", "is required"},
		{"mail from nobody", "    accounts:\n", "    notify: { alerts: { email: { statuses: [IN_TRANSIT], host: h, from: shop } } }\n    accounts:\n", "3:73", "is not an address of mail"},
		{"mail in the clear", "    accounts:\n", "    notify: { alerts: { email: { statuses: [IN_TRANSIT], host: h.example, from: a@b.example, security: none, username: u, password: p } } }\n    accounts:\n", "", "sent in the clear"},
		{"staff without a server", "    accounts:\n", "    notify: { staff: { people: { manager: [a@b.example] } } }\n    accounts:\n", "", "is required where people are to get mail"},
		{"staff without an address", "    accounts:\n", "    notify: { staff: { mail: { host: h, from: a@b.example }, people: { manager: [boss] } } }\n    accounts:\n", "", `"boss" is not an address of mail`},
		{"staff by a server without a host", "    accounts:\n", "    notify: { staff: { mail: { from: a@b.example } } }\n    accounts:\n", "", "is required"},
		{"bad words", "    accounts:\n", "    notify: { alerts: { templates: { fr: { IN_TRANSIT: { sms: '{{if}}' } } } } }\n    accounts:\n", "3:63", "cannot be read"},
		{"words of no status", "    accounts:\n", "    notify: { alerts: { templates: { fr: { TRANSIT: { sms: x } } } } }\n    accounts:\n", "", "is not a status"},
		{"empty", minimal, "", "", "at least one tenant is needed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(minimal, c.old, c.new, 1)
			if text == minimal {
				t.Fatal("the case changes nothing")
			}
			p := write(t, t.TempDir(), "waybill.yaml", text)
			_, err := config.Load(p, env(map[string]string{"SECRET": "x"}))
			if err == nil {
				t.Fatal("no fault was found")
			}
			if _, ok := errors.AsType[*config.Error](err); !ok {
				t.Fatalf("error is a %T", err)
			}
			if !strings.Contains(err.Error(), c.words) || c.place != "" && !strings.Contains(err.Error(), "waybill.yaml:"+c.place+":") {
				t.Errorf("want %q at %s, got\n%v", c.words, c.place, err)
			}
		})
	}
}

// TestMisspeltSecretsAreNotShown: the line of an unknown name is shown up to the name, whatever stands behind it.
func TestMisspeltSecretsAreNotShown(t *testing.T) {
	text := strings.Replace(minimal, "    locations:\n", "      dd:\n        adaptor: hunter2\n    locations:\n", 1)
	_, err := config.Load(write(t, t.TempDir(), "waybill.yaml", text), env(map[string]string{"SECRET": "x"}))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "adaptor: …") {
		t.Errorf("%v", err)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	text := strings.NewReplacer("countryCode: US", "countryCode: us", "accounts: [ups]", "accounts: [no]", "adapter: ups", "adaptor: ups").Replace(minimal)
	_, err := config.Load(write(t, t.TempDir(), "waybill.yaml", text), env(map[string]string{"SECRET": "x"}))
	e, ok := errors.AsType[*config.Error](err)
	if !ok || len(e.Problems) < 4 {
		t.Fatalf("want at least 4 problems, got %v", err)
	}
	for i := 1; i < len(e.Problems); i++ {
		if e.Problems[i].Line < e.Problems[i-1].Line {
			t.Errorf("problems are not in the order of the file: %v", err)
		}
	}
}

func TestSecretsNeverShow(t *testing.T) {
	const canary = "canary-4711"
	p := write(t, t.TempDir(), "waybill.yaml", minimal)
	c, err := config.Load(p, env(map[string]string{"SECRET": canary}))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Tenants["demo"].Accounts["ups"]
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	masked, err := c.Masked(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprintf("%v %+v %#v %s", *a, *a, *a, a.Config), string(asJSON), string(masked)} {
		if strings.Contains(out, canary) {
			t.Errorf("a secret shows in %s", out)
		}
	}
	if !strings.Contains(string(masked), "REDACTED") || !strings.Contains(string(masked), "street1: 1 Main St") {
		t.Errorf("masked dump = %s", masked)
	}
	// A secret written in clear must not stand in an error about its line either.
	bad := strings.NewReplacer("${SECRET}", canary, "adapter: ups", "adaptor: ups").Replace(minimal)
	_, err = config.Load(write(t, t.TempDir(), "waybill.yaml", bad), env(nil))
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("error shows a secret: %v", err)
	}
}

// TestMaskedShowsWhatIsNoSecret: an account's own configuration is shown as far as the adapter says that it may be.
func TestMaskedShowsWhatIsNoSecret(t *testing.T) {
	schema := []byte(`{"type":"object","properties":{"client_id":{"type":"string"},"client_secret":{"type":"string","x-secret":true},
		"pin":{"type":"string","x-secret":true},"base_url":{"type":"string"},"proxy":{"type":"string"},"limit":{"type":"number"},"password":{"type":"string"},
		"zones":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"code":{"type":"string","x-secret":true}}}},
		"extra":{"type":"object","additionalProperties":{"type":"string"}},"hidden":{"type":"object","x-secret":true}}}`)
	text := strings.Replace(minimal, "${SECRET}", "canary-1", 1)
	p := write(t, t.TempDir(), "waybill.yaml", text)
	c, err := config.Load(p, env(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.Tenants["demo"].Accounts["ups"].Config = `{"client_id":"me","client_secret":"canary-2","pin":"canary-3","base_url":"https://carrier.example","limit":1.50,
		"proxy":"https://user:canary-4@proxy.example","password":"canary-5","unknown":"canary-6","hidden":{"a":"canary-7"},
		"zones":[{"name":"north","code":"canary-8"}],"extra":{"note":"seen"}}`
	for name, known := range map[string]map[string]config.Adapter{
		"known": {"ups": {Schema: schema}}, "no adapters": nil, "broken": {"ups": {Schema: schema, Err: errors.New("does not start")}}, "no schema": {"ups": {}},
	} {
		b, err := c.Masked(known)
		if err != nil {
			t.Fatal(err)
		}
		out := string(b)
		if strings.Contains(out, "canary") {
			t.Errorf("%s: a secret shows:\n%s", name, out)
		}
		for _, want := range []string{"client_id: me", "base_url: https://carrier.example", "limit: 1.50", "name: north", "note: seen", "client_secret: REDACTED"} {
			if strings.Contains(out, want) != (name == "known") {
				t.Errorf("%s: %q shows: %v\n%s", name, want, name != "known", out)
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(minimal)
	f.Add(strings.Repeat("[", 100_000))
	f.Add("a: &a [*a]")
	f.Add("tenants: {demo: {locations: {a: {address: {latitude: .nan}}}}}")
	f.Fuzz(func(t *testing.T, text string) {
		p := write(t, t.TempDir(), "waybill.yaml", text)
		c, err := config.Load(p, env(nil))
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
	})
}

const schema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,
	"required":["client_id","fee"],"properties":{"client_id":{"type":"string"},"client_secret":{"type":"string","x-secret":true},
	"mode":{"type":"string","enum":["test","live"]},"on":{"type":"boolean"},
	"fee":{"type":"object","additionalProperties":false,"properties":{"flat":{"type":"number"},"zones":{"type":"array","items":{"type":"object",
		"additionalProperties":false,"properties":{"name":{"type":"string","pattern":"^[a-z]+$"}}}}}}}}`

func withAccount(account string) string {
	at := strings.Index(minimal, "      ups:")
	return minimal[:at] + "      ups:\n        adapter: own\n" + account + minimal[at+strings.IndexByte(minimal[at:], '\n')+1:]
}

func known(*config.Config) map[string]config.Adapter {
	return map[string]config.Adapter{"own": {Schema: []byte(schema)}, "unasked": {}, "broken": {Err: errors.New("it exits with 3")}, "absurd": {Schema: []byte(`{"type":7}`)}}
}

// Accounts are held against the schemas of their adapters; every mistake is told with its place.
func TestAccountsAgainstAdapters(t *testing.T) {
	const good = "        config:\n          client_id: a\n          fee: { flat: 5.90 }\n"
	for _, c := range []struct {
		name, account string
		want          []string // none: it is good
	}{
		{"good", good, nil},
		{"a member without a value is absent", good + "          mode:\n", nil},
		{"an unknown member", "        config:\n          client_id: a\n          fee: { flatt: 5.90 }\n", []string{`waybill.yaml:8:25: tenants.demo.accounts.ups.config.fee.flatt: the adapter knows no member "flatt"; did you mean "flat"?`}},
		{"an unknown member at the top", good + "          base: x\n", []string{`waybill.yaml:9:17: tenants.demo.accounts.ups.config.base: the adapter knows no member "base"`}},
		{"text for a number", "        config:\n          client_id: a\n          fee: { flat: \"x\" }\n", []string{"waybill.yaml:8:24: tenants.demo.accounts.ups.config.fee.flat: must be a number, not text"}},
		{"a value that is none of them", good + "          mode: secret-4711\n", []string{"waybill.yaml:9:17: tenants.demo.accounts.ups.config.mode: must be one of test, live"}},
		{"inside a list", "        config:\n          client_id: a\n          fee: { zones: [ { name: a }, { name: secret-4711, nme: b } ] }\n",
			[]string{"config.fee.zones[1].nme: the adapter knows no member", `did you mean "name"?`, "config.fee.zones[1].name: is refused by the adapter's schema (pattern)"}},
		{"required", "        config: { mode: live }\n", []string{"config.client_id: is required", "config.fee: is required"}},
		{"required and empty", "        config:\n          client_id: ${NOTHING:-}\n          fee: {}\n", []string{"waybill.yaml:7:22: tenants.demo.accounts.ups.config.client_id: is required by the adapter own, and empty"}},
		{"no configuration at all", "", []string{"waybill.yaml:5:9", "tenants.demo.accounts.ups.client_id: is required"}},
		{"text for the configuration", "        config: hello\n", []string{"must be a mapping"}},
		{"no such adapter", "        adapter: owl\n", []string{`waybill.yaml:5:18: tenants.demo.accounts.ups.adapter: there is no adapter "owl"; did you mean "own"?`}},
		{"an adapter that cannot be asked", "        adapter: broken\n", []string{`the adapter "broken" cannot be used: it exits with 3`}},
		{"an adapter whose schema is none", "        adapter: absurd\n", []string{`describes its configuration wrongly`}},
		{"an adapter that was not asked", "        adapter: unasked\n        config: { any: thing }\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := withAccount(c.account)
			if strings.HasPrefix(c.account, "        adapter") {
				text = strings.Replace(text, "        adapter: own\n", "", 1)
			}
			p := write(t, t.TempDir(), "waybill.yaml", text)
			if _, err := config.Load(p, env(nil)); err != nil {
				t.Fatalf("it is faulty without the adapters: %v", err)
			}
			_, err := config.LoadWith(p, env(nil), known)
			if len(c.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("want %s, got\n%v", want, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "4711") {
				t.Errorf("a value shows: %v", err)
			}
		})
	}
	p := write(t, t.TempDir(), "waybill.yaml", withAccount("        config: { any: thing }\n"))
	if _, err := config.LoadWith(p, env(nil), func(*config.Config) map[string]config.Adapter { return nil }); err != nil {
		t.Errorf("nothing is known of adapters, and still: %v", err)
	}
}

func TestRulesFolderMustBeThere(t *testing.T) {
	dir := t.TempDir()
	text := strings.Replace(minimal, "    accounts:\n", "    rules: policies\n    accounts:\n", 1)
	p := write(t, dir, "waybill.yaml", text)
	wants := func(words string) {
		t.Helper()
		_, err := config.Load(p, env(map[string]string{"SECRET": "x"}))
		if words == "" && err == nil {
			return
		}
		if words == "" || err == nil || !strings.Contains(err.Error(), "waybill.yaml:3:12: tenants.demo.rules: ") || !strings.Contains(err.Error(), words) {
			t.Errorf("want %q, got %v", words, err)
		}
	}
	wants("there is no folder")
	write(t, dir, "policies", "")
	wants("is not a folder")
	if err := errors.Join(os.Remove(filepath.Join(dir, "policies")), os.Mkdir(filepath.Join(dir, "policies"), 0o700)); err != nil {
		t.Fatal(err)
	}
	wants("has no rule file")
	write(t, filepath.Join(dir, "policies"), "a.yaml", "rules: 1\n")
	wants("has no rule file")
	write(t, filepath.Join(dir, "policies"), "a.rules.yaml", "rules: 1\n")
	wants("")
}

func TestTrialOfRules(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "next"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "next"), "a.rules.yaml", "rules: 1\n")
	for trial, wants := range map[string]struct {
		percent int
		words   string
	}{
		"{ rules: next }":                {0, ""},
		"{ rules: next, canary: 5% }":    {5, ""},
		"{ rules: next, canary: 5 }":     {0, "demo.trial.canary: "},
		"{ rules: next, canary: 120% }":  {0, "demo.trial.canary: "},
		"{ canary: 5% }":                 {0, "demo.trial.rules: is required"},
		"{ rules: nowhere, canary: 5% }": {0, "there is no folder"},
	} {
		p := write(t, dir, "waybill.yaml", strings.Replace(minimal, "    accounts:\n", "    trial: "+trial+"\n    accounts:\n", 1))
		c, err := config.Load(p, env(map[string]string{"SECRET": "x"}))
		switch {
		case wants.words == "" && (err != nil || c.Tenants["demo"].Trial.Percent() != wants.percent):
			t.Errorf("%s: %v", trial, err)
		case wants.words != "" && (err == nil || !strings.Contains(err.Error(), wants.words)):
			t.Errorf("%s: %v, want %q", trial, err, wants.words)
		}
	}
}

// TestWhatRulesAskOfALocation: mistakes in hours, holidays, cut-offs, caps and budgets are all told at once, with their places.
func TestWhatRulesAskOfALocation(t *testing.T) {
	const head = "tenants:\n  demo:\n    keys: [{ name: k, sha256: 7e9f8fd111802be56c379d597842e29b2cebd35ff2133d431a49fa556a18704e }]\n    accounts: { ups: { adapter: ups } }\n" +
		"    locations:\n      a:\n        name: A\n        address: { street1: 1 Main Street, city: Boston, state: MA, postalCode: \"02118\", countryCode: US }\n" +
		"        contact: { name: asd, phone: \"+1 234-567-8900\" }\n        accounts: [ups]\n"
	load := func(text string) (*config.Config, error) {
		file := filepath.Join(t.TempDir(), "waybill.yaml")
		if err := os.WriteFile(file, []byte(head+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.Load(file, env(nil))
	}
	c, err := load("        hours: { mon-fri: \"08:00-20:00\" }\n        holidays: [us, \"2026-12-24\"]\n        cutoff: \"15:00\"\n        prep: 20m\n        caps: { ups: 200 }\n        subsidy_budget: 250.00\n")
	if err != nil {
		t.Fatal(err)
	}
	l := c.Tenants["demo"].Locations["a"]
	if l.CutoffMinute != 15*60 || l.Prep != 20*time.Minute || l.Caps["ups"] != 200 || l.SubsidyBudget.String() != "250.00" ||
		!l.Opening.At(time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC)).Holiday {
		t.Errorf("%+v", l)
	}
	_, err = load("        hours: { funday: \"08:00-20:00\" }\n        holidays: [atlantis]\n        cutoff: noon\n        caps: { upz: 200, ups: -1 }\n        subsidy_budget: -3\n")
	for _, want := range []string{"funday", "atlantis", "noon", `no account "upz"`, "must be 0 or more", "no amount of USD"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing says %q:\n%v", want, err)
		}
	}
}
