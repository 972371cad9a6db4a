package trace

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Tree is what one part of an expression came to. Values is empty where the part was never reached; it has several where the part
// stands inside any(), all() and the like: one for each item.
type Tree struct {
	Text   string
	Op     string // what joins the parts: and, or, not, in, …; "" for a call or a name
	Values []any
	Err    error // of the whole expression; only at the root
	Parts  []*Tree
}

// String renders the tree, one part a line, with values in a column.
func (t *Tree) String() string {
	var lines [][2]string
	t.lines("", "", &lines)
	width := 0
	for _, l := range lines {
		width = max(width, min(utf8.RuneCountInString(l[0]), 72))
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s%s  %s\n", l[0], strings.Repeat(" ", max(width-utf8.RuneCountInString(l[0]), 0)), l[1])
	}
	if t.Err != nil {
		fmt.Fprintf(&b, "failed: %v\n", t.Err)
	}
	return b.String()
}

func (t *Tree) lines(head, indent string, out *[][2]string) {
	*out = append(*out, [2]string{head + strings.Join(strings.Fields(t.Text), " "), t.value()})
	for i, p := range t.Parts {
		if i == len(t.Parts)-1 {
			p.lines(indent+"`- ", indent+"   ", out)
		} else {
			p.lines(indent+"|- ", indent+"|  ", out)
		}
	}
}

func (t *Tree) value() string {
	const most = 5
	switch len(t.Values) {
	case 0:
		return "not evaluated"
	case 1:
		return "= " + Format(t.Values[0])
	}
	var parts []string
	for _, v := range t.Values[:min(most, len(t.Values))] {
		parts = append(parts, Format(v))
	}
	if len(t.Values) > most {
		parts = append(parts, "…")
	}
	return fmt.Sprintf("= %s (%d items)", strings.Join(parts, ", "), len(t.Values))
}

// Format writes a value for people.
func Format(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case float64:
		return strconv.FormatFloat(v, 'g', 10, 64)
	case time.Time:
		return v.Format(time.RFC3339)
	case time.Duration:
		return v.String()
	case fmt.Stringer:
		return v.String()
	case nil:
		return "nothing"
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice:
		var parts []string
		for i := range min(r.Len(), 10) {
			parts = append(parts, Format(r.Index(i).Interface()))
		}
		if r.Len() > 10 {
			parts = append(parts, "…")
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "(…)"
	}
	return fmt.Sprint(v)
}
