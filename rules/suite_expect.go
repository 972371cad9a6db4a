package rules

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// expectation is what a test wants, all of it or where the matrix has certain values.
type expectation struct {
	node      *yaml.Node
	when      []pair
	otherwise bool
	anything  bool // the branch says on purpose that anything may come of what it speaks of
	wants     []want
}

// want is one key under expect.
type want struct {
	key  string
	line int
	one  string
	list []string
	by   map[string]string
	yes  bool
}

// expectKeys are what can be expected, with the form of each.
var expectKeys = map[string]string{
	"chosen": "text", "ranked": "list", "excluded": "map", "not_excluded": "list", "rule_hits": "list", "not_hit": "list", "held": "text", "set": "map",
	"warnings": "list", "charge": "text", "cost": "map", "asked": "list", "not_asked": "list", "choose": "text", "arm": "text", "fallback": "text",
	"next": "text", "attempts_left": "text", "none": "truth", "message": "text", "faults": "list", "golden": "text", "guards": "map",
}

func expectNames() []string {
	var names []string
	for k := range expectKeys {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// expectations reads one expectation, or a list of them with when: and else:.
func (r *suiteReader) expectations(n *yaml.Node) []expectation {
	if n.Kind == yaml.MappingNode {
		return []expectation{r.expectation(n)}
	}
	var out []expectation
	for _, item := range r.items(n, "expect") {
		out = append(out, r.expectation(item))
	}
	if n.Kind == yaml.SequenceNode && !slices.ContainsFunc(out, func(e expectation) bool { return !e.anything }) {
		r.fault(n, "E502", "nothing is expected here, so the test could never fail", "expect: { chosen: ups }")
	}
	return out
}

func (r *suiteReader) expectation(n *yaml.Node) expectation {
	e := expectation{node: n}
	members := r.mapping(n, "expect", append([]string{"when", "else", "anything"}, expectNames()...))
	for _, p := range members {
		switch p.key {
		case "when":
			if e.when = r.mapping(p.value, "when", nil); len(e.when) == 0 && len(p.value.Content) == 0 && p.value.Kind == yaml.MappingNode {
				r.fault(p.value, "E502", "when: names no value of the matrix", "when: { order.weight: 61 lb }")
			}
		case "else":
			before := len(*r.found)
			if e.otherwise = r.truth(p.value, "else"); !e.otherwise && len(*r.found) == before {
				r.fault(p.value, "E505", "else: can only be true", "leave it out of a branch that always holds")
			}
		case "anything":
			e.anything = true
			if before := len(*r.found); !r.truth(p.value, "anything") && len(*r.found) == before {
				r.fault(p.value, "E505", "anything: can only be true", "leave it out of a branch that expects something")
			}
		default:
			e.wants = append(e.wants, r.want(p))
		}
	}
	switch {
	case e.otherwise && e.when != nil:
		r.fault(n, "E505", "when: and else: do not stand together", "else: true takes what no when: before it has taken")
	case e.anything && len(e.wants) > 0:
		r.fault(n, "E505", "the branch expects something, and says that anything may come", "leave anything: out")
	case e.anything && !e.otherwise && e.when == nil:
		r.fault(n, "E502", "anything: stands without when: or else:, so the test could never fail", "{ else: true, anything: true } speaks of the combinations that no when: has taken")
	case !e.anything && len(e.wants) == 0 && len(members)*2 == len(n.Content) && n.Kind == yaml.MappingNode && !r.suite.open:
		r.fault(n, "E502", "nothing is expected here, so the test could never fail", "expect: { chosen: ups }")
	}
	return e
}

// want reads one key under expect.
func (r *suiteReader) want(p pair) want {
	w := want{key: p.key, line: p.node.Line}
	before := len(*r.found)
	switch expectKeys[p.key] {
	case "truth":
		w.yes = r.truth(p.value, p.key)
	case "list":
		w.list = r.texts(p.value, p.key)
		if p.key != "ranked" {
			slices.Sort(w.list)
		}
	case "map":
		w.by = r.wantedBy(p)
	default:
		w.one = r.wanted(p.key, "", p.value)
	}
	if len(*r.found) > before {
		return w // the names in it are not what they seem
	}
	if p.value.Kind != yaml.ScalarNode && len(p.value.Content) == 0 && !slices.Contains(mayBeEmpty, p.key) {
		r.fault(p.value, "E502", fmt.Sprintf("%s names nothing, so the test could never fail", p.key), "name what is expected, or leave "+p.key+": out")
	}
	r.names(p, w)
	if p.key == "golden" && !goldenPath(w.one) {
		r.fault(p.value, "E505", "golden must be a .txt below the folder of the test", "golden: golden/heavy.txt")
	}
	return w
}

// mayBeEmpty are the expectations that are compared whole, so that an empty list says something.
var mayBeEmpty = []string{"warnings", "faults", "ranked"}

var wantedExamples = map[string]string{
	"excluded": "{ ups: too heavy }, the reason or the rule", "set": "{ signature: adult }", "cost": "{ ups: 9.00 USD }", "guards": "{ Fee cap: next }",
}

// wantedBy reads an expectation of several, each with what is expected of it. Of what is excluded the reason may be left out.
func (r *suiteReader) wantedBy(p pair) map[string]string {
	by := map[string]string{}
	if p.value.Kind == yaml.SequenceNode && p.key == "excluded" {
		for _, t := range r.texts(p.value, p.key) {
			by[t] = ""
		}
		return by
	}
	for _, m := range r.mapping(p.value, p.key, nil) {
		if m.value.Kind != yaml.ScalarNode {
			r.fault(m.value, "E503", fmt.Sprintf("what is expected of %s must be a text", m.key), "write "+p.key+": "+wantedExamples[p.key])
			continue
		}
		by[m.key] = r.wanted(p.key, m.key, m.value)
	}
	return by
}

// wanted reads what is expected of a key, or of a member of it, as a decision shows it: an amount may leave its currency out, as everywhere.
func (r *suiteReader) wanted(key, member string, n *yaml.Node) string {
	if key == "charge" && n.Kind == yaml.MappingNode {
		r.fault(n, "E503", "charge is one amount: what the customer is asked on top, whoever delivers", "write charge: 1.99 USD; what each option costs is cost: "+wantedExamples["cost"])
		return ""
	}
	text := r.text(n, cmp.Or(member, key))
	if text == "" || key != "charge" && key != "cost" && (key != "set" || member != "tip" && member != "tip_max") {
		return text
	}
	v := &valueReader{source: r.source, currency: r.bundle.currency}
	before := len(*r.found)
	m := v.money(n, cmp.Or(member, key))
	if key == "charge" && m.Minor == 0 && len(*r.found) == before {
		return "" // nothing on top
	}
	return m.String()
}

// names refuses rules and providers that the bundle does not have: an expectation of one could never fail where it should.
func (r *suiteReader) names(p pair, w want) {
	known := append(r.bundle.RuleNames(), "score") // the ranking warns under that name
	check := func(n *yaml.Node, name string) {
		if !slices.Contains(known, name) {
			r.guess(n, "E109", fmt.Sprintf("there is no rule %q", name), known)
		}
	}
	switch p.key {
	case "rule_hits", "not_hit", "warnings":
		for _, n := range p.value.Content {
			check(n, n.Value)
		}
	case "choose", "fallback":
		check(p.value, w.one)
	case "guards":
		for i := 0; i+1 < len(p.value.Content); i += 2 {
			check(p.value.Content[i], p.value.Content[i].Value)
			r.oneOf(p.value.Content[i+1], "what a guard does", breachActions)
		}
	case "set":
		for i := 0; i+1 < len(p.value.Content); i += 2 {
			if n := p.value.Content[i]; !slices.Contains(settable, n.Value) {
				r.guess(n, "E107", fmt.Sprintf("there is no attribute %q to set", n.Value), settable)
			}
		}
	case "chosen", "next", "arm":
		if nobody := map[string]string{"arm": "rank"}[p.key]; w.one != cmp.Or(nobody, "none") {
			account, _, _ := strings.Cut(w.one, "/")
			r.known(p.value, account)
		}
	case "held":
		if w.one != "false" {
			check(p.value, w.one)
		}
	case "excluded", "cost", "ranked", "not_excluded", "asked", "not_asked":
		step := 1
		if p.value.Kind == yaml.MappingNode {
			step = 2
		}
		for i := 0; i < len(p.value.Content); i += step {
			account, _, _ := strings.Cut(p.value.Content[i].Value, "/")
			r.known(p.value.Content[i], account)
		}
	}
}

// judge compares a decision with what was expected.
type judge struct {
	bundle *Bundle
	test   *testCase
	d      *Decision
	result *Result
	golden func(name string) ([]byte, error)
}

func (j *judge) judge() {
	faultsWanted := false
	for _, e := range j.test.expect {
		for _, w := range e.wants {
			faultsWanted = faultsWanted || w.key == "faults"
			j.check(w)
		}
	}
	if !faultsWanted && len(j.d.Faults) > 0 {
		var got []string
		for _, f := range j.d.Faults {
			got = append(got, fmt.Sprintf("%q: %s", f.Rule, f.Message))
		}
		slices.Sort(got)
		j.fail(want{key: "faults", line: j.test.line}, "no rule that fails while it runs", strings.Join(slices.Compact(got), "; "))
	}
}

func (j *judge) fail(w want, wanted, got string) {
	if got == "" {
		got = "nothing"
	}
	if wanted == "" {
		wanted = "nothing"
	}
	j.result.Failures = append(j.result.Failures, Failure{Line: w.line, What: w.key, Want: wanted, Got: got})
}

func (j *judge) same(w want, got string) {
	if w.one != got {
		j.fail(w, w.one, got)
	}
}

func (j *judge) check(w want) {
	d := j.d
	switch w.key {
	case "excluded":
		j.excluded(w)
	case "not_excluded":
		for _, name := range w.list {
			if got := j.reasons(name); len(got) > 0 {
				j.fail(w, name+" not excluded", strings.Join(got, "; "))
			}
		}
	case "chosen":
		j.chosen(w)
	case "ranked":
		j.ranked(w)
	case "rule_hits", "not_hit":
		hits := d.Hits()
		for _, name := range w.list {
			hit, wanted := slices.Contains(hits, name), name
			if w.key == "not_hit" {
				hit, wanted = !hit, name+" not hit"
			}
			if !hit {
				j.fail(w, wanted, strings.Join(hits, ", "))
			}
		}
	case "held":
		got := "false"
		if h := d.held(); h != nil {
			got = h.Rule
		}
		j.same(w, got)
	case "set":
		j.set(w)
	case "cost":
		for who, cost := range w.by {
			account, service, _ := strings.Cut(who, "/")
			got := ""
			for _, o := range d.Options {
				if (selector{account, service}).matches(o.Account, o.Service) {
					got = o.Cost.String()
				}
			}
			if got != cost {
				j.fail(w, who+" "+cost, got)
			}
		}
	case "asked", "not_asked":
		for _, name := range w.list {
			account, service, _ := strings.Cut(name, "/")
			hit := slices.ContainsFunc(d.Plan.Ask, func(a Ask) bool {
				return a.Account == account && (service == "" || a.Services == nil || slices.Contains(a.Services, service))
			})
			switch {
			case w.key == "asked" && !hit:
				j.fail(w, name, strings.Join(d.Plan.accounts(), ", "))
			case w.key == "not_asked" && hit:
				j.fail(w, name+" not asked", name+" was asked")
			}
		}
	case "golden":
		j.compareGolden(w)
	default:
		j.later(w)
	}
}

// later compares what speaks of the winner and of what comes after it.
func (j *judge) later(w want) {
	d := j.d
	switch w.key {
	case "warnings":
		var got []string
		for _, x := range d.Warnings {
			got = append(got, x.Rule)
		}
		if !slices.Equal(got, w.list) {
			j.fail(w, strings.Join(w.list, ", "), strings.Join(got, ", "))
		}
	case "guards":
		for guard, action := range w.by {
			var got []string
			for _, b := range d.Guards {
				if b.Guard == guard {
					got = append(got, b.Action)
				}
			}
			if !slices.Contains(got, action) {
				j.fail(w, guard+": "+action, strings.Join(got, ", "))
			}
		}
	case "charge":
		got := ""
		if d.Winner != nil && !d.Winner.Charge.IsZero() {
			got = d.Winner.Charge.String()
		}
		j.same(w, got)
	case "choose", "arm":
		got := ""
		if c := d.Choose; c != nil {
			got = map[string]string{"choose": c.Rule, "arm": c.Arm}[w.key]
		}
		j.same(w, got)
	case "fallback", "next", "attempts_left":
		j.fallback(w)
	case "none":
		if got := d.Winner == nil && d.held() == nil; got != w.yes {
			j.fail(w, fmt.Sprint(w.yes), fmt.Sprint(got)+": "+d.Sentence())
		}
	case "message":
		got := ""
		if d.None != nil {
			got = d.None.Message
		}
		j.same(w, got)
	case "faults":
		var got []string
		for _, f := range d.Faults {
			got = append(got, f.Rule)
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, w.list) {
			j.fail(w, strings.Join(w.list, ", "), strings.Join(got, ", "))
		}
	}
}

func (j *judge) chosen(w want) {
	got := "none"
	if c := j.d.Winner; c != nil {
		if got = c.Account; strings.Contains(w.one, "/") {
			got = selector{c.Account, c.Service}.String()
		}
	}
	j.same(w, got)
}

func (j *judge) ranked(w want) {
	var got []string
	for i, c := range j.d.Ranked {
		name := selector{c.Account, c.Service}.String()
		if i < len(w.list) && !strings.Contains(w.list[i], "/") {
			name = c.Account
		}
		got = append(got, name)
	}
	if !slices.Equal(got, w.list) {
		j.fail(w, strings.Join(w.list, ", "), strings.Join(got, ", "))
	}
}

// reasons lists why a provider, or a service of it, is out.
func (j *judge) reasons(name string) []string {
	account, service, _ := strings.Cut(name, "/")
	var out []string
	for _, e := range j.d.Excluded {
		if e.Account == account && (service == "" || e.Service == "" || e.Service == service) {
			out = append(out, e.Reason, e.Rule)
		}
	}
	return out
}

func (j *judge) excluded(w want) {
	for name, reason := range w.by {
		got := j.reasons(name)
		if len(got) == 0 || reason != "" && !slices.Contains(got, reason) {
			j.fail(w, strings.TrimSuffix(name+": "+reason, ": "), strings.Join(got, ", "))
		}
	}
}

func (j *judge) set(w want) {
	got := map[string]string{}
	for _, a := range j.d.Plan.Set.By {
		if a.OverwrittenBy == "" {
			got[a.Attribute] = a.Value
		}
	}
	if tip := j.d.Plan.Set.Tip; tip != nil {
		got["tip"] = tip.String()
	}
	for attribute, value := range w.by {
		if got[attribute] != value {
			j.fail(w, attribute+": "+value, got[attribute])
		}
	}
}

// fallback says what would come next if the event happened to the winner.
func (j *judge) fallback(w want) {
	f, ok := j.d.FallbackFor(j.test.event)
	got := ""
	switch {
	case w.key == "next":
		got = j.next(w)
	case !ok:
	case w.key == "fallback":
		got = f.Rule
	case f.Attempts > 0:
		got = fmt.Sprint(max(f.Attempts-max(len(j.d.Plan.Input.Order.Failed), 1), 0))
	default:
		got = "no bound"
	}
	j.same(w, got)
}

// next is the account, or service where the test names one, that the engine would book next; "none" where it books nobody at once.
func (j *judge) next(w want) string {
	if j.d.Winner == nil {
		return "none"
	}
	first := j.d.Winner.Fee
	if fees := j.failedFees(); len(fees) > 0 {
		first = slices.MinFunc(fees, func(a, b shipping.Money) int { return cmp.Compare(a.Minor, b.Minor) })
	}
	c, ok := j.d.next(j.test.event, first)
	switch {
	case !ok:
		return "none"
	case strings.Contains(w.one, "/"):
		return selector{c.Account, c.Service}.String()
	}
	return c.Account
}

// failedFees are what the accounts that have failed ask in the test: the first booking had one of these.
func (j *judge) failedFees() []shipping.Money {
	var fees []shipping.Money
	for _, o := range j.test.offers {
		if slices.Contains(j.d.Plan.Input.Order.Failed, o.Account) {
			fees = append(fees, o.Quote.Amount)
		}
	}
	return fees
}

func (d *Decision) held() *Hold {
	if d.Plan.Hold != nil {
		return d.Plan.Hold
	}
	return d.Hold
}

// Hits lists the rules that did something to the order, sorted.
func (d *Decision) Hits() []string {
	var hits []string
	for _, e := range d.Excluded {
		if e.Phase != PhaseBuiltin {
			hits = append(hits, e.Rule)
		}
	}
	for _, a := range d.Plan.Set.By {
		hits = append(hits, a.Rule)
	}
	for _, a := range d.Adjusted {
		hits = append(hits, a.Rule)
	}
	for _, b := range d.Guards {
		hits = append(hits, b.Guard)
	}
	for _, f := range d.Fallback {
		hits = append(hits, f.Rule)
	}
	for _, w := range d.Warnings {
		hits = append(hits, w.Rule)
	}
	if h := d.held(); h != nil {
		hits = append(hits, h.Rule)
	}
	if d.Choose != nil {
		hits = append(hits, d.Choose.Rule)
	}
	slices.Sort(hits)
	return slices.Compact(hits)
}

// compareGolden compares the explanation, without the version of the rules, with a file that a person has reviewed.
func (j *judge) compareGolden(w want) {
	text, err := Explain(j.bundle, *j.d)
	if err != nil {
		j.fail(w, w.one, err.Error())
		return
	}
	text = strings.ReplaceAll(text, j.bundle.hash[:len("sha256:")+12], "sha256:…")
	if j.result.Goldens == nil {
		j.result.Goldens = map[string]string{}
	}
	j.result.Goldens[w.one] = text
	if j.golden == nil {
		j.result.Unread = append(j.result.Unread, w.one)
		return
	}
	stored, err := j.golden(w.one)
	switch {
	case err != nil:
		j.fail(w, w.one, err.Error())
	case !bytes.Equal(bytes.TrimSpace(stored), bytes.TrimSpace([]byte(text))):
		j.fail(w, "the explanation as in "+w.one, "another; see it with --update and your version control")
	}
}
