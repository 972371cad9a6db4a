package formula

import (
	"sync"

	"github.com/expr-lang/expr/vm"

	"github.com/waybill-dev/waybill/rules/trace"
)

// Machine evaluates formulas over a set of values. It serves one goroutine and is given back with Release.
type Machine struct {
	Vars map[string]any
	// Let computes what a name stands for that is none of Vars, each time that an expression comes to it.
	Let func(name string) (any, error)
	// Former computes as expressions did before they failed for it: what divides a number by zero is infinite, or no number, and going through a
	// text takes no steps.
	Former bool

	vms   []*vm.VM // by how deep an expression stands in others that have come to it by name
	deep  int
	room  trace.Room
	steps int
	total int
	read  bool // texts have taken some of the steps
}

var machines = sync.Pool{New: func() any { return &Machine{Vars: make(map[string]any, 32)} }}

// NewMachine returns a machine without values.
func NewMachine() *Machine {
	m := machines.Get().(*Machine)
	m.total, m.read = 0, false
	m.Vars[fuelVar] = m
	return m
}

// Release gives the machine back for others to use.
func (m *Machine) Release() {
	clear(m.Vars)
	m.Let, m.Former = nil, false
	m.room.Clear()
	machines.Put(m)
}

// Eval computes f over the machine's values. Let may call it for an expression that another one has come to: each has steps of its own.
func (m *Machine) Eval(f *Formula) (any, error) {
	if m.deep == len(m.vms) {
		m.vms = append(m.vms, &vm.VM{})
	}
	machine, steps := m.vms[m.deep], m.steps
	m.deep, m.steps = m.deep+1, 0
	machine.MemoryBudget = maxMemory
	v, err := machine.Run(f.program, m.Vars)
	m.deep, m.steps = m.deep-1, steps
	if err != nil {
		*machine = vm.VM{} // it may have left anything behind
		return nil, failure(err)
	}
	return v, nil
}

// Run computes a twin over the machine's values. The tree is good until the next run of the machine.
func (m *Machine) Run(twin *trace.Program) *trace.Tree {
	m.steps = 0
	t := twin.RunIn(&m.room, m.Vars)
	if t.Err != nil {
		t.Err = failure(t.Err)
	}
	return t
}
