package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/sdk/carriertest"
)

// helloCarrier is the carrier's server, with the faults that the contract's checks ask for.
type helloCarrier struct {
	requests, active atomic.Int64
	mu               sync.Mutex
	fault            carriertest.Fault
	rides            []map[string]any
}

func (h *helloCarrier) setFault(f carriertest.Fault) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = f
	return true
}

func (h *helloCarrier) currentFault() carriertest.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fault
}

func (h *helloCarrier) bookings(reference string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.rides {
		if r["reference"] == reference {
			n++
		}
	}
	return n
}

func (h *helloCarrier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.requests.Add(1)
	h.active.Add(1)
	defer h.active.Add(-1)
	var in map[string]any
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &in) // a GET has none
	switch h.currentFault() {
	case carriertest.RateLimited:
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	case carriertest.Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	case carriertest.Garbage:
		fmt.Fprint(w, "garbage")
	case carriertest.HTML:
		fmt.Fprint(w, "<html>maintenance</html>")
	case carriertest.Empty:
	case carriertest.Truncated:
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"id":`)
	case carriertest.Hang:
		<-r.Context().Done()
	case carriertest.LostResponse:
		h.answer(r, in)
		panic(http.ErrAbortHandler)
	default:
		_ = json.NewEncoder(w).Encode(h.answer(r, in)) // the client may be gone
	}
}

func (h *helloCarrier) answer(r *http.Request, in map[string]any) any {
	h.mu.Lock()
	defer h.mu.Unlock()
	find := func(key string, value any) []map[string]any {
		found := []map[string]any{}
		for _, ride := range h.rides {
			if ride[key] == value {
				found = append(found, ride)
			}
		}
		return found
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /price":
		return map[string]any{"cents": 500, "currency": "USD"}
	case "POST /rides":
		if same := find("reference", in["reference"]); len(same) > 0 {
			return same[0]
		}
		h.rides = append(h.rides, map[string]any{"id": fmt.Sprint("ride-", len(h.rides)+1), "reference": in["reference"]})
		return h.rides[len(h.rides)-1]
	case "GET /rides":
		return find("reference", r.URL.Query().Get("reference"))
	}
	for _, ride := range find("id", in["id"]) {
		ride["cancelled"] = true
	}
	return map[string]any{}
}

func TestContract(t *testing.T) {
	h := &helloCarrier{}
	server := httptest.NewServer(h)
	defer server.Close()
	config := fmt.Appendf(nil, `{"base_url":%q,"key":"hello-key-1"}`, server.URL)
	carriertest.Run(t, carriertest.Of(adapter, config, carriertest.Fake{
		SetFault: h.setFault,
		Bookings: h.bookings,
		Requests: func() int { return int(h.requests.Load()) },
		Active:   func() int { return int(h.active.Load()) },
	}))
}
