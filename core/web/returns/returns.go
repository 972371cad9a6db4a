// Package returns is the page on which a buyer sends something back: /returns/{token}. It needs no key: whoever has the link of an
// order may, and nobody can guess a link. It is written on the server, in steps that need no JavaScript: what comes back and why, a
// look at it all, and then the label or the code, and how the way back goes on.
package returns

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/core/web/words"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Cases are the use cases behind the page. *dispatch.Service has them.
type Cases interface {
	ReturnableByID(ctx context.Context, c usecase.Caller, id shipment.ID) (*dispatch.Returned, error)
	ReturnableTracker(ctx context.Context, c usecase.Caller, id tracker.ID) (*dispatch.Returned, error)
	ReturnByID(ctx context.Context, c usecase.Caller, id shipment.ID, r dispatch.ReturnRequest) (dispatch.Result, error)
	ReturnTracker(ctx context.Context, c usecase.Caller, id tracker.ID, r dispatch.ReturnRequest) (dispatch.Result, error)
	RetryReturn(ctx context.Context, c usecase.Caller, id shipment.ID) (dispatch.Result, error)
	ReturnLabel(ctx context.Context, c usecase.Caller, id shipment.ID, parcel int) (shipping.Label, error)
}

// Settings is what the pages work with. Cases may be set once New has returned, but before the pages are mounted.
type Settings struct {
	Cases  Cases
	Config func() *config.Config
	Source clock.Source
	Log    hclog.Logger
	Secret []byte // of the tokens: whoever knows it can make links
}

// Pages are the pages of all tenants.
type Pages struct {
	Settings
	origin *http.CrossOriginProtection
}

// New returns the pages.
func New(s Settings) *Pages {
	return &Pages{Settings: s, origin: http.NewCrossOriginProtection()}
}

// Mount mounts the pages.
func (p *Pages) Mount(r *httpapi.Router) {
	r.HandleOpen(http.MethodGet, "/returns/{token}", p.show)
	r.HandleOpen(http.MethodPost, "/returns/{token}", p.send)
	r.HandleOpen(http.MethodGet, "/returns/{token}/{return}/label", p.label)
	r.HandleOpen(http.MethodGet, "/returns/{token}/{return}/code", p.code)
}

// Page is where the buyer of an order, or else of what a tracker has followed, may send something back; "" where that cannot be.
func (p *Pages) Page(sh *shipment.Shipment, t *tracker.Tracker) string {
	switch {
	case sh != nil && (sh.ReturnOf != nil || !sh.ErasedAt.IsZero()):
		return ""
	case sh == nil && (t.Surface != tracker.OfAPI || !t.ErasedAt.IsZero()):
		return ""
	case sh == nil:
		return p.link(ref{ofTracker, string(t.ID), t.Tenant})
	}
	return p.link(ref{ofShipment, string(sh.ID), sh.Tenant})
}

// ref is what a page is about.
type ref struct {
	kind   byte
	id     string // 24 lower-case hex characters
	tenant string
}

const (
	ofShipment = 's'
	ofTracker  = 't'
)

// idBytes and macBytes are the lengths of a token's parts; 128 bits cannot be guessed.
const (
	idBytes   = 12
	macBytes  = 16
	maxTenant = 200
)

func (p *Pages) link(r ref) string {
	cfg := p.Config()
	id, err := hex.DecodeString(r.id)
	if t := cfg.Tenants[r.tenant]; t == nil || !t.Returns.On() || !t.Returns.Page || err != nil || len(id) != idBytes || len(r.tenant) > maxTenant {
		return ""
	}
	b := append(append([]byte{r.kind}, id...), r.tenant...)
	return cfg.Server.PublicURL + "/returns/" + base64.RawURLEncoding.EncodeToString(append(b, p.mac(b)...))
}

// mac is over the token and what it is for: other tokens may be made with the same secret.
func (p *Pages) mac(body []byte) []byte {
	h := hmac.New(sha256.New, p.Secret)
	h.Write([]byte("returns\x00"))
	h.Write(body)
	return h.Sum(nil)[:macBytes]
}

// asked returns what a request's token leads to, with its tenant; ok is false where it leads nowhere.
func (p *Pages) asked(q *http.Request) (r ref, t *config.Tenant, ok bool) {
	token := mux.Vars(q)["token"]
	if len(token) > base64.RawURLEncoding.EncodedLen(1+idBytes+maxTenant+macBytes) {
		return ref{}, nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= 1+idBytes+macBytes {
		return ref{}, nil, false
	}
	body, sum := b[:len(b)-macBytes], b[len(b)-macBytes:]
	if !hmac.Equal(sum, p.mac(body)) {
		return ref{}, nil, false
	}
	r = ref{kind: body[0], id: hex.EncodeToString(body[1 : 1+idBytes]), tenant: string(body[1+idBytes:])}
	t = p.Config().Tenants[r.tenant]
	return r, t, t != nil && t.Returns.On() && t.Returns.Page
}

// buyer is who acts on the page, as histories call them.
const buyer = "buyer"

func (r ref) caller() usecase.Caller { return usecase.Caller{Tenant: r.tenant, Key: buyer} }

// load reads what a page is about.
func (p *Pages) load(ctx context.Context, r ref) (*dispatch.Returned, error) {
	if r.kind == ofTracker {
		return p.Cases.ReturnableTracker(ctx, r.caller(), tracker.ID(r.id))
	}
	return p.Cases.ReturnableByID(ctx, r.caller(), shipment.ID(r.id))
}

// opened is a page that a token leads to.
type opened struct {
	ref    ref
	tenant *config.Tenant
	path   string
	words  words.Words
	*dispatch.Returned
}

// say words the page in the language of the order, else of the browser, else of the tenant.
func say(t *config.Tenant, o *dispatch.Returned, q *httpapi.Request) words.Words {
	locale, accept := "", q.HTTP.Header.Get("Accept-Language")
	if o != nil && o.Order.Locale != nil {
		locale = *o.Order.Locale
	}
	if t == nil {
		return words.Neutral(accept)
	}
	return words.For(&t.Portal, locale, accept)
}

// open finds what a request is about. Where it is nothing, answer is the page that says so.
func (p *Pages) open(q *httpapi.Request) (o *opened, answer httpapi.Answer, err error) {
	r, t, ok := p.asked(q.HTTP)
	if !ok {
		answer, err = p.message(nil, say(nil, nil, q), http.StatusNotFound, "notfound")
		return nil, answer, err
	}
	back, err := p.load(q.Context(), r)
	switch e := usecase.AsError(err); {
	case err == nil:
		return &opened{r, t, "/returns/" + mux.Vars(q.HTTP)["token"], say(t, back, q), back}, httpapi.Answer{}, nil
	case e.Type == usecase.NotFound:
		answer, err = p.message(t, say(t, nil, q), http.StatusNotFound, "returns.gone")
	default:
		p.Log.Error("page of returns could not be read", "request_id", q.ID, "tenant", r.tenant, "err", err)
		answer, err = p.message(t, say(t, nil, q), http.StatusInternalServerError, "returns.failed")
	}
	return nil, answer, err
}

// show answers the page: what can be sent back, and what is on its way.
func (p *Pages) show(q *httpapi.Request) (httpapi.Answer, error) {
	o, a, err := p.open(q)
	if o == nil {
		return a, err
	}
	return p.write(o, http.StatusOK, &form{})
}

// send takes a step of the form.
func (p *Pages) send(q *httpapi.Request) (httpapi.Answer, error) {
	o, a, err := p.open(q)
	if o == nil {
		return a, err
	}
	if err := p.origin.Check(q.HTTP); err != nil {
		return p.message(o.tenant, o.words, http.StatusForbidden, "returns.elsewhere")
	}
	values, err := url.ParseQuery(string(q.Body))
	if err != nil {
		return p.message(o.tenant, o.words, http.StatusBadRequest, "returns.unread")
	}
	if back := values.Get("retry"); back != "" {
		return p.retry(q, o, back)
	}
	f := read(values, o)
	switch step := values.Get("step"); {
	case step == "book" && f.nonce != "":
		return p.book(q, o, f) // sent twice, what is left says nothing about it any more
	case o.refusal() != "":
		return p.write(o, http.StatusConflict, f)
	case step == "change":
		f.nonce = ""
		return p.write(o, http.StatusOK, f)
	case f.check(o):
		f.nonce = ""
		return p.write(o, http.StatusUnprocessableEntity, f)
	}
	f.nonce = p.Source.Token(nonceBytes)
	return p.write(o, http.StatusOK, f)
}

// nonceBytes is how much chance makes the name of one filled-in form: sent twice, it is one return.
const nonceBytes = 18

// book has the return booked, and leads back to the page.
func (p *Pages) book(q *httpapi.Request, o *opened, f *form) (httpapi.Answer, error) {
	r := f.request(o)
	r.IdempotencyKey = "POST /returns/" + o.ref.id + " " + f.nonce
	hash := sha256.Sum256(q.Body)
	r.BodyHash = hash[:]
	var err error
	if o.ref.kind == ofTracker {
		_, err = p.Cases.ReturnTracker(q.Context(), o.ref.caller(), tracker.ID(o.ref.id), r)
	} else {
		_, err = p.Cases.ReturnByID(q.Context(), o.ref.caller(), shipment.ID(o.ref.id), r)
	}
	return p.after(q, o, f, err)
}

// after leads back to the page once something was done: it shows how the return stands, a failed one as well. What was refused
// before it was stored is said above the form.
func (p *Pages) after(q *httpapi.Request, o *opened, f *form, err error) (httpapi.Answer, error) {
	if e, ok := errors.AsType[*usecase.Error](err); ok && e.Shipment == "" {
		if e.Type == usecase.InternalServerError {
			p.Log.Error("return was not booked", "request_id", q.ID, "tenant", o.ref.tenant, "err", err)
		}
		status := http.StatusConflict
		f.nonce = ""
		fresh, lerr := p.load(q.Context(), o.ref)
		if lerr == nil {
			o.Returned = fresh
		}
		f.problem = o.words.Say("returns.refused") + " " + o.plainWords(e)
		return p.write(o, status, f)
	}
	return httpapi.Answer{Status: http.StatusSeeOther, Raw: []byte{}, ContentType: "text/plain; charset=utf-8",
		Header: http.Header{"Location": {o.path + "#returns"}}}, nil
}

// plainWords says to a buyer why something was refused.
func (o *opened) plainWords(e *usecase.Error) string {
	switch {
	case o.refusal() != "":
		return o.refusal()
	case e.Type == usecase.ValidationError && len(e.Faults) > 0 && strings.HasPrefix(e.Faults[0].Path, "itemList"):
		return o.words.Say("returns.refused.taken")
	case e.Type == usecase.DuplicateResource:
		return o.words.Say("returns.refused.changed")
	}
	return o.words.Say("returns.refused.later")
}

// refusal says why nothing can be sent back here, "" where something can. What the order lacks the page does not ask for: only the
// shop knows what the parcel is, or where it went.
func (o *opened) refusal() string {
	switch {
	case o.Barrier == "" && len(o.Lacks) > 0:
		return o.words.Say("returns.refusal.lacks")
	case o.Barrier == "":
		return ""
	}
	return o.words.Say("returns.refusal."+string(o.Barrier), "date", o.words.Date(o.Until.UTC()))
}

// own finds a return of the order by its id: a link leads to no other.
func (o *opened) own(id string) *shipment.Shipment {
	for _, sh := range o.Returns {
		if string(sh.ID) == id {
			return sh
		}
	}
	return nil
}

// retry has a return that nobody would carry tried again.
func (p *Pages) retry(q *httpapi.Request, o *opened, id string) (httpapi.Answer, error) {
	back := o.own(id)
	if back == nil {
		return p.message(o.tenant, o.words, http.StatusNotFound, "returns.noreturn")
	}
	_, err := p.Cases.RetryReturn(q.Context(), o.ref.caller(), back.ID)
	if e, ok := errors.AsType[*usecase.Error](err); ok && e.Type == usecase.InvalidOperation {
		err = nil // it was tried again meanwhile: the page shows how it stands
	}
	return p.after(q, o, &form{}, err)
}

// label answers a label of a return of the order.
func (p *Pages) label(q *httpapi.Request) (httpapi.Answer, error) {
	o, a, err := p.open(q)
	if o == nil {
		return a, err
	}
	parcel, err := strconv.Atoi(q.HTTP.URL.Query().Get("parcel"))
	back := o.own(mux.Vars(q.HTTP)["return"])
	if back == nil || err != nil {
		return p.message(o.tenant, o.words, http.StatusNotFound, "returns.nolabel")
	}
	l, err := p.Cases.ReturnLabel(q.Context(), o.ref.caller(), back.ID, parcel)
	if err != nil {
		return p.message(o.tenant, o.words, http.StatusNotFound, "returns.oldlabel")
	}
	show := "attachment" // for a printer of labels
	if slices.Contains([]shipping.LabelFormat{shipping.PDF, shipping.PNG, shipping.GIF}, l.Format) {
		show = "inline" // whoever has scanned the code prints it at once
	}
	name := "return-label-" + strconv.Itoa(parcel) + "." + strings.ToLower(string(l.Format))
	return httpapi.Answer{Raw: l.Data, ContentType: l.Format.ContentType(), Header: http.Header{"Content-Disposition": {show + `; filename="` + name + `"`}}}, nil
}

// code answers a picture of what whoever takes the parcel scans.
func (p *Pages) code(q *httpapi.Request) (httpapi.Answer, error) {
	o, a, err := p.open(q)
	if o == nil {
		return a, err
	}
	parcel := 1
	if n := q.HTTP.URL.Query().Get("parcel"); n != "" {
		parcel, err = strconv.Atoi(n)
	}
	text := ""
	if back := o.own(mux.Vars(q.HTTP)["return"]); back != nil && err == nil {
		text = p.coded(o.path, back, parcel)
	}
	if text == "" {
		return p.message(o.tenant, o.words, http.StatusNotFound, "returns.nocode")
	}
	img, err := qrCode(text)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Raw: img, ContentType: "image/png"}, nil
}
