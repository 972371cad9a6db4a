package admin_test

import (
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }

func spec(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := apitest.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestSpecListsEveryRow holds the specification against the API's tables of refusals, copied to testdata/rows.txt.
func TestSpecListsEveryRow(t *testing.T) {
	doc := spec(t)
	rows, err := os.ReadFile("testdata/rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(rows)) {
		f := strings.Fields(line)
		method, path, row := f[0], f[1], f[2]+" ("+f[4]+")"
		n++
		o := doc.Paths.Value(path).GetOperation(method)
		if o == nil {
			t.Errorf("%s %s is not specified", method, path)
			continue
		}
		r := o.Responses.Value(f[3])
		if r == nil || !strings.Contains(*r.Value.Description, row) {
			t.Errorf("%s %s: %s is not listed under %s", method, path, row, f[3])
		}
	}
	if n != 55 {
		t.Errorf("%d rows were read, the tables have 55", n)
	}
}

// TestSpecDescribesEveryMember: nothing in the specification is left to guess.
func TestSpecDescribesEveryMember(t *testing.T) {
	doc := spec(t)
	for name, s := range doc.Components.Schemas {
		described(t, name, s.Value)
	}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			if o.OperationID == "" || o.Description == "" || o.Summary == "" {
				t.Errorf("%s %s has no id, summary or description", method, path)
			}
			open := o.Security != nil && len(*o.Security) == 0
			if open != strings.Contains(" /healthz /readyz /openapi.yaml /carriers/{account}/push/{secret} /apps/tracktor/shopify/{uuid} ", " "+path+" ") {
				t.Errorf("%s %s: open is %v", method, path, open)
			}
			if o.RequestBody != nil && len(o.RequestBody.Value.Content["application/json"].Examples) == 0 {
				t.Errorf("%s %s has no example of a request", method, path)
			}
		}
	}
}

func described(t *testing.T, path string, s *openapi3.Schema) {
	for name, p := range s.Properties {
		if p.Value.Description == "" {
			t.Errorf("%s.%s has no description", path, name)
		}
		if p.Ref == "" {
			described(t, path+"."+name, p.Value)
		}
	}
	if s.Items != nil && s.Items.Ref == "" {
		described(t, path+"[]", s.Items.Value)
	}
}

// TestSpecHasEveryRoute asks every path with every method: what is specified is served, and nothing else.
func TestSpecHasEveryRoute(t *testing.T) {
	h := apitest.New(t)
	for path, item := range spec(t).Paths.Map() {
		real := strings.NewReplacer("{shipmentId}", "nobody", "{trackerId}", "nobody").Replace(path)
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
			specified := item.GetOperation(method) != nil
			if path == "/shipments/list" && (method == "GET" || method == "PUT" || method == "DELETE") {
				specified = true // an order may be called list
			}
			if (path == "/public/v1/trackers/bulk" || path == "/public/v1/trackers/track") && (method == "GET" || method == "PATCH") {
				specified = true // a tracker may be called so by its caller
			}
			a := h.Do(method, real, "{}")
			if served := a.Status != 405; served != specified {
				t.Errorf("%s %s: answered %d, specified: %v", method, path, a.Status, specified)
			}
		}
	}
}
