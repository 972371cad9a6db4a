package formula

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr/ast"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// states are the states and territories of the United States and the provinces and territories of Canada, each behind its code. Codes and names
// are those of ISO 3166-2, and so of appendix B of Publication 28 of the USPS and of the addressing guidelines of Canada Post; those of the armed
// forces are the USPS's alone.
const states = "AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,CT Connecticut,DE Delaware,DC District of Columbia,FL Florida,GA Georgia," +
	"HI Hawaii,ID Idaho,IL Illinois,IN Indiana,IA Iowa,KS Kansas,KY Kentucky,LA Louisiana,ME Maine,MD Maryland,MA Massachusetts,MI Michigan,MN Minnesota," +
	"MS Mississippi,MO Missouri,MT Montana,NE Nebraska,NV Nevada,NH New Hampshire,NJ New Jersey,NM New Mexico,NY New York,NC North Carolina," +
	"ND North Dakota,OH Ohio,OK Oklahoma,OR Oregon,PA Pennsylvania,RI Rhode Island,SC South Carolina,SD South Dakota,TN Tennessee,TX Texas,UT Utah," +
	"VT Vermont,VA Virginia,WA Washington,WV West Virginia,WI Wisconsin,WY Wyoming,AS American Samoa,GU Guam,MP Northern Mariana Islands,PR Puerto Rico," +
	"VI Virgin Islands,AA Armed Forces Americas,AE Armed Forces Europe,AP Armed Forces Pacific," +
	"AB Alberta,BC British Columbia,MB Manitoba,NB New Brunswick,NL Newfoundland and Labrador,NL Newfoundland,NT Northwest Territories,NS Nova Scotia," +
	"NU Nunavut,ON Ontario,PE Prince Edward Island,QC Quebec,QC Québec,SK Saskatchewan,YT Yukon Territory,YT Yukon"

// stateCodes are the codes of states by their names in small letters, and by themselves, also with their country before them.
var stateCodes = sync.OnceValue(func() map[string]string {
	codes := map[string]string{}
	for one := range strings.SplitSeq(states, ",") {
		code, name, _ := strings.Cut(one, " ")
		small := strings.ToLower(code)
		codes[strings.ToLower(name)], codes[small], codes["us-"+small], codes["ca-"+small] = code, code, code, code
	}
	return codes
})

// meantState is the code of the state of the United States or Canada that a text means, "" where it is none, or that code itself.
func meantState(text string) string {
	if code := stateCodes()[strings.ToLower(strings.TrimSpace(text))]; code != text {
		return code
	}
	return ""
}

// countryCodes are the codes of countries by their English names in small letters, as the CLDR has them, and by some that it has not.
var countryCodes = sync.OnceValue(func() map[string]string {
	codes := map[string]string{"united states of america": "US", "great britain": "GB", "england": "GB", "holland": "NL", "czech republic": "CZ"}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if code := string([]rune{a, b}); shipping.KnownCountry(code) {
				codes[strings.ToLower(display.English.Regions().Name(language.MustParseRegion(code)))] = code
			}
		}
	}
	return codes
})

// meantCountry is the code of the country that a text means: its name, its code of three letters or in small ones, or UK. It is "" where the text is
// a code, or means none.
func meantCountry(text string) string {
	plain := strings.TrimSpace(text)
	if shipping.KnownCountry(text) {
		return ""
	}
	if known := countryCodes()[strings.ToLower(plain)]; known != "" {
		return known
	}
	region, err := language.ParseRegion(strings.ReplaceAll(plain, ".", ""))
	if err != nil {
		return ""
	}
	if code := region.Canonicalize().String(); shipping.KnownCountry(code) {
		return code
	}
	return ""
}

// places are the fields that hold the code of a place.
var places = map[string]struct {
	meant      func(string) string
	what, hint string
}{
	"order.to.state": {meantState, "state", stateHint}, "order.from.state": {meantState, "state", stateHint},
	"order.to.country": {meantCountry, "country", countryHint}, "order.from.country": {meantCountry, "country", countryHint},
}

const (
	stateHint   = "a state or province is its code, as carriers ask for it; where the shop sends names, leave it"
	countryHint = "no order has it: a country is one of the codes of ISO 3166"
)

// Misplaced tells where a formula compares the state or the country of an address with what means a place and is not its code, in the text or in
// a list: no order is likely to have it. It is nothing that is refused, as a state may be any text. The problems have the code W633.
func (f *Formula) Misplaced(lists map[string]List) []Problem {
	asked := func(path string) bool { return f.Uses[path] }
	if !slices.ContainsFunc(slices.Collect(maps.Keys(places)), asked) {
		return nil
	}
	m := &misplacer{lists: lists}
	f.walk(m.see)
	return m.found
}

type misplacer struct {
	lists map[string]List
	found []Problem
}

func (m *misplacer) see(n ast.Node) {
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return
	}
	switch b.Operator {
	case "==", "!=":
		m.compare(b.Left, b.Right)
		m.compare(b.Right, b.Left)
	case "in", "not in":
		if list, ok := b.Right.(*ast.ArrayNode); ok {
			for _, x := range list.Nodes {
				m.compare(b.Left, x)
			}
		} else if name, ok := strings.CutPrefix(pathOf(b.Right), "lists."); ok {
			m.Some(b.Left, b.Right, name)
		}
	}
}

func (m *misplacer) compare(field, text ast.Node) {
	of, known := places[pathOf(field)]
	s, literal := text.(*ast.StringNode)
	if !known || !literal {
		return
	}
	if code := of.meant(s.Value); code != "" {
		m.tell(text, fmt.Sprintf("%q is not the code of a %s", s.Value, of.what), fmt.Sprintf("%q", code), of.hint)
	}
}

func (m *misplacer) Some(field, list ast.Node, name string) {
	of, known := places[pathOf(field)]
	if !known {
		return
	}
	var odd []string
	for _, entry := range slices.Sorted(maps.Keys(m.lists[name].Set)) {
		if of.meant(entry) != "" {
			odd = append(odd, entry)
		}
	}
	if len(odd) == 0 {
		return
	}
	message := fmt.Sprintf("%q in lists.%s is not the code of a %s", odd[0], name, of.what)
	if more := len(odd) - 1; more > 0 {
		message += fmt.Sprintf("; so it is with %d more", more)
	}
	m.tell(list, message, "", "write "+of.meant(odd[0])+" there; "+of.hint)
}

func (m *misplacer) tell(at ast.Node, message, meant, hint string) {
	from, to := spanOf(at)
	m.found = append(m.found, Problem{Code: "W633", From: from, To: to, Message: message, DidYouMean: meant, Hint: hint})
}
