// Package number tells from a tracking number alone which courier may have given it. It knows the shapes of the couriers'
// numbers and how their check digits are computed, and nothing of parcels: a number may be right and never have been used, and
// some shapes belong to several couriers. What it says is therefore advice, best first. Whoever knows the courier names it, and
// the number is taken even where its check digit is wrong, as those of carriers' test hosts are.
package number

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// MaxLength is how many bytes a number can have, spaces and hyphens counted: as many as a tracker's trackingId takes. Longer
// texts are no numbers.
const MaxLength = 100

// Candidate is one reading of a number.
type Candidate struct {
	Courier string `json:"courier"` // the Code of a Courier
	Format  string `json:"format"`  // for people; no two formats have one name
	Valid   bool   `json:"valid"`   // the check digit is right, or the format has none
	// Checked tells that the format has a check digit. Where it has none, Valid says only that the number looks like one.
	Checked bool `json:"-"`
}

// Detect returns every reading of a number, best first, and an empty list for what is in no known format. Readings with a right
// check digit come first, then those of formats without one, then those whose check digit is wrong; among these the format first
// that fixes more characters, then the one in wider use.
func Detect(s string) []Candidate {
	out := []Candidate{}
	if len(s) > MaxLength {
		return out
	}
	n := Normalize(s)
	var found []reading
	for i := range formats() {
		if r, ok := formats()[i].read(n); ok {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b reading) int {
		return cmp.Or(cmp.Compare(b.evidence(), a.evidence()), cmp.Compare(b.fixed, a.fixed))
	})
	for _, r := range found {
		out = append(out, r.Candidate)
	}
	return out
}

// reading is a Candidate and how many characters of the number its format fixes.
type reading struct {
	Candidate
	fixed int
}

func (r reading) evidence() int {
	switch {
	case r.Valid && r.Checked:
		return 2
	case r.Valid:
		return 1
	}
	return 0
}

// Ambiguous tells whether valid candidates name more than one courier, so that the number alone does not say whose it is.
func Ambiguous(candidates []Candidate) bool {
	first := ""
	for _, c := range candidates {
		if !c.Valid {
			continue
		}
		if first != "" && c.Courier != first {
			return true
		}
		first = c.Courier
	}
	return false
}

// Verdict is what a number looks like to the courier that it is said to be of. It is no reason to refuse the number: couriers
// have formats that are not known here, and their test hosts give numbers with wrong check digits.
type Verdict struct {
	Known  bool   // the number is in a known format of the courier
	Valid  bool   // and its check digit is right, or that format has none
	Format string // "" where none is known
}

// Check holds a number against the formats of one courier, named as Lookup takes it. A courier that is not known has none.
func Check(courier, s string) Verdict {
	named, ok := Lookup(courier)
	if !ok {
		return Verdict{}
	}
	for _, c := range Detect(s) {
		if c.Courier == named.Code {
			return Verdict{Known: true, Valid: c.Valid, Format: c.Format}
		}
	}
	return Verdict{}
}

// Normalize returns a number as couriers print it in bar codes: capital letters, and none of the spaces, hyphens and invisible
// characters that people and web pages put between. Other characters stay.
func Normalize(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r), r == '\u2212': // minus sign
			return -1
		}
		return r
	}, s)
}
