package carrier

import (
	"fmt"
	"io"
	"reflect"
)

// Secret is a credential in an account's configuration. Every way of printing it gives REDACTED, so that it cannot reach a
// log, an error or a JSON document by accident. Reveal gives the value, for the one place that sends it to the carrier.
type Secret string

const redacted = "REDACTED"

// Reveal returns the credential itself.
func (s Secret) Reveal() string { return string(s) }

// String returns REDACTED, or "" where no secret was given.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return `carrier.Secret("` + s.String() + `")` }

// Format hides the value from every verb of fmt, also from those that would print its bytes (%x, %q).
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text) // a State reports no useful error
}

// MarshalJSON hides the value from JSON documents.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// SecretsIn returns the values of all Secret members of v, a configuration, at any depth.
func SecretsIn(v any) []string {
	var out []string
	collectSecrets(reflect.ValueOf(v), &out)
	return out
}

func collectSecrets(v reflect.Value, out *[]string) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[Secret]() && v.String() != "" {
			*out = append(*out, v.String())
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collectSecrets(v.Elem(), out)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			collectSecrets(v.Field(i), out)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			collectSecrets(v.Index(i), out)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			collectSecrets(it.Value(), out)
		}
	}
}
