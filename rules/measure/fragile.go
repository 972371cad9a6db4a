package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// fragileShapes are what rules of a phase say beside their condition, where conditions and values may fail; one of them is drawn.
var fragileShapes = map[string][]string{
	"hold":    {"until: released", "until: released", "for: 5m", "until: order.ready_at"},
	"exclude": {"providers: [ups], reason: r", "providers: [doordash], reason: r"},
	"set": {"set: { tip: 5.00 USD }", "set: { tip: 10%, signature: adult }", "set: { tip: 'order.items[0].price * 2' }", "set: { signature: direct }",
		"set: { ship_date: 'order.ready_at + minutes(order.total / order.subtotal)' }", "set: { ship_date: order.ready_at }"},
	"choose": {"prefer: [ups]", "only: [doordash]", "split: { ups: 10, rank: 90, by: 'order.tags[0]', experiment: e }"},
	"fallback": {"on: [no_driver], steps: [next_ranked]", "on: [no_driver, booking_failed], steps: [{ use: ups }]",
		"on: [no_driver], steps: [next_ranked], limit: { attempts: 2, extra_cost: 'order.items[0].price' }"},
	"guard": {"max_fee: 10.00 USD, on_breach: next", "max_fee: 12.00 USD, on_breach: next", "max_fee: 10.00 USD, on_breach: hold", "max_fee: 12.00 USD, on_breach: hold",
		"max_fee: 12.00 USD, on_breach: next, applies: 'order.items[0].quantity > 1'", "max_fee: 12.00 USD, on_breach: warn", "max_fee: 10.00 USD, on_breach: warn"},
}

var fragilePhases = []string{"hold", "exclude", "set", "choose", "fallback", "guard"}

// drawn is one bundle of rules of one phase that may fail while they run.
type drawn struct {
	phase      string
	unsaid     bool // the bundle has no currency
	foreign    bool // orders and offers come in two
	conditions []parts
	says       []string
}

// parts are a condition, and the two that it was made of, where it was.
type parts struct{ whole, left, right string }

func draw(r *rand.Rand) drawn {
	d := drawn{phase: fragilePhases[r.IntN(len(fragilePhases))], foreign: r.IntN(2) == 0}
	d.unsaid = d.foreign && r.IntN(2) == 0
	for range ruleNames {
		p := parts{left: randomCondition(r, 2, fragileAtom), right: randomCondition(r, 1, fragileAtom)}
		if n := len(d.conditions); n > 0 && r.IntN(2) == 0 { // one that says something of another
			p.left = d.conditions[r.IntN(n)].left
		}
		switch r.IntN(3) {
		case 0:
			p.whole = p.left + " and " + p.right
		case 1:
			p.whole = p.left + " or " + p.right
		default:
			p = parts{whole: p.left, left: p.left}
		}
		shapes := fragileShapes[d.phase]
		d.conditions, d.says = append(d.conditions, p), append(d.says, shapes[r.IntN(len(shapes))])
	}
	return d
}

// text is the bundle; a condition may be given in the place of that of one rule.
func (d *drawn) text(rule int, instead string) string {
	var s strings.Builder
	s.WriteString("rules: 1\nproviders: [ups, doordash]\nattributes: [plan]\n")
	if !d.unsaid {
		s.WriteString("currency: USD\n")
	}
	var body strings.Builder
	for i, name := range ruleNames {
		when := d.conditions[i].whole
		if i == rule {
			when = instead
		}
		fmt.Fprintf(&body, "  - { name: %s, %s, when: '%s' }\n", name, d.says[i], when)
	}
	let := "let:\n"
	for _, x := range [][2]string{{"risky", "order.items[0].quantity > 1"}, {"ratio", "order.total / order.subtotal"}, {"dear", "order.total > usd(50)"}} {
		if strings.Contains(body.String(), x[0]) {
			s.WriteString(let + "  " + x[0] + ": '" + x[1] + "'\n")
			let = ""
		}
	}
	return s.String() + d.phase + ":\n" + body.String()
}

// fragileAtom speaks of what is always there and of what may be missing.
func fragileAtom(r *rand.Rand) string {
	atoms := []string{
		"order.gift", "order.gift", "order.asap", "order.has_promise", "order.paid", fmt.Sprintf("order.quantity > %d", r.IntN(3)), fmt.Sprintf("order.total > usd(%d)", 40*r.IntN(3)), "dear",
		"order.items[0].quantity > 1", "order.items[0].price > usd(2)", "order.total / order.subtotal > 1.5", `order.attributes.plan == "gold"`, "risky", "ratio > 1.5",
		"any(order.items, .quantity > 1)", "len(order.items) > 0", `order.tags[0] == "vip"`, `"vip" in order.tags`, "(order.gift ? order.items[0].quantity : 2) > 1",
		"order.quantity % order.line_count == 0", "order.total - order.subtotal > usd(50)", "max(order.quantity, order.items[0].quantity) > 1", "minutes(ratio) > minutes(1)",
		"order.total * 0.5 > order.subtotal", "any(order.items, .tags[0] == \"x\")", "true", "dollars(order.total) / order.quantity > 30",
		"order.quantity / order.line_count > 1", "(order.gift ? ratio : 1.0) > 1.5", "any(order.items, .quantity > 1 and risky)",
	}
	return atoms[r.IntN(len(atoms))]
}

// someWorlds is how many orders a fragile bundle is tried with; they are drawn anew for each.
const someWorlds = 120

// world is an order with what carriers ask for it; refused are the offers in another currency than the order's, which the engine leaves out.
type world struct {
	in      rules.Input
	offers  []rules.Offer
	refused []rules.Refused
}

// offer adds what an account asks, in one of two currencies where d is foreign.
func (w *world) offer(r *rand.Rand, d *drawn, o rules.Offer) {
	currency := w.in.Order.Total.Currency
	if d.foreign && r.IntN(4) == 0 {
		o.Quote.Amount.Currency = []string{"USD", "EUR"}[r.IntN(2)]
	} else {
		o.Quote.Amount.Currency = currency
	}
	if o.Quote.Amount.Currency != currency {
		w.refused = append(w.refused, rules.CurrencyMismatch(o, o.Account, currency))
		return
	}
	w.offers = append(w.offers, o)
}

func (d *drawn) worlds(r *rand.Rand, base rules.Input) []world {
	out := make([]world, someWorlds)
	for i := range out {
		in := base
		o := &in.Order
		o.Gift, o.Paid, o.Quantity = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(3)
		o.ASAP, o.HasPromise = r.IntN(2) == 0, false
		if !o.ASAP {
			o.HasPromise = r.IntN(2) == 0
		}
		currency := "USD"
		if d.foreign && r.IntN(2) == 0 {
			currency = "EUR"
		}
		money := func(minor int64) shipping.Money { return shipping.Money{Minor: minor, Currency: currency} }
		o.Total, o.Subtotal = money([]int64{0, 4000, 4500, 6000, 9000}[r.IntN(5)]), money([]int64{0, 0, 1000, 5000}[r.IntN(4)])
		o.Items, o.Tags, o.Attributes = nil, nil, nil
		for range r.IntN(3) {
			item := rules.Item{SKU: "A", Quantity: 1 + r.IntN(3), Price: money([]int64{100, 300}[r.IntN(2)])}
			if r.IntN(2) == 0 {
				item.Tags = []string{"x"}
			}
			o.Items = append(o.Items, item)
		}
		o.Lines = len(o.Items)
		o.Tags = [][]string{nil, {"vip"}, {"a", "vip"}}[r.IntN(3)]
		if r.IntN(2) == 0 {
			o.Attributes = map[string]string{"plan": []string{"", "gold"}[r.IntN(2)]}
		}
		o.ReadyAt = in.Local.Now.Add(time.Duration(r.IntN(3)-1) * time.Hour)
		out[i].in = in
		out[i].offer(r, d, rules.Offer{ID: "1", Account: "ups", Quote: quote("ground", "Ground", []int64{500, 1100, 1300}[r.IntN(3)], time.Hour)})
		out[i].offer(r, d, rules.Offer{ID: "2", Account: "doordash", Quote: quote("delivery", "Delivery", 1150, time.Hour)})
	}
	return out
}

// fragile draws one bundle whose rules may fail, and returns the codes of what lint says, and what of it is false: here the rules themselves
// tell, by what they decide.
func fragile(r *rand.Rand, base rules.Input) (made, wrong []string) {
	d := draw(r)
	text := d.text(-1, "")
	b := mustLoad(text)
	var told []telling
	every := func(currency string) []telling {
		if told == nil {
			for _, w := range d.worlds(r, base) {
				told = append(told, tell(b, w))
			}
		}
		return slices.DeleteFunc(slices.Clone(told), func(t telling) bool { return !spokenOf(currency, t.d.Plan.Input) })
	}
	for _, f := range b.Lint(context.Background()) {
		holds, known := d.holds(f, every, base, r)
		if !known {
			continue
		}
		made = append(made, f.Code)
		if holds && f.Witness != nil && (d.phase != "guard" || f.Code != "W602") { // a guard that nothing goes beyond leaves no trace
			holds = shown(b, f)
		}
		if !holds || (f.Witness == nil) == (f.NoWitness == "") {
			wrong = append(wrong, fmt.Sprintf("%s %v\n%s", f.Code, f.Problem, text))
		}
	}
	return made, wrong
}

// spokenOf reports whether what is said of orders in a currency, "" for any, speaks of one.
func spokenOf(currency string, in rules.Input) bool {
	return currency == "" || in.Order.Total.Currency == currency
}

// telling is what rules have made of one order.
type telling struct {
	d     rules.Decision
	first string            // the rule that holds it as it comes
	after map[string]bool   // rules that hold it at some time, as it is released and waits
	paths map[string][]bool // of the rules that hold it: for each other rule, by its place, whether it held before, each time
}

var twoCandidates = []rules.Candidate{{Account: "doordash"}, {Account: "ups"}}

func tell(b *rules.Bundle, w world) telling {
	t := telling{after: map[string]bool{}, paths: map[string][]bool{}}
	var walk func(in rules.Input, before []string)
	walk = func(in rules.Input, before []string) {
		h := b.Prepare(in, twoCandidates).Hold
		if h == nil || len(before) > 2*len(ruleNames) {
			return
		}
		if len(before) == 0 {
			t.first = h.Rule
		}
		t.after[h.Rule] = true
		for _, name := range ruleNames {
			t.paths[h.Rule+name] = append(t.paths[h.Rule+name], slices.Contains(before, name))
		}
		before = append(slices.Clip(before), h.Rule)
		released := in
		released.Released = append(slices.Clip(in.Released), h.Rule)
		walk(released, before)
		if !h.Until.IsZero() { // it is looked at again when that has come
			in.Local.Now, in.Waited = h.Until, append(slices.Clip(in.Waited), h.Rule)
			walk(in, before)
		}
	}
	walk(w.in, nil)
	in := w.in
	in.Released = slices.DeleteFunc(slices.Clone(ruleNames), func(name string) bool { return !t.after[name] })
	t.d = b.Decide(b.Prepare(in, twoCandidates), w.offers, w.refused...)
	return t
}

// holds reports whether nothing that was decided speaks against a finding, where that can be said. What a finding says of some order, its witness
// shows.
func (d *drawn) holds(f rules.Finding, told func(currency string) []telling, base rules.Input, r *rand.Rand) (holds, known bool) {
	rule, others := named(f)
	var against func(telling) bool
	switch f.Code {
	case "W601":
		against = func(t telling) bool { return t.after[rule] || slices.Contains(t.d.Hits(), rule) }
	case "W602":
		if strings.Contains(d.says[slices.Index(ruleNames, rule)], "order.") || d.phase == "guard" && d.foreign { // what fails may be its value
			return false, false
		}
		against = func(t telling) bool { return failed(t.d, rule) || d.rests(t, rule) }
	case "W603":
		against = func(t telling) bool { return t.after[rule] || t.d.Choose != nil && t.d.Choose.Rule == rule }
	case "W604":
		against = func(t telling) bool { return out(t.d, rule) && !out(t.d, others[0]) }
	case "W605":
		against = func(t telling) bool {
			return slices.ContainsFunc(t.d.Plan.Set.By, func(a rules.Assignment) bool { return a.Rule == rule && a.OverwrittenBy == "" })
		}
	case "W606", "W607":
		return f.Witness != nil, true
	case "W626":
		some := f.Witness != nil || slices.ContainsFunc(told(""), func(t telling) bool { return failed(t.d, rule) })
		return some, some
	case "W608":
		provider := providerOf(f)
		against = func(t telling) bool {
			return slices.ContainsFunc(t.d.Plan.Ask, func(a rules.Ask) bool { return a.Account == provider })
		}
	case "W616":
		against = func(t telling) bool { return speaks(t.d, rule) }
	case "W618":
		against = func(t telling) bool { return breaches(t.d, rule) && !breaches(t.d, others[0]) }
	case "W622":
		return d.idle(f, rule, base, r)
	case "W631":
		against = func(t telling) bool {
			return t.first == rule || t.unannounced(rule, others)
		}
	default:
		return false, false
	}
	return !slices.ContainsFunc(told(f.Currency), against), true
}

// unannounced reports whether a rule has held the order without one of some others having held it before.
func (t *telling) unannounced(rule string, others []string) bool {
	for i := range t.paths[rule+ruleNames[0]] {
		if !slices.ContainsFunc(others, func(other string) bool { return t.paths[rule+other][i] }) {
			return true
		}
	}
	return false
}

// rests reports whether a rule whose turn it was has done nothing.
func (d *drawn) rests(t telling, rule string) bool {
	switch d.phase {
	case "exclude", "set", "fallback":
		return t.d.Hold == nil && !slices.Contains(t.d.Hits(), rule)
	case "choose":
		return t.d.Choose == nil
	}
	return false
}

func failed(d rules.Decision, rule string) bool {
	return slices.ContainsFunc(d.Faults, func(f rules.Fault) bool { return f.Rule == rule })
}

func out(d rules.Decision, rule string) bool {
	return slices.ContainsFunc(d.Excluded, func(x rules.Exclusion) bool { return x.Rule == rule })
}

func breaches(d rules.Decision, guard string) bool {
	return slices.ContainsFunc(d.Guards, func(x rules.Breach) bool { return x.Guard == guard })
}

func speaks(d rules.Decision, rule string) bool {
	return slices.ContainsFunc([]string{"no_driver", "booking_failed"}, func(event string) bool {
		f, ok := d.FallbackFor(event)
		return ok && f.Rule == rule
	})
}

// idle reports whether the rules decide the same without a part of a condition, where it is one of the two that were drawn.
func (d *drawn) idle(f rules.Finding, rule string, base rules.Input, r *rand.Rand) (same, known bool) {
	i := slices.Index(ruleNames, rule)
	p := d.conditions[i]
	_, part, _ := strings.Cut(f.Sentence, "makes no difference: ")
	instead := p.left
	switch bare(part) {
	case bare(p.left):
		instead = p.right
	case bare(p.right):
	default:
		return false, false
	}
	if p.right == "" {
		return false, false
	}
	with, without := mustLoad(d.text(-1, "")), mustLoad(d.text(i, instead))
	return !slices.ContainsFunc(d.worlds(r, base), func(w world) bool {
		return spokenOf(f.Currency, w.in) && summary(tell(with, w)) != summary(tell(without, w))
	}), true
}

func bare(condition string) string {
	return strings.NewReplacer("(", "", ")", "", " ", "").Replace(condition)
}

// summary is what rules have done, and which of them failed.
func summary(t telling) string {
	faults := map[string]bool{}
	for _, f := range t.d.Faults {
		faults[f.Rule] = true
	}
	return fmt.Sprint(t.first, t.after, t.d.Hits(), faults)
}
