package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// commandLine runs the command line in this process, with its own environment.
func commandLine(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	p := &program{in: strings.NewReader(""), out: &out, err: &err, getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	code = p.execute(t.Context(), args)
	return code, out.String(), err.String()
}

func TestKeyStaysWithTheEngine(t *testing.T) {
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer other.Close()
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != "secret-key" {
			t.Errorf("the engine was sent the key %q", r.Header.Get("X-Api-Key"))
		}
		http.Redirect(w, r, other.URL, http.StatusFound)
	}))
	defer engine.Close()
	code, _, stderr := commandLine(t, map[string]string{"WAYBILL_URL": engine.URL, "WAYBILL_KEY": "secret-key"}, "shipments", "get", "x")
	if code != exitFailure || !strings.Contains(stderr, "HTTP 302, without an error of a Waybill engine") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if asked.Load() != 0 {
		t.Error("the redirection was followed")
	}
}

func TestForeignTextCannotSteerTheTerminal(t *testing.T) {
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"orderExternalId":"x\u001b[31m\u202e","status":"ORDER\nDISPATCHED"}`))
	}))
	defer engine.Close()
	code, stdout, stderr := commandLine(t, nil, "shipments", "get", "x", "--url", engine.URL)
	if code != 0 || strings.ContainsAny(stdout, "\x1b\u202e") || !strings.Contains(stdout, "ORDER DISPATCHED\n") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestForeignErrorsCannotSteerTheTerminal(t *testing.T) {
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"type":"PLACE_ORDER_FAILED","message":"no\u001b[2J","id":"1","errors":[{"provider":"UPS","message":"bad\u009b1A","code":"1\u0007"}]}`))
	}))
	defer engine.Close()
	code, _, stderr := commandLine(t, nil, "shipments", "retry", "x", "--url", engine.URL)
	if code != exitFailure || strings.ContainsAny(stderr, "\x1b\u009b\a") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	for _, want := range []string{"PLACE_ORDER_FAILED (422): no", "  - UPS: bad", "the order is stored"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q lacks %q", stderr, want)
		}
	}
}

func TestAnAnswerOfSomethingElse(t *testing.T) {
	for name, body := range map[string]string{"a page": "<html>", "nothing": "", "another API": `[1]`} {
		t.Run(name, func(t *testing.T) {
			engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(body)) }))
			defer engine.Close()
			code, _, stderr := commandLine(t, nil, "shipments", "get", "x", "--url", engine.URL)
			if code != exitFailure || !strings.Contains(stderr, "is --url right?") {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}

func TestWhatAPersonDecidesIsSent(t *testing.T) {
	for args, want := range map[string]string{
		"resolve a/b --outcome absent":                            `POST /shipments/a%2Fb/resolve {"outcome":"absent"}`,
		"resolve o --outcome absent --withdraw 1Z9 --reason typo": `POST /shipments/o/resolve {"outcome":"absent","withdraw":"1Z9","reason":"typo"}`,
		"resolve o --outcome booked --tracking 1Z9 --attempt 2":   `POST /shipments/o/resolve {"attempt":2,"outcome":"booked","trackingId":"1Z9"}`,
		"return o --reason other":                                 `POST /shipments/o/return {"reason":"other"}`,
		"return a/b --items shirt=2,hat --reason damaged --note sorry --exchange a=b=3": `POST /shipments/a%2Fb/return {"reason":"damaged","note":"sorry",` +
			`"itemList":[{"sku":"shirt","quantity":2},{"sku":"hat","quantity":1}],"exchangeItems":[{"sku":"a=b","quantity":3}]}`,
		"list --needs-attention":                                 `POST /shipments/list {"limit":50,"needsAttention":true}`,
		"list --needs-attention --limit 5 --status ORDER_FAILED": `POST /shipments/list {"limit":5,"status":["ORDER_FAILED"],"needsAttention":true}`,
	} {
		var got string
		engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			got = r.Method + " " + r.URL.EscapedPath() + " " + string(b)
			_, _ = w.Write([]byte(`{"orderExternalId":"o","status":"ORDER_DISPATCHED"}`))
		}))
		code, _, stderr := commandLine(t, nil, append([]string{"shipments", "--url", engine.URL}, strings.Fields(args)...)...)
		engine.Close()
		if code != 0 || got != want {
			t.Errorf("%s: exit code %d, %s\nsent %s\nwant %s", args, code, stderr, got, want)
		}
	}
}

func TestADecisionShowsRulesThatFailed(t *testing.T) {
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"decisions":[{"round":1,"sentence":"UPS was chosen.","record":{"schema":2,"faults":[` +
			`{"phase":"adjust","rule":"Odd","account":"ups","service":"ground","message":"integer divide by zero"}]}},` +
			`{"round":2,"sentence":"It was erased.","record":null}]}`))
	}))
	defer engine.Close()
	code, stdout, stderr := commandLine(t, nil, "shipments", "decision", "x", "--url", engine.URL)
	want := "1. UPS was chosen.\n   Rule \"Odd\" (adjust) failed for ups/ground and was not applied: integer divide by zero.\n2. It was erased.\n"
	if code != 0 || stdout != want {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}
