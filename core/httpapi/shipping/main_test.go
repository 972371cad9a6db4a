package shipping_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	apitest.Leaks(m)
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	ids    = regexp.MustCompile(`"[0-9a-f]{24}"`)
	made   = regexp.MustCompile(`"(barcode|reference)": "[0-9A-Za-z]{16,26}"`)
	tokens = regexp.MustCompile(`"(next|previous)": "[^"]+"`)
)

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
	got = ids.ReplaceAll(got, []byte(`"ID"`))
	got = made.ReplaceAll(got, []byte(`"$1": "MADE"`))
	got = append(tokens.ReplaceAll(got, []byte(`"$1": "TOKEN"`)), '\n')
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
		if got := a.At(path); !same(got, w) {
			t.Errorf("%s = %v, want %v", path, got, w)
		}
	}
}

// same compares decoded JSON with a value of Go: a number is a number.
func same(got, want any) bool {
	var v any
	if err := json.Unmarshal([]byte(apitest.JSON(want)), &v); err != nil {
		return false
	}
	return cmp.Equal(got, v)
}

// statuses returns the statuses of an order's history.
func statuses(h *apitest.Harness, id string) []string {
	var out []string
	list, _ := h.Do("GET", "/shipments/"+id+"/status-history", "").At("0.orderStatus").([]any)
	for _, e := range list {
		out = append(out, e.(map[string]any)["status"].(string))
	}
	return out
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
