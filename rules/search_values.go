package rules

import (
	"maps"
	"math/big"
	"reflect"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/internal/logic"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// variable is a field that a search varies: values as tests give them, and numbers, which text writes so.
type variable struct {
	path    string
	values  []string
	numbers []*big.Rat // ascending
	text    func(*big.Rat) string
}

// aliases are the members of an offer as tests give them, by those that expressions read.
var aliases = map[string]string{
	"option.cost": "option.fee", "option.dropoff_at": "option.dropoff_in", "option.deliver_by": "option.dropoff_in", "option.has_dropoff": "option.dropoff_in",
	"option.pickup_at": "option.pickup_in", "option.pickup_late": "option.pickup_in", "local.hour": "local.minute_of_day", "local.time": "local.minute_of_day",
}

// roots are what tests can give, by the first part of a path.
var roots = map[string]reflect.Type{
	"order": reflect.TypeFor[Order](), "location": reflect.TypeFor[Location](), "recipient": reflect.TypeFor[Recipient](), "option": reflect.TypeFor[quoteText](),
	"local": reflect.TypeFor[Local](),
}

// variables are the fields that the conditions of some rules read, with the lets that they name, and values about what they are compared with.
func (l *linter) variables(heads []*head) []variable {
	d := &drawing{linter: l, paths: map[string]bool{}}
	for _, h := range heads {
		d.read(h.when)
		if r, ok := l.b.ruleOf(h).(*holdRule); ok {
			d.read(r.until)
		}
		l.trees[h].Each(func(t *logic.Tree) {
			if strings.HasPrefix(t.Path, "quota.") {
				d.paths[t.Path] = true
			}
		})
	}
	slices.SortFunc(d.numbers, func(a, b formula.Constant) int { return a.Number.Cmp(b.Number) })
	slices.Sort(d.texts)
	d.texts = slices.Compact(d.texts)
	var out []variable
	for _, path := range slices.Sorted(maps.Keys(d.paths)) {
		if v := d.variable(path); len(v.values)+len(v.numbers) > 0 {
			out = append(out, v)
		}
	}
	return out
}

// drawing collects what values are drawn from.
type drawing struct {
	*linter
	paths   map[string]bool
	texts   []string
	numbers []formula.Constant
	sources string
	done    map[*formula.Formula]bool
}

const maxConstants = 200

func (d *drawing) read(f *formula.Formula) {
	if f == nil || d.done[f] || len(d.numbers)+len(d.texts) > maxConstants {
		return
	}
	if d.done == nil {
		d.done = map[*formula.Formula]bool{}
	}
	d.done[f] = true
	d.sources += " " + f.Source
	c := f.Constants()
	d.texts, d.numbers = append(d.texts, c.Texts...), append(d.numbers, c.Numbers...)
	for path := range f.Uses {
		root, rest, deeper := strings.Cut(path, ".")
		switch {
		case root == "lists":
			d.texts = append(d.texts, d.lists[rest].Texts[:min(len(d.lists[rest].Texts), 10)]...)
		case root == "chosen", root == "best":
			path = "option." + rest
		case !deeper:
			for _, x := range slices.Concat(d.b.orderLets, d.b.optionLets) {
				if x.name == path {
					d.read(x.formula)
				}
			}
			continue
		}
		if known := aliases[path]; known != "" {
			path = known
		}
		d.paths[path] = true
	}
}

// variable is a path with values of its kind; without any where tests cannot give it.
func (d *drawing) variable(path string) variable {
	v := variable{path: path}
	root, rest, _ := strings.Cut(path, ".")
	switch {
	case root == "quota":
		d.whole(&v)
	case slices.Contains(d.b.providers, root):
		v.values = []string{"true", "false"}
	case root == "local" && !slices.Contains(clockMembers, path) && path != "local.is_holiday":
	case path == "local.weekday":
		v.values = weekdays
	case path == "local.date":
		v.values = append([]string{"2026-01-05"}, d.texts...)
	case path == "option.provider":
		v.values = d.b.providers
	case path == "location.holidays":
		v.values = []string{"[]", `[ "2026-01-06" ]`}
	default:
		if t := typeAt(roots[root], rest); t != nil {
			d.fill(&v, t)
		}
	}
	return v
}

// typeAt is the type of a member; nil where there is none.
func typeAt(t reflect.Type, path string) reflect.Type {
	for t != nil && path != "" {
		switch t.Kind() {
		case reflect.Struct:
			name, rest, _ := strings.Cut(path, ".")
			f := fieldNamed(reflect.New(t).Elem(), name)
			if !f.IsValid() {
				return nil
			}
			t, path = f.Type(), rest
		case reflect.Map:
			return t.Elem()
		default:
			return nil
		}
	}
	return t
}

// fill gives a variable values of a type.
func (d *drawing) fill(v *variable, t reflect.Type) {
	switch t {
	case reflect.TypeFor[shipping.Money]():
		d.money(v)
	case reflect.TypeFor[unit.Weight]():
		d.quantity(v, "g", 1, 100, 1000, 20_000, 100_000)
	case reflect.TypeFor[unit.Length]():
		d.quantity(v, "mm", 1, 100, 1000, 5000)
	case reflect.TypeFor[unit.Distance]():
		d.quantity(v, "m", 1, 1000, 10_000, 100_000)
	case reflect.TypeFor[unit.Volume]():
		d.quantity(v, "mm3", 1, 1_000_000, 100_000_000)
	case reflect.TypeFor[time.Duration]():
		d.seconds(v)
	case reflect.TypeFor[time.Time]():
		v.values = []string{"1m", "1h", "12h", "1d", "2d", "3d", "7d", "30d", "2020-01-01 00:00", "2100-01-01 00:00"}
	case reflect.TypeFor[[]Item]():
		v.values = d.items()
	case reflect.TypeFor[[]string]():
		v.values = []string{"[]"}
		for _, text := range slices.Concat(d.texts, d.b.env.Enums[v.path]) {
			v.values = append(v.values, "[ "+strconv.Quote(text)+" ]")
		}
	default:
		switch t.Kind() {
		case reflect.Bool:
			v.values = []string{"true", "false"}
		case reflect.Int:
			d.whole(v)
		case reflect.Float64:
			v.values = []string{"0", "0.25", "0.5", "0.75", "0.9", "1"}
		case reflect.String:
			v.values = d.writings(v.path)
		}
	}
}

// about lists some numbers, and those in one of some units that the conditions compare with, with one step below and above each; none below zero.
func (d *drawing) about(v *variable, step *big.Rat, scale int64, some []int64, units ...string) {
	add := func(n *big.Rat) {
		if n.Sign() >= 0 && n.Num().BitLen() < 40 {
			v.numbers = append(v.numbers, n)
		}
	}
	for _, n := range some {
		add(big.NewRat(n, 1))
	}
	for _, c := range d.numbers[:min(len(d.numbers), 30)] {
		if !slices.Contains(units, c.Unit) {
			continue
		}
		n := new(big.Rat).Set(c.Number)
		if c.Unit == "" {
			n.Mul(n, big.NewRat(scale, 1))
		}
		add(new(big.Rat).Sub(n, step))
		add(n)
		add(new(big.Rat).Add(n, step))
	}
	slices.SortFunc(v.numbers, (*big.Rat).Cmp)
	v.numbers = slices.CompactFunc(v.numbers, func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
}

func (d *drawing) whole(v *variable) {
	v.text = func(n *big.Rat) string { return floor(n).String() }
	some := []int64{0, 1, 2, 3, 5, 10, 100}
	if v.path == "local.minute_of_day" {
		for _, text := range d.texts {
			if at, err := time.Parse("15:04", text); err == nil {
				some = append(some, int64(at.Hour()*60+at.Minute()))
			}
		}
	}
	d.about(v, big.NewRat(1, 1), 1, some, "")
	if v.path == "local.minute_of_day" {
		v.numbers = slices.DeleteFunc(v.numbers, func(n *big.Rat) bool { return n.Cmp(big.NewRat(24*60-1, 1)) > 0 })
	}
}

func (d *drawing) money(v *variable) {
	currency := d.b.currency
	if currency == "" {
		currency = "USD"
	}
	digits, _ := shipping.CurrencyDigits(currency)
	v.text = func(n *big.Rat) string { return n.FloatString(digits) + " " + currency }
	cent := big.NewRat(1, 1)
	for range digits {
		cent.Quo(cent, big.NewRat(10, 1))
	}
	d.about(v, cent, 1, []int64{0, 1, 3, 5, 10, 12, 20, 30, 50, 75, 100, 150, 300, 1000}, "", currency)
}

func (d *drawing) quantity(v *variable, base string, some ...int64) {
	v.text = func(n *big.Rat) string { return n.FloatString(3) + " " + base }
	d.about(v, big.NewRat(1, 1), 1000, some, base, "")
}

func (d *drawing) seconds(v *variable) {
	v.text = func(n *big.Rat) string { return floor(n).String() + "s" }
	d.about(v, big.NewRat(1, 1), 60, []int64{60, 600, 1800, 3600, 7200, 6 * 3600, 86400, 3 * 86400}, "s", "")
	v.numbers = slices.DeleteFunc(v.numbers, func(n *big.Rat) bool { return n.Sign() == 0 || n.Cmp(big.NewRat(366*86400, 1)) > 0 })
}

func floor(n *big.Rat) *big.Int { return new(big.Int).Div(n.Num(), n.Denom()) }

// writings are texts: those that the conditions name, as they are and as a part of others, some that match their patterns, and some keys.
func (d *drawing) writings(path string) []string {
	out := append([]string{"other", ""}, d.b.env.Enums[path]...)
	for _, text := range d.texts[:min(len(d.texts), 30)] {
		out = append(out, text, text+"x", "x"+text, strings.ToUpper(text), strings.ToLower(text))
		if re, err := syntax.Parse(text, syntax.Perl); err == nil && strings.Contains(d.sources, "matches") {
			out = append(out, match(re.Simplify()))
		}
	}
	if strings.Contains(d.sources, "bucket") { // a key in every few hundredths
		for n := range 60 {
			out = append(out, "k"+strconv.Itoa(n))
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return strings.HasPrefix(s, "[") }) // tests read that as a list
}

const maxMatch = 200

// match is a text that a pattern matches, or nearly.
func match(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			return string(re.Rune[:1])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "a"
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		return match(re.Sub[0])
	case syntax.OpRepeat:
		return strings.Repeat(match(re.Sub[0]), min(re.Min, 20))
	case syntax.OpConcat:
		text := ""
		for _, sub := range re.Sub {
			if text += match(sub); len(text) > maxMatch {
				break
			}
		}
		return text
	}
	return ""
}

// items are lists of items: one of each kind that the conditions may ask for, and several.
func (d *drawing) items() []string {
	out := []string{"[]"}
	asks := func(field string) bool { return strings.Contains(d.sources, field) }
	var kinds []string
	for _, text := range d.writings("")[:min(len(d.writings("")), 20)] {
		for _, field := range []string{"sku", "name"} {
			if asks(field) {
				kinds = append(kinds, field+": "+strconv.Quote(text))
			}
		}
		if asks("tags") {
			kinds = append(kinds, "tags: [ "+strconv.Quote(text)+" ]")
		}
	}
	for _, field := range []struct {
		name string
		fill func(*variable)
	}{{"quantity", d.whole}, {"price", d.money}, {"weight", func(v *variable) { d.quantity(v, "g", 1, 1000, 50_000) }}} {
		if !asks(field.name) {
			continue
		}
		var v variable
		field.fill(&v)
		for _, n := range v.numbers[:min(len(v.numbers), 20)] {
			kinds = append(kinds, field.name+": "+v.text(n))
		}
	}
	for i, kind := range kinds {
		out = append(out, "[ { "+kind+" } ]")
		if other := kinds[(i*7+3)%len(kinds)]; strings.SplitN(other, ":", 2)[0] != strings.SplitN(kind, ":", 2)[0] {
			out = append(out, "[ { "+kind+", "+other+" } ]", "[ { "+kind+" }, { "+other+" } ]")
		}
	}
	for _, n := range []int{2, 5} {
		for _, kind := range append([]string{"sku: A"}, kinds[:min(len(kinds), 20)]...) {
			out = append(out, "["+strings.TrimSuffix(strings.Repeat(" { "+kind+" },", n), ",")+" ]")
		}
	}
	return out
}
