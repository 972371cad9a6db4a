package rules_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// conditions and amounts are parts to make rules of.
var conditions = []string{
	`option.fee > usd(15)`, `order.weight > lb(9)`, `option.provider == "ups"`, `option.service == "ground"`, `option.mode == "air"`,
	`order.to.state in lists.near`, `option.dropoff_in > hours(24)`, `supports("alcohol")`, `any(order.items, .quantity > 1)`,
	`option.fee > order.total * 0.3`, `slow and not heavy`, `heavy`, `time_between("17:00", "19:00")`, `order.items[5].sku == "x"`,
	`option.fee > order.items[40].price`,
}

var amounts = []string{"1.25", "-0.35", "4%", "option.fee * 0.1", "option.fee * 1e18", "order.total / 10"}

// randomRules draws exclude and adjust rules, each a line of YAML.
func randomRules(t *rapid.T, phase string) []string {
	n := rapid.IntRange(0, 6).Draw(t, phase)
	lines := make([]string, n)
	for i := range lines {
		when := rapid.SampledFrom(conditions).Draw(t, "when")
		if rapid.Bool().Draw(t, "negated") {
			when = "not (" + when + ")"
		}
		lines[i] = fmt.Sprintf("  - { name: %s %d, when: '%s', reason: r%d", phase, i, when, i)
		if phase == "adjust" {
			lines[i] += ", add: " + rapid.SampledFrom(amounts).Draw(t, "add")
		}
		lines[i] += " }"
	}
	return lines
}

// someGuards hold for some orders of randomOrder and not for others; budgets that nobody counts make one fail.
var someGuards = []string{
	"  - { name: guard 1, max_fee: 10.50, on_breach: next }", "  - { name: guard 2, max_fee: 9.50, on_breach: hold, when: order.to.state == \"CA\" }",
	"  - { name: guard 3, max_dropoff: 30h, on_breach: warn }", "  - { name: guard 4, daily_budget: 5.00, on_breach: warn, applies: slow }",
	"  - { name: guard 5, max_fee: order.total * 0.24, on_breach: hold, applies: heavy }",
}

func bundleOf(t interface{ Fatal(...any) }, excludes, adjusts []string, guards ...string) *rules.Bundle {
	if guards == nil {
		guards = someGuards
	}
	text := "rules: 1\ncurrency: USD\nproviders: [ups, doordash, own_fleet]\nlists: { near: [MA, NH] }\n" +
		"let: { heavy: order.weight > lb(8), slow: option.dropoff_in > hours(30) }\n" +
		"exclude:\n" + strings.Join(excludes, "\n") + "\nadjust:\n" + strings.Join(adjusts, "\n") + "\nguard:\n" + strings.Join(guards, "\n") +
		"\nrank: { score: 'dollars(option.cost) + mins(option.dropoff_in) * 0.01 + (option.fee > best.fee ? 0.5 : 0.0)', ties: [option.transit_days, option.provider] }\n" +
		"none: { then: { message: '{reasons}' } }\n"
	text = strings.ReplaceAll(strings.ReplaceAll(text, "exclude:\n\n", "exclude: []\n"), "adjust:\n\n", "adjust: []\n")
	b, err := rules.Load([]rules.File{{Name: "random.rules.yaml", Data: []byte(text)}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func randomOffers(t *rapid.T) []rules.Offer {
	services := []string{"ground", "2nd_day_air", "delivery", "unheard_of"}
	list := make([]rules.Offer, rapid.IntRange(0, 8).Draw(t, "offers"))
	for i := range list {
		service := rapid.SampledFrom(services).Draw(t, "service")
		list[i] = rules.Offer{
			ID:      rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "id"),
			Account: rapid.SampledFrom([]string{"ups", "doordash", "own_fleet", "stranger"}).Draw(t, "account"),
			Quote:   quote(service, "", rapid.Int64Range(900, 1100).Draw(t, "fee"), time.Duration(rapid.IntRange(1, 60).Draw(t, "hours"))*time.Hour),
		}
		list[i].Quote.TransitDays = rapid.IntRange(0, 2).Draw(t, "days")
	}
	return list
}

func randomOrder(t *rapid.T) rules.InputSource {
	src := source()
	src.Delivery.State = rapid.SampledFrom([]string{"MA", "CA"}).Draw(t, "state")
	src.Parcels[0].Weight.Value = shipping.DecimalFromInt(rapid.Int64Range(1, 12).Draw(t, "lb"))
	if rapid.Bool().Draw(t, "alcohol") {
		src.Parcels[0].Content = []string{"alcohol"}
	}
	return src
}

func decide(t interface{ Fatal(...any) }, b *rules.Bundle, src rules.InputSource, list []rules.Offer) rules.Decision {
	in, err := rules.NewInput(src)
	if err != nil {
		t.Fatal(err)
	}
	return b.Decide(b.Prepare(in, candidates()), list)
}

// TestOrderOfRulesNeverMatters permutes exclude, adjust and guard rules: everything but the hash stays.
func TestOrderOfRulesNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		excludes, adjusts := randomRules(t, "exclude"), randomRules(t, "adjust")
		src, list := randomOrder(t), randomOffers(t)
		first := decide(t, bundleOf(t, excludes, adjusts), src, list)
		second := decide(t, bundleOf(t, rapid.Permutation(excludes).Draw(t, "e"), rapid.Permutation(adjusts).Draw(t, "a"), rapid.Permutation(someGuards).Draw(t, "g")...), src, list)
		second.Rules, second.Plan.Rules = first.Rules, first.Plan.Rules
		if x, y := encode(t, first), encode(t, second); !bytes.Equal(x, y) {
			t.Fatalf("the order of the rules matters:\n%s", cmp.Diff(string(x), string(y)))
		}
	})
}

// TestOrderOfQuotesNeverMatters permutes offers and candidates, and recomputes the record after a round through JSON.
func TestOrderOfQuotesNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := bundleOf(t, randomRules(t, "exclude"), randomRules(t, "adjust"))
		src, list := randomOrder(t), randomOffers(t)
		first := encode(t, decide(t, b, src, list))
		second := encode(t, decide(t, b, src, rapid.Permutation(list).Draw(t, "permuted")))
		if !bytes.Equal(first, second) {
			t.Fatalf("the order of the quotes matters:\n%s", cmp.Diff(string(first), string(second)))
		}
		record, err := rules.ParseDecision(first)
		if err != nil {
			t.Fatal(err)
		}
		again, err := rules.Recompute(b, record)
		if err != nil {
			t.Fatal(err)
		}
		if third := encode(t, again); !bytes.Equal(first, third) {
			t.Fatalf("recomputed differently:\n%s", cmp.Diff(string(first), string(third)))
		}
		if other, err := rules.Misrecorded(b, record); err != nil || len(other) > 0 {
			t.Fatalf("other members come out: %v (%v)", other, err)
		}
		if _, err := rules.Explain(b, record); err != nil {
			t.Fatal(err)
		}
	})
}

func encode(t interface{ Fatal(...any) }, d rules.Decision) []byte {
	b, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// leftOut are the fields of shipping's structs that rules do not see, and why. Everything else must change an Input or an option.
var leftOut = map[string]string{
	"Address.Street1": "personal", "Address.Latitude": "personal; distance is seen", "Address.Longitude": "personal; distance is seen",
	"Contact.Name": "personal", "Contact.Phone": "personal", "Contact.Email": "personal",
	"Parcel.Name": "free text", "Parcel.Description": "free text", "Parcel.Barcode": "an identifier",
	"Item.Description": "free text", "Item.Barcode": "an identifier", "Item.Size": "parcels have the size that matters",
	"TimeWindow.pickup.EndsAt": "the carrier's business", "TimeWindow.delivery.StartsAt": "only a promise counts",
	"Quote.ServiceCode": "the carrier's own; option.service is the slug", "Quote.ServiceType": "for people", "Quote.Charges": "option.fee is their sum",
	"Quote.Expires": "the engine's business", "Quote.Token": "opaque", "Quote.Warnings": "free text",
}

// TestEveryShippingFieldIsMappedOrLeftOut changes one field at a time and sees whether the rules could tell.
func TestEveryShippingFieldIsMappedOrLeftOut(t *testing.T) {
	base := func() rules.InputSource {
		src := source()
		src.PickupTime.StartsAt, src.PickupTime.EndsAt = shipping.At(friday), shipping.At(friday.Add(time.Hour))
		src.DropTime.StartsAt, src.DropTime.EndsAt = shipping.At(friday), shipping.At(friday.Add(time.Hour))
		it := &src.Items[0]
		it.Size, it.Weight, it.SalePrice = src.Parcels[0].Size, &shipping.Weight{Value: shipping.MustDecimal("1"), Unit: "lb"}, shipping.MustDecimal("2")
		return src
	}
	places := map[string]func(*rules.InputSource) any{
		"Address": func(s *rules.InputSource) any { return &s.Delivery }, "Parcel": func(s *rules.InputSource) any { return &s.Parcels[0] },
		"Item": func(s *rules.InputSource) any { return &s.Items[0] }, "Size": func(s *rules.InputSource) any { return s.Parcels[0].Size },
		"Weight":            func(s *rules.InputSource) any { return s.Parcels[0].Weight },
		"TimeWindow.pickup": func(s *rules.InputSource) any { return &s.PickupTime }, "TimeWindow.delivery": func(s *rules.InputSource) any { return &s.DropTime },
	}
	for i := range reflect.TypeFor[shipping.Contact]().NumField() { // no contact comes near an Input
		if name := reflect.TypeFor[shipping.Contact]().Field(i).Name; leftOut["Contact."+name] == "" {
			t.Errorf("Contact.%s is neither seen nor left out", name)
		}
	}
	noItems := map[string]bool{"Parcel.ItemQuantity": true} // counts only where there are no items
	oneOfTwo := map[string]bool{"Item.Price": true}         // counts only where there is no sale price
	for name, place := range places {
		typ := reflect.TypeOf(place(ptr(base()))).Elem()
		for i := range typ.NumField() {
			field := name + "." + typ.Field(i).Name
			before, after := base(), base()
			for _, src := range []*rules.InputSource{&before, &after} {
				if noItems[field] {
					src.Items = nil
				}
				if oneOfTwo[field] {
					src.Items[0].SalePrice = shipping.Decimal{}
				}
			}
			change(t, field, reflect.ValueOf(place(&after)).Elem().Field(i))
			same := cmp.Equal(asJSON(t, input(t, before)), asJSON(t, input(t, after)))
			if why, out := leftOut[field]; out != same {
				t.Errorf("%s: seen by rules %v, left out %v (%s)", field, !same, out, why)
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// change gives a field another value that is valid.
func change(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch x := v.Addr().Interface().(type) {
	case *string:
		*x = map[string]string{"Size.Unit": "cm", "Weight.Unit": "kg", "Parcel.TemperatureControl": "frozen"}[name]
		if *x == "" {
			*x = "other"
		}
	case *int:
		*x += 7
	case *[]string:
		*x = append([]string{"other"}, *x...)
	case *shipping.Decimal:
		*x = shipping.MustDecimal("77")
	case *shipping.Instant:
		*x = shipping.At(x.Add(77 * time.Minute))
	case **float64:
		*x = ptr(7.0)
	case **shipping.Size:
		*x = &shipping.Size{Length: shipping.MustDecimal("1"), Width: shipping.MustDecimal("1"), Height: shipping.MustDecimal("1"), Unit: "in"}
	case **shipping.Weight:
		*x = &shipping.Weight{Value: shipping.MustDecimal("2"), Unit: "kg"}
	default:
		t.Fatalf("%s: no way to change a %s", name, v.Type())
	}
}

// quoteProbes say, for each field of a quote that rules see, a condition that tells.
var quoteProbes = map[string]struct {
	set  func(*shipping.Quote)
	when string
}{
	"ServiceID":      {func(q *shipping.Quote) { q.ServiceID = "other" }, `option.service == "other"`},
	"Mode":           {func(q *shipping.Quote) { q.Mode = "sea" }, `option.mode == "sea"`},
	"Vehicle":        {func(q *shipping.Quote) { q.Vehicle = "bike" }, `option.vehicle == "bike"`},
	"Amount":         {func(q *shipping.Quote) { q.Amount = usd(7) }, `option.fee == usd(0.07)`},
	"Tax":            {func(q *shipping.Quote) { q.Tax = usd(7) }, `option.tax == usd(0.07)`},
	"Pickup":         {func(q *shipping.Quote) { q.Pickup.StartsAt = shipping.At(friday.Add(time.Hour)) }, `option.pickup_in == hours(1) and option.pickup_late == hours(1)`},
	"Delivery":       {func(q *shipping.Quote) { q.Delivery.EndsAt = shipping.At(friday.Add(9 * time.Hour)) }, `option.dropoff_in == hours(9) and option.has_dropoff`},
	"TransitDays":    {func(q *shipping.Quote) { q.TransitDays = 7 }, `option.transit_days == 7`},
	"Guaranteed":     {func(q *shipping.Quote) { q.Guaranteed = true }, `option.guaranteed`},
	"DistanceMetres": {func(q *shipping.Quote) { q.DistanceMetres = 1609 }, `option.distance > km(1.6) and option.distance < mi(1)`},
}

func TestEveryQuoteFieldIsMappedOrLeftOut(t *testing.T) {
	typ := reflect.TypeFor[shipping.Quote]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		probe, seen := quoteProbes[name]
		if _, out := leftOut["Quote."+name]; out == seen {
			t.Errorf("Quote.%s: seen %v, left out %v", name, seen, out)
		}
		if !seen {
			continue
		}
		b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte("rules: 1\nexclude:\n  - { name: A, when: '" + probe.when + "' }\n")}}, rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		q := quote("ground", "Ground", 1033, 72*time.Hour)
		plan := b.Prepare(input(t, source()), []rules.Candidate{{Account: "ups"}})
		if d := b.Decide(plan, []rules.Offer{{Account: "ups", Quote: q}}); len(d.Excluded) != 0 {
			t.Errorf("Quote.%s: the probe holds already", name)
		}
		probe.set(&q)
		if d := b.Decide(plan, []rules.Offer{{Account: "ups", Quote: q}}); len(d.Excluded) != 1 {
			t.Errorf("Quote.%s is not seen by %s", name, probe.when)
		}
	}
}
