// Package console serves /console/rules, a page where a person edits rule files beside an order and sees, while typing, what is wrong
// with the rules, what they decide, and why. The page holds no state and activates nothing: it asks POST /console/api/rules/try,
// which checks and decides what it is given under the limits of package rules, and forgets it. To change the live rules a person saves the
// files in the tenant's folder, where the engine takes them up after their tests have passed.
//
// Everybody may load the page; what it shows of a tenant it asks for with that tenant's API key, which the browser keeps for as long as
// the tab is open and sends as a header. There are no cookies.
package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
)

// Orders are the orders of a tenant with the decisions that were made of them.
type Orders interface {
	List(ctx context.Context, c usecase.Caller, q store.ShipmentQuery) (store.ShipmentPage, error)
	Decisions(ctx context.Context, c usecase.Caller, externalID string) ([]store.Decision, error)
}

// Live is the state of a tenant's rules in force.
type Live struct {
	Bundle  *rules.Bundle // nil where the files are faulty and there are no good ones from before
	Since   time.Time     // when they were taken; zero where that is not known
	Problem error         // what is wrong with the files as they are now; nil where nothing is
}

// Settings is what the console works with. Examples and Clock may be nil.
type Settings struct {
	Orders Orders
	Live   func(tenant string) Live
	// Providers tells what is known of a tenant's accounts, for checking names and services.
	Providers func(t *config.Tenant) map[string]rules.Provider
	// Examples are folders of rules with tests, to begin from.
	Examples fs.FS
	// Clock bounds how long a try is computed. The real one where nil: computing takes the processor's time, whatever the orders' time is.
	Clock clock.Clock
}

//go:embed assets
var assets embed.FS

var page = template.Must(template.ParseFS(assets, "assets/rules.html"))

// concurrent is how many tries are computed at once: those who try must not keep orders waiting.
const concurrent = 2

type console struct {
	Settings
	slots chan struct{}
	html  []byte
}

// policy lets the page load what this package serves, and nothing from anywhere else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Mount mounts the console.
func Mount(r *httpapi.Router, s Settings) {
	if s.Clock == nil {
		s.Clock = clock.Real()
	}
	c := &console{Settings: s, slots: make(chan struct{}, concurrent)}
	tags := map[string]string{} // a changed file has another address
	for name, kind := range map[string]string{"rules.css": "text/css; charset=utf-8", "rules.js": "text/javascript; charset=utf-8"} {
		data, err := assets.ReadFile(path.Join("assets", name))
		if err != nil {
			panic(err) // it is embedded
		}
		sum := sha256.Sum256(data)
		tags[name] = "/console/assets/" + hex.EncodeToString(sum[:6]) + "/" + name
		r.HandleOpen(http.MethodGet, tags[name], func(*httpapi.Request) (httpapi.Answer, error) {
			return httpapi.Answer{Raw: data, ContentType: kind, Header: http.Header{"Cache-Control": {"public, max-age=31536000, immutable"}}}, nil
		})
	}
	var b bytes.Buffer
	if err := page.Execute(&b, map[string]string{"CSS": tags["rules.css"], "JS": tags["rules.js"]}); err != nil {
		panic(err) // the template is embedded
	}
	c.html = b.Bytes()
	r.HandleOpen(http.MethodGet, "/console/rules", c.page)
	r.Handle(http.MethodGet, "/console/api/rules", nil, c.state)
	r.Handle(http.MethodPost, "/console/api/rules/try", nil, c.try)
}

func (c *console) page(*httpapi.Request) (httpapi.Answer, error) {
	return httpapi.Answer{Raw: c.html, ContentType: "text/html; charset=utf-8", Header: http.Header{"Content-Security-Policy": {policy}}}, nil
}
