package tracktor

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shop"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// topics are those of Tracktor.
var topics = []string{
	"order/all", "order/pre_transit", "order/in_transit", "order/out_for_delivery", "order/delivered",
	"fulfillment/all", "fulfillment/pre_transit", "fulfillment/in_transit", "fulfillment/out_for_delivery", "fulfillment/delivered",
}

// heard is what every webhook of this surface reads of the tenant's log; which of it is sent decides its own topic.
const heard = "tracker.*"

func (s *surface) create(q *httpapi.Request) (httpapi.Answer, error) {
	var b webhookRequest
	if err := decode(q.Body, &b); err != nil {
		return httpapi.Answer{}, err
	}
	var f shipping.Faults
	if !slices.Contains(topics, b.Topic) {
		f.Add("topic", "must be one of %s", strings.Join(topics, ", "))
	}
	if strings.TrimSpace(b.Address) == "" {
		f.Add("address", "is required")
	}
	if err := invalid(f); err != nil {
		return httpapi.Answer{}, err
	}
	extra, err := json.Marshal(webhookExtra{Topic: b.Topic})
	if err != nil {
		return httpapi.Answer{}, err
	}
	sub, err := s.Webhooks.Subscribe(q.Context(), q.Caller, notify.NewSubscription{URL: b.Address, Topics: []string{heard}, Shape: notify.ShapeTracktor, Extra: extra})
	if err != nil {
		return httpapi.Answer{}, inOurWords(err)
	}
	v := showWebhook(sub, b.Topic)
	v.BearerToken = sub.Bearer
	return httpapi.Answer{Body: v}, nil
}

// inOurWords names the members of a body that notify has refused as this surface calls them.
func inOurWords(err error) error {
	e, ok := errors.AsType[*usecase.Error](err)
	if !ok || len(e.Faults) == 0 {
		return err
	}
	f := slices.Clone(e.Faults)
	for i := range f {
		if f[i].Path == "url" {
			f[i].Path = "address"
		}
	}
	return invalid(f)
}

func (s *surface) list(q *httpapi.Request) (httpapi.Answer, error) {
	found, err := s.Webhooks.Subscriptions(q.Context(), q.Caller)
	if err != nil {
		return httpapi.Answer{}, err
	}
	out := []webhookBody{}
	for _, sub := range found {
		if sub.Shape != notify.ShapeTracktor {
			continue
		}
		topic, err := topicOf(sub)
		if err != nil {
			return httpapi.Answer{}, err
		}
		out = append(out, showWebhook(sub, topic))
	}
	return httpapi.Answer{Body: out}, nil
}

func (s *surface) remove(q *httpapi.Request) (httpapi.Answer, error) {
	id := variable(q, "webhook_id")
	sub, err := s.Webhooks.Subscription(q.Context(), q.Caller, id)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if sub.Shape != notify.ShapeTracktor {
		return httpapi.Answer{}, usecase.Failf(usecase.NotFound, "A webhook with the id %s is not found.", id)
	}
	if err := s.Webhooks.Unsubscribe(q.Context(), q.Caller, id); err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: deletedBody{Success: true}}, nil
}

// topicOf is the topic that a webhook was created for. One that was created elsewhere with this shape hears all.
func topicOf(sub *store.Subscription) (string, error) {
	if len(sub.Extra) == 0 {
		return "", nil
	}
	var x webhookExtra
	if err := json.Unmarshal(sub.Extra, &x); err != nil {
		return "", fmt.Errorf("topic of webhook %s: %w", sub.ID, err)
	}
	return x.Topic, nil
}

// Shape words what a shop is told: the fulfilment or the order as GET answers it, under X-Tracktor-Topic. It is for
// notify.Settings.Shapes, as notify.ShapeTracktor.
func Shape(t notify.Told) (notify.Rendered, bool, error) {
	n, ok, err := shop.NoticeOf(t.Snapshot)
	if !ok || err != nil {
		return notify.Rendered{}, false, err
	}
	topic, err := topicOf(t.Subscription)
	if err != nil {
		return notify.Rendered{}, false, err
	}
	if topic == "" && len(n.Topics) > 0 {
		topic = n.Topics[len(n.Topics)-1] // the most telling
	}
	if !slices.Contains(n.Topics, topic) {
		return notify.Rendered{}, false, nil
	}
	var body any
	switch {
	case n.Order != nil:
		body = showOrder(*n.Order)
	case n.Fulfilment != nil:
		body = showFulfillment(*n.Fulfilment)
	default:
		return notify.Rendered{}, false, nil
	}
	b, err := json.Marshal(body, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return notify.Rendered{}, false, fmt.Errorf("write what a shop is told: %w", err)
	}
	return notify.Rendered{Header: http.Header{"X-Tracktor-Topic": {topic}}, Body: b}, true, nil
}
