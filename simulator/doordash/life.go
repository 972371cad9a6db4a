package doordash

import "github.com/waybill-dev/waybill/simulator"

// The states of delivery_status. quoteExpired is the simulator's own: DoorDash
// has no word for a quote that nobody took.
const (
	quoted       simulator.State = "quote"
	quoteExpired simulator.State = "quote_expired"
	created      simulator.State = "created"
	confirmed    simulator.State = "confirmed"
	toPickup     simulator.State = "enroute_to_pickup"
	atPickup     simulator.State = "arrived_at_pickup"
	pickedUp     simulator.State = "picked_up"
	toDropoff    simulator.State = "enroute_to_dropoff"
	atDropoff    simulator.State = "arrived_at_dropoff"
	delivered    simulator.State = "delivered"
	cancelled    simulator.State = "cancelled"
	toReturn     simulator.State = "enroute_to_return"
	atReturn     simulator.State = "arrived_at_return"
	returned     simulator.State = "returned"
)

// The values of cancellation_reason.
const (
	byCreator      = "cancelled_by_creator"
	paymentFailed  = "failed_to_process_payment"
	nobodyAssigned = "failed_to_assign_and_refunded"
	pickupFailed   = "failed_to_pickup"
	deliveryFailed = "failed_to_deliver"
	returnFailed   = "failed_to_return"
)

// Machine implements [simulator.Dialect]. A Dasher who unassigns before the
// pickup sends the delivery back to created.
func (d *Dialect) Machine() simulator.Machine {
	return simulator.Machine{Next: map[simulator.State][]simulator.State{
		quoted:       {created, quoteExpired},
		quoteExpired: {},
		created:      {confirmed, cancelled},
		confirmed:    {toPickup, created, cancelled},
		toPickup:     {atPickup, created, cancelled},
		atPickup:     {pickedUp, created, cancelled},
		pickedUp:     {toDropoff, toReturn, cancelled},
		toDropoff:    {atDropoff, toReturn, cancelled},
		atDropoff:    {delivered, toReturn, cancelled},
		delivered:    {},
		cancelled:    {},
		toReturn:     {atReturn, cancelled},
		atReturn:     {returned, cancelled},
		returned:     {},
	}}
}

// Reasons implements [simulator.Reasoner]: the values of cancellation_reason
// that make sense where a delivery stands.
func (d *Dialect) Reasons(e *simulator.Entity, to simulator.State) []string {
	if to != cancelled {
		return nil
	}
	switch e.State {
	case created:
		return []string{nobodyAssigned, paymentFailed, byCreator}
	case confirmed, toPickup, atPickup:
		return []string{pickupFailed, byCreator}
	case pickedUp, toDropoff, atDropoff:
		return []string{deliveryFailed}
	}
	return []string{returnFailed}
}

// webhookEvents names what DoorDash tells of each state.
var webhookEvents = map[simulator.State][]string{
	created:   {"DELIVERY_CREATED"}, // the first time only
	confirmed: {"DASHER_CONFIRMED"},
	toPickup:  {"DASHER_ENROUTE_TO_PICKUP"},
	atPickup:  {"DASHER_CONFIRMED_PICKUP_ARRIVAL"},
	pickedUp:  {"DASHER_PICKED_UP"},
	toDropoff: {"DASHER_ENROUTE_TO_DROPOFF"},
	atDropoff: {"DASHER_CONFIRMED_DROPOFF_ARRIVAL"},
	delivered: {"DASHER_DROPPED_OFF"},
	cancelled: {"DELIVERY_CANCELLED"},
	toReturn:  {"DELIVERY_RETURN_INITIALIZED", "DASHER_ENROUTE_TO_RETURN"},
	atReturn:  {"DASHER_CONFIRMED_RETURN_ARRIVAL"},
	returned:  {"DELIVERY_RETURNED"},
}

// locationEvents are sent only to those who asked for them.
var locationEvents = map[string]bool{
	"DASHER_ENROUTE_TO_PICKUP": true, "DASHER_ENROUTE_TO_DROPOFF": true, "DASHER_ENROUTE_TO_RETURN": true,
}

// returnShare is what a return to the pickup costs, in hundredths of the fee.
const returnShare = 60

// Entered implements [simulator.Dialect]: money and webhooks follow the state.
func (d *Dialect) Entered(tx *simulator.Tx, e *simulator.Entity, from simulator.State) {
	v := e.Data.(*delivery)
	unassigned := false
	switch e.State {
	case created:
		if unassigned = from != "" && from != quoted; unassigned {
			d.plan(tx, e, tx.Now())
		} else {
			d.book(tx, e)
		}
	case confirmed:
		v.assigned++
		v.dasher = tx.Rand(Name, e.ID, "dasher").Uint32() + uint32(v.assigned)
	case toReturn:
		v.back = v.fee * returnShare / 100
		d.charge(tx, e, v.back, "return to pickup")
	case cancelled:
		d.unbook(tx, e)
	}
	if !unassigned {
		d.tell(tx, e)
	}
}

// book enters what DoorDash believes from the moment a delivery exists.
func (d *Dialect) book(tx *simulator.Tx, e *simulator.Entity) {
	v := e.Data.(*delivery)
	tx.RecordOf(e, simulator.Booking, 0, "", "")
	d.charge(tx, e, v.fee, "fee")
	if v.tip > 0 {
		d.charge(tx, e, v.tip, "tip")
	}
	start := tx.Now()
	if lead := v.pickupBy.Add(-leadTime); lead.After(start) {
		start = lead // a Dasher is looked for shortly before, not when the order comes
	}
	d.plan(tx, e, start)
	d.endAlone(tx, e)
}

func (d *Dialect) charge(tx *simulator.Tx, e *simulator.Entity, cents int64, why string) {
	e.Data.(*delivery).owed += cents
	tx.RecordOf(e, simulator.Charge, cents, currency, why)
}

// unbook ends a delivery that was not carried out. Its money goes back unless
// a Dasher had the goods already (chosen: DoorDash publishes only that a return
// costs 60 % of the fee).
func (d *Dialect) unbook(tx *simulator.Tx, e *simulator.Entity) {
	v := e.Data.(*delivery)
	reason := e.Timeline[len(e.Timeline)-1].Reason
	tx.RecordOf(e, simulator.Void, 0, "", reason)
	if reason != deliveryFailed && reason != returnFailed && v.owed > 0 {
		tx.RecordOf(e, simulator.Refund, v.owed, currency, reason)
		v.owed = 0
	}
}
