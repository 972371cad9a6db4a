package dispatch_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// unasked are the ways in which a carrier cannot be asked: how it begins, how it ends, and how long the engine alone bears it.
var unasked = map[string]struct {
	begin, end func(*engine, *fakeCarrier)
	alone      time.Duration
	says       string
}{
	"the credentials are rejected": {
		func(_ *engine, f *fakeCarrier) { f.answers(refusal(carrier.CredentialsRejected)) },
		func(_ *engine, f *fakeCarrier) { f.answers(nil) }, 50 * time.Second, "The carrier says no."},
	"the carrier is out of order": {
		func(_ *engine, f *fakeCarrier) { f.answers(retrySafe(carrier.CarrierUnavailable)) },
		func(_ *engine, f *fakeCarrier) { f.answers(nil) }, 23 * time.Hour, ""},
	"the adapter does not start": {
		func(_ *engine, f *fakeCarrier) { f.starting = true },
		func(_ *engine, f *fakeCarrier) { f.starting = false }, 23 * time.Hour, "The adapter has not started."},
	"the account is gone": {
		func(e *engine, f *fakeCarrier) { delete(e.carriers, f.manifest.Name) },
		func(e *engine, f *fakeCarrier) { e.carriers[f.manifest.Name] = f }, 0, "The account is not configured any more."},
}

// answers has the carrier answer every question with an error, or as it should, with nil.
func (f *fakeCarrier) answers(err error) {
	f.set(func(f *fakeCarrier) {
		f.onFind = func(carrier.FindRequest) error { return err }
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return err == nil, err }
	})
}

// An attempt in doubt whose carrier cannot be asked becomes a person's as well, and ends by itself once the carrier tells.
func TestADoubtThatNobodyCanAskAboutIsAPersons(t *testing.T) {
	for name, way := range unasked {
		for _, committed := range []bool{true, false} {
			e, dash, ups := doubtful(t, committed, nil)
			way.begin(e, dash)
			e.pass(way.alone)
			if n := len(e.needing()); n != 0 {
				t.Errorf("%s: %d orders need a person after %s", name, n, way.alone)
			}
			e.pass(time.Hour + way.alone/8)
			notes := e.notes("o1", "NEEDS_ATTENTION( DoorDash: the carrier cannot be asked: "+way.says)
			if len(e.needing()) != 1 || len(notes) != 1 || len(ups.booked) != 0 {
				t.Fatalf("%s: %d orders need a person; the history says %q; another booked %d", name, len(e.needing()), notes, len(ups.booked))
			}
			if d := e.get("o1").Attempts[0].Undecided(); !strings.HasPrefix(d.Last, "the carrier cannot be asked: ") {
				t.Errorf("%s: what is known: %s", name, d.Last)
			}
			way.end(e, dash)
			e.pass(20 * time.Minute)
			e.wantLive("o1", "doordash")
			if n := len(e.needing()); n != 0 {
				t.Errorf("%s: %d orders need a person though the carrier has told", name, n)
			}
			e.watchOut()
			e.wantNoJobs()
		}
	}
}

// A person may decide it meanwhile, and the engine sees what they have overlooked.
func TestAPersonDecidesWhatNobodyCanAskAbout(t *testing.T) {
	for name, way := range unasked {
		e, dash, _ := doubtful(t, true, nil)
		way.begin(e, dash)
		e.pass(25 * time.Hour)
		if _, err := e.resolve(absent); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := len(e.needing()); n != 0 {
			t.Errorf("%s: %d orders need a person", name, n)
		}
		way.end(e, dash)
		e.pass(24 * time.Hour)
		e.wantLive("o1", "doordash")
		if a := e.get("o1").Attempts[0]; a.State != shipment.Voided {
			t.Errorf("%s: the attempt is %s", name, a.State)
		}
	}
	t.Run("not within a passing fault", func(t *testing.T) {
		e, dash, _ := doubtful(t, true, nil)
		dash.answers(refusal(carrier.CredentialsRejected))
		e.pass(30 * time.Second)
		_, err := e.resolve(absent)
		wantType(t, err, usecase.InvalidOperation)
	})
}

// Credentials that are rejected now and then are no person's: each other answer shows that the account may ask.
func TestAPassingRejectionIsNobodys(t *testing.T) {
	e, dash, _ := doubtful(t, true, nil)
	asked := 0
	dash.set(func(f *fakeCarrier) {
		f.onFind = func(carrier.FindRequest) error {
			if asked++; asked%2 == 0 {
				return retrySafe(carrier.CarrierUnavailable)
			}
			return refusal(carrier.CredentialsRejected)
		}
	})
	e.pass(20 * time.Hour)
	if n := len(e.needing()); n != 0 || asked < 10 {
		t.Errorf("%d orders need a person after %d looks", n, asked)
	}
}

// A carrier that can be asked again and knows of nothing is asked on by the engine alone; where its policy asks a person then, for that reason.
func TestADoubtThatCanBeAskedAboutAgain(t *testing.T) {
	e, dash, _ := doubtful(t, false, func(f *fakeCarrier) { f.manifest.Absence = carrier.Unproven })
	e.config.Tenants["demo"].Accounts["doordash"].Doubt = "attention"
	dash.answers(refusal(carrier.CredentialsRejected))
	e.pass(10 * time.Minute)
	if n := len(e.needing()); n != 1 {
		t.Fatalf("%d orders need a person", n)
	}
	dash.answers(nil)
	e.pass(time.Hour)
	if notes := e.notes("o1", "NEEDS_ATTENTION"); len(e.needing()) != 1 || len(notes) != 2 || !strings.Contains(notes[1], "cannot prove that there is none") {
		t.Errorf("%d orders need a person; the history says %q", len(e.needing()), notes)
	}
	if a := e.get("o1").Attempts[0]; a.Doubt.Unasked {
		t.Error("the carrier was asked")
	}
}

// spared has an order with a spare booking, which is found when its carrier cannot be asked to cancel it.
func spared(t *testing.T) (*engine, *fakeCarrier) {
	t.Helper()
	e, f := bookedTwice(t, retrySafe(carrier.CarrierUnavailable))
	e.pass(13 * time.Second)
	if found := e.notes("o1", "SPARE_FOUND( DoorDash doordash000002 )"); len(found) != 1 || len(e.needing()) != 0 {
		t.Fatalf("%d orders need a person; the history says %q", len(e.needing()), e.notes("o1", "SPARE"))
	}
	return e, f
}

// A spare booking that nobody can have cancelled is told of, becomes a person's, and is cancelled once that can be.
func TestASpareThatNobodyCanAskAboutIsAPersons(t *testing.T) {
	for name, way := range unasked {
		for _, resolved := range []bool{false, true} {
			e, f := spared(t)
			way.begin(e, f)
			e.pass(way.alone)
			if n := len(e.needing()); n != 0 {
				t.Errorf("%s: %d orders need a person after %s", name, n, way.alone)
			}
			e.pass(time.Hour + way.alone/8)
			notes := e.notes("o1", "SPARE_NOT_CANCELLED( DoorDash doordash000002: "+way.says)
			if len(e.needing()) != 1 || len(notes) != 1 {
				t.Fatalf("%s: %d orders need a person; the history says %q", name, len(e.needing()), notes)
			}
			if resolved {
				e.gone()
			}
			way.end(e, f)
			f.answers(nil)
			e.pass(20 * time.Minute)
			e.wantLive("o1", "doordash")
			if n := len(e.needing()); n != 0 {
				t.Errorf("%s: %d orders need a person though the spare is cancelled", name, n)
			}
		}
	}
}

// A carrier that can be asked again and refuses to cancel the spare is a person's for that reason.
func TestASpareThatIsRefusedWhenItCanBeAskedAbout(t *testing.T) {
	e, f := spared(t)
	delete(e.carriers, "doordash")
	e.pass(time.Hour)
	e.carriers["doordash"] = f
	f.answers(nil)
	f.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
	})
	e.pass(time.Hour)
	want := []string{"SPARE_NOT_CANCELLED( DoorDash doordash000002: The account is not configured any more. )", "SPARE_NOT_CANCELLED( DoorDash doordash000002: The carrier says no. )"}
	if notes := e.notes("o1", "SPARE_NOT"); !slices.Equal(notes, want) || len(e.needing()) != 1 {
		t.Errorf("%d orders need a person; the history says %q", len(e.needing()), notes)
	}
	if sp := e.get("o1").Attempts[0].Spares[0]; sp.Unasked {
		t.Error("the carrier was asked")
	}
}

// A cancellation that was kept until the booking is known wins when a person says what became of that.
func TestACancelKeptWhileNobodyCanAsk(t *testing.T) {
	for outcome, number := range map[dispatch.Outcome]string{dispatch.OutcomeAbsent: "", dispatch.OutcomeBooked: "doordash000001"} {
		e, dash, _ := doubtful(t, outcome == dispatch.OutcomeBooked, nil)
		dash.answers(refusal(carrier.CredentialsRejected))
		if res, err := e.cancel("o1"); err != nil || !res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		e.pass(10 * time.Minute)
		if n := len(e.needing()); n != 1 {
			t.Fatalf("%d orders need a person", n)
		}
		if _, err := e.resolve(dispatch.Resolution{Outcome: outcome, TrackingID: number}); err != nil {
			t.Fatal(err)
		}
		dash.answers(nil)
		e.pass(24 * time.Hour)
		if sh := e.get("o1"); sh.Status != shipping.OrderCancelled || len(e.needing()) != 0 {
			t.Errorf("%s: the order is %s; %d orders need a person", outcome, sh.Status, len(e.needing()))
		}
		e.wantLive("o1", "")
	}
}
