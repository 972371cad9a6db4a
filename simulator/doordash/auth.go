package doordash

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/waybill-dev/waybill/simulator"
)

// signer is an account with its secret decoded.
type signer struct {
	Account
	secret []byte
}

func newSigner(a Account) (*signer, error) {
	if a.DeveloperID == "" || a.KeyID == "" || a.SigningSecret == "" {
		return nil, errors.New("developer id, key id and signing secret are all required")
	}
	// DoorDash shows secrets without padding; one pasted with it is as good.
	secret, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(a.SigningSecret, "="))
	if err != nil {
		return nil, errors.New("the signing secret is not base64url")
	}
	return &signer{Account: a, secret: secret}, nil
}

// claims are those of DD-JWT-V1. The key id is a claim there, not a header.
type claims struct {
	jwt.RegisteredClaims
	KeyID string `json:"kid"`
}

// Authenticate implements [simulator.Dialect]: the bearer token is a JWT that
// the caller has signed with the bytes of its secret.
func (d *Dialect) Authenticate(x *simulator.Exchange) *simulator.Response {
	scheme, token, _ := strings.Cut(x.Request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return refusal(http.StatusUnauthorized, "authentication_error", "The Authorization header is missing or holds no bearer token")
	}
	var err error
	for _, now := range x.World.CallerTimes() {
		var s *signer
		if s, err = d.verify(token, now); err == nil {
			x.Account = s.KeyID
			return nil
		}
	}
	return refusal(http.StatusUnauthorized, "authentication_error", "The JWT is not accepted: "+err.Error())
}

func (d *Dialect) verify(token string, now time.Time) (*signer, error) {
	var c claims
	var s *signer
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience("doordash"),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return now }))
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if t.Header["dd-ver"] != "DD-JWT-V1" {
			return nil, errors.New("header dd-ver is not DD-JWT-V1")
		}
		if s = d.keys[c.KeyID]; s == nil {
			return nil, errors.New("claim kid names no access key")
		}
		return s.secret, nil
	})
	switch {
	case err != nil:
		return nil, err
	case c.Issuer != s.DeveloperID:
		return nil, errors.New("claim iss is not the developer of this access key")
	case c.IssuedAt == nil:
		return nil, errors.New("claim iat is missing")
	case c.IssuedAt.After(now.Add(time.Minute)):
		return nil, errors.New("claim iat is in the future")
	case c.ExpiresAt.Sub(c.IssuedAt.Time) > longestTokenLife:
		return nil, fmt.Errorf("exp is more than %v after iat", longestTokenLife)
	}
	return s, nil
}
