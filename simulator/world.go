package simulator

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"
)

// ErrExists says that the carrier already knows an entity by this id.
var ErrExists = errors.New("the carrier already has an entity of this id")

// DefaultMaxEntities bounds a world that was not told otherwise.
const DefaultMaxEntities = 100_000

// World is the one place of the simulator's state. Everything that changes it
// goes through Do, one transaction at a time.
type World struct {
	clock  Clock
	seed   uint64
	ledger *Ledger
	limit  int

	mu       sync.Mutex
	dialects map[string]Dialect
	machines map[string]Machine
	byID     map[key]*Entity
	byRef    map[key][]*Entity
	newest   *Entity
	count    int
	finished []*Entity // oldest first: what may be forgotten when the world is full
	events   eventHeap
	seq      uint64
	tokens   map[key]Token
	minted   map[key]int
	due      []*Push
	wake     chan struct{} // holds one token when the loop should look again

	memory  *Memory   // nil: the world ends with the process
	touched []*Entity // by the present transaction
	pending line      // what else it has changed
}

// key names a thing of a carrier's.
type key struct {
	Carrier string `json:"carrier"`
	ID      string `json:"id"`
}

// NewWorld returns an empty world. maxEntities bounds its memory: beyond it
// the entities that finished longest ago are forgotten; those still under way
// never are. Zero means DefaultMaxEntities.
func NewWorld(clock Clock, seed uint64, ledger *Ledger, maxEntities int) *World {
	if maxEntities <= 0 {
		maxEntities = DefaultMaxEntities
	}
	return &World{
		clock: clock, seed: seed, ledger: ledger, limit: maxEntities,
		dialects: map[string]Dialect{}, machines: map[string]Machine{},
		byID: map[key]*Entity{}, byRef: map[key][]*Entity{},
		tokens: map[key]Token{}, minted: map[key]int{},
		wake: make(chan struct{}, 1),
	}
}

// Join lets a dialect's entities live in this world.
func (w *World) Join(d Dialect) error {
	m := d.Machine()
	if err := m.Check(); err != nil {
		return fmt.Errorf("dialect %s: %w", d.Name(), err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.dialects[d.Name()]; ok {
		return fmt.Errorf("dialect %s is given twice", d.Name())
	}
	w.dialects[d.Name()], w.machines[d.Name()] = d, m
	return nil
}

// Now is the world's time.
func (w *World) Now() time.Time { return w.clock.Now() }

// CallerTimes are the instants that a caller may honestly take for now: the
// world's, and wall time where the world's clock has run at another speed. A
// dialect judges by them what a caller has signed with its own clock.
func (w *World) CallerTimes() []time.Time {
	times := []time.Time{w.clock.Now()}
	if c, ok := w.clock.(*RealClock); ok {
		if wall := c.wallNow(); wall.Sub(times[0]).Abs() > time.Second {
			times = append(times, wall)
		}
	}
	return times
}

// Ledger is what the carriers believe.
func (w *World) Ledger() *Ledger { return w.ledger }

// Do runs f as one transaction at the world's present time, after everything
// that was due by then, so that no timeline goes back. Nothing else changes or
// reads the world meanwhile: f must be short, must not wait, and must not call
// Do.
func (w *World) Do(f func(tx *Tx)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	for w.runOne(now) {
	}
	f(&Tx{w: w, now: now})
	w.remember(now)
}

// Token returns the unexpired token of this value.
func (w *World) Token(carrier, value string) (Token, bool) {
	now := w.clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	t, ok := w.tokens[key{carrier, value}]
	return t, ok && t.Expires.After(now)
}

// RunDue carries out every event whose time has come and returns their number.
// Pushes that became due are collected for TakePushes.
func (w *World) RunDue(now time.Time) int {
	for n := 0; ; n++ {
		w.mu.Lock()
		ran := w.runOne(now)
		w.mu.Unlock()
		if !ran {
			return n
		}
	}
}

// runOne carries out the first event if its time has come. The lock is held.
func (w *World) runOne(now time.Time) bool {
	ev := w.events.due(now)
	if ev == nil {
		return false
	}
	ev.run(&Tx{w: w, now: ev.at})
	w.remember(ev.at)
	return true
}

// NextDue returns the time of the next event; false when there is none.
func (w *World) NextDue() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		return time.Time{}, false
	}
	return w.events[0].at, true
}

// TakePushes returns the pushes that have become due since it was last called,
// in the order in which the carriers would send them.
func (w *World) TakePushes() []*Push {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.due
	w.due = nil
	return taken
}

func (w *World) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Tx is one transaction of a world. It is valid only until the function it was
// given to returns.
type Tx struct {
	w   *World
	now time.Time
}

// Now is the time of the transaction: of the request, or of the event that is
// carried out.
func (tx *Tx) Now() time.Time { return tx.now }

// Rand returns the random stream of one purpose of one entity.
func (tx *Tx) Rand(carrier, entity, purpose string) *rand.Rand {
	return Stream(tx.w.seed, carrier, entity, purpose)
}

// Machine returns the states of a carrier's entities.
func (tx *Tx) Machine(carrier string) Machine { return tx.w.machines[carrier] }

// Add puts a new entity into the world, in the state that it has. It returns
// ErrExists when the carrier knows the id, as an id or as an alias.
func (tx *Tx) Add(e *Entity, cause string) error {
	if tx.Find(e.Carrier, e.ID) != nil {
		return fmt.Errorf("%s %s: %w", e.Carrier, e.ID, ErrExists)
	}
	tx.makeRoom()
	e.Created, e.Updated = tx.now, tx.now
	e.Timeline = append(e.Timeline, Moment{At: tx.now, State: e.State, Cause: cause})
	tx.Touch(e)
	return tx.enter(e)
}

// enter puts an entity into the indexes.
func (tx *Tx) enter(e *Entity) error {
	k := key{e.Carrier, e.ID}
	if _, ok := tx.w.byID[k]; ok {
		return fmt.Errorf("%s %s: %w", e.Carrier, e.ID, ErrExists)
	}
	tx.w.byID[k] = e
	if e.Reference != "" {
		ref := key{e.Carrier, e.Reference}
		tx.w.byRef[ref] = append(tx.w.byRef[ref], e)
	}
	if e.older = tx.w.newest; e.older != nil {
		e.older.newer = e
	}
	tx.w.newest = e
	tx.w.count++
	if tx.Machine(e.Carrier).Final(e.State) {
		tx.w.finished = append(tx.w.finished, e)
	}
	return nil
}

// Alias makes the entity known by one more id, such as a package's number.
func (tx *Tx) Alias(e *Entity, id string) error {
	k := key{e.Carrier, id}
	if known, ok := tx.w.byID[k]; ok {
		if known == e {
			return nil
		}
		return fmt.Errorf("%s %s: %w", e.Carrier, id, ErrExists)
	}
	tx.w.byID[k] = e
	e.aliases = append(e.aliases, id)
	tx.Touch(e)
	return nil
}

// Find returns the entity that a carrier knows by an id or alias, or nil.
func (tx *Tx) Find(carrier, id string) *Entity { return tx.w.byID[key{carrier, id}] }

// ByReference returns a carrier's entities of one reference, oldest first.
func (tx *Tx) ByReference(carrier, reference string) []*Entity {
	return slices.Clone(tx.w.byRef[key{carrier, reference}])
}

// Each calls f for every entity, newest first, until it returns false.
func (tx *Tx) Each(f func(e *Entity) bool) {
	for e := tx.w.newest; e != nil && f(e); e = e.older {
	}
}

// Move takes an entity into another state, if that is a legal next one, and
// lets its dialect react. The error is an *IllegalMove.
//
// An entity that was going to pass through that state by itself goes on from
// there, all of its remaining legs earlier or later by the same difference; a
// move that its plan does not know ends the plan.
func (tx *Tx) Move(e *Entity, to State, cause string) error { return tx.MoveFor(e, to, cause, "") }

// MoveFor is Move with the carrier's own reason for it, which the dialect
// finds in the last moment of the timeline.
func (tx *Tx) MoveFor(e *Entity, to State, cause, reason string) error {
	m := tx.Machine(e.Carrier)
	if !m.Legal(e.State, to) {
		return &IllegalMove{Carrier: e.Carrier, ID: e.ID, From: e.State, To: to, Legal: m.Next[e.State]}
	}
	from := e.State
	tx.Touch(e)
	e.State, e.Updated = to, tx.now
	e.Timeline = append(e.Timeline, Moment{At: tx.now, State: to, Cause: cause, Reason: reason})
	if len(e.plan) > 0 {
		tx.replan(e, to)
	}
	if m.Final(to) {
		tx.w.finished = append(tx.w.finished, e)
	}
	if d := tx.w.dialects[e.Carrier]; d != nil {
		d.Entered(tx, e, from)
	}
	return nil
}

func (tx *Tx) replan(e *Entity, reached State) {
	i := slices.IndexFunc(e.plan, func(l Leg) bool { return l.To == reached })
	if i < 0 {
		tx.Follow(e, nil)
		return
	}
	shift := tx.now.Sub(e.plan[i].At)
	rest := slices.Clone(e.plan[i+1:])
	for j := range rest {
		rest[j].At = rest[j].At.Add(shift)
	}
	tx.Follow(e, rest)
}

// Follow replaces what an entity will do by itself. A leg that is not legal
// when its time comes ends the plan.
func (tx *Tx) Follow(e *Entity, legs []Leg) {
	e.plan = legs
	e.planned++
	tx.Touch(e)
	if len(legs) == 0 {
		return
	}
	plan := e.planned
	tx.At(e, legs[0].At, func(tx *Tx) {
		if e.planned != plan {
			return
		}
		if err := tx.Move(e, e.plan[0].To, "profile"); err != nil {
			tx.Follow(e, nil)
		}
	})
}

// At has f called at a time, or at once after the present transaction when
// that time has passed. Nothing is called for an entity that was forgotten.
// e may be nil for an event of the world itself.
func (tx *Tx) At(e *Entity, at time.Time, f func(tx *Tx)) {
	if e == nil {
		tx.schedule("", at, f)
		return
	}
	tx.schedule(e.Carrier+"/"+e.ID, at, func(tx *Tx) {
		if !e.gone {
			f(tx)
		}
	})
}

func (tx *Tx) schedule(name string, at time.Time, run func(tx *Tx)) {
	if at.Before(tx.now) {
		at = tx.now
	}
	tx.w.seq++
	if tx.w.events.schedule(&event{at: at, key: name, seq: tx.w.seq, run: run}) {
		tx.w.signal()
	}
}

// Record appends to the ledger, at the transaction's time.
func (tx *Tx) Record(rec Record) {
	rec.At = tx.now
	rec = tx.w.ledger.append(rec)
	if tx.w.memory != nil {
		tx.w.pending.Ledger = append(tx.w.pending.Ledger, rec)
	}
}

// RecordOf appends to the ledger what concerns an entity.
func (tx *Tx) RecordOf(e *Entity, kind Kind, amount int64, currency, detail string) {
	tx.Touch(e)
	tx.Record(Record{Carrier: e.Carrier, Kind: kind, Entity: e.ID, Reference: e.Reference, Account: e.Account,
		Amount: amount, Currency: currency, Detail: detail})
}

// Mint hands out an access token for a credential and enters it in the ledger.
// The value is 48 hexadecimal digits that depend on nothing but the seed, the
// holder and how many that holder had before.
func (tx *Tx) Mint(carrier, holder string, ttl time.Duration) Token {
	of := key{carrier, holder}
	tx.w.minted[of]++
	r := Stream(tx.w.seed, carrier, holder, "token "+strconv.Itoa(tx.w.minted[of]))
	var raw [24]byte
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	t := Token{Value: hex.EncodeToString(raw[:]), Carrier: carrier, Holder: holder, Expires: tx.now.Add(ttl)}
	tx.keepToken(t)
	if tx.w.memory != nil {
		tx.w.pending.Tokens = append(tx.w.pending.Tokens, keptToken{t, tx.w.minted[of]})
	}
	tx.Record(Record{Carrier: carrier, Kind: Issued, Account: holder, Detail: "expires " + t.Expires.Format(time.RFC3339)})
	return t
}

// keepToken makes a token good until it expires.
func (tx *Tx) keepToken(t Token) {
	at := key{t.Carrier, t.Value}
	tx.w.tokens[at] = t
	tx.At(nil, t.Expires, func(tx *Tx) { delete(tx.w.tokens, at) })
}

// Push has a message sent to the merchant at p.At, or at once when that has
// passed.
func (tx *Tx) Push(e *Entity, p Push) {
	p.Carrier, p.Entity, p.Reference, p.Account = e.Carrier, e.ID, e.Reference, e.Account
	tx.send(&p, p.At)
}

func (tx *Tx) send(p *Push, at time.Time) {
	tx.schedule(p.Carrier+"/"+p.Entity, at, func(tx *Tx) {
		tx.w.due = append(tx.w.due, p)
		tx.w.signal() // the event may have been carried out by a request
	})
}

// makeRoom forgets the entities that finished longest ago while the world is
// full.
func (tx *Tx) makeRoom() {
	for tx.w.count >= tx.w.limit && len(tx.w.finished) > 0 {
		e := tx.w.finished[0]
		tx.w.finished[0] = nil
		tx.w.finished = tx.w.finished[1:]
		tx.forget(e)
	}
}

func (tx *Tx) forget(e *Entity) {
	e.gone = true
	if tx.w.memory != nil {
		tx.w.pending.Gone = append(tx.w.pending.Gone, key{e.Carrier, e.ID})
	}
	delete(tx.w.byID, key{e.Carrier, e.ID})
	for _, id := range e.aliases {
		delete(tx.w.byID, key{e.Carrier, id})
	}
	ref := key{e.Carrier, e.Reference}
	if rest := slices.DeleteFunc(tx.w.byRef[ref], func(o *Entity) bool { return o == e }); len(rest) > 0 {
		tx.w.byRef[ref] = rest
	} else {
		delete(tx.w.byRef, ref)
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		tx.w.newest = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	}
	e.older, e.newer = nil, nil
	tx.w.count--
}
