package measure

import (
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/rules"
)

// HostileFiles want to hurt: each must be refused, quickly.
func HostileFiles() map[string]string {
	condition := func(expression string) string {
		return "rules: 1\nexclude:\n  - name: A\n    reason: b\n    when: |\n      " + expression + "\n"
	}
	lets := "rules: 1\nlet:\n  a0: order.id + order.id\n"
	for i := range 30 {
		lets += fmt.Sprintf("  a%d: a%d + a%d(\n", i+1, i, i)
	}
	return map[string]string{
		"500 KB of (":            condition(strings.Repeat("(", 500_000)),
		"250 KB of (":            condition(strings.Repeat("(", 250_000)),
		"1,999 of (":             condition(strings.Repeat("(", 1990)),
		"1,999 of [":             condition(strings.Repeat("[", 1990)),
		"250 KB of !":            condition(strings.Repeat("!", 250_000)),
		"1,999 of !":             condition(strings.Repeat("!", 1990) + "order.asap"),
		"1,999 of -":             condition(strings.Repeat("-", 1990) + "1 > 0"),
		"not not not":            condition(strings.Repeat("not ", 450) + "order.asap"),
		"ternaries":              condition(strings.Repeat("order.asap?", 180) + "1"),
		"many nodes":             condition("order.quantity in [" + strings.Repeat("1,", 900) + "1]"),
		"heavy patterns":         heavyPatterns(400, "(a%d|b){1,900}"),
		"nested repeats":         condition(`order.id matches "((a{1,9}){1,9}){1,9}"`),
		"patterns of letters":    heavyPatterns(400, `(\\pL%d){9}`),
		"huge regexp":            condition(`order.id matches "` + strings.Repeat("(a+)+", 60) + `"`),
		"regexp from the order":  condition(`"x" matches order.id`),
		"broken doubling lets":   lets,
		"range":                  condition("1 in 1..9999999999999999999"),
		"clock":                  condition("now() > order.created"),
		"environment":            condition(`$env["order"] != order`),
		"method":                 condition(`order.created.UnixNano() > 0`),
		"yaml flow nesting":      "rules: 1\nx: " + strings.Repeat("[", 200_000),
		"yaml map nesting":       "rules: 1\nx: " + strings.Repeat("{a: ", 60_000),
		"yaml block nesting":     "rules: 1\nset:\n" + blocks(400),
		"yaml sequence nesting":  "rules: 1\nset:\n  " + strings.Repeat("- ", 100_000),
		"yaml bomb":              "rules: 1\nlists:\n  a: &a [x, x, x]\n  b: &b [*a, *a, *a, *a]\n  c: [*b, *b, *b, *b]\n",
		"yaml tag":               "rules: 1\nname: !!binary aGVsbG8=\n",
		"yaml question marks":    "rules: 1\n" + strings.Repeat("? ", 100_000),
		"yaml anchors":           "rules: 1\n" + strings.Repeat("&a ", 80_000),
		"a patch everywhere":     "rules: 1\nexclude: [ { name: A, when: order.asap } ]\nlocations:\n" + patches(8000),
		"huge list of bad rules": "rules: 1\nexclude:\n" + strings.Repeat("  - { name: A, when: 1 }\n", 5000),
		"not utf-8":              "rules: 1\nname: \xff\xfe\n",
		"nothing":                "",
		"zero bytes":             strings.Repeat("\x00", 100_000),
	}
}

// heavyPatterns has n rules of eight different patterns each; format holds a number.
func heavyPatterns(n int, format string) string {
	var b strings.Builder
	b.WriteString("rules: 1\nexclude:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - { name: r%d, reason: b, when: '", i)
		for j := range 8 {
			if j > 0 {
				b.WriteString(" or ")
			}
			fmt.Fprintf(&b, `order.to.city matches "`+format+`"`, 8*i+j)
		}
		b.WriteString("' }\n")
	}
	return b.String()
}

// HeavyFile is just within every limit of patterns, so that it is taken: as heavy as they let a bundle become.
func HeavyFile() string { return heavyPatterns(6, "(a%04d|b){90}") }

func patches(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  l%d: {exclude: {A: {}}}\n", i)
	}
	return b.String()
}

func blocks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}

// RunawayFiles load, and have conditions that would work without end or eat the memory; BusySource is an order for which they do.
func RunawayFiles() map[string]string {
	loop := "any(order.items, false)"
	for range 4 {
		loop = "any(order.items, " + loop + ")"
	}
	lets := "let:\n  a0: order.id + order.id\n"
	for i := range 25 {
		lets += fmt.Sprintf("  a%d: a%d + a%d\n", i+1, i, i)
	}
	var wide, lower strings.Builder
	for i := range 60 { // a pattern that finds nothing, and looks at every sign of a text once in each of its parts
		fmt.Fprintf(&wide, "  - { name: r%d, when: 'order.attributes.x matches \"([ab]{1,9}c?){1,9}[ab]*q%d\"' }\n", i, i)
		one := `lower(order.attributes.x) contains "q"`
		fmt.Fprintf(&lower, "  - { name: r%d, when: '%s' }\n", i, one+strings.Repeat(" or "+one, 11))
	}
	return map[string]string{
		"nested loops":   "rules: 1\nexclude:\n  - { name: A, when: '" + loop + "' }\n",
		"doubling texts": "rules: 1\n" + lets + "exclude:\n  - { name: A, when: 'a25 == \"x\"' }\n",
		"long texts":     "rules: 1\nattributes: [x]\nexclude:\n" + lower.String(),
		"wide patterns":  "rules: 1\nattributes: [x]\nexclude:\n" + wide.String(),
		"a long range":   "rules: 1\nexclude:\n  - { name: A, when: 'order.quantity in 1..(order.quantity * 100000)' }\n",
	}
}

// BusySource is Source with a hundred items, and with a long text.
func BusySource() rules.InputSource {
	src := Source()
	for range 99 {
		src.Items = append(src.Items, src.Items[0])
	}
	src.Attributes = map[string]string{"x": strings.Repeat("ab", 5000)}
	return src
}

// EndlessFiles load, and have conditions that are larger than any memory when their lets are written out, or more than can be compared with
// each other: what looks into rules must look into these as quickly as into others, and say what it has not looked at.
func EndlessFiles() map[string]string {
	const head = "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"
	chain := func(step string) string {
		b := head + "let:\n  v0: order.quantity > 1\n"
		for i := range 59 {
			b += fmt.Sprintf("  v%d: %s\n", i+1, strings.ReplaceAll(step, "V", fmt.Sprintf("v%d", i)))
		}
		return b + "exclude:\n  - { name: A, when: v59, providers: [ups] }\n  - { name: B, when: v59 and order.gift, providers: [ups] }\n"
	}
	many := func(n int, condition func(i int) string) string {
		b := head + "exclude:\n"
		for i := range n {
			b += fmt.Sprintf("  - { name: r%d, providers: [ups], when: '%s' }\n", i, condition(i))
		}
		return b
	}
	terms := func(inner, outer string) func(int) string {
		return func(i int) string {
			var all []string
			for j := range 12 {
				all = append(all, fmt.Sprintf(`(order.quantity > %d %s order.to.city == "c%d" %s order.total > usd(%d))`, i+j, inner, i*j, inner, j))
			}
			return strings.Join(all, " "+outer+" ")
		}
	}
	nested := "order.asap"
	for range 30 {
		nested = "(" + nested + " ? order.gift : order.paid)"
	}
	var entries strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&entries, "Z%05d, ", i)
	}
	listed := strings.Replace(many(400, func(i int) string { return fmt.Sprintf(`order.to.postal_code in lists.z and order.quantity > %d`, i) }),
		"exclude:", "lists: { z: ["+entries.String()+"] }\nexclude:", 1)
	return map[string]string{
		"a long list":          listed,
		"lets that double":     chain("V and V"),
		"lets that square":     chain("(V or order.gift) and (V or order.asap)"),
		"lets that choose":     chain("V == true and V"),
		"lets that are asked":  chain("V == V"),
		"nested choices":       head + "exclude:\n  - { name: A, when: '" + nested + "', providers: [ups] }\n",
		"many ands of ors":     many(150, terms("or", "and")),
		"many ors of ands":     many(150, terms("and", "or")),
		"as many as there may": many(500, func(i int) string { return fmt.Sprintf(`order.quantity > %d and order.to.state == "S%d"`, i, i) }),
		"long ranges": many(20, func(i int) string {
			return fmt.Sprintf(`order.quantity in 1..99000 and dollars(order.total) * %d == 7.51`, i+1)
		}),
		"many computed numbers": many(300, func(i int) string { return fmt.Sprintf(`dollars(order.total) * %d == 7.51`, i+1) }),
	}
}
