package store

import (
	"context"

	"github.com/waybill-dev/waybill/core/shipment"
)

// Claims is the part of the store that knows which shipment has what only one of the whole store may have, over all tenants: carriers know
// no tenant. It keeps who has claimed last; whether that one still has it is for whoever asks to judge.
type Claims interface {
	// Claimants returns who has claimed these names, in their order.
	Claimants(ctx context.Context, names []string) ([]Claimant, error)
}

// Claimant is a shipment that has claimed something; the zero value is nobody.
type Claimant struct {
	Tenant   string      `json:"tenant"`
	Shipment shipment.ID `json:"shipment"`
}

// Claim gives a name to a shipment of the transaction's tenant, or frees it where Shipment is "". A claim is kept until it is freed: whoever
// erases a shipment frees what it has claimed.
type Claim struct {
	Name     string
	Shipment shipment.ID
	// Before is who must have it until this transaction, whichever tenant's; else ErrConflict. Of two that claim one name at once, the
	// second hears of the first.
	Before Claimant
}
