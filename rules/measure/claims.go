package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/internal/formula"
)

// Proven is what came of holding lint against planted faults.
type Proven struct {
	Planted, Found int
	Shown          int // the witness was decided, and shows what the finding claims
	Plain          int // no order can show it, and the finding says so
	Missed         []string
}

// Planted lints the bundles of Faults and decides the witness of each.
func Planted() Proven {
	var p Proven
	for _, fault := range Faults {
		p.Planted++
		b := fault.Bundle()
		found := b.Lint(context.Background())
		i := slices.IndexFunc(found, func(f rules.Finding) bool { return f.Code == fault.Code })
		if i < 0 {
			p.Missed = append(p.Missed, fault.Name+": not found")
			continue
		}
		p.Found++
		d, err := b.Witness(found[i])
		if fault.Shown == nil && err != nil && found[i].NoWitness != "" {
			p.Plain++
			continue
		}
		if err == nil {
			_, err = rules.Explain(b, d)
		}
		if err != nil || fault.Shown == nil || !fault.Shown(d) {
			p.Missed = append(p.Missed, fmt.Sprintf("%s: the witness does not show it (%v)", fault.Name, err))
			continue
		}
		p.Shown++
	}
	return p
}

// Claims counts what lint said of random bundles, by code, and what of it is false for some order, or has a witness that does not show it.
type Claims struct {
	Bundles int
	Made    map[string]int
	False   []string // at most ten
}

// fragileOf is how many bundles there are for one whose rules may fail.
const fragileOf = 8

// RandomBundles lints n bundles of three rules drawn from seed, and tries what it says. Most of them never fail while they run: every order is
// tried that their conditions can tell apart. The rules of some may, in their conditions, their values and what they name, and are tried by
// deciding orders that are drawn, in one currency or in two, which are released, and wait, as long as a rule holds them.
// progress is called now and then with the number so far; it may be nil.
func RandomBundles(n, workers int, seed uint64, progress func(done int)) Claims {
	sum := Claims{Made: map[string]int{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	base := mustInput(Source())
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				try := claims
				if i%fragileOf == 0 {
					try = fragile
				}
				made, wrong := try(rand.New(rand.NewPCG(seed, uint64(i))), base)
				mu.Lock()
				sum.Bundles++
				for _, code := range made {
					sum.Made[code]++
				}
				sum.False = append(sum.False, wrong...)
				sum.False = sum.False[:min(len(sum.False), 10)]
				if progress != nil {
					progress(sum.Bundles)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sum
}

// shapes are the phases that a random bundle has its rules in, with what a rule of it says beside its condition; one of them is drawn.
var shapes = map[string][]string{
	"hold":    {"until: released"},
	"exclude": {"providers: [ups], reason: r", "providers: [ups], reason: s", "providers: [doordash], reason: r"},
	"set":     {"set: { signature: adult }"},
	"choose":  {"prefer: [ups]"},
}

var ruleNames = []string{"A", "B", "C"}

// claims draws one bundle, and returns the codes of what lint says, and what of it is false.
func claims(r *rand.Rand, base rules.Input) (made, wrong []string) {
	phase := []string{"hold", "exclude", "set", "choose"}[r.IntN(4)]
	t := truth{worlds: orderWorlds, tables: map[string][]bool{}, of: map[string]string{}}
	atom := orderAtom
	if r.IntN(2) == 0 {
		t.worlds, atom = clockWorlds, clockAtom
	}
	conditions := make([]string, len(ruleNames))
	text := phase + ":\n"
	for i, name := range ruleNames {
		conditions[i] = randomCondition(r, 3, atom)
		t.of[name] = shapes[phase][r.IntN(len(shapes[phase]))]
		text += fmt.Sprintf("  - { name: %s, %s, when: '%s' }\n", name, t.of[name], conditions[i])
	}
	const head = "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"
	b := mustLoad(head + text)
	for _, f := range b.Lint(context.Background()) {
		if len(t.tables) == 0 {
			t.fill(conditions, base)
		}
		holds, known := t.holds(f)
		if !known {
			continue
		}
		made = append(made, f.Code)
		if holds && f.Witness != nil {
			holds = shown(b, f)
		}
		if !holds || (f.Witness == nil) == (f.NoWitness == "") {
			wrong = append(wrong, fmt.Sprintf("%s %v\n%s", f.Code, f.Problem, text))
		}
	}
	return made, wrong
}

// shown decides the witness of a finding, and reports whether the decision shows what is found.
func shown(b *rules.Bundle, f rules.Finding) bool {
	d, err := b.Witness(f)
	if err != nil {
		return false
	}
	rule, others := named(f)
	out := func(rule string) bool {
		return slices.ContainsFunc(d.Excluded, func(x rules.Exclusion) bool { return x.Rule == rule })
	}
	switch f.Code {
	case "W601":
		return !slices.Contains(d.Hits(), rule)
	case "W602":
		return d.Plan.Hold != nil || d.Choose != nil || slices.Contains(d.Hits(), rule)
	case "W603":
		return d.Choose != nil && d.Choose.Rule != rule
	case "W604":
		return out(rule) && out(others[0])
	case "W616":
		return len(d.Fallback) > 1 && !speaks(d, rule)
	case "W618":
		return breaches(d, rule) && breaches(d, others[0])
	case "W622":
		return true // that it applies is no more than W602 shows
	case "W626":
		return failed(d, rule)
	case "W631":
		return d.Plan.Hold != nil && d.Plan.Hold.Rule != rule
	case "W605", "W606":
		return slices.ContainsFunc(d.Plan.Set.By, func(a rules.Assignment) bool { return a.Rule == rule && a.OverwrittenBy != "" })
	case "W607":
		return len(d.Plan.Ask) == 0
	}
	return len(d.Plan.Ask) < len(b.Providers())
}

// named are the rule that a finding is about, and the others that it names.
func named(f rules.Finding) (rule string, others []string) {
	rule, _, _ = strings.Cut(strings.TrimPrefix(f.Where, `rule "`), `"`)
	for i, part := range strings.Split(f.Sentence, `"`) {
		if i%2 == 1 {
			others = append(others, part)
		}
	}
	return rule, others
}

// providerOf is the provider that a finding says is never used.
func providerOf(f rules.Finding) string {
	_, rest, _ := strings.Cut(f.Sentence, "provider ")
	provider, _, _ := strings.Cut(rest, " ")
	return provider
}

// truth is for which orders the rules of a bundle hold; of is what a rule says beside its condition.
type truth struct {
	worlds func(rules.Input, func(*rules.Order, *rules.Local))
	tables map[string][]bool
	of     map[string]string
}

// holds reports whether a finding is true, where that can be said.
func (t *truth) holds(f rules.Finding) (holds, known bool) {
	rule, others := named(f)
	mine := t.tables[rule]
	theirs := func(order int) bool {
		return slices.ContainsFunc(others, func(other string) bool { return t.tables[other] != nil && t.tables[other][order] })
	}
	switch f.Code {
	case "W601":
		return !slices.Contains(mine, true), true
	case "W602":
		return !slices.Contains(mine, false), true
	case "W603", "W604", "W605", "W631":
		return !slices.ContainsFunc(orders(mine), func(i int) bool { return mine[i] && !theirs(i) }), true
	case "W606":
		return slices.ContainsFunc(orders(mine), func(i int) bool { return mine[i] && theirs(i) }), true
	case "W607":
		return slices.ContainsFunc(orders(mine), func(i int) bool { return t.out("ups", i) && t.out("doordash", i) }), true
	case "W608":
		provider := providerOf(f)
		return !slices.ContainsFunc(orders(mine), func(i int) bool { return !t.out(provider, i) }), true
	}
	return false, false
}

// out reports whether a rule excludes a provider from one order.
func (t *truth) out(provider string, order int) bool {
	return slices.ContainsFunc(ruleNames, func(name string) bool {
		return strings.Contains(t.of[name], provider) && t.tables[name][order]
	})
}

func orders(table []bool) []int {
	list := make([]int, len(table))
	for i := range list {
		list[i] = i
	}
	return list
}

// totals are those that orderAtom names, with one below, between and above them.
var totals = []int64{-100, 0, 50, 100, 150, 200, 250, 300, 350}

// fill says of each condition for which orders it holds, of all that conditions of the kind can tell apart.
func (t *truth) fill(conditions []string, base rules.Input) {
	env := &formula.Env{Vars: map[string]any{"order": rules.Order{}, "local": rules.Local{}}}
	m := formula.NewMachine()
	defer m.Release()
	for i, name := range ruleNames {
		f, problem := env.Compile(conditions[i], formula.Bool)
		if problem != nil {
			panic(problem.Message) // lint has loaded it
		}
		t.worlds(base, func(o *rules.Order, l *rules.Local) {
			m.Vars["order"], m.Vars["local"] = o, l
			holds, err := m.Eval(f)
			t.tables[name] = append(t.tables[name], err == nil && holds.(bool))
		})
	}
}

// orderWorlds are the orders that conditions of orderAtom can tell apart.
func orderWorlds(base rules.Input, see func(*rules.Order, *rules.Local)) {
	o := base.Order
	for quantity := range 5 {
		for _, total := range totals {
			for place := range 10 {
				for asap := range 2 {
					o.Quantity, o.Total, o.ASAP = quantity, usd(total), asap == 1
					o.To.State, o.To.City = []string{"MA", "NY", "CA", "TX", "other"}[place/2], []string{"Boston", "Austin"}[place%2]
					see(&o, &base.Local)
				}
			}
		}
	}
}

// clockWorlds are the moments that conditions of clockAtom can tell apart, each with an order that is urgent and one that is not.
func clockWorlds(base rules.Input, see func(*rules.Order, *rules.Local)) {
	o := base.Order
	for i := range moments() {
		for asap := range 2 {
			o.ASAP = asap == 1
			see(&o, &moments()[i])
		}
	}
}

// moments are the minutes about every time that clockAtom names, on a week before, among and after its days.
var moments = sync.OnceValue(func() []rules.Local {
	var out []rules.Local
	for day := range 21 {
		for _, minute := range []int{0, 1, 59, 60, 179, 180, 181, 239, 240, 359, 360, 539, 540, 719, 720, 721, 779, 780, 999, 1000, 1001, 1319, 1320, 1321, 1379, 1380, 1439} {
			src := Source()
			src.Location.Zone = time.UTC
			src.Now = time.Date(2026, 4, 1+day, 0, minute, 0, 0, time.UTC)
			out = append(out, mustInput(src).Local)
		}
	}
	return out
})

// randomCondition is a condition over few values, so that every order can be tried.
func randomCondition(r *rand.Rand, depth int, atom func(*rand.Rand) string) string {
	if depth > 0 {
		switch r.IntN(4) {
		case 0:
			return "(" + randomCondition(r, depth-1, atom) + " and " + randomCondition(r, depth-1, atom) + ")"
		case 1:
			return "(" + randomCondition(r, depth-1, atom) + " or " + randomCondition(r, depth-1, atom) + ")"
		case 2:
			return "not (" + randomCondition(r, depth-1, atom) + ")"
		}
	}
	return atom(r)
}

func orderAtom(r *rand.Rand) string {
	n := r.IntN(4)
	op := comparisons[r.IntN(len(comparisons))]
	switch r.IntN(6) {
	case 0:
		return fmt.Sprintf("order.quantity %s %d", op, n)
	case 1:
		return fmt.Sprintf("usd(%d) %s order.total", n, op)
	case 2:
		return fmt.Sprintf("order.to.state %s %q", []string{"==", "!="}[r.IntN(2)], []string{"MA", "NY", "CA", "TX"}[n])
	case 3:
		return `order.to.state in ["MA", "NY"]`
	case 4:
		return `order.to.city startsWith "B"` // not understood
	}
	return "order.asap"
}

// clockAtom speaks of one moment in all the ways in which rules can.
func clockAtom(r *rand.Rand) string {
	n := r.IntN(4)
	op := comparisons[r.IntN(len(comparisons))]
	switch r.IntN(9) {
	case 0:
		return fmt.Sprintf("local.hour %s %s", op, []string{"0", "3", "12", "22.5"}[n])
	case 1:
		return fmt.Sprintf("local.minute_of_day %s %d", op, []int{180, 720, 1000, 1320}[n])
	case 2:
		return fmt.Sprintf("local.time %s %q", op, []string{"00:00", "03:00", "12:00", "22:00"}[n])
	case 3:
		return fmt.Sprintf("local.date %s %q", op, []string{"2026-04-09", "2026-04-10", "2026-04-12", "2026-04-13"}[n])
	case 4:
		return fmt.Sprintf("local.weekday %s %q", []string{"==", "!="}[r.IntN(2)], []string{"mon", "thu", "fri", "sun"}[n])
	case 5:
		return `local.weekday in ["sat", "sun"]`
	case 6:
		return []string{`time_between("22:00", "06:00")`, `time_between("09:00", "12:00")`}[n%2]
	case 7:
		return []string{`local.hour in [3, 12]`, `local.time in ["03:00", "12:00"]`}[n%2]
	}
	return "order.asap"
}
