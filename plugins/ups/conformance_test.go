package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/carriertest"
	"github.com/waybill-dev/waybill/simulator"
	simulated "github.com/waybill-dev/waybill/simulator/ups"
)

// misbehaving puts the faults of the conformance checks between the adapter and the simulated UPS.
type misbehaving struct {
	ups              http.Handler
	fault            atomic.Value // carriertest.Fault
	requests, active atomic.Int64
}

func (m *misbehaving) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.requests.Add(1)
	m.active.Add(1)
	defer m.active.Add(-1)
	switch m.fault.Load() {
	case carriertest.RateLimited:
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	case carriertest.Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	case carriertest.Garbage:
		_, _ = w.Write([]byte("\x00\xff{{{"))
	case carriertest.Empty:
		w.WriteHeader(http.StatusOK)
	case carriertest.HTML:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>We will be back soon</body></html>")
	case carriertest.Truncated:
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"ShipmentResponse":`)
		panic(http.ErrAbortHandler)
	case carriertest.Hang:
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	case carriertest.LostResponse:
		m.ups.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	default:
		m.ups.ServeHTTP(w, r)
	}
}

// subject makes what the checks need: a world, a fake before it, and the account's configuration.
func subject(t *testing.T, start func(config []byte, fake carriertest.Fake) carriertest.Subject) carriertest.Subject {
	t.Helper()
	w := newWorld(t, nil)
	w.clock.Set(time.Now()) // the checks run by the real clock
	m := &misbehaving{ups: w.Server}
	m.fault.Store(carriertest.NoFault)
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	config, err := json.Marshal(map[string]any{
		"base_url": server.URL + "/ups", "client_id": simulated.DevClient.ID, "client_secret": simulated.DevClient.Secret,
		"shipper_number": simulated.DevClient.Accounts[0].Number,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := start(config, carriertest.Fake{
		SetFault: func(f carriertest.Fault) bool { m.fault.Store(f); return true },
		Bookings: func(reference string) int {
			return len(w.World().Ledger().Records(simulator.LedgerQuery{Carrier: "ups", Kind: simulator.Booking, Reference: reference}))
		},
		Requests: func() int { return int(m.requests.Load()) },
		Active:   func() int { return int(m.active.Load()) },
	})
	s.Secrets = []string{simulated.DevClient.Secret}
	return s
}

func TestConformance(t *testing.T) {
	carriertest.Run(t, subject(t, func(config []byte, fake carriertest.Fake) carriertest.Subject {
		return carriertest.Of(adapter, config, fake)
	}))
}

func TestConformanceOfTheBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("building the adapter takes seconds")
	}
	path := filepath.Join(t.TempDir(), "waybill-carrier-ups")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	carriertest.Run(t, subject(t, func(config []byte, fake carriertest.Fake) carriertest.Subject {
		return carriertest.Binary(path, config, fake)
	}))
}
