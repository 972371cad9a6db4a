package dispatch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// undecided has an order whose booking only a person can decide on.
func undecided(t *testing.T) (*engine, *fakeCarrier) {
	t.Helper()
	e, dash, _ := doubtful(t, false, func(f *fakeCarrier) { f.manifest.Absence = carrier.Unproven })
	e.config.Tenants["demo"].Accounts["doordash"].Doubt = "attention"
	e.pass(time.Hour)
	if len(e.needing()) != 1 {
		t.Fatalf("%d orders need a person", len(e.needing()))
	}
	return e, dash
}

func (e *engine) needing() []*shipment.Shipment {
	e.t.Helper()
	p, err := e.List(context.Background(), e.who, store.ShipmentQuery{NeedsPerson: true})
	if err != nil {
		e.t.Fatal(err)
	}
	return p.Shipments
}

func (e *engine) resolve(r dispatch.Resolution) (dispatch.Result, error) {
	return e.Resolve(context.Background(), e.who, "o1", r)
}

func TestResolvedAsAbsent(t *testing.T) {
	e, dash := undecided(t)
	if res, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeAbsent}); err != nil || !res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	e.pass(time.Minute)
	e.wantLive("o1", "doordash")
	if len(e.needing()) != 0 {
		t.Error("the order still needs a person")
	}
	// The person was wrong.
	dash.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
	e.pass(24 * time.Hour)
	e.wantLive("o1", "doordash")
	if st := e.get("o1").Attempts[0].State; st != shipment.Voided {
		t.Errorf("attempt = %s", st)
	}
	_, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeAbsent})
	wantType(t, err, usecase.InvalidOperation)
}

func TestResolvedAsBooked(t *testing.T) {
	e, _ := undecided(t)
	res, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeBooked, TrackingID: "D-77"})
	if err != nil || res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	a := e.get("o1").Live(shipment.Forward)
	if a == nil || a.State != shipment.Adopted || a.Booking.TrackingID != "D-77" || a.Doubt.ByPerson != caller.Key {
		t.Errorf("attempt = %+v", a)
	}
	_, err = e.resolve(dispatch.Resolution{Attempt: 2, Outcome: dispatch.OutcomeAbsent})
	wantType(t, err, usecase.InvalidOperation)
	e.pass(8 * 24 * time.Hour) // it is looked for as long as what may still show
	e.wantNoJobs()
}

func TestResolvedAfterACancel(t *testing.T) {
	for _, outcome := range []dispatch.Outcome{dispatch.OutcomeAbsent, dispatch.OutcomeBooked} {
		e, dash := undecided(t)
		if res, err := e.cancel("o1"); err != nil || !res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		dash.set(func(f *fakeCarrier) { // what the person has seen
			if outcome == dispatch.OutcomeBooked {
				f.commit(f.booked[0])
			}
		})
		if _, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: outcome, TrackingID: "doordash000001"}); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Minute)
		e.wantLive("o1", "")
		if st := e.get("o1").Status; st != shipping.OrderCancelled {
			t.Errorf("%s: status = %s", outcome, st)
		}
	}
}

func TestASpareIsResolved(t *testing.T) {
	f := newFake("doordash", "DoorDash", 975)
	f.onBook = once(true)
	f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	f.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
	e.pass(time.Hour)
	reg := prometheus.NewRegistry()
	again := dispatch.New(dispatch.Settings{Store: e.store, Carriers: e.carriers, Placer: e.Placer, Config: e.Config, Rules: e.Rules, Clock: e.clock,
		Source: e.Source, Log: e.Log, Registerer: reg})
	gauge := func(want float64) {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() != "waybill_orders_need_attention" {
				continue
			}
			for _, m := range f.GetMetric() {
				if tenant := m.GetLabel()[0].GetValue(); tenant == "demo" && m.GetGauge().GetValue() != want || tenant != "demo" && m.GetGauge().GetValue() != 0 {
					t.Errorf("tenant %s has %v orders that need a person, want %v", tenant, m.GetGauge().GetValue(), want)
				}
			}
			return
		}
		t.Error("there is no gauge of orders that need a person")
	}
	gauge(1)
	_, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeBooked, TrackingID: "x"})
	wantType(t, err, usecase.InvalidOperation)
	if _, err := again.Resolve(context.Background(), caller, "o1", dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeAbsent}); err != nil {
		t.Fatal(err)
	}
	gauge(0)
	if a := e.get("o1").Live(shipment.Forward); a == nil || a.SpareLeft() {
		t.Errorf("attempt = %+v", a)
	}
}

// TestASpareThatTheEngineDoesNotKnow: what an audit has found beside the order's booking is cancelled at a person's word, and what the
// order counts on is not.
func TestASpareThatTheEngineDoesNotKnow(t *testing.T) {
	f := newFake("doordash", "DoorDash", 975)
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	own := e.get("o1").Attempts[0].Booking.CarrierRef
	var spare string
	f.set(func(f *fakeCarrier) { spare = f.commit(f.booked[0]).CarrierRef })
	if spare == own {
		t.Fatal("the carrier has no second booking: the test shows nothing")
	}
	for _, r := range []dispatch.Resolution{{Attempt: 1, TrackingID: own}, {Attempt: 1, TrackingID: strings.ToUpper(own[:4]) + " " + own[4:]}, {Attempt: 2, TrackingID: spare}} {
		r.Outcome = dispatch.OutcomeSpare
		_, err := e.resolve(r)
		wantType(t, err, usecase.InvalidOperation)
	}
	if _, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeSpare, TrackingID: spare}); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Minute)
	e.wantLive("o1", "doordash")
	a := e.get("o1").Attempts[0]
	if len(a.Spares) != 1 || a.Spares[0].CancelledAt.IsZero() || a.State != shipment.Booked {
		t.Errorf("attempt = %+v", a)
	}
	lines, err := e.store.History(context.Background(), "demo", e.get("o1").ID)
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	for _, l := range lines[len(lines)-2:] {
		notes = append(notes, l.User+" "+l.Note)
	}
	if want := []string{caller.Key + " SPARE_FOUND( DoorDash " + spare + " )", "system SPARE_CANCELLED( DoorDash " + spare + " )"}; !slices.Equal(notes, want) {
		t.Errorf("history: %q", notes)
	}
	e.wantNoJobs()
}

func TestAnAccountThatLeftIsAPersons(t *testing.T) {
	e, _, _ := doubtful(t, true, nil)
	delete(e.carriers, "doordash")
	e.pass(time.Hour)
	if len(e.needing()) != 1 {
		t.Error("nobody is told of an attempt that nobody can ask about")
	}
	if _, err := e.resolve(dispatch.Resolution{Outcome: dispatch.OutcomeBooked, TrackingID: "D-77"}); err != nil {
		t.Fatal(err)
	}
}

// However a person writes a number of what the order counts on, its own or a parcel's, it is no spare; and one spare that is told of twice
// stays one.
func TestANumberIsTheSameHoweverItIsWritten(t *testing.T) {
	dash := newFake("doordash", "DoorDash", 975)
	dash.onBooked = func(_ context.Context, b *carrier.Booking) {
		b.TrackingID = "1ZWB00010340175811"
		b.Parcels = []carrier.BookedParcel{{Number: "1ZWB00010340175811"}, {Number: "1ZWB00010340175820"}}
	}
	e := newEngine(t, dash)
	e.mustCreate("o1")
	told := func(number string) error {
		_, err := e.resolve(dispatch.Resolution{Attempt: 1, Outcome: dispatch.OutcomeSpare, TrackingID: number})
		return err
	}
	for _, number := range []string{"1zwb00010340175811", "1Z WB00010340175811", "1z-wb00010340175820", "DoorDash000001"} {
		if x := wantType(t, told(number), usecase.InvalidOperation); !strings.Contains(x.Message, "is what the order counts on") {
			t.Errorf("%s: %s", number, x.Message)
		}
	}
	dash.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, retrySafe(carrier.CarrierUnavailable) }
	})
	for _, number := range []string{"D-77", "d 77", "D77"} {
		if err := told(number); err != nil {
			t.Fatal(err)
		}
		e.pass(time.Minute)
	}
	if sp := e.get("o1").Attempts[0].Spares; len(sp) != 1 || sp[0].CarrierRef != "D-77" {
		t.Errorf("spares %+v", sp)
	}
	e.wantLive("o1", "doordash")
}
