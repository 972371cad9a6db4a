package formula

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
)

// scan refuses text that must not reach the parser: too long, or nested so deep that the parser's recursion would hurt.
func scan(src string) *Problem {
	text := strings.TrimRight(src, "\n") // YAML ends a text after | with one
	if n := utf8.RuneCountInString(text[:min(len(text), MaxRunes*utf8.UTFMax+1)]); n > MaxRunes {
		return &Problem{Code: "E401", To: 1, Message: fmt.Sprintf("the expression is longer than %d characters", MaxRunes),
			Hint: "split it with let, or put values into a list"}
	}
	if !utf8.ValidString(src) {
		return &Problem{Code: "E301", To: 1, Message: "the expression is not valid UTF-8"}
	}
	depth, unary, quote, pos := 0, 0, rune(0), -1
	escaped := false
	word := -1 // where the word begins that is being read
	for i, r := range src {
		pos++
		if quote != 0 {
			switch {
			case escaped:
				escaped = false
			case r == '\\' && quote != '`':
				escaped = true
			case r == quote:
				quote = 0
			}
			continue
		}
		switch r {
		case '"', '\'', '`':
			quote, unary, word = r, 0, -1
			continue
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case '!', '-', '+', '?', ':':
			unary++
		}
		switch {
		case r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			if word < 0 {
				word = i
			}
		default:
			switch {
			case word < 0:
			case src[word:i] == "not":
				unary++
			default:
				unary = 0
			}
			word = -1
		}
		if depth > MaxNesting || unary > MaxNesting {
			return &Problem{Code: "E402", From: pos, To: pos + 1, Message: fmt.Sprintf("the expression is nested deeper than %d levels", MaxNesting),
				Hint: "give the inner parts names with let"}
		}
	}
	return nil
}

// guard walks a parsed tree and refuses what rules may not use. It also collects what the expression names.
type guard struct {
	env     *Env
	uses    map[string]bool
	source  []rune
	steps   *int // that patterns may still have; nil where none is compiled anew
	problem *Problem
}

func (g *guard) fail(n ast.Node, code, format string, args ...any) *Problem {
	if g.problem != nil {
		return &Problem{} // the first one counts
	}
	from, to := spanOf(n)
	g.problem = &Problem{Code: code, From: from, To: to, Message: fmt.Sprintf(format, args...)}
	return g.problem
}

// refuse is fail with a problem that is made already.
func (g *guard) refuse(p *Problem) {
	if g.problem == nil {
		g.problem = p
	}
}

// Visit implements ast.Visitor; children come before their parents.
func (g *guard) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		g.identifier(n)
	case *ast.MemberNode:
		g.member(n)
	case *ast.BuiltinNode:
		if !builtins[n.Name] {
			g.missingFunction(n, n.Name)
		}
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			g.fail(n, "E302", "only functions can be called").Hint = "values have no methods; compare and compute with them"
		} else if callee.Value == quotaFunction {
			g.quota(n)
		}
	case *ast.BinaryNode:
		g.binary(n)
	case *ast.NilNode:
		g.fail(n, "E302", "nil is not used in rules").Hint = nothingHint
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		g.fail(n, "E302", "an expression is one line, without let or ;").Hint = "name it under let: at the top of the file"
	case *ast.MapNode, *ast.BytesNode:
		g.fail(n, "E302", "maps and byte strings are not used in rules")
	}
}

func (g *guard) identifier(n *ast.IdentifierNode) {
	if strings.HasPrefix(n.Value, "__") {
		return // made by the rewriter, which refuses those of the author
	}
	g.uses[n.Value] = true
}

func (g *guard) member(n *ast.MemberNode) {
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		if _, index := n.Property.(*ast.IntegerNode); !index {
			g.fail(n, "E302", "what stands in [ ] must be a literal")
		}
		return
	}
	if path := pathOf(n); path != "" {
		g.uses[path] = true
		parent := pathOf(n.Node)
		if names, closed := g.env.Members[parent]; closed && !slices.Contains(names, name.Value) {
			p := g.fail(n, "E103", "%s has no %q", parent, name.Value)
			p.DidYouMean = Suggest(name.Value, names)
			if p.Hint = "declare it at the top of the file under " + lastOf(parent); parent == "location.caps" {
				p.Hint = "a location has a cap for each provider: " + Some(names)
			} else if parent == "lists" {
				p.Hint += ", or put it into lists/" + name.Value + ".csv beside it"
			}
			g.pointAtMember(p, n)
			return
		} else if closed {
			return
		}
		if why, ok := g.env.Elsewhere[path]; ok {
			p := g.fail(n, "E104", "there is no %s", path)
			p.Hint = why
			g.pointAtMember(p, n)
			return
		}
	}
	if name.Value != "" && name.Value[0] >= 'A' && name.Value[0] <= 'Z' {
		p := g.fail(n, "E102", "unknown field %q", name.Value)
		p.Hint = "fields are written in small letters, and values have no methods"
		g.pointAtMember(p, n)
	}
}

func (g *guard) pointAtMember(p *Problem, n *ast.MemberNode) {
	if from, to := spanOf(n.Property); to > from {
		p.From, p.To = from, to
	}
}

func (g *guard) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "matches":
		g.pattern(n)
	case "/", "%":
		if isZero(n.Right) {
			g.fail(n, "E206", "nothing can be divided by zero").Hint = "what divides by zero fails while it runs: the rule does not apply, an exclude takes the option out, and an option without a score comes last"
		}
	case "..":
		g.rangeOf(n)
	case "<", "<=", ">", ">=":
		g.shape(n.Left, n.Right)
		g.shape(n.Right, n.Left)
	case "==", "!=":
		g.enum(n.Left, n.Right)
		g.enum(n.Right, n.Left)
	case "in", "not in":
		if list, ok := n.Right.(*ast.ArrayNode); ok {
			for _, x := range list.Nodes {
				g.enum(n.Left, x)
			}
		}
		g.enum(n.Right, n.Left)
	}
}

// rangeOf refuses a range of constants that no expression has the room for: its numbers are made one by one.
func (g *guard) rangeOf(n *ast.BinaryNode) {
	from, unit, ok1 := constantOf(n.Left)
	to, other, ok2 := constantOf(n.Right)
	if ok1 && unit != "" || ok2 && other != "" {
		p := g.fail(n, "E201", "a range has whole numbers, without units")
		p.To = endOfCall(g.source, p.To)
		p.Hint = "compare with both ends: x >= a and x <= b"
		return
	}
	if !ok1 || !ok2 || to.Sub(to, from).Cmp(big.NewRat(maxMemory-1, 1)) < 0 {
		return
	}
	g.fail(n, "E401", "the range has more than %d numbers", maxMemory).Hint = "compare with both ends: x >= a and x <= b"
}

func isZero(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return n.Value == 0
	case *ast.FloatNode:
		return n.Value == 0
	case *ast.UnaryNode:
		return isZero(n.Node)
	case *ast.ConstantNode:
		number, _, ok := constantOf(n)
		return ok && number.Sign() == 0
	case *ast.CallNode: // minutes(0)
		number, _, ok := constantOf(n)
		return ok && number.Sign() == 0
	}
	return false
}

// enum refuses a literal that a value can never have.
func (g *guard) enum(value, literal ast.Node) {
	g.shape(value, literal)
	s, ok := literal.(*ast.StringNode)
	if !ok {
		return
	}
	path := pathOf(value)
	odd := g.env.Odd(path, s.Value)
	if names := g.env.Places[path]; len(names) > 0 && s.Value != "" && !slices.Contains(names, s.Value) {
		odd = &Problem{Code: "E110", Message: fmt.Sprintf("nothing in %s is named %q", path, s.Value), DidYouMean: Suggest(s.Value, names), Hint: "the configuration has: " + Some(names)}
		if len(names) == 1 && names[0] == "" {
			odd.Hint = "the configuration has none"
		}
	}
	if odd != nil {
		p := g.fail(s, odd.Code, "%s", odd.Message)
		if p.Hint = odd.Hint; odd.DidYouMean != "" {
			p.DidYouMean = strconv.Quote(odd.DidYouMean) // it goes where the text stands, with its quotes
		}
	}
}

// Odd says what is wrong with a text that is compared with what stands at a path, or given for it: it is none of those that it can be, or
// nearly one of those that it usually is. The problem has no place; nil is nothing wrong.
func (e *Env) Odd(path, text string) *Problem {
	if usual := e.Usual[path]; !slices.Contains(usual, text) {
		if near := Suggest(text, usual); near != "" && (strings.EqualFold(near, text) || !strings.HasPrefix(text, near) && !strings.HasPrefix(near, text)) { // a longer name is another one
			return &Problem{Code: "E205", Message: fmt.Sprintf("nothing in %s is named %q", path, text), DidYouMean: near, Hint: "known here: " + Some(usual)}
		}
	}
	allowed := e.Enums[path]
	if path == "" || len(allowed) == 0 || slices.Contains(allowed, text) {
		return nil
	}
	shown := make([]string, len(allowed))
	for i, one := range allowed {
		if shown[i] = one; one == "" {
			shown[i] = `""`
		}
	}
	p := &Problem{Code: "E205", Message: fmt.Sprintf("%s is never %q", path, text), DidYouMean: Suggest(text, allowed), Hint: "it is one of: " + Some(shown)}
	if path == "order.to.verified" {
		p.Hint += "; no address is checked before the rules decide, so that it is unknown of every order"
		if meant := checkWords[strings.ToLower(text)]; meant != "" {
			p.DidYouMean = meant
		}
	}
	return p
}

// checkWords are words of other programs for what an address check said.
var checkWords = map[string]string{"verified": "valid", "ok": "valid", "deliverable": "valid", "invalid": "ambiguous", "unverified": "unknown", "none": "unknown", "": "unknown"}

func (g *guard) missingFunction(n ast.Node, name string) {
	p := g.fail(n, "E101", "unknown function %q", name)
	from := n.Location().From
	p.From, p.To = from, from+utf8.RuneCountInString(name)
	if p.Hint = g.env.Elsewhere[name+"()"]; p.Hint != "" {
		return
	}
	if unavailable[name] {
		p.Message, p.Hint = fmt.Sprintf("%s(…) cannot be used in rules", name), "functions: "+Some(FunctionNames())
		return
	}
	if p.DidYouMean = suggestUnit(name); p.DidYouMean == "" {
		p.DidYouMean = Suggest(name, FunctionNames())
	}
	p.Hint = "functions: " + Some(FunctionNames())
}

// pathOf gives "order.to.type" for a chain of names, "" for anything else.
func pathOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		if s, ok := n.Property.(*ast.StringNode); ok {
			if parent := pathOf(n.Node); parent != "" {
				return parent + "." + s.Value
			}
		}
	case *ast.ChainNode:
		return pathOf(n.Node)
	}
	return ""
}

func lastOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// spanOf gives the runes that a node covers.
func spanOf(n ast.Node) (from, to int) {
	s := &spanner{from: n.Location().From, to: n.Location().To}
	ast.Walk(&n, s)
	return s.from, max(s.to, s.from+1)
}

type spanner struct{ from, to int }

// Visit implements ast.Visitor.
func (s *spanner) Visit(node *ast.Node) {
	l := (*node).Location()
	if l.To == 0 {
		return // made by us, it has no place
	}
	s.from, s.to = min(s.from, l.From), max(s.to, l.To)
}
