package logic

// outcome is when a part is computed to true and when to false; of one that never fails, one is the opposite of the other.
type outcome struct {
	yes, no *Tree
	fails   bool // it may
}

// Exact gives when a tree is computed to true, and when to false. Neither holds where the computation fails: it goes from left to right, ends
// where the result is clear, and fails with the first part that does, which Sure of a leaf tells. Without such a leaf yes is the tree itself.
func (t *Tree) Exact() (yes, no *Tree) {
	o := exact(t, map[*Tree]outcome{})
	return o.yes, o.no
}

// MayFail reports whether some part of a tree may fail.
func (t *Tree) MayFail() bool {
	fails := false
	t.Each(func(t *Tree) { fails = fails || t.Sure != nil })
	return fails
}

func exact(t *Tree, done map[*Tree]outcome) outcome {
	if t == nil {
		return outcome{yes: nil, no: Negate(nil)}
	}
	if known, ok := done[t]; ok {
		return known
	}
	o := outcome{yes: t, no: Negate(t)}
	switch {
	case t.Op == Not:
		if k := exact(t.Kids[0], done); k.fails {
			o = outcome{k.no, k.yes, true}
		}
	case t.Op == And || t.Op == Or:
		o = chain(t, o, done)
	case t.Sure != nil:
		bare := *t
		bare.Sure = nil
		o = outcome{All(t.Sure, &bare), All(t.Sure, Negate(&bare)), true}
	}
	done[t] = o
	return o
}

// chain is exact of an and or an or; plain is its outcome where no part of it may fail. What ends an and is a part that is false, and what
// ends an or one that is true: the parts behind it are computed only where those before it have been, to the other.
func chain(t *Tree, plain outcome, done map[*Tree]outcome) outcome {
	var goesOn []*Tree
	var ends *Tree
	fails := false
	for i := len(t.Kids) - 1; i >= 0; i-- {
		k := exact(t.Kids[i], done)
		on, end := k.yes, k.no
		if t.Op == Or {
			on, end = end, on
		}
		goesOn = append(goesOn, on)
		switch {
		case ends == nil:
			ends = end
		case k.fails:
			ends = Any(end, All(on, ends))
		default:
			ends = Any(end, ends)
		}
		fails = fails || k.fails
	}
	if !fails {
		return plain
	}
	if t.Op == Or {
		return outcome{ends, All(goesOn...), true}
	}
	return outcome{All(goesOn...), ends, true}
}
