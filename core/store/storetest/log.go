package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
)

var logChecks = []check{
	{"the log is in the order of commits", checkLogOrder},
	{"the log of many writers is never skipped", checkLogFollowed},
	{"messages are read by subject", checkSubjects},
	{"messages are their tenant's", checkLogTenants},
	{"messages are signalled", checkMessagesChanged},
	{"what is erased is no longer told", checkEraseMessages},
	{"what belongs to a message needs it", checkStanding},
	{"old messages are not retained", checkRetainMessages},
	{"more messages than fit in one group", checkManyMessages},
}

func message(id, subject string) store.Message {
	return store.Message{ID: id, Subject: subject, Topic: "tracker.in_transit", At: now, Body: []byte(`{"id":"` + id + `"}`)}
}

func readLog(t testing.TB, s store.Store, tenant string, after uint64, limit int) []store.Message {
	t.Helper()
	got, err := s.MessageLog(t.Context(), tenant, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func messagesOf(t testing.TB, s store.Store, tenant, subject string) []store.Message {
	t.Helper()
	got, err := s.MessagesOf(t.Context(), tenant, subject)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func logEnd(t testing.TB, s store.Store, tenant string) uint64 {
	t.Helper()
	end, err := s.LogEnd(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func checkLogOrder(t *testing.T, s store.Store) {
	if got := readLog(t, s, tenant, 0, 10); len(got) != 0 || logEnd(t, s, tenant) != 0 {
		t.Errorf("an empty log has %d messages and ends at %d", len(got), logEnd(t, s, tenant))
	}
	var want []store.Message
	for i := range 300 {
		tx := &store.Tx{Now: now}
		for n := range i%3 + 1 {
			m := message(fmt.Sprintf("%d-%d", i, n), fmt.Sprint("tracker/", i%7))
			m.At = now.Add(-time.Duration(i) * time.Hour) // the order is that of commits, not of time
			tx.Messages = append(tx.Messages, m)
		}
		commit(t, s, tenant, tx)
		want = append(want, tx.Messages...)
	}
	for i, m := range want {
		if m.Position == 0 || i > 0 && m.Position <= want[i-1].Position {
			t.Fatalf("message %d has position %d after %d", i, m.Position, want[max(i-1, 0)].Position)
		}
	}
	equal(t, "the whole log", readLog(t, s, tenant, 0, 10_000), want)
	equal(t, "its end", logEnd(t, s, tenant), want[len(want)-1].Position)
	for _, at := range []int{0, 1, 250, len(want) - 1} {
		rest := want[at+1:]
		equal(t, fmt.Sprint("after message ", at), readLog(t, s, tenant, want[at].Position, 5), append([]store.Message(nil), rest[:min(5, len(rest))]...))
	}
	for _, after := range []uint64{want[len(want)-1].Position + 1000, 1 << 63, ^uint64(0)} {
		if got := readLog(t, s, tenant, after, 5); len(got) != 0 {
			t.Errorf("%d messages after %d, beyond the end", len(got), after)
		}
	}
}

// checkLogFollowed lets a reader follow the log while it is written: nothing comes to stand behind what it has read.
func checkLogFollowed(t *testing.T, s store.Store) {
	const followed, each = 32, 40
	var wg sync.WaitGroup
	for w := range followed {
		wg.Go(func() {
			for i := range each {
				m := message(fmt.Sprintf("%d-%d", w, i), fmt.Sprint("tracker/", w))
				m.Seq = i
				tx := &store.Tx{Now: now, Messages: []store.Message{m}}
				if w%4 == 0 {
					tx.Messages = append(tx.Messages, message(fmt.Sprintf("%d-%d-more", w, i), "shipment/all"))
				}
				if err := s.Commit(t.Context(), tenant, tx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { wg.Wait(); close(written) }()
	seen := map[string]bool{}
	next := map[string]int{} // the Seq of each writer that must come next
	var after uint64
	for ended := false; ; {
		page := readLog(t, s, tenant, after, 7)
		for _, m := range page {
			if m.Position <= after || seen[m.ID] {
				t.Fatalf("message %s at %d came after %d", m.ID, m.Position, after)
			}
			if m.Subject != "shipment/all" {
				if m.Seq != next[m.Subject] {
					t.Fatalf("%s: message %d came where %d must", m.Subject, m.Seq, next[m.Subject])
				}
				next[m.Subject]++
			}
			after, seen[m.ID] = m.Position, true
		}
		if len(page) > 0 {
			continue
		}
		if ended {
			break
		}
		select {
		case <-s.MessagesChanged():
		case <-written:
			ended = true
		}
	}
	if want := followed*each + followed/4*each; len(seen) != want {
		t.Errorf("the reader met %d messages, want %d", len(seen), want)
	}
	equal(t, "the end", logEnd(t, s, tenant), after)
}

func checkSubjects(t *testing.T, s store.Store) {
	// Names that run into one another must not.
	subjects := []string{store.TrackerSubject("a"), store.TrackerSubject("ab"), store.ShipmentSubject("a")}
	want := map[string][]store.Message{}
	for i := range 30 {
		tx := &store.Tx{Now: now}
		for _, about := range subjects {
			m := message(fmt.Sprint(about, i), about)
			m.Seq = i
			tx.Messages = append(tx.Messages, m)
		}
		commit(t, s, tenant, tx)
		for n, about := range subjects {
			want[about] = append(want[about], tx.Messages[n])
		}
	}
	for _, about := range subjects {
		equal(t, about, messagesOf(t, s, tenant, about), want[about])
	}
	if got := messagesOf(t, s, tenant, "tracker/"); len(got) != 0 {
		t.Errorf("%d messages about half a subject", len(got))
	}
}

func checkLogTenants(t *testing.T, s store.Store) {
	mine := &store.Tx{Now: now, Messages: []store.Message{message("mine", "tracker/a"), message("mine-2", "tracker/a")}}
	commit(t, s, tenant, mine)
	theirs := &store.Tx{Now: now, Messages: []store.Message{message("theirs", "tracker/a")}}
	commit(t, s, other, theirs)
	equal(t, "mine", readLog(t, s, tenant, 0, 10), mine.Messages)
	equal(t, "theirs", readLog(t, s, other, 0, 10), theirs.Messages)
	equal(t, "theirs by subject", messagesOf(t, s, other, "tracker/a"), theirs.Messages)
	for _, stranger := range []string{tenant[:2], tenant + "2", ""} {
		if n := len(readLog(t, s, stranger, 0, 10)) + len(messagesOf(t, s, stranger, "tracker/a")); n != 0 || logEnd(t, s, stranger) != 0 {
			t.Errorf("tenant %q sees %d messages, and an end at %d", stranger, n, logEnd(t, s, stranger))
		}
	}
}

func checkMessagesChanged(t *testing.T, s store.Store) {
	told := func() bool {
		select {
		case <-s.MessagesChanged():
			return true
		default:
			return false
		}
	}
	x := subscription("a", 1)
	for i, c := range []struct {
		tx   *store.Tx
		want bool
	}{
		{put(NewShipment(tenant, 1)), false},
		{&store.Tx{Messages: []store.Message{message("m", "tracker/a")}}, true},
		{&store.Tx{Subscriptions: []*store.Subscription{x}}, true},
		{&store.Tx{Cursors: []store.Cursor{{Subscription: "a", Position: 1}}}, false},
		{&store.Tx{Deliveries: []store.Delivery{delivery("a", 1, store.DeliveryWaiting)}}, true},
		{&store.Tx{Deliveries: []store.Delivery{delivery("a", 1, store.DeliveryDelivered)}}, false},
	} {
		commit(t, s, tenant, c.tx)
		if got := told(); got != c.want || told() {
			t.Errorf("commit %d was signalled: %v, want %v, and once", i, got, c.want)
		}
	}
}

func checkEraseMessages(t *testing.T, s store.Store) {
	mine, neighbour := NewShipment(tenant, 1), NewShipment(tenant, 2)
	subjects := []string{about(mine), about(neighbour), store.TrackerSubject("followed"), store.TrackerSubject("neighbour")}
	tx := put(mine, neighbour)
	tx.Subscriptions = []*store.Subscription{subscription("a", 1), subscription("b", 2)}
	for _, subject := range subjects {
		tx.Messages = append(tx.Messages, message(subject, subject), message(subject+"-2", subject))
	}
	commit(t, s, tenant, tx)
	commit(t, s, other, &store.Tx{Messages: []store.Message{message("foreign", subjects[0]), message("foreign-2", subjects[2])}})
	told := &store.Tx{}
	for i, m := range tx.Messages {
		for _, to := range []string{"a", "b"} {
			d := delivery(to, m.Position, []string{store.DeliveryWaiting, store.DeliveryDelivered}[i%2])
			d.Subject = m.Subject
			told.Deliveries = append(told.Deliveries, d)
		}
	}
	commit(t, s, tenant, told)
	end := logEnd(t, s, tenant)

	again := message("erased", subjects[0])
	erase := &store.Tx{Now: now, Erase: []shipment.ID{mine.ID}, EraseTrackers: []tracker.ID{"followed"}, Messages: []store.Message{again}}
	commit(t, s, tenant, erase)
	equal(t, "what is told of the erased", messagesOf(t, s, tenant, subjects[0]), erase.Messages)
	equal(t, "what is told of the erased tracker", messagesOf(t, s, tenant, subjects[2]), []store.Message(nil))
	equal(t, "the log", readLog(t, s, tenant, 0, 100), []store.Message{tx.Messages[2], tx.Messages[3], tx.Messages[6], tx.Messages[7], erase.Messages[0]})
	equal(t, "the position", erase.Messages[0].Position, end+1)
	equal(t, "another tenant's", len(readLog(t, s, other, 0, 100)), 2)
	for _, to := range []string{"a", "b"} {
		page := deliveries(t, s, tenant, store.DeliveryQuery{Subscription: to})
		equal(t, "deliveries to "+to, positions(page.Deliveries), []uint64{8, 7, 4, 3})
		due, next, err := s.DeliveriesDue(t.Context(), tenant, to, now.Add(24*time.Hour), 100)
		if err != nil || !next.IsZero() {
			t.Errorf("next at %v, %v", next, err)
		}
		equal(t, "due to "+to, positions(due), []uint64{3, 7})
		if got := deliveries(t, s, tenant, store.DeliveryQuery{Subscription: to, Subject: subjects[0]}); len(got.Deliveries) != 0 {
			t.Errorf("%d deliveries about the erased", len(got.Deliveries))
		}
	}
}

// checkStanding has one that writes a delivery while another erases: nothing is left, whoever comes first.
func checkStanding(t *testing.T, s store.Store) {
	mine := NewShipment(tenant, 1)
	tx := put(mine)
	tx.Subscriptions = []*store.Subscription{subscription("a", 1)}
	subject := store.ShipmentSubject(string(mine.ID))
	for i := range writers {
		tx.Messages = append(tx.Messages, message(fmt.Sprint(i), subject))
	}
	commit(t, s, tenant, tx)
	tell := func(m store.Message) *store.Tx {
		d := delivery("a", m.Position, store.DeliveryDelivered)
		d.Subject = subject
		return &store.Tx{Deliveries: []store.Delivery{d}, Standing: []store.Message{m}}
	}
	commit(t, s, tenant, tell(tx.Messages[0]))
	refused(t, s, other, &store.Tx{Standing: tx.Messages[:1]}, store.ErrConflict)
	each(func(i int) {
		tx := tell(tx.Messages[i])
		if i == writers/2 {
			tx = &store.Tx{Now: now, Erase: []shipment.ID{mine.ID}}
		}
		if err := s.Commit(t.Context(), tenant, tx); err != nil && !errors.Is(err, store.ErrConflict) {
			t.Error(err)
		}
	})
	if got := deliveries(t, s, tenant, store.DeliveryQuery{Subscription: "a"}); len(got.Deliveries) != 0 {
		t.Errorf("%d deliveries of what was erased", len(got.Deliveries))
	}
	refused(t, s, tenant, tell(tx.Messages[0]), store.ErrConflict)
}

func checkRetainMessages(t *testing.T, s store.Store) {
	commit(t, s, tenant, &store.Tx{Subscriptions: []*store.Subscription{subscription("a", 1)}})
	edge := now.Add(time.Hour)
	for i, at := range []time.Time{edge.Add(-1), edge, now, edge.Add(1), now.Add(-50 * 365 * 24 * time.Hour)} {
		m := message(fmt.Sprint(i), "tracker/a")
		m.At = at
		tx := &store.Tx{Messages: []store.Message{m}}
		commit(t, s, tenant, tx)
		commit(t, s, other, &store.Tx{Messages: []store.Message{m}})
		d := delivery("a", tx.Messages[0].Position, store.DeliveryDelivered)
		d.CreatedAt = at
		if i == 2 {
			d.State = store.DeliveryWaiting // and goes on waiting, whatever its age
		}
		commit(t, s, tenant, &store.Tx{Deliveries: []store.Delivery{d}})
	}
	retained(t, s, tenant, store.Retention{Exchanges: edge, Labels: edge}, 0)
	retained(t, s, tenant, store.Retention{Messages: edge}, 3+2)
	retained(t, s, tenant, store.Retention{Messages: edge}, 0)
	ids := func(messages []store.Message) (ids []string) {
		for _, m := range messages {
			ids = append(ids, m.ID)
		}
		return ids
	}
	equal(t, "the log", ids(readLog(t, s, tenant, 0, 10)), []string{"1", "3"})
	equal(t, "by subject", ids(messagesOf(t, s, tenant, "tracker/a")), []string{"1", "3"})
	equal(t, "another tenant's", len(readLog(t, s, other, 0, 10)), 5)
	equal(t, "deliveries", positions(deliveries(t, s, tenant, store.DeliveryQuery{Subscription: "a"}).Deliveries), []uint64{4, 3, 2})
	retained(t, s, tenant, store.Retention{Messages: edge.Add(time.Hour)}, 2+2)
	equal(t, "the end of an empty log", logEnd(t, s, tenant), uint64(5))
	tx := &store.Tx{Messages: []store.Message{message("next", "tracker/a")}}
	commit(t, s, tenant, tx)
	equal(t, "the next position", tx.Messages[0].Position, uint64(6))
}

func checkManyMessages(t *testing.T, s store.Store) {
	const n = 2500
	tx := &store.Tx{}
	for i := range n {
		tx.Messages = append(tx.Messages, message(fmt.Sprint(i), "tracker/a"))
	}
	commit(t, s, tenant, tx)
	equal(t, "the end", logEnd(t, s, tenant), uint64(n))
	big := message("big", "tracker/b")
	big.Body = bytes.Repeat([]byte("x"), 16<<20)
	if err := s.Commit(t.Context(), tenant, &store.Tx{Messages: []store.Message{big}}); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("a message of 16 MiB: %v", err)
	}
	retained(t, s, tenant, store.Retention{Messages: now.Add(1)}, n)
	if left := messagesOf(t, s, tenant, "tracker/a"); len(left) != 0 {
		t.Errorf("%d are left", len(left))
	}
}
