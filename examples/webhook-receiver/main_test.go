package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

const body = `{"type":"shipment.order_delivered","timestamp":"2026-03-08T09:00:00.000Z","data":{"shipment":{"orderExternalId":"7709-001","status":"ORDER_DELIVERED","trackingId":"1Z"},"change":{}}}`

// send delivers a body as an engine does, signed by the sender's secret.
func send(t *testing.T, url, secret, id, body string, at time.Time) int {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := w.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("webhook-id", id)
	q.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	q.Header.Set("webhook-signature", "v1,"+strings.Repeat("A", 43)+"= "+signature) // two, as while a secret is rotated
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	return a.StatusCode
}

func TestReceiver(t *testing.T) {
	var out bytes.Buffer
	r, err := newReceiver(secret, &out)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(r)
	defer s.Close()
	now := time.Now()
	for name, c := range map[string]struct {
		secret, id, body string
		at               time.Time
		status           int
	}{
		"another's secret": {"whsec_" + strings.Repeat("B", 32), "msg_a_1", body, now, 401},
		"an old request":   {secret, "msg_a_1", body, now.Add(-time.Hour), 401},
		"no event":         {secret, "msg_a_1", "[]", now, 400},
	} {
		if got := send(t, s.URL, c.secret, c.id, c.body, c.at); got != c.status {
			t.Errorf("%s: %d, want %d", name, got, c.status)
		}
	}
	if out.Len() > 0 {
		t.Errorf("what must not be believed was: %s", &out)
	}
	for range 3 { // deliveries may be repeated
		if got := send(t, s.URL, secret, "msg_a_1", body, now); got != 204 {
			t.Errorf("status %d", got)
		}
	}
	if got := send(t, s.URL, secret, "msg_a_2", body, now); got != 204 {
		t.Errorf("status %d", got)
	}
	line := "2026-03-08T09:00:00Z shipment.order_delivered 7709-001 ORDER_DELIVERED 1Z\n"
	if out.String() != line+line {
		t.Errorf("printed:\n%s", &out)
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	if _, err := newReceiver("whsec_???", nil); err == nil {
		t.Error("a secret that is none was taken")
	}
	if err := run("127.0.0.1:0", ""); err == nil {
		t.Error("no secret was taken")
	}
}
