package portal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/web/webtest"
)

// look opens a page in a width, a scheme, and with or without JavaScript. Nothing may stick out of the window.
func look(b *webtest.Tab, link string, width int64, scheme string, scripts bool) {
	b.Do(chromedp.EmulateViewport(width, 900), webtest.Scheme(scheme), webtest.Scripts(scripts), chromedp.Navigate(link))
	b.Fits(scheme)
}

func TestInBrowser(t *testing.T) {
	h := serve(t)
	scans(h)
	link := tracker(t, h, "7709-001", map[string]any{"groupId": "g", "itemList": []any{map[string]any{"sku": "1", "title": "Espresso beans, 1 kg", "quantity": 2}}})
	poll(t, h, "7709-001")
	b := webtest.Open(t).Tab(t)
	for name, c := range map[string]struct {
		width  int64
		scheme string
		script bool
	}{
		"narrow-light": {390, "light", true}, "wide-light": {1280, "light", true}, "narrow-dark": {390, "dark", false}, "wide-dark": {1280, "dark", false},
	} {
		look(b, link, c.width, c.scheme, c.script)
		text := webtest.Read[string](b, "document.body.innerText")
		for _, want := range []string{"Out for delivery", "Espresso beans", "Call Joe"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
		if got := strings.Contains(text, "Reload"); got == c.script {
			t.Errorf("%s: it says that it must be reloaded: %v", name, got)
		}
		b.Do(webtest.Picture(name))
	}
	live(t, b, h, link)
}

// live sets a status while the page is open: it shows it without being loaded again.
func live(t *testing.T, b *webtest.Tab, h *apitest.Harness, link string) {
	look(b, link, 390, "light", true)
	b.Do(webtest.Script("window.stillHere = true"))
	h.Do("POST", "/trackers/7709-001/status", `{"status":"ORDER_DELIVERED","attachments":[{"type":"photo","url":"https://x.example/p.jpg","contentType":"image/jpeg"}]}`).Want(200)
	for headline := ""; headline != "Delivered"; {
		h.Clock.Advance(time.Second)
		headline = webtest.Read[string](b, "document.querySelector('h1').innerText")
	}
	if said := webtest.Read[string](b, "String(window.stillHere) + ' ' + document.getElementById('announce').textContent"); said != "true Delivered" {
		t.Errorf("the same page, and who does not see is told: %q", said)
	}
	b.Do(webtest.Picture("delivered"))
}
