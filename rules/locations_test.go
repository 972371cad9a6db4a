package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestUnknownLocations: a name that is none of the configuration's is refused wherever rules can name a location or a tag, with the one that was meant.
func TestUnknownLocations(t *testing.T) {
	known := rules.Options{Locations: map[string][]string{"7709": {"airport"}, "boston": nil}}
	const rule = "exclude:\n  - { name: A, providers: [ups]"
	for text, want := range map[string]string{
		rule + " }\nlocations:\n  \"7790\": { exclude: { A: { enabled: false } } }": `there is no location "7790"`,
		rule + ", locations: [bostn, \"tag:airprt\"] }":                             `there is no location "bostn"|no location has the tag "airprt"`,
		rule + ", when: 'location.id == \"7790\"' }":                                `nothing in location.id is named "7790"`,
		rule + ", when: 'location.id in [\"7709\", \"bostn\"]' }":                   `nothing in location.id is named "bostn"`,
		rule + ", when: '\"airprt\" in location.tags' }":                            `nothing in location.tags is named "airprt"`,
		"let: { here: 'location.id != \"7790\"' }\n" + rule + ", when: here }":      `nothing in location.id is named "7790"`,
	} {
		files := oneFile("rules: 1\nproviders: [ups]\n" + text + "\n")
		if _, err := rules.Load(files, rules.Options{}); err != nil {
			t.Errorf("without a configuration: %v", err)
		}
		_, err := rules.Load(files, known)
		for _, w := range strings.Split(want, "|") {
			if err == nil || !strings.Contains(err.Error(), w) || !strings.Contains(err.Error(), "[E110]") || !strings.Contains(err.Error(), "did you mean") {
				t.Errorf("%s\n%v\nwant %s", text, err, w)
			}
		}
	}
	good := oneFile("rules: 1\nproviders: [ups]\n" + rule + ", locations: [boston, \"tag:airport\"], when: 'location.id == \"7709\" or \"airport\" in location.tags or location.id == \"\"' }\n" +
		"locations:\n  \"7709\": { exclude: { A: { enabled: false } } }\n  tag:airport: { exclude: { A: { reason: there } } }\n")
	b, err := rules.Load(good, known)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte("tests: 1\noptions: { location: elsewhere }\ncases:\n  - { name: A, with: { location.id: other }, expect: { none: true } }\n")}); err != nil {
		t.Errorf("tests may speak of places that there are not: %v", err)
	}
	if _, err := rules.Load(oneFile("rules: 1\nproviders: [ups]\n"+rule+", when: '\"airport\" in location.tags' }\n"), rules.Options{Locations: map[string][]string{"boston": nil}}); err == nil || !strings.Contains(err.Error(), "the configuration has none") {
		t.Errorf("no location has a tag: %v", err)
	}
	many := map[string][]string{}
	for i := range 1000 {
		many[fmt.Sprint("shop-", i)] = nil
	}
	if _, err := rules.Load(good, rules.Options{Locations: many}); err == nil || len(err.Error()) > 5000 || !strings.Contains(err.Error(), `no location has the tag "airport"`) {
		t.Errorf("%.6000v", err)
	}
}
