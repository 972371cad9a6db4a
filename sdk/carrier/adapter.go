package carrier

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Adapter describes an adapter: C is its configuration struct, A its account type, whose methods are its abilities.
type Adapter[C, A any] struct {
	Name        string // [a-z][a-z0-9_]*; the binary is waybill-carrier-<name>
	DisplayName string // "UPS"
	Version     string // of the adapter, semantic
	Services    []Service
	// Hosts are the hosts that the adapter may talk to besides the host of the account's base_url.
	Hosts []string

	Idempotency  Idempotency
	Absence      Absence
	Grace        time.Duration // how long after a call's deadline the carrier may still commit
	LabelFormats []shipping.LabelFormat
	MaxParcels   int // in one booking; 0 means 1

	// Open makes an account from its configuration. It does no network and is idempotent. A faulty configuration is an
	// *Error of source Config; Field names the member.
	Open func(ctx context.Context, cfg C, env Env) (A, error)
}

// Manifest returns what the adapter declares, its abilities read from A and the schema of its configuration from C.
func (a Adapter[C, A]) Manifest() Manifest {
	return Manifest{
		Name: a.Name, DisplayName: a.DisplayName, Version: a.Version, Abilities: abilitiesOf(reflect.TypeFor[A]()),
		Services: a.Services, Hosts: a.Hosts, Idempotency: a.Idempotency, Absence: a.Absence, Grace: a.Grace,
		LabelFormats: a.LabelFormats, MaxParcels: max(a.MaxParcels, 1), ConfigSchema: schemaOf(reflect.TypeFor[C]()),
	}
}

// Env is all that an adapter may use for network, time and log.
type Env interface {
	// HTTP returns the client for all calls to the carrier. A request must carry the context of the call that it serves: the
	// client refuses one without, honours its deadline, refuses hosts other than the manifest's and the base URL's, and
	// records the exchange, redacted.
	HTTP() *http.Client
	// Now is the engine's clock, which may be virtual.
	Now(ctx context.Context) time.Time
	// Log reaches the engine's log. No addresses, names, phone numbers, secrets.
	Log() hclog.Logger
}

// Manifest is what an adapter declares about itself and its carrier.
type Manifest struct {
	Name         string
	DisplayName  string
	Version      string
	Abilities    []Ability
	Services     []Service
	Hosts        []string
	Idempotency  Idempotency
	Absence      Absence
	Grace        time.Duration
	LabelFormats []shipping.LabelFormat
	MaxParcels   int
	ConfigSchema []byte // JSON Schema 2020-12 of the account's configuration; members with "x-secret": true are secrets
}

// Has reports whether the adapter has an ability.
func (m Manifest) Has(a Ability) bool {
	for _, x := range m.Abilities {
		if x == a {
			return true
		}
	}
	return false
}

// Service returns the declared service with this id.
func (m Manifest) Service(id string) (Service, bool) {
	for _, s := range m.Services {
		if s.ID == id {
			return s, true
		}
	}
	return Service{}, false
}

// Service is one thing that a carrier sells.
type Service struct {
	ID   string // slug that rules and the API use: "next_day_air", "delivery"
	Code string // the carrier's own: "01"
	Name string // for people, the API's serviceType: "Next Day Air", "Delivery"
	Mode string // ground, air, sea, courier, …; what rules call option.mode
	// Supports lists special abilities of the service: package contents ("alcohol", "lithium", …), temperatures
	// ("refrigerated", "frozen", "ambient") and signatures ("signature_required", "signature_direct", "signature_adult").
	// An order that needs one is never offered to a service without it. Of an adapter with the ability to return, SupportsReturn
	// marks the services that have a way back; where it marks none, all have.
	Supports []string
}

// SupportsReturn is what Service.Supports has of a service by which the carrier takes returns.
const SupportsReturn = "return"

// Idempotency says what happens when a booking is sent twice under one reference.
type Idempotency string

const (
	// Native: the carrier makes one booking per reference whatever is sent; re-sending is safe.
	Native Idempotency = "native"
	// ByReference: the carrier refuses a second booking under the same reference.
	ByReference Idempotency = "by_reference"
	// NoIdempotency: the carrier books again.
	NoIdempotency Idempotency = "none"
)

// Absence says whether "not found" at Finder proves that nothing was booked.
type Absence string

const (
	Proven   Absence = "proven"
	Unproven Absence = "unproven"
)
