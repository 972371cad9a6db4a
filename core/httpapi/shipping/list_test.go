package shipping_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func listed(a *apitest.Answer) []string {
	out := []string{}
	for _, o := range a.At("data").([]any) {
		out = append(out, o.(map[string]any)["orderExternalId"].(string))
	}
	return out
}

// TestListFilters makes orders an hour apart, and asks for them.
func TestListFilters(t *testing.T) {
	h := apitest.New(t)
	at := func(hours float64) int64 {
		return apitest.Start.Add(time.Duration(hours * float64(time.Hour))).UnixMilli()
	}
	window := func(from, to float64) map[string]any { return map[string]any{"startsAt": at(from), "endsAt": at(to)} }
	for i := range 4 {
		place, group := "7709", "even"
		if i%2 == 1 {
			place, group = "100983", "odd"
		}
		id := fmt.Sprintf("o%d", i)
		h.Do("POST", "/shipments", apitest.Order(id, "locationExternalId", place, "groupId", group, "pickupTime", window(100+float64(i), 110),
			"deliveryTime", window(110, 120+float64(i)))).Want(201)
		h.Clock.Advance(time.Hour)
	}
	h.Do("DELETE", "/shipments/o0", "").Want(200) // at hour 4
	for name, c := range map[string]struct {
		q    map[string]any
		want []string
	}{
		"all":                     {nil, []string{"o3", "o2", "o1", "o0"}},
		"limit":                   {map[string]any{"limit": 2}, []string{"o3", "o2"}},
		"ids":                     {map[string]any{"orderExternalIds": []any{"o1", "o2", "none"}}, []string{"o2", "o1"}},
		"group":                   {map[string]any{"groupId": "odd"}, []string{"o3", "o1"}},
		"group in another case":   {map[string]any{"groupId": "ODD"}, []string{}},
		"location":                {map[string]any{"locationExternalIds": []any{"7709"}}, []string{"o2", "o0"}},
		"locations":               {map[string]any{"locationExternalIds": []any{"7709", "100983"}}, []string{"o3", "o2", "o1", "o0"}},
		"status":                  {map[string]any{"status": []any{"ORDER_CANCELLED"}}, []string{"o0"}},
		"statuses":                {map[string]any{"status": []any{"ORDER_CANCELLED", "ORDER_DISPATCHED"}}, []string{"o3", "o2", "o1", "o0"}},
		"created":                 {map[string]any{"createdAt": window(1, 2)}, []string{"o2", "o1"}},
		"created to now":          {map[string]any{"createdAt": map[string]any{"startsAt": at(2)}}, []string{"o3", "o2"}},
		"updated":                 {map[string]any{"lastUpdatedAt": window(3.5, 4.5)}, []string{"o0"}},
		"updated to now":          {map[string]any{"lastUpdatedAt": map[string]any{"startsAt": at(3)}}, []string{"o3", "o0"}},
		"pickup and delivery":     {map[string]any{"pickupTime": map[string]any{"startsAt": at(101)}, "deliveryTime": map[string]any{"endsAt": at(122)}}, []string{"o2", "o1"}},
		"filters narrow together": {map[string]any{"groupId": "even", "status": []any{"ORDER_DISPATCHED"}}, []string{"o2"}},
		"empty filters":           {map[string]any{"orderExternalIds": []any{}, "groupId": nil, "status": nil, "paginationToken": nil}, []string{"o3", "o2", "o1", "o0"}},
	} {
		body := ""
		if c.q != nil {
			body = apitest.JSON(c.q)
		}
		if got := listed(h.Do("POST", "/shipments/list", body).Want(200)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	h.Clock.Advance(22 * time.Hour) // hour 26: o0 to o1 are older than a day, o2 is just within
	if got := listed(h.Do("POST", "/shipments/list", `{"status":["ORDER_DISPATCHED"]}`).Want(200)); !slices.Equal(got, []string{"o3", "o2"}) {
		t.Errorf("without a time the last day holds %v", got)
	}
	for _, body := range []string{`{"groupId":"even"}`, `{"orderExternalIds":["o0"]}`, apitest.JSON(map[string]any{"createdAt": window(0, 1)})} {
		if got := listed(h.Do("POST", "/shipments/list", body).Want(200)); !slices.Contains(got, "o0") {
			t.Errorf("%s: %v lacks the old order", body, got)
		}
	}
}

func TestListPages(t *testing.T) {
	h := apitest.New(t)
	var newestFirst []string
	for i := range 7 {
		id := fmt.Sprintf("o%d", i)
		h.Do("POST", "/shipments", apitest.Order(id), "Prefer", "respond-async").Want(202)
		newestFirst = append([]string{id}, newestFirst...)
		h.Clock.Advance(time.Second)
	}
	var walked []string
	var pages []*apitest.Answer
	token := any(nil)
	for {
		a := h.Do("POST", "/shipments/list", apitest.JSON(map[string]any{"limit": 3, "paginationToken": token})).Want(200)
		walked = append(walked, listed(a)...)
		pages = append(pages, a)
		// Orders that come meanwhile do not shift the pages.
		h.Do("POST", "/shipments", apitest.Order(fmt.Sprintf("late%d", len(pages))), "Prefer", "respond-async").Want(202)
		h.Clock.Advance(time.Second)
		if token = a.At("paginationToken.next"); token == nil {
			break
		}
	}
	if !slices.Equal(walked, newestFirst) || len(pages) != 3 {
		t.Errorf("walked %v in %d pages, want %v", walked, len(pages), newestFirst)
	}
	if pages[0].At("paginationToken.previous") != nil || pages[1].At("paginationToken.previous") == nil {
		t.Error("only the first page has no page before it")
	}
	back := h.Do("POST", "/shipments/list", apitest.JSON(map[string]any{"limit": 3, "paginationToken": pages[1].At("paginationToken.previous")})).Want(200)
	if got := listed(back); !slices.Equal(got, listed(pages[0])) {
		t.Errorf("back from page 2: %v, want %v", got, listed(pages[0]))
	}
	next := pages[0].At("paginationToken.next")
	for name, q := range map[string]map[string]any{
		"of another question": {"limit": 3, "groupId": "g", "paginationToken": next},
		"made up":             {"limit": 3, "paginationToken": "bmV4dA=="},
		"shortened":           {"limit": 3, "paginationToken": next.(string)[:10]},
		"not base64":          {"limit": 3, "paginationToken": "\u00e9!"},
	} {
		a := h.Do("POST", "/shipments/list", apitest.JSON(q)).Want(400)
		if !slices.Equal(parameters(a), []string{"paginationToken"}) {
			t.Errorf("a token %s: %s", name, a.Body)
		}
	}
}

func TestBadLists(t *testing.T) {
	h := apitest.New(t)
	many := `["` + strings.Repeat(`x","`, 100) + `x"]`
	for body, want := range map[string]string{
		`{"limit":0}`: "limit", `{"limit":-1}`: "limit", `{"limit":1001}`: "limit", `{"limit":"10"}`: "limit", `{"limit":1.5}`: "limit",
		`{"limit":99999999999999999999}`: "limit", `{"orderExternalIds":` + many + `}`: "orderExternalIds", `{"locationExternalIds":` + many + `}`: "locationExternalIds",
		`{"orderExternalIds":"x"}`: "orderExternalIds", `{"orderExternalIds":[1]}`: "orderExternalIds[0]", `{"orderExternalIds":[""]}`: "orderExternalIds[0]",
		`{"groupId":7}`: "groupId", `{"groupId":"` + long + `"}`: "groupId", `{"status":["ON_ITS_WAY"]}`: "status[0]", `{"status":"ORDER_DELIVERED"}`: "status",
		`{"createdAt":5}`: "createdAt", `{"createdAt":{}}`: "createdAt.startsAt", `{"createdAt":{"endsAt":1}}`: "createdAt.startsAt",
		`{"createdAt":{"startsAt":2,"endsAt":1}}`: "createdAt.startsAt", `{"createdAt":{"startsAt":0,"endsAt":2592000001}}`: "createdAt",
		`{"lastUpdatedAt":{"startsAt":1000000000000}}`: "lastUpdatedAt", `{"lastUpdatedAt":{"startsAt":-5}}`: "lastUpdatedAt.startsAt",
		`{"pickupTime":{"startsAt":5}}`: "deliveryTime.endsAt", `{"deliveryTime":{"endsAt":5}}`: "pickupTime.startsAt",
		`{"pickupTime":{"endsAt":5},"deliveryTime":{"endsAt":5}}`:                "pickupTime.endsAt",
		`{"pickupTime":{"startsAt":5},"deliveryTime":{"startsAt":1,"endsAt":5}}`: "deliveryTime.startsAt",
		`{"paginationToken":5}`: "paginationToken",
	} {
		a := h.Do("POST", "/shipments/list", body).Want(400)
		is(t, a, map[string]any{"type": "INVALID_DATA", "severity": "Hard"})
		clear(t, a)
		if !slices.Contains(parameters(a), want) {
			t.Errorf("%.60s names %v, want %s", body, parameters(a), want)
		}
	}
	for _, c := range notJSON() {
		if strings.TrimSpace(c.body) == "" {
			continue // no question is the question for the last day
		}
		is(t, h.Do("POST", "/shipments/list", c.body).Want(400), map[string]any{"type": "INVALID_DATA"})
	}
	all := h.Do("POST", "/shipments/list", `{"limit":0,"groupId":7,"status":["X"],"createdAt":{}}`).Want(400)
	if got := parameters(all); !slices.Equal(got, []string{"createdAt.startsAt", "groupId", "limit", "status[0]"}) {
		t.Errorf("all at once: %v", got)
	}
	h.Do("POST", "/shipments/list", `{"createdAt":{"startsAt":0,"endsAt":2592000000},"limit":1000}`).Want(200)
}
