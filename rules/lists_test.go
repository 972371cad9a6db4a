package rules_test

import (
	"errors"
	"fmt"
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
