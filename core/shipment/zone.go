package shipment

import (
	"sync"
	"time"
)

// zones keeps what was loaded: the system opens a file for each. Names come from configured locations, so there are few.
var zones sync.Map

// Zone is the pickup location's zone, UTC where it is not known.
func (s *Shipment) Zone() *time.Location {
	name := s.Pickup.Zone
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location)
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	zones.Store(name, z)
	return z
}

// Day is the day of the pickup location's calendar, as YYYY-MM-DD: bookings are counted by it.
func (s *Shipment) Day(at time.Time) string { return at.In(s.Zone()).Format(time.DateOnly) }
