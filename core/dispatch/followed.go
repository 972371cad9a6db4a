package dispatch

import (
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// firstPoll is how long after a booking the carrier is asked first what has become of it.
const firstPoll = 10 * time.Second

// courier is the mode of services that one courier carries out.
const courier = "courier"

// attemptName is the name of the tracker of an attempt's booking.
func attemptName(sh *shipment.Shipment, a *shipment.Attempt) string {
	return tracker.Name("attempt", fmt.Sprintf("%s/%d", sh.ID, a.Number))
}

// followed is the tracker of a booking. It is committed with the booking, so that no carrier's word about it is lost.
func (s *Service) followed(sh *shipment.Shipment, a *shipment.Attempt) *tracker.Tracker {
	now := s.Clock.Now()
	b := a.Booking
	t := &tracker.Tracker{
		Schema: tracker.Schema, ID: tracker.ID(s.Source.ID()), Tenant: sh.Tenant, Surface: tracker.OfShipment,
		Names:  []string{attemptName(sh, a)},
		Number: b.TrackingID, Reference: a.Reference, Account: a.Account, Provider: a.Provider, Shipment: sh.ID, Attempt: a.Number,
		Type: "shipping", Zone: sh.Pickup.Zone, Source: tracker.Source{Type: "shipment", ID: string(sh.ID), Name: sh.Order.ExternalID},
		Status: shipping.OrderDispatched, Progress: sh.Progress, TrackingURL: b.TrackingURL, NextPoll: now.Add(firstPoll),
		CreatedBy: sh.CreatedBy, CreatedAt: now, UpdatedAt: now,
	}
	if m, known := s.manifest(sh.Tenant, a.Account); known && !m.Has(carrier.CanTrack) && !m.Has(carrier.CanReceivePush) {
		t.NextPoll = time.Time{} // people tell how it goes
	}
	if a.Quote.Mode == courier {
		t.Type = "delivery"
	}
	for _, p := range b.Parcels {
		if p.Number != "" {
			t.Follow(p.Number)
		}
	}
	if len(t.Tags) == 0 && t.Number != "" {
		t.Follow(t.Number)
	}
	for _, n := range []string{b.CarrierRef, b.TrackingID} {
		if tag := tracker.BookingTag(a.Account, n); n != "" && !slices.Contains(t.Tags, tag) && !slices.Contains(t.Tags, tracker.ParcelTag(a.Account, n)) {
			t.Tags = append(t.Tags, tag)
		}
	}
	t.Tags = append(t.Tags, tracker.ReferenceTag(a.Reference), tracker.ShipmentTag(sh.ID))
	return t
}
