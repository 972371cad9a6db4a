package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var writerChecks = []check{
	{"exactly one wins per revision", checkOneWins},
	{"exactly one gets an external id and a key", checkOneIsFirst},
	{"who is refused can read why", checkRefusalsAreTrue},
	{"each job is claimed by one", checkOneClaims},
	{"many rows and many writers", checkManyRows},
	{"a context that has ended", checkContext},
}

const writers = 64

// each runs f in every writer at once.
func each(f func(writer int)) {
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// checkRefusalsAreTrue lets all writers take one external id and one key: whoever is refused must find what he was refused for.
func checkRefusalsAreTrue(t *testing.T, s store.Store) {
	for round := range 5 {
		external := fmt.Sprintf("contended-%d", round)
		each(func(writer int) {
			sh := NewShipment(tenant, 1000*(round+1)+writer)
			sh.Order.ExternalID = external
			tx := put(sh)
			tx.Now = now
			tx.Keys = []store.IdempotencyKey{{Key: external, Hash: []byte{1}, Shipment: sh.ID, Expires: now.Add(time.Hour)}}
			err := s.Commit(t.Context(), tenant, tx)
			if err == nil {
				return
			}
			if !errors.Is(err, store.ErrKeyUsed) && !errors.Is(err, store.ErrDuplicate) {
				t.Errorf("refused with %v", err)
			}
			if _, err := s.IdempotencyKey(t.Context(), tenant, external, now); err != nil {
				t.Errorf("the key that is used is not there: %v", err)
			}
			if _, err := s.ShipmentByExternalID(t.Context(), tenant, external); err != nil {
				t.Errorf("the shipment that has the id is not there: %v", err)
			}
		})
	}
}

// checkOneWins lets all writers count one shipment up: every success must have seen the one before it.
func checkOneWins(t *testing.T, s store.Store) {
	const rounds = 2
	sh := NewShipment(tenant, 1)
	commit(t, s, tenant, put(sh))
	var mu sync.Mutex
	winners := map[int64]int{}
	each(func(int) {
		for done := 0; done < rounds; {
			mine, err := s.Shipment(t.Context(), tenant, sh.ID)
			if err != nil {
				t.Error(err)
				return
			}
			mine.Retries++
			switch err := s.Commit(t.Context(), tenant, put(mine)); {
			case err == nil:
				done++
				mu.Lock()
				winners[mine.Revision]++
				mu.Unlock()
			case !errors.Is(err, store.ErrConflict):
				t.Error(err)
				return
			}
		}
	})
	got := load(t, s, tenant, sh.ID)
	if got.Retries != writers*rounds || got.Revision != writers*rounds+1 {
		t.Errorf("%d counted at revision %d, want %d: an update was lost", got.Retries, got.Revision, writers*rounds)
	}
	for revision, n := range winners {
		if n != 1 {
			t.Errorf("revision %d was won %d times", revision, n)
		}
	}
}

func checkOneIsFirst(t *testing.T, s store.Store) {
	for round := range 10 {
		outcomes := make([]error, 2*writers)
		each(func(i int) {
			sh := NewShipment(tenant, round*1000+i)
			sh.Order.ExternalID = fmt.Sprint("twin-", round)
			outcomes[i] = s.Commit(t.Context(), tenant, put(sh))
			tx := &store.Tx{Now: now, Keys: []store.IdempotencyKey{{Key: fmt.Sprint("key-", round), Shipment: sh.ID, Expires: now.Add(time.Hour)}}}
			outcomes[writers+i] = s.Commit(t.Context(), tenant, tx)
		})
		won := [2]int{}
		for i, err := range outcomes {
			want := []error{store.ErrDuplicate, store.ErrKeyUsed}[i/writers]
			if err == nil {
				won[i/writers]++
			} else if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		if won != [2]int{1, 1} {
			t.Fatalf("round %d: %v had the external id and the key, want one each", round, won)
		}
	}
}

func checkOneClaims(t *testing.T, s store.Store) {
	const jobs, keys = 200, 40
	tx := &store.Tx{}
	for i := range jobs {
		tx.PutJobs = append(tx.PutJobs, job(fmt.Sprintf("j%03d", i), fmt.Sprint("k", i%keys), 0))
	}
	commit(t, s, tenant, tx)
	var mu sync.Mutex
	running, done := map[string]bool{}, map[string]int{}
	finished := func() bool { mu.Lock(); defer mu.Unlock(); return len(done) == jobs }
	each(func(int) {
		for !finished() && !t.Failed() {
			claimed, err := s.ClaimJobs(t.Context(), now, lease, 3)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			for _, j := range claimed {
				if running[j.Key] {
					t.Errorf("two jobs of key %s at once", j.Key)
				}
				running[j.Key] = true
			}
			mu.Unlock()
			for _, j := range claimed {
				// The mark goes before the commit, after which another may have the key.
				mu.Lock()
				running[j.Key] = false
				done[j.ID]++
				mu.Unlock()
				if err := s.Commit(t.Context(), tenant, &store.Tx{DoneJobs: []store.Job{j}}); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for id, n := range done {
		if n != 1 {
			t.Errorf("job %s ran %d times", id, n)
		}
	}
}

// checkManyRows fills groups up to every limit that a store may have.
func checkManyRows(t *testing.T, s store.Store) {
	const rows = 150
	body := strings.Repeat("x", 10<<10)
	each(func(i int) {
		sh := NewShipment(tenant, i)
		tx := put(sh)
		for n := range rows {
			tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: shipment.Change{Seq: n, At: now}})
		}
		for n := range 5 {
			tx.Exchanges = append(tx.Exchanges, store.Exchange{Shipment: sh.ID, Exchange: carrier.Exchange{At: now, ResponseBody: body, Status: n}})
		}
		tx.Labels = []store.Label{{Shipment: sh.ID, Attempt: 1, Parcel: 1, Label: shipping.Label{Format: shipping.PDF, Data: blob(50<<10+i%4*(400<<10), i)}}}
		if err := s.Commit(t.Context(), tenant, tx); err != nil {
			t.Error(err)
		}
	})
	for i := range writers {
		id := NewShipment(tenant, i).ID
		history, err1 := s.History(t.Context(), tenant, id)
		exchanges, err2 := s.Exchanges(t.Context(), tenant, id)
		label, err3 := s.Label(t.Context(), tenant, id, 1, 1)
		if err := errors.Join(err1, err2, err3); err != nil || len(history) != rows || len(exchanges) != 5 || string(label.Data) != string(blob(50<<10+i%4*(400<<10), i)) {
			t.Fatalf("shipment %d: %d changes, %d exchanges, %d bytes of label, %v", i, len(history), len(exchanges), len(label.Data), err)
		}
	}
	big := &store.Tx{}
	for i := range 3000 {
		big.Changes = append(big.Changes, store.Change{Shipment: "big", Change: shipment.Change{Seq: i, At: now}})
	}
	commit(t, s, tenant, big)
	if history, err := s.History(t.Context(), tenant, "big"); len(history) != 3000 || err != nil {
		t.Errorf("%d changes, %v, of one large transaction", len(history), err)
	}
}

func checkContext(t *testing.T, s store.Store) {
	why := errors.New("the caller left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	sh := NewShipment(tenant, 1)
	if err := s.Commit(ctx, tenant, put(sh)); !errors.Is(err, why) || sh.Revision != 0 {
		t.Errorf("commit: %v at revision %d, want %v", err, sh.Revision, why)
	}
	_, err1 := s.Shipment(ctx, tenant, sh.ID)
	_, err2 := s.ListShipments(ctx, tenant, store.ShipmentQuery{})
	_, err3 := s.ClaimJobs(ctx, now, lease, 1)
	for _, err := range []error{err1, err2, err3, s.Check(ctx)} {
		if !errors.Is(err, why) {
			t.Errorf("%v, want %v", err, why)
		}
	}
}

// lifeChecks are about opening, closing and dying.
func lifeChecks(t *testing.T, open func(*testing.T) store.Store, o Options) {
	t.Parallel()
	t.Run("closed", func(t *testing.T) { checkClosed(t, open(t)) })
	t.Run("reopened", func(t *testing.T) {
		if o.Reopen == nil {
			t.Skip("nothing outlives this store")
		}
		checkReopen(t, open(t), o.Reopen)
	})
	t.Run("killed", func(t *testing.T) {
		if o.Crash == nil {
			t.Skip("this store does not outlive its process")
		}
		checkCrash(t, o)
	})
}

func checkClosed(t *testing.T, s store.Store) {
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	// Whatever is accepted while it closes is answered.
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			if err := s.Commit(context.Background(), tenant, put(NewShipment(tenant, i))); err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("commit while closing: %v", err)
			}
		})
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("close: %v", err)
	}
	wg.Wait()
	_, err1 := s.Shipment(t.Context(), tenant, "x")
	_, err2 := s.ClaimJobs(t.Context(), now, lease, 1)
	for _, err := range []error{s.Commit(t.Context(), tenant, put(NewShipment(tenant, 99))), s.Check(t.Context()), err1, err2} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("after close: %v, want %v", err, store.ErrUnavailable)
		}
	}
}

func checkReopen(t *testing.T, s store.Store, reopen func(*testing.T, store.Store) store.Store) {
	sh := NewShipment(tenant, 1)
	tx := everyRow(sh)
	tx.Labels[0].Data = blob(3<<20, 1)
	for i := 2; i < 6; i++ {
		tx.Shipments = append(tx.Shipments, NewShipment(tenant, i))
	}
	commit(t, s, tenant, tx)
	followed := NewTracker(tenant, 1)
	commit(t, s, tenant, &store.Tx{
		Trackers: []*tracker.Tracker{followed}, Parked: []store.Parked{parked("p", 1, "1Z")}, Messages: []store.Message{message("gone", "tracker/gone")},
		Subscriptions: []*store.Subscription{subscription("a", 1)}, Cursors: []store.Cursor{{Subscription: "a", Position: 1}},
		Deliveries: []store.Delivery{delivery("a", 1, store.DeliveryWaiting)},
	})
	commit(t, s, tenant, &store.Tx{EraseTrackers: []tracker.ID{"gone"}})
	secret, err := s.Secret(t.Context(), "links")
	if err != nil {
		t.Fatal(err)
	}
	putJobs(t, s, job("later", "later", time.Hour))
	held := claims(t, s, 0, "j-"+string(sh.ID))[0]
	owner := s.Owner()
	token := list(t, s, tenant, store.ShipmentQuery{Limit: 2}).Next

	s = reopen(t, s)
	equal(t, "shipment", load(t, s, tenant, sh.ID), sh)
	checkReopenedTold(t, s, followed, secret)
	page := list(t, s, tenant, store.ShipmentQuery{Limit: 2, Cursor: token})
	equal(t, "a token of before", ids(page.Shipments), ids([]*shipment.Shipment{NewShipment(tenant, 3), NewShipment(tenant, 2)}))
	label, err := s.Label(t.Context(), tenant, sh.ID, 1, 1)
	if err != nil || string(label.Data) != string(blob(3<<20, 1)) {
		t.Errorf("label: %d bytes, %v", len(label.Data), err)
	}
	if u, err := s.Usage(t.Context(), tenant, "ups", "2026-03-08"); err != nil || u != (carrier.Usage{Open: 1, Today: 1}) {
		t.Errorf("usage %+v, %v", u, err)
	}
	equal(t, "claimant", claimants(t, s, "claim-"+string(sh.ID)), by(sh.ID))
	refused(t, s, tenant, keyedBy("key-"+string(sh.ID)), store.ErrKeyUsed)
	if s.Owner() == owner {
		t.Errorf("two openings are both named %q", owner)
	}
	again := claims(t, s, 0, held.ID)[0] // at once: the lease was of another opening
	if again.Tries != 2 {
		t.Errorf("tried %d times, want 2", again.Tries)
	}
	refused(t, s, tenant, &store.Tx{DoneJobs: []store.Job{held}}, store.ErrLeaseLost)
	claims(t, s, 30*time.Minute, held.ID)
	claims(t, s, time.Hour+lease, held.ID, "later")
}

// checkReopenedTold expects what checkReopen wrote of trackers and messages: the last position given is not given again, although its
// message was erased.
func checkReopenedTold(t *testing.T, s store.Store, followed *tracker.Tracker, secret []byte) {
	t.Helper()
	equal(t, "tracker", loadTracker(t, s, tenant, followed.ID), followed)
	waiting, err1 := s.Parked(t.Context(), tenant, "ups", "1Z")
	read, err2 := s.ReadUpTo(t.Context(), tenant, "a")
	due, _, err3 := s.DeliveriesDue(t.Context(), tenant, "a", now.Add(time.Hour), 10)
	again, err4 := s.Secret(t.Context(), "links")
	if err := errors.Join(err1, err2, err3, err4); err != nil || len(waiting) != 1 || read != 1 || len(due) != 1 || string(again) != string(secret) {
		t.Errorf("%d parked, read up to %d, %d deliveries due, %v; want one of each, and the same secret", len(waiting), read, len(due), err)
	}
	tx := &store.Tx{Messages: []store.Message{message("next", "tracker/next")}}
	commit(t, s, tenant, tx)
	if m := tx.Messages[0]; m.Position != 3 || len(readLog(t, s, tenant, 0, 10)) != 2 {
		t.Errorf("the next message is at %d, want 3 of which 2 was erased", m.Position)
	}
}

func keyedBy(key string) *store.Tx {
	return &store.Tx{Now: now, Keys: []store.IdempotencyKey{{Key: key, Expires: now.Add(time.Hour)}}}
}

// Acknowledge commits from many writers for ever, and tells on w what was acknowledged, one "writer n" a line. A test has it run
// in a process of its own, and kills that.
func Acknowledge(s store.Store, w io.Writer) error {
	var mu sync.Mutex
	errs := make(chan error, writers)
	for i := range writers {
		go func() {
			for n := 0; ; n++ {
				sh := NewShipment(tenant, i<<20|n)
				tx := everyRow(sh)
				tx.Labels[0].Data = blob(20<<10, n)
				if err := s.Commit(context.Background(), tenant, tx); err != nil {
					errs <- err
					return
				}
				mu.Lock()
				_, err := fmt.Fprintln(w, i, n)
				mu.Unlock()
				if err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	return <-errs
}

func checkCrash(t *testing.T, o Options) {
	writer, reopen := o.Crash(t)
	out, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	// Killed in the midst of it: when enough was acknowledged, and what is in the pipe by then counts too.
	acknowledged := [][2]int{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var a [2]int
		if n, err := fmt.Sscan(lines.Text(), &a[0], &a[1]); n != 2 {
			break // the last line may be cut short
		} else if err != nil {
			t.Fatal(err)
		}
		acknowledged = append(acknowledged, a)
		if len(acknowledged) == 1000 {
			if err := writer.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := writer.Wait(); err == nil || len(acknowledged) < 1000 {
		t.Fatalf("the writer ended by itself (%v) after %d commits", err, len(acknowledged))
	}
	s := reopen()
	for _, a := range acknowledged {
		sh := NewShipment(tenant, a[0]<<20|a[1])
		whole(t, s, sh, a[1])
		if t.Failed() {
			t.Fatalf("%s was acknowledged, and is not whole after the crash; %d were acknowledged", sh.ID, len(acknowledged))
		}
	}
	// Whatever else is there is whole as well.
	for cursor := ""; ; {
		page := list(t, s, tenant, store.ShipmentQuery{Limit: 500, Cursor: cursor})
		for _, sh := range page.Shipments {
			var n int
			if _, err := fmt.Sscanf(sh.Order.ExternalID, "order-%d", &n); err != nil {
				t.Fatal(err)
			}
			whole(t, s, sh, n&(1<<20-1))
		}
		if cursor = page.Next; cursor == "" || t.Failed() {
			return
		}
	}
}

// whole expects all of what everyRow wrote.
func whole(t testing.TB, s store.Store, sh *shipment.Shipment, n int) {
	t.Helper()
	ctx := t.Context()
	_, err1 := s.Shipment(ctx, tenant, sh.ID)
	byName, err2 := s.ShipmentByExternalID(ctx, tenant, sh.Order.ExternalID)
	byRef, err3 := s.ShipmentByReference(ctx, reference(sh.ID))
	history, err4 := s.History(ctx, tenant, sh.ID)
	label, err5 := s.Label(ctx, tenant, sh.ID, 1, 1)
	messages, err6 := s.MessagesOf(ctx, tenant, about(sh))
	_, err7 := s.IdempotencyKey(ctx, tenant, "key-"+string(sh.ID), now)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		t.Error(err)
		return
	}
	if byName.ID != sh.ID || byRef.ID != sh.ID || len(history) != 1 || len(messages) != 1 || messages[0].Position == 0 || string(label.Data) != string(blob(20<<10, n)) {
		t.Errorf("shipment %s: found as %s and %s, %d changes, %d bytes of label", sh.ID, byName.ID, byRef.ID, len(history), len(label.Data))
	}
}
