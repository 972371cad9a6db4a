package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
)

// benchKey is the key of the bench's tenant; it opens nothing else.
const benchKey = "bench-key"

// benchOrder is the order of the API's own example; %s is its id.
const benchOrder = `{"locationExternalId":"7709","orderExternalId":"%s","orderValue":10,` +
	`"deliveryContact":{"name":"asd","phone":"+1 234-567-8900","email":""},` +
	`"deliveryAddress":{"street1":"725 Albany Street","street2":"","city":"Boston","state":"MA","countryCode":"US","postalCode":"02118",` +
	`"latitude":42.3346944,"longitude":-71.071818,"apartmentNumber":""},` +
	`"package":{"name":"Solid","size":{"length":10,"width":10,"height":10,"unit":"in"},"weight":{"value":10,"unit":"lb"},"itemQuantity":1,"description":"bungii pack 1"},` +
	`"itemList":[{"sku":"sku 1","quantity":1,"size":{"length":3,"width":2,"height":2,"unit":"in"},"weight":{"value":10,"unit":"lb"},"price":3,"salePrice":3,"title":"Watch"}],` +
	`"pickupTime":null,"deliveryTime":null}`

// caller is a client with one connection that it keeps. It writes requests by hand, so that the clients of a load take as little
// as possible of the processor that they share with what is measured.
type caller struct {
	conn net.Conn
	r    *bufio.Reader
	out  []byte
	body bytes.Buffer
}

func dialCaller(ctx context.Context, address string) (*caller, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, r: bufio.NewReaderSize(conn, 16<<10)}, nil
}

// askTimeout is far above what any answer takes.
const askTimeout = time.Minute

// do sends one request and reads the whole answer, which is valid until the next call.
func (c *caller) do(method, path string, body []byte) (status int, answer []byte, err error) {
	return c.send(method, path, "X-Api-Key: "+benchKey, body)
}

// send is do with another key.
func (c *caller) send(method, path, key string, body []byte) (status int, answer []byte, err error) {
	c.out = append(c.out[:0], method...)
	c.out = append(c.out, ' ')
	c.out = append(c.out, path...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: bench\r\n"...)
	c.out = append(c.out, key...)
	c.out = append(c.out, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	c.out = append(c.out, "\r\n\r\n"...)
	c.out = append(c.out, body...)
	if err := c.conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, nil, err
	}
	c.body.Reset()
	_, err = c.body.ReadFrom(resp.Body)
	return resp.StatusCode, c.body.Bytes(), errors.Join(err, resp.Body.Close())
}

// get reads JSON.
func (c *caller) get(path string, v any) error {
	status, answer, err := c.do(http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, status, answer)
	}
	return json.Unmarshal(answer, v)
}

// loadResult is what came of many requests.
type loadResult struct {
	took      time.Duration
	latencies []time.Duration // of those that succeeded, ascending
	wins      map[string]int  // orders by the account that won
	failures  int
	firstFail error
}

func (r *loadResult) perSecond() float64 { return float64(len(r.latencies)) / r.took.Seconds() }

// part is the load as one client sees it.
type part struct {
	latencies []time.Duration
	wins      map[string]int
	failures  int
	firstFail error
}

// load sends n requests from many clients at once, each on a connection of its own. ask makes request number i, and returns
// which account has won.
func load(ctx context.Context, address string, clients, n int, ask func(c *caller, i int) (string, error)) (*loadResult, error) {
	callers := make([]*caller, min(clients, n))
	defer func() {
		for _, c := range callers {
			if c != nil {
				_ = c.conn.Close() // all answers are read
			}
		}
	}()
	for i := range callers {
		var err error
		if callers[i], err = dialCaller(ctx, address); err != nil {
			return nil, err
		}
	}
	parts := make([]part, len(callers))
	var next atomic.Int64
	var wg sync.WaitGroup
	begun := time.Now()
	for i, c := range callers {
		p := &parts[i]
		p.wins = map[string]int{}
		wg.Go(func() {
			for ctx.Err() == nil && p.failures < 10 {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				start := time.Now()
				winner, err := ask(c, i)
				if err != nil {
					p.failures++
					if p.firstFail == nil {
						p.firstFail = err
					}
					continue
				}
				p.latencies = append(p.latencies, time.Since(start))
				p.wins[winner]++
			}
		})
	}
	wg.Wait()
	return merge(parts, time.Since(begun)), ctx.Err()
}

func merge(parts []part, took time.Duration) *loadResult {
	r := &loadResult{took: took, wins: map[string]int{}}
	for _, p := range parts {
		r.latencies = append(r.latencies, p.latencies...)
		r.failures += p.failures
		if r.firstFail == nil {
			r.firstFail = p.firstFail
		}
		for k, n := range p.wins {
			r.wins[k] += n
		}
	}
	slices.Sort(r.latencies)
	return r
}

// placeOrder creates one order and returns which account has it.
func placeOrder(c *caller, id string) (string, error) {
	status, answer, err := c.do(http.MethodPost, "/shipments", fmt.Appendf(nil, benchOrder, id))
	if err != nil {
		return "", err
	}
	if status != http.StatusCreated {
		return "", fmt.Errorf("order %s was answered %d: %s", id, status, answer[:min(len(answer), 500)])
	}
	var view struct {
		Provider struct {
			ID string `json:"id"`
		} `json:"provider"`
	}
	if err := json.Unmarshal(answer, &view); err != nil {
		return "", fmt.Errorf("answer to order %s: %w", id, err)
	}
	return view.Provider.ID, nil
}

// placeOrders is the load of n orders whose ids begin with a prefix.
func placeOrders(ctx context.Context, address string, clients, n int, prefix string) (*loadResult, error) {
	return load(ctx, address, clients, n, func(c *caller, i int) (string, error) {
		return placeOrder(c, fmt.Sprintf("%s-%06d", prefix, i))
	})
}

// serveHTTP serves a handler on a free port of the loopback until stop is called.
func serveHTTP(h http.Handler) (address string, stop func() error, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: askTimeout}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	return ln.Addr().String(), func() error {
		err := srv.Close()
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}
