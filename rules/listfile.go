package rules

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/rules/internal/formula"
)

// listFile reads lists/<name>.csv: CSV as spreadsheets write it, of one column. Of each kind of fault the first line is shown, and how
// many others have it.
func (c *checker) listFile(s *source, data []byte) {
	name := strings.TrimSuffix(strings.TrimPrefix(s.name, "lists/"), ".csv")
	if !identifier.MatchString(name) {
		s.report(Problem{Code: "E505", Line: 1, Column: 1, End: 2, Sentence: fmt.Sprintf("%q cannot name a list", name), Hint: "use small letters, digits and _"})
		return
	}
	c.first["list "+name] = s.name
	l := &listReader{source: s, set: map[string]bool{}}
	c.lists[name] = formula.List{Set: l.set} // of a faulty list too, so that its users are not told that there is none
	c.bundle.spots["lists."+name] = spot{s.name, 1, 1, 2}
	const mark = "\ufeff" // spreadsheets begin their files with it
	s.lines[0] = strings.TrimPrefix(s.lines[0], mark)
	if l.utf8(); len(l.faults) == 0 {
		l.read(strings.TrimPrefix(string(data), mark))
	}
	c.entries[name] = l.entries
	for _, f := range l.faults {
		if f.others > 0 {
			f.Sentence += fmt.Sprintf("; so it is in %d more", f.others)
		}
		s.report(f.Problem)
	}
	if len(l.faults) == 0 && len(l.set) > 1 && isTitle(l.first, name) {
		c.bundle.notes = append(c.bundle.notes, note{Finding: Finding{Problem: Problem{Code: "W613", File: s.name, Line: l.firstLine, Column: 1,
			End: utf8.RuneCountInString(s.lines[l.firstLine-1]) + 1, Sentence: fmt.Sprintf("the first entry, %q, reads like a title, and counts as an entry", l.first),
			Hint: "remove the line: a list has no header"}}})
	}
}

// listReader collects the entries of one list and what is wrong with its file.
type listReader struct {
	*source
	set       map[string]bool
	entries   []listEntry
	first     string // the first entry, and its line
	firstLine int
	faults    []listFault
}

// listFault is one kind of fault in its first line.
type listFault struct {
	Problem
	others int
}

func (l *listReader) fault(line int, sentence, hint string) {
	for i := range l.faults {
		if l.faults[i].Sentence == sentence {
			l.faults[i].others++
			return
		}
	}
	end := 2
	if line <= len(l.lines) {
		end = utf8.RuneCountInString(l.lines[line-1]) + 1
	}
	l.faults = append(l.faults, listFault{Problem: Problem{Code: "E505", Line: line, Column: 1, End: max(end, 2), Sentence: sentence, Hint: hint}})
}

// utf8 refuses lines in another encoding: their entries would be equal to nothing.
func (l *listReader) utf8() {
	for i, line := range l.lines {
		if !utf8.ValidString(line) {
			l.lines[i] = strings.ToValidUTF8(line, "\ufffd")
			l.fault(i+1, "this line is not UTF-8", "save the file again as CSV UTF-8")
		}
	}
}

func (l *listReader) read(text string) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			l.quotes(wrong)
			continue
		}
		line, column := r.FieldPos(0)
		entry := strings.TrimSpace(record[0])
		quoted := column <= len(l.lines[line-1]) && l.lines[line-1][column-1] == '"'
		switch {
		case len(record) > 1 || !quoted && strings.ContainsAny(entry, ";\t"): // some spreadsheets part columns by these
			l.fault(line, "this line has more than one column, but a list has one",
				`keep only the column with the entries: one a line, without a header; an entry that holds a comma, semicolon or tab stands in quotes: "HI, Maui"`)
		case !quoted && strings.HasPrefix(entry, "- "), !quoted && strings.HasPrefix(entry, "# "), len(entry) > 1 && entry[0] == '\'' && entry[len(entry)-1] == '\'':
			l.fault(line, "this line is more than its entry", `write the entry alone: no dash before it, no ' around it, and no comment; one that begins so stands in quotes: "# 2 pencil"`)
		case entry != "":
			if l.firstLine == 0 {
				l.first, l.firstLine = entry, line
			}
			l.set[entry] = true
			before := utf8.RuneCountInString(l.lines[line-1][:min(column-1, len(l.lines[line-1]))])
			l.entries = append(l.entries, listEntry{l.source, entry, line, before + 1, max(utf8.RuneCountInString(l.lines[line-1])+1, before+2)})
		}
	}
}

// quotes says what is wrong with the quotes of an entry.
func (l *listReader) quotes(wrong *csv.ParseError) {
	line, follows := l.lines[wrong.Line-1], false
	if wrong.Column >= 1 && wrong.Column <= len(line) {
		follows = line[wrong.Column-1] == '"'
	}
	switch {
	case errors.Is(wrong.Err, csv.ErrBareQuote):
		l.fault(wrong.Line, `a " stands inside an entry that is not in quotes`, `put the entry into quotes, and write "" for a " in it: "2"" pipe"`)
	case follows:
		l.fault(wrong.Line, "something follows the quotes that close this entry", `write "" for a " inside an entry: "2"" pipe"`)
	default:
		l.fault(wrong.StartLine, "the quotes that begin here are not closed", `close them with ", or take them away`)
	}
}

// titles are what shops call the columns that they make lists of, in small letters and without the s of many. None is a code, as id is of Idaho.
var titles = []string{
	"state", "province", "region", "country", "countrie", "country_code", "city", "citie", "zip", "zip_code", "zipcode", "postcode", "postal_code", "sku", "product", "item", "customer",
	"customer_id", "tag", "code", "name", "value", "date", "day",
}

// isTitle reports whether an entry reads like the title of a column, like the name of its list, or like its last word: State in remote_states.
func isTitle(entry, list string) bool {
	plain := func(text string) string {
		return strings.TrimSuffix(strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(text)), "s")
	}
	title, name := plain(entry), plain(list)
	return slices.Contains(titles, title) || title == name || title == name[strings.LastIndexByte(name, '_')+1:]
}
