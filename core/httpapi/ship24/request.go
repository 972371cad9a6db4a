package ship24

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/language"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const (
	minNumber = 5
	maxNumber = 50
	maxCodes  = 3
	maxText   = 255
	maxURL    = 2000

	isRequired = "is required"
	isOutdated = "is outdated"
	// oldest is how many years back a shippingDate may lie. Ship24 does not say when one is outdated, and its own examples are of 2021;
	// nothing that was shipped longer ago is still under way.
	oldest = 10
)

// request is the body that creates a tracker. A member that is null is as one that is not there.
type request struct {
	TrackingNumber         string        `json:"trackingNumber"`
	ShipmentReference      *string       `json:"shipmentReference,omitzero"`
	ClientTrackerID        *string       `json:"clientTrackerId,omitzero"`
	OriginCountryCode      *string       `json:"originCountryCode,omitzero"`
	DestinationCountryCode *string       `json:"destinationCountryCode,omitzero"`
	DestinationPostCode    *string       `json:"destinationPostCode,omitzero"`
	ShippingDate           *string       `json:"shippingDate,omitzero"`
	CourierCode            *courierCodes `json:"courierCode,omitzero"`
	CourierName            *string       `json:"courierName,omitzero"`
	TrackingURL            *string       `json:"trackingUrl,omitzero"`
	OrderNumber            *string       `json:"orderNumber,omitzero"`
	Title                  *string       `json:"title,omitzero"`
	Recipient              *recipient    `json:"recipient,omitzero"`
	Settings               *settings     `json:"settings,omitzero"`
}

type recipient struct {
	Email *string `json:"email,omitzero"`
	Name  *string `json:"name,omitzero"`
}

type settings struct {
	Restrict bool `json:"restrictTrackingToCourierCode"`
}

// courierCodes is one code or a list of them, and is shown as it came.
type courierCodes struct {
	list   []string
	single bool
}

// UnmarshalJSON reads a code or a list of codes.
func (c *courierCodes) UnmarshalJSON(b []byte) error {
	c.single = jsontext.Value(b).Kind() == '"'
	if c.single {
		c.list = make([]string, 1)
		return json.Unmarshal(b, &c.list[0])
	}
	c.list = nil
	if json.Unmarshal(b, &c.list) != nil {
		return errors.New("must be a courier's code, or a list of them")
	}
	return nil
}

// MarshalJSON writes what was read.
func (c courierCodes) MarshalJSON() ([]byte, error) {
	if c.single {
		return json.Marshal(c.list[0])
	}
	return json.Marshal(c.list)
}

// equal tells whether the same couriers are named in the same order.
func (c *courierCodes) equal(other *courierCodes) bool {
	return slices.Equal(c.codes(), other.codes())
}

func (c *courierCodes) codes() []string {
	if c == nil {
		return nil
	}
	return c.list
}

// decode reads a body, all its faults at once. now is the time by which a date is judged.
func decode(body []byte, now time.Time) (*request, error) {
	var r request
	f, err := httpapi.Decode(body, &r)
	if err != nil {
		return nil, err
	}
	return &r, invalid(f, r.faults(now))
}

// invalid is the refusal of a body; of two faults of one member the first counts. nil where there is none.
func invalid(f, more shipping.Faults) error {
	for _, m := range more {
		if !slices.ContainsFunc(f, func(x shipping.Fault) bool { return x.Path == m.Path }) {
			f = append(f, m)
		}
	}
	if len(f) == 0 {
		return nil
	}
	return &usecase.Error{Type: usecase.ValidationError, Message: "The request is invalid.", Faults: f}
}

func (r *request) faults(now time.Time) shipping.Faults {
	var f shipping.Faults
	checkNumber(&f, r.TrackingNumber)
	for path, text := range map[string]*string{"shipmentReference": r.ShipmentReference, "clientTrackerId": r.ClientTrackerID, "courierName": r.CourierName,
		"orderNumber": r.OrderNumber, "title": r.Title} {
		if text != nil {
			f.Line(path, *text, maxText)
		}
	}
	if r.TrackingURL != nil {
		f.Line("trackingUrl", *r.TrackingURL, maxURL)
	}
	if p := r.Recipient; p != nil {
		if p.Name != nil {
			f.Line("recipient.name", *p.Name, maxText)
		}
		if p.Email != nil && *p.Email != "" {
			if a, err := mail.ParseAddress(*p.Email); err != nil || a.Address != *p.Email || len(*p.Email) > maxText {
				f.Add("recipient.email", "must be an e-mail address")
			}
		}
	}
	checkShipment(&f, r.OriginCountryCode, r.DestinationCountryCode, r.DestinationPostCode, r.CourierCode)
	checkDate(&f, r.ShippingDate, now)
	slices.SortStableFunc(f, func(a, b shipping.Fault) int { return strings.Compare(a.Path, b.Path) })
	return f
}

// checkShipment checks what a PATCH may change too.
func checkShipment(f *shipping.Faults, origin, destination, postCode *string, codes *courierCodes) {
	checkCountry(f, "originCountryCode", origin)
	checkCountry(f, "destinationCountryCode", destination)
	if postCode != nil {
		f.Line("destinationPostCode", *postCode, maxText)
	}
	if len(codes.codes()) > maxCodes {
		f.Add("courierCode", "must be at most %d couriers", maxCodes)
		return
	}
	for _, code := range codes.codes() {
		f.Line("courierCode", code, shipping.MaxText)
	}
}

// checkDate checks a shippingDate.
func checkDate(f *shipping.Faults, date *string, now time.Time) {
	if date == nil || *date == "" {
		return
	}
	switch at, _, ok := shipping.ParseCarrierTime(*date); {
	case !ok:
		f.Add("shippingDate", "must be a date and time such as 2021-03-01T11:09:00.000Z, 2021-03-01T11:09:00+02:00, 2021-03-01T11:09:00 or 2021-03-01")
	case at.Before(now.AddDate(-oldest, 0, 0)):
		f.Add("shippingDate", isOutdated+": it lies more than %d years back, and nothing that was shipped then can still be tracked", oldest)
	}
}

func checkNumber(f *shipping.Faults, n string) {
	switch {
	case n == "":
		f.Add("trackingNumber", isRequired)
	case len(n) < minNumber, len(n) > maxNumber, strings.ContainsFunc(n, strange), dummy(n):
		f.Add("trackingNumber", "seems invalid. It must have %d to %d characters, which are letters, digits, hyphens, underscores, slashes and dots, "+
			"and must not be a dummy such as 12345678 or 00000000", minNumber, maxNumber)
	}
}

func strange(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_/.", r)
}

// dummy reports a number that is one character again and again, or digits that all follow each other upwards or downwards, 0 and 9
// being neighbours.
func dummy(n string) bool {
	same, up, down := true, true, true
	for i := range len(n) {
		if n[i] < '0' || n[i] > '9' {
			up, down = false, false
		}
		if i == 0 {
			continue
		}
		step := (int(n[i]) - int(n[i-1]) + 10) % 10
		same, up, down = same && n[i] == n[i-1], up && step == 1, down && step == 9
	}
	return same || up || down
}

func checkCountry(f *shipping.Faults, path string, code *string) {
	if code == nil || *code == "" {
		return
	}
	region, err := language.ParseRegion(*code)
	letters := !strings.ContainsFunc(*code, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') })
	if err != nil || !letters || !region.IsCountry() {
		f.Add(path, "must be a country's code of ISO 3166-1, alpha-2 or alpha-3, such as US or USA")
	}
}

// extra is what a tracker keeps of this surface.
type extra struct {
	Request      request `json:"request"`
	Unsubscribed bool    `json:"unsubscribed,omitzero"`
}

// extraOf is what was told of a tracker; nothing where personal data was erased.
func extraOf(t *tracker.Tracker) (x extra) {
	if len(t.Extra) == 0 || json.Unmarshal(t.Extra, &x) != nil {
		return extra{Unsubscribed: !t.ErasedAt.IsZero()}
	}
	return x
}

func (x extra) keepIn(t *tracker.Tracker) error {
	b, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("write what the caller told: %w", err)
	}
	t.Extra = b
	return nil
}

// tracker makes the tracker that a body asks for.
func (r *request) tracker(q *httpapi.Request) (*tracker.Tracker, error) {
	t := &tracker.Tracker{Surface: tracker.OfShip24, Number: r.TrackingNumber, Type: "shipping", Couriers: r.couriers(),
		Tags: []string{numberTag(r.TrackingNumber)}, Source: tracker.Source{Type: "api", ID: q.Caller.Key, Name: q.Caller.Key}}
	if id := r.ClientTrackerID; id != nil && *id != "" {
		t.Names, t.Tags = append(t.Names, clientName(*id)), append(t.Tags, clientTag(*id))
	}
	return t, extra{Request: *r}.keepIn(t)
}

// plan makes the order to create what a body asks for, under the name of the whole body.
func (r *request) plan(q *httpapi.Request, body []byte) (tracking.CreateRequest, error) {
	same := jsontext.Value(slices.Clone(body))
	if err := same.Canonicalize(); err != nil {
		return tracking.CreateRequest{}, &usecase.Error{Type: usecase.ValidationError, Message: "The body cannot be compared.",
			Faults: shipping.Faults{{Message: "the body has a member that cannot be compared: a number that is too large"}}, Err: err}
	}
	t, err := r.tracker(q)
	if err != nil {
		return tracking.CreateRequest{}, err
	}
	hash := sha256.Sum256(same)
	name := tracker.Name("ship24", hex.EncodeToString(hash[:]))
	t.Names = append(t.Names, name)
	return tracking.CreateRequest{Tracker: t, Same: name, Quota: q.Tenant.Ship24.Quota, Counted: "ship24.trackers"}, nil
}

// couriers are those that are asked about the number, best first: the ones that are named, and unless the caller wants no others
// the ones that the number may be of.
func (r *request) couriers() []string {
	var out []string
	add := func(code string) {
		if code != "" && !slices.Contains(out, code) {
			out = append(out, code)
		}
	}
	for _, code := range r.CourierCode.codes() {
		if c, ok := number.Lookup(code); ok {
			add(c.Code)
		}
		add(code) // an account's id or an adapter's name
	}
	if len(out) == 0 && r.CourierName != nil {
		add(*r.CourierName)
	}
	if len(out) > 0 && r.Settings != nil && r.Settings.Restrict {
		return out
	}
	for _, c := range number.Detect(r.TrackingNumber) {
		if c.Valid {
			add(c.Courier)
		}
	}
	return out
}

func clientName(id string) string { return tracker.Name("ship24-client", id) }
func clientTag(id string) string  { return "ship24-client:" + id }

// numberTag finds the trackers of a number, however it is written.
func numberTag(n string) string { return tracker.NumberTag(tracker.OfShip24, tracker.PlainNumber(n)) }

// numberTags are all that a tracker of a number may have, the oldest first: hyphens have once been a part of it.
func numberTags(n string) []string {
	return slices.Compact([]string{tracker.NumberTag(tracker.OfShip24, strings.ToUpper(n)), numberTag(n)})
}
