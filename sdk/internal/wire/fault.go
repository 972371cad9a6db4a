package wire

import (
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/sdk/carrier"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
)

// Domain is the domain of the ErrorInfo that stands beside each Fault, for tools that know no Fault.
const Domain = "carrier.waybill.dev"

var grpcCodes = map[carrier.Code]codes.Code{
	carrier.InvalidField: codes.InvalidArgument, carrier.ConfigInvalid: codes.InvalidArgument,
	carrier.ServiceUnavailable: codes.FailedPrecondition, carrier.QuoteExpired: codes.FailedPrecondition, carrier.CancelRefused: codes.FailedPrecondition,
	carrier.EditRefused: codes.FailedPrecondition, carrier.AccountNotOpen: codes.FailedPrecondition, carrier.CarrierRejected: codes.FailedPrecondition,
	carrier.CredentialsRejected: codes.Unauthenticated, carrier.PushRejected: codes.PermissionDenied, carrier.AccountNotEnabled: codes.PermissionDenied,
	carrier.TrackingNotFound: codes.NotFound, carrier.BookingNotFound: codes.NotFound, carrier.DuplicateReference: codes.AlreadyExists,
	carrier.CarrierRateLimited: codes.ResourceExhausted, carrier.TooBusy: codes.ResourceExhausted, carrier.CarrierUnavailable: codes.Unavailable,
	carrier.OutcomeUnknown: codes.DeadlineExceeded, carrier.DeadlineExceeded: codes.DeadlineExceeded, carrier.Unsupported: codes.Unimplemented,
}

// ToFault maps an error. Its cause travels as text.
func ToFault(e *carrier.Error) *pb.Fault {
	f := &pb.Fault{Source: string(e.Source), Effect: string(e.Effect), Retry: string(e.Retry), Code: string(e.Code), Message: text(e.Message),
		CarrierCode: text(e.CarrierCode), CarrierMessage: text(e.CarrierMessage), HttpStatus: int32(e.HTTPStatus), Field: text(e.Field),
		RetryAfterNanos: int64(e.RetryAfter)}
	if e.Err != nil {
		f.Cause = text(e.Err.Error())
	}
	return f
}

// FromFault maps a fault. An adapter in another language that leaves out the effect has not said that nothing happened.
func FromFault(f *pb.Fault) *carrier.Error {
	e := &carrier.Error{Source: carrier.Source(f.Source), Effect: carrier.Effect(f.Effect), Retry: carrier.Retry(f.Retry), Code: carrier.Code(f.Code),
		Message: f.Message, CarrierCode: f.CarrierCode, CarrierMessage: f.CarrierMessage, HTTPStatus: int(f.HttpStatus), Field: f.Field,
		RetryAfter: time.Duration(f.RetryAfterNanos)}
	if f.Cause != "" {
		e.Err = errors.New(f.Cause)
	}
	if e.Effect != carrier.EffectNone && e.Effect != carrier.EffectApplied {
		e.Effect = carrier.EffectUnknown
	}
	if e.Code == "" {
		e.Code = carrier.Internal
	}
	return e
}

// ToStatus makes the gRPC error of e, with what was said to the carrier.
func ToStatus(e *carrier.Error, trace *carrier.Trace) error {
	code, ok := grpcCodes[e.Code]
	if !ok {
		code = codes.Internal
	}
	fault := ToFault(e)
	fault.Wire = ToWire(trace)
	s, err := status.New(code, text(e.Message)).WithDetails(fault, &errdetails.ErrorInfo{Reason: string(e.Code), Domain: Domain})
	if err != nil { // neither detail can fail to marshal: their strings are valid
		return status.Error(codes.Internal, err.Error())
	}
	return s.Err()
}

// FromStatus returns the *carrier.Error in err and adds what was said to the carrier to trace. ok is false where err has
// none: the machinery made it.
func FromStatus(err error, trace *carrier.Trace) (e *carrier.Error, ok bool) {
	s, isStatus := status.FromError(err)
	if !isStatus {
		return nil, false
	}
	for _, d := range s.Details() {
		if f, isFault := d.(*pb.Fault); isFault {
			FromWire(f.Wire, trace)
			return FromFault(f), true
		}
	}
	return nil, false
}

// ToWire maps what a trace has recorded; nil where it has nothing.
func ToWire(t *carrier.Trace) *pb.Wire {
	xs, dropped := t.Exchanges()
	if len(xs) == 0 && dropped == 0 {
		return nil
	}
	return &pb.Wire{Exchanges: list(xs, toExchange), Dropped: int32(dropped)}
}

// FromWire adds what a call has recorded to the trace of the caller.
func FromWire(w *pb.Wire, t *carrier.Trace) {
	if t == nil || w == nil {
		return
	}
	t.Add(list(w.Exchanges, fromExchange)...)
	t.Drop(int(w.Dropped))
}

func toExchange(x carrier.Exchange) *pb.Exchange {
	return &pb.Exchange{AtUnixNanos: toNanos(x.At), DurationNanos: int64(x.Duration), Method: text(x.Method), Url: text(x.URL),
		RequestHeader: textMap(x.RequestHeader), RequestBody: text(x.RequestBody), Status: int32(x.Status), ResponseHeader: textMap(x.ResponseHeader),
		ResponseBody: text(x.ResponseBody), Truncated: x.Truncated, Error: text(x.Error)}
}

func textMap(in map[string]string) map[string]string {
	for k, v := range in {
		if text(k) != k || text(v) != v {
			out := make(map[string]string, len(in))
			for k, v := range in {
				out[text(k)] = text(v)
			}
			return out
		}
	}
	return in
}

func fromExchange(x *pb.Exchange) carrier.Exchange {
	return carrier.Exchange{At: fromNanos(x.GetAtUnixNanos()), Duration: time.Duration(x.GetDurationNanos()), Method: x.GetMethod(), URL: x.GetUrl(),
		RequestHeader: x.GetRequestHeader(), RequestBody: x.GetRequestBody(), Status: int(x.GetStatus()), ResponseHeader: x.GetResponseHeader(),
		ResponseBody: x.GetResponseBody(), Truncated: x.GetTruncated(), Error: x.GetError()}
}
