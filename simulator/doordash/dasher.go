package doordash

import (
	"fmt"

	"github.com/waybill-dev/waybill/simulator"
)

// dasher is the courier, who is known from confirmed on.
type dasher struct {
	ID           int64  `json:"dasher_id"`
	Name         string `json:"dasher_name"`
	DropoffPhone string `json:"dasher_dropoff_phone_number"`
	PickupPhone  string `json:"dasher_pickup_phone_number"`
	Location     *Point `json:"dasher_location,omitempty"`
	Make         string `json:"dasher_vehicle_make"`
	Model        string `json:"dasher_vehicle_model"`
	Year         string `json:"dasher_vehicle_year"`
}

// Invented people: first name and initial, as DoorDash shows them.
var (
	dasherNames = []string{"Ada L.", "Bram S.", "Cleo M.", "Dario F.", "Esme W.", "Femi O.", "Gita R.", "Hugo P.",
		"Ines C.", "Jonas B.", "Kofi A.", "Lena H."}
	dasherCars = [][3]string{{"Toyota", "Corolla", "2019"}, {"Honda", "Fit", "2017"}, {"Hyundai", "Kona", "2021"},
		{"Ford", "Focus", "2016"}, {"Nissan", "Leaf", "2020"}}
)

// courier is the Dasher of a delivery, or nil while there is none.
func (v *delivery) courier(e *simulator.Entity) *dasher {
	if v.assigned == 0 || e.State == created {
		return nil
	}
	n := v.dasher
	car := dasherCars[n%uint32(len(dasherCars))]
	// 555 is no area code: these numbers reach nobody.
	phone := fmt.Sprintf("+1555555%04d", n%10_000)
	return &dasher{ID: int64(1_000_000 + n%9_000_000), Name: dasherNames[n%uint32(len(dasherNames))], DropoffPhone: phone,
		PickupPhone: phone, Location: v.whereabouts(e.State), Make: car[0], Model: car[1], Year: car[2]}
}

// whereabouts is where the Dasher of a delivery would be, if the route has
// places at all.
func (v *delivery) whereabouts(s simulator.State) *Point {
	from, to := v.route.from, v.route.to
	if !from.valid() || !to.valid() {
		return nil
	}
	var at Point
	switch s {
	case confirmed, toPickup:
		at = Point{from.Lat + 0.007, from.Lng} // half a mile away
	case atPickup, pickedUp, atReturn, returned:
		at = from
	case toDropoff, toReturn:
		at = from.middle(to)
	default:
		at = to
	}
	return &at
}
