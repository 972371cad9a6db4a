package carrier

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// DecodeConfig reads an account's configuration, a JSON object with secrets resolved, into C: fills the defaults of the
// tags, refuses unknown members and values of a wrong type, and checks what is required and the enums. The error is an
// *Error with Code ConfigInvalid; Field is the first faulty member and Message names every one.
func DecodeConfig[C any](data []byte) (C, error) {
	var cfg, zero C
	applyDefaults(reflect.ValueOf(&cfg).Elem())
	if err := json.Unmarshal(data, &cfg, json.RejectUnknownMembers(true)); err != nil {
		return zero, decodeFault(err)
	}
	var faults shipping.Faults
	checkMembers(&faults, reflect.ValueOf(&cfg).Elem(), "")
	if len(faults) > 0 {
		return zero, ConfigError(faults)
	}
	return cfg, nil
}

// ConfigError makes the error that Open returns for a configuration with faults; nil where there is none.
func ConfigError(faults shipping.Faults) error {
	if len(faults) == 0 {
		return nil
	}
	return &Error{Source: SourceConfig, Effect: EffectNone, Retry: RetryNever, Code: ConfigInvalid, Field: faults[0].Path, Message: faults.Error()}
}

func decodeFault(err error) error {
	var f shipping.Faults
	if s, ok := errors.AsType[*json.SemanticError](err); ok {
		path := pointerPath(string(s.JSONPointer))
		switch {
		case errors.Is(err, json.ErrUnknownName):
			f.Add(path, "is not a member of this configuration")
		case s.Err != nil && s.GoType != nil && s.JSONKind == 0:
			f.Add(path, "%v", s.Err)
		case s.GoType != nil:
			f.Add(path, "cannot be read as %s", s.GoType.Kind())
		default:
			f.Add(path, "cannot be read")
		}
		return ConfigError(f)
	}
	// The text of a syntax error quotes at most one character of the document, so it carries no secret.
	f.Add("", "the configuration is not a JSON object: %v", err)
	return ConfigError(f)
}

// pointerPath turns a JSON pointer (/zones/2/name) into the path style of the API (zones[2].name).
func pointerPath(pointer string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		if part != "" && strings.Trim(part, "0123456789") == "" {
			b.WriteString("[" + part + "]")
			continue
		}
		b.WriteString(joinPath(b.String(), part)[b.Len():])
	}
	return b.String()
}

func joinPath(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

func applyDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for _, m := range members(v.Type()) {
		field := v.FieldByIndex(m.index)
		text, ok := m.field.Tag.Lookup("default")
		if !ok {
			applyDefaults(field)
			continue
		}
		if s := typeSchema(field.Type(), m.name); s.Type == "string" {
			text = fmt.Sprintf("%q", text)
		}
		if err := json.Unmarshal([]byte(text), field.Addr().Interface()); err != nil {
			panic(fmt.Sprintf("default of configuration member %s: %v", m.name, err)) // a mistake of the adapter's author
		}
	}
}

func checkMembers(f *shipping.Faults, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			checkMembers(f, v.Elem(), path)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			checkMembers(f, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			checkMembers(f, it.Value(), joinPath(path, it.Key().String()))
		}
	case reflect.Struct:
		if v.Type().PkgPath() == reflect.TypeFor[shipping.Decimal]().PkgPath() {
			return // the words of shipping have required members of their own, which Validate knows
		}
		for _, m := range members(v.Type()) {
			checkMember(f, m, v.FieldByIndex(m.index), joinPath(path, m.name))
		}
	}
}

func checkMember(f *shipping.Faults, m member, v reflect.Value, path string) {
	enum := m.enum()
	switch {
	case m.required && v.IsZero() && !isInt(v.Kind()) && !isUint(v.Kind()) && v.Kind() != reflect.Float64:
		f.Add(path, "is required")
	case len(enum) > 0 && !v.IsZero() && !slices.Contains(enum, fmt.Sprint(v.Interface())):
		f.Add(path, "must be one of %s", strings.Join(enum, ", "))
	default:
		checkMembers(f, v, path)
	}
}

// OpenAccount decodes a configuration and opens the account, with an Env that may talk to the configuration's base_url (the
// member of that name) and the adapter's hosts and records no value of a Secret. Hosts, BaseURL and Secrets of s are set by it.
func (a Adapter[C, A]) OpenAccount(ctx context.Context, config []byte, s EnvSettings) (A, error) {
	var none A
	cfg, err := DecodeConfig[C](config)
	if err != nil {
		return none, err
	}
	s.Hosts, s.Secrets, s.BaseURL = a.Hosts, SecretsIn(cfg), baseURL(reflect.ValueOf(cfg))
	return a.Open(ctx, cfg, NewEnv(s))
}

func baseURL(v reflect.Value) string {
	if v.Kind() != reflect.Struct {
		return ""
	}
	for _, m := range members(v.Type()) {
		if f := v.FieldByIndex(m.index); m.name == "base_url" && f.Kind() == reflect.String {
			return f.String()
		}
	}
	return ""
}
