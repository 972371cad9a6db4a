package dispatch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// A duplicate that is found must be cancelled even if the process dies right after the adoption.
func TestASpareOutlivesTheProcess(t *testing.T) {
	f := newFake("doordash", "DoorDash", 975)
	f.onBook = once(true)
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	f.set(func(f *fakeCarrier) {
		f.commit(f.booked[0])
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
	})
	e.pass(15 * time.Second)
	if a := e.get("o1").Live(shipment.Forward); a == nil || len(a.Spares) != 1 || !a.SpareLeft() {
		t.Fatalf("the spare is not recorded: %+v", a)
	}
	f.set(func(f *fakeCarrier) { f.onCancel = nil })
	e = e.crash()
	e.pass(2 * time.Hour)
	e.wantLive("o1", "doordash")
	e.wantNoJobs()
}

func TestASpareThatTheCarrierKeepsIsAPersons(t *testing.T) {
	e, _ := keptSpare(t)
	p, err := e.List(context.Background(), caller, store.ShipmentQuery{NeedsPerson: true})
	if err != nil || len(p.Shipments) != 1 {
		t.Errorf("%d orders need a person, %v", len(p.Shipments), err)
	}
}

// The carrier cancels a spare, its answer is lost, and it refuses to cancel it twice: within minutes the engine sees that it is gone.
// One that stays is asked about ever more seldom.
func TestASpareThatIsGoneAfterALostAnswerIsNoPersonsForLong(t *testing.T) {
	f := newFake("doordash", "DoorDash", 975)
	f.onBook = once(true)
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	asked := 0
	f.set(func(f *fakeCarrier) {
		f.commit(f.booked[0])
		f.onCancel = func(carrier.CancelRequest) (bool, error) { asked++; return false, refusal(carrier.CancelRefused) }
	})
	people := func() int {
		p, err := e.List(context.Background(), caller, store.ShipmentQuery{NeedsPerson: true})
		if err != nil {
			t.Fatal(err)
		}
		return len(p.Shipments)
	}
	e.pass(30 * time.Second)
	if asked != 1 || people() != 1 {
		t.Fatalf("asked %d times, %d orders need a person; want one each", asked, people())
	}
	e.pass(2 * time.Hour)
	if asked < 6 || asked > 8 { // after 1, 3, 7, 15, 31, 63 minutes
		t.Errorf("asked %d times in two hours", asked)
	}
	f.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return true, refusal(carrier.CancelRefused) }
	})
	e.pass(6 * time.Hour)
	if people() != 0 {
		t.Error("the spare is gone, and the order still needs a person")
	}
	e.wantLive("o1", "doordash")
	e.wantNoJobs()
}

// A carrier without idempotency may have booked twice although its answer came.
func TestACarrierWithoutIdempotencyIsLookedAtAgain(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.manifest.Idempotency, f.manifest.Absence = carrier.NoIdempotency, carrier.Unproven
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
	e.pass(time.Hour)
	e.wantLive("o1", "ups")
	e.wantNoJobs()
}

// It is so, too, where its account was not configured for as long as a watch takes.
func TestACarrierWhoseAccountIsAwayIsLookedAtAgain(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.manifest.Idempotency, f.manifest.Absence = carrier.NoIdempotency, carrier.Unproven
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
	delete(e.carriers, "ups")
	e.watchOut()
	e.carriers["ups"] = f
	e.watchOut()
	e.wantLive("o1", "ups")
	e.wantNoJobs()
}

// A carrier that cannot be asked whether it has booked twice is asked ever more seldom, and once it answers it is believed.
func TestACarrierThatCannotBeAskedForSparesIsAskedMoreSeldom(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.manifest.Idempotency, f.manifest.Absence = carrier.NoIdempotency, carrier.Unproven
	looks := 0
	f.onFind = func(carrier.FindRequest) error {
		looks++
		return &carrier.Error{Source: carrier.SourceNetwork, Effect: carrier.EffectNone, Code: carrier.CarrierUnavailable, Message: "no route"}
	}
	e := newEngine(t, f)
	e.mustCreate("o1")
	e.pass(6 * time.Hour)
	if looks < 12 || looks > 120 {
		t.Errorf("looked %d times in six hours", looks)
	}
	f.set(func(f *fakeCarrier) { f.onFind = nil; f.commit(f.booked[0]) })
	e.pass(time.Hour)
	e.wantLive("o1", "ups")
	e.wantNoJobs()
}

// A native carrier is sent the booking again while the first call, whose lease has ended, is still at it. The first is refused, the
// second books: the refusal must not end the attempt.
func TestARefusalDoesNotEndWhatIsSentAgain(t *testing.T) {
	dash, ups := newFake("doordash", "DoorDash", 975), newFake("ups", "UPS", 1200)
	dash.manifest.Idempotency = carrier.Native
	e := newEngine(t, dash, ups)
	first, second := make(chan struct{}), make(chan struct{})
	refuse, book := make(chan struct{}), make(chan struct{})
	n := 0
	dash.onBook = func(carrier.BookRequest) (bool, error) {
		n++
		call := n
		dash.mu.Unlock()
		defer dash.mu.Lock()
		if call == 1 {
			close(first)
			<-refuse
			return false, refusal(carrier.ServiceUnavailable)
		}
		close(second)
		<-book
		return true, nil
	}
	created, reconciled := make(chan error, 1), make(chan error, 1)
	go func() { _, err := e.create("o1"); created <- err }()
	<-first
	e.clock.Advance(6 * time.Minute)
	go func() { _, err := e.runner.RunDue(context.Background(), e.clock.Now()); reconciled <- err }()
	<-second
	close(refuse)
	if err := <-created; err != nil {
		t.Fatal(err)
	}
	close(book)
	if err := <-reconciled; err != nil {
		t.Fatal(err)
	}
	dash.set(func(f *fakeCarrier) { f.onBook = nil })
	e.pass(time.Hour)
	e.wantLive("o1", "doordash")
	e.statuses("o1")
	e.wantNoJobs()
}

// A person says that there is no booking while the engine is looking, and finds one.
func TestABookingFoundWhileAPersonResolvesIsASpare(t *testing.T) {
	e, dash := undecided(t)
	dash.set(func(f *fakeCarrier) {
		f.commit(f.booked[0])
		f.onFind = func(carrier.FindRequest) error {
			f.onFind = nil
			if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}); err != nil {
				t.Error(err)
			}
			return nil
		}
	})
	e.pass(6*time.Hour + time.Minute)
	e.wantLive("o1", "doordash")
	if sh := e.get("o1"); len(sh.Attempts) != 2 || sh.Attempts[0].State != shipment.Voided {
		t.Errorf("attempts = %+v", sh.Attempts)
	}
}

// A person says under which number an order is booked while its account has left the configuration. Once the account is back, its carrier
// is looked at for what it may have booked beside.
func TestAnAccountThatComesBackIsLookedAtForSpares(t *testing.T) {
	e, dash := undecided(t)
	dash.manifest.Idempotency = carrier.NoIdempotency
	dash.set(func(f *fakeCarrier) { f.commit(f.booked[0]); f.commit(f.booked[0]) })
	carriers := e.Carriers.(fakeCarriers)
	delete(carriers, "doordash")
	number := dash.bookings[dash.booked[0].Reference][0].TrackingID
	if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeBooked, TrackingID: number}); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Minute)
	if dash.live() != 2 {
		t.Fatalf("%d live bookings while the account is away, want 2", dash.live())
	}
	carriers["doordash"] = dash
	e.pass(time.Hour)
	e.wantLive("o1", "doordash")
	e.wantNoJobs()
}

// keptSpare has an order with a spare booking that its carrier would not cancel.
func keptSpare(t *testing.T) (*engine, *fakeCarrier) {
	t.Helper()
	e, f := bookedTwice(t, refusal(carrier.CancelRefused))
	e.pass(time.Hour)
	return e, f
}

// bookedTwice has an order whose carrier has booked it twice, which nobody has seen yet, and answers a cancellation so.
func bookedTwice(t *testing.T, answer error) (*engine, *fakeCarrier) {
	t.Helper()
	f := newFake("doordash", "DoorDash", 975)
	f.onBook = once(true)
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	f.set(func(f *fakeCarrier) {
		f.commit(f.booked[0])
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, answer }
	})
	return e, f
}

// gone has a person say that the spare is gone.
func (e *engine) gone() {
	e.t.Helper()
	if _, err := e.resolve(absent); err != nil {
		e.t.Fatal(err)
	}
	if len(e.needing()) != 0 {
		e.t.Fatal("the order still needs a person")
	}
}

// A person says that a spare is gone, and the carrier shows it alive: it needs that person again, and is cancelled when it can be.
func TestASpareThatIsNotGoneComesBack(t *testing.T) {
	t.Run("at the next look", func(t *testing.T) {
		e, f := keptSpare(t)
		e.gone()
		e.pass(time.Minute)
		want := "SPARE_FOUND( DoorDash doordash000002: the carrier holds it still )"
		if notes := e.notes("o1", "SPARE_FOUND"); len(e.needing()) != 1 || !slices.Contains(notes, want) {
			t.Fatalf("%d orders need a person; history %q", len(e.needing()), notes)
		}
		if has := e.claimants("booking:doordash:DOORDASH000002"); has[0] != e.get("o1").ID {
			t.Errorf("claimed by %q", has)
		}
		f.set(func(f *fakeCarrier) { f.onCancel = nil })
		e.pass(24 * time.Hour)
		e.wantLive("o1", "doordash")
		if len(e.needing()) != 0 {
			t.Error("the order still needs a person")
		}
		e.wantNoJobs()
	})
	t.Run("days later", func(t *testing.T) {
		e, f := keptSpare(t)
		down := true
		f.set(func(f *fakeCarrier) {
			f.onFind = func(carrier.FindRequest) error {
				if down {
					return retrySafe(carrier.CarrierUnavailable)
				}
				return nil
			}
		})
		e.gone()
		e.pass(5 * 24 * time.Hour)
		f.set(func(*fakeCarrier) { down = false })
		e.pass(24 * time.Hour)
		if len(e.needing()) != 1 {
			t.Errorf("%d orders need a person", len(e.needing()))
		}
	})
}

// A person's word of a spare is final where the carrier shows nothing against it, or when the watch is over: what was carried out cannot be
// cancelled.
func TestAPersonsWordOfASpareCounts(t *testing.T) {
	t.Run("it is gone", func(t *testing.T) {
		e, f := keptSpare(t)
		f.set(func(f *fakeCarrier) { f.bookings[f.booked[0].Reference][1].Cancelled = true })
		e.gone()
		e.pass(8 * 24 * time.Hour)
		e.wantLive("o1", "doordash")
		if notes := e.notes("o1", "SPARE_"); len(notes) != 3 || len(e.needing()) != 0 {
			t.Errorf("history %q", notes)
		}
		e.wantNoJobs()
	})
	t.Run("when the watch is over", func(t *testing.T) {
		e, _ := keptSpare(t)
		e.pass(8 * 24 * time.Hour)
		e.gone()
		e.pass(8 * 24 * time.Hour)
		if len(e.needing()) != 0 {
			t.Error("a person's word is not final")
		}
		e.wantNoJobs()
	})
}

// A spare that a person has told of, and that its carrier does not know, is that person's again, and no other's.
func TestAToldSpareThatTheCarrierDoesNotKnowIsAPersons(t *testing.T) {
	f := newFake("doordash", "DoorDash", 975)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.BookingNotFound) }
	})
	if _, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeSpare, TrackingID: "D-77"}); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	if notes := e.notes("o1", "SPARE_NOT_CANCELLED( DoorDash D-77"); len(notes) != 1 || len(e.needing()) != 1 {
		t.Fatalf("%d orders need a person; history %q", len(e.needing()), notes)
	}
	if _, err := e.resolve(absent); err != nil {
		t.Fatal(err)
	}
	e.pass(8 * 24 * time.Hour)
	e.wantLive("o1", "doordash")
	e.wantNoJobs()
}
