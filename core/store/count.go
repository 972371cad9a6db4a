package store

import (
	"context"
	"fmt"
	"time"
)

// ErrOverCounted: a count is beyond what the transaction allows. It is an ErrConflict; read the counts again, decide again.
var ErrOverCounted = fmt.Errorf("a count has grown meanwhile: %w", ErrConflict)

// Counters is the part of the store that keeps counts of a calendar day or month: bookings, and sums in minor units of money.
// They are counted in the very transaction that makes what they count, so that no crash makes them lie.
type Counters interface {
	// Counts returns the counts with these keys, in their order; what was never counted is 0.
	Counts(ctx context.Context, tenant string, keys []CountKey) ([]int64, error)
}

// CountKey names a count of a tenant.
type CountKey struct {
	Name   string // what is counted; whoever counts gives the names
	Period string // a day, 2026-03-08, or a month, 2026-03: of the calendar of whoever counts
}

// Count adds to a count.
type Count struct {
	CountKey
	Add int64
	// Limited says that the count must be at most Most before this transaction, else ErrOverCounted. Where the transaction adds to
	// it twice, the earlier one counts.
	Limited bool
	Most    int64
}

// CountsKept is how long Sweep leaves a count, and a day's bookings of Usage, after its day or month has begun.
const CountsKept = 400 * 24 * time.Hour

// OldPeriod is the first day that Sweep leaves: periods that sort before it are removed.
func OldPeriod(now time.Time) string { return now.Add(-CountsKept).UTC().Format(time.DateOnly) }

// Documents is the part of the store that keeps what is not about one order, by name.
type Documents interface {
	// Document returns a document, ErrNotFound where there is none of that name.
	Document(ctx context.Context, tenant, name string) ([]byte, error)
	// DocumentNames returns the names that begin with a prefix, sorted.
	DocumentNames(ctx context.Context, tenant, prefix string) ([]string, error)
}

// Document is written whole, in place of an earlier one of its name.
type Document struct {
	Name string
	Data []byte
}
