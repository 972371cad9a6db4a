package carrier

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Struct tags of a configuration, beside json:
//
//	title:"Client id"            what a form calls the member
//	doc:"From the developer …"   what it is and where to get it
//	secret:"true"                a credential; members of type Secret are secrets without the tag
//	enum:"test,live"             what it may say
//	default:"live"               used where the member is absent
//	example:"A1B2C3"
//
// A member is required unless its json tag says omitempty or omitzero, it is a pointer, a bool, or it has a default.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	Type        string             `json:"type,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Secret      bool               `json:"x-secret,omitempty"`
	Enum        []any              `json:"enum,omitempty"`
	Default     any                `json:"default,omitempty"`
	Examples    []any              `json:"examples,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Additional  any                `json:"additionalProperties,omitempty"`
}

// schemaOf returns the JSON Schema of a configuration struct. A type that has no JSON form is a mistake of the adapter's
// author, which every test that reads the manifest meets: it panics.
func schemaOf(t reflect.Type) []byte {
	s := typeSchema(t, t.String())
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("schema of %s: %v", t, err))
	}
	return b
}

func typeSchema(t reflect.Type, path string) *schema {
	switch t {
	case reflect.TypeFor[Secret]():
		return &schema{Type: "string", Secret: true}
	case reflect.TypeFor[shipping.Decimal]():
		return &schema{Type: "number"}
	case reflect.TypeFor[shipping.Instant]():
		return &schema{Type: "integer", Description: "Unix milliseconds"}
	}
	if t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return &schema{Type: "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem(), path)
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Float32, reflect.Float64:
		return &schema{Type: "number"}
	case reflect.Slice, reflect.Array:
		return &schema{Type: "array", Items: typeSchema(t.Elem(), path+"[]")}
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return &schema{Type: "object", Additional: typeSchema(t.Elem(), path+"[*]")}
		}
	case reflect.Struct:
		s := &schema{Type: "object", Properties: map[string]*schema{}, Additional: false}
		for _, m := range members(t) {
			s.Properties[m.name] = m.schema(path)
			if m.required {
				s.Required = append(s.Required, m.name)
			}
		}
		return s
	}
	if t.PkgPath() != "time" && (isInt(t.Kind()) || isUint(t.Kind())) {
		return &schema{Type: "integer"}
	}
	panic(fmt.Sprintf("%s: a configuration cannot hold %s; write durations as numbers with the unit in the name", path, t))
}

func isInt(k reflect.Kind) bool  { return k >= reflect.Int && k <= reflect.Int64 }
func isUint(k reflect.Kind) bool { return k >= reflect.Uint && k <= reflect.Uint64 }

// member is one JSON member of a configuration struct.
type member struct {
	name     string
	index    []int
	field    reflect.StructField
	required bool
}

func members(t reflect.Type) []member {
	var out []member
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			for _, m := range members(f.Type) {
				m.index = append([]int{i}, m.index...)
				out = append(out, m)
			}
			continue
		case !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		_, hasDefault := f.Tag.Lookup("default")
		optional := hasDefault || strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") ||
			f.Type.Kind() == reflect.Pointer || f.Type.Kind() == reflect.Bool
		out = append(out, member{name: name, index: []int{i}, field: f, required: !optional})
	}
	return out
}

func (m member) schema(path string) *schema {
	at := path + "." + m.field.Name
	s := typeSchema(m.field.Type, at)
	tag := m.field.Tag
	s.Title = tag.Get("title")
	if doc := tag.Get("doc"); doc != "" {
		s.Description = doc
	}
	s.Secret = s.Secret || tag.Get("secret") == "true"
	for _, e := range m.enum() {
		s.Enum = append(s.Enum, literal(s.Type, e, at))
	}
	if d, ok := tag.Lookup("default"); ok {
		s.Default = literal(s.Type, d, at)
	}
	if e, ok := tag.Lookup("example"); ok {
		s.Examples = []any{literal(s.Type, e, at)}
	}
	return s
}

func (m member) enum() []string {
	if e := m.field.Tag.Get("enum"); e != "" {
		return strings.Split(e, ",")
	}
	return nil
}

// literal reads the text of a tag as a value of a schema type.
func literal(schemaType, text, path string) any {
	switch schemaType {
	case "string":
		return text
	case "boolean":
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	default:
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			return json.RawMessage(text)
		}
	}
	panic(fmt.Sprintf("%s: tag value %q is not of type %s", path, text, schemaType))
}
