package notify

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTheCursorNeverPassesWhatIsNotSettled holds the ledger against a plain list.
func TestTheCursorNeverPassesWhatIsNotSettled(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var l ledger
		settled := map[uint64]bool{}
		var taken []uint64
		position := uint64(0)
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			if rapid.Bool().Draw(r, "take") || len(taken) == 0 {
				position += uint64(rapid.IntRange(1, 3).Draw(r, "gap"))
				l.take(position, time.Time{})
				taken = append(taken, position)
				continue
			}
			p := rapid.SampledFrom(taken).Draw(r, "settle")
			before := l.with(nil)
			settled[p] = true
			if with := l.with([]uint64{p}); with < before {
				r.Fatalf("the cursor goes back from %d to %d", before, with)
			}
			l.settle(p)
			got := l.with(nil)
			for _, x := range taken {
				if x <= got && !settled[x] {
					r.Fatalf("the cursor is at %d, and %d is not settled", got, x)
				}
			}
			if len(settled) == len(taken) && got != position {
				r.Fatalf("all is settled up to %d, and the cursor is at %d", position, got)
			}
		}
	})
}

// FuzzRetryAfter: whatever a subscriber writes there, it is never a time before now.
func FuzzRetryAfter(f *testing.F) {
	for _, text := range []string{"", "0", "-1", "120", "99999999999999999999", "Sun, 08 Mar 2026 09:10:00 GMT", "soon"} {
		f.Add(text)
	}
	now := time.Date(2026, 3, 8, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if d := retryAfter(text, now); d < 0 {
			t.Errorf("%q: %v", text, d)
		}
		keptOf(http.Header{text: {text}})
	})
}

// FuzzSubjectOf: ids come from callers; those that the service makes lead back to their subject.
func FuzzSubjectOf(f *testing.F) {
	f.Add("65f0a1b2c3d4e5f600112233", 3)
	f.Add("", -1)
	f.Fuzz(func(t *testing.T, id string, seq int) {
		subjectOf(id)
		hex := "65f0a1b2c3d4e5f600112233"
		if got, ok := subjectOf(messageID("shipment/"+hex, seq)); !ok || got != "shipment/"+hex {
			t.Errorf("%d leads to %q", seq, got)
		}
	})
}
