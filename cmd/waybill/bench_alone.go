package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/go-hclog"
	"github.com/klauspost/compress/s2"

	"github.com/waybill-dev/waybill/core/node"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
)

// warmUp is how many orders go before each measured part.
const warmUp = 300

// engineAlone measures the engine with carriers that answer at once in its own process, over HTTP and on a durable store, and then
// the store by itself with the documents that it has made. It returns orders a second.
func (b *bench) engineAlone(ctx context.Context, floors *benchFloors) (float64, error) {
	b.say("engine with stubs of carriers: %d orders", b.orders)
	file, err := b.writeConfig("alone", "http://127.0.0.1:1", "")
	if err != nil {
		return 0, err
	}
	var r *loadResult
	var sample *shipment.Shipment
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = runEngine(ctx, file, node.Settings{Log: hclog.NewNullLogger(), Carriers: newStubs()}, func(n *node.Node, address string) error {
		defer cancel()
		if err := n.Warm(ctx); err != nil {
			return err
		}
		if _, err := placeOrders(ctx, address, b.clients, warmUp, "warm"); err != nil {
			return err
		}
		var err error
		if r, err = placeOrders(ctx, address, b.clients, b.orders, "alone"); err != nil {
			return err
		}
		if r.firstFail != nil {
			return r.firstFail
		}
		sample, err = n.Store.ShipmentByExternalID(ctx, "bench", "alone-000000")
		return err
	})
	if err != nil {
		return 0, err
	}
	b.table.add("(b) engine alone, carriers stubbed in process", "orders/s", r.perSecond()).over(floors.json, "net/http that decodes and encodes the same body")
	b.table.add("(b) p50 of an order", "ms", millis(quantile(r.latencies, 0.5)))
	b.table.add("(b) p99 of an order", "ms", millis(quantile(r.latencies, 0.99)))
	return r.perSecond(), b.commits(context.WithoutCancel(ctx), sample)
}

// commits measures the store beside append and fsync of as many bytes, in turns.
func (b *bench) commits(ctx context.Context, sample *shipment.Shipment) error {
	const rounds, writers = 5, 64
	b.say("commits at %d writers", writers)
	dir := filepath.Join(b.dir, "commits")
	st, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	if err != nil {
		return err
	}
	floor, err := newFsyncFloor(filepath.Join(b.dir, "append"))
	if err != nil {
		return errors.Join(err, st.Close())
	}
	document, err := json.Marshal(sample)
	if err != nil {
		return errors.Join(err, st.Close(), floor.close())
	}
	// The floor appends what the rows of such a commit have: the document as the store packs it, the line of history, the job.
	record := make([]byte, len(s2.Encode(nil, document))+300)
	var n atomic.Int64
	commit := func(int) func() error {
		return func() error { return st.Commit(ctx, sample.Tenant, sampleTx(sample, n.Add(1))) }
	}
	var commits, floors, ratios []float64
	for range rounds {
		f, err := rate(writers, b.stretch, func(int) func() error { return func() error { return floor.commit(record) } })
		if err != nil {
			return errors.Join(err, st.Close(), floor.close())
		}
		c, err := rate(writers, b.stretch, commit)
		if err != nil {
			return errors.Join(err, st.Close(), floor.close())
		}
		commits, floors, ratios = append(commits, c), append(floors, f), append(ratios, c/f)
	}
	ratio := medianOf(ratios)
	fig := b.table.add("(d) Badger commits, 64 writers", "commits/s", medianOf(commits))
	fig.over(medianOf(floors), fmt.Sprintf("append and fsync of %d bytes, 64 writers, in groups", len(record)))
	fig.Ratio = ratio
	fig.expect(ratio >= wantCommit, "ratio ≥ %.1f", wantCommit)
	return errors.Join(st.Close(), floor.close(), os.RemoveAll(dir))
}

// sampleTx is the first commit of an order that looks like the sample.
func sampleTx(sample *shipment.Shipment, n int64) *store.Tx {
	sh := *sample
	sh.ID, sh.Revision = benchID(n), 0
	sh.Order.ExternalID = fmt.Sprint("commit-", n)
	sh.Attempts = nil // references are unique
	now := time.Now()
	return &store.Tx{
		Shipments: []*shipment.Shipment{&sh}, Now: now,
		Changes: []store.Change{{Shipment: sh.ID, Change: shipment.Change{Seq: 1, Status: sh.Status, At: now, User: "bench"}}},
		PutJobs: []store.Job{{ID: string(sh.ID) + "/dispatch", Kind: "dispatch", Key: string(sh.ID), Due: now.Add(time.Hour)}},
	}
}
