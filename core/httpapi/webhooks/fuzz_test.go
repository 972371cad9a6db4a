package webhooks_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// serve asks the router without a socket in between.
func serve(h *apitest.Harness, method, path string, body []byte) *httptest.ResponseRecorder {
	q := httptest.NewRequest(method, path, strings.NewReader(string(body)))
	q.Header.Set("x-api-key", h.Key)
	w := httptest.NewRecorder()
	h.Router.ServeHTTP(w, q)
	return w
}

// answered decodes the answer to a body of any bytes, which is success or a refusal that changes nothing.
func answered(t *testing.T, h *apitest.Harness, method, path string, body []byte, success int) (answer map[string]any, taken bool) {
	t.Helper()
	before := h.Store.Commits()
	w := serve(h, method, path, body)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%d: the answer is not JSON: %q", w.Code, w.Body)
	}
	switch w.Code {
	case success:
		return answer, true
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		if h.Store.Commits() != before {
			t.Fatalf("refused with %s, and something was stored", w.Body)
		}
		return answer, false
	}
	t.Fatalf("%s %s: answered %d: %s", method, path, w.Code, w.Body)
	return nil, false
}

// madeHook makes a webhook at an address that is never called, and returns its path.
func madeHook(f *testing.F, h *apitest.Harness) string {
	f.Helper()
	w := serve(h, "POST", "/webhooks", []byte(`{"url":"https://8.8.8.8/hook"}`))
	var made struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
		f.Fatalf("%d %s", w.Code, w.Body)
	}
	return "/webhooks/" + made.ID
}

// FuzzCreateBody: what is taken can be read again as it was answered, but for the secret, and is removed.
func FuzzCreateBody(f *testing.F) {
	for _, body := range []string{`{"url":"https://8.8.8.8/hook"}`, `{"url":"https://8.8.8.8","topics":["shipment.status"],"shape":"tracker","bearer":"b"}`, `{}`, `[]`, `null`, ``,
		`{"url":1}`, `{"url":"http://127.0.0.1"}`, `{"url":"https://user@8.8.8.8/#f"}`, `{"url":"https://8.8.8.8","topics":[null]}`, `{"url":"https://8.8.8.8","url":""}`,
		`{"url":"https://8.8.8.8","shape":"ship24"}`, "{\"url\":\"https://8.8.8.8/\xff\"}", `{"url":"https://8.8.8.8","bearer":"a\nb"}`} {
		f.Add([]byte(body))
	}
	h := apitest.New(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, taken := answered(t, h, "POST", "/webhooks", body, http.StatusCreated)
		if !taken {
			return
		}
		path := "/webhooks/" + answer["id"].(string)
		var read map[string]any
		if w := serve(h, "GET", path, nil); w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &read) != nil || read["url"] != answer["url"] || read["secret"] != nil {
			t.Fatalf("answered %v, read %d %s", answer, w.Code, w.Body)
		}
		if w := serve(h, "DELETE", path, nil); w.Code != http.StatusOK {
			t.Fatalf("it cannot be removed: %d %s", w.Code, w.Body)
		}
	})
}

// FuzzUpdateBody: what is answered is what is read; what is refused changes nothing.
func FuzzUpdateBody(f *testing.F) {
	for _, body := range []string{`{"state":"disabled"}`, `{"state":"active"}`, `{"url":"https://8.8.4.4/"}`, `{"topics":[]}`, `{"topics":["shipment.status"]}`, `{"state":""}`, `{"state":null}`,
		`{"url":""}`, `{"url":null,"topics":null}`, `{}`, `[]`, ``, `{"secret":"x"}`, `{"state":"disabled","url":"http://127.0.0.1"}`} {
		f.Add([]byte(body))
	}
	h := apitest.New(f)
	path := madeHook(f, h)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := serve(h, "GET", path, nil).Body.String()
		answer, taken := answered(t, h, "PATCH", path, body, http.StatusOK)
		now := serve(h, "GET", path, nil).Body.String()
		if !taken {
			if now != before {
				t.Fatalf("refused with %v: it was %s, it is %s", answer, before, now)
			}
			return
		}
		if said, err := json.Marshal(answer); err != nil || !sameJSON(said, []byte(now)) {
			t.Fatalf("answered %s, read %s", said, now)
		}
	})
}

func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, err := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err == nil && err2 == nil && string(p) == string(q)
}

// FuzzRedeliverBody: of a webhook that was never told anything, nothing is delivered again.
func FuzzRedeliverBody(f *testing.F) {
	for _, body := range []string{`{"messageId":"msg_1"}`, `{"from":1}`, `{"from":1,"to":2}`, `{"from":2,"to":1}`, `{"messageId":"m","from":1}`, `{"to":1}`, `{"from":-1}`, `{"from":1e300}`,
		`{"from":"2026-03-02T12:00:00Z"}`, `{"from":""}`, `{"messageId":1}`, `{}`, `[]`, ``, `{"from":9223372036854775807,"to":-9223372036854775808}`} {
		f.Add([]byte(body))
	}
	h := apitest.New(f)
	path := madeHook(f, h)
	f.Fuzz(func(t *testing.T, body []byte) {
		w := serve(h, "POST", path+"/redeliver", body)
		if w.Code == http.StatusNotFound { // a message that there is not
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%q", w.Body)
			}
			return
		}
		if answer, taken := answered(t, h, "POST", path+"/redeliver", body, http.StatusAccepted); taken && answer["messages"] != 0.0 {
			t.Fatalf("%s: %v messages", body, answer["messages"])
		}
	})
}
