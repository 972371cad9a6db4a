package simulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/simulator"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// snail is a carrier small enough to be read at a glance: parcels that cost
// 500 cents, tokens, and a push for every state.
type snail struct{ webhook string }

func (s *snail) Name() string { return "snail" }

func (s *snail) Routes() []simulator.Route {
	return []simulator.Route{
		{Op: "token", Method: "POST", Pattern: "/token", Handler: s.token, Public: true, Secret: true},
		{Op: "ship", Method: "POST", Pattern: "/parcels", Handler: s.ship},
		{Op: "track", Method: "GET", Pattern: "/parcels/{id}", Handler: s.track},
		{Op: "label", Method: "GET", Pattern: "/parcels/{id}/label", Handler: s.label},
	}
}

func (s *snail) Machine() simulator.Machine {
	return simulator.Machine{Next: map[simulator.State][]simulator.State{
		"booked": {"moving", "lost"}, "moving": {"moving", "delivered", "lost"}, "delivered": {}, "lost": {},
	}}
}

func (s *snail) Reasons(_ *simulator.Entity, to simulator.State) []string {
	if to == "lost" {
		return []string{"eaten", "stolen"}
	}
	return nil
}

func (s *snail) Keep(e *simulator.Entity) any { return e.Data }

func (s *snail) Restore(_ *simulator.Tx, e *simulator.Entity, kept []byte) error {
	return json.Unmarshal(kept, &e.Data)
}

func (s *snail) Describe(*simulator.Entity) any { return map[string]int{"slime": 3} }

func (s *snail) Authenticate(x *simulator.Exchange) *simulator.Response {
	value := strings.TrimPrefix(x.Request.Header.Get("Authorization"), "Bearer ")
	if t, ok := x.World.Token("snail", value); ok {
		x.Account = t.Holder
		return nil
	}
	r := s.Fault(http.StatusUnauthorized)
	return &r
}

func (s *snail) Fault(status int) simulator.Response {
	return simulator.JSON(status, map[string]any{"snail_error": status})
}

func (s *snail) Entered(tx *simulator.Tx, e *simulator.Entity, from simulator.State) {
	if e.State == "lost" {
		tx.RecordOf(e, simulator.Void, 0, "", e.Timeline[len(e.Timeline)-1].Reason)
		tx.RecordOf(e, simulator.Refund, 500, "USD", "")
	}
	if s.webhook != "" {
		tx.Push(e, simulator.Push{Event: string(e.State), URL: s.webhook, Header: http.Header{"X-Snail": {"1"}}, Body: []byte(e.State),
			At: tx.Now(), Retries: []time.Duration{time.Minute, time.Hour}, Accepted: func(status int) bool { return status == 200 }})
	}
}

func (s *snail) token(*simulator.Exchange) simulator.Act {
	return func(tx *simulator.Tx) simulator.Response {
		return simulator.JSON(200, map[string]string{"access_token": tx.Mint("snail", "shop", time.Hour).Value})
	}
}

func (s *snail) ship(x *simulator.Exchange) simulator.Act {
	var req struct{ Ref string }
	if err := json.Unmarshal(x.Body, &req); err != nil {
		return simulator.Answer(s.Fault(400))
	}
	x.Reference = req.Ref
	return func(tx *simulator.Tx) simulator.Response {
		e := &simulator.Entity{Carrier: "snail", ID: "S" + req.Ref, Reference: req.Ref, Kind: "parcel", Account: x.Account, State: "booked"}
		if tx.Add(e, "request") != nil {
			return s.Fault(409)
		}
		tx.RecordOf(e, simulator.Booking, 0, "", "")
		tx.RecordOf(e, simulator.Charge, 500, "USD", "postage")
		s.Entered(tx, e, "")
		return simulator.JSON(201, map[string]any{"id": e.ID, "cents": 500, "name": "caf\u00e9", "tags": []int{1}, "box": map[string]int{}})
	}
}

func (s *snail) track(x *simulator.Exchange) simulator.Act {
	return func(tx *simulator.Tx) simulator.Response {
		if e := tx.Find("snail", x.Vars["id"]); e != nil {
			return simulator.JSON(200, map[string]string{"state": string(e.State)})
		}
		return s.Fault(404)
	}
}

func (s *snail) label(*simulator.Exchange) simulator.Act {
	return func(*simulator.Tx) simulator.Response {
		return simulator.Response{Status: 200, Header: http.Header{"Content-Type": {"image/gif"}},
			Render: func() ([]byte, error) { return []byte("GIF89a"), nil }}
	}
}

// sim is a simulator on a loopback socket, with one client.
type sim struct {
	*simulator.Server
	t      *testing.T
	url    string
	token  string
	client *http.Client
}

// start serves until the test ends. A clock that nobody drives needs run.
func start(t *testing.T, cfg simulator.Config, run bool) *sim {
	t.Helper()
	if cfg.Dialects == nil {
		cfg.Dialects = []simulator.Dialect{&snail{}}
	}
	srv, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if err := srv.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	if run {
		group.Go(func() {
			if err := srv.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	s := &sim{Server: srv, t: t, url: "http://" + ln.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		cancel()
		group.Wait()
	})
	return s
}

// answer is a response read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// do sends one request; body is JSON text.
func (s *sim) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, got, err}
}

func (s *sim) must(status int, method, path, body string, header ...string) answer {
	s.t.Helper()
	a := s.do(method, path, body, header...)
	if a.err != nil || a.status != status {
		s.t.Fatalf("%s %s: got %d %s %v, want %d", method, path, a.status, a.body, a.err, status)
	}
	return a
}

func (s *sim) login() *sim {
	s.t.Helper()
	var got struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(s.must(200, "POST", "/snail/token", "").body, &got); err != nil || got.Token == "" {
		s.t.Fatalf("no token: %v", err)
	}
	s.token = got.Token
	return s
}

func (s *sim) fault(body string) {
	s.t.Helper()
	s.must(201, "POST", "/_sim/faults", body)
}

// bookings counts the ledger's bookings of one reference.
func (s *sim) bookings(ref string) int {
	return len(s.World().Ledger().Records(simulator.LedgerQuery{Carrier: "snail", Kind: simulator.Booking, Reference: ref}))
}

// golden compares an answer with testdata/<name>.json, indented.
func (s *sim) golden(name string, a answer) {
	s.t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, a.body, "", "  "); err != nil {
		s.t.Fatalf("%s is not JSON: %v: %s", name, err, a.body)
	}
	got := strings.ReplaceAll(out.String(), strings.TrimPrefix(s.url, "http://"), "HOST") + "\n"
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != string(want) {
		s.t.Errorf("%s differs from its golden file; run with -update and read the diff\n%s", name, got)
	}
}
