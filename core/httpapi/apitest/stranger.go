package apitest

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Visit is how a stranger, a caller with the key of another tenant, asks one route.
type Visit struct {
	// Bodies are sent one after another; none means one request without a body.
	Bodies []string
	// Status is what the stranger must be answered with; 0 is 404 with type NOT_FOUND, which is what is answered about things that nobody has.
	Status int
	// Empty is the whole answer, where Status is one of success.
	Empty string
}

// Strangers asks every mounted route whose path is under one of the prefixes with the key of another tenant, about each of the
// things, which stand for the {…} of a path. The stranger must be answered as each route's visit says, in no word that is among the
// secrets; and nothing may be written, nor any answer to the owner's GET be another afterwards. A route without a visit fails the
// test, and so does a visit without a route: whoever adds a route says here what strangers get of it.
func (h *Harness) Strangers(prefixes, things []string, visits map[string]Visit, secrets ...string) {
	h.t.Helper()
	all, err := h.Router.Routes()
	if err != nil {
		h.t.Fatal(err)
	}
	routes := slices.DeleteFunc(all, func(r string) bool {
		_, path, _ := strings.Cut(r, " ")
		return !slices.ContainsFunc(prefixes, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
	})
	for route := range visits {
		if !slices.Contains(routes, route) {
			h.t.Errorf("there is no route %s", route)
		}
	}
	before, commits := h.owned(routes, things), h.Store.Commits()
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		visit, known := visits[route]
		if method == http.MethodHead {
			visit, known = visits[http.MethodGet+" "+path]
		}
		if !known {
			h.t.Errorf("%s: nothing says what another tenant is answered there", route)
			continue
		}
		bodies := visit.Bodies
		if len(bodies) == 0 {
			bodies = []string{""}
		}
		for _, p := range filled(path, things) {
			for _, body := range bodies {
				h.stranger(method, p, body, visit, secrets)
			}
		}
	}
	if now := h.Store.Commits(); now != commits {
		h.t.Errorf("the stranger made %d commits", now-commits)
	}
	for path, was := range before {
		if is := h.Do(http.MethodGet, path, ""); is.Status != was.Status || is.Status == http.StatusOK && !bytes.Equal(is.Body, was.Body) {
			h.t.Errorf("GET %s was %d %s\nafter the stranger's visit %d %s", path, was.Status, was.Body, is.Status, is.Body)
		}
	}
}

// stranger makes one request with the other tenant's key.
func (h *Harness) stranger(method, path, body string, visit Visit, secrets []string) {
	h.t.Helper()
	a := h.Do(method, path, body, "x-api-key", h.OtherKey)
	want := visit.Status
	if want == 0 {
		want = http.StatusNotFound
	}
	if a.Status != want {
		h.t.Errorf("%s %s %s: status %d, want %d\n%s", method, path, body, a.Status, want, a.Body)
		return
	}
	if method == http.MethodHead {
		return
	}
	switch {
	case want/100 == 2:
		if got := strings.TrimSpace(string(a.Body)); got != visit.Empty {
			h.t.Errorf("%s %s %s: %s, want %s", method, path, body, got, visit.Empty)
		}
	case visit.Status == 0 && a.At("type") != "NOT_FOUND":
		h.t.Errorf("%s %s: %s", method, path, a.Body)
	}
	asked := path + body
	for _, s := range secrets {
		if strings.Contains(string(a.Body), s) && !strings.Contains(asked, s) {
			h.t.Errorf("%s %s: the answer tells %q: %s", method, path, s, a.Body)
		}
	}
}

// owned is what the owner is answered at every GET.
func (h *Harness) owned(routes, things []string) map[string]*Answer {
	h.t.Helper()
	out := map[string]*Answer{}
	for _, route := range routes {
		if path, ok := strings.CutPrefix(route, http.MethodGet+" "); ok {
			for _, p := range filled(path, things) {
				out[p] = h.Do(http.MethodGet, p, "")
			}
		}
	}
	return out
}

var pathVariable = regexp.MustCompile(`\{[^}]*\}`)

// filled is a path about each of the things.
func filled(path string, things []string) []string {
	if !pathVariable.MatchString(path) {
		return []string{path}
	}
	var out []string
	for _, t := range things {
		out = append(out, pathVariable.ReplaceAllLiteralString(path, url.PathEscape(t)))
	}
	return out
}
