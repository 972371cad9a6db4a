package ups_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// specs are the published schemas, by file.
type specs map[string]map[string]any

// loadSpecs reads the schemas that stand beside the repository; nil where they are not there.
var loadSpecs = sync.OnceValues(func() (specs, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, fmt.Errorf("no go.mod above the test")
		}
		dir = parent
	}
	files, err := filepath.Glob(filepath.Join(dir, "..", "shared", "carriers", "specs", "ups", "json", "*.json"))
	if err != nil || len(files) == 0 {
		return nil, err
	}
	all := specs{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var doc struct {
			Components struct {
				Schemas map[string]any `json:"schemas"`
			} `json:"components"`
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".json")] = doc.Components.Schemas
	}
	return all, nil
})

// successSchema names the schema of an operation's answer, errorSchema that of its refusals.
var successSchema = map[string][2]string{
	"token": {"OAuthClientCredentials", "tokenSuccessResponse"},
	"rate":  {"Rating", "RATEResponseWrapper"},
	"ship":  {"Shipping", "SHIPResponseWrapper"}, "void": {"Shipping", "VOIDSHIPMENTResponseWrapper"}, "label": {"Shipping", "LABELRECOVERYResponseWrapper"},
	"track":   {"Tracking", "TrackApiResponse"},
	"address": {"AddressValidation", "XAVResponseWrapper"},
	"transit": {"TimeInTransit", "TimeInTransitResponse"},
}

var errorSchema = map[string][2]string{
	"token": {"OAuthClientCredentials", "tokenErrorResponse"},
	"rate":  {"Rating", "ErrorResponse"},
	"ship":  {"Shipping", "ErrorResponse"}, "void": {"Shipping", "ErrorResponse"}, "label": {"Shipping", "ErrorResponse"},
	"track":   {"Tracking", "Response"},
	"address": {"AddressValidation", "ErrorResponse"},
}

// deviations are what recorded traffic shows and the schema does not say.
var deviations = []string{
	"Response.TransactionReference is a string, want object",             // "" when no context was sent
	"VoidShipmentResponse.PackageLevelResult is not in the schema",       // the schema says PackageLevelResults
	"emsResponse.services[].saturdayDeliveryIndicator is not in the sch", // recorded
	"PickList[].CountryCode is required",                                 // the schema's own property is countryCode
}

// conforms lists how a value differs from a schema: missing, unknown and wrongly typed members. Lengths are not looked
// at, because the originals carry occurrence counts and typing errors there.
func (s specs) conforms(file string, schema map[string]any, v any, path string) []string {
	if ref, ok := schema["$ref"].(string); ok {
		name := ref[strings.LastIndex(ref, "/")+1:]
		next, ok := s[file][name].(map[string]any)
		if !ok {
			return []string{path + ": schema " + name + " is missing"}
		}
		return s.conforms(file, next, v, path)
	}
	switch want, _ := schema["type"].(string); v := v.(type) {
	case map[string]any:
		if want != "object" {
			return []string{fmt.Sprintf("%s is an object, want %s", path, want)}
		}
		return s.members(file, schema, v, path)
	case []any:
		if want != "array" {
			return []string{fmt.Sprintf("%s is an array, want %s", path, want)}
		}
		items, _ := schema["items"].(map[string]any)
		var faults []string
		for _, item := range v {
			faults = append(faults, s.conforms(file, items, item, path+"[]")...)
		}
		return faults
	case string:
		if want != "string" {
			return []string{fmt.Sprintf("%s is a string, want %s", path, want)}
		}
	case float64:
		if want != "integer" && want != "number" {
			return []string{fmt.Sprintf("%s is a number, want %s", path, want)}
		}
	case bool:
		if want != "boolean" {
			return []string{fmt.Sprintf("%s is a boolean, want %s", path, want)}
		}
	default:
		return []string{fmt.Sprintf("%s is %v", path, v)}
	}
	return nil
}

func (s specs) members(file string, schema, v map[string]any, path string) []string {
	var faults []string
	known, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			faults = append(faults, fmt.Sprintf("%s.%s is required", path, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		next, ok := known[name].(map[string]any)
		if !ok {
			faults = append(faults, fmt.Sprintf("%s.%s is not in the schema", path, name))
			continue
		}
		faults = append(faults, s.conforms(file, next, v[name], path+"."+name)...)
	}
	return faults
}

// checkSpec validates one answer of the newest versions.
func checkSpec(t testing.TB, op string, status int, body []byte) {
	t.Helper()
	all, err := loadSpecs()
	if err != nil {
		t.Fatal(err)
	}
	if all == nil {
		return // TestSpecs says so
	}
	names := successSchema
	if status >= 400 {
		names = errorSchema
	}
	name, ok := names[op]
	if !ok {
		return
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("%s answers no JSON: %v", op, err)
		return
	}
	for _, fault := range all.conforms(name[0], all[name[0]][name[1]].(map[string]any), v, "") {
		if !slices.ContainsFunc(deviations, func(d string) bool { return strings.Contains(fault, d) }) {
			t.Errorf("%s answer against %s: %s", op, name[0], fault)
		}
	}
}

func TestSpecs(t *testing.T) {
	all, err := loadSpecs()
	if err != nil {
		t.Fatal(err)
	}
	if all == nil {
		t.Skip("../shared/carriers/specs/ups is not beside the repository: answers are not checked against the published schemas")
	}
	// The checker itself must see faults.
	bad := map[string]any{"RateResponse": map[string]any{"RatedShipment": map[string]any{}, "Odd": "x"}}
	got := all.conforms("Rating", all["Rating"]["RATEResponseWrapper"].(map[string]any), bad, "")
	for _, want := range []string{".RateResponse.Response is required", ".RateResponse.Odd is not in the schema", ".RateResponse.RatedShipment is an object, want array"} {
		if !slices.Contains(got, want) {
			t.Errorf("the check does not find %q in %q", want, got)
		}
	}
}
