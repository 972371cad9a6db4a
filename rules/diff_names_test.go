package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestDiffShowsForWhomNamesMatter: of a let and of a list that say something else there is an order that is decided otherwise for that alone, whatever
// names it, and whatever else has changed.
func TestDiffShowsForWhomNamesMatter(t *testing.T) {
	for text, paths := range map[string][]string{
		"let: { x: order.total > usd(OLD|100;200) }\nexclude: [ { name: A, when: x and order.gift } ]":                                                        {"order.total", "order.gift"},
		"let: { x: 'order.gift ? usd(OLD|1;2) : usd(0)' }\nadjust: [ { name: A, add: x } ]":                                                                   {"order.gift"},
		"let: { x: 'order.gift ? OLD|1;2 : 0', y: x + 1 }\nrank: { score: 'dollars(option.cost) * (option.provider == \"ups\" ? y : 1)' }":                    {"order.gift"},
		"let: { x: 'order.gift ? \"OLD|a;b\" : \"c\"' }\nwarn: [ { name: A, message: \"{x}\" } ]":                                                             {"order.gift"},
		"let: { x: option.fee > usd(OLD|5;7) }\nguard: [ { name: A, max_fee: 1.00, applies: x, on_breach: next } ]":                                           {"option.fee"},
		"let: { x: order.quantity > OLD|5;7 }\nhold: [ { name: A, when: x, until: released } ]":                                                               {"order.quantity"},
		"let: { x: order.quantity > OLD|5;7 }\nchoose: [ { name: A, when: x, prefer: [doordash] } ]":                                                          {"order.quantity"},
		"lists: { l: [AA,AB,AC,AD,AE,AF,AG,AH,AI,AJ,AK,OLD|XX;YY] }\nexclude: [ { name: A, when: order.to.state in lists.l } ]":                               {"order.to.state"},
		"lists: { l: [AA,AB,AC,AD,AE,AF,AG,AH,AI,AJ,AK,OLD|XX;YY] }\nadjust: [ { name: A, add: 'order.id in lists.l ? usd(1) : usd(2)' } ]":                   {"order.id"},
		"lists: { l: [AA,AB,AC,AD,AE,AF,AG,AH,AI,AJ,AK,OLD|XX;YY] }\nlet: { x: 'any(order.tags, # in lists.l)' }\nwarn: [ { name: A, when: x, message: m } ]": {"order.tags"},
		"lists: { l: [AA, OLD|XX;YY] }\nwarn: [ { name: A, when: order.gift, message: m } ]":                                                                  nil,
	} {
		before, rest, _ := strings.Cut(text, "OLD|")
		old, rest, _ := strings.Cut(rest, ";")
		now := rest[:strings.IndexAny(rest, ") ;\"]:")]
		rest = rest[len(now):]
		a := diffed(t, before+old+rest+"\nfallback: [ { name: F, on: [no_driver], steps: [next_ranked] } ]")
		b := diffed(t, before+now+rest+"\nfallback: [ { name: F, on: [booking_failed], steps: [next_ranked] } ]")
		changes := rules.Diff(t.Context(), a, b)
		i := slices.IndexFunc(changes, func(c rules.Change) bool { return c.What == "let" || c.What == "list" })
		if i < 0 {
			t.Fatalf("%s: %+v", text, changes)
		}
		c := changes[i]
		if paths == nil {
			if c.Otherwise != nil || c.NotFound != "no rule names it" {
				t.Errorf("%s: %+v", text, c)
			}
			continue
		}
		if c.Otherwise == nil || c.NotFound != "" {
			t.Errorf("%s: %+v", text, c)
		}
		for _, path := range paths {
			if c.Otherwise[path] == "" {
				t.Errorf("%s: %s is not in %v", text, path, c.Otherwise)
			}
		}
	}
}

// TestDiffMixesNoMoments: a let that looks at offers now, in rules that are judged before there are any, shows nothing of what the new rules do.
func TestDiffMixesNoMoments(t *testing.T) {
	const text = "let: { x: '%s' }\nexclude: [ { name: A, when: x } ]"
	a := diffed(t, fmt.Sprintf(text, `option.provider == "ups"`))
	for _, now := range []string{`option.provider == "ups" and option.dropoff_at > local.now - hours(1)`, "order.gift"} { // the first means the same
		changes := rules.Diff(t.Context(), a, diffed(t, fmt.Sprintf(text, now)))
		i := slices.IndexFunc(changes, func(c rules.Change) bool { return c.What == "let" })
		if i < 0 || changes[i].Otherwise != nil || !strings.Contains(changes[i].NotFound, "cannot stand in the rules of the other") {
			t.Errorf("%s: %+v", now, changes)
		}
	}
}
