package carriertest_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/carriertest"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// fakeCarrier is a small carrier's server: rates, shipments by reference, tracking.
type fakeCarrier struct {
	*httptest.Server
	requests, active atomic.Int64

	mu     sync.Mutex
	fault  carriertest.Fault
	booked map[string][]string // reference -> shipment ids
}

func newFakeCarrier(t *testing.T) *fakeCarrier {
	f := &fakeCarrier{booked: map[string][]string{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeCarrier) controls() carriertest.Fake {
	return carriertest.Fake{
		SetFault: func(x carriertest.Fault) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.fault = x
			return true
		},
		Bookings: func(ref string) int {
			f.mu.Lock()
			defer f.mu.Unlock()
			return len(f.booked[ref])
		},
		Requests: func() int { return int(f.requests.Load()) },
		Active:   func() int { return int(f.active.Load()) },
	}
}

func (f *fakeCarrier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	f.active.Add(1)
	defer f.active.Add(-1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	switch fault {
	case carriertest.RateLimited:
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	case carriertest.Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	case carriertest.Garbage:
		_, _ = w.Write([]byte("\x01\x02 garbage"))
	case carriertest.HTML:
		_, _ = w.Write([]byte("<html><body>Scheduled maintenance</body></html>"))
	case carriertest.Empty:
	case carriertest.Truncated:
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"id":`))
	case carriertest.Hang:
		<-r.Context().Done()
	case carriertest.LostResponse:
		f.answer(r, body)
		panic(http.ErrAbortHandler)
	default:
		status, answer := f.answer(r, body)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // the client may be gone
	}
}

func (f *fakeCarrier) answer(r *http.Request, body []byte) (int, any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var in struct{ Reference string }
	_ = json.Unmarshal(body, &in) // a read has no body
	switch r.Method + " " + r.URL.Path {
	case "POST /rates":
		return 200, map[string]any{"ground": 1034, "air": 2500}
	case "POST /shipments":
		if len(f.booked[in.Reference]) == 0 {
			f.booked[in.Reference] = []string{rand.Text()}
		}
		return 200, map[string]any{"id": f.booked[in.Reference][0]}
	case "GET /shipments":
		return 200, map[string]any{"ids": f.booked[r.URL.Query().Get("reference")]}
	case "GET /me", "POST /void":
		return 200, map[string]any{"ok": true}
	}
	return 404, map[string]any{"error": "no such thing"}
}

type zooConfig struct {
	BaseURL string         `json:"base_url"`
	Key     carrier.Secret `json:"key"`
}

// laxConfig accepts everything.
type laxConfig struct{ zooConfig }

func (c *laxConfig) UnmarshalJSON(b []byte) error {
	type plain zooConfig
	_ = json.Unmarshal(b, (*plain)(&c.zooConfig)) // accepts everything
	return nil
}

// animal is an adapter that keeps the contract, but for its flaw.
type animal struct {
	flaw   string
	cfg    zooConfig
	env    carrier.Env
	active atomic.Int64
	mu     sync.Mutex
	seen   map[string]int
}

var starts atomic.Int64

func zoo[C any](flaw string, plain func(C) zooConfig) carrier.Adapter[C, *animal] {
	a := carrier.Adapter[C, *animal]{
		Name: "zoo", DisplayName: "Zoo", Version: "1.0.0", Idempotency: carrier.Native, Absence: carrier.Proven, LabelFormats: []shipping.LabelFormat{shipping.ZPL},
		Services: []carrier.Service{{ID: "ground", Name: "Ground"}, {ID: "air", Name: "Air"}},
		Open: func(_ context.Context, c C, env carrier.Env) (*animal, error) {
			cfg := plain(c)
			if flaw == "network in Open" {
				resp, err := http.Get(cfg.BaseURL)
				if err != nil {
					return nil, err
				}
				return &animal{flaw: flaw, cfg: cfg, env: env, seen: map[string]int{}}, resp.Body.Close()
			}
			return &animal{flaw: flaw, cfg: cfg, env: env, seen: map[string]int{}}, nil
		},
	}
	switch flaw {
	case "no display name":
		a.DisplayName = ""
	case "version changes":
		a.Version = fmt.Sprintf("1.0.%d", starts.Add(1))
	}
	return a
}

// do sends a request and decodes the answer.
func (a *animal) do(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, a.cfg.BaseURL+path, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	r.Header.Set("X-Api-Key", a.cfg.Key.Reveal())
	resp, err := carrier.Do(ctx, a.env, r)
	if err != nil {
		return err
	}
	if e := resp.Fault(); e != nil {
		if a.flaw == "status is not read" {
			return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Code: carrier.CarrierRejected, HTTPStatus: resp.Status}
		}
		return e
	}
	if err := json.Unmarshal(resp.Body, out); err != nil {
		e := resp.Unreadable(err)
		if a.flaw == "unreadable means nothing happened" {
			e.Effect = carrier.EffectNone
		}
		return e
	}
	return nil
}

func (a *animal) Check(ctx context.Context) error {
	if a.flaw == "check fails" {
		return &carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectNone, Code: carrier.CredentialsRejected}
	}
	return a.do(ctx, "GET", "/me", nil, &struct{}{})
}

func (a *animal) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	switch a.flaw {
	case "deaf":
		// It goes on for two seconds after its call has ended; as long as a call lasts nothing is wrong with it.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		defer context.AfterFunc(ctx, func() { time.AfterFunc(2*time.Second, cancel) })()
		ctx = late
	case "one at a time":
		defer a.active.Add(-1)
		if a.active.Add(1) > 4 {
			return carrier.QuoteAnswer{}, &carrier.Error{Effect: carrier.EffectNone, Code: carrier.CarrierRejected, Message: "busy"}
		}
	}
	var rates map[string]int64
	if err := a.do(ctx, "POST", "/rates", map[string]string{"reference": r.Reference}, &rates); err != nil {
		return carrier.QuoteAnswer{}, err
	}
	var out carrier.QuoteAnswer
	for id, minor := range rates {
		currency := "USD"
		if r.WayBack && a.flaw != "quotes the way there" {
			minor += returnFee
		}
		switch a.flaw {
		case "free of charge":
			minor = 0
		case "pays the shipper":
			minor = -1
		case "no currency":
			currency = ""
		}
		if len(r.Services) == 0 || a.flaw == "services are not narrowed" || strings.Contains(strings.Join(r.Services, " "), id) {
			out.Quotes = append(out.Quotes, shipping.Quote{ServiceID: id, Amount: shipping.Money{Minor: minor, Currency: currency}})
		}
	}
	return out, nil
}

func (a *animal) times(key string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[key]++
	return a.seen[key]
}

func (a *animal) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	ref := r.Reference
	if a.flaw == "books twice" && a.times(ref) > 1 {
		ref += "again"
	}
	if a.flaw == "logs its key" {
		a.env.Log().Info("booking", "key", a.cfg.Key.Reveal())
	}
	var out struct{ ID string }
	if err := a.do(ctx, "POST", "/shipments", map[string]string{"reference": ref}, &out); err != nil {
		if e := carrier.AsError(err); a.flaw == "doubt is hidden" && e.Source == carrier.SourceNetwork {
			return carrier.Booking{}, &carrier.Error{Source: carrier.SourceNetwork, Effect: carrier.EffectNone, Code: carrier.OutcomeUnknown, Err: err}
		}
		return carrier.Booking{}, err
	}
	label := "^XA^FDsample^FS^XZ"
	if a.flaw == "label is no file" {
		label = "sorry"
	}
	return carrier.Booking{Reference: r.Reference, CarrierRef: out.ID, Parcels: []carrier.BookedParcel{{Number: out.ID, Label: &shipping.Label{Format: shipping.ZPL, Data: []byte(label)}}}}, nil
}

func (a *animal) BookReturn(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	if a.flaw == "return is not written" {
		return carrier.Booking{}, errors.New("to be written")
	}
	b, err := a.Book(ctx, r)
	if price, priced := map[string]int64{"ground": 1034, "air": 2500}[r.ServiceID]; priced && (a.flaw == "" || a.flaw == "quotes the way there") {
		b.Amount = shipping.Money{Minor: price + returnFee, Currency: "USD"}
	}
	return b, err
}

// returnFee is what the fake carrier asks more for the way back.
const returnFee = 100

func (a *animal) Find(ctx context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	var found struct{ IDs []string }
	if err := a.do(ctx, "GET", "/shipments?reference="+url.QueryEscape(r.Reference), nil, &found); err != nil {
		return nil, err
	}
	if len(found.IDs) == 0 && a.flaw == "not found is an error" {
		return nil, &carrier.Error{Effect: carrier.EffectNone, Code: carrier.BookingNotFound}
	}
	var out []carrier.Booking
	for _, id := range found.IDs {
		if a.flaw != "finds nothing" {
			out = append(out, carrier.Booking{Reference: r.Reference, CarrierRef: id})
		}
	}
	return out, nil
}

func (a *animal) Cancel(ctx context.Context, r carrier.CancelRequest) (carrier.Cancellation, error) {
	if a.flaw == "cancels once" && a.times(r.CarrierRef) > 1 {
		return carrier.Cancellation{}, &carrier.Error{Effect: carrier.EffectNone, Code: carrier.CancelRefused}
	}
	return carrier.Cancellation{}, a.do(ctx, "POST", "/void", r.CarrierRef, &struct{}{})
}

func (a *animal) Track(_ context.Context, r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
	var out []carrier.TrackUpdate
	for _, p := range r.Parcels {
		out = append(out, carrier.TrackUpdate{Number: p.Number, Unknown: a.flaw != "knows every number"})
	}
	return out, nil
}

func (a *animal) SubscribePush(_ context.Context, r carrier.SubscribeRequest) (carrier.PushSubscription, error) {
	return carrier.PushSubscription{Numbers: r.Numbers}, nil
}

func (a *animal) ReceivePush(context.Context, carrier.Push) (carrier.PushAnswer, error) {
	if a.flaw == "push is not written" {
		return carrier.PushAnswer{}, errors.New("to be written")
	}
	return carrier.PushAnswer{}, &carrier.Error{Effect: carrier.EffectNone, Code: carrier.PushRejected}
}
