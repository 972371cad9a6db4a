package console_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/web/console"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }

const (
	shopRules = `rules: 1
name: Watch shop
currency: USD
providers: [ups, doordash]

exclude:
  - name: Couriers carry up to 60 lb
    when: order.weight > lb(60)
    providers: [doordash]
    reason: too heavy

rank: { score: dollars(option.cost) + option.transit_days * 0.50 }
`
	shopTests = `tests: 1
fixtures:
  quotes:
    usual:
      - { provider: ups, service: ground, fee: 9.50 USD, transit_days: 3 }
      - { provider: doordash, fee: 6.00 USD, dropoff_in: 45m }
cases:
  - { name: light things, order: { id: g1, weight: 12 lb }, quotes: usual, expect: { chosen: doordash } }
  - { name: heavy things, order: { id: g2, weight: 75 lb }, quotes: usual, expect: { chosen: ups } }
`
)

// site is the console beside the API, for a shop whose rules stand in a folder.
type site struct {
	*apitest.Harness
	t      testing.TB
	folder string
	live   atomic.Pointer[console.Live]
}

func open(t testing.TB) *site { return openOn(t, nil) }

// openOn opens a site whose tries are bounded by a clock, the real one where nil.
func openOn(t testing.TB, c clock.Clock) *site {
	s := &site{Harness: apitest.New(t), t: t, folder: t.TempDir()}
	for name, text := range map[string]string{"shop.rules.yaml": shopRules, "shop.test.yaml": shopTests} {
		if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := rules.LoadDir(os.DirFS(s.folder), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.live.Store(&console.Live{Bundle: b, Since: time.Date(2026, 3, 7, 9, 0, 0, 0, time.UTC)})
	s.Config.Tenants["shop"].Rules = s.folder
	console.Mount(s.Router, console.Settings{
		Orders: s.Service, Live: func(string) console.Live { return *s.live.Load() },
		Providers: func(*config.Tenant) map[string]rules.Provider {
			return map[string]rules.Provider{"ups": {}, "doordash": {}}
		},
		Examples: os.DirFS("../../../examples/rules"), Clock: c,
	})
	return s
}

// call sends a request and returns the answer with its body.
func (s *site) call(method, path, key string, body any) (*http.Response, []byte) {
	s.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	q, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	if key != "" {
		q.Header.Set("x-api-key", key)
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, answer
}

// get decodes the answer to a request that must succeed.
func (s *site) get(method, path string, body, into any) {
	s.t.Helper()
	res, answer := s.call(method, path, s.Key, body)
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		s.t.Fatalf("%v: %s", err, answer)
	}
}

type file struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

type question struct {
	Files   []file `json:"files"`
	Test    string `json:"test,omitempty"`
	Case    int    `json:"case,omitempty"`
	Order   string `json:"order,omitempty"`
	Foreign bool   `json:"foreign,omitempty"`
}

// answer is what the tests read of an answer.
type answer struct {
	Problems []rules.Problem `json:"problems"`
	Hash     string          `json:"hash"`
	Live     bool            `json:"live"`
	Cases    []struct {
		Name, State string
		Unread      []string
	} `json:"cases"`
	Failures []rules.Failure `json:"failures"`
	Recorded string          `json:"recorded"`
	Unknown  []string        `json:"unknown"`
	Decision *struct {
		Sentence string `json:"sentence"`
		Options  []struct {
			Account string `json:"account"`
			Rank    int    `json:"rank"`
			Out     bool   `json:"out"`
			Terms   []struct {
				Text, Value string
			} `json:"terms"`
			Why []string `json:"why"`
		} `json:"options"`
		Sections []struct {
			Title, Text string
		} `json:"sections"`
		Notes []struct {
			Kind, Text string
		} `json:"notes"`
	} `json:"decision"`
}

func shop(text string) []file {
	return []file{{"shop.rules.yaml", text}, {"shop.test.yaml", shopTests}}
}

func TestTryTellsWhatChooseWants(t *testing.T) {
	s := open(t)
	var a answer
	s.get("POST", "/console/api/rules/try", question{Files: shop(shopRules + "choose:\n  - { name: Parcels first, when: order.weight < lb(20), prefer: [ups] }\n"),
		Test: "shop.test.yaml", Case: 0}, &a)
	want := `prefer ups, by "Parcels first" as order.weight < lb(20); the ranking alone has doordash/delivery first`
	if a.Decision == nil || len(a.Decision.Notes) != 1 || a.Decision.Notes[0].Kind != "chosen" || a.Decision.Notes[0].Text != want {
		t.Errorf("%+v", a.Decision)
	}
}

// TestTryTellsWhoIsDenied: what a rule of choose asks for, and a guard takes out, is not what is chosen.
func TestTryTellsWhoIsDenied(t *testing.T) {
	s := open(t)
	var a answer
	s.get("POST", "/console/api/rules/try", question{Files: shop(shopRules + "choose:\n  - { name: Parcels first, prefer: [ups] }\n" +
		"guard:\n  - { name: Not dear, applies: 'option.provider == \"ups\"', max_fee: 1.00, on_breach: next }\n"), Test: "shop.test.yaml", Case: 0}, &a)
	want := `prefer ups, by "Parcels first"; ups/ground is out by guard "Not dear"`
	if a.Decision == nil || a.Decision.Notes[0].Kind != "asked for" || a.Decision.Notes[0].Text != want {
		t.Errorf("%+v", a.Decision)
	}
}

// TestTryTellsOnceWhatFailed: of a rule that failed before anybody was asked too.
func TestTryTellsOnceWhatFailed(t *testing.T) {
	s := open(t)
	var a answer
	s.get("POST", "/console/api/rules/try", question{Files: shop(shopRules + "set:\n  - { name: Odd, when: 1 % (order.line_count - order.line_count) == 1, set: { signature: adult } }\n"),
		Test: "shop.test.yaml", Case: 0}, &a)
	if a.Decision == nil || len(a.Decision.Notes) != 1 || a.Decision.Notes[0].Kind != "failed" || !strings.HasPrefix(a.Decision.Notes[0].Text, `Rule "Odd" (set) failed and was not applied: `) {
		t.Errorf("%+v", a.Decision)
	}
}

// TestTryKnowsTheLocations: rules that the engine would refuse for a location's name are faulty here too; rules of elsewhere are not.
func TestTryKnowsTheLocations(t *testing.T) {
	s := open(t)
	files := shop(shopRules + "warn:\n  - { name: W, message: x, locations: [nowhere-at-all] }\n")
	var a, foreign answer
	s.get("POST", "/console/api/rules/try", question{Files: files, Test: "shop.test.yaml", Case: 0}, &a)
	if len(a.Problems) != 1 || a.Problems[0].Code != "E110" || a.Decision != nil {
		t.Errorf("%+v", a)
	}
	s.get("POST", "/console/api/rules/try", question{Files: files, Test: "shop.test.yaml", Case: 0, Foreign: true}, &foreign)
	if foreign.Decision == nil {
		t.Errorf("%+v", foreign)
	}
}

func TestTryDecidesATest(t *testing.T) {
	s := open(t)
	var a answer
	s.get("POST", "/console/api/rules/try", question{Files: shop(shopRules), Test: "shop.test.yaml", Case: 1}, &a)
	if len(a.Problems) != 0 || !a.Live || a.Hash != s.live.Load().Bundle.Hash() || len(a.Cases) != 2 || a.Cases[0].State != "passed" || a.Cases[1].Name != "heavy things" {
		t.Errorf("%+v", a)
	}
	d := a.Decision
	if d == nil || !strings.HasPrefix(d.Sentence, "ups ground at 9.50 USD was chosen") || len(d.Options) != 2 {
		t.Fatalf("decision %+v", d)
	}
	if o := d.Options[0]; o.Account != "ups" || o.Rank != 1 || len(o.Terms) != 2 || o.Terms[1].Value != "1.50" {
		t.Errorf("the winner is %+v", o)
	}
	if o := d.Options[1]; !o.Out || len(o.Why) == 0 || !strings.Contains(o.Why[0], "too heavy") {
		t.Errorf("the loser is %+v", o)
	}
	all := ""
	for _, x := range d.Sections {
		if x.Text == "" {
			t.Errorf("section %q says nothing", x.Title)
		}
		all += x.Title + "\n" + x.Text
	}
	if !strings.Contains(all, "order.weight > lb(60)") || !strings.Contains(all, "= true") {
		t.Errorf("the explanation is\n%s", all)
	}
	var b answer
	s.get("POST", "/console/api/rules/try", question{Files: shop(strings.Replace(shopRules, "lb(60)", "lb(80)", 1)), Test: "shop.test.yaml", Case: 1}, &b)
	if b.Live || b.Cases[1].State != "failed" || len(b.Failures) != 1 || !strings.HasPrefix(b.Decision.Sentence, "doordash") {
		t.Errorf("other rules: %+v", b)
	}
	if after := s.live.Load().Bundle.Hash(); after != a.Hash {
		t.Error("the live rules have changed")
	}
}

// TestTryJudgesTheExamples: what the page offers to begin from passes there as it does in a folder, and what cannot be compared there is said.
func TestTryJudgesTheExamples(t *testing.T) {
	s := open(t)
	var offered struct {
		Folders []struct {
			Name    string
			Foreign bool
			Files   []file
		}
	}
	s.get("GET", "/console/api/rules", nil, &offered)
	unread := map[string][]string{}
	for _, folder := range offered.Folders {
		for _, f := range folder.Files {
			if !strings.HasSuffix(f.Name, ".test.yaml") {
				continue
			}
			var a answer
			s.get("POST", "/console/api/rules/try", question{Files: folder.Files, Test: f.Name, Foreign: folder.Foreign}, &a)
			for _, c := range a.Cases {
				if c.State != "passed" {
					t.Errorf("%s, %s, %s: %q %v", folder.Name, f.Name, c.Name, c.State, a.Failures)
				}
				unread[folder.Name] = append(unread[folder.Name], c.Unread...)
			}
		}
	}
	if got := unread["example: split"]; len(got) != 1 || got[0] != "why/heavy.txt" {
		t.Errorf("not compared of the split: %v", unread)
	}
}

func TestTryTellsMistakes(t *testing.T) {
	s := open(t)
	var a answer
	s.get("POST", "/console/api/rules/try", question{Files: shop(strings.Replace(shopRules, "order.weight", "order.wieght", 1)), Test: "shop.test.yaml"}, &a)
	if len(a.Problems) != 1 || a.Problems[0].Line != 8 || a.Problems[0].Column != 17 || a.Problems[0].End != 23 || a.Problems[0].DidYouMean != "weight" || a.Decision != nil || a.Hash != "" {
		t.Errorf("%+v", a)
	}
	s.get("POST", "/console/api/rules/try", question{Files: []file{{"shop.rules.yaml", shopRules}, {"shop.test.yaml", "tests: 1\ncases: [{ name: x, expect: { choosen: ups } }]\n"}}, Test: "shop.test.yaml"}, &a)
	if len(a.Problems) != 1 || a.Problems[0].File != "shop.test.yaml" || a.Problems[0].Line != 2 {
		t.Errorf("%+v", a.Problems)
	}
	foreign := question{Files: []file{{"x.rules.yaml", "rules: 1\nproviders: [pigeon]\nwarn: [{ name: W, when: order.quantity >= 0, message: m }]\n"}}}
	s.get("POST", "/console/api/rules/try", foreign, &a)
	if len(a.Problems) != 1 || a.Problems[0].Code != "E105" {
		t.Errorf("an account that there is not: %+v", a.Problems)
	}
	foreign.Foreign = true
	s.get("POST", "/console/api/rules/try", foreign, &a)
	if len(a.Problems) != 1 || a.Problems[0].Code != "W602" {
		t.Errorf("files of somebody else: %+v", a.Problems)
	}
}

const order = `{"locationExternalId": "7709", "orderExternalId": "stored-1", "orderValue": 60, "deliveryContact": {"name": "Ann Example", "phone": "+1 234-567-8900"},
	"deliveryAddress": {"street1": "725 Albany Street", "city": "Boston", "state": "MA", "postalCode": "02118", "countryCode": "US"}, "package": {"name": "small"}}`

func TestTryDecidesAStoredOrder(t *testing.T) {
	s := open(t)
	s.Do("POST", "/shipments", order).Want(http.StatusCreated)
	var state struct {
		Orders  []struct{ ID, Location string }
		Live    struct{ Name, Version, Since, Problem string }
		Folders []struct {
			Name    string
			Foreign bool
			Files   []file
		}
	}
	s.get("GET", "/console/api/rules", nil, &state)
	if len(state.Orders) != 1 || state.Orders[0].ID != "stored-1" || state.Orders[0].Location != "7709" || state.Live.Name != "Watch shop" || state.Live.Since != "2026-03-07T09:00:00Z" {
		t.Errorf("%+v", state)
	}
	if len(state.Folders) != 5 || state.Folders[0].Foreign || state.Folders[0].Files[0].Text != shopRules || !state.Folders[1].Foreign {
		t.Errorf("folders %+v", state.Folders)
	}
	var a answer
	s.get("POST", "/console/api/rules/try", question{Files: shop(shopRules), Order: "stored-1"}, &a)
	if a.Decision == nil || a.Recorded == "" || len(a.Decision.Options) == 0 || len(a.Cases) != 0 {
		t.Fatalf("%+v", a)
	}
	var b answer
	s.get("POST", "/console/api/rules/try", question{Files: shop(strings.Replace(shopRules, "order.weight > lb(60)", "order.weight > lb(1)", 1)), Order: "stored-1"}, &b)
	if !strings.HasPrefix(b.Decision.Sentence, "UPS") || b.Recorded != a.Recorded {
		t.Errorf("%s\n%s", b.Decision.Sentence, b.Recorded)
	}
	var other answer
	s.get("POST", "/console/api/rules/try", question{Files: shop(shopRules + "\nset:\n  - { name: Sign, set: { signature: required } }\n"), Order: "stored-1"}, &other)
	if !slices.Contains(other.Unknown, "quotes for the new signature") || !strings.HasPrefix(other.Decision.Sentence, "Not known: ") {
		t.Errorf("carriers would be told otherwise: unknown %v, %s", other.Unknown, other.Decision.Sentence)
	}
	if res, text := s.call("POST", "/console/api/rules/try", s.OtherKey, question{Files: shop(shopRules), Foreign: true, Order: "stored-1"}); res.StatusCode != http.StatusNotFound {
		t.Errorf("the rival's key: %d %s", res.StatusCode, text)
	}
	broken := *s.live.Load()
	broken.Problem = errors.New("shop.rules.yaml:3:1: unknown key")
	s.live.Store(&broken)
	s.get("GET", "/console/api/rules", nil, &state)
	if !strings.Contains(state.Live.Problem, "unknown key") {
		t.Errorf("%+v", state.Live)
	}
}

func TestTryIsBounded(t *testing.T) {
	s := open(t)
	many := question{}
	for range 51 {
		many.Files = append(many.Files, file{"a.rules.yaml", ""})
	}
	for name, c := range map[string]struct {
		body   any
		key    string
		status int
	}{
		"no key":          {question{}, "", http.StatusUnauthorized},
		"a wrong key":     {question{}, "nope", http.StatusUnauthorized},
		"too many files":  {many, s.Key, http.StatusBadRequest},
		"another body":    {map[string]any{"fils": 1}, s.Key, http.StatusBadRequest},
		"too large":       {question{Files: []file{{"a.rules.yaml", strings.Repeat("x", 2<<20)}}}, s.Key, http.StatusRequestEntityTooLarge},
		"an unknown case": {question{Files: shop(shopRules), Test: "shop.test.yaml", Case: 99}, s.Key, http.StatusOK},
		"no such order":   {question{Files: shop(shopRules), Order: "none"}, s.Key, http.StatusNotFound},
	} {
		if res, text := s.call("POST", "/console/api/rules/try", c.key, c.body); res.StatusCode != c.status {
			t.Errorf("%s: %d, want %d: %s", name, res.StatusCode, c.status, text)
		}
	}
	var a answer
	s.get("POST", "/console/api/rules/try", question{Files: []file{{"a.rules.yaml", "rules: 1\nexclude: [{ name: A, when: '" + strings.Repeat("(", 1500) + "' }]\n"}}}, &a)
	if len(a.Problems) == 0 || a.Problems[0].Code[:2] != "E4" {
		t.Errorf("%+v", a.Problems)
	}
}

// TestTryLooksIntoEndlessRules as quickly as into others, and says of what it has not looked at.
func TestTryLooksIntoEndlessRules(t *testing.T) {
	s := open(t)
	for _, name := range []string{"lets that double", "lets that square", "nested choices"} {
		var a answer
		s.get("POST", "/console/api/rules/try", question{Files: []file{{"a.rules.yaml", measure.EndlessFiles()[name]}}, Foreign: true}, &a)
		if !slices.ContainsFunc(a.Problems, func(p rules.Problem) bool { return p.Code == "W629" }) {
			t.Errorf("%s: %+v", name, a.Problems)
		}
	}
}

// TestTryStopsRunawayRules: rules that would go through a long text without end are decided and explained, and say why they failed.
func TestTryStopsRunawayRules(t *testing.T) {
	s := open(t)
	long := "tests: 1\ncases:\n  - { name: A, order: { attributes: { x: " + strings.Repeat("ab", 5000) + " } }, expect: { none: true } }\n"
	var a answer
	s.get("POST", "/console/api/rules/try", question{Files: []file{{"a.rules.yaml", measure.RunawayFiles()["wide patterns"]}, {"a.test.yaml", long}}, Test: "a.test.yaml"}, &a)
	if a.Decision == nil || !strings.Contains(fmt.Sprint(a.Failures), "too long for the pattern") {
		t.Errorf("%+v: %v", a.Cases, a.Failures)
	}
}

// hurried is a clock on which everything that is waited for has come.
type hurried struct{ clock.Clock }

func (h hurried) NewTimer(time.Duration) clock.Timer { return h.Clock.NewTimer(0) }

// TestTryEndsInTime: lint of a long list that many rules ask says that it was not finished when its time is over, and the chosen test is decided all the same.
func TestTryEndsInTime(t *testing.T) {
	s := openOn(t, hurried{clock.NewManual(time.Date(2026, 3, 7, 9, 0, 0, 0, time.UTC))})
	files := []file{{"a.rules.yaml", measure.EndlessFiles()["a long list"]}, {"shop.test.yaml", shopTests}}
	var a answer
	s.get("POST", "/console/api/rules/try", question{Files: files, Test: "shop.test.yaml", Foreign: true}, &a)
	if !slices.ContainsFunc(a.Problems, func(p rules.Problem) bool {
		return p.Code == "W630" && strings.Contains(p.Sentence, "was not finished")
	}) {
		t.Errorf("%+v", a.Problems)
	}
	if len(a.Cases) != 2 || a.Cases[0].State == "" || a.Decision == nil {
		t.Errorf("%+v, decision %v", a.Cases, a.Decision)
	}
}

func TestPage(t *testing.T) {
	s := open(t)
	res, html := s.call("GET", "/console/rules", "", nil)
	policy := res.Header.Get("Content-Security-Policy")
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") ||
		res.Header.Get("X-Content-Type-Options") != "nosniff" || len(res.Cookies()) > 0 {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	for _, part := range strings.Split(string(html), `"/console/assets/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if res, text := s.call("GET", "/console/assets/"+name, "", nil); res.StatusCode != http.StatusOK || len(text) < 1000 || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
	}
	if strings.Contains(string(html), "<script>") || strings.Contains(string(html), "style=") || strings.Contains(string(html), "http") {
		t.Error("the page holds code or styles of its own, or names another place")
	}
}
