package rules

import (
	"embed"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/trace"
)

// sources are the files whose structs expressions see; their comments are the reference.
//
//go:embed input.go env.go
var sources embed.FS

// Entry is one name that expressions may use.
type Entry struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`             // text, number, money, …; for a function how to call it
	About  string   `json:"about,omitempty"`  // "" where the name says it
	Values []string `json:"values,omitempty"` // those that a text can have
}

// functionReference says how functions are called and what they give.
var functionReference = map[string][2]string{
	"usd": {"usd(12.50)", "money in US dollars"}, "eur": {"eur(12.50)", "money in euros"}, "gbp": {"gbp(12.50)", "money in pounds"},
	"cad": {"cad(12.50)", "money in Canadian dollars"}, "aud": {"aud(12.50)", "money in Australian dollars"}, "mxn": {"mxn(12.50)", "money in Mexican pesos"},
	"jpy": {"jpy(1250)", "money in yen"}, "money": {`money("12.50", "CAD")`, "money in any currency"},
	"lb": {"lb(60)", "a weight in pounds"}, "kg": {"kg(27)", "a weight in kilograms"}, "oz": {"oz(8)", "a weight in ounces"}, "g": {"g(500)", "a weight in grams"},
	"inch": {"inch(48)", "a length in inches"}, "ft": {"ft(4)", "a length in feet"}, "cm": {"cm(120)", "a length in centimetres"}, "mm": {"mm(1200)", "a length in millimetres"},
	"cm3": {"cm3(2000)", "a volume in cubic centimetres"}, "inch3": {"inch3(120)", "a volume in cubic inches"}, "liters": {"liters(2)", "a volume in litres"},
	"mi": {"mi(3)", "a distance in miles"}, "km": {"km(5)", "a distance in kilometres"}, "m": {"m(500)", "a distance in metres"},
	"minutes": {"minutes(55)", "a duration"}, "hours": {"hours(2)", "a duration"}, "days": {"days(1)", "a duration"},
	"business_days": {"business_days(2)", "a duration: until so many days from Monday to Friday have come that are no holidays of the location"},
	"dollars":       {"dollars(option.cost)", "money as a number, for scores"}, "mins": {"mins(option.dropoff_in)", "a duration as a number of minutes, for scores"},
	"time_between": {`time_between("22:00", "02:00")`, "whether it is that time of day at the location; the second time does not count"},
	"date_between": {`date_between("2026-11-23", "2027-01-17")`, "whether it is one of those days at the location, both included"},
	"within":       {`within(order.to, "downtown")`, "whether the place lies in that zone of the file"},
	"supports":     {`supports("alcohol")`, "whether the service can do it"}, "bucket": {`bucket("experiment", order.id)`, "a lasting number from 0 to 99"},
	"quota":    {`quota("ups", "month").used`, `bookings of the account this day or month; "location" as the third counts this location's only; quota("ups", "day", "location").left is what the location's cap leaves, 0 where nothing`},
	"round_to": {"round_to(1.234, 2)", "a number with so many digits after the point"},
	"any":      {`any(order.items, .sku startsWith "A")`, "whether it holds for one or more"}, "all": {"all(order.items, .quantity == 1)", "whether it holds for each"},
	"none": {"none(order.items, .quantity > 9)", "whether it holds for none"}, "one": {"one(order.items, .quantity > 9)", "whether it holds for exactly one"},
	"count": {"count(order.items, .quantity > 1)", "for how many it holds"}, "sum": {"sum(order.items, .quantity)", "of numbers"},
	"filter": {`filter(order.items, "gift" in .tags)`, "those for which it holds"}, "len": {"len(order.items)", "how many"},
	"lower": {"lower(order.to.city)", "in small letters"}, "upper": {"upper(order.to.city)", "in capitals"}, "trim": {"trim(order.group)", "without spaces around"},
	"abs": {"abs(-1)", "without its sign"}, "ceil": {"ceil(1.2)", "the next whole number"}, "floor": {"floor(1.8)", "the whole number before"},
	"round": {"round(1.5)", "the nearest whole number"}, "min": {"min(1, 2)", "the least"}, "max": {"max(1, 2)", "the greatest"},
}

// Reference lists everything that expressions may name, from the Go structs themselves.
func Reference() []Entry {
	comments := fieldComments()
	enums := (&checker{}).baseEnv().Enums
	var out []Entry
	var walk func(prefix string, t reflect.Type)
	walk = func(prefix string, t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			name := prefix + f.Tag.Get("expr")
			if f.Type.Kind() == reflect.Struct && formula.KindOf(f.Type) == "" {
				walk(name+".", f.Type)
				continue
			}
			kind := formula.KindOf(f.Type)
			switch {
			case f.Type == reflect.TypeFor[[]Item]():
				kind = "list of items"
			case f.Type == reflect.TypeFor[map[string]int]():
				kind = "number by provider"
			case f.Type.Kind() == reflect.Map:
				kind = "text by name"
			}
			out = append(out, Entry{Name: name, Kind: kind, About: comments[t.Name()+"."+f.Name], Values: enums[name]})
		}
	}
	walk("order.", reflect.TypeFor[Order]())
	walk("order.items.", reflect.TypeFor[Item]())
	walk("recipient.", reflect.TypeFor[Recipient]())
	walk("location.", reflect.TypeFor[Location]())
	walk("local.", reflect.TypeFor[Local]())
	walk("option.", reflect.TypeFor[option]())
	walk("best.", reflect.TypeFor[bestOffer]())
	walk("chosen.", reflect.TypeFor[option]())
	out = append(out, Entry{Name: "reasons", Kind: formula.Text, About: "in the message of none: why each option is out"})
	walk("<provider>.", reflect.TypeFor[health]())
	for _, name := range formula.FunctionNames() {
		out = append(out, Entry{Name: name + "()", Kind: functionReference[name][0], About: functionReference[name][1]})
	}
	return out
}

// fieldComments are the comments at the ends of fields, by "Struct.Field".
var fieldComments = sync.OnceValue(func() map[string]string {
	comments := map[string]string{}
	for _, name := range []string{"input.go", "env.go"} {
		text, err := sources.ReadFile(name)
		if err != nil {
			panic(err) // it is part of the program
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			panic(err) // it was compiled
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return false
			}
			for _, f := range s.Fields.List {
				for _, id := range f.Names {
					comments[spec.Name.Name+"."+id.Name] = strings.TrimSpace(f.Comment.Text())
				}
			}
			return false
		})
	}
	return comments
})

// Tried is an expression, or a part of one, with its value as people read it.
type Tried struct {
	Text string `json:"text"`
	// Values are none where the part was not evaluated, and one for each item inside any(…), all(…), ….
	Values []string `json:"values"`
	Error  string   `json:"error,omitempty"` // of the whole expression, where it fails while it runs
	Parts  []Tried  `json:"parts,omitempty"`
}

func triedOf(t *trace.Tree) Tried {
	out := Tried{Text: t.Text, Values: []string{}}
	for _, v := range t.Values {
		out.Values = append(out.Values, trace.Format(v))
	}
	if t.Err != nil {
		out.Error = t.Err.Error()
	}
	for _, part := range t.Parts {
		out.Parts = append(out.Parts, triedOf(part))
	}
	return out
}

// Try computes an expression over a recorded decision and shows the value of every part. The option that it speaks of is that of the account, or the
// winner's where account is "".
func (b *Bundle) Try(d *Decision, account, expression string) (text string, err error) {
	err = b.try(d, account, expression, func(t *trace.Tree) { text = t.String() })
	return text, err
}

// TryParts is Try for programs.
func (b *Bundle) TryParts(d *Decision, account, expression string) (parts Tried, err error) {
	err = b.try(d, account, expression, func(t *trace.Tree) { parts = triedOf(t) })
	return parts, err
}

// try hands over the tree, which is good for as long as show takes.
func (b *Bundle) try(d *Decision, account, expression string, show func(*trace.Tree)) error {
	env := &formula.Env{Vars: b.env.Vars, Enums: b.env.Enums, Usual: b.env.Usual, Places: b.env.Places, Members: b.env.Members, Elsewhere: b.env.Elsewhere, Currency: b.env.Currency, Lets: b.env.Lets} // with types of its own: others try too
	f, problem := env.Compile(expression)
	if problem != nil {
		text := problem.Message
		if problem.DidYouMean != "" {
			text += "; did you mean " + problem.DidYouMean + "?"
		}
		if problem.Hint != "" {
			text += " (" + problem.Hint + ")"
		}
		return &TryError{text, problem.From, problem.To}
	}
	twin, err := f.Twin()
	if err != nil {
		return err
	}
	r := b.start(d.Schema, &d.Plan.Input, d.Plan.Candidates, &d.Plan.Set)
	defer r.close()
	o := option{}
	i := slices.IndexFunc(d.Options, func(x Option) bool { return account == "" && x.Rank == 1 || account != "" && x.Account == account })
	if i >= 0 {
		o = r.optionOf(d.Options[i].Account, &d.Options[i].Quote)
		o.Cost = d.Options[i].Cost
	} else if account != "" {
		o.Provider = account
	}
	r.look(&o, stageQuote)
	show(r.traced(f, twin))
	return nil
}

// TryError says what is wrong with an expression, and with which characters of it.
type TryError struct {
	Message  string
	From, To int
}

// Error is the message.
func (e *TryError) Error() string { return e.Message }
