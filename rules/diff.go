package rules

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// Change is one difference between two bundles.
type Change struct {
	Kind string `json:"kind"` // added, removed, changed
	// What is a phase, "order of " and a phase, or let, list, zone, rank, none, name, currency, providers, attributes, env.
	What string `json:"what"`
	Name string `json:"name,omitempty"`
	At   string `json:"at,omitempty"` // location or tag of a patched form
	// Position is where the rule stands: in the new bundle, in the old one where it was removed. Nil for what is no rule.
	Position *Position `json:"position,omitempty"`
	Old      string    `json:"old,omitempty"`
	New      string    `json:"new,omitempty"`
	// NoLonger is an order to which the rule applied and does not apply any more, Now one to which it did not and does; as members of
	// `with:` in a test, and of an offer where they begin with option. Both conditions were computed for it. Nil where there is none, or none
	// was found.
	NoLonger map[string]string `json:"no_longer,omitempty"`
	Now      map[string]string `json:"now,omitempty"`
	// Otherwise is an order about which rules that changed places decide otherwise, where the change is one of their order; or the rule, rank or
	// none itself, where it says something else of the same orders. Both bundles have decided it. Members that begin with other. are of a second offer;
	// "quotes" is "[]" where nobody offers, and "these" where nobody does but the offers that are named. Of a let or a list it is one that is decided
	// otherwise for that alone, all else being as it was. It is given as the other two are.
	Otherwise map[string]string `json:"otherwise,omitempty"`
	// Same says that both texts mean the same: the condition holds for the same orders, and what comes of it is the same.
	Same bool `json:"same,omitempty"`
	// NotFound says why there is none of these orders, where the change may mean something else and it is not known for which order.
	NotFound string `json:"not_found,omitempty"`
}

// Position is where something stands in the files of a bundle. Line and Column count from 1.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (h *head) position() *Position { return &Position{h.file, h.line, h.column} }

// Position says where the rule of a name stands, nil where there is none.
func (b *Bundle) Position(rule string) *Position {
	for _, h := range b.heads() {
		if h.name == rule {
			return h.position()
		}
	}
	return nil
}

// Diff tells how two bundles differ: rule by rule, and for a rule whose condition means something else, with an order that shows it, be the
// change in the rule itself or in what it names; for one that does something else, with an order about which it decides otherwise; where rules stand in another order and it is the first or the last that speaks; and what is
// said at the top of the files. It looks for no more orders when ctx ends.
func Diff(ctx context.Context, a, b *Bundle) []Change {
	names, headers := diffNames(a, b), diffHeaders(a, b)
	sameNames := len(names)+len(headers) == 0
	lint := func(b *Bundle) *linter { return newLinter(ctx, b, b.currency) }
	d := &diffing{lint: lint, old: lint(a), now: lint(b), sameNames: sameNames}
	d.every = sync.OnceValues(func() (old, now *linter) { return newLinter(ctx, a, ""), newLinter(ctx, b, "") })
	for i := range names {
		d.named(&names[i])
	}
	changes := slices.Concat(d.rules(), d.orders(), names, headers)
	for _, x := range []struct {
		what     string
		old, now *yaml.Node
		look     func(*Change)
	}{{"rank", a.rankNode, b.rankNode, d.ranking}, {"none", a.noneNode, b.noneNode, d.nobody}} {
		c := Change{What: x.what, Old: nodeText(x.old)}
		if c.New = sameOr(c.Old, x.old, x.now); c.Old != c.New && c.Old != "" && c.New != "" {
			x.look(&c)
		}
		changes = appendChange(changes, c)
	}
	return changes
}

// appendChange says what kind of change it is, and leaves out what is none.
func appendChange(list []Change, c Change) []Change {
	switch {
	case c.Old == c.New && c.NoLonger == nil && c.Now == nil && c.NotFound == "":
		return list
	case c.Old == "":
		c.Kind = "added"
	case c.New == "":
		c.Kind = "removed"
	default:
		c.Kind = "changed"
	}
	return append(list, c)
}

// rules compares rule by rule.
func (d *diffing) rules() []Change {
	find := func(list []*head, h *head) *head {
		i := slices.IndexFunc(list, func(x *head) bool { return x.phase == h.phase && x.name == h.name && x.at == h.at })
		if i < 0 {
			return nil
		}
		return list[i]
	}
	before, after := d.old.b.heads(), d.now.b.heads()
	var changes []Change
	for _, h := range before {
		c := Change{What: h.phase, Name: h.name, At: h.at, Old: nodeText(h.node), Position: h.position()}
		if g := find(after, h); g != nil {
			c.New, c.Position = sameOr(c.Old, h.node, g.node), g.position()
			d.compare(h, g, &c)
			d.effect(h, g, &c)
		}
		changes = appendChange(changes, c)
	}
	for _, h := range after {
		if find(before, h) == nil {
			changes = appendChange(changes, Change{What: h.phase, Name: h.name, At: h.at, New: nodeText(h.node), Position: h.position()})
		}
	}
	return changes
}

// diffing looks for orders that two bundles see differently.
type diffing struct {
	lint      func(*Bundle) *linter
	old, now  *linter
	names     int                       // lets and lists that were looked into
	every     func() (old, now *linter) // for orders in any currency
	sameNames bool                      // lets, lists, and what stands at the top of the files
}

// compare looks for orders to which a rule applies in one of its forms and not in the other.
func (d *diffing) compare(h, g *head, c *Change) {
	same := d.old.means(h) == d.now.means(g)
	if same && c.Old == c.New && slices.Equal(h.patches, g.patches) {
		return
	}
	x, y := d.old.scoped(h), d.now.scoped(g)
	if !same { // what is not understood may be something else, although it reads the same
		y = y.Apart("now ")
	}
	var why1, why2 string
	c.NoLonger, why1 = d.find(h, g, x, y, func(was, is bool) bool { return was && !is })
	c.Now, why2 = d.find(h, g, y, x, func(was, is bool) bool { return is && !was })
	if c.NoLonger == nil && c.Now == nil {
		c.NotFound = cmp.Or(why1, why2)
	}
}

// find looks for an order to which the rule applies by the condition yes and not by no. It says nothing where there is none.
func (d *diffing) find(h, g *head, yes, no *logic.Tree, differ func(was, is bool) bool) (map[string]string, string) {
	t := logic.All(yes, logic.Negate(no))
	v, w := d.now.solver.Solve(t)
	if v == logic.Impossible {
		return nil, ""
	}
	bases := []map[string]string{}
	if v != logic.TooLarge {
		bases = append(bases, readable(w.Values))
	}
	bases = append(bases, map[string]string{})
	s := &search{work: &d.now.work, stop: d.now.stop, cost: d.old.cost + d.now.cost, fee: d.now.b.usualFee(), see: func(w map[string]string) string {
		before, err1 := d.old.b.attempt(w, h.phase)
		after, err2 := d.now.b.attempt(w, g.phase)
		if err1 != nil || err2 != nil || before.clouded(h) || after.clouded(g) {
			return ""
		}
		was, is := before.told(h, true), after.told(g, true)
		sides := ""
		for _, o := range slices.Concat(slices.Collect(maps.Keys(was)), slices.Collect(maps.Keys(is))) {
			if differ(was[o], is[o]) {
				return found
			}
			sides = max(sides, fmt.Sprint(was[o], is[o]))
		}
		return sides
	}}
	if w := s.run(bases, func() []variable {
		return merged(d.old.variables([]*head{h}), d.now.variables([]*head{g}))
	}, false); w != nil {
		return w, ""
	}
	return nil, s.why(w.Open) + s.looked()
}

// clouded reports whether something failed, so that the order shows nothing of a rule. The rule itself may fail: then it does not apply, but in
// exclude and guard, where what fails acts.
func (t *trial) clouded(h *head) bool {
	return slices.ContainsFunc(t.d.Faults, func(f Fault) bool {
		return f.Rule != h.name || h.phase == "exclude" || h.phase == "guard"
	})
}

// merged are the fields of two lists, with the values of both.
func merged(a, b []variable) []variable {
	for _, v := range b {
		i := slices.IndexFunc(a, func(x variable) bool { return x.path == v.path })
		if i < 0 {
			a = append(a, v)
			continue
		}
		a[i].values = append(a[i].values, v.values...)
		a[i].numbers = append(slices.Clone(a[i].numbers), v.numbers...)
		slices.SortFunc(a[i].numbers, (*big.Rat).Cmp)
	}
	return a
}

// means is everything that the condition of a rule names, with what that is.
func (l *linter) means(h *head) string {
	var out strings.Builder
	seen := map[string]bool{}
	var read func(f *formula.Formula)
	read = func(f *formula.Formula) {
		for _, name := range slices.Sorted(maps.Keys(f.Uses)) {
			if seen[name] {
				continue
			}
			seen[name] = true
			if list, ok := strings.CutPrefix(name, "lists."); ok {
				fmt.Fprintf(&out, "%s: %x\n", name, l.digest(list))
			}
			for _, x := range slices.Concat(l.b.orderLets, l.b.optionLets) {
				if x.name == name {
					fmt.Fprintf(&out, "%s: %s\n", name, x.formula.Source)
					read(x.formula)
				}
			}
		}
	}
	if h.when != nil {
		read(h.when)
	}
	return out.String()
}

// digest stands for the entries of a list, which may be many and are asked by many rules.
func (l *linter) digest(list string) [sha256.Size]byte {
	known, ok := l.digests[list]
	if !ok {
		known = sha256.Sum256(fmt.Appendf(nil, "%q", l.lists[list].Texts))
		l.digests[list] = known
	}
	return known
}

// sameOr is the text of a part of a file, or that of the old one where they differ in nothing but an order that decides nothing.
func sameOr(text string, old, now *yaml.Node) string {
	if old != nil && now != nil && nodeText(inOrder(old)) == nodeText(inOrder(now)) {
		return text
	}
	return nodeText(now)
}

// anyOrder are the keys of lists whose entries may stand in any order.
var anyOrder = []string{"providers", "services", "only", "on", "locations"}

// inOrder is a node with everything sorted whose order decides nothing: the keys of mappings, but not the parts of a split, which take their
// numbers of a hundred in turn; and some lists.
func inOrder(n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = nil
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			out.Content = append(out.Content, inOrder(c))
		}
		return &out
	}
	var pairs [][2]*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Value == "split": // as it stands
		case slices.Contains(anyOrder, key.Value) && value.Kind == yaml.SequenceNode:
			sorted := *value
			sorted.Content = slices.SortedFunc(slices.Values(value.Content), func(a, b *yaml.Node) int { return strings.Compare(a.Value, b.Value) })
			value = &sorted
		default:
			value = inOrder(value)
		}
		pairs = append(pairs, [2]*yaml.Node{key, value})
	}
	slices.SortStableFunc(pairs, func(a, b [2]*yaml.Node) int { return strings.Compare(a[0].Value, b[0].Value) })
	for _, p := range pairs {
		out.Content = append(out.Content, p[0], p[1])
	}
	return &out
}

// nodeText is a part of a file as text that does not depend on how it was laid out.
func nodeText(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	plain := bare(n)
	text, err := yaml.Marshal(plain)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// bare is a node without comments and styles.
func bare(n *yaml.Node) *yaml.Node {
	made := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	if n.Kind == yaml.ScalarNode {
		made.Value = strings.TrimSpace(n.Value)
	}
	for _, c := range n.Content {
		made.Content = append(made.Content, bare(c))
	}
	return made
}
