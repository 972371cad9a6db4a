package formula

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm/runtime"
)

const (
	letFunction      = "__let"
	quotientFunction = "__quotient"
)

// link puts calls of the machine in the places of what it computes: lets, what divides numbers, the rounds of predicates and the texts that
// are gone through. Operators of values with units must have been resolved; the division that is left is of numbers.
func (e *Env) link(tree *parser.Tree, config *conf.Config) error {
	l := &linker{env: e}
	if ast.Walk(&tree.Node, l); !l.linked {
		return nil
	}
	ast.Walk(&tree.Node, forgetter{})
	_, err := checker.Check(tree, config)
	return err
}

type linker struct {
	env    *Env
	linked bool
}

// Visit implements ast.Visitor; children come before their parents.
func (l *linker) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if l.env.Lets[n.Value] {
			l.call(node, letFunction, &ast.StringNode{Value: n.Value}, &ast.ConstantNode{Value: l.env.Vars[n.Value]})
		}
	case *ast.BinaryNode:
		if l.reads(n); n.Operator == "/" {
			l.call(node, quotientFunction, n.Left, n.Right)
		}
	case *ast.BuiltinNode:
		l.reads(n)
	case *ast.PredicateNode:
		l.call(&n.Node, stepFunction, n.Node)
	}
}

func (l *linker) call(node *ast.Node, function string, arguments ...ast.Node) {
	call := &ast.CallNode{Callee: identifier(function), Arguments: append([]ast.Node{identifier(fuelVar)}, arguments...)}
	call.SetLocation((*node).Location())
	*node = call
	l.linked = true
}

// letOf gives what a name stands for. Its last argument is for the type.
func letOf(c *conf.Config) {
	c.Functions[letFunction] = &builtin.Function{
		Name: letFunction,
		Func: func(args ...any) (any, error) { return args[0].(*Machine).Let(args[1].(string)) },
		Validate: func(args []reflect.Type) (reflect.Type, error) {
			if len(args) != 3 {
				return nil, fmt.Errorf("%s takes three arguments", letFunction)
			}
			return args[2], nil
		},
	}
}

var errZero = errors.New("division by zero")

// quotientOf divides numbers.
func quotientOf(c *conf.Config) {
	c.Functions[quotientFunction] = &builtin.Function{
		Name: quotientFunction,
		Func: func(args ...any) (any, error) {
			if by, ok := number(args[2]); ok && by == 0 && !args[0].(*Machine).Former {
				return nil, errZero
			}
			return runtime.Divide(args[1], args[2]), nil
		},
		Validate: func(args []reflect.Type) (reflect.Type, error) {
			if len(args) != 3 {
				return nil, fmt.Errorf("%s takes three arguments", quotientFunction)
			}
			return reflect.TypeFor[float64](), nil
		},
	}
}
