// Package apitest serves the whole public API on loopback for tests: the real router, use cases, store, geography and
// configuration, with carriers that are made up and a clock that stands still. Every answer is held against openapi.yaml, and no test may leave
// an address, a name, a phone number or a key of its orders in the log.
package apitest

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/admin"
	"github.com/waybill-dev/waybill/core/httpapi/push"
	"github.com/waybill-dev/waybill/core/httpapi/ship24"
	shippingapi "github.com/waybill-dev/waybill/core/httpapi/shipping"
	trackerapi "github.com/waybill-dev/waybill/core/httpapi/tracker"
	"github.com/waybill-dev/waybill/core/httpapi/tracktor"
	"github.com/waybill-dev/waybill/core/httpapi/webhooks"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/shop"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/web/portal"
	"github.com/waybill-dev/waybill/core/web/returns"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

//go:embed config.yaml
var configuration string

// Start is when the clock of a harness stands at first: the evening before the clocks of New York go forward.
var Start = time.Date(2026, 3, 7, 20, 30, 0, 0, time.UTC)

// The keys of the configuration: of the tenant shop, of the same with a small rate limit, and of the tenant rival.
const (
	Key      = "shop-key"
	SlowKey  = "slow-key"
	OtherKey = "rival-key"
	// OperatorKey is no tenant's.
	OperatorKey = "operator-key"
)

// Harness is one node's API and what stands around it.
type Harness struct {
	URL         string
	Key         string // of the tenant shop
	OtherKey    string // of the tenant rival
	Clock       *clock.Manual
	Store       *Store
	Service     *dispatch.Service
	Tracking    *tracking.Service
	Notify      *notify.Service // delivers when its RunDue is called
	Shop        *shop.Service
	Router      *httpapi.Router
	Pages       *portal.Pages // each tenant's are off until its configuration says otherwise
	Config      *config.Config
	Metrics     *prometheus.Registry
	ReturnPages *returns.Pages // likewise
	// UPS has labels and two services; DoorDash one and no label but a driver; Quiet is at the location nolabel alone.
	UPS, DoorDash, Quiet *Carrier
	// Ready is what readiness answers.
	Ready atomic.Pointer[error]
	// Degraded is what it tells of while it is ready.
	Degraded atomic.Pointer[error]

	t         testing.TB
	stopPages func()
	log       *safeBuffer
	bundle    atomic.Pointer[rules.Bundle]
	files     atomic.Pointer[[]rules.File] // of bundle, where Rules has put it in force
	runner    *jobs.Runner
}

// Leaks fails m's run when a goroutine outlives it, but for those that Badger and OpenCensus keep for the process.
func Leaks(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/dgraph-io/ristretto/v2/z.(*AllocatorPool).freeupAllocators"),
		goleak.IgnoreAnyFunction("github.com/dgraph-io/badger/v4.(*DB).monitorCache"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// New starts a harness that ends with the test.
func New(t testing.TB) *Harness {
	t.Helper()
	h := &Harness{t: t, Key: Key, OtherKey: OtherKey, Clock: clock.NewManual(Start), log: &safeBuffer{}, Metrics: prometheus.NewRegistry()}
	h.Config = load(t)
	h.UPS = newCarrier("ups", "UPS", 1034, shipping.ZPL,
		carrier.Service{ID: "ground", Code: "03", Name: "Ground", Mode: "ground", Supports: []string{"signature_required", "signature_direct", "signature_adult"}},
		carrier.Service{ID: "next_day_air", Code: "01", Name: "Next Day Air", Mode: "air"})
	h.DoorDash = newCarrier("doordash", "DoorDash", 1210, "",
		carrier.Service{ID: "delivery", Code: "D", Name: "Delivery", Mode: "courier", Supports: []string{"alcohol", "refrigerated"}})
	h.Quiet = newCarrier("quiet", "Quiet", 700, "", carrier.Service{ID: "plain", Name: "Plain", Mode: "ground"})
	source := clock.Seeded(1, h.Clock)
	kept, err := badgerstore.Open(badgerstore.Config{InMemory: true, Source: source})
	if err != nil {
		t.Fatal(err)
	}
	placer, err := geo.New(geo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h.Store = &Store{Store: kept}
	h.bundle.Store(rules.Default())
	log := hclog.New(&hclog.LoggerOptions{Output: h.log, Level: hclog.Debug, JSONFormat: true})
	cfg := func() *config.Config { return h.Config }
	h.Pages = h.pages(log)
	h.Notify, err = notify.New(notify.Settings{Store: h.Store, Config: cfg, Clock: h.Clock, Source: source, Log: log,
		ShowShipment: func(sh *shipment.Shipment, back []*shipment.Shipment) any {
			return shippingapi.Show(sh, back, h.Config.Server.PublicURL, h.Pages)
		},
		ShowTracker: func(t *tracker.Tracker, back []*shipment.Shipment) any {
			return trackerapi.Settings{Manifest: h.manifest, Pages: h.Pages}.Show(h.Config.Tenants[t.Tenant], t, back, h.Config.Server.PublicURL)
		},
		Pages:  h.Pages,
		Shapes: map[string]notify.Shape{notify.ShapeShip24: ship24.Webhook, notify.ShapeTracktor: tracktor.Shape}})
	if err != nil {
		t.Fatal(err)
	}
	h.Service = dispatch.New(dispatch.Settings{
		Store: h.Store, Carriers: carriers{"ups": h.UPS, "doordash": h.DoorDash, "quiet": h.Quiet}, Placer: placer, Config: cfg,
		Rules: func(string) *rules.Bundle { return h.bundle.Load() }, Clock: h.Clock, Source: source, Log: log, Teller: h.Notify, Exchanges: h.Notify, Notices: h.Notify,
	})
	h.Router = httpapi.New(httpapi.Settings{Config: cfg, Clock: h.Clock, Source: source, Log: log, Registerer: h.Metrics})
	h.follow(source, log)
	h.Pages.Mount(h.Router)
	h.ReturnPages.Cases = h.Service
	h.ReturnPages.Mount(h.Router)
	shippingapi.Mount(h.Router, h.Service, h.Tracking, h.Pages)
	push.Mount(h.Router, h.Tracking)
	ship24.Mount(h.Router, h.Tracking, h.Notify)
	webhooks.Mount(h.Router, h.Notify)
	trackerapi.Mount(h.Router, trackerapi.Settings{Cases: h.Tracking, Manifest: h.manifest, Placer: placer, Pages: h.Pages, Back: h.Service,
		Elsewhere: map[string]trackerapi.Finder{string(tracker.OfShip24): ship24.Finder(h.Tracking), string(tracker.OfTracktor): h.Shop.Find}})
	tracktor.Mount(h.Router, tracktor.Settings{Shop: h.Shop, Webhooks: h.Notify, Config: cfg, Log: log})
	admin.Mount(h.Router, admin.Settings{
		Provider: h.provider, Ready: h.ready, Degraded: h.degraded, Metrics: promhttp.HandlerFor(h.Metrics, promhttp.HandlerOpts{}), Version: "1.0.0-test", RuleVersion: h.ruleVersion,
	})
	server := httptest.NewServer(h.Router)
	h.URL = server.URL
	t.Cleanup(func() {
		h.stopPages() // streams end with them, and the server waits for streams
		server.Close()
		placer.Close()
		if err := kept.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
		for _, private := range []string{"Ann Example", "Albany", "234-567", "2345678900", Key, SlowKey, OtherKey} {
			if strings.Contains(h.Log(), private) {
				t.Errorf("the log shows %q:\n%s", private, h.Log())
			}
		}
	})
	return h
}

// pages are the buyers' pages, kept up to date until the test ends.
func (h *Harness) pages(log hclog.Logger) *portal.Pages {
	secret, err := h.Store.Secret(context.Background(), "portal")
	if err != nil {
		h.t.Fatal(err)
	}
	cfg := func() *config.Config { return h.Config }
	h.ReturnPages = returns.New(returns.Settings{Config: cfg, Source: clock.Seeded(2, h.Clock), Log: log, Secret: secret})
	p := portal.New(portal.Settings{Reader: h.Store, Config: cfg, Clock: h.Clock, Log: log, Secret: secret, Returns: h.ReturnPages.Page,
		ReturnCode: h.ReturnPages.Code})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	h.stopPages = func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Errorf("pages: %v", err)
		}
	}
	return p
}

// manifest is that of an account's adapter.
func (h *Harness) manifest(_, account string) (carrier.Manifest, bool) {
	a, ok := h.followed()[account]
	if !ok {
		return carrier.Manifest{}, false
	}
	return a.Manifest()
}

// load reads the configuration from a real file, as a node does.
func load(t testing.TB) *config.Config {
	t.Helper()
	text := configuration
	for name, key := range map[string]string{"KEY_SHOP": Key, "KEY_SLOW": SlowKey, "KEY_RIVAL": OtherKey, "KEY_OPERATOR": OperatorKey} {
		hash := sha256.Sum256([]byte(key))
		text = strings.Replace(text, name, hex.EncodeToString(hash[:]), 1)
	}
	path := filepath.Join(t.TempDir(), "waybill.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func (h *Harness) provider(_, account string) admin.Provider {
	c, ok := map[string]*Carrier{"ups": h.UPS, "doordash": h.DoorDash}[account]
	if !ok {
		return admin.Provider{State: "quarantined", Problem: "the adapter died five times"}
	}
	m, _ := c.Manifest()
	return admin.Provider{Manifest: m, Known: true, State: "ready"}
}

func (h *Harness) degraded() error {
	if err := h.Degraded.Load(); err != nil {
		return *err
	}
	return nil
}

func (h *Harness) ready(context.Context) error {
	if e := h.Ready.Load(); e != nil {
		return *e
	}
	return nil
}

// ruleVersion knows the rules that are in force, for the tenant shop alone.
func (h *Harness) ruleVersion(_ context.Context, tenant, version string) ([]rules.File, error) {
	if list := h.files.Load(); list != nil && tenant == "shop" && rules.HashOf(*list) == version {
		return *list, nil
	}
	return nil, store.ErrNotFound
}

// Rules puts rule files in force; each is the text of one *.rules.yaml.
func (h *Harness) Rules(files ...string) {
	h.t.Helper()
	var list []rules.File
	for i, text := range files {
		list = append(list, rules.File{Name: string(rune('a'+i)) + ".rules.yaml", Data: []byte(text)})
	}
	b, err := rules.Load(list, rules.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.bundle.Store(b)
	h.files.Store(&list)
}

// Log returns what was logged so far.
func (h *Harness) Log() string { return h.log.String() }

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	t testing.TB
}

// Do sends a request with the key of the tenant shop, unless headers (names and values in turn) say otherwise; a header whose
// value is "" is not sent. The answer is held against openapi.yaml, and so is the request where it succeeded.
func (h *Harness) Do(method, path, body string, headers ...string) *Answer {
	h.t.Helper()
	a, err := h.Send(method, path, []byte(body), headers...)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// Send is Do for tests with goroutines of their own.
func (h *Harness) Send(method, path string, body []byte, headers ...string) (*Answer, error) {
	q, err := http.NewRequestWithContext(h.t.Context(), method, h.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("x-api-key", h.Key)
	if len(body) > 0 {
		q.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			q.Header.Del(headers[i])
			continue
		}
		q.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	a := &Answer{Status: res.StatusCode, Header: res.Header, Body: raw, t: h.t}
	return a, hold(q, body, a)
}

// Want fails the test when the answer has another status.
func (a *Answer) Want(status int) *Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d, want %d\n%s", a.Status, status, a.Body)
	}
	return a
}

// Object returns the answer as a JSON object.
func (a *Answer) Object() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		a.t.Fatalf("%v\n%s", err, a.Body)
	}
	return v
}

// At returns the value at a path of member names and indexes, as "provider.name" or "data.0.id"; nil where there is none.
func (a *Answer) At(path string) any {
	a.t.Helper()
	var v any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		a.t.Fatalf("%v\n%s", err, a.Body)
	}
	return Lookup(v, path)
}

// Lookup finds the value at a path of member names and indexes in decoded JSON, nil where there is none.
func Lookup(v any, path string) any {
	for _, part := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i := 0
			for _, c := range part {
				i = i*10 + int(c-'0')
			}
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}
