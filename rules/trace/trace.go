// Package trace shows why an expression has the value that it has: it compiles a twin of the expression in which every part reports
// its value, and renders what was reported as a tree. Parts that were never reached, behind an `and` that was already false, say so.
package trace

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

const (
	function  = "__trace"
	maxValues = 100       // kept of a part inside any(), all(), …
	maxMemory = 1_000_000 // elements that one run may allocate
)

// Program is the traced twin of an expression. It may be used by many goroutines; runs wait for each other.
type Program struct {
	mu      sync.Mutex
	program *vm.Program
	root    *part
	parts   []*part
	trees   []Tree // by part, of the current run
}

// Room is what runs need and leave behind, for use by the next. The zero value is ready. It serves one goroutine.
type Room struct {
	machine vm.VM
	trees   []Tree
	values  []any
	links   []*Tree
}

// Clear forgets what runs have left, but keeps the room for it.
func (r *Room) Clear() {
	clear(r.trees)
	clear(r.values)
	clear(r.links)
}

// take makes room for n parts.
func (r *Room) take(n int) {
	if r.Clear(); cap(r.trees) < n {
		r.trees, r.values, r.links = make([]Tree, n), make([]any, n), make([]*Tree, n)
	}
	r.trees, r.values, r.links = r.trees[:n], r.values[:n], r.links[:n]
	for i := range r.trees { // most parts have one value
		r.trees[i].Values = r.values[i : i : i+1]
	}
}

// part is a piece of the expression, with its text as the author wrote it.
type part struct {
	id       int
	text     string
	op       string
	children []*part
}

// anything is the type that expr's checker shows functions for a part of which it does not know the type.
var anything = reflect.TypeFor[any]()

// Compile makes the twin of an expression. The options are those that the expression itself is compiled with, which must have
// succeeded: wrapping hides some faults.
func Compile(source string, options ...expr.Option) (*Program, error) {
	if _, err := expr.Compile(source, options...); err != nil {
		return nil, err
	}
	config := conf.CreateNew()
	for _, o := range options {
		o(config)
	}
	for name := range config.Disabled {
		delete(config.Builtins, name)
	}
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		return nil, err
	}
	return CompileTree(tree, config, false, func(tree *parser.Tree, config *conf.Config) error {
		_, err := new(checker.Checker).PatchAndCheck(tree, config)
		return err
	})
}

// CompileTree makes the twin of a parsed expression that is known to compile. Tree and config are used up; check is how the expression
// itself was checked. To the checker a part of which it does not know the type and one that is said to be anything are not the same, and it shows
// both alike: parts are taken for the first, or with loose for the second.
func CompileTree(tree *parser.Tree, config *conf.Config, loose bool, check func(*parser.Tree, *conf.Config) error) (*Program, error) {
	p := &Program{}
	w := wrapper{program: p, source: []rune(tree.Source.String())}
	p.root = w.wrap(&tree.Node)
	if p.root == nil { // a literal; it is its own tree
		p.root = w.add(&tree.Node, nil)
	}
	config.Functions[function] = &builtin.Function{
		Name: function,
		Func: func(args ...any) (any, error) {
			if t := &p.trees[args[0].(int)]; len(t.Values) < maxValues {
				t.Values = append(t.Values, args[1])
			}
			return args[1], nil
		},
		Validate: func(args []reflect.Type) (reflect.Type, error) {
			if len(args) != 2 {
				return nil, fmt.Errorf("%s takes two arguments", function)
			}
			if args[1] == anything && !loose { // said, it would pass in a condition for whatever its other way is
				return nil, nil
			}
			return args[1], nil
		},
	}
	config.Optimize = false
	if err := check(tree, config); err != nil {
		return nil, fmt.Errorf("check the traced twin: %w", err)
	}
	var err error
	if p.program, err = compiler.Compile(tree, config); err != nil {
		return nil, fmt.Errorf("compile the traced twin: %w", err)
	}
	return p, nil
}

// Run evaluates the twin over env and returns what every part came to.
func (p *Program) Run(env any) *Tree { return p.RunIn(&Room{}, env) }

// Shape is the tree of a run that has not begun: no part has a value.
func (p *Program) Shape() *Tree {
	room := &Room{}
	room.take(len(p.parts))
	links := room.links
	return room.tree(p.root, &links)
}

// RunIn is Run where the tree is built in a room, and is good until the next run in it.
func (p *Program) RunIn(room *Room, env any) *Tree {
	p.mu.Lock()
	defer p.mu.Unlock()
	room.take(len(p.parts))
	p.trees = room.trees
	room.machine.MemoryBudget = maxMemory
	value, err := room.machine.Run(p.program, env)
	p.trees = nil
	if err != nil {
		room.machine = vm.VM{} // it may have left anything behind
	}
	links := room.links
	t := room.tree(p.root, &links)
	t.Err = err
	if err == nil && len(t.Values) == 0 {
		t.Values = []any{value}
	}
	return t
}

// tree joins the trees of a part and of those below it; links has a place for each of these.
func (r *Room) tree(of *part, links *[]*Tree) *Tree {
	t, n := &r.trees[of.id], len(of.children)
	t.Text, t.Op, t.Parts = of.text, of.op, (*links)[:n:n]
	*links = (*links)[n:]
	for i, c := range of.children {
		t.Parts[i] = r.tree(c, links)
	}
	return t
}

// wrapper puts a report around every part of an expression worth showing.
type wrapper struct {
	program *Program
	source  []rune
}

func (w *wrapper) add(node *ast.Node, children []*part) *part {
	p := &part{id: len(w.program.parts), text: strings.Join(strings.Fields(Cut(w.source, *node)), " "), op: operatorOf(*node), children: children}
	w.program.parts = append(w.program.parts, p)
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: function}, Arguments: []ast.Node{&ast.IntegerNode{Value: p.id}, *node}}
	ast.Patch(node, call)
	return p
}

// operatorOf names what a node does to its parts, with one spelling for each.
func operatorOf(n ast.Node) string {
	op := ""
	switch n := n.(type) {
	case *ast.UnaryNode:
		op = n.Operator
	case *ast.BinaryNode:
		op = n.Operator
	}
	switch op {
	case "&&":
		return "and"
	case "||":
		return "or"
	case "!":
		return "not"
	}
	return op
}

// wrap handles a node and everything below it; nil stands for a literal.
func (w *wrapper) wrap(node *ast.Node) *part {
	switch n := (*node).(type) {
	case *ast.IdentifierNode, *ast.MemberNode, *ast.PointerNode, *ast.ChainNode, *ast.SliceNode:
		return w.add(node, nil)
	case *ast.UnaryNode:
		if below := w.all(&n.Node); below != nil {
			return w.add(node, below)
		}
	case *ast.BinaryNode:
		if w.made(n) {
			p := w.add(node, w.facts(node, nil))
			p.op = ""
			return p
		}
		if below := w.all(&n.Left, &n.Right); below != nil {
			return w.add(node, below)
		}
	case *ast.ConditionalNode:
		decides := w.wrap(&n.Cond)
		ways := w.all(&n.Exp1, &n.Exp2)
		if decides == nil {
			return w.add(node, ways)
		}
		p := w.add(node, append([]*part{decides}, ways...))
		p.op = Choice
		return p
	case *ast.CallNode:
		below := w.list(n.Arguments)
		return w.add(node, below)
	case *ast.BuiltinNode:
		below := w.list(n.Arguments)
		return w.add(node, below)
	case *ast.PredicateNode:
		return w.wrap(&n.Node)
	case *ast.ArrayNode:
		if below := w.list(n.Nodes); below != nil {
			return w.add(node, below)
		}
	}
	return nil
}

// made reports whether a node was put in the place of a call while compiling: with what it is made of it has the place of the call's name.
func (w *wrapper) made(n *ast.BinaryNode) bool {
	at := n.Location()
	return at.From < len(w.source) && unicode.IsLetter(w.source[at.From]) && (n.Left.Location() == at || n.Right.Location() == at)
}

// facts are what such a node hangs on, each once: the comparisons in between are not what the author wrote.
func (w *wrapper) facts(node *ast.Node, have []*part) []*part {
	if n, ok := (*node).(*ast.BinaryNode); ok && w.made(n) {
		return w.facts(&n.Right, w.facts(&n.Left, have))
	}
	m, ok := (*node).(*ast.MemberNode)
	if !ok {
		return append(have, w.all(node)...)
	}
	text := m.String()
	if slices.ContainsFunc(have, func(p *part) bool { return p.text == text }) {
		return have
	}
	fact := w.wrap(node)
	fact.text = text // where the author has written it, the call stands
	return append(have, fact)
}

func (w *wrapper) all(nodes ...*ast.Node) []*part {
	var parts []*part
	for _, n := range nodes {
		if p := w.wrap(n); p != nil {
			parts = append(parts, p)
		}
	}
	return parts
}

func (w *wrapper) list(nodes []ast.Node) []*part {
	var parts []*part
	for i := range nodes {
		parts = append(parts, w.all(&nodes[i])...)
	}
	return parts
}

// Cut gives a node's text as it stands in the source. Locations do not cover parentheses, so the cut grows until they balance.
func Cut(source []rune, n ast.Node) string {
	s := &spanner{from: n.Location().From, to: n.Location().To}
	ast.Walk(&n, s)
	from, to := s.from, min(max(s.to, s.from+1), len(source))
	if from >= to {
		return n.String()
	}
	if m, ok := n.(*ast.MemberNode); ok && m.Node.Location() == m.Location() {
		return m.String() // made while compiling: it does not stand in the source
	}
	opened, closed := unbalanced(source[from:to])
	if to < len(source) && source[to] == '(' { // a call without arguments of its own, such as a folded lb(60)
		opened++
		to++
	}
	for ; opened > 0 && to < len(source); to++ {
		switch source[to] {
		case '(', '[', '{':
			opened++
		case ')', ']', '}':
			opened--
		}
	}
	for ; closed > 0 && from > 0; from-- {
		switch source[from-1] {
		case ')', ']', '}':
			closed++
		case '(', '[', '{':
			closed--
		}
	}
	return string(source[from:to])
}

// unbalanced counts the brackets that a text leaves open and those that it closes without having opened them.
func unbalanced(text []rune) (opened, closed int) {
	quote := rune(0)
	for _, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'' || r == '`':
			quote = r
		case r == '(' || r == '[' || r == '{':
			opened++
		case r == ')' || r == ']' || r == '}':
			if opened > 0 {
				opened--
			} else {
				closed++
			}
		}
	}
	return opened, closed
}

type spanner struct{ from, to int }

// Visit implements ast.Visitor.
func (s *spanner) Visit(node *ast.Node) {
	if l := (*node).Location(); l.To != 0 {
		s.from, s.to = min(s.from, l.From), max(s.to, l.To)
	}
}
