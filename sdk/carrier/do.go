package carrier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Response is a carrier's whole answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // not to be changed: the recorded exchange may share it

	method string
	now    time.Time
}

// Do sends a request to the carrier and reads the whole answer, whatever its status. An error is an *Error:
//
//   - refused connection, unknown name, failed TLS: CARRIER_UNAVAILABLE, effect none;
//   - deadline before anything was sent: DEADLINE_EXCEEDED, effect none;
//   - deadline, reset or an answer cut short afterwards: OUTCOME_UNKNOWN, effect unknown. For GET and HEAD, which change
//     nothing, DEADLINE_EXCEEDED or CARRIER_UNAVAILABLE with effect none.
//
// Where a POST only asks (rates, tracking), the SDK sets the effect to none after the ability's method has returned.
func Do(ctx context.Context, env Env, r *http.Request) (*Response, error) {
	resp, err := env.HTTP().Do(r.WithContext(ctx))
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		return nil, transportError(r, err, true) // of a client that is not ours: nothing is known
	}
	defer resp.Body.Close()
	out := &Response{Status: resp.StatusCode, Header: resp.Header, method: r.Method, now: env.Now(ctx)}
	if b, ok := resp.Body.(*answerBody); ok {
		out.Body, err = b.data, b.err
	} else if out.Body, err = io.ReadAll(io.LimitReader(resp.Body, MaxResponseBytes)); err != nil {
		err = cutShort(r, resp.StatusCode, err)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Fault classifies an answer by its HTTP status alone: 429 CARRIER_RATE_LIMITED with its Retry-After, 401 CREDENTIALS_REJECTED,
// 403 ACCOUNT_NOT_ENABLED, 5xx CARRIER_UNAVAILABLE (effect unknown unless the request was a GET: a gateway that gave up does
// not know), other 4xx and redirects CARRIER_REJECTED. It is nil for 2xx. An adapter refines it with the carrier's own codes.
func (r *Response) Fault() *Error {
	e := &Error{Source: SourceCarrier, Effect: EffectNone, Retry: RetryNever, HTTPStatus: r.Status}
	switch {
	case r.Status >= 200 && r.Status < 300:
		return nil
	case r.Status == http.StatusTooManyRequests:
		e.Code, e.Retry, e.RetryAfter = CarrierRateLimited, RetryAfter, r.retryAfter()
		e.Message = "the carrier limits the rate of requests"
	case r.Status == http.StatusUnauthorized:
		e.Source, e.Code, e.Message = SourceConfig, CredentialsRejected, "the carrier rejects the account's credentials"
	case r.Status == http.StatusForbidden:
		e.Source, e.Code, e.Message = SourceConfig, AccountNotEnabled, "the carrier does not let this account do this"
	case r.Status >= 500:
		e.Code, e.Retry, e.RetryAfter = CarrierUnavailable, RetrySafe, r.retryAfter()
		e.Message = fmt.Sprintf("the carrier answered %d", r.Status)
		if !isRead(r.method) {
			e.Effect = EffectUnknown
		}
		if e.RetryAfter > 0 {
			e.Retry = RetryAfter
		}
	default:
		e.Code, e.Message = CarrierRejected, fmt.Sprintf("the carrier answered %d", r.Status)
	}
	return e
}

// Unreadable is the error for an answer that should have been readable: CARRIER_PROTOCOL. After anything but a GET the carrier
// may have acted, so the effect is unknown.
func (r *Response) Unreadable(cause error) *Error {
	e := &Error{Source: SourceCarrier, Effect: EffectNone, Retry: RetryNever, Code: CarrierProtocol, HTTPStatus: r.Status,
		Message: "the carrier's answer cannot be read", Err: cause}
	if !isRead(r.method) {
		e.Effect = EffectUnknown
	}
	return e
}

// retryAfter reads the header in both of its forms (RFC 9110 §10.2.3); 0 where it says nothing.
func (r *Response) retryAfter() time.Duration {
	v := strings.TrimSpace(r.Header.Get("Retry-After"))
	if s, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(s, 0), 86_400)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(r.now), 0), 24*time.Hour)
	}
	return 0
}

// transportError classifies a request to which no answer came.
func transportError(r *http.Request, err error, sent bool) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	ended := r.Context().Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	e := &Error{Source: SourceNetwork, Effect: EffectNone, Retry: RetrySafe, Err: cause(err)}
	switch {
	case sent && !isRead(r.Method):
		e.Code, e.Effect, e.Retry = OutcomeUnknown, EffectUnknown, RetryNever
		e.Message = "the request was sent to " + r.URL.Host + " and no answer came"
	case ended:
		e.Code, e.Message = DeadlineExceeded, "no answer from "+r.URL.Host+" in time"
	default:
		e.Code, e.Message = CarrierUnavailable, r.URL.Host+" cannot be reached"
	}
	return e
}

// cutShort classifies an answer that broke off.
func cutShort(r *http.Request, status int, err error) *Error {
	e := &Error{Source: SourceNetwork, Effect: EffectUnknown, Retry: RetryNever, Code: OutcomeUnknown, HTTPStatus: status,
		Message: "the answer of " + r.URL.Host + " broke off", Err: cause(err)}
	switch {
	case errors.Is(err, errTooLong):
		e.Source, e.Code, e.Message = SourceCarrier, CarrierProtocol, "the answer of "+r.URL.Host+" is too long"
		if isRead(r.Method) {
			e.Effect = EffectNone
		}
	case isRead(r.Method) && r.Context().Err() != nil:
		e.Effect, e.Retry, e.Code = EffectNone, RetrySafe, DeadlineExceeded
	case isRead(r.Method):
		e.Effect, e.Retry, e.Code = EffectNone, RetrySafe, CarrierUnavailable
	}
	return e
}

// cause drops the layer of net/http's client that quotes the whole URL, whose query may hold secrets.
func cause(err error) error {
	type urlError interface {
		error
		Unwrap() error
		Timeout() bool
		Temporary() bool
	}
	if u, ok := err.(urlError); ok && strings.Contains(err.Error(), "://") {
		return u.Unwrap()
	}
	return err
}
