package ups

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/simulator"
)

// The states of a shipment: the scans that its parcels get.
const (
	labelCreated   simulator.State = "LABEL_CREATED"
	voided         simulator.State = "VOIDED"
	pickupScan     simulator.State = "PICKUP_SCAN"
	originScan     simulator.State = "ORIGIN_SCAN"
	departureScan  simulator.State = "DEPARTURE_SCAN"
	arrivalScan    simulator.State = "ARRIVAL_SCAN"
	exportScan     simulator.State = "EXPORT_SCAN"
	importScan     simulator.State = "IMPORT_SCAN"
	customsHold    simulator.State = "CUSTOMS_HOLD"
	customsCleared simulator.State = "CUSTOMS_CLEARED"
	weatherDelay   simulator.State = "WEATHER_DELAY"
	processing     simulator.State = "PROCESSING"
	loaded         simulator.State = "LOADED"
	outForDelivery simulator.State = "OUT_FOR_DELIVERY"
	notHome        simulator.State = "NOT_HOME"
	notHomeFinal   simulator.State = "NOT_HOME_FINAL"
	closed         simulator.State = "BUSINESS_CLOSED"
	accessPoint    simulator.State = "AT_ACCESS_POINT"
	delivered      simulator.State = "DELIVERED"
	returning      simulator.State = "RETURNING"
	returned       simulator.State = "RETURNED"
)

// Machine implements simulator.Dialect.
func (d *Dialect) Machine() simulator.Machine {
	type list = []simulator.State
	return simulator.Machine{Next: map[simulator.State][]simulator.State{
		labelCreated:   {pickupScan, originScan, voided},
		voided:         {},
		pickupScan:     {originScan, departureScan},
		originScan:     {departureScan, processing, exportScan, weatherDelay, returning},
		departureScan:  {arrivalScan, weatherDelay, importScan},
		arrivalScan:    {departureScan, processing, exportScan, weatherDelay, returning},
		exportScan:     {importScan, departureScan, arrivalScan, weatherDelay},
		importScan:     {arrivalScan, customsHold, departureScan, processing},
		customsHold:    {customsCleared, returning},
		customsCleared: {arrivalScan, departureScan, processing},
		weatherDelay:   {arrivalScan, departureScan, processing, outForDelivery, weatherDelay},
		processing:     {loaded, outForDelivery, accessPoint, weatherDelay, returning},
		loaded:         {outForDelivery, weatherDelay},
		outForDelivery: list{delivered, notHome, closed, notHomeFinal, accessPoint, weatherDelay, returning},
		notHome:        {outForDelivery, loaded, notHomeFinal, accessPoint, returning},
		closed:         {outForDelivery, loaded, notHomeFinal, accessPoint, returning},
		notHomeFinal:   {returning, accessPoint, outForDelivery},
		accessPoint:    {delivered, returning},
		delivered:      {},
		returning:      {returned},
		returned:       {},
	}}
}

// status is how tracking shows a scan: the pair (kind, code) and the three digits.
type status struct {
	kind, code, digits string
	description        string // ends in a blank on the wire
	simple             string
}

// statuses follow the published pairs. The digits of most are recorded; those of 48, 55, 49 and DL were matched by
// their text. A customs hold has no code, as recorded; a returned parcel is reported as delivered, with code UA.
var statuses = map[simulator.State]status{
	labelCreated:   {"M", "MP", "003", "Shipper created a label, UPS has not received the package yet. ", "Label Created"},
	voided:         {"MV", "VP", "007", "Shipment information has been voided ", "Shipment Voided"},
	pickupScan:     {"P", "PU", "038", "Pickup Scan ", "We Have Your Package"},
	originScan:     {"I", "OR", "005", "Origin Scan ", "We Have Your Package"},
	departureScan:  {"I", "DP", "005", "Departed from Facility ", "On the Way"},
	arrivalScan:    {"I", "AR", "005", "Arrived at Facility ", "On the Way"},
	exportScan:     {"I", "EP", "005", "Export Scan ", "On the Way"},
	importScan:     {"I", "IP", "005", "Import Scan ", "On the Way"},
	customsHold:    {"X", "", "092", "Your package is being processed at a clearing agency. ", "Clearing Customs"},
	customsCleared: {"X", "RZ", "014", "Your package has been released by the government agency. ", "On the Way"},
	weatherDelay:   {"X", "DJ", "051", "Severe weather conditions have delayed delivery. ", "Delay"},
	processing:     {"I", "YP", "071", "Processing at UPS Facility ", "Preparing for Delivery"},
	loaded:         {"I", "OF", "072", "Loaded on Delivery Vehicle ", "Out for Delivery"},
	outForDelivery: {"I", "OT", "021", "Out For Delivery ", "Out for Delivery"},
	notHome:        {"X", "48", "022", "The receiver was not available for delivery. We'll make another attempt the next business day. ", "Delivery Attempted"},
	notHomeFinal:   {"X", "49", "060", "The receiver was not available at the time of the final delivery attempt. ", "Final Delivery Attempt"},
	closed:         {"X", "55", "060", "The receiving business was closed. ", "Delivery Attempted"},
	accessPoint:    {"D", "2Q", "040", "Delivered to UPS Access Point, awaiting customer pickup. ", "Ready for Customer Pickup"},
	delivered:      {"D", "FS", "011", "DELIVERED ", "Delivered"},
	returning:      {"X", "DL", "033", "The package will be returned to the sender. ", "Returning to Sender"},
	returned:       {"D", "UA", "034", "Package was returned to the sender ", "Returned to Sender"},
}

// The paces at which parcels move by themselves.
const (
	PaceNormal   = "ground-normal"   // 98 in 100 arrive on the promised day (UPS Ground, May 2019: 98.5)
	PaceStrained = "ground-strained" // 94 in 100 (May 2020: 95.4)
	PacePeak     = "ground-peak"     // 80 in 100 (peak season 2019)
	PaceCalm     = "calm"            // nothing goes wrong
	PaceManual   = "manual"          // nothing moves unless it is told to
)

// pace is a profile of what happens to parcels: chances in percent. All but the share on time are assumptions.
type pace struct {
	moves                                     bool
	late, notHome, refused, customs, accessPt int
}

var paces = map[string]pace{
	PaceNormal:   {moves: true, late: 2, notHome: 3, refused: 1, customs: 5, accessPt: 1},
	PaceStrained: {moves: true, late: 6, notHome: 4, refused: 1, customs: 8, accessPt: 2},
	PacePeak:     {moves: true, late: 20, notHome: 5, refused: 1, customs: 12, accessPt: 3},
	PaceCalm:     {moves: true},
	PaceManual:   {},
}

// Paces lists the names for Config.Pace.
func Paces() []string { return slices.Sorted(maps.Keys(paces)) }

// planner lays out the scans of one shipment.
type planner struct {
	rng  *rand.Rand
	legs []simulator.Leg
	at   time.Time
}

func (p *planner) chance(percent int) bool { return p.rng.IntN(100) < percent }

// scan adds a scan some minutes to some more after the last one.
func (p *planner) scan(to simulator.State, after, spread time.Duration) {
	p.at = p.at.Add(after + time.Duration(p.rng.Int64N(int64(spread))))
	p.legs = append(p.legs, simulator.Leg{To: to, At: p.at})
}

// from moves the planner on to a time, never back.
func (p *planner) from(at time.Time) {
	if at.After(p.at) {
		p.at = at
	}
}

// plan draws the whole life of a shipment that was booked now.
func (p pace) plan(s *shipment, rng *rand.Rand, now time.Time) []simulator.Leg {
	if !p.moves {
		return nil
	}
	pl := &planner{rng: rng, at: now}
	start := s.from.local()
	pl.from(pickupDay(now.In(start)).Add(16 * time.Hour))
	pl.scan(pickupScan, 0, 2*time.Hour)
	pl.scan(originScan, time.Hour, time.Hour)

	lastDay := midnight(s.promised())
	late := pl.chance(p.late)
	if late {
		lastDay = nextBusinessDay(lastDay)
	}

	hops := len(s.route)
	between := max(lastDay.Add(4*time.Hour).Sub(pl.at)/time.Duration(hops+1), 2*time.Hour)
	for i, hop := range s.route {
		pl.scan(departureScan, 30*time.Minute, time.Hour)
		if late && i == hops-1 {
			pl.scan(weatherDelay, between/4, time.Hour)
		}
		pl.scan(arrivalScan, between*2/3, 30*time.Minute)
		if hop == exportHub && !s.lane.domestic {
			pl.scan(exportScan, time.Hour, time.Hour)
			pl.scan(importScan, 8*time.Hour, 4*time.Hour)
			if pl.chance(p.customs) {
				pl.scan(customsHold, time.Hour, 2*time.Hour)
				pl.scan(customsCleared, 12*time.Hour, 24*time.Hour)
			}
		}
	}
	pl.from(lastDay.Add(4 * time.Hour))
	p.lastMile(pl, s, lastDay)
	return pl.legs
}

// lastMile draws the day of delivery, and those after it where the first attempt fails.
func (p pace) lastMile(pl *planner, s *shipment, day time.Time) {
	pl.scan(processing, 30*time.Minute, time.Hour)
	attempt := func() {
		pl.scan(loaded, 30*time.Minute, time.Hour)
		pl.scan(outForDelivery, 30*time.Minute, time.Hour)
	}
	if pl.chance(p.accessPt) {
		pl.scan(accessPoint, 5*time.Hour, 3*time.Hour)
		pl.scan(delivered, 12*time.Hour, 36*time.Hour)
		return
	}
	attempt()
	missed, final := notHome, notHomeFinal
	if !s.residential {
		missed = closed
	}
	if pl.chance(p.refused) {
		pl.scan(final, 3*time.Hour, 5*time.Hour)
		pl.scan(returning, 12*time.Hour, 6*time.Hour)
		pl.scan(returned, 72*time.Hour, 24*time.Hour)
		return
	}
	if pl.chance(p.notHome) {
		pl.scan(missed, 3*time.Hour, 5*time.Hour)
		pl.from(nextBusinessDay(day).Add(6 * time.Hour))
		attempt()
	}
	// By the promised hour of early services, else within the day.
	window := 8 * time.Hour
	if by := s.journey.arrival.Sub(midnight(s.journey.arrival)); by < 12*time.Hour {
		window = max(day.Add(by).Sub(pl.at), 10*time.Minute)
		pl.scan(delivered, 0, window)
		return
	}
	pl.scan(delivered, time.Hour, window)
}

// Entered implements simulator.Dialect: it notes where the new scan happened; money and pushes follow the state.
func (d *Dialect) Entered(tx *simulator.Tx, e *simulator.Entity, _ simulator.State) {
	s, ok := e.Data.(*shipment)
	if !ok {
		return
	}
	if e.State == voided {
		d.unbook(tx, e, s)
	}
	s.scans = append(s.scans, scan{state: e.State, at: tx.Now(), where: s.whereNow(e.State)})
	d.tell(tx, e, s)
}

// whereNow gives the place of the next scan and moves the shipment along its route.
func (s *shipment) whereNow(to simulator.State) place {
	here := func() place {
		if s.hop == 0 {
			return s.from.place()
		}
		return s.route[s.hop-1]
	}
	switch to {
	case labelCreated, voided:
		// The first manifest event has only a country.
		return place{country: string(s.from.CountryCode), local: s.from.local()}
	case arrivalScan:
		if s.hop < len(s.route) {
			s.hop++
		}
		return here()
	case importScan, customsHold, customsCleared:
		return place{city: string(s.to.City), country: string(s.to.CountryCode), local: s.to.local()}
	case processing, loaded, outForDelivery, notHome, notHomeFinal, closed, accessPoint, delivered:
		return s.to.place()
	case returned:
		return s.from.place()
	}
	return here()
}

// Describe implements simulator.Describer.
func (d *Dialect) Describe(e *simulator.Entity) any {
	s, ok := e.Data.(*shipment)
	if !ok {
		return nil
	}
	out := struct {
		Service string   `json:"service"`
		Parcels []string `json:"parcels"`
		Voided  []string `json:"voided"`
		Charge  money    `json:"charge"`
		Promise string   `json:"promise"`
		Place   string   `json:"place"`
		To      []string `json:"to"` // the receiver's address, as printed
	}{To: s.receiver.Lines, Service: s.service.code, Parcels: []string{}, Voided: []string{}, Charge: usd(s.charged), Promise: s.promised().Format(time.RFC3339)}
	for _, p := range s.parcels {
		out.Parcels = append(out.Parcels, p.number)
		if p.voided() {
			out.Voided = append(out.Voided, p.number)
		}
	}
	if n := len(s.scans); n > 0 {
		out.Place = s.scans[n-1].where.city
	}
	return out
}
