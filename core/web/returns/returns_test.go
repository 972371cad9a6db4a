package returns_test

import (
	"bytes"
	"context"
	"image/png"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// returnsOf are the returns that an order has.
func (s *shop) returnsOf(id string) []*shipment.Shipment {
	s.t.Helper()
	o, err := s.Service.Returnable(context.Background(), usecase.Caller{Tenant: "shop"}, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return o.Returns
}

func TestTheWholeWay(t *testing.T) {
	s := newShop(t)
	page := s.delivered("o")
	s.get(page).want(200, "Order o", "Watch &lt;b&gt;", "Strap", "It is too small", "possible until").lacks("Watch <b>", "Albany", "Ann")

	review := s.ask("POST", page, form("quantity-1", "1", "quantity-2", "0", "reason", "too_small", "type", "exchange", "wish-1", "A large  one", "note", "Sorry\r\n& thanks")).
		want(200, "Is this right?", "1 × Watch &lt;b&gt;", "It is too small", "A large one", "Sorry\n&amp; thanks").lacks("Strap")
	if len(s.returnsOf("o")) != 0 {
		t.Fatal("a return was stored before it was confirmed")
	}
	filled := review.hidden()
	filled.Set("step", "change")
	s.ask("POST", page, filled).want(200, `value="A large one"`, `<option value="1" selected>`, "Strap")
	filled.Set("step", "book")
	done := s.ask("POST", page, filled).want(303)
	if to := done.header.Get("Location"); s.URL+to != page+"#returns" {
		t.Errorf("it leads to %s", to)
	}
	s.ask("POST", page, filled).want(303) // sent twice, it is one return
	backs := s.returnsOf("o")
	if len(backs) != 1 || backs[0].CreatedBy != "buyer" {
		t.Fatalf("%d returns", len(backs))
	}
	if r := backs[0].ReturnOf; r.Type != shipment.ForGoods || r.Exchange[0].Title != "A large one" || r.Exchange[0].SKU != "watch" || r.Note != "Sorry\n& thanks" || len(r.Lines) != 1 {
		t.Errorf("what is returned: %+v", r)
	}
	own := page + "/" + string(backs[0].ID)
	s.get(page).want(200, "Your return is arranged", "Download the label", "1 × A large one", "Send something else back", "1 of 2 are left", backs[0].Shown().Booking.TrackingID)
	if l := s.get(own+"/label?parcel=1").want(200, "label of ups"); !strings.Contains(l.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v", l.header)
	}
	if img, err := png.Decode(bytes.NewReader([]byte(s.get(own + "/code").want(200).text))); err != nil || img.Bounds().Dx() < 300 {
		t.Errorf("the code: %v", err)
	}

	s.Do("POST", "/shipments/o-R1/status", `{"status":"PICKUP_COMPLETED"}`).Want(200)
	s.get(page).want(200, "It is on its way back").lacks("Download the label")
	s.Do("POST", "/shipments/o-R1/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	s.get(page).want(200, "It has arrived back")
	rest := s.ask("POST", page, form("quantity-1", "1", "quantity-2", "1", "reason", "other")).want(200).hidden()
	rest.Set("step", "book")
	s.ask("POST", page, rest).want(303)
	s.get(page).want(200, "Your returns", "on its way back").lacks("What do you want")
	s.ask("POST", page, rest).want(303) // all is returned, and yet this very form is what did it
	s.ask("POST", page, form("quantity-1", "1", "reason", "other")).want(409, "Everything of the order")
}

func TestDoubleSubmitIsOneReturn(t *testing.T) {
	s := newShop(t)
	page := s.delivered("o")
	filled := s.ask("POST", page, form("quantity-1", "1", "reason", "other")).want(200).hidden()
	filled.Set("step", "book")
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if a := s.ask("POST", page, filled); a.status != http.StatusSeeOther {
				t.Errorf("status %d: %s", a.status, a.body())
			}
		})
	}
	wg.Wait()
	if n := len(s.returnsOf("o")); n != 1 || s.UPS.Live() != 2 {
		t.Errorf("%d returns, %d bookings", n, s.UPS.Live())
	}
	// The same form, changed under its name, is refused, and changes nothing.
	filled.Set("quantity-1", "2")
	s.ask("POST", page, filled).want(409, "role=\"alert\"", "changed after it was sent")
	if n := len(s.returnsOf("o")); n != 1 {
		t.Errorf("%d returns", n)
	}
}

func TestFaultsStandBesideTheirFields(t *testing.T) {
	s := newShop(t)
	page := s.delivered("o")
	s.ask("POST", page, form()).want(422, `href="#items"`, `id="items-fault"`, `href="#reason"`, `aria-describedby="reason-fault"`, "Please check:")
	s.ask("POST", page, form("quantity-1", "9", "quantity-2", "1", "reason", "no such", "type", "exchange", "wish-2", strings.Repeat("x", 101), "note", strings.Repeat("ü", 501))).
		want(422, "At most 2 can be sent back", `id="quantity-1-fault"`, "Say what you would like instead", `id="wish-2-fault"`, `id="note-fault"`)
	s.Config.Tenants["shop"].Returns.Exchanges = false
	s.ask("POST", page, form("quantity-1", "1", "reason", "other", "type", "exchange")).want(200, "Your money back")
	s.ask("POST", page, form("quantity-1", "-1", "quantity-7", "1", "reason", "other")).want(422)
	if len(s.returnsOf("o")) != 0 {
		t.Error("a faulty form was booked")
	}
}

func TestOnlyItsOwnOrderAndOnlyFromThere(t *testing.T) {
	s := newShop(t)
	mine, other := s.delivered("mine"), s.delivered("other")
	filled := s.ask("POST", mine, form("quantity-1", "1", "reason", "other")).want(200).hidden()
	filled.Set("step", "book")
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		s.ask("POST", mine, filled, headers...).want(403)
	}
	if len(s.returnsOf("mine")) != 0 {
		t.Fatal("a form from elsewhere was booked")
	}
	s.ask("POST", mine, filled, "Sec-Fetch-Site", "same-origin").want(303)
	id := string(s.returnsOf("mine")[0].ID)
	s.get(mine + "/" + id + "/label?parcel=1").want(200)
	for _, path := range []string{"/" + id + "/label?parcel=1", "/" + id + "/code", "/" + strings.Repeat("0", 24) + "/label?parcel=1"} {
		s.get(other + path).want(404).lacks("label of")
	}
	s.get(mine + "/" + id + "/label?parcel=9").want(404)
	s.ask("POST", other, form("retry", id)).want(404)
	s.get(other).want(200).lacks("mine")

	forged := []byte(mine)
	forged[len(forged)-1] ^= 1
	for _, address := range []string{string(forged), s.URL + "/returns/x", s.URL + "/returns/" + strings.Repeat("A", 5000), mine + "A"} {
		s.get(address).want(404, "There is nothing here").lacks("mine")
	}
	a := s.get(mine).want(200)
	for name, want := range map[string]string{"Content-Security-Policy": "form-action 'self'", "X-Robots-Tag": "noindex", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"} {
		if !strings.Contains(a.header.Get(name), want) {
			t.Errorf("%s: %q", name, a.header.Get(name))
		}
	}
	s.Config.Tenants["shop"].Returns.Page = false
	s.get(mine).want(404)
	s.ask("POST", mine, filled).want(404)
}

func TestWhatNobodyWouldCarryIsTriedAgain(t *testing.T) {
	s := newShop(t)
	page := s.delivered("o")
	refuse := apitest.Hooks{Book: func(carrier.BookRequest) error { return apitest.Refusal(carrier.InvalidField) }}
	s.UPS.Set(refuse)
	s.DoorDash.Set(refuse)
	filled := s.ask("POST", page, form("quantity-1", "1", "reason", "other")).want(200).hidden()
	filled.Set("step", "book")
	s.ask("POST", page, filled).want(303)
	s.get(page).want(200, "Nobody could take it", "Try again")
	id := string(s.returnsOf("o")[0].ID)
	s.ask("POST", page, form("retry", id)).want(303)
	s.UPS.Set(apitest.Hooks{})
	s.ask("POST", page, form("retry", id)).want(303)
	s.ask("POST", page, form("retry", id)).want(303) // it is booked already
	s.get(page).want(200, "Your return is arranged").lacks("Try again")

	// A failing store stores nothing, and says so above the form.
	filled = s.ask("POST", page, form("quantity-2", "1", "reason", "other")).want(200).hidden()
	filled.Set("step", "book")
	s.Config.Tenants["shop"].Accounts = nil
	s.Config.Tenants["shop"].Locations["7709"].Accounts = nil
	s.ask("POST", page, filled).want(409, `role="alert"`, "could not be sent back")
	if len(s.returnsOf("o")) != 1 {
		t.Error("a refused return is stored")
	}
}

func TestPageOfWhatCannotBeReturned(t *testing.T) {
	s := newShop(t)
	s.Do("POST", "/shipments", apitest.Order("under way")).Want(201)
	page := s.page("under way")
	s.get(page).want(200, "Nothing can be sent back", "Only what was delivered")
	s.ask("POST", page, form("quantity-1", "1", "reason", "other")).want(409, "Only what was delivered")
	s.Do("POST", "/shipments", apitest.Order("bare", "itemList", []any{})).Want(201)
	s.Do("POST", "/shipments/bare/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	bare := s.page("bare")
	filled := s.ask("POST", bare, form("reason", "damaged")).want(200, "The whole order").hidden()
	filled.Set("step", "book")
	s.ask("POST", bare, filled).want(303)
	s.get(bare).want(200, "Your return is arranged", "Everything of the order")
}

func TestPageOfATracker(t *testing.T) {
	s := newShop(t)
	kept := &tracker.Tracker{Schema: tracker.Schema, ID: "aaaaaaaaaaaaaaaaaaaaaaa1", Tenant: "shop", Surface: tracker.OfAPI, Number: "1Z", Status: shipping.OrderDelivered,
		CreatedAt: apitest.Start, UpdatedAt: apitest.Start, Order: &shipment.Order{ExternalID: "t1", LocationID: "7709", Packages: []shipping.Parcel{{Name: "small"}},
			Items:           []shipping.Item{{Title: "Hat", Quantity: 1}},
			DeliveryContact: shipping.Contact{Name: "Ann Example", Phone: "+1 234-567-8900"},
			DeliveryAddress: shipping.Address{Street1: "725 Albany Street", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US"}}}
	if err := s.Store.Commit(context.Background(), "shop", &store.Tx{Trackers: []*tracker.Tracker{kept}, Now: apitest.Start}); err != nil {
		t.Fatal(err)
	}
	page := s.URL + strings.TrimPrefix(s.ReturnPages.Page(nil, kept), "https://ship.example.com")
	filled := s.ask("POST", page, form("quantity-1", "1", "reason", "damaged")).want(200, "Hat").hidden()
	filled.Set("step", "book")
	s.ask("POST", page, filled).want(303)
	s.get(page).want(200, "Your return is arranged", "t1-R1")
}

// TestALinkLeadsByOurOwnID: a merchant may name an order as we have named another.
func TestALinkLeadsByOurOwnID(t *testing.T) {
	s := newShop(t)
	page := s.delivered("mine")
	id, _ := s.Do("GET", "/shipments/mine", "").Want(200).At("id").(string)
	s.delivered(id)
	s.get(page).want(200, "Order mine")
	filled := s.ask("POST", page, form("quantity-1", "1", "reason", "other")).want(200).hidden()
	filled.Set("step", "book")
	s.ask("POST", page, filled).want(303)
	backs := s.returnsOf("mine")
	if len(backs) != 1 || len(s.returnsOf(id)) != 0 {
		t.Fatalf("%d returns of the order", len(backs))
	}
	s.Do("POST", "/shipments", apitest.Order(string(backs[0].ID), "locationExternalId", "nolabel")).Want(201)
	s.get(page+"/"+string(backs[0].ID)+"/label?parcel=1").want(200, "label of ups")
}

// TestAnotherTryAfterAFailure: what nobody took can be given back anew, or tried again by any carrier, but not both.
func TestAnotherTryAfterAFailure(t *testing.T) {
	s := newShop(t)
	page := s.delivered("o")
	s.Do("POST", "/shipments/o/return", `{"reason":"damaged","proposedProviders":[{"name":"nobody"}]}`).Want(422)
	first := s.returnsOf("o")[0]
	s.get(page).want(200, "Nobody could take it", "Try again", "What do you want to send back?")
	filled := s.ask("POST", page, form("quantity-1", "2", "reason", "other")).want(200).hidden()
	filled.Set("step", "book")
	filled.Del("retry") // which is in a form of its own
	s.ask("POST", page, filled).want(303)
	s.get(page).want(200, "Your return is arranged", "Nobody could take it").lacks("Try again")
	if no := s.Do("POST", "/shipments/o-R1/retry", "").Want(409); no.At("type") != "INVALID_OPERATION" {
		t.Errorf("%s", no.Body)
	}
	s.ask("POST", page, form("retry", string(first.ID))).want(303)
	if got := s.returnsOf("o")[0]; got.Status != shipping.EstimatesFailed {
		t.Errorf("it is retried: %s", got.Status)
	}
	s.Do("DELETE", "/shipments/o-R2", "").Want(200)
	s.get(page).want(200, "Try again")
	s.ask("POST", page, form("retry", string(first.ID))).want(303)
	if got := s.returnsOf("o")[0]; got.Live(shipment.Return) == nil {
		t.Errorf("tried again, it is at %s", got.Status)
	}
	s.get(page).want(200, "Everything of the order")
}

// TestPageOfATrackerWithoutPackage: it offers no form that nothing can come of, and one where the tenant has said what such returns are packed in.
func TestPageOfATrackerWithoutPackage(t *testing.T) {
	s := newShop(t)
	// The request of the Tracker API's own documentation, but for the names of provider and location.
	made := s.Do("POST", "/trackers", `{"provider":"ups","locationExternalId":"7709","trackerExternalId":"tracker001","trackingId":"del_004","barcodes":["12312351","77091078"],
		"type":"delivery","orderAttributes":{},"orderValue":100,"pickupTime":{"startsAt":1649253600000},"deliveryTime":{"endsAt":1649268000000},
		"deliveryContact":{"name":"Mein Wan","phone":"+12322322323","email":"nycustomer@email.com"},
		"deliveryAddress":{"street1":"8849 North Sam Houston Parkway West","street2":"","city":"Houston","state":"TX","countryCode":"US","postalCode":"77064",
		"latitude":29.9259823,"longitude":-95.5523879,"apartmentNumber":""}}`).Want(201)
	s.Do("POST", "/trackers/tracker001/status", `{"status":"PICKUP_COMPLETED"}`).Want(200)
	s.Do("POST", "/trackers/tracker001/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	link, _ := made.At("referenceLinks.returnsUrl").(string)
	page := s.URL + strings.TrimPrefix(link, "https://ship.example.com")
	s.get(page).want(200, "The shop arranges this return with you").lacks("<form", "package")
	s.ask("POST", page, form("reason", "damaged")).want(409, "The shop arranges this return with you").lacks("<form")
	s.Config.Tenants["shop"].Returns.Package = "small"
	filled := s.ask("POST", page, form("reason", "damaged")).want(200, "The whole order").hidden()
	filled.Set("step", "book")
	s.ask("POST", page, filled).want(303)
	s.get(page).want(200, "Your return is arranged", "tracker001-R1")

	// Nor where nobody knows where it would go.
	s.Config.Tenants["shop"].Returns.Package = ""
	other := s.Do("POST", "/trackers", `{"provider":"ups","trackerExternalId":"t2","trackingId":"del_005","type":"delivery","pickup":{"name":"A shop","address":{"street1":"502 Park Avenue",
		"city":"Houston","state":"TX","countryCode":"US","postalCode":"77064","latitude":29.9,"longitude":-95.5},"contact":{"name":"asd","phone":"+1 234-567-8900"}},
		"packages":[{"name":"small"}],"deliveryContact":{"name":"Mein Wan","phone":"+12322322323"},"deliveryTime":{"endsAt":1649268000000},
		"deliveryAddress":{"street1":"8849 North Sam Houston Parkway West","city":"Houston","state":"TX","countryCode":"US","postalCode":"77064","latitude":29.9,"longitude":-95.5}}`).Want(201)
	s.Do("POST", "/trackers/t2/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	link, _ = other.At("referenceLinks.returnsUrl").(string)
	s.get(s.URL+strings.TrimPrefix(link, "https://ship.example.com")).want(200, "The shop arranges this return with you").lacks("<form", "configured")
}

// FuzzForm: whatever a browser sends, the page answers in words and books nothing that was not confirmed.
func FuzzForm(f *testing.F) {
	f.Add("step=review&quantity-1=1&reason=other&note=%00%ff&type=exchange&wish-1=a")
	f.Add("step=book&nonce=&quantity-1=99999999999999999999")
	f.Add("%zz")
	s := newShop(f)
	page := s.delivered("o")
	f.Fuzz(func(t *testing.T, body string) {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode >= 500 {
			t.Errorf("status %d", res.StatusCode)
		}
	})
}
