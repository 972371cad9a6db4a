package notify_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// mailServer speaks as much of SMTP (RFC 5321) as a client needs, over a real socket.
type mailServer struct {
	host string
	port int

	mu     sync.Mutex
	mails  []string
	refuse string // what RCPT is answered, "" for yes
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{host: "127.0.0.1", port: ln.Addr().(*net.TCPAddr).Port}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	return s
}

func (s *mailServer) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewScanner(c)
	say := func(line string) { fmt.Fprint(c, line+"\r\n") }
	say("220 test ESMTP")
	for in.Scan() {
		verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " ")
		switch verb {
		case "EHLO":
			say("250-test")
			say("250 8BITMIME")
		case "RCPT":
			s.mu.Lock()
			refuse := s.refuse
			s.mu.Unlock()
			if refuse != "" {
				say(refuse)
			} else {
				say("250 ok")
			}
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for in.Scan() && in.Text() != "." {
				b.WriteString(in.Text() + "\r\n")
			}
			s.mu.Lock()
			s.mails = append(s.mails, b.String())
			s.mu.Unlock()
			say("250 kept")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *mailServer) refuseWith(answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = answer
}

func (s *mailServer) all(t *testing.T) []*mail.Message {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*mail.Message
	for _, m := range s.mails {
		parsed, err := mail.ReadMessage(strings.NewReader(m))
		if err != nil {
			t.Fatalf("%v\n%s", err, m)
		}
		out = append(out, parsed)
	}
	return out
}

// byMail turns alerts by mail on.
func (o *office) byMail(s *mailServer, statuses ...string) {
	o.config.Tenants["shop"].Notify.Alerts.Email = &config.EmailAlerts{Statuses: statuses, Host: s.host, Port: s.port, Security: "none", From: "Corner Shop <shop@example.com>"}
	o.due() // the configuration is noticed
}

func TestBuyersAreToldByMail(t *testing.T) {
	o, s, hook := newOffice(t), newMailServer(t), newSubscriber(t, nil)
	o.byMail(s, "OUT_FOR_DELIVERY", "ORDER_DELIVERED")
	o.subscribe(hook.URL, notify.TopicCommunication)
	o.happen("7709-001", shipping.OrderDispatched) // not asked for
	o.happen("7709-001", shipping.OutForDelivery)
	o.due()
	list := s.all(t)
	if len(list) != 1 {
		t.Fatalf("%d mails, want 1", len(list))
	}
	m := list[0]
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != "Votre commande 7709-001 arrive aujourd'hui" { // the order's locale is fr-CA
		t.Errorf("subject %q, %v", subject, err)
	}
	id := m.Header.Get("Message-ID")
	if !strings.Contains(m.Header.Get("To"), "ann@example.com") || !strings.Contains(m.Header.Get("From"), "shop@example.com") || !strings.Contains(id, "_2@example.com") {
		t.Errorf("header %v", m.Header)
	}
	o.due() // the communication, to the webhook
	if got := topics(t, hook.all()); !slices.Equal(got, []string{notify.TopicCommunication}) {
		t.Errorf("told %v", got)
	}
	kept, err := o.Communications(t.Context(), caller, "7709-001")
	if err != nil || len(kept) != 1 {
		t.Fatalf("%d communications, %v", len(kept), err)
	}
	golden(t, "communication", kept[0])
	if list, err := o.Subscriptions(t.Context(), caller); err != nil || len(list) != 1 {
		t.Errorf("the tenant sees %d webhooks, want the one of its own; %v", len(list), err)
	}
	o.pass(48 * time.Hour)
	if len(s.all(t)) != 1 {
		t.Error("it is told again")
	}
}

func TestMailThatIsRefused(t *testing.T) {
	o, s := newOffice(t), newMailServer(t)
	o.byMail(s, "ORDER_DELIVERED")
	s.refuseWith("451 try later")
	o.happen("a", shipping.OrderDelivered)
	o.due()
	if kept, err := o.Communications(t.Context(), caller, "a"); err != nil || len(kept) != 0 {
		t.Errorf("%s, %v", kept, err)
	}
	s.refuseWith("")
	o.pass(time.Minute)
	if n := len(s.all(t)); n != 1 {
		t.Errorf("%d mails after the server takes them again", n)
	}
	s.refuseWith("550 nobody here")
	o.happen("b", shipping.OrderDelivered)
	o.pass(time.Hour)
	kept, err := o.Communications(t.Context(), caller, "b")
	if err != nil || len(kept) != 1 || !strings.Contains(string(kept[0]), `"status":"failed"`) {
		t.Errorf("%s, %v", kept, err)
	}
}

// TestOldNewsIsNotTold: a buyer who could not be told for a day is not told then.
func TestOldNewsIsNotTold(t *testing.T) {
	o, s := newOffice(t), newMailServer(t)
	o.byMail(s, "ORDER_DELIVERED")
	o.happen("a", shipping.OrderDelivered)
	o.manual.Advance(25 * time.Hour)
	o.due()
	if n := len(s.all(t)); n != 0 {
		t.Errorf("%d mails", n)
	}
}

func TestBuyersAreToldBySMS(t *testing.T) {
	gateway := newSubscriber(t, nil)
	o := newOffice(t)
	o.config.Tenants["shop"].Notify.Alerts = config.Alerts{Locale: "en", SMS: &config.SMSAlerts{
		Statuses: []string{"ORDER_DELIVERED"}, URL: gateway.URL + "/send", Method: "POST", From: "SHOP", Headers: map[string]config.Secret{"Authorization": "Basic c2VjcmV0"},
		Body: `{"to":{{json .To}},"from":{{json .From}},"text":{{json .Text}}}`,
	}, Templates: map[string]map[string]config.AlertTemplate{"fr": {"ORDER_DELIVERED": {SMS: `"{{.Order}}" est là`}}}}
	o.due()
	o.happen("7709-001", shipping.OrderDelivered)
	o.due()
	list := gateway.all()
	if len(list) != 1 {
		t.Fatalf("%d requests", len(list))
	}
	var body map[string]string
	if err := json.Unmarshal(list[0].body, &body); err != nil || body["to"] != "+1 617-555-0123" || body["from"] != "SHOP" || body["text"] != `"7709-001" est là` {
		t.Errorf("%v %s", err, list[0].body)
	}
	if h := list[0].header; h.Get("Authorization") != "Basic c2VjcmV0" || !strings.HasPrefix(h.Get("Idempotency-Key"), "msg_shipment_") {
		t.Errorf("header %v", h)
	}
	gateway.say(with(http.StatusUnauthorized)) // the operator mends it
	o.happen("b", shipping.OrderDelivered)
	o.due()
	gateway.say(nil)
	o.pass(time.Minute)
	if n := len(gateway.all()); n != 3 {
		t.Errorf("%d requests, want a second try", n)
	}
}

func TestAlertsOfTrackersAndSwitchingThemOff(t *testing.T) {
	o, s := newOffice(t), newMailServer(t)
	o.byMail(s, "ORDER_DELIVERED")
	order := newShipment("t1", start).Order
	tr := &tracker.Tracker{Schema: tracker.Schema, ID: "65f0a1b2c3d4e5f600112233", Tenant: "shop", Surface: tracker.OfAPI, Number: "9400", Provider: "USPS", Order: &order,
		Status: shipping.OrderDelivered, CreatedAt: start, UpdatedAt: start}
	tell := func(seq int, late bool) {
		tx := &store.Tx{Now: start}
		o.Tracker(context.Background(), tx, tr, []tracker.Event{{ID: strconv.Itoa(seq), Seq: seq, Late: late, Received: start, TrackingEvent: shipping.TrackingEvent{Status: shipping.OrderDelivered}}})
		if err := o.store.Commit(t.Context(), "shop", tx); err != nil {
			t.Fatal(err)
		}
		o.due()
	}
	tell(1, false)
	tell(2, true) // late news moves nothing, and is no news to a buyer
	if n := len(s.all(t)); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
	o.config.Tenants["shop"].Notify.Alerts.Email = nil
	o.due()
	tell(3, false)
	o.byMail(s, "ORDER_DELIVERED")
	if n := len(s.all(t)); n != 1 {
		t.Errorf("%d mails after alerts were off for a while", n)
	}
}

// pages are those of a tenant that has some.
type pages struct{}

func (pages) ShipmentPage(sh *shipment.Shipment) string {
	return "https://ship.example.com/track/" + sh.Order.ExternalID
}
func (pages) TrackerPage(t *tracker.Tracker) string {
	return "https://ship.example.com/track/" + t.Number
}

// TestAlertsLeadToTheTenantsPage: and only where it has none to the carrier's, of which own drivers have none.
func TestAlertsLeadToTheTenantsPage(t *testing.T) {
	for want, opts := range map[string][]option{"https://carrier.example/1Z": nil, "https://ship.example.com/track/a": {func(s *notify.Settings) { s.Pages = pages{} }}} {
		o, s, hook := newOffice(t, opts...), newMailServer(t), newSubscriber(t, nil)
		o.byMail(s, "OUT_FOR_DELIVERY")
		if _, err := o.Subscribe(t.Context(), caller, notify.NewSubscription{URL: hook.URL, Topics: []string{"*"}, Shape: notify.ShapeDeliverySolutions}); err != nil {
			t.Fatal(err)
		}
		o.happen("a", shipping.OutForDelivery)
		o.due()
		if list := s.all(t); len(list) != 1 || !strings.Contains(text(t, list[0]), want) {
			t.Errorf("%d mails, and it does not lead to %s", len(list), want)
		}
		var body struct {
			TrackingURL         string `json:"trackingUrl"`
			ProviderTrackingURL string `json:"providerTrackingUrl"`
			ReferenceLinks      struct {
				TrackingURL        string `json:"trackingUrl"`
				CustomerWebflowURL string `json:"customerWebflowUrl"`
			} `json:"referenceLinks"`
		}
		if list := hook.all(); len(list) == 0 || json.Unmarshal(list[0].body, &body) != nil || body.TrackingURL != want || body.ReferenceLinks.TrackingURL != want ||
			body.ProviderTrackingURL != "https://carrier.example/1Z" || (body.ReferenceLinks.CustomerWebflowURL == want) != (opts != nil) {
			t.Errorf("the webhook leads to %+v, want %s", body, want)
		}
	}
}

// text is what a mail says.
func text(t *testing.T, m *mail.Message) string {
	t.Helper()
	b, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAlertsOfReturns: who sends something back is told of it, in words about a return, and not who takes it back for the shop.
func TestAlertsOfReturns(t *testing.T) {
	for _, status := range []shipping.Status{shipping.OrderDispatched, shipping.OrderAssigned, shipping.PickupCompleted, shipping.OrderDelivered, shipping.OrderCancelled} {
		seen := map[string]string{}
		for _, locale := range []string{"en", "es", "fr", "de"} {
			o, s := newOffice(t), newMailServer(t)
			o.byMail(s, string(status))
			back := newShipment("x-R1", start)
			back.ReturnOf, back.Order.Locale = &shipment.ReturnOf{OriginID: "x"}, &locale
			back.Pickup.Contact, back.Order.DeliveryContact = back.Order.DeliveryContact, shipping.Contact{Name: "Return desk", Email: "desk@shop.example", Phone: "+1 617-555-0100"}
			o.orders["x-R1"] = back
			o.happen("x-R1", status)
			o.due()
			list := s.all(t)
			if len(list) != 1 || !strings.Contains(list[0].Header.Get("To"), "ann@example.com") || !strings.Contains(text(t, list[0]), "Ann Example") {
				t.Fatalf("%s in %s: %d mails", status, locale, len(list))
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(list[0].Header.Get("Subject"))
			if err != nil {
				t.Fatal(err)
			}
			seen[locale] = subject
		}
		if !strings.Contains(seen["en"], "return") || !strings.Contains(seen["de"], "Rücksendung") || !strings.Contains(seen["fr"], "retour") || !strings.Contains(seen["es"], "devolución") {
			t.Errorf("%s: %v", status, seen)
		}
	}
	o, s := newOffice(t), newMailServer(t)
	o.byMail(s, "OUT_FOR_DELIVERY")
	back := newShipment("x-R1", start)
	back.ReturnOf = &shipment.ReturnOf{OriginID: "x"}
	o.orders["x-R1"] = back
	o.happen("x-R1", shipping.OutForDelivery)
	o.due()
	if n := len(s.all(t)); n != 0 {
		t.Errorf("%d mails that the return comes today", n)
	}
}

// TestWordsInEveryLanguage: each language has the words of each status that English has, and they can be filled in.
func TestWordsInEveryLanguage(t *testing.T) {
	for _, status := range []shipping.Status{shipping.OrderDispatched, shipping.OrderAssigned, shipping.PickupCompleted, shipping.InTransit, shipping.OutForDelivery,
		shipping.OrderAtLocation, shipping.OrderDelivered, shipping.OrderDelayed, shipping.OrderRedelivery, shipping.OrderUndeliverable, shipping.OrderCancelled} {
		seen := map[string]string{}
		for _, locale := range []string{"en", "es", "fr", "de", "de_AT", "ja"} {
			o, s := newOffice(t), newMailServer(t)
			o.byMail(s, string(status))
			sh := newShipment("x", start)
			sh.Order.Locale = &locale
			o.orders["x"] = sh
			o.happen("x", status)
			o.due()
			list := s.all(t)
			if len(list) != 1 {
				t.Fatalf("%s in %s: %d mails", status, locale, len(list))
			}
			seen[locale] = list[0].Header.Get("Subject")
		}
		if seen["ja"] != seen["en"] || seen["de_AT"] != seen["de"] || seen["es"] == seen["en"] || seen["fr"] == seen["en"] || seen["de"] == seen["en"] {
			t.Errorf("%s: %v", status, seen)
		}
	}
}
