package audit_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/audit"
)

// FuzzImport reads anything as an export: what is taken can be compared, and reads the same when it is written again.
func FuzzImport(f *testing.F) {
	for _, text := range []string{"", "{\"end\":true}\n", "{\"order\":\"a\",\"attempts\":[{\"number\":1,\"state\":\"booked\",\"amount\":{\"amount\":1}}]}\n{\"end\":true}\n", "[]\n", "{\"order\":1}\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		orders, err := audit.Import(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		u := audit.New(nil, func(audit.Attempt) string { return "" }, overdue)
		for _, o := range orders {
			u.Add(o)
			line, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			again.Write(append(line, '\n'))
		}
		if got := u.Report().Orders; got != len(orders) {
			t.Errorf("%d orders were read, %d compared", len(orders), got)
		}
		again.WriteString("{\"end\":true}\n")
		if same, err := audit.Import(&again); err != nil || len(same) != len(orders) {
			t.Errorf("%d orders, written again they are %d: %v", len(orders), len(same), err)
		}
	})
}

// simulated is a simulator whose index and ledger are given; the page after the first is empty.
type simulated struct{ index, ledger []byte }

func (s simulated) RoundTrip(q *http.Request) (*http.Response, error) {
	body := s.index
	if strings.HasSuffix(q.URL.Path, "/ledger") {
		if body = s.ledger; q.URL.Query().Get("after") != "0" {
			body = []byte(`{"records":[]}`)
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body)), Request: q}, nil
}

// FuzzLedger reads anything as the ledger of a simulator: what is taken is a booking each, and each booking that is live or billed is told,
// since no order has asked for it.
func FuzzLedger(f *testing.F) {
	index := []byte(`{"dialects":[{"name":"ups"}]}`)
	for _, ledger := range []string{`{"records":[]}`, `{}`, `[]`, ``, `{"records":[null]}`, `{"records":[{}],"next_after":9223372036854775807}`,
		`{"records":[{"carrier":"ups","kind":"booking","entity":"e1","reference":"r1"},{"carrier":"ups","kind":"charge","entity":"e1","amount":900,"currency":"USD"}],"next_after":2}`,
		`{"records":[{"carrier":"ups","kind":"booking","entity":"e1"},{"carrier":"ups","kind":"booking","entity":"e1"},{"carrier":"ups","kind":"charge","entity":"e1","amount":-9223372036854775808},{"carrier":"ups","kind":"refund","entity":"e1","amount":1},{"carrier":"ups","kind":"void","entity":"e1"}],"next_after":-1}`} {
		f.Add(index, []byte(ledger))
	}
	f.Add([]byte(`{"dialects":null}`), []byte(`{"records":[]}`))
	f.Fuzz(func(t *testing.T, index, ledger []byte) {
		claims, carriers, err := audit.Ledger(t.Context(), &http.Client{Transport: simulated{index, ledger}}, "http://127.0.0.1")
		if err != nil {
			if len(claims) > 0 || len(carriers) > 0 {
				t.Fatalf("%v, and %v of %v was taken", err, claims, carriers)
			}
			return
		}
		u := audit.New(claims, audit.Covered(carriers), overdue)
		rows := 0
		for _, c := range claims {
			if c.Live || c.Charged != c.Refunded {
				rows++
			}
		}
		if got := u.Report().Differences; len(got) != rows {
			t.Errorf("%d bookings are live or billed, and %d rows tell of them: %+v", rows, len(got), got)
		}
	})
}
