package formula

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
)

const (
	quotaFunction = "__quota"
	// QuotasVar is the value of a machine that quota(…) reads; it is of type Quotas.
	QuotasVar = "__quotas"
	// QuotaUse begins the entries of Formula.Uses that name a quota; its QuotaKey follows.
	QuotaUse = "quota:"
)

// Quotas are counts by QuotaKey.
type Quotas map[string]int

// Quota is what quota(…) gives.
type Quota struct {
	Used int `expr:"used"`
	Left int `expr:"left"` // of the location's cap for a day; known where leftOf has put that into the call
}

// QuotaKey names a count: "ups/month/", "doordash/day/location".
func QuotaKey(account, period, per string) string { return account + "/" + period + "/" + per }

func cutKey(key string) (account, period, per string) {
	account, rest, _ := strings.Cut(key, "/")
	period, per, _ = strings.Cut(rest, "/")
	return account, period, per
}

// quotaCall turns quota("ups", "month") into a look at the counts that the machine holds.
func quotaCall(n *ast.CallNode) (ast.Node, error) {
	const usage = `quota(…) takes a provider, "day" or "month", and "location" where only this location counts: quota("ups", "month").used`
	texts := make([]string, 0, 3)
	for _, a := range n.Arguments {
		s, ok := a.(*ast.StringNode)
		if !ok {
			return nil, misfit(a, "%s; each is a literal text", usage)
		}
		texts = append(texts, s.Value)
	}
	switch {
	case len(texts) < 2 || len(texts) > 3:
		return nil, errors.New(usage)
	case !slices.Contains([]string{"day", "month"}, texts[1]):
		return nil, misfit(n.Arguments[1], "%s", usage)
	case len(texts) == 3 && texts[2] != "location":
		return nil, misfit(n.Arguments[2], "%s", usage)
	}
	key := QuotaKey(texts[0], texts[1], append(texts, "")[2])
	return &ast.CallNode{
		Callee:    at(n, identifier(quotaFunction)),
		Arguments: []ast.Node{at(n, identifier(QuotasVar)), at(n.Arguments[0], &ast.StringNode{Value: key}), at(n.Arguments[0], &ast.IntegerNode{})},
	}, nil
}

// leftOf puts the cap of the location into a quota of which it is asked what is left, and refuses those that have none.
func leftOf(n *ast.MemberNode) *Problem {
	key, ok := quotaKey(n.Node)
	if name, isText := n.Property.(*ast.StringNode); !ok || !isText || name.Value != "left" {
		return nil
	}
	account, period, per := cutKey(key)
	if period == "day" && per == "location" {
		call := n.Node.(*ast.CallNode)
		call.Arguments[2] = at(call.Arguments[1], member(member(identifier("location"), "caps"), account))
		return nil
	}
	from, to := spanOf(n.Property)
	return &Problem{Code: "E102", From: from, To: to, Message: "nothing says how much is left of this quota: it has no bound",
		Hint: fmt.Sprintf(`a location has caps for its own bookings of a day: quota("%s", "day", "location").left; any other bound is yours: quota("%s", "%s").used < 500`, account, account, period)}
}

// quotaKey is the QuotaKey of a call of quota(…) that was rewritten.
func quotaKey(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallNode)
	if !ok || len(call.Arguments) != 3 {
		return "", false
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	if !ok || callee.Value != quotaFunction {
		return "", false
	}
	return call.Arguments[1].(*ast.StringNode).Value, true
}

// quota notes a count that is asked for, and refuses one of a provider that there is not.
func (g *guard) quota(n *ast.CallNode) {
	key := n.Arguments[1].(*ast.StringNode)
	g.uses[QuotaUse+key.Value] = true
	account, _, _ := cutKey(key.Value)
	allowed := g.env.Enums["option.provider"]
	if len(allowed) > 0 && !slices.Contains(allowed, account) {
		p := g.fail(key, "E105", "unknown provider %q", account)
		p.DidYouMean = Suggest(account, allowed)
		p.Hint = "it is one of: " + Some(allowed)
	}
}

var quotaOf = expr.Function(quotaFunction, func(args ...any) (any, error) {
	key := args[1].(string)
	used, counted := args[0].(Quotas)[key]
	if !counted {
		account, period, per := cutKey(key)
		if per != "" {
			per = " at this location"
		}
		return nil, fmt.Errorf("nobody has counted the bookings of %s this %s%s", account, period, per)
	}
	return Quota{Used: used, Left: max(args[2].(int)-used, 0)}, nil
}, new(func(Quotas, string, int) Quota))
