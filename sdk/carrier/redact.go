package carrier

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxRun is the longest run of base64 that a recorded body keeps: tokens of quotes are shorter, labels longer.
const maxRun = 512

// redactor removes secrets and label bytes from what is recorded. It runs on every call, so it goes through a body once,
// from quote to quote, and uses no regular expressions.
type redactor struct{ secrets [][]byte }

// minSecret is the shortest configured value that is searched for: a shorter one would blot out ordinary text.
const minSecret = 4

func newRedactor(secrets []string) *redactor {
	r := &redactor{}
	seen := map[string]bool{}
	for _, s := range secrets {
		inJSON, _ := json.Marshal(s) // a string always marshals
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), string(inJSON[1 : len(inJSON)-1])} {
			if len(form) >= minSecret && !seen[form] {
				seen[form] = true
				r.secrets = append(r.secrets, []byte(form))
			}
		}
	}
	return r
}

// sensitive lists the names, lower case and without - and _, of members, parameters and headers that hold credentials.
var sensitive = map[string]bool{
	"accesstoken": true, "refreshtoken": true, "idtoken": true, "clientsecret": true, "password": true, "passwd": true, "secret": true,
	"apikey": true, "xapikey": true, "apisecret": true, "signingsecret": true, "privatekey": true, "authorization": true,
	"proxyauthorization": true, "cookie": true, "setcookie": true, "xauthtoken": true, "token": true, "bearer": true, "assertion": true,
	"clientassertion": true, "accesslicensenumber": true, "xsignature": true, "signature": true, "jwt": true, "sessionid": true,
	"authcode": true, "userpassword": true, "webhooksecret": true, "credential": true, "credentials": true,
}

const longestSensitive = 24

// isSensitive reports whether name means a credential, in any case and with or without - and _.
func isSensitive[T string | []byte](name T) bool {
	if len(name) > longestSensitive || len(name) < 3 {
		return false
	}
	var buf [longestSensitive]byte
	key := buf[:0]
	for i := range len(name) {
		switch c := name[i]; {
		case c == '-' || c == '_':
		case c >= 'A' && c <= 'Z':
			key = append(key, c+'a'-'A')
		default:
			key = append(key, c)
		}
	}
	return sensitive[string(key)]
}

func (r *redactor) header(h http.Header) map[string]string {
	if len(h) == 0 {
		return nil
	}
	out := make(map[string]string, len(h))
	for k, v := range h {
		switch {
		case isSensitive(k):
			out[k] = redacted
		case len(v) == 1:
			out[k] = r.text(v[0])
		default:
			out[k] = r.text(strings.Join(v, ", "))
		}
	}
	return out
}

// url returns u without credentials in its user part, its query or anywhere else.
func (r *redactor) url(u *url.URL) string {
	c := *u
	if c.User != nil {
		c.User = url.User(redacted)
	}
	if c.RawQuery != "" {
		c.RawQuery = string(form(nil, []byte(c.RawQuery)))
	}
	return r.text(c.String())
}

// text removes configured secrets from s and makes it valid UTF-8.
func (r *redactor) text(s string) string {
	for _, secret := range r.secrets {
		if strings.Contains(s, string(secret)) {
			s = strings.ReplaceAll(s, string(secret), redacted)
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// bodies returns what is kept of both bodies of an exchange, at most MaxExchangeBytes together.
func (r *redactor) bodies(h http.Header, request []byte, resp *http.Response, response []byte) (req, res string, truncated bool) {
	req, cut := r.body(h.Get("Content-Type"), request, MaxExchangeBytes)
	if resp == nil {
		return req, "", cut
	}
	res, cut2 := r.body(resp.Header.Get("Content-Type"), response, MaxExchangeBytes-len(req))
	return req, res, cut || cut2
}

// body returns at most limit bytes of b, redacted. Secrets go first: in what they were cut out of, no piece of them can stay.
func (r *redactor) body(contentType string, b []byte, limit int) (string, bool) {
	if len(b) == 0 {
		return "", false
	}
	if isFile(b) {
		return label(len(b)), false
	}
	for _, secret := range r.secrets {
		if bytes.Contains(b, secret) {
			b = bytes.ReplaceAll(b, secret, []byte(redacted))
		}
	}
	var out []byte
	switch {
	case strings.HasPrefix(contentType, "application/x-www-form-urlencoded"):
		out = form(make([]byte, 0, len(b)), b)
	case looksLikeJSON(b):
		out = quoted(make([]byte, 0, min(len(b), 2*limit)), b, 2*limit)
	default:
		out = runs(make([]byte, 0, min(len(b), 2*limit)), b, 2*limit)
	}
	cut := len(out) > limit
	if cut {
		out = out[:limit]
		for len(out) > 0 && len(out) > limit-utf8.UTFMax && !utf8.Valid(out[max(0, len(out)-utf8.UTFMax):]) {
			out = out[:len(out)-1]
		}
	}
	if !utf8.Valid(out) {
		out = bytes.ToValidUTF8(out, []byte("?"))
	}
	return string(out), cut
}

func label(n int) string { return fmt.Sprintf("[label %d bytes]", n) }

// isFile reports whether a body is a label or picture itself rather than a message about one.
func isFile(b []byte) bool {
	for _, magic := range []string{"%PDF-", "GIF8", "\x89PNG", "^XA", "\xff\xd8\xff", "CT~~CD"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	return bytes.IndexByte(b[:min(len(b), 512)], 0) >= 0
}

func looksLikeJSON(b []byte) bool {
	t := bytes.TrimLeft(b[:min(len(b), 64)], " \t\r\n\xef\xbb\xbf")
	return len(t) > 0 && (t[0] == '{' || t[0] == '[' || t[0] == '"')
}

// form copies key=value&… to out with the values of sensitive keys replaced.
func form(out, b []byte) []byte {
	for i, pair := range bytes.Split(b, []byte("&")) {
		if i > 0 {
			out = append(out, '&')
		}
		key, value, ok := bytes.Cut(pair, []byte("="))
		out = append(out, key...)
		switch {
		case !ok:
		case isSensitive(key):
			out = append(append(out, '='), redacted...)
		default:
			out = runs(append(out, '='), value, len(out)+MaxExchangeBytes)
		}
	}
	return out
}

// What quoted hides next.
const (
	hideNothing = iota
	hideValue   // the value of a sensitive key
	hideArray   // everything up to the end of the array that is one
)

// quoted copies JSON to out, from string to string: values of sensitive keys are replaced, long base64 is cut. Broken JSON
// is copied as far as it makes sense. It stops when out has passed limit bytes.
func quoted(out, b []byte, limit int) []byte {
	hide := hideNothing
	for len(b) > 0 && len(out) <= limit {
		q := bytes.IndexByte(b, '"')
		if q < 0 {
			q = len(b)
		}
		out, hide = between(out, b[:q], hide)
		if b = b[q:]; len(b) == 0 {
			break
		}
		end := stringEnd(b[1:])
		if end < 0 { // the document breaks off here
			if out = append(out, '"'); hide != hideNothing {
				return append(out, redacted...)
			}
			return runs(out, b[1:], limit)
		}
		s, rest := b[1:1+end], b[1+end+1:]
		out = append(out, '"')
		switch {
		case isKey(rest):
			out = append(out, s...)
			hide = hideNothing
			if isSensitive(s) {
				hide = hideValue
			}
		case hide != hideNothing:
			out = append(out, redacted...)
			if hide == hideValue {
				hide = hideNothing
			}
		case len(s) > maxRun:
			out = runs(out, s, limit)
		default:
			out = append(out, s...)
		}
		out = append(out, '"')
		b = rest
	}
	return out
}

// isKey reports whether what follows a string makes it the name of a member.
func isKey(rest []byte) bool {
	for _, c := range rest[:min(len(rest), 16)] {
		switch c {
		case ':':
			return true
		case ' ', '\t', '\r', '\n':
		default:
			return false
		}
	}
	return false
}

// between copies what stands between two strings. A number that is to be hidden is replaced; an object is not hidden as a
// whole, for its members have names of their own.
func between(out, b []byte, hide int) ([]byte, int) {
	if hide == hideNothing {
		return append(out, b...), hide
	}
	if hide == hideArray {
		if i := bytes.IndexByte(b, ']'); i >= 0 {
			return append(out, b[i:]...), hideNothing
		}
		return append(out, bytes.Trim(b, "0123456789.eE+-")...), hide
	}
	value := bytes.TrimLeft(b, " \t\r\n:")
	switch {
	case len(value) == 0: // a string follows
		return append(out, b...), hide
	case value[0] == '{':
		return append(out, b...), hideNothing
	case value[0] == '[':
		out = append(append(out, b[:len(b)-len(value)]...), '[')
		return between(out, value[1:], hideArray)
	}
	out = append(append(out, b[:len(b)-len(value)]...), '"')
	out = append(append(out, redacted...), '"')
	if i := bytes.IndexAny(value, ",}]"); i >= 0 {
		out = append(out, value[i:]...)
	}
	return out, hideNothing
}

// stringEnd returns where the JSON string that starts at b ends, -1 where it does not.
func stringEnd(b []byte) int {
	for i := 0; ; {
		q := bytes.IndexByte(b[i:], '"')
		if q < 0 {
			return -1
		}
		q += i
		slashes := 0
		for q-slashes > 0 && b[q-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return q
		}
		i = q + 1
	}
}

// base64Byte tells the bytes of both base64 alphabets, and the backslash with which some carriers write "\/".
var base64Byte = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\\") {
		t[c] = true
	}
	return t
}()

// runs copies text to out and puts [label N bytes] where a run of base64 is longer than maxRun.
func runs(out, b []byte, limit int) []byte {
	for len(b) > 0 && len(out) <= limit {
		n := 0
		for n < len(b) && base64Byte[b[n]] {
			n++
		}
		switch {
		case n > maxRun:
			out = append(out, label(n*3/4)...)
		default:
			out = append(out, b[:n]...)
		}
		b = b[n:]
		n = 0
		for n < len(b) && !base64Byte[b[n]] {
			n++
		}
		out = append(out, b[:n]...)
		b = b[n:]
	}
	return out
}
