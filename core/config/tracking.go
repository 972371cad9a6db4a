package config

import "time"

// Tracking is how parcels are followed. An account may have its own; what it leaves out is as for all.
type Tracking struct {
	// How long after an answer a carrier is asked again, by what it has said. Where the carrier pushes, it is asked five times
	// less often: polls then only find what a push has lost.
	Waiting  time.Duration `yaml:"waiting"`   // for the parcel to be handed over; default 2h
	Transit  time.Duration `yaml:"transit"`   // default 4h
	Out      time.Duration `yaml:"out"`       // out for delivery; default 20m
	AtPoint  time.Duration `yaml:"at_point"`  // waiting to be collected; default 6h
	Trouble  time.Duration `yaml:"trouble"`   // an exception, a failed attempt, a return; default 4h
	Courier  time.Duration `yaml:"courier"`   // a courier's delivery, until its end; default 2m
	NotFound time.Duration `yaml:"not_found"` // how long a carrier may not know a number; default 10d
	Silent   time.Duration `yaml:"silent"`    // how long there may be no news; default 30d
	// PerSecond is how many numbers a second an account may ask for; default 5.
	PerSecond float64 `yaml:"per_second"`
	// Park is how long pushes about numbers that nobody follows are kept; default 14d.
	Park time.Duration `yaml:"park"`
}

func (t *Tracking) defaults() {
	t.inherit(Tracking{Waiting: 2 * time.Hour, Transit: 4 * time.Hour, Out: 20 * time.Minute, AtPoint: 6 * time.Hour, Trouble: 4 * time.Hour,
		Courier: 2 * time.Minute, NotFound: 10 * day, Silent: 30 * day, PerSecond: 5, Park: 14 * day})
}

// inherit fills in what is not set.
func (t *Tracking) inherit(from Tracking) {
	for have, want := range map[*time.Duration]time.Duration{&t.Waiting: from.Waiting, &t.Transit: from.Transit, &t.Out: from.Out, &t.AtPoint: from.AtPoint,
		&t.Trouble: from.Trouble, &t.Courier: from.Courier, &t.NotFound: from.NotFound, &t.Silent: from.Silent, &t.Park: from.Park} {
		fill(have, want)
	}
	fill(&t.PerSecond, from.PerSecond)
}

// TrackingOf is how the parcels of an account are followed.
func (c *Config) TrackingOf(a *Account) Tracking {
	t := a.Tracking
	t.inherit(c.Tracking)
	return t
}

// minSecret is how long a push secret that an operator chooses must be.
const minSecret = 16

func checkTracking(t Tracking, path string, at reporter) {
	if t.PerSecond < 0 || t.PerSecond > 10_000 {
		at(path+".per_second", "the default is 5", "must be more than 0 and at most 10000")
	}
}

// checkPushSecrets checks what must hold over all tenants: the secret of a push URL tells whose it is.
func checkPushSecrets(c *Config, at reporter) {
	owners := map[string]string{}
	for _, a := range c.AllAccounts() {
		secret := a.PushSecret.Reveal()
		if secret == "" {
			continue
		}
		path := "tenants." + a.Tenant + ".accounts." + a.ID + ".push_secret"
		if len(secret) < minSecret || !urlSafe(secret) {
			at(path, "openssl rand -hex 16 makes one; without it the engine makes its own", "must be at least %d letters, digits, - and _", minSecret)
		}
		if other, taken := owners[secret]; taken {
			at(path, "", "is the push secret of %s already", other)
		}
		owners[secret] = path
	}
}

func urlSafe(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return true
}
