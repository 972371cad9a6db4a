// Package doordash speaks DoorDash Drive v2 as DoorDash's servers do: quotes
// that hold a price for five minutes, deliveries known by the caller's own
// external_delivery_id, Dashers who come, go and sometimes leave, and webhooks
// without a signature. It follows DoorDash's OpenAPI file "Drive API" 2.1.59
// and the pages of developer.doordash.com; what neither says is chosen here,
// marked "chosen", and a switch of [Config] where it matters.
//
// Not spoken: businesses and stores, shop-and-deliver orders, DoorDash Parcel,
// address completion. Requests for them are answered 501 by the simulator.
package doordash

import (
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/simulator"
	"go.yaml.in/yaml/v3"
)

// Name is the dialect's name and the first segment of its base URL.
const Name = "doordash"

// The credentials of the account that exists when none is configured. They
// open nothing but a simulator.
const (
	DevDeveloperID   = "00000000-d0d0-4000-8000-00000000demo"
	DevKeyID         = "00000000-d0d0-4000-8000-000000000key"
	DevSigningSecret = "bm90LWEtc2VjcmV0LW9ubHktZm9yLXRoZS1zaW11bGF0b3I" // "not-a-secret-only-for-the-simulator" in base64url
)

// Account is one developer's access key.
type Account struct {
	DeveloperID   string
	KeyID         string
	SigningSecret string // base64url, as DoorDash's portal shows it
	Webhook       Webhook
}

// Webhook is where DoorDash tells an account's owner what happens.
type Webhook struct {
	URL            string // empty: nobody is told
	Authorization  string // sent as that header, as it is; empty: none
	LocationEvents bool   // also the opt-in events DASHER_ENROUTE_TO_…
}

// Duplicates is what a second quote or delivery of one id is answered.
type Duplicates string

// DoorDash's sources disagree: the OpenAPI file lists 409, a page on errors
// says that identical data returns what there is.
const (
	Always409               Duplicates = "always_409"
	SameBodyReturnsExisting Duplicates = "same_body_returns_existing"
)

const (
	lateAcceptAsUnknown = "unknown_delivery_id"
	lateAcceptAsInvalid = "validation_error"

	quoteValidity    = 5 * time.Minute // as several integrators report
	sandboxLife      = time.Hour
	longestTokenLife = 30 * time.Minute
)

// Config is what the dialect is made of. The zero value of every field means
// its default.
type Config struct {
	Accounts   []Account          // default: the one of DevDeveloperID, without a webhook
	Profile    *simulator.Profile // how deliveries move; default: doordash-steady
	Duplicates Duplicates         // default: Always409
	// LateAccept is the code for accepting a quote after its five minutes,
	// which DoorDash does not document: "unknown_delivery_id" (404, the
	// default) or "validation_error" (400).
	LateAccept string
	// AutoCancel ends deliveries after one hour, as DoorDash's sandbox does.
	AutoCancel bool
	// Places locates postal codes; it is added to those built in.
	Places map[string]Point
	// Stores gives the address of pickup stores, by "business/store".
	Stores map[string]string
	// NotCovered lists beginnings of postal codes that DoorDash does not serve.
	NotCovered []string
}

// Dialect is DoorDash Drive. It is made by New.
type Dialect struct {
	cfg    Config
	keys   map[string]*signer // by key id
	places map[string]Point
}

//go:embed places.yaml
var placesFile []byte

// New checks the configuration and returns the dialect.
func New(cfg Config) (*Dialect, error) {
	if len(cfg.Accounts) == 0 {
		cfg.Accounts = []Account{{DeveloperID: DevDeveloperID, KeyID: DevKeyID, SigningSecret: DevSigningSecret}}
	}
	if cfg.Profile == nil {
		p, err := simulator.LoadProfile("doordash-steady")
		if err != nil {
			return nil, err
		}
		cfg.Profile = &p
	}
	if cfg.Duplicates == "" {
		cfg.Duplicates = Always409
	}
	if cfg.LateAccept == "" {
		cfg.LateAccept = lateAcceptAsUnknown
	}
	d := &Dialect{cfg: cfg, keys: map[string]*signer{}}
	if err := errors.Join(d.check()...); err != nil {
		return nil, fmt.Errorf("doordash dialect: %w", err)
	}
	return d, nil
}

func (d *Dialect) check() []error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for i, a := range d.cfg.Accounts {
		s, err := newSigner(a)
		if err != nil {
			bad("accounts[%d]: %w", i, err)
			continue
		}
		if _, ok := d.keys[a.KeyID]; ok {
			bad("accounts[%d]: another account has the key id %q", i, a.KeyID)
		}
		d.keys[a.KeyID] = s
		if u, err := url.Parse(a.Webhook.URL); a.Webhook.URL != "" && (err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http")) {
			bad("accounts[%d].webhook: the URL is not an absolute http or https one", i)
		}
	}
	if c := d.cfg.Duplicates; c != Always409 && c != SameBodyReturnsExisting {
		bad("duplicates: %q is neither %s nor %s", c, Always409, SameBodyReturnsExisting)
	}
	if c := d.cfg.LateAccept; c != lateAcceptAsUnknown && c != lateAcceptAsInvalid {
		bad("late_accept: %q is neither %s nor %s", c, lateAcceptAsUnknown, lateAcceptAsInvalid)
	}
	if p := d.cfg.Profile; p.Dialect != Name {
		bad("profile %q is for dialect %q", p.Name, p.Dialect)
	}
	if err := d.checkProfile(); err != nil {
		faults = append(faults, err)
	}
	var built struct {
		Source string           `yaml:"source"`
		Places map[string]Point `yaml:"places"`
	}
	if err := yaml.Unmarshal(placesFile, &built); err != nil {
		bad("places: %w", err)
	}
	d.places = built.Places
	for code, at := range d.cfg.Places {
		if !at.valid() {
			bad("places[%s]: latitude or longitude is out of range", code)
		}
		d.places[code] = at
	}
	return faults
}

// checkProfile walks the profile's legs through the machine.
func (d *Dialect) checkProfile() error {
	m, state := d.Machine(), created
	for i, leg := range d.cfg.Profile.Legs {
		if !m.Legal(state, leg.To) {
			return fmt.Errorf("profile %q: legs[%d]: %s may not follow %s", d.cfg.Profile.Name, i, leg.To, state)
		}
		state = leg.To
	}
	return nil
}

// Name implements [simulator.Dialect].
func (d *Dialect) Name() string { return Name }

// Routes implements [simulator.Dialect]: the paths of "Drive API" 2.1.59.
func (d *Dialect) Routes() []simulator.Route {
	return []simulator.Route{
		{Op: "quote", Method: "POST", Pattern: "/drive/v2/quotes", Handler: d.quote},
		{Op: "accept", Method: "POST", Pattern: "/drive/v2/quotes/{id}/accept", Handler: d.accept},
		{Op: "create", Method: "POST", Pattern: "/drive/v2/deliveries", Handler: d.create},
		{Op: "get", Method: "GET", Pattern: "/drive/v2/deliveries/{id}", Handler: d.get},
		{Op: "update", Method: "PATCH", Pattern: "/drive/v2/deliveries/{id}", Handler: d.update},
		{Op: "cancel", Method: "PUT", Pattern: "/drive/v2/deliveries/{id}/cancel", Handler: d.cancel},
		{Op: "serviceability", Method: "POST", Pattern: "/drive/v2/serviceability", Handler: d.serviceability},
		// Not DoorDash's API: where the tracking_url of a simulated delivery leads.
		{Op: "tracking_page", Method: "GET", Pattern: "/track/{code}", Handler: d.trackingPage, Public: true},
		{Op: "proof_picture", Method: "GET", Pattern: "/track/{code}/{picture}", Handler: d.picture, Public: true},
	}
}

var (
	_ simulator.Dialect   = (*Dialect)(nil)
	_ simulator.Reasoner  = (*Dialect)(nil)
	_ simulator.Describer = (*Dialect)(nil)
)
