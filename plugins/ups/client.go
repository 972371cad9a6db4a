package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

// exchange is one question to UPS.
type exchange struct {
	method string
	path   string // escaped
	query  url.Values
	body   any  // encoded as JSON; nil for none
	acts   bool // books or voids: a lost or broken answer leaves the effect unknown
}

// ask sends x and decodes a successful answer into out. An answer that is not a success, or cannot be read, is an error;
// the response comes back with both, for what out does not hold.
func (a *Account) ask(ctx context.Context, x exchange, out any) (*carrier.Response, error) {
	resp, err := a.send(ctx, x)
	if err != nil {
		return nil, x.settle(ctx, err)
	}
	if resp.Status < 200 || resp.Status > 299 {
		return resp, refusal(x, resp)
	}
	// An empty 200 is how UPS has answered a request that it could not parse.
	if len(bytes.TrimSpace(resp.Body)) == 0 {
		return resp, x.unreadable(resp, errors.New("the body is empty"))
	}
	if err := decode(resp.Body, out); err != nil {
		return resp, x.unreadable(resp, err)
	}
	return resp, nil
}

// missing is the error for a 2xx that lacks what makes it a success: UPS's own error where the body holds one.
func (x exchange) missing(resp *carrier.Response, what string) error {
	if said := errorsIn(resp); len(said) > 0 {
		return refusal(x, resp)
	}
	return x.unreadable(resp, fmt.Errorf("the answer has no %s", what))
}

func (x exchange) unreadable(resp *carrier.Response, cause error) error {
	e := resp.Unreadable(cause)
	e.CarrierCode, e.CarrierMessage = headerError(resp.Header)
	if !x.acts {
		e.Effect = carrier.EffectNone
	}
	return e
}

// settle says of an error's effect what HTTP's method cannot: most POSTs of UPS only ask.
func (x exchange) settle(ctx context.Context, err error) error {
	e := *carrier.AsError(err)
	if !x.acts && e.Effect == carrier.EffectUnknown {
		e.Effect = carrier.EffectNone
		if e.Code == carrier.OutcomeUnknown {
			e.Code, e.Retry = carrier.CarrierUnavailable, carrier.RetrySafe
			if ctx.Err() != nil {
				e.Code = carrier.DeadlineExceeded
			}
		}
	}
	return &e
}

// send sends x with a bearer token. A 401 means that UPS refused before acting, so the same request goes out once more with
// a fresh token.
func (a *Account) send(ctx context.Context, x exchange) (*carrier.Response, error) {
	var body []byte
	if x.body != nil {
		var err error
		if body, err = json.Marshal(x.body); err != nil {
			return nil, &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
				Code: carrier.Internal, Message: "the request cannot be encoded", Err: err}
		}
	}
	target := strings.TrimRight(a.cfg.BaseURL, "/") + x.path
	if len(x.query) > 0 {
		target += "?" + x.query.Encode()
	}
	for attempt := 1; ; attempt++ {
		token, err := a.tokens.Token(ctx)
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, x.method, target, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("transId", a.ids.next(a.env.Now(ctx)))
		r.Header.Set("transactionSrc", "waybill")
		resp, err := carrier.Do(ctx, a.env, r)
		if err != nil {
			return nil, err
		}
		if resp.Status != http.StatusUnauthorized {
			return resp, nil
		}
		a.tokens.Drop(token)
		if attempt == 2 {
			return resp, nil
		}
	}
}

// idSource makes the 32 characters of the transId header, which Tracking requires and UPS support asks for. They depend on
// the account, the engine's clock and a counter alone, so that a virtual run sends the same bytes every time.
type idSource struct {
	account string
	count   atomic.Uint64
}

func (s *idSource) next(now time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", s.account, now.UnixNano(), s.count.Add(1)))
	return hex.EncodeToString(sum[:16])
}

// tokenAnswer is the answer of the OAuth endpoint; all members are strings (UPS OAuthClientCredentials).
type tokenAnswer struct {
	AccessToken text `json:"access_token"`
	ExpiresIn   text `json:"expires_in"` // seconds
}

// tokenPath has no /api before it, unlike all other paths.
const tokenPath = "/security/v1/oauth/token"

// shortestToken is used where UPS does not say how long a token lives; it says about four hours.
const shortestToken = 10 * time.Minute

func (a *Account) fetchToken(ctx context.Context) (carrier.Token, error) {
	x := exchange{method: http.MethodPost, path: tokenPath}
	form := url.Values{"grant_type": {"client_credentials"}}.Encode()
	r, err := http.NewRequestWithContext(ctx, x.method, strings.TrimRight(a.cfg.BaseURL, "/")+x.path, strings.NewReader(form))
	if err != nil {
		return carrier.Token{}, err
	}
	r.SetBasicAuth(a.cfg.ClientID, a.cfg.ClientSecret.Reveal())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	// The life of a token is counted from before the question: UPS's own clock is not needed, nor trusted.
	asked := a.env.Now(ctx)
	resp, err := carrier.Do(ctx, a.env, r)
	if err != nil {
		return carrier.Token{}, x.settle(ctx, err)
	}
	if resp.Status < 200 || resp.Status > 299 {
		return carrier.Token{}, refusal(x, resp)
	}
	return tokenFrom(x, resp, asked)
}

func tokenFrom(x exchange, resp *carrier.Response, asked time.Time) (carrier.Token, error) {
	var t tokenAnswer
	if err := decode(resp.Body, &t); err != nil {
		return carrier.Token{}, x.unreadable(resp, err)
	}
	if t.AccessToken == "" {
		return carrier.Token{}, x.missing(resp, "access_token")
	}
	life := shortestToken
	if s, err := strconv.Atoi(string(t.ExpiresIn)); err == nil && s > 0 {
		life = time.Duration(min(s, 86_400)) * time.Second
	}
	return carrier.Token{Value: string(t.AccessToken), Expires: asked.Add(life)}, nil
}
