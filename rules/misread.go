package rules

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// misread says why YAML cannot read a file: the parser tells it in words of its own and often of another line. It goes over the lines as
// YAML does, and reports the first that cannot be meant. Where only texts without quotes are in its way it reports them all, and returns the
// file with these in quotes, so that the rest can be read.
func (s *source) misread() (mended []byte) {
	m := &misreader{source: s, lines: append([]string(nil), s.lines...), text: -1, block: -1}
	for m.row = 0; m.row < len(m.lines) && !m.done; m.row++ {
		m.line(m.lines[m.row])
	}
	if m.done || m.mends == 0 {
		return nil
	}
	return []byte(strings.Join(m.lines, "\n"))
}

// level is a mapping or a list that is open.
type level struct {
	indent int
	list   bool
}

// misreader is how far the lines of a file have been read.
type misreader struct {
	*source
	lines  []string // with what was mended
	row    int
	levels []level
	awaits bool // the line before ends with a key or a dash, and its value follows
	text   int  // the indentation of the key whose block of text the lines are part of, -1 where they are none
	block  int  // the indentation of the first line of that block, -1 before it, and where the file says what it is
	mends  int
	done   bool // something was found that the rest hangs on
}

// wrong reports what stands in bytes from to to of a row.
func (m *misreader) wrong(row, from, to int, sentence, hint string) {
	line := m.source.lines[row]
	from = min(from, len(line))
	to = min(max(to, from), len(line))
	column := utf8.RuneCountInString(line[:from]) + 1
	m.report(Problem{Code: "E501", Line: row + 1, Column: column, End: column + max(utf8.RuneCountInString(line[from:to]), 1), Sentence: sentence, Hint: hint})
}

// fatal is wrong of something that the rest hangs on.
func (m *misreader) fatal(row, from, to int, sentence, hint string) {
	m.wrong(row, from, to, sentence, hint)
	m.done = true
}

func (m *misreader) line(line string) {
	column := len(line) - len(strings.TrimLeft(line, " "))
	rest := strings.TrimSpace(line)
	switch {
	case !utf8.ValidString(line):
		m.fatal(m.row, 0, 1, "this line is not UTF-8", "save the file again as UTF-8")
		return
	case m.text >= 0 && rest == "":
		return
	case m.text >= 0 && column > m.text:
		m.within(line, column)
		return
	}
	m.text = -1
	switch {
	case rest == "" || rest[0] == '#' || rest == "---":
		return
	case line[column] == '\t':
		m.fatal(m.row, column, column+len(line[column:])-len(strings.TrimLeft(line[column:], " \t")), "a tab stands in the indentation, where YAML takes blanks only",
			"put blanks in its place: two for each level, and the same for all keys of a rule")
		return
	}
	for dash := strings.HasPrefix(line[column:], "- ") || line[column:] == "-"; dash; dash = strings.HasPrefix(line[column:], "- ") || line[column:] == "-" {
		if fits, on := m.place(line, column, true); !fits || on {
			return
		}
		m.awaits = true
		column++
		column += len(line[column:]) - len(strings.TrimLeft(line[column:], " "))
		if column >= len(line) || line[column] == '#' {
			return
		}
	}
	m.member(line, column)
}

// within reads a line of a block of text. YAML ends the block before one that is indented less than its first.
func (m *misreader) within(line string, column int) {
	switch {
	case m.block < 0:
		m.block = column
	case column < m.block && line[column] != '#':
		m.fatal(m.row, column, len(strings.TrimRight(line, " \t")), fmt.Sprintf("this line is indented by %s, and the first of the text that it goes on with by %s", blanks(column), blanks(m.block)),
			fmt.Sprintf("put %s before it; before a key, %s", blanks(m.block), blanks(m.text)))
	}
}

// member reads what stands behind the dashes of a line: a key with its value, or a value.
func (m *misreader) member(line string, column int) {
	end := keyEnd(line, column)
	switch {
	case end == column:
		m.fatal(m.row, column, column+1, "the key is missing before this colon", "write key: value")
		return
	case end < 0:
		if last := len(m.levels) - 1; !m.awaits && last >= 0 && !m.levels[last].list && m.levels[last].indent >= column {
			m.fatal(m.row, column, len(strings.TrimRight(line, " \t")), "this line has no key", assigned(line)+"write key: value, with a blank behind the colon; a text of several lines begins with | and is indented below it")
			return
		}
		if m.awaits {
			m.value(line, column, column)
		}
		return
	}
	if fits, on := m.place(line, column, false); !fits || on {
		return
	}
	at := end + 1
	at += len(line[at:]) - len(strings.TrimLeft(line[at:], " \t"))
	if m.awaits = at >= len(line) || line[at] == '#'; !m.awaits {
		m.value(line, at, column)
	}
}

var assignmentSlip = regexp.MustCompile(`^[- ]*([A-Za-z_]\w*) *=+ *([^=].*?)\s*$`)

// assigned says how a line is written that has an equals sign where YAML wants a colon, "" where it has none.
func assigned(line string) string {
	if m := assignmentSlip.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf("a colon stands between a key and its value: %s: %s; ", m[1], m[2])
	}
	return ""
}

// keyEnd is where the colon of the key stands that begins at a place, -1 where there is none.
func keyEnd(line string, from int) int {
	at := from
	switch line[from] {
	case '"', '\'':
		if at = closing(line, from); at < 0 || at >= len(line) || line[at] != ':' {
			return -1
		}
		return at
	case '[', '{':
		return -1
	}
	return colon(line, at)
}

// colon is the next place where YAML sees the end of a key in a text without quotes, -1 where there is none.
func colon(line string, from int) int {
	for i := from; i < len(line); i++ {
		switch {
		case line[i] == ':' && (i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '\t'):
			return i
		case line[i] == '#' && i > from && line[i-1] == ' ':
			return -1
		}
	}
	return -1
}

// place finds the mapping or list that a key or dash at a column belongs to. It reports none that can be meant; on says that the line goes on
// with the text of the one before.
func (m *misreader) place(line string, column int, list bool) (fits, on bool) {
	deeper := -1 // the level that was left last
	for n := len(m.levels); n > 0 && m.levels[n-1].indent > column; n-- {
		deeper = m.levels[n-1].indent
		m.levels = m.levels[:n-1]
	}
	last := len(m.levels) - 1
	word := column + 1
	if !list { // of a line of dashes, each would be looked for in the rest
		word = max(word, colon(line, column))
	}
	switch {
	case last < 0 && deeper < 0:
		m.levels = append(m.levels, level{column, list})
	case last >= 0 && m.levels[last].indent == column:
		return m.beside(column, word, list), false
	case deeper >= 0:
		hint := fmt.Sprintf("what belongs together begins in one column: put %s before it, as above", blanks(deeper))
		if last >= 0 && m.levels[last].list == list {
			hint += ", or " + blanks(m.levels[last].indent)
		}
		m.fatal(m.row, column, word, fmt.Sprintf("this line is indented by %s, which fits none of the lines above", blanks(column)), hint)
		return false, false
	case m.awaits:
		m.levels = append(m.levels, level{column, list})
	case list:
		return true, true // a dash inside of a text that goes on
	case m.unspaced():
		return false, false
	default:
		m.fatal(m.row, column, word, "this line is indented deeper than the one that it follows, which has its value already",
			fmt.Sprintf("keys that belong together begin in one column: put %s before it; a text of several lines begins with |", blanks(m.levels[last].indent)))
		return false, false
	}
	return true, false
}

// noBlank is a key or dash with its value right behind it, which is a text to YAML.
var noBlank = regexp.MustCompile(`^ *(?:- )*(?:(-)\w[^:]*(?:: |$)|\w+(:)[^\s/:])`)

// unspaced reports the line above where it misses a blank, and the next is indented as if it had it.
func (m *misreader) unspaced() bool {
	row := m.row - 1
	for row >= 0 && strings.TrimSpace(m.lines[row]) == "" {
		row--
	}
	if row < 0 {
		return false
	}
	at := noBlank.FindStringSubmatchIndex(m.lines[row])
	if at == nil {
		return false
	}
	from := max(at[2], at[4])
	m.fatal(row, from, from+1, fmt.Sprintf("a blank is missing behind this %c", m.lines[row][from]), "write key: value, and - before an entry of a list, each with a blank behind it")
	return true
}

// beside adds a key or dash to what stands in the same column.
func (m *misreader) beside(column, word int, list bool) bool {
	last := len(m.levels) - 1
	switch {
	case m.levels[last].list == list:
	case list && m.awaits: // a list may stand in the column of its key
		m.levels = append(m.levels, level{column, true})
	case list:
		m.fatal(m.row, column, word, "an entry of a list begins here, among keys", "a list stands under a key that has no value of its own: providers: and then - ups")
		return false
	case last > 0 && m.levels[last-1].indent == column: // the list in the column of its key is over
		m.levels = m.levels[:last]
	default:
		m.fatal(m.row, column, word, "a key begins here, among the entries of a list", fmt.Sprintf("begin the entry with -, or indent the key by %s where it belongs to the entry above", blanks(column+2)))
		return false
	}
	return true
}

func blanks(n int) string {
	if n == 1 {
		return "1 blank"
	}
	return fmt.Sprintf("%d blanks", n)
}

// value reads a value that begins at a place; key is the column of what it belongs to.
func (m *misreader) value(line string, at, key int) {
	m.awaits = false
	switch c := line[at]; {
	case c == '|' || c == '>':
		m.text, m.block = key, -1
		if mark, _, _ := strings.Cut(line[at:], "#"); strings.ContainsAny(mark, "123456789") {
			m.block = 0 // every line may begin where it likes
		}
	case c == '"' || c == '\'':
		m.quoted(at)
	case c == '[' || c == '{':
		m.flow(at, key)
	case c == '@' || c == '`' || c == '%':
		m.fatal(m.row, at, at+1, fmt.Sprintf("a text cannot begin with %c without quotes", c), "put the whole text into single quotes")
	case strings.HasPrefix(line[at:], "- "):
		m.fatal(m.row, at, at+1, "a list cannot begin behind its key", "begin it on the next line, or write it in brackets: [ups, fedex]")
	default:
		if second := colon(line, at); second >= 0 {
			m.plain(line, at, second)
		}
	}
}

// plain reports a text without quotes that has a colon in it, and mends it.
func (m *misreader) plain(line string, at, second int) {
	end, _, _ := strings.Cut(line[at:], " #")
	text := strings.TrimRight(end, " \t")
	hint := "put the whole text into single quotes: '" + text + "'"
	if strings.TrimSpace(line[:at]) == "tag:" && second == at+len(text)-1 {
		hint = "a tag is written without a blank: tag:" + text
	}
	m.wrong(m.row, second, second+1, `to YAML a colon with a blank behind it ends a key, and this text has a key already`, hint)
	m.lines[m.row] = line[:at] + "'" + strings.ReplaceAll(text, "'", "''") + "'" + line[at+len(text):]
	m.mends++
}

// quoted goes to the end of a text in quotes, which may be lines below.
func (m *misreader) quoted(at int) {
	row, quote := m.row, m.lines[m.row][at]
	for i := at + 1; m.row < len(m.lines); m.row, i = m.row+1, 0 {
		line := m.lines[m.row]
		for ; i < len(line); i++ {
			switch {
			case quote == '"' && line[i] == '\\':
				if i+1 < len(line) && !strings.ContainsRune("0abt\tnvfre \"/\\N_LPxuU", rune(line[i+1])) {
					m.fatal(m.row, i, i+2, fmt.Sprintf(`in double quotes \ begins a sign of its own, and there is no %s`, line[i:i+2]), "single quotes take every sign as it stands")
					return
				}
				i++
			case quote == '\'' && strings.HasPrefix(line[i:], "''"):
				i++
			case line[i] == quote:
				return
			}
		}
	}
	m.fatal(row, at, at+1, "the quotes that begin here are not closed", fmt.Sprintf("close them with %c", quote))
}
