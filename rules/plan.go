package rules

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Candidate is a carrier account that could be asked for an order.
type Candidate struct {
	Account string `json:"account"`           // what rules call the provider: "ups", "own_fleet"
	Adapter string `json:"adapter,omitempty"` // "ups"
	Name    string `json:"name,omitempty"`    // for people: "UPS"; the account where empty
	// Services are those that the adapter's manifest declares. Where there are none, rules that speak of services wait for the
	// quotes, and the account is taken to have no special abilities.
	Services []ServiceInfo `json:"services,omitempty"`
	// Down says that the account is known to be out of order (an open breaker). It makes <account>.available false in rules; whether
	// the account is asked all the same is for the caller, who would else not list it.
	Down bool `json:"down,omitempty"`
	// Rates say how the account has done lately; nil where nobody has counted, or there was nothing to count.
	Rates *Rates `json:"rates,omitempty"`
}

// Rates are shares of an account's bookings, from 0 to 1, as they were at the moment of the decision.
type Rates struct {
	OnTime30d   float64 `json:"on_time_30d"`  // of what was delivered in the last 30 days: no later than promised
	Cancelled7d float64 `json:"cancelled_7d"` // of what was booked in the last 7 days: cancelled by the carrier itself
}

// ServiceInfo is what rules know of a service before it is quoted.
type ServiceInfo struct {
	ID       string   `json:"id"`                 // slug: "next_day_air"
	Mode     string   `json:"mode,omitempty"`     // ground, air, courier, …
	Supports []string `json:"supports,omitempty"` // as carrier.Service.Supports: "alcohol", "frozen", "signature_adult", …
}

// Plan is the first half of a decision: whom to ask, and what is already settled. Keep it as it is for Decide.
type Plan struct {
	Rules      string      `json:"rules"` // hash of the bundle
	Input      Input       `json:"input"`
	Candidates []Candidate `json:"candidates"` // sorted by account

	// Hold is not nil where a rule says that the order must wait. Then Ask is empty.
	Hold *Hold `json:"hold,omitempty"`
	// Set is what the rules set on the order.
	Set Settings `json:"set,omitzero"`
	// Ask names the accounts to ask, sorted by account.
	Ask []Ask `json:"ask,omitempty"`
	// Excluded holds the exclusions that needed no quote, sorted by account, service and rule.
	Excluded []Exclusion `json:"excluded,omitempty"`
	Faults   []Fault     `json:"faults,omitempty"`
}

// Ask is an account to ask for estimates. Services is nil for all services.
type Ask struct {
	Account  string   `json:"account"`
	Services []string `json:"services,omitempty"`
}

// Hold is what a hold rule says. Until is the zero time where a person must release the order.
type Hold struct {
	Rule   string    `json:"rule"`
	Until  time.Time `json:"until,omitzero"`
	Reason string    `json:"reason"`
}

// Settings is what set rules decided; zero members were not set. By lists every assignment, the overwritten ones too.
type Settings struct {
	Signature          string               `json:"signature,omitempty"` // one of shipping.Signatures
	Tip                *shipping.Money      `json:"tip,omitempty"`       // after tip_max
	Instructions       string               `json:"instructions,omitempty"`
	PickupInstructions string               `json:"pickup_instructions,omitempty"`
	LabelFormat        shipping.LabelFormat `json:"label_format,omitempty"`
	Vehicle            string               `json:"vehicle,omitempty"` // the least that a courier must come by; offers that name a smaller one are out
	ShipAt             time.Time            `json:"ship_at,omitzero"`  // not to be picked up before
	Weight             *shipping.Weight     `json:"weight,omitempty"`  // of each parcel, in place of what the order says
	By                 []Assignment         `json:"by,omitempty"`
}

// Assignment is one attribute that a set rule set. OverwrittenBy names the later rule that set it again, "" where it held.
type Assignment struct {
	Attribute     string `json:"attribute"`
	Value         string `json:"value"`
	Rule          string `json:"rule"`
	OverwrittenBy string `json:"overwritten_by,omitempty"`
}

// Exclusion says why an option is out. An option may have several.
type Exclusion struct {
	Account string `json:"account"`
	Service string `json:"service,omitempty"` // "" for every service of the account
	Rule    string `json:"rule"`              // name of the rule; of a built-in one: "content", "temperature", "signature", "vehicle", "not asked"
	Reason  string `json:"reason"`            // short, as the rule gives it
	Phase   Phase  `json:"phase"`
	Text    string `json:"text"` // a sentence for people
}

// Phase is the part of the rules that something comes from.
type Phase string

// The phases, in the order in which they run. Builtin exclusions run before those of the merchant.
const (
	PhaseHold     Phase = "hold"
	PhaseSet      Phase = "set"
	PhaseBuiltin  Phase = "builtin"
	PhaseExclude  Phase = "exclude"
	PhaseAdjust   Phase = "adjust"
	PhaseRank     Phase = "rank"
	PhaseChoose   Phase = "choose"
	PhaseGuard    Phase = "guard"
	PhaseFallback Phase = "fallback"
	PhaseWarn     Phase = "warn"
	PhaseNone     Phase = "none"
)

// Fault is an expression that failed while it ran. An exclude that fails excludes, a score that fails ranks last, any other rule
// that fails is skipped; each is recorded here and should be counted and shown to whoever keeps the rules. A tip, and what the customer
// pays, that would be below zero is recorded here as well, and counts as nothing.
type Fault struct {
	Phase   Phase  `json:"phase"`
	Rule    string `json:"rule"`
	Account string `json:"account,omitempty"`
	Service string `json:"service,omitempty"`
	Message string `json:"message"`
}

// accounts are those that are asked, each once, in the order in which they are.
func (p *Plan) accounts() []string {
	var names []string
	for _, a := range p.Ask {
		if !slices.Contains(names, a.Account) {
			names = append(names, a.Account)
		}
	}
	return names
}
