package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/shipment"
)

// benchFloors is what the machine can do without the engine.
type benchFloors struct {
	fsync   time.Duration // one append with its fsync, one writer, median
	json    float64       // orders a second that net/http reads, decodes, encodes and answers, all clients
	socket  time.Duration // one question over a unix socket to another process, median
	sockets float64       // questions a second, all clients
}

// floors measures them; the one of commits comes with the commits.
func (b *bench) floors(ctx context.Context) (*benchFloors, error) {
	b.say("floors: fsync, JSON, socket")
	f := &benchFloors{}
	disk, err := newFsyncFloor(filepath.Join(b.dir, "fsync"))
	if err != nil {
		return nil, err
	}
	record := make([]byte, 2000)
	lats, err := repeat(500, func() error { return disk.commit(record) })
	if err := errors.Join(err, disk.close()); err != nil {
		return nil, err
	}
	f.fsync = quantile(lats, 0.5)
	if f.json, err = b.jsonFloor(ctx); err != nil {
		return nil, err
	}
	echo, err := b.start(ctx, "echo", "--socket", filepath.Join(b.dir, "echo.sock"))
	if err != nil {
		return nil, err
	}
	err = f.measureSocket(ctx, echo.address, b.clients, b.stretch)
	return f, errors.Join(err, echo.stop())
}

// repeat times n calls of f, one after the other, and returns the times ascending.
func repeat(n int, f func() error) ([]time.Duration, error) {
	out := make([]time.Duration, 0, n)
	for range n {
		start := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		out = append(out, time.Since(start))
	}
	slices.Sort(out)
	return out, nil
}

// rate counts how often many workers at once get through f in a stretch of time. Each worker has an f of its own.
func rate(workers int, stretch time.Duration, worker func(i int) func() error) (float64, error) {
	var n atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, workers)
	start := time.Now()
	for i := range workers {
		f := worker(i)
		wg.Go(func() {
			for time.Since(start) < stretch {
				if errs[i] = f(); errs[i] != nil {
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds(), errors.Join(errs...)
}

// jsonFloor is an HTTP server that decodes the body of an order and answers it encoded.
func (b *bench) jsonFloor(ctx context.Context) (float64, error) {
	address, stop, err := serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		var o shipment.Order
		if err == nil {
			err = json.Unmarshal(raw, &o)
		}
		if err == nil {
			raw, err = json.Marshal(&o)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(raw) // a client that has left counts as a failure of its own
	}))
	if err != nil {
		return 0, err
	}
	r, err := placeOrders(ctx, address, b.clients, max(b.orders, 5000), "echo")
	if err := errors.Join(err, stop()); err != nil {
		return 0, err
	}
	return r.perSecond(), r.firstFail
}

func (f *benchFloors) measureSocket(ctx context.Context, socket string, clients int, stretch time.Duration) error {
	ask := func() (func() error, io.Closer, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, nil, err
		}
		request, answer := make([]byte, echoRequest), make([]byte, echoAnswer)
		return func() error {
			if _, err := conn.Write(request); err != nil {
				return err
			}
			_, err := io.ReadFull(conn, answer)
			return err
		}, conn, nil
	}
	asks := make([]func() error, clients)
	for i := range asks {
		do, conn, err := ask()
		if err != nil {
			return err
		}
		defer conn.Close()
		asks[i] = do
	}
	lats, err := repeat(2000, asks[0])
	if err != nil {
		return err
	}
	f.socket = quantile(lats, 0.5)
	f.sockets, err = rate(clients, stretch, func(i int) func() error { return asks[i] })
	return err
}

// fsyncFloor is the least that durable commits can cost: many writers append to one file, and one fsync answers all that wait.
type fsyncFloor struct {
	file    *os.File
	waiting chan fsyncWrite
	ended   chan struct{}
}

type fsyncWrite struct {
	record []byte
	done   chan error
}

func newFsyncFloor(path string) (*fsyncFloor, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	f := &fsyncFloor{file: file, waiting: make(chan fsyncWrite, 256), ended: make(chan struct{})}
	go f.write()
	return f, nil
}

func (f *fsyncFloor) write() {
	defer close(f.ended)
	var all []byte
	for w := range f.waiting {
		group := []fsyncWrite{w}
		for len(f.waiting) > 0 {
			group = append(group, <-f.waiting)
		}
		all = all[:0]
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
}

func (f *fsyncFloor) commit(record []byte) error {
	done := make(chan error, 1)
	f.waiting <- fsyncWrite{record, done}
	return <-done
}

func (f *fsyncFloor) close() error {
	close(f.waiting)
	<-f.ended
	return errors.Join(f.file.Close(), os.Remove(f.file.Name()))
}

// benchID is the id of shipment number n.
func benchID(n int64) shipment.ID {
	var b [12]byte
	copy(b[4:], fmt.Sprintf("%08d", n%100_000_000))
	return shipment.ID(hex.EncodeToString(b[:]))
}
