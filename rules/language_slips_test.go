package rules_test

import (
	"testing"

	"github.com/waybill-dev/waybill/rules/measure"
)

// TestSlipsOfTheLanguage: what is nearly an expression is told with the expression that was meant, in the words of the language.
func TestSlipsOfTheLanguage(t *testing.T) {
	const exclude = "exclude:\n  - name: A\n    when: "
	for _, s := range []measure.Slip{
		{Code: "E201", Text: exclude + "order.items «==» []\n", Want: "len(order.items) == 0"},
		{Code: "E201", Text: exclude + "'[] «!=» order.items'\n", Want: "len(order.items) != 0"},
		{Code: "E201", Text: exclude + "order.items «==» filter(order.items, .quantity > 1)\n", Want: "len(order.items)"},
		{Code: "E305", Text: exclude + "option.fee > order.total * «30%»\n", Want: "number: 0.3"},
		{Code: "E305", Text: exclude + "option.on_time_rate_30d > «95%»\n", Want: "number: 0.95"},
		{Code: "E305", Text: exclude + "option.fee > «12.5 %» * order.total\n", Want: "number: 0.125"},
		{Code: "E305", Text: exclude + "«5% of» order.total > usd(3)\n", Want: "0.05 *"},
		{Code: "E202", Text: exclude + "«location.caps»\n", Want: "location.caps.doordash"},
		{Code: "E202", Text: exclude + "«location.caps»\n", Want: "this is numbers by name"},
		{Code: "E202", Text: exclude + "«order.items»\n", Want: "this is list of items"},
		{Code: "E201", Text: "attributes: [payment]\n" + exclude + "order.attributes == «\"x\"»\n", Want: "order.attributes.payment"},
		{Code: "E201", Text: exclude + "order.attributes == «\"x\"»\n", Want: "texts by name and text do not fit"},
		{Code: "E101", Text: exclude + "order.promise_by == «null»\n", Want: "not order.has_promise"},
		{Code: "E101", Text: exclude + "order.to.city != «None»\n", Want: `an absent text is ""`},
		{Code: "E302", Text: exclude + "order.to.city == «nil»\n", Want: `an absent text is ""`},
		{Code: "E101", Text: exclude + "any(order.items, «sku» == \"A\")\n", Want: ".sku"},
		{Code: "E101", Text: exclude + "any(order.items, .sku == \"A\" and «quantity» > 2)\n", Want: ".quantity"},
		{Code: "E101", Text: exclude + "any(order.items, .sku == \"A\") and «quantity» > 2\n", Want: "order.quantity"},
		{Code: "E101", Text: exclude + "order.to.state in «remote»\n", Want: "lists.remote"},
		{Code: "E101", Text: exclude + "order.total > «USD»(5)\n", Want: "usd(…)"},
		{Code: "E101", Text: exclude + "order.total > «chf»(5)\n", Want: `money("12.50", "CHF")`},
		{Code: "E101", Text: exclude + "order.weight > «lbs»(5)\n", Want: "lb"},
		{Code: "E201", Text: exclude + "order.weight > «usd(60)»\n", Want: "lb(60)"},
		{Code: "E201", Text: exclude + "«minutes(30)» < order.distance\n", Want: "mi(30)"},
		{Code: "E201", Text: exclude + "order.weight «>» order.total\n", Want: "both must be weight, or both money"},
		{Code: "E201", Text: exclude + "order.to.state «==» [\"MA\", \"NY\"]\n", Want: `order.to.state in ["MA", "NY"]`},
		{Code: "E201", Text: exclude + "order.to.state «!=» [\"MA\", \"NY\"]\n", Want: `order.to.state not in ["MA", "NY"]`},
		{Code: "E201", Text: exclude + "local.weekday in [«6», 7]\n", Want: `"sat"`},
		{Code: "E305", Text: exclude + "order.weight > «lb 70»\n", Want: "write lb(70)"},
		{Code: "E305", Text: exclude + "order.total > «USD 70.50» and order.asap\n", Want: "write usd(70.50)"},
		{Code: "E301", Text: exclude + "any(order.tags«,» # == \"x\")\n", Want: "begins a comment"},
		{Code: "E301", Text: exclude + "order.total > usd(5) an«d» # x\n", Want: "begins a comment"},
		{Code: "E201", Text: exclude + "order.volume > «5»\n", Want: "liters(5)"},
		{Code: "E305", Text: exclude + "order.volume > «5 l»\n", Want: "write liters(5)"},
		{Code: "E305", Text: exclude + "order.volume > «200 in3»\n", Want: "write inch3(200)"},
		{Code: "E305", Text: exclude + "order.volume > «5 cm3»\n", Want: "write cm3(5)"},
		{Code: "E101", Text: exclude + "order.volume > «litres»(5)\n", Want: "liters"},
		{Code: "E201", Text: exclude + "order.volume > «inch(5)»\n", Want: "inch3(5)"},
		{Code: "E305", Text: exclude + "order.volume > «liters(1,5)»\n", Want: "point"},
		{Code: "E203", Text: exclude + "order.volume > «cm3(\"5\")»\n", Want: "cm3(10)"},
		{Code: "E201", Text: exclude + "'order.volume > (order.asap ? «liters(1) : lb»(1))'\n", Want: "both must be volume"},
	} {
		t.Run(s.Text, func(t *testing.T) { checkSlip(t, s, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"+s.Text) })
	}
}
