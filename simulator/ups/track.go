package ups

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/simulator"
)

type trackAnswer struct {
	TrackResponse struct {
		Shipment []trackedShipment `json:"shipment"`
	} `json:"trackResponse"`
}

type trackedShipment struct {
	InquiryNumber string           `json:"inquiryNumber"`
	Warnings      []warning        `json:"warnings,omitzero"`
	Package       []trackedPackage `json:"package,omitzero"`
}

type warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type trackedPackage struct {
	TrackingNumber      string         `json:"trackingNumber"`
	DeliveryDate        []typedDate    `json:"deliveryDate"`
	DeliveryTime        *deliveryTime  `json:"deliveryTime,omitzero"`
	Activity            []activity     `json:"activity"`
	CurrentStatus       statusOut      `json:"currentStatus"`
	PackageAddress      []typedAddress `json:"packageAddress"`
	Weight              trackedWeight  `json:"weight"`
	Service             trackedService `json:"service"`
	ReferenceNumber     []typedNumber  `json:"referenceNumber"`
	DeliveryInformation *deliveryInfo  `json:"deliveryInformation,omitzero"`
	PackageCount        int            `json:"packageCount"` // a number, unlike nearly everything else
}

type typedDate struct {
	Type string `json:"type"`
	Date string `json:"date"`
}

type deliveryTime struct {
	Type    string `json:"type"`
	EndTime string `json:"endTime"`
}

type activity struct {
	Location  location  `json:"location"`
	Status    statusOut `json:"status"`
	Date      string    `json:"date"`
	Time      string    `json:"time"`
	GMTDate   string    `json:"gmtDate"`
	GMTOffset string    `json:"gmtOffset"`
	GMTTime   string    `json:"gmtTime"`
}

type location struct {
	Address *trackedAddress `json:"address,omitzero"`
	SLIC    string          `json:"slic,omitzero"`
}

type trackedAddress struct {
	City          string `json:"city,omitzero"`
	StateProvince string `json:"stateProvince,omitzero"`
	CountryCode   string `json:"countryCode"`
	Country       string `json:"country"`
}

type typedAddress struct {
	Type    string         `json:"type"`
	Address trackedAddress `json:"address"`
}

type statusOut struct {
	Type        string `json:"type,omitzero"`
	Description string `json:"description"`
	Code        string `json:"code,omitzero"`
	StatusCode  string `json:"statusCode,omitzero"`
	Simplified  string `json:"simplifiedTextDescription,omitzero"`
}

type trackedWeight struct {
	UnitOfMeasurement string `json:"unitOfMeasurement"`
	Weight            string `json:"weight"`
}

type trackedService struct {
	Code        string `json:"code"`
	LevelCode   string `json:"levelCode"`
	Description string `json:"description"`
}

type typedNumber struct {
	Type   string `json:"type"`
	Number string `json:"number"`
}

type deliveryInfo struct {
	ReceivedBy string `json:"receivedBy,omitzero"`
	Location   string `json:"location"`
}

// strict refuses a request without the headers that the schema requires, where that quirk is on.
func (d *Dialect) strict(x *simulator.Exchange) *refusal {
	if !d.cfg.Quirks.StrictHeaders {
		return nil
	}
	for _, name := range [...]string{"transId", "transactionSrc"} {
		if x.Request.Header.Get(name) == "" {
			return refuse("10002", "The request is well formed but the request is not valid: header "+name+" is required")
		}
	}
	return nil
}

const minInquiry, maxInquiry = 7, 34

func (d *Dialect) track(x *simulator.Exchange) simulator.Act { return d.trackNumber(x, false) }

func (d *Dialect) trackShipment(x *simulator.Exchange) simulator.Act { return d.trackNumber(x, true) }

// trackNumber answers for one parcel, or with whole for all parcels of its shipment.
func (d *Dialect) trackNumber(x *simulator.Exchange, whole bool) simulator.Act {
	number := x.Vars["number"]
	if err := d.strict(x); err != nil {
		return err.answer(x)
	}
	if len(number) < minInquiry || len(number) > maxInquiry || !isAlphanumeric(strings.ToUpper(number)) {
		return refuse("TV1002", "Invalid inquiry number").answer(x)
	}
	return func(tx *simulator.Tx) simulator.Response {
		e := tx.Find(Name, strings.ToUpper(number))
		if e == nil {
			return answerJSON(x, notTracked(number))
		}
		x.Reference = e.Reference
		s, ok := e.Data.(*shipment)
		if !ok {
			return answerJSON(x, notTracked(number))
		}
		view := viewOf(s, number)
		if i, found := s.parcel(strings.ToUpper(number)); found && !whole {
			view.parcels = view.parcels[i : i+1]
		}
		return d.tracked(x, []trackView{view})
	}
}

// trackReference finds shipments by a package's reference among those picked up in a window: by default the last 14
// days. A shipment that was not picked up counts by the day of its booking.
func (d *Dialect) trackReference(x *simulator.Exchange) simulator.Act {
	x.Reference = x.Vars["reference"]
	if err := d.strict(x); err != nil {
		return err.answer(x)
	}
	query := x.Request.URL.Query()
	today := midnight(x.Now())
	from, err := day(query.Get("fromPickUpDate"), today.AddDate(0, 0, -14))
	if err != nil {
		return err.answer(x)
	}
	to, err := day(query.Get("toPickUpDate"), today.AddDate(0, 0, 1))
	if err != nil {
		return err.answer(x)
	}
	return func(tx *simulator.Tx) simulator.Response {
		var views []trackView
		for _, e := range byReference(tx, x.Reference, query.Get("shipperNum")) {
			s := e.Data.(*shipment)
			fetched := s.booked
			for _, sc := range s.scans {
				if sc.state == pickupScan || sc.state == originScan {
					fetched = sc.at
					break
				}
			}
			// Two days of grace: the dates are local, and the carrier's own are not sharp.
			if fetched.Before(from.AddDate(0, 0, -1)) || fetched.After(to.AddDate(0, 0, 2)) {
				continue
			}
			views = append(views, viewOf(s, x.Reference))
		}
		if len(views) == 0 {
			return answerJSON(x, notTracked(x.Reference))
		}
		return d.tracked(x, views)
	}
}

func day(given string, otherwise time.Time) (time.Time, *refusal) {
	if given == "" {
		return otherwise, nil
	}
	t, err := time.Parse("20060102", given)
	if err != nil {
		return t, refuse("10002", "The request is well formed but the request is not valid: a date must be YYYYMMDD")
	}
	return t, nil
}

// notTracked is the answer for a number that the carrier does not know: 200 with a warning and no package.
func notTracked(inquiry string) trackAnswer {
	var out trackAnswer
	out.TrackResponse.Shipment = []trackedShipment{{InquiryNumber: inquiry, Warnings: []warning{{"TW0001", "Tracking Information Not Found"}}}}
	return out
}

// trackView is what an answer needs of a shipment, read inside the transaction.
type trackView struct {
	inquiry string
	s       *shipment
	scans   []scan
	parcels []parcelRecord
}

func viewOf(s *shipment, inquiry string) trackView {
	return trackView{inquiry, s, s.scans[:len(s.scans):len(s.scans)], append([]parcelRecord(nil), s.parcels...)}
}

func (d *Dialect) tracked(x *simulator.Exchange, views []trackView) simulator.Response {
	out := stamp(x, simulator.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}})
	out.Render = func() ([]byte, error) {
		var answer trackAnswer
		for i := range views {
			answer.TrackResponse.Shipment = append(answer.TrackResponse.Shipment, d.trackedShipment(&views[i]))
		}
		return json.Marshal(&answer)
	}
	return out
}

func (d *Dialect) trackedShipment(v *trackView) trackedShipment {
	out := trackedShipment{InquiryNumber: v.inquiry}
	for i := range v.parcels {
		out.Package = append(out.Package, d.trackedPackage(v, &v.parcels[i]))
	}
	return out
}

func (d *Dialect) trackedPackage(v *trackView, p *parcelRecord) trackedPackage {
	s, scans := v.s, v.scans
	if p.voided() && scans[len(scans)-1].state != voided {
		// One of several packages was voided: its own history ends there.
		scans = append(scans[:1:1], scan{voided, p.voidedAt, scans[0].where})
	}
	last := scans[len(scans)-1]
	out := trackedPackage{
		TrackingNumber: p.number, DeliveryDate: []typedDate{}, CurrentStatus: d.currentStatus(last.state),
		PackageAddress: []typedAddress{{"ORIGIN", addressOut(s.from.place())}, {"DESTINATION", addressOut(s.to.place())}},
		Weight:         trackedWeight{"LBS", strconv.FormatFloat(p.pounds, 'f', 2, 64)},
		Service:        trackedService{s.service.track[0], s.service.track[1], titled(s.service.name)},
		PackageCount:   len(s.parcels), ReferenceNumber: []typedNumber{},
	}
	// Recorded: one of the two addresses comes in upper case, the other as it was given.
	out.PackageAddress[1].Address.City = strings.ToUpper(out.PackageAddress[1].Address.City)
	for _, r := range p.references {
		out.ReferenceNumber = append(out.ReferenceNumber, typedNumber{"PACKAGE", r})
	}
	for i := len(scans) - 1; i >= 0; i-- {
		out.Activity = append(out.Activity, activityOf(&scans[i]))
	}
	if last.state == delivered || last.state == returned {
		at := last.at.In(last.where.local)
		out.DeliveryDate = []typedDate{{"DEL", at.Format("20060102")}}
		out.DeliveryTime = &deliveryTime{"DEL", at.Format("150405")}
		out.DeliveryInformation = &deliveryInfo{Location: "Front Door"}
		if last.state == returned {
			out.DeliveryInformation = &deliveryInfo{ReceivedBy: "DOCK", Location: "Dock"}
		}
	}
	return out
}

// currentStatus is the package's own status: three digits and no type, as recorded, or as the schema has it.
func (d *Dialect) currentStatus(at simulator.State) statusOut {
	st := statuses[at]
	if d.cfg.Quirks.TwoLetterStatus {
		return statusOut{Type: st.kind, Code: st.code, StatusCode: st.digits, Description: st.description, Simplified: st.simple}
	}
	return statusOut{Code: st.digits, Description: strings.TrimSpace(st.simple)}
}

func activityOf(sc *scan) activity {
	st := statuses[sc.state]
	local, gmt := sc.at.In(sc.where.local), sc.at.UTC()
	addr := addressOut(sc.where)
	return activity{
		Location: location{&addr, sc.where.slic},
		Status:   statusOut{Type: st.kind, Code: st.code, StatusCode: st.digits, Description: st.description},
		Date:     local.Format("20060102"), Time: local.Format("150405"),
		// Colons in gmtTime and none in time, as on the wire.
		GMTDate: gmt.Format("20060102"), GMTTime: gmt.Format("15:04:05"), GMTOffset: local.Format("-07:00"),
	}
}

func addressOut(p place) trackedAddress {
	return trackedAddress{City: p.city, StateProvince: p.state, CountryCode: p.country, Country: p.country}
}
