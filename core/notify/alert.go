package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	gomail "github.com/wneessen/go-mail"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Alerts to buyers, and notices to the tenant's own people by mail, are subscriptions of the engine's own, one for each medium that a tenant has
// configured: they read the log, keep order, and try again as others do. They are no business of the API.
const (
	shapeEmail = "email"
	shapeSMS   = "sms"
)

func isAlert(shape string) bool {
	return shape == shapeEmail || shape == shapeSMS || shape == shapeStaff
}

func alertID(shape string) string { return "alert-" + shape }

// planAlerts makes a tenant's own subscriptions what its configuration says. One that begins, or begins again, begins with what
// happens from now on.
func (s *Service) planAlerts(ctx context.Context, t *config.Tenant) error {
	wanted := map[string][]string{}
	if a := t.Notify.Alerts.Email; a != nil {
		wanted[shapeEmail] = alertTopics(a.Statuses)
	}
	if a := t.Notify.Alerts.SMS; a != nil {
		wanted[shapeSMS] = alertTopics(a.Statuses)
	}
	if t.Notify.StaffServer() != nil {
		wanted[shapeStaff] = []string{TopicNotice}
	}
	list, err := s.Store.Subscriptions(ctx, t.ID)
	if err != nil {
		return fmt.Errorf("read the subscriptions of tenant %s: %w", t.ID, err)
	}
	for _, shape := range []string{shapeEmail, shapeSMS, shapeStaff} {
		var have *store.Subscription
		for _, sub := range list {
			if sub.ID == alertID(shape) {
				have = sub
			}
		}
		if err := s.planAlert(ctx, t.ID, shape, have, wanted[shape]); err != nil && !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("plan the alerts of tenant %s by %s: %w", t.ID, shape, err)
		}
	}
	return nil
}

func (s *Service) planAlert(ctx context.Context, tenant, shape string, have *store.Subscription, topics []string) error {
	now := s.Clock.Now()
	sub := &store.Subscription{ID: alertID(shape), Tenant: tenant, Shape: shape, State: Disabled, CreatedBy: "system", CreatedAt: now}
	if have != nil {
		again := *have
		sub = &again
	}
	was := sub.State
	sub.State, sub.UpdatedAt = Active, now
	if len(topics) == 0 {
		sub.State = Disabled
	}
	if have == nil && sub.State == Disabled || have != nil && was == sub.State && slices.Equal(sub.Topics, topics) {
		return nil
	}
	sub.Topics = topics
	tx := &store.Tx{Now: now, Subscriptions: []*store.Subscription{sub}}
	if was != Active && sub.State == Active {
		end, err := s.Store.LogEnd(ctx, tenant)
		if err != nil {
			return err
		}
		tx.Cursors = []store.Cursor{{Subscription: sub.ID, Position: end}}
	}
	return s.write(ctx, tenant, "alerts", tx)
}

// alert tells the buyer of a message, and adds the communication to the log with the outcome.
func (s *Service) alert(ctx context.Context, t Told, r result) result {
	if t.Subscription.Shape == shapeStaff {
		return s.mailStaff(ctx, t, r)
	}
	r.outcome = unspoken
	b, ok := s.buyerOf(t)
	if !ok || r.try.At.Sub(t.Message.At) > staleAfter {
		return r
	}
	alerts := t.Tenant.Notify.Alerts
	words, ok := s.templates.of(alerts, b)
	if !ok {
		return r
	}
	c := communication{Status: "sent", Medium: t.Subscription.Shape, SentAt: clock.Millis(r.try.At), EventType: t.Message.Topic, ContentType: "text/plain", Order: b.event}
	var err error
	switch {
	case t.Subscription.Shape == shapeEmail && alerts.Email != nil && b.contact.Email != "":
		err = s.mailBuyer(ctx, t, b, words, &c)
	case t.Subscription.Shape == shapeSMS && alerts.SMS != nil && b.contact.Phone != "":
		err = s.text(ctx, t, b, words, &c)
	default:
		return r
	}
	return s.settle(ctx, t, r, c, err)
}

// communicated is the message that says that a buyer was told. It stands with its shipment or tracker, and is erased with it.
func communicated(about store.Message, c communication, now time.Time) (store.Message, error) {
	data, err := json.Marshal(c, wire)
	if err != nil {
		return store.Message{}, err
	}
	body, err := json.Marshal(Snapshot{Data: data}, codec)
	if err != nil {
		return store.Message{}, err
	}
	return store.Message{ID: about.ID + "_" + c.Medium, Subject: about.Subject, Seq: about.Seq, Topic: TopicCommunication, At: now, Body: body}, nil
}

// finalError is a refusal that trying again does not help.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// mailBuyer sends a mail to the buyer.
func (s *Service) mailBuyer(ctx context.Context, t Told, b buyer, words config.AlertTemplate, c *communication) error {
	subject, err := fill(words.Subject, nil, b.words)
	if err != nil {
		return &finalError{err}
	}
	if c.Contents, err = fill(words.Text, nil, b.words); err != nil {
		return &finalError{err}
	}
	c.Subject, c.To = oneLine(subject), party{Type: "email", Email: b.contact.Email}
	return s.mail(ctx, t, t.Tenant.Notify.Alerts.Email.Server(), []string{b.contact.Email}, c)
}

// mail sends the subject and contents of a communication, and fills in who has sent it. Its Message-ID is the same at each try, by which mail
// servers and readers know it again.
func (s *Service) mail(ctx context.Context, t Told, server config.MailServer, to []string, c *communication) error {
	from, err := sender(server)
	if err != nil {
		return err
	}
	c.From, c.Provider.Name = party{Type: "email", Email: from.Address, Name: from.Name}, server.Host
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(from)
	if err := m.To(to...); err != nil {
		return &finalError{errors.New("an address of mail cannot be used")}
	}
	m.Subject(c.Subject)
	m.SetDateWithValue(s.Clock.Now())
	_, domain, _ := strings.Cut(from.Address, "@")
	m.SetMessageIDWithValue(t.Message.ID + "@" + domain)
	m.SetBodyString(gomail.TypeTextPlain, c.Contents)
	client, err := mailClient(server)
	if err != nil {
		return &finalError{fmt.Errorf("the configured mail server cannot be used: %w", err)}
	}
	return s.sendMail(ctx, client, t, m)
}

// sendMail hands a mail to the server, unless what it tells of was erased while the server was being reached.
func (s *Service) sendMail(ctx context.Context, client *gomail.Client, t Told, m *gomail.Msg) error {
	server, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return mailError(err)
	}
	if err = s.look(ctx, t); err == nil {
		if err = client.SendWithSMTPClient(server, m); err != nil {
			err = mailError(err)
		}
	}
	if closed := client.CloseWithSMTPClient(server); closed != nil && err == nil {
		err = mailError(closed)
	}
	return err
}

func mailClient(cfg config.MailServer) (*gomail.Client, error) {
	opts := []gomail.Option{gomail.WithPort(cfg.Port), gomail.WithTimeout(sendTimeout)}
	switch cfg.Security {
	case "tls":
		opts = append(opts, gomail.WithSSL())
	case "none":
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if cfg.Username != "" {
		auth := gomail.SMTPAuthAutoDiscover
		if cfg.Security == "none" { // the configuration allows that to this machine alone
			auth = gomail.SMTPAuthPlainNoEnc
		}
		opts = append(opts, gomail.WithSMTPAuth(auth), gomail.WithUsername(cfg.Username), gomail.WithPassword(cfg.Password.Reveal()))
	}
	return gomail.NewClient(cfg.Host, opts...)
}

// mailError words what a mail server said, without the buyer's address, and tells whether it said so for good.
func mailError(err error) error {
	e, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return errors.New("the mail server does not take mail: " + wordsOf(err))
	}
	code := e.ErrorCode()
	said := fmt.Errorf("the mail server refused the mail with %d", code)
	if code >= 500 && code < 600 && !e.IsTemp() {
		return &finalError{said}
	}
	return said
}

// sms is what a gateway's body is made of.
type sms struct{ To, From, Text, ID string }

// text sends an SMS through the gateway. The message's id goes along, by which a gateway that can knows a repetition.
func (s *Service) text(ctx context.Context, t Told, b buyer, words config.AlertTemplate, c *communication) error {
	cfg, id := t.Tenant.Notify.Alerts.SMS, t.Message.ID
	var err error
	if c.Contents, err = fill(words.SMS, nil, b.words); err != nil {
		return &finalError{err}
	}
	c.From, c.To = party{Type: "sms", Phone: cfg.From}, party{Type: "sms", Phone: b.contact.Phone}
	q, err := gatewayRequest(ctx, cfg, sms{To: b.contact.Phone, From: cfg.From, Text: c.Contents, ID: id})
	if err != nil {
		return &finalError{err}
	}
	c.Provider.Name = q.URL.Host
	if err := s.look(ctx, t); err != nil {
		return err
	}
	answer, err := s.client.open.Do(q)
	if err != nil {
		return errors.New("the SMS gateway does not answer: " + wordsOf(err))
	}
	if _, err := readAnswer(answer.Body); err != nil {
		return errors.New("the answer of the SMS gateway broke off")
	}
	said := fmt.Errorf("the SMS gateway answered %d", answer.StatusCode)
	switch code := answer.StatusCode; {
	case code/100 == 2:
		return nil
	case code/100 == 4 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout && code != http.StatusUnauthorized && code != http.StatusForbidden:
		return &finalError{said}
	default: // a wrong key is the operator's to mend, and the message can then go
		return said
	}
}

func gatewayRequest(ctx context.Context, cfg *config.SMSAlerts, m sms) (*http.Request, error) {
	target, err := fill(cfg.URL, quoting, m)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if cfg.Method != http.MethodGet {
		text, err := fill(cfg.Body, quoting, m)
		if err != nil {
			return nil, err
		}
		body = strings.NewReader(text)
	}
	q, err := http.NewRequestWithContext(ctx, cfg.Method, target, body)
	if err != nil {
		return nil, errors.New("alerts.sms.url cannot be used")
	}
	q.Header.Set("User-Agent", "Waybill-Alerts/1")
	q.Header.Set("Idempotency-Key", m.ID)
	for name, value := range cfg.Headers {
		q.Header.Set(name, value.Reveal())
	}
	return q, nil
}

// inZone shows the end of a window in the zone of a place, "" where it is not known.
func inZone(w shipping.TimeWindow, zone string) string {
	if w.EndsAt.IsZero() {
		return ""
	}
	loc := shipment.LoadZone(zone)
	if loc == nil {
		loc = time.UTC
	}
	return w.EndsAt.In(loc).Format("2006-01-02 15:04")
}
