package formula

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
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

// meantState is how orders have a state that a text means: the code of one of the United States or Canada, and of any other the text in capitals. It is
// "" where that is the text itself.
func meantState(text string) string {
	plain := strings.TrimSpace(text)
	code := stateCodes()[strings.ToLower(plain)]
	if code == "" {
		code = strings.ToUpper(plain)
	}
	if code != text {
		return code
	}
	return ""
}

// coded are the countries whose states stateCodes knows, and the territories that are countries in some addresses and states in others.
var coded = []string{"", "US", "CA", "PR", "GU", "VI", "AS", "MP"}

// State is how rules see the state of an address, however it is written there: without blanks around it, in capitals, and as its code in the United
// States and Canada.
func State(country, text string) string {
	plain := strings.TrimSpace(text)
	if code := stateCodes()[strings.ToLower(plain)]; code != "" && slices.Contains(coded, country) {
		return code
	}
	return strings.ToUpper(plain)
}

// Country is how rules see a country, however it is written in an address: as its code, and in capitals where that is not known.
func Country(text string) string {
	plain := strings.ToUpper(strings.TrimSpace(text))
	if code := meantCountry(plain); code != "" {
		return code
	}
	return plain
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
	stateHint   = "orders have the code of a state or province of the United States and Canada, and any other in capitals, whatever the shop sends"
	countryHint = "no order has it: a country is one of the codes of ISO 3166"
)

// misplaced says what is wrong with a text that the state or the country of an address is compared with, and that no order has. It is nothing
// that is refused. It has no place; nil is nothing wrong.
func misplaced(path, text string) *Problem {
	of, known := places[path]
	if !known {
		return nil
	}
	meant := of.meant(text)
	if meant == "" {
		return nil
	}
	p := &Problem{Code: "W633", Message: fmt.Sprintf("%q is not the code of a %s", text, of.what), DidYouMean: strconv.Quote(meant), Hint: of.hint}
	if strings.EqualFold(meant, strings.TrimSpace(text)) {
		p.Message = fmt.Sprintf("%s is never %q", path, text)
	}
	return p
}

// Misplaced tells where a formula compares the state or the country of an address with what means a place and is not written as orders have it.
func (f *Formula) Misplaced() []Problem {
	asked := func(path string) bool { return f.Uses[path] }
	if !slices.ContainsFunc(slices.Collect(maps.Keys(places)), asked) {
		return nil
	}
	var found []Problem
	compare := func(field, text ast.Node) {
		s, literal := text.(*ast.StringNode)
		if !literal {
			return
		}
		if p := misplaced(pathOf(field), s.Value); p != nil {
			p.From, p.To = spanOf(text)
			found = append(found, *p)
		}
	}
	f.walk(func(n ast.Node) {
		b, ok := n.(*ast.BinaryNode)
		if !ok {
			return
		}
		switch b.Operator {
		case "==", "!=":
			compare(b.Left, b.Right)
			compare(b.Right, b.Left)
		case "in", "not in":
			if list, ok := b.Right.(*ast.ArrayNode); ok {
				for _, x := range list.Nodes {
					compare(b.Left, x)
				}
			}
		}
	})
	return found
}

// Listed lists what a formula looks for in the lists of the file, by the list: paths, and "" for what is computed.
func (f *Formula) Listed() map[string][]string {
	if !f.Uses["lists"] {
		return nil
	}
	found := map[string][]string{}
	f.walk(func(n ast.Node) {
		b, ok := n.(*ast.BinaryNode)
		if !ok {
			return
		}
		if name, ok := strings.CutPrefix(pathOf(b.Right), "lists."); ok {
			found[name] = append(found[name], pathOf(b.Left))
		}
	})
	return found
}

// Never says why what stands at a path is never a text that a list has; nil where it may be. The problem has no place.
func (e *Env) Never(path, text string) *Problem {
	if of, known := shapes[path]; known && !of.fits(text) {
		return of.problem(path, text)
	}
	if odd := e.Odd(path, text); odd != nil {
		return odd
	}
	return misplaced(path, text)
}
