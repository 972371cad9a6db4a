package formula

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/waybill-dev/waybill/rules/trace"
)

// Problem is what is wrong with an expression. From and To count characters of the expression.
type Problem struct {
	Code       string
	From, To   int
	Message    string
	Hint       string
	DidYouMean string
}

// Formula is a compiled expression. It may be used by many goroutines, each with a Machine of its own.
type Formula struct {
	Source string
	Kind   string // of the result
	Type   reflect.Type
	Uses   map[string]bool // names and paths: "order", "order.to.type", …

	env     *Env
	program *vm.Program
}

// Compile checks and compiles src. The result must be of one of the wanted kinds.
func (e *Env) Compile(src string, want ...string) (*Formula, *Problem) {
	steps := MaxPatterns
	return e.CompileWithin(&steps, src, want...)
}

// CompileWithin is Compile where steps are left for the patterns of a bundle, which it counts down.
func (e *Env) CompileWithin(steps *int, src string, want ...string) (*Formula, *Problem) {
	if e.shared == nil {
		e.shared = e.config()
	}
	tree, uses, problem := e.parse(src, e.shared, steps)
	if problem != nil {
		return nil, problem
	}
	err := resolve(tree, e.shared)
	m := &mixed{}
	if ast.Walk(&tree.Node, m); m.problem != nil { // before err, which would speak of what hangs on it
		return nil, m.problem
	}
	if err != nil {
		return nil, e.explain(src, tree, err)
	}
	f := &Formula{Source: src, Type: tree.Node.Type(), Uses: uses, env: e}
	f.Kind = KindOf(f.Type)
	if problem := f.wanted(want, tree.Node); problem != nil {
		return nil, problem
	}
	if err := e.link(tree, e.shared); err != nil {
		return nil, e.explain(src, tree, err)
	}
	// expr's optimizer is left out: it turns "x or true" into true, whether or not x would fail, and the traced twin would disagree.
	if f.program, err = compiler.Compile(tree, e.shared); err != nil {
		return nil, &Problem{Code: "E304", To: 1, Message: "the expression cannot be compiled", Hint: "write it in a simpler way"}
	}
	return f, nil
}

// parse scans, parses and guards src; its patterns only where steps are given.
func (e *Env) parse(src string, config *conf.Config, steps *int) (*parser.Tree, map[string]bool, *Problem) {
	if strings.TrimSpace(src) == "" {
		return nil, nil, &Problem{Code: "E301", To: 1, Message: "the expression is empty"}
	}
	if problem := scan(src); problem != nil {
		return nil, nil, problem
	}
	if problem := slip(src); problem != nil {
		return nil, nil, problem
	}
	if problem := onePatternMore(src, steps); problem != nil {
		return nil, nil, problem
	}
	return e.parseScanned(src, config, steps)
}

// parseScanned parses and guards what is known to be harmless to the parser.
func (e *Env) parseScanned(src string, config *conf.Config, steps *int) (*parser.Tree, map[string]bool, *Problem) {
	tree, err := parser.ParseWithConfig(src, config)
	if err != nil {
		return nil, nil, e.explain(src, tree, err)
	}
	r := &rewriter{source: []rune(src), currency: e.Currency}
	ast.Walk(&tree.Node, r)
	if r.problem != nil {
		return nil, nil, r.problem
	}
	g := &guard{env: e, uses: map[string]bool{}, source: r.source, steps: steps}
	ast.Walk(&tree.Node, g)
	if g.problem != nil {
		return nil, nil, g.problem
	}
	return tree, g.uses, nil
}

func (f *Formula) wanted(want []string, root ast.Node) *Problem {
	if len(want) == 0 || slices.Contains(want, f.Kind) {
		return nil
	}
	got := f.Kind
	if got == "" {
		got = friendlyType(f.Type)
	}
	from, to := spanOf(root)
	if _, ok := root.(*ast.ConstantNode); ok { // made of a call, of which it has the place of the name
		to = endOfCall([]rune(f.Source), to)
	}
	p := &Problem{Code: "E202", From: from, To: to, Message: fmt.Sprintf("expected %s, but this is %s", strings.Join(want, " or "), got)}
	switch {
	case isMap(root):
		p.Hint = f.env.mapHint(root)
	case len(want) == 1 && len(fieldsOf(f.Type)) > 0 && f.Kind == "":
		p.Hint = members(root, want[0])
	case slices.Contains(want, Number) && got == Money:
		p.Hint = "dollars(…) makes a number of money"
	case slices.Contains(want, Number) && got == Duration:
		p.Hint = "mins(…) makes a number of a duration"
	case slices.Contains(want, Money) && got == Number:
		p.Hint = "money of a number has its currency: usd(5), or usd(1) * …"
	case len(want) == 1 && isList(root):
		p.Hint = listAsked(root)
	case slices.Contains(want, Moment):
		p.Hint = "a moment is location.next_opening, location.next_business_morning, or local.now + hours(2)"
	case slices.Contains(want, Bool):
		p.Hint = "compare it with something: ==, !=, <, >, in"
	}
	return p
}

// endOfCall is where a call ends whose name ends at a place, the place itself where nothing is called there.
func endOfCall(source []rune, name int) int {
	open := name
	for open < len(source) && unicode.IsSpace(source[open]) {
		open++
	}
	if open == len(source) || source[open] != '(' {
		return name
	}
	if end := slices.Index(source[open:], ')'); end >= 0 {
		return open + end + 1
	}
	return name
}

// Names lists the identifiers that src uses, nil where it cannot be read.
func (e *Env) Names(src string) map[string]bool {
	if e.shared == nil {
		e.shared = e.config()
	}
	_, uses, problem := e.parse(src, e.shared, nil)
	if problem != nil {
		return nil
	}
	return uses
}

// Summands splits the source of a sum into its terms; a single term gives itself.
func (f *Formula) Summands() []string {
	tree, err := parser.ParseWithConfig(f.Source, f.env.shared)
	if err != nil {
		return []string{f.Source}
	}
	return summands(tree.Node)
}

func summands(n ast.Node) []string {
	b, ok := n.(*ast.BinaryNode)
	switch {
	case ok && b.Operator == "+":
		return append(summands(b.Left), b.Right.String())
	case ok && b.Operator == "-":
		return append(summands(b.Left), "-("+b.Right.String()+")")
	}
	return []string{n.String()}
}

// Twin compiles the traced form of f.
func (f *Formula) Twin() (*trace.Program, error) {
	f.env.twins.Lock()
	defer f.env.twins.Unlock()
	if f.env.twins.config == nil {
		f.env.twins.config = f.env.config()
	}
	twin, err := f.twin(f.env.twins.config, false)
	if err != nil {
		twin, err = f.twin(f.env.twins.config, true)
	}
	return twin, err
}

func (f *Formula) twin(config *conf.Config, loose bool) (*trace.Program, error) {
	tree, _, problem := f.env.parseScanned(f.Source, config, nil)
	if problem != nil {
		return nil, errors.New(problem.Message)
	}
	return trace.CompileTree(tree, config, loose, func(tree *parser.Tree, config *conf.Config) error {
		if err := resolve(tree, config); err != nil {
			return err
		}
		return f.env.link(tree, config) // an explanation runs no further than a decision, and computes no otherwise
	})
}

// failure words an error of a running expression for merchants.
func failure(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return err
	}
	message := at.Message
	if at.Prev != nil {
		message = at.Prev.Error()
	}
	return errors.New(friendly(message))
}
