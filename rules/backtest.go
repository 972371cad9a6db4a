package rules

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Backtest is what other rules would have made of orders that were decided before. Costs are what carriers asked then; amounts of several
// currencies are kept apart. Nothing after the decision is played again: no refusal of a booking, no cancellation. What would have come of an
// order with an unknown part is not known, so that it counts into nothing but Orders, Rounds, Unknown and Faulty.
//
// Quotas and budgets are those that there would have been: where the new rules decide otherwise, what they book counts for the orders after it.
// Where that depends on an order with an unknown part, the count is unknown.
type Backtest struct {
	Orders  int `json:"orders"`
	Rounds  int `json:"rounds"`  // of these orders, all of them replayed; the last of each counts
	Changed int `json:"changed"` // another winner, another charge, hold or nothing
	Unknown int `json:"unknown"` // something was needed that the records do not hold; see Replay
	Faulty  int `json:"faulty"`  // orders with a rule that fails now

	Old Outcome `json:"old"` // of the same orders as New
	New Outcome `json:"new"`

	// Compared are the orders that have a winner before and after; Cost and Charge compare those.
	Compared int                 `json:"compared"`
	Cost     map[string]CostPair `json:"cost"`   // what carriers ask, by currency, in minor units
	Charge   map[string]CostPair `json:"charge"` // what customers are asked on top of it, likewise

	// Causes counts, over the changed orders, the rules that are behind the change; "rank.score" and "rank.ties" stand for the ranking.
	Causes   []Cause  `json:"causes"`
	Unknowns []Cause  `json:"unknowns"` // what was needed and is not recorded, with the number of orders
	Samples  []Sample `json:"samples"`  // of the orders that changed; after them, where there is room, of those with an unknown part

	// NeverRecorded are attributes that the rules declare and no record holds: absent, or not declared then.
	NeverRecorded []string `json:"never_recorded,omitempty"`
}

// Outcome counts what came of the orders without an unknown part.
type Outcome struct {
	Providers map[string]int   `json:"providers"` // winners
	Held      int              `json:"held"`
	None      int              `json:"none"`
	Warned    int              `json:"warned"`
	AtRisk    int              `json:"at_risk"`     // the winner arrives after the promise, as far as it says
	Charged   map[string]int64 `json:"charged"`     // asked of customers on top, minor units by currency
	P50       *float64         `json:"p50_minutes"` // until the winner arrives, over those that say; nil where none does
	P90       *float64         `json:"p90_minutes"`

	minutes []float64
}

// CostPair is a sum before and after, over so many orders.
type CostPair struct {
	Orders int   `json:"orders"`
	Old    int64 `json:"old"`
	New    int64 `json:"new"`
}

func (p CostPair) plus(q CostPair) CostPair {
	return CostPair{p.Orders + q.Orders, p.Old + q.Old, p.New + q.New}
}

// Cause is a rule, or a thing that is not recorded, and the number of orders.
type Cause struct {
	What   string `json:"what"`
	Orders int    `json:"orders"`
}

// Sample is one order that changed, or of which nobody knows whether it did.
type Sample struct {
	Order   string   `json:"order"`
	Old     string   `json:"old"` // a sentence
	New     string   `json:"new"`
	Rules   []string `json:"rules"`             // that are behind the change, as Causes names them
	Unknown []string `json:"unknown,omitempty"` // what the record does not hold; then New claims nothing
	// Record is the decision as the new rules make it, with what is recorded, and Was as it was made, for explanations.
	Record Decision `json:"-"`
	Was    Decision `json:"-"`
}

const maxSamples = 20

// BacktestOptions say how to run.
type BacktestOptions struct {
	Workers int // at least 1
	// Progress is called now and then, from one goroutine, with the rounds that were replayed and the bytes that were read; the records are read
	// twice. It may be nil.
	Progress func(rounds int, bytes int64)
}

// RunBacktest replays decision records, one JSON object a line: the record itself, or an object with it under "record", as the export of an engine
// writes it, with the order's "id", the "round" and its time "at". Each order counts once, as its last round came out; its way back is an order of
// its own.
func RunBacktest(b *Bundle, records io.ReaderAt, opt BacktestOptions) (*Backtest, error) {
	opt.Workers = max(opt.Workers, 1)
	if opt.Progress == nil {
		opt.Progress = func(int, int64) {}
	}
	rounds, err := findRounds(records, opt.Workers, opt.Progress)
	if err != nil {
		return nil, err
	}
	size := int64(0)
	for i := range rounds {
		size = max(size, rounds[i].offset+int64(rounds[i].size))
	}
	t := newBacktesting(b)
	done, read := 0, size
	for chunk := range slices.Chunk(rounds, chunkRounds) {
		for i, r := range replayAll(b, records, chunk, opt.Workers) {
			if r.err != nil {
				return nil, r.err
			}
			t.add(&chunk[i], &r.old, r.now)
			done, read = done+1, read+int64(chunk[i].size)
		}
		opt.Progress(done, read)
	}
	return t.finish(), nil
}

// chunkRounds is how many rounds are decided before they are looked at in turn.
const chunkRounds = 256

// replayed is a round, and what the new rules make of it with what is recorded.
type replayed struct {
	old Decision
	now Replay
	err error
}

func replayAll(b *Bundle, records io.ReaderAt, rounds []round, workers int) []replayed {
	out := make([]replayed, len(rounds))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(out)); i = next.Add(1) - 1 {
				r := &out[i]
				if r.old, r.err = rounds[i].record(records); r.err == nil {
					r.now = b.Replay(&r.old)
				}
			}
		})
	}
	wg.Wait()
	return out
}

// backtesting is a backtest while it runs.
type backtesting struct {
	bundle   *Bundle
	total    Backtest
	carrying *carrying
	causes   map[string]int
	unknowns map[string]int
	seen     map[string]bool // attributes
	changed  []Sample        // at most maxSamples, as of the next
	unknown  []Sample
}

func newBacktesting(b *Bundle) *backtesting {
	t := &backtesting{bundle: b, carrying: newCarrying(b.Needs()), causes: map[string]int{}, unknowns: map[string]int{}, seen: map[string]bool{}}
	t.total.Cost, t.total.Charge = map[string]CostPair{}, map[string]CostPair{}
	for _, o := range []*Outcome{&t.total.Old, &t.total.New} {
		o.Providers, o.Charged = map[string]int{}, map[string]int64{}
	}
	return t
}

// ParseRecord reads a decision record, or an object with one under "record".
func ParseRecord(line []byte) (Decision, error) {
	var outer struct {
		Record json.RawMessage `json:"record"`
	}
	if !bytes.HasPrefix(line, []byte(`{"schema":`)) { // a record begins so; anything else may be wrapped
		if err := json.Unmarshal(line, &outer); err == nil && outer.Record != nil {
			line = outer.Record
		}
	}
	return ParseDecision(line)
}

// add takes the next round in time. It counts into the report where it is the last of its order.
func (t *backtesting) add(round *round, old *Decision, recorded Replay) {
	t.carrying.release(round.order)
	r := t.carrying.replay(t.bundle, old, recorded)
	t.carrying.add(round.order, old, &r)
	t.total.Rounds++
	for name := range old.Plan.Input.Order.Attributes {
		t.seen[name] = true
	}
	if !round.last {
		return
	}
	now := &r.Decision
	t.total.Orders++
	for _, u := range r.Unknown {
		t.unknowns[u]++
	}
	if len(now.Faults) > 0 {
		t.total.Faulty++
	}
	if !r.Certain() {
		t.total.Unknown++
		t.unknown = sample(t.unknown, old, &r, []string{})
		return
	}
	t.total.Old.add(old)
	t.total.New.add(now)
	t.compare(old, now)
	if !r.Differs(old) {
		return
	}
	t.total.Changed++
	rules := behind(old, now)
	for _, rule := range rules {
		t.causes[rule]++
	}
	t.changed = sample(t.changed, old, &r, rules)
}

func sample(list []Sample, old *Decision, r *Replay, rules []string) []Sample {
	if len(list) == maxSamples {
		return list
	}
	was := old.Sentence()
	if r.recharged && r.Certain() {
		was += old.asksOnTop()
	}
	return append(list, Sample{Order: old.Plan.Input.Order.ID, Old: was, New: r.Sentence(), Rules: rules, Unknown: r.Unknown, Record: r.Decision, Was: *old})
}

// compare adds to cost and charge where both decisions have a winner.
func (t *backtesting) compare(old, now *Decision) {
	a, b := old.Winner, now.Winner
	if a == nil || b == nil || a.Fee.Currency != b.Fee.Currency {
		return
	}
	t.total.Compared++
	currency := a.Fee.Currency
	t.total.Cost[currency] = t.total.Cost[currency].plus(CostPair{1, a.Fee.Minor, b.Fee.Minor})
	t.total.Charge[currency] = t.total.Charge[currency].plus(CostPair{1, a.Charge.Minor, b.Charge.Minor})
}

func changed(old, now *Decision) bool {
	a, b := old.Winner, now.Winner
	if (a == nil) != (b == nil) {
		return true
	}
	if a != nil {
		return a.Account != b.Account || a.Service != b.Service || a.ID != b.ID || recharged(old, now)
	}
	return (old.held() == nil) != (now.held() == nil)
}

// recharged reports whether the customer is asked another amount on top of the fees of the winners; a charge is in the currency of its fee.
func recharged(old, now *Decision) bool {
	a, b := old.Winner, now.Winner
	return a != nil && b != nil && !sameAmount(a.Charge, b.Charge)
}

// differing lists what stands in one of two sorted lists only.
func differing(a, b []string) []string {
	out := []string{}
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return out
}

func (o *Outcome) add(d *Decision) {
	if len(d.Warnings) > 0 {
		o.Warned++
	}
	switch {
	case d.held() != nil:
		o.Held++
		return
	case d.Winner == nil:
		o.None++
		return
	}
	o.Providers[d.Winner.Account]++
	if c := d.Winner.Charge; !c.IsZero() {
		o.Charged[c.Currency] += c.Minor
	}
	in := &d.Plan.Input
	q := d.ranked(1).Quote
	arrives := q.Delivery.EndsAt
	if arrives.IsZero() {
		arrives = q.Delivery.StartsAt
	}
	if arrives.IsZero() && q.TransitDays > 0 {
		arrives = shipping.At(in.Local.Now.AddDate(0, 0, q.TransitDays))
	}
	if arrives.IsZero() {
		return
	}
	o.minutes = append(o.minutes, arrives.Sub(in.Local.Now).Minutes())
	if in.Order.HasPromise && arrives.After(in.Order.PromiseBy) {
		o.AtRisk++
	}
}

// finish puts everything in order.
func (t *backtesting) finish() *Backtest {
	r := &t.total
	r.Causes, r.Unknowns = ordered(t.causes), ordered(t.unknowns)
	for _, o := range []*Outcome{&r.Old, &r.New} {
		slices.Sort(o.minutes)
		o.P50, o.P90 = percentile(o.minutes, 50), percentile(o.minutes, 90)
	}
	r.Samples = []Sample{}
	for _, list := range [][]Sample{t.changed, t.unknown} {
		r.Samples = append(r.Samples, list[:min(len(list), maxSamples-len(r.Samples))]...)
	}
	for _, name := range t.bundle.attributes {
		if !t.seen[name] {
			r.NeverRecorded = append(r.NeverRecorded, name)
		}
	}
	return r
}

func ordered(counts map[string]int) []Cause {
	out := []Cause{}
	for what, n := range counts {
		out = append(out, Cause{what, n})
	}
	slices.SortFunc(out, func(a, b Cause) int { return cmp.Or(cmp.Compare(b.Orders, a.Orders), cmp.Compare(a.What, b.What)) })
	return out
}

func percentile(sorted []float64, p int) *float64 {
	if len(sorted) == 0 {
		return nil
	}
	return &sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

// Span writes minutes for people; nil where nobody said how many.
func Span(minutes *float64) string {
	if minutes == nil {
		return "not said"
	}
	return time.Duration(*minutes * float64(time.Minute)).Round(time.Minute).String()
}
