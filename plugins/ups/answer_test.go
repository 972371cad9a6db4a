package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const aNumber = "1Z5R89390357567127"

// operations are how the prefixes of testdata/answers are asked for.
var operations = map[string]func(context.Context, *Account) (any, error){
	"quote": func(ctx context.Context, a *Account) (any, error) {
		return a.Quote(ctx, carrier.QuoteRequest{Consignment: domestic(), Services: []string{"ground", "next_day_air", "2nd_day_air", "3_day_select"}})
	},
	"book": func(ctx context.Context, a *Account) (any, error) {
		return a.Book(ctx, carrier.BookRequest{Consignment: domestic(), ServiceID: "ground"})
	},
	"void": func(ctx context.Context, a *Account) (any, error) {
		return a.Cancel(ctx, carrier.CancelRequest{CarrierRef: aNumber})
	},
	"track": func(ctx context.Context, a *Account) (any, error) {
		return a.Track(ctx, carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Number: aNumber, Reference: "abcdefghijklmnopqrstuvwx01"}}})
	},
	"address": func(ctx context.Context, a *Account) (any, error) {
		return a.ValidateAddress(ctx, carrier.AddressRequest{Address: domestic().Pickup.Address})
	},
	"document": func(ctx context.Context, a *Account) (any, error) {
		return a.Document(ctx, carrier.DocumentRequest{Number: aNumber, CarrierRef: "1Z879E930346834440", LabelFormat: shipping.GIF})
	},
	"find": func(ctx context.Context, a *Account) (any, error) {
		return a.Find(ctx, carrier.FindRequest{Reference: "abcdefghijklmnopqrstuvwx01", From: testNow, To: testNow})
	},
}

// outcomeOf is a method's answer in a golden file. The cause of an error is left out: its text is the decoder's.
type outcomeOf struct {
	Answer any            `json:"answer,omitzero"`
	Error  *carrier.Error `json:"error,omitzero"`
}

// TestAnswers sends every recorded form of answer through the adapter and holds what comes out against a golden file.
func TestAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/answers/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no answers: %v", err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			answers := strings.Split(string(raw), "\n====\n")
			f := newFake(t, answers...)
			op, _, _ := strings.Cut(name, "_")
			answer, err := operations[op](callContext(t), openAccount(t, testConfig(f.URL)))
			out := outcomeOf{Answer: answer}
			if err != nil {
				out.Error, out.Answer = carrier.AsError(err), nil
				out.Error.Err = nil
			}
			golden(t, filepath.Join("answers", name+".want"), pretty(t, out))
			if got := len(f.requests); got != len(answers) {
				t.Errorf("UPS was asked %d times, %d answers were prepared", got, len(answers))
			}
		})
	}
}
