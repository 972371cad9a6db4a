package shop

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracker/number"
)

// OrderView is an order as it is, or was when it was told.
type OrderView struct {
	Order
	Days        int              `json:"days"` // whole days from the order to its delivery, or to now
	Automatic   bool             `json:"automatic"`
	Fulfilments []FulfilmentView `json:"fulfilments"` // oldest first
}

// FulfilmentView is a fulfilment as it is, or was when it was told.
type FulfilmentView struct {
	Fulfilment
	ShopURL   string     `json:"shopUrl"`
	OrderName string     `json:"orderName"`
	Fulfilled string     `json:"fulfilled"` // of the order
	Carrier   Carrier    `json:"carrier"`
	Number    string     `json:"number"` // the first
	Status    string     `json:"status"` // key
	Exception string     `json:"exception"`
	Automatic bool       `json:"automatic"` // the carrier is asked, or tells
	Latest    Latest     `json:"latest"`
	Steps     []Step     `json:"steps"`
	Delivered *time.Time `json:"delivered,omitempty"` // when, where it is
}

// Carrier is who really carries a fulfilment.
type Carrier struct {
	Slug        string `json:"slug"`
	Name        string `json:"name"`
	Website     string `json:"website"`     // "" where none is known
	TrackingURL string `json:"trackingUrl"` // likewise
}

// Latest is the last thing that happened.
type Latest struct {
	Status      string    `json:"status"` // key, or the exception
	Label       string    `json:"label"`
	Message     string    `json:"message"`  // the carrier's words
	Location    string    `json:"location"` // city, state, country, as far as they are known
	At          time.Time `json:"at"`
	CarrierTime string    `json:"carrierTime"` // At as the carrier's clock showed it, "" where it showed none
	IsException bool      `json:"isException"`
}

// Step is one of the shop's statuses, and whether the fulfilment has come so far.
type Step struct {
	Key       string    `json:"key"`
	Label     string    `json:"label"`
	Position  int       `json:"position"`
	Completed bool      `json:"completed"`   // what every shop has counts as completed where it was passed over
	At        time.Time `json:"at,omitzero"` // when; zero where it was passed over
}

// view shows an order. at says which moment each fulfilment is shown in; nil for now.
func (o *order) view(now time.Time, at map[*parcel]moment) OrderView {
	c := catalogueOf(o.tenant)
	v := OrderView{Order: o.doc.Order, Automatic: true, Fulfilments: []FulfilmentView{}}
	v.ID = o.id
	delivered, end := len(o.parcels) > 0, time.Time{}
	for _, p := range o.parcels {
		m, ok := at[p]
		if !ok {
			m = p.present(c)
		}
		f := o.viewOf(p, m)
		v.Fulfilments = append(v.Fulfilments, f)
		v.Automatic = v.Automatic && f.Automatic
		if f.Delivered == nil {
			delivered = false
		} else if f.Delivered.After(end) {
			end = *f.Delivered
		}
	}
	if !delivered {
		end = now
	}
	if ordered := o.doc.CreatedAt; !ordered.IsZero() && end.After(ordered) {
		v.Days = int(end.Sub(ordered) / (24 * time.Hour))
	}
	return v
}

// viewOf shows a fulfilment in a moment.
func (o *order) viewOf(p *parcel, m moment) FulfilmentView {
	c := catalogueOf(o.tenant)
	v := FulfilmentView{Fulfilment: p.doc.Fulfilment, ShopURL: o.tenant.Tracktor.ShopURL, OrderName: o.doc.Name, Fulfilled: o.doc.Fulfilled,
		Number: p.t.Number, Status: m.Status, Exception: m.Exception, Automatic: p.doc.Manual == nil && !p.doc.Cancelled && p.t.ErasedAt.IsZero() && p.t.Account != "" && p.t.Number != ""}
	v.ID, v.OrderID = idOf(p.t), orderOf(p.t)
	if v.OrderName == "" { // the order has not come yet: a fulfilment is called #1001.1
		v.OrderName, _, _ = strings.Cut(p.doc.Name, ".")
	}
	v.Carrier = carrierOf(o.tenant, p)
	here := c.place(m.Status)
	line := p.timeline(c)
	for _, s := range c {
		step := Step{Key: s.Key, Label: s.Label, Position: s.Position, Completed: s.Position <= here}
		i := slices.IndexFunc(line, func(x moment) bool { return x.Status == s.Key && !x.At.After(m.At) })
		switch {
		case i >= 0 && step.Completed:
			step.At = line[i].At
		case !isBuiltIn(s.Key): // nobody must come by it
			step.Completed = false
		}
		v.Steps = append(v.Steps, step)
		if s.Key == last && step.Completed {
			when := cmp.Or(step.At, m.At)
			v.Delivered = &when
		}
	}
	status, _ := c.find(m.Status)
	v.Latest = Latest{Status: m.Status, Label: status.Label, At: m.At}
	if m.Exception != "" {
		v.Latest.Status, v.Latest.Label, v.Latest.IsException = m.Exception, exceptionLabels[m.Exception], true
	}
	if e := m.Event; e != nil {
		v.Latest.Message, v.Latest.Location = e.CarrierWords, place(e)
		if e.Time.Equal(m.At) {
			v.Latest.CarrierTime = e.Clock()
		}
	}
	return v
}

func place(e *tracker.Event) string {
	var parts []string
	for _, s := range []string{e.City, e.State, e.CountryCode} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// carrierOf says who really carries a fulfilment: by the shop's mapping, else by the account that is asked, else by what the shop
// calls it, else by the number.
func carrierOf(t *config.Tenant, p *parcel) Carrier {
	company := p.doc.Company
	v := Carrier{Slug: slug(company), Name: company}
	courier, known := number.Lookup(t.Tracktor.Mapped(company))
	if a := t.Accounts[cmp.Or(t.Tracktor.Mapped(company), p.t.Account)]; a != nil && !known {
		v = Carrier{Slug: slug(a.ID), Name: cmp.Or(a.Name, a.Adapter)}
		courier, known = number.Lookup(a.Adapter)
	}
	if !known && v.Slug == slug(company) {
		courier, known = named(company)
	}
	if !known && company == "" && len(p.t.Couriers) > 0 {
		courier, known = number.Lookup(p.t.Couriers[0])
	}
	if known {
		v = Carrier{Slug: courier.Code, Name: courier.Name, Website: courier.Website, TrackingURL: courier.TrackingURL(p.t.Number)}
	}
	v.TrackingURL = cmp.Or(p.doc.TrackingURL, p.t.TrackingURL, v.TrackingURL)
	return v
}

// named finds a courier by its code or its name, in any case.
func named(company string) (number.Courier, bool) {
	if company == "" {
		return number.Courier{}, false
	}
	if c, ok := number.Lookup(slug(company)); ok {
		return c, true
	}
	for _, c := range number.Couriers() {
		if strings.EqualFold(c.Name, company) {
			return c, true
		}
	}
	return number.Courier{}, false
}

// slug is a name in lower-case letters and digits, with _ for all between.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.TrimRight(b.String(), "_")
}
