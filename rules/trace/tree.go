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
	Note   string // beside the value, for people; set by whoever shows the tree
	Err    error  // of the whole expression; only at the root
	Parts  []*Tree
}

// String renders the tree, one part a line, with values in a column.
func (t *Tree) String() string {
	var b strings.Builder
	t.Write(&b, "")
	return b.String()
}

// Write is String, with every line moved in by margin.
func (t *Tree) Write(b *strings.Builder, margin string) {
	t.lines(b, margin, nil, "", t.width(0))
	if t.Err != nil {
		fmt.Fprintf(b, "%sfailed: %v\n", margin, t.Err)
	}
}

// What stands before a part: the lines of those around it, and its own. All have one width.
const (
	down, blank   = "|  ", "   "
	middle, final = "|- ", "`- "
)

// width is that of the column of texts, for a part so many parts deep.
func (t *Tree) width(deep int) int {
	const most = 72
	w := min(len(blank)*deep+utf8.RuneCountInString(t.Text), most)
	for _, p := range t.Parts {
		w = max(w, p.width(deep+1))
	}
	return w
}

func (t *Tree) lines(b *strings.Builder, margin string, indent []byte, head string, width int) {
	b.WriteString(margin)
	b.Write(indent)
	b.WriteString(head)
	b.WriteString(t.Text)
	for n := len(indent) + len(head) + utf8.RuneCountInString(t.Text); n < width; n++ {
		b.WriteByte(' ')
	}
	b.WriteString("  ")
	b.WriteString(t.value())
	b.WriteByte('\n')
	switch head {
	case middle:
		indent = append(indent, down...)
	case final:
		indent = append(indent, blank...)
	}
	for i, p := range t.Parts {
		if i < len(t.Parts)-1 {
			p.lines(b, margin, indent, middle, width)
		} else {
			p.lines(b, margin, indent, final, width)
		}
	}
}

func (t *Tree) value() string {
	const most = 5
	switch len(t.Values) {
	case 0:
		return "not evaluated"
	case 1:
		if t.Note != "" {
			return "= " + Format(t.Values[0]) + " (" + t.Note + ")"
		}
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
