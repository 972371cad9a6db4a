package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The moods of the subscriber that has any go round and round: at first it now and then answers badly, then it is dead, then it is
// well for long enough that what has failed comes through before the next round. So nothing fails three times, after which two
// minutes would pass.
const (
	moodyFor = 20 * time.Second
	deadFor  = 3 * time.Second
	wellFor  = 22 * time.Second
)

// badly is how often in a hundred a message is answered badly at first, each way as often.
const badly = 6

// heard is what a subscriber knows of one message.
type heard struct {
	sum      [sha256.Size]byte // of the body
	first    time.Time         // when it was accepted first; zero as long as it was not
	order    int               // of the first acceptances
	accepted int
	tried    bool
}

// subscriber is told by the engine what happens. It notes what it has accepted.
type subscriber struct {
	subscription
	Name  string
	moody bool

	at     string // where it listens
	id     string // of its subscription
	secret string
	server *http.Server

	mu       sync.Mutex
	bad      bool // just now it answers badly at times
	heard    map[string]*heard
	order    int
	requests map[string]int // by what they were answered
	wrong    []string       // what must never be asked of it
	served   error
	calm     chan struct{} // closed when it is well for good
}

// subscription is what somebody asks to be told, and how it is known who tells.
type subscription struct {
	body string // of the request, with the URL to be filled in
	// identify returns the id of a message, or why nobody may send it.
	identify func(secret string, header http.Header, body []byte) (string, error)
}

// everything is told in our own words.
var everything = subscription{`{"url":"http://%s/hear","topics":["*"],"shape":"waybill"}`, func(secret string, header http.Header, body []byte) (string, error) {
	v, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return "", err
	}
	return header.Get(standardwebhooks.HeaderWebhookID), v.Verify(body, header)
}}

// foreignParcels is what Ship24 tells.
var foreignParcels = subscription{`{"url":"http://%s/hear","topics":["tracker.*"],"shape":"ship24"}`, func(secret string, header http.Header, body []byte) (string, error) {
	var b struct {
		Trackings []struct {
			Tracker struct {
				TrackingNumber string `json:"trackingNumber"`
			} `json:"tracker"`
			Metadata struct {
				MessageID string `json:"messageId"`
			} `json:"metadata"`
		} `json:"trackings"`
	}
	if header.Get("Authorization") != "Bearer "+secret {
		return "", errors.New("it does not carry the subscription's secret")
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return "", err
	}
	if len(b.Trackings) != 1 {
		return "", fmt.Errorf("it tells of %d parcels, want one", len(b.Trackings))
	}
	return b.Trackings[0].Tracker.TrackingNumber + "/" + b.Trackings[0].Metadata.MessageID, nil
}}

// newSubscribers are those of a run.
func newSubscribers() []*subscriber {
	return []*subscriber{newSubscriber("steady", everything, false), newSubscriber("moody", everything, true), newSubscriber("ship24", foreignParcels, true)}
}

func newSubscriber(name string, asks subscription, moody bool) *subscriber {
	return &subscriber{subscription: asks, Name: name, moody: moody, heard: map[string]*heard{}, requests: map[string]int{}, calm: make(chan struct{})}
}

// subscribe begins to listen and has the engine tell it everything.
func (s *subscriber) subscribe(ctx context.Context, engine *client) (err error) {
	if s.at, err = freeAddress(); err != nil {
		return err
	}
	a, err := engine.do(ctx, http.MethodPost, "/webhooks", fmt.Appendf(nil, s.body, s.at))
	if err != nil {
		return fmt.Errorf("subscribe %s: %w", s.Name, err)
	}
	var made struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	}
	if err := a.decode(&made); err != nil {
		return err
	}
	s.id, s.secret = made.ID, made.Secret
	return s.live()
}

// live listens. It must not listen already.
func (s *subscriber) live() error {
	ln, err := net.Listen("tcp", s.at)
	if err != nil {
		return fmt.Errorf("subscriber %s: %w", s.Name, err)
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func(server *http.Server) {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.mu.Lock()
			s.served = errors.Join(s.served, err)
			s.mu.Unlock()
		}
	}(s.server)
	return nil
}

// die ends listening; what is being answered is cut off. One that never listened is dead already.
func (s *subscriber) die() error {
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}

// moods has the subscriber be what it is until the storm is over; then it is well.
func (s *subscriber) moods(storm context.Context) error {
	defer close(s.calm)
	if !s.moody {
		return nil
	}
	defer s.setBad(false)
	for {
		s.setBad(true)
		if pauseFor(storm, moodyFor) != nil {
			return nil
		}
		s.setBad(false)
		if err := s.die(); err != nil {
			return err
		}
		over := pauseFor(storm, deadFor)
		if err := s.live(); err != nil {
			return err
		}
		if over != nil || pauseFor(storm, wellFor) != nil {
			return nil
		}
	}
}

func (s *subscriber) setBad(bad bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad = bad
}

func (s *subscriber) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[what]++
}

func (s *subscriber) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		s.count("was cut off by the engine")
		return
	}
	id, err := s.identify(s.secret, q.Header, body)
	if err != nil {
		s.mu.Lock()
		s.wrong = append(s.wrong, fmt.Sprintf("message %q is not as it must be: %v", id, err))
		s.mu.Unlock()
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch how := s.take(id, body); how {
	case accepted:
		w.WriteHeader(http.StatusNoContent)
	case refused:
		http.Error(w, "not now", http.StatusInternalServerError)
	case hung:
		select {
		case <-q.Context().Done():
		case <-s.calm:
		}
		panic(http.ErrAbortHandler) // to return would be to answer 200
	case cut:
		panic(http.ErrAbortHandler)
	}
}

// How a message is answered, in the words of the report.
const (
	accepted = "accepted"
	refused  = "answered 500"
	hung     = "never answered"
	cut      = "cut off"
)

// tellsForeign reports whether it is told of the parcels of others alone.
func (s *subscriber) tellsForeign() bool { return s.body == foreignParcels.body }

// take decides how a message is answered, and notes it.
func (s *subscriber) take(id string, body []byte) (how string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.requests[how]++ }()
	m := s.heard[id]
	if m == nil {
		m = &heard{sum: sha256.Sum256(body)}
		s.heard[id] = m
	} else if m.sum != sha256.Sum256(body) {
		s.wrong = append(s.wrong, fmt.Sprintf("message %q came with another body than before", id))
	}
	again := m.tried
	m.tried = true
	if s.bad && !again {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(id)) // never fails
		if n := hash.Sum32() % (100 * 3); n < badly*3 {
			return []string{refused, hung, cut}[n%3]
		}
	}
	if m.accepted++; m.accepted == 1 {
		s.order++
		m.first, m.order = time.Now(), s.order
	}
	return accepted
}

// hearing is what a subscriber has accepted, for the report.
type hearing struct {
	Requests map[string]int `json:"requests"` // by how they were answered
	Messages int            `json:"messages"` // accepted, each counted once
	Repeats  int            `json:"repeats"`  // of these
}

// says returns a copy of what was heard, the numbers of it, and what must not be.
func (s *subscriber) says() (map[string]heard, hearing, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, sum := map[string]heard{}, hearing{Requests: maps.Clone(s.requests)}
	for id, m := range s.heard {
		if m.accepted > 0 {
			all[id] = *m
			sum.Messages++
			sum.Repeats += m.accepted - 1
		}
	}
	wrong := append([]string(nil), s.wrong...)
	if s.served != nil {
		wrong = append(wrong, s.served.Error())
	}
	return all, sum, wrong
}

// subscribe has every subscriber told from now on.
func (c *chaos) subscribe(ctx context.Context) error {
	for _, s := range c.subscribers {
		if err := s.subscribe(ctx, c.api); err != nil {
			return err
		}
	}
	return nil
}

// unsubscribe ends listening.
func (c *chaos) unsubscribe() error {
	var errs []error
	for _, s := range c.subscribers {
		errs = append(errs, s.die())
	}
	return errors.Join(errs...)
}
