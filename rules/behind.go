package rules

import (
	"slices"
)

// behind lists, sorted, what is behind the difference of two decisions about one order: the rules whose effect on what was chosen differs,
// and "rank.score" or "rank.ties" where the ranking is by something else. What only follows from another choice, a warning or a guard of the new
// leader, counts where nothing else differs.
func behind(old, now *Decision) []string {
	c := &comparing{old: old, now: now}
	c.held()
	c.excluded(old, now)
	c.excluded(now, old)
	c.set()
	c.adjusted()
	c.ranked()
	c.chosen()
	c.guarded(old, now)
	c.guarded(now, old)
	if len(c.found) == 0 {
		c.values()
	}
	if len(c.found) == 0 {
		return differing(old.Hits(), now.Hits())
	}
	slices.Sort(c.found)
	return slices.Compact(c.found)
}

type comparing struct {
	old, now *Decision
	found    []string
}

func (c *comparing) add(rule string) { c.found = append(c.found, rule) }

func (c *comparing) held() {
	a, b := c.old.Plan.Hold, c.now.Plan.Hold
	if a != nil && b != nil && a.Rule == b.Rule {
		return
	}
	for _, h := range []*Hold{a, b} {
		if h != nil {
			c.add(h.Rule)
		}
	}
}

// excluded takes the rules that exclude in one decision what is not excluded in the other. That one was held says nothing of its exclusions.
func (c *comparing) excluded(one, other *Decision) {
	if other.Plan.Hold != nil {
		return
	}
	for _, x := range one.Excluded {
		if x.Phase != PhaseExclude && x.Phase != PhaseChoose {
			continue
		}
		if !slices.ContainsFunc(other.Excluded, func(y Exclusion) bool {
			return y.Account == x.Account && (y.Service == "" || y.Service == x.Service)
		}) {
			c.add(x.Rule)
		}
	}
}

// set takes the rules whose value of an attribute holds in one decision only, of the attributes that the rules after them look at. That one was
// held before its rules of set ran says nothing of them.
func (c *comparing) set() {
	if c.old.Plan.Hold != nil || c.now.Plan.Hold != nil {
		return
	}
	a, b := lasting(c.old), lasting(c.now)
	for _, sides := range [][2][]Assignment{{a, b}, {b, a}} {
		for _, x := range sides[0] {
			if !slices.ContainsFunc(sides[1], func(y Assignment) bool { return y.Attribute == x.Attribute && y.Value == x.Value }) {
				c.add(x.Rule)
			}
		}
	}
}

func lasting(d *Decision) []Assignment {
	return slices.DeleteFunc(slices.Clone(d.Plan.Set.By), func(a Assignment) bool {
		return a.OverwrittenBy != "" || !slices.Contains([]string{"signature", "tip", "vehicle", "ship_at", "weight"}, a.Attribute)
	})
}

// both calls see with each offer that neither decision took out before it was ranked.
func (c *comparing) both(see func(a, b *Option)) {
	for i := range c.old.Options {
		a := &c.old.Options[i]
		for j := range c.now.Options {
			if b := &c.now.Options[j]; a.is(b) && c.old.wasRanked(a) && c.now.wasRanked(b) {
				see(a, b)
			}
		}
	}
}

func (o *Option) is(other *Option) bool {
	return o.Account == other.Account && o.Service == other.Service && o.ID == other.ID
}

func (d *Decision) wasRanked(o *Option) bool {
	return !o.Excluded || slices.ContainsFunc(d.Excluded, func(x Exclusion) bool { return late(x, o) })
}

// adjusted takes the rules that add something else to an offer, or charge something else for it.
func (c *comparing) adjusted() {
	c.both(func(a, b *Option) {
		old, now := c.old.adjustmentsOf(a), c.now.adjustmentsOf(b)
		for _, sides := range [][2][]Adjustment{{old, now}, {now, old}} {
			for _, x := range sides[0] {
				if !slices.ContainsFunc(sides[1], func(y Adjustment) bool { return y.Rule == x.Rule && y.Add == x.Add && y.Charge == x.Charge }) {
					c.add(x.Rule)
				}
			}
		}
	})
}

func (d *Decision) adjustmentsOf(o *Option) []Adjustment {
	return slices.DeleteFunc(slices.Clone(d.Adjusted), func(a Adjustment) bool {
		return a.Account != o.Account || a.Service != o.Service || a.ID != o.ID
	})
}

// ranked takes the score where it is another sum.
func (c *comparing) ranked() {
	if len(c.old.ScoreTerms) > 0 && len(c.now.ScoreTerms) > 0 && !slices.Equal(c.old.ScoreTerms, c.now.ScoreTerms) {
		c.add("rank.score")
	}
}

// values takes score and ties where they come to something else for the same offer, by a name that they use or by what they are compared with.
func (c *comparing) values() {
	c.both(func(a, b *Option) {
		if (a.Score == nil) != (b.Score == nil) || a.Score != nil && *a.Score != *b.Score {
			c.add("rank.score")
		} else if !slices.Equal(a.Ties, b.Ties) {
			c.add("rank.ties")
		}
	})
}

// chosen takes the rules of choose where another one spoke, or where the same one put another offer first of those that both decisions had.
func (c *comparing) chosen() {
	a, b := c.old.Choose, c.now.Choose
	if a == nil && b == nil || c.old.Plan.Hold != nil || c.now.Plan.Hold != nil {
		return
	}
	if a != nil && b != nil && a.Rule == b.Rule && a.Kind == b.Kind && a.Arm == b.Arm {
		if (c.old.turned() || c.now.turned()) && c.otherLeader() {
			c.add(a.Rule)
		}
		return
	}
	for _, d := range []*Decision{c.old, c.now} {
		if x := d.Choose; x != nil && (d.turned() || x.Kind == "only" || a != nil && b != nil) {
			c.add(x.Rule)
		}
	}
}

// otherLeader reports whether accounts lead that both decisions could have put first.
func (c *comparing) otherLeader() bool {
	was, is := c.old.leader(), c.now.leader()
	if was == nil || is == nil || was.Account == is.Account {
		return false
	}
	n := 0
	c.both(func(a, b *Option) {
		if (a.is(was) || b.is(is)) && !a.Excluded && !b.Excluded {
			n++
		}
	})
	return n == 2
}

// leader is the offer that the ranking put first, nil where there is none.
func (d *Decision) leader() *Option {
	for i := range d.Options {
		if d.Options[i].Rank == 1 {
			return &d.Options[i]
		}
	}
	return nil
}

// guarded takes the guards that stopped an offer in one decision that leads the other.
func (c *comparing) guarded(one, other *Decision) {
	leads := other.leader()
	for _, g := range one.Guards {
		if leads == nil || g.Action == "warn" || !g.of(leads) {
			continue
		}
		if !slices.ContainsFunc(other.Guards, func(x Breach) bool { return x.Guard == g.Guard && x.Action == g.Action && x.of(leads) }) {
			c.add(g.Guard)
		}
	}
}
