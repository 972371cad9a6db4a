package formula

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// mixed finds values of different kinds that come together where expr's checker takes anything: the ways of a condition, both sides of ??,
// the entries of a list, what is looked for in it, and two lists. What it let through, == and in would call unequal without a word.
// It runs when the types are known; a walk comes to the parts of a node first, so the innermost is told.
type mixed struct {
	problem *Problem
}

// Visit implements ast.Visitor.
func (m *mixed) Visit(node *ast.Node) {
	if m.problem != nil {
		return
	}
	switch n := (*node).(type) {
	case *ast.ConditionalNode:
		m.meet(kindIn(n.Exp1), kindIn(n.Exp2), "cannot both be what a condition gives", n.Exp1, n.Exp2)
	case *ast.ArrayNode:
		for _, x := range n.Nodes {
			m.meet(kindIn(n.Nodes[0]), kindIn(x), "cannot stand in one list", x, x)
		}
	case *ast.BuiltinNode:
		if len(n.Arguments) > 0 && m.named(n.Arguments[0], n.Name+"(…) cannot go through it") {
			return
		}
		m.sum(n)
	case *ast.MemberNode:
		m.named(n.Node, "it has no parts")
	case *ast.BinaryNode:
		switch n.Operator {
		case "??":
			m.meet(kindIn(n.Left), kindIn(n.Right), "cannot both be what ?? gives", n.Left, n.Right)
		case "in", "not in":
			if m.ranged(n); m.problem != nil {
				return
			}
			if entry, ok := strings.CutPrefix(kindIn(n.Right), listOf); ok {
				m.meet(kindIn(n.Left), entry, "cannot be compared with in", entryOf(n.Right), entryOf(n.Right))
				switch {
				case m.problem == nil:
				case pathOf(n.Left) == "local.weekday":
					m.problem.Hint = unitHint(Text, "local.weekday", "")
				case len(fieldsOf(n.Left.Type())) > 0 && KindOf(n.Left.Type()) == "":
					m.problem.From, m.problem.To = spanOf(n.Left)
					m.problem.Hint = members(n.Left, entry)
				}
			}
		case "==", "!=":
			left, right := kindIn(n.Left), kindIn(n.Right)
			if m.entries(n); m.problem != nil {
				return
			}
			if strings.HasPrefix(left, listOf) && strings.HasPrefix(right, listOf) { // of all else, the checker says it better
				m.meet(left, right, "cannot be compared", entryOf(n.Right), entryOf(n.Right))
			}
		}
	}
}

// ranged refuses to look in a range for what is no number.
func (m *mixed) ranged(n *ast.BinaryNode) {
	between, ok := n.Right.(*ast.BinaryNode)
	kind := kindIn(n.Left)
	if !ok || between.Operator != ".." || kind == Number || kind == "" {
		return
	}
	from, to := spanOf(between)
	m.problem = &Problem{Code: "E201", From: from, To: to, Message: fmt.Sprintf("%s is looked for among numbers", kind), Hint: "a range has whole numbers"}
	least, _, ok1 := constantOf(between.Left)
	most, _, ok2 := constantOf(between.Right)
	path := pathOf(n.Left)
	if !ok1 || !ok2 || path == "" || isList(n.Left) {
		return
	}
	var bound func(number string) string
	switch kind {
	case Text:
		bound = strconv.Quote
	case Money, Weight, Length, Volume, Distance, Duration:
		unit := map[string]string{Money: "usd", Weight: "lb", Length: "inch", Volume: "liters", Distance: "mi", Duration: "minutes"}[kind]
		bound = func(number string) string { return unit + "(" + number + ")" }
	default:
		return
	}
	m.problem.Hint += fmt.Sprintf("; compare with both ends: %s >= %s and %s <= %s", path, bound(least.RatString()), path, bound(most.RatString()))
}

// entries refuses to compare a list of what is no text, such as the items, with another kind of list: they are never equal, even where both
// are empty.
func (m *mixed) entries(n *ast.BinaryNode) {
	for _, sides := range [][2]ast.Node{{n.Left, n.Right}, {n.Right, n.Left}} {
		of := sides[0].Type()
		if !isList(sides[0]) || of.Elem().Kind() != reflect.Struct || !isList(sides[1]) || sides[1].Type() == of {
			continue
		}
		path, from := pathOf(sides[0]), n.Location().From
		m.problem = &Problem{Code: "E201", From: from, To: from + len(n.Operator), Message: fmt.Sprintf("%s cannot be compared with another list", path),
			Hint: fmt.Sprintf("ask how many there are: len(%s) %s 0; or what stands in it: any(%s, …)", path, n.Operator, path)}
		return
	}
}

// named refuses to take a list of the file apart: of these it is only known what is in them.
func (m *mixed) named(n ast.Node, why string) bool {
	if n.Type() != reflect.TypeFor[List]() {
		return false
	}
	path := pathOf(n)
	if path == "" {
		path = namedList
	}
	from, to := spanOf(n)
	m.problem = &Problem{Code: "E203", From: from, To: to, Message: fmt.Sprintf("%s is asked with in, and %s", path, why),
		Hint: fmt.Sprintf("write order.to.state in %s, or any(order.tags, # in %s)", path, path)}
	return true
}

// sum refuses to add up what is no number: expr's checker lets anything through, which would fail while it runs.
func (m *mixed) sum(n *ast.BuiltinNode) {
	if n.Name != "sum" || len(n.Arguments) == 0 {
		return
	}
	what, kind := n.Arguments[0], ""
	if len(n.Arguments) > 1 {
		what = n.Arguments[1]
		if p, ok := what.(*ast.PredicateNode); ok {
			what = p.Node
		}
		kind = kindIn(what)
	} else {
		kind = strings.TrimPrefix(kindIn(what), listOf)
	}
	if kind == "" || kind == Number {
		return
	}
	from, to := spanOf(what)
	m.problem = &Problem{Code: "E203", From: from, To: to, Message: fmt.Sprintf("sum(…) adds numbers, and this is %s", kind)}
	switch kind {
	case Money:
		m.problem.Hint = "order.subtotal is what all items cost; sum(…, dollars(…)) adds numbers of dollars"
	case Weight:
		m.problem.Hint = "order.weight is that of all parcels"
	}
}

// meet refuses two kinds that differ; the squiggle runs from one place to the other.
func (m *mixed) meet(a, b, why string, first, last ast.Node) {
	if m.problem != nil || a == "" || b == "" || a == b {
		return
	}
	from, _ := spanOf(first)
	_, to := spanOf(last)
	m.problem = &Problem{Code: "E201", From: from, To: to, Message: fmt.Sprintf("%s and %s %s", a, b, why),
		Hint: fmt.Sprintf("both must be %s, or both %s", a, b)}
	if a == Text && b == Number {
		m.problem.Hint = `a text stands in quotes, also one of digits: "02118"`
	}
}

// entryOf is the first entry of a list that stands in the text: a squiggle under it says more than one under brackets.
func entryOf(n ast.Node) ast.Node {
	switch list := n.(type) {
	case *ast.ArrayNode:
		if len(list.Nodes) > 0 {
			return list.Nodes[0]
		}
	case *ast.ConditionalNode:
		return entryOf(list.Exp1)
	}
	return n
}

const listOf = "list of "

// kindIn words what n gives such that values which may meet have one word, "" where anything may: numbers are of one kind, and a list is
// of what is in it. expr's own type of a list says too little.
func kindIn(n ast.Node) string {
	switch n := n.(type) {
	case *ast.ArrayNode:
		for _, x := range n.Nodes {
			if of := kindIn(x); of != "" {
				return listOf + of
			}
		}
		return ""
	case *ast.ConditionalNode:
		if kind := kindIn(n.Exp1); kind != "" {
			return kind
		}
		return kindIn(n.Exp2)
	}
	return kindOfType(n.Type())
}

func kindOfType(t reflect.Type) string {
	switch {
	case t == nil || t.Kind() == reflect.Interface:
		return ""
	case KindOf(t) != "":
		return KindOf(t)
	case t.Kind() == reflect.Slice:
		if of := kindOfType(t.Elem()); of != "" {
			return listOf + of
		}
		return ""
	}
	return friendlyType(t)
}
