package portal

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"

	"github.com/waybill-dev/waybill/core/config"
)

//go:embed words/*.yaml
var wordFiles embed.FS

// languages are those that the page speaks by itself; the first is that of words that others lack.
var languages = []string{"en", "de", "es", "fr"}

// builtin are the words by language. The files are a part of the program, so a faulty one is a fault of the program.
var builtin = func() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, lang := range languages {
		b, err := wordFiles.ReadFile("words/" + lang + ".yaml")
		if err == nil {
			words := map[string]string{}
			err = yaml.Unmarshal(b, &words)
			out[lang] = words
		}
		if err != nil {
			panic(fmt.Sprintf("words of %s: %v", lang, err))
		}
	}
	return out
}()

// words are the words of one page.
type words struct {
	Lang   string
	layers []map[string]string // the first that has a word counts
}

// wordsFor picks the language of a page: that of the order, else that which the browser asks for, else the tenant's. A tenant's own
// words come before ours.
func wordsFor(p *config.Portal, locale, accept string) words {
	names := append([]string{p.Language}, languages...)
	for lang := range p.Words {
		names = append(names, lang)
	}
	tags := make([]language.Tag, len(names))
	for i, n := range names {
		tags[i] = language.Make(n)
	}
	matcher := language.NewMatcher(tags)
	var asked []language.Tag
	if t, err := language.Parse(strings.ReplaceAll(locale, "_", "-")); err == nil && locale != "" {
		asked = append(asked, t)
	}
	if len(accept) <= 200 {
		more, _, _ := language.ParseAcceptLanguage(accept) // what cannot be read asks for nothing
		asked = append(asked, more...)
	}
	_, i, confidence := matcher.Match(asked...)
	if confidence == language.No {
		i = 0
	}
	tag := tags[i]
	base, _ := tag.Base()
	w := words{Lang: tag.String()}
	for _, lang := range []string{names[i], base.String()} {
		w.layers = append(w.layers, p.Words[lang], builtin[lang])
	}
	w.layers = append(w.layers, p.Words[languages[0]], builtin[languages[0]])
	return w
}

// Say returns a word, its {names} filled in: names and values in turn.
func (w words) Say(key string, fill ...string) string {
	text := key
	for _, layer := range w.layers {
		if t, ok := layer[key]; ok {
			text = t
			break
		}
	}
	if len(fill) == 0 {
		return text
	}
	pairs := make([]string, len(fill))
	for i := 0; i+1 < len(fill); i += 2 {
		pairs[i], pairs[i+1] = "{"+fill[i]+"}", fill[i+1]
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// has reports whether there is such a word.
func (w words) has(key string) bool {
	for _, layer := range w.layers {
		if _, ok := layer[key]; ok {
			return true
		}
	}
	return false
}

func (w words) nth(key string, i int) string {
	all := strings.Split(w.Say(key), ",")
	if i < len(all) {
		return strings.TrimSpace(all[i])
	}
	return fmt.Sprint(i + 1)
}

// day is "Today", "Tomorrow" or a date, of a time that is in the zone of the reader already.
func (w words) day(t, now time.Time) string {
	now = now.In(t.Location())
	switch {
	case sameDay(t, now):
		return w.Say("today")
	case sameDay(t, now.AddDate(0, 0, 1)):
		return w.Say("tomorrow")
	}
	return w.Say("date", "weekday", w.nth("weekdays", int(t.Weekday())), "day", fmt.Sprint(t.Day()), "month", w.nth("months", int(t.Month())-1))
}

func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

func (w words) clock(t time.Time) string {
	if w.Say("clock") == "12" {
		return t.Format("3:04 PM")
	}
	return t.Format("15:04")
}

// moment is a day and a time.
func (w words) moment(t, now time.Time) string {
	return w.Say("moment", "day", w.day(t, now), "time", w.clock(t))
}
