package simulator_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/simulator"
)

// listener is a merchant's endpoint that answers the statuses it was given,
// then 200.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	answer []int
	got    []string
	heard  chan struct{}
}

func listen(t *testing.T, answer ...int) *listener {
	l := &listener{answer: answer, heard: make(chan struct{}, 1000)}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.got = append(l.got, string(body)+" "+r.Header.Get("X-Snail"))
		if len(l.answer) > 0 {
			w.WriteHeader(l.answer[0])
			l.answer = l.answer[1:]
		}
		l.heard <- struct{}{}
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.got, ",")
}

func TestAPushIsRetriedThenGivenUp(t *testing.T) {
	merchant := listen(t, 500, 204, 302, 500)
	clock := simulator.NewManualClock(noon)
	s := start(t, simulator.Config{Clock: clock, Dialects: []simulator.Dialect{&snail{webhook: merchant.URL}}}, false).login()
	s.must(201, "POST", "/snail/parcels", `{"ref":"r"}`)
	run := func() { t.Helper(); s.RunDue(context.WithoutCancel(t.Context())) }
	run()
	clock.Advance(59 * time.Second)
	run()
	if got := merchant.all(); got != "booked 1" {
		t.Fatalf("before a retry is due the merchant has heard %q", got)
	}
	clock.Advance(time.Second)
	run()
	clock.Advance(time.Hour)
	run()
	clock.Advance(100 * time.Hour)
	run()
	if got := merchant.all(); got != "booked 1,booked 1,booked 1" {
		t.Errorf("the merchant has heard %q, want three attempts", got)
	}
	records := s.World().Ledger().Records(simulator.LedgerQuery{Kind: simulator.Pushed, Reference: "r"})
	if len(records) != 3 || records[2].Detail != "booked attempt 3 of 3: answered 302" {
		t.Errorf("the ledger says %+v", records)
	}
	sent := s.Journal().Entries(simulator.JournalQuery{Direction: simulator.Outbound})
	if len(sent) != 3 || sent[1].Status != 204 || sent[1].Op != "booked" || sent[1].Path != merchant.URL {
		t.Errorf("the journal says %+v", sent)
	}
}

func TestAPushThatFindsNobody(t *testing.T) {
	merchant := listen(t)
	merchant.Close()
	s := start(t, simulator.Config{Clock: simulator.NewManualClock(noon), Dialects: []simulator.Dialect{&snail{webhook: merchant.URL}}}, false).login()
	s.must(201, "POST", "/snail/parcels", `{"ref":"r"}`)
	s.RunDue(context.WithoutCancel(t.Context()))
	sent := s.Journal().Entries(simulator.JournalQuery{Direction: simulator.Outbound})
	if len(sent) != 1 || sent[0].Status != 0 || sent[0].Error == "" {
		t.Errorf("the journal says %+v", sent)
	}
}

// TestRunInRealTime lets a world run by itself, and parcels of many entities be
// told of in their own order.
func TestRunInRealTime(t *testing.T) {
	merchant := listen(t)
	s := start(t, simulator.Config{Dialects: []simulator.Dialect{&snail{webhook: merchant.URL}}}, true).login()
	const parcels = 20
	var moved atomic.Int32
	for i := range parcels { // before time flies: a token lasts an hour of it
		s.must(201, "POST", "/snail/parcels", `{"ref":"`+string(rune('a'+i))+`"}`)
	}
	s.must(200, "POST", "/_sim/clock", `{"speed":1000}`)
	for i := range parcels {
		ref := string(rune('a' + i))
		s.World().Do(func(tx *simulator.Tx) {
			e := tx.Find("snail", "S"+ref)
			tx.Follow(e, []simulator.Leg{{To: "moving", At: tx.Now().Add(10 * time.Second)}, {To: "delivered", At: tx.Now().Add(20 * time.Second)}})
			tx.At(e, tx.Now().Add(20*time.Second), func(*simulator.Tx) { moved.Add(1) })
		})
	}
	for range 3 * parcels {
		select {
		case <-merchant.heard:
		case <-t.Context().Done():
			t.Fatal("the merchant has not heard everything")
		}
	}
	if got := s.World().Entities(simulator.EntityQuery{State: "delivered"}); len(got) != parcels || moved.Load() != parcels {
		t.Errorf("%d parcels are delivered, %d events ran; want %d", len(got), moved.Load(), parcels)
	}
}
