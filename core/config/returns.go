package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Returns is whether and how what a tenant has delivered may be sent back.
type Returns struct {
	Enabled *bool         `yaml:"enabled"` // default true
	Window  time.Duration `yaml:"window"`  // how long after the delivery; default 30 days
	// Location is the id of the location that returns go to, where the location that the order left from names no return_location.
	// Default: they go to where they left from.
	Location string `yaml:"location"`
	// Package is the name of one of the tenant's package presets: what a return is packed in where nobody says, as for trackers that
	// name no package. Default none: who asks for such a return must say, and buyers are sent to the shop.
	Package string `yaml:"package"`
	// Reasons are what a buyer may choose from; default a list of common ones.
	Reasons []ReturnReason `yaml:"reasons"`
	// Exchanges lets buyers ask for other goods instead of their money.
	Exchanges bool `yaml:"exchanges"`
	// Page lets buyers ask for returns themselves, at /returns/{token}.
	Page  bool        `yaml:"page"`
	Words ReturnWords `yaml:"words"`
}

// ReturnReason is one reason to send something back.
type ReturnReason struct {
	ID   string `yaml:"id"`
	Text string `yaml:"text"` // as the page shows it
}

// ReturnWords are the merchant's own words on the page, in whatever language it is. Each has a default in the language of the page; words
// by language are the portal's, under keys that begin with returns.
type ReturnWords struct {
	Title   string `yaml:"title"`
	Intro   string `yaml:"intro"`   // above the form
	Packing string `yaml:"packing"` // beside the label
}

// On reports whether returns may be asked for.
func (r *Returns) On() bool { return r.Enabled == nil || *r.Enabled }

// Reason returns the reason with this id.
func (r *Returns) Reason(id string) (ReturnReason, bool) {
	if i := slices.IndexFunc(r.Reasons, func(x ReturnReason) bool { return x.ID == id }); i >= 0 {
		return r.Reasons[i], true
	}
	return ReturnReason{}, false
}

// ReasonIDs are the ids of the reasons, in their order.
func (r *Returns) ReasonIDs() []string {
	out := make([]string, len(r.Reasons))
	for i, x := range r.Reasons {
		out[i] = x.ID
	}
	return out
}

func (r *Returns) defaults() {
	yes := true
	fill(&r.Enabled, &yes)
	fill(&r.Window, 30*day)
	if r.Reasons == nil {
		r.Reasons = []ReturnReason{
			{"too_small", "It is too small"}, {"too_large", "It is too large"}, {"damaged", "It arrived damaged"},
			{"wrong_item", "It is not what I ordered"}, {"not_as_described", "It is not as described"},
			{"changed_mind", "I changed my mind"}, {"other", "Another reason"},
		}
	}
}

var reasonID = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)

func checkReturns(t *Tenant, path string, at reporter) {
	r := &t.Returns
	if r.Location != "" && t.Locations[r.Location] == nil {
		at(path+".location", didYouMean(r.Location, slices.Collect(maps.Keys(t.Locations))), "there is no location %q", r.Location)
	}
	if r.Package != "" {
		switch preset, ok := t.Preset(r.Package); {
		case !ok:
			at(path+".package", didYouMean(r.Package, slices.Collect(maps.Keys(t.Packages))), "there is no package %q", r.Package)
		case preset.Size.Unit == "" || preset.Weight.Unit == "":
			at(path+".package", "give it both under packages", "the package %q needs a size and a weight", r.Package)
		}
	}
	if len(r.Reasons) == 0 {
		at(path+".reasons", "leave it out for the common ones", "at least one reason is needed")
	}
	for i, x := range r.Reasons {
		where := fmt.Sprintf("%s.reasons[%d]", path, i)
		if !reasonID.MatchString(x.ID) {
			at(where+".id", "use lower-case letters, digits and _", "%q cannot be a reason's id", x.ID)
		}
		if first, _ := r.Reason(x.ID); first != x || slices.Contains(r.Reasons[:i], x) {
			at(where+".id", "", "the reason %q is named twice", x.ID)
		}
		var f shipping.Faults
		f.Required("text", x.Text, shipping.MaxText)
		report(f, where, at)
	}
	var f shipping.Faults
	f.Line("title", r.Words.Title, shipping.MaxText)
	f.Text("intro", r.Words.Intro, shipping.MaxNote)
	f.Text("packing", r.Words.Packing, shipping.MaxNote)
	report(f, path+".words", at)
}
