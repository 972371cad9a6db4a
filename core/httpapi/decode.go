package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Decode reads a JSON body into v, a pointer to a struct. Unknown members are ignored. A body that is not JSON (duplicate names,
// invalid UTF-8 and data behind its end count as such) is an error; members of a wrong type are faults, all of them at once.
func Decode(body []byte, v any) (shipping.Faults, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, invalidBody("the body is empty; a JSON object is expected")
	}
	if tooDeep(body) {
		return nil, invalidBody(fmt.Sprintf("the body's objects and lists are nested more than %d deep", maxNesting))
	}
	err := json.Unmarshal(body, v)
	if err == nil {
		if kind := jsontext.Value(body).Kind(); kind != '{' {
			return nil, invalidBody("the body must be a JSON object")
		}
		return nil, nil
	}
	if err := wellFormed(body); err != nil {
		return nil, err
	}
	if jsontext.Value(body).Kind() != '{' {
		return nil, invalidBody("the body must be a JSON object")
	}
	var f shipping.Faults
	members(&f, body, reflect.ValueOf(v).Elem(), "")
	if len(f) == 0 {
		return nil, invalidBody("the body cannot be read: " + short(err.Error(), maxEcho))
	}
	return f, nil
}

// DecodeList splits a JSON body that is a list into its elements. What is not JSON is an error as in Decode.
func DecodeList(body []byte) ([]jsontext.Value, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, invalidBody("the body is empty; a JSON list is expected")
	}
	if tooDeep(body) {
		return nil, invalidBody(fmt.Sprintf("the body's objects and lists are nested more than %d deep", maxNesting))
	}
	if err := wellFormed(body); err != nil {
		return nil, err
	}
	var out []jsontext.Value
	if jsontext.Value(body).Kind() != '[' || json.Unmarshal(body, &out) != nil {
		return nil, invalidBody("the body must be a JSON list")
	}
	return out, nil
}

func invalidBody(message string) error {
	return usecase.Invalid(usecase.ValidationError, shipping.Faults{{Message: message}})
}

// wellFormed says in plain words why a body is not JSON.
func wellFormed(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	_, err := d.ReadValue()
	if err == nil {
		if _, err = d.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		}
		return invalidBody("there is more behind the end of the JSON object")
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		where := fmt.Sprintf(" at byte %d", e.ByteOffset)
		if e.JSONPointer != "" {
			where += " (" + short(pathOf(e.JSONPointer), maxEcho) + ")"
		}
		return invalidBody("the body is not valid JSON: " + short(e.Err.Error(), maxEcho) + where)
	}
	return invalidBody("the body is not valid JSON: it ends too early")
}

// maxNesting is how deep objects and lists of a body may stand in each other. What callers need is less than ten deep.
const maxNesting = 100

// tooDeep reports whether objects and lists are nested deeper than maxNesting, without regard to whether the body is JSON.
func tooDeep(body []byte) bool {
	depth, quoted, escaped := 0, false, false
	for _, c := range body {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// What a refusal may repeat of a body, in characters: a path or a value, and a whole message.
const (
	maxEcho    = 200
	maxMessage = 1000
)

// short cuts a text that is longer than limit characters in its middle: what it is about stands in front, what is wrong behind.
func short(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	r := []rune(text)
	if len(r) <= limit {
		return text
	}
	half := (limit - 1) / 2
	return string(r[:half]) + "…" + string(r[len(r)-half:])
}

func pathOf(p jsontext.Pointer) string {
	var parts []string
	for t := range p.Tokens() {
		parts = append(parts, t)
	}
	return strings.Join(parts, ".")
}

// maxFaults bounds how many faults of one body are looked for.
const maxFaults = 100

// List is a list of a body. It keeps one element more than a list may have, so that validation sees that there are too many, and
// no more: a body of empty objects would else grow a hundredfold in memory.
type List[T any] []T

// UnmarshalJSONFrom reads a list or null.
func (l *List[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case 'n':
		*l = nil
		return d.SkipValue()
	case '[':
	default:
		return errors.New("must be a list")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	out := List[T]{}
	for d.PeekKind() != ']' {
		if len(out) > shipping.MaxItems {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var v T
		if err := json.UnmarshalDecode(d, &v); err != nil {
			return err
		}
		out = append(out, v)
	}
	*l = out
	_, err := d.ReadToken()
	return err
}

// members reads each member of an object by itself, so that one fault does not hide the next.
func members(f *shipping.Faults, object jsontext.Value, v reflect.Value, path string) {
	var raw map[string]jsontext.Value
	if err := json.Unmarshal(object, &raw); err != nil {
		f.Add(path, "must be an object")
		return
	}
	for i := range v.NumField() {
		if len(*f) >= maxFaults {
			return
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		value, ok := raw[name]
		if !ok || name == "" || name == "-" {
			continue
		}
		sub := name
		if path != "" {
			sub = path + "." + name
		}
		member(f, value, v.Field(i), sub)
	}
}

func member(f *shipping.Faults, value jsontext.Value, v reflect.Value, path string) {
	err := json.Unmarshal(value, v.Addr().Interface())
	if err == nil {
		return
	}
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(t.Elem()))
		}
		v, t = v.Elem(), t.Elem()
	}
	custom := reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ UnmarshalJSON([]byte) error }]())
	switch {
	case custom:
		f.Add(path, "%s", innermost(err))
	case t.Kind() == reflect.Struct && value.Kind() == '{':
		members(f, value, v, path)
	case t.Kind() == reflect.Slice && value.Kind() == '[':
		var elements []jsontext.Value
		if json.Unmarshal(value, &elements) != nil {
			f.Add(path, "must be a list")
			return
		}
		elements = elements[:min(len(elements), shipping.MaxItems+1)]
		v.Set(reflect.MakeSlice(t, len(elements), len(elements)))
		for i, e := range elements {
			member(f, e, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case t.Kind() == reflect.Map && value.Kind() == '{':
		entries(f, value, t.Elem(), path)
	case value.Kind() == '0' && (t.Kind() == reflect.Float64 || v.CanInt() && isWhole(value)):
		f.Add(path, "is out of range")
	default:
		f.Add(path, "must be %s", kindWords(t))
	}
}

// entries finds the members of a map that cannot be read. None of them is kept: the body is refused.
func entries(f *shipping.Faults, object jsontext.Value, t reflect.Type, path string) {
	var raw map[string]jsontext.Value
	if json.Unmarshal(object, &raw) != nil {
		f.Add(path, "must be an object")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if json.Unmarshal(raw[name], reflect.New(t).Interface()) != nil && len(*f) < maxFaults {
			f.Add(path+"."+name, "is out of range")
		}
	}
}

func isWhole(number jsontext.Value) bool { return !bytes.ContainsAny(number, ".eE") }

func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

func kindWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// PrefersAsync reads RFC 7240's Prefer: whether the caller does not want to wait.
func PrefersAsync(h http.Header) bool {
	for _, line := range h.Values("Prefer") {
		for p := range strings.SplitSeq(line, ",") {
			if name, _, _ := strings.Cut(strings.TrimSpace(p), ";"); strings.EqualFold(strings.TrimSpace(name), "respond-async") {
				return true
			}
		}
	}
	return false
}
