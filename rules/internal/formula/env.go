// Package formula compiles one line of merchant's text into something that can be evaluated safely and explained.
//
// Text goes through a length and nesting scan before the expr parser sees it (the parser's stack cannot be defended from inside), then
// a walk over the tree that refuses what rules have no use for, then expr's type checker with overloaded operators for money,
// weights, lengths and distances. Whatever is wrong comes back as one Problem with the place, a sentence without Go's words and,
// where one can be guessed, what was meant.
package formula

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/conf"

	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Limits of one expression.
const (
	MaxRunes   = 2000
	MaxNesting = 32
	MaxNodes   = 300
	MaxText    = 4096 // of a text that + makes
	MaxRegexp  = 200
	MaxSteps   = 20_000  // iterations inside any(), all(), … of one evaluation
	MaxTotal   = 200_000 // iterations of one Machine
	maxMemory  = 100_000 // elements that one evaluation may allocate
)

// Env is what an expression may name.
type Env struct {
	// Vars are sample values by name; their types are what counts.
	Vars map[string]any
	// Lets are the names among Vars that stand for another expression. A Machine computes them when an expression comes to them.
	Lets map[string]bool
	// Enums are the values that a text can have, by path: "order.to.type".
	Enums map[string][]string
	// Usual are the values that a text commonly has where it may have others, by path: one that is nearly one of them is a slip.
	Usual map[string][]string
	// Places are the names that there are of things that come and go, by the path that one is compared with: another is refused in an expression
	// and may all the same be given for it. Nothing else is concluded from them.
	Places map[string][]string
	// Members are the names that exist in a map, by the map's path: "order.attributes", "lists".
	Members map[string][]string
	// Elsewhere says why a name or path that a merchant may expect is not there.
	Elsewhere map[string]string
	// Currency is the ISO 4217 code that all money is in, "" where it is not known. An amount that stands in the text in another can neither be
	// compared with any value nor be added to it, and is refused.
	Currency string

	shared *conf.Config // of those who compile, who are of one goroutine
	twins  struct {     // of those who explain, who are of many
		sync.Mutex
		config *conf.Config
	}
}

// config returns a checker configuration. Type caches inside make it unfit for use by several goroutines at once.
func (e *Env) config() *conf.Config {
	vars := make(map[string]any, len(e.Vars)+1)
	for k, v := range e.Vars {
		vars[k] = v
	}
	vars[fuelVar], vars[QuotasVar] = (*Machine)(nil), Quotas(nil)
	c := conf.CreateNew()
	options := []expr.Option{expr.Env(vars), expr.MaxNodes(MaxNodes)}
	options = append(options, functions...)
	options = append(options, operators...)
	for _, o := range options {
		o(c)
	}
	for name := range c.Builtins {
		if !builtins[name] {
			delete(c.Builtins, name)
		}
	}
	c.Check()
	return c
}

// List is a named list of a bundle; expressions ask whether a text is in it.
type List struct{ Set map[string]bool }

// String shows the first entries, and how many there are. It is asked wherever the list is: entries that are not shown are not sorted.
func (l List) String() string {
	const most = 10
	first := make([]string, 0, most+1)
	for entry := range l.Set {
		if len(first) == most && entry > first[most-1] {
			continue
		}
		at, _ := slices.BinarySearch(first, entry)
		first = slices.Insert(first, at, entry)
		first = first[:min(len(first), most)]
	}
	if len(l.Set) <= most {
		return "[" + strings.Join(first, ", ") + "]"
	}
	return fmt.Sprintf("[%s, … %d in all]", strings.Join(first, ", "), len(l.Set))
}

var kinds = map[reflect.Type]string{
	reflect.TypeFor[bool]():            Bool,
	reflect.TypeFor[int]():             Number,
	reflect.TypeFor[float64]():         Number,
	reflect.TypeFor[string]():          Text,
	reflect.TypeFor[shipping.Money]():  Money,
	reflect.TypeFor[unit.Weight]():     Weight,
	reflect.TypeFor[unit.Length]():     Length,
	reflect.TypeFor[unit.Volume]():     Volume,
	reflect.TypeFor[unit.Distance]():   Distance,
	reflect.TypeFor[time.Time]():       Moment,
	reflect.TypeFor[time.Duration]():   Duration,
	reflect.TypeFor[List]():            namedList,
	reflect.TypeFor[[]string]():        "list of text",
	reflect.TypeFor[map[string]List](): "lists",
	reflect.TypeFor[Quota]():           "quota",
}

// The kinds of values, as messages name them.
const (
	Bool     = "true or false"
	Number   = "number"
	Text     = "text"
	Money    = "money"
	Weight   = "weight"
	Length   = "length"
	Volume   = "volume"
	Distance = "distance"
	Moment   = "moment"
	Duration = "duration"

	namedList = "a list of the file"
)

// KindOf names a type as merchants know it, "" where it is none that an expression may result in.
func KindOf(t reflect.Type) string { return kinds[t] }

// builtins are the functions of expr that rules may use. Predicates (any, all, …) live in expr's parser and are held back by the guard.
var builtins = map[string]bool{
	"any": true, "all": true, "none": true, "one": true, "count": true, "sum": true, "filter": true, "len": true,
	"lower": true, "upper": true, "trim": true, "abs": true, "ceil": true, "floor": true, "round": true, "min": true, "max": true,
}

// unavailable are functions of expr that rules do without: they read the clock, or build what rules have no use for.
var unavailable = map[string]bool{
	"now": true, "date": true, "timezone": true, "duration": true, "repeat": true, "reduce": true, "map": true, "sortBy": true,
	"groupBy": true, "toJSON": true, "fromJSON": true, "toBase64": true, "fromBase64": true, "join": true, "split": true,
	"replace": true, "sort": true, "flatten": true, "find": true, "findIndex": true, "keys": true, "values": true, "string": true,
	"int": true, "float": true, "type": true, "first": true, "last": true, "concat": true, "uniq": true, "get": true, "take": true,
}
