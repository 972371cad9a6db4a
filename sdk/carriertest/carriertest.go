// Package carriertest checks that an adapter keeps the contract of sdk/carrier. The checks are data: Run performs them in a
// go test, Verify anywhere else, on an adapter in the program (Of) or on any executable, whatever it is written in (Binary).
//
// A check that needs an ability the adapter does not have is NOT OFFERED, one that needs something the fake carrier cannot do
// is SKIPPED; both are reported, neither is a pass.
package carriertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

// Fault is a way in which a carrier misbehaves.
type Fault string

// The faults that checks ask for. A fault holds for all requests from SetFault on, until NoFault.
const (
	NoFault       Fault = ""
	RateLimited   Fault = "429"           // status 429, Retry-After: 7
	Unavailable   Fault = "503"           // status 503
	Garbage       Fault = "garbage"       // status 200 and bytes that are no document; nothing else happens
	Empty         Fault = "empty"         // status 200 and no body
	HTML          Fault = "html"          // status 200 and a page for people
	Truncated     Fault = "truncated"     // status 200, and the connection breaks in the middle of the body
	Hang          Fault = "hang"          // the request is read and never answered
	LostResponse  Fault = "lost_response" // the request is carried out and the connection breaks before the answer
	retryAfterSec       = 7
)

// Fake controls the carrier that the adapter under test talks to. Nil functions skip the checks that need them.
type Fake struct {
	// SetFault makes the carrier misbehave. False says that this carrier cannot do this fault.
	SetFault func(Fault) bool
	// Bookings counts what is booked under a reference, cancelled or not.
	Bookings func(reference string) int
	// Requests counts all requests so far.
	Requests func() int
	// Active counts the requests that are being answered now.
	Active func() int
}

// Subject is an adapter under test, with everything that is needed to use it.
type Subject struct {
	// Start starts the adapter afresh.
	Start func(ctx context.Context, log hclog.Logger) (*plugin.Process, error)
	// Path is the executable; "" for an adapter in this program, which skips the checks on processes.
	Path string
	// Config is the account's configuration, a JSON object, with the fake carrier's address as base_url.
	Config []byte
	// Secrets are the values in Config that nobody may see again.
	Secrets []string
	// Consignment is what is quoted and booked; nil for ConsignmentAt. Its reference is replaced.
	Consignment func(now time.Time) carrier.Consignment
	// Now is the carrier's clock; nil for the real one.
	Now  func() time.Time
	Fake Fake

	tries int // how often a check that measures time has failed
}

// Of makes a subject of an adapter in this program, served through real gRPC.
func Of[C, A any](a carrier.Adapter[C, A], config []byte, fake Fake) Subject {
	s := Subject{Config: config, Fake: fake}
	s.Start = func(ctx context.Context, log hclog.Logger) (*plugin.Process, error) {
		return plugin.Loopback(ctx, a, plugin.LoopbackConfig{Log: log, Now: s.Now})
	}
	if cfg, err := carrier.DecodeConfig[C](config); err == nil {
		s.Secrets = carrier.SecretsIn(cfg)
	}
	return s
}

// Binary makes a subject of an executable. Secrets of the configuration must be named by the caller.
func Binary(path string, config []byte, fake Fake) Subject {
	s := Subject{Path: path, Config: config, Fake: fake}
	s.Start = func(ctx context.Context, log hclog.Logger) (*plugin.Process, error) {
		return plugin.Dial(ctx, plugin.DialConfig{Path: path, Log: log, Now: s.Now})
	}
	return s
}

// Check is one promise of the contract.
type Check struct {
	Name     string
	Contract string          // the promise, for people
	Needs    carrier.Ability // "" for all adapters
	Run      func(ctx context.Context, s Subject) error
}

// Verdict is the outcome of a check.
type Verdict string

// The verdicts.
const (
	Pass       Verdict = "PASS"
	Fail       Verdict = "FAIL"
	NotOffered Verdict = "NOT OFFERED" // the adapter lacks the ability
	Skipped    Verdict = "SKIPPED"     // the subject cannot be brought into the situation
)

// Result is what became of a check.
type Result struct {
	Check   Check
	Verdict Verdict
	Reason  string
}

// skip is the error of a check that the subject does not allow.
type skip struct{ why string }

func (s skip) Error() string { return s.why }

// checkTimeout bounds one check.
const checkTimeout = time.Minute

// Verify performs all checks, one after the other, and returns their results in the order of Checks.
func Verify(ctx context.Context, s Subject) []Result {
	m, err := s.manifest(ctx)
	out := make([]Result, 0, len(Checks))
	for _, c := range Checks {
		if err != nil {
			out = append(out, Result{Check: c, Verdict: Fail, Reason: err.Error()})
			continue
		}
		out = append(out, s.perform(ctx, c, m))
	}
	return out
}

// Run performs all checks as subtests.
func Run(t *testing.T, s Subject) {
	t.Helper()
	m, err := s.manifest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Checks {
		t.Run(c.Name, func(t *testing.T) {
			switch r := s.perform(t.Context(), c, m); r.Verdict {
			case Fail:
				t.Errorf("%s\ncontract: %s", r.Reason, c.Contract)
			case NotOffered, Skipped:
				t.Skipf("%s: %s", r.Verdict, r.Reason)
			}
		})
	}
}

func (s Subject) manifest(ctx context.Context) (carrier.Manifest, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	p, err := s.Start(ctx, hclog.NewNullLogger())
	if err != nil {
		return carrier.Manifest{}, err
	}
	defer stop(p)
	return p.Manifest(), nil
}

func (s Subject) perform(ctx context.Context, c Check, m carrier.Manifest) Result {
	if c.Needs != "" && !m.Has(c.Needs) {
		return Result{Check: c, Verdict: NotOffered, Reason: fmt.Sprintf("the adapter lacks the ability %s", c.Needs)}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if s.Fake.SetFault != nil {
		defer s.Fake.SetFault(NoFault)
	}
	err := c.Run(ctx, s)
	if why, ok := errors.AsType[skip](err); ok {
		return Result{Check: c, Verdict: Skipped, Reason: why.why}
	}
	if err != nil {
		return Result{Check: c, Verdict: Fail, Reason: err.Error()}
	}
	return Result{Check: c, Verdict: Pass}
}

func stop(p *plugin.Process) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = p.Stop(ctx) // it kills what does not end
}

// open starts the adapter and opens the account. done stops it.
func (s Subject) open(ctx context.Context, log hclog.Logger) (a *plugin.Account, done func(), err error) {
	p, err := s.Start(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	a, err = p.Open(ctx, plugin.OpenRequest{AccountID: "test", Config: s.Config})
	if err != nil {
		stop(p)
		return nil, nil, fmt.Errorf("open the account: %w", err)
	}
	return a, func() { stop(p) }, nil
}

// with runs f on an open account.
func with(f func(ctx context.Context, s Subject, a *plugin.Account) error) func(context.Context, Subject) error {
	return func(ctx context.Context, s Subject) error {
		a, done, err := s.open(ctx, hclog.NewNullLogger())
		if err != nil {
			return err
		}
		defer done()
		return f(ctx, s, a)
	}
}

// fault makes the fake carrier misbehave.
func (s Subject) fault(f Fault) error {
	if s.Fake.SetFault == nil || !s.Fake.SetFault(f) {
		return skip{fmt.Sprintf("the fake carrier cannot do the fault %q", f)}
	}
	return nil
}

func (s Subject) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s Subject) consignment() carrier.Consignment {
	make := s.Consignment
	if make == nil {
		make = ConsignmentAt
	}
	c := make(s.now())
	c.Reference = NewReference()
	return c
}

// quote asks for quotes of a new consignment and returns the request that books the first.
func (s Subject) quote(ctx context.Context, a *plugin.Account) (carrier.BookRequest, error) {
	return s.quoteFor(ctx, a, false)
}

// quoteFor is quote, also of the way back.
func (s Subject) quoteFor(ctx context.Context, a *plugin.Account, back bool) (carrier.BookRequest, error) {
	c := s.consignment()
	if back {
		c.Pickup, c.Delivery = c.Delivery, c.Pickup
	}
	r := carrier.BookRequest{Consignment: c}
	m := a.Process().Manifest()
	if len(m.LabelFormats) > 0 {
		r.LabelFormat = m.LabelFormats[0]
	}
	if !m.Has(carrier.CanQuote) {
		if len(m.Services) > 0 {
			r.ServiceID = m.Services[0].ID
		}
		return r, nil
	}
	answer, err := a.Quote(ctx, carrier.QuoteRequest{Consignment: c, WayBack: back})
	if err != nil {
		return r, fmt.Errorf("quote: %w", err)
	}
	if len(answer.Quotes) == 0 {
		return r, fmt.Errorf("no quote for the sample consignment; refusals: %v", answer.Refusals)
	}
	q := answer.Quotes[0]
	r.ServiceID, r.Token, r.Quoted = q.ServiceID, q.Token, q.Amount
	return r, nil
}

func (s Subject) book(ctx context.Context, a *plugin.Account) (carrier.BookRequest, carrier.Booking, error) {
	r, err := s.quote(ctx, a)
	if err != nil {
		return r, carrier.Booking{}, err
	}
	b, err := a.Book(ctx, r)
	if err != nil {
		return r, b, fmt.Errorf("book: %w", err)
	}
	return r, b, nil
}

// withConfig returns the configuration with one member set, or removed where value is nil.
func (s Subject) withConfig(member string, value any) ([]byte, error) {
	var config map[string]any
	if err := json.Unmarshal(s.Config, &config); err != nil {
		return nil, fmt.Errorf("the subject's configuration: %w", err)
	}
	if value == nil {
		delete(config, member)
	} else {
		config[member] = value
	}
	return json.Marshal(config)
}

// tempDir is a short folder, for sockets.
func tempDir() (string, func(), error) {
	dir, err := os.MkdirTemp("", "wb-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}
