package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// Limits of one request. Answers are for the log alone, so most of one is not even read.
const (
	sendTimeout   = 10 * time.Second // by wall time, from the dial to the end of the answer
	keptAnswer    = 1 << 10
	drainedAnswer = 64 << 10
	keptRequest   = 64 << 10
	keptHeaders   = 32
	keptHeader    = 256
)

// outcome is what came of offering a message.
type outcome int

const (
	delivered   outcome = iota
	failed              // to be tried again
	gone                // 410: the subscriber wants no more
	refused             // an alert that trying again does not help
	unspoken            // the shape has no words for it
	withdrawn           // its message was erased before it was sent
	interrupted         // the node stops; nothing is known
)

// result is what came of one try.
type result struct {
	item       *item
	outcome    outcome
	try        store.Try
	retryAfter time.Duration
	then       []store.Message // to be put with the outcome
}

// clients are the HTTP clients that webhooks are sent with. No proxy: its address would be dialled in place of the subscriber's.
type clients struct{ guarded, open *http.Client }

func newClients() *clients {
	of := func(d *net.Dialer) *http.Client {
		return &http.Client{
			Timeout:       sendTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConns: 1024, MaxIdleConnsPerHost: 2 * maxLanes, IdleConnTimeout: time.Minute,
				TLSHandshakeTimeout: sendTimeout, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10},
		}
	}
	return &clients{guarded: of(&net.Dialer{Timeout: sendTimeout, Control: guard}), open: of(&net.Dialer{Timeout: sendTimeout})}
}

func (c *clients) close() {
	c.guarded.CloseIdleConnections()
	c.open.CloseIdleConnections()
}

// offer words a message and sends it once.
func (s *Service) offer(ctx context.Context, t Told) result {
	r := result{try: store.Try{At: s.Clock.Now()}}
	if t.Tenant == nil {
		r.outcome, r.try.Error = failed, "the tenant is not in the configuration any more"
		return r
	}
	if isAlert(t.Subscription.Shape) {
		return s.alert(ctx, t, r)
	}
	var rendered Rendered
	var ok bool
	var err error
	if t.Back, err = s.returnsOf(ctx, t); err == nil {
		rendered, ok, err = s.render(t)
	}
	switch {
	case err != nil:
		r.outcome, r.try.Error = failed, err.Error()
	case !ok:
		r.outcome = unspoken
	default:
		s.post(ctx, t, rendered, &r)
	}
	return r
}

// returnsOf are the returns of what a message in our own shape is about: those of its snapshot, so that each try sends the same, but for one that
// was erased since. Those of a message that an earlier version has written are read.
func (s *Service) returnsOf(ctx context.Context, t Told) (back []*shipment.Shipment, err error) {
	var ids []shipment.ID
	switch snap := t.Snapshot; {
	case t.Subscription.Shape != ShapeWaybill:
	case snap.Shipment != nil:
		ids = snap.Shipment.Returns
	case snap.Tracker != nil:
		ids = snap.Tracker.Returns
	}
	for _, id := range ids {
		i := slices.IndexFunc(t.Snapshot.Back, func(sh *shipment.Shipment) bool { return sh.ID == id })
		if i < 0 && len(t.Snapshot.Back) > 0 { // it could not be read then
			continue
		}
		sh, err := s.Store.Shipment(ctx, t.Subscription.Tenant, id)
		if err != nil {
			return nil, fmt.Errorf("read return %s: %w", id, err)
		}
		if i >= 0 && sh.ErasedAt.IsZero() {
			sh = t.Snapshot.Back[i]
		}
		back = append(back, sh)
	}
	return back, nil
}

// render finds the words. A test reaches every subscription, in our own words where its shape has none.
func (s *Service) render(t Told) (Rendered, bool, error) {
	shape := s.shapes[t.Subscription.Shape]
	if shape == nil {
		return Rendered{}, false, fmt.Errorf("this program does not know the shape %q", t.Subscription.Shape)
	}
	r, ok, err := shape(t)
	if ok || err != nil || t.Message.Topic != TopicTest {
		return r, ok, err
	}
	r, ok, err = s.waybill(t)
	r.Signed = t.Subscription.Bearer == ""
	return r, ok, err
}

// post sends a request and fills in what came of it.
func (s *Service) post(ctx context.Context, t Told, rendered Rendered, r *result) {
	r.try.RequestBody = clip(rendered.Body, keptRequest)
	q, err := s.request(ctx, t, rendered, r.try.At)
	if err != nil {
		r.outcome, r.try.Error = failed, err.Error()
		return
	}
	r.try.RequestHeader = withoutSecrets(q.Header)
	gone := s.late(q, t, rendered.Body)
	client := s.client.guarded
	if t.Tenant.Notify.AllowPrivate {
		client = s.client.open
	}
	answer, err := client.Do(q)
	if err == nil {
		r.try.Status, r.try.ResponseHeader = answer.StatusCode, keptOf(answer.Header)
		r.try.ResponseBody, err = readAnswer(answer.Body)
	}
	r.try.Latency = s.Clock.Now().Sub(r.try.At)
	if ctx.Err() != nil {
		r.outcome = interrupted
		return
	}
	if gone.Load() {
		r.outcome = withdrawn
		return
	}
	s.judge(r, answer, err)
}

// late makes the request look once more for its message when its body is about to be sent; it reports whether that was gone.
func (s *Service) late(q *http.Request, t Told, body []byte) (gone *atomic.Bool) {
	gone = &atomic.Bool{}
	q.GetBody = func() (io.ReadCloser, error) {
		return io.NopCloser(&lateBody{Reader: bytes.NewReader(body), withdrawn: gone, look: func() error { return s.look(q.Context(), t) }}), nil
	}
	q.Body, _ = q.GetBody()
	return gone
}

func (s *Service) judge(r *result, answer *http.Response, err error) {
	switch {
	case answer == nil:
		r.outcome, r.try.Error = failed, wordsOf(err)
	case answer.StatusCode/100 == 2 && err == nil:
		r.outcome = delivered
	case answer.StatusCode == http.StatusGone:
		r.outcome, r.try.Error = gone, "the subscriber wants no more: 410 Gone"
	case answer.StatusCode/100 == 3:
		r.outcome, r.try.Error = failed, "the subscriber redirects, and redirects are not followed; change the subscription's url"
	case answer.StatusCode/100 == 2:
		r.outcome, r.try.Error = failed, "the answer broke off: "+wordsOf(err)
	default:
		r.outcome, r.try.Error = failed, "the subscriber answered "+strconv.Itoa(answer.StatusCode)
		r.retryAfter = retryAfter(answer.Header.Get("Retry-After"), r.try.At)
	}
}

// request is the HTTP request of one try. Its signature covers the time of the try, as Standard Webhooks wants it; a shape that has
// a way of its own to prove who sends brings the header.
func (s *Service) request(ctx context.Context, t Told, rendered Rendered, now time.Time) (*http.Request, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Subscription.URL, bytes.NewReader(rendered.Body))
	if err != nil {
		return nil, errors.New("the subscription's url cannot be used")
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", "Waybill-Webhooks/1")
	maps.Copy(q.Header, rendered.Header)
	if !rendered.Signed {
		if t.Subscription.Bearer != "" && q.Header.Get("Authorization") == "" {
			q.Header.Set("Authorization", "Bearer "+t.Subscription.Bearer)
		}
		return q, nil
	}
	signature, err := sign(t.Subscription.Signing, t.Message.ID, now, rendered.Body)
	if err != nil {
		return nil, err
	}
	q.Header.Set(standardwebhooks.HeaderWebhookID, t.Message.ID)
	q.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	q.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return q, nil
}

// sign signs with every secret that is good now.
func sign(secrets []store.SigningSecret, id string, now time.Time, body []byte) (string, error) {
	var out []string
	for _, x := range secrets {
		if !x.ExpiresAt.IsZero() && !now.Before(x.ExpiresAt) {
			continue
		}
		w, err := standardwebhooks.NewWebhook(x.Secret)
		if err != nil {
			return "", errors.New("a signing secret of the subscription cannot be read")
		}
		signature, err := w.Sign(id, now, body)
		if err != nil {
			return "", fmt.Errorf("sign a webhook: %w", err)
		}
		out = append(out, signature)
	}
	if len(out) == 0 {
		return "", errors.New("the subscription has no signing secret that is still good")
	}
	return strings.Join(out, " "), nil
}

// readAnswer keeps the beginning of an answer. What is not much more is read to its end, so that the connection can be used again.
func readAnswer(body io.ReadCloser) ([]byte, error) {
	kept, err := io.ReadAll(io.LimitReader(body, keptAnswer))
	if err == nil {
		_, err = io.CopyN(io.Discard, body, drainedAnswer)
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	_ = body.Close() // what was not read is nobody's loss
	return kept, err
}

// retryAfter reads the header of that name: seconds, or a date. 0 where there is none.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// wordsOf is an error of the network without the URL, which the log of deliveries need not repeat.
func wordsOf(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return "the subscriber did not answer in " + sendTimeout.String()
		}
		err = e.Err
	}
	return err.Error()
}

func clip(b []byte, limit int) []byte { return slices.Clone(b[:min(len(b), limit)]) }

// withoutSecrets is what the log keeps of a request's headers.
func withoutSecrets(h http.Header) http.Header {
	out := h.Clone()
	if out.Get("Authorization") != "" {
		out.Set("Authorization", "REDACTED")
	}
	return out
}

// keptOf is what the log keeps of an answer's headers.
func keptOf(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if len(out) == keptHeaders {
			break
		}
		if name != "Set-Cookie" && len(name) <= keptHeader {
			v := h.Get(name)
			out[name] = []string{v[:min(len(v), keptHeader)]}
		}
	}
	return out
}
