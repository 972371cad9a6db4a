package tracking_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// BenchmarkPoll is what one poll without news costs: a number of a booking of ours, asked for with others of its account.
func BenchmarkPoll(b *testing.B) {
	e := newFollower(b)
	e.config.Tracking.PerSecond = 10_000
	const parcels = 500
	for i := range parcels {
		number := fmt.Sprintf("1Z%04d", i)
		e.carrier.says(number, ev(0, shipping.OrderDispatched), ev(1, shipping.PickupCompleted), ev(2, shipping.InTransit))
		e.book(number, "ground", number)
	}
	e.pass(time.Minute)
	e.carrier.calls()
	e.config.Tracking.Transit = time.Second
	e.clock.Advance(5 * time.Hour)
	b.ResetTimer()
	polls := 0
	for polls < b.N {
		if _, err := e.runner.RunDue(context.Background(), e.clock.Now()); err != nil {
			b.Fatal(err)
		}
		for _, c := range e.carrier.calls() {
			polls += len(c)
		}
		e.clock.Advance(30 * time.Second)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(polls), "µs/poll")
}

// BenchmarkNothingDue is what an account costs of which nothing is due.
func BenchmarkNothingDue(b *testing.B) {
	e := newFollower(b)
	for b.Loop() {
		e.clock.Advance(5 * time.Minute)
		if _, err := e.runner.RunDue(context.Background(), e.clock.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
