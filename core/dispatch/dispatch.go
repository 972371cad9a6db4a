// Package dispatch holds the use cases of a shipment: create, estimate, decide, book, cancel, edit, retry, reconcile. It decides
// what is committed before and after each question to a carrier, so that whatever dies, each order has at most one live
// booking and each booking an order that knows it. DESIGN.md tells the protocol with its failure table.
package dispatch

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Carriers finds the accounts of the present configuration.
type Carriers interface {
	// Account returns a tenant's account; ok is false where the configuration has none of that id.
	Account(tenant, id string) (a Account, ok bool)
}

// Account is an account at a carrier, as dispatch uses it. Calls are bounded by the deadline of their context; every error is
// or wraps a *carrier.Error. An ability that the manifest lacks answers Unsupported.
type Account interface {
	// Manifest of the adapter; ok is false as long as the adapter has never started.
	Manifest() (m carrier.Manifest, ok bool)
	// Started waits while the adapter is being started for the first time, as long as ctx lasts, and reports whether that is over: it has
	// started, or its first start has failed.
	Started(ctx context.Context) bool
	// Down says that the carrier is known to be out of order. It is asked all the same; rules are told.
	Down() bool
	carrier.Quoter
	carrier.Booker
	carrier.Canceler
	carrier.Finder
	carrier.Editor
	carrier.Returner
	carrier.DocumentProvider
}

// Placer places addresses.
type Placer interface {
	Place(ctx context.Context, q geo.Query) (geo.Place, error)
}

// CreateRequest is a new order.
type CreateRequest struct {
	Order shipment.Order
	// Async answers as soon as the order is stored (Prefer: respond-async).
	Async bool
	// IdempotencyKey is route and key, "" for none; BodyHash the SHA-256 of the raw body.
	IdempotencyKey string
	BodyHash       []byte
}

// Result is a shipment after a use case. Waiting says that the engine is not done with it: the answer is 202.
type Result struct {
	Shipment *shipment.Shipment
	Waiting  bool
}

// RateRow is one service that an account offers.
type RateRow struct {
	Account     *config.Account
	Provider    string // adapter's display name
	Quote       shipping.Quote
	Fee         shipping.Money
	RuleApplied bool
}

// Rates is the answer of a price question. Nothing was booked.
type Rates struct {
	ID       string
	Rows     []RateRow
	Errors   []shipment.ProviderError
	Warnings []shipment.Warning
}

// Trace is what went over the wire for a shipment.
type Trace struct {
	Shipment  shipment.ID
	Exchanges []store.Exchange
}

// UseCases is what the surfaces call. *Service implements it.
type UseCases interface {
	// Validate returns every fault of an order that needs no network to see, with paths as in the body of a create.
	Validate(c usecase.Caller, o shipment.Order) shipping.Faults
	Create(ctx context.Context, c usecase.Caller, r CreateRequest) (Result, error)
	Get(ctx context.Context, c usecase.Caller, externalID string) (*shipment.Shipment, error)
	List(ctx context.Context, c usecase.Caller, q store.ShipmentQuery) (store.ShipmentPage, error)
	// Edit loads the order, applies change to it, and does what the difference asks for.
	Edit(ctx context.Context, c usecase.Caller, externalID string, change func(shipment.Order) (shipment.Order, error)) (Result, error)
	// Cancel cancels an order. confirmed is "" or the number of its booking, as a person has looked it up at the carrier.
	Cancel(ctx context.Context, c usecase.Caller, externalID, confirmed string) (Result, error)
	Retry(ctx context.Context, c usecase.Caller, externalID string) (Result, error)
	// Release lets an order go on that a rule holds.
	Release(ctx context.Context, c usecase.Caller, externalID string) (Result, error)
	// Return books the way back of an order that was delivered; the answer is that of the return, a shipment of its own.
	Return(ctx context.Context, c usecase.Caller, externalID string, r ReturnRequest) (Result, error)
	// Returns loads the returns of an order or tracker by their ids.
	Returns(ctx context.Context, c usecase.Caller, ids []shipment.ID) ([]*shipment.Shipment, error)
	// Resolve takes a person's word about an attempt that nobody else can decide.
	Resolve(ctx context.Context, c usecase.Caller, externalID string, r Resolution) (Result, error)
	History(ctx context.Context, c usecase.Caller, externalID string) (*shipment.Shipment, []shipment.Change, error)
	Rates(ctx context.Context, c usecase.Caller, o shipment.Order) (Rates, error)
	// Label returns the label of a parcel (from 1) of the shown booking.
	Label(ctx context.Context, c usecase.Caller, externalID string, parcel int) (shipping.Label, error)
	Decisions(ctx context.Context, c usecase.Caller, externalID string) ([]store.Decision, error)
	// ExportDecisions calls each with the decisions of every order that was created since then, newest order first.
	ExportDecisions(ctx context.Context, c usecase.Caller, since time.Time, each func(*shipment.Shipment, []store.Decision) error) error
	Trace(ctx context.Context, c usecase.Caller, externalID string) (Trace, error)
	// Erase removes what is known of people from an order that is at rest.
	Erase(ctx context.Context, c usecase.Caller, externalID string) (*shipment.Shipment, error)
}
