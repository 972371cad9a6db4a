package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// deliveriesATx is how many deliveries one transaction of the preparation puts: some hundred KiB, and less than 2,000 rows.
const deliveriesATx = 100

// putDeliveries puts n orders with a courier on his way, and their trackers, into the store in a folder. All are due, the first last.
func putDeliveries(ctx context.Context, dir string, n int, at time.Time) (err error) {
	st, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	for from := 0; from < n; from += deliveriesATx {
		tx := &store.Tx{Now: at}
		for i := from; i < min(from+deliveriesATx, n); i++ {
			putDelivery(tx, i, at)
		}
		tx.Usage = []store.UsageDelta{{Account: "doordash", Day: at.Format(time.DateOnly), Open: len(tx.Shipments)}}
		if err := st.Commit(ctx, "bench", tx); err != nil {
			return err
		}
	}
	return calmed(ctx, os.Getpid())
}

// deliverySoFar are DoorDash's words for what has happened to every delivery, one an hour, the last at the time that the bench has
// begun.
var deliverySoFar = []struct {
	word   string
	status shipping.Status
}{{"created", shipping.OrderDispatched}, {"confirmed", shipping.OrderAssigned}, {"created", shipping.OrderDispatched},
	{"confirmed", shipping.OrderAssigned}, {"enroute_to_pickup", shipping.PickupStarted}}

func putDelivery(tx *store.Tx, i int, at time.Time) {
	sh := benchShipment(int64(i), at)
	fee := shipping.Money{Minor: 975, Currency: "USD"}
	t := &tracker.Tracker{
		ID: tracker.ID(sh.ID), Tenant: sh.Tenant, Surface: tracker.OfShipment, Number: deliveryNumber(i), Reference: deliveryReference(i),
		Account: "doordash", Provider: "DoorDash", Couriers: []string{"doordash"}, Shipment: sh.ID, Attempt: 1, Type: "delivery", Zone: sh.Pickup.Zone,
		Source: tracker.Source{Type: "shipment", ID: string(sh.ID), Name: sh.Order.ExternalID}, Status: shipping.OrderDispatched, CreatedBy: "bench",
		Names:     []string{tracker.Name("attempt", string(sh.ID)+"/1")},
		CreatedAt: at.Add(-6 * time.Hour), UpdatedAt: at, NextPoll: at.Add(-time.Duration(i) * time.Millisecond), TrackingURL: "https://www.doordash.com/orders/track?id=" + deliveryNumber(i),
	}
	t.Tags = []string{tracker.ParcelTag(t.Account, t.Number), tracker.ReferenceTag(t.Reference), tracker.ShipmentTag(sh.ID)}
	a := &sh.Attempts[0]
	a.Reference, a.Account, a.Adapter, a.Provider, a.Fee = t.Reference, t.Account, "doordash", t.Provider, fee
	a.IntendedAt = t.CreatedAt
	a.Booking.TrackingID, a.Booking.TrackingURL, a.Booking.Amount = t.Number, t.TrackingURL, fee
	t.Polls.Count, t.Polls.FoundAt = len(deliverySoFar), t.CreatedAt
	for n, x := range deliverySoFar {
		when := at.Add(time.Duration(n+1-len(deliverySoFar)) * time.Hour)
		t.Merge(carrier.TrackUpdate{Number: t.Number, Events: []shipping.TrackingEvent{{Time: shipping.At(when), ZoneKnown: true, CarrierCode: x.word, Status: x.status}}},
			tracker.Heard{Origin: tracker.ByPoll, At: when})
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: sh.Move(x.status, when, t.Provider, shipment.WithAttempt(1), shipment.WithNote(x.word))})
	}
	tx.Shipments, tx.Trackers = append(tx.Shipments, sh), append(tx.Trackers, t)
}

func deliveryNumber(i int) string { return fmt.Sprintf("%010d", i) }

func deliveryReference(i int) string { return "ab" + string(benchID(int64(i))) }

// benchCarrier answers as DoorDash does when it is asked about a delivery. Of one in ten there are news.
type benchCarrier struct {
	at    time.Time
	asked atomic.Int64
}

func (c *benchCarrier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := path.Base(r.URL.Path)
	raw, err := hex.DecodeString(strings.TrimPrefix(id, "ab")) // as deliveryReference makes it
	if r.Method != http.MethodGet || err != nil || len(raw) < 8 {
		http.NotFound(w, r)
		return
	}
	c.asked.Add(1)
	number, status, changed := string(raw[len(raw)-8:]), "enroute_to_pickup", c.at
	if number[len(number)-1] == '0' {
		status, changed = "arrived_at_pickup", c.at.Add(time.Second)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"external_delivery_id":%q,"currency":"USD","delivery_status":%q,"fee":975,"tax":0,"order_value":1000,`+
		`"pickup_address":"345 Harrison Avenue, Boston, MA 02118","pickup_phone_number":"+12345678900","dropoff_address":"725 Albany Street, Boston, MA 02118",`+
		`"dropoff_phone_number":"+16175550123","tracking_url":"https://www.doordash.com/orders/track?id=00%s","support_reference":"00%s",`+
		`"pickup_verification_image_url":"","updated_at":%q}`, id, status, number, number, changed.Format(time.RFC3339))
}
