package usecase

// JobFallback is the kind of the job by which those who learn what has happened to a booking tell those who know the rules. It is put in the
// transaction that writes down what has happened; its key is the order's id, its payload a FallbackEvent as JSON.
const JobFallback = "fallback"

// FallbackEvent is what has happened to the booking of an attempt. For cancelled_by_carrier the attempt has ended.
type FallbackEvent struct {
	Event   string `json:"event"` // as fallback rules call it: cancelled_by_carrier, no_driver, pickup_late_15m, provider_down
	Attempt int    `json:"attempt"`
	// Else is the event that it is where no rule speaks of Event; "" for none.
	Else string `json:"else,omitempty"`
}

// The events after a booking that somebody must look for, as an attempt's Heeds call them.
const (
	NoDriver     = "no_driver"     // nobody is assigned to pick the order up
	ProviderDown = "provider_down" // the account's carrier, or the way to it, is out of order
)
