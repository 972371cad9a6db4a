package geo

import (
	"fmt"
	"math"
	"sync"

	"github.com/ringsaturn/tzf"
)

// zoneFinder is loaded when it is first needed: it takes tens of megabytes, and most engines never ask it, because
// the table of postal codes carries the zones.
var zoneFinder = sync.OnceValues(tzf.NewDefaultFinder)

// Zone answers the IANA time zone at a point. At sea it is one of the nautical zones, such as "Etc/GMT+5". The first
// call loads the map of zones.
func Zone(lat, lng float64) (string, error) {
	if fault := (Point{lat, lng}).rangeFault(); fault != "" {
		return "", &Error{Reason: ReasonCoordinates, Detail: fault}
	}
	finder, err := zoneFinder()
	if err != nil {
		return "", fmt.Errorf("load the map of time zones: %w", err)
	}
	if zone := finder.GetTimezoneName(lng, lat); zone != "" {
		return zone, nil
	}
	return nautical(lng), nil
}

// nautical is the zone of the open sea: 15 degrees to the hour, with the sign turned as IANA has it.
func nautical(lng float64) string {
	switch hours := int(math.Round(lng / 15)); {
	case hours > 0:
		return fmt.Sprintf("Etc/GMT-%d", hours)
	case hours < 0:
		return fmt.Sprintf("Etc/GMT+%d", -hours)
	default:
		return "Etc/GMT"
	}
}
