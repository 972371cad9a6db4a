package rules

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// RecordSchema is the number of the shape that new decision records have. Older numbers stay readable, and are computed again to the bytes of their
// own shape: 1 says of a choose rule only that it spoke, 2 also what it wants and why, and whether it made a difference once the guards had spoken. 3 has
// the shape of 2, and means more exactly what stands in the rules; see meaningSchema.
const RecordSchema = 3

// meaningSchema is the first schema of which the records mean by an expression what stands there. Those before it come from versions in which a rule
// failed when it named a let that does, whether or not it came to it; in which numbers could be divided by zero; in which texts could be as long as
// they liked for a pattern; and in which a tip below zero was none, and a charge below zero could be more than the fee, without a word. They are computed again, explained and varied as they were made.
const meaningSchema = 3

// shapeSchema is the newest schema with the meaning of a schema.
func shapeSchema(schema int) int {
	if schema < meaningSchema {
		return meaningSchema - 1
	}
	return RecordSchema
}

// Offer is one quote that an account gave. ID is the caller's own name for the quote and comes back in the decision; it may be empty.
type Offer struct {
	ID      string
	Account string
	Quote   shipping.Quote
}

// Refused is an account, or a service of it, that was asked and gave no quote: a refusal of the carrier or a failed call.
type Refused struct {
	Account string `json:"account"`
	Service string `json:"service,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// CurrencyMismatch is what becomes of an offer in another currency than the order's: amounts are never converted. name is what people call the account.
func CurrencyMismatch(o Offer, name, currency string) Refused {
	return Refused{Account: o.Account, Service: o.Quote.ServiceID, Code: "CURRENCY_MISMATCH",
		Message: fmt.Sprintf("%s asks %s, and the order is in %s: amounts in different currencies are not compared.", name, o.Quote.Amount.Currency, currency)}
}

// Decision is the record of one decision: everything that it was made from, and everything that came of it. Its JSON is
// canonical: the same decision has the same bytes, whatever the order in which quotes came in.
type Decision struct {
	Schema int    `json:"schema"`
	Rules  string `json:"rules"` // hash of the bundle
	Plan   Plan   `json:"plan"`

	// ScoreTerms are the summands of the score expression, in order; each option's Terms has their values.
	ScoreTerms []string `json:"score_terms,omitempty"`
	// Options are the offers with what the rules made of them, sorted by account, service and fee; excluded ones too.
	Options []Option  `json:"options,omitempty"`
	Refused []Refused `json:"refused,omitempty"`

	// Hold is not nil where a guard says that a person must look first. Then Winner is nil and Ranked empty; the ranks of the options show
	// what would have been chosen.
	Hold *Hold `json:"hold,omitempty"`
	// Winner is nil where nothing can carry the order or it is held; it is Ranked[0] otherwise.
	Winner *Choice  `json:"winner,omitempty"`
	Ranked []Choice `json:"ranked,omitempty"`
	// Choose is the rule of the choose phase that applied, nil where none did.
	Choose *Chosen `json:"choose,omitempty"`
	// Excluded has the exclusions of the plan and those that needed a quote, sorted by account, service and rule.
	Excluded []Exclusion  `json:"excluded,omitempty"`
	Adjusted []Adjustment `json:"adjusted,omitempty"`
	// Fallback are the fallback rules that apply to this order, in the order of the files; see FallbackFor.
	Fallback []Fallback `json:"fallback,omitempty"`
	// Guards are the guards that the leading option, and those that are out by a guard, go beyond, sorted by account, service and guard.
	Guards   []Breach  `json:"guards,omitempty"`
	Warnings []Warning `json:"warnings,omitempty"`
	// None is what to do where there is no winner; nil where the rules say nothing, and where there is one.
	None   *None   `json:"none,omitempty"`
	Faults []Fault `json:"faults,omitempty"`
}

// Option is one offer and what the rules made of it. Quote is what the rules saw: without token, charges and warnings.
type Option struct {
	ID       string         `json:"id,omitempty"`
	Account  string         `json:"account"`
	Service  string         `json:"service"`
	Quote    shipping.Quote `json:"quote"`
	Fee      shipping.Money `json:"fee"`             // what the carrier asks
	Cost     shipping.Money `json:"cost"`            // fee and what adjust added; for ranking only
	Charge   shipping.Money `json:"charge,omitzero"` // what the customer is asked on top of the fee; below zero a discount, of the whole fee at most
	Excluded bool           `json:"excluded,omitempty"`
	Score    *float64       `json:"score,omitempty"` // lower is better; nil where excluded or where the expression failed
	Terms    []float64      `json:"terms,omitempty"`
	Ties     []string       `json:"ties,omitempty"`
	Rank     int            `json:"rank,omitempty"` // 1 is the winner; 0 where excluded
}

// Choice is a place in the ranking.
type Choice struct {
	ID      string         `json:"id,omitempty"` // of the offer
	Account string         `json:"account"`
	Service string         `json:"service"`
	Fee     shipping.Money `json:"fee"`
	Charge  shipping.Money `json:"charge,omitzero"`
	Spends  []Spend        `json:"spends,omitempty"` // what it takes from the budgets of guards, once it is booked
}

// Chosen is the choose rule that spoke: what it wants, and how that changed the ranking.
type Chosen struct {
	Rule string `json:"rule"`
	Kind string `json:"kind"`          // prefer, only or split
	Arm  string `json:"arm,omitempty"` // of a split: a provider or "rank"
	// Bucket is the order's number 0..99 in the experiment of a split.
	Bucket     int    `json:"bucket,omitempty"`
	Experiment string `json:"experiment,omitempty"`
	// Moved says that another option leads than by the ranking alone, with the same guards. In a record of schema 1 it speaks of the order before the
	// guards, so that the winner may be that of the ranking all the same.
	Moved bool `json:"moved,omitempty"`

	// What follows stands in no record of schema 1.

	When    string   `json:"when,omitempty"`    // the condition, which held; "" where the rule always speaks
	List    []string `json:"list,omitempty"`    // of prefer and only, in order: an account, or account/service
	Arms    []Arm    `json:"arms,omitempty"`    // of a split
	By      string   `json:"by,omitempty"`      // the expression that a split goes by
	Instead string   `json:"instead,omitempty"` // where Moved: account/service that leads by the ranking alone
}

// Arm is one part of a split.
type Arm struct {
	To      string `json:"to"`      // account, account/service, or "rank" for what stays with the ranking
	Percent int    `json:"percent"` // of the orders
}

// Adjustment is what one adjust rule did to one option.
type Adjustment struct {
	Account string         `json:"account"`
	Service string         `json:"service"`
	ID      string         `json:"id,omitempty"`
	Rule    string         `json:"rule"`
	Reason  string         `json:"reason,omitempty"`
	Add     shipping.Money `json:"add,omitzero"`
	Charge  shipping.Money `json:"charge,omitzero"`
}

// Fallback is what to do when a booking does not work out. Steps are taken in turn.
type Fallback struct {
	Rule  string   `json:"rule"`
	On    []string `json:"on"` // see FallbackEvents
	Steps []Step   `json:"steps"`
	// Attempts bounds the bookings in all, the first included; 0 means no bound.
	Attempts int `json:"attempts,omitempty"`
	// Within bounds the time since the first booking; 0 means no bound.
	Within Duration `json:"within,omitempty"`
	// ExtraCost bounds what a later choice may cost more than the first; zero means no bound.
	ExtraCost shipping.Money `json:"extra_cost,omitzero"`
	Requote   string         `json:"requote,omitempty"` // always: all are asked before each; never: the offers of the first booking do; expired, and "": who is asked by need
	// Version is latest where what comes later is decided by the rules that are live then; "" where by those of this decision.
	Version string `json:"version,omitempty"`
}

// Step is one step of a fallback. Exactly one of its members is set, IfAvailable apart.
type Step struct {
	NextRanked  bool     `json:"next_ranked,omitempty"`
	Use         string   `json:"use,omitempty"` // account, or account/service
	IfAvailable bool     `json:"if_available,omitempty"`
	HoldFor     Duration `json:"hold_for,omitempty"`
	Notify      string   `json:"notify,omitempty"`
}

// Warning is what a warn rule says about the chosen option.
type Warning struct {
	Rule    string `json:"rule"`
	Level   string `json:"level"` // low, normal, high
	Message string `json:"message"`
}

// None is what the rules want when no option is left.
type None struct {
	HoldFor Duration `json:"hold_for,omitempty"` // wait so long, then decide afresh …
	Retry   int      `json:"retry,omitempty"`    // … at most so many times
	Hold    bool     `json:"hold,omitempty"`     // wait for a person
	Notify  string   `json:"notify,omitempty"`   // whom to tell
	Message string   `json:"message,omitempty"`
}

// Duration is a stretch of time that is text in JSON: "3m0s".
type Duration time.Duration

// MarshalText writes d as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// JSON returns the canonical bytes of the record.
func (d Decision) JSON() ([]byte, error) { return json.Marshal(d) }

// ParseDecision reads a stored record.
func ParseDecision(b []byte) (Decision, error) {
	var d Decision
	if err := json.Unmarshal(b, &d); err != nil {
		return Decision{}, fmt.Errorf("read decision record: %w", err)
	}
	if err := checkSchema(d.Schema); err != nil {
		return Decision{}, err
	}
	return d, nil
}

func checkSchema(n int) error {
	if n > RecordSchema {
		return fmt.Errorf("decision record has schema %d, this version reads 1 to %d: a newer version of waybill has written it, and can read it", n, RecordSchema)
	}
	if n < 1 {
		return fmt.Errorf("decision record has schema %d, which no version of waybill has written", n)
	}
	return nil
}

// as is the decision in an older shape of the record.
func (d Decision) as(schema int) Decision {
	d.Schema = schema
	if schema == 1 && d.Choose != nil {
		c := *d.Choose
		c.When, c.List, c.Arms, c.By, c.Instead = "", nil, nil, "", ""
		d.Choose = &c
	}
	return d
}

// FallbackFor returns the first fallback rule of the decision that speaks of an event.
func (d Decision) FallbackFor(event string) (Fallback, bool) {
	for _, f := range d.Fallback {
		for _, on := range f.On {
			if on == event {
				return f, true
			}
		}
	}
	return Fallback{}, false
}
