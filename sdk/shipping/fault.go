package shipping

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fault is one thing wrong with one field of a body. Path is the JSON path from the body's root: "deliveryAddress.postalCode",
// "itemList[2].quantity".
type Fault struct {
	Path    string `json:"parameter"`
	Message string `json:"message"`
}

// Faults collects every fault of a value, so that a caller sees them all at once. The zero value is ready to use.
type Faults []Fault

// Add records a fault at path.
func (f *Faults) Add(path, format string, args ...any) {
	*f = append(*f, Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Line records a fault when s is longer than limit characters, is not UTF-8 or holds control characters, line breaks and tabs among
// them. It is for what stands in one line: ids, names, codes. See Text for notes.
func (f *Faults) Line(path, s string, limit int) {
	before := len(*f)
	f.Text(path, s, limit)
	if len(*f) == before && strings.ContainsAny(s, "\n\r\t\u2028\u2029") {
		f.Add(path, "must be one line, without line breaks and tabs")
	}
}

// Text records a fault when s is longer than limit characters, is not UTF-8 or holds control characters other than line breaks and
// tabs. It is for notes, which may have several lines.
func (f *Faults) Text(path, s string, limit int) {
	switch {
	case !utf8.ValidString(s):
		f.Add(path, "must be valid UTF-8")
	case utf8.RuneCountInString(s) > limit:
		f.Add(path, "must be at most %d characters, has %d", limit, utf8.RuneCountInString(s))
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }):
		f.Add(path, "must not contain control characters")
	}
}

// Required records a fault when s is blank, else checks it as Line does.
func (f *Faults) Required(path, s string, limit int) {
	if strings.TrimSpace(s) == "" {
		f.Add(path, "is required")
		return
	}
	f.Line(path, s, limit)
}

// Error lists every fault in one line.
func (f Faults) Error() string {
	parts := make([]string, len(f))
	for i, x := range f {
		parts[i] = x.Path + " " + x.Message
	}
	return strings.Join(parts, "; ")
}

// Err returns f as an error, nil when there is no fault.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// join builds a path below a parent, which may be empty.
func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}
