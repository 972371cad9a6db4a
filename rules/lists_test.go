package rules_test

import (
	"errors"
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
