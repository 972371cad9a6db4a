package shipment

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

var at = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

func TestStages(t *testing.T) {
	want := map[Stage][]shipping.Status{
		BeforeDispatch: {shipping.RequestReceived, shipping.PendingDispatch, shipping.PendingRelease, shipping.PendingAutoRetry, shipping.EstimatesReceived,
			shipping.EstimatesFailed, shipping.OrderFailed},
		WithCarrier: {shipping.OrderDispatched, shipping.Staged, shipping.OrderAssigned, shipping.OrderUnassigned, shipping.PickupStarted},
		Underway:    {shipping.PickupCompleted, shipping.InTransit, shipping.OutForDelivery, shipping.OrderAtLocation, shipping.OrderDelayed, shipping.OrderRedelivery},
		Finished:    {shipping.OrderDelivered, shipping.OrderCancelled, shipping.OrderUndeliverable, shipping.ErrorException},
	}
	seen := 0
	for stage, statuses := range want {
		for _, s := range statuses {
			seen++
			if got := StageOf(s); got != stage {
				t.Errorf("StageOf(%s) = %d, want %d", s, got, stage)
			}
		}
	}
	if seen != len(shipping.Statuses) {
		t.Errorf("%d of %d statuses have a stage here", seen, len(shipping.Statuses))
	}
	late := &Shipment{Status: shipping.OrderDelayed}
	if late.Stage() != WithCarrier {
		t.Error("a delay before pickup is taken for one under way")
	}
	late.Progress.ActualPickup = shipping.At(at)
	if late.Stage() != Underway {
		t.Error("a delay after pickup is taken for one before")
	}
}

// However a person moves an order: every step is to a known status, the history is numbered without gaps, the present is the last
// line that was not late, and a delivered order moves no more.
func TestMovesByHand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &Shipment{Status: shipping.OrderDispatched}
		var history []Change
		present := s.Status
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			next := s.ManualNext()
			if s.Final() && len(next) > 0 {
				t.Fatalf("a final order (%s) may be moved to %v", s.Status, next)
			}
			if len(next) == 0 {
				break
			}
			to := rapid.SampledFrom(next).Draw(t, "to")
			if !slices.Contains(shipping.Statuses, to) {
				t.Fatalf("%s leads to %q, which is no status", s.Status, to)
			}
			late := rapid.Bool().Draw(t, "late")
			history = append(history, s.Move(to, at, "me", func(c *Change) { c.Late = late }))
			if !late {
				present = to
			}
		}
		if s.Status != present || s.Changes != len(history) {
			t.Fatalf("status %s after %d changes, want %s after %d", s.Status, s.Changes, present, len(history))
		}
		for i, c := range history {
			if c.Seq != i {
				t.Fatalf("line %d has number %d", i, c.Seq)
			}
		}
	})
}

func TestWhichAttemptCounts(t *testing.T) {
	s := &Shipment{Attempts: []Attempt{
		{Number: 1, Kind: Forward, State: Refused},
		{Number: 2, Kind: Forward, State: Cancelled, Booking: &Booking{TrackingID: "a"}},
		{Number: 3, Kind: Return, State: Booked, Booking: &Booking{TrackingID: "r"}},
	}}
	if s.Live(Forward) != nil || s.Open(Forward) != nil || s.Live(Return).Number != 3 {
		t.Errorf("live %v, open %v", s.Live(Forward), s.Open(Forward))
	}
	if s.Shown().Number != 2 {
		t.Errorf("shown = %d, want the last that was booked", s.Shown().Number)
	}
	s.Attempts = append(s.Attempts, Attempt{Number: 4, Kind: Forward, State: InDoubt, Provider: "UPS"})
	if s.Open(Forward).Number != 4 || s.Shown().Number != 2 {
		t.Error("an attempt in doubt is not open, or is shown")
	}
	if w := s.AllWarnings(); len(w) != 1 || w[0].Code != "DISPATCH_IN_DOUBT" {
		t.Errorf("warnings = %+v", w)
	}
	s.Attempts[3].State = Adopted
	if s.Shown().Number != 4 || len(s.AllWarnings()) != 0 {
		t.Error("an adopted attempt is not shown, or still warned of")
	}
	if s.Attempt(0) != nil || s.Attempt(5) != nil || s.Attempt(2).Number != 2 {
		t.Error("attempts are not found by number")
	}
}

func TestRetryable(t *testing.T) {
	for _, st := range shipping.Statuses {
		s := &Shipment{Status: st}
		want := st == shipping.EstimatesFailed || st == shipping.OrderFailed || st == shipping.ErrorException
		if s.Retryable() != want {
			t.Errorf("%s retryable = %v", st, s.Retryable())
		}
	}
	s := &Shipment{Status: shipping.ErrorException, Attempts: []Attempt{{Kind: Forward, State: Booked}}}
	if s.Retryable() {
		t.Error("an order with a live booking may be retried")
	}
}

// FuzzShipment reads stored documents: whatever was written once must never take the engine down.
func FuzzShipment(f *testing.F) {
	f.Add(`{"schema":1,"id":"65f0c0ffee","attempts":[{"number":1,"kind":"forward","state":"booked"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var s Shipment
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		s.Shown()
		s.AllWarnings()
		s.Stage()
		s.ManualNext()
	})
}

// TestWhatIsInDoubtIsWarnedOf: each once, for as long as it is.
func TestWhatIsInDoubtIsWarnedOf(t *testing.T) {
	cancel := &CancelRequest{By: "ann"}
	edited := &EditIntent{By: "ann"}
	rebooked := &CancelIntent{By: "ann", Replace: &Wish{}}
	turned := &CancelIntent{By: System, Replace: &Wish{}}
	told := &Doubt{Told: true, Needs: Attention, Last: "resolve it"}
	cases := []struct {
		name   string
		status shipping.Status
		cancel *CancelRequest
		a      Attempt
		want   string
	}{
		{"booked", shipping.OrderDispatched, nil, Attempt{State: Booked}, ""},
		{"cancel kept while it is being booked", shipping.EstimatesReceived, cancel, Attempt{State: Intended}, CancelPending},
		{"cancel kept in doubt", shipping.PendingDispatch, cancel, Attempt{State: InDoubt}, DispatchInDoubt + " " + CancelPending},
		{"cancel kept between two bookings", shipping.RequestReceived, cancel, Attempt{State: Refused}, CancelPending},
		{"cancel asked", shipping.OrderDispatched, cancel, Attempt{State: Booked, CancelIntent: &CancelIntent{By: "ann"}}, CancelInDoubt},
		{"cancel that waits for a number", shipping.OrderDispatched, cancel, Attempt{State: Adopted, Doubt: told}, CancelInDoubt},
		{"cancel kept by an earlier version", shipping.ErrorException, cancel, Attempt{State: Ended}, ""},
		{"edit asked", shipping.OrderDispatched, nil, Attempt{State: Booked, EditIntent: edited}, EditInDoubt},
		{"rebooking", shipping.OrderDispatched, nil, Attempt{State: Booked, CancelIntent: rebooked}, EditInDoubt},
		{"rebooking that a cancel waits for", shipping.OrderDispatched, cancel, Attempt{State: Booked, CancelIntent: rebooked}, CancelInDoubt + " " + EditInDoubt},
		{"fallback", shipping.OrderDispatched, nil, Attempt{State: Booked, CancelIntent: turned}, ""},
		{"edit of a booking that has ended", shipping.RequestReceived, nil, Attempt{State: Ended, EditIntent: edited, CancelIntent: rebooked}, ""},
	}
	for _, c := range cases {
		c.a.Number, c.a.Kind, c.a.Provider = 1, Forward, "UPS"
		s := &Shipment{Status: c.status, Cancel: c.cancel, Attempts: []Attempt{c.a}}
		var codes []string
		for _, w := range s.AllWarnings() {
			codes = append(codes, w.Code)
		}
		if got := strings.Join(codes, " "); got != c.want {
			t.Errorf("%s: warnings %q, want %q", c.name, got, c.want)
		}
	}
}
