package measure

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
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
	reader := &cycle{lines: lines, left: n}
	before, begun := processorTime(), time.Now()
	r, err := rules.RunBacktest(next, reader, rules.BacktestOptions{Workers: workers, Progress: func(orders int, _ int64) {
		if progress != nil {
			progress(orders)
		}
	}})
	if err != nil {
		return Replayed{}, err
	}
	return Replayed{Orders: r.Orders, Changed: r.Changed, Bytes: reader.read, Time: time.Since(begun), CPU: processorTime() - before}, nil
}

// records are the decisions of n different orders, one a line.
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
		lines[i] = append(line, '\n')
	}
	return lines, nil
}

// cycle reads lines over and over, left of them in all.
type cycle struct {
	lines [][]byte
	at    bytes.Reader
	next  int
	left  int
	read  int64
}

// Read implements io.Reader.
func (c *cycle) Read(p []byte) (int, error) {
	if c.at.Len() == 0 {
		if c.left == 0 {
			return 0, io.EOF
		}
		c.at.Reset(c.lines[c.next%len(c.lines)])
		c.next, c.left = c.next+1, c.left-1
	}
	n, err := c.at.Read(p)
	c.read += int64(n)
	return n, err
}
