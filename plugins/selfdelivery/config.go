package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Config is one fleet of own drivers. Everything is optional: without limits the fleet goes everywhere, at all hours, for nothing.
type Config struct {
	Currency string   `json:"currency,omitempty" title:"Currency" doc:"ISO 4217 code of all amounts below; the order's own where empty" example:"USD"`
	Fee      Fee      `json:"fee,omitzero" title:"Fee" doc:"what a delivery costs: flat + tier + per_km, each where given"`
	Zone     Zone     `json:"zone,omitzero" title:"Zone" doc:"where the drivers go; everywhere where empty"`
	Hours    Hours    `json:"hours,omitzero" title:"Hours" doc:"when drivers set out, in the pickup location's zone; round the clock where empty"`
	Capacity Capacity `json:"capacity,omitzero" title:"Capacity" doc:"how much the drivers take"`
	Drive    Drive    `json:"drive,omitzero" title:"Driving" doc:"what the drivers drive, and how fast"`
	Supports []string `json:"supports,omitempty" title:"Supports" doc:"which of the service's special abilities this fleet has; ambient, signature_required and signature_direct where empty" example:"[\"alcohol\", \"refrigerated\"]"`
	Title    string   `json:"title,omitempty" title:"Label title" doc:"head line of the labels; \"Self Delivery\" where empty"`
}

// Fee is the price of a delivery, in major units.
type Fee struct {
	Flat       shipping.Decimal `json:"flat,omitzero" title:"Flat fee" doc:"charged for every delivery" example:"4.99"`
	PerKM      shipping.Decimal `json:"per_km,omitzero" title:"Per kilometre" doc:"charged for each kilometre beyond included_km, to the metre"`
	IncludedKM shipping.Decimal `json:"included_km,omitzero" title:"Included kilometres" doc:"kilometres that per_km does not count"`
	Tiers      []Tier           `json:"tiers,omitempty" title:"Distance tiers" doc:"ascending; the first that reaches far enough is charged, beyond the last nobody goes"`
	FreeOver   shipping.Decimal `json:"free_over,omitzero" title:"Free over" doc:"order value from which the delivery is free"`
}

// Tier is the price of all deliveries up to a distance.
type Tier struct {
	UpToKM shipping.Decimal `json:"up_to_km,omitzero" title:"Up to" doc:"kilometres, inclusive; absent in the last tier: any distance"`
	Amount shipping.Decimal `json:"amount" title:"Amount" doc:"in major units"`
}

// Zone is where drivers go. The kinds that are given are joined by Match.
type Zone struct {
	RadiusKM    shipping.Decimal `json:"radius_km,omitzero" title:"Radius" doc:"kilometres from the pickup place, as the crow flies, inclusive"`
	PostalCodes []string         `json:"postal_codes,omitempty" title:"Postal codes" doc:"of the pickup place's country; a trailing * makes a prefix" example:"[\"75206\", \"752*\"]"`
	Polygon     []Point          `json:"polygon,omitempty" title:"Polygon" doc:"at least three corners; must not cross the 180th meridian"`
	Match       string           `json:"match,omitempty" title:"Match" doc:"whether one kind is enough or all must hold" enum:"any,all" default:"any"`
	Except      []string         `json:"except_postal_codes,omitempty" title:"Except postal codes" doc:"never, whatever else holds; a trailing * makes a prefix"`
}

// Point is a corner of a polygon, in degrees.
type Point struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// Hours are the windows in which drivers set out, each "09:00-18:00". A window that ends before it starts ends the next day.
type Hours struct {
	Monday    []string `json:"monday,omitempty" example:"[\"09:00-12:30\", \"14:00-18:00\"]"`
	Tuesday   []string `json:"tuesday,omitempty"`
	Wednesday []string `json:"wednesday,omitempty"`
	Thursday  []string `json:"thursday,omitempty"`
	Friday    []string `json:"friday,omitempty"`
	Saturday  []string `json:"saturday,omitempty"`
	Sunday    []string `json:"sunday,omitempty"`
	Holidays  []string `json:"holidays,omitempty" title:"Holidays" doc:"closed days, 2026-12-25 or 12-25 for every year" example:"[\"12-25\"]"`
}

// Capacity limits how many deliveries the fleet takes; 0 is no limit.
type Capacity struct {
	Open   int `json:"open,omitempty" title:"Open deliveries" doc:"under way at once; 0 is no limit"`
	PerDay int `json:"per_day,omitempty" title:"Deliveries a day" doc:"booked in a day of the pickup location's zone; 0 is no limit"`
}

// Drive says how the drivers travel.
type Drive struct {
	Vehicle       string           `json:"vehicle,omitempty" title:"Vehicle" enum:"car,van,bike,scooter,truck,foot" default:"car"`
	SpeedKMH      int              `json:"speed_kmh,omitempty" title:"Speed" doc:"average, km/h; 30 where 0" default:"30"`
	PrepMinutes   int              `json:"prep_minutes,omitempty" title:"Preparation" doc:"minutes from order to a loaded vehicle"`
	StopMinutes   int              `json:"stop_minutes,omitempty" title:"Stop" doc:"minutes from parking to the customer's door"`
	WindowMinutes int              `json:"window_minutes,omitempty" title:"Promise" doc:"length of the promised delivery window in minutes; 30 where 0" default:"30"`
	RoadFactor    shipping.Decimal `json:"road_factor,omitzero" title:"Road factor" doc:"road distance by great-circle distance, for fee and time; 1 where absent" example:"1.3"`
}

const (
	defaultSpeedKMH = 30
	defaultWindow   = 30
	maxMinutes      = 7 * 24 * 60
	maxFee          = 1_000_000 // major units: far above any fee, far below what an int64 of minor units holds
	maxKM           = 20_100    // half the earth's girth
)

var (
	vehicles        = []string{"car", "van", "bike", "scooter", "truck", "foot"}
	defaultSupports = []string{"ambient", "signature_required", "signature_direct"}
)

// open checks the whole configuration, reports every fault at once, and starts nothing.
func open(_ context.Context, cfg Config, env carrier.Env) (*Account, error) {
	var f shipping.Faults
	if _, ok := shipping.CurrencyDigits(cfg.Currency); cfg.Currency != "" && !ok {
		f.Add("currency", "is not an ISO 4217 code")
	}
	cfg = withDefaults(cfg)
	f.Text("title", cfg.Title, shipping.MaxText)
	checkDrive(&f, cfg.Drive)
	atLeast(&f, "capacity.open", cfg.Capacity.Open)
	atLeast(&f, "capacity.per_day", cfg.Capacity.PerDay)
	a := &Account{env: env, cfg: cfg, fee: newFee(&f, cfg.Fee), zone: newZone(&f, cfg.Zone), hours: newHours(&f, cfg.Hours), usable: map[string]bool{}}
	for i, s := range cfg.Supports {
		if !slices.Contains(service.Supports, s) {
			f.Add(fmt.Sprintf("supports[%d]", i), "must be one of %s", strings.Join(service.Supports, ", "))
		}
		a.usable[s] = true
	}
	if err := carrier.ConfigError(f); err != nil {
		return nil, err
	}
	return a, nil
}

func withDefaults(c Config) Config {
	if c.Drive.Vehicle == "" {
		c.Drive.Vehicle = "car"
	}
	if c.Drive.SpeedKMH == 0 {
		c.Drive.SpeedKMH = defaultSpeedKMH
	}
	if c.Drive.WindowMinutes == 0 {
		c.Drive.WindowMinutes = defaultWindow
	}
	if c.Title == "" {
		c.Title = displayName
	}
	if len(c.Supports) == 0 {
		c.Supports = defaultSupports
	}
	return c
}

func checkDrive(f *shipping.Faults, d Drive) {
	if !slices.Contains(vehicles, d.Vehicle) {
		f.Add("drive.vehicle", "must be one of %s", strings.Join(vehicles, ", "))
	}
	if d.SpeedKMH < 1 || d.SpeedKMH > 200 {
		f.Add("drive.speed_kmh", "must be between 1 and 200")
	}
	minutes := map[string]int{"drive.prep_minutes": d.PrepMinutes, "drive.stop_minutes": d.StopMinutes, "drive.window_minutes": d.WindowMinutes}
	for _, path := range slices.Sorted(maps.Keys(minutes)) {
		if m := minutes[path]; m < 0 || m > maxMinutes {
			f.Add(path, "must be between 0 and %d", maxMinutes)
		}
	}
	if r := d.RoadFactor.Rat(); !d.RoadFactor.IsZero() && (r.Cmp(rat(1)) < 0 || r.Cmp(rat(10)) > 0) {
		f.Add("drive.road_factor", "must be between 1 and 10")
	}
}

func atLeast(f *shipping.Faults, path string, n int) {
	if n < 0 {
		f.Add(path, "must be 0 or more")
	}
}

func between(f *shipping.Faults, path string, d shipping.Decimal, limit int64) {
	if d.Sign() < 0 || d.Rat().Cmp(rat(limit)) > 0 {
		f.Add(path, "must be between 0 and %d", limit)
	}
}
