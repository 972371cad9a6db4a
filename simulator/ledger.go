package simulator

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// Kind says what a ledger record is about.
type Kind string

// The kinds of ledger records.
const (
	Booking Kind = "booking" // the carrier holds itself bound to carry
	Void    Kind = "void"    // a booking ended without being carried out
	Charge  Kind = "charge"  // money the carrier will ask for
	Refund  Kind = "refund"  // money the carrier gives back
	Issued  Kind = "token"   // an access token was handed out
	Pushed  Kind = "push"    // an attempt to tell the merchant, with its outcome
)

// Record is one line of the ledger. Records explain themselves: nothing else
// is needed to read a ledger file later.
type Record struct {
	Seq       int64     `json:"seq"` // from 1, without gaps
	At        time.Time `json:"at"`
	Carrier   string    `json:"carrier"`
	Kind      Kind      `json:"kind"`
	Entity    string    `json:"entity,omitzero"`
	Reference string    `json:"reference,omitzero"`
	Account   string    `json:"account,omitzero"`
	Amount    int64     `json:"amount,omitzero"` // minor units, never negative: the kind tells the direction
	Currency  string    `json:"currency,omitzero"`
	Detail    string    `json:"detail,omitzero"`
}

// Totals sums one carrier's records.
type Totals struct {
	Bookings     int              `json:"bookings"`
	LiveBookings int              `json:"live_bookings"` // bookings minus voids
	Voids        int              `json:"voids"`
	Tokens       int              `json:"tokens"`
	Pushes       int              `json:"pushes"`
	Charged      map[string]int64 `json:"charged"`     // minor units by currency
	Refunded     map[string]int64 `json:"refunded"`    // minor units by currency
	Outstanding  map[string]int64 `json:"outstanding"` // charged minus refunded
}

// Ledger is what the carriers believe, in the order in which they came to
// believe it. It is only ever appended to. It is safe for concurrent use.
type Ledger struct {
	mu      sync.Mutex
	records []Record
	byRef   map[string][]int32 // reference -> positions in records
	totals  map[string]*Totals
	out     io.Writer
	outErr  error
}

// NewLedger returns an empty ledger. Each record is also written to w as one
// JSON line, in one call of Write, when w is not nil.
func NewLedger(w io.Writer) *Ledger {
	return &Ledger{byRef: map[string][]int32{}, totals: map[string]*Totals{}, out: w}
}

// LoadLedger returns a ledger that begins with the records read from r, as
// they were written by an earlier one, and goes on writing to w.
func LoadLedger(r io.Reader, w io.Writer) (*Ledger, error) {
	l := NewLedger(w)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var rec Record
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return nil, fmt.Errorf("ledger line %d is not a record: %w", n, err)
		}
		if rec.Seq != int64(n) {
			return nil, fmt.Errorf("ledger line %d has seq %d: the file has lost or doubled lines", n, rec.Seq)
		}
		l.keep(rec)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	return l, nil
}

// append numbers rec and keeps it.
func (l *Ledger) append(rec Record) Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	rec.Seq = int64(len(l.records)) + 1
	l.keep(rec)
	if l.out != nil && l.outErr == nil {
		line, err := json.Marshal(rec)
		if err == nil {
			_, err = l.out.Write(append(line, '\n'))
		}
		l.outErr = err
	}
	return rec
}

// load begins the ledger with records of an earlier process.
func (l *Ledger) load(records []Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, rec := range records {
		l.keep(rec)
	}
}

func (l *Ledger) keep(rec Record) {
	if rec.Reference != "" {
		l.byRef[rec.Reference] = append(l.byRef[rec.Reference], int32(len(l.records)))
	}
	l.records = append(l.records, rec)
	t := l.totals[rec.Carrier]
	if t == nil {
		t = &Totals{Charged: map[string]int64{}, Refunded: map[string]int64{}, Outstanding: map[string]int64{}}
		l.totals[rec.Carrier] = t
	}
	t.add(rec)
}

func (t *Totals) add(rec Record) {
	switch rec.Kind {
	case Booking:
		t.Bookings++
		t.LiveBookings++
	case Void:
		t.Voids++
		t.LiveBookings--
	case Charge:
		t.Charged[rec.Currency] += rec.Amount
		t.Outstanding[rec.Currency] += rec.Amount
	case Refund:
		t.Refunded[rec.Currency] += rec.Amount
		t.Outstanding[rec.Currency] -= rec.Amount
	case Issued:
		t.Tokens++
	case Pushed:
		t.Pushes++
	}
}

// LedgerQuery selects records; empty fields select all.
type LedgerQuery struct {
	Carrier, Reference string
	Kind               Kind
	After              int64 // only records with a greater seq
	Limit              int   // 0: all
}

// Records returns a copy of what q selects, oldest first.
func (l *Ledger) Records(q LedgerQuery) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := []Record{}
	pick := func(rec *Record) bool {
		if (q.Carrier == "" || rec.Carrier == q.Carrier) && (q.Kind == "" || rec.Kind == q.Kind) && rec.Seq > q.After {
			found = append(found, *rec)
		}
		return q.Limit == 0 || len(found) < q.Limit
	}
	if q.Reference != "" {
		for _, i := range l.byRef[q.Reference] {
			if !pick(&l.records[i]) {
				break
			}
		}
		return found
	}
	start := min(max(q.After, 0), int64(len(l.records)))
	for i := start; i < int64(len(l.records)); i++ {
		if !pick(&l.records[i]) {
			break
		}
	}
	return found
}

// Totals returns the sums of each carrier that has records.
func (l *Ledger) Totals() map[string]Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	sums := make(map[string]Totals, len(l.totals))
	for carrier, t := range l.totals {
		c := *t
		c.Charged, c.Refunded, c.Outstanding = maps.Clone(t.Charged), maps.Clone(t.Refunded), maps.Clone(t.Outstanding)
		sums[carrier] = c
	}
	return sums
}

// Sum adds up the given records, as Totals does for a whole carrier.
func Sum(records []Record) Totals {
	t := Totals{Charged: map[string]int64{}, Refunded: map[string]int64{}, Outstanding: map[string]int64{}}
	for rec := range slices.Values(records) {
		t.add(rec)
	}
	return t
}

// Err returns the first error that writing has met, after which nothing more
// is written; the ledger in memory is whole all the same.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outErr != nil {
		return fmt.Errorf("write ledger file: %w", l.outErr)
	}
	return nil
}
