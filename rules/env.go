package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// never is the moment that stands for one that is not known: later than everything.
var never = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// option is `option` and `chosen` in expressions: one offer, or before quoting one service of a candidate.
type option struct {
	Provider string   `expr:"provider"`
	Service  string   `expr:"service"`
	Mode     string   `expr:"mode"`
	Vehicle  string   `expr:"vehicle"` // foot, bike, scooter, car, van, truck; "" where the carrier names none of these
	Supports []string `expr:"supports"`

	Fee  shipping.Money `expr:"fee"`  // what the carrier asks
	Cost shipping.Money `expr:"cost"` // fee and what adjust added
	Tax  shipping.Money `expr:"tax"`

	PickupAt   time.Time     `expr:"pickup_at"`   // estimated; year 9999 where unknown
	DropoffAt  time.Time     `expr:"dropoff_at"`  // the latest estimate; year 9999 where unknown
	DeliverBy  time.Time     `expr:"deliver_by"`  // the same moment, as parcel carriers call it
	PickupIn   time.Duration `expr:"pickup_in"`   // from now
	DropoffIn  time.Duration `expr:"dropoff_in"`  // from now
	PickupLate time.Duration `expr:"pickup_late"` // after order.ready_at; 0 where in time or unknown
	HasDropoff bool          `expr:"has_dropoff"` // whether the carrier says when it arrives

	TransitDays int           `expr:"transit_days"`
	Guaranteed  bool          `expr:"guaranteed"`
	Distance    unit.Distance `expr:"distance"` // the carrier's; 0 where it does not say

	OnTimeRate float64 `expr:"on_time_rate_30d"` // share of the account's deliveries of 30 days that came in time; 1 where there were none
	CancelRate float64 `expr:"cancel_rate_7d"`   // share of the account's bookings of 7 days that the carrier gave up; 0 where there were none
}

// bestOffer is `best`: the extremes over the options that are still eligible, each on its own.
type bestOffer struct {
	Fee       shipping.Money `expr:"fee"`
	DropoffIn time.Duration  `expr:"dropoff_in"`
}

// health is what an account's own name stands for.
type health struct {
	Available bool `expr:"available"`
}

// The stages at which an expression can first be computed.
const (
	stageOrder    = iota // order, location, local, lists
	stageProvider        // and option.provider
	stageService         // and what the manifest says of a service
	stageQuote           // and everything of a quote
)

var providerFields = map[string]bool{"option.provider": true, "option.on_time_rate_30d": true, "option.cancel_rate_7d": true}

var serviceFields = map[string]bool{"option.service": true, "option.mode": true, "option.supports": true}

// stageOf says when an expression that uses these names can be computed.
func (c *checker) stageOf(uses map[string]bool) int {
	stage := stageOrder
	for path := range uses {
		at := stageOrder
		switch {
		case providerFields[path]:
			at = stageProvider
		case serviceFields[path]:
			at = stageService
		case len(path) > 7 && path[:7] == "option.", path == "best", path == "chosen":
			at = stageQuote
		default:
			at = c.letStage[path]
		}
		stage = max(stage, at)
	}
	return stage
}

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// elsewhere explains names that merchants may expect from other places.
var elsewhere = map[string]string{
	"order.payment": attributeHint, "order.source": attributeHint, "order.customer": "the shop's own number of the customer is order.customer_id",
	"best.cost": "best has fee and dropoff_in, each over the options that are left",
}

const attributeHint = "the API has no such field; send it in orderAttributes, declare attributes: […] and use order.attributes.…"

// environments are the names known in each phase.
type environments struct {
	order  *formula.Env // hold, set, choose, fallback
	option *formula.Env // exclude, adjust
	rank   *formula.Env
	guard  *formula.Env
	warn   *formula.Env
	none   *formula.Env
}

// commonAbilities are what services usually support; manifests may name others.
var commonAbilities = append(slices.Clone(contentWords), "ambient", "refrigerated", "frozen", "signature_required", "signature_direct", "signature_adult", "return")

// commonModes are how services usually travel; manifests may name others.
var commonModes = []string{"air", "courier", "freight", "ground", "rail", "sea"}

// abilities are the common ones, and those that the manifests declare.
func (c *checker) abilities() []string {
	all := slices.Clone(commonAbilities)
	for _, p := range c.opt.Providers {
		for _, s := range p.Services {
			all = append(all, s.Supports...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// orderEnv is the environment of lets and phases that speak of the order alone; the others grow from it.
func (c *checker) baseEnv() *formula.Env {
	vars := map[string]any{"order": Order{}, "location": Location{}, "local": Local{}, "lists": map[string]formula.List{}}
	absent := maps.Clone(elsewhere)
	if c.bundle != nil && c.bundle.pii {
		vars["recipient"] = Recipient{}
	} else {
		for _, name := range []string{"recipient", "order.to.name", "order.to.phone", "order.to.email", "order.to.street"} {
			absent[name] = "what tells of a person is in recipient (name, phone, email, street), where the file says env: { pii: true }; it is then in the records too"
		}
	}
	for _, p := range c.providers {
		vars[p] = health{}
	}
	lists := slices.Sorted(maps.Keys(c.lists))
	enums := map[string][]string{
		"order.to.type": shipping.AddressTypes, "order.from.type": shipping.AddressTypes,
		"order.to.verified": {"valid", "ambiguous", "unknown"}, "order.temperature": shipping.Temperatures,
		"order.signature": shipping.Signatures, "local.weekday": weekdays,
	}
	if len(c.providers) > 0 {
		enums["order.failed_providers"] = c.providers
		enums["option.provider"], enums["chosen.provider"] = c.providers, c.providers
	}
	come := append(slices.Clone(vehicles), "")
	enums["option.vehicle"], enums["chosen.vehicle"] = come, come
	usual := map[string][]string{"option.supports": c.abilities(), "order.content": contentWords, "option.mode": commonModes, "chosen.mode": commonModes}
	for _, at := range []string{"order.to.zones", "order.from.zones"} {
		if enums[at] = slices.Sorted(maps.Keys(c.zones)); len(c.zones) == 0 {
			absent[at] = `declare zones: at the top of the file, such as zones: { downtown: { center: "41.88,-87.63", radius: 3 mi } }`
		}
	}
	if services, modes := c.known(); len(services) > 0 {
		enums["option.service"], enums["chosen.service"] = services, services
		enums["option.mode"], enums["chosen.mode"] = modes, modes
		delete(usual, "option.mode")
		delete(usual, "chosen.mode")
	}
	return &formula.Env{
		Vars: vars, Enums: enums, Usual: usual, Places: c.places(), Members: map[string][]string{"order.attributes": c.attributes, "lists": lists, "location.caps": c.providers},
		Elsewhere: absent, Currency: c.currency, Lets: c.letNames,
	}
}

// places are the ids and tags of the locations that there are.
func (c *checker) places() map[string][]string {
	if len(c.opt.Locations) == 0 {
		return nil
	}
	var tags []string
	for _, of := range c.opt.Locations {
		tags = append(tags, of...)
	}
	slices.Sort(tags)
	if tags = slices.Compact(tags); len(tags) == 0 {
		tags = []string{""} // nothing is a tag
	}
	return map[string][]string{"location.id": slices.Sorted(maps.Keys(c.opt.Locations)), "location.tags": tags}
}

// place refuses a location, or tag:<tag>, that there is not.
func (c *checker) place(s *source, n *yaml.Node) {
	if len(c.opt.Locations) == 0 {
		return
	}
	names, what := c.env.order.Places["location.id"], fmt.Sprintf("there is no location %q", n.Value)
	if tag, ok := strings.CutPrefix(n.Value, "tag:"); ok {
		what = fmt.Sprintf("no location has the tag %q", tag)
		names = nil
		for _, t := range c.env.order.Places["location.tags"] {
			if t != "" {
				names = append(names, "tag:"+t)
			}
		}
	}
	if n.Value != "tag:" && !slices.Contains(names, n.Value) {
		s.guess(n, "E110", what, names)
	}
}

// with returns an environment with more names; absent says why others are not there.
func with(e *formula.Env, vars map[string]any, absent map[string]string) *formula.Env {
	grown := &formula.Env{Vars: maps.Clone(e.Vars), Enums: e.Enums, Usual: e.Usual, Places: e.Places, Members: e.Members, Elsewhere: maps.Clone(e.Elsewhere), Currency: e.Currency, Lets: e.Lets}
	maps.Copy(grown.Vars, vars)
	for name, why := range absent {
		if _, known := grown.Vars[name]; !known {
			grown.Elsewhere[name] = why
		}
	}
	for name := range vars {
		delete(grown.Elsewhere, name)
	}
	return grown
}

// known lists the services and modes of all providers, nothing where a provider does not declare its services.
func (c *checker) known() (services, modes []string) {
	for _, id := range c.providers {
		p := c.opt.Providers[id]
		if len(p.Services) == 0 {
			return nil, nil
		}
		for _, s := range p.Services {
			services, modes = append(services, s.ID), append(modes, s.Mode)
		}
	}
	slices.Sort(services)
	slices.Sort(modes)
	return slices.Compact(services), slices.Compact(modes)
}

var absentNames = map[string]string{
	"option": "option is known in exclude, adjust and rank only", "best": "best is known in rank only",
	"chosen": "chosen is known in guard and warn only",
}

func (c *checker) makeEnvironments() {
	base := c.baseEnv()
	orderLets, optionLets := map[string]any{}, map[string]any{}
	absent := maps.Clone(absentNames)
	for _, l := range c.lets {
		if l.stage == stageOrder {
			orderLets[l.name] = l.zero
		} else {
			optionLets[l.name] = l.zero
			absent[l.name] = l.name + " speaks of an option, which is known in exclude, adjust and rank only"
		}
	}
	c.env.order = with(base, orderLets, absent)
	forOption := maps.Clone(optionLets)
	forOption["option"] = option{}
	c.env.option = with(c.env.order, forOption, nil)
	c.env.rank = with(c.env.option, map[string]any{"best": bestOffer{}}, nil)
	c.env.guard = with(c.env.option, map[string]any{"chosen": option{}}, nil)
	c.env.warn = with(c.env.order, map[string]any{"chosen": option{}}, nil)
	c.env.none = with(c.env.order, map[string]any{"reasons": ""}, nil)
}
