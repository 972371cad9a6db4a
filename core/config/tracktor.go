package config

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Tracktor is a tenant's shop as the Tracktor surface shows it.
type Tracktor struct {
	// Aliases are further names of the tenant in the surface's paths, beside its id.
	Aliases []string `yaml:"aliases"`
	ShopURL string   `yaml:"shop_url"` // shown with each fulfilment
	// WebhookSecret signs what the shop sends to /apps/tracktor/shopify/…; without one nothing is taken from it.
	WebhookSecret Secret `yaml:"webhook_secret"`
	// CarrierMapping says who really carries what the shop calls by a name, in any case: an account's id, or a courier's code.
	CarrierMapping map[string]string `yaml:"carrier_mapping"`
	// Statuses are the shop's own, beside order_ready, in_transit, out_for_delivery and delivered.
	Statuses []TracktorStatus `yaml:"statuses"`
}

// TracktorStatus is a status of the shop's own. Where no status that there always is means the same, it is shown whenever a carrier
// says Status; else it is set by hand.
type TracktorStatus struct {
	Key      string          `yaml:"key"`
	Label    string          `yaml:"label"`
	Position int             `yaml:"position"` // in the list of all statuses, from 1
	Status   shipping.Status `yaml:"status"`   // which it stands for
}

// TracktorBuiltIn are the statuses that every shop has, in their order, each with the status that it stands for.
var TracktorBuiltIn = []TracktorStatus{
	{Key: "order_ready", Label: "Order Ready", Position: 1, Status: shipping.OrderDispatched},
	{Key: "in_transit", Label: "In Transit", Position: 2, Status: shipping.InTransit},
	{Key: "out_for_delivery", Label: "Out for Delivery", Position: 3, Status: shipping.OutForDelivery},
	{Key: "delivered", Label: "Delivered", Position: 4, Status: shipping.OrderDelivered},
}

// AllStatuses returns the built-in and the own statuses in their order, numbered from 1.
func (t *Tracktor) AllStatuses() []TracktorStatus {
	out := slices.Clone(TracktorBuiltIn)
	own := slices.Clone(t.Statuses)
	slices.SortStableFunc(own, func(a, b TracktorStatus) int { return cmp.Compare(a.Position, b.Position) })
	for _, s := range own {
		out = slices.Insert(out, min(max(s.Position-1, 0), len(out)), s)
	}
	for i := range out {
		out[i].Position = i + 1
	}
	return out
}

// Mapped returns what the mapping says of a carrier's name, "" where it says nothing.
func (t *Tracktor) Mapped(name string) string {
	for from, to := range t.CarrierMapping {
		if strings.EqualFold(strings.TrimSpace(from), strings.TrimSpace(name)) {
			return to
		}
	}
	return ""
}

// TracktorTenant returns the tenant that a name in the surface's paths means, by its id or an alias; nil for none.
func (c *Config) TracktorTenant(name string) *Tenant {
	if t := c.Tenants[name]; t != nil {
		return t
	}
	for _, t := range c.Tenants {
		if slices.Contains(t.Tracktor.Aliases, name) {
			return t
		}
	}
	return nil
}

var (
	tracktorAlias = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)
	tracktorKey   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)
)

// maxTracktorStatuses bounds a shop's own statuses: each fulfilment lists them all.
const maxTracktorStatuses = 50

func checkTracktor(t *Tenant, path string, at reporter) {
	c := &t.Tracktor
	for i, alias := range c.Aliases {
		if !tracktorAlias.MatchString(alias) {
			at(fmt.Sprintf("%s.aliases[%d]", path, i), "use letters, digits, dots, - and _", "%q cannot stand in a path", alias)
		}
	}
	if len(c.ShopURL) > shipping.MaxText {
		at(path+".shop_url", "", "must be at most %d characters", shipping.MaxText)
	}
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.CarrierMapping)) {
		where := path + ".carrier_mapping." + name
		folded := strings.ToLower(strings.TrimSpace(name))
		if other, taken := seen[folded]; taken {
			at(where, "case does not count", "says the same as %q", other)
		}
		seen[folded] = name
		to := c.CarrierMapping[name]
		if _, known := number.Lookup(to); !known && t.Accounts[to] == nil {
			at(where, didYouMean(to, slices.Collect(maps.Keys(t.Accounts))), "%q is neither an account of the tenant nor a courier's code", to)
		}
	}
	checkTracktorStatuses(c.Statuses, path+".statuses", at)
}

func checkTracktorStatuses(list []TracktorStatus, path string, at reporter) {
	if len(list) > maxTracktorStatuses {
		at(path, "", "must be at most %d", maxTracktorStatuses)
	}
	keys := map[string]bool{}
	for _, s := range TracktorBuiltIn {
		keys[s.Key] = true
	}
	shown := map[shipping.Status]string{}
	for i, s := range list {
		where := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !tracktorKey.MatchString(s.Key):
			at(where+".key", "use lower-case letters, digits and _", "%q cannot be a status's key", s.Key)
		case keys[s.Key]:
			at(where+".key", "", "another status has the key %q", s.Key)
		}
		keys[s.Key] = true
		var f shipping.Faults
		f.Required("label", s.Label, shipping.MaxText)
		report(f, where, at)
		if s.Position < 1 || s.Position > len(TracktorBuiltIn)+len(list) {
			at(where+".position", "it is the place in the list of all statuses", "must be between 1 and %d", len(TracktorBuiltIn)+len(list))
		}
		checkStatus(string(s.Status), where+".status", at)
		byHand := slices.ContainsFunc(TracktorBuiltIn, func(b TracktorStatus) bool { return b.Status == s.Status })
		if other := shown[s.Status]; other != "" && !byHand {
			at(where+".status", "carriers could mean either", "%s is what %q stands for already", s.Status, other)
		}
		shown[s.Status] = s.Key
	}
}

// checkTracktorNames checks what must hold over all tenants: a name in a path means one.
func checkTracktorNames(c *Config, at reporter) {
	owner := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(c.Tenants)) {
		for i, alias := range c.Tenants[id].Tracktor.Aliases {
			path := fmt.Sprintf("tenants.%s.tracktor.aliases[%d]", id, i)
			if c.Tenants[alias] != nil && alias != id {
				at(path, "", "%q is the id of another tenant", alias)
			}
			if other, taken := owner[alias]; taken {
				at(path, "", "%q is an alias already, at %s", alias, other)
			}
			owner[alias] = path
		}
	}
}
