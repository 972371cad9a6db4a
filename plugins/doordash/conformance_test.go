package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/sdk/carriertest"
)

// unruly stands in front of the fake DoorDash and misbehaves on demand.
type unruly struct {
	*fake
	fault    atomic.Value
	active   atomic.Int64
	requests atomic.Int64
}

func (u *unruly) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.requests.Add(1)
	u.active.Add(1)
	defer u.active.Add(-1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller gave up
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch u.fault.Load().(carriertest.Fault) {
	case carriertest.RateLimited:
		w.Header().Set("Retry-After", "7")
		refuse(w, 429, `{"code":"too_many_requests"}`)
	case carriertest.Unavailable:
		refuse(w, 503, `{"code":"service_fault"}`)
	case carriertest.Garbage:
		refuse(w, 200, "\x00\x01}{")
	case carriertest.Empty:
		w.WriteHeader(200)
	case carriertest.HTML:
		refuse(w, 200, "<!doctype html><title>Maintenance</title>")
	case carriertest.Truncated:
		w.Header().Set("Content-Length", "5000")
		_, _ = io.WriteString(w, `{"external_delivery_id":`)
		panic(http.ErrAbortHandler)
	case carriertest.Hang:
		<-r.Context().Done()
	case carriertest.LostResponse:
		u.fake.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	default:
		u.fake.ServeHTTP(w, r)
	}
}

func (u *unruly) setFault(f carriertest.Fault) bool {
	u.fault.Store(f)
	return true
}

func (u *unruly) bookings(reference string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if d := u.deliveries[reference]; d == nil || d["delivery_status"] == "quote" {
		return 0
	}
	return 1
}

// TestConformance checks the contract in this program and on a process.
func TestConformance(t *testing.T) {
	u := &unruly{fake: newFake(t)}
	u.setFault(carriertest.NoFault)
	u.Config.Handler = u
	secret := base64.RawURLEncoding.EncodeToString(secretBytes)
	config, err := json.Marshal(map[string]any{"base_url": u.URL, "developer_id": developer, "key_id": keyID, "signing_secret": secret, "push_authorization": pushAuth})
	if err != nil {
		t.Fatal(err)
	}
	control := carriertest.Fake{SetFault: u.setFault, Bookings: u.bookings,
		Requests: func() int { return int(u.requests.Load()) }, Active: func() int { return int(u.active.Load()) }}
	t.Run("in process", func(t *testing.T) { carriertest.Run(t, carriertest.Of(adapter, config, control)) })
	t.Run("binary", func(t *testing.T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		s := carriertest.Binary(self, config, control)
		s.Secrets = []string{secret, pushAuth}
		carriertest.Run(t, s)
	})
}
