package portal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// kind says what a token leads to.
type kind byte

const (
	ofShipment kind = 's'
	ofTracker  kind = 't'
)

// ref is what a page is about.
type ref struct {
	kind   kind
	id     string // 24 lower-case hex characters
	tenant string
}

// idBytes and macBytes are the lengths of a token's parts; 128 bits cannot be guessed.
const (
	idBytes   = 12
	macBytes  = 16
	maxTenant = 200
)

// seal writes a token that only who knows the secret can make: kind, id and tenant, and an HMAC over them. It holds nothing secret,
// and nothing is stored about it.
func seal(secret []byte, r ref) string {
	id, err := hex.DecodeString(r.id)
	if err != nil || len(id) != idBytes || r.tenant == "" || len(r.tenant) > maxTenant {
		return "" // no page can be about it
	}
	b := append([]byte{byte(r.kind)}, id...)
	b = append(b, r.tenant...)
	return base64.RawURLEncoding.EncodeToString(append(b, mac(secret, b)...))
}

// unseal reads a token; ok is false where it is not one of ours.
func unseal(secret []byte, token string) (r ref, ok bool) {
	// The decoder passes over line breaks; a token has one writing.
	if strings.ContainsAny(token, "\r\n") || len(token) > base64.RawURLEncoding.EncodedLen(1+idBytes+maxTenant+macBytes) {
		return ref{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= 1+idBytes+macBytes {
		return ref{}, false
	}
	body, sum := b[:len(b)-macBytes], b[len(b)-macBytes:]
	if !hmac.Equal(sum, mac(secret, body)) { // in constant time
		return ref{}, false
	}
	r = ref{kind: kind(body[0]), id: hex.EncodeToString(body[1 : 1+idBytes]), tenant: string(body[1+idBytes:])}
	return r, r.kind == ofShipment || r.kind == ofTracker
}

func mac(secret, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("track\x00")) // other tokens may be made with the same secret
	h.Write(body)
	return h.Sum(nil)[:macBytes]
}
