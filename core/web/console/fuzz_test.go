package console_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// FuzzTryBody tries anything: it is refused, or answered with problems, or with what the rules decide, never with a fault of the engine's,
// and nothing is stored.
func FuzzTryBody(f *testing.F) {
	seed := func(q question) {
		b, err := json.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	seed(question{Files: shop(shopRules), Test: "shop.test.yaml", Case: 1})
	seed(question{Files: shop(shopRules), Test: "shop.test.yaml", Case: -7})
	seed(question{Files: shop(shopRules), Test: "none.test.yaml", Foreign: true})
	seed(question{Files: shop(shopRules), Order: "nobody"})
	seed(question{Files: shop("rules: 1\nproviders: [ups]\nwarn: [{ name: W, when: 1 / 0 > 1, message: m }]\n"), Test: "shop.test.yaml"})
	for _, body := range []string{``, `{}`, `[]`, `null`, `{"files":null}`, `{"files":[null]}`, `{"files":[{"name":"x.rules.yaml","text":"["}]}`, `{"files":[{"name":"../x","text":"rules: 1\n"}]}`,
		`{"files":[{"name":"a.test.yaml","text":"tests: 1\ncases: []\n"}],"test":"a.test.yaml"}`, `{"files":[],"files":[]}`, `{"case":1e9}`, `{"more":1}`} {
		f.Add([]byte(body))
	}
	s := open(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := s.Store.Commits()
		q := httptest.NewRequest(http.MethodPost, "/console/api/rules/try", bytes.NewReader(body))
		q.Header.Set("x-api-key", s.Key)
		w := httptest.NewRecorder()
		s.Router.ServeHTTP(w, q)
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatalf("%d: %v: %q", w.Code, err, w.Body)
		}
		switch w.Code {
		case http.StatusOK:
			if a.Hash == "" && len(a.Problems) == 0 || a.Hash == "" && a.Decision != nil {
				t.Fatalf("neither problems nor rules: %s", w.Body)
			}
		case http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
		if s.Store.Commits() != before {
			t.Fatal("a question was stored")
		}
	})
}
