package doordash

import (
	"bytes"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/waybill-dev/waybill/simulator"
)

// requested reads and checks a quote or a delivery; it returns what to answer
// when it will not do.
func (d *Dialect) requested(x *simulator.Exchange, required ...string) (request, *simulator.Response) {
	req, err := read(x.Body)
	if err != nil {
		return nil, refuse(invalidField("body", "is not a JSON object"))
	}
	x.Reference = req.text("external_delivery_id")
	faults := slices.Concat(req.check(required...), req.checkPickup(), req.checkTimes(x.World.CallerTimes()))
	if len(faults) > 0 {
		return nil, refuse(invalidFields(faults))
	}
	return req, d.unknownStore(req)
}

func refuse(r simulator.Response) *simulator.Response { return &r }

func (d *Dialect) unknownStore(req request) *simulator.Response {
	if _, given := req["pickup_external_store_id"]; !given {
		return nil
	}
	if _, ok := d.cfg.Stores[storeKey(req)]; !ok {
		return refusal(http.StatusNotFound, "unknown_store_id_under_business_id", "The business has no such store.")
	}
	return nil
}

func (d *Dialect) quote(x *simulator.Exchange) simulator.Act {
	req, refused := d.requested(x, "external_delivery_id", "dropoff_address")
	if refused != nil {
		return simulator.Answer(*refused)
	}
	return func(tx *simulator.Tx) simulator.Response { return d.add(tx, x, req, quoted) }
}

func (d *Dialect) create(x *simulator.Exchange) simulator.Act {
	req, refused := d.requested(x, "external_delivery_id", "dropoff_address", "dropoff_phone_number")
	if refused != nil {
		return simulator.Answer(*refused)
	}
	return func(tx *simulator.Tx) simulator.Response { return d.add(tx, x, req, created) }
}

// add puts a quote or a delivery into the world. A quote holds its id for ever,
// so that the delivery comes about only by accepting it.
func (d *Dialect) add(tx *simulator.Tx, x *simulator.Exchange, req request, state simulator.State) simulator.Response {
	id := req.text("external_delivery_id")
	if known := tx.Find(Name, id); known != nil {
		same := known.Account == x.Account && known.State != quoteExpired && (state == quoted) == (known.State == quoted) &&
			bytes.Equal(known.Data.(*delivery).body, req.encode())
		if d.cfg.Duplicates == SameBodyReturnsExisting && same {
			return d.answer(known)
		}
		return duplicateDelivery(id)
	}
	v := &delivery{prefix: x.Prefix}
	if reason := d.fill(tx, id, v, req); reason != "" {
		return notDeliverable(reason)
	}
	v.support = tx.Rand(Name, id, "support").Int64N(1e10)
	e := &simulator.Entity{Carrier: Name, ID: id, Reference: id, Kind: "delivery", Account: x.Account, State: state, Data: v}
	if err := tx.Add(e, "request"); err != nil {
		return duplicateDelivery(id)
	}
	if state == created {
		d.Entered(tx, e, "")
		return d.answer(e)
	}
	v.expires = tx.Now().Add(quoteValidity)
	d.endAlone(tx, e)
	return d.answer(e)
}

// endAlone schedules the ends that come by themselves: of a quote that nobody
// takes, and of any delivery in the sandbox.
func (d *Dialect) endAlone(tx *simulator.Tx, e *simulator.Entity) {
	switch {
	case e.State == quoted:
		tx.At(e, e.Data.(*delivery).expires, func(tx *simulator.Tx) {
			if e.State == quoted {
				_ = tx.Move(e, quoteExpired, "rule") // legal from quoted
			}
		})
	case d.cfg.AutoCancel:
		tx.At(e, firstIn(e, created).Add(sandboxLife), func(tx *simulator.Tx) {
			if tx.Machine(Name).Legal(e.State, cancelled) {
				_ = tx.MoveFor(e, cancelled, "sandbox", d.Reasons(e, cancelled)[0]) // legal: asked above
			}
		})
	}
}

// firstIn is when the delivery first came into a state; zero if never.
func firstIn(e *simulator.Entity, s simulator.State) time.Time {
	for _, m := range e.Timeline {
		if m.State == s {
			return m.At
		}
	}
	return time.Time{}
}

// owned finds a delivery of the caller's own; nil when it has none of that id.
func owned(tx *simulator.Tx, x *simulator.Exchange) *simulator.Entity {
	e := tx.Find(Name, x.Vars["id"])
	if e == nil || e.Account != x.Account {
		return nil
	}
	return e
}

func (d *Dialect) accept(x *simulator.Exchange) simulator.Act {
	x.Reference = x.Vars["id"]
	change, err := read(x.Body)
	if err != nil {
		return simulator.Answer(invalidField("body", "is not a JSON object"))
	}
	if faults := change.check(); len(faults) > 0 {
		return simulator.Answer(invalidFields(faults))
	}
	return func(tx *simulator.Tx) simulator.Response {
		e := owned(tx, x)
		switch {
		case e == nil, e.State == quoteExpired && d.cfg.LateAccept == lateAcceptAsUnknown:
			return unknownDelivery(x.Reference)
		case e.State == quoteExpired:
			return invalidField("external_delivery_id", "the quote has expired")
		case e.State != quoted:
			return duplicateDelivery(x.Reference)
		}
		v := e.Data.(*delivery)
		if len(change) > 0 || !v.reachable {
			req, _ := read(v.body) // our own encoding
			req.merge(change, onAccept)
			if faults := req.check("dropoff_phone_number"); len(faults) > 0 {
				return invalidFields(faults)
			}
			v.body, v.tip, v.reachable = req.encode(), req.cents("tip"), true
		}
		if err := tx.Move(e, created, "request"); err != nil {
			return d.Fault(http.StatusInternalServerError)
		}
		return d.answer(e)
	}
}

func (d *Dialect) get(x *simulator.Exchange) simulator.Act {
	x.Reference = x.Vars["id"]
	return func(tx *simulator.Tx) simulator.Response {
		e := owned(tx, x)
		if e == nil || e.State == quoteExpired {
			return unknownDelivery(x.Reference)
		}
		return d.answer(e)
	}
}

// updateRefusal is why a delivery may no longer be changed, or "". While a
// Dasher is on the way only the dropoff's side may be (chosen).
func updateRefusal(s simulator.State, change request) string {
	switch s {
	case quoted:
		return "delivery_creation_in_progress"
	case created:
		return ""
	case confirmed, toPickup, atPickup:
		for _, name := range []string{"pickup_address", "pickup_external_store_id", "pickup_time", "pickup_window"} {
			if _, ok := change[name]; ok {
				return "update_window_closed"
			}
		}
		return ""
	case delivered, returned:
		return "delivery_completed"
	case cancelled:
		return "delivery_cancelled"
	}
	return "delivery_picked_up"
}

func (d *Dialect) update(x *simulator.Exchange) simulator.Act {
	x.Reference = x.Vars["id"]
	change, err := read(x.Body)
	if err != nil {
		return simulator.Answer(invalidField("body", "is not a JSON object"))
	}
	delete(change, "external_delivery_id") // the path says which; it cannot be changed
	faults := append(change.check(), change.checkTimes(x.World.CallerTimes())...)
	if len(faults) > 0 {
		return simulator.Answer(invalidFields(faults))
	}
	return func(tx *simulator.Tx) simulator.Response {
		e := owned(tx, x)
		if e == nil || e.State == quoteExpired {
			return unknownDelivery(x.Reference)
		}
		if reason := updateRefusal(e.State, change); reason != "" {
			return notAllowed("update_not_allowed", reason)
		}
		return d.change(tx, e, change)
	}
}

// change applies an update that is allowed, and settles the difference in money.
func (d *Dialect) change(tx *simulator.Tx, e *simulator.Entity, change request) simulator.Response {
	v := e.Data.(*delivery)
	req, _ := read(v.body) // our own encoding
	if _, moved := change["dropoff_address"]; moved {
		delete(req, "dropoff_location") // of the old address, unless the update brings one
	}
	for _, leg := range []string{"pickup", "dropoff"} {
		_, at := change[leg+"_time"]
		if _, during := change[leg+"_window"]; at || during {
			delete(req, leg+"_time")
			delete(req, leg+"_window")
		}
	}
	req.merge(change, nil)
	if faults := req.checkPickup(); len(faults) > 0 {
		return invalidFields(faults)
	}
	if refused := d.unknownStore(req); refused != nil {
		return *refused
	}
	next := *v
	if reason := d.fill(tx, e.ID, &next, req); reason != "" {
		return notDeliverable(reason)
	}
	more := next.fee + next.tip - v.fee - v.tip
	*v = next
	e.Updated = tx.Now()
	tx.Touch(e)
	switch {
	case more > 0:
		d.charge(tx, e, more, "update")
	case more < 0:
		v.owed += more
		tx.RecordOf(e, simulator.Refund, -more, currency, "update")
	}
	return d.answer(e)
}

// cancelRefusal is why a delivery may no longer be cancelled, or "". By
// contract it may not once a Dasher is assigned.
func cancelRefusal(s simulator.State) string {
	switch s {
	case quoted:
		return "delivery_creation_in_progress"
	case created:
		return ""
	case confirmed, toPickup, atPickup:
		return "cancellation_window_closed"
	case delivered, returned:
		return "delivery_completed"
	case cancelled:
		return "delivery_cancelled"
	}
	return "delivery_picked_up"
}

func (d *Dialect) cancel(x *simulator.Exchange) simulator.Act {
	x.Reference = x.Vars["id"]
	var req struct {
		Reason string `json:"reason_code"`
		Return bool   `json:"should_create_return_delivery"`
	}
	if len(bytes.TrimSpace(x.Body)) > 0 && json.Unmarshal(x.Body, &req) != nil {
		return simulator.Answer(invalidField("body", "is not an object with a string reason_code and a boolean should_create_return_delivery"))
	}
	return func(tx *simulator.Tx) simulator.Response {
		e := owned(tx, x)
		if e == nil || e.State == quoteExpired {
			return unknownDelivery(x.Reference)
		}
		// Goods that must stay cold go back instead, as long as the Dasher has them.
		if req.Reason == "cold_chain" && req.Return && tx.Machine(Name).Legal(e.State, toReturn) {
			if err := tx.Move(e, toReturn, "request"); err != nil {
				return d.Fault(http.StatusInternalServerError)
			}
			return d.answer(e)
		}
		if reason := cancelRefusal(e.State); reason != "" {
			return notAllowed("cancel_not_allowed", reason)
		}
		if err := tx.MoveFor(e, cancelled, "request", byCreator); err != nil {
			return d.Fault(http.StatusInternalServerError)
		}
		return d.answer(e)
	}
}

func (d *Dialect) serviceability(x *simulator.Exchange) simulator.Act {
	req, err := read(x.Body)
	if err != nil {
		return simulator.Answer(invalidField("body", "is not a JSON object"))
	}
	if faults := req.check("pickup_address", "dropoff_address"); len(faults) > 0 {
		return simulator.Answer(invalidFields(faults))
	}
	return func(tx *simulator.Tx) simulator.Response {
		reasons := []string{}
		if reason := d.fill(tx, "", &delivery{}, req); reason != "" {
			reasons = append(reasons, reason)
		}
		return simulator.JSON(http.StatusOK, struct {
			Serviceable bool     `json:"is_serviceable"`
			Reasons     []string `json:"reasons_not_serviceable"`
		}{len(reasons) == 0, reasons})
	}
}

var trackingTemplate = template.Must(template.New("track").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Simulated delivery</title></head>
<body><h1>{{.State}}</h1><p>Delivery <code>{{.ID}}</code>, simulated: nobody is on the road.</p>
<p>Expected at {{.By}}.{{with .Dasher}} Your Dasher is {{.}}.{{end}}</p></body></html>
`))

// trackingPage is what the recipient would see.
func (d *Dialect) trackingPage(x *simulator.Exchange) simulator.Act {
	x.Reference = x.Vars["code"]
	return func(tx *simulator.Tx) simulator.Response {
		e := tx.Find(Name, x.Reference)
		if e == nil {
			return unknownDelivery(x.Reference)
		}
		v := e.Data.(*delivery)
		facts := struct{ State, ID, By, Dasher string }{string(e.State), e.ID, v.dropBy.Format("15:04 MST"), ""}
		if c := v.courier(e); c != nil {
			facts.Dasher = c.Name
		}
		return simulator.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
			Render: func() ([]byte, error) {
				var out bytes.Buffer
				err := trackingTemplate.Execute(&out, facts)
				return out.Bytes(), err
			}}
	}
}
