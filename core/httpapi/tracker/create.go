package tracker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// maxKey bounds an Idempotency-Key, in bytes.
const maxKey = 255

// create begins to follow a number that was booked elsewhere.
func (s *surface) create(q *httpapi.Request) (httpapi.Answer, error) {
	var b createBody
	f, err := httpapi.Decode(q.Body, &b)
	if err != nil {
		e := *usecase.AsError(err)
		e.Type = usecase.MissingTrackerData
		return httpapi.Answer{}, &e
	}
	key := q.HTTP.Header.Get("Idempotency-Key")
	if len(key) > maxKey {
		return httpapi.Answer{}, usecase.Invalid(usecase.InvalidTrackerData, shipping.Faults{{Path: "Idempotency-Key", Message: fmt.Sprintf("must be at most %d bytes", maxKey)}})
	}
	account, fault := s.account(q.Tenant, &b)
	more := b.faults(q.Tenant)
	if fault != "" {
		more.Add("provider", "%s", fault)
	}
	if f = shape.Add(f, more); len(f) > 0 {
		return httpapi.Answer{}, refuse(q.Body, f)
	}
	t, err := s.trackerOf(q, &b, account)
	if err != nil {
		return httpapi.Answer{}, err
	}
	r := tracking.CreateRequest{Tracker: t}
	if key != "" {
		hash := sha256.Sum256(q.Body)
		r.IdempotencyKey, r.BodyHash = "POST /trackers "+key, hash[:]
	}
	t, _, err = s.Cases.Create(q.Context(), q.Caller, r)
	if err != nil {
		if e := usecase.AsError(err); e.Type == usecase.DuplicateID {
			return httpapi.Answer{}, refuse(q.Body, shipping.Faults{{Path: "trackerExternalId", Message: "is that of another tracker already; it has to be unique"}})
		}
		return httpapi.Answer{}, err
	}
	location := s.router.Config().Server.PublicURL + "/trackers/" + url.PathEscape(string(t.ID))
	return httpapi.Answer{Status: http.StatusCreated, Body: s.show(q.Tenant, t), Header: http.Header{"Location": {location}}}, nil
}

// account finds the account that the body means, by name, or without one by the number. Else it says what is wrong.
func (s *surface) account(t *config.Tenant, b *createBody) (*config.Account, string) {
	if name := strings.TrimSpace(b.Provider); name != "" {
		if a := s.accountNamed(t, name); a != nil {
			return a, ""
		}
		return nil, "is not configured: name an account by its id, its name or its carrier"
	}
	for _, c := range number.Detect(b.TrackingID) {
		if a := s.accountNamed(t, c.Courier); a != nil {
			return a, ""
		}
	}
	return nil, "is required: the trackingId does not tell which of the configured accounts it belongs to"
}

// trackerOf is the tracker that a valid body asks for.
func (s *surface) trackerOf(q *httpapi.Request, b *createBody, a *config.Account) (*tracker.Tracker, error) {
	o := b.order()
	t := &tracker.Tracker{Surface: tracker.OfAPI, Number: b.TrackingID, Account: a.ID, Provider: b.Provider, Type: b.Type, Order: o,
		Status: shipping.OrderDispatched, Source: sourceOf(q), Tags: []string{tracker.NumberTag(tracker.OfAPI, b.TrackingID)}}
	if t.Type == "" {
		t.Type = typeShipping
	}
	if b.TrackerExternalID != "" {
		t.Names = []string{nameOf(b.TrackerExternalID)}
	}
	if b.GroupID != nil && *b.GroupID != "" {
		t.Tags = append(t.Tags, tracker.GroupTag(*b.GroupID))
	}
	if b.EstimatedDeliveryTime != nil {
		t.Progress.EstimatedDelivery = *b.EstimatedDeliveryTime
	}
	x := extra{Barcodes: b.Barcodes, Zone: s.zone(q.Context(), o.DeliveryAddress)}
	t.Pickup = s.pickup(q.Context(), q.Tenant, b)
	if t.Pickup.Zone == "" { // what happens far from both is rare: one clock for the whole way
		t.Pickup.Zone = x.Zone
	}
	if t.Zone = t.Pickup.Zone; t.Zone == "" {
		t.Zone = "UTC"
	}
	if m, known := s.Manifest(q.Tenant.ID, a.ID); known && !m.Has(carrier.CanTrack) && !m.Has(carrier.CanReceivePush) {
		t.Warnings = append(t.Warnings, shipment.Warning{Code: "PROVIDER_NOT_FOLLOWED", Provider: a.ID, Parameter: "provider", Message: notFollowed(s.provider(q.Tenant, t).DisplayName)})
	}
	var err error
	t.Extra, err = json.Marshal(x, json.Deterministic(true))
	return t, err
}

// pickup is the place where it starts: one of the caller's own words before a configured one.
func (s *surface) pickup(ctx context.Context, t *config.Tenant, b *createBody) *shipment.Place {
	if p := b.Pickup; p != nil {
		place := &shipment.Place{ID: b.LocationExternalID, Name: p.Name, Address: p.Address, Contact: p.Contact, Instructions: p.Instructions, Zone: p.TimeZone}
		if place.Zone == "" {
			place.Zone = s.zone(ctx, p.Address)
		}
		return place
	}
	l := t.Locations[b.LocationExternalID]
	place := &shipment.Place{ID: l.ID, Name: l.Name, Address: l.Address, Contact: l.Contact, Instructions: l.Instructions, Zone: l.Zone, Tags: l.Tags}
	if place.Zone == "" {
		place.Zone = s.zone(ctx, l.Address)
	}
	return place
}

// zone is the time zone of an address, "" where it cannot be placed: a tracker is followed all the same.
func (s *surface) zone(ctx context.Context, a shipping.Address) string {
	if a == (shipping.Address{}) {
		return ""
	}
	place, err := s.Placer.Place(ctx, geo.Query{Street1: a.Street1, Street2: a.Street2, City: a.City, State: a.State, PostalCode: a.PostalCode,
		CountryCode: a.CountryCode, Latitude: a.Latitude, Longitude: a.Longitude})
	if err != nil {
		s.router.Log.Debug("address of a tracker was not placed; its zone is not known", "tenant_country", a.CountryCode)
		return ""
	}
	return place.Zone
}

// sourceOf names the key that creates a tracker. Its id is a part of the key's hash, which tells nothing of the key.
func sourceOf(q *httpapi.Request) tracker.Source {
	source := tracker.Source{Type: "api_key", Name: q.Caller.Key}
	for _, k := range q.Tenant.Keys {
		if k.Name == q.Caller.Key {
			source.ID = k.SHA256[:14]
		}
	}
	return source
}
