// Package words is what the buyers' pages say, in several languages: the tenant's own words before ours. Each language is a file of keys
// and texts beside this one; keys of the page of returns begin with "returns.".
package words

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"

	"github.com/waybill-dev/waybill/core/config"
)

//go:embed *.yaml
var wordFiles embed.FS

// languages are those that the pages speak by themselves; the first is that of words that others lack.
var languages = []string{"en", "de", "es", "fr"}

// builtin are the words by language. The files are a part of the program, so a faulty one is a fault of the program.
var builtin = func() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, lang := range languages {
		b, err := wordFiles.ReadFile(lang + ".yaml")
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

// Words are the words of one page.
type Words struct {
	Lang   string              // of the page, as BCP 47 writes it
	layers []map[string]string // the first that has a word counts
	own    []map[string]string // those of layers that are the tenant's, in the language of the page
}

// For picks the language of a page: that of the order, else that which the browser asks for, else the tenant's. A tenant's own
// words come before ours.
func For(p *config.Portal, locale, accept string) Words {
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
	w := Words{Lang: tag.String()}
	for _, lang := range []string{names[i], base.String()} {
		w.layers = append(w.layers, p.Words[lang], builtin[lang])
		w.own = append(w.own, p.Words[lang])
	}
	w.layers = append(w.layers, p.Words[languages[0]], builtin[languages[0]])
	return w
}

// Neutral are the words of a page that belongs to no tenant.
func Neutral(accept string) Words {
	return For(&config.Portal{Language: languages[0]}, "", accept)
}

// Builtin returns our own word in the first of our languages.
func Builtin(key string) string { return builtin[languages[0]][key] }

// Say returns a word, its {names} filled in: names and values in turn.
func (w Words) Say(key string, fill ...string) string {
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

// Has reports whether there is such a word.
func (w Words) Has(key string) bool {
	for _, layer := range w.layers {
		if _, ok := layer[key]; ok {
			return true
		}
	}
	return false
}

func (w Words) nth(key string, i int) string {
	all := strings.Split(w.Say(key), ",")
	if i < len(all) {
		return strings.TrimSpace(all[i])
	}
	return fmt.Sprint(i + 1)
}

// Day is "Today", "Tomorrow" or a date, of a time that is in the zone of the reader already.
func (w Words) Day(t, now time.Time) string {
	now = now.In(t.Location())
	switch {
	case SameDay(t, now):
		return w.Say("today")
	case SameDay(t, now.AddDate(0, 0, 1)):
		return w.Say("tomorrow")
	}
	return w.Say("date", "weekday", w.nth("weekdays", int(t.Weekday())), "day", fmt.Sprint(t.Day()), "month", w.nth("months", int(t.Month())-1))
}

// Date is a date with its year.
func (w Words) Date(t time.Time) string {
	return w.Say("date.year", "day", fmt.Sprint(t.Day()), "month", w.nth("months", int(t.Month())-1), "year", fmt.Sprint(t.Year()))
}

// Own returns the tenant's own word in the language of the page, "" where it has none.
func (w Words) Own(key string) string {
	for _, layer := range w.own {
		if t, ok := layer[key]; ok {
			return t
		}
	}
	return ""
}

// SameDay reports whether two times of one zone lie on one day.
func SameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

// Clock is a time of the day.
func (w Words) Clock(t time.Time) string {
	if w.Say("clock") == "12" {
		return t.Format("3:04 PM")
	}
	return t.Format("15:04")
}

// Moment is a day and a time.
func (w Words) Moment(t, now time.Time) string {
	return w.Say("moment", "day", w.Day(t, now), "time", w.Clock(t))
}
