package ups_test

import (
	"bytes"
	"net/http"
	"strconv"
	"testing"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/ups"
)

// BenchmarkExchange is what one request costs in the dialect: reading, checking, committing, writing; no network.
func BenchmarkExchange(b *testing.B) {
	for name, tc := range map[string]struct{ op, option, body string }{
		"rate one":       {"rate", "Rate", rateBody(pack, `,"Service":{"Code":"03"}`)},
		"shop and times": {"rate", "Shoptimeintransit", rateBody(pack, ","+whenReady)},
		"ship ZPL":       {"ship", "", shipBody(box, "ZPL", "")},
		"ship GIF":       {"ship", "", shipBody(box, "GIF", "")},
		"ship PNG":       {"ship", "", shipBody(box, "PNG", "")},
	} {
		b.Run(name, func(b *testing.B) {
			d, err := ups.New(ups.Config{})
			if err != nil {
				b.Fatal(err)
			}
			sim, err := simulator.New(simulator.Config{Dialects: []simulator.Dialect{d}, Clock: simulator.NewManualClock(start)})
			if err != nil {
				b.Fatal(err)
			}
			var handler simulator.Handler
			for _, r := range d.Routes() {
				if r.Op == tc.op {
					handler = r.Handler
				}
			}
			req, err := http.NewRequest(http.MethodPost, "http://simulator/api", nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				body := bytes.Replace([]byte(tc.body), []byte("order-1"), []byte("order-"+strconv.Itoa(i)), 1)
				x := &simulator.Exchange{Carrier: ups.Name, Op: tc.op, Request: req, Body: body, World: sim.World(), Account: ups.DevClient.ID,
					Vars: map[string]string{"version": "v2409", "option": tc.option}}
				act := handler(x)
				var out simulator.Response
				sim.World().Do(func(tx *simulator.Tx) { out = act(tx) })
				if out.Render != nil {
					if out.Body, err = out.Render(); err != nil {
						b.Fatal(err)
					}
				}
				if out.Status != http.StatusOK || len(out.Body) == 0 {
					b.Fatalf("%d %s", out.Status, out.Body)
				}
			}
		})
	}
}
