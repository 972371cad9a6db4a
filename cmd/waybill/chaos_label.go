package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// labelledBy is the adapter whose carrier hands a label out with each parcel.
const labelledBy = "ups"

// labels checks that the store holds what is to be stuck on each parcel of the bookings that an order counts on, and nothing of an order
// that is erased.
func (x *examination) labels(ctx context.Context, st store.Store, sh *shipment.Shipment) error {
	o := x.orders[sh.Order.ExternalID]
	for i := range sh.Attempts {
		a := &sh.Attempts[i]
		if a.Booking == nil || a.Adapter != labelledBy || !o.erased && !x.countsOn(a) {
			continue
		}
		for j, p := range a.Booking.Parcels {
			l, err := st.Label(ctx, sh.Tenant, sh.ID, a.Number, j+1)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("label of parcel %d, attempt %d, order %s: %w", j+1, a.Number, o.id, err)
			}
			x.label(o, a, j+1, p.Number, l)
		}
	}
	return nil
}

// label checks the label that is stored of a parcel, which has no data where there is none.
func (x *examination) label(o *owned, a *shipment.Attempt, parcel int, number string, l shipping.Label) {
	x.labelled++
	switch {
	case o.erased && len(l.Data) > 0:
		x.differ("status", o, nil, "is erased, and the label of parcel %d of attempt %d is there", parcel, a.Number)
	case o.erased:
	case len(l.Data) == 0 && !a.Live(): // it was delivered before a label that had come garbled was fetched again
	case len(l.Data) == 0:
		x.differ("lost", o, nil, "the label of parcel %d of attempt %d, %s, is paid for and is not there", parcel, a.Number, number)
	case a.LabelFormat != "" && l.Format != a.LabelFormat:
		x.differ("status", o, nil, "the label of parcel %d of attempt %d was asked for as %s and is %s", parcel, a.Number, a.LabelFormat, l.Format)
	case l.Format == shipping.ZPL && !bytes.Contains(l.Data, []byte(number)):
		x.differ("status", o, nil, "the label of parcel %d of attempt %d is not that of %s", parcel, a.Number, number)
	}
}
