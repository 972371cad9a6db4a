package main

import (
	"strings"
	"sync"
	"time"
)

// stateZones and countryZones place a delivery window, which UPS gives in local time without a zone. States that lie in two
// zones have the one in which most of their people live, so a window there may be an hour off; countries with several
// zones are left out where UPS names no state.
const (
	stateZones = `
America/New_York CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV
America/Chicago AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI
America/Denver CO ID MT NM UT WY
America/Phoenix AZ
America/Los_Angeles CA NV OR WA
America/Anchorage AK
Pacific/Honolulu HI
America/Puerto_Rico PR VI
America/St_Johns NL
America/Halifax NB NS PE
America/Toronto ON QC
America/Winnipeg MB
America/Regina SK
America/Edmonton AB NT
America/Vancouver BC
America/Whitehorse YT`
	countryZones = `
America/Puerto_Rico PR VI
Europe/London GB GG JE IM
Europe/Dublin IE
Europe/Lisbon PT
Europe/Paris FR MC
Europe/Brussels BE
Europe/Amsterdam NL
Europe/Luxembourg LU
Europe/Berlin DE
Europe/Zurich CH LI
Europe/Vienna AT
Europe/Rome IT SM VA
Europe/Madrid ES
Europe/Copenhagen DK
Europe/Stockholm SE
Europe/Oslo NO
Europe/Helsinki FI
Europe/Warsaw PL
Europe/Prague CZ
Europe/Bratislava SK
Europe/Budapest HU
Europe/Bucharest RO
Europe/Sofia BG
Europe/Athens GR
Europe/Istanbul TR
Asia/Tokyo JP
Asia/Seoul KR
Asia/Shanghai CN
Asia/Hong_Kong HK
Asia/Taipei TW
Asia/Singapore SG
Asia/Kolkata IN
Asia/Jerusalem IL
Asia/Dubai AE`
)

var zoneTables = sync.OnceValue(func() [2]map[string]*time.Location {
	var out [2]map[string]*time.Location
	for i, lines := range []string{stateZones, countryZones} {
		out[i] = map[string]*time.Location{}
		for l := range strings.Lines(lines) {
			f := strings.Fields(l)
			if len(f) == 0 {
				continue
			}
			z, err := time.LoadLocation(f[0])
			if err != nil {
				continue
			}
			for _, code := range f[1:] {
				out[i][code] = z
			}
		}
	}
	return out
})

// zoneOfPlace returns the zone of a state of the US or Canada, or of a country that has one; nil where it cannot be told.
func zoneOfPlace(country, state string) *time.Location {
	t := zoneTables()
	if country == "US" || country == "CA" {
		return t[0][state]
	}
	return t[1][country]
}
