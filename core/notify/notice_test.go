package notify_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// notice commits that a rule wants somebody to be told, as dispatch does.
func (o *office) notice(order, to string) {
	o.t.Helper()
	o.happen(order, shipping.OrderFailed)
	sh := o.orders[order]
	line := sh.Move(sh.Status, o.clock.Now(), "system", func(c *shipment.Change) { c.Late = true })
	tx := &store.Tx{Now: o.clock.Now(), Shipments: []*shipment.Shipment{sh}, Changes: []store.Change{{Shipment: sh.ID, Change: line}}}
	o.Notice(tx, sh, usecase.Notice{To: to, Rule: "Careful", Event: "booking_failed", Message: "Order " + order + ": nobody comes.\nBcc: all", Seq: line.Seq})
	if err := o.store.Commit(context.Background(), "shop", tx); err != nil {
		o.t.Fatal(err)
	}
}

// TestStaffIsToldByMail: everybody of that name gets one mail, by the server of the alerts or by one of its own; a name that nobody has is for
// webhooks alone.
func TestStaffIsToldByMail(t *testing.T) {
	for name, own := range map[string]bool{"a server of its own": true, "the server of the alerts": false} {
		t.Run(name, func(t *testing.T) {
			o, s, hook := newOffice(t), newMailServer(t), newSubscriber(t, nil)
			n := &o.config.Tenants["shop"].Notify
			n.Staff.People = map[string][]string{"manager": {"manager@shop.example", "deputy@shop.example"}}
			server := config.MailServer{Host: s.host, Port: s.port, Security: "none", From: "Engine <engine@shop.example>"}
			if n.Staff.Mail = &server; !own {
				n.Staff.Mail = nil
				n.Alerts.Email = &config.EmailAlerts{Statuses: []string{"ORDER_DELIVERED"}, Host: s.host, Port: s.port, Security: "none", From: server.From}
			}
			o.due() // the configuration is noticed
			o.subscribe(hook.URL, notify.TopicNotice)
			o.notice("7709-001", "manager")
			o.notice("7709-002", "nobody")
			o.pass(time.Minute)
			list := s.all(t)
			if len(list) != 1 {
				t.Fatalf("%d mails, want 1", len(list))
			}
			m := list[0]
			body, err := io.ReadAll(m.Body)
			if err != nil || !strings.Contains(string(body), "Order 7709-001: nobody comes.") || !strings.Contains(string(body), "Rule: Careful") {
				t.Errorf("%s, %v", body, err)
			}
			if to := m.Header.Get("To"); !strings.Contains(to, "manager@shop.example") || !strings.Contains(to, "deputy@shop.example") || m.Header.Get("Bcc") != "" ||
				!strings.Contains(m.Header.Get("From"), "engine@shop.example") || m.Header.Get("Subject") != "Order 7709-001: Careful" {
				t.Errorf("header %v", m.Header)
			}
			if got := topics(t, hook.all()); !slices.Equal(got, []string{notify.TopicNotice, notify.TopicNotice}) {
				t.Errorf("the webhook was told %v", got)
			}
			kept, err := o.Communications(t.Context(), caller, "7709-001")
			if err != nil || len(kept) != 1 || !strings.Contains(string(kept[0]), `"eventType":"rules.notify"`) || strings.Contains(string(kept[0]), "deputy@") {
				t.Errorf("communications %s, %v", kept, err)
			}
			o.pass(48 * time.Hour)
			if len(s.all(t)) != 1 {
				t.Error("it is told again")
			}
		})
	}
}

// TestMailToStaffIsTriedAgain until the server takes it.
func TestMailToStaffIsTriedAgain(t *testing.T) {
	o, s := newOffice(t), newMailServer(t)
	o.config.Tenants["shop"].Notify.Staff = config.Staff{People: map[string][]string{"manager": {"manager@shop.example"}},
		Mail: &config.MailServer{Host: s.host, Port: s.port, Security: "none", From: "engine@shop.example"}}
	o.due()
	s.refuseWith("451 try later")
	o.notice("a", "manager")
	o.due()
	if n := len(s.all(t)); n != 0 {
		t.Fatalf("%d mails", n)
	}
	s.refuseWith("")
	o.pass(time.Minute)
	if n := len(s.all(t)); n != 1 {
		t.Errorf("%d mails after the server takes them again", n)
	}
}
