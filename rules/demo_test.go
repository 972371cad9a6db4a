package rules_test

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The order and the accounts that most tests decide.
var (
	manifests  = measure.Manifests
	candidates = measure.Candidates
	source     = measure.Source
	offers     = measure.Offers
	friday     = measure.Friday
)

func demo(t testing.TB) *rules.Bundle {
	t.Helper()
	b, err := rules.LoadDir(os.DirFS("../examples/rules"), rules.Options{Providers: manifests()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func usd(minor int64) shipping.Money { return shipping.Money{Minor: minor, Currency: "USD"} }

func quote(service, name string, minor int64, in time.Duration) shipping.Quote {
	return shipping.Quote{
		ServiceID: service, ServiceType: name, Amount: usd(minor), Token: []byte("t-" + service),
		Delivery: shipping.TimeWindow{EndsAt: shipping.At(friday.Add(in))},
	}
}

func input(t testing.TB, src rules.InputSource) rules.Input {
	t.Helper()
	in, err := rules.NewInput(src)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestDemoDecision(t *testing.T) {
	b := demo(t)
	src := source()
	src.Attributes = map[string]string{"gift_note": "Happy birthday, Jane"}
	plan := b.Prepare(input(t, src), candidates())
	if len(plan.Input.Order.Attributes) != 0 {
		t.Errorf("the plan keeps attributes that no rule can name: %v", plan.Input.Order.Attributes)
	}
	d := b.Decide(plan, offers())
	if d.Winner == nil || d.Winner.ID != "q4" || d.Winner.Charge != (shipping.Money{}) {
		t.Fatalf("winner is %+v, want q4", d.Winner)
	}
	want := "DoorDash Delivery at 9.75 USD was chosen because its score of 9.80 is the best of 5 offers; next is Own fleet Delivery with 14.07."
	if got := d.Sentence(); got != want {
		t.Errorf("sentence\n got %s\nwant %s", got, want)
	}
	record, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(record, []byte("Albany")) {
		t.Error("the record holds a street")
	}
	read, err := rules.ParseDecision(record)
	if err != nil {
		t.Fatal(err)
	}
	again, err := rules.Recompute(b, read)
	if err != nil {
		t.Fatal(err)
	}
	bytesAgain, err := again.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(record, bytesAgain) {
		t.Errorf("recomputed\n%s\nrecorded\n%s", bytesAgain, record)
	}
	if _, err := rules.Recompute(rules.Default(), read); err == nil {
		t.Error("another bundle recomputed the decision")
	}
}

// TestBundlesAreShared decides and explains in many goroutines at once.
func TestBundlesAreShared(t *testing.T) {
	b := demo(t)
	in := input(t, source())
	want := encode(t, b.Decide(b.Prepare(in, candidates()), offers()))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				d := b.Decide(b.Prepare(in, candidates()), offers())
				got, err := d.JSON()
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("another goroutine decided differently (%v)", err)
				}
				if _, err := rules.Explain(b, d); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestDefaultIsCheapestThenFastest(t *testing.T) {
	list := offers()
	list[4].Quote.Amount, list[3].Quote.Amount = usd(900), usd(900)
	d := rules.Default().Decide(rules.Default().Prepare(input(t, source()), candidates()), list)
	if d.Winner == nil || d.Winner.ID != "q4" {
		t.Errorf("winner is %+v", d.Winner)
	}
	if got, want := d.Sentence(), "DoorDash Delivery at 9.00 USD was chosen because it is the cheapest of 5 offers."; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if d.None != nil || rules.Default().Size() != 0 {
		t.Error("the default has rules")
	}
}

func TestFallbackFor(t *testing.T) {
	b := demo(t)
	d := b.Decide(b.Prepare(input(t, source()), candidates()), offers())
	f, ok := d.FallbackFor("no_driver")
	if !ok || f.Rule != "Next best" || f.Attempts != 3 || time.Duration(f.Within) != 2*time.Hour || len(f.Steps) != 3 {
		t.Errorf("fallback is %+v", f)
	}
	if _, ok := d.FallbackFor("pickup_late_15m"); ok {
		t.Error("a fallback applies to an event that it does not name")
	}
}

func TestSentences(t *testing.T) {
	held, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte("rules: 1\nhold: [{ name: Fraud review, until: released, reason: waits for review }]\n")}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := input(t, source())
	d := held.Decide(held.Prepare(in, candidates()), nil)
	if got, want := d.Sentence(), `The order is held by rule "Fraud review" until somebody releases it: waits for review.`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	d = rules.Default().Decide(rules.Default().Prepare(in, candidates()), nil, rules.Refused{Account: "ups", Code: "OUT_OF_ZONE", Message: "not there"})
	if got, want := d.Sentence(), "Nothing can carry the order: ups has no offer (OUT_OF_ZONE, not there)."; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
