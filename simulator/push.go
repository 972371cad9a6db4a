package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"sync"
	"time"
)

// pushLanes is how many pushes are on their way at once. Those of one entity
// share a lane, so that they arrive in the order in which they were sent.
const pushLanes = 8

// Push is one message of a carrier to the merchant: a webhook.
type Push struct {
	Event    string // the carrier's name of the event
	URL      string
	Header   http.Header
	Body     []byte
	At       time.Time       // when the carrier sends it first
	Retries  []time.Duration // how long after each failed attempt the next one follows
	Accepted func(status int) bool

	// Filled by the world.
	Carrier, Entity, Reference, Account string

	attempt int // the attempts made
}

func pushClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		// A carrier does not follow the merchant's redirects: anything but its own idea of success is a failure.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: pushLanes, IdleConnTimeout: time.Minute},
	}
}

// send makes one attempt, journals it, enters it in the ledger, and schedules
// the next one when the merchant did not accept.
func (s *Server) send(ctx context.Context, p *Push) {
	p.attempt++
	entry := Entry{At: s.world.Now(), Direction: Outbound, Carrier: p.Carrier, Op: p.Event, Method: http.MethodPost,
		Path: p.URL, Account: p.Account, Reference: p.Reference, Request: excerpt(p.Body)}
	status, answer, err := s.post(ctx, p)
	entry.Status, entry.Response, entry.Took = status, excerpt(answer), Span(s.took(entry.At))
	outcome := fmt.Sprintf("answered %d", status)
	if err != nil {
		entry.Error, outcome = err.Error(), "no answer"
	}
	s.journal.add(entry)
	s.world.pushed(p, outcome, err == nil && p.Accepted(status))
}

func (s *Server) post(ctx context.Context, p *Push) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = p.Header.Clone()
	res, err := s.pushes.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, _ = io.ReadAll(io.LimitReader(res.Body, bodyKept)) // the status alone decides
	return res.StatusCode, body, nil
}

// pushed enters one attempt and its outcome, and schedules the next.
func (w *World) pushed(p *Push, outcome string, accepted bool) {
	w.Do(func(tx *Tx) {
		tx.Record(Record{Carrier: p.Carrier, Kind: Pushed, Entity: p.Entity, Reference: p.Reference, Account: p.Account,
			Detail: fmt.Sprintf("%s attempt %d of %d: %s", p.Event, p.attempt, len(p.Retries)+1, outcome)})
		if !accepted && p.attempt <= len(p.Retries) {
			tx.send(p, tx.now.Add(p.Retries[p.attempt-1]))
		}
	})
}

// lane sends pushes one after the other.
type lane struct {
	mu    sync.Mutex
	queue []*Push
	more  chan struct{}
}

func (l *lane) put(p *Push) {
	l.mu.Lock()
	l.queue = append(l.queue, p)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

func (l *lane) take() []*Push {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.queue
	l.queue = nil
	return taken
}

func (l *lane) run(ctx context.Context, send func(context.Context, *Push)) {
	for {
		for _, p := range l.take() {
			if ctx.Err() != nil {
				return
			}
			send(ctx, p)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.more:
		}
	}
}

// Run carries out what becomes due in the world and sends the carriers'
// pushes, until ctx ends or the world's memory cannot be written; then it waits
// for its goroutines. It returns what went wrong with the ledger's file or the
// memory, if anything did. It may be called once at a time.
func (s *Server) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var lanes [pushLanes]*lane
	var group sync.WaitGroup
	for i := range lanes {
		lanes[i] = &lane{more: make(chan struct{}, 1)}
		group.Go(func() { lanes[i].run(ctx, s.send) })
	}
	seed := maphash.MakeSeed()
	for ctx.Err() == nil && s.cfg.Memory.Err() == nil {
		s.world.RunDue(s.world.Now())
		for _, p := range s.world.TakePushes() {
			lanes[maphash.String(seed, p.Carrier+"/"+p.Entity)%pushLanes].put(p)
		}
		s.idle(ctx)
	}
	stop()
	group.Wait()
	s.pushes.CloseIdleConnections()
	return errors.Join(s.world.ledger.Err(), s.cfg.Memory.Err())
}

// idle waits until the next event is due or the world has a sooner one.
func (s *Server) idle(ctx context.Context) {
	var reached <-chan struct{}
	if next, ok := s.world.NextDue(); ok {
		var stop func()
		reached, stop = s.cfg.Clock.Until(next)
		defer stop()
	}
	select {
	case <-ctx.Done():
	case <-reached:
	case <-s.world.wake:
	}
}

// RunDue is Run's work for a driver of virtual time: it carries out everything
// that is due at the clock's present time, sends each push and waits for its
// answer, and returns how many events and pushes there were. Zero means that
// the world is quiet until its NextDue.
func (s *Server) RunDue(ctx context.Context) int {
	n := s.world.RunDue(s.world.Now())
	for _, p := range s.world.TakePushes() {
		s.send(ctx, p)
		n++
	}
	return n
}
