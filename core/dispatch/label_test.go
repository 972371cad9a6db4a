package dispatch_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// papers has a carrier hand out labels by number, from its nth try on.
func papers(f *fakeCarrier, from int) *[]string {
	var asked []string
	f.manifest.Abilities = append(slices.Clone(f.manifest.Abilities), carrier.CanProvideDocument)
	f.onDocument = func(r carrier.DocumentRequest) (shipping.Label, error) {
		asked = append(asked, r.Number)
		if len(asked) < from {
			return shipping.Label{}, retrySafe(carrier.CarrierUnavailable)
		}
		return shipping.Label{Format: shipping.PDF, Data: []byte("label of " + r.Number)}, nil
	}
	return &asked
}

func (e *engine) wantLabel(parcel int, want string) {
	e.t.Helper()
	l, err := e.Label(context.Background(), e.who, "o1", parcel)
	if want == "" {
		if err == nil || usecase.AsError(err).Type != usecase.NotFound {
			e.t.Errorf("label %d = %q, %v, want none", parcel, l.Data, err)
		}
		return
	}
	if err != nil || string(l.Data) != want {
		e.t.Errorf("label %d = %q, %v, want %q", parcel, l.Data, err, want)
	}
}

// A booking that a person tells of gets its label, by the number told, as one that is found without does by the carrier's numbers, and
// both also where the carrier does not hand it out at once.
func TestLabelsAreFetched(t *testing.T) {
	for name, c := range map[string]struct {
		found []string // numbers of the parcels of what the carrier shows, without labels
		want  []string
	}{
		"told":  {nil, []string{"D-77"}},
		"found": {[]string{"P-1", "P-2"}, []string{"P-1", "P-2"}},
	} {
		for _, tries := range []int{1, 4} {
			t.Run(name+" try "+strconv.Itoa(tries), func(t *testing.T) {
				e, dash := undecided(t)
				asked := papers(dash, tries)
				if c.found != nil {
					dash.set(func(f *fakeCarrier) {
						f.consign(c.found...)
						for i := range c.found {
							f.bookings[f.booked[0].Reference][0].Parcels[i].Label = nil
						}
					})
					e.pass(7 * time.Hour) // the engine itself finds it
				} else if _, err := e.resolve(booked("D-77")); err != nil {
					t.Fatal(err)
				}
				e.pass(time.Minute)
				for i, n := range c.want {
					e.wantLabel(i+1, "label of "+n)
				}
				if a := e.get("o1").Live(shipment.Forward); a == nil || a.State != shipment.Adopted || a.Booking.Parcels[0].LabelFormat != shipping.PDF {
					t.Errorf("attempt = %+v", a)
				}
				if n := len(e.notes("o1", "LABEL_FETCHED( DoorDash )")); n == 0 {
					t.Error("the history does not tell")
				}
				had := len(*asked)
				e.pass(8 * 24 * time.Hour)
				if len(*asked) != had {
					t.Errorf("labels that are there were asked for again: %v", *asked)
				}
				e.wantNoJobs()
			})
		}
	}
}

// A label that the carrier never hands out is not asked for without end.
func TestALabelIsGivenUp(t *testing.T) {
	e, dash := undecided(t)
	asked := papers(dash, 1_000_000)
	if _, err := e.resolve(booked("D-77")); err != nil {
		t.Fatal(err)
	}
	e.pass(9 * 24 * time.Hour)
	if n := len(*asked); n < 10 || n > 60 {
		t.Errorf("asked %d times", n)
	}
	e.wantLabel(1, "")
	e.wantNoJobs()
}

// A label of a number that was mistyped is not shown for the booking that turns out to be the order's.
func TestALabelOfAWrongNumberIsNotShown(t *testing.T) {
	e, dash := undecided(t)
	papers(dash, 1)
	if _, err := e.resolve(booked("D-77")); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Second)
	e.wantLabel(1, "label of D-77")
	dash.set(func(f *fakeCarrier) {
		f.consign("P-1")
		f.bookings[f.booked[0].Reference][0].Parcels[0].Label = nil
		f.onDocument = func(carrier.DocumentRequest) (shipping.Label, error) {
			return shipping.Label{}, refusal(carrier.BookingNotFound)
		}
	})
	e.pass(time.Hour)
	if a := e.get("o1").Live(shipment.Forward); a == nil || a.Booking.Parcels[0].Number != "P-1" {
		t.Fatalf("attempt = %+v", a)
	}
	e.wantLabel(1, "")
	papers(dash, 1)
	e.pass(24 * time.Hour)
	e.wantLabel(1, "label of P-1")
}
