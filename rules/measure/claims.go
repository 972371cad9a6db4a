package measure

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/internal/formula"
)

// Proven is what came of holding lint against planted faults.
type Proven struct {
	Planted, Found int
	Shown          int // the witness was decided, and shows what the finding claims
	Missed         []string
}

// Planted lints the bundles of Faults and decides the witness of each.
func Planted() Proven {
	var p Proven
	for _, fault := range Faults {
		p.Planted++
		b := fault.Bundle()
		found := b.Lint()
		i := slices.IndexFunc(found, func(f rules.Finding) bool { return f.Code == fault.Code })
		if i < 0 {
			p.Missed = append(p.Missed, fault.Name+": not found")
			continue
		}
		p.Found++
		d, err := b.Witness(found[i])
		if err == nil {
			_, err = rules.Explain(b, d)
		}
		if err != nil || !fault.Shown(d) {
			p.Missed = append(p.Missed, fmt.Sprintf("%s: the witness does not show it (%v)", fault.Name, err))
			continue
		}
		p.Shown++
	}
	return p
}

// Claims counts what lint said of random bundles, by code, and what of it is false for some order.
type Claims struct {
	Bundles int
	Made    map[string]int
	False   []string // at most ten
}

// RandomBundles lints n bundles of three rules drawn from seed, and tries what it says against every order that the rules can tell apart.
// progress is called now and then with the number so far; it may be nil.
func RandomBundles(n, workers int, seed uint64, progress func(done int)) Claims {
	sum := Claims{Made: map[string]int{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	base := mustInput(Source())
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				made, wrong := claims(rand.New(rand.NewPCG(seed, uint64(i))), base)
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

// shapes are the phases that a random bundle has its rules in, with what a rule of it says beside its condition.
var shapes = map[string]string{"hold": "until: released", "exclude": "providers: [ups], reason: r", "set": "set: { signature: adult }"}

var ruleNames = []string{"A", "B", "C"}

// claims draws one bundle, and returns the codes of what lint says, and what of it is false.
func claims(r *rand.Rand, base rules.Input) (made, wrong []string) {
	phase := []string{"hold", "exclude", "set"}[r.IntN(3)]
	conditions := make([]string, len(ruleNames))
	text := phase + ":\n"
	for i, name := range ruleNames {
		conditions[i] = randomCondition(r, 3)
		text += fmt.Sprintf("  - { name: %s, %s, when: '%s' }\n", name, shapes[phase], conditions[i])
	}
	const head = "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"
	found := mustLoad(head + text).Lint()
	var tables map[string][]bool
	for _, f := range found {
		rule, _, _ := strings.Cut(strings.TrimPrefix(f.Where, `rule "`), `"`)
		other := ""
		if _, rest, ok := strings.Cut(f.Sentence, `"`); ok {
			other, _, _ = strings.Cut(rest, `"`)
		}
		if tables == nil {
			tables = everyOrder(conditions, base)
		}
		holds := false
		mine, theirs := tables[rule], tables[other]
		switch f.Code {
		case "W601":
			holds = !slices.Contains(mine, true)
		case "W602":
			holds = !slices.Contains(mine, false)
		case "W603", "W604", "W605":
			holds = theirs != nil && !slices.ContainsFunc(orders(mine), func(i int) bool { return mine[i] && !theirs[i] })
		case "W606":
			holds = theirs != nil && slices.ContainsFunc(orders(mine), func(i int) bool { return mine[i] && theirs[i] })
		default:
			continue
		}
		made = append(made, f.Code)
		if !holds {
			wrong = append(wrong, fmt.Sprintf("%s %v\n%s", f.Code, f.Problem, text))
		}
	}
	return made, wrong
}

func orders(table []bool) []int {
	list := make([]int, len(table))
	for i := range list {
		list[i] = i
	}
	return list
}

// totals are those that randomCondition names, with one below, between and above them.
var totals = []int64{-100, 0, 50, 100, 150, 200, 250, 300, 350}

// everyOrder says of each condition for which orders it holds, of all that randomCondition can tell apart. The keys are ruleNames.
func everyOrder(conditions []string, base rules.Input) map[string][]bool {
	tables := map[string][]bool{}
	env := &formula.Env{Vars: map[string]any{"order": rules.Order{}}}
	m := formula.NewMachine()
	defer m.Release()
	o := base.Order
	m.Vars["order"] = &o
	for i, name := range ruleNames {
		f, problem := env.Compile(conditions[i], formula.Bool)
		if problem != nil {
			panic(problem.Message) // lint has loaded it
		}
		for quantity := range 5 {
			for _, total := range totals {
				for place := range 10 {
					for asap := range 2 {
						o.Quantity, o.Total, o.ASAP = quantity, usd(total), asap == 1
						o.To.State, o.To.City = []string{"MA", "NY", "CA", "TX", "other"}[place/2], []string{"Boston", "Austin"}[place%2]
						holds, err := m.Eval(f)
						tables[name] = append(tables[name], err == nil && holds.(bool))
					}
				}
			}
		}
	}
	return tables
}

// randomCondition is a condition over few values, so that every order can be tried.
func randomCondition(r *rand.Rand, depth int) string {
	if depth > 0 {
		switch r.IntN(4) {
		case 0:
			return "(" + randomCondition(r, depth-1) + " and " + randomCondition(r, depth-1) + ")"
		case 1:
			return "(" + randomCondition(r, depth-1) + " or " + randomCondition(r, depth-1) + ")"
		case 2:
			return "not (" + randomCondition(r, depth-1) + ")"
		}
	}
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
