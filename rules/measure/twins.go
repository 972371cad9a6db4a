package measure

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Agreement is what came of computing random expressions twice: by the program that decides, and by the one that explains. Half of them may name
// lets, drawn as well, which may fail; those are computed a third time, with what the names stand for written in their places.
type Agreement struct {
	Expressions int      // that compiled and were computed
	Failing     int      // of these: both programs fail, with the same words
	Named       int      // of these: computed with what their lets stand for written out, too
	Refused     int      // drawn besides, and refused before they ran
	Different   []string // at most ten
}

// Twins computes n random expressions drawn from seed, on several processors. progress is called now and then with the number so far; it may
// be nil.
func Twins(ctx context.Context, n, workers int, seed uint64, progress func(done int)) (Agreement, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // little lives longer than one expression: the collector would run all the time
	const batch = 500
	var next, done atomic.Int64
	var mu sync.Mutex
	var sum Agreement
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				first := int(next.Add(batch)) - batch
				if first >= n {
					return
				}
				part := twins(rand.New(rand.NewPCG(seed, uint64(first))), min(batch, n-first))
				mu.Lock()
				sum.Expressions, sum.Failing, sum.Refused = sum.Expressions+part.Expressions, sum.Failing+part.Failing, sum.Refused+part.Refused
				sum.Named += part.Named
				sum.Different = append(sum.Different, part.Different...)
				sum.Different = sum.Different[:min(len(sum.Different), 10)]
				if now := done.Add(int64(part.Expressions)); progress != nil {
					progress(int(now))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sum, ctx.Err()
}

// twins draws until n expressions were computed. What is drawn hangs on r alone.
func twins(r *rand.Rand, n int) Agreement {
	var a Agreement
	env, values := twinEnv()
	for a.Expressions < n {
		d, ok := drawTwin(r, env)
		if !ok {
			a.Refused++ // too large, or a division by what is always zero
			continue
		}
		a.Expressions++
		difference, failed := d.compare(values)
		if d.inline != nil {
			a.Named++
		}
		if failed {
			a.Failing++
		}
		if difference != "" {
			a.Different = append(a.Different, difference)
		}
	}
	return a
}

// twinLets are the names that may stand for another expression, each of which may name those before it.
var twinLets = []struct {
	name string
	zero any
	draw func(*grower) string
}{
	{"fits", false, (*grower).truth},
	{"share", 0.0, func(g *grower) string { return "1.0 * " + g.number() }},
	{"due", shipping.Money{}, func(g *grower) string { return "1 * " + g.money() }},
}

// twin is one expression, with the lets that it may name.
type twin struct {
	formula *formula.Formula
	inline  *formula.Formula // the same without lets; nil where it names none, or is too large when they are written out
	lets    map[string]*formula.Formula
}

// drawTwin makes an expression, and reports whether it and its lets may be used.
func drawTwin(r *rand.Rand, env *formula.Env) (twin, bool) {
	g := &grower{r: r}
	d := twin{lets: map[string]*formula.Formula{}}
	var written []string
	if r.IntN(2) == 0 {
		for _, l := range twinLets {
			g.left = r.IntN(6)
			text := l.draw(g)
			f, problem := env.Compile(text)
			if problem != nil {
				return d, false
			}
			d.lets[l.name] = f
			written = append(written, l.name, "("+strings.NewReplacer(written...).Replace(text)+")")
			g.lets = append(g.lets, l.name)
		}
	}
	g.left = 1 + r.IntN(1+r.IntN(24)) // small ones, as people write them, and now and then a large one
	text := g.truth()
	if r.IntN(4) == 0 {
		text = g.number()
	}
	var problem *formula.Problem
	if d.formula, problem = env.Compile(text); problem != nil {
		return d, false
	}
	if all := strings.NewReplacer(written...).Replace(text); all != text {
		d.inline, _ = env.Compile(all)
	}
	return d, true
}

// machine computes a formula over values and lets, as a decision does.
func (d *twin) machine(values map[string]any) *formula.Machine {
	m := formula.NewMachine()
	for k, v := range values {
		m.Vars[k] = v
	}
	m.Let = func(name string) (any, error) {
		v, err := m.Eval(d.lets[name])
		if err != nil {
			err = fmt.Errorf("let %s: %w", name, err)
		}
		return v, err
	}
	return m
}

// compare computes an expression by both programs, and without its lets.
func (d *twin) compare(values map[string]any) (difference string, failed bool) {
	m := d.machine(values)
	defer m.Release()
	f := d.formula
	plain, err := m.Eval(f)
	traced, twinErr := f.Twin()
	if twinErr != nil {
		return fmt.Sprintf("%s: no traced form: %v", f.Source, twinErr), false
	}
	t := m.Run(traced)
	switch {
	case fmt.Sprint(err) != fmt.Sprint(t.Err):
		return fmt.Sprintf("%s: plain fails with %v, traced with %v", f.Source, err, t.Err), true
	case err != nil && strings.HasPrefix(err.Error(), "invalid operation"):
		return fmt.Sprintf("%s: what was checked fails for its types: %v", f.Source, err), true
	case err == nil && (len(t.Values) != 1 || !same(plain, t.Values[0])):
		return fmt.Sprintf("%s: plain %v, traced %v", f.Source, plain, t.Values), false
	}
	if d.inline == nil {
		return "", err != nil
	}
	v, inlineErr := m.Eval(d.inline)
	switch {
	case unnamed(err) != unnamed(inlineErr):
		return fmt.Sprintf("%s: fails with %v, and with %v when it is written %s", f.Source, err, inlineErr, d.inline.Source), true
	case err == nil && !same(plain, v):
		return fmt.Sprintf("%s: %v, and %v when it is written %s", f.Source, plain, v, d.inline.Source), false
	}
	return "", err != nil
}

var letNames = regexp.MustCompile(`^(?:let \w+: )+`)

// unnamed is why something failed, without the names of the lets that did.
func unnamed(err error) string { return letNames.ReplaceAllString(fmt.Sprint(err), "") }

func same(a, b any) bool {
	x, ok1 := a.(float64)
	y, ok2 := b.(float64)
	return reflect.DeepEqual(a, b) || ok1 && ok2 && math.IsNaN(x) && math.IsNaN(y)
}

// offered is option as expressions of Twins see it.
type offered struct {
	Provider  string         `expr:"provider"`
	Supports  []string       `expr:"supports"`
	Fee       shipping.Money `expr:"fee"`
	Cost      shipping.Money `expr:"cost"`
	DropoffIn time.Duration  `expr:"dropoff_in"`
	Days      int            `expr:"transit_days"`
	Distance  unit.Distance  `expr:"distance"`
}

// twinEnv is what the expressions may name, and the values of one order.
func twinEnv() (*formula.Env, map[string]any) {
	src := Source()
	src.Items = append(src.Items, shipping.Item{SKU: "KNIFE-1", Quantity: 5, Price: shipping.MustDecimal("20")})
	src.Parcels[0].Content = []string{"alcohol"}
	in := mustInput(src)
	distance, err := unit.In(unit.FromInt(3), unit.DistanceUnits["mi"])
	if err != nil {
		panic(err) // three miles
	}
	o := &offered{Provider: "ups", Supports: []string{"alcohol"}, Fee: usd(1033), Cost: usd(1200), DropoffIn: 50 * time.Minute, Days: 2, Distance: unit.Distance{Rational: distance}}
	near := map[string]formula.List{"near": {Set: map[string]bool{"MA": true, "NH": true}}}
	env := &formula.Env{
		Vars:    map[string]any{"order": rules.Order{}, "location": rules.Location{}, "local": rules.Local{}, "option": offered{}, "lists": map[string]formula.List{}},
		Members: map[string][]string{"lists": {"near"}}, Lets: map[string]bool{},
	}
	for _, l := range twinLets {
		env.Vars[l.name], env.Lets[l.name] = l.zero, true
	}
	return env, map[string]any{"order": &in.Order, "location": &in.Location, "local": &in.Local, "option": o, "lists": near}
}
