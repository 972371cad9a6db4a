package returns_test

import (
	"bytes"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// book sends one watch back.
func (s *shop) book(page string) {
	s.t.Helper()
	filled := s.ask("POST", page, form("quantity-1", "1", "reason", "other")).want(200).hidden()
	filled.Set("step", "book")
	s.ask("POST", page, filled).want(303)
}

// scanned is what a scanner reads off the picture at an address of the API.
func (s *shop) scanned(link any) string {
	s.t.Helper()
	path, ok := strings.CutPrefix(link.(string), "https://ship.example.com")
	if !ok {
		s.t.Fatalf("the code is at %v", link)
	}
	picture := s.get(s.URL + path).want(200)
	img, err := png.Decode(bytes.NewReader([]byte(picture.text)))
	if err != nil {
		s.t.Fatal(err)
	}
	bits, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		s.t.Fatal(err)
	}
	read, err := qrcode.NewQRCodeReader().Decode(bits, nil)
	if err != nil {
		s.t.Fatalf("cannot be scanned: %v", err)
	}
	return read.GetText()
}

// TestTheCodeLeadsToTheLabel: whoever scans the code that the API names has the label, without a key; once it is handed in there is none.
func TestTheCodeLeadsToTheLabel(t *testing.T) {
	s := newShop(t)
	page := s.delivered("o")
	s.book(page)
	link := s.Do("GET", "/shipments/o", "").Want(200).At("returnRequest.qrcodeLink")
	if of := s.Do("GET", "/shipments/o-R1", "").Want(200).At("referenceLinks.qrcodeLink"); link == nil || of != link {
		t.Fatalf("the order names the code %v, its return %v", link, of)
	}
	label, ok := strings.CutPrefix(s.scanned(link), "https://ship.example.com")
	if !ok {
		t.Fatalf("the code says %q", s.scanned(link))
	}
	s.get(s.URL+label).want(200, "label of ups")
	s.get(page).want(200, "No printer?", "/code?parcel=1")

	s.Config.Tenants["shop"].Returns.Page = false
	if got := s.Do("GET", "/shipments/o", "").Want(200).At("returnRequest.qrcodeLink"); got != nil {
		t.Errorf("without pages there is a code at %v", got)
	}
	s.Config.Tenants["shop"].Returns.Page = true
	s.Do("POST", "/shipments/o-R1/status", `{"status":"PICKUP_COMPLETED"}`).Want(200)
	if got := s.Do("GET", "/shipments/o", "").Want(200).At("returnRequest.qrcodeLink"); got != nil {
		t.Errorf("handed in, it has a code at %v", got)
	}
	s.get(s.URL + strings.TrimPrefix(link.(string), "https://ship.example.com")).want(404)
	if got := s.Do("GET", "/shipments/o", "").Want(200).At("referenceLinks.qrcodeLink"); got != nil {
		t.Errorf("an order that is no return has a code at %v", got)
	}
}

// TestACodeWithoutLabel: whoever fetches a return that has no label scans its number.
func TestACodeWithoutLabel(t *testing.T) {
	s := newShop(t)
	page := s.delivered("o")
	s.Config.Tenants["shop"].Locations["7709"].Accounts = []string{"doordash"} // couriers bring no labels
	s.book(page)
	link, number := s.Do("GET", "/shipments/o", "").Want(200).At("returnRequest.qrcodeLink"), s.returnsOf("o")[0].Shown().Booking.TrackingID
	if link == nil || s.scanned(link) != number {
		t.Errorf("the code at %v is not %s", link, number)
	}
	s.get(page).want(200, "comes to fetch it", "Show this code", number).lacks("Download the label", "No printer?")
}

// TestLanguages: the page speaks the language of the order, else that of the browser, with the tenant's own words before ours.
func TestLanguages(t *testing.T) {
	s := newShop(t)
	p := &s.Config.Tenants["shop"].Portal
	s.Do("POST", "/shipments", apitest.Order("de", "locale", "de_CH")).Want(201)
	s.Do("POST", "/shipments/de/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	page := s.page("de")
	german := s.get(page).want(200, `<html lang="de">`, "Was möchten Sie zurückgeben?", "Es ist zu klein", "Etwas anderes stattdessen", "möglich bis")
	if got := german.header.Get("Content-Language"); got != "de" {
		t.Errorf("Content-Language %q", got)
	}
	s.ask("POST", page, form()).want(422, "Bitte prüfen:", "Wählen Sie mindestens einen Artikel.", "Wählen Sie einen Grund.")
	s.ask("POST", page, form("quantity-1", "1", "reason", "too_small")).want(200, "Stimmt das so?", "Es ist zu klein", "Ihr Geld zurück")

	p.Words = map[string]map[string]string{"de": {"returns.what": "Was darf zurück?", "returns.reason.other": "Sag ich nicht"}}
	s.Config.Tenants["shop"].Returns.Reasons = []config.ReturnReason{{ID: "too_small", Text: "Passt nicht"}, {ID: "other", Text: "Another reason"}}
	s.get(page).want(200, "Was darf zurück?", "Passt nicht", "Sag ich nicht").lacks("Es ist zu klein")
	s.book(page)
	s.get(page).want(200, "Ihre Rückgabe ist vereinbart", "Etikett herunterladen", "Kein Drucker?")

	s.Do("POST", "/shipments", apitest.Order("any", "locale", nil)).Want(201)
	s.Do("POST", "/shipments/any/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	any := s.page("any")
	for accept, want := range map[string]string{"fr-CA, en;q=0.5": "Que voulez-vous renvoyer", "es": "¿Qué quiere devolver?", "": "What do you want to send back?"} {
		s.ask("GET", any, nil, "Accept-Language", accept).want(200, want)
	}
	s.ask("GET", s.URL+"/returns/x", nil, "Accept-Language", "fr").want(404, "Il n’y a rien ici")
}

var key = regexp.MustCompile(`returns\.[a-z]+(\.[a-z_]+)*`)

// TestEveryWordIsThere: no page shows the key of a word instead of the word, whatever state an order is in.
func TestEveryWordIsThere(t *testing.T) {
	s := newShop(t)
	page := s.delivered("o")
	look := func(a *answer) {
		t.Helper()
		if found := key.FindString(a.body()); found != "" {
			t.Errorf("the page shows %q:\n%s", found, a.body())
		}
	}
	look(s.get(page))
	look(s.ask("POST", page, form("quantity-1", "9", "type", "exchange", "note", strings.Repeat("n", 501), "wish-1", strings.Repeat("x", shipping.MaxText+1))))
	look(s.ask("POST", page, form("quantity-1", "1", "reason", "other", "type", "exchange", "wish-1", "Two", "note", "n")))
	s.book(page)
	for _, status := range []string{"", "PICKUP_COMPLETED", "ORDER_DELIVERED"} {
		if status != "" {
			s.Do("POST", "/shipments/o-R1/status", `{"status":"`+status+`"}`).Want(200)
		}
		look(s.get(page))
	}
	s.book(page)
	s.Do("DELETE", "/shipments/o-R2", "").Want(200)
	look(s.get(page))
	look(s.ask("POST", page, form("retry", "none")))
	look(s.get(page + "/none/label?parcel=1"))
	look(s.get(page + "/none/code"))
	look(s.ask("POST", page, form(), "Sec-Fetch-Site", "cross-site"))
}
