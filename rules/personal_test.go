package rules_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

const personal = "rules: 1\nenv: { pii: true }\nexclude:\n  - name: Known trouble\n    when: recipient.email endsWith \"@trouble.example\" or recipient.street startsWith \"1 Dead End\" or recipient.phone == \"+1\"\n    reason: trouble\n" +
	"set:\n  - name: By name\n    when: recipient.name != \"\"\n    set: { instructions: \"Ask for {recipient.name}\" }\n"

func loaded(t *testing.T, text string, opt rules.Options) (*rules.Bundle, error) {
	t.Helper()
	return rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(text)}}, opt)
}

// TestPersonalDataIsForRulesThatSaySo: only they can name it, only their records hold it, and only where the configuration lets them.
func TestPersonalDataIsForRulesThatSaySo(t *testing.T) {
	src := source()
	src.Recipient = rules.Recipient{Name: "Ann Example", Phone: "+1 617", Email: "ann@trouble.example", Street: "725 Albany Street"}
	in := input(t, src)
	ups := []rules.Candidate{{Account: "ups"}}
	b, err := loaded(t, personal, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan := b.Prepare(in, ups)
	if len(plan.Excluded) != 1 || plan.Set.Instructions != "Ask for Ann Example" || plan.Input.Recipient != src.Recipient {
		t.Errorf("plan %+v", plan)
	}
	d := b.Decide(plan, nil)
	again, err := rules.Recompute(b, d)
	if err != nil || asJSON(t, again) != asJSON(t, d) {
		t.Errorf("recomputing gives %s, %v", asJSON(t, again), err)
	}
	for name, text := range map[string]string{
		"silent":  "rules: 1\nexclude: [{ name: A, when: order.to.city == \"x\" }]\n",
		"says no": "rules: 1\nenv: { pii: false }\nexclude: [{ name: A, when: order.to.city == \"x\" }]\n",
	} {
		plain, err := loaded(t, text, rules.Options{NoPersonal: true})
		if err != nil {
			t.Fatal(name, err)
		}
		record := asJSON(t, plain.Decide(plain.Prepare(in, ups), nil))
		for _, word := range []string{"Ann", "617", "trouble.example", "Albany", "recipient"} {
			if strings.Contains(record, word) {
				t.Errorf("%s: the record holds %q: %s", name, word, record)
			}
		}
		old := plain.Decide(plain.Prepare(in, ups), nil)
		if r := b.Replay(&old); len(r.Unknown) != 1 || r.Unknown[0] != "the recipient" {
			t.Errorf("replaying a record without it is sure of itself: %v", r.Unknown)
		}
	}
	for text, want := range map[string]string{
		"rules: 1\nexclude: [{ name: A, when: recipient.email == \"x\" }]\n":                     "env: { pii: true }",
		"rules: 1\nexclude: [{ name: A, when: order.to.phone == \"x\" }]\n":                      "env: { pii: true }",
		"rules: 1\nenv: { pi: true }\n":                                                          "pii",
		"rules: 1\nenv: { pii: maybe }\n":                                                        "pii",
		"rules: 1\nenv: { pii: true }\nexclude: [{ name: A, when: recipient.emial == \"x\" }]\n": "email",
	} {
		if _, err := loaded(t, text, rules.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := loaded(t, personal, rules.Options{NoPersonal: true}); err == nil || !strings.Contains(err.Error(), "rules_pii: true") {
		t.Errorf("rules that the configuration does not let: %v", err)
	}
}
