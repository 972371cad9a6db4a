package rules

import (
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
)

// MayPass reports whether an exclusion of one of the bundle's decisions may be gone when the same order is decided on later, with
// nothing changed but the time and what goes with it: quotes, quotas, the health of accounts. An order that is too far stays so.
func (b *Bundle) MayPass(x Exclusion) bool {
	switch x.Phase {
	case PhaseBuiltin:
		return false
	case PhaseExclude:
	default:
		return true // a guard goes by quotes and budgets
	}
	for i := range b.excludes {
		rule := &b.excludes[i]
		if rule.name == x.Rule && (rule.until != "" || rule.when != nil && b.passing(rule.when.Uses)) {
			return true
		}
	}
	return false
}

// fleeting are the facts that may be others a while later, besides those that are named by where they come from.
var fleeting = map[string]bool{
	"best": true, "chosen": true, "order.failed_providers": true, "order.ready_at": true,
	"location.closed_today": true, "location.next_opening": true, "location.next_business_morning": true,
}

// passing reports whether an expression that uses these names may come to something else a while later.
func (b *Bundle) passing(uses map[string]bool) bool {
	for path := range uses {
		root, _, _ := strings.Cut(path, ".")
		switch {
		case fleeting[path], root == "local", strings.HasPrefix(path, formula.QuotaUse), strings.HasSuffix(path, ".available"):
			return true
		case root == "option" && path != "option" && path != "option.provider" && !serviceFields[path]:
			return true
		}
		for _, lets := range [][]let{b.orderLets, b.optionLets} {
			for _, l := range lets {
				if l.name == path && b.passing(l.formula.Uses) {
					return true
				}
			}
		}
	}
	return false
}
