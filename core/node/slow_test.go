package node

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// only is a node with the account ups alone.
type only struct{ slow }

func (o only) Account(_, id string) (dispatch.Account, bool) { return o.slow, id == "ups" }

// slow is an account whose carrier takes its time to book.
type slow struct {
	dispatch.Account // nothing else is asked
	answer           chan struct{}
}

func (slow) Manifest() (carrier.Manifest, bool) {
	return carrier.Manifest{Name: "ups", DisplayName: "UPS", Version: "1.0.0", MaxParcels: 1, Services: []carrier.Service{{ID: "ground", Name: "Ground"}},
		Abilities: []carrier.Ability{carrier.CanQuote, carrier.CanBook}}, true
}

func (slow) Started(context.Context) bool { return true }
func (slow) Down() bool                   { return false }

func (slow) Quote(_ context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	return carrier.QuoteAnswer{Quotes: []shipping.Quote{{ServiceID: "ground", Amount: shipping.Money{Minor: 500, Currency: r.Currency}}}}, nil
}

func (s slow) Book(_ context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	<-s.answer
	return carrier.Booking{Reference: r.Reference, CarrierRef: "B1", TrackingID: "B1", Amount: r.Quoted, Parcels: []carrier.BookedParcel{{Number: "B1"}}}, nil
}

// A caller whose order takes longer than its connection is answered before that is closed, and an engine that stops meanwhile ends what
// it has begun.
func TestASlowOrderIsAnsweredBeforeItsConnectionIsClosed(t *testing.T) {
	watcher, err := config.Watch(filepath.Join("..", "..", "examples", "waybill.yaml"), func(string) (string, bool) { return "", false },
		func(c *config.Config) {
			c.Store.Dir, c.Server.WriteTimeout = filepath.Join(t.TempDir(), "store"), 4*time.Second
			c.Tenants["demo"].Rules, c.Tenants["demo"].Trial = "", nil
		}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	carriers := only{slow{answer: make(chan struct{})}}
	n, err := Open(Settings{Config: watcher, Log: hclog.NewNullLogger(), Carriers: carriers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx, ln) }()
	if err := n.Warm(ctx); err != nil {
		t.Fatal(err)
	}

	const order = `{"orderExternalId":"o1","locationExternalId":"7709","deliveryContact":{"name":"Ann","phone":"+1 617-555-0123"},
"deliveryAddress":{"street1":"725 Albany Street","city":"Boston","state":"MA","countryCode":"US","postalCode":"02118"},
"package":{"name":"box","size":{"length":10,"width":10,"height":10,"unit":"in"},"weight":{"value":5,"unit":"lb"},"itemQuantity":1}}`
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+ln.Addr().String()+"/shipments", strings.NewReader(order))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("x-api-key", "dev-key")
	q.Header.Set("Content-Type", "application/json")
	q.Close = true
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal("no answer:", err)
	}
	body, err := io.ReadAll(res.Body)
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || res.StatusCode != http.StatusAccepted || !strings.Contains(string(body), `"status":"ESTIMATES_RECEIVED"`) {
		t.Errorf("answered %d %s, %v", res.StatusCode, body, err)
	}

	stop()
	close(carriers.answer)
	if err := <-ran; err != nil {
		t.Error(err)
	}
	sh, err := n.Store.ShipmentByExternalID(context.WithoutCancel(ctx), "demo", "o1")
	if err != nil || sh.Status != shipping.OrderDispatched {
		t.Errorf("at the stop the order is %+v, %v", sh, err)
	}
}
