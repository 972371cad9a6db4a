package formula

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// nothings are the words of other languages for what is not there.
var nothings = []string{"null", "NULL", "Null", "None", "NIL", "Nil", "undefined", "empty"}

const nothingHint = `nothing is ever missing: an absent text is "", an order without a promise is: not order.has_promise, an offer without an arrival: not option.has_dropoff`

// meantName words an unknown name by what stands around it, and reports whether that says what was meant.
func (e *Env) meantName(p *Problem, src string, tree *parser.Tree, name string) bool {
	runes := []rune(src)
	behind := strings.TrimSpace(string(runes[min(p.To, len(runes)):]))
	switch {
	case slices.Contains(nothings, name):
		p.Code, p.Message, p.Hint = "E101", fmt.Sprintf("there is no %s in rules", name), nothingHint
	case strings.HasPrefix(behind, "("):
		return e.meantFunction(p, name)
	case tree != nil && e.meantMember(p, tree, name):
	default:
		return false
	}
	return true
}

var (
	listName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	asksList = regexp.MustCompile(`\bin\s*$`)
)

// meantList words an unknown name behind in of which nothing else is known.
func (e *Env) meantList(p *Problem, src, name string) {
	runes := []rune(src)
	if p.DidYouMean == "" && e.Elsewhere[name] == "" && listName.MatchString(name) && asksList.MatchString(string(runes[:min(p.From, len(runes))])) {
		p.Hint = fmt.Sprintf("a list is named under lists: at the top of the file, or is lists/%s.csv beside it; it is asked with in lists.%s", name, name)
	}
}

// meantFunction words what is called like a function and is none by its case, or as the code of a currency.
func (e *Env) meantFunction(p *Problem, name string) bool {
	lower := strings.ToLower(name)
	p.Code, p.Message = "E101", fmt.Sprintf("unknown function %q", name)
	if name != lower && slices.Contains(FunctionNames(), lower) {
		p.DidYouMean, p.Hint = lower, "functions are written in small letters: "+lower+"(…)"
		return true
	}
	if code := strings.ToUpper(name); len(code) == 3 {
		if _, ok := shipping.CurrencyDigits(code); ok {
			p.Hint = fmt.Sprintf(`money in %s is written money("12.50", "%s")`, code, code)
			return true
		}
	}
	if e.Elsewhere[name] != "" || e.Elsewhere[name+"()"] != "" || unavailable[name] || suggestUnit(name) != "" || e.Vars[name] != nil {
		return false
	}
	p.DidYouMean, p.Hint = Suggest(name, FunctionNames()), "functions: "+Some(FunctionNames())
	return true
}

// meantMember words the name of a member of that list which any(…) or the like goes through: the name needs a point.
func (e *Env) meantMember(p *Problem, tree *parser.Tree, name string) bool {
	find := &entryMember{name: name, at: p.From}
	if ast.Walk(&tree.Node, find); !find.found {
		return false
	}
	p.Code, p.Message = "E101", fmt.Sprintf("unknown name %q", name)
	p.DidYouMean, p.Hint = "."+name, fmt.Sprintf("what stands in the list has it: write .%s", name)
	return true
}

// entryMember looks for the function that goes through a list whose entries have a name, around a place.
type entryMember struct {
	name  string
	at    int
	found bool
}

// Visit implements ast.Visitor.
func (f *entryMember) Visit(node *ast.Node) {
	call, ok := (*node).(*ast.BuiltinNode)
	if !ok || len(call.Arguments) < 2 {
		return
	}
	of := call.Arguments[0].Type()
	if of == nil || of.Kind() != reflect.Slice || !slices.Contains(fieldsOf(of.Elem()), f.name) {
		return
	}
	from, to := spanOf(call.Arguments[1])
	f.found = f.found || from <= f.at && f.at < to
}

// quantities are the kinds of values that a unit or a currency is written for, and those of time.
var quantities = map[string]bool{Money: true, Weight: true, Length: true, Volume: true, Distance: true, Duration: true, Moment: true}

var firstNumber = regexp.MustCompile(`\d+(?:\.\d+)?`)

// otherQuantity says how the literal is written that a field of another kind was put beside: lb(60) for usd(60).
func otherQuantity(p *Problem, src string, n *ast.BinaryNode, left, right string) {
	field, side, kind := n.Left, n.Right, left
	if pathOf(field) == "" && pathOf(side) != "" {
		field, side, kind = side, field, right
	}
	from, _ := spanOf(side)
	runes := []rune(src)
	_, to := wholeWord(src, from, from)
	to = endOfCall(runes, to)
	number := firstNumber.FindString(string(runes[min(from, to):to]))
	if number == "" || pathOf(side) != "" {
		p.Hint = fmt.Sprintf("both must be %s, or both %s", left, right)
		return
	}
	p.From, p.To = from, to
	p.Hint = unitHint(kind, pathOf(field), number)
}

func isMap(n ast.Node) bool {
	return n.Type() != nil && n.Type().Kind() == reflect.Map && KindOf(n.Type()) == ""
}

// mapHint says how one of several values is asked for that stand under a path by their names.
func (e *Env) mapHint(n ast.Node) string {
	path := pathOf(n)
	if names := e.Members[path]; len(names) > 0 {
		return fmt.Sprintf("ask for one of them: %s.%s", path, names[0])
	}
	return fmt.Sprintf("declare the names under %s: at the top of the file, and ask for one of them: %s.…", lastOf(path), path)
}

// inside gives the side of an operator that is more than one value: an order, a place, a list; and says what to compare instead. It is nil where
// neither is.
func inside(left, right ast.Node) (whole ast.Node, hint string) {
	for _, sides := range [][2]ast.Node{{left, right}, {right, left}} {
		whole, other := sides[0], KindOf(sides[1].Type())
		switch of := whole.Type(); {
		case of == nil || KindOf(of) != "":
		case len(fieldsOf(of)) > 0:
			return whole, members(whole, other)
		case isList(whole) && other == Number:
			return whole, fmt.Sprintf("ask how many there are: len(%s)", whole.String())
		}
	}
	return nil, ""
}

// members names what a value holds that is of a kind, and all that it holds where nothing is.
func members(whole ast.Node, kind string) string {
	var fits, all []string
	t := whole.Type()
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("expr")
		if name == "" {
			continue
		}
		name = whole.String() + "." + name
		if all = append(all, name); KindOf(t.Field(i).Type) == kind {
			fits = append(fits, name)
		}
	}
	if len(fits) == 0 {
		fits = all
	}
	hint := "say what of it is meant: " + Some(fits)
	if path := whole.String(); kind == Number && path == "order" {
		hint += "; what is measured has its unit: order.total > usd(5), order.weight > lb(5)"
	}
	return hint
}
