package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// TestTheTraceIsAThirdWitness stores an attempt in doubt with a trace, which the export reads and the row tells.
func TestTheTraceIsAThirdWitness(t *testing.T) {
	booked := func(x store.Exchange) store.Exchange { x.Op, x.Attempt = "book", 1; return x }
	call := func(method, url, body string, status int) store.Exchange {
		return booked(store.Exchange{Exchange: carrier.Exchange{Method: method, URL: url, RequestBody: body, Status: status}})
	}
	ship := call("POST", "https://carrier/ship", `{"ref":"r1"}`, 200)
	another := ship
	another.Attempt = 2
	quote := ship
	quote.Op = "quote"
	token := call("POST", "https://carrier/token", "grant_type=client_credentials", 200)
	for name, c := range map[string]struct {
		trace []store.Exchange
		want  string
	}{
		"answered with success":            {[]store.Exchange{token, ship}, "answered the booking with success"},
		"named in the path":                {[]store.Exchange{call("PUT", "https://carrier/deliveries/r1/accept", "", 201)}, "answered the booking with success"},
		"sent twice, and lost once":        {[]store.Exchange{booked(store.Exchange{Lost: "died"}), ship}, "answered the booking with success"},
		"refused":                          {[]store.Exchange{token, call("POST", "https://carrier/ship", `{"ref":"r1"}`, 503)}, "no answer of success"},
		"only looked at":                   {[]store.Exchange{call("GET", "https://carrier/deliveries/r1", "", 200)}, "no answer of success"},
		"lost with the adapter":            {[]store.Exchange{token, booked(store.Exchange{Lost: "died"})}, "lost with the adapter's process"},
		"lost with the engine":             {nil, "lost with the engine's process"},
		"of another attempt, and question": {[]store.Exchange{another, quote}, "lost with the engine's process"},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := badgerstore.Open(badgerstore.Config{InMemory: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = st.Close() })
			sh := storetest.NewShipment("acme", 1)
			sh.Attempts = []shipment.Attempt{{Number: 1, Kind: shipment.Forward, Adapter: "ups", Reference: "r1", State: shipment.InDoubt}}
			for i := range c.trace {
				c.trace[i].Shipment = sh.ID
			}
			if err := st.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{sh}, Exchanges: c.trace}); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := audit.Export(t.Context(), st, &config.Config{Tenants: map[string]*config.Tenant{"acme": {ID: "acme"}}}, &b); err != nil {
				t.Fatal(err)
			}
			orders, err := audit.Import(&b)
			if err != nil || len(orders) != 1 {
				t.Fatal(orders, err)
			}
			for _, claims := range [][]audit.Claim{nil, {claim(1, true)}} {
				u := audit.New(claims, all, overdue)
				u.Add(orders[0])
				rows := u.Report().Differences
				if len(rows) != 1 || !strings.Contains(rows[0].Detail, c.want) {
					t.Errorf("%d claims: %+v", len(claims), rows)
				}
			}
		})
	}
}

// TestTheWitnessIsHeardOfALostBooking: where the store knows the booking itself, nothing is said of the trace.
func TestTheWitnessIsHeardOfALostBooking(t *testing.T) {
	for state, want := range map[shipment.AttemptState]string{shipment.Refused: "attempt 1 is refused, and the carrier holds e1; the exchange trace shows that",
		shipment.Cancelled: "attempt 1 is cancelled, and the carrier holds e1"} {
		a := attempt(1, state)
		if state == shipment.Refused {
			a.Witness = audit.WitnessBooked
		}
		u := audit.New([]audit.Claim{claim(1, true)}, all, overdue)
		u.Add(audit.Order{Tenant: "acme", ID: "o1", Attempts: []audit.Attempt{a}})
		if rows := u.Report().Differences; len(rows) != 1 || !strings.HasPrefix(rows[0].Detail, want) {
			t.Errorf("%s: %+v", state, rows)
		}
	}
}
