package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// twoItems is an order of two watches and a strap.
func twoItems(r *dispatch.CreateRequest) {
	r.Order.Items = []shipping.Item{
		{SKU: "watch", Quantity: 2, Title: "Watch", Price: shipping.MustDecimal("4"), SalePrice: shipping.MustDecimal("3.50")},
		{SKU: "strap", Quantity: 1, Title: "Strap", Price: shipping.MustDecimal("3")},
	}
}

// delivered creates an order and has it delivered.
func (e *engine) delivered(id string, change ...func(*dispatch.CreateRequest)) *shipment.Shipment {
	e.t.Helper()
	e.mustCreate(id, change...)
	return e.deliver(id)
}

func (e *engine) deliver(id string) *shipment.Shipment {
	e.t.Helper()
	if err := e.setStatus(id, shipping.OrderDelivered, ""); err != nil {
		e.t.Fatalf("deliver %s: %v", id, err)
	}
	return e.get(id)
}

func (e *engine) giveBack(id string, change ...func(*dispatch.ReturnRequest)) (dispatch.Result, error) {
	r := dispatch.ReturnRequest{Reason: "too_small"}
	for _, c := range change {
		c(&r)
	}
	return e.Return(context.Background(), caller, id, r)
}

func items(its ...dispatch.ReturnItem) func(*dispatch.ReturnRequest) {
	return func(r *dispatch.ReturnRequest) { r.Items = its }
}

func (e *engine) mustGiveBack(id string, change ...func(*dispatch.ReturnRequest)) *shipment.Shipment {
	e.t.Helper()
	res, err := e.giveBack(id, change...)
	if err != nil {
		e.t.Fatalf("return %s: %v", id, err)
	}
	return res.Shipment
}

func TestReturnIsBookedTheWayBack(t *testing.T) {
	ups, dash := newFake("ups", "UPS", 900), newFake("doordash", "DoorDash", 500)
	ups.manifest.Abilities = append(ups.manifest.Abilities, carrier.CanReturn)
	ups.manifest.LabelFormats = []shipping.LabelFormat{shipping.ZPL, shipping.GIF}
	ups.manifest.Services = []carrier.Service{{ID: "saver", Name: "Saver"}, {ID: "ground", Name: "Ground", Supports: []string{carrier.SupportsReturn}}}
	ups.onQuote = func(r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		var a carrier.QuoteAnswer
		for _, id := range []string{"saver", "ground"} {
			if len(r.Services) == 0 || slices.Contains(r.Services, id) {
				a.Quotes = append(a.Quotes, shipping.Quote{ServiceID: id, Amount: shipping.Money{Minor: 900, Currency: "USD"}})
			}
		}
		return a, nil
	}
	e := newEngine(t, ups, dash)
	e.bundle = rulesOf(t, "rules: 1\nname: r\nproviders: [ups, doordash]\nexclude:\n  - name: Ways back go by UPS\n    providers: [doordash]\n"+
		"    when: order.is_return and order.from.city == \"Boston\" and order.to.state == \"MA\" and location.id == \"7709\"\n    reason: no couriers\n")
	e.delivered("o1", twoItems)
	if e.get("o1").Attempts[0].Account != "doordash" {
		t.Fatal("the way there went by UPS as well")
	}
	back := e.mustGiveBack("o1", items(dispatch.ReturnItem{SKU: "watch", Quantity: 1}), func(r *dispatch.ReturnRequest) { r.Note = "sorry" })

	a := back.Live(shipment.Return)
	if a == nil || a.Account != "ups" || a.ServiceID != "ground" || back.Live(shipment.Forward) != nil || back.Status != shipping.OrderDispatched {
		t.Fatalf("the way back is %+v, attempt %+v", back.Status, a)
	}
	if len(ups.returned) != 1 || len(ups.booked) != 1 {
		t.Fatalf("UPS was asked for %d returns in %d bookings, want 1 in 1", len(ups.returned), len(ups.booked))
	}
	r := ups.returned[0]
	if r.Pickup.Address.Street1 != "725 Albany Street" || r.Pickup.Contact.Phone != "+12345678900" || r.Delivery.Name != "WareHouse 301" ||
		r.Delivery.Address.Street1 != "345 Harrison Avenue" || r.ExternalID != "o1-R1" || r.OrderValue != (shipping.Money{Minor: 350, Currency: "USD"}) {
		t.Errorf("UPS was asked to bring back %+v", r.Consignment)
	}
	if r.LabelFormat != shipping.GIF {
		t.Errorf("the buyer's label is asked for as %q, which no printer at home takes", r.LabelFormat)
	}
	if len(r.Items) != 1 || r.Items[0].SKU != "watch" || r.Items[0].Quantity != 1 || len(r.Parcels) != 1 {
		t.Errorf("UPS brings back %+v in %+v", r.Items, r.Parcels)
	}
	if q := ups.asked[len(ups.asked)-1]; !q.WayBack || dash.asked[0].WayBack {
		t.Errorf("the way back is quoted as %+v, the way there as %+v", q.WayBack, dash.asked[0].WayBack)
	}
	if l, err := e.Label(context.Background(), caller, "o1-R1", 1); err != nil || len(l.Data) == 0 {
		t.Errorf("label of the return: %v", err)
	}
	want := &shipment.ReturnOf{Shipment: e.get("o1").ID, OriginID: "o1", Location: "301", LocationName: "WareHouse 301", Type: shipment.ForMoney,
		Reason: "too_small", Note: "sorry", Lines: []shipment.ReturnLine{{Line: 1, Quantity: 1}}}
	if d := cmp.Diff(want, e.get("o1-R1").ReturnOf); d != "" {
		t.Errorf("what is returned (-want +got)\n%s", d)
	}
	if got := e.get("o1").Returns; !slices.Equal(got, []shipment.ID{back.ID}) {
		t.Errorf("the order knows the returns %v, want %v", got, back.ID)
	}
	e.wantStatus("o1-R1", shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderDispatched)
	e.deliver("o1-R1")
	if u, err := e.store.Usage(context.Background(), "demo", "ups", "2026-03-02"); err != nil || u != (carrier.Usage{Today: 1}) {
		t.Errorf("usage of UPS = %+v, %v: a return counts like any booking", u, err)
	}
	e.wantNoJobs()
}

// A carrier without returns carries the way back as any order.
func TestReturnAsSwappedBooking(t *testing.T) {
	dash := newFake("doordash", "DoorDash", 500)
	e := newEngine(t, dash)
	e.delivered("o1")
	back := e.mustGiveBack("o1")
	if len(dash.returned) != 0 || len(dash.booked) != 2 || back.Live(shipment.Return) == nil {
		t.Fatalf("%d returns, %d bookings, attempt %+v", len(dash.returned), len(dash.booked), back.Attempts)
	}
	there, here := dash.booked[0], dash.booked[1]
	if here.Pickup.Address.Street1 != there.Delivery.Address.Street1 || here.Delivery.Address.Street1 != there.Pickup.Address.Street1 || here.DistanceMetres != there.DistanceMetres {
		t.Errorf("there %+v, back %+v", there.Consignment, here.Consignment)
	}
	if here.OrderValue != there.OrderValue {
		t.Errorf("all of an order is worth %v, and %v on its way back", there.OrderValue, here.OrderValue)
	}
}

func TestNothingIsReturnedTwice(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 900))
	e.delivered("o1", twoItems)
	e.mustGiveBack("o1", items(dispatch.ReturnItem{SKU: "watch", Quantity: 1}))
	_, err := e.giveBack("o1", items(dispatch.ReturnItem{SKU: "watch", Quantity: 2}, dispatch.ReturnItem{SKU: "nothing", Quantity: 1}, dispatch.ReturnItem{Line: 2}))
	f := wantType(t, err, usecase.ValidationError).Faults
	var paths []string
	for _, x := range f {
		paths = append(paths, x.Path)
	}
	if !slices.Equal(paths, []string{"itemList[0].quantity", "itemList[1]", "itemList[2].quantity"}) {
		t.Errorf("faults = %v", f)
	}
	rest := e.mustGiveBack("o1") // what is left
	if d := cmp.Diff([]shipment.ReturnLine{{Line: 1, Quantity: 1}, {Line: 2, Quantity: 1}}, rest.ReturnOf.Lines); d != "" {
		t.Errorf("what was left (-want +got)\n%s", d)
	}
	_, err = e.giveBack("o1", items(dispatch.ReturnItem{SKU: "strap", Quantity: 1}))
	if x := wantType(t, err, usecase.InvalidOperation); !strings.Contains(x.Message, "on its way back") {
		t.Error(x)
	}
	// A return that is cancelled has given its items free, and its name is not used again.
	if _, err := e.Cancel(context.Background(), caller, "o1-R2", ""); err != nil {
		t.Fatal(err)
	}
	if again := e.mustGiveBack("o1", items(dispatch.ReturnItem{SKU: "strap", Quantity: 1})); again.Order.ExternalID != "o1-R3" {
		t.Errorf("the third return is %s", again.Order.ExternalID)
	}
	if _, err := e.giveBack("o1-R1"); err == nil {
		t.Error("a return was returned")
	}
}

// However many ask at once, each item comes back once.
func TestReturnsAtOnce(t *testing.T) {
	ups := newFake("ups", "UPS", 900)
	e := newEngine(t, ups)
	e.delivered("o1", twoItems)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var done []*shipment.Shipment
	for range 6 {
		wg.Go(func() {
			res, err := e.giveBack("o1", items(dispatch.ReturnItem{SKU: "watch", Quantity: 1}))
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			done = append(done, res.Shipment)
		})
	}
	wg.Wait()
	if len(done) != 2 || ups.live() != 3 || len(e.get("o1").Returns) != 2 {
		t.Errorf("%d returns of two watches, %d bookings, the order knows %d", len(done), ups.live(), len(e.get("o1").Returns))
	}
}

func TestWhatCannotBeReturned(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 900))
	tenant := e.config.Tenants["demo"]
	off := false
	e.delivered("o1")
	e.mustCreate("under way")
	e.delivered("erased")
	if _, err := e.Erase(context.Background(), caller, "erased"); err != nil {
		t.Fatal(err)
	}
	refused := func(id string, want usecase.Type) {
		t.Helper()
		_, err := e.giveBack(id)
		wantType(t, err, want)
	}
	refused("under way", usecase.InvalidOperation)
	refused("erased", usecase.InvalidOperation)
	refused("nowhere", usecase.NotFound)
	_, err := e.Return(context.Background(), usecase.Caller{Tenant: "other", Key: "k"}, "o1", dispatch.ReturnRequest{Reason: "too_small"})
	wantType(t, err, usecase.NotFound)
	tenant.Returns.Enabled = &off
	refused("o1", usecase.InvalidOperation)
	tenant.Returns.Enabled = nil
	e.clock.Set(e.clock.Now().Add(30*24*time.Hour + time.Millisecond))
	refused("o1", usecase.InvalidOperation)
	if e.get("o1").Returns != nil {
		t.Error("a refusal has left something")
	}

	// All faults at once.
	e.delivered("o2")
	tenant.Returns.Exchanges = false
	_, err = e.giveBack("o2", func(r *dispatch.ReturnRequest) {
		r.Reason, r.Exchange, r.Note = "no such", []shipping.Item{{Quantity: 0}}, strings.Repeat("x", shipping.MaxNote+1)
		r.Address, r.Contact = &shipping.Address{}, &shipping.Contact{Name: "a", Phone: "1"}
		r.Packages = []shipping.Parcel{{Name: "unknown"}}
	})
	var paths []string
	for _, x := range wantType(t, err, usecase.ValidationError).Faults {
		paths = append(paths, x.Path)
	}
	for _, want := range []string{"reason", "note", "type", "exchangeItems[0].quantity", "exchangeItems[0]", "pickupAddress.street1", "pickupContact.phone", "package.size"} {
		if !slices.Contains(paths, want) {
			t.Errorf("no fault at %s: %v", want, paths)
		}
	}
}

// heard is whom exchanges are told to.
type heard struct{ told []shipment.Shipment }

func (h *heard) ExchangeRequested(tx *store.Tx, back *shipment.Shipment, at time.Time) {
	h.told = append(h.told, *back)
	tx.Messages = append(tx.Messages, store.Message{ID: "m" + string(back.ID), Subject: store.ShipmentSubject(string(back.ID)), Seq: 1, Topic: "return.exchange_requested", At: at})
}

func TestExchangeIsTold(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 900))
	h := &heard{}
	e.Exchanges = h
	e.delivered("o1", twoItems)
	want := []shipping.Item{{SKU: "watch-xl", Quantity: 1, Title: "Large watch"}}
	e.mustGiveBack("o1", items(dispatch.ReturnItem{Line: 2, Quantity: 1}))
	e.mustGiveBack("o1", items(dispatch.ReturnItem{Line: 1, Quantity: 1}), func(r *dispatch.ReturnRequest) { r.Exchange = want })
	if len(h.told) != 1 || h.told[0].ReturnOf.Type != shipment.ForGoods || !reflect.DeepEqual(h.told[0].ReturnOf.Exchange, want) || h.told[0].ReturnOf.OriginID != "o1" {
		t.Errorf("told = %+v", h.told)
	}
	log, err := e.store.MessagesOf(context.Background(), "demo", store.ShipmentSubject(string(h.told[0].ID)))
	if err != nil || len(log) != 1 || log[0].Topic != "return.exchange_requested" {
		t.Errorf("the log holds %+v, %v", log, err)
	}
}

// A return whose booking's answer was lost is found like any other; one that is refused everywhere is there to be retried.
func TestReturnInDoubtAndRefused(t *testing.T) {
	ups := newFake("ups", "UPS", 900)
	e := newEngine(t, ups)
	e.delivered("o1")
	ups.onBook = func(carrier.BookRequest) (bool, error) { return true, lost() }
	res, err := e.giveBack("o1")
	if err != nil || !res.Waiting || res.Shipment.Open(shipment.Return) == nil || len(res.Shipment.AllWarnings()) != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	ups.set(func(f *fakeCarrier) { f.onBook = nil })
	e.pass(time.Minute)
	if a := e.get("o1-R1").Live(shipment.Return); a == nil || a.State != shipment.Adopted || ups.live() != 2 {
		t.Errorf("attempt %+v, %d bookings", a, ups.live())
	}

	e.delivered("o2")
	ups.set(func(f *fakeCarrier) {
		f.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.InvalidField) }
	})
	_, err = e.giveBack("o2")
	x := wantType(t, err, usecase.PlaceOrderFailed)
	if x.Shipment != e.get("o2-R1").ID {
		t.Errorf("the refusal names %q", x.Shipment)
	}
	ups.set(func(f *fakeCarrier) { f.onBook = nil })
	if res, err := e.Retry(context.Background(), caller, "o2-R1"); err != nil || res.Shipment.Live(shipment.Return) == nil {
		t.Errorf("retry: %v", err)
	}
	if _, err = e.giveBack("o2"); err == nil {
		t.Error("what a retry has booked was returned once more")
	}
	e.wantNoJobs()
}

// What nobody has fetched can be given back again, whether no carrier was found, none would book, or the carrier has given it up;
// the old return then no longer can be retried.
func TestReturnThatCameToNothing(t *testing.T) {
	ups := newFake("ups", "UPS", 900)
	e := newEngine(t, ups)
	ctx := context.Background()
	e.delivered("o1", twoItems)
	_, err := e.giveBack("o1", func(r *dispatch.ReturnRequest) { r.Proposed = []shipment.ProposedProvider{{Name: "nobody"}} })
	wantType(t, err, usecase.NoProviderMatched)
	first := e.mustGiveBack("o1", items(dispatch.ReturnItem{SKU: "watch", Quantity: 2}))
	if first.Order.ExternalID != "o1-R2" {
		t.Errorf("it is %s", first.Order.ExternalID)
	}
	_, err = e.Retry(ctx, caller, "o1-R1")
	if x := wantType(t, err, usecase.InvalidOperation); !strings.Contains(x.Message, "another return") || e.get("o1-R1").Status != shipping.EstimatesFailed {
		t.Errorf("%s, and it is at %s", x.Message, e.get("o1-R1").Status)
	}
	carriers := func(id string, statuses ...shipping.Status) {
		t.Helper()
		for _, status := range statuses {
			if err := e.hear(id, shipment.Heard{Status: status, User: "UPS", At: e.clock.Now()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	carriers("o1-R2", shipping.OrderFailed)
	if o, err := e.Returnable(ctx, caller, "o1"); err != nil || !slices.Equal(o.Left, []int{2, 1}) {
		t.Fatalf("%v are left, %v", o.Left, err)
	}
	// All is free again, and the first may be retried, by whoever carries it.
	res, err := e.RetryReturn(ctx, caller, e.get("o1-R1").ID)
	if err != nil || res.Shipment.Live(shipment.Return) == nil || len(res.Shipment.Order.Proposed) != 0 {
		t.Fatalf("%+v, %v", res.Shipment, err)
	}
	if _, err := e.Retry(ctx, caller, "o1-R2"); err == nil {
		t.Error("both are retried")
	}
	// What somebody had fetched is not at the buyer's.
	carriers("o1-R1", shipping.PickupCompleted, shipping.OrderFailed)
	if o, err := e.Returnable(ctx, caller, "o1"); err != nil || o.Barrier != dispatch.AllReturned {
		t.Errorf("%+v, %v", o, err)
	}
}

// However many ask anew or try again at once, what came to nothing is fetched once.
func TestReturnsAndRetriesAtOnce(t *testing.T) {
	ups := newFake("ups", "UPS", 900)
	e := newEngine(t, ups)
	e.delivered("o1")
	ups.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.InvalidField) }
	for range 3 {
		_, err := e.giveBack("o1")
		wantType(t, err, usecase.PlaceOrderFailed)
	}
	ups.set(func(f *fakeCarrier) { f.onBook = nil })
	var wg sync.WaitGroup
	for n := range 3 {
		wg.Go(func() { _, _ = e.giveBack("o1") })
		wg.Go(func() { _, _ = e.Retry(context.Background(), caller, fmt.Sprintf("o1-R%d", n+1)) })
	}
	wg.Wait()
	if ups.live() != 2 {
		t.Errorf("%d bookings, want the way there and one back", ups.live())
	}
}

// A merchant may name an order as we have named another: a link leads by our id alone.
func TestReturnsByOurOwnID(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 900))
	ctx := context.Background()
	mine := e.delivered("mine", twoItems)
	e.delivered(string(mine.ID))
	o, err := e.ReturnableByID(ctx, caller, mine.ID)
	if err != nil || o.Order.ExternalID != "mine" {
		t.Fatalf("it leads to %+v, %v", o, err)
	}
	res, err := e.ReturnByID(ctx, caller, mine.ID, dispatch.ReturnRequest{Reason: "too_small"})
	if err != nil || res.Shipment.ReturnOf.Shipment != mine.ID {
		t.Fatalf("%+v, %v", res.Shipment, err)
	}
	e.mustCreate(string(res.Shipment.ID))
	if l, err := e.ReturnLabel(ctx, caller, res.Shipment.ID, 1); err != nil || len(l.Data) == 0 {
		t.Error(err)
	}
	_, err = e.RetryReturn(ctx, caller, "0123456789abcdef01234567")
	wantType(t, err, usecase.NotFound)
	e.deliver("mine-R1")
	if _, err := e.Erase(ctx, caller, "mine"); err != nil || e.get("mine-R1").ErasedAt.IsZero() || !e.get(string(res.Shipment.ID)).ErasedAt.IsZero() {
		t.Errorf("another order was erased than the return: %v", err)
	}
}

// What an order does not say of its parcel is in the tenant's hands, and in those of whoever asks.
func TestReturnOfWhatNamesNoPackage(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 900))
	ctx := context.Background()
	o := order("t1")
	o.Packages = nil
	tr := &tracker.Tracker{Schema: tracker.Schema, ID: "aaaaaaaaaaaaaaaaaaaaaaa1", Tenant: "demo", Surface: tracker.OfAPI, Number: "1Z", Order: &o,
		Status: shipping.OrderDelivered, CreatedAt: e.clock.Now(), UpdatedAt: e.clock.Now()}
	if err := e.store.Commit(ctx, "demo", &store.Tx{Trackers: []*tracker.Tracker{tr}, Now: e.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	_, err := e.ReturnTracker(ctx, caller, tr.ID, dispatch.ReturnRequest{Reason: "other"})
	if f := wantType(t, err, usecase.ValidationError).Faults; len(f) != 1 || f[0].Path != "package" {
		t.Errorf("faults %v", f)
	}
	if back, err := e.ReturnableTracker(ctx, caller, tr.ID); err != nil || len(back.Lacks) != 1 {
		t.Errorf("%+v, %v", back, err)
	}
	tenant := e.config.Tenants["demo"]
	tenant.Packages = map[string]config.Preset{"Shoebox": {Size: shipping.Size{Length: shipping.MustDecimal("12"), Width: shipping.MustDecimal("8"), Height: shipping.MustDecimal("5"), Unit: "in"},
		Weight: shipping.Weight{Value: shipping.MustDecimal("2"), Unit: "lb"}}}
	tenant.Returns.Package = "shoebox"
	if back, err := e.ReturnableTracker(ctx, caller, tr.ID); err != nil || len(back.Lacks) != 0 {
		t.Errorf("%+v, %v", back, err)
	}
	res, err := e.ReturnTracker(ctx, caller, tr.ID, dispatch.ReturnRequest{Reason: "other"})
	if err != nil {
		t.Fatal(err)
	}
	if p := res.Shipment.Order.Packages; len(p) != 1 || p[0].Size == nil || p[0].Size.Length.String() != "12" {
		t.Errorf("it is packed in %+v", p)
	}
}

// The process may die at the commit, before or after; sent again under its key, a return is one return.
func TestReturnAgainUnderItsKey(t *testing.T) {
	ups := newFake("ups", "UPS", 900)
	e := newEngine(t, ups)
	e.delivered("o1")
	keyed := func(r *dispatch.ReturnRequest) {
		r.IdempotencyKey, r.BodyHash = "POST /shipments/o1/return k", []byte("1")
	}
	for _, after := range []bool{false, true} {
		e.store.fail(1, 1, after)
		if _, err := e.giveBack("o1", keyed); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("error %v, want that of the store", err)
		}
	}
	e.pass(10 * time.Minute) // the lease of the inline job ends
	back := e.mustGiveBack("o1", keyed)
	if again := e.mustGiveBack("o1", keyed); again.ID != back.ID || ups.live() != 2 || len(e.get("o1").Returns) != 1 || back.Live(shipment.Return) == nil {
		t.Errorf("%s and %s, %d bookings, %d returns", back.ID, again.ID, ups.live(), len(e.get("o1").Returns))
	}
	_, err := e.giveBack("o1", keyed, func(r *dispatch.ReturnRequest) { r.BodyHash = []byte("2") })
	wantType(t, err, usecase.DuplicateResource)
}

func TestReturnOfATracker(t *testing.T) {
	ups := newFake("ups", "UPS", 900)
	e := newEngine(t, ups)
	ctx := context.Background()
	o := order("t1")
	tr := &tracker.Tracker{Schema: tracker.Schema, ID: "aaaaaaaaaaaaaaaaaaaaaaa1", Tenant: "demo", Surface: tracker.OfAPI, Number: "1Z", Order: &o,
		Status: shipping.OrderDelivered, CreatedAt: e.clock.Now(), UpdatedAt: e.clock.Now()}
	if err := e.store.Commit(ctx, "demo", &store.Tx{Trackers: []*tracker.Tracker{tr}, Now: e.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	res, err := e.ReturnTracker(ctx, caller, tr.ID, dispatch.ReturnRequest{Reason: "other"})
	if err != nil {
		t.Fatal(err)
	}
	back := res.Shipment
	if back.Order.ExternalID != "t1-R1" || back.ReturnOf.Tracker != string(tr.ID) || back.Live(shipment.Return) == nil || ups.booked[0].Pickup.Address.Street1 != "725 Albany Street" {
		t.Errorf("the way back is %+v", back)
	}
	_, err = e.ReturnTracker(ctx, caller, tr.ID, dispatch.ReturnRequest{Reason: "other"})
	wantType(t, err, usecase.InvalidOperation)
	_, err = e.ReturnTracker(ctx, usecase.Caller{Tenant: "other"}, tr.ID, dispatch.ReturnRequest{Reason: "other"})
	wantType(t, err, usecase.NotFound)

	// One that was told of nothing but a number says what is missing.
	bare := &tracker.Tracker{Schema: tracker.Schema, ID: "aaaaaaaaaaaaaaaaaaaaaaa2", Tenant: "demo", Surface: tracker.OfAPI, Number: "1Z",
		Status: shipping.OrderDelivered, CreatedAt: e.clock.Now(), UpdatedAt: e.clock.Now()}
	if err := e.store.Commit(ctx, "demo", &store.Tx{Trackers: []*tracker.Tracker{bare}, Now: e.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	_, err = e.ReturnTracker(ctx, caller, bare.ID, dispatch.ReturnRequest{Reason: "other"})
	wantType(t, err, usecase.InvalidOperation) // nobody knows where to
	e.config.Tenants["demo"].Returns.Location = "301"
	_, err = e.ReturnTracker(ctx, caller, bare.ID, dispatch.ReturnRequest{Reason: "other"})
	if f := wantType(t, err, usecase.ValidationError).Faults; len(f) < 3 {
		t.Errorf("faults = %v", f)
	}
}

func TestReturnIsNotAnotherReturnAfterAnEdit(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 900))
	e.delivered("o1", twoItems)
	e.mustGiveBack("o1")
	ctx := context.Background()
	_, err := e.Edit(ctx, caller, "o1-R1", func(o shipment.Order) (shipment.Order, error) { o.Items[0].Quantity = 1; return o, nil })
	wantType(t, err, usecase.ValidationError)
	group := "g"
	if res, err := e.Edit(ctx, caller, "o1-R1", func(o shipment.Order) (shipment.Order, error) { o.GroupID = &group; return o, nil }); err != nil || *res.Shipment.Order.GroupID != "g" {
		t.Errorf("a local edit of a return: %v", err)
	}
}

func TestErasingAnOrderErasesItsReturns(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 900))
	e.delivered("o1", twoItems)
	e.mustGiveBack("o1")
	ctx := context.Background()
	_, err := e.Erase(ctx, caller, "o1")
	wantType(t, err, usecase.InvalidOperation)
	e.deliver("o1-R1")
	if _, err := e.Erase(ctx, caller, "o1"); err != nil {
		t.Fatal(err)
	}
	back := e.get("o1-R1")
	if back.ErasedAt.IsZero() || back.Pickup.Contact.Name != "" || back.Pickup.Name != "" || back.Pickup.Address.Street1 != "" || e.get("o1").Pickup.Address.Street1 == "" {
		t.Errorf("left of the return: %+v; of the order's location: %+v", back.Pickup, e.get("o1").Pickup)
	}
}
