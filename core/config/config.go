// Package config turns one YAML file, what it includes and the environment into a validated Config. Every mistake is reported
// at once with file, line, column and a hint; unknown members are mistakes. A Config is immutable: a reload makes a new one.
// What came from the environment or a file of a secret is shown nowhere, neither in a dump nor in what is said of a mistake.
package config

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/core/opening"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Config is everything an operator decides.
type Config struct {
	Server    Server             `yaml:"server"`
	Store     Store              `yaml:"store"`
	Plugins   Plugins            `yaml:"plugins"`
	Geocoding Geocoding          `yaml:"geocoding"`
	Dispatch  Dispatch           `yaml:"dispatch"`
	Retention Retention          `yaml:"retention"`
	Tracking  Tracking           `yaml:"tracking"`
	Tenants   map[string]*Tenant `yaml:"tenants"`

	keys  map[[sha256.Size]byte]keyOwner
	admin map[[sha256.Size]byte]*AdminKey
	// certified is how long the certificate of Server.TLS is good; zero without one.
	certified time.Time
	hidden    hidden // what Masked must not show
}

// Server is how the API is served.
type Server struct {
	Listen       string        `yaml:"listen"`     // default 127.0.0.1:8080
	PublicURL    string        `yaml:"public_url"` // of links in answers, without user and query; default http://<listen>
	TLS          *TLS          `yaml:"tls"`
	MaxBody      int64         `yaml:"max_body"`      // bytes; default 1 MiB
	ReadTimeout  time.Duration `yaml:"read_timeout"`  // default 10s
	WriteTimeout time.Duration `yaml:"write_timeout"` // when a connection that is not answered is closed; default 60s. See CallWithin
	IdleTimeout  time.Duration `yaml:"idle_timeout"`  // default 120s
	LogLevel     string        `yaml:"log_level"`     // trace, debug, info, warn, error; default info
	// AdminKeys are the keys of operators: they open /admin/…, which is about the node and not about a tenant. None: nobody may.
	AdminKeys []AdminKey `yaml:"admin_keys"`
	Metrics   string     `yaml:"metrics"` // who may read /metrics: operator (one of AdminKeys), the default, or open
}

// Who may read /metrics. They name tenants and accounts, and say how much business they do.
const (
	MetricsOperator = "operator"
	MetricsOpen     = "open"
)

// CallWithin is how long a call that has an order dispatched may take: three quarters of the timeout for writing. Then it is answered 202,
// as the order stands, and the order is carried on.
func (s *Server) CallWithin() time.Duration { return s.WriteTimeout / 4 * 3 }

// AdminKey is an operator's key, kept as the SHA-256 of its text.
type AdminKey struct {
	Name   string `yaml:"name"`
	SHA256 string `yaml:"sha256"` // hex
}

// TLS names the certificate and key files, in PEM, relative to the configuration file.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Store is where state lives.
type Store struct {
	Kind          string `yaml:"kind"`           // badger
	Dir           string `yaml:"dir"`            // default data, relative to the configuration file
	EncryptionKey Secret `yaml:"encryption_key"` // 32 bytes in hex; "" for none
}

// Plugins is how adapter processes are found and supervised.
type Plugins struct {
	Dir          string        `yaml:"dir"`           // of waybill-carrier-*; default: plugins beside the executable
	Lock         string        `yaml:"lock"`          // file of `waybill plugin lock`; default waybill.lock beside this file, where it is there
	AutoMTLS     *bool         `yaml:"auto_mtls"`     // default true
	StartTimeout time.Duration `yaml:"start_timeout"` // default 10s
	Quarantine   Quarantine    `yaml:"quarantine"`
	Memory       int64         `yaml:"memory"` // bytes of data one adapter process may hold; default 512 MiB
}

// Quarantine is when an adapter that keeps dying is left alone: after Deaths within Within, and tried again every Probe.
type Quarantine struct {
	Deaths int           `yaml:"deaths"` // default 5
	Within time.Duration `yaml:"within"` // default 60s
	Probe  time.Duration `yaml:"probe"`  // default 60s
}

// Geocoding is how addresses without coordinates are placed, beyond postal codes.
type Geocoding struct {
	Nominatim *Nominatim `yaml:"nominatim"`
}

// Nominatim is a geocoder that speaks Nominatim's search API.
type Nominatim struct {
	BaseURL       string        `yaml:"base_url"`
	UserAgent     string        `yaml:"user_agent"`
	Email         string        `yaml:"email"`
	Timeout       time.Duration `yaml:"timeout"`         // default 3s
	RatePerSecond float64       `yaml:"rate_per_second"` // default 1
}

// Geocoder is how addresses are asked for there.
func (n *Nominatim) Geocoder() geo.NominatimConfig {
	return geo.NominatimConfig{BaseURL: n.BaseURL, UserAgent: n.UserAgent, Email: n.Email, Timeout: n.Timeout, RatePerSecond: n.RatePerSecond}
}

// Dispatch bounds how long things may take.
type Dispatch struct {
	AnswerWithin time.Duration `yaml:"answer_within"` // how long a create waits for an attempt in doubt; default 20s, or Server.CallWithin where that is less
	QuoteTimeout time.Duration `yaml:"quote_timeout"` // per account, unless the account says otherwise; default 8s
	BookTimeout  time.Duration `yaml:"book_timeout"`  // likewise; default 30s
	WatchFor     time.Duration `yaml:"watch_for"`     // how long a booking that was not found is looked for; default 7 days
	WatchEvery   time.Duration `yaml:"watch_every"`   // how long after it was not found it is looked for first, then ever more seldom; default 10m
	DriverLead   time.Duration `yaml:"driver_lead"`   // how long before the pickup a driver must be known, for fallback on no_driver; default 0
	DownAfter    time.Duration `yaml:"down_after"`    // how long a carrier must be out of order, for fallback on provider_down; default 1m
}

// Retention is how long things are kept. What is stored of a tenant that leaves the configuration is kept for as long as was last said of it.
type Retention struct {
	Exchanges time.Duration `yaml:"exchanges"` // default 30 days
	Labels    time.Duration `yaml:"labels"`    // since the order last changed; default 180 days
	Messages  time.Duration `yaml:"messages"`  // what was told, and the log of deliveries; default 30 days
	// Personal is the age at which what tells of people is erased from an order or a tracker; default never. History and money stay;
	// so do the bytes in the store's log files until they are rewritten, and in backups that were made before.
	Personal time.Duration `yaml:"personal"`
}

// RetentionOf returns how long a tenant's things are kept.
func (c *Config) RetentionOf(t *Tenant) Retention {
	own := t.Retention
	fill(&own.Exchanges, c.Retention.Exchanges)
	fill(&own.Labels, c.Retention.Labels)
	fill(&own.Messages, c.Retention.Messages)
	fill(&own.Personal, c.Retention.Personal)
	return own
}

// Tenant is one merchant.
type Tenant struct {
	ID        string               `yaml:"-"`
	Name      string               `yaml:"name"`
	Brand     string               `yaml:"brand"`    // brandExternalId; default the tenant's id
	Currency  string               `yaml:"currency"` // default USD
	Keys      []Key                `yaml:"keys"`
	Rules     string               `yaml:"rules"`     // folder; "" for cheapest, then fastest
	RulesPII  bool                 `yaml:"rules_pii"` // lets rules name what tells of people (env: { pii: true }); their records hold it then
	Trial     *Trial               `yaml:"trial"`     // of other rules beside these
	Accounts  map[string]*Account  `yaml:"accounts"`
	Locations map[string]*Location `yaml:"locations"`
	Packages  map[string]Preset    `yaml:"packages"`  // presets by name, any case
	Retention Retention            `yaml:"retention"` // where it differs from that of all tenants
	Notify    Notify               `yaml:"notify"`
	Portal    Portal               `yaml:"portal"`   // the page that buyers follow a delivery on
	Tracktor  Tracktor             `yaml:"tracktor"` // the shop as the Tracktor surface shows it
	Ship24    Ship24               `yaml:"ship24"`   // what is set in Ship24's dashboard, for the Ship24 surface
	Returns   Returns              `yaml:"returns"`
}

// Places are the ids of the tenant's locations with their tags, as rules name them.
func (t *Tenant) Places() map[string][]string {
	out := make(map[string][]string, len(t.Locations))
	for id, l := range t.Locations {
		out[id] = l.Tags
	}
	return out
}

// Trial is another folder of rules that is tried beside the live one. It looks on, and what it would have decided is kept with each
// decision; as a canary it decides for a share of the orders, always the same ones, and the live rules look on.
type Trial struct {
	Rules  string `yaml:"rules"`  // folder
	Canary string `yaml:"canary"` // share of the orders that it decides: 5%; "" for none
}

// Percent is the share of the orders that the rules on trial decide, 0 to 100.
func (t *Trial) Percent() int {
	n, err := strconv.Atoi(strings.TrimSuffix(t.Canary, "%"))
	if err != nil {
		return 0
	}
	return min(max(n, 0), 100)
}

// Key is an API key, kept as the SHA-256 of its text.
type Key struct {
	Name   string `yaml:"name"`
	SHA256 string `yaml:"sha256"` // hex
	Rate   Rate   `yaml:"rate"`
}

// Rate is a token bucket.
type Rate struct {
	PerSecond float64 `yaml:"per_second"` // default 50
	Burst     int     `yaml:"burst"`      // default 2 × PerSecond
}

// Account is a merchant's account at a carrier.
type Account struct {
	ID      string `yaml:"-"`
	Tenant  string `yaml:"-"`
	Adapter string `yaml:"adapter"`
	Name    string `yaml:"name"` // provider.displayName; default the adapter's display name
	// Config is the adapter's own configuration as JSON, ${ENV} and file references resolved.
	Config Secret `yaml:"config"`
	// Hidden is what of the URLs in Config, their schemes and hosts apart, came from the environment or from files, one a line: carriers have
	// secrets in paths. It is not shown where the URLs are, as in what was exchanged with the carrier.
	Hidden       Secret               `yaml:"-"`
	LabelFormat  shipping.LabelFormat `yaml:"label_format"`
	QuoteTimeout time.Duration        `yaml:"quote_timeout"`
	BookTimeout  time.Duration        `yaml:"book_timeout"`
	Concurrency  int                  `yaml:"concurrency"` // calls at once; default 64
	Doubt        string               `yaml:"doubt"`       // watch or attention; default watch where the adapter can cancel
	// Grace is how long after a call's deadline the carrier may still commit what was sent; default what the adapter declares.
	Grace   *time.Duration `yaml:"grace"`
	Retired bool           `yaml:"retired"` // no quotes any more, still cancel and track
	// PushSecret is the last part of the URL that the carrier pushes to. Without one the engine makes one and keeps to it.
	PushSecret Secret   `yaml:"push_secret"`
	Tracking   Tracking `yaml:"tracking"` // where it differs from that of all accounts
}

// Same reports whether two accounts say the same.
func (a *Account) Same(b *Account) bool {
	x, y := *a, *b
	x.Grace, y.Grace = nil, nil
	return x == y && (a.Grace == b.Grace || a.Grace != nil && b.Grace != nil && *a.Grace == *b.Grace)
}

// Location is a place that orders are picked up at, or returned to.
type Location struct {
	ID             string           `yaml:"-"`
	Name           string           `yaml:"name"`
	Address        shipping.Address `yaml:"address"`
	Contact        shipping.Contact `yaml:"contact"`
	Zone           string           `yaml:"zone"`     // IANA; default: where the address is
	Currency       string           `yaml:"currency"` // default the tenant's
	Instructions   string           `yaml:"instructions"`
	ReturnLocation string           `yaml:"return_location"` // id of a location; default none
	Accounts       []string         `yaml:"accounts"`
	Tags           []string         `yaml:"tags"`
	Brand          string           `yaml:"brand"` // default the tenant's

	// What rules may ask of the location.
	Hours         map[string]string `yaml:"hours"`          // by days, mon or mon-fri: 08:00-20:00, or closed; default open round the clock
	Holidays      []string          `yaml:"holidays"`       // days, 2026-12-24, and calendars: us, de-by; then it is closed
	Cutoff        string            `yaml:"cutoff"`         // time of day after which orders go out another day; default none
	Prep          time.Duration     `yaml:"prep"`           // from the order until it can be picked up; default 0
	Caps          map[string]int    `yaml:"caps"`           // bookings a day, by account; default none
	SubsidyBudget shipping.Decimal  `yaml:"subsidy_budget"` // what a day's fees may come to, in the location's currency; default none

	Opening      *opening.Plan `yaml:"-"` // made of Hours and Holidays
	CutoffMinute int           `yaml:"-"` // minute of the day; 0 without a cut-off
}

// MoneyIn is the currency of the location's amounts.
func (l *Location) MoneyIn(t *Tenant) string {
	if l.Currency != "" {
		return l.Currency
	}
	return t.Currency
}

// Preset is a package that callers name instead of measuring.
type Preset struct {
	Size   shipping.Size   `yaml:"size"`
	Weight shipping.Weight `yaml:"weight"`
}

// Preset returns the tenant's package preset of a name, in any case.
func (t *Tenant) Preset(name string) (Preset, bool) {
	if p, ok := t.Packages[name]; ok {
		return p, true
	}
	for n, p := range t.Packages {
		if strings.EqualFold(n, name) {
			return p, true
		}
	}
	return Preset{}, false
}

// Secret is text that is never printed: String, JSON and YAML show REDACTED.
type Secret string

// String never shows the secret.
func (Secret) String() string { return "REDACTED" }

// GoString never shows the secret.
func (Secret) GoString() string { return "REDACTED" }

// MarshalText never shows the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// Reveal returns the secret.
func (s Secret) Reveal() string { return string(s) }
