package config_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/core/config"
)

// whole has every section, so that one changed member leaves it readable.
const whole = `server: { public_url: "https://ship.example", admin_keys: [{ name: ops, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }] }
geocoding: { nominatim: { base_url: "https://nom.example", email: a@example.com } }
tenants:
  demo:
    name: Demo
    keys: [{ name: k, sha256: 7e9f8fd111802be56c379d597842e29b2cebd35ff2133d431a49fa556a18704e, rate: { per_second: 5, burst: 9 } }]
    accounts: { ups: { adapter: ups, config: { base_url: "https://ups.example" } } }
    locations:
      a:
        address: { street1: 1 Main St, city: Boston, state: MA, postalCode: "02118", countryCode: US }
        contact: { name: A, phone: "2323232323" }
        accounts: [ups]
    notify:
      alerts:
        sms: { statuses: [ORDER_DISPATCHED], url: "https://sms.example/send", from: S, headers: { X-Key: k } }
        email: { statuses: [ORDER_DISPATCHED], host: smtp.example, username: shop, password: p, from: shop@example.com }
        templates: { en: { ORDER_DISPATCHED: { subject: S, text: T, sms: U } } }
      staff: { mail: { host: smtp.example, from: shop@example.com }, people: { manager: [boss@example.com] } }
    portal: { name: Demo, support_url: "https://help.example", words: { en: { title: Hello } } }
    tracktor: { shop_url: shop.example, aliases: [shop], carrier_mapping: { vans: ups }, statuses: [{ key: packed, label: Packed, position: 1, status: ORDER_AT_LOCATION }] }
    ship24: { webhook: { url: "https://shop.example/s24", secret: abc } }
    returns: { reasons: [{ id: other, text: Another }], words: { title: Send it back } }
`

// members lists the paths of all members of a type that hold one value each. What names something is "*".
func members(t reflect.Type, path []string, each func(path []string)) {
	switch t.Kind() {
	case reflect.Pointer:
		members(t.Elem(), path, each)
	case reflect.Map:
		members(t.Elem(), append(path, "*"), each)
	case reflect.Slice:
		members(t.Elem(), append(path, "0"), each)
	case reflect.Struct:
		if t == reflect.TypeFor[config.Config]() || strings.Contains(t.PkgPath(), "core/config") || strings.Contains(t.PkgPath(), "sdk/shipping") && t.Name() != "Decimal" {
			for f := range t.Fields() {
				name := f.Tag.Get("yaml")
				if name == "" {
					name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
				}
				if name != "" && name != "-" {
					members(f.Type, append(path, name), each)
				}
			}
			return
		}
		each(slices.Clone(path))
	default:
		each(slices.Clone(path))
	}
}

// put sets the member at path, making what is not there. "*" is what is there already, else "x".
func put(have any, path []string, value string) any {
	if len(path) == 0 {
		return value
	}
	if i, err := strconv.Atoi(path[0]); err == nil {
		list, _ := have.([]any)
		if len(list) <= i {
			list = append(list, nil)
		}
		list[i] = put(list[i], path[1:], value)
		return list
	}
	m, _ := have.(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	name := path[0]
	if name == "*" {
		name = "x"
		for _, there := range slices.Sorted(maps.Keys(m)) {
			name = there
		}
	}
	m[name] = put(m[name], path[1:], value)
	return m
}

// TestNothingFromOutsideShows puts what comes from the environment in the place of each member in turn, as all of it and inside of a
// longer text. It must stand neither in the dump nor in what is said of mistakes, whatever member it is.
func TestNothingFromOutsideShows(t *testing.T) {
	values := map[string]string{"TEXT": "can\"ary_4711", "URL": "https://canary_4711.example", "NUMBER": "47114711", "TIME": "4711h"}
	loaded, refused := 0, 0
	dir := t.TempDir()
	members(reflect.TypeFor[config.Config](), nil, func(path []string) {
		for _, text := range []string{"${TEXT}", "${URL}", "https://host.example/${TEXT}", "${NUMBER}", "${TIME}"} {
			var doc any
			if err := yaml.Unmarshal([]byte(whole), &doc); err != nil {
				t.Fatal(err)
			}
			b, err := yaml.Marshal(put(doc, path, text))
			if err != nil {
				t.Fatal(err)
			}
			var out string
			c, err := config.Load(write(t, dir, "waybill.yaml", string(b)), env(values))
			if err != nil {
				refused++
				out = err.Error()
			} else {
				loaded++
				masked, err := c.Masked(map[string]config.Adapter{"ups": {Schema: []byte(`{"properties":{"base_url":{"type":"string"}},"additionalProperties":{"type":"string"}}`)}})
				if err != nil {
					t.Fatal(err)
				}
				out = string(masked)
			}
			if strings.Contains(strings.ReplaceAll(out, dir, ""), "4711") {
				t.Errorf("%s = %s shows what came from the environment:\n%s", strings.Join(path, "."), text, out)
			}
		}
	})
	if loaded < 200 || refused < 200 {
		t.Errorf("%d configurations were read and %d refused: the test shows little", loaded, refused)
	}
}

// TestOutsideInsideAnAccount: an account's own configuration hides where its members came from just as well.
func TestOutsideInsideAnAccount(t *testing.T) {
	text := strings.Replace(whole, `config: { base_url: "https://ups.example" }`, `config: { base_url: "https://${HOST}/x", list: [a, "${file:part}"] }`, 1)
	dir := t.TempDir()
	write(t, dir, "part", "canary-1\n")
	c, err := config.Load(write(t, dir, "waybill.yaml", text), env(map[string]string{"HOST": "canary-2"}))
	if err != nil {
		t.Fatal(err)
	}
	masked, err := c.Masked(map[string]config.Adapter{"ups": {Schema: []byte(`{"properties":{"base_url":{"type":"string"},"list":{"type":"array","items":{"type":"string"}}}}`)}})
	if err != nil || strings.Contains(string(masked), "canary") || !strings.Contains(string(masked), "base_url: https://REDACTED/x") {
		t.Errorf("%v\n%s", err, masked)
	}
}

// TestDerivedFromOutside: what another member is filled with hides as well.
func TestDerivedFromOutside(t *testing.T) {
	text := strings.Replace(whole, `public_url: "https://ship.example"`, `listen: "${LISTEN}"`, 1)
	c, err := config.Load(write(t, t.TempDir(), "waybill.yaml", text), env(map[string]string{"LISTEN": "10.47.11.1:8080"}))
	if err != nil {
		t.Fatal(err)
	}
	masked, err := c.Masked(nil)
	if err != nil || strings.Contains(string(masked), "10.47") || !strings.Contains(string(masked), "public_url: http://REDACTED") {
		t.Errorf("%v\n%s", err, masked)
	}
}

// TestURLsInTheDump: users, passwords and queries of URLs hide though they are written in clear; the rest of the URL is of use.
func TestURLsInTheDump(t *testing.T) {
	schema := map[string]config.Adapter{"ups": {Schema: []byte(`{"properties":{"base_url":{"type":"string"}}}`)}}
	for written, shown := range map[string]string{
		"https://u:canary@host.example/x?key=canary#canary": "https://REDACTED@host.example/x?REDACTED",
		"https://canary@host.example":                       "https://REDACTED@host.example",
		"https://host.example/x#canary":                     "https://host.example/x#REDACTED",
		"https://u:can%zzary@host.example/x":                "https://REDACTED",
		"https://u:p w canary@host.example/x":               "https://REDACTED",
		"https://u:canary/p@host.example":                   "https://REDACTED",
		"https:/u:canary@host.example":                      "REDACTED@host.example",
		"u:canary@host.example/x":                           "REDACTED@host.example/x",
		"see https://host.example/?canary now":              "see https://host.example/?REDACTED now",
		"https://host.example/a/b":                          "https://host.example/a/b",
		"mailto:help@shop.example":                          "mailto:help@shop.example",
		"Shop <shop@shop.example>":                          "Shop <shop@shop.example>",
	} {
		text := strings.Replace(whole, `"https://ups.example"`, strconv.Quote(written), 1)
		c, err := config.Load(write(t, t.TempDir(), "waybill.yaml", text), env(nil))
		if err != nil {
			t.Fatal(err)
		}
		masked, err := c.Masked(schema)
		if err != nil || strings.Contains(string(masked), "canary") || !strings.Contains(string(masked), "base_url: "+shown+"\n") {
			t.Errorf("%s: want %s, %v\n%s", written, shown, err, masked)
		}
	}
	text := strings.NewReplacer("https://nom.example", "https://u:canary@nom.example", "sms.example/send", "sms.example/send?key=canary",
		"shop.example/s24", "shop.example/s24?k=canary").Replace(whole)
	c, err := config.Load(write(t, t.TempDir(), "waybill.yaml", text), env(nil))
	if err != nil {
		t.Fatal(err)
	}
	if masked, err := c.Masked(nil); err != nil || strings.Contains(string(masked), "canary") {
		t.Errorf("%v\n%s", err, masked)
	}
}

// TestMistakesShowNoSecret: what is written in clear is not repeated by what is said of a mistake on its line or beside it.
func TestMistakesShowNoSecret(t *testing.T) {
	for name, change := range map[string][2]string{
		"sms url":            {`"https://sms.example/send"`, `"htps://u:canary@sms.example/send?key=canary"`},
		"sms url with gaps":  {`"https://sms.example/send"`, `"https://u:can ary@sms.example/send"`},
		"beside a url":       {`from: S,`, `from: S, nowhere: 1,`},
		"sms url's query":    {`"https://sms.example/send", from`, `"https://sms.example/send?key=canary", frm`},
		"geocoder":           {`"https://nom.example"`, `"https://u:canary@nom.example?key=canary"`},
		"public url":         {`"https://ship.example"`, `"https://u:canary@ship.example"`},
		"public url broken":  {`"https://ship.example"`, `"u:canary@ship.example"`},
		"a header's line":    {`headers: { X-Key: k }`, "headers:\n          {X-Api-Key:\n            canary, X-Api-Key: [] }"},
		"a word after it":    {`password: p, from`, "password:\n            canary, frm"},
		"text in a block":    {`password: p,`, "password:\n            canary\n              canary, port: canary7,"},
		"what looks like *a": {`password: p,`, `password: *canary,`},
	} {
		text := strings.Replace(whole, change[0], change[1], 1)
		if text == whole {
			t.Fatalf("%s changes nothing", name)
		}
		_, err := config.Load(write(t, t.TempDir(), "waybill.yaml", text), env(nil))
		if err == nil {
			t.Errorf("%s: no mistake was found", name)
			continue
		}
		said := err.Error()
		if name == "text in a block" { // a number that is none is repeated; the secret above it is not
			said = strings.ReplaceAll(said, "canary7", "")
		}
		if strings.Contains(said, "canary") || name == "sms url with gaps" && strings.Contains(said, "ary@") {
			t.Errorf("%s: a secret shows in\n%v", name, err)
		}
	}
}

// FuzzAdapterSchema holds an account against what an adapter says that it wants: schema and configuration may be anything, and a member
// that the schema does not show stays hidden.
func FuzzAdapterSchema(f *testing.F) {
	f.Add(schema, `{ client_id: a, fee: { flat: 5.90 } }`)
	f.Add(`{"type":7}`, `{ a: 1 }`)
	f.Add(`{"properties":{"a":{"items":{"properties":{"b":{"x-secret":true}}}}},"additionalProperties":{"$ref":"#"}}`, `{ a: [ { b: 1 } ], c: [ [ null ] ] }`)
	f.Add(`{"$ref":"http://example.com/x"}`, `text`)
	f.Add(`{"properties":{"a":null},"items":true,"additionalProperties":[]}`, `{ a: b, c: { d: 1e400 } }`)
	f.Add(`null`, `[1]`)
	f.Fuzz(func(t *testing.T, schema, account string) {
		if strings.ContainsAny(account, "\r\n#") {
			return // it would say other members than the account's
		}
		text := strings.NewReplacer(`{ base_url: "https://ups.example" }`, account, "adapter: ups,", "adapter: ups, push_secret: canary_4711_canary_4711,").Replace(whole)
		adapters := map[string]config.Adapter{"ups": {Schema: []byte(schema)}}
		p := write(t, t.TempDir(), "waybill.yaml", text)
		c, err := config.LoadWith(p, env(nil), func(*config.Config) map[string]config.Adapter { return adapters })
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), "canary") {
				t.Fatal(err)
			}
			return
		}
		if b, err := c.Masked(adapters); err != nil || strings.Contains(string(b), "canary") {
			t.Fatalf("%v\n%s", err, b)
		}
	})
}

// TestHiddenInURLs: of an account's URLs it is known what came from outside and says more than which carrier is meant.
func TestHiddenInURLs(t *testing.T) {
	for url, want := range map[string]string{
		"https://ups.example/in/clear":                      "",
		"https://${HOST}/x":                                 "",
		"https://${HOST}:8443":                              "",
		"https://ups.example/${TOKEN}/v1":                   "canary-token",
		"https://ups.example/x-${TOKEN}":                    "canary-token",
		"https://ups.example/${file:part}?key=${TOKEN}":     "canary-file\ncanary-token",
		"https://ups.example?key=${TOKEN}":                  "canary-token",
		"https://${TOKEN}:${TOKEN}@ups.example":             "canary-token",
		"${URL}":                                            "canary/of url",
		"${URL}v1/${TOKEN}":                                 "canary-token\ncanary/of url",
		"https://ups.example/${UNSET:-default}":             "",
		"${TOKEN}":                                          "",
		"https://ups.example/${TWO}":                        "",
		"https://ups.example/${HOST}/${TOKEN}/${file:part}": "canary-file\ncanary-token\nhost.example",
	} {
		text := strings.Replace(whole, `config: { base_url: "https://ups.example" }`, `config: { list: [ { url: "`+url+`" } ], other: "${TOKEN}" }`, 1)
		dir := t.TempDir()
		write(t, dir, "part", "canary-file\n")
		c, err := config.Load(write(t, dir, "waybill.yaml", text), env(map[string]string{"HOST": "host.example", "TOKEN": "canary-token", "URL": "https://h.example/canary/of url/", "TWO": "v2"}))
		if err != nil {
			t.Fatal(err)
		}
		a := c.AllAccounts()[0]
		if got := a.Hidden.Reveal(); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
		if shown := fmt.Sprintf("%+v", *a); strings.Contains(shown, "canary") {
			t.Errorf("it shows: %s", shown)
		}
	}
}
