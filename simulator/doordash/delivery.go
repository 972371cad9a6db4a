package doordash

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/waybill-dev/waybill/simulator"
)

// delivery is what DoorDash knows of a quote or delivery beside its state.
type delivery struct {
	body     []byte // the caller's members, as one JSON object
	route    route
	fee, tip int64 // cents
	back     int64 // cents: what the return to the pickup costs, once it has begun
	owed     int64 // cents charged and not given back
	expires  time.Time
	pickupBy time.Time // estimated
	dropBy   time.Time // estimated
	support  int64     // DoorDash's own number of it
	prefix   string    // of the base URL that the caller used
	assigned int       // how many Dashers have taken it so far
	dasher   uint32    // the present one, of which name, phone and car follow

	reachable bool // the recipient's phone is known, as a delivery needs
}

// Timings that DoorDash does not publish: chosen.
const (
	leadTime     = 30 * time.Minute // before a scheduled pickup a Dasher is looked for
	pickupWait   = 15 * time.Minute // until a Dasher can be there
	handling     = 6 * time.Minute  // parking, stairs, doors
	minutesAMile = 3
)

func driveTime(miles float64) time.Duration {
	return (handling + time.Duration(miles*minutesAMile*float64(time.Minute))).Round(time.Second)
}

// fill derives everything from the caller's members; reason is why DoorDash
// refuses, or "".
func (d *Dialect) fill(tx *simulator.Tx, id string, v *delivery, req request) (reason string) {
	v.route = d.locate(tx, req)
	if reason = d.uncovered(req); reason != "" {
		return reason
	}
	if v.route.miles > mostMiles {
		return "distance_too_long"
	}
	drive := driveTime(v.route.miles)
	pickup, dropoff := req.time("pickup"), req.time("dropoff")
	switch {
	case !pickup.IsZero():
		dropoff = pickup.Add(drive)
	case !dropoff.IsZero():
		pickup = dropoff.Add(-drive)
	default:
		pickup = tx.Now().Add(pickupWait + time.Duration(tx.Rand(Name, id, "eta").IntN(600))*time.Second)
		dropoff = pickup.Add(drive)
	}
	if pickup.After(tx.Now().Add(latest)) {
		return "outside_of_delivery_time"
	}
	v.pickupBy, v.dropBy = pickup, dropoff
	v.body, v.fee, v.tip = req.encode(), feeFor(v.route.miles), req.cents("tip")
	_, v.reachable = req["dropoff_phone_number"]
	return ""
}

// plan lets a delivery go its way by itself from a time on.
func (d *Dialect) plan(tx *simulator.Tx, e *simulator.Entity, start time.Time) {
	life := fmt.Sprintf("life %d", e.Data.(*delivery).assigned)
	tx.Follow(e, d.cfg.Profile.Plan(start, tx.Rand(Name, e.ID, life)))
}

// computed are the members of an answer that DoorDash adds to the caller's.
type computed struct {
	Currency        string         `json:"currency"`
	Status          string         `json:"delivery_status"`
	Cancellation    string         `json:"cancellation_reason,omitzero"`
	UpdatedAt       time.Time      `json:"updated_at"`
	PickupEstimate  time.Time      `json:"pickup_time_estimated,omitzero"`
	PickupActual    time.Time      `json:"pickup_time_actual,omitzero"`
	DropoffEstimate time.Time      `json:"dropoff_time_estimated,omitzero"`
	DropoffActual   time.Time      `json:"dropoff_time_actual,omitzero"`
	ReturnEstimate  time.Time      `json:"return_time_estimated,omitzero"`
	ReturnActual    time.Time      `json:"return_time_actual,omitzero"`
	ReturnAddress   string         `json:"return_address,omitzero"`
	Fee             int64          `json:"fee"`
	FeeComponents   []feeComponent `json:"fee_components"`
	Tax             int64          `json:"tax"`
	TaxComponents   []feeComponent `json:"tax_components"`
	Support         string         `json:"support_reference"`
	TrackingURL     string         `json:"tracking_url"`
	Proof           proof          `json:",embed"`
	Dasher          *dasher        `json:",embed"`
}

type feeComponent struct {
	Type   string `json:"type"`
	Amount int64  `json:"amount"`
}

// when is the time at which the delivery last came into a state; zero if never.
func when(e *simulator.Entity, s simulator.State) time.Time {
	for i := len(e.Timeline) - 1; i >= 0; i-- {
		if e.Timeline[i].State == s {
			return e.Timeline[i].At.Truncate(time.Millisecond)
		}
	}
	return time.Time{}
}

func cancellation(e *simulator.Entity) string {
	if e.State != cancelled {
		return ""
	}
	return e.Timeline[len(e.Timeline)-1].Reason
}

// asked is the fee that answers and webhooks tell. DoorDash publishes no member of its own for what a return costs, so it is part of the
// fee from the moment it is asked for (chosen).
func (v *delivery) asked() int64 { return v.fee + v.back }

func (v *delivery) components() []feeComponent {
	c := []feeComponent{{"distance_based_fee", v.fee}}
	if v.back > 0 {
		c = append(c, feeComponent{"other", v.back})
	}
	return c
}

func (v *delivery) trackingURL(id string) string { return v.prefix + "/track/" + id }

// answer is a DeliveryResponse: the caller's members, then the computed ones.
func (d *Dialect) answer(e *simulator.Entity) simulator.Response {
	v := e.Data.(*delivery)
	c := computed{Currency: currency, Status: string(e.State), Cancellation: cancellation(e),
		UpdatedAt: e.Updated.Truncate(time.Millisecond), PickupEstimate: v.pickupBy, PickupActual: when(e, pickedUp),
		DropoffEstimate: v.dropBy, DropoffActual: when(e, delivered), ReturnActual: when(e, returned),
		Fee: v.asked(), FeeComponents: v.components(), TaxComponents: []feeComponent{},
		Support: fmt.Sprintf("%010d", v.support), TrackingURL: v.trackingURL(e.ID), Proof: v.proof(e), Dasher: v.courier(e)}
	if at := when(e, toReturn); !at.IsZero() {
		var req struct {
			Pickup string `json:"pickup_address"`
		}
		_ = json.Unmarshal(v.body, &req) // our own encoding
		c.ReturnEstimate, c.ReturnAddress = at.Add(driveTime(v.route.miles)), req.Pickup
	}
	r := simulator.JSON(http.StatusOK, c)
	if r.Status == http.StatusOK && len(v.body) > len(`{}`) {
		// The one object continues the other: …"tip":500} {"currency":… becomes …"tip":500,"currency":…
		r.Body = bytes.Join([][]byte{v.body[:len(v.body)-1], r.Body[1:]}, []byte{','})
	}
	return r
}

// Describe implements [simulator.Describer].
func (d *Dialect) Describe(e *simulator.Entity) any {
	v := e.Data.(*delivery)
	return struct {
		Miles    float64   `json:"miles"`
		Fee      int64     `json:"fee_cents"`
		Tip      int64     `json:"tip_cents"`
		PickupBy time.Time `json:"pickup_time_estimated"`
		DropBy   time.Time `json:"dropoff_time_estimated"`
		Support  string    `json:"support_reference"`
		Tracking string    `json:"tracking_url"`
		Dashers  int       `json:"dashers_assigned"`
		Dasher   *dasher   `json:"dasher,omitempty"`

		Request jsontext.Value `json:"request"` // the caller's members, with what was changed since
	}{float64(int(v.route.miles*100)) / 100, v.asked(), v.tip, v.pickupBy, v.dropBy, fmt.Sprintf("%010d", v.support),
		v.trackingURL(e.ID), v.assigned, v.courier(e), v.body}
}
