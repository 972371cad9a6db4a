package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// What one node is expected to do with 100,000 trackers on 2 cores.
const (
	wantTrackerMemory = 300 // MiB, anonymous
	wantTrackerStart  = 3 * time.Second
)

// trackersATx is how many trackers one transaction of the preparation puts: some hundred KiB.
const trackersATx = 200

func newBenchTrackersCmd() *cobra.Command {
	b := &bench{}
	asJSON := false
	cmd := &cobra.Command{
		Use: "trackers", Short: "Measure what following many parcels costs on this machine", Args: cobra.NoArgs,
		Long: "Measure what following many parcels costs on this machine: how long an engine with so many active trackers takes to start, and the\n" +
			"memory that it has while none is due; beside each figure that of an engine that follows nothing, measured in the same run.",
		Example: "  waybill bench trackers --trackers 10000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.table.Trackers < 1 {
				return errors.New("--trackers must be at least 1")
			}
			return b.report(cmd, asJSON, b.trackers)
		},
	}
	cmd.Flags().IntVar(&b.table.Trackers, "trackers", 100_000, "how many trackers the engine follows")
	b.flags(cmd, &asJSON)
	return cmd
}

// trackers measures an engine that follows many beside one that follows none.
func (b *bench) trackers(ctx context.Context) error {
	empty, err := b.writeConfig("nothing", "http://127.0.0.1:1")
	if err != nil {
		return err
	}
	full, err := b.writeConfig("trackers", "http://127.0.0.1:1")
	if err != nil {
		return err
	}
	b.say("put %d trackers", b.table.Trackers)
	if err := putTrackers(ctx, filepath.Join(filepath.Dir(full), "data"), b.table.Trackers, time.Now().UTC()); err != nil {
		return fmt.Errorf("bench: put trackers: %w", err)
	}
	floor, err := b.followedBy(ctx, empty)
	if err != nil {
		return fmt.Errorf("bench: engine without trackers: %w", err)
	}
	found, err := b.followedBy(ctx, full)
	if err != nil {
		return fmt.Errorf("bench: engine with %d trackers: %w", b.table.Trackers, err)
	}
	const of = "the same, following nothing"
	b.table.add("start to /readyz", "s", found.start.Seconds()).over(floor.start.Seconds(), of).
		expect(found.start < wantTrackerStart, "< %.0f s with 100,000", wantTrackerStart.Seconds())
	b.table.add("anonymous memory of the engine, idle", "MiB", found.anonymous).over(floor.anonymous, of).
		expect(found.anonymous < wantTrackerMemory, "< %d MiB with 100,000", wantTrackerMemory)
	b.table.add("resident memory of the engine, files that it maps included", "MiB", found.resident).over(floor.resident, of)
	return nil
}

// idleEngine is an engine that was started and had nothing to do.
type idleEngine struct {
	start               time.Duration // from the process to /readyz
	anonymous, resident float64       // MiB
}

// followedBy starts an engine three times, each a process of its own, and reads the memory of the last. The start is the median.
func (b *bench) followedBy(ctx context.Context, file string) (idleEngine, error) {
	const starts = 3
	var e idleEngine
	var took []float64
	for n := range starts {
		b.say("start %d of %d", n+1, starts)
		begun := time.Now()
		engine, err := b.start(ctx, "engine", append(b.profileFlags(), "--config", file)...)
		if err != nil {
			return e, err
		}
		err = isReady(ctx, engine.address)
		took = append(took, time.Since(begun).Seconds())
		if err == nil && n == starts-1 {
			if err = b.rest(ctx); err == nil {
				e.anonymous, e.resident, err = memoryOf(engine.cmd.Process.Pid)
			}
		}
		if err = errors.Join(err, engine.stop()); err != nil {
			return e, err
		}
	}
	e.start = time.Duration(medianOf(took) * float64(time.Second))
	return e, nil
}

// isReady asks an engine that has said its address: it says it when it can take orders.
func isReady(ctx context.Context, address string) error {
	c, err := dialCaller(ctx, address)
	if err != nil {
		return err
	}
	status, answer, err := c.do(http.MethodGet, "/readyz", nil)
	if err = errors.Join(err, c.conn.Close()); err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET /readyz: %d %s", status, answer)
	}
	return nil
}

// putTrackers puts n active trackers into the store in a folder, due in turns during the day after tomorrow: none while the bench
// runs.
func putTrackers(ctx context.Context, dir string, n int, now time.Time) (err error) {
	st, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	for from := 0; from < n; from += trackersATx {
		tx := &store.Tx{Now: now}
		for i := from; i < min(from+trackersATx, n); i++ {
			t := benchTracker(i, now)
			t.NextPoll = now.Add(48*time.Hour + time.Duration(i)*24*time.Hour/time.Duration(n))
			tx.Trackers = append(tx.Trackers, t)
		}
		if err := st.Commit(ctx, "bench", tx); err != nil {
			return err
		}
	}
	return nil
}

// benchTracker is a parcel on its way, with as many events as one has half way.
func benchTracker(i int, now time.Time) *tracker.Tracker {
	number := fmt.Sprintf("1ZWB0001%010d", i)
	id := benchID(int64(i))
	t := &tracker.Tracker{
		ID: tracker.ID(id), Tenant: "bench", Surface: tracker.OfShipment, Number: number, Reference: "ab" + string(id),
		Account: "ups", Couriers: []string{"ups"}, Shipment: id, Attempt: 1, Type: "delivery", Zone: "America/New_York",
		Source: tracker.Source{Type: "api", ID: "bench", Name: "bench"}, Status: shipping.InTransit, CreatedBy: "bench",
		Names:     []string{tracker.Name("attempt", string(id)+"/1")},
		CreatedAt: now.Add(time.Duration(i-1_000_000) * time.Second), UpdatedAt: now,
	}
	t.Tags = []string{tracker.ParcelTag("ups", number), tracker.ReferenceTag(t.Reference), tracker.ShipmentTag(id)}
	for n, words := range []string{"Label created", "Picked up", "Arrived at facility", "Departed from facility", "Arrived at facility"} {
		t.Seq++
		t.Events = append(t.Events, tracker.Event{
			ID: fmt.Sprintf("%08x%08x", i, n), Seq: t.Seq, Number: number, Account: "ups", Origin: tracker.ByPoll, Received: now,
			TrackingEvent: shipping.TrackingEvent{
				Time: shipping.At(now.Add(time.Duration(n-5) * time.Hour)), ZoneKnown: true, CarrierCode: fmt.Sprint("I", n), CarrierWords: words,
				Status: shipping.InTransit, City: "Boston", State: "MA", CountryCode: "US",
			},
		})
	}
	return t
}
