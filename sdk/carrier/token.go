package carrier

import (
	"context"
	"sync"
	"time"
)

// Token is a credential that a carrier hands out for a while.
type Token struct {
	Value   string
	Expires time.Time
}

// TokenSource caches a token until shortly before it expires by Env.Now, and refreshes it once however many calls wait.
// It is safe for concurrent use.
type TokenSource struct {
	env   Env
	fetch func(context.Context) (Token, error)
	gate  chan struct{} // holds one slot: who has it may fetch

	mu    sync.Mutex
	token Token
}

// tokenMargin is how long before its end a token is no longer used: a call that carries it may take that long to arrive.
const tokenMargin = 30 * time.Second

// NewTokenSource returns a source that asks fetch when it has no usable token.
func NewTokenSource(env Env, fetch func(context.Context) (Token, error)) *TokenSource {
	return &TokenSource{env: env, fetch: fetch, gate: make(chan struct{}, 1)}
}

// Token returns a usable token. Callers that wait for another's refresh stop waiting when their own context ends; the
// refresh itself runs on the context of the caller that started it, and a waiting caller takes over if that one fails.
func (s *TokenSource) Token(ctx context.Context) (string, error) {
	if t, ok := s.cached(ctx); ok {
		return t, nil
	}
	select {
	case s.gate <- struct{}{}:
		defer func() { <-s.gate }()
	case <-ctx.Done():
		return "", &Error{Source: SourceNetwork, Effect: EffectNone, Retry: RetrySafe, Code: DeadlineExceeded,
			Message: "no access token in time", Err: ctx.Err()}
	}
	if t, ok := s.cached(ctx); ok {
		return t, nil
	}
	t, err := s.fetch(ctx)
	if err != nil {
		return "", withoutEffect(err)
	}
	s.mu.Lock()
	s.token = t
	s.mu.Unlock()
	return t.Value, nil
}

// withoutEffect says of a failed fetch what its maker could not know: a lost answer to a request for a token has booked nothing.
func withoutEffect(err error) error {
	e := *AsError(err)
	if e.Effect == EffectUnknown {
		e.Effect = EffectNone
		if e.Code == OutcomeUnknown {
			e.Code, e.Retry = DeadlineExceeded, RetrySafe
		}
	}
	return &e
}

func (s *TokenSource) cached(ctx context.Context) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token.Value, s.token.Value != "" && s.env.Now(ctx).Add(tokenMargin).Before(s.token.Expires)
}

// Drop forgets a token that the carrier has refused (401). A newer token that another call has fetched meanwhile stays.
func (s *TokenSource) Drop(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.Value == token {
		s.token = Token{}
	}
}
