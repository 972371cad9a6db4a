package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/usecase"
)

func TestKeys(t *testing.T) {
	h := apitest.New(t)
	for name, c := range map[string]struct {
		headers []string
		status  int
		message string
	}{
		"x-api-key":                  {[]string{"x-api-key", apitest.Key}, 200, ""},
		"bearer":                     {[]string{"x-api-key", "", "Authorization", "Bearer " + apitest.Key}, 200, ""},
		"bearer in lower case":       {[]string{"x-api-key", "", "Authorization", "bearer  " + apitest.Key}, 200, ""},
		"the tenant named":           {[]string{"tenantId", "shop"}, 200, ""},
		"none":                       {[]string{"x-api-key", ""}, 401, "no key was sent"},
		"empty bearer":               {[]string{"x-api-key", "", "Authorization", "Bearer "}, 401, "no key was sent"},
		"basic":                      {[]string{"x-api-key", "", "Authorization", "Basic " + apitest.Key}, 401, "no key was sent"},
		"unknown":                    {[]string{"x-api-key", "shop-kez"}, 401, "not known"},
		"a part of one":              {[]string{"x-api-key", "shop-ke"}, 401, "not known"},
		"one with more":              {[]string{"x-api-key", "shop-key2"}, 401, "not known"},
		"in another case":            {[]string{"x-api-key", "SHOP-KEY"}, 401, "not known"},
		"the hash instead":           {[]string{"x-api-key", "shop"}, 401, "not known"},
		"unknown, and a good bearer": {[]string{"x-api-key", "x", "Authorization", "Bearer " + apitest.Key}, 401, "not known"},
		"another tenant named":       {[]string{"tenantId", "rival"}, 401, "another tenant"},
		"another tenant's key":       {[]string{"x-api-key", apitest.OtherKey, "tenantId", "shop"}, 401, "another tenant"},
		"a tenant in another case":   {[]string{"tenantId", "Shop"}, 401, "another tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.Do("GET", "/locations", "", c.headers...).Want(c.status)
			if c.status == 200 {
				return
			}
			if got := a.At("message").(string); a.At("type") != "UNAUTHORIZED" || !strings.Contains(got, c.message) {
				t.Errorf("%s", a.Body)
			}
			if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="waybill"` {
				t.Errorf("WWW-Authenticate: %s", got)
			}
		})
	}
	if log := h.Log(); strings.Contains(log, "shop-ke") {
		t.Errorf("a key is in the log: %s", log)
	}
}

// TestUnauthorisedBodiesAreNotRead: who has no key cannot make the node read.
func TestUnauthorisedBodiesAreNotRead(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", strings.Repeat("x", 2<<20), "x-api-key", "wrong").Want(401)
}

func TestRateLimit(t *testing.T) {
	h := apitest.New(t)
	slow := []string{"x-api-key", apitest.SlowKey} // one a second, two at once
	for i, want := range []int{200, 200, 429, 429} {
		if a := h.Do("GET", "/locations", "", slow...); a.Status != want {
			t.Errorf("request %d: %d, want %d", i, a.Status, want)
		}
	}
	h.Do("GET", "/locations", "").Want(200) // another key of the tenant has its own
	h.Clock.Advance(999 * time.Millisecond)
	a := h.Do("GET", "/locations", "", slow...).Want(429)
	if got := a.Header.Get("Retry-After"); got != "1" || a.At("severity") != "Transient" {
		t.Errorf("Retry-After %s: %s", got, a.Body)
	}
	h.Clock.Advance(time.Millisecond)
	h.Do("GET", "/locations", "", slow...).Want(200)
	h.Do("GET", "/locations", "", slow...).Want(429)
	h.Config.Tenants["shop"].Keys[1].Rate = config.Rate{PerSecond: 100, Burst: 5} // reloaded
	for range 5 {
		h.Do("GET", "/locations", "", slow...).Want(200)
	}
	h.Do("GET", "/locations", "", slow...).Want(429)
}

// TestRateLimitAtOnce: many at once get what the burst allows, to the one.
func TestRateLimitAtOnce(t *testing.T) {
	h := apitest.New(t)
	var mu sync.Mutex
	count := map[int]int{}
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			a, err := h.Send("GET", "/locations", nil, "x-api-key", apitest.SlowKey)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			count[a.Status]++
		})
	}
	wg.Wait()
	if count[200] != 2 || count[429] != 28 {
		t.Errorf("answers %v", count)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	h := apitest.New(t)
	for _, path := range []string{"/", "/nowhere", "/shipments/", "/shipments/o/", "/shipments/o/x", "/Shipments", "//shipments", "/shipments/../locations", "/v2/shipments"} {
		a := h.Do("GET", path, "").Want(404)
		if a.At("type") != "NOT_FOUND" || a.At("requestId") == "" {
			t.Errorf("%s: %s", path, a.Body)
		}
	}
	for path, allow := range map[string]string{"/shipments": "POST", "/shipments/o": "GET, HEAD, PUT, DELETE", "/rates": "POST", "/healthz": "GET, HEAD",
		"/shipments/o/retry": "POST", "/shipments/list": "GET, HEAD, POST, PUT, DELETE"} {
		a := h.Do("PATCH", path, "{}").Want(405)
		if a.Header.Get("Allow") != allow || a.At("type") != "METHOD_NOT_ALLOWED" {
			t.Errorf("PATCH %s: Allow %q, want %q: %s", path, a.Header.Get("Allow"), allow, a.Body)
		}
	}
	h.Do("HEAD", "/healthz", "").Want(200)
}

func TestHeaders(t *testing.T) {
	h := apitest.New(t)
	for _, a := range []*apitest.Answer{h.Do("GET", "/locations", ""), h.Do("GET", "/nowhere", ""), h.Do("GET", "/locations", "", "x-api-key", ""), h.Do("PATCH", "/rates", "")} {
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Content-Type": "application/json; charset=utf-8",
			"Content-Length": fmt.Sprint(len(a.Body)), "Strict-Transport-Security": "",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%d: %s: %q, want %q", a.Status, name, got, want)
			}
		}
		if len(a.Header.Get("X-Request-Id")) != 24 {
			t.Errorf("X-Request-Id: %q", a.Header.Get("X-Request-Id"))
		}
	}
}

func TestPanicIsOursAndTellsNothing(t *testing.T) {
	h := apitest.New(t)
	h.Router.HandleOpen("GET", "/boom", func(*httpapi.Request) (httpapi.Answer, error) { panic("secret of line 42") })
	h.Router.HandleOpen("GET", "/fail", func(*httpapi.Request) (httpapi.Answer, error) {
		return httpapi.Answer{}, errors.New("secret of the disk")
	})
	h.Router.HandleOpen("GET", "/odd", func(*httpapi.Request) (httpapi.Answer, error) { return httpapi.Answer{Body: make(chan int)}, nil })
	h.Router.HandleOpen("GET", "/bytes", func(*httpapi.Request) (httpapi.Answer, error) {
		return httpapi.Answer{Body: map[string]string{"b": "2", "a": "\xff"}}, nil
	})
	for _, path := range []string{"/boom", "/fail", "/odd"} {
		res, err := http.Get(h.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 500 || !strings.Contains(string(b), `"INTERNAL_SERVER_ERROR"`) || !strings.Contains(string(b), res.Header.Get("X-Request-Id")) {
			t.Errorf("%s: %d %s", path, res.StatusCode, b)
		}
		if strings.Contains(string(b), "secret") || strings.Contains(string(b), "goroutine") || strings.Contains(string(b), ".go:") {
			t.Errorf("%s tells %s", path, b)
		}
		if !strings.Contains(h.Log(), res.Header.Get("X-Request-Id")) {
			t.Errorf("%s is not in the log", path)
		}
	}
	if log := h.Log(); !strings.Contains(log, "secret of line 42") || !strings.Contains(log, "router_test.go") {
		t.Error("the log lacks the panic or its stack")
	}
	res, err := http.Get(h.URL + "/bytes")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); string(b) != "{\"a\":\"\ufffd\",\"b\":\"2\"}" {
		t.Errorf("odd bytes are answered as %q", b)
	}
}

func TestBodyThatEndsTooEarly(t *testing.T) {
	h := apitest.New(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(h.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /shipments HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nContent-Length: 100\r\n\r\n{\"order", apitest.Key)
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 400 || h.Store.Commits() != 0 {
		t.Errorf("status %d, %d commits", res.StatusCode, h.Store.Commits())
	}
}

// TestServerDrains: a request in flight when the server stops is answered, and none is taken after.
func TestServerDrains(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, finish := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		fmt.Fprint(w, "done")
	})
	ctx, stop := context.WithCancel(t.Context())
	s := &httpapi.Server{Handler: handler, Log: hclog.NewNullLogger(), Config: config.Server{ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute}}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	answered := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answered <- string(b)
	}()
	<-begun
	stop()
	for { // until nobody new is let in
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	close(finish)
	if got := <-answered; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

func TestOverTLS(t *testing.T) {
	h := apitest.New(t)
	s := httptest.NewTLSServer(h.Router)
	defer s.Close()
	res, err := s.Client().Get(s.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security: %q", got)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	without := &httpapi.Server{Handler: h.Router, Log: hclog.NewNullLogger(), Config: config.Server{TLS: &config.TLS{Cert: t.TempDir() + "/none.pem"}}}
	if err := without.Serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("without its certificate: %v", err)
	}
}

func TestServerThatCannotServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	s := &httpapi.Server{Handler: http.NotFoundHandler(), Log: hclog.NewNullLogger()}
	if err := s.Serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "serve the API") {
		t.Errorf("Serve = %v", err)
	}
}

// TestSlowRoutesOutlastTheServer: a server whose time to write has passed before it begins answers slow routes alone.
func TestSlowRoutesOutlastTheServer(t *testing.T) {
	h := apitest.New(t)
	ok := func(*httpapi.Request) (httpapi.Answer, error) { return httpapi.Answer{Body: "done"}, nil }
	h.Router.HandleSlow(http.MethodGet, "/slow", nil, time.Minute, ok)
	h.Router.Handle(http.MethodGet, "/fast", nil, ok)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &httpapi.Server{Handler: h.Router, Log: hclog.NewNullLogger(), Config: config.Server{ReadTimeout: time.Minute, WriteTimeout: 1, IdleTimeout: time.Minute}}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	get := func(path string) (string, error) {
		q, err := http.NewRequest(http.MethodGet, "http://"+ln.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("x-api-key", h.Key)
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return string(b), err
	}
	if got, err := get("/slow"); err != nil || got != `"done"` {
		t.Errorf("slow: %q, %v", got, err)
	}
	if got, err := get("/fast"); err == nil {
		t.Errorf("fast: %q, though the time was over", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestDialects: a surface words what all surfaces refuse, on its own paths alone.
func TestDialects(t *testing.T) {
	h := apitest.New(t)
	const stop usecase.Type = "stop"
	h.Router.Speak("/theirs/", &httpapi.Dialect{
		Table: httpapi.Table{stop: http.StatusTeapot, usecase.NotFound: http.StatusGone},
		Key: func(q *http.Request) (string, error) {
			if q.Header.Get("x-api-key") == "" {
				return "", usecase.Failf(stop, "No key, no tea.")
			}
			return httpapi.KeyText(q), nil
		},
		Refuse: func(q *httpapi.Request, status int, e *usecase.Error) httpapi.Answer {
			return httpapi.Answer{Raw: fmt.Appendf(nil, "%d %s", status, e.Type), ContentType: "text/plain"}
		},
	})
	broken := func(*httpapi.Request) (httpapi.Answer, error) { panic("broken") }
	h.Router.Handle(http.MethodGet, "/theirs/broken", nil, broken)
	h.Router.Handle(http.MethodGet, "/theirs/own", httpapi.Table{usecase.NotFound: http.StatusConflict}, func(*httpapi.Request) (httpapi.Answer, error) {
		return httpapi.Answer{}, usecase.Failf(usecase.NotFound, "not here")
	})
	for _, c := range []struct{ method, path, key, want string }{
		{"GET", "/theirs/own", "", "418 stop"}, {"GET", "/theirs/own", h.Key, "409 NOT_FOUND"}, {"GET", "/theirs/own", "nobody", "401 UNAUTHORIZED"},
		{"GET", "/theirs/broken", h.Key, "500 INTERNAL_SERVER_ERROR"}, {"GET", "/theirs/nowhere", h.Key, "410 NOT_FOUND"}, {"POST", "/theirs/own", h.Key, "405 METHOD_NOT_ALLOWED"},
	} {
		q := httptest.NewRequest(c.method, c.path, nil)
		if c.key != "" {
			q.Header.Set("x-api-key", c.key)
		}
		w := httptest.NewRecorder()
		h.Router.ServeHTTP(w, q)
		if got := w.Body.String(); got != c.want || !strings.HasPrefix(c.want, fmt.Sprint(w.Code)) {
			t.Errorf("%s %s: %d %q, want %q", c.method, c.path, w.Code, got, c.want)
		}
	}
	if ours := h.Do("GET", "/theirs", "", "x-api-key", "").Want(404); ours.At("type") != "NOT_FOUND" {
		t.Errorf("%s", ours.Body)
	}
}
