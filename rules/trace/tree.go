package trace

import (
	"bytes"
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
	Op     string // what joins the parts: and, or, not, in, Choice, …; "" for a call or a name
	Values []any
	Note   string // beside the value, for people; set by whoever shows the tree
	Err    error  // of the whole expression; only at the root
	Parts  []*Tree
}

// Choice is the operator of "a ? b : c". The first part decides which of the others is evaluated, those that are literals apart: they have no part.
const Choice = "?:"

// String renders the tree, one part a line, with values in a column.
func (t *Tree) String() string {
	var w Writer
	w.Tree(t, "")
	return w.String()
}

// Writer gathers trees, and whatever else is written to it. It remembers how it wrote a value: the trees of one explanation show the same
// facts again and again.
type Writer struct {
	bytes.Buffer
	known map[any]string
}

// Reset forgets everything but keeps the room for it.
func (w *Writer) Reset() {
	w.Buffer.Reset()
	clear(w.known)
}

// Tree writes a tree, every line of it moved in by margin.
func (w *Writer) Tree(t *Tree, margin string) {
	w.lines(t, margin, nil, "", t.width(0))
	if t.Err != nil {
		fmt.Fprintf(w, "%sfailed: %v\n", margin, t.Err)
	}
}

// What stands before a part: the lines of those around it, and its own. All have one width.
const (
	down, blank   = "|  ", "   "
	middle, final = "|- ", "`- "
)

// column is that of values where texts are so long that nobody would look for a value behind them.
const column = 72

var spaces = strings.Repeat(" ", column)

// width is that of the column of texts, for a part so many parts deep.
func (t *Tree) width(deep int) int {
	w := min(len(blank)*deep+utf8.RuneCountInString(t.Text), column)
	for _, p := range t.Parts {
		w = max(w, p.width(deep+1))
	}
	return w
}

func (w *Writer) lines(t *Tree, margin string, indent []byte, head string, width int) {
	w.WriteString(margin)
	w.Write(indent)
	w.WriteString(head)
	w.WriteString(t.Text)
	w.WriteString(spaces[:max(width-len(indent)-len(head)-utf8.RuneCountInString(t.Text), 0)])
	w.WriteString("  ")
	w.value(t)
	w.WriteByte('\n')
	switch head {
	case middle:
		indent = append(indent, down...)
	case final:
		indent = append(indent, blank...)
	}
	for i, p := range t.Parts {
		if i < len(t.Parts)-1 {
			w.lines(p, margin, indent, middle, width)
		} else {
			w.lines(p, margin, indent, final, width)
		}
	}
}

func (w *Writer) value(t *Tree) {
	const most = 5
	switch len(t.Values) {
	case 0:
		w.WriteString("not evaluated")
		return
	case 1:
		w.WriteString("= ")
		w.format(t.Values[0])
		if t.Note != "" {
			w.WriteString(" (" + t.Note + ")")
		}
		return
	}
	w.WriteString("= ")
	for i, v := range t.Values[:min(most, len(t.Values))] {
		if i > 0 {
			w.WriteString(", ")
		}
		w.format(v)
	}
	if len(t.Values) > most {
		w.WriteString(", …")
	}
	fmt.Fprintf(w, " (%d items)", len(t.Values))
}

// format is Format. What takes long to word is worded once.
func (w *Writer) format(v any) {
	switch v := v.(type) {
	case bool:
		w.Write(strconv.AppendBool(w.AvailableBuffer(), v))
	case int:
		w.Write(strconv.AppendInt(w.AvailableBuffer(), int64(v), 10))
	case string:
		shown, left := beginning(v)
		w.Write(strconv.AppendQuote(w.AvailableBuffer(), shown))
		w.WriteString(left)
	case fmt.Stringer:
		w.remembered(v)
	default:
		w.WriteString(Format(v))
	}
}

// maxShown is how many bytes of a text a tree shows: the same long one may stand in it a thousand times.
const maxShown = 400

// beginning is what is shown of a text, and behind it how much is left out.
func beginning(text string) (shown, left string) {
	if len(text) <= maxShown {
		return text, ""
	}
	end := maxShown
	for !utf8.RuneStart(text[end]) && end > maxShown-utf8.UTFMax {
		end--
	}
	return text[:end], fmt.Sprintf("… and %d more characters", utf8.RuneCountInString(text[end:]))
}

func (w *Writer) remembered(v fmt.Stringer) {
	if !reflect.TypeOf(v).Comparable() {
		w.WriteString(Format(v))
		return
	}
	text, ok := w.known[v]
	if !ok {
		if w.known == nil {
			w.known = map[any]string{}
		}
		if text = Format(v); text == "" { // an amount that nobody gave
			text = "nothing"
		}
		w.known[v] = text
	}
	w.WriteString(text)
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
