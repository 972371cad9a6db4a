package ship24_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// specFile is Ship24's own OpenAPI document, which stands beside the repository.
const specFile = "../shared/carriers/specs/ship24/ship24-tracking-api.yaml"

var exampleRef = regexp.MustCompile(`\$ref: "#/components/examples/response-bulk[^"]*"`)

var nullable = regexp.MustCompile(`type: (\w+)\n((?: +format: [\w-]+\n)?) +nullable: true`)

// document is Ship24's OpenAPI document as its prose and its own examples have it; errors.Is fs.ErrNotExist where there is none.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	root, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(root) == root {
			return nil, errors.New("the tests run outside the repository")
		}
		root = filepath.Dir(root)
	}
	text, err := os.ReadFile(filepath.Join(root, specFile))
	if err != nil {
		return nil, err
	}
	// A list cannot have "required: true".
	text = bytes.Replace(text, []byte("        $ref: \"#/components/schemas/tracker-create-request\"\n      required: true\n"),
		[]byte("        $ref: \"#/components/schemas/tracker-create-request\"\n"), 1)
	// Examples are pointed to that stand a level deeper than examples may.
	text = exampleRef.ReplaceAll(text, []byte("value: {}"))
	// "nullable" is of OpenAPI 3.0 and means nothing in a document of 3.1.
	text = nullable.ReplaceAll(text, []byte("type: [$1, \"null\"]\n$2"))
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	// The servers are Ship24's; here only the path counts.
	doc.Servers = nil
	one := doc.Paths.Value("/public/v1/trackers/{trackerId}")
	for _, o := range []*openapi3.Operation{one.Get, one.Patch} {
		// The schema says that the answer is a bare tracker; the examples beside it, and all other answers, have {data:{tracker}}.
		media := o.Responses.Value("200").Value.Content["application/json"]
		inner := openapi3.NewObjectSchema().WithPropertyRef("tracker", media.Schema).WithRequired([]string{"tracker"})
		media.Schema = openapi3.NewObjectSchema().WithProperty("data", inner).WithRequired([]string{"data"}).NewRef()
	}
	// The summary of a resend is "string" with the example 8, and a number in the example of the whole answer.
	resent := doc.Paths.Value("/public/v1/trackers/{trackerId}/webhook-events/resend").Post.Responses.Value("201").Value.Content["application/json"].Schema.Value
	resent.Properties["data"].Value.Properties["summary"].Value.Properties["totalResent"] = openapi3.NewIntegerSchema().NewRef()
	item := doc.Components.Schemas["bulk-create-trackers-response"].Value.Properties["data"].Value.Items.Value
	// What was sent need not be as it should have been: the example has a trackingNumber that is too short.
	item.Properties["inputData"] = &openapi3.SchemaRef{Value: &openapi3.Schema{}}
	return doc, nil
})

var router = sync.OnceValues(func() (routers.Router, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// undescribed are the statuses that the document leaves out and the prose has: of keys, limits, paths and this engine.
var undescribed = []int{400, 401, 403, 404, 405, 409, 413, 422, 429, 500}

// hold holds an answer against Ship24's document. What the document is silent about must have the envelope of refusals.
func hold(t testing.TB, q *http.Request, status int, header http.Header, body []byte) {
	t.Helper()
	if q.Method == http.MethodHead {
		return
	}
	r, err := router()
	if errors.Is(err, fs.ErrNotExist) {
		t.Log("Ship24's OpenAPI document is not beside the repository: answers are not held against it")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	c := q.Clone(q.Context())
	c.URL.Scheme, c.URL.Host = "", ""
	if strings.HasPrefix(c.URL.Path, "/v1/") {
		c.URL.Path, c.URL.RawPath = "/public"+c.URL.Path, ""
	}
	c.Body = io.NopCloser(bytes.NewReader(nil))
	route, params, err := r.FindRoute(c)
	if err != nil {
		if status != 404 && status != 405 {
			t.Errorf("%s %s is answered %d and is not in Ship24's document", q.Method, q.URL.Path, status)
		}
		return
	}
	// The description of a bulk's 400 is of a list that was read, not of a key that is missing.
	if route.Operation.Responses.Status(status) == nil || status == 400 && bytes.Contains(body, []byte(`"auth_`)) {
		if !slices.Contains(undescribed, status) {
			t.Errorf("%s %s is answered %d, which Ship24's document does not have", q.Method, q.URL.Path, status)
		}
		return
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	in := &openapi3filter.RequestValidationInput{Request: c, PathParams: params, Route: route, Options: options}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: options}
	if err := openapi3filter.ValidateResponse(q.Context(), out); err != nil {
		t.Errorf("%s %s answers what Ship24's document does not say: %v\n%s", q.Method, q.URL.Path, err, body)
	}
}

// TestDocumentIsRead fails where the document is there and cannot be used, so that nothing passes unseen.
func TestDocumentIsRead(t *testing.T) {
	doc, err := document()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("SKIPPED: Ship24's OpenAPI document is not beside the repository (" + specFile + ")")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := router(); err != nil {
		t.Fatal(err)
	}
	if n := doc.Paths.Len(); n != 10 {
		t.Errorf("the document has %d paths", n)
	}
}

// TestHoldFails shows that what Ship24's document does not say cannot pass unseen.
func TestHoldFails(t *testing.T) {
	if _, err := document(); err != nil {
		t.Skip("SKIPPED: " + err.Error())
	}
	a := newAPI(t)
	good := a.ask("POST", "/trackers/track", full).want(200)
	for what, change := range map[string][2]string{"a member missing": {`"isTracked":`, `"x":`}, "null": {`"trackingNumber":"` + ours + `"`, `"trackingNumber":null`},
		"a time that is none": {`"createdAt":"2026`, `"createdAt":"in 2026`}, "text for a list": {`"events":[]`, `"events":""`}} {
		bad := bytes.Replace(good.body, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(bad, good.body) {
			t.Fatalf("%s: %s is not in %s", what, change[0], good.body)
		}
		seen := &witness{TB: t}
		if hold(seen, good.Request, 200, good.Header, bad); !seen.failed {
			t.Errorf("%s passes", what)
		}
	}
}

// witness takes notice of a failure instead of failing.
type witness struct {
	testing.TB
	failed bool
}

func (w *witness) Errorf(string, ...any) { w.failed = true }

// TestOurOwnDocumentHolds shows that what openapi.yaml does not say of this surface cannot pass unseen, under either base.
func TestOurOwnDocumentHolds(t *testing.T) {
	a := newAPI(t)
	for _, path := range []string{"/public/v1/couriers", "/v1/couriers"} {
		q, err := http.NewRequestWithContext(t.Context(), "GET", a.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{"Content-Type": {"application/json"}}
		good := `{"courierCode":"ups","courierName":"UPS","website":null,"isPost":false,"countryCode":null,"requiredFields":null,"isDeprecated":false`
		for body, ok := range map[string]bool{
			`{"data":{"couriers":[` + good + `}]}}`:          true,
			`{"data":{"couriers":[` + good + `,"more":1}]}}`: false,
			`{"data":{"couriers":[{"courierCode":"ups"}]}}`:  false,
			`{"couriers":[]}`: false,
		} {
			if err := apitest.Hold(q, nil, 200, header, []byte(body)); (err == nil) != ok {
				t.Errorf("%s %s: %v", path, body, err)
			}
		}
		for code, ok := range map[string]bool{"auth_missing_header": true, "tracker_not_updatable": false} {
			body := `{"errors":[{"code":"` + code + `","message":"x"}],"data":null}`
			if err := apitest.Hold(q, nil, 400, header, []byte(body)); (err == nil) != ok {
				t.Errorf("%s refused with %s: %v", path, code, err)
			}
		}
		if apitest.Hold(q, nil, 418, header, []byte(`{}`)) == nil {
			t.Errorf("%s: a status that is not described passes", path)
		}
	}
}
