package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

func TestReferenceIsComplete(t *testing.T) {
	seen := map[string]rules.Entry{}
	for _, e := range rules.Reference() {
		if e.Name == "" || strings.HasSuffix(e.Name, ".") || e.Kind == "" {
			t.Errorf("entry %+v", e)
		}
		if strings.HasSuffix(e.Name, "()") && e.About == "" {
			t.Errorf("function %s is not described", e.Name)
		}
		seen[e.Name] = e
	}
	if e := seen["order.to.type"]; e.Kind != "text" || len(e.Values) == 0 {
		t.Errorf("%+v", e)
	}
	for name, e := range seen { // what guard and warn are told of the chosen option is what the others are told of one
		if of, ok := strings.CutPrefix(name, "option."); ok && (seen["chosen."+of].Kind != e.Kind || seen["chosen."+of].About != e.About) {
			t.Errorf("chosen.%s is %+v, and %s is %+v", of, seen["chosen."+of], name, e)
		}
	}
	if e := seen["order.weight"]; e.Kind != "weight" || e.About != "of all parcels" {
		t.Errorf("%+v", e)
	}
	for _, name := range []string{"option.cost", "best.fee", "chosen.fee", "reasons", "local.weekday", "order.items.sku", "<provider>.available", "quota()", "any()"} {
		if seen[name].Name == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestEveryCodeIsDescribed looks for codes in the sources.
func TestEveryCodeIsDescribed(t *testing.T) {
	known := rules.Codes()
	used := map[string]bool{}
	for _, pattern := range []string{"*.go", "internal/formula/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if file == "codes.go" || strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, code := range regexp.MustCompile(`"([EW]\d{3})"`).FindAllStringSubmatch(string(text), -1) {
				used[code[1]] = true
				if known[code[1]] == "" {
					t.Errorf("%s: code %s is not described", file, code[1])
				}
			}
		}
	}
	for code := range known {
		if !used[code] {
			t.Errorf("nothing says %s", code)
		}
	}
}

func TestFormat(t *testing.T) {
	const messy = "\n\nrules: 1  \r\ncurrency: USD\nlet:\n  a: order.asap   \nexclude:\n  - name: A # why\n    when: a\n\n\n\n    reason: r\nrank: { strategy: fastest }\n\n"
	const neat = "rules: 1\ncurrency: USD\nlet:\n  a: order.asap\n\nexclude:\n  - name: A # why\n    when: a\n\n    reason: r\n\nrank: { strategy: fastest }\n"
	got, err := rules.Format([]byte(messy))
	if err != nil || string(got) != neat {
		t.Errorf("%q (%v)", got, err)
	}
	if again, err := rules.Format(got); err != nil || string(again) != neat {
		t.Errorf("twice: %q (%v)", again, err)
	}
	for messy, neat := range map[string]string{
		"a: \"x  \n\n\n  y\"  \n\n\nb: 1\n":                                  "a: \"x  \n\n\n  y\"  \n\nb: 1\n",
		"a: 'it''s \n\n\n  x'\n\n\nb: 1\n":                                   "a: 'it''s \n\n\n  x'\n\nb: 1\n",
		"a: |\n  x  \n\n\n  y\n\n\n\n# why \n\n\nb: 1 \n":                    "a: |\n  x  \n\n\n  y\n\n# why\n\nb: 1\n",
		"a:\n  - >-\n    x\n\n\n    y\n\n\n  - z   \n":                       "a:\n  - >-\n    x\n\n\n    y\n\n  - z\n",
		"a: |+\n  x\n\n\nb: 1\n\n\nc: 2\n":                                   "a: |+\n  x\n\n\nb: 1\n\nc: 2\n",
		"a: |+\n  x\n\n\n":                                                   "a: |+\n  x\n\n\n",
		"a: |2\n     x\n\n\n  # y\n\n\nb: 1\n":                               "a: |2\n     x\n\n\n  # y\n\nb: 1\n",
		"a: x\n\n\n  y\n\n\nb: 1\n":                                          "a: x\n\n\n  y\n\nb: 1\n",
		"- { a: \"x\n\n\n  y\", b: 'c' }  \n- \"d\\\"\n\n\n  e\"\n\n\n- f\n": "- { a: \"x\n\n\n  y\", b: 'c' }  \n- \"d\\\"\n\n\n  e\"\n\n- f\n",
	} {
		if got, err := rules.Format([]byte(messy)); err != nil || string(got) != neat {
			t.Errorf("%q became %q (%v), want %q", messy, got, err, neat)
		}
	}
	if _, err := rules.Format([]byte("a: 1\rb: 2\n")); err == nil || !strings.Contains(err.Error(), "ends of lines") {
		t.Errorf("unusual ends of lines: %v", err)
	}
	if _, err := rules.Format([]byte("a: [")); err == nil {
		t.Error("what is no YAML was laid out")
	}
}

// FuzzFormat: whatever is YAML is laid out without a change of its values, and laid out once it stays so.
func FuzzFormat(f *testing.F) {
	for _, seed := range []string{"a: |\n  x\n\n\n  y\nb: 1\n", "- >+\n  x\n\n\n- 'a\n\n\n  b'\n", "a: x\n\n\n  y # z\nb: { c: \"d\n\n  e\" }\n", "a: &b |2-\n    x\n  # y\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := rules.Format(data)
		if err != nil {
			if strings.Contains(err.Error(), "fault of the program") {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		if twice, err := rules.Format(once); err != nil || string(twice) != string(once) {
			t.Errorf("%q became %q and then %q (%v)", data, once, twice, err)
		}
	})
}

func TestTry(t *testing.T) {
	b := demo(t)
	d := b.Decide(b.Prepare(input(t, source()), candidates()), offers())
	for _, c := range []struct{ account, expression, want string }{
		{"", "option.provider", `= "doordash"`}, {"ups", "option.fee < order.total and near_by", "= false"}, {"", "dear", "= false"},
	} {
		if got, err := b.Try(&d, c.account, c.expression); err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s (%v)", c.expression, got, err)
		}
	}
	if _, err := b.Try(&d, "", "order.total > eur(3)"); err == nil || !strings.Contains(err.Error(), "EUR cannot meet USD") {
		t.Errorf("an amount in another currency than the file's: %v", err)
	}
	if _, err := b.Try(&d, "", "order.totl"); err == nil || !strings.Contains(err.Error(), "did you mean total") {
		t.Error(err)
	}
}
