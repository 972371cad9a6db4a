package portal

import (
	"cmp"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/core/web/words"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// partView is what the page shows of one delivery.
type partView struct {
	ID       string
	Heading  string // "Part 1 of 2", "" where there is one
	Headline string
	Tone     string // moving, done, trouble or ended: the colour, never the only sign
	Detail   string // why, in the carrier's words
	Expected *factView
	Steps    []stepView
	Driver   *driverView
	Proofs   []linkView
	SignedBy string
	Facts    []factView
	Carrier  *linkView // the carrier's own page
	Return   string
	Items    []string
	Events   []eventView
	Zone     string
}

type stepView struct {
	Label string
	State string // done, current, stopped or "": still to come
	Word  string // the state for those who do not see
	When  *timeView
}

type factView struct {
	Label, Text string
	Machine     string // of a time, for machines
}

type timeView struct{ Text, Machine string }

type linkView struct {
	Label string
	URL   string
}

type driverView struct {
	Name, Vehicle string
	Call          string
	Phone         template.URL // tel:…; "" while nobody may call
}

type eventView struct {
	Text    string
	Carrier string // the carrier's words, where they are not Text
	Place   string
	When    timeView
}

// writer writes a part in one language, for one reader.
type writer struct {
	words.Words
	now     time.Time
	tenant  *config.Tenant
	returns func(*shipment.Shipment, *tracker.Tracker) string
}

func (w *writer) part(d *delivery) partView {
	status, sub := d.status()
	zone := d.zone()
	v := partView{Headline: w.headline(d, status, sub), Tone: d.tone(status), Zone: w.now.In(zone).Format("MST")}
	if d.shipment != nil {
		v.ID = string(d.shipment.ID)
	} else {
		v.ID = string(d.tracker.ID)
	}
	events := w.events(d, zone)
	v.Events, v.Detail = events, w.reason(d, status)
	v.Steps = w.steps(d, zone)
	v.Expected = w.expected(d, zone)
	v.Driver = w.driver(d)
	w.proof(&v, d)
	w.facts(&v, d)
	if status == shipping.OrderDelivered && w.returns != nil {
		v.Return = w.returns(d.shipment, d.tracker)
	}
	return v
}

// collects reports whether the buyer collects the order.
func (d *delivery) collects() bool {
	return d.shipment == nil && d.tracker.Type == "pickup"
}

// wayBack reports whether the delivery is a return: the buyer sends it.
func (d *delivery) wayBack() bool { return d.shipment != nil && d.shipment.ReturnOf != nil }

// failed are the statuses of a return that nobody would take.
var failed = []shipping.Status{shipping.EstimatesFailed, shipping.OrderFailed, shipping.ErrorException}

// wayBackWords are the words of a return. One that failed on its way is not one that nobody took.
func (w *writer) wayBackWords(d *delivery, status shipping.Status) string {
	key := "status.return." + string(status)
	switch {
	case slices.Contains(failed, status) && (!d.shipment.CameToNothing() && status == d.shipment.Status || !d.progress().ActualPickup.IsZero()):
		return w.Say("returns.state.wrong")
	case w.Has(key):
		return w.Say(key)
	}
	return w.Say("status.return.preparing")
}

// headline is the present in words. What keeps an order from being dispatched is the shop's to mend: the buyer is told that it is
// being prepared. What keeps a return is the buyer's to know, who has asked for it.
func (w *writer) headline(d *delivery, status shipping.Status, sub string) string {
	if d.wayBack() {
		return w.wayBackWords(d, status)
	}
	if d.shipment != nil && shipment.StageOf(status) == shipment.BeforeDispatch {
		return w.Say("status.preparing")
	}
	if d.collects() && w.Has("status.collect."+string(status)) {
		return w.Say("status.collect." + string(status))
	}
	if sub != "" && w.Has("status."+sub) {
		return w.Say("status." + sub)
	}
	if w.Has("status." + string(status)) {
		return w.Say("status." + string(status))
	}
	return w.Say("status.preparing")
}

func (d *delivery) tone(status shipping.Status) string {
	if d.wayBack() && slices.Contains(failed, status) {
		return "trouble"
	}
	switch status {
	case shipping.OrderDelivered:
		return "done"
	case shipping.OrderDelayed, shipping.OrderRedelivery, shipping.OrderUndeliverable, shipping.ErrorException:
		return "trouble"
	case shipping.OrderCancelled:
		return "ended"
	}
	return "moving"
}

// worded is what a carrier says to people, "" where it is a code for machines: order_cancelled, OT-12.
func worded(s string) string {
	s = strings.TrimSpace(s)
	if !strings.ContainsAny(s, " \u00a0") && strings.ContainsAny(s, "_0123456789") {
		return ""
	}
	return s
}

// reason says why there is trouble, as the carrier titles it.
func (w *writer) reason(d *delivery, status shipping.Status) string {
	if d.tone(status) != "trouble" {
		return ""
	}
	if d.tracker != nil {
		for i := len(d.tracker.Events) - 1; i >= 0; i-- {
			if e := &d.tracker.Events[i]; e.Status == status && !e.Late {
				if e.Reason != nil {
					return worded(e.Reason.Title)
				}
				return ""
			}
		}
	}
	for i := len(d.changes) - 1; i >= 0; i-- {
		if c := &d.changes[i]; c.Status == status && c.Reason != nil {
			return worded(c.Reason.Title)
		}
	}
	return ""
}

// happened is one line of what is known, whether a tracker or the order's history tells it.
type happened struct {
	status  shipping.Status
	sub     string
	at      time.Time
	carrier string
	place   string
}

func (d *delivery) history() []happened {
	var out []happened
	if d.tracker != nil && len(d.tracker.Events) > 0 {
		for i := range d.tracker.Events {
			e := &d.tracker.Events[i]
			place := strings.Join(notEmpty(e.City, e.State, e.CountryCode), ", ")
			out = append(out, happened{e.Status, e.SubStatus, e.Time.Time, worded(e.CarrierWords), place})
		}
		return out
	}
	for _, c := range d.changes {
		if c.Late || len(out) > 0 && shipment.StageOf(c.Status) == shipment.BeforeDispatch {
			continue // one line says that the order is being prepared, however many tries that takes
		}
		out = append(out, happened{status: c.Status, sub: c.SubStatus, at: c.At})
	}
	if d.shipment == nil && len(out) == 0 {
		out = append(out, happened{status: d.tracker.Status, sub: d.tracker.SubStatus, at: d.tracker.CreatedAt})
	}
	return out
}

func notEmpty(s ...string) []string {
	return slices.DeleteFunc(s, func(v string) bool { return v == "" })
}

// events is the timeline, newest first, one line for what is told twice in a row.
func (w *writer) events(d *delivery, zone *time.Location) []eventView {
	var out []eventView
	for _, h := range d.history() {
		e := eventView{Carrier: h.carrier, Place: h.place, When: w.time(h.at.In(zone))}
		if h.status != "" {
			e.Text = w.headline(d, h.status, h.sub)
		}
		if e.Text == "" || strings.EqualFold(e.Text, e.Carrier) {
			e.Text, e.Carrier = h.carrier, ""
		}
		if e.Text == "" || len(out) > 0 && out[len(out)-1].Text == e.Text && out[len(out)-1].Carrier == e.Carrier && out[len(out)-1].Place == e.Place {
			continue
		}
		out = append(out, e)
	}
	slices.Reverse(out)
	return out
}

func (w *writer) time(t time.Time) timeView {
	return timeView{Text: w.Moment(t, w.now), Machine: t.Format(time.RFC3339)}
}

// steps are the milestones: what has been reached and when, where it stands, what is still to come.
func (w *writer) steps(d *delivery, zone *time.Location) []stepView {
	labels := []string{"step.confirmed", "step.underway", "step.out", "step.delivered"}
	switch {
	case d.collects():
		labels = []string{"step.confirmed", "step.ready", "step.collected"}
	case d.wayBack():
		labels = []string{"step.return.arranged", "step.return.underway", "step.return.arrived"}
	}
	last := len(labels) - 1
	reached := make([]time.Time, len(labels))
	reached[0] = d.created
	at := 0
	for _, h := range d.history() {
		n := d.stepOf(h.status)
		if n > last || n < 0 {
			continue
		}
		at = max(at, n)
		if reached[n].IsZero() || n == 0 && h.at.Before(reached[0]) {
			reached[n] = h.at
		}
	}
	status, _ := d.status()
	if n := d.stepOf(status); n > at {
		at = n
	}
	stopped := status == shipping.OrderCancelled || status == shipping.OrderUndeliverable || status == shipping.ErrorException ||
		d.wayBack() && slices.Contains(failed, status)
	for _, later := range reached[1:] {
		if !later.IsZero() && later.Before(reached[0]) { // a tracker may come after the parcel is on its way
			reached[0] = time.Time{}
		}
	}
	out := make([]stepView, len(labels))
	for i, label := range labels {
		s := stepView{Label: w.Say(label)}
		switch {
		case i < at || i == at && i == last && !stopped:
			s.State = "done"
		case i == at && stopped:
			s.State = "stopped"
		case i == at:
			s.State = "current"
		}
		if s.State != "" {
			s.Word = w.Say("state." + s.State)
			if !reached[i].IsZero() {
				t := w.time(reached[i].In(zone))
				s.When = &t
			}
		}
		out[i] = s
	}
	return out
}

// stepOf is the milestone that a status reaches, -1 for none.
func (d *delivery) stepOf(status shipping.Status) int {
	n := stepOf(status, d.collects())
	if d.wayBack() && n > 1 { // nobody is out for delivery to a buyer
		n--
	}
	return n
}

func stepOf(status shipping.Status, collects bool) int {
	if collects {
		switch status {
		case shipping.Staged, shipping.OrderAtLocation:
			return 1
		case shipping.OrderDelivered:
			return 2
		case "":
			return -1
		}
		return 0
	}
	switch status {
	case shipping.PickupCompleted, shipping.InTransit:
		return 1
	case shipping.OutForDelivery, shipping.OrderAtLocation, shipping.OrderRedelivery:
		return 2
	case shipping.OrderDelivered:
		return 3
	case shipping.OrderDelayed, shipping.OrderUndeliverable, shipping.ErrorException, shipping.OrderCancelled, "":
		return -1
	}
	return 0
}

// expected is when it comes, or came.
func (w *writer) expected(d *delivery, zone *time.Location) *factView {
	status, _ := d.status()
	p := d.progress()
	switch {
	case status == shipping.OrderDelivered && !p.ActualDelivery.IsZero():
		at := w.time(p.ActualDelivery.In(zone))
		label := "delivered"
		switch {
		case d.collects():
			label = "collected"
		case d.wayBack():
			label = "arrived"
		}
		return &factView{Label: w.Say(label), Text: at.Text, Machine: at.Machine}
	case shipment.StageOf(status) == shipment.Finished:
		return nil
	case !p.EstimatedDelivery.IsZero():
		return w.window("expected", p.EstimatedDelivery, zone)
	case d.collects() && !d.order().PickupTime.IsZero():
		return w.window("expected.collect", d.order().PickupTime, zone)
	case !d.order().DeliveryTime.IsZero():
		return w.window("planned", d.order().DeliveryTime, zone)
	}
	return nil
}

func (w *writer) window(label string, x shipping.TimeWindow, zone *time.Location) *factView {
	from, to := x.StartsAt.In(zone), x.EndsAt.In(zone)
	f := &factView{Label: w.Say(label), Machine: from.Format(time.RFC3339)}
	switch {
	case x.EndsAt.IsZero():
		f.Text = w.Say("when.at", "day", w.Day(from, w.now), "time", w.Clock(from))
	case x.StartsAt.IsZero():
		f.Text, f.Machine = w.Say("when.by", "day", w.Day(to, w.now), "time", w.Clock(to)), to.Format(time.RFC3339)
	case words.SameDay(from, to):
		f.Text = w.Say("when.between", "day", w.Day(from, w.now), "from", w.Clock(from), "to", w.Clock(to))
	default:
		f.Text = w.Say("when.days", "from", w.Moment(from, w.now), "to", w.Moment(to, w.now))
	}
	return f
}

// driver is who brings it, by first name; the number can be called only while the delivery is underway.
func (w *writer) driver(d *delivery) *driverView {
	status, _ := d.status()
	x, stage := d.progress().Driver, shipment.StageOf(status)
	if x == nil || stage != shipment.WithCarrier && stage != shipment.Underway {
		return nil
	}
	name, _, _ := strings.Cut(strings.TrimSpace(x.Name), " ")
	v := &driverView{Name: name}
	if c := d.progress().Vehicle; c != nil {
		v.Vehicle = strings.Join(notEmpty(c.Color, c.Type, c.Number), " ")
	}
	if number := dialable(x.Phone); number != "" && stage == shipment.Underway {
		v.Call, v.Phone = w.Say("call", "name", name), template.URL("tel:"+number) // digits and + alone
	}
	if *v == (driverView{}) {
		return nil
	}
	return v
}

// dialable is a number as a telephone takes it, "" for what is none.
func dialable(s string) string {
	number := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, s)
	if strings.LastIndexByte(number, '+') > 0 || len(number) < 5 {
		return ""
	}
	return number
}

// proof links to what the carrier has kept. Nothing of it is loaded into the page.
func (w *writer) proof(v *partView, d *delivery) {
	for _, x := range d.progress().Proofs {
		if u, err := url.Parse(x.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			continue
		}
		label := w.Say("proof.other")
		for _, kind := range []string{"photo", "signature"} {
			if strings.Contains(strings.ToLower(x.Type), kind) {
				label = w.Say("proof." + kind)
			}
		}
		v.Proofs = append(v.Proofs, linkView{label, x.URL})
	}
	if d.tracker != nil && d.tracker.SignedBy != "" {
		v.SignedBy = w.Say("signedby", "name", d.tracker.SignedBy)
	}
}

// facts are the small things: which order, which number, from where to where, what is in it.
func (w *writer) facts(v *partView, d *delivery) {
	o := d.order()
	add := func(label, text string) {
		if text != "" {
			v.Facts = append(v.Facts, factView{Label: w.Say(label), Text: text})
		}
	}
	name := "order"
	if d.wayBack() {
		name = "order.return"
	}
	add(name, o.ExternalID)
	carrier, number, page := "", "", ""
	if d.shipment != nil {
		if a := d.shipment.Shown(); a != nil {
			carrier, number, page = a.DisplayName, a.Booking.TrackingID, a.Booking.TrackingURL
			if carrier == "" {
				carrier = a.Provider
			}
		}
	} else {
		carrier, number, page = w.carrierOf(d.tracker), d.tracker.Number, d.tracker.TrackingURL
	}
	add("carrier", carrier)
	add("number", number)
	if p := d.pickup(); p != nil && d.collects() {
		add("pickup", strings.Join(notEmpty(p.Name, p.Address.Street1, p.Address.City), ", "))
	}
	add("destination", strings.Join(notEmpty(o.DeliveryAddress.City, o.DeliveryAddress.State), ", "))
	if u, err := url.Parse(page); err == nil && u.Scheme == "https" && u.Host != "" {
		v.Carrier = &linkView{w.Say("carrierpage", "carrier", carrier), page}
	}
	for _, it := range o.Items {
		if it.Title != "" {
			v.Items = append(v.Items, times(it.Quantity)+it.Title)
		}
	}
}

// carrierOf names the carrier of a tracker: as its account is called, else as it calls itself.
func (w *writer) carrierOf(t *tracker.Tracker) string {
	a := w.tenant.Accounts[t.Account]
	if a == nil {
		return t.Provider
	}
	if courier, ok := number.Lookup(a.Adapter); ok && a.Name == "" {
		return courier.Name
	}
	return cmp.Or(a.Name, t.Provider, a.Adapter)
}

func (d *delivery) pickup() *shipment.Place {
	if d.shipment != nil {
		return &d.shipment.Pickup
	}
	return d.tracker.Pickup
}
