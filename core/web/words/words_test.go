package words

import (
	"maps"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/core/config"
)

// TestLanguagesHaveEveryWord: no language lacks a word that another has, and none has one that is never said.
func TestLanguagesHaveEveryWord(t *testing.T) {
	want := slices.Sorted(maps.Keys(builtin["en"]))
	for _, lang := range languages {
		if got := slices.Sorted(maps.Keys(builtin[lang])); !slices.Equal(got, want) {
			t.Errorf("%s has %d words, en %d", lang, len(got), len(want))
		}
		w := For(&config.Portal{Language: lang}, "", "")
		if w.nth("months", 11) == "12" || w.nth("weekdays", 6) == "7" {
			t.Errorf("%s lacks a month or a day", lang)
		}
	}
}
