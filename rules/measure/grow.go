package measure

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// grower draws expressions of every kind of value, at most so large as left allows.
type grower struct {
	r    *rand.Rand
	left int // operators that may still be drawn
	item bool
	lets []string // that may be named, of twinLets
}

// named gives the name of a let now and then, "" else.
func (g *grower) named(name string) string {
	if !slices.Contains(g.lets, name) || g.r.IntN(3) > 0 {
		return ""
	}
	return name
}

// branch reports whether the part may grow, and takes an operator if so.
func (g *grower) branch() bool {
	if g.left <= 0 || g.r.IntN(5) == 0 {
		return false
	}
	g.left--
	return true
}

func (g *grower) of(list ...string) string { return list[g.r.IntN(len(list))] }

var comparisons = []string{"==", "!=", "<", "<=", ">", ">="}

func (g *grower) truth() string {
	if name := g.named("fits"); name != "" {
		return name
	}
	if !g.branch() {
		return g.of("order.asap", "order.has_promise", "true", "false", `order.to.type == "residential"`, `"alcohol" in order.content`, `supports("alcohol")`,
			`time_between("17:00", "19:00")`, `date_between("2026-04-01", "2026-04-30")`, "order.to.state in lists.near", `local.weekday in ["fri", "sat"]`,
			`order.id matches "^77"`, `order.to.city startsWith "B"`, `order.items[7].sku == "x"`, "order.total > eur(3)")
	}
	switch g.r.IntN(11) {
	case 0:
		return "not (" + g.truth() + ")"
	case 1, 2:
		return "(" + g.truth() + ") and (" + g.truth() + ")"
	case 3, 4:
		return g.truth() + " or " + g.truth()
	case 5:
		return fmt.Sprintf("((%s) ? (%s) : (%s))", g.truth(), g.truth(), g.truth())
	case 6:
		return fmt.Sprintf("%s %s %s", g.money(), g.of(comparisons...), g.money())
	case 7:
		return fmt.Sprintf("%s %s %s", g.number(), g.of(comparisons...), g.number())
	case 8:
		quantity := []func() string{g.weight, g.volume}[g.r.IntN(2)]
		return fmt.Sprintf("%s %s %s", quantity(), g.of(comparisons...), quantity())
	case 9:
		return fmt.Sprintf("%s %s %s", g.duration(), g.of(comparisons...), g.duration())
	}
	if g.item {
		return g.of(`.sku startsWith "KNIFE"`, ".quantity > 2", `"gift" in .tags`, ".price > usd(5)")
	}
	g.item = true
	inside := g.truth()
	g.item = false
	return fmt.Sprintf("%s(order.items, %s)", g.of("any", "all", "none", "one"), inside)
}

func (g *grower) number() string {
	if name := g.named("share"); name != "" {
		return name
	}
	if !g.branch() {
		return g.of("order.quantity", "order.line_count", "option.transit_days", "local.hour", "local.minute_of_day", "len(order.items)", "len(order.content)",
			fmt.Sprint(g.r.IntN(12)), fmt.Sprintf("%d.25", g.r.IntN(4)))
	}
	switch g.r.IntN(8) {
	case 0:
		return "dollars(" + g.money() + ")"
	case 1:
		return "mins(" + g.duration() + ")"
	case 2:
		return "(" + g.number() + " / " + g.number() + ")"
	case 3:
		return "round_to(" + g.number() + ", 2)"
	case 4:
		return g.of("abs", "ceil", "floor", "round") + "(" + g.number() + ")"
	case 5:
		return fmt.Sprintf("((%s) ? %s : %s)", g.truth(), g.number(), g.number())
	}
	return "(" + g.number() + " " + g.of("+", "-", "*") + " " + g.number() + ")"
}

func (g *grower) money() string {
	if name := g.named("due"); name != "" {
		return name
	}
	if !g.branch() {
		return g.of("order.total", "order.subtotal", "order.tip", "option.fee", "option.cost", fmt.Sprintf("usd(%d.50)", g.r.IntN(60)), "eur(3)")
	}
	switch g.r.IntN(4) {
	case 0:
		return "(" + g.money() + " * " + g.number() + ")"
	case 1:
		return fmt.Sprintf("((%s) ? %s : %s)", g.truth(), g.money(), g.money())
	}
	return "(" + g.money() + " " + g.of("+", "-") + " " + g.money() + ")"
}

func (g *grower) weight() string {
	if !g.branch() {
		return g.of("order.weight", "lb(10)", "kg(4.5)", "oz(160)", "g(4536)")
	}
	if g.r.IntN(2) == 0 {
		return "(" + g.weight() + " + " + g.weight() + ")"
	}
	return "(" + g.weight() + " * 2)"
}

func (g *grower) volume() string {
	if !g.branch() {
		return g.of("order.volume", "liters(2.5)", "cm3(2500)", "inch3(150)")
	}
	if g.r.IntN(2) == 0 {
		return "(" + g.volume() + " - " + g.volume() + ")"
	}
	return "(" + g.number() + " * " + g.volume() + ")"
}

func (g *grower) duration() string {
	if !g.branch() {
		return g.of("option.dropoff_in", "minutes(50)", "hours(1)", "days(0.5)")
	}
	if g.r.IntN(2) == 0 {
		return fmt.Sprintf("((%s) ? %s : %s)", g.truth(), g.duration(), g.duration())
	}
	return "(" + g.duration() + " + " + g.duration() + ")"
}
