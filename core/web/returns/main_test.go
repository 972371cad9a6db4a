package returns_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }

// shop is a harness whose tenant shop lets buyers send things back.
type shop struct {
	*apitest.Harness
	t testing.TB
}

func newShop(t testing.TB) *shop {
	t.Helper()
	h := apitest.New(t)
	r := &h.Config.Tenants["shop"].Returns
	r.Page, r.Exchanges = true, true
	return &shop{h, t}
}

// delivered makes an order of two watches and a strap that has reached its buyer, and returns where it can be sent back.
func (s *shop) delivered(id string) string {
	s.t.Helper()
	s.Do("POST", "/shipments", apitest.Order(id, "itemList", []any{
		map[string]any{"sku": "watch", "quantity": 2, "price": 4, "salePrice": 3.5, "title": "Watch <b>"},
		map[string]any{"sku": "strap", "quantity": 1, "price": 3, "title": "Strap"},
	})).Want(201)
	s.Do("POST", "/shipments/"+id+"/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	return s.page(id)
}

func (s *shop) page(id string) string {
	s.t.Helper()
	link, _ := s.Do("GET", "/shipments/"+url.PathEscape(id), "").Want(200).At("referenceLinks.returnsUrl").(string)
	path, ok := strings.CutPrefix(link, "https://ship.example.com")
	if !ok {
		s.t.Fatalf("the page of %s is at %q", id, link)
	}
	return s.URL + path
}

type answer struct {
	t      testing.TB
	status int
	header http.Header
	text   string
}

// ask sends one request; a redirect is not followed. Headers are names and values in turn.
func (s *shop) ask(method, address string, form url.Values, headers ...string) *answer {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodPost {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return &answer{s.t, res.StatusCode, res.Header, string(b)}
}

func (s *shop) get(address string) *answer { s.t.Helper(); return s.ask(http.MethodGet, address, nil) }

func (a *answer) want(status int, words ...string) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body())
	}
	for _, w := range words {
		if !strings.Contains(a.text, w) {
			a.t.Errorf("the page lacks %q:\n%s", w, a.body())
		}
	}
	return a
}

func (a *answer) lacks(words ...string) *answer {
	a.t.Helper()
	for _, w := range words {
		if strings.Contains(a.body(), w) {
			a.t.Errorf("the page shows %q:\n%s", w, a.body())
		}
	}
	return a
}

func (a *answer) body() string {
	_, b, found := strings.Cut(a.text, "<body>")
	if !found {
		return a.text
	}
	return b
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// hidden is the form that a page of review carries on.
func (a *answer) hidden() url.Values {
	v := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(a.text, -1) {
		v.Set(m[1], html.UnescapeString(m[2]))
	}
	return v
}

// form writes a form: names and values in turn.
func form(pairs ...string) url.Values {
	v := url.Values{"step": {"review"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}
