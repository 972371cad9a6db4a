package ship24

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
)

// topic is the only one that Ship24 has.
const topic = "tracking/events"

// Webhook words what happened to a tracker of this surface as Ship24 pushes it: with the events that have just entered and no others.
// It is registered with core/notify as notify.ShapeShip24, which sends the subscription's secret as Authorization: Bearer. Of
// trackers that are not subscribed nothing is told.
func Webhook(t notify.Told) (r notify.Rendered, ok bool, err error) {
	about := t.Snapshot.Tracker
	if about == nil || about.Surface != tracker.OfShip24 || extraOf(about).Unsubscribed {
		return r, false, nil
	}
	told := trackingOf(about, t.Tenant)
	entered := map[string]bool{}
	for _, e := range t.Snapshot.Entered {
		entered[named("event", about.Number, e.ID)] = true
	}
	told.Events = slices.DeleteFunc(told.Events, func(e eventView) bool { return !entered[e.EventID] })
	told.Tracker.IsTracked = nil
	told.Metadata = &metadata{GeneratedAt: clock.Millis(t.Message.At), MessageID: named("message", t.Message.ID), Topic: topic}
	r.Body, err = json.Marshal(map[string]any{"trackings": []result{told}}, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	return r, err == nil, err
}

// subscriptions are the webhooks of this surface.
func (s *surface) subscriptions(q *httpapi.Request) ([]*store.Subscription, error) {
	all, err := s.webhooks.Subscriptions(q.Context(), q.Caller)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(sub *store.Subscription) bool { return sub.Shape != notify.ShapeShip24 }), nil
}

// resend sends everything again that was told of a tracker, to the webhooks that are active.
func (s *surface) resend(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	subs, err := s.subscriptions(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if len(subs) == 0 {
		return httpapi.Answer{}, usecase.Failf(webhookURLMissing,
			"There is no webhook with the shape ship24. Create one with POST /webhooks, or name one in the tenant's configuration under ship24.webhook.")
	}
	subs = slices.DeleteFunc(subs, func(sub *store.Subscription) bool { return sub.State != notify.Active })
	if len(subs) == 0 {
		return httpapi.Answer{}, usecase.Failf(noSubscription, "Every webhook with the shape ship24 is paused or disabled. Make one active with PATCH /webhooks/{id}.")
	}
	resent := 0
	for _, sub := range subs {
		n, err := s.webhooks.Redeliver(q.Context(), q.Caller, sub.ID, notify.Redelivery{Subject: store.TrackerSubject(string(t.ID))})
		if err != nil {
			return httpapi.Answer{}, err
		}
		resent += n
	}
	return httpapi.Answer{Status: http.StatusCreated, Body: data("summary", map[string]int{"totalResent": resent})}, nil
}

// past is the file of a tracker's webhooks.
type past struct {
	Metadata pastMetadata `json:"metadata"`
	Webhooks []push       `json:"webhooks"`
}

type pastMetadata struct {
	TrackingNumber       string  `json:"trackingNumber"`
	TrackerID            string  `json:"trackerId"`
	ClientTrackerID      *string `json:"clientTrackerId"`
	WebhookURL           *string `json:"webhookUrl"` // of the newest webhook
	LastSuccessfulPushAt *string `json:"lastSuccessfulPushAt"`
	LastFailedPushAt     *string `json:"lastFailedPushAt"`
}

// push is one message to one webhook, as its last try has ended.
type push struct {
	Status             string            `json:"status"` // success or failed
	PushTimestamp      string            `json:"pushTimestamp"`
	RequestBody        any               `json:"requestBody"`
	ResponseBody       string            `json:"responseBody"`
	ResponseHeaders    map[string]string `json:"responseHeaders"`
	ResponseStatusCode *string           `json:"responseStatusCode"` // null where there was no answer

	at time.Time
}

func (s *surface) history(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	subs, err := s.subscriptions(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	out := past{Metadata: pastMetadata{TrackingNumber: t.Number, TrackerID: uuidOf(t.ID), ClientTrackerID: extraOf(t).Request.ClientTrackerID}, Webhooks: []push{}}
	for _, sub := range subs {
		out.Metadata.WebhookURL = &sub.URL
		if out.Webhooks, err = s.pushes(q, sub, t, out.Webhooks); err != nil {
			return httpapi.Answer{}, err
		}
	}
	slices.SortStableFunc(out.Webhooks, func(a, b push) int { return b.at.Compare(a.at) })
	for i := range out.Webhooks {
		p := &out.Webhooks[i]
		last := &out.Metadata.LastSuccessfulPushAt
		if p.Status == failed {
			last = &out.Metadata.LastFailedPushAt
		}
		*last = cmp.Or(*last, &p.PushTimestamp)
	}
	name := strings.ReplaceAll(t.Number, "/", "_")
	return httpapi.Answer{Body: out, Header: http.Header{
		"Content-Disposition":           {fmt.Sprintf(`attachment; filename="webhook-history-%s-%s.json"`, name, s.router.Clock.Now().UTC().Format("20060102"))},
		"Access-Control-Expose-Headers": {"Content-Disposition"},
	}}, nil
}

const (
	success = "success"
	failed  = "failed"
)

// pushes appends what one webhook was told of a tracker, and what came of it. Messages that were not tried yet are left out.
func (s *surface) pushes(q *httpapi.Request, sub *store.Subscription, t *tracker.Tracker, out []push) ([]push, error) {
	ask := store.DeliveryQuery{Subscription: sub.ID, Subject: store.TrackerSubject(string(t.ID))}
	for {
		page, err := s.webhooks.Deliveries(q.Context(), q.Caller, ask)
		if err != nil {
			return nil, err
		}
		for _, d := range page.Deliveries {
			if len(d.Tries) > 0 {
				out = append(out, pushOf(d.Tries[len(d.Tries)-1]))
			}
		}
		if ask.Cursor = page.Next; ask.Cursor == "" {
			return out, nil
		}
	}
}

func pushOf(try store.Try) push {
	p := push{Status: failed, PushTimestamp: clock.Millis(try.At), ResponseBody: strings.ToValidUTF8(string(try.ResponseBody), "\uFFFD"), ResponseHeaders: map[string]string{}, at: try.At}
	if try.Error == "" && try.Status/100 == 2 {
		p.Status = success
	}
	if try.Status != 0 {
		code := strconv.Itoa(try.Status)
		p.ResponseStatusCode = &code
	}
	for name, values := range try.ResponseHeader {
		p.ResponseHeaders[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if body := jsontext.Value(try.RequestBody); body.IsValid() && body.Kind() == '{' {
		p.RequestBody = body
	} else { // only its beginning is kept
		p.RequestBody = map[string]string{"beginning": strings.ToValidUTF8(string(try.RequestBody), "\uFFFD")}
	}
	return p
}
