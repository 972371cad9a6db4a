package doordash

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A shape checks the value of one member and says what is wrong with it; ""
// is right. null is right everywhere and counts as absent.
type shape func(v jsontext.Value) string

var (
	idPattern = regexp.MustCompile(`^[a-zA-Z0-9\-._~]+$`)
	e164      = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

func ofKind(kind jsontext.Kind, name string) shape {
	return func(v jsontext.Value) string {
		if k := v.Kind(); k != kind && (kind != 't' || k != 'f') {
			return "must be " + name
		}
		return ""
	}
}

var (
	text   = ofKind('"', "a string")
	flag   = ofKind('t', "a boolean")
	object = ofKind('{', "an object")
	list   = ofKind('[', "an array")
)

func matching(pattern *regexp.Regexp, complaint string) shape {
	return func(v jsontext.Value) string {
		if s, ok := str(v); !ok || !pattern.MatchString(s) {
			return complaint
		}
		return ""
	}
}

func oneOf(allowed ...string) shape {
	return func(v jsontext.Value) string {
		if s, ok := str(v); !ok || !slices.Contains(allowed, s) {
			return "must be one of " + strings.Join(allowed, ", ")
		}
		return ""
	}
}

func cents(v jsontext.Value) string {
	var n int64
	if v.Kind() != '0' || json.Unmarshal(v, &n) != nil || n < 0 || n > math.MaxInt32 {
		return "must be a whole number of cents from 0 to 2147483647"
	}
	return ""
}

func instant(v jsontext.Value) string {
	if s, ok := str(v); ok {
		if _, err := time.Parse(time.RFC3339, s); err == nil {
			return ""
		}
	}
	return "must be a date-time such as 2026-05-15T18:05:00Z"
}

func window(v jsontext.Value) string {
	var w struct {
		Start time.Time `json:"start_time"`
		End   time.Time `json:"end_time"`
	}
	if json.Unmarshal(v, &w) != nil || w.Start.IsZero() || w.End.Before(w.Start) {
		return "must be an object with a start_time and an end_time that is not before it"
	}
	return ""
}

func location(v jsontext.Value) string {
	var p Point
	if v.Kind() != '{' || json.Unmarshal(v, &p) != nil || !p.valid() {
		return "must be an object with lat and lng"
	}
	return ""
}

func address(v jsontext.Value) string {
	s, ok := str(v)
	if !ok || strings.TrimSpace(s) == "" {
		return "must be one string: street, city, state and zip code"
	}
	if !strings.Contains(s, ",") {
		return "is missing city, state or zip code"
	}
	return ""
}

func items(v jsontext.Value) string {
	var all []struct {
		Name     string   `json:"name"`
		Quantity *float64 `json:"quantity"`
	}
	if v.Kind() != '[' || json.Unmarshal(v, &all) != nil {
		return "must be an array of items, each with name and quantity"
	}
	for i, item := range all {
		if item.Name == "" || item.Quantity == nil || *item.Quantity <= 0 {
			return fmt.Sprintf("item %d lacks a name or a quantity above 0", i)
		}
	}
	return ""
}

// members are what a quote and a delivery may hold ("Drive API" 2.1.59), in
// the order in which answers repeat them. Others are ignored, as DoorDash does.
var members = []struct {
	name  string
	shape shape
}{
	{"external_delivery_id", matching(idPattern, "must be made of a-z A-Z 0-9 - . _ ~")},
	{"locale", oneOf("en-US", "fr-CA", "es-US")},
	{"order_fulfillment_method", oneOf("standard", "catering", "shop_stage", "shop_deliver", "parcel", "large_order", "shop_handoff")},
	{"origin_facility_id", text},
	{"pickup_address", address}, {"pickup_business_name", text}, {"pickup_phone_number", matching(e164, phoneComplaint)},
	{"pickup_instructions", text}, {"pickup_reference_tag", text},
	{"pickup_external_business_id", text}, {"pickup_external_store_id", text}, {"pickup_verification_metadata", object},
	{"dropoff_address", address}, {"dropoff_business_name", text}, {"dropoff_location", location},
	{"dropoff_phone_number", matching(e164, phoneComplaint)}, {"dropoff_instructions", text},
	{"dropoff_contact_given_name", text}, {"dropoff_contact_family_name", text}, {"dropoff_contact_send_notifications", flag},
	{"dropoff_options", object}, {"dropoff_address_components", object}, {"dropoff_pin_code_verification_metadata", object},
	{"shopping_options", object}, {"order_value", cents}, {"items", items},
	{"pickup_time", instant}, {"dropoff_time", instant}, {"pickup_window", window}, {"dropoff_window", window},
	{"contactless_dropoff", flag}, {"action_if_undeliverable", oneOf("return_to_pickup", "dispose")}, {"tip", cents},
	{"order_contains", object}, {"dasher_allowed_vehicles", list}, {"dropoff_requires_signature", flag},
	{"promotion_id", text}, {"dropoff_cash_on_delivery", cents}, {"order_route_type", oneOf("roundtrip")}, {"order_route_items", list},
	{"shipping_label_config", object}, {"shipping_label_metadata", object},
}

const phoneComplaint = "is not a valid phone number in E.164 form"

// onAccept are the members that accepting a quote may change.
var onAccept = []string{"tip", "dropoff_phone_number", "order_value", "pickup_phone_number", "pickup_instructions",
	"pickup_reference_tag", "dropoff_contact_given_name", "dropoff_contact_family_name", "dropoff_instructions",
	"contactless_dropoff", "action_if_undeliverable", "items", "shipping_label_config", "shipping_label_metadata"}

// request holds the members of a quote or delivery, each as it was sent.
type request map[string]jsontext.Value

// read decodes a body and drops what is null. An empty body is an empty request.
func read(body []byte) (request, error) {
	req := request{}
	if len(bytes.TrimSpace(body)) == 0 {
		return req, nil
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return request{}, err
	}
	for name, v := range req {
		if v.Kind() == 'n' {
			delete(req, name)
		}
	}
	return req, nil
}

// str is a JSON string's text.
func str(v jsontext.Value) (string, bool) {
	var s string
	return s, v.Kind() == '"' && json.Unmarshal(v, &s) == nil
}

func (r request) text(name string) string {
	s, _ := str(r[name])
	return s
}

func (r request) cents(name string) int64 {
	var n int64
	if v, ok := r[name]; !ok || json.Unmarshal(v, &n) != nil {
		return 0
	}
	return n
}

// time is the instant of a member, or the beginning of its window; zero when
// neither is there.
func (r request) time(leg string) time.Time {
	if at, err := time.Parse(time.RFC3339, r.text(leg+"_time")); err == nil {
		return at.UTC()
	}
	var w struct {
		Start time.Time `json:"start_time"`
	}
	if v, ok := r[leg+"_window"]; !ok || json.Unmarshal(v, &w) != nil {
		return time.Time{}
	}
	return w.Start.UTC()
}

// check lists everything that is wrong with the members that are there and
// with those that are missing.
func (r request) check(required ...string) []fieldError {
	var found []fieldError
	for _, name := range required {
		if _, ok := r[name]; !ok {
			found = append(found, fieldError{name, "is required"})
		}
	}
	for _, m := range members {
		if v, ok := r[m.name]; ok {
			if complaint := m.shape(v); complaint != "" {
				found = append(found, fieldError{m.name, complaint})
			}
		}
	}
	return found
}

// checkPickup sees that the pickup is given by an address or by a store.
func (r request) checkPickup() []fieldError {
	_, business := r["pickup_external_business_id"]
	_, store := r["pickup_external_store_id"]
	_, street := r["pickup_address"]
	switch {
	case business != store:
		return []fieldError{{"pickup_external_store_id", "pickup_external_business_id and pickup_external_store_id are given both or neither"}}
	case !store && !street:
		return []fieldError{{"pickup_address", "is required where no store is given"}}
	}
	return nil
}

// latest is how far ahead a delivery may be asked for (chosen).
const latest = 30 * 24 * time.Hour

// checkTimes sees that nothing is asked for in the past, by any of the clocks
// that a caller may go by.
func (r request) checkTimes(clocks []time.Time) []fieldError {
	now := slices.MinFunc(clocks, time.Time.Compare)
	var found []fieldError
	for _, leg := range []string{"pickup", "dropoff"} {
		if at := r.time(leg); !at.IsZero() && at.Before(now.Add(-time.Minute)) {
			found = append(found, fieldError{leg + "_time", fmt.Sprintf("has passed; the earliest %s is %s", leg, now.Format(time.RFC3339))})
		}
	}
	return found
}

// merge takes the named members of another request, or all it knows for nil.
func (r request) merge(other request, names []string) {
	for _, m := range members {
		if v, ok := other[m.name]; ok && (names == nil || slices.Contains(names, m.name)) {
			r[m.name] = v
		}
	}
}

// encode writes the known members as one JSON object.
func (r request) encode() []byte {
	var out bytes.Buffer
	out.WriteByte('{')
	for _, m := range members {
		v, ok := r[m.name]
		if !ok {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%q:", m.name)
		out.Write(v)
	}
	out.WriteByte('}')
	return bytes.Clone(out.Bytes())
}
