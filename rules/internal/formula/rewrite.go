package formula

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const (
	betweenFunction  = "__between"
	businessFunction = "__business_days"
)

// currencies are the functions that make money of a number.
var currencies = map[string]string{"usd": "USD", "eur": "EUR", "gbp": "GBP", "cad": "CAD", "aud": "AUD", "mxn": "MXN", "jpy": "JPY"}

// macros are the functions that are worked out while compiling: unit literals become constants, time windows plain comparisons.
var macros = map[string]func(*ast.CallNode) (ast.Node, error){
	"money": moneyLiteral, "time_between": timeBetween, "date_between": dateBetween, "supports": supports, "quota": quotaCall,
	"business_days": businessDays, "within": within,
}

func init() {
	for name, code := range currencies {
		macros[name] = func(n *ast.CallNode) (ast.Node, error) { return currencyLiteral(n, name, code) }
	}
	for name, u := range unit.WeightUnits {
		macros[name] = quantityLiteral(name, u, func(r unit.Rational) any { return unit.Weight{Rational: r} })
	}
	for name, u := range unit.LengthUnits {
		macros[name] = quantityLiteral(name, u, func(r unit.Rational) any { return unit.Length{Rational: r} })
	}
	for name, u := range unit.VolumeUnits {
		macros[name] = quantityLiteral(name, u, func(r unit.Rational) any { return unit.Volume{Rational: r} })
	}
	for name, u := range unit.DistanceUnits {
		macros[name] = quantityLiteral(name, u, func(r unit.Rational) any { return unit.Distance{Rational: r} })
	}
}

// FunctionNames lists everything that can be called.
func FunctionNames() []string {
	names := []string{"dollars", "mins", "minutes", "hours", "days", "bucket", "round_to"}
	for n := range macros {
		names = append(names, n)
	}
	for n := range builtins {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// rewriter replaces macro calls. It runs before types are checked.
type rewriter struct {
	source   []rune
	currency string // that all money is in, "" where any will do
	problem  *Problem
}

// Visit implements ast.Visitor.
func (r *rewriter) Visit(node *ast.Node) {
	if name, ok := (*node).(*ast.IdentifierNode); ok && r.problem == nil && (name.Value == "$env" || strings.HasPrefix(name.Value, "__")) {
		from, to := spanOf(name)
		r.problem = &Problem{Code: "E101", From: from, To: to, Message: fmt.Sprintf("unknown name %q", name.Value)}
	}
	if m, ok := (*node).(*ast.MemberNode); ok && r.problem == nil {
		r.problem = leftOf(m)
	}
	call, ok := (*node).(*ast.CallNode)
	if !ok {
		return
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	if !ok {
		return
	}
	macro := macros[callee.Value]
	if macro == nil {
		return
	}
	made, err := macro(call)
	if err != nil {
		if r.problem == nil {
			r.problem = r.wrong(call, err)
		}
		return
	}
	if c, ok := made.(*ast.ConstantNode); ok && r.problem == nil {
		if m, ok := c.Value.(shipping.Money); ok && r.currency != "" && m.Currency != r.currency && !m.IsZero() { // zero is zero in any currency
			r.problem = r.at(call, "E201", fmt.Sprintf("%s cannot meet %s, the currency of the file", m.Currency, r.currency))
			r.problem.Hint = "write the amount in " + r.currency + ": money is not converted"
		}
	}
	ast.Patch(node, made)
}

// argumentError is what is wrong with one argument of a call.
type argumentError struct {
	error
	of    ast.Node
	meant string // a guess, as it stands in the text; "" for none
}

// Unwrap implements errors.Unwrap.
func (e *argumentError) Unwrap() error { return e.error }

// misfit is what is wrong with an argument, whatever else the call is.
func misfit(of ast.Node, format string, args ...any) error {
	return &argumentError{error: fmt.Errorf(format, args...), of: of}
}

// wrong places what a macro says of its call: at the argument, where it is one.
func (r *rewriter) wrong(call *ast.CallNode, err error) *Problem {
	p := r.at(call, "E203", err.Error())
	if one, ok := errors.AsType[*argumentError](err); ok {
		p.From, p.To = spanOf(one.of)
		if _, made := one.of.(*ast.ConstantNode); made { // of a call, of which it has the place of the name
			p.To = endOfCall(r.source, p.To)
		}
		p.DidYouMean = one.meant
	}
	return p
}

// at is a problem of a whole call, up to its closing bracket.
func (r *rewriter) at(call *ast.CallNode, code, message string) *Problem {
	from, to := spanOf(call)
	for _, a := range call.Arguments {
		_, end := spanOf(a)
		to = max(to, end)
	}
	for to < len(r.source) && r.source[to-1] != ')' {
		to++
	}
	return &Problem{Code: code, From: from, To: to, Message: message}
}

func constant(v any) ast.Node { return &ast.ConstantNode{Value: v} }

// literal reads a number that stands in the text, with or without a minus sign.
func literal(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return strconv.Itoa(n.Value), true
	case *ast.FloatNode:
		return strconv.FormatFloat(n.Value, 'f', -1, 64), true
	case *ast.UnaryNode:
		if s, ok := literal(n.Node); ok && n.Operator == "-" {
			return "-" + s, true
		}
	}
	return "", false
}

func currencyLiteral(n *ast.CallNode, name, code string) (ast.Node, error) {
	if len(n.Arguments) == 1 {
		if text, ok := literal(n.Arguments[0]); ok {
			return moneyOf(text, code)
		}
		return nil, misfit(n.Arguments[0], "%s(…) takes one number, such as %s(12.50)", name, name)
	}
	return nil, fmt.Errorf("%s(…) takes one number, such as %s(12.50)", name, name)
}

func moneyLiteral(n *ast.CallNode) (ast.Node, error) {
	if len(n.Arguments) == 2 {
		amount, ok1 := n.Arguments[0].(*ast.StringNode)
		currency, ok2 := n.Arguments[1].(*ast.StringNode)
		if ok1 && ok2 {
			return moneyOf(amount.Value, currency.Value)
		}
		wrong := n.Arguments[0]
		if ok1 {
			wrong = n.Arguments[1]
		}
		return nil, misfit(wrong, `money(…) takes an amount and a currency, both in quotes, such as money("12.50", "CAD")`)
	}
	return nil, fmt.Errorf(`money(…) takes an amount and a currency, such as money("12.50", "CAD")`)
}

func moneyOf(amount, currency string) (ast.Node, error) {
	d, err := shipping.ParseDecimal(amount)
	if err != nil {
		return nil, err
	}
	m, err := shipping.BindMoney(d, currency)
	if err != nil {
		return nil, err
	}
	return constant(m), nil
}

func quantityLiteral(name string, of *big.Rat, wrap func(unit.Rational) any) func(*ast.CallNode) (ast.Node, error) {
	return func(n *ast.CallNode) (ast.Node, error) {
		if len(n.Arguments) != 1 {
			return nil, fmt.Errorf("%s(…) takes one number, such as %s(10)", name, name)
		}
		text, ok := literal(n.Arguments[0])
		if !ok {
			return nil, misfit(n.Arguments[0], "%s(…) takes a literal number, such as %s(10); to scale it, write %s(1) * …", name, name, name)
		}
		number, ok := new(big.Rat).SetString(text)
		if !ok {
			return nil, fmt.Errorf("%s is not a number", text)
		}
		r, err := unit.FromRat(number.Mul(number, of))
		if err != nil {
			return nil, fmt.Errorf("%s(%s): %w", name, text, err)
		}
		return constant(wrap(r)), nil
	}
}

// timeBetween turns time_between("22:00", "02:00") into a comparison of local.minute_of_day.
func timeBetween(n *ast.CallNode) (ast.Node, error) {
	minutes := make([]ast.Node, 0, 3)
	minutes = append(minutes, at(n, member(identifier("local"), "minute_of_day")))
	for _, a := range n.Arguments {
		s, ok := a.(*ast.StringNode)
		if !ok {
			return nil, misfit(a, `time_between(…) takes two times of day, such as time_between("17:30", "20:30")`)
		}
		m, err := minuteOfDay(s.Value)
		if err != nil {
			return nil, timeOfDay.argument(a, err, s.Value)
		}
		minutes = append(minutes, at(a, &ast.IntegerNode{Value: m}))
	}
	if len(minutes) != 3 {
		return nil, fmt.Errorf(`time_between(…) takes two times of day, such as time_between("17:30", "20:30")`)
	}
	return &ast.CallNode{Callee: at(n, identifier(betweenFunction)), Arguments: minutes}, nil
}

func minuteOfDay(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("%q is not a time of day such as 17:30", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// dateBetween turns date_between(a, b), both days included, into comparisons of local.date.
func dateBetween(n *ast.CallNode) (ast.Node, error) {
	dates := make([]*ast.StringNode, 0, 2)
	for _, a := range n.Arguments {
		s, ok := a.(*ast.StringNode)
		if !ok {
			return nil, misfit(a, `date_between(…) takes two dates, such as date_between("2026-11-23", "2027-01-17")`)
		}
		if _, err := time.Parse(time.DateOnly, s.Value); err != nil {
			return nil, day.argument(a, fmt.Errorf("%q is not a date such as 2026-12-24", s.Value), s.Value)
		}
		dates = append(dates, s)
	}
	if len(dates) != 2 || len(n.Arguments) != 2 {
		return nil, fmt.Errorf(`date_between(…) takes two dates, such as date_between("2026-11-23", "2027-01-17")`)
	}
	if dates[0].Value > dates[1].Value {
		return nil, fmt.Errorf("%s is after %s", dates[0].Value, dates[1].Value)
	}
	date := func() ast.Node { return at(n, member(identifier("local"), "date")) }
	return &ast.BinaryNode{
		Operator: "and",
		Left:     at(n, &ast.BinaryNode{Operator: ">=", Left: date(), Right: dates[0]}),
		Right:    at(n, &ast.BinaryNode{Operator: "<=", Left: date(), Right: dates[1]}),
	}, nil
}

// businessDays turns business_days(2) into a duration that hangs on the day and the location's holidays.
func businessDays(n *ast.CallNode) (ast.Node, error) {
	if len(n.Arguments) != 1 {
		return nil, fmt.Errorf("business_days(…) takes one whole number, such as business_days(2)")
	}
	return &ast.CallNode{
		Callee:    at(n, identifier(businessFunction)),
		Arguments: []ast.Node{at(n, member(identifier("local"), "date")), at(n, member(identifier("location"), "holidays")), n.Arguments[0]},
	}, nil
}

// within turns within(order.to, "downtown") into "downtown" in order.to.zones.
func within(n *ast.CallNode) (ast.Node, error) {
	const usage = `within(…) takes order.to or order.from and a zone, such as within(order.to, "downtown")`
	if len(n.Arguments) != 2 {
		return nil, errors.New(usage)
	}
	place, zone := pathOf(n.Arguments[0]), n.Arguments[1]
	if place != "order.to" && place != "order.from" {
		return nil, misfit(n.Arguments[0], "%s", usage)
	}
	if _, ok := zone.(*ast.StringNode); !ok {
		return nil, misfit(zone, "%s", usage)
	}
	return &ast.BinaryNode{Operator: "in", Left: zone, Right: at(n, member(n.Arguments[0], "zones"))}, nil
}

// supports turns supports("alcohol") into "alcohol" in option.supports.
func supports(n *ast.CallNode) (ast.Node, error) {
	if len(n.Arguments) != 1 {
		return nil, fmt.Errorf(`supports(…) takes one text, such as supports("alcohol")`)
	}
	return &ast.BinaryNode{Operator: "in", Left: n.Arguments[0], Right: at(n, member(identifier("option"), "supports"))}, nil
}

func identifier(name string) ast.Node { return &ast.IdentifierNode{Value: name} }

func member(of ast.Node, name string) ast.Node {
	return &ast.MemberNode{Node: of, Property: &ast.StringNode{Value: name}}
}

// at gives a made node, and those made below it, the place of what it replaces, so that errors and squiggles point there.
func at(where, made ast.Node) ast.Node {
	setPlace := placer(where.Location())
	ast.Walk(&made, setPlace)
	return made
}

type placer file.Location

// Visit implements ast.Visitor.
func (p placer) Visit(node *ast.Node) {
	if (*node).Location() == (file.Location{}) {
		(*node).SetLocation(file.Location(p))
	}
}
