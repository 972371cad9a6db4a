package simulator

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Profile says how entities of one dialect move when nobody moves them.
type Profile struct {
	Version int          `yaml:"profile"` // 1
	Name    string       `yaml:"name"`
	About   string       `yaml:"about"`
	Source  string       `yaml:"source"` // where the numbers come from; "assumption" when guessed
	Dialect string       `yaml:"dialect"`
	Auto    bool         `yaml:"auto"` // whether entities move by themselves at all
	Legs    []ProfileLeg `yaml:"legs"`
	Push    Dist         `yaml:"push"` // how long after a change its push leaves
}

// ProfileLeg is one step of a usual life.
type ProfileLeg struct {
	To     State  `yaml:"to"`
	After  Dist   `yaml:"after"`  // since the step before
	Source string `yaml:"source"` // when it differs from the profile's
}

//go:embed profiles/*.yaml
var profileFiles embed.FS

// ProfileNames lists the built-in profiles.
func ProfileNames() []string {
	files, err := fs.Glob(profileFiles, "profiles/*.yaml")
	if err != nil {
		return nil
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, "profiles/"), ".yaml")
	}
	return files
}

// LoadProfile returns a built-in profile by its name.
func LoadProfile(name string) (Profile, error) {
	if !slices.Contains(ProfileNames(), name) {
		return Profile{}, fmt.Errorf("no profile is named %q; there are %s", name, strings.Join(ProfileNames(), ", "))
	}
	data, err := profileFiles.ReadFile("profiles/" + name + ".yaml")
	if err != nil {
		return Profile{}, err
	}
	return ParseProfile(data)
}

// ParseProfile reads a profile file; the error names every fault in it.
func ParseProfile(data []byte) (Profile, error) {
	var p Profile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&p); err != nil {
		return Profile{}, fmt.Errorf("profile: %w", err)
	}
	if err := p.check(); err != nil {
		return Profile{}, fmt.Errorf("profile %q: %w", p.Name, err)
	}
	return p, nil
}

func (p Profile) check() error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if p.Version != 1 {
		bad("profile: must be 1")
	}
	if p.Name == "" || p.Dialect == "" {
		bad("name and dialect are required")
	}
	if p.Source == "" {
		bad(`source: say where the numbers come from, "assumption" when they are guessed`)
	}
	if p.Auto && len(p.Legs) == 0 {
		bad("legs: an automatic profile needs at least one")
	}
	for i, leg := range p.Legs {
		if leg.To == "" {
			bad("legs[%d].to: is required", i)
		}
		if err := leg.After.Check(); err != nil {
			bad("legs[%d].after: %w", i, err)
		}
	}
	if p.Push != (Dist{}) {
		if err := p.Push.Check(); err != nil {
			bad("push: %w", err)
		}
	}
	return errors.Join(faults...)
}

// Plan draws the legs of one entity's life from start on. It is nil for a
// profile that is not automatic.
func (p Profile) Plan(start time.Time, r *rand.Rand) []Leg {
	if !p.Auto {
		return nil
	}
	legs := make([]Leg, len(p.Legs))
	for i, leg := range p.Legs {
		start = start.Add(leg.After.Draw(r))
		legs[i] = Leg{To: leg.To, At: start}
	}
	return legs
}
