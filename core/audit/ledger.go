package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
)

// maxLedger bounds one answer of a simulator, in bytes.
const maxLedger = 256 << 20

// ledgerRecord is a line of a simulator's ledger, as its documentation has it.
type ledgerRecord struct {
	Carrier   string `json:"carrier"`
	Kind      string `json:"kind"` // booking, void, charge, refund, …
	Entity    string `json:"entity"`
	Reference string `json:"reference"`
	Amount    int64  `json:"amount"` // minor units
	Currency  string `json:"currency"`
}

// Ledger asks the simulator at base what its carriers believe. carriers are those that it stands for.
func Ledger(ctx context.Context, client *http.Client, base string) (claims []Claim, carriers []string, err error) {
	var index struct {
		Dialects []struct {
			Name string `json:"name"`
		} `json:"dialects"`
	}
	if err := fetch(ctx, client, base, "/_sim/", nil, &index); err != nil {
		return nil, nil, err
	}
	for _, d := range index.Dialects {
		carriers = append(carriers, d.Name)
	}
	var records []ledgerRecord
	for after := int64(0); ; {
		var page struct {
			Records []ledgerRecord `json:"records"`
			Next    int64          `json:"next_after"`
		}
		if err := fetch(ctx, client, base, "/_sim/ledger", url.Values{"limit": {"50000"}, "after": {fmt.Sprint(after)}}, &page); err != nil {
			return nil, nil, err
		}
		records = append(records, page.Records...)
		if len(page.Records) == 0 || page.Next <= after {
			return claimsOf(records), carriers, nil
		}
		after = page.Next
	}
}

// Covered says of the attempts at other carriers than these that a ledger tells nothing of them.
func Covered(carriers []string) func(Attempt) string {
	return func(a Attempt) string {
		if slices.Contains(carriers, a.Adapter) {
			return ""
		}
		return "the simulator does not stand for its carrier"
	}
}

// Ended asks the simulator at base for the state in which a booking has come to its end; "" where it has not, or that cannot be asked.
func Ended(ctx context.Context, client *http.Client, base string) func(Claim) string {
	return func(c Claim) string {
		var entity struct {
			State string `json:"state"`
			Final bool   `json:"final"`
		}
		if err := fetch(ctx, client, base, "/_sim/entities/"+url.PathEscape(c.Carrier)+"/"+url.PathEscape(c.Entity), nil, &entity); err != nil || !entity.Final {
			return ""
		}
		return entity.State
	}
}

// claimsOf adds the records up, in the order in which bookings were made.
func claimsOf(records []ledgerRecord) []Claim {
	var claims []Claim
	at := map[string]int{}
	for _, r := range records {
		k := key(r.Carrier, r.Entity)
		i, known := at[k]
		if r.Kind == "booking" && !known {
			at[k] = len(claims)
			claims = append(claims, Claim{Carrier: r.Carrier, Entity: r.Entity, Reference: r.Reference, Live: true})
			continue
		}
		if !known {
			continue // tokens and pushes, and what has no booking
		}
		c := &claims[i]
		switch r.Kind {
		case "void":
			c.Live = false
		case "charge":
			c.Charged, c.Currency = c.Charged+r.Amount, r.Currency
		case "refund":
			c.Refunded, c.Currency = c.Refunded+r.Amount, r.Currency
		}
	}
	return slices.Clip(claims)
}

func fetch(ctx context.Context, client *http.Client, base, path string, query url.Values, v any) error {
	target, err := url.JoinPath(base, path)
	if err != nil {
		return fmt.Errorf("ledger: %q is not the URL of a simulator: %w", base, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target+"?"+query.Encode(), nil)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the simulator at %s does not answer: %w", base, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxLedger))
	if err != nil {
		return fmt.Errorf("read %s of the simulator: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s of the simulator at %s: HTTP %d; is it a simulator?", path, base, res.StatusCode)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s of the simulator at %s does not read: %w", path, base, err)
	}
	return nil
}
