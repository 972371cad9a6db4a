package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// matrix is what a test varies. Values are told apart by what they mean to the rules, so that 61 lb and 61.0 lb are one.
type matrix struct {
	*suiteReader
	node    *yaml.Node
	axes    []axis
	meaning map[*yaml.Node]string // of the values that can be read, those of the axes and those of when:
	reached map[*yaml.Node]bool   // branches that some combination came to
	missed  []string              // combinations that no branch speaks of
}

// axis is one member of a matrix with its values.
type axis struct {
	pair
	values []*yaml.Node
}

// matrix reads the lists of a matrix; n is nil where a test has none.
func (r *suiteReader) matrix(n *yaml.Node) *matrix {
	m := &matrix{suiteReader: r, node: n, meaning: map[*yaml.Node]string{}, reached: map[*yaml.Node]bool{}}
	if n == nil {
		return m
	}
	for _, p := range r.mapping(n, "matrix", nil) {
		values := r.items(p.value, "matrix of "+p.key)
		if len(values) == 0 && p.value.Kind == yaml.SequenceNode {
			r.fault(p.value, "E502", fmt.Sprintf("the matrix has no value of %s, so the test would never run", p.key), "give one at least, or leave "+p.key+" out")
		}
		m.axes = append(m.axes, axis{p, values})
	}
	return m
}

// read finds out what the values of the matrix mean, and refuses a when: that none of them can be.
func (m *matrix) read(at setting, branches []expectation) {
	if !slices.ContainsFunc(branches, func(e expectation) bool { return len(e.when) > 0 }) {
		return
	}
	at.location = nil // it takes part in no comparison
	if _, problems := m.mean(at, "", nil); len(problems) > 0 {
		at.now = nil // told where the test itself is read
	}
	known := map[string]map[string]bool{} // what an axis has; nil where some of it cannot be read
	for _, a := range m.axes {
		has := map[string]bool{}
		for _, v := range a.values {
			meaning, problems := m.mean(at, a.key, v)
			if m.meaning[v] = meaning; len(problems) > 0 {
				has = nil
				break
			}
			has[meaning] = true
		}
		known[a.key] = has
	}
	for _, e := range branches {
		for _, cond := range e.when {
			m.condition(at, cond, known)
		}
	}
}

// condition reads one member of a when:.
func (m *matrix) condition(at setting, cond pair, known map[string]map[string]bool) {
	i := slices.IndexFunc(m.axes, func(a axis) bool { return a.key == cond.key })
	if i < 0 {
		var keys []string
		for _, a := range m.axes {
			keys = append(keys, a.key)
		}
		if len(keys) == 0 {
			m.fault(cond.node, "E109", fmt.Sprintf("when: asks for %s, and the test has no matrix", cond.key), "add matrix: { order.weight: [ 60 lb, 61 lb ] }, or expect it without when:")
			return
		}
		m.guess(cond.node, "E109", fmt.Sprintf("when: asks for %s, which the matrix does not have", cond.key), keys)
		return
	}
	meaning, problems := m.mean(at, cond.key, cond.value)
	for _, p := range problems {
		m.report(p)
	}
	m.meaning[cond.value] = meaning
	if has := known[cond.key]; len(problems) == 0 && len(has) > 0 && !has[meaning] {
		m.fault(cond.value, "E505", fmt.Sprintf("the matrix has no such value of %s", cond.key), "it has: "+m.axes[i].words())
	}
}

// words lists the values of an axis for people.
func (a axis) words() string {
	const most = 12
	var out []string
	for _, v := range a.values {
		out = append(out, v.Value)
	}
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("and %d more", len(out)-most))
	}
	return strings.Join(out, ", ")
}

// mean is what a member comes to in the facts that rules see, with everything that is wrong with it. Two values that come to the same facts are the same.
func (m *matrix) mean(at setting, path string, n *yaml.Node) (string, []Problem) {
	var problems []Problem
	scratch := *m.source
	scratch.found = &problems
	with := values{}
	if n != nil {
		with[path] = n
	}
	var c testCase
	r := &suiteReader{source: &scratch, suite: m.suite, bundle: m.bundle}
	r.fill(&c, at, nil, with)
	facts, err := json.Marshal(struct {
		Input Input
		Down  map[string]bool
	}{c.input, c.down})
	if err != nil && n != nil && len(problems) == 0 {
		r.fault(n, "E505", path+" cannot be compared", "")
	}
	return string(facts), problems
}

// combinations is the product of the lists; one empty combination where there is no matrix.
func (m *matrix) combinations() [][]pair {
	out := [][]pair{nil}
	for _, a := range m.axes {
		var next [][]pair
		for _, v := range a.values {
			for _, before := range out {
				next = append(next, append(slices.Clone(before), pair{a.key, a.node, v}))
			}
			if len(next) > maxCases {
				m.fault(m.node, "E401", fmt.Sprintf("the matrix has more than %d combinations", maxCases), "")
				return nil
			}
		}
		out = next
	}
	return out
}

// choose keeps the expectations that speak of one combination, and names the test after it.
func (m *matrix) choose(name string, branches []expectation, combination []pair) (string, []expectation) {
	meaning := map[string]string{}
	values := ""
	if len(combination) > 0 {
		var parts []string
		for _, p := range combination {
			parts = append(parts, p.key+"="+p.value.Value)
			meaning[p.key] = m.meaning[p.value]
		}
		values = "[" + strings.Join(parts, " ") + "]"
		name += " " + values
	}
	var kept []expectation
	matched := false
	for _, e := range branches {
		fits := true
		for _, cond := range e.when {
			fits = fits && m.meaning[cond.value] == meaning[cond.key]
		}
		if e.otherwise {
			fits = !matched
		} else if len(e.when) > 0 {
			matched = matched || fits
		}
		if fits {
			kept = append(kept, e)
			m.reached[e.node] = true
		}
	}
	if len(kept) == 0 {
		m.missed = append(m.missed, values)
	}
	return name, kept
}

// unseen refuses a test in which a branch or a combination would not be looked at. expect is where its branches stand.
func (m *matrix) unseen(expect *yaml.Node, branches []expectation) {
	m.unreached(branches)
	if len(m.missed) == 0 {
		return
	}
	const most = 3
	named := m.missed
	if len(named) > most {
		named = append(slices.Clone(named[:most]), fmt.Sprintf("%d more", len(named)-most))
	}
	m.fault(expect, "E505", "no branch of expect: speaks of "+strings.Join(named, ", ")+", so nothing of it is looked at",
		"say what must come of the rest with { else: true, … }, or { else: true, anything: true } where anything may")
}

// unreached refuses branches that no combination came to: what they expect is never looked at.
func (m *matrix) unreached(branches []expectation) {
	for _, e := range branches {
		if !m.reached[e.node] {
			m.fault(e.node, "E505", "no combination of the matrix comes to this branch, so nothing of it is looked at", "the branches before it take them all")
		}
	}
}
