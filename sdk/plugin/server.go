package plugin

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"github.com/waybill-dev/waybill/sdk/carrier"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
	"github.com/waybill-dev/waybill/sdk/internal/wire"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// server is the adapter's side of the protocol.
type server struct {
	pb.UnimplementedCarrierServer
	manifest *pb.Manifest
	open     func(ctx context.Context, accountID string, config []byte) (any, error)
	log      hclog.Logger
	accounts sync.Map // account id -> *opened
}

type opened struct {
	account any // has the abilities
	retired bool
}

func newServer[C, A any](a carrier.Adapter[C, A], log hclog.Logger) *server {
	return &server{
		manifest: wire.ToManifest(a.Manifest()),
		log:      log,
		open: func(ctx context.Context, accountID string, config []byte) (any, error) {
			return a.OpenAccount(ctx, config, carrier.EnvSettings{Log: log.With("account", accountID)})
		},
	}
}

// kind says what a call may do to the carrier's books.
type kind int

const (
	read  kind = iota // asks only: whatever goes wrong, nothing has happened
	write             // books, cancels or changes
)

// called is a request that names an account.
type called interface{ GetCall() *pb.Call }

// invoke runs one ability of an account and gives every failure its *carrier.Error, as a status that carries the exchanges.
func invoke[I, R any](s *server, ctx context.Context, r called, k kind, f func(context.Context, I) (R, error)) (answer R, trace *carrier.Trace, err error) {
	var none R
	ctx, trace, cancel, e := begin(ctx, r.GetCall())
	defer cancel()
	if e != nil {
		return none, trace, wire.ToStatus(e, trace)
	}
	account, e := ability[I](s, r.GetCall().GetAccountId())
	if e != nil {
		return none, trace, wire.ToStatus(e, trace)
	}
	defer func() {
		if p := recover(); p != nil {
			answer, err = none, wire.ToStatus(s.panicked(p, k), trace)
		}
	}()
	if answer, err = f(ctx, account); err != nil {
		return none, trace, wire.ToStatus(classify(ctx, err, k), trace)
	}
	return answer, trace, nil
}

// begin makes the context of a call: the engine's time, a trace, and a deadline a little before the engine's, so that what was
// learned of a slow carrier still arrives.
func begin(ctx context.Context, call *pb.Call) (context.Context, *carrier.Trace, context.CancelFunc, *carrier.Error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, nil, func() {}, machinery(carrier.Internal, "the call has no deadline; every call of an adapter needs one")
	}
	margin := min(time.Until(deadline)/5, 100*time.Millisecond)
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(-margin))
	if n := call.GetNowUnixNanos(); n != 0 {
		ctx = carrier.WithNow(ctx, time.Unix(0, n).UTC())
	}
	ctx, trace := carrier.WithTrace(withTraceparent(ctx, call.GetTraceparent()))
	return ctx, trace, cancel, nil
}

func machinery(code carrier.Code, message string) *carrier.Error {
	return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: code, Message: message}
}

// ability returns the account as the interface that a call needs.
func ability[I any](s *server, id string) (I, *carrier.Error) {
	var none I
	v, ok := s.accounts.Load(id)
	if !ok {
		e := machinery(carrier.AccountNotOpen, fmt.Sprintf("account %q is not open in this process", id))
		e.Retry = carrier.RetrySafe
		return none, e
	}
	o := v.(*opened)
	impl, ok := o.account.(I)
	if !ok {
		return none, machinery(carrier.Unsupported, "the adapter lacks this ability")
	}
	if _, quotes := any((*I)(nil)).(*carrier.Quoter); quotes && o.retired {
		return none, &carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.AccountNotEnabled,
			Message: fmt.Sprintf("account %q is retired: it cancels and tracks what is booked and takes no new orders", id)}
	}
	return impl, nil
}

func (s *server) panicked(p any, k kind) *carrier.Error {
	s.log.Error("adapter panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	e := &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectUnknown, Retry: carrier.RetryNever, Code: carrier.AdapterPanic,
		Message: "the adapter failed on this call; its log has the details"}
	if k == read {
		e.Effect, e.Retry = carrier.EffectNone, carrier.RetrySafe
	}
	return e
}

// classify completes an adapter's error. A read has no effect, whatever the HTTP request that it was made with looked like.
func classify(ctx context.Context, err error, k kind) *carrier.Error {
	e := new(carrier.Error)
	if typed, ok := errors.AsType[*carrier.Error](err); ok {
		*e = *typed
	} else {
		*e = *carrier.AsError(err)
		if ctx.Err() != nil {
			e.Source, e.Code, e.Message = carrier.SourceNetwork, carrier.OutcomeUnknown, "the call ended before the carrier answered"
		}
	}
	if e.Source == "" {
		e.Source = carrier.SourceAdapter
	}
	if e.Code == "" {
		e.Code = carrier.Internal
	}
	if e.Effect == "" {
		e.Effect = carrier.EffectUnknown
	}
	if k == read && e.Effect == carrier.EffectUnknown {
		e.Effect = carrier.EffectNone
		if e.Code == carrier.OutcomeUnknown {
			e.Code, e.Retry = carrier.CarrierUnavailable, carrier.RetrySafe
			if ctx.Err() != nil {
				e.Code = carrier.DeadlineExceeded
			}
		}
	}
	if e.Retry == "" {
		e.Retry = carrier.RetryNever
	}
	return e
}

// Describe implements the protocol.
func (s *server) Describe(context.Context, *pb.DescribeRequest) (*pb.Manifest, error) {
	return s.manifest, nil
}

// Health implements the protocol.
func (s *server) Health(context.Context, *pb.HealthRequest) (*pb.HealthAnswer, error) {
	return &pb.HealthAnswer{}, nil
}

// Open implements the protocol. Its context has no trace, so the account's client refuses to be used in it.
func (s *server) Open(ctx context.Context, r *pb.OpenRequest) (_ *pb.OpenAnswer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = wire.ToStatus(s.panicked(p, read), nil)
		}
	}()
	account, err := s.open(ctx, r.AccountId, r.Config)
	if err != nil {
		return nil, wire.ToStatus(classify(ctx, err, read), nil)
	}
	s.accounts.Store(r.AccountId, &opened{account: account, retired: r.Retired})
	return &pb.OpenAnswer{}, nil
}

// Close implements the protocol. Calls that are under way keep their account.
func (s *server) Close(_ context.Context, r *pb.CloseRequest) (*pb.CloseAnswer, error) {
	s.accounts.Delete(r.AccountId)
	return &pb.CloseAnswer{}, nil
}

// Check implements the protocol.
func (s *server) Check(ctx context.Context, r *pb.CheckRequest) (*pb.CheckAnswer, error) {
	_, trace, err := invoke(s, ctx, r, read, func(ctx context.Context, a carrier.Checker) (struct{}, error) { return struct{}{}, a.Check(ctx) })
	if err != nil {
		return nil, err
	}
	return &pb.CheckAnswer{Wire: wire.ToWire(trace)}, nil
}

// Quote implements the protocol.
func (s *server) Quote(ctx context.Context, r *pb.QuoteRequest) (*pb.QuoteAnswer, error) {
	a, trace, err := invoke(s, ctx, r, read, func(ctx context.Context, a carrier.Quoter) (carrier.QuoteAnswer, error) {
		return a.Quote(ctx, wire.FromQuoteRequest(r))
	})
	if err != nil {
		return nil, err
	}
	out := wire.ToQuoteAnswer(a)
	out.Wire = wire.ToWire(trace)
	return out, nil
}

// Book implements the protocol.
func (s *server) Book(r *pb.BookRequest, stream grpc.ServerStreamingServer[pb.BookChunk]) error {
	b, trace, err := invoke(s, stream.Context(), r, write, func(ctx context.Context, a carrier.Booker) (carrier.Booking, error) {
		return a.Book(ctx, wire.FromBookRequest(r))
	})
	if err != nil {
		return err
	}
	return sendBooking(b, trace, stream)
}

// BookReturn implements the protocol.
func (s *server) BookReturn(r *pb.BookRequest, stream grpc.ServerStreamingServer[pb.BookChunk]) error {
	b, trace, err := invoke(s, stream.Context(), r, write, func(ctx context.Context, a carrier.Returner) (carrier.Booking, error) {
		return a.BookReturn(ctx, wire.FromBookRequest(r))
	})
	if err != nil {
		return err
	}
	return sendBooking(b, trace, stream)
}

// Cancel implements the protocol.
func (s *server) Cancel(ctx context.Context, r *pb.CancelRequest) (*pb.CancelAnswer, error) {
	c, trace, err := invoke(s, ctx, r, write, func(ctx context.Context, a carrier.Canceler) (carrier.Cancellation, error) {
		return a.Cancel(ctx, wire.FromCancelRequest(r))
	})
	if err != nil {
		return nil, err
	}
	out := wire.ToCancellation(c)
	out.Wire = wire.ToWire(trace)
	return out, nil
}

// Find implements the protocol.
func (s *server) Find(ctx context.Context, r *pb.FindRequest) (*pb.FindAnswer, error) {
	bs, trace, err := invoke(s, ctx, r, read, func(ctx context.Context, a carrier.Finder) ([]carrier.Booking, error) {
		return a.Find(ctx, wire.FromFindRequest(r))
	})
	if err != nil {
		return nil, err
	}
	out := wire.ToBookings(fitLabels(bs))
	out.Wire = wire.ToWire(trace)
	return out, nil
}

// Track implements the protocol.
func (s *server) Track(ctx context.Context, r *pb.TrackRequest) (*pb.TrackAnswer, error) {
	us, trace, err := invoke(s, ctx, r, read, func(ctx context.Context, a carrier.Tracker) ([]carrier.TrackUpdate, error) {
		return a.Track(ctx, wire.FromTrackRequest(r))
	})
	if err != nil {
		return nil, err
	}
	out := wire.ToUpdates(us)
	out.Wire = wire.ToWire(trace)
	return out, nil
}

// ReceivePush implements the protocol.
func (s *server) ReceivePush(ctx context.Context, r *pb.PushRequest) (*pb.PushAnswer, error) {
	a, trace, err := invoke(s, ctx, r, read, func(ctx context.Context, a carrier.PushReceiver) (carrier.PushAnswer, error) {
		return a.ReceivePush(ctx, wire.FromPush(r))
	})
	if err != nil {
		return nil, err
	}
	out := wire.ToPushAnswer(a)
	out.Wire = wire.ToWire(trace)
	return out, nil
}

// SubscribePush implements the protocol.
func (s *server) SubscribePush(ctx context.Context, r *pb.SubscribeRequest) (*pb.SubscribeAnswer, error) {
	a, trace, err := invoke(s, ctx, r, read, func(ctx context.Context, a carrier.PushSubscriber) (carrier.PushSubscription, error) {
		return a.SubscribePush(ctx, wire.FromSubscribeRequest(r))
	})
	if err != nil {
		return nil, err
	}
	out := wire.ToSubscription(a)
	out.Wire = wire.ToWire(trace)
	return out, nil
}

// Edit implements the protocol.
func (s *server) Edit(ctx context.Context, r *pb.EditRequest) (*pb.EditAnswer, error) {
	b, trace, err := invoke(s, ctx, r, write, func(ctx context.Context, a carrier.Editor) (carrier.Booking, error) {
		return a.Edit(ctx, wire.FromEditRequest(r))
	})
	if err != nil {
		return nil, err
	}
	return &pb.EditAnswer{Booking: wire.ToBooking(fitLabels([]carrier.Booking{b})[0]), Wire: wire.ToWire(trace)}, nil
}

// ValidateAddress implements the protocol.
func (s *server) ValidateAddress(ctx context.Context, r *pb.AddressRequest) (*pb.AddressAnswer, error) {
	a, trace, err := invoke(s, ctx, r, read, func(ctx context.Context, a carrier.AddressValidator) (carrier.AddressAnswer, error) {
		return a.ValidateAddress(ctx, wire.FromAddressRequest(r))
	})
	if err != nil {
		return nil, err
	}
	out := wire.ToAddressAnswer(a)
	out.Wire = wire.ToWire(trace)
	return out, nil
}

// SchedulePickup implements the protocol.
func (s *server) SchedulePickup(ctx context.Context, r *pb.PickupRequest) (*pb.PickupAnswer, error) {
	p, trace, err := invoke(s, ctx, r, write, func(ctx context.Context, a carrier.PickupScheduler) (carrier.Pickup, error) {
		return a.SchedulePickup(ctx, wire.FromPickupRequest(r))
	})
	if err != nil {
		return nil, err
	}
	out := wire.ToPickup(p)
	out.Wire = wire.ToWire(trace)
	return out, nil
}

// CancelPickup implements the protocol.
func (s *server) CancelPickup(ctx context.Context, r *pb.CancelPickupRequest) (*pb.CancelPickupAnswer, error) {
	_, trace, err := invoke(s, ctx, r, write, func(ctx context.Context, a carrier.PickupScheduler) (struct{}, error) {
		return struct{}{}, a.CancelPickup(ctx, r.Confirmation)
	})
	if err != nil {
		return nil, err
	}
	return &pb.CancelPickupAnswer{Wire: wire.ToWire(trace)}, nil
}

// CloseManifest implements the protocol.
func (s *server) CloseManifest(ctx context.Context, r *pb.ManifestRequest) (*pb.ManifestAnswer, error) {
	a, trace, err := invoke(s, ctx, r, write, func(ctx context.Context, a carrier.ManifestCloser) (carrier.ManifestAnswer, error) {
		return a.CloseManifest(ctx, wire.FromManifestRequest(r))
	})
	if err != nil {
		return nil, err
	}
	out := wire.ToManifestAnswer(a)
	out.Wire = wire.ToWire(trace)
	return out, nil
}

// Document implements the protocol.
func (s *server) Document(r *pb.DocumentRequest, stream grpc.ServerStreamingServer[pb.DocumentChunk]) error {
	l, trace, err := invoke(s, stream.Context(), r, read, func(ctx context.Context, a carrier.DocumentProvider) (shipping.Label, error) {
		return a.Document(ctx, wire.FromDocumentRequest(r))
	})
	if err != nil {
		return err
	}
	return sendDocument(l, trace, stream)
}
