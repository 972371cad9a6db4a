package portal

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
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/web/words"
)

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	styleText string
	//go:embed live.js
	scriptText string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// pageView is what page.html is filled with.
type pageView struct {
	words.Words
	Title   string
	Shop    string
	Logo    string
	Support template.URL
	Style   template.CSS
	Script  template.JS
	Version string
	Parts   []partView
	Message string // "erased", "notfound", "failed": the page says that and nothing else
}

// Announce is what a reader who does not see is told when it changes.
func (v *pageView) Announce() string {
	if len(v.Parts) == 0 {
		return ""
	}
	return v.Parts[0].Headline
}

// write answers the page of a tenant.
func (p *Pages) write(t *config.Tenant, d *dossier, accept string) (httpapi.Answer, error) {
	locale := ""
	if l := d.asked.order().Locale; l != nil {
		locale = *l
	}
	portal := &t.Portal
	w := &writer{Words: words.For(portal, locale, accept), now: p.Clock.Now(), tenant: t, returns: p.Returns}
	v := &pageView{Words: w.Words, Title: w.Say("title"), Shop: portal.Name, Logo: portal.LogoURL, Support: template.URL(portal.SupportURL), // checked by config
		Style: style(portal), Script: template.JS(scriptText), Version: d.version()}
	if d.asked.erased() {
		v.Message, v.Title, v.Script = "erased", w.Say("erased.title"), ""
		return answer(http.StatusOK, v)
	}
	for _, x := range d.parts {
		if !x.erased() {
			v.Parts = append(v.Parts, w.part(x))
		}
	}
	if n := len(v.Parts); n > 1 {
		for i := range v.Parts {
			v.Parts[i].Heading = w.Say("part", "n", strconv.Itoa(i+1), "total", strconv.Itoa(n))
		}
	}
	v.Title = v.Parts[0].Headline + " · " + portal.Name
	return answer(http.StatusOK, v)
}

// plain answers a page that belongs to no tenant, in the reader's language.
func plain(status int, message, accept string) (httpapi.Answer, error) {
	none := &config.Portal{Colors: config.Colors{Primary: "#3b4252", Accent: "#3b4252"}}
	w := words.Neutral(accept)
	return answer(status, &pageView{Words: w, Title: w.Say(message + ".title"), Message: message, Style: style(none)})
}

func answer(status int, v *pageView) (httpapi.Answer, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return httpapi.Answer{}, fmt.Errorf("write the page: %w", err)
	}
	images := "'none'"
	if u, err := url.Parse(v.Logo); err == nil && u.Host != "" {
		images = u.Scheme + "://" + u.Host
	}
	script := "'none'"
	if v.Script != "" {
		script = hashOf(string(v.Script))
	}
	h := http.Header{}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+hashOf(string(v.Style))+"; script-src "+script+
		"; connect-src 'self'; img-src "+images+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Content-Language", v.Lang)
	h.Set("Vary", "Accept-Language")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	return httpapi.Answer{Status: status, Raw: b.Bytes(), ContentType: "text/html; charset=utf-8", Header: h}, nil
}

// hashOf allows one style or script by its content, so that nothing else can run.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func style(p *config.Portal) template.CSS { return Palette(p) + template.CSS(styleText) }

// Palette sets a tenant's colours, which are shifted as far as it takes to read what is written in or on them: --brand and --on-brand,
// --mark and --on-mark of what has been reached, and --link, by day and by night. All pages for buyers have them.
func Palette(p *config.Portal) template.CSS {
	primary, accent := parseColor(p.Colors.Primary), parseColor(p.Colors.Accent)
	night := readable(primary, darkPage, 3)
	vars := fmt.Sprintf(":root{--brand:%s;--on-brand:%s;--mark:%s;--on-mark:%s;--link:%s}", primary, onto(primary),
		readable(primary, lightGround, 3), onto(readable(primary, lightGround, 3)), readable(readable(accent, lightPage, 4.5), lightGround, 4.5))
	dark := fmt.Sprintf("@media (prefers-color-scheme:dark){:root{--mark:%s;--on-mark:%s;--link:%s}}", night, onto(night), readable(readable(accent, darkGround, 4.5), darkGround, 4.5))
	return template.CSS(vars + dark) // colours are written by String, the rest is ours
}

// times writes how many there are of something, where it is more than one.
func times(n int) string {
	if n < 2 {
		return ""
	}
	return strconv.Itoa(n) + " × "
}
