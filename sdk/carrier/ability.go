package carrier

import (
	"context"
	"reflect"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Ability names one optional interface of an account.
type Ability string

// The abilities. An account type has an ability by implementing its interface.
const (
	CanCheck           Ability = "check"
	CanQuote           Ability = "quote"
	CanBook            Ability = "book"
	CanCancel          Ability = "cancel"
	CanFind            Ability = "find"
	CanTrack           Ability = "track"
	CanReceivePush     Ability = "receive_push"
	CanSubscribePush   Ability = "subscribe_push"
	CanEdit            Ability = "edit"
	CanReturn          Ability = "return"
	CanValidateAddress Ability = "validate_address"
	CanSchedulePickup  Ability = "schedule_pickup"
	CanCloseManifest   Ability = "close_manifest"
	CanProvideDocument Ability = "provide_document"
)

// Checker proves that the credentials work, without side effect at the carrier.
type Checker interface {
	Check(ctx context.Context) error
}

// Quoter asks what the carrier would charge and promise. A service that cannot be had is a Refusal in the answer; an error
// means that nothing could be learned. With several services, the quotes come in any order.
type Quoter interface {
	Quote(ctx context.Context, r QuoteRequest) (QuoteAnswer, error)
}

// Booker buys. An error's Effect decides what the engine does next: None lets it try another carrier, anything else makes it
// reconcile first. Booking must carry labels for all parcels where the carrier has labels.
type Booker interface {
	Book(ctx context.Context, r BookRequest) (Booking, error)
}

// Canceler voids a booking. That a booking is cancelled already is success. A refusal for the stage (picked up, window closed)
// is an error with Code CancelRefused and effect None.
type Canceler interface {
	Cancel(ctx context.Context, r CancelRequest) (Cancellation, error)
}

// Finder looks for what was booked under our reference. No booking is an empty answer and no error; several mean that the
// carrier booked more than once.
type Finder interface {
	Find(ctx context.Context, r FindRequest) ([]Booking, error)
}

// Tracker asks where parcels are, many numbers at once. The answer has one update per asked number, in any order; a number
// that the carrier does not know has Unknown set.
type Tracker interface {
	Track(ctx context.Context, r TrackRequest) ([]TrackUpdate, error)
}

// PushReceiver reads what the carrier pushed. It must check the push's authenticity as far as the carrier allows; a push that
// is not authentic is an error with Code PushRejected.
type PushReceiver interface {
	ReceivePush(ctx context.Context, p Push) (PushAnswer, error)
}

// PushSubscriber asks the carrier to push what happens to parcels, where that must be asked for by number. Asking again for a number that
// is subscribed renews it. A number that the carrier does not take is left out of the answer; an account that is not configured to be
// pushed to answers with no number, and asks nobody.
type PushSubscriber interface {
	SubscribePush(ctx context.Context, r SubscribeRequest) (PushSubscription, error)
}

// Editor changes a live booking (instructions, contact, signature) without cancelling it.
type Editor interface {
	Edit(ctx context.Context, r EditRequest) (Booking, error)
}

// Returner books the way back, at the price that Quote names for it (QuoteRequest.WayBack).
type Returner interface {
	BookReturn(ctx context.Context, r BookRequest) (Booking, error)
}

// AddressValidator asks whether the carrier knows an address, and for better spellings.
type AddressValidator interface {
	ValidateAddress(ctx context.Context, r AddressRequest) (AddressAnswer, error)
}

// PickupScheduler asks the carrier to come, where it does not come anyway.
type PickupScheduler interface {
	SchedulePickup(ctx context.Context, r PickupRequest) (Pickup, error)
	CancelPickup(ctx context.Context, confirmation string) error
}

// ManifestCloser closes the day: the carrier gets the list of what it will be handed.
type ManifestCloser interface {
	CloseManifest(ctx context.Context, r ManifestRequest) (ManifestAnswer, error)
}

// DocumentProvider fetches a document of a booking again, such as a label that was lost on the way.
type DocumentProvider interface {
	Document(ctx context.Context, r DocumentRequest) (shipping.Label, error)
}

var abilityInterfaces = []struct {
	ability Ability
	is      reflect.Type
}{
	{CanCheck, reflect.TypeFor[Checker]()},
	{CanQuote, reflect.TypeFor[Quoter]()},
	{CanBook, reflect.TypeFor[Booker]()},
	{CanCancel, reflect.TypeFor[Canceler]()},
	{CanFind, reflect.TypeFor[Finder]()},
	{CanTrack, reflect.TypeFor[Tracker]()},
	{CanReceivePush, reflect.TypeFor[PushReceiver]()},
	{CanSubscribePush, reflect.TypeFor[PushSubscriber]()},
	{CanEdit, reflect.TypeFor[Editor]()},
	{CanReturn, reflect.TypeFor[Returner]()},
	{CanValidateAddress, reflect.TypeFor[AddressValidator]()},
	{CanSchedulePickup, reflect.TypeFor[PickupScheduler]()},
	{CanCloseManifest, reflect.TypeFor[ManifestCloser]()},
	{CanProvideDocument, reflect.TypeFor[DocumentProvider]()},
}

func abilitiesOf(account reflect.Type) []Ability {
	var out []Ability
	for _, a := range abilityInterfaces {
		if account.Implements(a.is) {
			out = append(out, a.ability)
		}
	}
	return out
}
