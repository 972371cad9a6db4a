package doordash

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/waybill-dev/waybill/simulator"
)

var _ simulator.Keeper = (*Dialect)(nil)

// kept is a delivery as a world's memory holds it.
type kept struct {
	Body      jsontext.Value `json:"body"`
	From      Point          `json:"from,omitzero"`
	To        Point          `json:"to,omitzero"`
	Miles     float64        `json:"miles"`
	Fee       int64          `json:"fee"`
	Tip       int64          `json:"tip,omitempty"`
	Back      int64          `json:"back,omitempty"`
	Owed      int64          `json:"owed,omitempty"`
	Expires   time.Time      `json:"expires,omitzero"`
	PickupBy  time.Time      `json:"pickup_by"`
	DropBy    time.Time      `json:"drop_by"`
	Support   int64          `json:"support"`
	Prefix    string         `json:"prefix"`
	Assigned  int            `json:"assigned,omitempty"`
	Dasher    uint32         `json:"dasher,omitempty"`
	Reachable bool           `json:"reachable,omitempty"`
}

// Keep implements [simulator.Keeper].
func (d *Dialect) Keep(e *simulator.Entity) any {
	v := e.Data.(*delivery)
	return kept{v.body, v.route.from, v.route.to, v.route.miles, v.fee, v.tip, v.back, v.owed, v.expires, v.pickupBy, v.dropBy, v.support, v.prefix,
		v.assigned, v.dasher, v.reachable}
}

// Restore implements [simulator.Keeper].
func (d *Dialect) Restore(tx *simulator.Tx, e *simulator.Entity, data []byte) error {
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return err
	}
	e.Data = &delivery{body: k.Body, route: route{k.From, k.To, k.Miles}, fee: k.Fee, tip: k.Tip, back: k.Back, owed: k.Owed, expires: k.Expires,
		pickupBy: k.PickupBy, dropBy: k.DropBy, support: k.Support, prefix: k.Prefix, assigned: k.Assigned, dasher: k.Dasher, reachable: k.Reachable}
	d.endAlone(tx, e)
	return nil
}
