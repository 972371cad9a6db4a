package simulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/simulator"
)

// booked starts a simulator with one fault on the operation "ship" and ships
// a parcel of reference "r".
func booked(t *testing.T, do string) (*sim, answer) {
	t.Helper()
	s := start(t, simulator.Config{Clock: simulator.NewManualClock(noon)}, false).login()
	s.fault(`{"id":"f","on":{"carrier":"snail","op":"ship","reference":"r"},"do":` + do + `}`)
	a := s.do("POST", "/snail/parcels", `{"ref":"r"}`)
	if f := s.Faults()[0]; f.Seen != 1 || f.Fired != 1 {
		t.Errorf("the fault has seen %d and fired %d, want 1 and 1", f.Seen, f.Fired)
	}
	last := s.Journal().Entries(simulator.JournalQuery{Op: "ship", Limit: 1})
	if len(last) != 1 || len(last[0].Fired) != 1 || last[0].Fired[0] != "f" {
		t.Errorf("the journal does not name the fault: %+v", last)
	}
	return s, a
}

func TestResponseLost(t *testing.T) {
	s, a := booked(t, `{"kind":"response_lost"}`)
	if !errors.Is(a.err, io.EOF) {
		t.Errorf("the client got %d %v, want the connection to end without an answer", a.status, a.err)
	}
	if n := s.bookings("r"); n != 1 {
		t.Errorf("the ledger has %d bookings, want the one whose answer was lost", n)
	}
}

func TestHTTPErrorSpeaksTheDialectAndCommitsNothing(t *testing.T) {
	s, a := booked(t, `{"kind":"http_error","status":502}`)
	if a.status != 502 || string(a.body) != `{"snail_error":502}` {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if n := s.bookings("r"); n != 0 {
		t.Errorf("the ledger has %d bookings, want none", n)
	}
}

func TestReset(t *testing.T) {
	s, a := booked(t, `{"kind":"reset"}`)
	if !errors.Is(a.err, syscall.ECONNRESET) && !errors.Is(a.err, io.EOF) {
		t.Errorf("got %d %v, want a broken connection", a.status, a.err)
	}
	if n := s.bookings("r"); n != 0 {
		t.Errorf("the ledger has %d bookings, want none", n)
	}
	s, a = booked(t, `{"kind":"reset","at":"mid_response"}`)
	if !errors.Is(a.err, io.ErrUnexpectedEOF) || a.status != 201 || len(a.body) == 0 {
		t.Errorf("got %d %q %v, want the beginning of an answer", a.status, a.body, a.err)
	}
	if n := s.bookings("r"); n != 1 {
		t.Errorf("the ledger has %d bookings, want one", n)
	}
}

func TestMalformedBodies(t *testing.T) {
	for shape, wrong := range map[string]func(a answer) bool{
		"truncated_json": func(a answer) bool { return a.status == 201 && !json.Valid(a.body) && a.body[0] == '{' },
		"wrong_type": func(a answer) bool {
			return string(a.body) == `{"box":[],"cents":"unexpected","id":0,"name":0,"tags":{}}`
		},
		"html_page": func(a answer) bool {
			return a.status == 200 && strings.HasPrefix(a.header.Get("Content-Type"), "text/html") && strings.Contains(string(a.body), "<html>")
		},
		"empty_200":   func(a answer) bool { return a.status == 200 && len(a.body) == 0 },
		"bad_charset": func(a answer) bool { return a.status == 201 && len(a.body) > 0 && !utf8.Valid(a.body) },
	} {
		s, a := booked(t, `{"kind":"malformed_body","shape":"`+shape+`"}`)
		if a.err != nil || !wrong(a) {
			t.Errorf("%s: got %d %q %v", shape, a.status, a.body, a.err)
		}
		if n := s.bookings("r"); n != 1 {
			t.Errorf("%s: the ledger has %d bookings, want one", shape, n)
		}
	}
}

func TestLatencyCostsVirtualTimeOnly(t *testing.T) {
	for _, at := range []string{"before_commit", "after_commit"} {
		s, a := booked(t, `{"kind":"latency","fixed":"30s","at":"`+at+`"}`)
		if got := a.header.Get(simulator.ElapsedHeader); a.status != 201 || got != "30s" {
			t.Errorf("%s: got %d with elapsed %q, want 201 and 30s", at, a.status, got)
		}
		if e := s.Journal().Entries(simulator.JournalQuery{Op: "ship"})[0]; e.Took != simulator.Span(30*time.Second) {
			t.Errorf("%s: the journal says it took %v", at, time.Duration(e.Took))
		}
	}
}

// TestLatencyOutlivesItsClient is the dangerous order of things: the client
// gives up, and the carrier commits all the same.
func TestLatencyOutlivesItsClient(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Config{}, false).login()
	s.fault(`{"on":{"op":"ship"},"do":{"kind":"latency","fixed":"500ms"}}`)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	sent := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { leave() }})
	req, err := http.NewRequestWithContext(sent, "POST", s.url+"/snail/parcels", strings.NewReader(`{"ref":"r"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if _, err = s.client.Do(req); !errors.Is(err, context.Canceled) {
		t.Fatalf("the client got %v, want to have left", err)
	}
	clock, err := simulator.NewRealClock(1)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := clock.Now().Add(time.Minute); s.bookings("r") == 0; {
		if clock.Now().After(deadline) {
			t.Fatal("the carrier has not committed")
		}
		if _, err := clock.Delay(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLateCommit(t *testing.T) {
	clock := simulator.NewManualClock(noon)
	s := start(t, simulator.Config{Clock: clock}, false).login()
	s.fault(`{"on":{"op":"ship"},"do":{"kind":"late_commit","by":"90s"}}`)
	if a := s.do("POST", "/snail/parcels", `{"ref":"r"}`); a.err == nil {
		t.Errorf("the client got %d, want no answer", a.status)
	}
	clock.Advance(89 * time.Second)
	if s.RunDue(t.Context()); s.bookings("r") != 0 {
		t.Error("the carrier has committed too soon")
	}
	clock.Advance(time.Second)
	if s.RunDue(t.Context()); s.bookings("r") != 1 {
		t.Error("the carrier has not committed when it was due")
	}
}

func TestRateLimit(t *testing.T) {
	clock := simulator.NewManualClock(noon)
	s := start(t, simulator.Config{Clock: clock}, false).login()
	track := func(want int) answer { t.Helper(); return s.must(want, "GET", "/snail/parcels/none", "") }
	s.fault(`{"id":"f","on":{"op":"track"},"do":{"kind":"rate_limit","limit":2,"per":"1m"}}`)
	track(404)
	clock.Advance(20 * time.Second)
	track(404)
	if a := track(429); a.header.Get("Retry-After") != "40" || string(a.body) != `{"snail_error":429}` {
		t.Errorf("Retry-After %q, body %s; want 40 seconds in the dialect's words", a.header.Get("Retry-After"), a.body)
	}
	clock.Advance(40 * time.Second)
	track(404)
	s.fault(`{"id":"f","on":{"op":"track"},"do":{"kind":"rate_limit","retry_after":"90s","retry_after_as":"date"}}`)
	if got := track(429).header.Get("Retry-After"); got != "Mon, 02 Mar 2026 12:02:30 GMT" {
		t.Errorf("Retry-After %q is not the date in 90 s", got)
	}
	s.fault(`{"id":"f","on":{"op":"track"},"do":{"kind":"rate_limit","retry_after_as":"absent"}}`)
	if got := track(429).header.Values("Retry-After"); got != nil {
		t.Errorf("Retry-After %q, want none", got)
	}
}

func TestWhichExchangesAFaultDisturbs(t *testing.T) {
	clock := simulator.NewManualClock(noon)
	s := start(t, simulator.Config{Clock: clock}, false).login()
	sent := func(n int) (got []int) {
		for range n {
			got = append(got, s.do("GET", "/snail/parcels/none", "").status)
		}
		return got
	}
	same := func(what string, got []int, want ...int) {
		t.Helper()
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: got %v, want %v", what, got, want)
				return
			}
		}
	}
	s.fault(`{"id":"f","on":{"op":"track","nth":2,"count":2},"do":{"kind":"http_error"}}`)
	same("nth and count", sent(5), 404, 503, 503, 404, 404)
	s.fault(`{"id":"f","on":{"carrier":"snail"},"do":{"kind":"http_error"},"for":"1m"}`)
	same("before the end", sent(1), 503)
	clock.Advance(time.Minute)
	same("after the end", sent(1), 404)
	if !s.Faults()[0].Expired {
		t.Error("the fault is not marked as expired")
	}
	s.fault(`{"id":"f","on":{"op":"ship"},"do":{"kind":"http_error"}}`)
	same("another operation", sent(1), 404)
	s.fault(`{"id":"f","on":{"probability":0.5},"do":{"kind":"http_error"}}`)
	first := sent(60)
	hit := 0
	for _, status := range first {
		if status == 503 {
			hit++
		}
	}
	if hit < 15 || hit > 45 {
		t.Errorf("a probability of one half has hit %d of 60", hit)
	}
	s.fault(`{"id":"f","on":{"probability":0.5},"do":{"kind":"http_error"}}`)
	same("the same draws again", sent(60), first...)
	s.token = "wrong"
	s.fault(`{"id":"f","do":{"kind":"http_error"}}`)
	same("a stranger", sent(1), 401)
	if s.Faults()[0].Seen != 0 {
		t.Error("an exchange that was not authenticated has counted")
	}
}

func TestSetFaultNamesEveryProblem(t *testing.T) {
	s := start(t, simulator.Config{}, false)
	_, err := s.SetFault(simulator.Fault{ID: "a b", Do: simulator.FaultDo{Kind: "latncy"}})
	if err == nil || !strings.Contains(err.Error(), "id:") || !strings.Contains(err.Error(), `did you mean "latency"`) {
		t.Errorf("got %v", err)
	}
	v, err := s.SetFault(simulator.Fault{Do: simulator.FaultDo{Kind: simulator.Reset}})
	if err != nil || v.ID == "" || s.RemoveFault(v.ID) != 1 || s.RemoveFault("") != 0 {
		t.Errorf("got %+v %v", v, err)
	}
}
