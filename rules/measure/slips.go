package measure

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/waybill-dev/waybill/rules"
)

// Told counts how well mistakes were told.
type Told struct {
	Mistakes  int
	Found     int // refused at all
	Place     int // the squiggle is under the part that is wrong, and nothing else
	Suggested int // the message says what was meant
	Missed    []string
}

// Slips loads every mistake of the corpus.
func Slips() Told {
	var t Told
	for _, s := range ExpressionSlips {
		t.tell(SlipFile+s.Text+"\n", s.Want)
	}
	for _, s := range StructureSlips {
		t.tell(s.Text, s.Want)
	}
	return t
}

// tell loads a file with one mistake between « and ».
func (t *Told) tell(file, want string) {
	t.Mistakes++
	before, rest, _ := strings.Cut(file, "«")
	inside, after, marked := strings.Cut(rest, "»")
	if !marked {
		before, inside, after = file, "", ""
	}
	_, err := rules.Load([]rules.File{{Name: "slip.rules.yaml", Data: []byte(before + inside + after)}}, rules.Options{Providers: Manifests()})
	check, ok := errors.AsType[*rules.CheckError](err)
	if !ok {
		t.Missed = append(t.Missed, file+": not found")
		return
	}
	t.Found++
	p := check.Problems[0]
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	place := !marked || inside == "" || p.Line == line && p.Column == column && p.End == column+len([]rune(inside))
	suggested := strings.Contains(p.DidYouMean+" "+p.Hint+" "+p.Sentence, want)
	if place {
		t.Place++
	}
	if suggested {
		t.Suggested++
	}
	if !place || !suggested {
		t.Missed = append(t.Missed, fmt.Sprintf("%s: %v", strings.TrimSpace(before[strings.LastIndexByte(before, '\n')+1:]+"«"+inside+"»"+after), err))
	}
}

// sound are conditions without a mistake. The words between « and » are those in which a typing finger slips.
var sound = []string{
	`order.«weight» > lb(70)`, `order.«longest_side» > inch(48)`, `order.to.«country» == "US"`, `order.to.«postal_code» == "60637"`,
	`order.«total» > «usd»(5)`, `option.«provider» == "ups"`, `option.«service» == "ground"`, `any(order.items, .«quantity» > 2)`,
	`local.«weekday» == "sat"`, `location.«cutoff_minute» > 900`, `«order».asap and order.has_promise`, `«option».fee > usd(5)`, `«domestic» and order.asap`,
	`«time_between»("17:00", "18:00")`, `«supports»("alcohol")`, `order.to.type == "«residential»"`, `order.to.type in ["«business»"]`,
	`option.provider == "«doordash»"`, `order.signature == "«adult»"`, `order.temperature == "«frozen»"`, `order.to.state in lists.«remote_states»`,
	`order.attributes.«payment» == "card"`, `option.«dropoff_in» > «minutes»(55)`, `order.«distance» > mi(3)`, `option.«transit_days» > 2`,
	`«lower»(order.to.city) == "boston"`, `order.«failed_providers» == []`, `order.«promise_by» < order.created`, `location.«closed_today»`,
}

// Typing makes n typing mistakes, drawn from seed, in sound conditions: two letters the wrong way round, one left out, doubled or hit beside.
func Typing(n int, seed uint64) Told {
	r := rand.New(rand.NewPCG(seed, 0))
	var t Told
	for t.Mistakes < n {
		parts := strings.Split(strings.ReplaceAll(sound[r.IntN(len(sound))], "»", "«"), "«")
		at := 1 + 2*r.IntN(len(parts)/2)
		word := parts[at]
		wrong := mistype(r, word)
		if wrong == word {
			continue
		}
		parts[at] = "«" + wrong + "»"
		if strings.HasSuffix(parts[at-1], `"`) && strings.HasPrefix(parts[at+1], `"`) { // of a text, the quotes are wrong too
			parts[at] = `«"` + wrong + `"»`
			parts[at-1], parts[at+1] = strings.TrimSuffix(parts[at-1], `"`), strings.TrimPrefix(parts[at+1], `"`)
		}
		t.tell(SlipFile+strings.Join(parts, "")+"\n", word)
	}
	return t
}

var rows = []string{"qwertyuiop", "asdfghjkl", "zxcvbnm"}

// mistype is a word as a hurried finger writes it.
func mistype(r *rand.Rand, word string) string {
	b := []byte(word)
	i := r.IntN(len(b))
	switch r.IntN(4) {
	case 0:
		j := min(i+1, len(b)-1)
		b[i], b[j] = b[j], b[i]
	case 1:
		b = append(b[:i], b[i+1:]...)
	case 2:
		b = append(b[:i+1], b[i:]...)
	default:
		for _, row := range rows {
			if k := strings.IndexByte(row, b[i]); k >= 0 {
				b[i] = row[(k+1)%len(row)]
			}
		}
	}
	return string(b)
}
