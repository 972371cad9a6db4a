package dispatch

import (
	"context"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// A carrier may have a booking under a reference that no attempt of the order has: a store that was restored from a backup knows less than
// the carriers, and derives the same references again. What such a carrier refuses as a duplicate is the order's own booking, most likely,
// so it is an attempt in doubt: the carrier is asked for what it has, and nobody else is asked to book meanwhile.

// maxDuplicates bounds how often an account is believed, for one order, that it has a booking which it then does not show: after that its
// word is a refusal like any other.
const maxDuplicates = 5

// duplicated reports whether the attempt stands for a booking that its carrier told of by refusing its reference.
func duplicated(a *shipment.Attempt) bool {
	return a.Error != nil && a.Error.Code == string(carrier.DuplicateReference)
}

// hasBooked reports whether a carrier's refusal says that it has booked under the order's reference already.
func hasBooked(sh *shipment.Shipment, account string, err *carrier.Error) bool {
	if err == nil || err.Code != carrier.DuplicateReference {
		return false
	}
	n := 0
	for i := range sh.Attempts {
		if a := &sh.Attempts[i]; a.Account == account && a.State == shipment.Absent && duplicated(a) {
			n++
		}
	}
	return n < maxDuplicates
}

// duplicate is the first account of a round that has booked under its reference already, nil where none has.
func (e *estimate) duplicate(sh *shipment.Shipment) *asked {
	for _, a := range e.asked {
		if hasBooked(sh, a.config.ID, a.err) {
			return a
		}
	}
	return nil
}

// lookFor ends a round whose question a carrier has refused as it has booked under the reference: with an attempt in doubt, that
// reconciliation looks for like any other. Its quote is not known; what it costs, and by which service, the carrier says with the booking.
func (s *Service) lookFor(ctx context.Context, sh *shipment.Shipment, e *estimate, a *asked) (_ *shipment.Shipment, end ending, err error) {
	sh, err = s.change(ctx, sh, "intent", func(sh *shipment.Shipment) (*store.Tx, error) {
		var stop bool
		if end, stop = e.outrun(sh, true); stop {
			return nil, errUnchanged
		}
		now := s.Clock.Now()
		nothing := shipping.Money{Currency: sh.Currency}
		sh.Attempts = append(sh.Attempts, shipment.Attempt{
			Number: len(sh.Attempts) + 1, Kind: sh.Way(), Round: e.round, Reference: a.reference, State: shipment.Intended,
			Account: a.config.ID, Adapter: a.manifest.Name, Provider: a.manifest.DisplayName, DisplayName: firstOf(a.config.Name, a.manifest.DisplayName),
			Quote: shipping.Quote{Amount: nothing}, Fee: nothing, LabelFormat: labelFormat(sh, e.plan.Set, a), Set: settingsOf(e.plan.Set),
			IntendedAt: now, Deadline: now.Add(firstPositive(a.config.BookTimeout, s.Config().Dispatch.BookTimeout)),
			Counted:     &shipment.Counted{Location: sh.Pickup.ID, Day: sh.Day(now)},
			LatePickups: e.latePickups(), Heeds: e.heeds(),
		})
		at := &sh.Attempts[len(sh.Attempts)-1]
		if len(a.manifest.Services) == 1 {
			bookedBy(at, a.manifest, a.manifest.Services[0].ID)
		}
		tx := s.doubt(sh, at, a.err)
		at.Error.Op = "quote"
		if err := s.estimated(sh, e, tx); err != nil {
			return nil, err
		}
		// What the carrier has booked takes its place, whatever others may have taken since.
		tx.Usage = append(tx.Usage, store.UsageDelta{Account: at.Account, Day: sh.Day(now), Open: 1, Today: 1})
		tx.Counts = append(tx.Counts, tally.Booked(at)...)
		return tx, nil
	})
	return sh, end, err
}

// bookedBy notes by which service an attempt is booked that was made without a quote.
func bookedBy(a *shipment.Attempt, m carrier.Manifest, service string) {
	sv, ok := m.Service(service)
	if a.ServiceID != "" || !ok {
		return
	}
	a.ServiceID, a.ServiceCode, a.ServiceType = sv.ID, sv.Code, sv.Name
	a.Quote.ServiceID, a.Quote.ServiceCode, a.Quote.ServiceType, a.Quote.Mode = sv.ID, sv.Code, sv.Name, sv.Mode
}
