package formula

import (
	"fmt"
	"reflect"
	"regexp/syntax"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
)

// Going through a text takes steps too: its bytes times the steps that the pattern is compiled into, as a pattern without end may look at each byte
// once in each of them. So much of that is one step, which takes about as long as an iteration of any(…).
const (
	matchedPerStep = 16
	readPerStep    = 64 // bytes, for what looks at each once
)

// readers are the builtins and operators that go through a whole text, and are no pattern.
var readers = map[string]bool{"lower": true, "upper": true, "trim": true, "contains": true}

// reads puts what counts in the place of every text that a node goes through.
func (l *linker) reads(node ast.Node) {
	switch n := node.(type) {
	case *ast.BuiltinNode:
		if readers[n.Name] && len(n.Arguments) > 0 {
			l.call(&n.Arguments[0], readFunction, n.Arguments[0], &ast.IntegerNode{Value: 1}, &ast.IntegerNode{Value: readPerStep})
		}
	case *ast.BinaryNode:
		if pattern, ok := n.Right.(*ast.StringNode); ok && n.Operator == "matches" {
			if tree, err := syntax.Parse(pattern.Value, syntax.Perl); err == nil { // the guard has refused it otherwise
				l.call(&n.Left, readFunction, n.Left, &ast.IntegerNode{Value: stepsOf(tree)}, &ast.IntegerNode{Value: matchedPerStep})
			}
		} else if readers[n.Operator] {
			l.call(&n.Left, readFunction, n.Left, &ast.IntegerNode{Value: 1}, &ast.IntegerNode{Value: readPerStep})
		}
	}
}

const (
	fuelVar      = "__machine"
	stepFunction = "__step" // once an iteration of a predicate
	readFunction = "__read" // once a text: its steps a byte, and what is one step of the machine
)

// meters register the functions that count.
func meters(c *conf.Config) {
	add := func(name string, arguments int, count func(m *Machine, args []any) error) {
		c.Functions[name] = &builtin.Function{
			Name: name,
			Func: func(args ...any) (any, error) { return args[1], count(args[0].(*Machine), args) },
			Validate: func(args []reflect.Type) (reflect.Type, error) {
				if len(args) != arguments {
					return nil, fmt.Errorf("%s takes %d arguments", name, arguments)
				}
				return args[1], nil
			},
		}
	}
	add(stepFunction, 2, func(m *Machine, _ []any) error { return m.step() })
	add(readFunction, 4, func(m *Machine, args []any) error {
		text, _ := args[1].(string)
		return m.reads(len(text) * args[2].(int) / args[3].(int))
	})
}

// ErrSteps says that an expression went through too many items.
var ErrSteps = fmt.Errorf("more than %d steps", MaxSteps)

// What is said where texts took the steps: those of an expression, and those of a decision.
var (
	errLongText  = fmt.Errorf("the text is too long for the pattern: its characters times the parts of the pattern come to more than %d steps", MaxSteps)
	errLongTexts = fmt.Errorf("the texts are too long for the patterns: in all rules together their characters times the parts of the patterns come to more than %d steps", MaxTotal)
)

func (m *Machine) step() error {
	m.steps++
	m.total++
	switch {
	case m.read && m.total > MaxTotal:
		return errLongTexts
	case m.steps > MaxSteps || m.total > MaxTotal:
		return ErrSteps
	}
	return nil
}

// reads counts the steps that a text takes, before it is gone through.
func (m *Machine) reads(steps int) error {
	if steps == 0 || m.Former {
		return nil
	}
	m.steps += steps
	m.total += steps
	m.read = true
	switch {
	case m.steps > MaxSteps:
		return errLongText
	case m.total > MaxTotal:
		return errLongTexts
	}
	return nil
}
