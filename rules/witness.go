package rules

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules/internal/formula"
)

// WitnessTest is a test file with one test: the order that shows a finding, and an offer from each provider. It expects nothing
// but that the rules decide.
func (b *Bundle) WitnessTest(f Finding) string {
	with, offer, other := parts(f.Witness)
	var s strings.Builder
	fmt.Fprintf(&s, "tests: 1\ncases:\n  - name: witness of %s\n", f.Code)
	if len(with) > 0 {
		fmt.Fprintf(&s, "    with: %s\n", flow(with))
	}
	providers := b.providers
	if len(providers) == 0 { // any will do
		providers = []string{cmp.Or(offer["provider"], "carrier")}
	}
	if f.Witness[quotesOf] == nobody {
		providers = nil
		s.WriteString("    quotes: []\n")
	} else {
		s.WriteString("    quotes:\n")
	}
	for _, p := range providers {
		q := map[string]string{"provider": p, "fee": b.usualFee()}
		switch who := offer["provider"]; {
		case who == "" || who == p:
			maps.Copy(q, offer)
		case other["provider"] == p:
			maps.Copy(q, other)
		case f.Witness[quotesOf] == these:
			continue
		}
		fmt.Fprintf(&s, "      - %s\n", flow(q))
	}
	s.WriteString("    expect: {}\n")
	return s.String()
}

// An order that shows something may say, beside what stands under with:, what one offer says (option.) and what another says (other.provider is then
// among it), and who offers: nobody, or these alone that it names. Where it does not say, every other provider offers for the usual fee.
const (
	otherOffer = "other."
	quotesOf   = "quotes"
	nobody     = "[]"
	these      = "these"
)

// usualFee is what every offer asks of which an order that shows something says nothing.
func (b *Bundle) usualFee() string { return "10 " + cmp.Or(b.currency, "USD") }

// Witness decides the order that shows a finding, as Lint did; rules of hold that stand before what is found are released. The record can be
// explained, and expressions can be tried over it, like that of an order which was really decided. It fails where no order is known.
func (b *Bundle) Witness(f Finding) (Decision, error) {
	if len(f.Witness) == 0 {
		return Decision{}, fmt.Errorf("no order shows %s: %s", f.Code, cmp.Or(f.NoWitness, "the finding names none"))
	}
	t, err := b.attempt(f.Witness, f.phase)
	if err != nil {
		return Decision{}, err
	}
	return *t.d, nil
}

func (b *Bundle) witnessCase(f Finding) (*testCase, error) {
	suite, err := loadSuite(b, File{Name: "witness.test.yaml", Data: []byte(b.WitnessTest(f))}, true)
	if err != nil {
		return nil, fmt.Errorf("the order that shows %s cannot be given as a test: %w", f.Code, err)
	}
	return &suite.cases[0], nil
}

// WitnessText is the order that shows a finding in one line, as members of a test; "" where there is none.
func (f Finding) WitnessText() string { return OrderText(f.Witness) }

// OrderText writes an order that shows something in one line, as members of a test; an offer is what begins with option., and a second one what
// begins with other. "" where there is none.
func OrderText(order map[string]string) string {
	with, offer, other := parts(order)
	var out, quotes []string
	if len(with) > 0 {
		out = append(out, "with: "+flow(with))
	}
	for _, q := range []map[string]string{offer, other} {
		if len(q) > 0 {
			quotes = append(quotes, flow(q))
		}
	}
	if len(quotes) > 0 || order[quotesOf] == nobody {
		out = append(out, "quotes: ["+strings.Join(quotes, ", ")+"]")
	}
	return strings.Join(out, " ")
}

// parts splits an order into what stands under with: and what two offers say.
func parts(order map[string]string) (with, offer, other map[string]string) {
	with, offer, other = map[string]string{}, map[string]string{}, map[string]string{}
	members := fieldNames(reflect.TypeFor[quoteText]())
	for path, value := range order {
		root, member, _ := strings.Cut(path, ".")
		switch {
		case path == quotesOf:
		case root+"." != otherOffer && root != "option":
			with[path] = value
		case !slices.Contains(members, member):
		case root == "option":
			offer[member] = value
		default:
			other[member] = value
		}
	}
	return with, offer, other
}

var inList = regexp.MustCompile(`^("(?:[^"\\]|\\.)*") in ([a-z_.]+)$`)

// readable writes the values that logic has found as tests give them.
func readable(witness map[string]string) map[string]string {
	out := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(witness)) {
		value := witness[path]
		number, unit, _ := strings.Cut(value, " ")
		m := inList.FindStringSubmatch(path)
		switch {
		case strings.HasSuffix(path, formula.CurrencyOf): // the amount says it
		case m != nil && value == "false": // a list is empty unless something is put into it
		case m != nil:
			path = m[2]
			if out[path] != "" {
				out[path] = strings.TrimSuffix(out[path], " ]") + ", " + m[1] + " ]"
			} else {
				out[path] = "[ " + m[1] + " ]"
			}
		case unit == "day":
			days, _ := strconv.ParseInt(number, 10, 64)
			out[path] = time.Unix(days*86400, 0).UTC().Format(time.DateOnly)
		case unit == "s":
			out[path] = number + "s"
		default:
			out[path] = value
		}
	}
	return out
}

var plainPath = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_. ]*$`)

var plainText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]*( [A-Za-z0-9]+)?$`)

// flow writes members on one line of YAML. A list is written as one already.
func flow(members map[string]string) string {
	parts := make([]string, 0, len(members))
	for _, path := range slices.Sorted(maps.Keys(members)) {
		value := members[path]
		if (!plainText.MatchString(value) || strings.EqualFold(value, "null")) && !strings.HasPrefix(value, "[") {
			value = strconv.Quote(value)
		}
		if !plainPath.MatchString(path) { // of a budget, whose guard is called as one likes
			path = strconv.Quote(path)
		}
		parts = append(parts, path+": "+value)
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// clockMembers are the members of local that a test may give; they move its now.
var clockMembers = []string{"local.date", "local.weekday", "local.hour", "local.minute_of_day"}

// clock moves now to where members of local say.
func (r *suiteReader) clock(now time.Time, with values) time.Time {
	if n := with["local.date"]; n != nil {
		day, err := time.ParseInLocation(time.DateOnly, n.Value, now.Location())
		if err != nil {
			r.fault(n, "E503", "local.date must be a day", "write 2026-04-10")
			return now
		}
		now = time.Date(day.Year(), day.Month(), day.Day(), now.Hour(), now.Minute(), 0, 0, now.Location())
	}
	if n := with["local.weekday"]; n != nil {
		if !slices.Contains(weekdays, n.Value) {
			r.guess(n, "E505", fmt.Sprintf("there is no weekday %q", n.Value), weekdays)
			return now
		}
		for newLocal(now, now.Location(), nil).Weekday != n.Value {
			now = now.AddDate(0, 0, 1)
		}
	}
	hour, minute := now.Hour(), now.Minute()
	if n := with["local.hour"]; n != nil {
		hour, minute = r.whole(n, "local.hour", 0, 23), 0
	}
	if n := with["local.minute_of_day"]; n != nil {
		minutes := r.whole(n, "local.minute_of_day", 0, 24*60-1)
		hour, minute = minutes/60, minutes%60
	}
	return time.Date(now.Year(), now.Month(), now.Day(), hour, minute, now.Second(), 0, now.Location())
}
