package shipment_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var then = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

func booked(mode string) *shipment.Shipment {
	return &shipment.Shipment{Status: shipping.OrderDispatched, Attempts: []shipment.Attempt{{Number: 1, Kind: shipment.Forward, State: shipment.Booked, Provider: "UPS",
		Quote: shipping.Quote{Mode: mode}, Fee: shipping.Money{Minor: 1200, Currency: "USD"},
		Booking: &shipment.Booking{TrackingID: "N", Amount: shipping.Money{Minor: 1000, Currency: "USD"}}}}}
}

func hear(s *shipment.Shipment, status shipping.Status, change ...func(*shipment.Heard)) ([]shipment.Change, bool) {
	h := shipment.Heard{Status: status, At: then, User: "UPS", Note: "C( words )"}
	for _, c := range change {
		c(&h)
	}
	return s.Follow(1, []shipment.Heard{h}, then.Add(time.Minute))
}

func late(h *shipment.Heard) { h.Late = true }

func TestNewsOfALiveBookingMoveTheOrder(t *testing.T) {
	s := booked("ground")
	lines, over := hear(s, shipping.OrderDelivered)
	if s.Status != shipping.OrderDelivered || len(lines) != 1 || !over || s.Attempts[0].State != shipment.Ended {
		t.Fatalf("%s, %+v, over %v", s.Status, lines, over)
	}
	if l := lines[0]; !l.At.Equal(then) || l.User != "UPS" || l.Note != "C( words )" || l.Attempt != 1 || l.Late {
		t.Errorf("line = %+v", l)
	}
	if lines, over = hear(s, shipping.InTransit); s.Status != shipping.OrderDelivered || len(lines) != 1 || !lines[0].Late || over {
		t.Errorf("after the end: %s, %+v, over %v", s.Status, lines, over)
	}
}

func TestWhatDoesNotMoveTheOrder(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*shipment.Shipment)
		late   bool
	}{
		"late news":              {func(*shipment.Shipment) {}, true},
		"a booking that ended":   {func(s *shipment.Shipment) { s.Attempts[0].State = shipment.Cancelled }, false},
		"a return":               {func(s *shipment.Shipment) { s.Attempts[0].Kind = shipment.Return }, false},
		"an order without a way": {func(s *shipment.Shipment) { s.Status = shipping.PendingDispatch }, false},
	} {
		s := booked("ground")
		c.change(s)
		before := s.Status
		var opts []func(*shipment.Heard)
		if c.late {
			opts = append(opts, late)
		}
		if lines, _ := hear(s, shipping.InTransit, opts...); s.Status != before || len(lines) != 1 || !lines[0].Late {
			t.Errorf("%s: %s, %+v", name, s.Status, lines)
		}
	}
	s := booked("ground")
	s.ErasedAt = then
	if lines, _ := hear(s, shipping.InTransit); len(lines) != 0 || s.Status != shipping.OrderDispatched {
		t.Errorf("an erased order hears %+v", lines)
	}
	if lines, _ := hear(booked("ground"), ""); len(lines) != 0 {
		t.Errorf("a word without meaning is a line: %+v", lines)
	}
}

// What somebody was told to be under way when the carrier delivers ends with words in the history.
func TestADeliveryThatOvertakesIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		under func(*shipment.Shipment, *shipment.Attempt)
		want  []string
	}{
		"nothing": {func(*shipment.Shipment, *shipment.Attempt) {}, nil},
		"a cancellation": {func(s *shipment.Shipment, a *shipment.Attempt) {
			s.Cancel, a.CancelIntent = &shipment.CancelRequest{By: "shop"}, &shipment.CancelIntent{By: "shop"}
		}, []string{"CANCELLATION_REFUSED"}},
		"an edit that the carrier takes": {func(_ *shipment.Shipment, a *shipment.Attempt) { a.EditIntent = &shipment.EditIntent{By: "shop"} }, []string{"EDIT_REFUSED"}},
		"an edit that books anew": {func(s *shipment.Shipment, a *shipment.Attempt) {
			a.CancelIntent = &shipment.CancelIntent{By: "shop", Replace: s.Wish()}
		}, []string{"EDIT_REFUSED"}},
		"both": {func(s *shipment.Shipment, a *shipment.Attempt) {
			s.Cancel, a.CancelIntent = &shipment.CancelRequest{By: "shop"}, &shipment.CancelIntent{By: "shop", Replace: s.Wish()}
		}, []string{"CANCELLATION_REFUSED", "EDIT_REFUSED"}},
		"a fallback, of which nobody was told": {func(s *shipment.Shipment, a *shipment.Attempt) {
			a.CancelIntent = &shipment.CancelIntent{By: shipment.System, Replace: s.Wish()}
		}, nil},
	} {
		s := booked("ground")
		c.under(s, &s.Attempts[0])
		lines, _ := hear(s, shipping.OrderDelivered)
		if s.Status != shipping.OrderDelivered || s.Cancel != nil || len(lines) != 1+len(c.want) {
			t.Errorf("%s: %s, cancel %v, lines %+v", name, s.Status, s.Cancel, lines)
			continue
		}
		for i, code := range c.want {
			l := lines[i+1]
			if l.Note != code+"( UPS: the booking had come to its end before )" || !l.Late || l.Attempt != 1 || l.Seq != lines[0].Seq+i+1 {
				t.Errorf("%s: line %+v, want a late one that says %s", name, l, code)
			}
		}
	}
}

// A cancellation that is kept is done where the carrier ends the booking before it is asked, and is refused where it delivers or brings back.
func TestAKeptCancellationEndsWithTheBooking(t *testing.T) {
	for name, c := range map[string]struct {
		mode  string
		news  shipping.Status
		want  shipping.Status
		state shipment.AttemptState
		notes []string
	}{
		"cancelled":        {"ground", shipping.OrderCancelled, shipping.OrderCancelled, shipment.Cancelled, []string{"C( words )"}},
		"failed":           {"ground", shipping.OrderFailed, shipping.OrderCancelled, shipment.Cancelled, []string{"C( words )"}},
		"given up":         {"courier", shipping.ErrorException, shipping.OrderCancelled, shipment.Cancelled, []string{"C( words )"}},
		"delivered":        {"ground", shipping.OrderDelivered, shipping.OrderDelivered, shipment.Ended, []string{"C( words )", "CANCELLATION_REFUSED( UPS: the booking had come to its end before )"}},
		"brought back":     {"ground", shipping.OrderUndeliverable, shipping.OrderUndeliverable, shipment.Booked, []string{"C( words )", "CANCELLATION_REFUSED( UPS: the booking had come to its end before )"}},
		"only in trouble":  {"ground", shipping.ErrorException, shipping.ErrorException, shipment.Booked, []string{"C( words )"}},
		"only on its way":  {"ground", shipping.InTransit, shipping.InTransit, shipment.Booked, []string{"C( words )"}},
		"a driver is lost": {"courier", shipping.OrderUnassigned, shipping.OrderUnassigned, shipment.Booked, []string{"C( words )"}},
	} {
		s := booked(c.mode)
		s.Cancel = &shipment.CancelRequest{By: "shop", Kept: true}
		lines, over := hear(s, c.news)
		a := &s.Attempts[0]
		var notes []string
		for _, l := range lines {
			notes = append(notes, l.Note)
		}
		stays := c.state == shipment.Booked && c.news != shipping.OrderUndeliverable
		if s.Status != c.want || s.SubStatus != "" || a.State != c.state || (s.Cancel != nil) != stays || over == stays || !slices.Equal(notes, c.notes) {
			t.Errorf("%s: %s %s, %s, cancel %v, over %v, %q", name, s.Status, s.SubStatus, a.State, s.Cancel, over, notes)
			continue
		}
		if c.want == shipping.OrderCancelled && (lines[0].User != "shop" || lines[0].Actor != "UPS" || lines[0].Reason != nil || s.Failure != nil) {
			t.Errorf("%s: line %+v, failure %v", name, lines[0], s.Failure)
		}
		if !stays && !s.AtRest() && c.news != shipping.OrderUndeliverable {
			t.Errorf("%s: the order is not at rest", name)
		}
	}
}

func withdrawn(h *shipment.Heard) {
	h.Reason = &shipping.EventReason{Code: shipping.CancelledByMerchant, Title: "Cancelled by the merchant", Note: "cancelled_by_creator"}
}

// What the merchant has had cancelled at the carrier is cancelled, in the carrier's words, and nobody tries it again; what the carrier has given
// up by itself can be tried.
func TestAMerchantsOwnCancellationEndsTheOrder(t *testing.T) {
	for _, mode := range []string{"courier", "ground"} {
		s := booked(mode)
		s.Failure = &shipment.Failure{}
		lines, over := hear(s, shipping.OrderCancelled, withdrawn)
		if s.Status != shipping.OrderCancelled || s.SubStatus != "" || s.Retryable() || !s.Final() || !s.AtRest() || s.Failure != nil || !over || s.Attempts[0].State != shipment.Cancelled {
			t.Errorf("%s: %s %s, %s, over %v", mode, s.Status, s.SubStatus, s.Attempts[0].State, over)
		}
		if len(lines) != 1 || lines[0].Late || lines[0].User != "UPS" || lines[0].Note != "C( words )" || lines[0].Reason == nil || lines[0].Reason.Code != shipping.CancelledByMerchant {
			t.Errorf("%s: lines %+v", mode, lines)
		}
	}
	edited := booked("courier")
	edited.Attempts[0].EditIntent = &shipment.EditIntent{By: "shop"}
	if lines, _ := hear(edited, shipping.OrderCancelled, withdrawn); len(lines) != 2 || lines[1].Note != "EDIT_REFUSED( UPS: the booking had come to its end before )" || edited.Attempts[0].EditIntent != nil {
		t.Errorf("with an edit under way: %+v", lines)
	}
	asked := booked("courier")
	asked.Attempts[0].CancelIntent = &shipment.CancelIntent{By: shipment.System, Replace: asked.Wish()}
	if lines, over := hear(asked, shipping.OrderCancelled, withdrawn); asked.Status != shipping.OrderDispatched || over || len(lines) != 1 || !lines[0].Late {
		t.Errorf("of what we cancel ourselves: %s, over %v, %+v", asked.Status, over, lines)
	}
	kept := booked("courier")
	kept.Cancel = &shipment.CancelRequest{By: "shop", Kept: true}
	if lines, _ := hear(kept, shipping.OrderCancelled, withdrawn); kept.Status != shipping.OrderCancelled || lines[0].User != "shop" || kept.Cancel != nil {
		t.Errorf("of what was to be cancelled: %s, %+v", kept.Status, lines)
	}
	told := booked("courier") // the number is a person's word: the parcel may be another's
	told.Attempts[0].Doubt = &shipment.Doubt{Told: true, ByPerson: "anna"}
	if hear(told, shipping.OrderCancelled, withdrawn); told.Status != shipping.ErrorException || !told.Retryable() || told.Attempts[0].State != shipment.Ended {
		t.Errorf("of a number that is a person's word: %s, %s", told.Status, told.Attempts[0].State)
	}
	for name, own := range map[string]func(*shipment.Heard){"without a reason": func(*shipment.Heard) {}, "for its own": func(h *shipment.Heard) { h.Reason = &shipping.EventReason{Code: "OTHER"} }} {
		s := booked("courier")
		hear(s, shipping.OrderCancelled, own)
		if s.Status != shipping.ErrorException || s.SubStatus != shipment.CancelledByProvider || !s.Retryable() || s.Attempts[0].State != shipment.Ended {
			t.Errorf("cancelled by the carrier %s: %s %s, %s", name, s.Status, s.SubStatus, s.Attempts[0].State)
		}
	}
}

// A booking that ends undelivered while nobody knows whether its carrier has taken a change leaves the changed order.
func TestAnEndWithoutDeliveryKeepsTheChangeInDoubt(t *testing.T) {
	for _, st := range []shipping.Status{shipping.OrderCancelled, shipping.OrderFailed, shipping.ErrorException} {
		s := booked("courier")
		s.Order.ExternalID = "o1"
		changed := s.Order
		ring := "ring twice"
		changed.ExternalID, changed.DeliveryInstructions = "o2", &ring
		s.Attempts[0].EditIntent = &shipment.EditIntent{By: "shop", Order: changed}
		lines, _ := hear(s, st)
		if s.Order.DeliveryInstructions == nil || *s.Order.DeliveryInstructions != ring || s.Order.ExternalID != "o1" {
			t.Errorf("%s: the order is %+v", st, s.Order)
		}
		if len(lines) != 2 || lines[1].Note != "EDITED( UPS: the booking had come to its end before )" || s.Attempts[0].EditIntent != nil {
			t.Errorf("%s: lines %+v", st, lines)
		}
	}
}

func TestTheFinalChargeKeepsWhatRulesCharge(t *testing.T) {
	s := booked("ground")
	s.Charge(1, shipping.Money{Minor: 1150, Currency: "USD"})
	s.Charge(1, shipping.Money{Minor: 99, Currency: "EUR"})
	if a := s.Attempts[0]; a.Fee.Minor != 1350 || a.Booking.Amount.Minor != 1150 {
		t.Errorf("fee %v, amount %v", a.Fee, a.Booking.Amount)
	}
}

func TestProgressIsOfTheShownBooking(t *testing.T) {
	s := booked("ground")
	s.Progress.EstimatedPickup = shipping.TimeWindow{StartsAt: shipping.At(then)}
	s.Learn(1, shipment.Progress{Driver: &shipping.Driver{Name: "Bea"}, ActualPickup: shipping.At(then)})
	if p := s.Progress; p.Driver.Name != "Bea" || p.EstimatedPickup.IsZero() || p.ActualPickup.IsZero() {
		t.Errorf("progress = %+v", p)
	}
	s.Learn(1, shipment.Progress{Tip: shipping.Money{Minor: 350, Currency: "USD"}})
	s.Learn(1, shipment.Progress{})
	asked := shipping.MustDecimal("3")
	if got := s.Progress.Tips(asked, "USD"); got != shipping.MustDecimal("3.5") {
		t.Errorf("the tip that the carrier has told is shown as %s", got)
	}
	if got := s.Progress.Tips(asked, "CAD"); got != asked {
		t.Errorf("a tip in another currency than the order's is shown as %s", got)
	}
	s.Learn(1, shipment.Progress{Driver: &shipping.Driver{Name: "Bea"}})
	s.Attempts[0].State = shipment.Cancelled
	s.Attempts = append(s.Attempts, shipment.Attempt{Number: 2, Kind: shipment.Forward, State: shipment.Booked, Booking: &shipment.Booking{}})
	s.Learn(1, shipment.Progress{Driver: &shipping.Driver{Name: "Abe"}})
	if s.Progress.Driver.Name != "Bea" {
		t.Error("a booking that nobody shows any more changes the driver")
	}
}

// Whatever is told in whatever order: a booking is counted out at most once, an order that is final stays so, and the present is the
// last line that was not late.
func TestFollowKeepsTheBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := booked(rapid.SampledFrom([]string{"courier", "ground"}).Draw(t, "mode"))
		if rapid.Bool().Draw(t, "cancelling") {
			s.Attempts[0].CancelIntent = &shipment.CancelIntent{}
		}
		counted, present := 0, s.Status
		for range rapid.IntRange(1, 12).Draw(t, "news") {
			final := s.Final()
			before := s.Status
			lines, over := hear(s, rapid.SampledFrom(shipping.Statuses).Draw(t, "status"), func(h *shipment.Heard) { h.Late = rapid.Bool().Draw(t, "late") })
			if over {
				counted++
			}
			if final && s.Status != before {
				t.Fatalf("a final order went from %s to %s", before, s.Status)
			}
			for _, l := range lines {
				if !l.Late {
					present = l.Status
				}
			}
		}
		if counted > 1 || s.Status != present {
			t.Fatalf("counted out %d times; %s, the history says %s", counted, s.Status, present)
		}
		if ended := s.Attempts[0].State == shipment.Ended; ended && counted != 1 {
			t.Fatalf("an ended booking is still counted")
		}
	})
}
