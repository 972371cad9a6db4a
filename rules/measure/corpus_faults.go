package measure

import (
	"slices"

	"github.com/waybill-dev/waybill/rules"
)

// Fault is a bundle with one thing in it that is sound and not meant. Code is that of the finding; Shown says whether a decision of
// the finding's witness shows what the finding claims; it is nil where no order can, and the finding has to say so.
type Fault struct {
	Name  string
	Code  string
	Shown func(rules.Decision) bool
	text  string
}

// Bundle is the fault's bundle.
func (f Fault) Bundle() *rules.Bundle { return mustLoad(lintHead + f.text + "\n") }

const lintHead = "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"

// Faults are the planted faults, of every kind that lint knows by itself.
var Faults = []Fault{
	{"never by numbers", "W601", rests, "exclude: [{ name: A, when: order.weight > lb(60) and order.weight < lb(50) }]"},
	{"never by texts", "W601", rests, "exclude: [{ name: A, when: order.to.state == \"MA\" and order.to.state == \"NY\" }]"},
	{"never by providers", "W601", rests, "exclude: [{ name: A, when: option.provider == \"ups\", providers: [doordash] }]"},
	{"never by dates", "W601", rests, "warn: [{ name: A, when: 'date_between(\"2026-01-01\", \"2026-01-31\")', from: \"2026-12-01\", message: m }]"},
	{"always", "W602", acts, "warn: [{ name: A, when: order.quantity > 5 or order.quantity <= 5, message: m }]"},
	{"always by a share", "W602", excludes("A"), "exclude: [{ name: A, when: option.on_time_rate_30d < 90, providers: [ups] }]"},
	{"always by a domain", "W602", acts, "warn: [{ name: A, when: order.quantity >= 0, message: m }]"},
	{"choose out of reach", "W603", chooses("A"), "choose: [{ name: A, when: order.total > usd(10), prefer: [ups] }, { name: B, when: order.total > usd(20), prefer: [doordash] }]"},
	{"choose out of reach by two", "W603", chooses("A"), "choose: [{ name: A, when: not order.gift, prefer: [ups] }, { name: C, when: order.gift, prefer: [ups] }, { name: B, when: order.paid, prefer: [doordash] }]"},
	{"hold that comes second", "W631", held("A"), "hold: [{ name: A, until: released }, { name: B, when: order.to.state == \"MA\", until: released }]"},
	{"exclude in another", "W604", excludes("A", "B"), "exclude: [{ name: A, when: order.weight > lb(50), providers: [ups] }, { name: B, when: order.weight > lb(60), providers: [ups] }]"},
	{"set always overwritten", "W605", overwrites, "set: [{ name: A, when: order.total > usd(20), set: { signature: direct } }, { name: B, when: order.total > usd(10), set: { signature: adult } }]"},
	{"set sometimes overwritten", "W606", overwrites, "set: [{ name: A, when: order.asap, set: { signature: direct } }, { name: B, when: order.total > usd(10), set: { signature: adult } }]"},
	{"nobody is left", "W607", nobody, "exclude: [{ name: A, when: order.weight > lb(50), providers: [ups] }, { name: B, when: order.weight > lb(60), providers: [doordash] }]"},
	{"a provider never left", "W608", excludes("A"), "exclude: [{ name: A, providers: [ups] }]"},
	{"a list for nothing", "W609", nil, "lists: { zips: [\"1\"] }"},
	{"a let for nothing", "W610", nil, "let: { dear: order.total > usd(5) }"},
	{"an attribute for nothing", "W611", nil, "attributes: [gift]"},
	{"times the wrong way round", "W612", acts, "warn: [{ name: A, when: 'time_between(\"20:30\", \"17:30\")', message: m }]"},
	{"a patch for nothing", "W614", adjusts("A"), "adjust: [{ name: A, add: 2.00 }]\nlocations: { x: { adjust: { A: { add: 2.00 } } } }"},
	{"a fallback twice", "W615", falls("A"), "fallback: [{ name: A, on: [no_driver], steps: [{ use: ups }, { use: ups }] }]"},
	{"a fallback out of reach", "W616", falls("A"), "fallback: [{ name: A, on: [no_driver], steps: [next_ranked] }, { name: B, when: order.asap, on: [no_driver], steps: [{ notify: x }] }]"},
	{"computed numbers", "W617", acts, "warn: [{ name: A, when: dollars(chosen.fee) == 12.5, message: m }]"},
	{"a guard above another", "W618", guards("A", "B"), "guard: [{ name: A, max_fee: 10.00, on_breach: next }, { name: B, max_fee: 12.00, on_breach: next }]"},
	{"an adjustment of nothing", "W619", adjusts("A"), "adjust: [{ name: A, add: 0.00 }]"},
	{"a choice twice", "W621", chooses("A"), "choose: [{ name: A, prefer: [ups, ups/ground] }]"},
	{"a part for nothing", "W622", acts, "warn: [{ name: A, when: order.weight > lb(50) and order.weight > lb(60), message: m }]"},
	{"an empty part of a split", "W623", chooses("A"), "choose: [{ name: A, split: { ups: 0, rank: 100 } }]"},
	{"a choice that is out", "W624", gone, "exclude: [{ name: A, when: order.weight > lb(50), providers: [ups] }]\nchoose: [{ name: B, when: order.weight > lb(55), prefer: [ups] }]"},
	{"an item that may not be there", "W626", fails, "warn: [{ name: A, when: 'order.items[0].sku == \"x\"', message: m }]"},
	{"too few attempts", "W625", falls("A"), "fallback: [{ name: A, on: [no_driver], steps: [next_ranked, next_ranked, next_ranked], limit: { attempts: 2 } }]"},
}

// In the bundles the rule with the fault, or the one that it is in the way of, is called A or B.

func acts(d rules.Decision) bool    { return slices.Contains(d.Hits(), "A") }
func rests(d rules.Decision) bool   { return decides(d) && !acts(d) }
func decides(d rules.Decision) bool { return d.Winner != nil }
func nobody(d rules.Decision) bool  { return d.Winner == nil && d.Hold == nil && d.Plan.Hold == nil }

func adjusts(rule string) func(rules.Decision) bool {
	return func(d rules.Decision) bool {
		return slices.ContainsFunc(d.Adjusted, func(a rules.Adjustment) bool { return a.Rule == rule })
	}
}

func chooses(rule string) func(rules.Decision) bool {
	return func(d rules.Decision) bool { return d.Choose != nil && d.Choose.Rule == rule }
}

func held(rule string) func(rules.Decision) bool {
	return func(d rules.Decision) bool { return d.Plan.Hold != nil && d.Plan.Hold.Rule == rule }
}

// excludes tells whether one account is out by each of the rules.
func excludes(names ...string) func(rules.Decision) bool {
	return func(d rules.Decision) bool {
		by := map[string]map[string]bool{}
		for _, x := range d.Excluded {
			if by[x.Account] == nil {
				by[x.Account] = map[string]bool{}
			}
			by[x.Account][x.Rule] = true
		}
		for _, found := range by {
			if !slices.ContainsFunc(names, func(n string) bool { return !found[n] }) {
				return true
			}
		}
		return false
	}
}

func overwrites(d rules.Decision) bool {
	return slices.ContainsFunc(d.Plan.Set.By, func(a rules.Assignment) bool { return a.Rule == "A" && a.OverwrittenBy == "B" })
}

func fails(d rules.Decision) bool {
	return slices.ContainsFunc(slices.Concat(d.Plan.Faults, d.Faults), func(f rules.Fault) bool { return f.Rule == "A" })
}

func falls(rule string) func(rules.Decision) bool {
	return func(d rules.Decision) bool { f, ok := d.FallbackFor("no_driver"); return ok && f.Rule == rule }
}

// guards tells whether each of the rules objects to one option.
func guards(names ...string) func(rules.Decision) bool {
	return func(d rules.Decision) bool {
		return !slices.ContainsFunc(names, func(n string) bool {
			return !slices.ContainsFunc(d.Guards, func(b rules.Breach) bool { return b.Guard == n })
		})
	}
}

// gone tells whether a rule of choose named what an exclude had taken out.
func gone(d rules.Decision) bool { return chooses("B")(d) && excludes("A")(d) }
