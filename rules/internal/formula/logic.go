package formula

import (
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/waybill-dev/waybill/rules/internal/logic"
	"github.com/waybill-dev/waybill/rules/trace"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Logic gives the condition of a formula as a tree. Names of lets and lists stay as they are, for the caller to resolve. currency is what all
// money of the orders in question is in, "" where they may come in any: then what compares money may fail.
func (f *Formula) Logic(currency string) *logic.Tree {
	tree, problem := f.parsed()
	if problem != nil {
		return &logic.Tree{Op: logic.Free, Ref: f.Source, Text: f.Source}
	}
	l := f.logician(currency)
	t := l.tree(tree.Node)
	if b, ok := tree.Node.(*ast.BinaryNode); ok && len(t.Kids) == 2 {
		for i, part := range []ast.Node{b.Left, b.Right} {
			if t.Kids[i].Text == "" {
				t.Kids[i].Text = l.written(part)
			}
		}
	}
	return t
}

type logician struct {
	env      *Env
	source   []rune
	currency string // that all money is in, "" where it may be any
	crowded  bool   // it has so many predicates that their steps may be too many
}

// free is what is not understood. It is known by what it was made into, which is the same however it was written, and shown as it was
// written.
func (l *logician) free(n ast.Node) *logic.Tree {
	return &logic.Tree{Op: logic.Free, Ref: n.String(), Text: l.written(n), Sure: l.sure(n)}
}

func (l *logician) written(n ast.Node) string { return written(l.source, n) }

// written is a node as its author wrote it, on one line.
func written(source []rune, n ast.Node) string {
	return strings.Join(strings.Fields(trace.Cut(source, n)), " ")
}

func (l *logician) tree(n ast.Node) *logic.Tree {
	switch n := n.(type) {
	case *ast.BoolNode:
		return &logic.Tree{Op: logic.Fixed, Truth: n.Value, Text: n.String()}
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return logic.Negate(l.tree(n.Node))
		}
	case *ast.ConditionalNode:
		c := l.tree(n.Cond)
		return logic.Any(logic.All(c, l.tree(n.Exp1)), logic.All(logic.Negate(c), l.tree(n.Exp2)))
	case *ast.IdentifierNode:
		if _, ok := l.env.Vars[n.Value].(bool); ok {
			return &logic.Tree{Op: logic.Name, Ref: n.Value, Text: n.Value}
		}
	case *ast.MemberNode:
		if path := l.path(n); path != "" {
			return &logic.Tree{Op: logic.Is, Path: path, Text: path}
		}
	case *ast.CallNode:
		return l.between(n)
	case *ast.BinaryNode:
		return l.binary(n)
	}
	return l.free(n)
}

func (l *logician) binary(n *ast.BinaryNode) *logic.Tree {
	switch n.Operator {
	case "and", "&&":
		if made(n, n.Left) && made(n, n.Right) { // of date_between
			return whole(l.written(n), l.tree(n.Left), l.tree(n.Right))
		}
		return logic.All(l.tree(n.Left), l.tree(n.Right))
	case "or", "||":
		return logic.Any(l.tree(n.Left), l.tree(n.Right))
	case "in":
		return l.in(n)
	case "not in":
		return logic.Negate(l.in(n))
	case "==", "!=", "<", "<=", ">", ">=":
		return l.compare(n)
	}
	return l.free(n)
}

// made reports whether a part of a node was made together with it, of a call: then it has the call's place.
func made(of *ast.BinaryNode, part ast.Node) bool { return of.Location() == part.Location() }

var flipped = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

func (l *logician) compare(n *ast.BinaryNode) *logic.Tree {
	op, path, constant := n.Operator, l.path(n.Left), n.Right
	if path == "" {
		op, path, constant = flipped[op], l.path(n.Right), n.Left
	}
	if path == "" {
		if n.Operator == "==" && (neverMakes(n.Left, n.Right) || neverMakes(n.Right, n.Left)) {
			return &logic.Tree{Op: logic.Fixed, Text: l.written(n), Sure: l.sure(n)}
		}
		return l.free(n)
	}
	switch path {
	case "local.hour":
		return l.hour(n, op, constant)
	case "local.time":
		return l.time(n, op, constant)
	}
	t := &logic.Tree{Path: path, Cmp: op, Text: l.written(n)}
	switch c := constant.(type) {
	case *ast.StringNode:
		if day, ok := dayNumber(path, c.Value); ok {
			t.Op, t.Number, t.Unit = logic.Compare, day, "day"
			return t
		}
		switch t.Op, t.Texts = logic.In, []string{c.Value}; op {
		case "==":
			return t
		case "!=":
			return logic.Negate(t)
		}
		return l.free(n)
	case *ast.BoolNode:
		t.Op = logic.Is
		if c.Value != (op == "==") {
			return logic.Negate(t)
		}
		return t
	}
	number, of, ok := constantOf(constant)
	if !ok {
		return l.free(n)
	}
	t.Op, t.Number, t.Unit = logic.Compare, number, of
	if _, money := shipping.CurrencyDigits(of); money && l.currency == "" {
		t.Sure = &logic.Tree{Op: logic.In, Path: path + CurrencyOf, Texts: []string{of, ""}} // where no money is given, it has none
	}
	return t
}

// neverMakes reports whether a node is lower(…) or upper(…) and a text has letters of the other case. What stands under != is left alone: that
// it always holds is told of nobody's slip.
func neverMakes(n, literal ast.Node) bool {
	call, ok := n.(*ast.BuiltinNode)
	text, is := literal.(*ast.StringNode)
	if !ok || !is {
		return false
	}
	return call.Name == "lower" && strings.ToLower(text.Value) != text.Value || call.Name == "upper" && strings.ToUpper(text.Value) != text.Value
}

// CurrencyOf ends the path that stands for the currency of the money at a path. It is no field, and nothing can give it by itself.
const CurrencyOf = "/currency"

// minutes compares the minute of the day. The hour and the time of day are told by it: the three are one moment, and may not be taken for
// fields of their own.
func minutes(op string, n *big.Rat, text string) *logic.Tree {
	return &logic.Tree{Op: logic.Compare, Path: "local.minute_of_day", Cmp: op, Number: n, Text: text}
}

// hour is a comparison of the hour as one of the minute of the day.
func (l *logician) hour(n ast.Node, op string, constant ast.Node) *logic.Tree {
	hour, of, ok := constantOf(constant)
	if !ok || of != "" {
		return l.free(n)
	}
	text := l.written(n)
	floor := new(big.Rat).SetInt(new(big.Int).Div(hour.Num(), hour.Denom()))
	first := new(big.Rat).Mul(floor, big.NewRat(60, 1))
	next := new(big.Rat).Add(first, big.NewRat(60, 1)) // of the hour after
	if !hour.IsInt() && (op == "<" || op == ">=") {
		first = next
	}
	switch op {
	case "<":
		return minutes("<", first, text)
	case ">=":
		return minutes(">=", first, text)
	case "<=":
		return minutes("<", next, text)
	case ">":
		return minutes(">=", next, text)
	}
	same := &logic.Tree{Op: logic.Fixed, Text: text} // no hour has a fraction
	if hour.IsInt() {
		same = whole(text, minutes(">=", first, text), minutes("<", next, text))
	}
	if op == "!=" {
		return logic.Negate(same)
	}
	return same
}

// whole is what the author wrote as one: its parts are not to be looked at one by one.
func whole(text string, parts ...*logic.Tree) *logic.Tree {
	t := logic.All(logic.All(parts...))
	t.Text = text
	return t
}

// time is a comparison of the time of day as one of the minute of the day. Times of day are ordered as their texts are.
func (l *logician) time(n ast.Node, op string, constant ast.Node) *logic.Tree {
	s, ok := constant.(*ast.StringNode)
	if !ok {
		return l.free(n)
	}
	at, err := minuteOfDay(s.Value)
	if err != nil {
		return l.free(n)
	}
	return minutes(op, big.NewRat(int64(at), 1), l.written(n))
}

// dayNumber reads a date that local.date is compared with as a number of days.
func dayNumber(path, text string) (*big.Rat, bool) {
	if path != "local.date" {
		return nil, false
	}
	day, err := time.Parse(time.DateOnly, text)
	return big.NewRat(day.Unix()/86400, 1), err == nil
}

func (l *logician) in(n *ast.BinaryNode) *logic.Tree {
	if s, ok := n.Left.(*ast.StringNode); ok {
		if path := l.path(n.Right); path != "" && !strings.HasPrefix(path, "lists.") {
			t := &logic.Tree{Op: logic.Is, Path: strconv.Quote(s.Value) + " in " + path}
			if t.Text = t.Path; n.Location() == n.Right.Location() { // of within or supports
				t.Text = l.written(n)
			}
			return t
		}
		return l.free(n)
	}
	path := l.path(n.Left)
	if path == "" {
		return l.free(n)
	}
	if list, ok := strings.CutPrefix(l.path(n.Right), "lists."); ok {
		if path == "local.date" || path == "local.time" {
			return l.free(n) // compared as days and minutes elsewhere; the two must not be taken for different fields
		}
		return &logic.Tree{Op: logic.List, Path: path, Ref: list, Text: l.written(n)}
	}
	array, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return l.free(n)
	}
	var texts []string
	var numbers []*logic.Tree
	for _, x := range array.Nodes {
		if s, ok := x.(*ast.StringNode); ok && path != "local.date" && path != "local.time" {
			texts = append(texts, s.Value)
			continue
		}
		equal := l.compare(&ast.BinaryNode{Operator: "==", Left: n.Left, Right: x})
		if equal.Op == logic.Free {
			return l.free(n)
		}
		equal.Sure = nil // in asks for the same value, and compares no currencies
		numbers = append(numbers, equal)
	}
	if len(numbers) > 0 && len(texts) == 0 {
		return logic.Any(numbers...)
	}
	return &logic.Tree{Op: logic.In, Path: path, Texts: texts, Text: l.written(n)}
}

// between is time_between as comparisons of the minute of the day.
func (l *logician) between(n *ast.CallNode) *logic.Tree {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || callee.Value != betweenFunction {
		return l.free(n)
	}
	at := func(op string, i int) *logic.Tree {
		return l.compare(&ast.BinaryNode{Operator: op, Left: n.Arguments[0], Right: n.Arguments[i]})
	}
	from, to := n.Arguments[1].(*ast.IntegerNode).Value, n.Arguments[2].(*ast.IntegerNode).Value
	text := fmt.Sprintf(`time_between("%02d:%02d", "%02d:%02d")`, from/60, from%60, to/60, to%60)
	if from < to {
		return whole(text, at(">=", 1), at("<", 2))
	}
	return whole(text, logic.Any(at(">=", 1), at("<", 2)))
}

// path is pathOf, and the name of a quota.
func (l *logician) path(n ast.Node) string {
	if m, ok := n.(*ast.MemberNode); ok {
		if key, ok := quotaKey(m.Node); ok {
			if name, ok := m.Property.(*ast.StringNode); !ok || name.Value != "used" {
				return "" // it hangs on the location's cap too
			}
			account, period, per := cutKey(key)
			if per != "" {
				period += "." + per
			}
			return "quota." + account + "." + period + ".used"
		}
		return pathOf(n)
	}
	return "" // a bare name is a let, whose value is not known here
}

// constantOf reads a number with its unit.
func constantOf(n ast.Node) (*big.Rat, string, bool) {
	if text, ok := literal(n); ok {
		r, ok := new(big.Rat).SetString(text)
		return r, "", ok
	}
	switch n := n.(type) {
	case *ast.ConstantNode:
		switch v := n.Value.(type) {
		case shipping.Money:
			digits, _ := shipping.CurrencyDigits(v.Currency)
			r := big.NewRat(v.Minor, 1)
			for range digits {
				r.Quo(r, big.NewRat(10, 1))
			}
			return r, v.Currency, true
		case unit.Weight:
			return v.Rat(), "g", true
		case unit.Length:
			return v.Rat(), "mm", true
		case unit.Distance:
			return v.Rat(), "m", true
		case unit.Volume:
			return v.Rat(), "mm3", true
		}
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		seconds := map[string]int64{"minutes": 60, "hours": 3600, "days": 86400}
		if !ok || seconds[callee.Value] == 0 || len(n.Arguments) != 1 {
			return nil, "", false
		}
		r, _, ok := constantOf(n.Arguments[0])
		if !ok {
			return nil, "", false
		}
		return r.Mul(r, big.NewRat(seconds[callee.Value], 1)), "s", true
	}
	return nil, "", false
}

// Whole reports whether a path of the environment is a whole number.
func (e *Env) Whole(path string) bool {
	t := e.typeOf(path)
	return t != nil && t.Kind() == reflect.Int
}

// typeOf is the type of what stands at a path of the environment, nil where that is not known.
func (e *Env) typeOf(path string) reflect.Type {
	name, rest, _ := strings.Cut(path, ".")
	t := reflect.TypeOf(e.Vars[name])
	for t != nil && rest != "" {
		if t.Kind() != reflect.Struct {
			return nil
		}
		name, rest, _ = strings.Cut(rest, ".")
		var next reflect.Type
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("expr") == name {
				next = t.Field(i).Type
			}
		}
		t = next
	}
	return t
}

// DayNumber reads a date as the number that comparisons of local.date use.
func DayNumber(date string) (*big.Rat, bool) { return dayNumber("local.date", date) }

// Windows lists the times of day of time_between(…), each as minutes from and to.
func (f *Formula) Windows() [][2]int {
	var found [][2]int
	f.walk(func(n ast.Node) {
		call, ok := n.(*ast.CallNode)
		if !ok {
			return
		}
		if callee, ok := call.Callee.(*ast.IdentifierNode); ok && callee.Value == betweenFunction {
			found = append(found, [2]int{call.Arguments[1].(*ast.IntegerNode).Value, call.Arguments[2].(*ast.IntegerNode).Value})
		}
	})
	return found
}

// FloatEquality gives the first part that compares a computed number for being the same as another, "" where there is none.
func (f *Formula) FloatEquality() string {
	text := ""
	f.walk(func(n ast.Node) {
		b, ok := n.(*ast.BinaryNode)
		if !ok || text != "" || b.Operator != "==" && b.Operator != "!=" {
			return
		}
		for _, side := range []ast.Node{b.Left, b.Right} {
			switch s := side.(type) {
			case *ast.FloatNode:
				text = written([]rune(f.Source), b)
			case *ast.CallNode:
				if callee, ok := s.Callee.(*ast.IdentifierNode); ok && (callee.Value == "dollars" || callee.Value == "mins" || callee.Value == "round_to") {
					text = written([]rune(f.Source), b)
				}
			case *ast.BinaryNode:
				if s.Operator == "/" {
					text = written([]rune(f.Source), b)
				}
			}
		}
	})
	return text
}

type visitor func(ast.Node)

// Visit implements ast.Visitor.
func (v visitor) Visit(node *ast.Node) { v(*node) }

func (f *Formula) walk(visit func(ast.Node)) {
	if tree, problem := f.parsed(); problem == nil {
		ast.Walk(&tree.Node, visitor(visit))
	}
}

// parsed is the tree of what was compiled once.
func (f *Formula) parsed() (*parser.Tree, *Problem) {
	f.env.twins.Lock()
	defer f.env.twins.Unlock()
	if f.env.twins.config == nil {
		f.env.twins.config = f.env.config()
	}
	tree, _, problem := f.env.parseScanned(f.Source, f.env.twins.config, nil)
	return tree, problem
}

// Constants are what a formula compares and computes with: the texts, and the numbers with their units, "" for a bare one.
type Constants struct {
	Texts   []string
	Numbers []Constant
}

// Constant is a number in base units: of the currency, grams, millimetres, metres, cubic millimetres, seconds.
type Constant struct {
	Number *big.Rat
	Unit   string
}

// Constants lists the constants of a formula.
func (f *Formula) Constants() Constants {
	var c Constants
	var texts []*ast.StringNode
	names := map[ast.Node]bool{} // of fields, which are no constants
	f.walk(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.StringNode:
			texts = append(texts, n)
		case *ast.MemberNode:
			names[n.Property] = true
		}
		if number, of, ok := constantOf(n); ok {
			c.Numbers = append(c.Numbers, Constant{number, of})
		}
	})
	for _, s := range texts {
		if !names[s] {
			c.Texts = append(c.Texts, s.Value)
		}
	}
	return c
}
