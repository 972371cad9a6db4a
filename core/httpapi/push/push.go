// Package push is the surface that carriers speak to: each account has a URL of its own to which its carrier may push what happens
// to parcels. The secret in the URL is its key; beyond that the adapter checks what the carrier signs or sends along.
package push

import (
	"bytes"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

const path = "/carriers/{account}/push/{secret}"

// URL is where the carrier of an account pushes to.
func URL(base, account, secret string) string {
	return tracking.PushURLAt(base, account, secret)
}

type surface struct{ cases tracking.UseCases }

// Mount mounts the surface.
func Mount(r *httpapi.Router, cases tracking.UseCases) {
	s := &surface{cases: cases}
	r.HandleOpen(http.MethodPost, path, s.take)
	r.HandleOpen(http.MethodPost, path+"/{below:.+}", s.take)
}

// take answers a push when what it says is written.
func (s *surface) take(q *httpapi.Request) (httpapi.Answer, error) {
	vars := map[string]string{}
	for _, name := range []string{"account", "secret", "below"} {
		text, err := url.PathUnescape(mux.Vars(q.HTTP)[name])
		if err != nil {
			return httpapi.Answer{}, usecase.Failf(usecase.NotFound, "There is no such push URL.")
		}
		vars[name] = text
	}
	answer, err := s.cases.Push(q.Context(), vars["account"], vars["secret"], carrier.Push{
		Method: q.HTTP.Method, Path: vars["below"], Query: q.HTTP.URL.RawQuery, Header: q.HTTP.Header.Clone(), Body: q.Body})
	if err != nil {
		return httpapi.Answer{}, err
	}
	out := httpapi.Answer{Status: answer.Status, Raw: answer.Body, ContentType: "text/plain; charset=utf-8"}
	if out.Raw == nil {
		out.Raw = []byte{}
	}
	if body := bytes.TrimSpace(answer.Body); len(body) > 0 && (body[0] == '{' || body[0] == '[') {
		out.ContentType = "application/json; charset=utf-8"
	}
	return out, nil
}
