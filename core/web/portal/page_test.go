package portal_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestOrderPage(t *testing.T) {
	h := serve(t)
	h.DoorDash.Set(apitest.Hooks{})
	a := h.Do("POST", "/shipments", apitest.Order("7709-001", "itemList.0.quantity", 2)).Want(201)
	link := local(t, h, a.At("referenceLinks.trackingUrl"))
	if got := h.Do("GET", "/shipments/7709-001/status-history", "").At("0.trackingUrl"); got != a.At("referenceLinks.trackingUrl") {
		t.Errorf("the history leads to %v", got)
	}
	p := get(t, link)
	p.has(t, "<h1", "Your order is confirmed", "Corner Shop", "7709-001", "2 × Watch", "Boston, MA", `aria-current="step"`, `lang="en"`, "mailto:help@shop.example")
	p.lacks(t, "Ann Example", "725 Albany", "234-567", "02118", "shop-key", `href="tel:`)
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer",
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8"} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if csp := p.header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	h.Do("POST", "/shipments/7709-001/status", `{"override":true,"status":"OUT_FOR_DELIVERY","driver":{"name":"Joe Miller","phone":"+1 (214) 234-2232"},"vehicle":{"type":"car","color":"blue"}}`).Want(200)
	p = get(t, link)
	p.has(t, "Out for delivery", "Call Joe", `href="tel:&#43;12142342232"`, "blue car")
	p.lacks(t, "Miller")
	h.Do("POST", "/shipments/7709-001/status", `{"override":true,"status":"ORDER_DELIVERED","attachments":[{"type":"photo","url":"https://x.example/p.jpg","contentType":"image/jpeg"}]}`).Want(200)
	p = get(t, link)
	p.has(t, "Delivered", `href="https://x.example/p.jpg"`, "Proof of delivery")
	p.lacks(t, "Joe", "tel:", "<img")
	h.Do("POST", "/shipments/7709-001/erase", "").Want(200)
	p = get(t, link)
	p.has(t, "no longer shown")
	p.lacks(t, "7709-001", "Watch", "x.example", "<script")
}

// TestOrdersThatNobodyHas: what keeps an order from being dispatched is not the buyer's to know.
func TestOrdersThatNobodyHas(t *testing.T) {
	h := serve(t)
	a := h.Do("POST", "/shipments", apitest.Order("waits"), "Prefer", "respond-async").Want(202)
	p := get(t, local(t, h, a.At("referenceLinks.trackingUrl")))
	p.has(t, "We are preparing your order")
	h.Do("DELETE", "/shipments/waits", "").Want(200)
	get(t, local(t, h, a.At("referenceLinks.trackingUrl"))).has(t, "This delivery was cancelled")
}

func TestTrackerPage(t *testing.T) {
	h := serve(t)
	scans(h)
	link := tracker(t, h, "t", map[string]any{"locale": "en_US"})
	get(t, link).has(t, "Your order is confirmed")
	poll(t, h, "t")
	p := get(t, link)
	// Times are those of Dallas, not of Boston where it came from.
	p.has(t, "Out for delivery", "Today, 4:30 PM – 6:30 PM", "Today, 11:30 AM", "Dallas, TX, US", "Origin Scan", "Friday, March 6, 12:30 PM", "CST",
		"1Z5R89390357567127", `href="https://www.ups.example/track?n=1"`, "Arrived at &lt;Facility&gt;")
	p.lacks(t, "Albany", "Ann", "<Facility>")
	h.Do("POST", "/trackers/t/status", `{"status":"ORDER_UNDELIVERABLE","eventReason":{"code":"CUSTOMER_REJECTED","title":"Nobody was at home","note":"secret"}}`).Want(200)
	p = get(t, link)
	p.has(t, "It could not be delivered", "Nobody was at home", "stopped here:")
	p.lacks(t, "secret")
	h.Do("DELETE", "/trackers/t", "").Want(200)
	if p := get(t, link); p.status != 404 {
		t.Errorf("removed: %d", p.status)
	}
}

func TestCollecting(t *testing.T) {
	h := serve(t)
	link := tracker(t, h, "t", map[string]any{"type": "pickup", "deliveryAddress": nil, "pickupTime": map[string]any{"startsAt": apitest.Start.Add(time.Hour).UnixMilli()}})
	get(t, link).has(t, "Ready to be collected", "Boston Harrison Avenue", "Today, about 4:30 PM")
	h.Do("POST", "/trackers/t/status", `{"status":"STAGED"}`).Want(200)
	get(t, link).has(t, `<h1 class="headline"`, "Ready to be collected")
	h.Do("POST", "/trackers/t/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	get(t, link).has(t, "Collected")
}

func TestLanguages(t *testing.T) {
	h := serve(t)
	link, german := tracker(t, h, "a", nil), tracker(t, h, "b", map[string]any{"locale": "de_AT"})
	for accept, want := range map[string]string{"": "Your order is confirmed", "fr-CA,en;q=0.5": "Votre commande est confirmée", "es": "Su pedido está confirmado",
		"ja": "Your order is confirmed", "*": "Your order is confirmed", ";;;": "Your order is confirmed", strings.Repeat("de,", 1000): "Your order is confirmed"} {
		get(t, link, "Accept-Language", accept).has(t, want)
	}
	get(t, german, "Accept-Language", "fr").has(t, "Ihre Bestellung ist bestätigt", `lang="de`)
	h.Config.Tenants["shop"].Portal.Words = map[string]map[string]string{"nl": {"status.ORDER_DISPATCHED": "<b>Je bestelling</b> is bevestigd"}, "en": {"step.out": "Nearly there"}}
	get(t, link, "Accept-Language", "nl").has(t, "&lt;b&gt;Je bestelling", "Nearly there", `lang="nl"`)
	get(t, link+"x", "Accept-Language", "de").has(t, "Hier ist nichts")
}

// TestParts: orders and trackers of one group and one person are parts of one page; those of others are not there.
func TestParts(t *testing.T) {
	h := serve(t)
	group := map[string]any{"groupId": "g"}
	link := tracker(t, h, "mine", group)
	tracker(t, h, "theirs", map[string]any{"groupId": "g", "deliveryContact": map[string]any{"name": "Bob", "phone": "+1 234-567-8900", "email": "ann@example.com"}})
	tracker(t, h, "nobodys", map[string]any{"groupId": "g", "deliveryContact": nil})
	tracker(t, h, "other-group", map[string]any{"groupId": "h"})
	p := get(t, link)
	p.lacks(t, "theirs", "nobodys", "other-group", "Part 1")
	h.Clock.Advance(time.Second)
	order := h.Do("POST", "/shipments", apitest.Order("same", "groupId", "g", "deliveryContact.name", " ann  EXAMPLE", "deliveryContact.phone", "+12345678900", "deliveryContact.email", "Ann@Example.com")).Want(201)
	h.Do("POST", "/shipments", apitest.Order("else", "groupId", "g")).Want(201)
	for _, l := range []string{link, local(t, h, order.At("referenceLinks.trackingUrl"))} {
		p = get(t, l)
		p.has(t, "Part 1 of 2", "Part 2 of 2", "same", "mine")
		p.lacks(t, "theirs", "nobodys", "else")
		if strings.Count(p.text, "<h1") != 1 {
			t.Error("there is not one h1")
		}
	}
	h.Do("POST", "/trackers/mine/erase", "").Want(200)
	p = get(t, local(t, h, order.At("referenceLinks.trackingUrl")))
	p.has(t, "same")
	p.lacks(t, "mine", "Part 1")
	get(t, link).has(t, "no longer shown")
}

// returned has an order delivered and given back, and returns the page of the way back.
func returned(t testing.TB, h *apitest.Harness, id string) string {
	t.Helper()
	h.Do("POST", "/shipments/"+id+"/status", `{"override":true,"status":"ORDER_DELIVERED"}`).Want(200)
	h.Do("POST", "/shipments/"+id+"/return", `{"reason":"damaged"}`).Want(201)
	return local(t, h, h.Do("GET", "/shipments/"+id+"-R1", "").Want(200).At("referenceLinks.trackingUrl"))
}

// TestPageOfAReturn: it says that it is one, in each language, and nothing about an order that is prepared or delivered.
func TestPageOfAReturn(t *testing.T) {
	h := serve(t)
	h.Do("POST", "/shipments", apitest.Order("o")).Want(201)
	link := returned(t, h, "o")
	p := get(t, link)
	p.has(t, "Your return is arranged", "On its way back", "Back at the shop", "<dt>Return</dt><dd>o-R1</dd>")
	p.lacks(t, "Your order", "Out for delivery", "Delivered", "Confirmed")
	for accept, want := range map[string]string{"de": "Ihre Rücksendung ist vereinbart", "fr": "Votre retour est organisé", "es": "Su devolución está acordada"} {
		get(t, link, "Accept-Language", accept).has(t, want)
	}
	h.Do("POST", "/shipments/o-R1/status", `{"override":true,"status":"PICKUP_COMPLETED"}`).Want(200)
	get(t, link).has(t, "Your return was handed over to the carrier", "now: </span>On its way back")
	h.Do("POST", "/shipments/o-R1/status", `{"override":true,"status":"ORDER_DELIVERED"}`).Want(200)
	p = get(t, link)
	p.has(t, "Your return has arrived at the shop", "done: </span>Back at the shop", `<span class="label">Arrived</span>`)
	p.lacks(t, "Your order", "Delivered")
}

// TestPageOfAReturnThatNobodyTook: the carrier's codes are for machines.
func TestPageOfAReturnThatNobodyTook(t *testing.T) {
	h := serve(t)
	h.Do("POST", "/shipments", apitest.Order("o")).Want(201)
	link := returned(t, h, "o")
	h.UPS.Set(apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		return []carrier.TrackUpdate{{Number: r.Parcels[0].Number, Events: []shipping.TrackingEvent{{Time: shipping.At(h.Clock.Now()), ZoneKnown: true, Status: shipping.OrderFailed,
			CarrierCode: "cancelled", CarrierWords: "failed_to_assign_and_refunded", Reason: &shipping.EventReason{Code: "X1", Title: "no_driver"}}}}}, nil
	}})
	h.Clock.Advance(time.Hour)
	h.Catch()
	p := get(t, link)
	p.has(t, "Nobody could take your return", "stopped here:")
	p.lacks(t, "preparing", "failed_to_assign", "no_driver", "ORDER_FAILED")
}

// TestReturnsOfAGroup: all returns go to the shop's people, and each is of the buyer that it is fetched from.
func TestReturnsOfAGroup(t *testing.T) {
	h := serve(t)
	h.Do("POST", "/shipments", apitest.Order("pv-1", "groupId", "g")).Want(201)
	h.Do("POST", "/shipments", apitest.Order("pv-2", "groupId", "g", "deliveryContact.name", "Zoe Other", "deliveryContact.phone", "+1 617-555-0188")).Want(201)
	anns, zoes := returned(t, h, "pv-1"), returned(t, h, "pv-2")
	p := get(t, anns)
	p.has(t, "pv-1-R1", "Part 2 of 2")
	p.lacks(t, "pv-2")
	p = get(t, zoes)
	p.has(t, "pv-2-R1", "Part 2 of 2")
	p.lacks(t, "pv-1")
}

// TestPartsOfALargeGroup: who else has ordered in the group takes no place on the page.
func TestPartsOfALargeGroup(t *testing.T) {
	h := serve(t)
	amy := []any{"groupId", "g", "deliveryContact.name", "Amy", "deliveryContact.phone", "+1 617-555-0188"}
	first := h.Do("POST", "/shipments", apitest.Order("amy-1", amy...)).Want(201)
	h.Clock.Advance(time.Second)
	for i := range 25 {
		h.Do("POST", "/shipments", apitest.Order(fmt.Sprintf("other-%d", i), "groupId", "g"), "Prefer", "respond-async").Want(202)
		tracker(t, h, fmt.Sprintf("t-%d", i), map[string]any{"groupId": "g"})
	}
	tracker(t, h, "amy-t", map[string]any{"groupId": "g", "deliveryContact": map[string]any{"name": "Amy", "phone": "+1 617-555-0188"}})
	h.Clock.Advance(time.Second)
	last := h.Do("POST", "/shipments", apitest.Order("amy-2", amy...)).Want(201)
	for _, a := range []any{first.At("referenceLinks.trackingUrl"), last.At("referenceLinks.trackingUrl")} {
		p := get(t, local(t, h, a))
		p.has(t, "Part 3 of 3", "amy-1", "amy-2", "amy-t")
		p.lacks(t, "other-", "t-1<")
	}
	for i := range 25 {
		h.Do("POST", "/shipments", apitest.Order(fmt.Sprintf("more-%d", i), amy...), "Prefer", "respond-async").Want(202)
	}
	p := get(t, local(t, h, first.At("referenceLinks.trackingUrl")))
	p.has(t, "Part 20 of 20", "amy-1")
	p.lacks(t, "Part 21")
}

func TestLinksThatLeadNowhere(t *testing.T) {
	h := serve(t)
	link := tracker(t, h, "t", nil)
	token := link[strings.LastIndexByte(link, '/')+1:]
	for i := range token {
		for _, c := range []byte("Aa0_") {
			if bad := token[:i] + string(c) + token[i+1:]; bad != token {
				if p := get(t, h.URL+"/track/"+bad); p.status != 404 {
					t.Fatalf("%d for the token with another letter at %d", p.status, i)
				}
			}
		}
	}
	for _, bad := range []string{"x", token[:len(token)-1], token + "A", token + "%0A", "%FF", strings.Repeat("A", 5000), strings.ToUpper(token), "..%2f"} {
		p := get(t, h.URL+"/track/"+bad)
		if p.status != 404 || !strings.Contains(p.text, "There is nothing here") || strings.Contains(p.text, "Corner Shop") {
			t.Errorf("%.40s: %d %s", bad, p.status, p.body())
		}
		if p := get(t, h.URL+"/track/"+bad+"/events"); p.status != 404 {
			t.Errorf("events of %.40s: %d", bad, p.status)
		}
	}
	h.Store.Fail(errors.New("the disk is on fire"))
	p := get(t, link)
	events := get(t, link+"/events")
	h.Store.Fail(nil)
	if p.status != 500 || events.status != 503 || strings.Contains(p.text+events.text, "fire") || !strings.Contains(p.text, "try again") {
		t.Errorf("%d, %d: %s", p.status, events.status, p.body())
	}
	if !strings.Contains(h.Log(), "the disk is on fire") || strings.Contains(h.Log(), token) {
		t.Errorf("the log: %s", h.Log())
	}
	h.Config.Tenants["shop"].Portal.Enabled = false
	if p := get(t, link); p.status != 404 {
		t.Errorf("turned off: %d", p.status)
	}
	if got := h.Do("GET", "/trackers/t", "").At("referenceLinks.customerWebflowUrl"); got != nil {
		t.Errorf("turned off and named: %v", got)
	}
}

func TestLive(t *testing.T) {
	h := serve(t)
	link := tracker(t, h, "t", nil)
	shown := regexp.MustCompile(`data-version="([^"]+)"`)
	first, cancel := stream(t, link)
	second, _ := stream(t, link)
	before := shown.FindStringSubmatch(get(t, link).text)[1]
	if a, b := <-first, <-second; a != before || b != before {
		t.Fatalf("the streams begin with %s and %s, the page shows %s", a, b, before)
	}
	h.Do("POST", "/trackers/t/status", `{"status":"OUT_FOR_DELIVERY"}`).Want(200)
	after := shown.FindStringSubmatch(get(t, link).text)[1]
	if a := next(t, h, first); a != after || after == before {
		t.Errorf("told %s, the page went from %s to %s", a, before, after)
	}
	if b := next(t, h, second); b != after {
		t.Errorf("the other was told %s", b)
	}
	cancel()
	for range first { // until it has ended
	}
	h.Do("DELETE", "/trackers/t", "").Want(200)
	if b := next(t, h, second); b != "gone" {
		t.Errorf("removed, and told %s", b)
	}
	for open := true; open; { // a stream does not last for ever
		h.Clock.Advance(time.Minute)
		select {
		case _, open = <-second:
		case <-time.After(time.Millisecond):
		}
	}
}

// TestStreamsAreBounded: one page cannot take all streams.
func TestStreamsAreBounded(t *testing.T) {
	h := serve(t)
	link, other := tracker(t, h, "a", nil), tracker(t, h, "b", nil)
	var end func()
	for range 50 {
		_, end = stream(t, link)
	}
	p := get(t, link+"/events")
	if p.status != http.StatusServiceUnavailable || p.header.Get("Retry-After") == "" {
		t.Fatalf("%d %v", p.status, p.header)
	}
	v, _ := stream(t, other)
	<-v
	end() // and there is room again
	for {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode == 200 {
			return
		}
	}
}
