package formula

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"

	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// operators register the functions that stand for + - * / and the comparisons of values with units. See resolve.
var operators = overloads()

// operands are an operator and the types beside it.
type operands struct {
	operator    string
	left, right reflect.Type
}

// stand is the function that stands for an operator between operands, and the type of its result.
type stand struct {
	function string
	result   reflect.Type
}

var stands = map[operands]stand{}

func overloads() []expr.Option {
	var opts []expr.Option
	add := func(op, name string, fn func(...any) (any, error), types ...any) {
		for _, t := range types {
			of := reflect.TypeOf(t).Elem()
			stands[operands{op, of.In(0), of.In(1)}] = stand{name, of.Out(0)}
		}
		opts = append(opts, func(c *conf.Config) {
			c.Functions[name] = &builtin.Function{Name: name, Func: fn, Validate: func(args []reflect.Type) (reflect.Type, error) {
				if s, ok := stands[operands{op, args[0], args[1]}]; ok {
					return s.result, nil
				}
				return reflect.TypeFor[any](), nil // an operand is not resolved yet
			}}
		})
	}
	comparisons := []any{
		new(func(a, b shipping.Money) bool), new(func(a, b unit.Weight) bool), new(func(a, b unit.Length) bool),
		new(func(a, b unit.Volume) bool), new(func(a, b unit.Distance) bool),
	}
	for op, holds := range map[string]func(int) bool{
		"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 }, ">": func(c int) bool { return c > 0 },
		">=": func(c int) bool { return c >= 0 }, "==": func(c int) bool { return c == 0 }, "!=": func(c int) bool { return c != 0 },
	} {
		add(op, "__compare"+op, func(args ...any) (any, error) {
			c, err := cmp(args[0], args[1])
			return holds(c), err
		}, comparisons...)
	}
	sums := []any{
		new(func(a, b shipping.Money) shipping.Money), new(func(a, b unit.Weight) unit.Weight), new(func(a, b unit.Length) unit.Length),
		new(func(a, b unit.Volume) unit.Volume), new(func(a, b unit.Distance) unit.Distance),
	}
	add("+", "__add", plus, append([]any{new(func(a, b string) string)}, sums...)...)
	add("-", "__sub", minus, sums...)
	add("*", "__mul", times, append(scalings[int](true), scalings[float64](true)...)...)
	add("/", "__div", over, append(append(scalings[int](false), scalings[float64](false)...),
		new(func(a, b shipping.Money) float64), new(func(a, b unit.Weight) float64), new(func(a, b unit.Length) float64),
		new(func(a, b unit.Volume) float64), new(func(a, b unit.Distance) float64), new(func(a, b time.Duration) float64))...)
	add("in", "__in", func(args ...any) (any, error) { return args[1].(List).Set[args[0].(string)], nil }, new(func(string, List) bool))
	return opts
}

// resolve puts functions in the place of overloaded operators, and checks the types. An operator can be told only when the types beside it
// are known, and these may hang on operators below: as in ((a > b ? x : y) > z ? p : q) + r. So it walks and checks until nothing is left to
// do. expr's own patching stops too early for that: its checker never looks into a call again whose type it has once seen.
func resolve(tree *parser.Tree, config *conf.Config) error {
	for {
		ast.Walk(&tree.Node, forgetter{})
		_, err := checker.Check(tree, config)
		r := &resolver{config: config}
		ast.Walk(&tree.Node, r)
		if !r.applied {
			return err
		}
	}
}

// resolver replaces the operators whose operands are known. A walk comes to the parts of a node before the node, so it hands on the types
// that it finds out where the node's own follows from them.
type resolver struct {
	config  *conf.Config
	applied bool
}

// Visit implements ast.Visitor.
func (r *resolver) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		s, ok := stands[operands{n.Operator, n.Left.Type(), n.Right.Type()}]
		if !ok {
			return
		}
		call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: s.function}, Arguments: []ast.Node{n.Left, n.Right}}
		ast.Patch(node, call)
		call.SetType(s.result)
		r.applied = true
	case *ast.ConditionalNode:
		if t := n.Exp1.Type(); t == n.Exp2.Type() && t != nil {
			n.SetType(t)
		}
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok || len(n.Arguments) != 2 {
			return
		}
		if f := r.config.Functions[callee.Value]; f != nil && f.Validate != nil {
			if t, err := f.Validate([]reflect.Type{n.Arguments[0].Type(), n.Arguments[1].Type()}); err == nil && t != nil {
				n.SetType(t)
			}
		}
	}
}

// forgetter drops the types of calls.
type forgetter struct{}

// Visit implements ast.Visitor.
func (forgetter) Visit(node *ast.Node) {
	if call, ok := (*node).(*ast.CallNode); ok {
		if _, ok := call.Callee.(*ast.IdentifierNode); ok {
			call.SetType(reflect.TypeFor[any]())
		}
	}
}

// scalings are the types of quantity * number and, where commutes, number * quantity.
func scalings[N int | float64](commutes bool) []any {
	types := []any{
		new(func(shipping.Money, N) shipping.Money), new(func(unit.Weight, N) unit.Weight), new(func(unit.Length, N) unit.Length),
		new(func(unit.Volume, N) unit.Volume), new(func(unit.Distance, N) unit.Distance),
	}
	if commutes {
		types = append(types, new(func(N, shipping.Money) shipping.Money), new(func(N, unit.Weight) unit.Weight),
			new(func(N, unit.Length) unit.Length), new(func(N, unit.Volume) unit.Volume), new(func(N, unit.Distance) unit.Distance))
	}
	return types
}

func cmp(a, b any) (int, error) {
	switch a := a.(type) {
	case shipping.Money:
		return unit.CompareMoney(a, b.(shipping.Money))
	case unit.Weight:
		return a.Cmp(b.(unit.Weight).Rational), nil
	case unit.Length:
		return a.Cmp(b.(unit.Length).Rational), nil
	case unit.Volume:
		return a.Cmp(b.(unit.Volume).Rational), nil
	}
	return a.(unit.Distance).Cmp(b.(unit.Distance).Rational), nil
}

func plus(args ...any) (any, error) {
	switch a := args[0].(type) {
	case string:
		b := args[1].(string)
		if utf8.RuneCountInString(a)+utf8.RuneCountInString(b) > MaxText {
			return nil, fmt.Errorf("text is longer than %d characters", MaxText)
		}
		return a + b, nil
	case shipping.Money:
		return a.Add(args[1].(shipping.Money))
	}
	return rational(args[0], args[1], unit.Rational.Add)
}

func minus(args ...any) (any, error) {
	if a, ok := args[0].(shipping.Money); ok {
		b := args[1].(shipping.Money)
		if b.Minor == math.MinInt64 {
			return nil, unit.ErrRange
		}
		b.Minor = -b.Minor
		return a.Add(b)
	}
	return rational(args[0], args[1], unit.Rational.Sub)
}

func times(args ...any) (any, error) {
	value, factor := args[0], args[1]
	if _, scalar := number(value); scalar {
		value, factor = factor, value
	}
	return scale(value, factor, unit.ScaleMoney, unit.Rational.Mul)
}

func over(args ...any) (any, error) {
	if _, scalar := number(args[1]); scalar {
		return scale(args[0], args[1], unit.DivideMoney, unit.Rational.Quo)
	}
	switch a := args[0].(type) {
	case shipping.Money:
		b := args[1].(shipping.Money)
		if _, err := unit.CompareMoney(a, b); err != nil {
			return nil, err
		}
		return quotient(float64(a.Minor), float64(b.Minor))
	case time.Duration:
		return quotient(float64(a), float64(args[1].(time.Duration)))
	}
	a, b := rationals(args[0], args[1])
	return quotient(a.Float(), b.Float())
}

func quotient(a, b float64) (any, error) {
	if b == 0 {
		return nil, errZero
	}
	return a / b, nil
}

// scale applies a number to a quantity.
func scale(value, factor any, money func(shipping.Money, unit.Rational) (shipping.Money, error),
	quantity func(a, b unit.Rational) (unit.Rational, error)) (any, error) {
	f, _ := number(factor)
	r, err := unit.FromFloat(f)
	if n, ok := factor.(int); ok {
		r, err = unit.FromInt(int64(n)), nil
	}
	if err != nil {
		return nil, err
	}
	if m, ok := value.(shipping.Money); ok {
		return money(m, r)
	}
	return rational(value, rebuild(value, r), quantity)
}

// rational applies op to two quantities of one kind and gives that kind back.
func rational(a, b any, op func(a, b unit.Rational) (unit.Rational, error)) (any, error) {
	x, y := rationals(a, b)
	r, err := op(x, y)
	if err != nil {
		return nil, err
	}
	return rebuild(a, r), nil
}

func rationals(a, b any) (unit.Rational, unit.Rational) {
	switch a := a.(type) {
	case unit.Weight:
		return a.Rational, b.(unit.Weight).Rational
	case unit.Length:
		return a.Rational, b.(unit.Length).Rational
	case unit.Volume:
		return a.Rational, b.(unit.Volume).Rational
	}
	return a.(unit.Distance).Rational, b.(unit.Distance).Rational
}

func rebuild(like any, r unit.Rational) any {
	switch like.(type) {
	case unit.Weight:
		return unit.Weight{Rational: r}
	case unit.Length:
		return unit.Length{Rational: r}
	case unit.Volume:
		return unit.Volume{Rational: r}
	}
	return unit.Distance{Rational: r}
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// functions are those that rules may call, beside builtins.
var functions = []expr.Option{
	expr.Function("dollars", func(args ...any) (any, error) { return unit.MajorFloat(args[0].(shipping.Money)), nil },
		new(func(shipping.Money) float64)),
	expr.Function("mins", func(args ...any) (any, error) { return args[0].(time.Duration).Minutes(), nil }, new(func(time.Duration) float64)),
	expr.Function("minutes", span(time.Minute), new(func(int) time.Duration), new(func(float64) time.Duration)),
	expr.Function("hours", span(time.Hour), new(func(int) time.Duration), new(func(float64) time.Duration)),
	expr.Function("days", span(24*time.Hour), new(func(int) time.Duration), new(func(float64) time.Duration)),
	expr.Function("bucket", func(args ...any) (any, error) { return Bucket(args[0].(string), args[1].(string)), nil }, new(func(string, string) int)),
	expr.Function("round_to", roundTo, new(func(float64, int) float64), new(func(int, int) float64)),
	expr.Function(betweenFunction, func(args ...any) (any, error) {
		return Between(args[0].(int), args[1].(int), args[2].(int)), nil
	}, new(func(int, int, int) bool)),
	expr.Function(businessFunction, businessSpan, new(func(string, []string, int) time.Duration)),
	meters,
	letOf,
	quotientOf,
	quotaOf,
}

func span(of time.Duration) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		n, _ := number(args[0])
		d := n * float64(of)
		if math.IsNaN(d) || math.Abs(d) >= math.MaxInt64 {
			return nil, unit.ErrRange
		}
		return time.Duration(d), nil
	}
}

// maxBusinessDays bounds what business_days(…) takes: four years.
const maxBusinessDays = 1000

// businessSpan is how long it takes, from a day on, until so many days from Monday to Friday that are no holidays have come, as whole days.
func businessSpan(args ...any) (any, error) {
	today, err := time.Parse(time.DateOnly, args[0].(string))
	holidays, n := args[1].([]string), args[2].(int)
	if err != nil || n < 0 || n > maxBusinessDays {
		return nil, fmt.Errorf("business_days(%d) is out of range: it takes 0 to %d", n, maxBusinessDays)
	}
	days := 0
	for left := n; left > 0 && days < 2*maxBusinessDays; { // the bound is for a location that has nothing but holidays
		days++
		day := today.AddDate(0, 0, days)
		if w := day.Weekday(); w != time.Saturday && w != time.Sunday && !slices.Contains(holidays, day.Format(time.DateOnly)) {
			left--
		}
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

func roundTo(args ...any) (any, error) {
	n, _ := number(args[0])
	scale := math.Pow(10, float64(min(max(args[1].(int), 0), 9)))
	return math.RoundToEven(n*scale) / scale, nil
}

// Bucket is the sticky number 0..99 of a key in an experiment.
func Bucket(experiment, key string) int {
	sum := sha256.Sum256([]byte(experiment + "\x00" + key))
	return int(binary.BigEndian.Uint64(sum[:8]) % 100)
}

// Between reports whether a minute of the day is in [from, to), over midnight where to is not after from.
func Between(minute, from, to int) bool {
	if from < to {
		return from <= minute && minute < to
	}
	return minute >= from || minute < to
}
