package ups

import (
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/label"
)

// shipment is what the carrier keeps of one booking: the Data of an entity. What is set at booking never changes;
// hop, scans, charged and the voiding of parcels change inside transactions, scans only by appending.
type shipment struct {
	account     string
	service     *service
	from, to    *address
	sender      label.Party
	receiver    label.Party
	residential bool
	international,
	returning bool
	lane    lane
	journey journey
	route   []place
	booked  time.Time
	parcels []parcelRecord

	hop     int // places of the route reached
	scans   []scan
	charged int64
}

// parcelRecord is one package of a shipment.
type parcelRecord struct {
	number     string
	pounds     float64
	share      int64 // of the charge, given back when this package alone is voided
	references []string
	voidedAt   time.Time // zero while it is live
	alert      *subscription
}

// scan is one entry of a shipment's tracking history.
type scan struct {
	state simulator.State
	at    time.Time
	where place
}

// promised is the time of arrival: the wall time of the journey, where the receiver is.
func (s *shipment) promised() time.Time {
	y, m, d := s.journey.arrival.Date()
	h, min, _ := s.journey.arrival.Clock()
	return time.Date(y, m, d, h, min, 0, 0, s.to.local())
}

// id is the 1Z number of the first parcel: the shipment's own.
func (s *shipment) id() string { return s.parcels[0].number }

// voided tells whether this package was voided.
func (p *parcelRecord) voided() bool { return !p.voidedAt.IsZero() }

// parcel finds a package by its number.
func (s *shipment) parcel(number string) (int, bool) {
	for i := range s.parcels {
		if s.parcels[i].number == number {
			return i, true
		}
	}
	return 0, false
}

// has tells whether any parcel carries the reference.
func (s *shipment) has(reference string) bool {
	for i := range s.parcels {
		for _, r := range s.parcels[i].references {
			if r == reference {
				return true
			}
		}
	}
	return false
}

// label is what is printed for one parcel.
func (s *shipment) label(i int) label.Label {
	p := &s.parcels[i]
	return label.Label{
		Service: s.service.name, Tracking: p.number, Sender: s.sender, Receiver: s.receiver,
		Weight: strconv.FormatFloat(p.pounds, 'f', -1, 64) + " LBS", Piece: i + 1, Pieces: len(s.parcels),
		References: p.references, Routing: s.routing(), PostalCode: string(s.to.PostalCode), Country: string(s.to.CountryCode),
	}
}

// routing is the sorting code in large letters: state, three digits of the postal code and the sort within it, which
// is ours; abroad the country.
func (s *shipment) routing() string {
	if !s.to.american() || len(s.to.PostalCode) < 5 {
		return string(s.to.CountryCode)
	}
	return s.to.inState() + " " + string(s.to.PostalCode[:3]) + " 9-" + string(s.to.PostalCode[3:5])
}

// printed is an address block in the carrier's order: its lines go bottom-up, the suite before the street.
func printed(p *party, a *address) label.Party {
	out := label.Party{Name: string(p.Name)}
	if p.AttentionName != "" && p.AttentionName != p.Name {
		out.Lines = append(out.Lines, string(p.AttentionName))
	}
	for i := len(a.AddressLine) - 1; i >= 0; i-- {
		if a.AddressLine[i] != "" {
			out.Lines = append(out.Lines, string(a.AddressLine[i]))
		}
	}
	out.Lines = append(out.Lines, strings.Join(strings.Fields(string(a.City)+" "+string(a.State)+" "+string(a.PostalCode)), " "))
	return label.Party{Name: out.Name, Lines: append(out.Lines, countryName(a))}
}
