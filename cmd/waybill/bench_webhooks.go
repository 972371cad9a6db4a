package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	shippingapi "github.com/waybill-dev/waybill/core/httpapi/shipping"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// webhookBench is one run of `waybill bench webhooks`.
type webhookBench struct {
	events, rate, hanging int
	table                 benchTable
}

// wantTold is how long an event may take to its webhook, at the 99th percentile.
const wantTold = 100 * time.Millisecond

func newBenchWebhooksCmd() *cobra.Command {
	b := &webhookBench{}
	asJSON := false
	cmd := &cobra.Command{
		Use: "webhooks", Short: "Measure how long an event takes to a webhook, with and without subscribers that hang", Args: cobra.NoArgs,
		Long: "Measure how long an event takes from before its commit, on a durable store, until its webhook has it over HTTP: first with one good\n" +
			"subscriber, then with the same beside others that take every request and never answer.",
		Example: "  waybill bench webhooks\n  waybill bench webhooks --events 20000 --rate 1000 --hanging 50 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.events < 1 || b.rate < 1 || b.hanging < 0 || b.hanging > 199 {
				return errors.New("--events and --rate must be at least 1, --hanging between 0 and 199")
			}
			b.table.CPUs, b.table.Platform, b.table.Orders, b.table.Load = runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH, b.events, loadAverage()
			for _, hanging := range slices.Compact([]int{0, b.hanging}) {
				if err := b.measure(cmd.Context(), hanging); err != nil {
					return fmt.Errorf("bench: webhooks beside %d that hang: %w", hanging, err)
				}
			}
			if asJSON {
				if err := json.MarshalWrite(cmd.OutOrStdout(), &b.table, jsontext.WithIndent("  ")); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout())
				return err
			}
			return b.table.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().IntVar(&b.events, "events", 5000, "how many events in each part")
	cmd.Flags().IntVar(&b.rate, "rate", 500, "how many of them a second")
	cmd.Flags().IntVar(&b.hanging, "hanging", 50, "how many subscribers hang in the second part")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// receiver notes when each event came.
type receiver struct {
	mu   sync.Mutex
	came map[string]time.Time // by webhook-id, the first time
	all  chan struct{}        // closed when want have come
	want int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	now := time.Now()
	if _, err := io.Copy(io.Discard, q.Body); err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id := q.Header.Get("webhook-id")
	if _, again := r.came[id]; !again {
		if r.came[id] = now; len(r.came) == r.want {
			close(r.all)
		}
	}
}

// toldTimeout is how long to wait for the last event.
const toldTimeout = 2 * time.Minute

func (b *webhookBench) measure(ctx context.Context, hanging int) (err error) {
	dir, err := os.MkdirTemp("", "waybill-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	st, err := badgerstore.Open(badgerstore.Config{Dir: filepath.Join(dir, "data")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	good := &receiver{came: map[string]time.Time{}, all: make(chan struct{}), want: b.events}
	url, stopGood, err := serveHTTP(good)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopGood()) }()
	bad, stopBad, err := serveHTTP(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body) // that the caller leaves is noticed behind the body
		<-q.Context().Done()
	}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopBad()) }()
	service, err := benchNotify(st)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	subscribe := func(address string) error {
		_, err := service.Subscribe(ctx, usecase.Caller{Tenant: "bench", Key: "bench"}, notify.NewSubscription{URL: "http://" + address + "/"})
		return err
	}
	for range hanging {
		if err := subscribe(bad); err != nil {
			return err
		}
	}
	if err := subscribe(url); err != nil {
		return err
	}
	begun, commits, err := b.happen(ctx, st, service)
	if err != nil {
		return err
	}
	limit := time.NewTimer(toldTimeout)
	defer limit.Stop()
	select {
	case <-good.all:
	case <-limit.C:
		return fmt.Errorf("not every event has come in %v", toldTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
	b.report(good, begun, commits, hanging)
	return nil
}

func benchNotify(st store.Store) (*notify.Service, error) {
	tenant := &config.Tenant{ID: "bench", Name: "Bench", Notify: config.Notify{AllowPrivate: true}}
	cfg := &config.Config{Tenants: map[string]*config.Tenant{"bench": tenant}}
	return notify.New(notify.Settings{Store: st, Config: func() *config.Config { return cfg }, Clock: clock.Real(), Source: clock.Crypto(clock.Real()), Log: hclog.NewNullLogger(),
		ShowShipment: func(sh *shipment.Shipment, back []*shipment.Shipment) any {
			return shippingapi.Show(sh, back, "http://127.0.0.1", nil)
		}})
}

// happen commits the events at their rate, each in a transaction of its own, and returns when each began and how long each commit
// took.
func (b *webhookBench) happen(ctx context.Context, st store.Store, service *notify.Service) (begun map[string]time.Time, commits []time.Duration, err error) {
	begun, commits = make(map[string]time.Time, b.events), make([]time.Duration, b.events)
	errs := make(chan error, b.events)
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(b.rate))
	defer tick.Stop()
	for i := range b.events {
		select {
		case <-tick.C:
		case <-ctx.Done():
			wg.Wait()
			return nil, nil, ctx.Err()
		}
		now := time.Now()
		sh := benchShipment(int64(i), now)
		begun[fmt.Sprintf("msg_shipment_%s_1", sh.ID)] = now
		wg.Go(func() {
			line := sh.Move(shipping.OutForDelivery, now, "bench")
			tx := &store.Tx{Now: now, Shipments: []*shipment.Shipment{sh}, Changes: []store.Change{{Shipment: sh.ID, Change: line}}}
			service.Shipment(ctx, tx, sh)
			if err := st.Commit(ctx, "bench", tx); err != nil {
				errs <- err
			}
			commits[i] = time.Since(now)
		})
	}
	wg.Wait()
	close(errs)
	return begun, commits, <-errs
}

func benchShipment(n int64, now time.Time) *shipment.Shipment {
	return &shipment.Shipment{Schema: shipment.Schema, ID: benchID(n), Tenant: "bench", Currency: "USD", Brand: "bench", CreatedAt: now, UpdatedAt: now,
		Pickup: shipment.Place{ID: "7709", Name: "Boston", Zone: "America/New_York"},
		Order: shipment.Order{ExternalID: fmt.Sprint("bench-", n), LocationID: "7709", Value: shipping.MustDecimal("10"),
			DeliveryContact: shipping.Contact{Name: "Bench", Phone: "+1 617-555-0123"},
			DeliveryAddress: shipping.Address{Street1: "725 Albany Street", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US"},
			Packages:        []shipping.Parcel{{Name: "small", ItemQuantity: 1}}, Items: []shipping.Item{{SKU: "sku 1", Title: "Watch", Quantity: 1}}},
		Attempts: []shipment.Attempt{{Number: 1, Kind: shipment.Forward, State: shipment.Booked, Account: "ups", Provider: "UPS",
			Booking: &shipment.Booking{TrackingID: "1Z999AA10123456784", Amount: shipping.Money{Minor: 1034, Currency: "USD"}}}}}
}

func (b *webhookBench) report(good *receiver, begun map[string]time.Time, commits []time.Duration, hanging int) {
	good.mu.Lock()
	defer good.mu.Unlock()
	var took []time.Duration
	for id, at := range begun {
		took = append(took, good.came[id].Sub(at))
	}
	slices.Sort(took)
	slices.Sort(commits)
	name := fmt.Sprintf("event to webhook, %d/s", b.rate)
	if hanging > 0 {
		name += fmt.Sprintf(", beside %d that hang", hanging)
	}
	const floor = "the commit of the event itself"
	b.table.add(name+": p50", "ms", millis(quantile(took, 0.5))).over(millis(quantile(commits, 0.5)), floor)
	p99 := quantile(took, 0.99)
	b.table.add(name+": p99", "ms", millis(p99)).over(millis(quantile(commits, 0.99)), floor).expect(p99 < wantTold, "< %d ms", wantTold.Milliseconds())
}
