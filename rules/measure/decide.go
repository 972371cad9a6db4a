package measure

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules"
)

// ManyRules is a bundle of 30 rules over all phases.
func ManyRules() *rules.Bundle { return mustLoad(manyRules(0)) }

// manyRules is its file; less is what the adjustments of an edited form take off, in cents.
func manyRules(less int) string {
	var b strings.Builder
	b.WriteString("rules: 1\ncurrency: USD\nlet:\n  dear: order.total >= usd(250) or order.quantity >= 40\nexclude:\n")
	for i := range 18 {
		fmt.Fprintf(&b, "  - { name: exclude %d, when: 'not dear and option.fee > usd(%d) and order.to.country == \"US\" and any(order.items, .sku startsWith \"X%d\")', reason: no }\n", i, i, i)
	}
	b.WriteString("adjust:\n")
	for i := range 8 {
		fmt.Fprintf(&b, "  - { name: adjust %d, when: 'option.dropoff_in > minutes(%d) and order.weight <= lb(70)', add: \"%.2f\" }\n", i, i*10, float64(i-less)/100)
	}
	b.WriteString("set:\n")
	for i := range 4 {
		fmt.Fprintf(&b, "  - { name: set %d, when: 'order.total > usd(%d)', set: { signature: required } }\n", i, i*100+900)
	}
	b.WriteString("rank: { score: 'dollars(option.cost) + mins(option.dropoff_in) * 0.12', ties: [option.provider] }\n")
	return b.String()
}

func mustLoad(text string) *rules.Bundle {
	b, err := rules.Load([]rules.File{{Name: "measure.rules.yaml", Data: []byte(text)}}, rules.Options{})
	if err != nil {
		panic(err) // a file of this package
	}
	return b
}

func mustInput(src rules.InputSource) rules.Input {
	in, err := rules.NewInput(src)
	if err != nil {
		panic(err) // an order of this package
	}
	return in
}

// sixOffers are Offers and one more.
func sixOffers() []rules.Offer {
	six := append(Offers(), Offers()[0])
	six[5].ID = "q6"
	return six
}

// Times are how long one thing took, again and again: by the clock, and of the processor, which other work on the machine does not lengthen.
type Times struct {
	P50, P99       time.Duration
	CPU50, CPU99   time.Duration
	WithCollection time.Duration // processor time of the whole process for one, the garbage collector's included
}

// timed does something n times, after it has been done often enough to be warm.
func timed(n int, do func()) Times {
	runtime.LockOSThread() // for the thread's processor time
	defer runtime.UnlockOSThread()
	for range n/10 + 1 {
		do()
	}
	took, used := make([]time.Duration, n), make([]time.Duration, n)
	before := processorTime()
	for i := range took {
		begun, cpu := time.Now(), threadTime()
		do()
		took[i], used[i] = time.Since(begun), threadTime()-cpu
	}
	whole := (processorTime() - before) / time.Duration(n)
	slices.Sort(took)
	slices.Sort(used)
	return Times{P50: took[n/2], P99: took[n*99/100], CPU50: used[n/2], CPU99: used[n*99/100], WithCollection: whole}
}

// Deciding decides an order n times by thirty rules over six options, what the record needs included.
func Deciding(n int) Times {
	b, in, accounts, six := ManyRules(), mustInput(Source()), Candidates(), sixOffers()
	return timed(n, func() {
		if d := b.Decide(b.Prepare(in, accounts), six); d.Winner == nil {
			panic("nothing won")
		}
	})
}

// Explaining shows n times what every part of every rule said of such a decision.
func Explaining(n int) (Times, error) {
	b := ManyRules()
	d := b.Decide(b.Prepare(mustInput(Source()), Candidates()), sixOffers())
	var failed error
	t := timed(n, func() {
		if _, err := rules.Explain(b, d); err != nil {
			failed = fmt.Errorf("explain: %w", err)
		}
	})
	return t, failed
}
