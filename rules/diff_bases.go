package rules

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/internal/logic"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// basesOf are orders to begin with where a rule does something else in its two forms: on the edge of what it bounds, with amounts from which
// a share shows, and with offers about the amounts that it names.
func (d *diffing) basesOf(h, g *head) []map[string]string {
	var plain, edges []map[string]string
	for _, base := range d.about(h, g) {
		switch h.phase {
		case "guard":
			edges = append(edges, d.atBounds(base, h, g)...)
		case "choose":
			edges = append(edges, d.keyed(base, d.now.b.ruleOf(g))...)
		}
		plain = append(plain, d.withFees(base, h.node, g.node)...)
		plain = append(plain, d.withAmounts(base)...)
	}
	bases := slices.Concat(edges, plain, []map[string]string{{}})
	for _, w := range plain {
		bases = append(bases, soon(w))
	}
	return bases
}

// soon is an order whose offers say when they arrive: of others, rules may say that they are too late.
func soon(w map[string]string) map[string]string {
	w = maps.Clone(w)
	w["option.dropoff_in"] = cmp.Or(w["option.dropoff_in"], "30m")
	return w
}

// about are orders to which a rule applies in both of its forms: with an offer of which a guard speaks in both, and in one alone.
func (d *diffing) about(h, g *head) []map[string]string {
	rule := logic.All(d.old.scoped(h), d.now.scoped(g))
	trees := []*logic.Tree{rule}
	if was, is := d.old.limits(h), d.now.limits(g); was != nil || is != nil {
		trees = []*logic.Tree{logic.All(rule, was, is)}
		if was != nil {
			trees = append(trees, logic.All(rule, is, logic.Negate(was)))
		}
		if is != nil {
			trees = append(trees, logic.All(rule, was, logic.Negate(is)))
		}
	}
	var out []map[string]string
	for _, t := range trees {
		if v, w := d.now.solver.Solve(t); v == logic.Possible || v == logic.Perhaps {
			out = append(out, readable(w.Values))
		}
	}
	if len(out) == 0 {
		out = append(out, map[string]string{})
	}
	return out
}

// limits says of which offers a guard speaks, nil where of all.
func (l *linter) limits(h *head) *logic.Tree {
	r, ok := l.b.ruleOf(h).(*guardRule)
	if !ok || r.applies == nil {
		return nil
	}
	return r.applies.Logic(l.currency).Resolve(l.names, l.lists)
}

// asking are a rule and the expressions beside its condition, each as a rule that has it for its condition.
func (l *linter) asking(h *head) []*head {
	out := []*head{h}
	values := l.b.valuesOf()[h]
	if r, ok := l.b.ruleOf(h).(*guardRule); ok && r.applies != nil {
		values = append(values, r.applies)
	}
	for _, f := range values {
		out = append(out, &head{name: h.name, when: f})
	}
	return out
}

// amountText is an amount in the currency of the rules, given in whole units.
func (d *diffing) amountText(n *big.Rat) string {
	currency := strings.TrimPrefix(d.now.b.usualFee(), "10 ")
	digits, _ := shipping.CurrencyDigits(currency)
	return n.FloatString(digits) + " " + currency
}

// withAmounts is an order with a total and offers from which also a small share comes to something.
func (d *diffing) withAmounts(base map[string]string) []map[string]string {
	var out []map[string]string
	for _, total := range []int64{12, 40, 1000, 100_000} {
		w := maps.Clone(base)
		w["order.total"] = d.amountText(big.NewRat(total, 1))
		out = append(out, w)
		w = maps.Clone(w)
		w["option.fee"] = w["order.total"]
		out = append(out, w)
	}
	return out
}

// keyed is an order under many keys, of which a split gives some to another part where its percentages have changed.
func (d *diffing) keyed(base map[string]string, r anyRule) []map[string]string {
	x, ok := r.(*chooseRule)
	if !ok || x.by == nil {
		return nil
	}
	path := strings.TrimSpace(x.by.Source)
	if !slices.Contains([]string{"order.id", "order.customer_id"}, path) {
		return nil
	}
	const keys = 300 // three for each hundredth
	dear := soon(base)
	if dear["order.total"] == "" {
		dear["order.total"] = d.amountText(big.NewRat(100, 1))
	}
	if shared := slices.IndexFunc(x.arms, func(a arm) bool { return a.to == "rank" }); shared >= 0 { // which puts another first
		account, _, _ := strings.Cut(x.arms[(shared+1)%len(x.arms)].to, "/")
		dear["option.provider"], dear["option.fee"] = account, d.amountText(big.NewRat(12, 1))
		if others := slices.DeleteFunc(slices.Clone(d.able()), func(p string) bool { return p == account }); len(others) > 0 {
			dear["other.provider"], dear["other.dropoff_in"], dear[quotesOf] = others[0], dear["option.dropoff_in"], these
		}
	}
	var out []map[string]string
	for n := range keys {
		w := maps.Clone(dear)
		w[path] = fmt.Sprintf("k%d", n)
		out = append(out, w)
	}
	return out
}

// atBounds are orders on the edge of what a guard bounds: within one of its two forms and beyond the other where the bounds differ, and a step
// beyond both where they are the same. What else the guard bounds is left within.
func (d *diffing) atBounds(base map[string]string, h, g *head) []map[string]string {
	x, ok1 := d.old.b.ruleOf(h).(*guardRule)
	y, ok2 := d.now.b.ruleOf(g).(*guardRule)
	if !ok1 || !ok2 {
		return nil
	}
	starts := []map[string]string{base}
	for _, total := range []int64{20, 100, 1000} {
		w := maps.Clone(base)
		w["order.total"] = d.amountText(big.NewRat(total, 1))
		starts = append(starts, w)
	}
	var out []map[string]string
	const own = "location.subsidy_budget" // which is more than anybody spends where a location has none
	for _, w := range starts {
		w = maps.Clone(w)
		for _, f := range formulasOf(x.maxFee, x.budget, y.maxFee, y.budget) {
			if f.Uses[own] {
				w[own] = d.amountText(big.NewRat(100, 1))
			}
		}
		if w["option.provider"] != "" {
			w[quotesOf] = these // a hold and a warning are about the offer that leads
		}
		late := w
		if x.maxDropoff > 0 || y.maxDropoff > 0 { // an offer that does not say when it arrives is beyond every such bound
			w = maps.Clone(w)
			w["option.dropoff_in"] = "1s"
		}
		out = append(out, d.atAmounts(w, x, y)...)
		if most := max(x.maxDropoff, y.maxDropoff); most > 0 {
			late = maps.Clone(late)
			if late["option.dropoff_in"] = time.Duration(most).String(); x.maxDropoff == y.maxDropoff {
				late["option.dropoff_in"] = time.Duration(most + Duration(time.Second)).String()
			}
			out = append(out, late)
		}
	}
	return out
}

// atAmounts are the orders of atBounds about a fee and about what was spent.
func (d *diffing) atAmounts(w map[string]string, x, y *guardRule) []map[string]string {
	old, err1 := d.old.b.attempt(w, "guard")
	now, err2 := d.now.b.attempt(w, "guard")
	d.now.work -= d.old.cost + d.now.cost
	if err1 != nil || err2 != nil {
		return nil
	}
	var out []map[string]string
	add := func(members map[string]string) {
		with := maps.Clone(w)
		maps.Copy(with, members)
		out = append(out, with)
	}
	if _, high, ok := both(old.comesTo(x.maxFee), now.comesTo(y.maxFee)); ok {
		add(map[string]string{"option.fee": high.String()})
		high.Minor++
		add(map[string]string{"option.fee": high.String()})
	}
	if low, _, ok := both(old.comesTo(x.budget), now.comesTo(y.budget)); ok {
		fee, spent := shipping.Money{Minor: 1, Currency: low.Currency}.String(), "budget."+x.name
		if x.per != y.per {
			add(map[string]string{"option.fee": fee, spent + ".spent": low.String(), spent + perLocation + ".spent": shipping.Money{Currency: low.Currency}.String()})
		}
		add(map[string]string{"option.fee": fee, spent + ".spent": low.String()})
	}
	return out
}

// comesTo is what an amount comes to for the first offer of an order, nil where there is none or it fails.
func (t *trial) comesTo(a *amount) *shipping.Money {
	if a == nil {
		return nil
	}
	r := t.b.start(RecordSchema, &t.d.Plan.Input, t.d.Plan.Candidates, &t.d.Plan.Set)
	defer r.close()
	if len(t.c.offers) > 0 {
		vars := r.optionOf(t.c.offers[0].Account, &t.c.offers[0].Quote)
		r.m.Vars["chosen"] = &vars
		r.look(&vars, stageQuote)
	}
	m, err := a.eval(r.m, r.order.Total)
	if err != nil {
		return nil
	}
	return &m
}

// both are the lower and the higher one of two amounts, of which one may be missing; false where both are, or they cannot be compared.
func both(a, b *shipping.Money) (low, high shipping.Money, ok bool) {
	if a, b = cmp.Or(a, b), cmp.Or(b, a); a == nil {
		return low, high, false
	}
	switch c, err := unit.CompareMoney(*a, *b); {
	case err != nil:
		return low, high, false
	case c > 0:
		return *b, *a, true
	}
	return *a, *b, true
}

// withFees is an order, and the same with offers about the amounts that a rule names in its two forms.
func (d *diffing) withFees(base map[string]string, nodes ...*yaml.Node) []map[string]string {
	var amounts []*big.Rat
	var read func(n *yaml.Node)
	read = func(n *yaml.Node) {
		if m := plainAmount.FindStringSubmatch(strings.TrimSpace(n.Value)); n.Kind == yaml.ScalarNode && m != nil {
			if r, ok := new(big.Rat).SetString(m[1]); ok && r.Sign() > 0 {
				amounts = append(amounts, r)
			}
		}
		for _, c := range n.Content {
			read(c)
		}
	}
	for _, n := range nodes {
		read(n)
	}
	slices.SortFunc(amounts, (*big.Rat).Cmp)
	out := []map[string]string{base}
	for i := 0; i+1 < min(len(amounts), 10); i++ {
		mid := new(big.Rat).Add(amounts[i], amounts[i+1])
		w := maps.Clone(base)
		w["option.fee"] = d.amountText(mid.Quo(mid, big.NewRat(2, 1)))
		out = append(out, w)
	}
	return out
}

// pairs are two offers, each better than the other by one of the fields that a ranking reads. Between such offers the one that leads changes with
// the weight of a field. Those that lie near each other come first.
func (d *diffing) pairs(vary []variable) []map[string]string {
	providers := d.able()
	var out []map[string]string
	for n := range 2 * min(len(providers)-1, 2) { // near, then far, of two pairs of providers
		for _, v := range vary {
			if !strings.HasPrefix(v.path, "option.") || v.path == "option.fee" || v.path == "option.provider" {
				continue
			}
			low, next, high := v.ends()
			if n%2 == 1 {
				next = high
			}
			for _, side := range [][2]string{{low, next}, {next, low}} {
				out = append(out, map[string]string{"option.provider": providers[0], "other.provider": providers[1+n/2], quotesOf: these,
					v.path: side[0], otherOffer + strings.TrimPrefix(v.path, "option."): side[1],
					"other.fee": d.amountText(big.NewRat(5, 1)), "order.total": d.amountText(big.NewRat(100, 1))}) // no guard of a share of it stops them
			}
		}
	}
	return out
}

// able are the providers that both bundles let carry a plain order; all, where less than two.
func (d *diffing) able() []string {
	old, err1 := d.old.b.attempt(map[string]string{}, "rank")
	now, err2 := d.now.b.attempt(map[string]string{}, "rank")
	all := d.now.b.providers
	if err1 != nil || err2 != nil {
		return all
	}
	var out []string
	for _, p := range all {
		able := func(o Option) bool { return o.Account == p && !o.Excluded }
		if slices.ContainsFunc(old.d.Options, able) && slices.ContainsFunc(now.d.Options, able) {
			out = append(out, p)
		}
	}
	if len(out) < 2 {
		return all
	}
	return out
}

// among are offers by themselves, and then in orders of several kinds: a score may weigh them otherwise there.
func among(pairs []map[string]string, vary []variable) []map[string]string {
	out := slices.Clone(pairs)
	for _, v := range vary {
		if root, _, _ := strings.Cut(v.path, "."); root == "option" || root+"." == otherOffer {
			continue
		}
		for _, value := range v.some() {
			for _, pair := range pairs[:min(len(pairs), 4)] {
				w := maps.Clone(pair)
				w[v.path] = value
				out = append(out, w)
			}
		}
	}
	return out
}

// some are a few values of a field that lie apart.
func (v *variable) some() []string {
	const few = 8
	var out []string
	for i := range min(few, len(v.numbers)) {
		out = append(out, v.text(v.numbers[i*len(v.numbers)/min(few, len(v.numbers))]))
	}
	return append(out, v.values[:min(few, len(v.values))]...)
}

// ends are a value of a field, one next to it, and one that lies further apart, yet not as far as it can.
func (v *variable) ends() (low, next, high string) {
	switch v.path {
	case "option.dropoff_in", "option.pickup_in":
		return "10m", "40m", "6h"
	case "option.transit_days":
		return "1", "2", "5"
	}
	if n := len(v.numbers); n > 0 {
		return v.text(v.numbers[n/4]), v.text(v.numbers[min(n/4+1, n-1)]), v.text(v.numbers[n*2/3])
	}
	n := len(v.values)
	return v.values[0], v.values[min(1, n-1)], v.values[n-1]
}

// doubled are fields, those of an offer for a second one too.
func doubled(vary []variable) []variable {
	for _, v := range slices.Clone(vary) {
		if member, ok := strings.CutPrefix(v.path, "option."); ok && member != "provider" {
			v.path = otherOffer + member
			vary = append(vary, v)
		}
	}
	return vary
}

// standIns are rules of no phase that stand for expressions.
func standIns(list ...[]*formula.Formula) []*head {
	var out []*head
	for _, f := range slices.Concat(list...) {
		out = append(out, &head{when: f})
	}
	return out
}
