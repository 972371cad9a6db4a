package shop

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Order is what a shop has told of an order.
type Order struct {
	ID        int64            `json:"id"`
	Name      string           `json:"name"` // for people, usually #1001
	Email     string           `json:"email"`
	Phone     string           `json:"phone"`
	Source    string           `json:"source"`    // web, pos, shopify_draft_order, …
	Placed    string           `json:"placed"`    // CreatedAt as the shop wrote it
	CreatedAt time.Time        `json:"createdAt"` // zero where the shop did not tell
	UpdatedAt time.Time        `json:"updatedAt"` // by the shop's clock; what is older never replaces what is newer
	FirstName string           `json:"firstName"`
	LastName  string           `json:"lastName"`
	Total     shipping.Decimal `json:"total"`     // in major units of the shop's currency
	LineItems int              `json:"lineItems"` // how many lines
	Fulfilled string           `json:"fulfilled"` // fulfilled, partial, or "" where nothing is
}

// Fulfilment is what a shop has told of a fulfilment.
type Fulfilment struct {
	ID          int64     `json:"id"`
	OrderID     int64     `json:"orderId"`
	Name        string    `json:"name"`    // usually #1001.1
	Company     string    `json:"company"` // who carries it, in the shop's words
	Numbers     []string  `json:"numbers"` // of its parcels
	TrackingURL string    `json:"trackingUrl"`
	Items       []Item    `json:"items"`
	Cancelled   bool      `json:"cancelled"` // it is followed no more and no part of its order
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"` // by the shop's clock; what is older never replaces what is newer
}

// Item is one line of what a fulfilment holds.
type Item struct {
	ID               int64  `json:"id"`
	ProductID        *int64 `json:"product_id"` // nil for what is no product of the shop's
	VariantID        *int64 `json:"variant_id"`
	Name             string `json:"name"`
	Quantity         int64  `json:"quantity"`
	RequiresShipping bool   `json:"requires_shipping"`
}

// orderDoc and fulfilmentDoc are what the trackers keep as Extra.
type orderDoc struct {
	Order
	Told told `json:"told"`
}

type fulfilmentDoc struct {
	Fulfilment
	Manual *manual `json:"manual,omitempty"`
	Told   told    `json:"told"`
}

// manual is a status that was set by hand. While there is one, the carrier's news change nothing that is shown.
type manual struct {
	Status string          `json:"status"`
	Stands shipping.Status `json:"stands"` // what it meant when it was set; its key may leave the configuration
	At     time.Time       `json:"at"`
	By     string          `json:"by"` // name of the key
}

// told is what was told last.
type told struct {
	Count     int    `json:"count"`  // of what was told
	Events    int    `json:"events"` // the Seq of the last event that was looked at
	Status    string `json:"status"`
	Exception string `json:"exception"`
}

// read reads the Extra of a tracker; one that was erased has none.
func read[T any](t *tracker.Tracker) (doc T, err error) {
	if len(t.Extra) == 0 {
		return doc, nil
	}
	if err := json.Unmarshal(t.Extra, &doc); err != nil {
		return doc, fmt.Errorf("what tracker %s keeps of a shop cannot be read: %w", t.ID, err)
	}
	return doc, nil
}

// write puts the Extra of a tracker. One that was erased keeps nothing.
func write(t *tracker.Tracker, doc any) error {
	if !t.ErasedAt.IsZero() {
		return nil
	}
	b, err := json.Marshal(doc, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("write what a shop has told: %w", err)
	}
	t.Extra = b
	return nil
}
