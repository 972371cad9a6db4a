package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Recompute makes a recorded decision again from what it recorded: the same bundle gives the same bytes, in the shape that the record has. It fails
// where the bundle is another than the one that decided.
func Recompute(b *Bundle, record Decision) (Decision, error) {
	again, err := recompute(b, &record, record.Schema)
	return again.as(record.Schema), err
}

// Misrecorded lists, sorted, the members of a record that come to something else when the bundle that decided decides again: none, unless somebody has
// changed the record, or a version of waybill made it that decided otherwise.
func Misrecorded(b *Bundle, record Decision) ([]string, error) {
	again, err := Recompute(b, record)
	if err != nil {
		return nil, err
	}
	was, err := members(record)
	if err != nil {
		return nil, err
	}
	is, err := members(again)
	if err != nil {
		return nil, err
	}
	both := maps.Clone(was)
	maps.Copy(both, is)
	maps.DeleteFunc(both, func(name string, _ json.RawMessage) bool { return bytes.Equal(was[name], is[name]) })
	return slices.Sorted(maps.Keys(both)), nil
}

func members(d Decision) (map[string]json.RawMessage, error) {
	text, err := d.JSON()
	if err != nil {
		return nil, err
	}
	var out map[string]json.RawMessage
	err = json.Unmarshal(text, &out)
	return out, err
}

// recompute makes a recorded decision again in the shape of a schema that means the same as the record's; shapeSchema tells most.
func recompute(b *Bundle, record *Decision, schema int) (Decision, error) {
	if record.Rules != b.hash {
		return Decision{}, fmt.Errorf("the decision was made by rules %s, not by %s; load the files of that version", record.Rules, b.hash)
	}
	plan := b.prepare(schema, record.Plan.Input, record.Plan.Candidates)
	offers := make([]Offer, len(record.Options))
	for i, o := range record.Options {
		offers[i] = Offer{ID: o.ID, Account: o.Account, Quote: o.Quote}
	}
	return b.decide(schema, plan, offers, record.Refused), nil
}
