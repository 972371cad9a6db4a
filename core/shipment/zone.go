package shipment

import (
	"path"
	"sync"
	"time"
)

// zones keeps what was loaded: the system opens a file for each.
var zones sync.Map

// LoadZone is time.LoadLocation with a memory; nil where there is no such zone. Names may be a caller's, who could write one in many
// ways: only the plain form is kept.
func LoadZone(name string) *time.Location {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location)
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	if path.Clean(name) == name {
		zones.Store(name, z)
	}
	return z
}

// Zone is the pickup location's zone, UTC where it is not known.
func (s *Shipment) Zone() *time.Location {
	if z := LoadZone(s.Pickup.Zone); z != nil {
		return z
	}
	return time.UTC
}

// Day is the day of the pickup location's calendar, as YYYY-MM-DD: bookings are counted by it.
func (s *Shipment) Day(at time.Time) string { return at.In(s.Zone()).Format(time.DateOnly) }
