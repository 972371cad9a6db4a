package main

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestAPersonDecides: a carrier's answer is lost, and the carrier cannot prove that it has booked nothing. The orders are listed with
// what is known of them and counted by the metric, until a person says either way what became of the booking.
func TestAPersonDecides(t *testing.T) {
	t.Parallel()
	cfg := hasty(t)
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	quick := strings.NewReplacer("book_timeout: 4s", "book_timeout: 1s", "adapter: ups\n", "adapter: ups\n        doubt: attention\n").Replace(string(text))
	if err := os.WriteFile(cfg, []byte(quick), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDev(t, "--config", cfg)
	waybill := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := command(t, nil, append([]string{"shipments", "--url", d.URL, "--key", d.Key}, args...)...)
		if code != want {
			t.Fatalf("%v: %d %s%s", args, code, out, errs)
		}
		return out + errs
	}
	needing := func(n string) bool {
		_, b := request(t, http.MethodGet, d.URL+"/metrics", "", "")
		return strings.Contains(string(b), `waybill_orders_need_attention{tenant="demo"} `+n+"\n")
	}
	if out := waybill(0, "list", "--needs-attention"); out != "no order needs a decision\n" || !needing("0") {
		t.Errorf("at first: %s", out)
	}
	if code, b := d.Sim(t, http.MethodPost, "/faults", `{"on":{"carrier":"ups","op":"ship","count":2},"do":{"kind":"http_error","status":502}}`); code != http.StatusCreated {
		t.Fatalf("%d %s", code, b)
	}
	for _, id := range []string{"gone", "there"} {
		order := strings.Replace(boston(id), `"orderValue":10,`, `"orderValue":10,"proposedProviders":[{"name":"ups"}],`, 1)
		if code, b := d.Request(t, http.MethodPost, "/shipments", order); code != http.StatusAccepted {
			t.Fatalf("%s: %d %s", id, code, b)
		}
	}
	if err := d.wait("two orders that need a person", func() bool { return needing("2") }); err != nil {
		t.Fatal(err)
	}
	out := waybill(0, "list", "--needs-attention")
	t.Log(out)
	for _, id := range []string{"gone", "there"} {
		line := regexp.MustCompile(`(?m)^` + id + ` +1 +ups +[a-z0-9]{26} +20\d\d-\S+ \S+ +the carrier knows of no booking but cannot prove that there is none$`)
		if !line.MatchString(out) {
			t.Errorf("%s is not listed", id)
		}
	}
	if !strings.Contains(out, "resolve ORDER --attempt N --outcome absent") {
		t.Error("it does not say what to do")
	}
	if out := waybill(exitFailure, "resolve", "gone", "--outcome", "booked"); !strings.Contains(out, "trackingId") {
		t.Errorf("booked without a number: %s", out)
	}
	out = waybill(0, "resolve", "there", "--outcome", "booked", "--tracking", "1Z999AA10123456784")
	t.Log(out)
	if !strings.Contains(out, "ORDER_DISPATCHED") || !strings.Contains(out, "1Z999AA10123456784") || !needing("1") {
		t.Errorf("booked: %s", out)
	}
	// The carrier does not show that number under the order's reference: it may be another's.
	out = waybill(exitFailure, "cancel", "there")
	t.Log(out)
	if !strings.Contains(out, "INVALID_OPERATION (409)") || !strings.Contains(out, "waybill shipments cancel there --confirm-number 1Z999AA10123456784") {
		t.Errorf("cancelled under a number that nobody has confirmed: %s", out)
	}
	if out := waybill(exitFailure, "cancel", "there", "--confirm-number", "1Z999AA10123456785"); !strings.Contains(out, "as 1Z999AA10123456784, not as 1Z999AA10123456785") {
		t.Errorf("another number is confirmed: %s", out)
	}
	mistyped(t, waybill, needing)
	waybill(0, "resolve", "gone", "--outcome", "absent", "--attempt", "1")
	if err := d.wait("a second booking", func() bool { return strings.Contains(waybill(0, "get", "gone"), "ORDER_DISPATCHED") }); err != nil {
		t.Fatal(err)
	}
	if out := waybill(0, "list", "--needs-attention"); out != "no order needs a decision\n" || !needing("0") {
		t.Errorf("in the end: %s", out)
	}
	if out := waybill(exitFailure, "resolve", "gone", "--outcome", "absent"); !strings.Contains(out, "INVALID_OPERATION") {
		t.Errorf("decided already: %s", out)
	}
}

// mistyped confirms the number of the order "there" that the carrier does not know: the cancellation waits for the person to say so.
func mistyped(t *testing.T, waybill func(int, ...string) string, needing func(string) bool) {
	t.Helper()
	out := waybill(0, "cancel", "there", "--confirm-number", "1Z999AA10123456784")
	mend := "waybill shipments resolve there --attempt 1 --outcome absent"
	if listed := waybill(0, "list", "--needs-attention"); !strings.Contains(out, mend) || !strings.Contains(listed, mend) || !needing("2") {
		t.Errorf("confirmed, and the carrier was not asked, which has no such booking: %s\n%s", out, listed)
	}
	if out := waybill(0, "resolve", "there", "--outcome", "absent", "--attempt", "1"); !strings.Contains(out, "ORDER_CANCELLED") || !needing("1") {
		t.Errorf("taken back: %s", out)
	}
}
