package rules

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// Change is one difference between two bundles.
type Change struct {
	Kind string `json:"kind"` // added, removed, changed
	What string `json:"what"` // a phase, or let, list, rank, none
	Name string `json:"name,omitempty"`
	At   string `json:"at,omitempty"` // location or tag of a patched form
	// Position is where the rule stands: in the new bundle, in the old one where it was removed. Nil for what is no rule.
	Position *Position `json:"position,omitempty"`
	Old      string    `json:"old,omitempty"`
	New      string    `json:"new,omitempty"`
	// NoLonger is an order to which the rule applied and does not apply any more, Now one to which it did not and does; as members of
	// `with:` in a test. Nil where there is none, or none that can be shown.
	NoLonger map[string]string `json:"no_longer,omitempty"`
	Now      map[string]string `json:"now,omitempty"`
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
// change in the rule itself or in what it names.
func Diff(a, b *Bundle) []Change {
	changes := append(diffRules(a, b), diffNames(a, b)...)
	for _, x := range []struct{ what, old, now string }{{"rank", a.rankText, b.rankText}, {"none", a.noneText, b.noneText}} {
		changes = appendChange(changes, Change{What: x.what, Old: x.old, New: x.now})
	}
	return changes
}

// appendChange says what kind of change it is, and leaves out what is none.
func appendChange(list []Change, c Change) []Change {
	switch {
	case c.Old == c.New && c.NoLonger == nil && c.Now == nil:
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

func diffRules(a, b *Bundle) []Change {
	old, now := &linter{b: a, trees: map[*head]*logic.Tree{}}, &linter{b: b, trees: map[*head]*logic.Tree{}}
	old.prepare()
	now.prepare()
	find := func(list []*head, h *head) *head {
		i := slices.IndexFunc(list, func(x *head) bool { return x.phase == h.phase && x.name == h.name && x.at == h.at })
		if i < 0 {
			return nil
		}
		return list[i]
	}
	before, after := a.heads(), b.heads()
	var changes []Change
	for _, h := range before {
		c := Change{What: h.phase, Name: h.name, At: h.at, Old: nodeText(h.node), Position: h.position()}
		if g := find(after, h); g != nil {
			c.New, c.Position = nodeText(g.node), g.position()
			x, y := old.scoped(h, old.scopeOf(h)), now.scoped(g, now.scopeOf(g))
			if v, w := logic.Solve(logic.All(x, logic.Negate(y)), now.domains); v == logic.Possible {
				c.NoLonger = readable(w)
			}
			if v, w := logic.Solve(logic.All(y, logic.Negate(x)), now.domains); v == logic.Possible {
				c.Now = readable(w)
			}
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

// diffNames compares what rules name: lets and lists.
func diffNames(a, b *Bundle) []Change {
	var changes []Change
	lets := func(b *Bundle) map[string]string {
		out := map[string]string{}
		for _, list := range [][]let{b.orderLets, b.optionLets} {
			for _, x := range list {
				out[x.name] = strings.TrimSpace(x.formula.Source)
			}
		}
		return out
	}
	lists := func(b *Bundle) map[string]string {
		out := map[string]string{}
		for name, l := range b.lists {
			out[name] = strings.Join(slices.Sorted(maps.Keys(l.Set)), ", ") + " "
		}
		return out
	}
	for what, of := range map[string]func(*Bundle) map[string]string{"let": lets, "list": lists} {
		old, now := of(a), of(b)
		names := map[string]bool{}
		for name := range old {
			names[name] = true
		}
		for name := range now {
			names[name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			changes = appendChange(changes, Change{What: what, Name: name, Old: old[name], New: now[name]})
		}
	}
	slices.SortStableFunc(changes, func(x, y Change) int { return strings.Compare(x.What, y.What) })
	return changes
}

// nodeText is a part of a file as text that does not depend on how it was laid out.
func nodeText(n *yaml.Node) string {
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
