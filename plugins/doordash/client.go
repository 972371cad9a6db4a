package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

// tokenLife is how long a signed token is good for; DoorDash accepts at most half an hour.
const tokenLife = 5 * time.Minute

// sign makes the JWT that every request carries. The key id is a claim here, not a header as elsewhere.
func sign(developer, keyID string, key []byte, now time.Time) (carrier.Token, error) {
	expires := now.Add(tokenLife)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"aud": "doordash", "iss": developer, "kid": keyID, "iat": now.Unix(), "exp": expires.Unix(),
	})
	t.Header["dd-ver"] = "DD-JWT-V1"
	text, err := t.SignedString(key)
	return carrier.Token{Value: text, Expires: expires}, err
}

func deliveryPath(id string) string { return "/drive/v2/deliveries/" + url.PathEscape(id) }

// call sends one request and reads the delivery that DoorDash answers with. Its error is classified, see fault.
func (a *Account) call(ctx context.Context, method, path string, body any) (*delivery, *carrier.Error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, internal("A request could not be written.", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, a.cfg.BaseURL+path, bytes.NewReader(payload))
	if err != nil {
		return nil, internal("A request could not be made.", err)
	}
	token, err := a.tokens.Token(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, &carrier.Error{Source: carrier.SourceNetwork, Effect: carrier.EffectNone, Retry: carrier.RetrySafe,
				Code: carrier.DeadlineExceeded, Message: "The call ended before a request was signed.", Err: err}
		}
		return nil, internal("A request could not be signed.", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := carrier.Do(ctx, a.env, r)
	if err != nil {
		return nil, carrier.AsError(err)
	}
	if resp.Status == http.StatusUnauthorized {
		a.tokens.Drop(token)
	}
	if e := fault(resp); e != nil {
		return nil, e
	}
	d, err := decodeDelivery(resp.Body)
	if err != nil {
		return nil, resp.Unreadable(err)
	}
	return d, nil
}

func internal(message string, err error) *carrier.Error {
	return &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.Internal, Message: message, Err: err}
}

// lenient reads what a carrier sends: a doubled member or a broken letter in a name is no reason to lose a delivery.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

var errNoDelivery = errors.New("the answer has no external_delivery_id or no delivery_status")

func decodeDelivery(b []byte) (*delivery, error) {
	var d delivery
	if err := json.Unmarshal(b, &d, lenient); err != nil {
		return nil, err
	}
	if d.ExternalDeliveryID == "" || d.Status == "" {
		return nil, errNoDelivery
	}
	d.Status = strings.ToLower(d.Status)
	return &d, nil
}
