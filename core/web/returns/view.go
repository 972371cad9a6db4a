package returns

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/web/portal"
	"github.com/waybill-dev/waybill/core/web/words"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	styleText string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// pageView is what page.html is filled with.
type pageView struct {
	words.Words
	Shop    string
	Logo    string
	Title   string
	Style   template.CSS
	Support template.URL
	// Message says the one thing there is to say, where there is no order.
	Message, Detail string

	Base    string // path of the page
	Heading string
	Order   string
	Intro   string
	Until   string // the last day
	Form    *formView
	Review  *formView
	Refusal string
	Returns []backView
	Packing string
}

// formView is the form, or what is filled in, to be looked at once more.
type formView struct {
	Problem   string
	Faults    []faultView
	Items     []itemView
	Whole     bool
	Exchanges bool
	Exchange  bool
	Reasons   []choice
	Reason    string
	Note      string
	Nonce     string
	Fault     map[string]string
}

type faultView struct{ Field, Text string }

type itemView struct {
	Line      int
	Name      string
	Left      int
	Of        int
	Quantity  int
	Choices   []choice
	Wish      string
	Fault     string
	WishFault string
}

type choice struct {
	Value, Text string
	Chosen      bool
}

// backView is a return that was asked for.
type backView struct {
	ID       string
	Name     string
	Headline string
	Tone     string // done, trouble, ended
	Items    []string
	Exchange []string
	Carrier  string
	Number   string
	Page     string // the carrier's own
	Labels   []choice
	Driver   bool     // somebody comes for it
	Codes    []choice // pictures, of the parcels
	Retry    bool
}

// maxChoices bounds how long the list of quantities is.
const maxChoices = 100

// write answers the page of an order.
func (p *Pages) write(o *opened, status int, f *form) (httpapi.Answer, error) {
	w, own := o.words, o.tenant.Returns.Words
	v := view(&o.tenant.Portal, w)
	v.Heading, v.Base = firstOf(own.Title, w.Say("returns.title")), o.path
	v.Title = v.Heading
	v.Order, v.Intro, v.Refusal = o.Order.ExternalID, own.Intro, o.refusal()
	v.Packing = firstOf(own.Packing, w.Say("returns.packing"))
	if !o.Until.IsZero() {
		v.Until = w.Date(o.Until.UTC())
	}
	switch {
	case v.Refusal != "" && (f.problem == "" || len(o.Lacks) > 0 || o.Barrier == dispatch.NoPlace): // nothing can come of a form
	case f.nonce != "":
		v.Review, v.Title = f.view(o), w.Say("returns.review")
	default:
		v.Refusal = ""
		v.Form = f.view(o)
	}
	if v.Form != nil && (len(v.Form.Faults) > 0 || v.Form.Problem != "") {
		v.Title = w.Say("returns.check", "title", v.Title)
	}
	for i := len(o.Returns) - 1; i >= 0; i-- { // the newest first
		v.Returns = append(v.Returns, o.showBack(o.Returns[i]))
	}
	return answer(status, v)
}

func (f *form) view(o *opened) *formView {
	r := &o.tenant.Returns
	v := &formView{Problem: f.problem, Whole: o.Whole, Exchanges: r.Exchanges && !o.Whole, Exchange: f.kind == shipment.ForGoods, Note: f.note, Nonce: f.nonce, Fault: f.faults}
	for i, it := range o.Order.Items {
		l := f.of(i + 1)
		if o.Left[i] == 0 || f.nonce != "" && l.quantity == 0 {
			continue
		}
		x := itemView{Line: i + 1, Name: o.nameOf(it), Left: o.Left[i], Of: it.Quantity, Quantity: l.quantity, Wish: l.wish,
			Fault: f.faults[field("quantity", i+1)], WishFault: f.faults[field("wish", i+1)]}
		for n := range min(o.Left[i], maxChoices) + 1 {
			x.Choices = append(x.Choices, choice{Value: strconv.Itoa(n), Text: strconv.Itoa(n), Chosen: n == l.quantity})
		}
		v.Items = append(v.Items, x)
		v.fault(field("quantity", i+1), x.Fault)
		v.fault(field("wish", i+1), x.WishFault)
	}
	for _, x := range r.Reasons {
		v.Reasons = append(v.Reasons, choice{Value: x.ID, Text: o.reason(x), Chosen: x.ID == f.reason})
	}
	if x, ok := r.Reason(f.reason); ok {
		v.Reason = o.reason(x)
	}
	for _, name := range []string{"items", "type", "reason", "note"} {
		v.fault(name, f.faults[name])
	}
	return v
}

func (v *formView) fault(field, text string) {
	if text != "" {
		v.Faults = append(v.Faults, faultView{field, text})
	}
}

func (o *opened) nameOf(it shipping.Item) string {
	return firstOf(it.Title, it.Description, it.SKU, o.words.Say("returns.item"))
}

// reason is the text of a reason: the tenant's word of the page's language, else ours for a common one, else what the configuration says.
func (o *opened) reason(x config.ReturnReason) string {
	key := "returns.reason." + x.ID
	if own := o.words.Own(key); own != "" || x.Text != words.Builtin(key) {
		return firstOf(own, x.Text)
	}
	return o.words.Say(key)
}

// showBack says how a return stands.
func (o *opened) showBack(sh *shipment.Shipment) backView {
	v := backView{ID: string(sh.ID), Name: sh.Order.ExternalID}
	headline, tone := headline(sh)
	v.Headline, v.Tone = o.words.Say("returns.state."+headline), tone
	for _, it := range sh.Order.Items {
		v.Items = append(v.Items, fmt.Sprintf("%d × %s", it.Quantity, o.nameOf(it)))
	}
	for _, it := range sh.ReturnOf.Exchange {
		v.Exchange = append(v.Exchange, fmt.Sprintf("%d × %s", it.Quantity, o.nameOf(it)))
	}
	v.Retry = sh.Retryable() && sh.CameToNothing() && sh.ReturnOf.Within(o.Left, o.Whole)
	a := sh.Live(shipment.Return)
	if a == nil || !sh.ErasedAt.IsZero() {
		return v
	}
	v.Carrier, v.Number, v.Page = a.DisplayName, a.Booking.TrackingID, a.Booking.TrackingURL
	if toHandIn(sh) == nil {
		return v
	}
	for i, l := range a.Booking.Parcels {
		if l.LabelFormat == "" {
			continue
		}
		n, text, parcel := strconv.Itoa(i+1), o.words.Say("returns.label"), ""
		if len(a.Booking.Parcels) > 1 {
			text, parcel = o.words.Say("returns.label.of", "n", strconv.Itoa(i+1)), o.words.Say("returns.code.parcel", "n", n)
		}
		v.Labels = append(v.Labels, choice{Value: n, Text: text})
		v.Codes = append(v.Codes, choice{Value: n, Text: parcel})
	}
	v.Driver = len(v.Labels) == 0
	if v.Driver && v.Number != "" {
		v.Codes = []choice{{Value: "1"}}
	}
	return v
}

// headline names how a return stands.
func headline(sh *shipment.Shipment) (state, tone string) {
	switch {
	case sh.Status == shipping.OrderDelivered:
		return "arrived", "done"
	case sh.Status == shipping.OrderCancelled:
		return "cancelled", "ended"
	case sh.CameToNothing():
		return "nobody", "trouble"
	case sh.Retryable(): // somebody had fetched it
		return "wrong", "trouble"
	case sh.Stage() == shipment.Underway:
		return "underway", ""
	case sh.Stage() == shipment.WithCarrier:
		return "arranged", "done"
	case sh.Stage() == shipment.BeforeDispatch:
		return "arranging", ""
	}
	return "wrong", "trouble"
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// message answers a page that says one thing. t is nil where no tenant is known.
func (p *Pages) message(t *config.Tenant, w words.Words, status int, what string) (httpapi.Answer, error) {
	look := &config.Portal{Colors: config.Colors{Primary: "#3b4252", Accent: "#3b4252"}}
	if t != nil {
		look = &t.Portal
	}
	v := view(look, w)
	v.Message, v.Detail = w.Say(what+".title"), w.Say(what+".text")
	v.Title = v.Message
	return answer(status, v)
}

func view(look *config.Portal, w words.Words) *pageView {
	return &pageView{Words: w, Shop: look.Name, Logo: look.LogoURL, Support: template.URL(look.SupportURL), // checked by config
		Style: portal.Palette(look) + template.CSS(styleText)}
}

func answer(status int, v *pageView) (httpapi.Answer, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return httpapi.Answer{}, fmt.Errorf("write the page of returns: %w", err)
	}
	images := "'self'"
	if u, err := url.Parse(v.Logo); err == nil && u.Host != "" {
		images += " " + u.Scheme + "://" + u.Host
	}
	sum := sha256.Sum256([]byte(v.Style))
	h := http.Header{}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; img-src "+images+
		"; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Content-Language", v.Lang)
	h.Set("Vary", "Accept-Language")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // browsers that say no more than Origin say nothing at all without it
	return httpapi.Answer{Status: status, Raw: b.Bytes(), ContentType: "text/html; charset=utf-8", Header: h}, nil
}
