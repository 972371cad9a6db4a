package rules_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write golden files")

// table is a file of testdata: rules, and orders with what the rules must say. Members of want that are absent are not looked at.
type table struct {
	Rules string `yaml:"rules"` // "demo" for the bundle of examples/rules
	Cases []struct {
		Name  string    `yaml:"name"`
		Order orderText `yaml:"order"`
		Down  []string  `yaml:"down"`
		Offer []struct {
			Account, Service, Mode, Vehicle string
			Fee                             string
			In                              time.Duration
			Pickup                          time.Duration
		} `yaml:"offers"`
		Want map[string]any `yaml:"want"`
	} `yaml:"cases"`
}

type orderText struct {
	Total, Tip, Weight, State, Postal, Type, Signature, Temperature, Apartment string
	Metres                                                                     int64
	Content, Failed, LocationTags                                              []string
	Quantity                                                                   int
	Promise                                                                    time.Duration
	At                                                                         string
	Attributes                                                                 map[string]string
	Closed                                                                     bool
	Location                                                                   string
	Quotas                                                                     map[string]int    // by "ups/month" or "ups/day/location"
	Budgets                                                                    map[string]string // by guard, or guard/location
}

func (o orderText) source(t *testing.T) rules.InputSource {
	t.Helper()
	src := source()
	number := func(s string, into *shipping.Decimal) {
		if s == "" {
			return
		}
		var err error
		if *into, err = shipping.ParseDecimal(s); err != nil {
			t.Fatal(err)
		}
	}
	number(o.Total, &src.Value)
	number(o.Tip, &src.Tip)
	p := &src.Parcels[0]
	number(o.Weight, &p.Weight.Value)
	set := func(s string, into *string) {
		if s != "" {
			*into = s
		}
	}
	set(o.State, &src.Delivery.State)
	set(o.Location, &src.Location.ID)
	for key, used := range o.Quotas {
		part := append(strings.Split(key, "/"), "")
		src.Quotas = append(src.Quotas, rules.Quota{QuotaNeed: rules.QuotaNeed{Account: part[0], Period: part[1], Per: part[2]}, Used: used})
	}
	for key, spent := range o.Budgets {
		guard, per, _ := strings.Cut(key, "/")
		m, err := shipping.BindMoney(shipping.MustDecimal(spent), "USD")
		if err != nil {
			t.Fatal(err)
		}
		src.Budgets = append(src.Budgets, rules.Budget{BudgetNeed: rules.BudgetNeed{Guard: guard, Per: per}, Spent: m})
	}
	set(o.Postal, &src.Delivery.PostalCode)
	set(o.Type, &src.Delivery.Type)
	set(o.Apartment, &src.Delivery.ApartmentNumber)
	set(o.Signature, &src.Signature)
	set(o.Temperature, &p.TemperatureControl)
	p.Content, src.Failed, src.Location.Tags, src.Attributes, src.Location.ClosedToday = o.Content, o.Failed, o.LocationTags, o.Attributes, o.Closed
	if o.Metres > 0 {
		src.DistanceMetres = o.Metres
	}
	if o.Quantity > 0 {
		src.Items[0].Quantity = o.Quantity
	}
	if o.At != "" {
		at, err := time.ParseInLocation("2006-01-02 15:04", o.At, src.Location.Zone)
		if err != nil {
			t.Fatal(err)
		}
		src.Now, src.PlacedAt = at, at
	}
	if o.Promise > 0 {
		src.DropTime.EndsAt = shipping.At(src.Now.Add(o.Promise))
	}
	return src
}

func TestTables(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no tables", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var table table
		decoder := yaml.NewDecoder(bytes.NewReader(data))
		decoder.KnownFields(true)
		if err := decoder.Decode(&table); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		bundle := demo(t)
		if table.Rules != "demo" {
			name := strings.TrimSuffix(filepath.Base(file), ".yaml") + ".rules.yaml"
			if bundle, err = rules.Load([]rules.File{{Name: name, Data: []byte(table.Rules)}}, rules.Options{Providers: manifests()}); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		for _, c := range table.Cases {
			t.Run(filepath.Base(file)+"/"+c.Name, func(t *testing.T) {
				src := c.Order.source(t)
				accounts := candidates()
				for i := range accounts {
					accounts[i].Down = slices.Contains(c.Down, accounts[i].Account)
				}
				var list []rules.Offer
				for _, o := range c.Offer {
					fee, err := shipping.BindMoney(shipping.MustDecimal(o.Fee), "USD")
					if err != nil {
						t.Fatal(err)
					}
					q := shipping.Quote{ServiceID: o.Service, Amount: fee, Mode: o.Mode, Vehicle: o.Vehicle}
					if o.In > 0 {
						q.Delivery.EndsAt = shipping.At(src.Now.Add(o.In))
					}
					if o.Pickup > 0 {
						q.Pickup.StartsAt = shipping.At(src.Now.Add(o.Pickup))
					}
					list = append(list, rules.Offer{Account: o.Account, Quote: q})
				}
				d := bundle.Decide(bundle.Prepare(input(t, src), accounts), list)
				compare(t, c.Want, d)
				if again, err := rules.Recompute(bundle, d); err != nil || !bytes.Equal(encode(t, again), encode(t, d)) {
					t.Errorf("recomputed differently (%v)", err)
				}
			})
		}
	}
}

func compare(t *testing.T, want map[string]any, d rules.Decision) {
	t.Helper()
	got := facts(d)
	for key, w := range want {
		g, known := got[key]
		if !known {
			t.Errorf("a table cannot want %q", key)
			continue
		}
		var plain any // as YAML reads it
		text, err := yaml.Marshal(g)
		if err == nil {
			err = yaml.Unmarshal(text, &plain)
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, plain); diff != "" {
			t.Errorf("%s (-want +got)\n%s\n%s", key, diff, d.Sentence())
		}
	}
}

// facts are what a table can want.
func facts(d rules.Decision) map[string]any {
	excluded, before := map[string][]string{}, map[string][]string{}
	key := func(account, service string) string { return strings.TrimSuffix(account+"/"+service, "/") }
	for _, e := range d.Excluded {
		excluded[key(e.Account, e.Service)] = append(excluded[key(e.Account, e.Service)], e.Rule+": "+e.Reason)
	}
	for _, e := range d.Plan.Excluded {
		before[key(e.Account, e.Service)] = append(before[key(e.Account, e.Service)], e.Rule)
	}
	ranked, costs, charges := []string{}, map[string]string{}, map[string]string{}
	for _, c := range d.Ranked {
		ranked = append(ranked, key(c.Account, c.Service))
	}
	for _, o := range d.Options {
		costs[key(o.Account, o.Service)] = o.Cost.String()
		if !o.Charge.IsZero() {
			charges[key(o.Account, o.Service)] = o.Charge.String()
		}
	}
	set, overwritten := map[string]string{}, map[string]string{}
	for _, a := range d.Plan.Set.By {
		if a.OverwrittenBy == "" {
			set[a.Attribute] = a.Value
		} else {
			overwritten[a.Rule] = a.OverwrittenBy
		}
	}
	facts := map[string]any{
		"ranked": ranked, "excluded": excluded, "excluded_before_quotes": before, "cost": costs, "charge": charges, "set": set,
		"overwritten": overwritten, "hold": nil, "choose": nil, "tip": nil, "none": nil, "sentence": d.Sentence(), "events": nil,
	}
	var asked, warnings, faults, fallbacks []string
	for _, a := range d.Plan.Ask {
		asked = append(asked, a.Account+strings.TrimSuffix(" "+strings.Join(a.Services, " "), " "))
	}
	for _, w := range d.Warnings {
		warnings = append(warnings, w.Rule+": "+w.Message)
	}
	for _, f := range d.Faults {
		faults = append(faults, f.Rule+": "+f.Message)
	}
	for _, f := range d.Fallback {
		fallbacks = append(fallbacks, f.Rule)
	}
	facts["ask"], facts["warnings"], facts["faults"], facts["fallback"] = asked, warnings, faults, fallbacks
	if d.Plan.Set.Tip != nil {
		facts["tip"] = d.Plan.Set.Tip.String()
	}
	if h := d.Plan.Hold; h != nil {
		facts["hold"] = h.Rule + ": " + h.Reason
	}
	if d.Hold != nil {
		facts["hold"] = d.Hold.Rule + ": " + d.Hold.Reason
	}
	var guards, spends []string
	for _, b := range d.Guards {
		guards = append(guards, b.Action+" "+key(b.Account, b.Service)+" by "+b.Guard+": "+b.Reason)
	}
	for _, c := range d.Ranked {
		for _, s := range c.Spends {
			spends = append(spends, key(c.Account, c.Service)+" "+s.Amount.String()+" of "+s.Guard)
		}
	}
	facts["guards"], facts["spends"] = guards, spends
	if d.Choose != nil {
		facts["choose"] = d.Choose.Rule
	}
	if d.None != nil {
		facts["none"] = d.None.Message
	}
	return facts
}

// TestGolden holds the JSON of the record and the text of the explanation.
func TestGolden(t *testing.T) {
	b := demo(t)
	src := source()
	src.Value, src.DistanceMetres = shipping.MustDecimal("300"), 4000
	d := b.Decide(b.Prepare(input(t, src), candidates()), offers(), rules.Refused{Account: "ups", Service: "saver", Code: "OUT_OF_ZONE", Message: "not here"})
	d.Rules, d.Plan.Rules = "sha256:0", "sha256:0" // so that a comment in the example does not change the golden file
	var indented bytes.Buffer
	if err := json.Indent(&indented, encode(t, d), "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/decision.json", indented.Bytes())
	d.Rules, d.Plan.Rules = b.Hash(), b.Hash()
	text, err := rules.Explain(b, d)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/explain.txt", []byte(strings.ReplaceAll(text, b.Hash()[:19], "sha256:…")))
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", file, diff)
	}
}
