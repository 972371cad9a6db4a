package carrier_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

func TestTokenIsFetchedOnceAndAgainBeforeItExpires(t *testing.T) {
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	env := carrier.NewEnv(carrier.EnvSettings{})
	var fetched atomic.Int64
	s := carrier.NewTokenSource(env, func(ctx context.Context) (carrier.Token, error) {
		return carrier.Token{Value: fmt.Sprint("token ", fetched.Add(1)), Expires: env.Now(ctx).Add(time.Hour)}, nil
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got, err := s.Token(carrier.WithNow(t.Context(), now)); got != "token 1" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	for _, tt := range []struct {
		at   time.Duration
		drop string
		want string
	}{
		{time.Hour - 31*time.Second, "", "token 1"},
		{time.Hour - 30*time.Second, "", "token 2"},
		{time.Hour, "token 1", "token 2"}, // another call's refusal came late
		{time.Hour, "token 2", "token 3"},
	} {
		s.Drop(tt.drop)
		if got, err := s.Token(carrier.WithNow(t.Context(), now.Add(tt.at))); got != tt.want || err != nil {
			t.Errorf("%s later, dropped %q: got %q, %v; want %q", tt.at, tt.drop, got, err, tt.want)
		}
	}
}

func TestFailedTokenBooksNothing(t *testing.T) {
	lost := &carrier.Error{Source: carrier.SourceNetwork, Effect: carrier.EffectUnknown, Retry: carrier.RetryNever, Code: carrier.OutcomeUnknown}
	s := carrier.NewTokenSource(carrier.NewEnv(carrier.EnvSettings{}), func(context.Context) (carrier.Token, error) { return carrier.Token{}, lost })
	_, err := s.Token(t.Context())
	if e := asError(t, err); e.Effect != carrier.EffectNone || e.Code != carrier.DeadlineExceeded {
		t.Errorf("%v, effect %s; want effect none", e, e.Effect)
	}
	if lost.Effect != carrier.EffectUnknown {
		t.Error("the fetcher's error was changed")
	}
}

func TestWaitingForATokenEndsWithTheCall(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	s := carrier.NewTokenSource(carrier.NewEnv(carrier.EnvSettings{}), func(context.Context) (carrier.Token, error) {
		close(started)
		<-release
		return carrier.Token{}, errors.New("never")
	})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = s.Token(t.Context()) }) // holds the gate; its own result is of no interest
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Token(ctx)
	if e := asError(t, err); e.Code != carrier.DeadlineExceeded || e.Effect != carrier.EffectNone {
		t.Errorf("%v, effect %s", e, e.Effect)
	}
	close(release)
	wg.Wait()
}
