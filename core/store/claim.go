package store

import (
	"context"

	"github.com/waybill-dev/waybill/core/shipment"
)

// Claims is the part of the store that knows which shipment has what only one of a tenant may have. It keeps who has claimed last;
// whether that one still has it is for whoever asks to judge.
type Claims interface {
	// Claimants returns which shipments have claimed these names, in their order; "" for nobody.
	Claimants(ctx context.Context, tenant string, names []string) ([]shipment.ID, error)
}

// Claim gives a name to a shipment, or frees it where Shipment is "". A claim is kept until it is freed: whoever erases a shipment
// frees what it has claimed.
type Claim struct {
	Name     string
	Shipment shipment.ID
	// Before is who must have it until this transaction, "" for nobody; else ErrConflict. Of two that claim one name at once, the
	// second hears of the first.
	Before shipment.ID
}
