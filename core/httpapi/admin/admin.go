// Package admin serves what operators and integrations ask of a node: is it well, what does it measure, which places and
// providers does it know, and what its API is.
package admin

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"github.com/gorilla/mux"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI is the statement of the public API, in YAML.
func OpenAPI() []byte { return slices.Clone(openAPI) }

// Provider is what is known of an account's adapter.
type Provider struct {
	Manifest carrier.Manifest
	Known    bool   // the adapter has started once
	State    string // starting, ready, backoff, quarantined, stopped
	Problem  string // why the account cannot be used, "" where it can
}

// Settings is what the surface works with.
type Settings struct {
	// Provider tells about an account.
	Provider func(tenant, account string) Provider
	// PushURL returns where the carrier of an account pushes to; nil where nobody takes pushes.
	PushURL func(ctx context.Context, tenant, account string) (string, error)
	// Ready returns what keeps the node from serving, nil where nothing does.
	Ready func(ctx context.Context) error
	// Degraded returns what a person should mend while the node serves all the same, nil where nothing is; nil for never.
	Degraded func() error
	Metrics  http.Handler
	Version  string
	// Backup writes a copy of everything that is stored; nil where the store cannot.
	Backup func(ctx context.Context, w io.Writer) error
	// Orders writes what an audit compares of every order, as JSON lines.
	Orders func(ctx context.Context, w io.Writer) error
	// RuleVersion returns the files of a version of a tenant's rules, store.ErrNotFound where there is none of that hash; nil where none are kept.
	RuleVersion func(ctx context.Context, tenant, version string) ([]rules.File, error)
}

type surface struct{ Settings }

// Mount mounts the surface.
func Mount(r *httpapi.Router, s Settings) {
	f := &surface{Settings: s}
	r.HandleOpen(http.MethodGet, "/healthz", f.health)
	r.HandleOpen(http.MethodGet, "/readyz", f.ready)
	r.HandleOpen(http.MethodGet, "/openapi.yaml", func(*httpapi.Request) (httpapi.Answer, error) {
		return httpapi.Answer{Raw: openAPI, ContentType: "application/yaml; charset=utf-8"}, nil
	})
	r.HandleOperated(http.MethodGet, "/metrics", func(c *config.Config) bool { return c.Server.Metrics == config.MetricsOpen }, s.Metrics)
	r.Handle(http.MethodGet, "/locations", nil, f.locations)
	r.Handle(http.MethodGet, "/providers", nil, f.providers)
	r.Handle(http.MethodGet, "/rules/versions/{version}", nil, f.ruleVersion)
	r.HandleOperator(http.MethodGet, "/admin/backup", "application/octet-stream", s.Backup)
	r.HandleOperator(http.MethodGet, "/admin/orders", "application/jsonl", s.Orders)
}

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
	Problem string `json:"problem,omitempty"`
}

func (s *surface) health(*httpapi.Request) (httpapi.Answer, error) {
	return httpapi.Answer{Body: health{Status: "ok", Version: s.Version}}, nil
}

func (s *surface) ready(q *httpapi.Request) (httpapi.Answer, error) {
	if err := s.Ready(q.Context()); err != nil {
		return httpapi.Answer{Status: http.StatusServiceUnavailable, Body: health{Status: "not ready", Version: s.Version, Problem: err.Error()}}, nil
	}
	if s.Degraded != nil {
		if err := s.Degraded(); err != nil {
			return httpapi.Answer{Body: health{Status: "degraded", Version: s.Version, Problem: err.Error()}}, nil
		}
	}
	return httpapi.Answer{Body: health{Status: "ready", Version: s.Version}}, nil
}

type locationView struct {
	LocationExternalID string           `json:"locationExternalId"`
	Name               string           `json:"name"`
	Address            shipping.Address `json:"address"`
	Contact            shipping.Contact `json:"contact"`
	TimeZone           string           `json:"timeZone"`
	Instructions       string           `json:"instructions"`
	CurrencyCode       string           `json:"currencyCode"`
	ReturnLocationID   string           `json:"returnLocationId"`
	Providers          []string         `json:"providers"`
	Tags               []string         `json:"tags"`
}

func (s *surface) locations(q *httpapi.Request) (httpapi.Answer, error) {
	out := []locationView{}
	for _, id := range slices.Sorted(maps.Keys(q.Tenant.Locations)) {
		l := q.Tenant.Locations[id]
		out = append(out, locationView{LocationExternalID: id, Name: l.Name, Address: l.Address, Contact: l.Contact, TimeZone: l.Zone,
			Instructions: l.Instructions, CurrencyCode: cmp.Or(l.Currency, q.Tenant.Currency), ReturnLocationID: l.ReturnLocation,
			Providers: orEmpty(l.Accounts), Tags: orEmpty(l.Tags)})
	}
	return httpapi.Answer{Body: map[string]any{"data": out}}, nil
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

type providerView struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	DisplayName string            `json:"displayName"`
	Adapter     string            `json:"adapter"`
	Version     string            `json:"version"`
	State       string            `json:"state"`
	Problem     string            `json:"problem,omitempty"`
	Retired     bool              `json:"retired"`
	PushURL     string            `json:"pushUrl,omitempty"`
	Abilities   []carrier.Ability `json:"abilities"`
	Services    []serviceView     `json:"services"`
}

type serviceView struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	Mode     string   `json:"mode"`
	Supports []string `json:"supports"`
}

func (s *surface) providers(q *httpapi.Request) (httpapi.Answer, error) {
	out := []providerView{}
	for _, id := range slices.Sorted(maps.Keys(q.Tenant.Accounts)) {
		v, err := s.provider(q.Context(), q.Tenant.Accounts[id])
		if err != nil {
			return httpapi.Answer{}, err
		}
		out = append(out, v)
	}
	return httpapi.Answer{Body: map[string]any{"data": out}}, nil
}

func (s *surface) provider(ctx context.Context, a *config.Account) (providerView, error) {
	p := s.Provider(a.Tenant, a.ID)
	v := providerView{ID: a.ID, Name: p.Manifest.DisplayName, DisplayName: cmp.Or(a.Name, p.Manifest.DisplayName), Adapter: a.Adapter,
		Version: p.Manifest.Version, State: p.State, Problem: p.Problem, Retired: a.Retired, Abilities: p.Manifest.Abilities, Services: []serviceView{}}
	if v.Abilities == nil {
		v.Abilities = []carrier.Ability{}
	}
	for _, sv := range p.Manifest.Services {
		v.Services = append(v.Services, serviceView{ID: sv.ID, Type: sv.Name, Mode: sv.Mode, Supports: orEmpty(sv.Supports)})
	}
	if s.PushURL != nil && p.Manifest.Has(carrier.CanReceivePush) {
		var err error
		if v.PushURL, err = s.PushURL(ctx, a.Tenant, a.ID); err != nil {
			return v, err
		}
	}
	return v, nil
}

// versionView is a version of the rules: the files that it was made of, and what is known of the tenant's accounts now.
type versionView struct {
	Version  string        `json:"version"`
	Files    []fileView    `json:"files"`
	Accounts []accountView `json:"accounts"`
}

type fileView struct {
	Name string `json:"name"`
	Data []byte `json:"data"` // base64 in JSON: the very bytes that the hash is of
}

type accountView struct {
	ID       string        `json:"id"`
	Services []serviceView `json:"services"`
}

// versionHash is how rules are called.
var versionHash = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ruleVersion answers the files of a version of the tenant's own rules, by the hash that a decision record names.
func (s *surface) ruleVersion(q *httpapi.Request) (httpapi.Answer, error) {
	version := mux.Vars(q.HTTP)["version"]
	missing := usecase.Failf(usecase.NotFound, "There are no rules of the version %s: no decision of this tenant names it.", version)
	if s.RuleVersion == nil || !versionHash.MatchString(version) {
		return httpapi.Answer{}, missing
	}
	files, err := s.RuleVersion(q.Context(), q.Tenant.ID, version)
	if errors.Is(err, store.ErrNotFound) {
		return httpapi.Answer{}, missing
	}
	if err != nil {
		return httpapi.Answer{}, err
	}
	v := versionView{Version: version, Files: []fileView{}, Accounts: []accountView{}}
	for _, f := range files {
		v.Files = append(v.Files, fileView{Name: f.Name, Data: f.Data})
	}
	for _, id := range slices.Sorted(maps.Keys(q.Tenant.Accounts)) {
		a := accountView{ID: id, Services: []serviceView{}}
		for _, sv := range s.Provider(q.Tenant.ID, id).Manifest.Services {
			a.Services = append(a.Services, serviceView{ID: sv.ID, Type: sv.Name, Mode: sv.Mode, Supports: orEmpty(sv.Supports)})
		}
		v.Accounts = append(v.Accounts, a)
	}
	return httpapi.Answer{Body: v}, nil
}
