package carrier

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzRecordedBody(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"x","list":["a",{"token":[1,"b"]}],"n":null}`, `{"password" : 12, "image":"` + strings.Repeat("QUJD", 200) + `"}`,
		`grant_type=client&client_secret=x`, `{"token":"cut`, "<xml>\xff</xml>", `{"a\"b":"c\\","token":true}`, `{"token":[`,
	} {
		f.Add("application/json", seed, 100)
		f.Add("application/x-www-form-urlencoded", seed, 3)
	}
	r := newRedactor([]string{"hunter2!"})
	f.Fuzz(func(t *testing.T, contentType, body string, limit int) {
		limit = max(limit%10_000, 0)
		for _, b := range []string{body, body + "hunter2!" + body, `{"client_secret":"` + "sesame-77" + `",` + body} {
			got, _ := r.body(contentType, []byte(b), limit)
			if len(got) > limit+len("[label 99999999 bytes]") || !utf8.ValidString(got) || strings.Contains(got, "hunter2!") {
				t.Errorf("kept %d bytes of %d: %q", len(got), limit, got)
			}
			if strings.HasPrefix(b, `{"client_secret"`) && contentType == "application/json" && !strings.Contains(body, "sesame-77") && strings.Contains(got, "sesame-77") {
				t.Errorf("the secret is kept: %q", got)
			}
		}
	})
}

func TestRedactedJSONKeepsItsShape(t *testing.T) {
	for in, want := range map[string]string{
		`{"token":"a","b":"c"}`:                   `{"token":"REDACTED","b":"c"}`,
		`{"token": 12.5, "b":1}`:                  `{"token": "REDACTED", "b":1}`,
		`{"token":null}`:                          `{"token":"REDACTED"}`,
		`{"tokens":1,"token":["a", "b"],"c":"d"}`: `{"tokens":1,"token":["REDACTED", "REDACTED"],"c":"d"}`,
		`{"token":{"id":"a","secret":"b"}}`:       `{"token":{"id":"a","secret":"REDACTED"}}`,
		`{"Client-Secret":"a\"b","x":"\\"}`:       `{"Client-Secret":"REDACTED","x":"\\"}`,
		`{"note":"the token: \"x\"","token":""}`:  `{"note":"the token: \"x\"","token":"REDACTED"}`,
	} {
		if got, cut := newRedactor(nil).body("application/json", []byte(in), 1000); got != want || cut {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}
