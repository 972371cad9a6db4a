package carrierhost

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

func newBreaker() (*breaker, *clock.Manual, *bool) {
	c, open := clock.NewManual(start), new(bool)
	return &breaker{clock: c, moved: func(o bool) { *open = o }}, c, open
}

// try makes a call, and reports whether the breaker let it through.
func try(b *breaker, v verdict) bool {
	t, _, ok := b.allow()
	if ok {
		b.done(t, v, 0)
	}
	return ok
}

func trip(b *breaker) {
	for range breakerFaults {
		try(b, faulty)
	}
}

func TestBreakerOpensAtFaultsInARowOnly(t *testing.T) {
	b, _, open := newBreaker()
	for range 10 {
		for range breakerFaults - 1 {
			try(b, faulty)
		}
		try(b, healthy)
	}
	if *open || !try(b, silent) {
		t.Fatal("opened though an answer came in between")
	}
	trip(b)
	_, wait, ok := b.allow()
	if ok || wait != breakerPause || !*open || !b.isOpen() {
		t.Fatalf("after %d faults in a row: ok %v, wait %v", breakerFaults, ok, wait)
	}
}

func TestBreakerProbesWithOneCall(t *testing.T) {
	b, c, open := newBreaker()
	trip(b)
	c.Advance(breakerPause - 1)
	if try(b, healthy) {
		t.Fatal("let a call through before the pause was over")
	}
	if b.proven() {
		t.Error("an outage is proven before a probe")
	}
	c.Advance(1)
	probe, _, ok := b.allow()
	if !ok || try(b, healthy) {
		t.Fatal("want one probe and no second call beside it")
	}
	b.done(probe, faulty, 0)
	if _, wait, ok := b.allow(); ok || wait != 2*breakerPause {
		t.Fatalf("after a failed probe: ok %v, wait %v, want twice the pause", ok, wait)
	}
	c.Advance(2 * breakerPause)
	if !try(b, silent) || !try(b, healthy) {
		t.Fatal("a probe that says nothing must leave room for the next")
	}
	if *open || !try(b, faulty) || !try(b, healthy) {
		t.Fatal("still open after a good probe")
	}
}

func TestBreakerPauseIsBounded(t *testing.T) {
	b, c, _ := newBreaker()
	trip(b)
	for range 10 {
		c.Advance(breakerMaxPause)
		try(b, faulty)
	}
	if _, wait, _ := b.allow(); wait != breakerMaxPause {
		t.Errorf("wait %v, want %v", wait, breakerMaxPause)
	}
	b, _, _ = newBreaker()
	for range breakerFaults {
		leave, _, _ := b.allow()
		b.done(leave, faulty, 24*time.Hour)
	}
	if _, wait, _ := b.allow(); wait != breakerMaxPause {
		t.Errorf("the carrier asks for a day: wait %v, want %v", wait, breakerMaxPause)
	}
}

func TestBreakerForgetsCallsOfAnEarlierRound(t *testing.T) {
	b, c, open := newBreaker()
	late, _, _ := b.allow()
	trip(b)
	b.done(late, healthy, 0)
	if !*open {
		t.Fatal("the answer of a call from before the faults closed the breaker")
	}
	c.Advance(breakerPause)
	probe, _, _ := b.allow()
	b.done(late, faulty, 0)
	b.done(probe, healthy, 0)
	if *open {
		t.Fatal("a late fault disturbed the probe")
	}
}

func TestBreakerSurvivesAClockSetBack(t *testing.T) {
	b, c, _ := newBreaker()
	trip(b)
	c.Advance(-24 * time.Hour)
	if !try(b, healthy) {
		t.Error("a clock that was set back keeps the breaker open for a day")
	}
}

// TestBreakerNeverStaysShut tries any history: after the longest pause a call always gets through.
func TestBreakerNeverStaysShut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, c, _ := newBreaker()
		var flying []ticket
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				if leave, _, ok := b.allow(); ok {
					flying = append(flying, leave)
				}
			case 1:
				if len(flying) > 0 {
					i := rapid.IntRange(0, len(flying)-1).Draw(t, "which")
					b.done(flying[i], rapid.SampledFrom([]verdict{silent, healthy, faulty}).Draw(t, "verdict"), 0)
					flying = append(flying[:i], flying[i+1:]...)
				}
			case 2:
				c.Advance(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			}
		}
		probes := 0
		for _, leave := range flying {
			if leave.probe && leave.round == b.round {
				probes++
			}
			b.done(leave, silent, 0)
		}
		if probes > 1 {
			t.Fatalf("%d probes at once", probes)
		}
		c.Advance(breakerMaxPause)
		if !try(b, healthy) {
			t.Fatal("no call gets through")
		}
	})
}

func TestWhatCountsAsAFault(t *testing.T) {
	for code, want := range map[carrier.Code]verdict{
		carrier.CarrierUnavailable: faulty, carrier.OutcomeUnknown: faulty, carrier.CarrierRateLimited: faulty,
		carrier.CarrierRejected: healthy, carrier.CancelRefused: healthy, carrier.InvalidField: healthy, carrier.CredentialsRejected: healthy,
		carrier.TrackingNotFound: healthy, carrier.AdapterDied: silent, carrier.TooBusy: silent, carrier.AdapterPanic: silent,
	} {
		if got := judge(&carrier.Error{Source: carrier.SourceCarrier, Code: code}); got != want {
			t.Errorf("%s: verdict %d, want %d", code, got, want)
		}
	}
	if judge(nil) != healthy || judge(&carrier.Error{Source: carrier.SourceEngine, Code: carrier.Internal}) != faulty ||
		judge(&carrier.Error{Source: carrier.SourceAdapter, Code: carrier.Internal}) != silent {
		t.Error("success, or an unclassified error, is misjudged")
	}
}

// TestAnOutageIsProvenByAProbe, and over with an answer.
func TestAnOutageIsProvenByAProbe(t *testing.T) {
	b, c, _ := newBreaker()
	for range 2 {
		trip(b)
		c.Advance(breakerPause)
		if try(b, faulty); !b.proven() {
			t.Error("a failed probe proves nothing")
		}
		c.Advance(2 * breakerPause)
		if try(b, healthy); b.proven() {
			t.Error("it is proven after an answer")
		}
	}
}
