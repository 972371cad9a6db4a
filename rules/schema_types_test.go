package rules_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules"
)

// typedHead begins each file of a section. All of them together have every key that rule files know.
const typedHead = "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"

const (
	typedHold = `name: A, when: order.asap, enabled: true, from: "2026-01-01", locations: [ "7709", "tag:a" ], about: a, id: a, `
	typedRule = typedHold + `until: "2026-12-31", `
)

var typedSections = []string{
	"hold: [ { " + typedHold + "for: 1h, reason: r }, { name: B, until: location.next_opening } ]",
	"set: [ { " + typedRule + "set: { signature: adult, id_check: age_21, tip: 10%, tip_max: 5.00, instructions: i, pickup_instructions: i, label_format: PDF, vehicle: car, ship_date: next_business_day, weight: 2.5 lb } } ]",
	"exclude: [ { " + typedRule + "providers: [ups], services: [ups/ground], reason: r } ]",
	"adjust: [ { " + typedRule + "providers: [ups], services: [ups/ground], add: 1 USD, charge: 10%, reason: r } ]",
	"rank: { score: dollars(option.cost), ties: [option.provider], about: a }",
	"rank: { strategy: fastest }",
	"choose: [ { " + typedRule + "prefer: [ups] }, { name: B, only: [ups/ground] }, { name: C, split: { ups: 15, rank: 85, by: order.id, experiment: e } } ]",
	"guard: [ { " + typedRule + "applies: option.guaranteed, max_fee: 9 USD, max_dropoff: 2h, daily_budget: 20 USD, per: location, on_breach: next, reason: r } ]",
	"fallback: [ { " + typedRule + "on: [no_driver], steps: [ next_ranked, { use: ups, if_available: true }, { hold_for: 3m }, { notify: m } ], " +
		"limit: { attempts: 3, within: 40m, extra_cost: 6 USD }, requote: always, use: latest } ]",
	"warn: [ { " + typedRule + "message: m, level: high } ]",
	"none: { hold_for: 3m, retry: 4, then: { hold: true, notify: m, message: t } }",
	"warn: [ { name: W, message: m } ]\nlocations: { l: { warn: { W: { enabled: false } } } }",
}

// typedRules has the keys at the top, and what typedTests speaks of.
const typedRules = `
rules: 1
name: n
about: a
currency: USD
env: { pii: false }
providers: [ups, doordash]
attributes: [payment]
lists: { st: [MA, "02118"] }
zones: { town: { center: "41.88,-87.63", radius: 3 mi }, shape: { corners: [ "1,1", "1,2", "2,2" ] } }
let: { heavy: order.weight > lb(60) }
choose: [ { name: C, split: { ups: 15, rank: 85 } } ]
guard: [ { name: G, max_fee: 9.00, on_breach: next } ]
fallback: [ { name: F, on: [no_driver], steps: [ next_ranked ] } ]
warn: [ { name: W, message: m } ]
`

var typedTests = []string{`
tests: 1
about: a
options: { now: "2026-04-10 18:00", zone: America/Denver, location: den }
fixtures:
  orders: { small: { id: g1 }, other: { like: small } }
  quotes: { usual: [ { provider: ups, service: ground, name: Ground, mode: air, vehicle: car, supports: [a], fee: 9.50, tax: 1.00, pickup_in: 5m, dropoff_in: 2h, deliver_by: 3h, transit_days: 2, guaranteed: true, on_time_rate_30d: 0.5, cancel_rate_7d: 0.25 } ] }
cases:
  - { name: A, about: a, now: "2026-04-10 19:00", zone: Europe/Berlin, order: other, quotes: usual, refused: [ { provider: doordash, service: s, code: C, message: m } ], down: [ups], event: no_driver, with: { order.gift: true }, expect: { chosen: ups } }
  - { name: B, matrix: { order.quantity: [ 1, 2 ] }, expect: [ { when: { order.quantity: 1 }, chosen: none }, { else: true, anything: true } ] }
`, `
tests: 1
cases:
  - name: A
    location: { id: x, tags: [a], zone: UTC, closed_today: true, next_opening: 2h, next_business_morning: 3h, cutoff_minute: 900, holidays: ["2026-12-24"], caps: { ups: 3 }, subsidy_budget: 9.00, prep: 5m }
    order:
      { id: g1, total: 42.00, subtotal: 40.00, tip: 1.00, weight: 12 lb, longest_side: 4 inch, girth: 3 inch, volume: 20 cm3, distance: 2 mi, parcel_count: 1, quantity: 3, line_count: 1, content: [alcohol], failed_providers: [ups], customer_id: c,
        channel: web, service_hint: h, tags: [vip], gift: true, paid: true, attributes: { payment: x }, group: g, temperature: frozen, signature: adult, locale: de, created: 2h, placed_at: 2h, ready_at: 2h, promise_by: 3h, has_promise: true, asap: false,
        is_return: false, items: [ { sku: A, name: n, quantity: 2, price: 1.00, weight: 1 lb, tags: [a] } ], to: { country: US, state: MA, city: c, postal_code: "02118", has_unit: false, type: residential, verified: valid, zones: [town] } }
    expect: { chosen: ups }
`, `
tests: 1
cases:
  - name: A
    event: no_driver
    expect:
      { chosen: ups, ranked: [ups], excluded: { ups: r }, not_excluded: [ups], rule_hits: [W], not_hit: [W], held: G, set: { tip: 1.00, tip_max: 2.00 }, warnings: [W], charge: 2.00, cost: { ups: 9.00 }, asked: [ups], not_asked: [ups],
        choose: C, arm: ups, guards: { G: next }, fallback: F, next: ups, attempts_left: 2, none: false, message: m, faults: [W], golden: why/a.txt }
`}

// wrongTypes stand for the types that YAML knows.
var wrongTypes = []any{nil, true, 5, 2.5, "x", []any{}, []any{"x"}, map[string]any{}, map[string]any{"x": "y"}}

// typeOf is what YAML calls the type of a value.
func typeOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "mapping"
	case []any:
		return "list"
	}
	return fmt.Sprintf("%T", v)
}

// TestSchemaAndReaderAgreeOnTypes gives every key of a file a value of each type that its own is not of: what one takes the other takes. What a
// text says is the reader's alone to judge, beyond its form.
func TestSchemaAndReaderAgreeOnTypes(t *testing.T) {
	b, err := rules.Load(oneFile(typedRules), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var ruleFiles []string
	for _, section := range typedSections {
		ruleFiles = append(ruleFiles, typedHead+section)
	}
	for _, c := range []struct {
		name   string
		files  []string
		schema []byte
		read   func(string) error
	}{
		{"rules.json", append(ruleFiles, typedRules), rules.RuleSchema(), func(text string) error { _, err := rules.Load(oneFile(text), rules.Options{}); return err }},
		{"tests.json", typedTests, rules.TestSchema(), func(text string) error {
			_, err := rules.LoadSuite(b, rules.File{Name: "a.test.yaml", Data: []byte(text)})
			return err
		}},
	} {
		s := schema(t, c.name, c.schema)
		given := map[string]bool{}
		taken, refused := 0, 0
		for _, text := range c.files {
			if err := c.read(text); err != nil {
				t.Fatal(err)
			}
			var root map[string]any
			if err := yaml.Unmarshal([]byte(text), &root); err != nil {
				t.Fatal(err)
			}
			pathsOf(root, "", given)
			one, none := compareTypes(t, s, root, c.read)
			taken, refused = taken+one, refused+none
		}
		for _, path := range keysOf(t, c.schema) {
			if !given[path] {
				t.Errorf("%s: no file that is tried has %s", c.name, path)
			}
		}
		if taken < 50 || refused < 500 {
			t.Errorf("%s: only %d files were taken, and %d refused", c.name, taken, refused)
		}
	}
}

// whose is what hangs on the path that a test gives it by, or on what else the test says.
var whose = regexp.MustCompile(`\.(with|matrix|expect\[0\]\.when)\b`)

// compareTypes counts the files that both take and that both refuse.
func compareTypes(t *testing.T, s *jsonschema.Schema, root map[string]any, read func(string) error) (taken, refused int) {
	t.Helper()
	replace(root, wrongTypes, func(what string, whole, was, is any) {
		if typeOf(was) == typeOf(is) || whose.MatchString(what) {
			return
		}
		ofTypes := func(p []rules.Problem) bool { return !aboutNames(p, is) && (typeOf(is) != "string" || ofForm(p)) }
		if sameVerdict(t, what, whole, s, read, ofTypes) {
			taken++
		} else {
			refused++
		}
	})
	return taken, refused
}

// pathsOf notes the keys of a value, as keysOf gives those of a schema: what stands in a list is *, and so is each key that the file chooses itself.
func pathsOf(v any, path string, to map[string]bool) {
	to[path] = true
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			pathsOf(inner, alike(path+"."+key), to)
			pathsOf(inner, alike(path+".*"), to)
		}
	case []any:
		for _, inner := range v {
			pathsOf(inner, alike(path+".*"), to)
		}
	}
}

// alike is the path by which one of two that have the same form is known.
func alike(path string) string {
	if strings.HasPrefix(path, ".locations.*.") { // as in the phase
		path = "." + strings.TrimPrefix(path, ".locations.*.")
	}
	return sameForm.Replace(path)
}

var sameForm = strings.NewReplacer(".fixtures.orders.*", ".order", ".cases.*.order", ".order", ".fixtures.quotes.*", ".quotes", ".cases.*.quotes", ".quotes", ".order.from", ".order.to", ".options.", ".cases.*.", ".expect.*", ".expect")

// keysOf are the keys that a schema knows.
func keysOf(t *testing.T, schema []byte) []string {
	t.Helper()
	var root any
	if err := json.Unmarshal(schema, &root); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	var walk func(v any, path string)
	walk = func(v any, path string) {
		form, ok := v.(map[string]any)
		if !ok {
			return
		}
		properties, _ := form["properties"].(map[string]any)
		for key, inner := range properties {
			keys[alike(path+"."+key)] = true
			walk(inner, alike(path+"."+key))
		}
		for _, inner := range []string{"items", "additionalProperties"} {
			walk(form[inner], alike(path+".*"))
		}
		for _, either := range []string{"anyOf", "oneOf", "allOf"} {
			list, _ := form[either].([]any)
			for _, inner := range list {
				walk(inner, path)
			}
		}
	}
	walk(root, "")
	return slices.Sorted(maps.Keys(keys))
}

// aboutNames reports whether all that a reader found is that a name, which what was put there gives or takes away, is not that of anything.
func aboutNames(problems []rules.Problem, is any) bool {
	_, list := is.([]any)
	return !slices.ContainsFunc(problems, func(p rules.Problem) bool { return p.Code != "E109" && (p.Code != "E105" || !list) })
}

// replace puts each of the values in the place of every value below root, one at a time.
func replace(root map[string]any, values []any, try func(what string, whole, was, is any)) {
	var walk func(path string, v any, put func(any))
	walk = func(path string, v any, put func(any)) {
		for _, is := range values {
			put(is)
			try(fmt.Sprintf("%s: %v", path, is), root, v, is)
		}
		put(v)
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(path+"."+key, v[key], func(x any) { v[key] = x })
			}
		case []any:
			for i, inner := range v {
				walk(path+"["+strconv.Itoa(i)+"]", inner, func(x any) { v[i] = x })
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(root)) {
		walk(key, root[key], func(x any) { root[key] = x })
	}
}
