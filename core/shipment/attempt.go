package shipment

import (
	"cmp"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// AttemptState is how far one attempt to have the order carried has come.
type AttemptState string

// The states. Intended is committed before the carrier is asked; InDoubt means that nobody knows whether the carrier has acted. The booking
// of an order that is undeliverable stays as it is, for it goes on with its return, or is delivered yet; EndedAt says that it is counted no more.
const (
	Intended  AttemptState = "intended"
	Booked    AttemptState = "booked"
	Refused   AttemptState = "refused"   // the carrier has certainly not acted
	InDoubt   AttemptState = "in_doubt"  //
	Adopted   AttemptState = "adopted"   // was in doubt, was found, is ours
	Absent    AttemptState = "absent"    // was in doubt, is proven not to exist, or treated so by policy
	Voided    AttemptState = "voided"    // was in doubt, was found, was cancelled at the carrier's because nobody wants it
	Cancelled AttemptState = "cancelled" // was booked, is cancelled at the carrier's
	Ended     AttemptState = "ended"     // delivered, failed or cancelled by the carrier itself
)

// Kind tells bookings apart by their way.
type Kind string

const (
	Forward Kind = "forward"
	Return  Kind = "return"
)

// Attempt is one try at one account: the intent, what came of it, and the booking where there is one.
type Attempt struct {
	Number    int          `json:"number"` // from 1
	Kind      Kind         `json:"kind"`
	Round     int          `json:"round"`
	Reference string       `json:"reference"`
	State     AttemptState `json:"state"`

	Account     string `json:"account"`
	Adapter     string `json:"adapter"`
	Provider    string `json:"provider"`    // the adapter's display name: "UPS"
	DisplayName string `json:"displayName"` // the account's display name
	ServiceID   string `json:"serviceId"`
	ServiceCode string `json:"serviceCode,omitempty"`
	ServiceType string `json:"serviceType"`

	Quote       shipping.Quote       `json:"quote"`
	Fee         shipping.Money       `json:"fee"` // amount and what rules charge on top
	LabelFormat shipping.LabelFormat `json:"labelFormat,omitempty"`
	Set         Settings             `json:"set,omitzero"`

	IntendedAt time.Time `json:"intendedAt"`
	Deadline   time.Time `json:"deadline"` // of the call; the carrier may commit until Deadline + the manifest's grace
	EndedAt    time.Time `json:"endedAt,omitzero"`

	Booking *Booking   `json:"booking,omitempty"`
	Error   *CallError `json:"error,omitempty"`
	Doubt   *Doubt     `json:"doubt,omitempty"`
	// CancelIntent is set before the carrier is asked to cancel, and stays while the outcome is unknown.
	CancelIntent *CancelIntent `json:"cancelIntent,omitempty"`
	// EditIntent is set before the carrier is asked to change the booking, and stays while the outcome is unknown.
	EditIntent *EditIntent `json:"editIntent,omitempty"`
	// Refund is what the carrier said at its cancellation that it gives back; without currency where it did not say.
	Refund shipping.Money `json:"refund,omitzero"`
	// Counted is what the intent was counted as, nil where it was not, or was counted back.
	Counted *Counted `json:"counted,omitempty"`
	// LatePickups are the minutes after the estimated pickup at which a fallback rule wants to know whether it was picked up.
	LatePickups []int `json:"latePickups,omitempty"`
	// Heeds are the other events after a booking that a fallback rule wants to know of and that must be looked for: no_driver, provider_down.
	Heeds []string `json:"heeds,omitempty"`
	// EndedBy is the key of the person who said that it was delivered, "" where the carrier did.
	EndedBy string `json:"endedBy,omitempty"`
	// Spares are bookings that the carrier made under this attempt's reference beside the one that the order wants.
	Spares []Spare `json:"spares,omitempty"`
}

// Counted is what an attempt counts as in the quotas and budgets of rules.
type Counted struct {
	Location string  `json:"location"`
	Day      string  `json:"day"` // of the location's calendar: 2026-03-08
	Spends   []Spend `json:"spends,omitempty"`
}

// Spend is what an attempt takes from the budget of a guard. PerLocation says that each location has a budget of its own.
type Spend struct {
	Guard       string         `json:"guard"`
	PerLocation bool           `json:"perLocation,omitempty"`
	Amount      shipping.Money `json:"amount"`
}

// Booking is what the carrier has agreed to do, labels apart.
type Booking struct {
	CarrierRef  string            `json:"carrierRef"`
	TrackingID  string            `json:"trackingId"`
	TrackingURL string            `json:"trackingUrl,omitempty"`
	Parcels     []BookedParcel    `json:"parcels"`
	Amount      shipping.Money    `json:"amount"`
	Charges     []shipping.Charge `json:"charges,omitempty"`
	// Quoted says that amount and charges are those of the quote: the carrier has not said what the booking costs, as where it was
	// found after its answer was lost, and the carrier tells no prices of what it has booked.
	Quoted   bool      `json:"quoted,omitempty"`
	BookedAt time.Time `json:"bookedAt"`
}

// Number is the number by which a person knows the booking: the one that it is tracked by, else the carrier's own of it.
func (b *Booking) Number() string { return cmp.Or(b.TrackingID, b.CarrierRef) }

// BookedParcel is one parcel of a booking. LabelFormat is "" where there is no label.
type BookedParcel struct {
	Number      string               `json:"number"`
	LabelFormat shipping.LabelFormat `json:"labelFormat,omitempty"`
}

// CallError is what a carrier or the machinery said when a call did not succeed.
type CallError struct {
	Code           string `json:"code"`
	Message        string `json:"message"`
	CarrierCode    string `json:"carrierCode,omitempty"`
	CarrierMessage string `json:"carrierMessage,omitempty"`
	Source         string `json:"source"`
	Effect         string `json:"effect"`
	Op             string `json:"op"` // quote, book, cancel, find, edit
}

// Doubt is the state of finding out.
type Doubt struct {
	Since  time.Time `json:"since"`
	Looks  int       `json:"looks"`           // how often the carrier was asked
	Misses int       `json:"misses"`          // how often it knew nothing, asked after deadline + grace
	LastAt time.Time `json:"lastAt,omitzero"` //
	Last   string    `json:"last,omitempty"`  // what the last look said
	Needs  string    `json:"needs,omitempty"` // Attention where only a person can decide, of a live attempt: which booking is the order's
	// Unasked says that Needs is only because the carrier cannot be asked: it ends when the carrier tells.
	Unasked bool      `json:"unasked,omitempty"`
	Barred  time.Time `json:"barredSince,omitzero"` // since when every look was answered that the account may not ask
	// ByPerson is the key of who decided what became of it, "" where nobody did.
	ByPerson string `json:"byPerson,omitempty"`
	// Lost says why what a person has told of the booking does not hold, though nobody has taken it back; looks do not change it.
	Lost string `json:"lost,omitempty"`
	// Told says that the numbers of the booking are that person's word, and the carrier has not shown it yet.
	Told bool `json:"told,omitempty"`
	// Several says that Needs is for the carrier's showing several bookings, none of which has the number that was told: of a live attempt,
	// all else is asked for the sake of a cancellation, and ends with that. In a record without it that question is asked anew by the next look.
	Several bool `json:"several,omitempty"`
}

// Heard notes that the carrier could be asked: what a person was asked for want of that is no person's any more.
func (d *Doubt) Heard() {
	if d.Unasked {
		d.Needs = ""
	}
	d.Unasked, d.Barred = false, time.Time{}
}

// CancelIntent is a cancellation that the carrier is being asked for.
type CancelIntent struct {
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Deadline time.Time `json:"deadline"`
	Unknown  bool      `json:"unknown,omitempty"` // a carrier's answer was lost
	Asks     int       `json:"asks,omitempty"`    // how often the carrier was asked without a certain answer
	Needs    string    `json:"needs,omitempty"`   // Attention where a person is asked, though the engine asks on
	Last     string    `json:"last,omitempty"`    // what was said last
	// Barred is since when the carrier has answered every time that the account may not ask.
	Barred time.Time `json:"barredSince,omitzero"`
	// Confirmed says that the booking's number is a person's word (Doubt.Told), and that it was given again to have it cancelled.
	Confirmed bool `json:"confirmed,omitempty"`
	// Replace is what the order becomes once the booking is certainly cancelled; nil where the order is to be cancelled with it.
	Replace *Wish `json:"replace,omitempty"`
}

// EditIntent is a change of the booking that the carrier is being asked for.
type EditIntent struct {
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Deadline time.Time `json:"deadline"`
	Unknown  bool      `json:"unknown,omitempty"` // a carrier's answer was lost
	Asks     int       `json:"asks,omitempty"`    // how often the carrier was asked without a certain answer
	Needs    string    `json:"needs,omitempty"`   // Attention where a person is asked, though the engine asks on
	Last     string    `json:"last,omitempty"`    // what was said last
	// Barred is since when the carrier has answered every time that the account may not ask.
	Barred time.Time `json:"barredSince,omitzero"`
	Order  Order     `json:"order"` // what the order becomes once the carrier has certainly answered
}

// Spare is a booking that no order wants: the carrier booked one reference more than once, or booked after it was believed not to
// have. It is recorded before the carrier is asked to cancel it.
type Spare struct {
	CarrierRef  string     `json:"carrierRef"`
	TrackingID  string     `json:"trackingId"`
	FoundAt     time.Time  `json:"foundAt"`
	CancelledAt time.Time  `json:"cancelledAt,omitzero"`
	Asks        int        `json:"asks,omitempty"` // how often the carrier was asked to cancel it and did not
	Error       *CallError `json:"error,omitempty"`
	Needs       string     `json:"needs,omitempty"` // Attention where a person is asked to have it cancelled, though the engine asks on
	// Unasked says that Needs is only because the carrier could not be asked, or has not answered; it has not refused.
	Unasked bool `json:"unasked,omitempty"`
	// Barred is since when the carrier has answered every time that the account may not ask.
	Barred time.Time `json:"barredSince,omitzero"`
	Told   bool      `json:"told,omitempty"` // a person has told of it, and the carrier has not
	// ByPerson is the key of who said that it is gone (CancelledAt), "" where the carrier did.
	ByPerson string `json:"byPerson,omitempty"`
}

// Number is the number by which a person knows the booking: the one that it is tracked by, else the carrier's own of it.
func (s *Spare) Number() string { return cmp.Or(s.TrackingID, s.CarrierRef) }

// Attention is what Doubt.Needs, Spare.Needs and those of intents say where a person must decide.
const Attention = "attention"

// Undecided is what is not known of the attempt, or was not: whether it is booked, and of a live booking that a person is asked about,
// whether it is cancelled or changed. It is nil where there was no doubt.
func (a *Attempt) Undecided() *Doubt {
	switch {
	case a.cancelNeeds():
		ci := a.CancelIntent
		return &Doubt{Since: ci.At, Looks: ci.Asks, Needs: ci.Needs, Last: "it is not known whether the carrier has cancelled the booking: " + ci.Last}
	case a.editNeeds():
		ei := a.EditIntent
		return &Doubt{Since: ei.At, Looks: ei.Asks, Needs: ei.Needs, Last: "it is not known whether the carrier has taken the change: " + ei.Last}
	}
	if d := a.Doubt; a.State == InDoubt && d != nil && d.Lost != "" && d.Lost != d.Last {
		known := *d
		known.Last = d.Lost + "; of a booking of its own: " + d.Last
		return &known
	}
	return a.Doubt
}

func (a *Attempt) cancelNeeds() bool {
	return a.Live() && a.CancelIntent != nil && a.CancelIntent.Needs == Attention
}

func (a *Attempt) editNeeds() bool {
	return a.Live() && a.EditIntent != nil && a.EditIntent.Needs == Attention
}

// NeedsPerson reports whether only a person can say what is to become of the attempt, of what is intended about its booking, or of a
// spare booking of it.
func (a *Attempt) NeedsPerson() bool {
	if (a.State == InDoubt || a.Live()) && a.Doubt != nil && a.Doubt.Needs == Attention || a.cancelNeeds() || a.editNeeds() {
		return true
	}
	return a.SpareNeeds()
}

// SpareNeeds reports whether only a person can have a spare booking of the attempt cancelled.
func (a *Attempt) SpareNeeds() bool {
	for i := range a.Spares {
		if a.Spares[i].CancelledAt.IsZero() && a.Spares[i].Needs == Attention {
			return true
		}
	}
	return false
}

// SpareLeft reports whether a spare booking of the attempt is not cancelled yet.
func (a *Attempt) SpareLeft() bool {
	for i := range a.Spares {
		if a.Spares[i].CancelledAt.IsZero() {
			return true
		}
	}
	return false
}

// Spare returns the spare booking with this number of the carrier's, nil where there is none.
func (a *Attempt) Spare(carrierRef string) *Spare {
	for i := range a.Spares {
		if a.Spares[i].CarrierRef == carrierRef {
			return &a.Spares[i]
		}
	}
	return nil
}

// Live reports whether the attempt holds a booking that the carrier means to carry out.
func (a *Attempt) Live() bool { return a.State == Booked || a.State == Adopted }

// Driverless reports whether a courier is to pick the order up and nobody is assigned to it.
func (s *Shipment) Driverless(a *Attempt) bool {
	switch s.Status {
	case shipping.OrderUnassigned:
	case shipping.OrderDispatched, shipping.Staged:
		if s.Progress.Driver != nil {
			return false
		}
	default:
		return false
	}
	return a.Live() && a.Kind == s.Way() && a.Couriered()
}

// Couriered reports whether a driver is to pick the order up for this attempt alone.
func (a *Attempt) Couriered() bool { return a.Quote.Mode == courier }

// Open reports whether the attempt's fate is not known: another carrier must not be asked meanwhile.
func (a *Attempt) Open() bool { return a.State == Intended || a.State == InDoubt }

// Live returns the attempt of this kind that holds the live booking, nil where there is none.
func (s *Shipment) Live(k Kind) *Attempt {
	return s.last(k, (*Attempt).Live)
}

// Open returns the attempt of this kind whose fate is not known, nil where there is none.
func (s *Shipment) Open(k Kind) *Attempt {
	return s.last(k, (*Attempt).Open)
}

// Shown returns the attempt that the API shows as the shipment's provider: the live one, else the last that was booked.
func (s *Shipment) Shown() *Attempt {
	if a := s.Live(s.Way()); a != nil {
		return a
	}
	return s.last(s.Way(), func(a *Attempt) bool { return a.Booking != nil })
}

// Last returns the latest attempt of this kind, nil where there is none.
func (s *Shipment) Last(k Kind) *Attempt {
	return s.last(k, func(*Attempt) bool { return true })
}

func (s *Shipment) last(k Kind, is func(*Attempt) bool) *Attempt {
	for i := len(s.Attempts) - 1; i >= 0; i-- {
		if a := &s.Attempts[i]; a.Kind == k && is(a) {
			return a
		}
	}
	return nil
}

// Attempt returns the attempt with this number, nil where there is none.
func (s *Shipment) Attempt(number int) *Attempt {
	if number < 1 || number > len(s.Attempts) {
		return nil
	}
	return &s.Attempts[number-1]
}

// Settings is what the rules set on the order for this attempt, kept so that the same request can be sent again. Zero members
// were not set.
type Settings struct {
	Signature          string           `json:"signature,omitempty"`
	Tip                *shipping.Money  `json:"tip,omitempty"`
	Instructions       string           `json:"instructions,omitempty"`
	PickupInstructions string           `json:"pickupInstructions,omitempty"`
	ShipAt             time.Time        `json:"shipAt,omitzero"`  // not to be picked up before
	Weight             *shipping.Weight `json:"weight,omitempty"` // of each parcel
}
