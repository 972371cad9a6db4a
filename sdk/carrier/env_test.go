package carrier_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what has no reason to take long. It only ends what would never end: on a busy machine everything takes long.
const patience = time.Minute

// call returns a context as the SDK makes one for each call of an ability.
func call(t *testing.T, timeout time.Duration) (context.Context, *carrier.Trace) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return carrier.WithTrace(ctx)
}

// serve starts a carrier and returns an Env that may talk to it.
func serve(t *testing.T, h http.HandlerFunc, secrets ...string) (carrier.Env, string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return carrier.NewEnv(carrier.EnvSettings{BaseURL: s.URL, Transport: transport, Secrets: secrets}), s.URL
}

func post(t *testing.T, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func asError(t *testing.T, err error) *carrier.Error {
	t.Helper()
	e, ok := errors.AsType[*carrier.Error](err)
	if !ok {
		t.Fatalf("error is %T (%v), want *carrier.Error", err, err)
	}
	return e
}

func TestExchangeHoldsNoSecretAndNoLabel(t *testing.T) {
	image := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("label"), 2000))
	env, url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=tok-cookie")
		fmt.Fprintf(w, `{"access_token": "tok-access", "expires_in":3600, "token":12345, "tokens":{"client_secret" : "tok-nested"},`+
			`"credentials":["tok-a", "tok-b"], "image":%q, "note":"the key pass/word\u0026 is known", "status":"ok"}`, image)
	}, "pass/word&")
	ctx, trace := call(t, patience)
	r := post(t, url+"/oauth?api_key=tok-query&weight=3", `{"client_secret":"tok-body","weight":"3","ref":"pass/word&"}`)
	r.Header.Set("Authorization", "Bearer tok-header")
	r.Header.Set("X-Request-Id", "req-1")
	resp, err := carrier.Do(ctx, env, r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(resp.Body, []byte("tok-access")) || !bytes.Contains(resp.Body, []byte(image)) {
		t.Error("the adapter did not get the answer as it came")
	}
	xs, _ := trace.Exchanges()
	if len(xs) != 1 {
		t.Fatalf("%d exchanges recorded, want 1", len(xs))
	}
	text, _ := json.Marshal(xs)
	for _, secret := range []string{"tok-", "pass/word", image[:600], "12345"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the exchange holds %.40q: %s", secret, text)
		}
	}
	x := xs[0]
	for _, want := range []string{`"image":"[label 10`, `"status":"ok"`, `"expires_in":3600`} {
		if !strings.Contains(x.ResponseBody, want) {
			t.Errorf("response body lacks %s: %s", want, x.ResponseBody)
		}
	}
	if !json.Valid([]byte(x.ResponseBody)) {
		t.Errorf("redacted body is not JSON any more: %s", x.ResponseBody)
	}
	if x.RequestHeader["X-Request-Id"] != "req-1" || x.Status != 200 || !strings.Contains(x.URL, "weight=3") || !strings.Contains(x.RequestBody, `"weight":"3"`) {
		t.Errorf("exchange has lost what may be kept: %+v", x)
	}
}

func TestExchangeIsBounded(t *testing.T) {
	env, url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("été, "), 40_000))
	})
	ctx, trace := call(t, patience)
	if _, err := carrier.Do(ctx, env, post(t, url, strings.Repeat("{} ", 10_000))); err != nil {
		t.Fatal(err)
	}
	xs, _ := trace.Exchanges()
	if n := len(xs[0].RequestBody) + len(xs[0].ResponseBody); n > carrier.MaxExchangeBytes || n < carrier.MaxExchangeBytes-8 || !xs[0].Truncated {
		t.Errorf("kept %d bytes, truncated %t; want just under %d", n, xs[0].Truncated, carrier.MaxExchangeBytes)
	}
	if strings.ContainsRune(xs[0].ResponseBody, '?') {
		t.Error("the cut broke a character")
	}
}

func TestClientRefusesWhatIsNotOfACall(t *testing.T) {
	env, url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a refused request arrived") })
	traced, _ := call(t, patience)
	untraced, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	noDeadline, _ := carrier.WithTrace(t.Context())
	for name, tt := range map[string]struct {
		ctx  context.Context
		url  string
		code carrier.Code
	}{
		"no call":      {untraced, url, carrier.Internal},
		"no deadline":  {noDeadline, url, carrier.Internal},
		"other host":   {traced, "http://example.org/", carrier.HostNotAllowed},
		"other port":   {traced, "http://127.0.0.1:1/", carrier.HostNotAllowed},
		"other scheme": {traced, strings.Replace(url, "http://127.0.0.1", "https://localhost", 1), carrier.HostNotAllowed},
	} {
		_, err := carrier.Do(tt.ctx, env, get(t, tt.url))
		if e := asError(t, err); e.Code != tt.code || e.Effect != carrier.EffectNone {
			t.Errorf("%s: %v, effect %s; want %s, none", name, e, e.Effect, tt.code)
		}
	}
}

func TestClientFollowsNoRedirectToAnotherHost(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	env, url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	ctx, _ := call(t, patience)
	resp, err := carrier.Do(ctx, env, get(t, url))
	if err != nil || resp.Status != http.StatusFound {
		t.Errorf("got %+v, %v; want the 302 itself", resp, err)
	}
}

func TestErrorsSayWhetherTheCarrierMayHaveActed(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server notices that its client left once it has read the body
		<-r.Context().Done()
	}
	reset := func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	short := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"half":`))
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		method  string
		code    carrier.Code
		effect  carrier.Effect
	}{
		"hang after POST":  {hang, "POST", carrier.OutcomeUnknown, carrier.EffectUnknown},
		"hang after GET":   {hang, "GET", carrier.DeadlineExceeded, carrier.EffectNone},
		"reset after POST": {reset, "POST", carrier.OutcomeUnknown, carrier.EffectUnknown},
		"short after POST": {short, "POST", carrier.OutcomeUnknown, carrier.EffectUnknown},
		"short after GET":  {short, "GET", carrier.CarrierUnavailable, carrier.EffectNone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ask := func(timeout time.Duration) (trace *carrier.Trace, arrived bool, err error) {
				var came atomic.Bool
				env, url := serve(t, func(w http.ResponseWriter, r *http.Request) {
					came.Store(true)
					tt.handler(w, r)
				})
				ctx, trace := call(t, timeout)
				r := post(t, url, "{}")
				r.Method = tt.method
				_, err = carrier.Do(ctx, env, r)
				return trace, came.Load(), err
			}
			timeout := patience
			if strings.HasPrefix(name, "hang") {
				timeout = 100 * time.Millisecond
			}
			trace, arrived, err := ask(timeout)
			for ; !arrived && timeout < patience; timeout *= 4 { // a busy machine did not get to the carrier in time
				trace, arrived, err = ask(4 * timeout)
			}
			if e := asError(t, err); e.Code != tt.code || e.Effect != tt.effect {
				t.Errorf("%v, effect %s; want %s, %s", e, e.Effect, tt.code, tt.effect)
			}
			if xs, _ := trace.Exchanges(); len(xs) != 1 || xs[0].Error == "" {
				t.Errorf("exchanges %+v; want one with its error", xs)
			}
		})
	}
}

func TestRefusedConnectionHasNoEffect(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	env := carrier.NewEnv(carrier.EnvSettings{BaseURL: s.URL, Transport: &http.Transport{}})
	ctx, _ := call(t, patience)
	_, err := carrier.Do(ctx, env, post(t, s.URL+"/?api_key=tok-1", "{}"))
	e := asError(t, err)
	if e.Code != carrier.CarrierUnavailable || e.Effect != carrier.EffectNone || e.Retry != carrier.RetrySafe {
		t.Errorf("%v, effect %s, retry %s", e, e.Effect, e.Retry)
	}
	if strings.Contains(e.Error(), "tok-1") {
		t.Errorf("the error quotes the query: %v", e)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	peers := map[string]bool{}
	env, url := serve(t, func(w http.ResponseWriter, r *http.Request) { peers[r.RemoteAddr] = true })
	for range 20 {
		ctx, _ := call(t, patience)
		if _, err := carrier.Do(ctx, env, post(t, url, "{}")); err != nil {
			t.Fatal(err)
		}
	}
	if len(peers) != 1 {
		t.Errorf("20 requests used %d connections, want 1", len(peers))
	}
}

func TestFaultOfStatus(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		status     int
		retryAfter string
		want       carrier.Error
	}{
		{429, "7", carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryAfter, Code: carrier.CarrierRateLimited, RetryAfter: 7 * time.Second}},
		{429, "Sun, 01 Mar 2026 12:01:00 GMT", carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryAfter, Code: carrier.CarrierRateLimited, RetryAfter: time.Minute}},
		{503, "", carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectUnknown, Retry: carrier.RetrySafe, Code: carrier.CarrierUnavailable}},
		{401, "", carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.CredentialsRejected}},
		{403, "", carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.AccountNotEnabled}},
		{422, "", carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.CarrierRejected}},
	} {
		env, url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if tt.retryAfter != "" {
				w.Header().Set("Retry-After", tt.retryAfter)
			}
			w.WriteHeader(tt.status)
		})
		ctx, _ := call(t, patience)
		resp, err := carrier.Do(carrier.WithNow(ctx, now), env, post(t, url, "{}"))
		if err != nil {
			t.Fatal(err)
		}
		got := *resp.Fault()
		got.Message, got.HTTPStatus = "", 0
		if got != tt.want {
			t.Errorf("%d %s: got %+v, want %+v", tt.status, tt.retryAfter, got, tt.want)
		}
	}
}

func TestNowIsTheEnginesClock(t *testing.T) {
	engine := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	wall := engine.Add(-time.Hour)
	env := carrier.NewEnv(carrier.EnvSettings{Now: func() time.Time { return wall }})
	if got := env.Now(carrier.WithNow(t.Context(), engine)); !got.Equal(engine) {
		t.Errorf("Now = %v, want the time of the call %v", got, engine)
	}
	if got := env.Now(t.Context()); !got.Equal(wall) {
		t.Errorf("Now = %v, want the fallback %v", got, wall)
	}
}

func BenchmarkDo(b *testing.B) {
	answer := []byte(`{"RateResponse":{"RatedShipment":[` + strings.TrimSuffix(strings.Repeat(`{"Service":{"Code":"03"},"TotalCharges":{"CurrencyCode":"USD","MonetaryValue":"10.34"}},`, 20), ",") + `]}}`)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(answer) }))
	defer s.Close()
	env := carrier.NewEnv(carrier.EnvSettings{BaseURL: s.URL, Secrets: []string{"client-id-1", "client-secret-1"}})
	defer env.HTTP().CloseIdleConnections()
	body := bytes.Repeat([]byte(`{"Shipper":{"Name":"WareHouse 301"}},`), 40)
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		traced, _ := carrier.WithTrace(ctx)
		r, _ := http.NewRequest(http.MethodPost, s.URL, bytes.NewReader(body))
		if _, err := carrier.Do(traced, env, r); err != nil {
			b.Fatal(err)
		}
	}
}
