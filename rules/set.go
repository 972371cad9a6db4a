package rules

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

type setRule struct {
	head
	assign []assignment
}

// assignment is one attribute of a set rule: an amount, a text, a moment, a weight or a fixed value.
type assignment struct {
	attribute string
	amount    *amount
	text      *template
	moment    *formula.Formula
	weight    *shipping.Weight
	value     string
}

// settable are the attributes that set can set: those that are carried out.
var settable = []string{"signature", "id_check", "tip", "tip_max", "instructions", "pickup_instructions", "label_format", "vehicle", "ship_date", "weight"}

// notSettable are attributes that other programs set, with the reason why nothing would come of them here.
var notSettable = map[string]string{
	"contactless":  "carriers are not told per order: an account's own configuration asks for it, or instructions say it",
	"insurance":    "adapters take no insured value, so that the parcel would not be insured",
	"packing_slip": "no packing slips are printed here; pickup_instructions tell those who pack",
	"tags":         "an order's tags are the shop's, which sends them in orderAttributes",
}

var (
	labelFormats = []string{"GIF", "PNG", "ZPL", "EPL", "PDF"}
	idChecks     = []string{"age_18", "age_21"}
	// vehicles are what couriers come by, the smallest first.
	vehicles   = []string{"foot", "bike", "scooter", "car", "van", "truck"}
	weightText = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?(lb|oz|kg|g)$`)
)

// nextBusinessDay is the one ship_date that has a name.
const nextBusinessDay = "next_business_day"

func (r *reading) set() {
	n := r.member("set")
	if n == nil || n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.fault(r.node, "E502", "the rule sets nothing", "set: { signature: adult }")
		return
	}
	rule := setRule{head: r.head}
	for _, p := range r.mapping(n, "set", nil) {
		if a, ok := r.assignment(p); ok {
			rule.assign = append(rule.assign, a)
		}
	}
	if r.enabled {
		r.bundle.sets = append(r.bundle.sets, rule)
	}
}

func (r *reading) assignment(p pair) (assignment, bool) {
	a := assignment{attribute: p.key}
	switch p.key {
	case "signature":
		a.value = r.oneOf(p.value, p.key, shipping.Signatures)
	case "id_check":
		a.value = r.oneOf(p.value, p.key, idChecks)
	case "label_format":
		a.value = r.oneOf(p.value, p.key, labelFormats)
	case "vehicle":
		a.value = r.oneOf(p.value, p.key, vehicles)
	case "tip", "tip_max":
		a.amount = r.bound(p.value, p.key)
	case "instructions", "pickup_instructions":
		a.text = r.template(r.source, p.value, p.key, r.env)
	case "ship_date":
		r.shipDate(&a, p.value)
	case "weight":
		a.weight = r.weight(p.value)
	default:
		if why := notSettable[p.key]; why != "" {
			r.fault(p.node, "E506", fmt.Sprintf("%s cannot be set: %s", p.key, why), "it can set: "+strings.Join(settable, ", "))
		} else {
			r.guess(p.node, "E107", fmt.Sprintf("there is no attribute %q to set", p.key), settable)
		}
		return a, false
	}
	return a, true
}

// shipDate reads next_business_day, a day, or an expression.
func (r *reading) shipDate(a *assignment, n *yaml.Node) {
	text := r.text(n, "ship_date")
	if _, err := time.Parse(time.DateOnly, text); err == nil || text == nextBusinessDay {
		a.value = text
	} else if text != "" {
		a.moment = r.formula(r.source, n, r.env, formula.Moment)
	}
}

// weight reads "2.5 lb".
func (r *reading) weight(n *yaml.Node) *shipping.Weight {
	m := weightText.FindStringSubmatch(r.text(n, "weight"))
	if m == nil {
		r.fault(n, "E505", fmt.Sprintf("weight is not a weight: %q", n.Value), "write 2.5 lb, 40 oz, 1.2 kg or 800 g: what each parcel weighs")
		return nil
	}
	d, err := shipping.ParseDecimal(m[1])
	w := shipping.Weight{Value: d, Unit: m[2]}
	var faults shipping.Faults
	if w.Validate(&faults, "weight"); err != nil || len(faults) > 0 {
		r.fault(n, "E505", fmt.Sprintf("weight is out of range: %q", n.Value), "a parcel weighs more than nothing and at most 100 t")
	}
	return &w
}

// belowZero is what faults say of money that nobody can get or pay.
const belowZero = "which is below zero"

// settings are what set rules have said so far.
type settings struct {
	Settings
	tipMax  *shipping.Money
	idCheck bool
}

func (r *run) set() Settings {
	r.phase = PhaseSet
	var s settings
	for i := range r.bundle.sets {
		rule := &r.bundle.sets[i]
		if !r.holds(&rule.head) {
			continue
		}
		for _, a := range rule.assign {
			value, err := r.assign(&s, rule.name, a)
			if err != nil {
				r.fault(rule.name, err)
				continue
			}
			s.overwrite(a.attribute, rule.name)
			s.By = append(s.By, Assignment{Attribute: a.attribute, Value: value, Rule: rule.name})
		}
	}
	if s.idCheck && s.Signature != "adult" { // the signature of an adult is how carriers call a look at the passport
		s.Signature = "adult"
		s.overwrite("signature", lastBy(s.By, "id_check"))
	}
	r.capTip(&s.Settings, s.tipMax)
	return s.Settings
}

// overwrite notes that a rule sets what others had set.
func (s *settings) overwrite(attribute, rule string) {
	for n := range s.By {
		if s.By[n].Attribute == attribute && s.By[n].OverwrittenBy == "" {
			s.By[n].OverwrittenBy = rule
		}
	}
}

// assign sets one attribute and returns its value as a record shows it.
func (r *run) assign(s *settings, rule string, a assignment) (string, error) {
	value := a.value
	switch a.attribute {
	case "signature":
		s.Signature = value
	case "id_check":
		s.idCheck = true
	case "label_format":
		s.LabelFormat = shipping.LabelFormat(value)
	case "vehicle":
		s.Vehicle = value
	case "instructions":
		value = r.text(rule, a.text)
		s.Instructions = value
	case "pickup_instructions":
		value = r.text(rule, a.text)
		s.PickupInstructions = value
	case "weight":
		s.Weight = a.weight
		value = a.weight.Value.String() + " " + a.weight.Unit
	case "ship_date":
		at, err := r.shipAt(a)
		if err != nil {
			return "", err
		}
		s.ShipAt = at
		value = at.Format(time.RFC3339)
	case "tip", "tip_max":
		m, err := a.amount.eval(r.m, r.order.Total)
		if err != nil {
			return "", err
		}
		if m.Minor < 0 && !r.eager {
			r.fault(rule, fmt.Errorf("%s comes to %s, "+belowZero+": it counts as nothing", a.attribute, m))
			m.Minor = 0
		}
		value = m.String()
		if a.attribute == "tip" {
			s.Tip = &m
		} else {
			s.tipMax = &m
		}
	}
	return value, nil
}

// shipAt is the moment that a ship_date means: of a day its beginning, at the location.
func (r *run) shipAt(a assignment) (time.Time, error) {
	switch {
	case a.moment != nil:
		v, err := r.eval(a.moment)
		if err != nil {
			return time.Time{}, err
		}
		return instant(v.(time.Time)), nil
	case a.value == nextBusinessDay:
		return r.in.Location.NextBusinessMorning, nil
	}
	zone, err := time.LoadLocation(r.in.Location.Zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("the location's zone: %w", err)
	}
	day, err := time.ParseInLocation(time.DateOnly, a.value, zone)
	return instant(day), err
}

// weigh gives the order the weight that rules set for each of its parcels.
func (o *Order) weigh(each *shipping.Weight) {
	all := new(big.Rat).Mul(each.Grams(), big.NewRat(int64(max(o.Parcels, 1)), 1))
	if w, err := unit.FromRat(all); err == nil {
		o.Weight.Rational = w
	}
}

// tooSmall says of an option that comes by less than what rules ask for, "" where it does not, or nobody knows.
func (s *Settings) tooSmall(vehicle string) string {
	comes, needed := slices.Index(vehicles, vehicle), slices.Index(vehicles, s.Vehicle)
	if comes < 0 || comes >= needed {
		return ""
	}
	return fmt.Sprintf("comes by %s, and the rules ask for a %s", vehicle, s.Vehicle)
}

// capTip keeps a tip that rules set between zero and tip_max. Of either that is below zero assign has told; records of before say nothing of it.
func (r *run) capTip(s *Settings, most *shipping.Money) {
	if s.Tip == nil {
		return
	}
	if s.Tip.Minor < 0 {
		s.Tip.Minor = 0
	}
	if most == nil {
		return
	}
	over, err := unit.CompareMoney(*s.Tip, *most)
	if err != nil {
		r.fault(lastBy(s.By, "tip_max"), err)
	} else if over > 0 {
		s.Tip = most
	}
}

func lastBy(by []Assignment, attribute string) string {
	rule := ""
	for _, a := range by {
		if a.Attribute == attribute {
			rule = a.Rule
		}
	}
	return rule
}
