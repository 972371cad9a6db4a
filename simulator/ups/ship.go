package ups

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/label"
)

type labelSpec struct {
	LabelImageFormat *codeIn
	LabelStockSize   *struct{ Height, Width text }
}

// order is a ship request that has been checked.
type order struct {
	version    version
	request    requestIn
	shipment   *shipment
	price      price
	negotiated *Account // whose discount the answer shows, nil for published rates
	format     label.Format
	returnCode string
	alerts     []coded
}

func (d *Dialect) ship(x *simulator.Exchange) simulator.Act {
	var in struct {
		ShipmentRequest *struct {
			Request            requestIn
			Shipment           *shipmentIn
			LabelSpecification *labelSpec
		}
	}
	if failed := decode(x, &in); failed != nil {
		return failed
	}
	if in.ShipmentRequest == nil || in.ShipmentRequest.Shipment == nil {
		return refuse("10002", "The request is well formed but the request is not valid").answer(x)
	}
	sh := in.ShipmentRequest.Shipment
	if len(sh.Package) > 0 && len(sh.Package[0].ReferenceNumber) > 0 {
		x.Reference = string(sh.Package[0].ReferenceNumber[0].Value)
	}
	o, err := d.order(x, sh)
	if err == nil {
		o.format, err = formatOf(in.ShipmentRequest.LabelSpecification, shipFormats)
	}
	if err != nil {
		return err.answer(x)
	}
	o.request = in.ShipmentRequest.Request
	reference := x.Reference
	return func(tx *simulator.Tx) simulator.Response {
		if err := d.book(tx, o, reference); err != nil {
			return stamp(x, d.Fault(http.StatusInternalServerError))
		}
		out := stamp(x, simulator.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}})
		parcels := append([]parcelRecord(nil), o.shipment.parcels...)
		out.Render = func() ([]byte, error) { return d.shipped(o, parcels) }
		return out
	}
}

// order checks a ship request, in the order in which the carrier would meet the faults: it reports the first.
func (d *Dialect) order(x *simulator.Exchange, sh *shipmentIn) (*order, *refusal) {
	if err := checkParties(sh); err != nil {
		return nil, err
	}
	account := d.mayUse(x, string(sh.Shipper.ShipperNumber))
	switch {
	case len(sh.Shipper.ShipperNumber) != 6:
		return nil, refuse("120100", "Missing or invalid shipper number")
	case account == nil:
		return nil, refuse("120122", "Invalid shipper account number for this client.")
	case sh.PaymentInformation == nil || len(sh.PaymentInformation.ShipmentCharge) == 0:
		// By the numbering of its neighbours; not confirmed.
		return nil, refuse("120400", "Missing or invalid payment information.")
	case sh.Service == nil || serviceByCode(string(sh.Service.Code)) == nil:
		return nil, refuse("120500", "Missing or invalid service code.")
	}
	s := serviceByCode(string(sh.Service.Code))
	o := &order{version: parseVersion(x.Vars["version"])}
	if sh.ShipmentRatingOptions.Negotiated && account.Discount > 0 {
		o.negotiated = account
	}
	if sh.ReturnService != nil {
		o.returnCode = string(sh.ReturnService.Code)
	}
	from, to := sh.origin(), sh.ShipTo.Address
	l := laneBetween(from, to)
	if !s.goes(&l) {
		return nil, refuse("121210", "The requested service is unavailable between the selected locations.")
	}
	if err := checkReturn(sh, o.returnCode, s); err != nil {
		return nil, err
	}
	if !l.domestic && sh.Description == "" {
		return nil, refuse("120512", "Shipment description is required for international shipments.")
	}
	rec := &shipment{
		account: account.Number, service: s, from: from, to: to, receiver: printed(sh.ShipTo, to),
		residential: bool(to.Residential), international: !l.domestic, returning: o.returnCode != "", lane: l,
		route: route(from, to), booked: x.Now(),
	}
	rec.sender = printed(sh.Shipper, from)
	if sh.ShipFrom != nil {
		rec.sender = printed(sh.ShipFrom, from)
	}
	if err := d.load(o, rec, sh); err != nil {
		return nil, err
	}
	rec.journey = travel(s, &l, pickupDay(x.Now().In(from.local())))
	if sh.ShipmentServiceOptions.SaturdayDelivery {
		sat, ok := rec.journey.onSaturday(s)
		if !ok {
			return nil, refuse("121211", "The requested accessory option is unavailable between the selected locations.")
		}
		rec.journey = sat
	}
	o.shipment = rec
	return o, nil
}

// load reads the packages of a request and prices them.
func (d *Dialect) load(o *order, rec *shipment, sh *shipmentIn) *refusal {
	if len(sh.Package) == 0 {
		return refuse(shippingCodes.packaging, "Missing or invalid package type.")
	}
	parcels := make([]parcel, len(sh.Package))
	rec.parcels = make([]parcelRecord, len(sh.Package))
	for i := range sh.Package {
		p, err := parcelOf(&sh.Package[i], sh.Package[i].Packaging, &shippingCodes)
		if err != nil {
			return err
		}
		parcels[i] = p
		rec.parcels[i].pounds = math.Round(p.pounds*10) / 10
		for _, r := range sh.Package[i].ReferenceNumber {
			if r.Value != "" {
				rec.parcels[i].references = append(rec.parcels[i].references, string(r.Value))
			}
		}
	}
	if rec.international {
		// Abroad references stand at the shipment; at home the carrier takes them from packages only.
		for _, r := range sh.ReferenceNumber {
			rec.parcels[0].references = append(rec.parcels[0].references, string(r.Value))
		}
	}
	o.price = quote(rec.service, &terms{lane: rec.lane, residential: rec.residential, saturday: bool(sh.ShipmentServiceOptions.SaturdayDelivery),
		returning: rec.returning, daily: true, roundUp: d.cfg.Quirks.RoundSidesUp}, parcels)
	rec.charged = o.price.total()
	if o.negotiated != nil {
		_, _, rec.charged = o.price.negotiated(o.negotiated.Discount)
	}
	left := rec.charged
	for i := range rec.parcels {
		rec.parcels[i].share = rec.charged / int64(len(rec.parcels))
		left -= rec.parcels[i].share
		if o.price.parcels[i].handled {
			o.alerts = append(o.alerts, coded{"119001", fmt.Sprintf("Additional Handling has automatically been set on package %d.", i+1)})
		}
	}
	rec.parcels[0].share += left
	return nil
}

// checkParties checks addresses: first that they are whole, then that postal code and state agree.
func checkParties(sh *shipmentIn) *refusal {
	if sh.ShipTo == nil || sh.ShipTo.Address == nil {
		return refuse("120202", "Missing or invalid ship to address line 1")
	}
	if sh.Shipper == nil || sh.Shipper.Address == nil {
		return refuse("120100", "Missing or invalid shipper number")
	}
	to := sh.ShipTo.Address
	switch {
	case len(to.AddressLine) == 0 || to.AddressLine[0] == "":
		return refuse("120202", "Missing or invalid ship to address line 1")
	case to.CountryCode == "":
		return refuse("120208", "Missing or invalid ship to country code")
	case (to.CountryCode == "US" || to.CountryCode == "CA") && to.State == "":
		return refuse("120206", "Missing or invalid ship to state province code")
	case to.american() && to.PostalCode == "":
		return refuse("120207", "Missing or invalid ship to postal code")
	case sh.ShipTo.Phone != nil && sh.ShipTo.Phone.Number != "" && digits(string(sh.ShipTo.Phone.Number)) < 10 && to.american():
		return refuse("120209", "Missing or invalid ship to phone number")
	}
	if err := sh.complete(); err != nil {
		return err
	}
	for _, c := range [...]struct {
		who, code string
		party     *party
	}{{"Shipper", "120801", sh.Shipper}, {"ShipTo", "120802", sh.ShipTo}, {"ShipFrom", "120803", sh.ShipFrom}} {
		if c.party != nil && c.party.Address != nil && !c.party.Address.fits() {
			return refuse(c.code, "Address Validation Error on "+c.who+" address")
		}
	}
	return nil
}

func digits(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}

// returnCodes are the return services; those of Pack & Collect are 11 to 20. Rating has all but Print and Mail.
const (
	returnCodes  = " 2" + ratedReturns
	ratedReturns = " 3 5 8 9 10 11 12 13 14 15 16 17 18 19 20 "
)

// checkReturn checks what a return needs besides. Its codes are those of the nearest published faults.
func checkReturn(sh *shipmentIn, code string, s *service) *refusal {
	switch {
	case code == "":
		return nil
	case !strings.Contains(returnCodes, " "+code+" "), !s.takesReturns():
		return refuse("121210", "The requested return service is unavailable between the selected locations.")
	case sh.ShipFrom == nil || sh.ShipFrom.Address == nil:
		return refuse("120803", "Address Validation Error on ShipFrom address")
	}
	for i := range sh.Package {
		if sh.Package[i].Description == "" {
			return refuse("120512", "Package description is required for return shipments.")
		}
	}
	return nil
}

var (
	shipFormats    = map[text]label.Format{"GIF": label.GIF, "PNG": label.PNG, "ZPL": label.ZPL, "EPL": label.EPL}
	recoverFormats = map[text]label.Format{"GIF": label.GIF, "PNG": label.PNG, "ZPL": label.ZPL, "EPL": label.EPL, "PDF": label.PDF}
)

// formatOf reads the label format. 120700 to 120705 are label specification faults; which is which is ours.
func formatOf(spec *labelSpec, known map[text]label.Format) (label.Format, *refusal) {
	if spec == nil || spec.LabelImageFormat == nil || spec.LabelImageFormat.Code == "" {
		return "", refuse("120700", "Missing or invalid label specification.")
	}
	format, ok := known[text(strings.ToUpper(string(spec.LabelImageFormat.Code)))]
	if !ok {
		return "", refuse("120701", "Invalid label image format "+string(spec.LabelImageFormat.Code)+".")
	}
	if size := spec.LabelStockSize; size != nil && (size.Width != "4" || size.Height != "6" && size.Height != "8") {
		return "", refuse("120704", "Invalid label stock size: the width must be 4, the height 6 or 8.")
	}
	return format, nil
}

// book numbers the parcels and enters the shipment in the world and the ledger.
func (d *Dialect) book(tx *simulator.Tx, o *order, reference string) error {
	s := o.shipment
	rng := tx.Rand(Name, s.account+"/"+reference, s.stream(tx, reference))
	for i := range s.parcels {
		s.parcels[i].number = newNumber(s.account, s.service.code, rng)
		for tx.Find(Name, s.parcels[i].number) != nil || i > 0 && s.numbered(i) {
			s.parcels[i].number = newNumber(s.account, s.service.code, rng)
		}
	}
	s.booked = tx.Now()
	s.scans = []scan{{labelCreated, tx.Now(), s.whereNow(labelCreated)}}
	e := &simulator.Entity{Carrier: Name, ID: s.id(), Reference: reference, Kind: "shipment", Account: s.account, State: labelCreated, Data: s}
	if err := tx.Add(e, "request"); err != nil {
		return err
	}
	for _, p := range s.parcels[1:] {
		if err := tx.Alias(e, p.number); err != nil {
			return err
		}
	}
	tx.RecordOf(e, simulator.Booking, 0, "", fmt.Sprintf("service %s, parcels %d", s.service.code, len(s.parcels)))
	tx.RecordOf(e, simulator.Charge, s.charged, currency, "transportation and options")
	tx.Follow(e, d.pace.plan(s, tx.Rand(Name, e.ID, "life"), tx.Now()))
	return nil
}

// stream names the random stream of a shipment's numbers by its reference and how many it already has, so that other
// requests before it change no number; without a reference, by who gets it and when.
func (s *shipment) stream(tx *simulator.Tx, reference string) string {
	if reference == "" {
		return "number " + s.receiver.Name + tx.Now().Format(time.RFC3339Nano)
	}
	return "number " + strconv.Itoa(len(tx.ByReference(Name, reference)))
}

// numbered tells whether an earlier parcel of the shipment has the number of parcel i.
func (s *shipment) numbered(i int) bool {
	first, _ := s.parcel(s.parcels[i].number)
	return first < i
}

type chargesOut struct {
	RateChart             string
	BaseServiceCharge     money
	TransportationCharges money
	ItemizedCharges       many[itemized] `json:",omitzero"`
	ServiceOptionsCharges money
	TotalCharges          money
}

type image struct {
	ImageFormat  coded
	GraphicImage string
	HTMLImage    string `json:",omitzero"`
}

type packageResult struct {
	TrackingNumber        string
	BaseServiceCharge     money
	ServiceOptionsCharges money
	ShippingLabel         *image         `json:",omitzero"`
	ShippingReceipt       *image         `json:",omitzero"`
	ItemizedCharges       many[itemized] `json:",omitzero"`
}

type shipmentResults struct {
	ShipmentCharges                 chargesOut
	NegotiatedRateCharges           *negotiatedOut `json:",omitzero"`
	RatingMethod                    string
	BillableWeightCalculationMethod string
	BillingWeight                   weightOut
	ShipmentIdentificationNumber    string
	PackageResults                  many[packageResult]
	LabelURL                        string `json:",omitzero"`
}

// shipped writes the answer; it draws the labels and runs outside the transaction.
func (d *Dialect) shipped(o *order, parcels []parcelRecord) ([]byte, error) {
	bare, p := o.version.bare(), &o.price
	res := shipmentResults{
		ShipmentCharges: chargesOut{
			RateChart: "1", BaseServiceCharge: usd(p.base), TransportationCharges: usd(p.transportation()),
			ItemizedCharges:       many[itemized]{items(append([]item{{code: chargeFuel, cents: p.fuel}}, p.options...)), bare},
			ServiceOptionsCharges: usd(p.optionsTotal()), TotalCharges: usd(p.total()),
		},
		RatingMethod: "01", BillableWeightCalculationMethod: "02", BillingWeight: pounds(p.billed),
		ShipmentIdentificationNumber: parcels[0].number,
		PackageResults:               many[packageResult]{make([]packageResult, len(parcels)), bare},
	}
	if o.negotiated != nil {
		_, fuel, total := p.negotiated(o.negotiated.Discount)
		res.NegotiatedRateCharges = &negotiatedOut{
			ItemizedCharges: many[itemized]{items(append([]item{{code: chargeFuel, cents: fuel}}, p.options...)), bare}, TotalCharge: usd(total)}
	}
	for i := range parcels {
		pp := &p.parcels[i]
		out := &res.PackageResults.items[i]
		*out = packageResult{TrackingNumber: parcels[i].number, BaseServiceCharge: usd(pp.base),
			ServiceOptionsCharges: usd(pp.optionsTotal()), ItemizedCharges: many[itemized]{items(pp.options), bare}}
		if o.returnCode == "8" {
			continue // an electronic return label is a link
		}
		img, err := d.draw(o.shipment.label(i), o.format)
		if err != nil {
			return nil, err
		}
		out.ShippingLabel = img
		if o.returnCode == "9" {
			out.ShippingReceipt = receipt(parcels[i].number)
		}
	}
	if o.returnCode == "8" {
		res.LabelURL = "https://www.ups.com/uel/llp/" + parcels[0].number
	}
	var out struct {
		ShipmentResponse struct {
			Response        responsePart
			ShipmentResults shipmentResults
		}
	}
	out.ShipmentResponse.Response = success(o.version, o.request, o.alerts...)
	out.ShipmentResponse.ShipmentResults = res
	return json.Marshal(&out)
}

func (d *Dialect) draw(l label.Label, format label.Format) (*image, error) {
	raw, err := d.labels.Render(l, format)
	if err != nil {
		return nil, err
	}
	img := &image{ImageFormat: coded{string(format), string(format)}, GraphicImage: base64.StdEncoding.EncodeToString(raw)}
	if format == label.GIF || format == label.PNG {
		page := fmt.Sprintf(`<!DOCTYPE html><html><head><title>View/Print Label</title></head><body>`+
			`<img src="./label%s.%s" height="600" width="400" alt="label"></body></html>`, l.Tracking, strings.ToLower(string(format)))
		img.HTMLImage = base64.StdEncoding.EncodeToString([]byte(page))
	}
	return img, nil
}

func receipt(number string) *image {
	page := `<!DOCTYPE html><html><body><p>Return shipment receipt for ` + number + `</p></body></html>`
	return &image{ImageFormat: coded{"HTML", "HTML"}, GraphicImage: base64.StdEncoding.EncodeToString([]byte(page))}
}
