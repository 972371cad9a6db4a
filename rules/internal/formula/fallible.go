package formula

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// Computes begins the names in what Sure gives: with the name of a let behind it, one says that the let can be computed.
const Computes = "computes let "

// Sure is when computing a formula does not fail, nil where it never does. What it hangs on of lets stands in it by name: see Computes. currency is that of all money, as with Logic.
func (f *Formula) Sure(currency string) *logic.Tree {
	tree, problem := f.parsed()
	if problem != nil {
		return &logic.Tree{Op: logic.Free, Ref: "computes " + f.Source, Text: f.Source}
	}
	return f.logician(currency).sure(tree.Node)
}

// logician reads the conditions of f.
func (f *Formula) logician(currency string) *logician {
	predicates := 0
	f.walk(func(n ast.Node) {
		if _, ok := n.(*ast.PredicateNode); ok {
			predicates++
		}
	})
	return &logician{env: f.env, source: []rune(f.Source), currency: currency, crowded: predicates > MaxSteps/mostItems}
}

// mostItems is how many members the longest list of an order has: one predicate makes as many steps.
const mostItems = 500

// sure is when computing a node does not fail, nil where it never does. What fails is told by what it is made of, which is the same wherever it
// stands: order.items[0] fails in every rule or in none.
func (l *logician) sure(n ast.Node) *logic.Tree {
	r := &risks{env: l.env, currency: l.currency, limited: l.crowded}
	ast.Walk(&n, r)
	ref, text := "computes "+n.String(), l.written(n)
	own := l.own(n, r, ref, text)
	needs := r.divisors
	for _, name := range r.lets {
		needs = append(needs, &logic.Tree{Op: logic.Name, Ref: Computes + name, Text: text, Truth: true})
	}
	switch {
	case len(needs) == 0:
		return own
	case r.partly || r.predicates > 0: // it may not come to them
		return logic.All(own, logic.Any(logic.All(needs...), &logic.Tree{Op: logic.Free, Ref: ref, Text: text}))
	}
	return logic.All(own, logic.All(needs...))
}

// own is sure of what a node does itself.
func (l *logician) own(n ast.Node, r *risks, ref, text string) *logic.Tree {
	switch {
	case r.predicates > 1 || r.predicates == 1 && r.limited || r.ranges: // fails by what stands beside it in the expression, too
		from, _ := spanOf(n)
		return &logic.Tree{Op: logic.Free, Ref: fmt.Sprintf("computes %d of %s", from, string(l.source)), Text: text}
	case len(r.found) == 0:
		return nil
	case r.partly || r.predicates > 0:
		return &logic.Tree{Op: logic.Free, Ref: ref, Text: text}
	}
	var all []*logic.Tree
	for _, part := range r.found {
		all = append(all, &logic.Tree{Op: logic.Free, Ref: "computes " + part.String(), Text: text})
	}
	return logic.All(all...)
}

// risks collects the parts of an expression that may fail.
type risks struct {
	env        *Env
	currency   string // that all money is in, "" where it may be any
	found      []ast.Node
	divisors   []*logic.Tree // that a field by which it divides is not zero
	lets       []string      // that it names
	partly     bool          // some part of it is not always computed
	predicates int
	ranges     bool
	limited    bool // the whole formula may make more steps than it is allowed
}

// Visit implements ast.Visitor.
func (r *risks) Visit(node *ast.Node) {
	fails := false
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if r.env.Lets[n.Value] && !slices.Contains(r.lets, n.Value) {
			r.lets = append(r.lets, n.Value)
		}
	case *ast.PredicateNode:
		r.predicates++
	case *ast.ConditionalNode:
		r.partly = true
	case *ast.MemberNode:
		_, fails = n.Property.(*ast.IntegerNode)
	case *ast.SliceNode:
		fails = true
	case *ast.CallNode:
		fails = callFails(n)
	case *ast.BuiltinNode:
		fails = (n.Name == "min" || n.Name == "max") && !r.numbers(n.Arguments)
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||", "??":
			r.partly = true
		case "..":
			r.ranges = true
		case "+", "-", "*", "/", "%":
			if divisor := r.divisor(n); divisor != nil {
				r.divisors = append(r.divisors, divisor)
			} else {
				fails = r.arithmeticFails(n)
			}
		case "==", "!=", "<", "<=", ">", ">=":
			fails = r.comparisonFails(n)
		}
	}
	if fails {
		r.found = append(r.found, *node)
	}
}

// mostDays is how many days, and so how many of each shorter span, a duration has room for.
var mostDays = big.NewRat(100_000, 1)

// callFails reports whether a function may refuse what it is called with.
func callFails(n *ast.CallNode) bool {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return true
	}
	switch callee.Value {
	case "minutes", "hours", "days":
		number, _, ok := constantOf(n.Arguments[0])
		return !ok || number.Abs(number).Cmp(mostDays) > 0
	case businessFunction:
		days, ok := n.Arguments[2].(*ast.IntegerNode)
		return !ok || days.Value < 0 || days.Value > maxBusinessDays
	}
	return false
}

func (r *risks) numbers(nodes []ast.Node) bool {
	for _, n := range nodes {
		if r.kind(n) != Number {
			return false
		}
	}
	return len(nodes) > 0
}

// divisor is that the field is not zero by which a number or money is divided, where nothing else makes that fail; nil where something may.
func (r *risks) divisor(n *ast.BinaryNode) *logic.Tree {
	path := pathOf(n.Right)
	if n.Operator != "/" || !strings.Contains(path, ".") || strings.HasPrefix(path, "local.") { // which are told by one of them
		return nil
	}
	t := &logic.Tree{Op: logic.Compare, Path: path, Cmp: "!=", Number: new(big.Rat), Text: path + " != 0"}
	switch a, b := r.kind(n.Left), r.kind(n.Right); {
	case b == Number && (a == Number || a == Money):
		return t
	case a == Money && b == Money && r.currency != "":
		t.Unit = r.currency
		return t
	}
	return nil
}

// arithmeticFails reports whether a computation may leave its range, divide by nothing, or bring two currencies together. Of numbers
// only a division fails, and moments and durations never do. Money has room for every amount that an order can have, but for a factor that is
// computed.
func (r *risks) arithmeticFails(n *ast.BinaryNode) bool {
	a, b := r.kind(n.Left), r.kind(n.Right)
	if n.Operator == "%" {
		return isZero(n.Right) || !isLiteral(n.Right)
	}
	switch {
	case a == Number && b == Number:
		return n.Operator == "/" && (isZero(n.Right) || !isLiteral(n.Right))
	case n.Operator != "/" && timely(a) && timely(b):
		return false
	case a == Money && b == Money:
		return r.currency == "" || n.Operator == "/"
	case a == Money && b == Number:
		return !plainNumber(n.Right) || n.Operator == "/" && !isLiteral(n.Right)
	case a == Number && b == Money:
		return !plainNumber(n.Left)
	}
	return true
}

func timely(kind string) bool { return kind == Moment || kind == Duration || kind == Number }

func isLiteral(n ast.Node) bool { _, ok := literal(n); return ok }

// plainNumber is one that stands there or is a field: not infinite, and not huge.
func plainNumber(n ast.Node) bool {
	if text, ok := literal(n); ok {
		return len(text) < 12
	}
	return strings.Contains(pathOf(n), ".") // a let may be computed
}

// comparisonFails reports whether two currencies may meet.
func (r *risks) comparisonFails(n *ast.BinaryNode) bool {
	if r.currency != "" {
		return false
	}
	a, b := r.kind(n.Left), r.kind(n.Right)
	return a == Money || b == Money || a == "" && b == ""
}

// kind is the kind of a node's value as far as it shows without its types: "" for what is not known.
func (r *risks) kind(n ast.Node) string {
	if path := pathOf(n); path != "" {
		if t := r.env.typeOf(path); t != nil {
			return KindOf(t)
		}
		return ""
	}
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return Number
	case *ast.StringNode:
		return Text
	case *ast.UnaryNode:
		return r.kind(n.Node)
	case *ast.ConstantNode:
		return KindOf(reflect.TypeOf(n.Value))
	case *ast.CallNode:
		return kindOfCall(n)
	case *ast.BuiltinNode:
		switch n.Name {
		case "len", "count", "sum", "ceil", "floor", "round", "abs":
			return Number
		case "lower", "upper", "trim":
			return Text
		}
	case *ast.BinaryNode:
		return r.kindOfResult(n)
	}
	return ""
}

func kindOfCall(n *ast.CallNode) string {
	if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
		switch callee.Value {
		case "dollars", "mins", "bucket", "round_to":
			return Number
		case "minutes", "hours", "days", businessFunction:
			return Duration
		}
	}
	return ""
}

func (r *risks) kindOfResult(n *ast.BinaryNode) string {
	a, b := r.kind(n.Left), r.kind(n.Right)
	switch {
	case a == "" || b == "":
		return ""
	case n.Operator == "/" && a == b:
		return Number
	case a == Moment && b == Moment:
		return Duration
	case a == Moment || b == Moment:
		return Moment
	case a == Number:
		return b
	}
	return a
}
