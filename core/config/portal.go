package config

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Portal is how a tenant's page for buyers looks and speaks.
type Portal struct {
	Enabled bool   `yaml:"enabled"` // default false: links lead to the carriers' own pages
	Name    string `yaml:"name"`    // what the page calls the shop; default the tenant's name, else its id
	LogoURL string `yaml:"logo_url"`
	Colors  Colors `yaml:"colors"`
	// SupportURL is where a buyer finds help: https://…, mailto:… or tel:….
	SupportURL string `yaml:"support_url"`
	// Language is that of buyers whose order and browser name none that the page speaks; default en.
	Language string `yaml:"language"`
	// Words replace or add words of the buyers' pages, by language (en, de, fr-CA, …) and key; core/web/words lists the keys.
	Words map[string]map[string]string `yaml:"words"`
}

// Colors are written as #rrggbb. Text is always kept readable: what is written in or on a colour is shifted until it is.
type Colors struct {
	Primary string `yaml:"primary"` // of the header and what has been reached; default #1f5fd6
	Accent  string `yaml:"accent"`  // of links and the present step; default the primary colour
}

var hexColor = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func (p *Portal) defaults(t *Tenant) {
	fill(&p.Name, t.Name)
	fill(&p.Name, t.ID)
	fill(&p.Colors.Primary, "#1f5fd6")
	fill(&p.Colors.Accent, p.Colors.Primary)
	fill(&p.Language, "en")
}

// Bounds of the words that a tenant writes.
const (
	maxWords = 500
	maxWord  = 500
)

func checkPortal(p *Portal, path string, at reporter) {
	var f shipping.Faults
	f.Line("name", p.Name, shipping.MaxText)
	report(f, path, at)
	if u, err := url.Parse(p.LogoURL); p.LogoURL != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(p.LogoURL, " ;,'\"")) {
		at(path+".logo_url", "write it as https://host/logo.svg; commas, semicolons and quotes percent-encoded", "%q is not an https URL", p.LogoURL)
	}
	if u, err := url.Parse(p.SupportURL); p.SupportURL != "" && (err != nil || !slices.Contains([]string{"https", "http", "mailto", "tel"}, u.Scheme)) {
		at(path+".support_url", "write it as https://…, mailto:… or tel:…", "%q is not a link", p.SupportURL)
	}
	for name, color := range map[string]string{"primary": p.Colors.Primary, "accent": p.Colors.Accent} {
		if !hexColor.MatchString(color) {
			at(path+".colors."+name, "write it as #rrggbb, such as #1f5fd6", "%q is not a colour", color)
		}
	}
	checkLanguage(p.Language, path+".language", at)
	for _, lang := range slices.Sorted(maps.Keys(p.Words)) {
		where := path + ".words." + lang
		checkLanguage(lang, where, at)
		if len(p.Words[lang]) > maxWords {
			at(where, "", "has more than %d words", maxWords)
		}
		for _, key := range slices.Sorted(maps.Keys(p.Words[lang])) {
			if text := p.Words[lang][key]; len(text) > maxWord {
				at(fmt.Sprintf("%s.%s", where, key), "", "is longer than %d bytes", maxWord)
			}
		}
	}
}

func checkLanguage(tag, path string, at reporter) {
	if _, err := language.Parse(tag); err != nil {
		at(path, "use a BCP 47 tag such as en, de or fr-CA", "%q is not a language", tag)
	}
}
