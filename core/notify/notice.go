package notify

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TopicNotice is what a rule wants the tenant's own people to be told: a step of a fallback, or that nobody can carry an order.
const TopicNotice = "rules.notify"

// shapeStaff is the engine's own subscription that sends notices to those of the tenant's people who have an address of mail.
const shapeStaff = "staff"

// noticeData is what is told of a notice.
type noticeData struct {
	usecase.Notice
	ShipmentID      shipment.ID     `json:"shipmentId"`
	OrderExternalID string          `json:"orderExternalId"`
	Status          shipping.Status `json:"status"` // of the order then
}

// Notice puts the message that a rule wants somebody to be told.
func (s *Service) Notice(tx *store.Tx, sh *shipment.Shipment, n usecase.Notice) {
	data, err := json.Marshal(noticeData{Notice: n, ShipmentID: sh.ID, OrderExternalID: sh.Order.ExternalID, Status: sh.Status}, wire)
	if err != nil {
		s.Log.Error("a notice of the rules cannot be told", "shipment_id", sh.ID, "rule", n.Rule, "err", err)
		return
	}
	s.Tell(tx, sh.Tenant, Event{Subject: store.ShipmentSubject(string(sh.ID)), Seq: n.Seq + 1, Topic: TopicNotice, At: sh.UpdatedAt, Snapshot: Snapshot{Data: data}})
}

// mailStaff sends a notice to everybody whom the configuration knows by the name that the rule gives. A name that it does not know is told to
// webhooks alone.
func (s *Service) mailStaff(ctx context.Context, t Told, r result) result {
	r.outcome = unspoken
	var n noticeData
	if err := json.Unmarshal(t.Snapshot.Data, &n); err != nil {
		r.outcome, r.try.Error = refused, "the notice cannot be read: "+err.Error()
		return r
	}
	server, to := t.Tenant.Notify.StaffServer(), t.Tenant.Notify.Staff.People[n.To]
	if server == nil || len(to) == 0 || r.try.At.Sub(t.Message.At) > staleAfter {
		return r
	}
	c := communication{Status: "sent", Medium: shapeEmail, SentAt: clock.Millis(r.try.At), EventType: TopicNotice, ContentType: "text/plain",
		Subject: oneLine(fmt.Sprintf("Order %s: %s", n.OrderExternalID, n.Rule)), To: party{Type: "email", Name: n.To},
		Contents: fmt.Sprintf("%s\n\nOrder: %s\nStatus: %s\nRule: %s\nEvent: %s\n", n.Message, n.OrderExternalID, n.Status, n.Rule, n.Event),
		Order:    dsEvent{Event: TopicNotice, Status: n.Status, OrderID: string(n.ShipmentID), OrderExternalID: n.OrderExternalID, TenantID: t.Tenant.ID, ReceivedAt: clock.Millis(t.Message.At)}}
	return s.settle(ctx, t, r, c, s.mail(ctx, t, *server, to, &c))
}

// settle judges what sending a communication has come to, and has it noted in the log unless it is tried again.
func (s *Service) settle(ctx context.Context, t Told, r result, c communication, err error) result {
	r.try.Latency = s.Clock.Now().Sub(r.try.At)
	r.outcome = delivered
	if errors.Is(err, errWithdrawn) {
		r.outcome = withdrawn
		return r
	}
	if err != nil {
		r.outcome, r.try.Error, c.Status = failed, err.Error(), "failed"
		if _, final := errors.AsType[*finalError](err); final {
			r.outcome = refused
		}
	}
	if ctx.Err() != nil && r.outcome == failed {
		r.outcome = interrupted
	}
	if r.outcome == failed || r.outcome == interrupted {
		return r
	}
	m, err := communicated(t.Message, c, r.try.At)
	if err != nil {
		s.Log.Error("a communication cannot be noted", "message", t.Message.ID, "err", err)
		return r
	}
	r.then = append(r.then, m)
	return r
}

// sender reads whom mails come from.
func sender(server config.MailServer) (*mail.Address, error) {
	from, err := mail.ParseAddress(server.From)
	if err != nil {
		return nil, &finalError{errors.New("the configured sender is not an address of mail")}
	}
	return from, nil
}

// staleAfter is the age from which nobody is told any more: what was news is then confusing.
const staleAfter = 24 * time.Hour
