package plugin

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/sdk/carrier"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
	"github.com/waybill-dev/waybill/sdk/internal/wire"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Account is an open account of an adapter process. It has every ability; one that the adapter's manifest lacks answers
// UNSUPPORTED. Every error is a *carrier.Error. Contexts need a deadline; a trace in them receives what the adapter has said to
// its carrier. It may be used concurrently, until its process ends.
type Account struct {
	process *Process
	id      string
}

var (
	_ carrier.Checker          = (*Account)(nil)
	_ carrier.Quoter           = (*Account)(nil)
	_ carrier.Booker           = (*Account)(nil)
	_ carrier.Canceler         = (*Account)(nil)
	_ carrier.Finder           = (*Account)(nil)
	_ carrier.Tracker          = (*Account)(nil)
	_ carrier.PushReceiver     = (*Account)(nil)
	_ carrier.PushSubscriber   = (*Account)(nil)
	_ carrier.Editor           = (*Account)(nil)
	_ carrier.Returner         = (*Account)(nil)
	_ carrier.AddressValidator = (*Account)(nil)
	_ carrier.PickupScheduler  = (*Account)(nil)
	_ carrier.ManifestCloser   = (*Account)(nil)
	_ carrier.DocumentProvider = (*Account)(nil)
)

// ID is the account's id, as given to Open.
func (a *Account) ID() string { return a.id }

// Process is the adapter process that the account lives in.
func (a *Account) Process() *Process { return a.process }

// start checks what must hold before anything is sent, and makes the head of a request.
func (a *Account) start(ctx context.Context, need carrier.Ability) (*pb.Call, error) {
	p := a.process
	if _, ok := ctx.Deadline(); !ok {
		return nil, machinery(carrier.Internal, fmt.Sprintf("%s of account %q was called without a deadline", need, a.id))
	}
	if !p.has[need] {
		return nil, machinery(carrier.Unsupported, fmt.Sprintf("adapter %s cannot %s", p.manifest.Name, need))
	}
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	return &pb.Call{AccountId: a.id, NowUnixNanos: p.now().UnixNano(), Traceparent: traceparent(ctx)}, nil
}

// ready refuses a call that cannot be sent any more, so that its effect is known.
func (p *Process) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetrySafe, Code: carrier.DeadlineExceeded,
			Message: "the time for the call was over before it was sent", Err: err}
	}
	select {
	case <-p.done:
		return p.died(carrier.EffectNone, nil)
	default:
		return nil
	}
}

func (p *Process) died(effect carrier.Effect, cause error) *carrier.Error {
	return &carrier.Error{Source: carrier.SourceEngine, Effect: effect, Retry: carrier.RetrySafe, Code: carrier.AdapterDied,
		Message: fmt.Sprintf("the process of adapter %s ended", p.manifest.Name), Err: cause}
}

// failed turns the error of a call that may have been sent into a *carrier.Error. A status without Fault was made by the
// machinery, after which nobody knows what a booking came to. Whatever the adapter had recorded is lost then; the error says so,
// and the trace does not count it, because it counts only what was left out for want of room.
func (p *Process) failed(ctx context.Context, err error, k kind) error {
	if e, ok := wire.FromStatus(err, carrier.TraceOf(ctx)); ok {
		return e
	}
	effect := carrier.EffectUnknown
	if k == read {
		effect = carrier.EffectNone
	}
	e := &carrier.Error{Source: carrier.SourceEngine, Effect: effect, Retry: carrier.RetryNever, Code: carrier.Internal,
		Message: fmt.Sprintf("the call to adapter %s failed", p.manifest.Name), Err: err}
	switch code := status.Code(err); {
	case code == codes.Unavailable, code == codes.Canceled && ctx.Err() == nil:
		// On a local socket: the process is gone, or its host has stopped it.
		e = p.died(effect, err)
	case code == codes.Unimplemented:
		e.Code, e.Effect, e.Message = carrier.Unsupported, carrier.EffectNone, fmt.Sprintf("adapter %s does not answer this call", p.manifest.Name)
	case code != codes.DeadlineExceeded && code != codes.Canceled && ctx.Err() == nil:
	case k == write:
		e.Code, e.Message = carrier.OutcomeUnknown, fmt.Sprintf("adapter %s did not answer in time", p.manifest.Name)
	default:
		e.Code, e.Retry, e.Message = carrier.DeadlineExceeded, carrier.RetrySafe, fmt.Sprintf("adapter %s did not answer in time", p.manifest.Name)
	}
	if k == write && e.Effect == carrier.EffectUnknown {
		e.Retry = carrier.RetryNever
	}
	return e
}

// Check implements carrier.Checker.
func (a *Account) Check(ctx context.Context) error {
	call, err := a.start(ctx, carrier.CanCheck)
	if err != nil {
		return err
	}
	out, err := a.process.client.Check(ctx, &pb.CheckRequest{Call: call})
	if err != nil {
		return a.process.failed(ctx, err, read)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return nil
}

// Quote implements carrier.Quoter.
func (a *Account) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	call, err := a.start(ctx, carrier.CanQuote)
	if err != nil {
		return carrier.QuoteAnswer{}, err
	}
	in := wire.ToQuoteRequest(r)
	in.Call = call
	out, err := a.process.client.Quote(ctx, in)
	if err != nil {
		return carrier.QuoteAnswer{}, a.process.failed(ctx, err, read)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromQuoteAnswer(out), nil
}

// Book implements carrier.Booker. A label that was lost on the way is nil, with a warning: the booking is made all the same.
func (a *Account) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	call, err := a.start(ctx, carrier.CanBook)
	if err != nil {
		return carrier.Booking{}, err
	}
	ctx, cancel := context.WithCancel(ctx) // ends the stream however it was left
	defer cancel()
	in := wire.ToBookRequest(r)
	in.Call = call
	stream, err := a.process.client.Book(ctx, in)
	if err != nil {
		return carrier.Booking{}, a.process.failed(ctx, err, write)
	}
	b, err := receiveBooking(stream, carrier.TraceOf(ctx))
	if err != nil {
		return carrier.Booking{}, a.process.failed(ctx, err, write)
	}
	return b, nil
}

// BookReturn implements carrier.Returner, as Book.
func (a *Account) BookReturn(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	call, err := a.start(ctx, carrier.CanReturn)
	if err != nil {
		return carrier.Booking{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := wire.ToBookRequest(r)
	in.Call = call
	stream, err := a.process.client.BookReturn(ctx, in)
	if err != nil {
		return carrier.Booking{}, a.process.failed(ctx, err, write)
	}
	b, err := receiveBooking(stream, carrier.TraceOf(ctx))
	if err != nil {
		return carrier.Booking{}, a.process.failed(ctx, err, write)
	}
	return b, nil
}

// Cancel implements carrier.Canceler.
func (a *Account) Cancel(ctx context.Context, r carrier.CancelRequest) (carrier.Cancellation, error) {
	call, err := a.start(ctx, carrier.CanCancel)
	if err != nil {
		return carrier.Cancellation{}, err
	}
	in := wire.ToCancelRequest(r)
	in.Call = call
	out, err := a.process.client.Cancel(ctx, in)
	if err != nil {
		return carrier.Cancellation{}, a.process.failed(ctx, err, write)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromCancellation(out), nil
}

// Find implements carrier.Finder. A label too large for the answer is nil, with a warning.
func (a *Account) Find(ctx context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	call, err := a.start(ctx, carrier.CanFind)
	if err != nil {
		return nil, err
	}
	in := wire.ToFindRequest(r)
	in.Call = call
	out, err := a.process.client.Find(ctx, in)
	if err != nil {
		return nil, a.process.failed(ctx, err, read)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromBookings(out), nil
}

// Track implements carrier.Tracker.
func (a *Account) Track(ctx context.Context, r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
	call, err := a.start(ctx, carrier.CanTrack)
	if err != nil {
		return nil, err
	}
	in := wire.ToTrackRequest(r)
	in.Call = call
	out, err := a.process.client.Track(ctx, in)
	if err != nil {
		return nil, a.process.failed(ctx, err, read)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromUpdates(out), nil
}

// ReceivePush implements carrier.PushReceiver.
func (a *Account) ReceivePush(ctx context.Context, push carrier.Push) (carrier.PushAnswer, error) {
	call, err := a.start(ctx, carrier.CanReceivePush)
	if err != nil {
		return carrier.PushAnswer{}, err
	}
	in := wire.ToPush(push)
	in.Call = call
	out, err := a.process.client.ReceivePush(ctx, in)
	if err != nil {
		return carrier.PushAnswer{}, a.process.failed(ctx, err, read)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromPushAnswer(out), nil
}

// SubscribePush implements carrier.PushSubscriber.
func (a *Account) SubscribePush(ctx context.Context, r carrier.SubscribeRequest) (carrier.PushSubscription, error) {
	call, err := a.start(ctx, carrier.CanSubscribePush)
	if err != nil {
		return carrier.PushSubscription{}, err
	}
	in := wire.ToSubscribeRequest(r)
	in.Call = call
	out, err := a.process.client.SubscribePush(ctx, in)
	if err != nil {
		return carrier.PushSubscription{}, a.process.failed(ctx, err, read)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromSubscription(out), nil
}

// Edit implements carrier.Editor.
func (a *Account) Edit(ctx context.Context, r carrier.EditRequest) (carrier.Booking, error) {
	call, err := a.start(ctx, carrier.CanEdit)
	if err != nil {
		return carrier.Booking{}, err
	}
	in := wire.ToEditRequest(r)
	in.Call = call
	out, err := a.process.client.Edit(ctx, in)
	if err != nil {
		return carrier.Booking{}, a.process.failed(ctx, err, write)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromBooking(out.Booking), nil
}

// ValidateAddress implements carrier.AddressValidator.
func (a *Account) ValidateAddress(ctx context.Context, r carrier.AddressRequest) (carrier.AddressAnswer, error) {
	call, err := a.start(ctx, carrier.CanValidateAddress)
	if err != nil {
		return carrier.AddressAnswer{}, err
	}
	in := wire.ToAddressRequest(r)
	in.Call = call
	out, err := a.process.client.ValidateAddress(ctx, in)
	if err != nil {
		return carrier.AddressAnswer{}, a.process.failed(ctx, err, read)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromAddressAnswer(out), nil
}

// SchedulePickup implements carrier.PickupScheduler.
func (a *Account) SchedulePickup(ctx context.Context, r carrier.PickupRequest) (carrier.Pickup, error) {
	call, err := a.start(ctx, carrier.CanSchedulePickup)
	if err != nil {
		return carrier.Pickup{}, err
	}
	in := wire.ToPickupRequest(r)
	in.Call = call
	out, err := a.process.client.SchedulePickup(ctx, in)
	if err != nil {
		return carrier.Pickup{}, a.process.failed(ctx, err, write)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromPickup(out), nil
}

// CancelPickup implements carrier.PickupScheduler.
func (a *Account) CancelPickup(ctx context.Context, confirmation string) error {
	call, err := a.start(ctx, carrier.CanSchedulePickup)
	if err != nil {
		return err
	}
	out, err := a.process.client.CancelPickup(ctx, &pb.CancelPickupRequest{Call: call, Confirmation: confirmation})
	if err != nil {
		return a.process.failed(ctx, err, write)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return nil
}

// CloseManifest implements carrier.ManifestCloser.
func (a *Account) CloseManifest(ctx context.Context, r carrier.ManifestRequest) (carrier.ManifestAnswer, error) {
	call, err := a.start(ctx, carrier.CanCloseManifest)
	if err != nil {
		return carrier.ManifestAnswer{}, err
	}
	in := wire.ToManifestRequest(r)
	in.Call = call
	out, err := a.process.client.CloseManifest(ctx, in)
	if err != nil {
		return carrier.ManifestAnswer{}, a.process.failed(ctx, err, write)
	}
	wire.FromWire(out.Wire, carrier.TraceOf(ctx))
	return wire.FromManifestAnswer(out), nil
}

// Document implements carrier.DocumentProvider.
func (a *Account) Document(ctx context.Context, r carrier.DocumentRequest) (shipping.Label, error) {
	call, err := a.start(ctx, carrier.CanProvideDocument)
	if err != nil {
		return shipping.Label{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := wire.ToDocumentRequest(r)
	in.Call = call
	stream, err := a.process.client.Document(ctx, in)
	if err != nil {
		return shipping.Label{}, a.process.failed(ctx, err, read)
	}
	l, err := receiveDocument(stream, carrier.TraceOf(ctx))
	if err != nil {
		return shipping.Label{}, a.process.failed(ctx, err, read)
	}
	return l, nil
}
