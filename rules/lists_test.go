package rules_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestListsOfSpreadsheets: the mark that a spreadsheet begins its files with is no part of the first entry, and a table is no list.
func TestListsOfSpreadsheets(t *testing.T) {
	load := func(list string) (*rules.Bundle, error) {
		return rules.Load(append(oneFile("rules: 1\nexclude:\n  - { name: A, when: order.to.state in lists.remote }\n"),
			rules.File{Name: "lists/remote.csv", Data: []byte(list)}), rules.Options{})
	}
	b, err := load("\ufeffAK\r\nHI\r\n")
	if err != nil {
		t.Fatal(err)
	}
	d := b.Decide(b.Prepare(input(t, source()), candidates()), offers())
	for _, state := range []string{"AK", "HI"} {
		if got, err := b.Try(&d, "", `"`+state+`" in lists.remote`); err != nil || !strings.Contains(strings.SplitN(got, "\n", 2)[0], "= true") {
			t.Errorf("%s: %s (%v)", state, got, err)
		}
	}
	_, err = load("state,name\nAK,Alaska\n")
	check, ok := errors.AsType[*rules.CheckError](err)
	if !ok || len(check.Problems) != 1 || check.Problems[0].File != "lists/remote.csv" || check.Problems[0].Line != 1 {
		t.Errorf("a table of two columns is to be one fault, at its place: %v", err)
	}
}

// TestListsAreCSV: quotes mean what they mean in CSV everywhere.
func TestListsAreCSV(t *testing.T) {
	load := func(list string) (*rules.Bundle, error) {
		return rules.Load(append(oneFile("rules: 1\nexclude:\n  - { name: A, when: order.id in lists.remote_states }\n"),
			rules.File{Name: "lists/remote_states.csv", Data: []byte(list)}), rules.Options{})
	}
	b, err := load("\ufeff\"quo\"\"te\"\r\n\"HI, x\"\r\n\"a;b\"\r\n\r\n  AK \r\n\"two\r\nlines\"\r\n\"\"\r\nlast")
	if err != nil {
		t.Fatal(err)
	}
	d := b.Decide(b.Prepare(input(t, source()), candidates()), offers())
	for entry, want := range map[string]string{`"quo\"te"`: "= true", `"HI, x"`: "= true", `"a;b"`: "= true", `"AK"`: "= true", `"two\nlines"`: "= true", `"last"`: "= true",
		`"two"`: "= false", `"lines"`: "= false", `""`: "= false"} {
		got, err := b.Try(&d, "", entry+" in lists.remote_states")
		if first, _, _ := strings.Cut(got, "\n"); err != nil || !strings.HasSuffix(first, want) {
			t.Errorf("%s: %s (%v), want %s", entry, got, err, want)
		}
	}
	for list, want := range map[string]string{
		"AK\nHI\"x\n":                 "2 a \" stands inside",
		"AK\n\"HI\" x\n":              "2 something follows the quotes",
		"AK\n\"HI\nPR\n":              "2 the quotes that begin here are not closed",
		"AK\n\"HI":                    "2 the quotes that begin here are not closed",
		"AK\nH\xffI\nPR\n":            "2 this line is not UTF-8",
		"AK\nHI;Hawaii\n":             "2 this line has more than one column",
		"AK\nHI\tHawaii\n":            "2 this line has more than one column",
		"AK,Alaska\nHI,Hawaii\nPR,\n": "1 this line has more than one column, but a list has one; so it is in 2 more",
		"A\"K\nHI,x\n\"PR":            "1 a \" stands inside|2 this line has more|3 the quotes that begin",
	} {
		_, err := load(list)
		check, ok := errors.AsType[*rules.CheckError](err)
		if !ok || len(check.Problems) != strings.Count(want, "|")+1 {
			t.Errorf("%q: %v", list, err)
			continue
		}
		for i, w := range strings.Split(want, "|") {
			if got := fmt.Sprintf("%d %s", check.Problems[i].Line, check.Problems[i].Sentence); !strings.HasPrefix(got, w) {
				t.Errorf("%q: %s, want %s", list, got, w)
			}
		}
	}
}

// TestListWithATitle: the name of a column that was left in the file is pointed out, and entries are not.
func TestListWithATitle(t *testing.T) {
	for list, want := range map[string]int{"State\nAK\n": 1, "Remote states\nAK\n": 1, "remote_state\nAK\n": 1, "AK\nState\n": 0, "State\n": 0,
		"Zip Code\n02118\n": 1, "SKUs\nA-1\n": 1, "province\nON\n": 1, "ID\nAK\n": 0, "gift\nvip\n": 0} {
		b, err := rules.Load(append(oneFile("rules: 1\nexclude:\n  - { name: A, when: order.to.state in lists.remote_states }\n"),
			rules.File{Name: "lists/remote_states.csv", Data: []byte(list)}), rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, f := range b.Lint(t.Context()) {
			if f.Code == "W613" && f.File == "lists/remote_states.csv" && f.Line == 1 {
				found++
			}
		}
		if found != want {
			t.Errorf("%q: %d findings, want %d", list, found, want)
		}
	}
}

// FuzzList: whatever stands in a list's file, it is read or refused at a line that there is.
func FuzzList(f *testing.F) {
	for _, seed := range []string{"AK\nHI\n", "\"a\"\"b\",c\n\"\n", "\ufeff\"a\r\nb\"\r\n\r", "\"\xff", "a\"\n\"b\"c\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		_, err := rules.Load(append(oneFile("rules: 1\n"), rules.File{Name: "lists/x.csv", Data: list}), rules.Options{})
		if err == nil {
			return
		}
		check, ok := errors.AsType[*rules.CheckError](err)
		if !ok {
			t.Fatal(err)
		}
		for _, p := range check.Problems {
			if p.Line < 1 || p.Line > 1+strings.Count(string(list), "\n") {
				t.Errorf("%q: a problem in line %d", list, p.Line)
			}
		}
	})
}

// TestEntriesThatNothingEquals: what would be told of a text in an expression is told of the entry of a list, where it stands.
func TestEntriesThatNothingEquals(t *testing.T) {
	const file = `rules: 1
providers: [ups]
lists:
  days: ["12/25/2026", 2026-12-5, 2026-11-31, 2026-12-24]
  wd: [sat, Sat]
  codes: [US, AK]
  words: [Sat, 12/25/2026]
let:
  closed: local.weekday in lists.wd
hold:
  - { name: A, when: local.date in lists.days, until: released }
exclude:
  - { name: B, when: not (order.to.country in lists.countries) }
  - { name: C, when: closed or order.to.state in lists.states }
  - { name: D, when: order.to.state in lists.codes or order.to.country in lists.codes or option.provider in lists.accounts }
  - { name: E, when: local.weekday in lists.words or lower(order.to.city) in lists.words }
`
	read := func(countries string) (*rules.Bundle, error) {
		return rules.Load(append(oneFile(file), rules.File{Name: "lists/countries.csv", Data: []byte(countries)},
			rules.File{Name: "lists/states.csv", Data: []byte("AK\n\"hawaii\"\nPR\n  mi\n")}, rules.File{Name: "lists/accounts.csv", Data: []byte("upps\nups\n")}), rules.Options{})
	}
	_, err := read("CA\nUSA\n ca\n")
	check, ok := errors.AsType[*rules.CheckError](err)
	if !ok {
		t.Fatalf("it was taken: %v", err)
	}
	var got []string
	for _, p := range check.Problems {
		got = append(got, fmt.Sprintf("%s:%d:%d-%d %s %s: %s, %s", p.File, p.Line, p.Column, p.End, p.Code, p.Where, p.Sentence, p.DidYouMean))
	}
	want := []string{
		`a.rules.yaml:4:10-22 E205 lists.days: local.date is never "12/25/2026", 2026-12-25`,
		`a.rules.yaml:4:24-33 E205 lists.days: local.date is never "2026-12-5", 2026-12-05`,
		`a.rules.yaml:4:35-45 E205 lists.days: local.date is never "2026-11-31", `,
		`a.rules.yaml:5:13-16 E205 lists.wd: local.weekday is never "Sat", sat`,
		`lists/accounts.csv:1:1-5 E205 lists.accounts: option.provider is never "upps", ups`,
		`lists/countries.csv:2:1-4 E205 lists.countries: order.to.country is never "USA", US`,
		`lists/countries.csv:3:2-4 E205 lists.countries: order.to.country is never "ca", CA`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := rules.Load(append(oneFile(file), rules.File{Name: "lists/countries.csv", Data: []byte("USA\n")}, rules.File{Name: "lists/states.csv", Data: []byte("AK\n")},
		rules.File{Name: "lists/accounts.csv", Data: []byte("ups\n")}), rules.Options{Taken: true}); err != nil {
		t.Errorf("rules that were taken before are refused: %v", err)
	}
	many := strings.Repeat("USA\nGER\n", 30)
	_, err = read(many)
	if _, ok = errors.AsType[*rules.CheckError](err); !ok || strings.Count(err.Error(), "lists/countries.csv:") != 10 || !strings.Contains(err.Error(), "so it is with 50 more entries") {
		t.Errorf("of a whole column that is wrong: %v", err)
	}
}

// TestEntriesThatNoPlaceHas are doubts, as the same texts in an expression are.
func TestEntriesThatNoPlaceHas(t *testing.T) {
	b, err := rules.Load(append(oneFile("rules: 1\nlists: { west: [NV, \"California\", NV] }\nexclude:\n  - { name: A, when: order.to.state in lists.west or order.from.state in lists.states }\n"),
		rules.File{Name: "lists/states.csv", Data: []byte("AK\n\"hawaii\"\nPR\n  mi\n")}), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range b.Doubts() {
		got = append(got, fmt.Sprintf("%s:%d:%d %s %s, %s", p.File, p.Line, p.Column, p.Code, p.Sentence, p.DidYouMean))
	}
	want := []string{`a.rules.yaml:2:21 W633 "California" is not the code of a state, CA`, `lists/states.csv:2:1 W633 "hawaii" is not the code of a state, HI`,
		`lists/states.csv:4:3 W633 order.from.state is never "mi", MI`}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}
