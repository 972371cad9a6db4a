package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules/unit"
)

// Sentence says in one sentence what was decided and why, for people. There is nothing personal in it.
func (d Decision) Sentence() string {
	switch {
	case d.Plan.Hold != nil || d.Hold != nil:
		h := d.Plan.Hold
		if h == nil {
			h = d.Hold
		}
		until := "until somebody releases it"
		if !h.Until.IsZero() {
			until = "until " + h.Until.Format(time.RFC3339)
		}
		return fmt.Sprintf("The order is held by rule %q %s: %s.", h.Rule, until, h.Reason)
	case d.Winner == nil:
		return "Nothing can carry the order: " + d.reasons() + "."
	}
	return fmt.Sprintf("%s at %s was chosen because %s.", d.nameOf(1), d.Winner.Fee, d.why())
}

// nameOf is the option of a rank as people call it: "UPS Ground".
func (d Decision) nameOf(rank int) string {
	o := d.ranked(rank)
	account, service := o.Account, o.Service
	for _, k := range d.Plan.Candidates {
		if k.Account == o.Account && k.Name != "" {
			account = k.Name
		}
	}
	if o.Quote.ServiceType != "" {
		service = o.Quote.ServiceType
	}
	return strings.TrimSpace(account + " " + service)
}

// ranked is the option of a rank from 1; an empty one where there is none.
func (d Decision) ranked(rank int) Option {
	for _, o := range d.Options {
		if o.Rank == rank {
			return o
		}
	}
	return Option{}
}

func (d Decision) why() string {
	if d.turned() {
		if d.Choose.Kind == "split" {
			return fmt.Sprintf("rule %q gives it this order (bucket %d of 100)", d.Choose.Rule, d.Choose.Bucket)
		}
		return fmt.Sprintf("rule %q puts it first", d.Choose.Rule)
	}
	if len(d.Ranked) == 1 {
		return "it is the only offer that is left"
	}
	of := fmt.Sprintf("of %d offers", len(d.Ranked))
	o := d.ranked(1)
	if o.Score == nil {
		return "it is the first " + of
	}
	switch strings.Join(d.ScoreTerms, "+") {
	case costTerm:
		if by := d.outpriced(&o); by != nil {
			return fmt.Sprintf("its cost of %s is the lowest %s%s; %s asks %s and costs %s%s", o.Cost, of, d.adjusted(&o), d.nameOf(by.Rank), by.Fee, by.Cost, d.adjusted(by))
		}
		return "it is the cheapest " + of
	case strategies["fastest"].score:
		return "it is the fastest " + of
	}
	next := ""
	if second := d.ranked(2); second.Score != nil {
		next = fmt.Sprintf("; next is %s with %s", d.nameOf(2), decimals(*second.Score))
	}
	if by := d.outpriced(&o); by != nil {
		next += fmt.Sprintf("; %s asks %s and costs %s%s, %s asks %s and costs %s%s", d.nameOf(1), o.Fee, o.Cost, d.adjusted(&o),
			d.nameOf(by.Rank), by.Fee, by.Cost, d.adjusted(by))
	}
	return fmt.Sprintf("its score of %s is the best %s%s", decimals(*o.Score), of, next)
}

// costTerm is the summand of a score that adjust rules work on.
var costTerm = strategies["cheapest"].score

// outpriced returns the option that would be no worse than the leader with the fee in the place of the cost in their scores, the best of several;
// nil where there is none: then what rules of adjust have added made no difference, or the record does not tell.
func (d Decision) outpriced(leader *Option) *Option {
	place := slices.Index(d.ScoreTerms, costTerm)
	if place < 0 {
		return nil
	}
	byFee := func(o *Option) float64 {
		sum := 0.0
		for n, term := range o.Terms {
			if n == place {
				term = unit.MajorFloat(o.Fee)
			}
			sum += term
		}
		return sum
	}
	var best *Option
	for i := range d.Options {
		o := &d.Options[i]
		if o.Rank <= leader.Rank || o.Score == nil {
			continue
		}
		less := cmp.Compare(byFee(o), byFee(leader))
		if less > 0 || less == 0 && *o.Score == *leader.Score {
			continue // it is behind by the fee as well, or by nothing but the ties
		}
		if best == nil || byFee(o) < byFee(best) || byFee(o) == byFee(best) && o.Rank < best.Rank {
			best = o
		}
	}
	return best
}

// adjusted names the rules that make an option's cost another one than its fee, with what each adds where the record tells.
func (d Decision) adjusted(o *Option) string {
	const most = 3
	var names, figures []string
	sum := o.Fee
	for _, a := range d.Adjusted {
		if a.Account != o.Account || a.Service != o.Service || a.ID != o.ID || a.Add.IsZero() {
			continue
		}
		names = append(names, strconv.Quote(a.Rule))
		figures = append(figures, fmt.Sprintf("rule %q adds %s", a.Rule, a.Add))
		sum.Minor += a.Add.Minor
	}
	if sum != o.Cost { // two offers of the service have the same name, and both are adjusted
		figures = []string{"by rules " + strings.Join(slices.Compact(names), ", ")}
	}
	if more := len(figures) - most; more > 0 {
		figures = append(figures[:most], fmt.Sprintf("and %d more", more))
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(figures, ", ") + ")"
}

// turned reports whether a choose rule made the winner another one. A record of schema 1 says of the order before the guards that it was; of those
// that the guards left, an option whose score is the best by itself leads by the ranking.
func (d Decision) turned() bool {
	c, won := d.Choose, d.leader()
	if c == nil || !c.Moved || won == nil || d.Schema != 1 {
		return c != nil && c.Moved
	}
	return slices.ContainsFunc(d.Options, func(o Option) bool {
		return !o.is(won) && d.wasRanked(&o) && compareScores(o.Score, won.Score) <= 0 &&
			!slices.ContainsFunc(d.Guards, func(g Breach) bool { return g.Action == "next" && g.of(&o) })
	})
}

func decimals(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

// reasons lists why nothing is left.
func (d Decision) reasons() string {
	const most = 12
	var parts []string
	for _, e := range d.Excluded {
		parts = append(parts, e.Text)
	}
	for _, r := range d.Refused {
		words := r.Code
		if r.Message != "" {
			words += ", " + r.Message
		}
		parts = append(parts, fmt.Sprintf("%s has no offer (%s)", selector{r.Account, r.Service}, words))
	}
	if len(parts) == 0 {
		return "there was no offer"
	}
	if len(parts) > most {
		parts = append(parts[:most], fmt.Sprintf("and %d more", len(parts)-most))
	}
	return strings.Join(parts, "; ")
}
