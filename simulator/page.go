package simulator

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

type dialectView struct {
	Name    string      `json:"name"`
	BaseURL string      `json:"base_url"`
	Routes  []routeView `json:"routes"`
	States  []string    `json:"states"`
}

type routeView struct {
	Op     string `json:"op"`
	Method string `json:"method"`
	Path   string `json:"path"`
}

type indexView struct {
	Now        time.Time     `json:"now"`
	Seed       uint64        `json:"seed"`
	Dialects   []dialectView `json:"dialects"`
	FaultKinds []string      `json:"fault_kinds"`
	Links      []string      `json:"links"`
}

// index says what there is: as a page to a browser, else as JSON.
func (c *control) index(w http.ResponseWriter, r *http.Request) {
	s := c.server
	view := indexView{Now: s.world.Now(), Seed: s.cfg.Seed, FaultKinds: FaultKinds(),
		Links: []string{"/_sim/entities", "/_sim/faults", "/_sim/ledger", "/_sim/journal", "/_sim/clock", "/_sim/healthz"}}
	for _, name := range keysOf(s.mounts) {
		d := dialectView{Name: name, BaseURL: "http://" + r.Host + "/" + name, States: s.world.states(name)}
		for _, route := range s.mounts[name].routes {
			d.Routes = append(d.Routes, routeView{route.Op, route.Method, route.Pattern})
		}
		view.Dialects = append(view.Dialects, d)
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		sendJSON(w, http.StatusOK, view)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
	err := page.Execute(w, struct {
		indexView
		Entities []EntityView
		Faults   []FaultView
	}{view, s.world.Entities(EntityQuery{Limit: 100}), s.Faults()})
	if err != nil {
		s.log.Warn("page was not sent whole", "err", err)
	}
}
