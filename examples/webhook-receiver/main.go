// Command webhook-receiver is told what happens by an engine: it verifies each delivery, leaves out repetitions, and prints the rest.
// It knows nothing of Waybill but the public Standard Webhooks specification and three members of the body.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9000", "where to listen")
	flag.Parse()
	if err := run(*listen, os.Getenv("WEBHOOK_SECRET")); err != nil {
		log.Fatal(err)
	}
}

func run(listen, secret string) error {
	if secret == "" {
		return errors.New("WEBHOOK_SECRET is not set; 'waybill webhooks create' prints the secret")
	}
	h, err := newReceiver(secret, os.Stdout)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s := &http.Server{Addr: listen, Handler: h, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// maxBody is above what an engine sends.
const maxBody = 4 << 20

// receiver is the endpoint.
type receiver struct {
	verifier *standardwebhooks.Webhook
	out      io.Writer

	mu   sync.Mutex
	seen map[string]bool // by webhook-id. A real receiver keeps this where its own data is, and writes both in one transaction
}

func newReceiver(secret string, out io.Writer) (*receiver, error) {
	v, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("WEBHOOK_SECRET is not a secret as whsec_…: %w", err)
	}
	return &receiver{verifier: v, out: out, seen: map[string]bool{}}, nil
}

// event is what every body has.
type event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Shipment struct {
			OrderExternalID string `json:"orderExternalId"`
			Status          string `json:"status"`
			TrackingID      string `json:"trackingId"`
		} `json:"shipment"`
	} `json:"data"`
}

// ServeHTTP answers 2xx only when the event is dealt with: everything else is sent again.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	if err := r.verifier.Verify(body, q.Header); err != nil { // the raw bytes are what is signed
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, "the body is not an event", http.StatusBadRequest)
		return
	}
	if err := r.take(q.Header.Get("webhook-id"), e); err != nil {
		http.Error(w, "the event could not be dealt with", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// take deals with an event that was not seen before.
func (r *receiver) take(id string, e event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[id] {
		return nil
	}
	s := e.Data.Shipment
	if _, err := fmt.Fprintln(r.out, e.Timestamp.Format(time.RFC3339), e.Type, s.OrderExternalID, s.Status, s.TrackingID); err != nil {
		return err
	}
	r.seen[id] = true
	return nil
}
