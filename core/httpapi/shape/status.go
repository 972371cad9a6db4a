package shape

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// statusBody is a status set by hand, with what is known beside it.
type statusBody struct {
	Status      shipping.Status       `json:"status"`
	SubStatus   string                `json:"subStatus"`
	Note        string                `json:"note"`
	EventReason *shipping.EventReason `json:"eventReason"`
	At          shipping.Instant      `json:"at"`
	Time        shipping.Instant      `json:"time"`  // another name of At
	Actor       string                `json:"actor"` // who says so, where the key is not the person
	Driver      *shipping.Driver      `json:"driver"`
	Vehicle     *shipping.Vehicle     `json:"vehicle"`
	Location    *struct {
		Latitude  float64 `json:"latitude"`
		Longitude float64 `json:"longitude"`
	} `json:"lastLocation"`
	Attachments []shipment.Attachment `json:"attachments"`
	Override    bool                  `json:"override"` // although the carrier follows the order itself
}

// maxURL and maxProofs bound what a person attaches.
const (
	maxURL    = 2000
	maxProofs = 20
)

// faults are what is wrong with the body, as of now.
func (b *statusBody) faults(now time.Time) shipping.Faults {
	var f shipping.Faults
	if !slices.Contains(shipping.Statuses, b.Status) {
		f.Add("status", "must be one of the order statuses, such as PICKUP_COMPLETED or ORDER_DELIVERED")
	}
	f.Line("subStatus", b.SubStatus, shipping.MaxText)
	f.Text("note", b.Note, shipping.MaxNote)
	f.Line("actor", b.Actor, shipping.MaxText)
	if r := b.EventReason; r != nil {
		f.Required("eventReason.code", r.Code, shipping.MaxText)
		f.Line("eventReason.title", r.Title, shipping.MaxText)
		f.Text("eventReason.note", r.Note, shipping.MaxNote)
	}
	for i, at := range []shipping.Instant{b.At, b.Time} {
		if !at.IsZero() && at.After(now.Add(time.Minute)) {
			f.Add([]string{"at", "time"}[i], "must not lie in the future")
		}
	}
	if !b.At.IsZero() && !b.Time.IsZero() && !b.At.Equal(b.Time.Time) {
		f.Add("time", "is another name of at, and must be the same where both are given")
	}
	if d := b.Driver; d != nil {
		f.Line("driver.name", d.Name, shipping.MaxText)
		f.Line("driver.phone", d.Phone, shipping.MaxText)
		f.Line("driver.photo", d.Photo, maxURL)
	}
	if v := b.Vehicle; v != nil {
		f.Line("vehicle.type", v.Type, shipping.MaxText)
		f.Line("vehicle.color", v.Color, shipping.MaxText)
		f.Line("vehicle.number", v.Number, shipping.MaxText)
	}
	if l := b.Location; l != nil && (math.Abs(l.Latitude) > 90 || math.Abs(l.Longitude) > 180) {
		f.Add("lastLocation", "latitude must be between -90 and 90, longitude between -180 and 180")
	}
	if len(b.Attachments) > maxProofs {
		f.Add("attachments", "must be at most %d", maxProofs)
		return f
	}
	for i, a := range b.Attachments {
		path := fmt.Sprintf("attachments[%d]", i)
		f.Line(path+".type", a.Type, shipping.MaxText)
		f.Line(path+".contentType", a.ContentType, shipping.MaxText)
		f.Line(path+".url", a.URL, maxURL)
		if u, err := url.Parse(a.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			f.Add(path+".url", "must be a URL that begins with https:// or http://")
		}
	}
	return f
}

// ReadStatus reads a status set by hand, and refuses one with all its faults.
func ReadStatus(raw []byte, now time.Time) (tracking.StatusUpdate, error) {
	var b statusBody
	f, err := httpapi.Decode(raw, &b)
	if err != nil {
		return tracking.StatusUpdate{}, err
	}
	if f = Add(f, b.faults(now)); len(f) > 0 {
		return tracking.StatusUpdate{}, usecase.Invalid(usecase.ValidationError, f)
	}
	at := b.At.Time
	if at.IsZero() {
		at = b.Time.Time
	}
	u := tracking.StatusUpdate{Status: b.Status, SubStatus: b.SubStatus, Note: b.Note, Actor: strings.TrimSpace(b.Actor), Reason: b.EventReason, At: at,
		Proofs: b.Attachments, Driver: b.Driver, Vehicle: b.Vehicle, Override: b.Override}
	if b.Location != nil {
		u.Location = &shipping.Location{Latitude: b.Location.Latitude, Longitude: b.Location.Longitude}
	}
	return u, nil
}
