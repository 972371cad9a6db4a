package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// commitLess commits a transaction that is too large for the store, without what can be spared: that a carrier has booked must be
// recorded, whatever came with it. First the exchanges are left out, which the trace then says, then the labels, which the shipment
// warns of. The transaction is one that Commit has refused with ErrTooLarge.
func (s *Service) commitLess(ctx context.Context, sh *shipment.Shipment, what string, tx *store.Tx) error {
	err := store.ErrTooLarge
	if len(tx.Exchanges) > 0 {
		s.Log.Warn("exchanges are not kept, their transaction was too large", "shipment_id", sh.ID, "exchanges", len(tx.Exchanges))
		tx.Exchanges = leftOut(tx.Exchanges)
		err = s.commit(ctx, sh.Tenant, what, tx)
	}
	if !errors.Is(err, store.ErrTooLarge) || len(tx.Labels) == 0 {
		return err
	}
	s.Log.Warn("labels are not kept, their transaction was too large", "shipment_id", sh.ID, "labels", len(tx.Labels))
	for _, l := range tx.Labels {
		a := sh.Attempt(l.Attempt)
		a.Booking.Parcels[l.Parcel-1].LabelFormat = ""
		sh.Warnings = append(sh.Warnings, shipment.Warning{Code: "LABEL_NOT_KEPT", Provider: a.Provider,
			Message: fmt.Sprintf("The label of parcel %d is too large to be kept. Fetch it from %s.", l.Parcel, a.Provider)})
	}
	tx.Labels = nil
	return s.commit(ctx, sh.Tenant, what, tx)
}

// leftOut is what the trace says in place of exchanges: one note for each call.
func leftOut(xs []store.Exchange) []store.Exchange {
	var notes []store.Exchange
	var counts []int
	for _, x := range xs {
		at := slices.IndexFunc(notes, func(n store.Exchange) bool {
			return n.Account == x.Account && n.Op == x.Op && n.Attempt == x.Attempt && n.Round == x.Round
		})
		if at < 0 {
			at = len(notes)
			note := store.Exchange{Shipment: x.Shipment, Account: x.Account, Op: x.Op, Attempt: x.Attempt, Round: x.Round}
			note.At = x.At
			notes, counts = append(notes, note), append(counts, 0)
		}
		counts[at]++
		notes[at].Lost = fmt.Sprintf("%d exchanges were not kept: they were too large to be stored with what came of them", counts[at])
	}
	return notes
}

// What is kept of what a carrier says with a booking or a refusal; longer numbers are none. In characters, and in entries.
const (
	maxWords   = 2000
	maxNumber  = 200
	maxEntries = 100
)

// words bounds a carrier's text.
func words(s string) string {
	if len(s) <= maxWords {
		return s
	}
	r := []rune(s)
	return string(r[:min(len(r), maxWords-1)]) + "…"
}

// carrierError is the carrier's or the machinery's error, its texts bounded, so that it can be recorded.
func carrierError(err error) *carrier.Error {
	e := carrier.AsError(err)
	if e == nil || max(len(e.Message), len(e.CarrierMessage), len(e.CarrierCode)) <= maxWords {
		return e
	}
	brief := *e
	brief.Message, brief.CarrierMessage, brief.CarrierCode = words(e.Message), words(e.CarrierMessage), words(e.CarrierCode)
	return &brief
}

// readable reports whether a booking has a number, and none that cannot be one.
func readable(b carrier.Booking) bool {
	// What is found by its number in the store cannot have a zero byte.
	odd := func(n string) bool { return utf8.RuneCountInString(n) > maxNumber || strings.IndexByte(n, 0) >= 0 }
	return refOf(b) != "" && !slices.ContainsFunc(numbers(b), odd) && utf8.RuneCountInString(b.TrackingURL)/10 <= maxNumber && len(b.Parcels) <= shipping.MaxItems
}

// brief is a booking with what it says beside its facts bounded.
func brief(b carrier.Booking) carrier.Booking {
	b.Warnings = slices.Clone(b.Warnings[:min(len(b.Warnings), maxEntries)])
	for i, w := range b.Warnings {
		b.Warnings[i] = words(w)
	}
	b.Charges = slices.Clone(b.Charges[:min(len(b.Charges), maxEntries)])
	for i := range b.Charges {
		b.Charges[i].Code, b.Charges[i].Name = words(b.Charges[i].Code), words(b.Charges[i].Name)
	}
	return b
}
