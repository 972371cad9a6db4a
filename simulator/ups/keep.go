package ups

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/label"
)

var _ simulator.Keeper = (*Dialect)(nil)

// keptShipment is a shipment as a world's memory holds it. Lane and route follow from the addresses.
type keptShipment struct {
	Account       string       `json:"account"`
	Service       string       `json:"service"`
	From          keptAddress  `json:"from"`
	To            keptAddress  `json:"to"`
	Sender        label.Party  `json:"sender"`
	Receiver      label.Party  `json:"receiver"`
	Residential   bool         `json:"residential,omitempty"`
	International bool         `json:"international,omitempty"`
	Returning     bool         `json:"returning,omitempty"`
	Journey       keptJourney  `json:"journey"`
	Booked        time.Time    `json:"booked"`
	Parcels       []keptParcel `json:"parcels"`
	Hop           int          `json:"hop,omitempty"`
	Scans         []keptScan   `json:"scans"`
	Charged       int64        `json:"charged"`
}

// keptAddress spells out what address reads from requests by the presence of a member.
type keptAddress struct {
	Lines       []text `json:"lines"`
	City        text   `json:"city,omitempty"`
	State       text   `json:"state,omitempty"`
	PostalCode  text   `json:"postal_code,omitempty"`
	CountryCode text   `json:"country_code"`
	Residential bool   `json:"residential,omitempty"`
	POBox       bool   `json:"po_box,omitempty"`
}

type keptJourney struct {
	Pickup   time.Time `json:"pickup"`
	Arrival  time.Time `json:"arrival"`
	Zone     string    `json:"zone"` // IANA, of both times
	Days     int       `json:"days"`
	Rest     int       `json:"rest,omitempty"`
	Holidays int       `json:"holidays,omitempty"`
	Saturday bool      `json:"saturday,omitempty"`
}

type keptParcel struct {
	Number     string        `json:"number"`
	Pounds     float64       `json:"pounds"`
	Share      int64         `json:"share"`
	References []string      `json:"references,omitempty"`
	VoidedAt   time.Time     `json:"voided_at,omitzero"`
	Alert      *subscription `json:"alert,omitempty"`
}

type keptScan struct {
	State   simulator.State `json:"state"`
	At      time.Time       `json:"at"`
	City    string          `json:"city,omitempty"`
	InState string          `json:"in_state,omitempty"`
	Postal  string          `json:"postal,omitempty"`
	Country string          `json:"country,omitempty"`
	SLIC    string          `json:"slic,omitempty"`
	Zone    string          `json:"zone"` // IANA
}

// Keep implements simulator.Keeper.
func (d *Dialect) Keep(e *simulator.Entity) any {
	s := e.Data.(*shipment)
	k := keptShipment{
		Account: s.account, Service: s.service.code, From: keepAddress(s.from), To: keepAddress(s.to), Sender: s.sender, Receiver: s.receiver,
		Residential: s.residential, International: s.international, Returning: s.returning,
		Journey: keptJourney{Pickup: s.journey.pickup, Arrival: s.journey.arrival, Zone: s.journey.pickup.Location().String(), Days: s.journey.days,
			Rest: s.journey.rest, Holidays: s.journey.holidays, Saturday: s.journey.saturday},
		Booked: s.booked, Hop: s.hop, Charged: s.charged,
	}
	for _, p := range s.parcels {
		k.Parcels = append(k.Parcels, keptParcel{p.number, p.pounds, p.share, p.references, p.voidedAt, p.alert})
	}
	for _, c := range s.scans {
		k.Scans = append(k.Scans, keptScan{c.state, c.at, c.where.city, c.where.state, c.where.postal, c.where.country, c.where.slic, c.where.local.String()})
	}
	return k
}

func keepAddress(a *address) keptAddress {
	return keptAddress{a.AddressLine, a.City, a.State, a.PostalCode, a.CountryCode, bool(a.Residential), bool(a.POBox)}
}

func (k *keptAddress) address() *address {
	return &address{AddressLine: k.Lines, City: k.City, State: k.State, PostalCode: k.PostalCode, CountryCode: k.CountryCode,
		Residential: indicator(k.Residential), POBox: indicator(k.POBox)}
}

// Restore implements simulator.Keeper.
func (d *Dialect) Restore(_ *simulator.Tx, e *simulator.Entity, kept []byte) error {
	var k keptShipment
	if err := json.Unmarshal(kept, &k); err != nil {
		return err
	}
	s := &shipment{
		account: k.Account, service: serviceByCode(k.Service), from: k.From.address(), to: k.To.address(), sender: k.Sender, receiver: k.Receiver,
		residential: k.Residential, international: k.International, returning: k.Returning, booked: k.Booked, hop: k.Hop, charged: k.Charged,
	}
	if s.service == nil || len(k.Parcels) == 0 {
		return fmt.Errorf("service %q with %d parcels is no shipment", k.Service, len(k.Parcels))
	}
	s.lane, s.route = laneBetween(s.from, s.to), route(s.from, s.to)
	zone, err := zoneNamed(k.Journey.Zone)
	if err != nil {
		return err
	}
	s.journey = journey{pickup: k.Journey.Pickup.In(zone), arrival: k.Journey.Arrival.In(zone), days: k.Journey.Days, rest: k.Journey.Rest,
		holidays: k.Journey.Holidays, saturday: k.Journey.Saturday}
	for _, p := range k.Parcels {
		s.parcels = append(s.parcels, parcelRecord{p.Number, p.Pounds, p.Share, p.References, p.VoidedAt, p.Alert})
	}
	for _, c := range k.Scans {
		local, err := zoneNamed(c.Zone)
		if err != nil {
			return err
		}
		s.scans = append(s.scans, scan{c.State, c.At, place{c.City, c.InState, c.Postal, c.Country, c.SLIC, local}})
	}
	e.Data = s
	return nil
}

// zoneNamed finds a zone of the tables, or UTC.
func zoneNamed(name string) (*time.Location, error) {
	if name == time.UTC.String() {
		return time.UTC, nil
	}
	if loc, ok := locations[name]; ok {
		return loc, nil
	}
	return nil, fmt.Errorf("time zone %q is in no table of this carrier", name)
}
