package rules

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// valueReader turns what a test file says into values as expressions see them.
type valueReader struct {
	*source
	zone     *time.Location
	currency string
	now      time.Time
	env      *formula.Env // says which texts there can be
	at       string       // the path of what is read, as expressions name it
}

// fieldNames are the names that expressions use for the fields of a struct.
func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("expr"); tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

// fieldNamed is a field by the name that expressions use; the zero Value where there is none.
func fieldNamed(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("expr") == name {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// setPath sets a member of a struct: "to.state", "attributes.gift".
func (r *valueReader) setPath(v reflect.Value, path string, n *yaml.Node, what string) {
	name, rest, deeper := strings.Cut(path, ".")
	f := fieldNamed(v, name)
	switch {
	case !f.IsValid():
		known := fieldNames(v.Type())
		r.fault(n, "E102", fmt.Sprintf("unknown field %q in %s", name, what), "it has: "+strings.Join(known, ", "))
	case !deeper:
		r.set(f, n, what)
	case f.Kind() == reflect.Struct && len(fieldNames(f.Type())) > 0:
		r.setPath(f, rest, n, what)
	case f.Kind() == reflect.Map:
		set := reflect.MakeMap(f.Type())
		for _, key := range f.MapKeys() {
			set.SetMapIndex(key, f.MapIndex(key))
		}
		value := reflect.New(f.Type().Elem()).Elem()
		r.set(value, n, what)
		set.SetMapIndex(reflect.ValueOf(rest), value)
		f.Set(set)
	default:
		r.fault(n, "E102", fmt.Sprintf("%s has no parts", strings.TrimSuffix(what, "."+rest)), "")
	}
}

// set reads a node into a value.
func (r *valueReader) set(v reflect.Value, n *yaml.Node, what string) {
	switch to := v.Addr().Interface().(type) {
	case *shipping.Money:
		*to = r.money(n, what)
	case *unit.Weight:
		to.Rational = r.quantity(n, what, unit.WeightUnits, "12 lb")
	case *unit.Length:
		to.Rational = r.quantity(n, what, unit.LengthUnits, "48 inch")
	case *unit.Distance:
		to.Rational = r.quantity(n, what, unit.DistanceUnits, "3 mi")
	case *unit.Volume:
		to.Rational = r.quantity(n, what, volumeUnits, "2000 cm3")
	case *time.Time:
		*to = r.moment(n, what)
	case *time.Duration:
		*to = time.Duration(r.duration(n, what))
	case *bool:
		*to = r.truth(n, what)
	case *int:
		*to = r.whole(n, what, 0, 1<<31)
	case *string:
		if *to = n.Value; n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
			r.fault(n, "E503", what+" must be a text", "leave it out where there is none")
		} else {
			r.known(n)
		}
	case *[]string:
		*to = r.texts(n, what)
		for _, item := range n.Content {
			r.known(item)
		}
	case *map[string]string:
		*to = map[string]string{}
		for _, p := range r.mapping(n, what, nil) {
			(*to)[p.key] = r.text(p.value, p.key)
		}
	case *map[string]int:
		*to = map[string]int{}
		for _, p := range r.mapping(n, what, nil) {
			(*to)[p.key] = r.whole(p.value, p.key, 0, noCap)
		}
	case *float64:
		*to = r.fraction(n, what)
	case *[]Item:
		*to = []Item{}
		for _, item := range r.items(n, what) {
			it := Item{}
			r.set(reflect.ValueOf(&it).Elem(), item, "an item")
			*to = append(*to, it)
		}
	default:
		at := r.at
		for _, p := range r.mapping(n, what, fieldNames(v.Type())) {
			r.at = at + "." + p.key
			r.set(fieldNamed(v, p.key), p.value, p.key)
		}
		r.at = at
	}
}

// known refuses a text that what is read can never be.
func (r *valueReader) known(n *yaml.Node) {
	if r.env == nil || n.Value == "" || r.at == "option.provider" { // which whoever reads the quote looks at
		return
	}
	if slices.Contains(testNames, r.at) && (n.Tag == "!!bool" || !identifier.MatchString(n.Value)) {
		r.fault(n, "E505", fmt.Sprintf("%q is no name that rules can declare", n.Value), "use small letters, digits and _")
		return
	}
	if odd := r.env.Odd(r.at, n.Value); odd != nil {
		s := r.home(n)
		p := Problem{Code: odd.Code, Sentence: odd.Message, Hint: odd.Hint, DidYouMean: odd.DidYouMean}
		p.Line, p.Column, p.End = s.place(n, 0, utf8.RuneCountInString(n.Value))
		s.report(p)
	}
}

// fraction reads a share: 0.04.
func (r *valueReader) fraction(n *yaml.Node, what string) float64 {
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || n.Tag == "!!str" || !(f >= 0 && f <= 1) {
		r.fault(n, "E503", what+" must be a share from 0 to 1", "write 0.04")
		return 0
	}
	return f
}

// volumeUnits are those of tests: the ones of rules, and the shorter words.
var volumeUnits = func() map[string]*big.Rat {
	units := map[string]*big.Rat{"mm3": big.NewRat(1, 1), "l": unit.VolumeUnits["liters"]}
	maps.Copy(units, unit.VolumeUnits)
	return units
}()

func (r *valueReader) money(n *yaml.Node, what string) shipping.Money {
	text, currency := strings.TrimSpace(n.Value), r.currency
	if m := currencyAmount.FindStringSubmatch(text); m != nil {
		text, currency = m[1], m[2]
	} else if !bareAmount.MatchString(text) || currency == "" {
		r.fault(n, "E503", what+" must be money", cmp.Or(amountHint(text, currency), "write 12.50 USD"))
		return shipping.Money{}
	}
	d, err := shipping.ParseDecimal(strings.TrimPrefix(text, "+"))
	if err != nil {
		r.fault(n, "E505", err.Error(), "")
		return shipping.Money{}
	}
	m, err := shipping.BindMoney(d, currency)
	if err != nil {
		r.fault(n, "E505", err.Error(), "")
	}
	return m
}

var quantityText = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?([a-z]+3?)$`)

func (r *valueReader) quantity(n *yaml.Node, what string, units map[string]*big.Rat, example string) unit.Rational {
	m := quantityText.FindStringSubmatch(n.Value)
	if m == nil || units[m[2]] == nil {
		var known []string
		for u := range units {
			known = append(known, u)
		}
		slices.Sort(known)
		r.fault(n, "E503", fmt.Sprintf("%s must be a number and its unit", what), fmt.Sprintf("write %s; units: %s", example, strings.Join(known, ", ")))
		return unit.Rational{}
	}
	number, _ := new(big.Rat).SetString(m[1])
	q, err := unit.FromRat(number.Mul(number, units[m[2]]))
	if err != nil {
		r.fault(n, "E505", what+" is out of range", "")
	}
	return q
}

// moment reads a time of day in the location's zone, an instant, or how long from now: "2026-04-10 18:00", "2h".
func (r *valueReader) moment(n *yaml.Node, what string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, n.Value, r.zone); err == nil {
			if there, err := time.Parse(layout, n.Value); err == nil && t.Format(layout) != there.Format(layout) {
				r.skipped(n, n.Value, r.zone)
			}
			return instant(t)
		}
	}
	if t, err := time.Parse(time.RFC3339, n.Value); err == nil {
		return instant(t)
	}
	if d, err := parseDuration(n.Value); err == nil && !r.now.IsZero() {
		return instant(r.now.Add(d))
	}
	r.fault(n, "E503", what+" must be a moment", "write 2026-04-10 18:00 (in the zone of options), or 2h for two hours from now")
	return time.Time{}
}

// skipped refuses a time of day that there is not, because the clocks are put forward over it.
func (s *source) skipped(n *yaml.Node, local string, zone *time.Location) {
	s.fault(n, "E505", fmt.Sprintf("there is no %s in %s: the clocks are put forward over it", local, zone), "give a time before or after that, or an instant such as 2026-03-08T09:15:00Z")
}
