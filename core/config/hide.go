package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const redacted = "REDACTED"

// hidden knows what of a configuration is never shown, wherever it lands: what came from the environment or from files of secrets,
// and of URLs the user, the password and the query. It goes by where text came from and by how it looks, not by a list of members, so
// that a member somebody adds is covered.
type hidden struct {
	values  []string           // what came from outside and is long enough to be told from other text, the longest first
	members map[string]foreign // by path, where any of it came from outside
}

// foreign is a member whose text came from outside, in whole or in part.
type foreign struct {
	shown string   // as it is shown: what came from outside is REDACTED
	whole string   // as it is
	parts [][2]int // of whole, that came from outside
}

// tellable is the least length, in bytes, at which a value from outside is looked for in other text: shorter ones stand in many words.
// Where such a value came in it is hidden all the same.
const tellable = 4

// add remembers that the member at path was resolved, and by which values from outside, which are its parts.
func (h *hidden) add(path, shown, whole string, values []string, parts [][2]int) {
	if h.members == nil {
		h.members = map[string]foreign{}
	}
	h.members[path] = foreign{shown: shown, whole: whole, parts: parts}
	for _, v := range values {
		for _, form := range []string{v, filepath.Clean(v)} { // folders and files are cleaned
			if len(form) >= tellable && !slices.Contains(h.values, form) {
				h.values = append(h.values, form)
			}
		}
	}
	slices.SortStableFunc(h.values, func(a, b string) int { return len(b) - len(a) })
}

// inURLs are the texts from outside that stand in the URLs of the member at path and of its members, sorted.
func (h *hidden) inURLs(path string) []string {
	var out []string
	for at, m := range h.members {
		if at == path || strings.HasPrefix(at, path+".") {
			out = append(out, m.inURL()...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inURL is what of a member came from outside and stands in the path of a URL, or anywhere else in it but in its scheme and host: those say
// only which carrier is meant.
func (m foreign) inURL() (out []string) {
	scheme := urlBegins.FindString(m.whole)
	if scheme == "" {
		return nil
	}
	host, path := len(scheme), len(m.whole)
	if i := strings.IndexAny(m.whole[host:], "/?#"); i >= 0 {
		path = host + i
	}
	user := host
	if i := strings.LastIndexByte(m.whole[host:path], '@'); i >= 0 {
		user = host + i
	}
	for _, p := range m.parts {
		for _, part := range [][2]int{{max(p[0], host), min(p[1], user)}, {max(p[0], path), p[1]}} {
			if part[0] >= part[1] {
				continue
			}
			if text := strings.Trim(m.whole[part[0]:part[1]], "/?#&="); len(text) >= tellable {
				out = append(out, text)
			}
		}
	}
	return out
}

// text is s without what came from outside and without the secret parts of URLs.
func (h *hidden) text(s string) string {
	for _, v := range h.values {
		s = strings.ReplaceAll(s, v, redacted)
		if quoted := strconv.Quote(v); len(quoted) != len(v)+2 {
			s = strings.ReplaceAll(s, quoted[1:len(quoted)-1], redacted)
		}
	}
	return maskURLs(s)
}

var quotedPart = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|'[^']*'")

// about is s, which is said of the member at path, without what is hidden. Of a member that came from outside no part is repeated,
// such as the word that a parser stumbled over.
func (h *hidden) about(path, s string) string {
	m, ok := h.members[path]
	if !ok {
		return h.text(s)
	}
	if s == m.whole {
		return maskURLs(m.shown)
	}
	if s != "" && strings.Contains(m.whole, s) {
		return redacted
	}
	s = quotedPart.ReplaceAllStringFunc(s, func(q string) string {
		part, err := strconv.Unquote(q)
		if err != nil {
			part = q[1 : len(q)-1]
		}
		if part != "" && strings.Contains(m.whole, part) {
			return q[:1] + redacted + q[:1]
		}
		return q
	})
	return h.text(s)
}

// arg is an argument of a message about the member at path, without what is hidden. Numbers stay: messages count with them.
func (h *hidden) arg(path string, a any) any {
	switch a := a.(type) {
	case error:
		return errors.New(h.about(path, a.Error()))
	case fmt.Stringer:
		return h.about(path, a.String())
	}
	if v := reflect.ValueOf(a); v.Kind() == reflect.String {
		return h.about(path, v.String())
	}
	return a
}

// mask hides in a rendered configuration, whose root is n.
func (h *hidden) mask(n *yaml.Node, path string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			h.mask(n.Content[i+1], strings.TrimPrefix(path+"."+n.Content[i].Value, "."))
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			h.mask(c, fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.ScalarNode:
		shown := h.text(n.Value)
		if m, ok := h.members[path]; ok && n.Value != redacted {
			shown = maskURLs(m.shown)
		}
		if shown != n.Value {
			n.SetString(shown)
		}
	}
}

var (
	// A URL in text, or a user and password before a host without a scheme.
	credentials = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]*|[^\s:/@"'<>]+:[^\s@"'<>]*@`)
	urlBegins   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	// What addresses a person rather than a host: the text before the @ is no user who signs in.
	personal = regexp.MustCompile(`(?i)^(mailto|sip|sips|xmpp):`)
)

// maskURLs hides users, passwords and queries in the URLs of a text.
func maskURLs(s string) string {
	if urlBegins.MatchString(s) {
		return maskURL(s)
	}
	return credentials.ReplaceAllStringFunc(s, func(part string) string {
		switch {
		case urlBegins.MatchString(part):
			return maskURL(part)
		case personal.MatchString(part):
			return part
		}
		return redacted + "@"
	})
}

// maskURL hides the secret parts of one URL. Of what does not read as one, nobody knows which parts those are.
func maskURL(s string) string {
	scheme, rest, _ := strings.Cut(s, "://")
	if u, err := url.Parse(s); err != nil || u.Host == "" && u.User == nil && rest != "" && rest[0] != '/' {
		return scheme + "://" + redacted
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	authority, tail := rest[:end], rest[end:]
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = redacted + authority[i:]
	}
	if i := strings.IndexAny(tail, "?#"); i >= 0 && i+1 < len(tail) {
		tail = tail[:i+1] + redacted
	}
	return scheme + "://" + authority + tail
}

// secretMembers are what names of members hold whose lines are never shown: what stands there may be a secret that somebody wrote in
// clear.
var secretMembers = []string{"secret", "password", "key", "token", "authorization", "config"}

// holdsSecret reports whether a path or a line speaks of a secret.
func holdsSecret(text string) bool {
	lower := strings.ToLower(text)
	return slices.ContainsFunc(secretMembers, func(s string) bool { return strings.Contains(lower, s) })
}

// showable reports whether a line of a file may be shown.
func showable(line string) bool {
	return !holdsSecret(line) && maskURLs(line) == line && !urlWithGap.MatchString(line)
}

// urlWithGap is a URL that is torn by a space or a quote, as a password may have them.
var urlWithGap = regexp.MustCompile(`://.*@`)
