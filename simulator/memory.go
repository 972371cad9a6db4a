package simulator

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Keeper is what a dialect implements whose entities outlive the process: see
// [Config].Memory. Both methods are called inside a transaction.
type Keeper interface {
	// Keep returns what the dialect knows of the entity beside the entity's own
	// fields, as a value that encodes as JSON.
	Keep(e *Entity) any
	// Restore fills e.Data from what Keep has returned, and schedules what is
	// still to happen to the entity beside its plan.
	Restore(tx *Tx, e *Entity, kept []byte) error
}

// memoryFile is the file in a memory's folder.
const memoryFile = "world.jsonl"

// Memory is a world on disk: entities with what they will still do, tokens, the
// ledger, and the fault table with what it has done. Each transaction is one
// line, written before its answer leaves, so that killing the process loses
// nothing that anybody was told. A crash of the machine may: nothing is synced.
// What nobody was told of is not kept: pushes on their way, late commits that
// have not come about, the journal, and what a fault has seen since it last
// fired. A folder belongs to one process.
type Memory struct {
	mu     sync.Mutex
	file   *os.File
	err    error
	loaded *snapshot // until a world has taken it
}

// line is one line of the file: what one transaction has changed.
type line struct {
	At       time.Time         `json:"at,omitzero"`
	Ledger   []Record          `json:"ledger,omitempty"`
	Entities []keptEntity      `json:"entities,omitempty"`
	Gone     []key             `json:"gone,omitempty"`
	Tokens   []keptToken       `json:"tokens,omitempty"`
	Faults   *[]FaultView      `json:"faults,omitempty"` // the whole table
	Fired    []FaultView       `json:"fired,omitempty"`  // entries that have fired once more
	Counts   map[FaultKind]int `json:"counts,omitempty"` // all firings before this line
	Lives    int               `json:"lives,omitempty"`  // processes that the world has had
}

type keptEntity struct {
	Carrier   string         `json:"carrier"`
	ID        string         `json:"id"`
	Reference string         `json:"reference,omitzero"`
	Kind      string         `json:"kind"`
	Account   string         `json:"account,omitzero"`
	State     State          `json:"state"`
	Created   time.Time      `json:"created"`
	Updated   time.Time      `json:"updated"`
	Timeline  []Moment       `json:"timeline"`
	Plan      []Leg          `json:"plan,omitempty"`
	Aliases   []string       `json:"aliases,omitempty"`
	Data      jsontext.Value `json:"data,omitzero"`

	came int // its place in the order in which they came
}

type keptToken struct {
	Token
	Minted int `json:"minted"` // how many its holder has had, this one included
}

// OpenMemory opens the folder, makes it where it is missing, reads what is
// there and writes it anew without what later lines have replaced. A last line
// that a kill has cut is dropped: nobody was told of it.
func OpenMemory(dir string) (*Memory, error) {
	fail := func(err error) (*Memory, error) {
		return nil, fmt.Errorf("simulator: memory %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err)
	}
	path := filepath.Join(dir, memoryFile)
	snap, err := readMemory(path)
	if err != nil {
		return fail(err)
	}
	snap.lives++
	if err := writeMemory(path+".new", snap); err != nil {
		return fail(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fail(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fail(err)
	}
	return &Memory{file: file, loaded: snap}, nil
}

// Close closes the file and tells the first error that writing has met.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(m.err, m.file.Close())
}

// Err returns the first error that writing has met. From then on nothing more
// is written, and the simulator answers nothing more.
func (m *Memory) Err() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// write appends one line, in one call.
func (m *Memory) write(l *line) {
	if m == nil {
		return
	}
	b, err := json.Marshal(l)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return
	}
	if err == nil {
		_, err = m.file.Write(append(b, '\n'))
	}
	if err != nil {
		m.err = fmt.Errorf("simulator: write memory %s: %w", m.file.Name(), err)
	}
}

// snapshot is what all lines come to.
type snapshot struct {
	at       time.Time
	ledger   []Record
	entities map[key]*keptEntity
	came     int
	tokens   map[key]keptToken
	faults   []FaultView
	counts   map[FaultKind]int
	lives    int
}

func readMemory(path string) (*snapshot, error) {
	s := &snapshot{entities: map[key]*keptEntity{}, tokens: map[key]keptToken{}, counts: map[FaultKind]int{}}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<16)
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return s, nil // text was cut, or is empty
		}
		if err != nil {
			return nil, err
		}
		var l line
		if err := json.Unmarshal(bytes.TrimSuffix(text, []byte("\n")), &l); err != nil {
			return nil, fmt.Errorf("line %d cannot be read: %w; remove the folder to begin anew", n, err)
		}
		if err := s.apply(&l); err != nil {
			return nil, fmt.Errorf("line %d: %w; remove the folder to begin anew", n, err)
		}
	}
}

func (s *snapshot) apply(l *line) error {
	if l.At.After(s.at) {
		s.at = l.At
	}
	for _, rec := range l.Ledger {
		if rec.Seq != int64(len(s.ledger))+1 {
			return fmt.Errorf("ledger record %d follows %d: the file has lost or doubled lines", rec.Seq, len(s.ledger))
		}
		s.ledger = append(s.ledger, rec)
	}
	for _, e := range l.Entities {
		k := key{e.Carrier, e.ID}
		if before := s.entities[k]; before != nil {
			e.came = before.came
		} else {
			s.came++
			e.came = s.came
		}
		s.entities[k] = &e
	}
	for _, k := range l.Gone {
		delete(s.entities, k)
	}
	for _, t := range l.Tokens {
		s.tokens[key{t.Carrier, t.Value}] = t
	}
	if l.Faults != nil {
		s.faults = *l.Faults
	}
	maps.Copy(s.counts, l.Counts)
	s.lives = max(s.lives, l.Lives)
	for _, f := range l.Fired {
		s.counts[f.Do.Kind]++
		if i := slices.IndexFunc(s.faults, func(o FaultView) bool { return o.ID == f.ID }); i >= 0 {
			s.faults[i] = f
		}
	}
	return nil
}

// perLine is how many ledger records and entities stand in one line of a file
// that was written anew.
const perLine = 64

// writeMemory writes a file anew and syncs it, since it replaces the old one.
func writeMemory(path string, s *snapshot) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 1<<16)
	put := func(l line) {
		if err != nil {
			return
		}
		var b []byte
		if b, err = json.Marshal(&l); err == nil {
			_, err = out.Write(append(b, '\n'))
		}
	}
	put(line{At: s.at, Faults: &s.faults, Counts: s.counts, Lives: s.lives})
	for records := range slices.Chunk(s.ledger, perLine) {
		put(line{Ledger: records})
	}
	for entities := range slices.Chunk(s.ordered(), perLine) {
		var l line
		for _, e := range entities {
			l.Entities = append(l.Entities, *e)
		}
		put(l)
	}
	for _, t := range s.lastTokens() {
		put(line{Tokens: []keptToken{t}})
	}
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	return err
}

// ordered are the entities as they came.
func (s *snapshot) ordered() []*keptEntity {
	return slices.SortedFunc(maps.Values(s.entities), func(a, b *keptEntity) int { return a.came - b.came })
}

// lastTokens are the tokens that are good at the snapshot's time, and the last
// one of each holder, which tells how many there were.
func (s *snapshot) lastTokens() []keptToken {
	most := map[key]int{}
	for _, t := range s.tokens {
		of := key{t.Carrier, t.Holder}
		most[of] = max(most[of], t.Minted)
	}
	var kept []keptToken
	for _, t := range s.tokens {
		if t.Expires.After(s.at) || t.Minted == most[key{t.Carrier, t.Holder}] {
			kept = append(kept, t)
		}
	}
	slices.SortFunc(kept, func(a, b keptToken) int { return a.Expires.Compare(b.Expires) })
	return kept
}

// Touch says that an entity has changed otherwise than by the methods of the
// transaction: a dialect must say so of changes to Data that come with no move
// and no record, or a world with a memory forgets them.
func (tx *Tx) Touch(e *Entity) {
	if tx.w.memory == nil || e.touched {
		return
	}
	e.touched = true
	tx.w.touched = append(tx.w.touched, e)
}

// remember writes what the transaction has changed. The lock is held.
func (w *World) remember(now time.Time) {
	if w.memory == nil {
		return
	}
	for _, e := range w.touched {
		e.touched = false
		if e.gone {
			continue
		}
		kept := keptEntity{Carrier: e.Carrier, ID: e.ID, Reference: e.Reference, Kind: e.Kind, Account: e.Account, State: e.State,
			Created: e.Created, Updated: e.Updated, Timeline: e.Timeline, Plan: e.plan, Aliases: e.aliases}
		data, err := json.Marshal(w.dialects[e.Carrier].(Keeper).Keep(e))
		if err != nil {
			// Only a dialect's own mistake gets here.
			w.memory.fail(fmt.Errorf("simulator: %s %s cannot be kept: %w", e.Carrier, e.ID, err))
			return
		}
		kept.Data = data
		w.pending.Entities = append(w.pending.Entities, kept)
	}
	w.touched = w.touched[:0]
	p := &w.pending
	if len(p.Entities)+len(p.Ledger)+len(p.Gone)+len(p.Tokens) == 0 {
		return
	}
	p.At = now
	w.memory.write(p)
	w.pending = line{}
	if w.memory.Err() != nil {
		w.signal() // Run looks, and ends
	}
}

func (m *Memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
	}
}

// restore fills an empty world, whose dialects have joined, and the fault
// table with what the memory holds, and lets the memory follow both.
func (m *Memory) restore(w *World, t *faultTable) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := m.loaded
	if s == nil {
		return errors.New("a memory belongs to one simulator; open it again for another")
	}
	m.loaded = nil
	for name, d := range w.dialects {
		if _, ok := d.(Keeper); !ok {
			return fmt.Errorf("dialect %s cannot be kept: it implements no simulator.Keeper", name)
		}
	}
	tx := &Tx{w: w, now: s.at}
	w.ledger.load(s.ledger)
	for _, kept := range s.ordered() {
		if err := tx.restore(kept); err != nil {
			return err
		}
	}
	slices.SortStableFunc(w.finished, func(a, b *Entity) int { return a.Updated.Compare(b.Updated) })
	for _, kept := range s.tokens {
		of := key{kept.Carrier, kept.Holder}
		w.minted[of] = max(w.minted[of], kept.Minted)
		if kept.Expires.After(s.at) {
			tx.keepToken(kept.Token)
		}
	}
	t.load(s.faults, s.counts, s.lives)
	w.memory, t.memory = m, m
	return nil
}

func (tx *Tx) restore(kept *keptEntity) error {
	d := tx.w.dialects[kept.Carrier]
	if d == nil {
		return fmt.Errorf("the memory holds %s %s, and no dialect has that name", kept.Carrier, kept.ID)
	}
	e := &Entity{Carrier: kept.Carrier, ID: kept.ID, Reference: kept.Reference, Kind: kept.Kind, Account: kept.Account, State: kept.State,
		Created: kept.Created, Updated: kept.Updated, Timeline: kept.Timeline}
	if err := tx.enter(e); err != nil {
		return err
	}
	for _, id := range kept.Aliases {
		if err := tx.Alias(e, id); err != nil {
			return err
		}
	}
	if err := d.(Keeper).Restore(tx, e, kept.Data); err != nil {
		return fmt.Errorf("%s %s cannot be restored: %w", e.Carrier, e.ID, err)
	}
	tx.Follow(e, kept.Plan)
	return nil
}
