package badgerstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var benchNow = time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)

// order is a shipment of common size: some 3 KB stored.
func order(n int) *shipment.Shipment {
	sh := storetest.NewShipment("acme", n)
	line := "Please ring twice and leave it with the neighbour. "
	place := shipping.Address{Street1: "2125 Chestnut St", City: "San Francisco", State: "CA", PostalCode: "94123", CountryCode: "US"}
	instructions := strings.Repeat(line, 4)
	sh.Order.DeliveryAddress, sh.Order.DeliveryInstructions = place, &instructions
	sh.Order.Packages = []shipping.Parcel{{}, {}}
	sh.Pickup = shipment.Place{ID: "loc-1", Name: "Main store", Address: place, Instructions: line, Zone: "America/Los_Angeles"}
	sh.Accounts = []string{"ups", "doordash", "self"}
	sh.Attempts = []shipment.Attempt{{
		Number: 1, Kind: shipment.Forward, Reference: fmt.Sprintf("r%025x", n), State: shipment.Intended, Account: "ups", Adapter: "ups", Provider: "UPS",
		Quote: shipping.Quote{ServiceID: "ground", Amount: shipping.Money{Minor: 1234, Currency: "USD"}, Token: make([]byte, 200)},
	}}
	return sh
}

// commitTx is what one of an order's commits looks like.
func commitTx(sh *shipment.Shipment) *store.Tx {
	due := benchNow.Add(time.Hour)
	return &store.Tx{
		Now: benchNow, Shipments: []*shipment.Shipment{sh},
		Changes:  []store.Change{{Shipment: sh.ID, Change: shipment.Change{Seq: int(sh.Revision), Status: sh.Status, At: benchNow, User: "system"}}},
		Messages: []store.Message{{ID: fmt.Sprint("m", sh.Revision), Subject: store.ShipmentSubject(string(sh.ID)), Topic: "shipment.order_dispatched", At: benchNow, Body: make([]byte, 200)}},
		PutJobs:  []store.Job{{ID: string(sh.ID), Kind: "track", Key: string(sh.ID), Due: due, Payload: []byte(`{"shipment":"` + string(sh.ID) + `"}`)}},
	}
}

// bookTx is followTx with what a booking of one number claims.
func bookTx(sh *shipment.Shipment, n int) *store.Tx {
	tx := followTx(sh, n)
	tx.Claims = []store.Claim{{Name: fmt.Sprintf("booking:ups:1Z999AA1%010d", n), Shipment: sh.ID}}
	return tx
}

// followTx is an order's commit with the tracker that comes to follow it.
func followTx(sh *shipment.Shipment, n int) *store.Tx {
	tx := commitTx(sh)
	followed := storetest.NewTracker("acme", n)
	followed.Shipment, followed.Reference = sh.ID, sh.Attempts[0].Reference
	followed.Names = append(followed.Names, tracker.Name("attempt", string(sh.ID)+"/1"))
	followed.Tags = append(followed.Tags, tracker.ReferenceTag(followed.Reference), tracker.ShipmentTag(sh.ID))
	tx.Trackers = []*tracker.Tracker{followed}
	return tx
}

// floor is the least that durable commits can cost: many writers append to one file, and one fsync answers all that wait.
type floor struct {
	file    *os.File
	waiting chan floorWrite
	ended   chan struct{}
}

type floorWrite struct {
	record []byte
	done   chan error
}

func newFloor(b *testing.B) *floor {
	file, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	f := &floor{file: file, waiting: make(chan floorWrite, 256), ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for w := range f.waiting {
			group := []floorWrite{w}
			for len(f.waiting) > 0 {
				group = append(group, <-f.waiting)
			}
			var all []byte
			for _, w := range group {
				all = append(all, w.record...)
			}
			_, err := f.file.Write(all)
			if err == nil {
				err = f.file.Sync()
			}
			for _, w := range group {
				w.done <- err
			}
		}
	}()
	return f
}

func (f *floor) commit(record []byte) error {
	done := make(chan error, 1)
	f.waiting <- floorWrite{record, done}
	return <-done
}

func (f *floor) close() {
	close(f.waiting)
	<-f.ended
	f.file.Close()
}

// perSecond counts how often writers at once get through f in a stretch of time.
func perSecond(b *testing.B, writers int, f func() error) float64 {
	const stretch = 400 * time.Millisecond
	var n atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range writers {
		wg.Go(func() {
			for time.Since(start) < stretch {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds()
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}

// BenchmarkCommit measures commits a second beside the floor, in turns: each iteration is one stretch of each. The floor appends
// as many bytes as the commit's own records have. Run it with -benchtime=5x; "ratio" is the figure to watch.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			s, f := open(b, badgerstore.Config{Dir: b.TempDir()}), newFloor(b)
			defer f.close()
			var n atomic.Int64
			record := make([]byte, 3200)
			var commits, follows, floors, ratios []float64
			for b.Loop() {
				floors = append(floors, perSecond(b, writers, func() error { return f.commit(record) }))
				commits = append(commits, perSecond(b, writers, func() error {
					return s.Commit(b.Context(), "acme", commitTx(order(int(n.Add(1)))))
				}))
				follows = append(follows, perSecond(b, writers, func() error {
					i := int(n.Add(1))
					return s.Commit(b.Context(), "acme", followTx(order(i), i))
				}))
				ratios = append(ratios, commits[len(commits)-1]/floors[len(floors)-1])
			}
			b.ReportMetric(median(commits), "commits/s")
			b.ReportMetric(median(follows), "with-tracker/s")
			b.ReportMetric(median(floors), "floor/s")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkCommitCPU is the processor's share of one commit, without the disk.
func BenchmarkCommitCPU(b *testing.B) {
	s := open(b, badgerstore.Config{InMemory: true})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if err := s.Commit(b.Context(), "acme", commitTx(order(n))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFollowCPU is BenchmarkCommitCPU with a tracker.
func BenchmarkFollowCPU(b *testing.B) {
	s := open(b, badgerstore.Config{InMemory: true})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if err := s.Commit(b.Context(), "acme", followTx(order(n), n)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBookCPU is BenchmarkFollowCPU with the claim of the booking, and the look for who has it.
func BenchmarkBookCPU(b *testing.B) {
	s := open(b, badgerstore.Config{InMemory: true})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		tx := bookTx(order(n), n)
		if _, err := s.Claimants(b.Context(), []string{tx.Claims[0].Name}); err != nil {
			b.Fatal(err)
		}
		if err := s.Commit(b.Context(), "acme", tx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClaim measures claims and removals of jobs a second, ten at a time, with 10,000 waiting.
func BenchmarkClaim(b *testing.B) {
	now := benchNow
	s := open(b, badgerstore.Config{Dir: b.TempDir()})
	for i := range 10 {
		tx := &store.Tx{}
		for n := range 1000 {
			id := fmt.Sprintf("%02d-%04d", i, n)
			tx.PutJobs = append(tx.PutJobs, store.Job{ID: id, Kind: "poll", Key: id, Due: benchNow, Payload: make([]byte, 100)})
		}
		if err := s.Commit(b.Context(), "acme", tx); err != nil {
			b.Fatal(err)
		}
	}
	jobs := 0
	for b.Loop() {
		claimed, err := s.ClaimJobs(b.Context(), now, time.Minute, 10)
		if err != nil || len(claimed) != 10 {
			b.Fatal(len(claimed), err)
		}
		jobs += len(claimed)
		for i := range claimed {
			claimed[i].Due = now.Add(time.Duration(jobs)) // behind all others
		}
		tx := &store.Tx{DoneJobs: slices.Clone(claimed), PutJobs: claimed}
		for i := range tx.PutJobs {
			tx.PutJobs[i].Lease = nil
		}
		if err := s.Commit(b.Context(), "acme", tx); err != nil {
			b.Fatal(err)
		}
		now = now.Add(time.Microsecond)
	}
	b.ReportMetric(float64(jobs)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkMemory reports the anonymous memory of the process that holds a store, after 10,000 orders of three commits each, as it
// is idle.
func BenchmarkMemory(b *testing.B) {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		b.Skip("this system does not tell anonymous memory: ", err)
	}
	for b.Loop() {
		s := open(b, badgerstore.Config{Dir: b.TempDir()})
		before := anonymous(b)
		var wg sync.WaitGroup
		for w := range 64 {
			wg.Go(func() {
				for n := w; n < 10_000; n += 64 {
					sh := order(n)
					for range 3 {
						if err := s.Commit(b.Context(), "acme", commitTx(sh)); err != nil {
							b.Error(err)
							return
						}
					}
				}
			})
		}
		wg.Wait()
		busy := anonymous(b)
		runtime.GC()
		debug.FreeOSMemory()
		b.ReportMetric(before, "MiB-empty")
		b.ReportMetric(busy, "MiB-busy")
		b.ReportMetric(anonymous(b), "MiB-idle")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// anonymous is the memory of this process that no file backs, in MiB.
func anonymous(b *testing.B) float64 {
	rollup, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		b.Fatal(err)
	}
	for l := range strings.Lines(string(rollup)) {
		var kib float64
		if n, _ := fmt.Sscanf(l, "Anonymous: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	b.Fatal("smaps_rollup does not tell anonymous memory")
	return 0
}
