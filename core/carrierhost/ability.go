package carrierhost

import (
	"context"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// remote is an account inside an adapter process: every ability of the contract.
type remote interface {
	carrier.Checker
	carrier.Quoter
	carrier.Booker
	carrier.Canceler
	carrier.Finder
	carrier.Tracker
	carrier.PushReceiver
	carrier.PushSubscriber
	carrier.Editor
	carrier.Returner
	carrier.AddressValidator
	carrier.PickupScheduler
	carrier.ManifestCloser
	carrier.DocumentProvider
}

var _ remote = (*Account)(nil)

// Check proves that the credentials work. No breaker keeps it back: it is how a person finds out what is wrong.
func (c *Account) Check(ctx context.Context) error {
	_, err := call(ctx, c, opCheck, struct{}{}, func(r remote, ctx context.Context, _ struct{}) (struct{}, error) {
		return struct{}{}, r.Check(ctx)
	})
	return err
}

// Quote asks for estimates.
func (c *Account) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	return call(ctx, c, opQuote, r, func(to remote, ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		answer, err := to.Quote(ctx, r)
		c.terms.Load().veil.refusals(answer.Refusals)
		return answer, err
	})
}

// Book buys. Where the adapter dies in the middle, the error is ADAPTER_DIED of unknown effect.
func (c *Account) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	return call(ctx, c, opBook, r, remote.Book)
}

// Cancel voids a booking.
func (c *Account) Cancel(ctx context.Context, r carrier.CancelRequest) (carrier.Cancellation, error) {
	return call(ctx, c, opCancel, r, remote.Cancel)
}

// Find looks for what was booked under a reference.
func (c *Account) Find(ctx context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	return call(ctx, c, opFind, r, remote.Find)
}

// Track asks where parcels are.
func (c *Account) Track(ctx context.Context, r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
	return call(ctx, c, opTrack, r, remote.Track)
}

// ReceivePush reads what the carrier pushed.
func (c *Account) ReceivePush(ctx context.Context, p carrier.Push) (carrier.PushAnswer, error) {
	return call(ctx, c, opPush, p, remote.ReceivePush)
}

// SubscribePush asks the carrier to push what happens to parcels.
func (c *Account) SubscribePush(ctx context.Context, r carrier.SubscribeRequest) (carrier.PushSubscription, error) {
	return call(ctx, c, opSubscribe, r, remote.SubscribePush)
}

// Edit changes a live booking.
func (c *Account) Edit(ctx context.Context, r carrier.EditRequest) (carrier.Booking, error) {
	return call(ctx, c, opEdit, r, remote.Edit)
}

// BookReturn books the way back.
func (c *Account) BookReturn(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	return call(ctx, c, opReturn, r, remote.BookReturn)
}

// ValidateAddress asks whether the carrier knows an address.
func (c *Account) ValidateAddress(ctx context.Context, r carrier.AddressRequest) (carrier.AddressAnswer, error) {
	return call(ctx, c, opAddress, r, remote.ValidateAddress)
}

// SchedulePickup asks the carrier to come.
func (c *Account) SchedulePickup(ctx context.Context, r carrier.PickupRequest) (carrier.Pickup, error) {
	return call(ctx, c, opSchedulePickup, r, remote.SchedulePickup)
}

// CancelPickup tells the carrier not to come.
func (c *Account) CancelPickup(ctx context.Context, confirmation string) error {
	_, err := call(ctx, c, opCancelPickup, confirmation, func(r remote, ctx context.Context, q string) (struct{}, error) {
		return struct{}{}, r.CancelPickup(ctx, q)
	})
	return err
}

// CloseManifest closes the day.
func (c *Account) CloseManifest(ctx context.Context, r carrier.ManifestRequest) (carrier.ManifestAnswer, error) {
	return call(ctx, c, opManifest, r, remote.CloseManifest)
}

// Document fetches a document of a booking again.
func (c *Account) Document(ctx context.Context, r carrier.DocumentRequest) (shipping.Label, error) {
	return call(ctx, c, opDocument, r, remote.Document)
}
