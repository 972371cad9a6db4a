package ups

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/simulator"
)

type ratedShipment struct {
	Disclaimer                      many[coded] `json:",omitzero"`
	Service                         coded
	Zone                            string `json:",omitzero"`
	RateChart                       string
	RatedShipmentAlert              many[coded]
	RatingMethod                    string
	BillableWeightCalculationMethod string
	BillingWeight                   weightOut
	TransportationCharges           money
	BaseServiceCharge               money
	ItemizedCharges                 many[itemized] `json:",omitzero"`
	ServiceOptionsCharges           money
	TotalCharges                    money
	NegotiatedRateCharges           *negotiatedOut `json:",omitzero"`
	RatedPackage                    many[ratedPackage]
	GuaranteedDelivery              *guaranteedOut    `json:",omitzero"`
	TimeInTransit                   *timeInTransitOut `json:",omitzero"`
}

type negotiatedOut struct {
	BaseServiceCharge many[money]    `json:",omitzero"`
	ItemizedCharges   many[itemized] `json:",omitzero"`
	TotalCharge       money
}

type ratedPackage struct {
	TransportationCharges money
	BaseServiceCharge     money
	ServiceOptionsCharges money
	ItemizedCharges       many[itemized] `json:",omitzero"`
	TotalCharges          money
	Weight                string
	BillingWeight         weightOut
}

type guaranteedOut struct {
	BusinessDaysInTransit string
	DeliveryByTime        string `json:",omitzero"`
}

type dateTime struct{ Date, Time string }

type timeInTransitOut struct {
	PickupDate      string
	PackageBillType string
	Disclaimer      string
	ServiceSummary  serviceSummary
}

type serviceSummary struct {
	Service             struct{ Description string }
	GuaranteedIndicator *string `json:",omitzero"` // present and empty means yes
	SaturdayDelivery    string
	SundayDelivery      string
	EstimatedArrival    estimatedArrival
}

type estimatedArrival struct {
	Arrival               dateTime
	BusinessDaysInTransit string
	Pickup                dateTime
	DayOfWeek             string
	CustomerCenterCutoff  string
	DelayCount            string
	HolidayCount          string
	RestDays              string
	TotalTransitDays      string
}

// inquiry is a rate request that has been checked.
type inquiry struct {
	version  version
	shipment *shipmentIn
	account  *Account // nil when no shipper number came
	parcels  []parcel
	terms    terms
	transit  bool // times are asked for
	pickup   time.Time
}

func (d *Dialect) rate(x *simulator.Exchange) simulator.Act {
	var in struct {
		RateRequest *struct {
			Request  requestIn
			Shipment *shipmentIn
		}
	}
	if failed := decode(x, &in); failed != nil {
		return failed
	}
	if in.RateRequest == nil || in.RateRequest.Shipment == nil {
		return refuse("10002", "The request is well formed but the request is not valid").answer(x)
	}
	request := in.RateRequest.Request
	q, err := d.inquire(x, request, in.RateRequest.Shipment)
	if err != nil {
		return err.answer(x)
	}
	rows, err := d.rows(q, strings.HasPrefix(strings.ToLower(x.Vars["option"]), "shop"))
	if err != nil {
		return err.answer(x)
	}
	var out struct {
		RateResponse struct {
			Response      responsePart
			RatedShipment many[ratedShipment]
		}
	}
	out.RateResponse.Response = success(q.version, request, coded{"110971", invoiceMayVary})
	out.RateResponse.RatedShipment = many[ratedShipment]{rows, q.version < ratedArraysFrom}
	return simulator.Answer(answerJSON(x, out))
}

const invoiceMayVary = "Your invoice may vary from the displayed reference rates"

// inquire checks a rate request.
func (d *Dialect) inquire(x *simulator.Exchange, request requestIn, sh *shipmentIn) (*inquiry, *refusal) {
	if err := sh.complete(); err != nil {
		return nil, err
	}
	q := &inquiry{version: parseVersion(x.Vars["version"]), shipment: sh}
	asked := string(sh.Shipper.ShipperNumber)
	if q.account = d.mayUse(x, asked); q.account == nil && (asked != "" || bool(sh.ShipmentRatingOptions.Negotiated)) {
		return nil, refuse("112111", "The shipper number is missing or invalid for the requested rates.")
	}
	from, to := sh.origin(), sh.ShipTo.Address
	for _, a := range [...]*address{from, to} {
		if !a.fits() {
			return nil, refuse("111285", fmt.Sprintf("The postal code %s is invalid for %s %s.", a.PostalCode, a.State, countryName(a)))
		}
	}
	for i := range sh.Package {
		p, err := parcelOf(&sh.Package[i], sh.Package[i].PackagingType, &ratingCodes)
		if err != nil {
			return nil, err
		}
		q.parcels = append(q.parcels, p)
	}
	if len(q.parcels) == 0 {
		return nil, refuse(ratingCodes.weightMissing, "Missing or invalid package weight.")
	}
	if back := sh.ShipmentServiceOptions.ReturnService; back != nil && !strings.Contains(ratedReturns, " "+string(back.Code)+" ") {
		return nil, refuse("111211", "The requested accessory option is unavailable between the selected locations.")
	}
	q.terms = terms{lane: laneBetween(from, to), residential: bool(to.Residential), daily: q.account != nil, roundUp: d.cfg.Quirks.RoundSidesUp,
		returning: sh.ShipmentServiceOptions.ReturnService != nil}
	q.pickup = pickupDay(x.Now().In(from.local()))
	if info := sh.DeliveryTimeInformation; info != nil {
		option := strings.ToLower(x.Vars["option"] + " " + string(request.RequestOption) + " " + x.Request.URL.Query().Get("additionalinfo"))
		q.transit = strings.Contains(option, "timeintransit")
		if day, err := time.ParseInLocation("20060102", string(info.Pickup.Date), from.local()); err == nil {
			ready := day
			if clock, err := time.Parse("1504", fmt.Sprintf("%.4s", info.Pickup.Time)); err == nil {
				ready = day.Add(hours(clock.Hour(), clock.Minute()))
			}
			q.pickup = pickupDay(ready)
		}
	}
	return q, nil
}

// complete tells what a request lacks that neither Rating nor Shipping can do without.
func (s *shipmentIn) complete() *refusal {
	for _, p := range [...]struct {
		who   string
		party *party
	}{{"Shipper", s.Shipper}, {"ShipTo", s.ShipTo}} {
		if p.party == nil || p.party.Address == nil || p.party.Address.CountryCode == "" {
			return refuse("10002", "The request is well formed but the request is not valid: "+p.who+" address and country are required")
		}
	}
	if s.ShipFrom != nil && s.ShipFrom.Address != nil && s.ShipFrom.Address.CountryCode == "" {
		return refuse("10002", "The request is well formed but the request is not valid: ShipFrom country is required")
	}
	return nil
}

func countryName(a *address) string {
	switch c, known := countries[string(a.CountryCode)]; {
	case a.CountryCode == "US":
		return "United States"
	case known:
		return c.name
	}
	return string(a.CountryCode)
}

// goes tells whether the service can be had for what is asked.
func (q *inquiry) goes(s *service) bool {
	return s.goes(&q.terms.lane) && (!q.terms.returning || s.takesReturns())
}

// rows prices what was asked for: every service that goes there, or the one.
func (d *Dialect) rows(q *inquiry, shop bool) ([]ratedShipment, *refusal) {
	options := q.shipment.ShipmentServiceOptions
	weekends := options.AvailableServices == "1" || options.AvailableServices == "3"
	if !shop {
		var code string
		if q.shipment.Service != nil {
			code = string(q.shipment.Service.Code)
		}
		s := serviceByCode(code)
		switch {
		case s == nil:
			// Published for an invalid service; the code of a missing one is not known.
			return nil, refuse("111100", "The requested service is invalid from the selected origin.")
		case !q.goes(s):
			return nil, refuse("111210", "The requested service is unavailable between the selected locations.")
		}
		rows := d.row(nil, q, s, bool(options.SaturdayDelivery), weekends)
		if len(rows) == 0 {
			return nil, refuse("111211", "The requested accessory option is unavailable between the selected locations.")
		}
		return rows, nil
	}
	rows := make([]ratedShipment, 0, 8)
	for _, s := range services {
		if q.goes(s) {
			rows = d.row(rows, q, s, bool(options.SaturdayDelivery), weekends)
		}
	}
	if len(rows) == 0 {
		return nil, refuse("111210", "The requested service is unavailable between the selected locations.")
	}
	return rows, nil
}

// row adds the price of one service; with weekends, that of a delivery on Saturday comes as a second row of the same
// service code. A request for Saturday only gets no weekday row.
func (d *Dialect) row(rows []ratedShipment, q *inquiry, s *service, onlySaturday, weekends bool) []ratedShipment {
	j := travel(s, &q.terms.lane, q.pickup)
	if onlySaturday || weekends {
		if sat, ok := j.onSaturday(s); ok {
			rows = append(rows, q.rated(s, sat))
		}
	}
	if !onlySaturday {
		rows = append(rows, q.rated(s, j))
	}
	return rows
}

func (q *inquiry) rated(s *service, j journey) ratedShipment {
	t, bare := q.terms, q.version.bare()
	t.saturday = j.saturday
	p := quote(s, &t, q.parcels)
	row := ratedShipment{
		Service: coded{s.code, ""}, RateChart: "1", RatingMethod: "01", BillableWeightCalculationMethod: "02",
		RatedShipmentAlert:    many[coded]{[]coded{{"110971", invoiceMayVary}}, bare},
		BillingWeight:         pounds(p.billed),
		TransportationCharges: usd(p.transportation()), BaseServiceCharge: usd(p.base),
		ItemizedCharges:       many[itemized]{items(append([]item{{code: chargeFuel, cents: p.fuel}}, p.options...)), bare},
		ServiceOptionsCharges: usd(p.optionsTotal()), TotalCharges: usd(p.total()),
		RatedPackage: many[ratedPackage]{make([]ratedPackage, len(p.parcels)), bare},
	}
	if q.version >= 2409 {
		row.Zone = s.zoneCode(&t.lane)
	}
	handled := false
	for i := range p.parcels {
		pp := &p.parcels[i]
		handled = handled || pp.handled
		row.RatedPackage.items[i] = ratedPackage{
			TransportationCharges: usd(pp.base + pp.fuel), BaseServiceCharge: usd(pp.base), ServiceOptionsCharges: usd(pp.optionsTotal()),
			ItemizedCharges: many[itemized]{items(pp.options), bare}, TotalCharges: usd(pp.base + pp.fuel + pp.optionsTotal()),
			Weight: strconv.FormatFloat(q.parcels[i].pounds, 'f', 1, 64), BillingWeight: pounds(pp.billed),
		}
	}
	if handled {
		row.RatedShipmentAlert.items = append(row.RatedShipmentAlert.items, coded{"119001", handlingSet})
	}
	if q.account != nil && q.account.Discount > 0 && bool(q.shipment.ShipmentRatingOptions.Negotiated) {
		base, fuel, total := p.negotiated(q.account.Discount)
		row.NegotiatedRateCharges = &negotiatedOut{
			BaseServiceCharge: many[money]{[]money{usd(base)}, bare},
			ItemizedCharges:   many[itemized]{items(append([]item{{code: chargeFuel, cents: fuel}}, p.options...)), bare},
			TotalCharge:       usd(total),
		}
	}
	if s.guaranteed {
		row.GuaranteedDelivery = &guaranteedOut{strconv.Itoa(j.days), s.by}
	}
	if q.transit {
		row.TimeInTransit = q.times(s, j)
	}
	return row
}

const handlingSet = "Additional Handling has automatically been set on package 1."

func (q *inquiry) times(s *service, j journey) *timeInTransitOut {
	out := &timeInTransitOut{PickupDate: j.pickup.Format("20060102"), PackageBillType: string(q.shipment.DeliveryTimeInformation.PackageBillType),
		Disclaimer: "All services are guaranteed if shipment is paid for in full by a payee in the United States."}
	if out.PackageBillType == "" {
		out.PackageBillType = "03"
	}
	sum := &out.ServiceSummary
	sum.Service.Description = titled(s.name)
	if s.guaranteed {
		sum.GuaranteedIndicator = new(string)
	}
	sum.SaturdayDelivery, sum.SundayDelivery = "0", "0"
	if j.saturday {
		sum.SaturdayDelivery = "1"
	}
	sum.EstimatedArrival = estimatedArrival{
		Arrival:               dateTime{j.arrival.Format("20060102"), j.arrival.Format("150405")},
		BusinessDaysInTransit: strconv.Itoa(j.days),
		Pickup:                dateTime{j.pickup.Format("20060102"), "170000"},
		DayOfWeek:             strings.ToUpper(j.arrival.Weekday().String()[:3]),
		CustomerCenterCutoff:  "160000",
		DelayCount:            "0",
		HolidayCount:          strconv.Itoa(j.holidays),
		RestDays:              strconv.Itoa(j.rest),
		TotalTransitDays:      strconv.Itoa(j.totalDays()),
	}
	return out
}

// titled writes "UPS NEXT DAY AIR" as "UPS Next Day Air".
func titled(name string) string {
	words := strings.Fields(name)
	for i, w := range words {
		if w != "UPS" && w != "A.M." {
			words[i] = w[:1] + strings.ToLower(w[1:])
		}
	}
	return strings.Join(words, " ")
}
