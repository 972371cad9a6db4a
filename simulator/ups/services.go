package ups

import "time"

// service is one of the carrier's products with its prices, in cents of a US dollar.
type service struct {
	code    string
	name    string // as printed on a label and shown by tracking
	level   string // the code by which Time in Transit knows it
	track   [2]string
	kind    serviceKind
	transit [10]int       // business days by zone; by band where the service goes abroad
	commit  time.Duration // promised hour of the day of arrival
	by      string        // the same in the prose of Rating, empty when nothing is promised
	saturday,
	guaranteed bool
	prefix string // of the zone: Ground "00", Next Day Air "10"
	base   int64  // first pound in the nearest zone
	zone   int64  // more for every further zone
	pound  int64  // each further pound in the nearest zone
	zoned  int64  // more for each further pound and zone
}

type serviceKind int

const (
	domestic serviceKind = iota
	abroad
	neighbour // abroad, but only between neighbouring countries
)

func sameDays(n int) (d [10]int) {
	for i := range d {
		d[i] = n
	}
	return d
}

func hours(h, m int) time.Duration { return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute }

const endOfDay = 23 * time.Hour

// services lists what is sold. Codes, names and levels are UPS's; track codes 518/003 and 554/007 were recorded, the
// others, the prices and the days stand for the real ones only in their order of size.
var services = []*service{
	{code: "14", name: "UPS NEXT DAY AIR EARLY", level: "1DM", track: [2]string{"505", "014"}, transit: sameDays(1), commit: hours(8, 0), by: "8:00 A.M.", saturday: true, guaranteed: true, prefix: "10", base: 6890, zone: 480, pound: 170, zoned: 24},
	{code: "01", name: "UPS NEXT DAY AIR", level: "1DA", track: [2]string{"501", "001"}, transit: sameDays(1), commit: hours(10, 30), by: "10:30 A.M.", saturday: true, guaranteed: true, prefix: "10", base: 3825, zone: 470, pound: 165, zoned: 24},
	{code: "13", name: "UPS NEXT DAY AIR SAVER", level: "1DP", track: [2]string{"513", "013"}, transit: sameDays(1), commit: hours(15, 0), by: "3:00 P.M.", guaranteed: true, prefix: "13", base: 3410, zone: 455, pound: 155, zoned: 22},
	{code: "59", name: "UPS 2ND DAY AIR A.M.", level: "2DM", track: [2]string{"559", "059"}, transit: sameDays(2), commit: hours(10, 30), by: "10:30 A.M.", guaranteed: true, prefix: "24", base: 2790, zone: 260, pound: 118, zoned: 17},
	{code: "02", name: "UPS 2ND DAY AIR", level: "2DA", track: [2]string{"502", "002"}, transit: sameDays(2), commit: endOfDay, by: "11:00 P.M.", saturday: true, guaranteed: true, prefix: "20", base: 2440, zone: 235, pound: 105, zoned: 15},
	{code: "12", name: "UPS 3 DAY SELECT", level: "3DS", track: [2]string{"512", "012"}, transit: sameDays(3), commit: endOfDay, by: "11:00 P.M.", guaranteed: true, prefix: "30", base: 1795, zone: 125, pound: 72, zoned: 10},
	{code: "03", name: "UPS GROUND", level: "GND", track: [2]string{"518", "003"}, transit: [10]int{1, 1, 1, 2, 3, 3, 4, 4, 5, 7}, commit: endOfDay, prefix: "00", base: 1128, zone: 48, pound: 34, zoned: 5},
	{code: "54", name: "UPS WORLDWIDE EXPRESS PLUS", level: "21", track: [2]string{"521", "021"}, kind: abroad, transit: [10]int{1, 1, 2, 2, 3}, commit: hours(9, 0), by: "9:00 A.M.", guaranteed: true, prefix: "92", base: 13950, zone: 2900, pound: 410, zoned: 130},
	{code: "07", name: "UPS WORLDWIDE EXPRESS", level: "01", track: [2]string{"554", "007"}, kind: abroad, transit: [10]int{1, 1, 2, 3, 3}, commit: hours(10, 30), by: "10:30 A.M.", guaranteed: true, prefix: "90", base: 9480, zone: 2500, pound: 380, zoned: 120},
	{code: "65", name: "UPS WORLDWIDE SAVER", level: "28", track: [2]string{"565", "065"}, kind: abroad, transit: [10]int{1, 1, 2, 3, 3}, commit: endOfDay, by: "11:00 P.M.", guaranteed: true, prefix: "40", base: 8940, zone: 2350, pound: 360, zoned: 115},
	{code: "08", name: "UPS WORLDWIDE EXPEDITED", level: "05", track: [2]string{"508", "008"}, kind: abroad, transit: [10]int{2, 2, 4, 5, 6}, commit: endOfDay, prefix: "60", base: 7320, zone: 1900, pound: 300, zoned: 95},
	{code: "11", name: "UPS STANDARD", level: "03", track: [2]string{"511", "011"}, kind: neighbour, transit: [10]int{3, 3, 4}, commit: endOfDay, prefix: "50", base: 2410, zone: 600, pound: 95, zoned: 25},
}

func serviceByCode(code string) *service {
	for _, s := range services {
		if s.code == code {
			return s
		}
	}
	return nil
}

// days is how many business days the service needs on a lane.
func (s *service) days(l *lane) int { return s.transit[l.zone] }

// goes tells whether the service is sold on a lane.
func (s *service) goes(l *lane) bool {
	switch s.kind {
	case domestic:
		// No truck crosses the sea in three days.
		return l.domestic && !(s.code == "12" && l.zone == remoteZone)
	case abroad:
		return !l.domestic
	}
	return !l.domestic && l.zone == 1
}

// takesReturns tells whether the service is sold for the way back (Shipping, ReturnService).
func (s *service) takesReturns() bool { return s.code != "13" && s.code != "59" }

// lane is where a parcel goes.
type lane struct {
	domestic bool
	zone     int // 2 to 9 within the USA; 1 to 4 abroad
}

func laneBetween(from, to *address) lane {
	if from.american() && to.american() {
		return lane{domestic: true, zone: domesticZone(from, to)}
	}
	band := func(a *address) int {
		if a.american() {
			return 0
		}
		if c, ok := countries[string(a.CountryCode)]; ok {
			return c.band
		}
		return 4
	}
	return lane{zone: max(1, band(from), band(to))}
}

// zoneCode is the zone as the carrier writes it.
func (s *service) zoneCode(l *lane) string { return s.prefix + string(rune('0'+l.zone)) }
