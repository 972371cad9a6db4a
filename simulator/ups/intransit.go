package ups

import (
	"net/http"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/simulator"
)

// transitIn is the flat request of Time in Transit; unlike everything else its dates are ISO. Numbers may come as text.
type transitIn struct {
	OriginCountryCode        text `json:"originCountryCode"`
	OriginStateProvince      text `json:"originStateProvince"`
	OriginCityName           text `json:"originCityName"`
	OriginPostalCode         text `json:"originPostalCode"`
	DestinationCountryCode   text `json:"destinationCountryCode"`
	DestinationStateProvince text `json:"destinationStateProvince"`
	DestinationCityName      text `json:"destinationCityName"`
	DestinationPostalCode    text `json:"destinationPostalCode"`
	ResidentialIndicator     text `json:"residentialIndicator"`
	ShipDate                 text `json:"shipDate"`
	ShipTime                 text `json:"shipTime"`
	Weight                   text `json:"weight"`
	WeightUnitOfMeasure      text `json:"weightUnitOfMeasure"`
	BillType                 text `json:"billType"`
}

type emsService struct {
	ServiceLevel            string `json:"serviceLevel"`
	ServiceLevelDescription string `json:"serviceLevelDescription"`
	ShipDate                string `json:"shipDate"`
	DeliveryDate            string `json:"deliveryDate"`
	CommitTime              string `json:"commitTime"`
	DeliveryTime            string `json:"deliveryTime"`
	DeliveryDayOfWeek       string `json:"deliveryDayOfWeek"`
	NextDayPickup           string `json:"nextDayPickupIndicator"`
	SaturdayPickup          string `json:"saturdayPickupIndicator"`
	SaturdayDelivery        string `json:"saturdayDeliveryIndicator"`
	Guarantee               string `json:"guaranteeIndicator"`
	TotalTransitDays        int    `json:"totalTransitDays"`
	BusinessTransitDays     int    `json:"businessTransitDays"`
	RestDays                int    `json:"restDaysCount"`
	Holidays                int    `json:"holidayCount"`
	Delays                  int    `json:"delayCount"`
	PickupDate              string `json:"pickupDate"`
	PickupTime              string `json:"pickupTime"`
	CutoffTime              string `json:"cstccutoffTime"` // sic
}

type emsResponse struct {
	ShipDate                 string       `json:"shipDate"`
	ShipTime                 string       `json:"shipTime"`
	ServiceLevel             string       `json:"serviceLevel"`
	BillType                 string       `json:"billType"`
	ResidentialIndicator     string       `json:"residentialIndicator"`
	DestinationCountryName   string       `json:"destinationCountryName"`
	DestinationCountryCode   string       `json:"destinationCountryCode"`
	DestinationPostalCode    string       `json:"destinationPostalCode,omitzero"`
	DestinationStateProvince string       `json:"destinationStateProvince,omitzero"`
	DestinationCityName      string       `json:"destinationCityName,omitzero"`
	OriginCountryName        string       `json:"originCountryName"`
	OriginCountryCode        string       `json:"originCountryCode"`
	OriginPostalCode         string       `json:"originPostalCode,omitzero"`
	OriginStateProvince      string       `json:"originStateProvince,omitzero"`
	OriginCityName           string       `json:"originCityName,omitzero"`
	Weight                   string       `json:"weight,omitzero"`
	WeightUnitOfMeasure      string       `json:"weightUnitOfMeasure,omitzero"`
	GuaranteeSuspended       bool         `json:"guaranteeSuspended"`
	NumberOfServices         int          `json:"numberOfServices"`
	Services                 []emsService `json:"services"`
}

const (
	isoDate      = "2006-01-02"
	clockTime    = "15:04:05"
	cutoffTime   = "16:00:00"
	pickupTime   = "17:00:00"
	shipPast     = 35
	shipAhead    = 60
	residentialY = "01"
)

func (d *Dialect) timeInTransit(x *simulator.Exchange) simulator.Act {
	var in transitIn
	if err := d.strict(x); err != nil {
		return err.answer(x)
	}
	if failed := decode(x, &in); failed != nil {
		return failed
	}
	from := &address{CountryCode: in.OriginCountryCode, State: in.OriginStateProvince, City: in.OriginCityName, PostalCode: in.OriginPostalCode}
	to := &address{CountryCode: in.DestinationCountryCode, State: in.DestinationStateProvince, City: in.DestinationCityName, PostalCode: in.DestinationPostalCode}
	if from.CountryCode == "" || to.CountryCode == "" {
		return refuse("10002", "The request is well formed but the request is not valid: originCountryCode and destinationCountryCode are required").answer(x)
	}
	if !from.fits() || !to.fits() {
		// 206 and pick lists instead of an error or an answer, as recorded for a place that is not found.
		return simulator.Answer(ambiguous(x, from, to))
	}
	ready := x.Now().In(from.local())
	if in.ShipDate != "" {
		day, err := time.ParseInLocation(isoDate, string(in.ShipDate), from.local())
		if days := day.Sub(midnight(ready)).Hours() / 24; err != nil || days < -shipPast-1 || days > shipAhead+1 {
			return refuse("10002", "The request is well formed but the request is not valid: shipDate must be YYYY-MM-DD, at most 35 days ago and 60 ahead").answer(x)
		}
		ready = day
		if clock, err := time.Parse(clockTime, string(in.ShipTime)); err == nil {
			ready = day.Add(hours(clock.Hour(), clock.Minute()))
		}
	}
	var out struct {
		EMS emsResponse `json:"emsResponse"`
	}
	out.EMS = ems(&in, from, to, ready)
	return simulator.Answer(answerJSON(x, out))
}

func ems(in *transitIn, from, to *address, ready time.Time) emsResponse {
	l, pickup := laneBetween(from, to), pickupDay(ready)
	r := emsResponse{
		ShipDate: ready.Format(isoDate), ShipTime: string(in.ShipTime), ServiceLevel: "A", BillType: or(in.BillType, "03"),
		ResidentialIndicator:   or(in.ResidentialIndicator, residentialY),
		DestinationCountryName: strings.ToUpper(countryName(to)), DestinationCountryCode: string(to.CountryCode),
		DestinationPostalCode: string(to.PostalCode), DestinationStateProvince: string(to.State), DestinationCityName: strings.ToUpper(string(to.City)),
		OriginCountryName: strings.ToUpper(countryName(from)), OriginCountryCode: string(from.CountryCode),
		OriginPostalCode: string(from.PostalCode), OriginStateProvince: string(from.State), OriginCityName: strings.ToUpper(string(from.City)),
		Weight: string(in.Weight), WeightUnitOfMeasure: string(in.WeightUnitOfMeasure), Services: []emsService{},
	}
	for _, s := range services {
		if !s.goes(&l) {
			continue
		}
		j := travel(s, &l, pickup)
		row := emsService{
			ServiceLevel: s.level, ServiceLevelDescription: titled(s.name), ShipDate: ready.Format(isoDate),
			DeliveryDate: j.arrival.Format(isoDate), CommitTime: j.arrival.Format(clockTime), DeliveryTime: j.arrival.Format(clockTime),
			DeliveryDayOfWeek: strings.ToUpper(j.arrival.Weekday().String()[:3]),
			NextDayPickup:     "0", SaturdayPickup: "0", SaturdayDelivery: "0", Guarantee: "0",
			BusinessTransitDays: j.days, RestDays: j.rest, Holidays: j.holidays,
			PickupDate: j.pickup.Format(isoDate), PickupTime: pickupTime, CutoffTime: cutoffTime,
		}
		if s.guaranteed {
			row.Guarantee = "1"
		}
		if !l.domestic {
			row.TotalTransitDays = j.totalDays() // 0 for domestic lanes, as recorded
		}
		r.Services = append(r.Services, row)
	}
	r.NumberOfServices = len(r.Services)
	return r
}

func or(given text, otherwise string) string {
	if given == "" {
		return otherwise
	}
	return string(given)
}

type pick struct {
	CountryName   string `json:"countryName"`
	CountryCode   string `json:"countryCode"`
	StateProvince string `json:"stateProvince,omitzero"`
	City          string `json:"city,omitzero"`
	PostalCode    string `json:"postalCode,omitzero"`
}

func ambiguous(x *simulator.Exchange, from, to *address) simulator.Response {
	type validation struct {
		InvalidFieldList      []string `json:"invalidFieldList"`
		InvalidFieldListCodes []string `json:"invalidFieldListCodes"`
		DestinationAmbiguous  bool     `json:"destinationAmbiguous"`
		OriginAmbiguous       bool     `json:"originAmbiguous"`
	}
	var out struct {
		Validation      validation `json:"validationList"`
		DestinationPick []pick     `json:"destinationPickList,omitzero"`
		OriginPick      []pick     `json:"originPickList,omitzero"`
	}
	out.Validation = validation{[]string{}, []string{"1070"}, !to.fits(), !from.fits()}
	if !to.fits() {
		out.DestinationPick = picks(to)
		out.Validation.InvalidFieldList = append(out.Validation.InvalidFieldList, "destinationPostalCode")
	}
	if !from.fits() {
		out.OriginPick = picks(from)
		out.Validation.InvalidFieldList = append(out.Validation.InvalidFieldList, "originPostalCode")
	}
	r := simulator.JSON(http.StatusPartialContent, out)
	return stamp(x, r)
}

// picks offers the state in which the postal code lies, if in any, and the state that was given.
func picks(a *address) []pick {
	list := []pick{}
	base := pick{CountryName: strings.ToUpper(countryName(a)), CountryCode: string(a.CountryCode), City: strings.ToUpper(string(a.City))}
	if z, ok := zip3(string(a.PostalCode)); ok && stateOf[z] != "" {
		p := base
		p.StateProvince, p.PostalCode = stateOf[z], string(a.PostalCode)
		list = append(list, p)
	}
	if _, known := states[a.inState()]; known {
		p := base
		p.StateProvince = a.inState()
		list = append(list, p)
	}
	return list
}
