package formula

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

var (
	unknownName  = regexp.MustCompile(`^unknown name (\S+)`)
	unknownField = regexp.MustCompile(`(?:has no field|unknown field|has no method|has no field or method) (\S+)`)
	mismatch     = regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (.+) and (.+)\)`)
	badArgument  = regexp.MustCompile(`^cannot use (.+) as argument \(type (.+)\) to call (\S+)`)
	badBuiltin   = regexp.MustCompile(`^invalid argument for (\w+) \(type (.+)\)`)
	arity        = regexp.MustCompile(`^(?:too many|not enough|invalid number of) arguments(?: to call (\w+))?`)
	outOfRange   = regexp.MustCompile(`^invalid \w+ literal: .*parsing "([^"]+)": value out of range`)
	badSign      = regexp.MustCompile(`^invalid operation: ([-+]) \(mismatched type (\S+)\)`)
	badNot       = regexp.MustCompile(`^invalid operation: (?:not|!) \(mismatched type (\S+)\)`)
	noArray      = regexp.MustCompile(`^builtin (\w+) takes only array \(got (.+)\)`)
	noSign       = regexp.MustCompile(`^unrecognized character: U\+[0-9A-F]+ '(.+)'`)
	unbracketed  = regexp.MustCompile(`^Operator \((.+)\) and coalesce expressions`)
	leadingZero  = regexp.MustCompile(`^0+[1-9]\d*$`)
	goTypes      = regexp.MustCompile(`\*?(?:\[\])?(?:\w+\.)?\b(?:Money|Weight|Length|Volume|Distance|List|Time|Duration|Order|Option|Place|Item|Location|Local|float64|int|string|bool|interface \{\}|any)\b`)
)

// explain turns an error of the parser or checker into a problem.
func (e *Env) explain(src string, tree *parser.Tree, err error) *Problem {
	var at *file.Error
	if strings.Contains(err.Error(), "exceeds maximum allowed nodes") { // expr has no kind of its own for it
		return &Problem{Code: "E404", To: utf8.RuneCountInString(src), Message: fmt.Sprintf("the expression has more than %d parts: names, values and operators", MaxNodes),
			Hint: "put the values into a list and ask with: in lists.name; or split the expression with let"}
	}
	if !errors.As(err, &at) {
		return &Problem{Code: "E304", To: utf8.RuneCountInString(src), Message: friendly(err.Error())}
	}
	p := &Problem{Code: "E301", From: at.From, To: max(at.To, at.From+1)}
	p.From, p.To = wholeWord(src, p.From, p.To)
	if m := unknownName.FindStringSubmatch(at.Message); m != nil {
		if !e.meantName(p, src, tree, m[1]) {
			e.unknownName(p, m[1])
			e.meantList(p, src, m[1])
		}
		return p
	}
	if m := unknownField.FindStringSubmatch(at.Message); m != nil && tree != nil {
		e.unknownField(p, tree, at.Location, m[1])
		return p
	}
	if m := mismatch.FindStringSubmatch(at.Message); m != nil && tree != nil {
		e.mismatched(p, src, tree, at.Location, m)
		if word := string([]rune(src)[min(p.From, utf8.RuneCountInString(src)):min(p.To, utf8.RuneCountInString(src))]); leadingZero.MatchString(word) {
			p.Hint = strings.ReplaceAll(p.Hint, `"`+strings.TrimLeft(word, "0")+`"`, `"`+word+`"`) // a postal code
		}
		return p
	}
	if m := badArgument.FindStringSubmatch(at.Message); m != nil {
		badCall(p, src, m[3], m[1])
		return p
	}
	if m := badBuiltin.FindStringSubmatch(at.Message); m != nil {
		p.Code, p.Hint = "E203", ""
		kind := friendlyName(m[2])
		takes := takesOther[m[1]]
		if takes == "" {
			takes = "numbers"
		}
		p.Message = fmt.Sprintf("%s(…) takes %s, and this is %s", m[1], takes, kind)
		switch {
		case takes != "numbers":
		case m[1] == "max":
			p.Hint = "write a > b ? a : b"
		case m[1] == "min":
			p.Hint = "write a < b ? a : b"
		case kind == Money:
			p.Hint = "dollars(…) makes a number of money"
		}
		return p
	}
	if e.explainMore(p, src, tree, at.Message) {
		return p
	}
	p.Hint, p.DidYouMean = hintFor(src)
	if stray(p, at.Message) {
		return p
	}
	if from := openQuotes(src); from >= 0 && strings.HasPrefix(at.Message, "literal not terminated") {
		p.From, p.To, p.Message, p.DidYouMean = from, from+1, "the quotes that begin here are not closed", ""
		p.Hint = "close them with " + string([]rune(src)[from])
		return p
	}
	p.Message = friendly(at.Message)
	if strings.Contains(p.Message, "EOF") {
		p.Message = "the expression ends too early"
		if p.Hint == "" {
			p.Hint = "something is missing at the end: a value, or a closing bracket"
		}
	}
	if strings.HasPrefix(p.Message, "invalid operation") || strings.HasPrefix(p.Message, "non-bool") {
		p.Code = "E201"
	}
	return p
}

// badCall words a call of a function with what it cannot take, and puts the problem under the whole path of that.
func badCall(p *Problem, src, name, kind string) {
	if name == businessFunction {
		name = "business_days"
	}
	p.Code, p.Message = "E203", fmt.Sprintf("%s(…) cannot take %s", name, friendlyName(kind))
	if how := usage[name]; how != "" {
		p.Hint = "write it like " + how
	}
	for runes := []rune(src); p.From > 0 && p.From < len(runes) && (runes[p.From-1] == '.' || wordRune(runes[p.From-1])); {
		p.From--
	}
}

// takesOther is what those functions of one value take that do not take numbers.
var takesOther = map[string]string{"len": "a text, or a list of the order", "lower": Text, "upper": Text, "trim": Text}

// usage is how the functions are called that are not worked out while compiling.
var usage = map[string]string{
	"dollars": "dollars(option.fee)", "mins": "mins(option.dropoff_in)", "minutes": "minutes(30)", "hours": "hours(2)", "days": "days(1)",
	"business_days": "business_days(2)", "bucket": `bucket("experiment", order.id)`, "round_to": "round_to(2.345, 2)",
}

// explainMore words what explain leaves over and has a hint of its own.
func (e *Env) explainMore(p *Problem, src string, tree *parser.Tree, message string) bool {
	runes := []rune(src)
	word := string(runes[min(p.From, len(runes)):min(p.To, len(runes))])
	if m := arity.FindStringSubmatch(message); m != nil {
		name := m[1]
		if name == "" {
			name = word
		}
		p.Code, p.Message = "E203", "wrong number of arguments for "+name+"(…)"
		if how := usage[name]; how != "" {
			p.Hint = "write it like " + how
		}
		return true
	}
	if m := outOfRange.FindStringSubmatch(message); m != nil {
		p.Message, p.Hint = m[1]+" is too large a number", "write a smaller one"
		if before, _, ok := strings.Cut(src, m[1]); ok {
			p.From = utf8.RuneCountInString(before)
			p.To = p.From + len(m[1])
		}
		return true
	}
	if m := badSign.FindStringSubmatch(message); m != nil {
		p.Code = "E201"
		p.Message = fmt.Sprintf("%s stands before a number, and this is %s", m[1], friendlyName(m[2]))
		p.Hint = "compare it without the sign, the other way round: a > b for -a < -b; a literal takes its sign inside: usd(-5)"
		return true
	}
	if m := badNot.FindStringSubmatch(message); m != nil {
		p.Code, p.Message = "E201", fmt.Sprintf("not stands before what is true or false, and this is %s", friendlyName(m[1]))
		if p.Hint, p.DidYouMean = hintFor(src); p.Hint == "" {
			p.Hint = "compare it first: not (a == b)"
		}
		return true
	}
	if m := noArray.FindStringSubmatch(message); m != nil {
		p.Code, p.Message = "E203", fmt.Sprintf("%s(…) goes through a list of the order, and this is %s", m[1], friendlyName(m[2]))
		p.Hint = "what it can go through: order.items, order.tags, order.content, order.failed_providers"
		return true
	}
	if m := noSign.FindStringSubmatch(message); m != nil {
		p.Message, p.Hint = fmt.Sprintf("%s is no sign of the language", m[1]), "a text stands in quotes"
		if m[1] == "~" {
			p.DidYouMean, p.Hint = "matches", `a pattern is asked with matches: order.id matches "^A"; a part of a text with contains, its beginning with startsWith`
		}
		return true
	}
	if m := unbracketed.FindStringSubmatch(message); m != nil {
		p.Message = fmt.Sprintf("?? and %s need brackets to stand side by side", m[1])
		p.Hint = `nothing is ever missing in rules: an absent text is "". Ask for that: a in ["", "x"] for (a ?? "x") == "x"`
		return true
	}
	if strings.HasPrefix(message, "array elements can only be selected") && strings.HasPrefix(word, `"`) {
		p.Code, p.Message = "E201", "what stands in a list is numbered, from 0, and not named"
		p.Hint = fmt.Sprintf("whether it is in the list is asked with in: %s in order.tags", word)
		return true
	}
	if strings.HasPrefix(message, "array elements can only be selected") && tree != nil {
		find := &ofList{name: word}
		if ast.Walk(&tree.Node, find); find.path != "" {
			p.Code, p.Message = "E102", fmt.Sprintf("%s is a list, and only what stands in it has %s", find.path, word)
			p.Hint = fmt.Sprintf("ask about any of them: any(%s, .%s == …)", find.path, word)
			p.DidYouMean = fmt.Sprintf("any(%s, .%s …)", find.path, word)
			return true
		}
	}
	return false
}

// ofList looks for the list of which a member of its entries is asked.
type ofList struct{ name, path string }

// Visit implements ast.Visitor.
func (f *ofList) Visit(node *ast.Node) {
	m, ok := (*node).(*ast.MemberNode)
	if !ok {
		return
	}
	if s, ok := m.Property.(*ast.StringNode); ok && s.Value == f.name && m.Node.Type() != nil && m.Node.Type().Kind() == reflect.Slice {
		f.path = pathOf(m.Node)
	}
}

func (e *Env) unknownName(p *Problem, name string) {
	p.Code = "E101"
	if macros[name] != nil || slices.Contains(FunctionNames(), name) {
		p.Message, p.Hint = fmt.Sprintf("%s is a function", name), name+"(…) needs its arguments"
		return
	}
	if truth := map[string]string{"yes": "true", "on": "true", "no": "false", "off": "false"}[strings.ToLower(name)]; truth != "" {
		p.Message, p.DidYouMean = fmt.Sprintf("unknown name %q", name), truth
		p.Hint = "what is true or false stands alone: order.gift; the contrary is: not order.gift"
		return
	}
	names := make([]string, 0, len(e.Vars))
	for n := range e.Vars {
		names = append(names, n)
	}
	slices.Sort(names)
	p.Message = fmt.Sprintf("unknown name %q", name)
	if p.Hint = e.Elsewhere[name]; p.Hint != "" {
		return
	}
	if p.Hint = e.Elsewhere[name+"()"]; p.Hint != "" {
		return
	}
	if unavailable[name] {
		p.Message = fmt.Sprintf("%s(…) cannot be used in rules", name)
		p.Hint = "functions: " + Some(FunctionNames())
		return
	}
	for _, values := range e.Enums {
		if slices.Contains(values, name) {
			p.DidYouMean, p.Hint = `"`+name+`"`, "a text stands in quotes"
			return
		}
	}
	if p.DidYouMean = suggestUnit(name); p.DidYouMean != "" {
		p.Hint = p.DidYouMean + "(…) makes a value of a number"
		return
	}
	if capitals.MatchString(name) && !slices.Contains(names, strings.ToLower(name)) {
		p.DidYouMean, p.Hint = `"`+name+`"`, "a text stands in quotes"
		return
	}
	if slices.Contains(e.Members["lists"], name) {
		p.DidYouMean, p.Hint = "lists."+name, "a list of the file is asked with in: order.to.state in lists."+name
		return
	}
	p.DidYouMean = Suggest(name, append(names, FunctionNames()...))
	if p.DidYouMean == "" {
		p.DidYouMean = e.suggestPath(name)
	}
	p.Hint = "known here: " + Some(names)
	if p.DidYouMean == "" && regexp.MustCompile(`^[a-z_]+$`).MatchString(name) {
		p.Hint = fmt.Sprintf(`a text stands in quotes: "%s"; %s`, name, p.Hint)
	}
}

// suggestPath looks for a field of that name one level down: "weight" for order.weight.
func (e *Env) suggestPath(name string) string {
	var paths []string
	for root, v := range e.Vars {
		for _, f := range fieldsOf(reflect.TypeOf(v)) {
			if f == name {
				paths = append(paths, root+"."+f)
			}
		}
	}
	slices.Sort(paths)
	if len(paths) == 0 {
		return ""
	}
	return paths[0]
}

func (e *Env) unknownField(p *Problem, tree *parser.Tree, at file.Location, name string) {
	p.Code, p.Message = "E102", fmt.Sprintf("unknown field %q", name)
	find := &finder{name: name, at: at}
	ast.Walk(&tree.Node, find)
	if find.found == nil {
		return
	}
	if from, to := spanOf(find.found.Property); to-from >= len(name) {
		p.From, p.To = from, to
	}
	fields := fieldsOf(find.found.Node.Type())
	p.DidYouMean = Suggest(name, fields)
	if len(fields) > 0 {
		owner := pathOf(find.found.Node)
		if owner == "" {
			owner = "it"
		}
		p.Hint = owner + " has: " + Some(fields)
	} else {
		p.Hint = "a " + friendlyType(find.found.Node.Type()) + " has no fields"
	}
}

type finder struct {
	name  string
	at    file.Location
	found *ast.MemberNode
}

// Visit implements ast.Visitor.
func (f *finder) Visit(node *ast.Node) {
	m, ok := (*node).(*ast.MemberNode)
	if !ok {
		return
	}
	if s, ok := m.Property.(*ast.StringNode); ok && s.Value == f.name && (f.found == nil || m.Location() == f.at || m.Property.Location() == f.at) {
		f.found = m
	}
}

// fieldsOf lists what expressions can name in a value of type t.
func fieldsOf(t reflect.Type) []string {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("expr"); tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

// mismatched words an operator whose sides do not fit.
func (e *Env) mismatched(p *Problem, src string, tree *parser.Tree, at file.Location, m []string) {
	op, left, right := m[1], friendlyName(m[2]), friendlyName(m[3])
	p.Code = "E201"
	p.Message = fmt.Sprintf("%s and %s do not fit together with %s", left, right, op)
	find := &operation{at: at}
	ast.Walk(&tree.Node, find)
	if find.found == nil {
		return
	}
	side, kind := find.found.Right, left
	text, bare := literal(side)
	if !bare {
		if text, bare = literal(find.found.Left); bare {
			side, kind = find.found.Left, right
		}
	}
	for _, sides := range [][2]ast.Node{{find.found.Left, find.found.Right}, {find.found.Right, find.found.Left}} {
		if name, ok := sides[1].(*ast.IdentifierNode); ok && KindOf(sides[0].Type()) == Text && friendlyType(name.Type()) == "health" {
			p.Code, p.Message = "E101", fmt.Sprintf("%s is not a text", name.Value)
			p.From, p.To = spanOf(name)
			p.DidYouMean, p.Hint = `"`+name.Value+`"`, "a text stands in quotes"
			return
		}
	}
	if whole, hint := inside(find.found.Left, find.found.Right); whole != nil {
		p.From, p.To = spanOf(whole)
		if runes := []rune(src); strings.HasSuffix(whole.String(), "]") && p.To < len(runes) && runes[p.To] == ']' {
			p.To++
		}
		p.Hint = hint
		return
	}
	switch {
	case left == "quota" || right == "quota":
		p.Hint = `compare the number of bookings: quota("ups", "day").used`
	case bare:
		p.From, p.To = spanOf(side)
		p.Hint = unitHint(kind, pathOf(other(find.found, side)), text)
	case left == Money && right == Money:
		p.Hint = "money can be added, subtracted, compared and divided by money"
	case isMap(find.found.Left):
		p.Hint = e.mapHint(find.found.Left)
	case isMap(find.found.Right):
		p.Hint = e.mapHint(find.found.Right)
	case left != right && quantities[left] && quantities[right] && op != "*" && op != "/":
		otherQuantity(p, src, find.found, left, right)
	case (op == "==" || op == "!=") && !isList(find.found.Left) && isList(find.found.Right):
		p.DidYouMean = map[string]string{"==": "in", "!=": "not in"}[op]
		p.Hint = fmt.Sprintf("one of several is asked with in: %s %s %s", find.found.Left.String(), p.DidYouMean, find.found.Right.String())
	case left == namedList || right == namedList:
		p.Hint = "a list of the file is asked with in: order.to.state in lists.x"
	case (op == "==" || op == "!=") && right == Text && isList(find.found.Left):
		p.Hint = listHint(op, find.found)
	case op == "in" && left == Text && right == Text:
		p.Hint = fmt.Sprintf("one text is compared with ==, and != where it must differ: %s == …; in asks a list: in [\"a\", \"b\"]", pathOf(find.found.Left))
		p.DidYouMean = "=="
	case op == "contains" && strings.HasPrefix(left, "list of"):
		p.Hint = "a list is asked with in: \"x\" in " + pathOf(find.found.Left)
	case left == Number && right == Money || left == Money && right == Number:
		p.Hint = "dollars(…) makes a number of money"
	case left == Number && right == Duration || left == Duration && right == Number:
		p.Hint = "mins(…) makes a number of a duration"
	case left == Text && right == Number && pathOf(find.found.Left) == "local.date":
		p.Hint = `a day stands in quotes: local.date ` + op + ` "2026-12-24"`
	case left == Text && right == Number && pathOf(find.found.Left) != "":
		p.Hint = "a text stands in quotes; what is compared with it too"
	case left == Number && right == Text || left == Text && right == Number:
		p.Hint = "a number stands without quotes"
	case (op == "==" || op == "!=") && (left == Bool && right == Text || left == Text && right == Bool):
		p.Hint = "true and false stand without quotes, and a fact that is one of them alone: order.gift; the contrary is: not order.gift"
	case (op == "or" || op == "and") && left == Bool && right == Text:
		p.Hint = `a comparison is written out on both sides, or asked with in: order.to.state in ["CA", "NV"]`
	case left == Moment && right == Text || left == Text && right == Moment:
		p.Hint = "compare local.date or local.time with a text"
	}
	if s, ok := find.found.Right.(*ast.StringNode); ok && left != Text {
		p.From, p.To = spanOf(s)
	}
}

func isList(n ast.Node) bool { return n.Type() != nil && n.Type().Kind() == reflect.Slice }

// listAsked says how a list becomes true or false.
func listAsked(n ast.Node) string {
	if path := pathOf(n); path != "" && n.Type().Elem().Kind() == reflect.String {
		return fmt.Sprintf("a list is asked for what stands in it: \"…\" in %s, or how many there are: len(%s) > 0", path, path)
	} else if path != "" {
		return fmt.Sprintf("a list is asked for what stands in it: any(%s, .sku == \"…\"), or how many there are: len(%s) > 0", path, path)
	}
	return "a list is asked for what stands in it, with in, or how many there are: len(…) > 0"
}

// listHint says how to ask a list for what it is compared with.
func listHint(op string, n *ast.BinaryNode) string {
	path, text := pathOf(n.Left), n.Right.String()
	if path == "" {
		path = "the list"
	}
	switch plain := n.Left.Type().Elem().Kind() == reflect.String; {
	case plain && op == "==":
		return fmt.Sprintf("a list is asked with in: %s in %s", text, path)
	case plain:
		return fmt.Sprintf("a list is asked with in: %s not in %s", text, path)
	}
	return fmt.Sprintf("a list is asked for what stands in it: any(%s, .sku %s %s)", path, op, text)
}

func other(n *ast.BinaryNode, side ast.Node) ast.Node {
	if n.Left == side {
		return n.Right
	}
	return n.Left
}

func unitHint(kind, path, number string) string {
	switch kind {
	case Money:
		return fmt.Sprintf("money needs its currency: usd(%s)", number)
	case Weight:
		return fmt.Sprintf("a weight needs its unit: lb(%s), kg(%s), oz(%s), g(%s)", number, number, number, number)
	case Length:
		return fmt.Sprintf("a length needs its unit: inch(%s), cm(%s)", number, number)
	case Volume:
		return fmt.Sprintf("a volume needs its unit: liters(%s), cm3(%s), inch3(%s)", number, number, number)
	case Distance:
		return fmt.Sprintf("a distance needs its unit: mi(%s), km(%s)", number, number)
	case Duration:
		return fmt.Sprintf("a duration needs its unit: minutes(%s), hours(%s)", number, number)
	case Moment:
		return "compare it with another moment, or use local.hour and local.date"
	}
	if path == "local.weekday" {
		return `weekdays are texts: "mon", "tue", "wed", "thu", "fri", "sat", "sun"`
	}
	if hour, err := strconv.Atoi(number); err == nil && path == "local.time" && hour >= 0 && hour < 24 {
		return fmt.Sprintf(`a time of day stands in quotes, with its minutes: "%02d:00"`, hour)
	}
	if kind == Text {
		return fmt.Sprintf(`a text stands in quotes: "%s"`, number)
	}
	return ""
}

type operation struct {
	at    file.Location
	found *ast.BinaryNode
}

// Visit implements ast.Visitor.
func (o *operation) Visit(node *ast.Node) {
	if b, ok := (*node).(*ast.BinaryNode); ok && b.Location() == o.at {
		o.found = b
	}
}

// wholeWord widens a place to the word that it begins.
func wholeWord(src string, from, to int) (int, int) {
	runes := []rune(src)
	if from >= len(runes) {
		return max(len(runes)-1, 0), max(len(runes), 1)
	}
	end := from
	for end < len(runes) && wordRune(runes[end]) {
		end++
	}
	return from, max(to, end)
}

func wordRune(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func friendlyType(t reflect.Type) string {
	if k := KindOf(t); k != "" {
		return k
	}
	return friendlyName(t.String())
}

var friendlyNames = map[string]string{
	"shipping.Money": Money, "unit.Weight": Weight, "unit.Length": Length, "unit.Volume": Volume, "unit.Distance": Distance,
	"int": Number, "float64": Number, "string": Text, "bool": Bool, "time.Time": Moment, "time.Duration": Duration,
	"formula.List": namedList, "[]string": "list of text", "[]interface {}": "list", "map[string]int": "numbers by name", "map[string]string": "texts by name", "interface {}": "anything", "any": "anything",
}

// friendlyName words a Go type.
func friendlyName(t string) string {
	if n, ok := friendlyNames[t]; ok {
		return n
	}
	if entry, ok := strings.CutPrefix(t, "[]"); ok {
		return listOf + friendlyName(entry) + "s"
	}
	if i := strings.LastIndexByte(t, '.'); i >= 0 {
		return strings.ToLower(t[i+1:])
	}
	return t
}

// friendly words the Go types inside a message.
func friendly(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	return goTypes.ReplaceAllStringFunc(message, friendlyName)
}
