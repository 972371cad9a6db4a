package main

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// lenient is how UPS answers are decoded. A label that was paid for must not be lost because a name in the same answer has
// a byte that is not UTF-8, or because a member stands twice.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

func decode(body []byte, into any) error { return json.Unmarshal(body, into, lenient) }

// many is zero or more Ts, however UPS writes them: absent, null, an empty string, one bare object or an array. Versions
// below v2403 write a single element bare, and one answer may mix both forms.
type many[T any] []T

// UnmarshalJSONFrom reads any of the forms. An empty string, which UPS writes for an empty object, is no element.
func (m *many[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*m = (*m)[:0]
	if d.PeekKind() != '[' {
		return m.add(d)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if d.PeekKind() == 0 {
			_, err := d.ReadToken()
			return err
		}
		if err := m.add(d); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func (m *many[T]) add(d *jsontext.Decoder) error {
	_, scalar := any((*T)(nil)).(*text)
	switch k := d.PeekKind(); {
	case k == '{' && !scalar, (k == '"' || k == '0') && scalar:
	default:
		return d.SkipValue()
	}
	var zero T
	*m = append(*m, zero) // decoded in place: the elements of a rate answer are large
	if err := json.UnmarshalDecode(d, &(*m)[len(*m)-1]); err != nil {
		*m = (*m)[:len(*m)-1]
		return err
	}
	return nil
}

// first returns the first element, or the zero value.
func (m many[T]) first() T {
	if len(m) == 0 {
		var zero T
		return zero
	}
	return m[0]
}

// text is a scalar that UPS documents as a string. Numbers and booleans are taken by their text; anything else is empty.
// Surrounding blanks go, and so do the escaped line ends that the test host has put around values.
type text string

var escapedLineEnds = strings.NewReplacer("&#xD;", "", "&#xA;", "", "&#13;", "", "&#10;", "")

// UnmarshalJSONFrom reads a scalar.
func (t *text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*t = ""
	switch d.PeekKind() {
	case '"', '0', 't', 'f':
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		s := strings.TrimSpace(token.String())
		if strings.Contains(s, "&#") {
			s = strings.TrimSpace(escapedLineEnds.Replace(s))
		}
		*t = text(s)
		return nil
	default:
		return d.SkipValue()
	}
}

// mark is an indicator of UPS: its presence means yes whatever it holds, an empty string too. A JSON null or false is no.
type mark bool

// UnmarshalJSONFrom notes the presence.
func (m *mark) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	k := d.PeekKind()
	*m = k != 'n' && k != 'f'
	return d.SkipValue()
}

// MarshalJSONTo writes a set mark as an empty string; unset ones are left out by omitzero.
func (m mark) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String(""))
}

// coded is UPS's usual pair of a code and words.
type coded struct {
	Code        text `json:"Code"`
	Description text `json:"Description"`
}

// codeOf is a request's container of one code; most schemas want a description beside, which UPS ignores.
type codeOf struct {
	Code        string `json:"Code"`
	Description string `json:"Description,omitempty"`
}

// transaction carries our reference through UPS and back.
type transaction struct {
	CustomerContext string `json:"CustomerContext,omitempty"`
}
