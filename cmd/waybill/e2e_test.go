package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// orderAnswer is what these tests read of an answer.
type orderAnswer struct {
	ID         string
	Type       string
	Message    string
	Status     string
	TrackingID string
	Label      string
	Provider   struct{ ID, ServiceID string }
	Warnings   []struct{ Code string }
}

func parseOrder(t testing.TB, b []byte) orderAnswer {
	t.Helper()
	var a orderAnswer
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("answer %s: %v", b, err)
	}
	return a
}

// boston is the seed's create, 7709-001, under another number.
func boston(id string) string {
	return `{"locationExternalId":"7709","orderExternalId":"` + id + `","orderValue":10,
"deliveryContact":{"name":"asd","phone":"+1 234-567-8900","email":""},
"deliveryAddress":{"street1":"725 Albany Street","street2":"","city":"Boston","state":"MA","countryCode":"US","postalCode":"02118","latitude":42.3346944,"longitude":-71.071818,"apartmentNumber":""},
"package":{"name":"Solid","size":{"length":10,"width":10,"height":10,"unit":"in"},"weight":{"value":10,"unit":"lb"},"itemQuantity":1,"description":"bungii pack 1"},
"itemList":[{"sku":"sku 1","quantity":1,"size":{"length":3,"width":2,"height":2,"unit":"in"},"weight":{"value":10,"unit":"lb"},"price":3,"salePrice":3,"title":"Watch"}],
"pickupTime":null,"deliveryTime":null}`
}

// hasty is thirds where doubts are cleared up within seconds. On a busy machine there may be doubts, then, that no fault has caused.
func hasty(t testing.TB) string {
	t.Helper()
	path := thirds(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("book_timeout: 30s", "book_timeout: 4s", "quote_timeout: 8s", "quote_timeout: 4s", "answer_within: 20s", "answer_within: 1s",
		"adapter: ups\n", "adapter: ups\n        grace: 1s\n", "adapter: doordash\n", "adapter: doordash\n        grace: 1s\n").Replace(string(text))
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// thirds writes a configuration in which each carrier wins a third of the orders.
func thirds(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(repository(t), "examples", "waybill.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := string(text) + "\nplugins: { quarantine: { deaths: 10000 } }\n"
	rules := "rules: 1\nname: thirds\nproviders: [ups, doordash, own_fleet]\nchoose:\n  - name: A third each\n    split: { ups: 34, doordash: 33, own_fleet: 33, by: order.id }\n"
	for name, content := range map[string]string{"waybill.yaml": config, "rules/thirds.rules.yaml": rules} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "waybill.yaml")
}

// TestAdaptersMayDie kills an adapter process every third of a second during 500 concurrent creates. No request hangs; every order
// ends, or says that it is in doubt until its reconcile job has ended it; and what the carriers believe is what the engine
// believes: one live booking for each order that has one, none besides.
func TestAdaptersMayDie(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--config", hasty(t))
	const orders, clients = 500, 64
	stop, killed := killAdapters(t, d)
	ids := make(chan string, orders)
	for i := range orders {
		ids <- fmt.Sprintf("kill-%03d", i)
	}
	close(ids)
	var mu sync.Mutex
	outcomes := map[string]int{}
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for id := range ids {
				code, body := d.Request(t, http.MethodPost, "/shipments", boston(id))
				a := parseOrder(t, body)
				key := fmt.Sprintf("%d %s%s", code, a.Status, a.Type)
				if code == http.StatusAccepted && (len(a.Warnings) == 0 || !inDoubt(a)) {
					t.Errorf("%s waits and does not say why: %s", id, body)
				}
				if code >= 500 {
					t.Errorf("%s: %s", id, body)
				}
				mu.Lock()
				outcomes[key]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	close(stop)
	t.Logf("%d kills; answers: %v", <-killed, outcomes)
	if t.Failed() {
		return
	}
	settle(t, d, orders, func(i int) string { return fmt.Sprintf("kill-%03d", i) })
}

func inDoubt(a orderAnswer) bool {
	for _, w := range a.Warnings {
		if w.Code == "DISPATCH_IN_DOUBT" {
			return true
		}
	}
	return false
}

// killAdapters kills one adapter after the other until stop is closed, then says how many.
func killAdapters(t *testing.T, d *devProcess) (stop chan struct{}, killed chan int) {
	stop, killed = make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		defer func() { killed <- n }()
		every := time.NewTicker(300 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-stop:
				return
			case <-every.C:
			}
			name := []string{"ups", "doordash", "selfdelivery"}[n%3]
			if pid := d.Adapters(t)[name]; pid != 0 {
				if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
					n++
				}
			}
		}
	}()
	return stop, killed
}

// settle waits until every order has ended, and compares what the engine says with the carriers' ledger.
func settle(t *testing.T, d *devProcess, orders int, id func(int) string) {
	t.Helper()
	live := map[string]int{}
	deadline := time.Now().Add(patient)
	for i := range orders {
		for {
			code, body := d.Request(t, http.MethodGet, "/shipments/"+id(i), "")
			a := parseOrder(t, body)
			if code == http.StatusOK && a.Status != "PENDING_DISPATCH" && a.Status != "REQUEST_RECEIVED" && a.Status != "ESTIMATES_RECEIVED" {
				if a.Status == "ORDER_DISPATCHED" {
					live[a.Provider.ID]++
					if a.TrackingID == "" {
						t.Errorf("%s is dispatched without a number: %s", id(i), body)
					}
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s has not ended after %v: %s", id(i), patient, body)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	_, body := d.Sim(t, http.MethodGet, "/ledger?limit=1", "")
	var ledger struct {
		Totals map[string]struct {
			LiveBookings int `json:"live_bookings"`
		}
	}
	if err := json.Unmarshal(body, &ledger); err != nil {
		t.Fatalf("ledger %s: %v", body, err)
	}
	t.Logf("live orders by carrier: %v; ledger: %+v", live, ledger.Totals)
	for _, carrier := range []string{"ups", "doordash"} {
		if got := ledger.Totals[carrier].LiveBookings; got != live[carrier] {
			t.Errorf("%s has %d live bookings, the engine knows of %d", carrier, got, live[carrier])
		}
		if live[carrier] == 0 {
			t.Errorf("%s has won no order: the test shows nothing about it", carrier)
		}
	}
}

// TestTheEngineMayDie kills the engine while orders are being created, and starts it again over the same data: every order that
// was acknowledged is there.
func TestTheEngineMayDie(t *testing.T) {
	t.Parallel()
	cfg := thirds(t)
	d := startDev(t, "--config", cfg)
	var acknowledged []string
	for i := range 20 {
		id := fmt.Sprintf("crash-%02d", i)
		if code, body := d.Request(t, http.MethodPost, "/shipments", boston(id)); code != http.StatusCreated {
			t.Fatalf("%s: %d %s", id, code, body)
		}
		acknowledged = append(acknowledged, id)
	}
	d.Kill(t)
	again := startDev(t, "--config", cfg, "--data", d.Data)
	labels := 0
	for _, id := range acknowledged {
		code, body := again.Request(t, http.MethodGet, "/shipments/"+id, "")
		a := parseOrder(t, body)
		if code != http.StatusOK || a.Status != "ORDER_DISPATCHED" || a.TrackingID == "" {
			t.Errorf("%s after the crash: %d %s", id, code, body)
		}
		if a.Label == "" {
			continue // couriers have no labels
		}
		labels++
		if code, label := again.Request(t, http.MethodGet, "/shipments/"+id+"/label", ""); code != http.StatusOK || len(label) < 100 {
			t.Errorf("%s has no label after the crash: %d, %d bytes", id, code, len(label))
		}
	}
	if labels == 0 {
		t.Error("no order has a label: the test shows nothing about labels")
	}
}
