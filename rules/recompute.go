package rules

import "fmt"

// Recompute makes a recorded decision again from what it recorded: the same bundle gives the same bytes, in the shape that the record has. It fails
// where the bundle is another than the one that decided.
func Recompute(b *Bundle, record Decision) (Decision, error) {
	again, err := recompute(b, &record, record.Schema)
	return again.as(record.Schema), err
}

// recompute makes a recorded decision again with what a schema says; the present one tells most.
func recompute(b *Bundle, record *Decision, schema int) (Decision, error) {
	if record.Rules != b.hash {
		return Decision{}, fmt.Errorf("the decision was made by rules %s, not by %s; load the files of that version", record.Rules, b.hash)
	}
	plan := b.Prepare(record.Plan.Input, record.Plan.Candidates)
	offers := make([]Offer, len(record.Options))
	for i, o := range record.Options {
		offers[i] = Offer{ID: o.ID, Account: o.Account, Quote: o.Quote}
	}
	return b.decide(schema, plan, offers, record.Refused), nil
}
