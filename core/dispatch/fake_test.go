package dispatch_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// fakeCarrier stands for an account at a carrier and for the carrier itself: it keeps what it believes it has booked.
type fakeCarrier struct {
	manifest carrier.Manifest
	starting bool          // the adapter has not told its manifest yet
	start    chan struct{} // closed when the adapter's first start is over; nil where it is
	waited   chan struct{} // hears of those who wait for that
	down     bool          // the host says that the carrier is out of order
	fee      int64         // minor units

	mu       sync.Mutex
	bookings map[string][]carrier.Booking // by reference
	serial   int
	quotes   int
	asked    []carrier.QuoteRequest
	booked   []carrier.BookRequest
	edits    []carrier.EditRequest
	cancels  []carrier.CancelRequest
	returned []carrier.BookRequest // those of booked that came as returns

	// The hooks may change what happens. commit says whether the carrier has acted before the error is returned.
	onQuote  func(carrier.QuoteRequest) (carrier.QuoteAnswer, error)
	onBook   func(carrier.BookRequest) (commit bool, err error)
	onCancel func(carrier.CancelRequest) (commit bool, err error)
	onFind   func(carrier.FindRequest) error
	onEdit   func(carrier.EditRequest) error
	// onDocument hands out labels; nil for a carrier that does not.
	onDocument func(carrier.DocumentRequest) (shipping.Label, error)
	// onTrack tells of a parcel; nil for a carrier whose tracking knows none.
	onTrack func(carrier.TrackedParcel) carrier.TrackUpdate
	// onBooked changes the answer to a booking, not what the carrier has.
	onBooked func(context.Context, *carrier.Booking)
}

func newFake(name, display string, fee int64, services ...carrier.Service) *fakeCarrier {
	if len(services) == 0 {
		services = []carrier.Service{{ID: "delivery", Code: "D", Name: "Delivery", Mode: "courier"}}
	}
	return &fakeCarrier{
		fee: fee, bookings: map[string][]carrier.Booking{},
		manifest: carrier.Manifest{
			Name: name, DisplayName: display, Version: "1.0.0", Services: services, Idempotency: carrier.ByReference, Absence: carrier.Proven,
			Grace: time.Second, MaxParcels: 10,
			Abilities: []carrier.Ability{carrier.CanQuote, carrier.CanBook, carrier.CanCancel, carrier.CanFind, carrier.CanEdit},
		},
	}
}

func (f *fakeCarrier) Manifest() (carrier.Manifest, bool) { return f.manifest, !f.starting }

func (f *fakeCarrier) Started(ctx context.Context) bool {
	if f.start == nil {
		return true
	}
	select {
	case <-f.start:
		return true
	default:
	}
	select {
	case f.waited <- struct{}{}:
	default:
	}
	select {
	case <-f.start:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *fakeCarrier) Down() bool { return f.down }

func (f *fakeCarrier) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quotes++
	f.asked = append(f.asked, r)
	carrier.TraceOf(ctx).Add(carrier.Exchange{Method: "POST", URL: "http://carrier.example/quote", Status: 200})
	if f.onQuote != nil {
		return f.onQuote(r)
	}
	var a carrier.QuoteAnswer
	for i, sv := range f.manifest.Services {
		a.Quotes = append(a.Quotes, shipping.Quote{ServiceID: sv.ID, ServiceCode: sv.Code, ServiceType: sv.Name, Mode: sv.Mode,
			Amount: shipping.Money{Minor: f.fee + int64(i)*100, Currency: r.Currency}, Token: []byte(r.Reference)})
	}
	return a, nil
}

func (f *fakeCarrier) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.booked = append(f.booked, r)
	carrier.TraceOf(ctx).Add(carrier.Exchange{Method: "POST", URL: "http://carrier.example/book", Status: 200})
	var err error
	commit := true
	if f.onBook != nil {
		commit, err = f.onBook(r)
	}
	var b carrier.Booking
	if commit {
		b = f.commit(r)
	}
	if f.onBooked != nil {
		b.Parcels = append([]carrier.BookedParcel(nil), b.Parcels...)
		f.onBooked(ctx, &b)
	}
	return b, err
}

func (f *fakeCarrier) BookReturn(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	f.set(func(f *fakeCarrier) { f.returned = append(f.returned, r) })
	return f.Book(ctx, r)
}

func (f *fakeCarrier) commit(r carrier.BookRequest) carrier.Booking {
	if had := f.bookings[r.Reference]; len(had) > 0 && f.manifest.Idempotency == carrier.Native {
		return had[0]
	}
	f.serial++
	n := fmt.Sprintf("%s%06d", f.manifest.Name, f.serial)
	b := carrier.Booking{Reference: r.Reference, CarrierRef: n, ServiceID: r.ServiceID, TrackingID: n, Amount: r.Quoted,
		Parcels: []carrier.BookedParcel{{Number: n, Label: &shipping.Label{Format: shipping.ZPL, Data: []byte("^XA^FD" + n + "^FS^XZ")}}}}
	f.bookings[r.Reference] = append(f.bookings[r.Reference], b)
	return b
}

func (f *fakeCarrier) Cancel(_ context.Context, r carrier.CancelRequest) (carrier.Cancellation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancels = append(f.cancels, r)
	var err error
	commit := true
	if f.onCancel != nil {
		commit, err = f.onCancel(r)
	}
	if commit {
		for ref, bs := range f.bookings {
			for i := range bs {
				if bs[i].CarrierRef == r.CarrierRef {
					f.bookings[ref][i].Cancelled = true
				}
			}
		}
	}
	return carrier.Cancellation{}, err
}

func (f *fakeCarrier) Find(_ context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onFind != nil {
		if err := f.onFind(r); err != nil {
			return nil, err
		}
	}
	return append([]carrier.Booking(nil), f.bookings[r.Reference]...), nil
}

func (f *fakeCarrier) Edit(_ context.Context, r carrier.EditRequest) (carrier.Booking, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.edits = append(f.edits, r)
	if f.onEdit != nil {
		return carrier.Booking{}, f.onEdit(r)
	}
	return carrier.Booking{CarrierRef: r.CarrierRef}, nil
}

func (f *fakeCarrier) Track(_ context.Context, r carrier.TrackRequest) (out []carrier.TrackUpdate, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range r.Parcels {
		u := carrier.TrackUpdate{Number: p.Number, Reference: p.Reference, Unknown: true}
		if f.onTrack != nil {
			u = f.onTrack(p)
		}
		out = append(out, u)
	}
	return out, nil
}

func (f *fakeCarrier) Document(_ context.Context, r carrier.DocumentRequest) (shipping.Label, error) {
	if f.onDocument != nil {
		return f.onDocument(r)
	}
	return shipping.Label{}, &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectNone, Code: carrier.Unsupported}
}

// live counts the bookings that the carrier means to carry out.
func (f *fakeCarrier) live() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, bs := range f.bookings {
		for _, b := range bs {
			if !b.Cancelled {
				n++
			}
		}
	}
	return n
}

// set changes the carrier's behaviour while calls may be running.
func (f *fakeCarrier) set(change func(*fakeCarrier)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

type fakeCarriers map[string]*fakeCarrier

func (f fakeCarriers) Account(_, id string) (dispatch.Account, bool) {
	a, ok := f[id]
	return a, ok
}

func refusal(code carrier.Code) error {
	return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: code, Message: "The carrier says no.",
		CarrierCode: "X1", CarrierMessage: "no"}
}

func lost() error {
	return &carrier.Error{Source: carrier.SourceNetwork, Effect: carrier.EffectUnknown, Retry: carrier.RetryNever, Code: carrier.OutcomeUnknown, Message: "The answer was lost."}
}
