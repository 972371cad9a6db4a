package simulator

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decode reads a JSON object into dst, a pointer to a struct, and returns every
// fault at once: members that the struct does not know, and values of the
// wrong type. dst is half filled when there are any.
func decode(body []byte, dst any) []Problem {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	return decodeObject(body, reflect.ValueOf(dst).Elem(), "")
}

func decodeObject(body []byte, dst reflect.Value, at string) []Problem {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members); err != nil {
		if at != "" {
			return []Problem{{at, "must be a JSON object"}}
		}
		return []Problem{{"body", "must be one JSON object: " + plain(err)}}
	}
	fields := map[string]reflect.Value{}
	for i := range dst.NumField() {
		name, _, _ := strings.Cut(dst.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = dst.Field(i)
	}
	var found []Problem
	for _, name := range keysOf(members) {
		path := strings.TrimPrefix(at+"."+name, ".")
		field, ok := fields[name]
		switch {
		case !ok:
			found = append(found, Problem{path, "is not known here" + DidYouMean(name, keysOf(fields))})
		case plainStruct(field.Type()):
			found = append(found, decodeObject(members[name], field, path)...)
		default:
			if err := json.Unmarshal(members[name], field.Addr().Interface(), json.RejectUnknownMembers(true)); err != nil {
				found = append(found, Problem{path, plain(err)})
			}
		}
	}
	return found
}

// plainStruct tells a struct of ours, whose members are looked at one by one,
// from one that reads itself from text, such as a time.
func plainStruct(t reflect.Type) bool {
	type texter interface{ UnmarshalText([]byte) error }
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[texter]())
}

// plain says what a decoding error means to somebody who knows no Go.
func plain(err error) string {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		if e.Err != nil && !errors.Is(e.Err, json.ErrUnknownName) {
			return e.Err.Error()
		}
		if errors.Is(e.Err, json.ErrUnknownName) {
			return fmt.Sprintf("holds a member that is not known here: %s", e.JSONPointer)
		}
		return fmt.Sprintf("a JSON %s does not fit here", kindName(e.JSONKind))
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("not JSON at byte %d: %v", e.ByteOffset, e.Err)
	}
	return err.Error()
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '"':
		return "string"
	case '0':
		return "number"
	case 't', 'f':
		return "boolean"
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return "null"
}

// query reads the parameters of a GET and collects what is wrong with them.
type query struct {
	values   url.Values
	problems []Problem
}

// newQuery refuses parameters that are not known, and those given twice.
func newQuery(values url.Values, known ...string) *query {
	q := &query{values: values}
	for _, name := range keysOf(values) {
		if !slices.Contains(known, name) {
			q.problems = append(q.problems, Problem{name, "is not known here" + DidYouMean(name, known)})
		} else if len(values[name]) > 1 {
			q.problems = append(q.problems, Problem{name, "is given more than once"})
		}
	}
	return q
}

func (q *query) text(name string) string { return q.values.Get(name) }

// oneOf is a text that must be one of the allowed, when it is given.
func (q *query) oneOf(name string, allowed []string) string {
	v := q.values.Get(name)
	if v != "" && !slices.Contains(allowed, v) {
		q.problems = append(q.problems, Problem{name,
			fmt.Sprintf("%q is not one of %s%s", v, strings.Join(allowed, ", "), DidYouMean(v, allowed))})
	}
	return v
}

// number is a whole number from 0 to most, or otherwise when it is not given.
func (q *query) number(name string, otherwise, most int64) int64 {
	if !q.values.Has(name) {
		return otherwise
	}
	n, err := strconv.ParseInt(q.values.Get(name), 10, 64)
	if err != nil || n < 0 || n > most {
		q.problems = append(q.problems, Problem{name, fmt.Sprintf("must be a whole number from 0 to %d", most)})
		return otherwise
	}
	return n
}
