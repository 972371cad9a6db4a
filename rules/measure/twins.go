package measure

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
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

// Agreement is what came of computing random expressions twice: by the program that decides, and by the one that explains.
type Agreement struct {
	Expressions int      // that compiled and were computed
	Failing     int      // of these: both programs fail, with the same words
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
		g := &grower{r: r, left: 1 + r.IntN(1+r.IntN(24))} // small ones, as people write them, and now and then a large one
		text := g.truth()
		if r.IntN(4) == 0 {
			text = g.number()
		}
		f, problem := env.Compile(text)
		if problem != nil {
			a.Refused++ // too large, or a division by what is always zero
			continue
		}
		a.Expressions++
		difference, failed := compare(f, values)
		if failed {
			a.Failing++
		}
		if difference != "" {
			a.Different = append(a.Different, difference)
		}
	}
	return a
}

// compare computes a formula by both programs.
func compare(f *formula.Formula, values map[string]any) (difference string, failed bool) {
	m := formula.NewMachine()
	defer m.Release()
	for k, v := range values {
		m.Vars[k] = v
	}
	plain, err := m.Eval(f)
	twin, twinErr := f.Twin()
	if twinErr != nil {
		return fmt.Sprintf("%s: no traced form: %v", f.Source, twinErr), false
	}
	t := m.Run(twin)
	switch {
	case fmt.Sprint(err) != fmt.Sprint(t.Err):
		return fmt.Sprintf("%s: plain fails with %v, traced with %v", f.Source, err, t.Err), true
	case err != nil && strings.HasPrefix(err.Error(), "invalid operation"):
		return fmt.Sprintf("%s: what was checked fails for its types: %v", f.Source, err), true
	case err == nil && (len(t.Values) != 1 || !same(plain, t.Values[0])):
		return fmt.Sprintf("%s: plain %v, traced %v", f.Source, plain, t.Values), false
	}
	return "", err != nil
}

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
		Members: map[string][]string{"lists": {"near"}},
	}
	return env, map[string]any{"order": &in.Order, "location": &in.Location, "local": &in.Local, "option": o, "lists": near}
}
