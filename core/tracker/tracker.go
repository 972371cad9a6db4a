// Package tracker holds the words of a parcel or delivery that is followed: the Tracker with its merged timeline of Events, and
// what the timeline says about the present. A Tracker follows either a booking of ours or a number that somebody else booked. It
// is pure: no store, no clock, no carrier.
package tracker

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Schema is the version of the stored form of a Tracker. Every version ever written can be read for ever.
const Schema = 1

// ID names a tracker: 24 lower-case hex characters, unique over all tenants.
type ID string

// Surface is the API through which a tracker came. Each surface lists its own only.
type Surface string

// The surfaces.
const (
	OfShipment Surface = "shipment"      // follows a booking of ours
	OfAPI      Surface = "tracker"       // POST /trackers
	OfShip24   Surface = "ship24"        //
	OfTracktor Surface = "tracktor"      // a fulfilment of a shop
	OfShop     Surface = "tracktor_shop" // an order of a shop: it has no number and is never asked for
)

// Tracker is one followed number and all that is known about it. It is one document, written whole under a revision.
type Tracker struct {
	Schema   int     `json:"schema"`
	ID       ID      `json:"id"`
	Tenant   string  `json:"tenant"`
	Revision int64   `json:"revision"` // counts commits; the store refuses a write that expects another
	Surface  Surface `json:"surface"`

	// Names are unique within the tenant, Tags are shared; the store finds trackers by either. Name and Tag make them.
	Names []string `json:"names,omitempty"`
	Tags  []string `json:"tags,omitempty"`

	Number    string   `json:"number"`              // as it was given
	Reference string   `json:"reference,omitempty"` // ours, of a booking of ours
	Account   string   `json:"account,omitempty"`   // the carrier account that is asked and that may push; "" where none is known
	Couriers  []string `json:"couriers,omitempty"`  // codes that the caller named or that the number tells, best first
	Provider  string   `json:"provider,omitempty"`  // what the caller called the carrier

	Shipment shipment.ID `json:"shipment,omitempty"` // whose booking is followed
	Attempt  int         `json:"attempt,omitempty"`  // the number of the attempt that booked

	Type    string          `json:"type,omitempty"`    // delivery, pickup or shipping
	Order   *shipment.Order `json:"order,omitempty"`   // what the caller told about the order
	Pickup  *shipment.Place `json:"pickup,omitempty"`  // where it starts
	Returns []shipment.ID   `json:"returns,omitempty"` // the shipments that bring it back, oldest first
	Zone    string          `json:"zone,omitempty"`    // IANA, of local times without a zone
	Source  Source          `json:"source"`
	// Extra is what else the surface was told, in a form that is the surface's own.
	Extra json.RawMessage `json:"extra,omitempty"`

	Status    shipping.Status `json:"status"`
	SubStatus string          `json:"subStatus,omitempty"`
	Events    []Event         `json:"events,omitempty"` // in the order of truth, oldest first
	Seq       int             `json:"seq"`              // events that entered so far; numbers what is told about the tracker
	Base      *Base           `json:"base,omitempty"`   // what events have said that are not kept any more

	Progress    shipment.Progress `json:"progress"`
	SignedBy    string            `json:"signedBy,omitempty"`
	TrackingURL string            `json:"trackingUrl,omitempty"` // the carrier's own page
	FactsAt     time.Time         `json:"factsAt,omitzero"`      // when that happened which filled Progress last

	// PushedUntil is until when the carrier has agreed to push news of every number, NextAsked when it is asked for that again; both zero
	// where it is not asked.
	PushedUntil time.Time `json:"pushedUntil,omitzero"`
	NextAsked   time.Time `json:"nextAsked,omitzero"`
	// NextPoll is when the carrier is to be asked again; zero where it is not.
	NextPoll time.Time `json:"nextPoll,omitzero"`
	Polls    Polls     `json:"polls"`
	// Stopped says why nobody asks any more, one of the Stop constants; "" while somebody does or pushes are waited for.
	Stopped string `json:"stopped,omitempty"`

	Warnings  []shipment.Warning `json:"warnings,omitempty"`
	CreatedBy string             `json:"createdBy"` // name of the key
	CreatedAt time.Time          `json:"createdAt"`
	UpdatedAt time.Time          `json:"updatedAt"`
	ErasedAt  time.Time          `json:"erasedAt,omitzero"`
}

// What Stopped says.
const (
	StopDelivered    = "delivered"
	StopCancelled    = "cancelled" // by the carrier or by us, or it was never carried out
	StopReturned     = "returned"  // or lost on its way back
	StopExpired      = "expired"   // never known to the carrier, or silent for too long
	StopUnsubscribed = "unsubscribed"
	StopErased       = "erased"
)

// Base is what the oldest events have said, which are not kept any more.
type Base struct {
	Count     int             `json:"count"`
	Until     time.Time       `json:"until"` // of the newest of them
	Status    shipping.Status `json:"status"`
	SubStatus string          `json:"subStatus,omitempty"`
	Pickup    time.Time       `json:"pickup,omitzero"`
	Ended     []string        `json:"ended,omitempty"` // numbers that were delivered or cancelled
	Delivered bool            `json:"delivered,omitempty"`
	Again     bool            `json:"again,omitempty"` // delivered after it was undeliverable
}

// Source is who created a tracker, as the Tracker API shows it.
type Source struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Polls is how asking has gone.
type Polls struct {
	Count   int       `json:"count"`
	Errors  int       `json:"errors"`           // in a row
	Unknown int       `json:"unknown"`          // answers in a row that the carrier does not know the number
	LastAt  time.Time `json:"lastAt,omitzero"`  //
	FoundAt time.Time `json:"foundAt,omitzero"` // when the carrier first knew the number
	Last    string    `json:"last,omitempty"`   // the last error, in words for an operator
}

// Origin is how an event reached us.
type Origin string

// The origins.
const (
	ByPoll   Origin = "poll"
	ByPush   Origin = "push"
	ByManual Origin = "manual"
	BySystem Origin = "system" // the engine has waited long enough
)

// Event is one thing that happened to a parcel or delivery, told by the carrier or set by hand. Events are told apart by their
// content, so the same news twice is one event.
type Event struct {
	ID       string    `json:"id"`     // of the content: 16 lower-case hex characters
	Seq      int       `json:"seq"`    // from 1, in the order in which events entered
	Number   string    `json:"number"` // the number under which it was told
	Account  string    `json:"account,omitempty"`
	Origin   Origin    `json:"origin"`
	Received time.Time `json:"received"`
	User     string    `json:"user,omitempty"`  // the key, of an event set by hand
	Note     string    `json:"note,omitempty"`  // likewise
	Actor    string    `json:"actor,omitempty"` // who wrote the note, where the key is not the person
	Late     bool      `json:"late,omitempty"`  // entered without moving the present
	// GivenBack: the carrier said "dispatched" of what a courier had, so the status is ORDER_UNASSIGNED.
	GivenBack bool `json:"givenBack,omitempty"`
	// Echo is how a push told the same, where the event is shown in the words of an answer.
	Echo *Telling `json:"echo,omitempty"`
	shipping.TrackingEvent
}

// Clock is the event's time as the carrier's own clock showed it, in one of the shapes of shipping.ParseCarrierTime; "" where no way of
// asking has shown one.
func (e *Event) Clock() string {
	if e.CarrierTime == "" && e.Echo != nil {
		return e.Echo.CarrierTime
	}
	return e.CarrierTime
}

// Numbers are those that the carrier is asked for: of the parcels of a booking, else the one number.
func (t *Tracker) Numbers() []string {
	var out []string
	prefix := ParcelTag(t.Account, "")
	for _, tag := range t.Tags {
		if n, ok := strings.CutPrefix(tag, prefix); ok && n != "" {
			out = append(out, n)
		}
	}
	if len(out) == 0 && t.Number != "" {
		out = append(out, t.Number)
	}
	return out
}

// Name returns a name that is unique within a tenant: kind says of what the text is a name.
func Name(kind, text string) string { return kind + ":" + text }

// Follow tags the tracker with a number of its account, by which pushes find it however they write the number. The carrier is asked for
// the number as it is given here.
func (t *Tracker) Follow(n string) {
	t.tag(ParcelTag(t.Account, n))
	t.alias()
}

// alias tags the tracker with the numbers that it follows in another form than the one that carriers print.
func (t *Tracker) alias() {
	if t.Account == "" {
		return
	}
	for _, n := range t.Numbers() {
		if plain := PlainNumber(n); plain != n {
			t.tag(aliasTag(t.Account, plain))
		}
	}
}

func (t *Tracker) tag(tag string) {
	if !slices.Contains(t.Tags, tag) {
		t.Tags = append(t.Tags, tag)
	}
}

// Unfollow takes away the tags of all numbers.
func (t *Tracker) Unfollow() {
	parcel, alias := ParcelTag(t.Account, ""), aliasTag(t.Account, "")
	t.Tags = slices.DeleteFunc(t.Tags, func(tag string) bool { return strings.HasPrefix(tag, parcel) || strings.HasPrefix(tag, alias) })
}

// ParcelTag is the tag of all trackers of one number, written as it is here, at one carrier account, whichever surface they came through.
func ParcelTag(account, number string) string { return "parcel:" + account + ":" + number }

// BookingTag is the tag of the tracker of a booking of ours, by a number at a carrier account that is the booking's own and no parcel's.
func BookingTag(account, number string) string { return "booking:" + account + ":" + number }

// aliasTag is that of all trackers of a number which they write otherwise.
func aliasTag(account, plain string) string { return "alias:" + account + ":" + plain }

// ParcelTags are the tags by which all trackers of a number are found, however they write it.
func ParcelTags(account, n string) []string {
	tags := []string{ParcelTag(account, n)}
	plain := PlainNumber(n)
	if plain != n {
		tags = append(tags, ParcelTag(account, plain))
	}
	return append(tags, aliasTag(account, plain))
}

// PlainNumber is a number as carriers print it, by which two are compared: in capital letters, without spaces and hyphens. What has
// nothing else stays as it is.
func PlainNumber(n string) string {
	if plain := number.Normalize(n); plain != "" {
		return plain
	}
	return n
}

// SameNumber tells whether two numbers are the same, however they are written.
func SameNumber(a, b string) bool { return a == b || PlainNumber(a) == PlainNumber(b) }

// NumberTag is the tag of all trackers of one number on one surface.
func NumberTag(surface Surface, n string) string {
	return "number:" + string(surface) + ":" + n
}

// ReferenceTag is the tag of the tracker of one of our references.
func ReferenceTag(reference string) string { return "reference:" + reference }

// GroupTag is the tag of all trackers of one groupId.
func GroupTag(group string) string { return "group:" + group }

// KindShopOrder is the kind in the name of the tracker that stands for an order of a shop. Its fulfilments have that name as a tag.
const KindShopOrder = "shop_order"

// ShopOrder is the name of the order of a shop that a tracker stands for, or is a fulfilment of; "" for what came from no shop.
func (t *Tracker) ShopOrder() string {
	var of []string
	switch t.Surface {
	case OfShop:
		of = t.Names
	case OfTracktor:
		of = t.Tags
	}
	i := slices.IndexFunc(of, func(s string) bool { return strings.HasPrefix(s, KindShopOrder+":") })
	if i < 0 {
		return ""
	}
	return of[i]
}

// ShipmentTag is the tag of all trackers of one shipment.
func ShipmentTag(id shipment.ID) string { return "shipment:" + string(id) }
