package carrier

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Source says whose fault an error is.
type Source string

const (
	SourceCaller  Source = "caller"  // the order: an address, a weight
	SourceConfig  Source = "config"  // the account: credentials, permissions
	SourceAdapter Source = "adapter" // a bug of the adapter
	SourceCarrier Source = "carrier" // the carrier refused or answered nonsense
	SourceNetwork Source = "network" // between adapter and carrier
	SourceEngine  Source = "engine"  // the machinery: a dead adapter, an open breaker, a full queue
)

// Effect says whether the carrier has acted.
type Effect string

const (
	EffectNone    Effect = "none"    // certainly not
	EffectApplied Effect = "applied" // certainly
	EffectUnknown Effect = "unknown" // nobody knows: reconcile before anything else
)

// Retry says whether the same call may be sent again.
type Retry string

const (
	RetryNever Retry = "never"
	RetrySafe  Retry = "safe"
	RetryAfter Retry = "after" // not before Error.RetryAfter has passed
)

// Code is the kind of error, stable over carriers.
type Code string

// The codes. An adapter uses these and no others; the carrier's own code goes into CarrierCode.
const (
	InvalidField        Code = "INVALID_FIELD"        // the carrier (or adapter) refuses a field; Field names it
	ServiceUnavailable  Code = "SERVICE_UNAVAILABLE"  // not offered on this lane, for this parcel, at this time
	CredentialsRejected Code = "CREDENTIALS_REJECTED" //
	AccountNotEnabled   Code = "ACCOUNT_NOT_ENABLED"  // the account lacks a permission
	ConfigInvalid       Code = "CONFIG_INVALID"       // Open: a member of the configuration is wrong
	TrackingNotFound    Code = "TRACKING_NOT_FOUND"   //
	BookingNotFound     Code = "BOOKING_NOT_FOUND"    // Cancel, Edit, Document: the carrier does not know the booking
	DuplicateReference  Code = "DUPLICATE_REFERENCE"  // Quote, Book: the carrier has a booking under this reference; the engine looks for it with Find, and asks nobody else meanwhile
	QuoteExpired        Code = "QUOTE_EXPIRED"        // Book: ask again, under a new reference
	CancelRefused       Code = "CANCEL_REFUSED"       // for the stage that the booking has reached
	EditRefused         Code = "EDIT_REFUSED"         //
	PushRejected        Code = "PUSH_REJECTED"        // not authentic
	CarrierRateLimited  Code = "CARRIER_RATE_LIMITED" //
	CarrierUnavailable  Code = "CARRIER_UNAVAILABLE"  // 5xx, refused connections
	CarrierProtocol     Code = "CARRIER_PROTOCOL"     // an answer that cannot be read
	CarrierRejected     Code = "CARRIER_REJECTED"     // a clear no whose code no table knows
	OutcomeUnknown      Code = "OUTCOME_UNKNOWN"      // deadline or reset after bytes were sent
	DeadlineExceeded    Code = "DEADLINE_EXCEEDED"    // before bytes were sent, or of a read
	AdapterPanic        Code = "ADAPTER_PANIC"        //
	AdapterDied         Code = "ADAPTER_DIED"         // made by the host
	AdapterUnavailable  Code = "ADAPTER_UNAVAILABLE"  // made by the host: starting, quarantined
	AccountNotOpen      Code = "ACCOUNT_NOT_OPEN"     //
	Unsupported         Code = "UNSUPPORTED"          // the account lacks the ability
	TooBusy             Code = "TOO_BUSY"             // made by the host: concurrency limit
	BreakerOpen         Code = "BREAKER_OPEN"         // made by the host
	HostNotAllowed      Code = "HOST_NOT_ALLOWED"     // made by Env.HTTP
	Internal            Code = "INTERNAL"             // an error that its maker did not classify
)

// Error is the one error type between engine and adapters. It survives the process boundary field by field.
type Error struct {
	Source Source
	Effect Effect
	Retry  Retry
	Code   Code

	// Message is a sentence for the merchant, without secrets or personal data: what happened, to what.
	Message        string
	CarrierCode    string // as the carrier gave it
	CarrierMessage string // likewise
	HTTPStatus     int    // of the carrier's answer, 0 where there was none
	Field          string // JSON path into the request or configuration
	RetryAfter     time.Duration

	// Err is the cause, for the operator's log; only its text crosses the process boundary.
	Err error
}

// Error joins code, message and the carrier's own words.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Field != "" {
		fmt.Fprintf(&b, " (field %s)", e.Field)
	}
	if e.CarrierCode != "" || e.CarrierMessage != "" {
		fmt.Fprintf(&b, " [carrier: %s]", strings.TrimSpace(e.CarrierCode+" "+e.CarrierMessage))
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns err as an *Error. An error of any other type came from code that classified nothing: its effect is unknown.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Source: SourceAdapter, Effect: EffectUnknown, Retry: RetryNever, Code: Internal, Message: "unclassified error", Err: err}
}
