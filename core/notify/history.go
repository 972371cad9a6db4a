package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// maxRedeliver bounds how many messages one request sends again.
const maxRedeliver = 10_000

// testData is what a test says.
type testData struct {
	SubscriptionID string `json:"subscriptionId"`
	Message        string `json:"message"`
	RequestedBy    string `json:"requestedBy"`
}

// Test puts a test message for one webhook into the log and returns its id. It takes the way of every message; the log of deliveries
// tells what came of it.
func (s *Service) Test(ctx context.Context, c usecase.Caller, id string) (messageID string, err error) {
	sub, err := s.Subscription(ctx, c, id)
	if err != nil {
		return "", err
	}
	if sub.State != Active {
		return "", usecase.Failf(usecase.InvalidOperation, "The webhook is %s; set its state to active first.", sub.State)
	}
	data, err := json.Marshal(testData{SubscriptionID: id, Message: "This is a test of your webhook.", RequestedBy: c.Key}, wire)
	if err != nil {
		return "", err
	}
	now := s.Clock.Now()
	m, err := message(Event{Subject: subscriptionSubject(id), Topic: TopicTest, At: now, Snapshot: Snapshot{Data: data}})
	if err != nil {
		return "", err
	}
	m.ID += "_" + s.Source.ID()
	if err := s.commit(ctx, c.Tenant, &store.Tx{Now: now, Messages: []store.Message{m}}); err != nil {
		return "", storeError("write a test message", err)
	}
	return m.ID, nil
}

// Deliveries returns a page of a webhook's log of deliveries, newest message first.
func (s *Service) Deliveries(ctx context.Context, c usecase.Caller, q store.DeliveryQuery) (store.DeliveryPage, error) {
	if _, err := s.Subscription(ctx, c, q.Subscription); err != nil {
		return store.DeliveryPage{}, err
	}
	page, err := s.Store.Deliveries(ctx, c.Tenant, q)
	if err != nil {
		return page, storeError("read deliveries", err)
	}
	return page, nil
}

// Redelivery says what to send again: one message, all about one subject, or all that happened in a span of time, both ends inclusive.
type Redelivery struct {
	MessageID string
	Subject   string
	From, To  time.Time
}

// Redeliver makes messages due again for one webhook, whether they were delivered or not, and returns how many.
func (s *Service) Redeliver(ctx context.Context, c usecase.Caller, id string, r Redelivery) (int, error) {
	sub, err := s.Subscription(ctx, c, id)
	if err != nil {
		return 0, err
	}
	if sub.State != Active {
		return 0, usecase.Failf(usecase.InvalidOperation, "The webhook is %s; set its state to active first.", sub.State)
	}
	list, err := s.again(ctx, c.Tenant, sub, r)
	if err != nil {
		return 0, err
	}
	now := s.Clock.Now()
	for part := range slices.Chunk(list, perWrite) {
		var due []store.Delivery
		for _, m := range part {
			old, err := s.Store.Delivery(ctx, c.Tenant, id, m.Position)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return 0, storeError("read a delivery", err)
			}
			due = append(due, store.Delivery{Subscription: id, Position: m.Position, Message: m.ID, Subject: m.Subject, Topic: m.Topic,
				State: store.DeliveryWaiting, Due: now, CreatedAt: now, Tries: old.Tries, Again: true})
		}
		tx, _, err := s.standing(ctx, c.Tenant, now, due)
		if err == nil {
			err = s.commit(ctx, c.Tenant, tx)
		}
		if errors.Is(err, store.ErrConflict) {
			return 0, usecase.Failf(usecase.InvalidOperation, "Messages of the webhook were erased meanwhile; ask again.")
		}
		if err != nil {
			return 0, storeError("make messages due again", err)
		}
	}
	return len(list), nil
}

// again finds what a redelivery means.
func (s *Service) again(ctx context.Context, tenant string, sub *store.Subscription, r Redelivery) ([]store.Message, error) {
	if r.MessageID != "" {
		m, err := s.messageByID(ctx, tenant, r.MessageID)
		if err != nil {
			return nil, err
		}
		if !(&reader{sub: sub}).wants(m) {
			return nil, invalid(shipping.Faults{{Path: "messageId", Message: "is a message of the topic " + m.Topic + ", which the webhook does not ask for"}})
		}
		return []store.Message{m}, nil
	}
	if r.Subject != "" {
		list, err := s.Store.MessagesOf(ctx, tenant, r.Subject)
		if err != nil {
			return nil, storeError("read messages", err)
		}
		return slices.DeleteFunc(list, func(m store.Message) bool { return !(&reader{sub: sub}).wants(m) || s.wordless(tenant, sub, m) }), nil
	}
	var out []store.Message
	for after := uint64(0); ; {
		list, err := s.Store.MessageLog(ctx, tenant, after, 200)
		if err != nil {
			return nil, storeError("read the log of messages", err)
		}
		for _, m := range list {
			if !m.At.Before(r.From) && !m.At.After(r.To) && m.Topic != TopicTest && wanted(sub.Topics, m.Topic) {
				m.Body = nil
				out = append(out, m)
			}
			after = m.Position
		}
		if len(out) > maxRedeliver {
			return nil, invalid(shipping.Faults{{Path: "to", Message: fmt.Sprintf("more than %d messages happened between from and to; ask for less at a time", maxRedeliver)}})
		}
		if len(list) == 0 {
			return out, nil
		}
	}
}

// wordless reports whether the webhook's shape has no words for a message: it counts as told without being sent.
func (s *Service) wordless(tenant string, sub *store.Subscription, m store.Message) bool {
	snap, err := snapshotOf(m)
	if err != nil {
		return false // sending it says what is wrong
	}
	_, ok, err := s.render(Told{Tenant: s.Config().Tenants[tenant], Subscription: sub, Message: m, Snapshot: snap})
	return !ok && err == nil
}

func (s *Service) messageByID(ctx context.Context, tenant, id string) (store.Message, error) {
	none := usecase.Failf(usecase.NotFound, "A message with the id %s is not found; it may have been removed with age.", id)
	subject, ok := subjectOf(id)
	if !ok {
		return store.Message{}, none
	}
	list, err := s.Store.MessagesOf(ctx, tenant, subject)
	if err != nil {
		return store.Message{}, storeError("read messages", err)
	}
	for _, m := range list {
		if m.ID == id {
			return m, nil
		}
	}
	return store.Message{}, none
}

// Communications returns what the buyer of a shipment was told, oldest first, each in the shape of Delivery Solutions' communication
// webhook.
func (s *Service) Communications(ctx context.Context, c usecase.Caller, externalID string) ([]jsontext.Value, error) {
	sh, err := s.Store.ShipmentByExternalID(ctx, c.Tenant, externalID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, usecase.Failf(usecase.NotFound, "Order with id, %s, is not found", externalID)
	}
	if err != nil {
		return nil, storeError("read shipment", err)
	}
	list, err := s.Store.MessagesOf(ctx, c.Tenant, store.ShipmentSubject(string(sh.ID)))
	if err != nil {
		return nil, storeError("read messages", err)
	}
	out := []jsontext.Value{}
	for _, m := range list {
		if m.Topic != TopicCommunication {
			continue
		}
		snap, err := snapshotOf(m)
		if err != nil {
			return nil, storeError("read a communication", err)
		}
		out = append(out, jsontext.Value(snap.Data))
	}
	return out, nil
}
