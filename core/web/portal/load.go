package portal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// maxParts bounds how many deliveries of one group a page shows; maxLooked how many orders, and how many trackers, of the group are
// looked at to find them, and lookAtOnce how many of them at a time: a shop may give one group to the orders of many people.
const (
	maxParts   = 20
	maxLooked  = 500
	lookAtOnce = 100
)

// delivery is one delivery of a page: an order with the tracker of its booking, or a tracker alone.
type delivery struct {
	shipment *shipment.Shipment
	tracker  *tracker.Tracker  // nil where nothing was booked
	changes  []shipment.Change // of an order without tracker
	created  time.Time
}

// dossier is all that a page shows: the delivery that was asked for and those that belong to it, oldest first.
type dossier struct {
	asked *delivery
	parts []*delivery
}

// load reads what a page is about.
func (p *Pages) load(ctx context.Context, r ref) (*dossier, error) {
	d := &dossier{}
	var err error
	if r.kind == ofShipment {
		d.asked, err = p.shipment(ctx, r.tenant, shipment.ID(r.id))
	} else {
		var t *tracker.Tracker
		t, err = p.Reader.Tracker(ctx, r.tenant, tracker.ID(r.id))
		if err == nil {
			d.asked = ofTrackerAlone(t)
		}
	}
	if err != nil {
		return nil, err
	}
	d.parts = []*delivery{d.asked}
	if o := d.asked.order(); o.GroupID != nil && *o.GroupID != "" && known(d.asked.buyer()) {
		if err := p.others(ctx, r.tenant, d); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(d.parts, func(a, b *delivery) int { return a.created.Compare(b.created) })
	return d, nil
}

func ofTrackerAlone(t *tracker.Tracker) *delivery {
	return &delivery{tracker: t, created: t.CreatedAt}
}

func (p *Pages) shipment(ctx context.Context, tenant string, id shipment.ID) (*delivery, error) {
	sh, err := p.Reader.Shipment(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	return p.withTracker(ctx, sh)
}

// withTracker finds what follows the booking of an order. One without has its history.
func (p *Pages) withTracker(ctx context.Context, sh *shipment.Shipment) (*delivery, error) {
	d := &delivery{shipment: sh, created: sh.CreatedAt}
	if a := sh.Shown(); a != nil {
		found, err := p.Reader.TrackersByTag(ctx, sh.Tenant, tracker.ShipmentTag(sh.ID), maxParts)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			if t.Attempt == a.Number {
				d.tracker = t
			}
		}
	}
	if d.tracker != nil && len(d.tracker.Events) > 0 {
		return d, nil
	}
	var err error
	d.changes, err = p.Reader.History(ctx, sh.Tenant, sh.ID)
	return d, err
}

// others adds the orders and trackers of the same group and the same person, newest orders first, until there are enough.
func (p *Pages) others(ctx context.Context, tenant string, d *dossier) error {
	group, person := *d.asked.order().GroupID, d.asked.buyer()
	q := store.ShipmentQuery{GroupID: group, Limit: lookAtOnce}
	for range maxLooked / lookAtOnce {
		page, err := p.Reader.ListShipments(ctx, tenant, q)
		if err != nil {
			return fmt.Errorf("orders of the group: %w", err)
		}
		for _, sh := range page.Shipments {
			if d.asked.is(string(sh.ID)) || !samePerson(sh.Buyer(), person) {
				continue
			}
			if len(d.parts) == maxParts {
				return nil
			}
			x, err := p.withTracker(ctx, sh)
			if err != nil {
				return err
			}
			d.parts = append(d.parts, x)
		}
		if page.Next == "" {
			break
		}
		q.Cursor = page.Next
	}
	found, err := p.Reader.TrackersByTag(ctx, tenant, tracker.GroupTag(group), maxLooked)
	if err != nil {
		return fmt.Errorf("trackers of the group: %w", err)
	}
	for _, t := range found {
		if t.Surface == tracker.OfAPI && !d.asked.is(string(t.ID)) && t.Order != nil && samePerson(t.Order.DeliveryContact, person) && len(d.parts) < maxParts {
			d.parts = append(d.parts, ofTrackerAlone(t))
		}
	}
	return nil
}

// known reports whether a contact says who it is. What was erased is nobody's.
func known(c shipping.Contact) bool {
	return strings.TrimSpace(c.Phone) != "" || strings.TrimSpace(c.Email) != ""
}

// samePerson compares contacts as people write them: capitals, spaces, and the signs between digits do not matter.
func samePerson(a, b shipping.Contact) bool {
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, s)
	}
	words := func(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }
	return known(a) && words(a.Name) == words(b.Name) && words(a.Email) == words(b.Email) && digits(a.Phone) == digits(b.Phone)
}

func (d *delivery) is(id string) bool {
	if d.shipment != nil {
		return string(d.shipment.ID) == id
	}
	return string(d.tracker.ID) == id
}

func (d *delivery) order() *shipment.Order {
	switch {
	case d.shipment != nil:
		return &d.shipment.Order
	case d.tracker.Order != nil:
		return d.tracker.Order
	}
	return &shipment.Order{}
}

// buyer is whose delivery it is.
func (d *delivery) buyer() shipping.Contact {
	if d.shipment != nil {
		return d.shipment.Buyer()
	}
	return d.order().DeliveryContact
}

func (d *delivery) erased() bool {
	if d.shipment != nil {
		return !d.shipment.ErasedAt.IsZero()
	}
	return !d.tracker.ErasedAt.IsZero()
}

func (d *delivery) status() (shipping.Status, string) {
	if d.shipment != nil {
		return d.shipment.Status, d.shipment.SubStatus
	}
	return d.tracker.Status, d.tracker.SubStatus
}

func (d *delivery) progress() *shipment.Progress {
	if d.shipment != nil {
		return &d.shipment.Progress
	}
	return &d.tracker.Progress
}

// zone is that of the buyer's place, else of where it starts.
func (d *delivery) zone() *time.Location {
	name := ""
	if d.shipment != nil {
		name = cmp.Or(d.shipment.Delivery.Zone, d.shipment.Pickup.Zone)
	} else {
		var x struct {
			Zone string `json:"deliveryZone"`
		}
		_ = json.Unmarshal(d.tracker.Extra, &x) // the Tracker API's own; absent on other surfaces
		name = cmp.Or(x.Zone, d.tracker.Zone)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// version names what a page shows: it is another one whenever that may have changed.
func (p *Pages) version(ctx context.Context, r ref) (string, error) {
	d, err := p.load(ctx, r)
	if err != nil {
		return "", err
	}
	return d.version(), nil
}

func (d *dossier) version() string {
	var b strings.Builder
	for _, x := range d.parts {
		if x.shipment != nil {
			fmt.Fprintf(&b, "s%d.", x.shipment.Revision)
		}
		if x.tracker != nil {
			fmt.Fprintf(&b, "t%d.", x.tracker.Revision)
		}
	}
	return strings.TrimSuffix(b.String(), ".")
}
