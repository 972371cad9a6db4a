package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// TestExaminationFindsWhatNobodyWasTold makes one thing wrong at a time in what a subscriber was told of two events of one order.
func TestExaminationFindsWhatNobodyWasTold(t *testing.T) {
	const first, second = "msg_shipment_a_1", "msg_shipment_a_2"
	begun := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	at := func(order int, after time.Duration) heard {
		return heard{order: order, first: begun.Add(after), accepted: 1}
	}
	for name, c := range map[string]struct {
		said map[string]heard
		with func(*happened)
		want string // what the one difference says, "" for none
	}{
		"all is told":           {map[string]heard{first: at(1, 0), second: at(2, time.Second)}, nil, ""},
		"one is missing":        {map[string]heard{first: at(1, 0)}, nil, "never told of " + second},
		"one has not happened":  {map[string]heard{first: at(1, 0), second: at(2, time.Second), "msg_shipment_a_3": at(3, time.Second)}, nil, "msg_shipment_a_3, which has not happened"},
		"the order is wrong":    {map[string]heard{first: at(2, time.Second), second: at(1, 0)}, nil, "before it was told of " + first},
		"it was held up enough": {map[string]heard{first: at(2, patience+time.Second), second: at(1, 0)}, nil, ""},
		"what an erasure takes with it need not be told": {map[string]heard{first: at(1, 0)}, func(h *happened) { h.erased["shipment/a"] = true }, ""},
		"what was told before an erasure has happened": {map[string]heard{first: at(1, 0), second: at(2, 0)},
			func(h *happened) {
				h.erased["shipment/a"] = true
				h.events, h.logged = nil, nil
			}, ""},
		"what another surface tells is not told": {map[string]heard{}, func(h *happened) { h.foreign["shipment/a"] = "1Z" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &happened{orders: map[string]string{"shipment/a": "o"}, erased: map[string]bool{}, foreign: map[string]string{}, logged: map[string]bool{}}
			for i, id := range []string{first, second} {
				h.events = append(h.events, event{id: id, subject: "shipment/a", seq: i + 1, at: begun})
				h.logged[id] = true
			}
			if c.with != nil {
				c.with(h)
			}
			x := newExamination(nil)
			x.hears(h, "s", c.said)
			var found []string
			for _, d := range x.found {
				if d.Kind != "untold" || d.Order != "o" {
					t.Errorf("found %+v, want untold of order o", d)
				}
				found = append(found, d.Detail)
			}
			if got := strings.Join(found, "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) || len(found) > 1 {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// TestSubscriberNotesWhatItAccepts tells a subscriber the same messages twice, and some as nobody may.
func TestSubscriberNotesWhatItAccepts(t *testing.T) {
	s := newSubscriber("s", everything, true)
	s.secret = "whsec_YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcyAuLi4="
	signer, err := standardwebhooks.NewWebhook(s.secret)
	if err != nil {
		t.Fatal(err)
	}
	s.setBad(true)
	close(s.calm) // what it does not answer must not be waited for
	server := httptest.NewServer(s)
	defer server.Close()
	tell := func(id, body string, signed bool) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		signature, err := signer.Sign(id, now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if !signed {
			signature = "v1,AAAA"
		}
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", fmt.Sprint(now.Unix()))
		req.Header.Set("webhook-signature", signature)
		if res, err := http.DefaultClient.Do(req); err == nil { // else it was cut off, as it may be
			_ = res.Body.Close()
		}
	}
	const messages = 200
	for i := range messages {
		for range 2 {
			tell(fmt.Sprintf("msg_shipment_a_%d", i), "{}", true)
		}
	}
	said, sum, wrong := s.says()
	bad := sum.Requests[refused] + sum.Requests[hung] + sum.Requests[cut]
	if len(said) != messages || sum.Messages != messages || sum.Repeats != messages-bad || bad == 0 || len(wrong) > 0 {
		t.Errorf("of %d messages it has %d, and %+v; wrong: %v", messages, len(said), sum, wrong)
	}
	for _, how := range []string{refused, hung, cut} {
		if sum.Requests[how] == 0 {
			t.Errorf("no message was %s", how)
		}
	}
	orders := map[int]bool{}
	for m := range maps.Values(said) {
		orders[m.order] = true
	}
	if len(orders) != messages || !orders[1] || !orders[messages] {
		t.Errorf("the order of the messages is not noted: %v", slices.Sorted(maps.Keys(orders)))
	}
	tell("msg_shipment_a_1", `{"other":1}`, true)
	tell("msg_shipment_a_x", "{}", false)
	said, _, wrong = s.says()
	if _, taken := said["msg_shipment_a_x"]; taken || len(wrong) != 2 || !strings.Contains(wrong[0], "another body") || !strings.Contains(wrong[1], "not as it must be") {
		t.Errorf("wrong: %q, want another body and no signature", wrong)
	}
}

// TestForeignParcelsAreCounted tells of the events of one parcel too seldom, as often as they happened, and too often.
func TestForeignParcelsAreCounted(t *testing.T) {
	for told := range 4 {
		h := &happened{foreign: map[string]string{"tracker/t": "1Z"}, events: []event{{subject: "tracker/t", seq: 1}, {subject: "shipment/a", seq: 1}, {subject: "tracker/t", seq: 2}}}
		said := map[string]heard{}
		for i := range told {
			body := fmt.Sprintf(`{"trackings":[{"tracker":{"trackingNumber":"1Z"},"metadata":{"messageId":"m%d"}}]}`, i)
			id, err := foreignParcels.identify("secret", http.Header{"Authorization": {"Bearer secret"}}, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			said[id] = heard{accepted: 1}
		}
		x := newExamination(nil)
		if x.hearsForeign(h, "s", said); (len(x.found) == 0) != (told == 2) {
			t.Errorf("told of %d of 2: found %+v", told, x.found)
		}
	}
	for name, header := range map[string]string{"nobody's": "", "another's": "Bearer other"} {
		if id, err := foreignParcels.identify("secret", http.Header{"Authorization": {header}}, []byte(`{"trackings":[{}]}`)); err == nil {
			t.Errorf("%s message %q is taken", name, id)
		}
	}
	if id, err := foreignParcels.identify("secret", http.Header{"Authorization": {"Bearer secret"}}, []byte(`{"trackings":[]}`)); err == nil {
		t.Errorf("message %q about nothing is taken", id)
	}
}
