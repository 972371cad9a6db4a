package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// TestADetourHoldsWhatArrivesAllTheSame books over a detour: its caller hears of some bookings, and the carrier has them all in the end,
// though it is out of order at first.
func TestADetourHoldsWhatArrivesAllTheSame(t *testing.T) {
	var mu sync.Mutex
	tried, bookings := map[string]int{}, map[string]string{}
	carrier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		mu.Lock()
		defer mu.Unlock()
		// What is held comes in a request of its own, the first of which is refused.
		if tried[string(body)]++; err != nil || tried[string(body)] == 1 && q.Header.Get("Refuse") != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		bookings[string(body)] = q.URL.RequestURI() + " " + q.Header.Get("Authorization")
		fmt.Fprint(w, "booked")
	}))
	defer carrier.Close()
	d, err := newDetour(carrier.URL, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	c := newClient(d.base, "")
	sent := map[string]string{}
	send := func(n int, path string, headers ...string) error {
		body := fmt.Sprintf("booking %d", n)
		sent[body] = path + " Bearer x"
		_, err := c.do(t.Context(), http.MethodPost, path, []byte(body), append(headers, "Authorization", "Bearer x")...)
		return err
	}
	const ship, accept, other = "/ups/api/shipments/v2409/ship?a=b", "/doordash/drive/v2/quotes/r1/accept", "/ups/api/rating/v2409/Shop"
	for n, path := range []string{ship, accept, other} {
		if err := send(n, path); err != nil {
			t.Errorf("%s before anything is held: %v", path, err)
		}
	}
	d.hold(true)
	heard := map[string]int{}
	const rounds = 60
	for n := range rounds {
		for i, path := range []string{ship, accept, other} {
			headers := []string{"Refuse", "once"}
			if path == other {
				headers = nil
			}
			if err := send(10+3*n+i, path, headers...); err == nil {
				heard[path]++
			} else if path == other {
				t.Errorf("what is no booking: %v", err)
			}
		}
	}
	d.hold(false)
	held, err := d.arrived(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	arrived := 0
	for body, how := range bookings {
		if how != sent[body] {
			t.Errorf("%s arrived as %s, want %s", body, how, sent[body])
		}
		if sent[body] != other+" Bearer x" {
			arrived++
		}
	}
	for _, dialect := range []string{"ups", "doordash"} {
		if n := held[dialect]; n == 0 || n == rounds {
			t.Errorf("%d of %d bookings were held on their way to %s", n, rounds, dialect)
		}
	}
	// Those that pass at once are refused here, and nobody sends them again.
	if want := held["ups"] + held["doordash"] + 2; arrived != want || heard[ship]+heard[accept] != 0 {
		t.Errorf("%d bookings have arrived, want %d; %v were heard of", arrived, want, heard)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d.underway.Add(1)
	cancel()
	if _, err := d.arrived(ctx); err == nil {
		t.Error("what has not arrived is taken to have arrived")
	}
	d.underway.Done()
}

// TestADetourDropsWhatNobodyListensTo has a carrier be out of order for longer than anything is sent to it.
func TestADetourDropsWhatNobodyListensTo(t *testing.T) {
	carrier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer carrier.Close()
	d, err := newDetour(carrier.URL, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	d.tries = 0
	d.hold(true)
	c := newClient(d.base, "")
	for range 20 {
		if _, err := c.do(t.Context(), http.MethodPost, "/ups/api/shipments/v2409/ship", []byte("booking")); err == nil {
			t.Error("a carrier that is out of order has booked")
		}
	}
	held, err := d.arrived(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, counted := held["ups"]; n != 0 || !counted {
		t.Errorf("%v bookings have arrived, though some were held and none has", held)
	}
}
