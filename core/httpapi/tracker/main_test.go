package tracker_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	apitest.Leaks(m)
}

// serve is a harness with the store of the API's published example; its carrier quiet goes by the name of the example's and tells
// nothing by itself, UPS is asked.
func serve(t testing.TB) *apitest.Harness {
	h := apitest.New(t)
	shop := h.Config.Tenants["shop"]
	shop.Accounts["quiet"].Name = "Self Delivery"
	lat, lng := 29.9259823, -95.5523879
	shop.Locations["Self Delivery Store"] = &config.Location{ID: "Self Delivery Store", Name: "Self Delivery Store", Zone: "America/Chicago",
		Address: shipping.Address{Street1: "8849 North Sam Houston Parkway West", City: "Houston", State: "TX", PostalCode: "77064", CountryCode: "US",
			Latitude: &lat, Longitude: &lng},
		Contact: shipping.Contact{Name: "Peter Brown", Phone: "+12142342232"}, Instructions: "location pickupInstructions"}
	h.UPS.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanTrack, carrier.CanReceivePush) })
	return h
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// body is the published request, changed by top-level members.
func body(t testing.TB, changes ...any) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(read(t, "seed/create.json")), &v); err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if v[changes[i].(string)] = changes[i+1]; changes[i+1] == any(apitest.Absent) {
			delete(v, changes[i].(string))
		}
	}
	return apitest.JSON(v)
}

var ids = regexp.MustCompile(`"[0-9a-f]{24}"`)

// golden holds an answer, its ids made alike, against a file.
func golden(t *testing.T, name string, a *apitest.Answer) {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(ids.ReplaceAll(got, []byte(`"ID"`)), '\n')
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs from its golden file (-want +got):\n%s", name, diff)
	}
}

// is fails for every path of the answer whose value differs.
func is(t *testing.T, a *apitest.Answer, want map[string]any) {
	t.Helper()
	for path, w := range want {
		var v any
		if err := json.Unmarshal([]byte(apitest.JSON(w)), &v); err != nil {
			t.Fatal(err)
		}
		if got := a.At(path); !cmp.Equal(got, v) {
			t.Errorf("%s = %v, want %v", path, got, w)
		}
	}
}

// parameters returns the members that a refusal names.
func parameters(a *apitest.Answer) []string {
	var out []string
	list, _ := a.At("errors").([]any)
	for _, e := range list {
		if p, _ := e.(map[string]any)["parameter"].(string); p != "" {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

func has(v any, path string) bool {
	name, rest, more := strings.Cut(path, ".")
	object, ok := v.(map[string]any)
	inner, there := object[name]
	return ok && there && (!more || has(inner, rest))
}

func caller(tenant string) usecase.Caller { return usecase.Caller{Tenant: tenant, Key: "test"} }

func trackerID(a *apitest.Answer) tracker.ID { return tracker.ID(a.At("id").(string)) }
