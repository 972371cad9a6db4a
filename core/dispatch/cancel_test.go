package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func (e *engine) cancel(id string) (dispatch.Result, error) {
	return e.Cancel(context.Background(), e.who, id, "")
}

func TestCancel(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	res, err := e.cancel("o1")
	if err != nil || res.Shipment.Status != shipping.OrderCancelled {
		t.Fatalf("cancel: %+v, %v", res, err)
	}
	e.wantLive("o1", "")
	if c := f.cancels[0]; c.CarrierRef == "" || c.Status != shipping.OrderDispatched {
		t.Errorf("the carrier heard %+v", c)
	}
	_, err = e.cancel("o1")
	wantType(t, err, usecase.OrderAlreadyCanceled)
	_, err = e.cancel("nothing")
	wantType(t, err, usecase.NotFound)
	e.wantNoJobs()
}

func TestCancelRefusals(t *testing.T) {
	cases := []struct {
		name   string
		change func(*fakeCarrier)
		want   usecase.Type
	}{
		{"no ability", func(f *fakeCarrier) {
			f.manifest.Abilities = slices.DeleteFunc(f.manifest.Abilities, func(a carrier.Ability) bool { return a == carrier.CanCancel })
		}, usecase.CancellationNotAllowed},
		{"refused for the stage", func(f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
		}, usecase.CancellationNotAllowed},
		{"failed", func(f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CarrierUnavailable) }
		}, usecase.OrderCancellationFailed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFake("ups", "UPS", 500)
			e := newEngine(t, f)
			e.mustCreate("o1")
			f.set(c.change)
			_, err := e.cancel("o1")
			wantType(t, err, c.want)
			e.pass(time.Hour)
			e.wantLive("o1", "ups")
			if sh := e.get("o1"); sh.Cancel != nil || sh.Attempts[0].CancelIntent != nil {
				t.Errorf("a refused cancellation is still intended: %+v", sh)
			}
			e.wantNoJobs()
		})
	}
}

func TestACancelWhoseAnswerIsLostIsAskedAgain(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
	res, err := e.cancel("o1")
	if err != nil || !res.Waiting || len(res.Shipment.AllWarnings()) != 1 || res.Shipment.AllWarnings()[0].Code != "CANCEL_IN_DOUBT" {
		t.Fatalf("cancel: %+v, %v", res, err)
	}
	f.set(func(f *fakeCarrier) { f.onCancel = nil })
	e.pass(time.Minute)
	e.wantLive("o1", "")
	if st := e.get("o1").Status; st != shipping.OrderCancelled {
		t.Errorf("status = %s", st)
	}
	e.wantNoJobs()
}

// A carrier may refuse to cancel what it has cancelled already in words that the adapter cannot read.
func TestARefusalAfterALostCancelIsNotBelieved(t *testing.T) {
	for _, code := range []carrier.Code{carrier.CancelRefused, carrier.BookingNotFound, carrier.CarrierRejected} {
		for _, done := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, done %v", code, done), func(t *testing.T) {
				f := newFake("ups", "UPS", 500)
				e := newEngine(t, f)
				e.mustCreate("o1")
				calls := 0
				f.onCancel = func(carrier.CancelRequest) (bool, error) {
					if calls++; calls == 1 {
						return done, lost()
					}
					return false, refusal(code)
				}
				_, err := e.cancel("o1")
				e.pass(time.Hour)
				if done {
					e.wantLive("o1", "")
					if st := e.get("o1").Status; err != nil || st != shipping.OrderCancelled {
						t.Errorf("status %s, answered %v", st, err)
					}
				} else {
					e.wantLive("o1", "ups")
				}
			})
		}
	}
}

func TestCancelBeforeBooking(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1", func(r *dispatch.CreateRequest) { r.Order.DispatchAt = shipping.At(e.clock.Now().Add(time.Hour)) })
	if _, err := e.cancel("o1"); err != nil {
		t.Fatal(err)
	}
	e.pass(2 * time.Hour)
	if f.quotes != 0 || e.get("o1").Status != shipping.OrderCancelled {
		t.Errorf("quotes %d, status %s", f.quotes, e.get("o1").Status)
	}
	e.wantNoJobs()
}

func TestStatusByHand(t *testing.T) {
	f := newFake("own_fleet", "Self Delivery", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	set := func(st shipping.Status) error {
		err := e.setStatus("o1", st, "")
		return err
	}
	wantType(t, set(shipping.RequestReceived), usecase.InvalidOperation)
	for _, st := range []shipping.Status{shipping.OrderAssigned, shipping.PickupCompleted, shipping.OutForDelivery, shipping.OrderDelivered} {
		if err := set(st); err != nil {
			t.Fatalf("%s: %v", st, err)
		}
	}
	sh := e.get("o1")
	if sh.Progress.ActualPickup.IsZero() || sh.Progress.ActualDelivery.IsZero() || sh.Attempts[0].State != shipment.Ended {
		t.Errorf("delivered: %+v", sh)
	}
	wantType(t, set(shipping.OutForDelivery), usecase.InvalidOperation)
	_, err := e.cancel("o1")
	wantType(t, err, usecase.CancellationNotAllowed)
	// A delivered order is open no more.
	e.mustCreate("o2")
	if u := f.asked[1].Usage; u.Open != 0 || u.Today != 1 {
		t.Errorf("usage = %+v", u)
	}
}

func (e *engine) edit(id string, change func(*shipment.Order)) (dispatch.Result, error) {
	return e.Edit(context.Background(), caller, id, func(o shipment.Order) (shipment.Order, error) { change(&o); return o, nil })
}

func TestEditAfterDispatch(t *testing.T) {
	f, other := newFake("ups", "UPS", 500), newFake("doordash", "DoorDash", 900)
	e := newEngine(t, f, other)
	e.mustCreate("o1")
	first := e.get("o1").Live(shipment.Forward).Reference

	_, err := e.edit("o1", func(o *shipment.Order) {
		w := *o.Packages[0].Weight
		w.Value = shipping.MustDecimal("11")
		o.Packages[0].Weight = &w
	})
	wantType(t, err, usecase.ValidationError)

	group := "g1"
	if _, err := e.edit("o1", func(o *shipment.Order) { o.GroupID = &group; o.Value = shipping.MustDecimal("160.99") }); err != nil {
		t.Fatal(err)
	}
	ins := "Ring twice"
	if res, err := e.edit("o1", func(o *shipment.Order) { o.DeliveryInstructions = &ins }); err != nil || len(res.Shipment.AllWarnings()) != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	if len(f.edits) != 1 || f.edits[0].Delivery.Instructions != ins || len(f.cancels) != 0 {
		t.Errorf("the carrier heard %d edits and %d cancels", len(f.edits), len(f.cancels))
	}
	if _, err := e.edit("o1", func(o *shipment.Order) {
		o.DeliveryAddress.Street1, o.DeliveryAddress.PostalCode = "1 New Street", "02116"
		o.DeliveryAddress.Latitude, o.DeliveryAddress.Longitude = nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	e.wantLive("o1", "ups")
	if a := e.get("o1").Live(shipment.Forward); a.Reference == first || len(f.cancels) != 1 {
		t.Errorf("the order was not booked afresh: %+v", a)
	}
	e.mustCreate("o2")
	_, err = e.edit("o1", func(o *shipment.Order) { o.ExternalID = "o2" })
	wantType(t, err, usecase.DuplicateID)
	if _, err := e.edit("o1", func(o *shipment.Order) { o.ExternalID = "o9" }); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Get(context.Background(), caller, "o1"); err == nil {
		t.Error("the old id still finds the order")
	}
	e.get("o9")
	e.wantNoJobs()
}

func TestARerouteThatNobodyWantsChangesNothing(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.set(func(f *fakeCarrier) {
		f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) { return carrier.QuoteAnswer{}, nil }
	})
	_, err := e.edit("o1", func(o *shipment.Order) { o.DeliveryAddress.Street1 = "1 New Street" })
	wantType(t, err, usecase.NoProviderMatched)
	e.wantLive("o1", "ups")
	if len(f.cancels) != 0 || e.get("o1").Order.DeliveryAddress.Street1 == "1 New Street" {
		t.Error("the order was changed")
	}
	f.set(func(f *fakeCarrier) {
		f.onQuote = nil
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
	})
	_, err = e.edit("o1", func(o *shipment.Order) { o.DeliveryAddress.Street1 = "1 New Street" })
	wantType(t, err, usecase.PlaceOrderFailed)
	e.wantLive("o1", "ups")
	if sh := e.get("o1"); sh.Order.DeliveryAddress.Street1 == "1 New Street" || sh.Live(shipment.Forward).CancelIntent != nil {
		t.Error("a refused cancellation left its trace")
	}
}

func TestEditBeforeDispatch(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	f.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.InvalidField) }
	_, err := e.create("o1")
	wantType(t, err, usecase.PlaceOrderFailed)
	if _, err := e.edit("o1", func(o *shipment.Order) { o.Packages[0] = shipping.Parcel{Name: "small"} }); err != nil {
		t.Fatal(err)
	}
	if p := e.get("o1").Order.Packages[0]; p.Weight == nil || p.Weight.Value.String() != "2" {
		t.Errorf("package = %+v", p)
	}
	f.set(func(f *fakeCarrier) { f.onBook = nil })
	if _, err := e.Retry(context.Background(), caller, "o1"); err != nil {
		t.Fatal(err)
	}
	e.wantLive("o1", "ups")
}

func TestUnderwayOnlyLocalFieldsChange(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 500))
	e.mustCreate("o1")
	if err := e.setStatus("o1", shipping.PickupCompleted, ""); err != nil {
		t.Fatal(err)
	}
	ins := "x"
	_, err := e.edit("o1", func(o *shipment.Order) { o.DeliveryInstructions = &ins })
	wantType(t, err, usecase.ValidationError)
	if _, err := e.edit("o1", func(o *shipment.Order) { fr := "fr"; o.Locale = &fr }); err != nil {
		t.Fatal(err)
	}
}

func TestRatesBookNothing(t *testing.T) {
	ups, dash := newFake("ups", "UPS", 1200), newFake("doordash", "DoorDash", 975)
	e := newEngine(t, ups, dash)
	o := order("")
	r, err := e.Rates(context.Background(), caller, o)
	if err != nil || len(r.Rows) != 2 {
		t.Fatalf("rates: %+v, %v", r, err)
	}
	applied := 0
	for _, row := range r.Rows {
		if row.RuleApplied {
			applied++
			if row.Account.ID != "doordash" {
				t.Errorf("rules chose %s", row.Account.ID)
			}
		}
	}
	if applied != 1 || len(ups.booked)+len(dash.booked) != 0 {
		t.Errorf("applied %d, booked %d", applied, len(ups.booked)+len(dash.booked))
	}
	e.wantNoJobs()
}

// An edit that comes while the adapter is starting is not kept without a word to a carrier that would have taken it.
func TestAnEditWhileTheAdapterStarts(t *testing.T) {
	dash := newFake("doordash", "DoorDash", 975)
	e := newEngine(t, dash)
	e.mustCreate("o1")
	dash.set(func(f *fakeCarrier) {
		f.starting = true
		f.onEdit = func(carrier.EditRequest) error {
			return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetrySafe, Code: carrier.AdapterUnavailable, Message: "The adapter is starting."}
		}
	})
	ins := "ring twice"
	ring := func(o *shipment.Order) { o.DeliveryInstructions = &ins }
	_, err := e.edit("o1", ring)
	wantType(t, err, usecase.PlaceOrderFailed)
	if sh := e.get("o1"); sh.Order.DeliveryInstructions != nil || sh.Live(shipment.Forward).EditIntent != nil {
		t.Errorf("instructions %v, intent %v; want the order as it was", sh.Order.DeliveryInstructions, sh.Live(shipment.Forward).EditIntent)
	}
	dash.set(func(f *fakeCarrier) { f.starting, f.onEdit = false, nil })
	if res, err := e.edit("o1", ring); err != nil || len(res.Shipment.AllWarnings()) != 0 || len(dash.edits) != 2 {
		t.Errorf("%+v, %v; the carrier was told %d times, want twice", res.Shipment.AllWarnings(), err, len(dash.edits))
	}
	e.wantNoJobs()
}

// Where only people say how far an order is, its carrier goes by the engine's word. One that says yes to a cancellation while a driver
// picks the order up is asked again.
func TestADriverWhoHasTheOrderKeepsIt(t *testing.T) {
	for name, tracks := range map[string]bool{"the engine's word alone": false, "the carrier knows itself": true} {
		t.Run(name, func(t *testing.T) {
			f := newFake("own", "Self Delivery", 500)
			if tracks {
				f.manifest.Abilities = append(f.manifest.Abilities, carrier.CanTrack)
			}
			e := newEngine(t, f)
			e.mustCreate("o1")
			f.set(func(f *fakeCarrier) {
				f.onCancel = func(r carrier.CancelRequest) (bool, error) {
					if r.Status == shipping.PickupCompleted {
						return false, refusal(carrier.CancelRefused)
					}
					return tracks, e.setStatus("o1", shipping.PickupCompleted, "")
				}
			})
			_, err := e.cancel("o1")
			if tracks {
				if err != nil || e.get("o1").Status != shipping.OrderCancelled || len(f.cancels) != 1 {
					t.Fatalf("%v, %s, asked %+v", err, e.get("o1").Status, f.cancels)
				}
				return
			}
			wantType(t, err, usecase.CancellationNotAllowed)
			e.wantLive("o1", "own")
			if sh := e.get("o1"); sh.Status != shipping.PickupCompleted || len(f.cancels) != 2 || f.cancels[0].Status != shipping.OrderDispatched {
				t.Errorf("the order is %s, and its carrier was asked %+v", sh.Status, f.cancels)
			}
			e.wantNoJobs()
		})
	}
}

// A carrier that brings an order to its end while it says yes to a cancellation has made no way for the change that needed it.
func TestAChangeThatCameTooLateIsNotAcknowledged(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.manifest.Abilities = append(f.manifest.Abilities, carrier.CanTrack)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) {
			return false, e.setStatus("o1", shipping.OrderDelivered, "")
		}
	})
	_, err := e.edit("o1", func(o *shipment.Order) { o.DeliveryAddress.Street1 = "801 Albany Street" })
	wantType(t, err, usecase.ValidationError)
	if sh := e.get("o1"); sh.Status != shipping.OrderDelivered || sh.Order.DeliveryAddress.Street1 == "801 Albany Street" {
		t.Errorf("the order is %s, and goes to %s", sh.Status, sh.Order.DeliveryAddress.Street1)
	}
}

// So it is with a change about which the carrier is asked at the end of the delivery, whatever it answers then: the order is not changed any
// more, and its caller hears that.
func TestAChangeAtTheEndIsNotAcknowledged(t *testing.T) {
	for name, answer := range map[string]error{
		"taken": nil, "refused": refusal(carrier.EditRefused), "not answered": retrySafe(carrier.CarrierUnavailable), "lost": lost(),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake("ups", "UPS", 500)
			e := newEngine(t, f)
			e.mustCreate("o1")
			f.set(func(f *fakeCarrier) {
				f.onEdit = func(carrier.EditRequest) error {
					return errors.Join(e.setStatus("o1", shipping.OrderDelivered, ""), answer)
				}
			})
			_, err := e.edit("o1", func(o *shipment.Order) { o.DeliveryInstructions = new("Knock") })
			wantType(t, err, usecase.ValidationError)
			if sh := e.get("o1"); sh.Status != shipping.OrderDelivered || sh.Order.DeliveryInstructions != nil || sh.Attempts[0].EditIntent != nil {
				t.Errorf("the order is %s, with %v", sh.Status, sh.Order.DeliveryInstructions)
			}
		})
	}
}
