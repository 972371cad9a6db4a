package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/waybill-dev/waybill/core/httpapi/admin"
)

// Spec returns openapi.yaml, checked, examples too.
var Spec = sync.OnceValues(func() (*openapi3.T, error) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(admin.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	if err := doc.Validate(loader.Context); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return doc, nil
})

// strict is the specification as answers are held against it: where a schema of the words that requests and answers share says
// nothing about further members, there must be none.
var strict = sync.OnceValues(func() (routers.Router, error) {
	openapi3filter.RegisterBodyDecoder("application/jsonl", openapi3filter.PlainBodyDecoder)
	doc, err := openapi3.NewLoader().LoadFromData(admin.OpenAPI())
	if err != nil {
		return nil, err
	}
	for name, s := range doc.Components.Schemas {
		if !strings.HasSuffix(name, "Request") {
			closeObjects(s.Value)
		}
	}
	return gorillamux.NewRouter(doc)
})

// closeObjects forbids further members of an object, and of those inside it that are not schemas of their own.
func closeObjects(s *openapi3.Schema) {
	if s.Type.Is("object") && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, p := range s.Properties {
		if p.Ref == "" {
			closeObjects(p.Value)
		}
	}
	if s.Items != nil && s.Items.Ref == "" {
		closeObjects(s.Items.Value)
	}
}

var lenient = sync.OnceValues(func() (routers.Router, error) {
	doc, err := Spec()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// Hold holds a request that succeeded, and every answer, against openapi.yaml: for tests that send requests of their own.
func Hold(q *http.Request, body []byte, status int, header http.Header, answer []byte) error {
	return hold(q, body, &Answer{Status: status, Header: header, Body: answer})
}

// HoldSchema holds JSON against a schema of openapi.yaml.
func HoldSchema(name string, body []byte) error {
	doc, err := Spec()
	if err != nil {
		return err
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	return doc.Components.Schemas[name].Value.VisitJSON(v, openapi3.MultiErrors())
}

// hold holds a request that succeeded, and every answer, against the specification.
func hold(q *http.Request, body []byte, a *Answer) error {
	if q.Method == http.MethodHead {
		return nil
	}
	r, err := strict()
	if err != nil {
		return err
	}
	plain := local(q)
	route, params, err := r.FindRoute(plain)
	if err != nil {
		if a.Status == http.StatusNotFound || a.Status == http.StatusMethodNotAllowed {
			return nil // no route, and said so
		}
		return fmt.Errorf("%s %s is answered %d and not in openapi.yaml: %w", q.Method, q.URL.Path, a.Status, err)
	}
	in := &openapi3filter.RequestValidationInput{Request: plain, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}}
	if a.Status < 300 {
		if err := holdRequest(q, body); err != nil {
			return fmt.Errorf("%s %s was taken and is not as openapi.yaml says: %w", q.Method, q.URL.Path, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: a.Status, Header: a.Header,
		Body: io.NopCloser(bytes.NewReader(a.Body)), Options: in.Options}
	if err := openapi3filter.ValidateResponse(q.Context(), out); err != nil {
		return fmt.Errorf("%s %s answers what openapi.yaml does not say: %w\n%s", q.Method, q.URL.Path, err, a.Body)
	}
	return holdRefusal(route, a)
}

// local is the request as the specification's own server, "/", sees it: only the path counts, and an order may be called list.
func local(q *http.Request) *http.Request {
	c := q.Clone(q.Context())
	c.URL.Scheme, c.URL.Host = "", ""
	if strings.HasPrefix(c.URL.Path, "/v1/") { // the same as with /public before it
		c.URL.Path, c.URL.RawPath = "/public"+c.URL.Path, ""
	}
	if c.URL.Path == "/shipments/list" && c.Method != http.MethodPost {
		c.URL.Path = "/shipments/an-order"
	}
	return c
}

func holdRequest(q *http.Request, body []byte) error {
	r, err := lenient()
	if err != nil {
		return err
	}
	again := local(q)
	again.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := r.FindRoute(again)
	if err != nil {
		return err
	}
	for name, value := range params { // as the router of the API does
		if params[name], err = url.PathUnescape(value); err != nil {
			return err
		}
	}
	return openapi3filter.ValidateRequest(q.Context(), &openapi3filter.RequestValidationInput{Request: again, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}})
}

// holdRefusal wants the refusal's type and severity named where the route's answers of that status are described.
func holdRefusal(route *routers.Route, a *Answer) error {
	if a.Status < 400 || a.Status == http.StatusServiceUnavailable {
		return nil
	}
	var body map[string]any
	if err := json.Unmarshal(a.Body, &body); err != nil {
		if strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") && a.Status == http.StatusTooManyRequests {
			return nil // as Ship24 words it
		}
		return fmt.Errorf("%s %s answers %d with what is no object: %w", route.Method, route.Path, a.Status, err)
	}
	text := *route.Operation.Responses.Status(a.Status).Value.Description
	if list, ok := body["errors"].([]any); ok && body["type"] == nil { // of the Ship24 surface
		for _, e := range list {
			one, _ := e.(map[string]any)
			if row := fmt.Sprintf("%v (", one["code"]); !strings.Contains(text, row) {
				return fmt.Errorf("%s %s answers %d with %s, which openapi.yaml does not list there: %s", route.Method, route.Path, a.Status, row, text)
			}
		}
		return nil
	}
	row := fmt.Sprintf("%v (%v)", body["type"], body["severity"])
	if e, ok := body["error"].(map[string]any); ok { // of the Tracktor surface, which tells no severity
		row = fmt.Sprintf("%v (", e["code"])
	}
	if !strings.Contains(text, row) {
		return fmt.Errorf("%s %s answers %d with %s, which openapi.yaml does not list there: %s", route.Method, route.Path, a.Status, row, text)
	}
	return nil
}
