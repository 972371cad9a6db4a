package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
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
	case strategies["cheapest"].score:
		return "it is the cheapest " + of
	case strategies["fastest"].score:
		return "it is the fastest " + of
	}
	next := ""
	if second := d.ranked(2); second.Score != nil {
		next = fmt.Sprintf("; next is %s with %s", d.nameOf(2), decimals(*second.Score))
	}
	return fmt.Sprintf("its score of %s is the best %s%s", decimals(*o.Score), of, next)
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
