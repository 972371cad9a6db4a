package measure

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Replayed is what it took to decide stored orders again by other rules.
type Replayed struct {
	Orders  int
	Changed int
	Bytes   int64
	Time    time.Duration
	CPU     time.Duration // on all processors together
}

// distinct is how many different orders a backtest replays; more are the same again.
const distinct = 2000

// Backtest replays n records, made by thirty rules, by these rules with other adjustments. progress is called now and then; it may be nil.
func Backtest(n, workers int, progress func(done int)) (Replayed, error) {
	lines, err := records(ManyRules(), min(n, distinct))
	if err != nil {
		return Replayed{}, err
	}
	next := mustLoad(manyRules(150))
	reader := newCycle(lines, n)
	before, begun := processorTime(), time.Now()
	r, err := rules.RunBacktest(next, reader, rules.BacktestOptions{Workers: workers, Progress: func(done int, _ int64) {
		if progress != nil {
			progress(done)
		}
	}})
	if err != nil {
		return Replayed{}, err
	}
	return Replayed{Orders: r.Orders, Changed: r.Changed, Bytes: reader.size, Time: time.Since(begun), CPU: processorTime() - before}, nil
}

// records are the decisions of n different orders.
func records(b *rules.Bundle, n int) ([][]byte, error) {
	r := rand.New(rand.NewPCG(7, 7))
	lines := make([][]byte, n)
	for i := range lines {
		src := Source()
		src.ExternalID = fmt.Sprintf("o%d", i)
		src.Value = shipping.DecimalFromInt(int64(5 + r.IntN(400)))
		src.DistanceMetres = int64(r.IntN(40_000))
		src.Parcels[0].Weight.Value = shipping.DecimalFromInt(int64(1 + r.IntN(80)))
		src.Now = Friday.Add(time.Duration(r.IntN(10_000)) * time.Minute)
		src.PlacedAt = src.Now
		made := Offers()
		for j := range made {
			made[j].Quote.Amount.Minor += int64(r.IntN(600))
		}
		line, err := b.Decide(b.Prepare(mustInput(src), Candidates()), made).JSON()
		if err != nil {
			return nil, err
		}
		lines[i] = line
	}
	return lines, nil
}

// cycle is a file of n lines as an export has them, of the same records over and over. Each is about an order of its own.
type cycle struct {
	records [][]byte
	begins  []int64 // of the line of each record; the last is how long a turn is
	size    int64
}

// frame is what a line has around a record.
func frame(n int64) (before string, after string) {
	return fmt.Sprintf(`{"id":"%09d","round":1,"record":`, n), "}\n"
}

func newCycle(records [][]byte, n int) *cycle {
	c := &cycle{records: records, begins: []int64{0}}
	before, after := frame(0)
	for i, r := range records {
		c.begins = append(c.begins, c.begins[i]+int64(len(before)+len(r)+len(after)))
	}
	c.size = int64(n/len(records))*c.begins[len(records)] + c.begins[n%len(records)]
	return c
}

// ReadAt implements io.ReaderAt.
func (c *cycle) ReadAt(p []byte, at int64) (int, error) {
	read := 0
	for read < len(p) {
		if at >= c.size {
			return read, io.EOF
		}
		turn := c.begins[len(c.records)]
		i, found := slices.BinarySearch(c.begins, at%turn)
		if !found {
			i--
		}
		before, after := frame(at/turn*int64(len(c.records)) + int64(i))
		skip := at%turn - c.begins[i]
		for _, part := range [][]byte{[]byte(before), c.records[i], []byte(after)} {
			if skip >= int64(len(part)) {
				skip -= int64(len(part))
				continue
			}
			n := copy(p[read:], part[skip:])
			read, at, skip = read+n, at+int64(n), 0
		}
	}
	return read, nil
}
