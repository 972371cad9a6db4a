package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
)

// TestASpareIsListedWithItsAttempt: whoever is to resolve a spare booking reads of which attempt it is, and since when it is known.
func TestASpareIsListedWithItsAttempt(t *testing.T) {
	var d doubtView
	if err := json.Unmarshal([]byte(`{"attempts":[
		{"number":1,"provider":"doordash","reference":"aaa","state":"refused","doubt":null},
		{"number":2,"provider":"ups","reference":"bbb","state":"adopted","doubt":{"since":"2026-03-02T15:00:00.000Z","last":"found"},
		 "spares":[{"trackingId":"1Z1","foundAt":"2026-03-02T16:00:00.000Z"},
		           {"trackingId":"1Z2","foundAt":"2026-03-02T17:00:00.000Z","needs":"attention","last":"no longer allowed"}]}]}`), &d); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	table := newTable(&out)
	d.rows(table, &shipmentView{OrderExternalID: "o"})
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^o +2 +ups +bbb +2026-03-0\d \S+ +the spare booking 1Z2 is not cancelled: no longer allowed\n$`)
	if !line.MatchString(out.String()) {
		t.Errorf("listed as:\n%s", out.String())
	}
}
