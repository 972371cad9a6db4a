package audit_test

import (
	"bytes"
	"encoding/json"
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
