// Package webhooks is the API of who is told what: webhooks, the log of what was delivered to them, and what buyers were told.
package webhooks

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/mux"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// UseCases is what the surface calls.
type UseCases interface {
	Subscribe(ctx context.Context, c usecase.Caller, n notify.NewSubscription) (*store.Subscription, error)
	Subscriptions(ctx context.Context, c usecase.Caller) ([]*store.Subscription, error)
	Subscription(ctx context.Context, c usecase.Caller, id string) (*store.Subscription, error)
	Update(ctx context.Context, c usecase.Caller, id string, ch notify.Change) (*store.Subscription, error)
	Rotate(ctx context.Context, c usecase.Caller, id string) (*store.Subscription, error)
	Unsubscribe(ctx context.Context, c usecase.Caller, id string) error
	Test(ctx context.Context, c usecase.Caller, id string) (messageID string, err error)
	Deliveries(ctx context.Context, c usecase.Caller, q store.DeliveryQuery) (store.DeliveryPage, error)
	Redeliver(ctx context.Context, c usecase.Caller, id string, r notify.Redelivery) (int, error)
	Communications(ctx context.Context, c usecase.Caller, externalID string) ([]jsontext.Value, error)
}

type surface struct {
	cases  UseCases
	router *httpapi.Router
}

// Mount mounts the surface.
func Mount(r *httpapi.Router, cases UseCases) {
	s := &surface{cases: cases, router: r}
	r.Handle(http.MethodPost, "/webhooks", nil, s.create)
	r.Handle(http.MethodGet, "/webhooks", nil, s.list)
	r.Handle(http.MethodGet, "/webhooks/{id}", nil, s.get)
	r.Handle(http.MethodPatch, "/webhooks/{id}", nil, s.update)
	r.Handle(http.MethodDelete, "/webhooks/{id}", nil, s.remove)
	r.Handle(http.MethodPost, "/webhooks/{id}/rotate", nil, s.rotate)
	r.Handle(http.MethodPost, "/webhooks/{id}/test", nil, s.test)
	r.Handle(http.MethodGet, "/webhooks/{id}/deliveries", nil, s.deliveries)
	r.Handle(http.MethodPost, "/webhooks/{id}/redeliver", nil, s.redeliver)
	r.Handle(http.MethodGet, "/shipments/{id}/communications", nil, s.communications)
}

// view is a webhook. Secrets are shown where they are made, and nowhere else.
type view struct {
	ID           string       `json:"id"`
	URL          string       `json:"url"`
	Topics       []string     `json:"topics"`
	Shape        string       `json:"shape"`
	State        string       `json:"state"`
	Reason       string       `json:"reason,omitempty"`
	FailingSince *string      `json:"failingSince"`
	Secret       string       `json:"secret,omitempty"`
	Secrets      []secretView `json:"secrets"`
	CreatedBy    string       `json:"createdBy"`
	CreatedAt    string       `json:"createdAt"`
	UpdatedAt    string       `json:"lastUpdatedAt"`
}

// secretView is a secret that deliveries are signed with, without the secret.
type secretView struct {
	CreatedAt string  `json:"createdAt"`
	ExpiresAt *string `json:"expiresAt"`
}

func show(sub *store.Subscription) view {
	v := view{ID: sub.ID, URL: sub.URL, Topics: sub.Topics, Shape: sub.Shape, State: sub.State, Reason: sub.Reason, FailingSince: instant(sub.FailingSince),
		Secrets: []secretView{}, CreatedBy: sub.CreatedBy, CreatedAt: clock.Millis(sub.CreatedAt), UpdatedAt: clock.Millis(sub.UpdatedAt)}
	for _, x := range sub.Signing {
		v.Secrets = append(v.Secrets, secretView{CreatedAt: clock.Millis(x.CreatedAt), ExpiresAt: instant(x.ExpiresAt)})
	}
	return v
}

// showSecret is show with what proves who sends.
func showSecret(sub *store.Subscription) view {
	v := show(sub)
	if v.Secret = sub.Bearer; len(sub.Signing) > 0 {
		v.Secret = sub.Signing[0].Secret
	}
	return v
}

func instant(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := clock.Millis(t)
	return &s
}

type createBody struct {
	URL    string   `json:"url"`
	Topics []string `json:"topics"`
	Shape  string   `json:"shape"`
	Bearer string   `json:"bearer"`
}

func (s *surface) create(q *httpapi.Request) (httpapi.Answer, error) {
	var b createBody
	f, err := httpapi.Decode(q.Body, &b)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if len(f) > 0 {
		return httpapi.Answer{}, usecase.Invalid(usecase.ValidationError, f)
	}
	sub, err := s.cases.Subscribe(q.Context(), q.Caller, notify.NewSubscription{URL: b.URL, Topics: b.Topics, Shape: b.Shape, Bearer: b.Bearer})
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Status: http.StatusCreated, Body: showSecret(sub),
		Header: http.Header{"Location": {s.router.Config().Server.PublicURL + "/webhooks/" + sub.ID}}}, nil
}

func (s *surface) list(q *httpapi.Request) (httpapi.Answer, error) {
	list, err := s.cases.Subscriptions(q.Context(), q.Caller)
	if err != nil {
		return httpapi.Answer{}, err
	}
	out := []view{}
	for _, sub := range list {
		out = append(out, show(sub))
	}
	return httpapi.Answer{Body: map[string]any{"data": out}}, nil
}

// id is the webhook's id in the path. What cannot be one finds nothing.
func id(q *httpapi.Request) string {
	text, err := url.PathUnescape(mux.Vars(q.HTTP)["id"])
	if err != nil || len(text) > shipping.MaxText || !utf8.ValidString(text) {
		return ""
	}
	return text
}

func (s *surface) get(q *httpapi.Request) (httpapi.Answer, error) {
	return one(s.cases.Subscription(q.Context(), q.Caller, id(q)))
}

func one(sub *store.Subscription, err error) (httpapi.Answer, error) {
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: show(sub)}, nil
}

type updateBody struct {
	URL    *string   `json:"url"`
	Topics *[]string `json:"topics"`
	State  *string   `json:"state"`
}

func (s *surface) update(q *httpapi.Request) (httpapi.Answer, error) {
	var b updateBody
	f, err := httpapi.Decode(q.Body, &b)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if len(f) > 0 {
		return httpapi.Answer{}, usecase.Invalid(usecase.ValidationError, f)
	}
	return one(s.cases.Update(q.Context(), q.Caller, id(q), notify.Change{URL: b.URL, Topics: b.Topics, State: b.State}))
}

func (s *surface) remove(q *httpapi.Request) (httpapi.Answer, error) {
	if err := s.cases.Unsubscribe(q.Context(), q.Caller, id(q)); err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: map[string]any{"id": id(q), "deleted": true}}, nil
}

func (s *surface) rotate(q *httpapi.Request) (httpapi.Answer, error) {
	sub, err := s.cases.Rotate(q.Context(), q.Caller, id(q))
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: showSecret(sub)}, nil
}

func (s *surface) test(q *httpapi.Request) (httpapi.Answer, error) {
	message, err := s.cases.Test(q.Context(), q.Caller, id(q))
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Status: http.StatusAccepted, Body: map[string]any{"messageId": message}}, nil
}

type redeliverBody struct {
	MessageID string           `json:"messageId"`
	From      shipping.Instant `json:"from"`
	To        shipping.Instant `json:"to"`
}

func (s *surface) redeliver(q *httpapi.Request) (httpapi.Answer, error) {
	var b redeliverBody
	f, err := httpapi.Decode(q.Body, &b)
	if err != nil {
		return httpapi.Answer{}, err
	}
	r := notify.Redelivery{MessageID: b.MessageID, From: b.From.Time, To: b.To.Time}
	switch {
	case len(f) > 0:
	case b.MessageID != "" && (!b.From.IsZero() || !b.To.IsZero()):
		f.Add("messageId", "cannot be given together with from and to")
	case b.MessageID == "" && b.From.IsZero():
		f.Add("from", "is required where no messageId is given")
	case b.To.IsZero():
		r.To = s.router.Clock.Now()
	case b.To.Before(b.From.Time):
		f.Add("to", "must not be before from")
	}
	if len(b.MessageID) > 200 {
		f.Add("messageId", "must be at most 200 characters")
	}
	if len(f) > 0 {
		return httpapi.Answer{}, usecase.Invalid(usecase.ValidationError, f)
	}
	n, err := s.cases.Redeliver(q.Context(), q.Caller, id(q), r)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Status: http.StatusAccepted, Body: map[string]any{"messages": n}}, nil
}

func (s *surface) communications(q *httpapi.Request) (httpapi.Answer, error) {
	list, err := s.cases.Communications(q.Context(), q.Caller, id(q))
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: map[string]any{"data": list}}, nil
}

const maxPage = 1000

// states are those of deliveries that a filter may name.
var states = []string{store.DeliveryWaiting, store.DeliveryDelivered, store.DeliveryFailed, store.DeliveryDropped}

// query reads the filters of a log of deliveries, and every fault of them.
func query(q *httpapi.Request) (store.DeliveryQuery, error) {
	values := q.HTTP.URL.Query()
	out := store.DeliveryQuery{Subscription: id(q), State: values.Get("state"), Subject: values.Get("subject"), Cursor: values.Get("paginationToken"), Limit: store.DefaultLimit}
	var f shipping.Faults
	if out.State != "" && !slices.Contains(states, out.State) {
		f.Add("state", "must be one of %s", strings.Join(states, ", "))
	}
	f.Line("subject", out.Subject, 2*shipping.MaxText)
	for name, to := range map[string]*time.Time{"from": &out.From, "to": &out.To} {
		if text := values.Get(name); text != "" {
			var at shipping.Instant
			if err := at.UnmarshalJSON([]byte(text)); err != nil {
				f.Add(name, "%s", err)
			}
			*to = at.Time
		}
	}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			f.Add("limit", "must be a whole number between 1 and %d", maxPage)
		}
		out.Limit = n
	}
	if len(f) > 0 {
		slices.SortFunc(f, func(a, b shipping.Fault) int { return strings.Compare(a.Path, b.Path) })
		return out, usecase.Invalid(usecase.ValidationError, f)
	}
	return out, nil
}

type deliveryView struct {
	MessageID    string    `json:"messageId"`
	Topic        string    `json:"topic"`
	Subject      string    `json:"subject"`
	State        string    `json:"state"`
	NextTryAt    *string   `json:"nextTryAt"`
	CreatedAt    string    `json:"createdAt"`
	Redelivery   bool      `json:"redelivery"`
	AttemptCount int       `json:"attemptCount"`
	Attempts     []tryView `json:"attempts"`
}

type tryView struct {
	At        string        `json:"at"`
	LatencyMS float64       `json:"latencyMs"`
	Error     string        `json:"error,omitempty"`
	Request   *exchangeView `json:"request"`
	Response  *exchangeView `json:"response"`
}

type exchangeView struct {
	Status  int               `json:"status,omitzero"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func showDelivery(d store.Delivery) deliveryView {
	v := deliveryView{MessageID: d.Message, Topic: d.Topic, Subject: d.Subject, State: d.State, NextTryAt: instant(d.Due), CreatedAt: clock.Millis(d.CreatedAt),
		Redelivery: d.Again, AttemptCount: d.Tried, Attempts: []tryView{}}
	for _, t := range d.Tries {
		x := tryView{At: clock.Millis(t.At), LatencyMS: float64(t.Latency) / float64(time.Millisecond), Error: t.Error}
		if len(t.RequestHeader) > 0 {
			x.Request = &exchangeView{Headers: first(t.RequestHeader), Body: string(t.RequestBody)}
		}
		if t.Status != 0 {
			x.Response = &exchangeView{Status: t.Status, Headers: first(t.ResponseHeader), Body: string(t.ResponseBody)}
		}
		v.Attempts = append(v.Attempts, x)
	}
	return v
}

func first(h http.Header) map[string]string {
	out := map[string]string{}
	for name := range h {
		out[name] = h.Get(name)
	}
	return out
}

type pageView struct {
	Data            []deliveryView `json:"data"`
	PaginationToken struct {
		Next *string `json:"next"`
	} `json:"paginationToken"`
}

func (s *surface) deliveries(q *httpapi.Request) (httpapi.Answer, error) {
	query, err := query(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	page, err := s.cases.Deliveries(q.Context(), q.Caller, query)
	if err != nil {
		return httpapi.Answer{}, err
	}
	out := pageView{Data: []deliveryView{}}
	for _, d := range page.Deliveries {
		out.Data = append(out.Data, showDelivery(d))
	}
	if page.Next != "" {
		out.PaginationToken.Next = &page.Next
	}
	return httpapi.Answer{Body: out}, nil
}
