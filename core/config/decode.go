package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// decoder fills structs from YAML nodes, collecting every mistake on the way.
type decoder struct {
	*faults
	getenv func(string) (string, bool)
	dir    string // relative files are meant from here
	// nodes remembers where a path stands, for checks that come after decoding.
	nodes map[string]*yaml.Node
	read  *watched // with what ${file:…} names
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	decimalType  = reflect.TypeFor[shipping.Decimal]()
	secretType   = reflect.TypeFor[Secret]()
)

// decode fills v, which stands at path, from n.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	d.nodes[path] = n
	if n.Kind == yaml.AliasNode {
		d.at(n, path, "write the value again, or use include", "aliases are not allowed")
		return
	}
	if n.Tag == "!!null" {
		return
	}
	switch v.Type() {
	case durationType:
		d.duration(n, v, path)
		return
	case decimalType:
		dec, err := shipping.ParseDecimal(d.text(n, path))
		if err != nil {
			d.at(n, path, "", "%v", err)
		}
		v.Set(reflect.ValueOf(dec))
		return
	case secretType:
		if n.Kind == yaml.MappingNode {
			v.SetString(d.jsonOf(n, path))
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.decode(n, p.Elem(), path)
		v.Set(p)
	case reflect.Struct:
		d.object(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.at(n, path, "write it as [a, b] or as lines that begin with a dash", "must be a list")
			return
		}
		s := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, c := range n.Content {
			d.decode(c, s.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
		v.Set(s)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.at(n, path, "", "must be a single value")
		return
	}
	text := d.text(n, path)
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			d.at(n, path, "", "must be true or false, not %q", text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		if err != nil {
			d.at(n, path, "", "must be a whole number, not %q", text)
		}
		v.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f != f || f > 1e300 || f < -1e300 {
			d.at(n, path, "", "must be a number, not %q", text)
			return
		}
		v.SetFloat(f)
	default:
		panic("config: no decoding for " + v.Type().String())
	}
}

// durations: what time.ParseDuration reads, and whole days.
func (d *decoder) duration(n *yaml.Node, v reflect.Value, path string) {
	text := d.text(n, path)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if i, err := strconv.Atoi(days); err == nil && i >= 0 && i < 100_000 {
			v.SetInt(int64(i) * int64(24*time.Hour))
			return
		}
	}
	dur, err := time.ParseDuration(text)
	if err != nil || dur < 0 {
		d.at(n, path, "write it with a unit: 500ms, 8s, 2m, 12h, 7d", "%q is not a duration", text)
		return
	}
	v.SetInt(int64(dur))
}

// fieldName is a member's name in the file: its yaml tag, else its json tag.
func fieldName(f reflect.StructField) string {
	for _, tag := range []string{"yaml", "json"} {
		if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" {
			return name
		}
	}
	return ""
}

func (d *decoder) object(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.at(n, path, "", "must be a mapping of names to values")
		return
	}
	fields := map[string]int{}
	var names []string
	for i := range v.NumField() {
		if name := fieldName(v.Type().Field(i)); name != "" && name != "-" {
			fields[name] = i
			names = append(names, name)
		}
	}
	d.members(n, path, func(key, value *yaml.Node, sub string) {
		i, ok := fields[key.Value]
		if !ok {
			d.atName(key, path, didYouMean(key.Value, names), "unknown member %q", key.Value)
			return
		}
		d.decode(value, v.Field(i), sub)
	})
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.at(n, path, "", "must be a mapping of names to values")
		return
	}
	m := reflect.MakeMap(v.Type())
	d.members(n, path, func(key, value *yaml.Node, sub string) {
		e := reflect.New(v.Type().Elem()).Elem()
		if e.Kind() == reflect.Pointer {
			e.Set(reflect.New(e.Type().Elem()))
			d.decode(value, e.Elem(), sub)
		} else {
			d.decode(value, e, sub)
		}
		m.SetMapIndex(reflect.ValueOf(key.Value), e)
	})
	v.Set(m)
}

// members walks a mapping, refusing what YAML allows and people do not mean: merge keys, and a name twice.
func (d *decoder) members(n *yaml.Node, path string, each func(key, value *yaml.Node, sub string)) {
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			d.at(key, path, "", "a member's name must be plain text")
			continue
		}
		if first := seen[key.Value]; first != nil {
			d.at(key, path, fmt.Sprintf("it stands already in line %d", first.Line), "member %q stands twice", key.Value)
			continue
		}
		seen[key.Value] = key
		sub := key.Value
		if path != "" {
			sub = path + "." + key.Value
		}
		each(key, value, sub)
	}
}

var reference = regexp.MustCompile(`\$\{([^}]*)\}`)

// text returns a scalar's text with ${NAME}, ${NAME:-default} and ${file:path} resolved. What came from outside the document is
// remembered as hidden; a default stands in the document.
func (d *decoder) text(n *yaml.Node, path string) string {
	if n.Kind != yaml.ScalarNode {
		d.at(n, path, "", "must be a single value")
		return ""
	}
	var values []string
	var parts [][2]int
	var whole, shown strings.Builder
	last := 0
	for _, m := range reference.FindAllStringSubmatchIndex(n.Value, -1) {
		value, outside := d.resolve(n, path, n.Value[m[2]:m[3]])
		literal := n.Value[last:m[0]]
		last = m[1]
		whole.WriteString(literal + value)
		if outside && value != "" {
			values, parts = append(values, value), append(parts, [2]int{whole.Len() - len(value), whole.Len()})
			value = redacted
		}
		shown.WriteString(literal + value)
	}
	whole.WriteString(n.Value[last:])
	if len(values) > 0 {
		d.hidden.add(path, shown.String()+n.Value[last:], whole.String(), values, parts)
	}
	return whole.String()
}

// resolve returns what a reference stands for, and whether that came from outside the document.
func (d *decoder) resolve(n *yaml.Node, path, inner string) (value string, outside bool) {
	if file, ok := strings.CutPrefix(inner, "file:"); ok {
		if !filepath.IsAbs(file) {
			file = filepath.Join(d.dir, file)
		}
		b, err := d.read.file(file)
		if err != nil {
			d.at(n, path, "put the file there, or correct its name", "the file %q cannot be read", file)
			return "", false
		}
		return strings.TrimRight(string(b), "\r\n"), true
	}
	name, fallback, hasFallback := strings.Cut(inner, ":-")
	if v, ok := d.getenv(name); ok && (v != "" || !hasFallback) {
		return v, true
	}
	if !hasFallback {
		d.at(n, path, fmt.Sprintf("set it, or give a default: ${%s:-value}", name), "the environment variable %s is not set", name)
	}
	return fallback, false
}

// jsonOf turns an adapter's own configuration into JSON, with references resolved.
func (d *decoder) jsonOf(n *yaml.Node, path string) string {
	b, err := json.Marshal(d.plain(n, path), json.Deterministic(true))
	if err != nil {
		d.at(n, path, "", "cannot be written as JSON: %v", err)
	}
	return string(b)
}

func (d *decoder) plain(n *yaml.Node, path string) any {
	d.nodes[path] = n
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		d.members(n, path, func(key, value *yaml.Node, sub string) { m[key.Value] = d.plain(value, sub) })
		return m
	case yaml.SequenceNode:
		s := make([]any, len(n.Content))
		for i, c := range n.Content {
			s[i] = d.plain(c, fmt.Sprintf("%s[%d]", path, i))
		}
		return s
	case yaml.AliasNode:
		d.at(n, path, "write the value again, or use include", "aliases are not allowed")
		return nil
	}
	text := d.text(n, path)
	switch n.Tag {
	case "!!int":
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i
		}
	case "!!float":
		if f, err := strconv.ParseFloat(text, 64); err == nil && f == f && f < 1e300 && f > -1e300 {
			return f
		}
	case "!!bool":
		return text == "true"
	case "!!null":
		return nil
	}
	return text
}

// asYAML turns a decoded value back into what its file would hold, under the same member names.
func asYAML(v any) any { return plainOf(reflect.ValueOf(v)) }

func plainOf(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case Secret:
		if x == "" {
			return nil
		}
		return x.String()
	case time.Duration:
		return x.String()
	case shipping.Decimal:
		if x.IsZero() {
			return nil
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Value: x.String()}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return plainOf(v.Elem())
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for i := range v.NumField() {
			name := fieldName(v.Type().Field(i))
			if name == "" || name == "-" || v.Field(i).IsZero() {
				continue
			}
			key, value := &yaml.Node{}, &yaml.Node{}
			key.SetString(name)
			if err := value.Encode(plainOf(v.Field(i))); err != nil {
				panic(err) // plain values always encode
			}
			n.Content = append(n.Content, key, value)
		}
		return n
	case reflect.Map:
		m := map[string]any{}
		for _, k := range v.MapKeys() {
			m[k.String()] = plainOf(v.MapIndex(k))
		}
		return m
	case reflect.Slice:
		s := make([]any, v.Len())
		for i := range s {
			s[i] = plainOf(v.Index(i))
		}
		return s
	}
	return v.Interface()
}
