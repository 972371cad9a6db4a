package rules

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
)

// round is one decision about an order, and where its record stands. An order has several where it was held, edited, or tried again.
type round struct {
	line   int
	offset int64
	size   int
	order  string // whose it is: the way back of an order is one of its own
	number int
	at     time.Time
	last   bool // of its order: what came of this one is what came of the order
}

// roundHead is as much of a line as tells whose round it is: of a record, or of an object with one under "record", as an export writes it.
type roundHead struct {
	ID     json.RawMessage `json:"id"`
	Round  json.RawMessage `json:"round"`
	At     json.RawMessage `json:"at"`
	Record *recordHead     `json:"record"`
	recordHead
}

type recordHead struct {
	Schema int `json:"schema"`
	Plan   struct {
		Input struct {
			Order struct {
				ID       string `json:"id"`
				IsReturn bool   `json:"is_return"`
			} `json:"order"`
			Local struct {
				Now time.Time `json:"now"`
			} `json:"local"`
		} `json:"input"`
	} `json:"plan"`
}

// findRounds reads whose the records are, in the order of time.
func findRounds(records io.ReaderAt, workers int, progress func(orders int, bytes int64)) ([]round, error) {
	type batch struct {
		rounds []round
		lines  [][]byte
	}
	type found struct {
		rounds []round
		line   int // of the first that is no record
		err    error
	}
	work := make(chan batch)
	shares := make([]found, workers)
	var wg sync.WaitGroup
	for i := range shares {
		wg.Go(func() {
			s := &shares[i]
			for b := range work {
				for n, line := range b.lines {
					r := b.rounds[n]
					if err := r.read(line); err != nil {
						if s.err == nil || r.line < s.line {
							s.line, s.err = r.line, fmt.Errorf("line %d: %w", r.line, err)
						}
						continue
					}
					s.rounds = append(s.rounds, r)
				}
			}
		})
	}
	err := readBatches(records, progress, func(rounds []round, lines [][]byte) { work <- batch{rounds, lines} })
	close(work)
	wg.Wait()
	all := found{}
	for _, s := range shares {
		all.rounds = append(all.rounds, s.rounds...)
		if s.err != nil && (all.err == nil || s.line < all.line) {
			all.line, all.err = s.line, s.err
		}
	}
	if err = errors.Join(err, all.err); err != nil {
		return nil, err
	}
	slices.SortFunc(all.rounds, func(a, b round) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.number, b.number), cmp.Compare(a.line, b.line))
	})
	markLast(all.rounds)
	return all.rounds, nil
}

// markLast marks the round of each order that stands: of those with the greatest number the last in time.
func markLast(rounds []round) {
	last := make(map[string]int, len(rounds))
	for i := range rounds {
		if k, ok := last[rounds[i].order]; !ok || rounds[i].number >= rounds[k].number {
			last[rounds[i].order] = i
		}
	}
	for _, i := range last {
		rounds[i].last = true
	}
}

// read finds out whose round a line is. A record that nothing says an id of belongs to the order of that number, and where it has none to an
// order of its own.
func (r *round) read(line []byte) error {
	var h roundHead
	if err := json.Unmarshal(line, &h); err != nil {
		return fmt.Errorf("read decision record: %w", err)
	}
	d := h.Record
	if d == nil {
		d = &h.recordHead
	}
	if err := checkSchema(d.Schema); err != nil {
		return err
	}
	order := &d.Plan.Input.Order
	switch {
	case h.ID != nil:
		r.order = "id " + string(h.ID)
	case order.ID != "":
		r.order = "order " + order.ID
	default:
		r.order = "line " + strconv.Itoa(r.line)
	}
	if order.IsReturn {
		r.order = "return of " + r.order
	}
	if n, err := strconv.Atoi(string(h.Round)); err == nil {
		r.number = n
	}
	if json.Unmarshal(h.At, &r.at) != nil || r.at.IsZero() {
		r.at = d.Plan.Input.Local.Now
	}
	return nil
}

const (
	batchLines = 64
	maxLine    = 8 << 20
)

// readBatches reads the lines that are not empty.
func readBatches(records io.ReaderAt, progress func(int, int64), send func(rounds []round, lines [][]byte)) error {
	scan := bufio.NewScanner(io.NewSectionReader(records, 0, math.MaxInt64))
	scan.Buffer(make([]byte, 1<<20), maxLine)
	n, begin, end := 0, int64(0), int64(0)
	scan.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		advance, line, err := bufio.ScanLines(data, atEOF)
		begin, end = end, end+int64(advance)
		return advance, line, err
	})
	var rounds []round
	var lines [][]byte
	flush := func() {
		if len(lines) > 0 {
			send(rounds, lines)
			rounds, lines = nil, nil
		}
		progress(0, end)
	}
	for scan.Scan() {
		n++
		if len(bytes.TrimSpace(scan.Bytes())) == 0 {
			continue
		}
		rounds = append(rounds, round{line: n, offset: begin, size: len(scan.Bytes())})
		if lines = append(lines, bytes.Clone(scan.Bytes())); len(lines) == batchLines {
			flush()
		}
	}
	flush()
	if err := scan.Err(); err != nil {
		return fmt.Errorf("read line %d of the decisions: %w", n+1, err)
	}
	return nil
}

// record reads the decision of a round.
func (r *round) record(records io.ReaderAt) (Decision, error) {
	line := make([]byte, r.size)
	if n, err := records.ReadAt(line, r.offset); n < r.size {
		return Decision{}, fmt.Errorf("read line %d of the decisions again: %w", r.line, cmp.Or(err, io.ErrUnexpectedEOF))
	}
	d, err := ParseRecord(bytes.TrimSpace(line))
	if err != nil {
		return Decision{}, fmt.Errorf("line %d: %w", r.line, err)
	}
	return d, nil
}
