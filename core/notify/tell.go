package notify

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// codec is how snapshots are written: as the store writes documents, so that what is read is what was.
var codec = json.JoinOptions(json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true), json.Deterministic(true),
	jsonv1.FormatDurationAsNano(true), jsontext.AllowInvalidUTF8(true))

// wire is how bodies are written: sorted, so that each retry has the same bytes.
var wire = json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true))

// Event is something to be told that is no status of a shipment or tracker.
type Event struct {
	Subject  string // store.ShipmentSubject, store.TrackerSubject, or "<kind>/<id>"
	Seq      int    // counts what is told of the subject; topics of another kind than the subject's count for themselves
	Topic    string
	At       time.Time
	Snapshot Snapshot
}

// Shipment puts a message for each line of the shipment's history that tx holds. Lines that are written again without words when an
// order is erased are no news.
func (s *Service) Shipment(ctx context.Context, tx *store.Tx, sh *shipment.Shipment) {
	if slices.Contains(tx.Erase, sh.ID) {
		return
	}
	back := s.returnsIn(ctx, tx, sh.Tenant, sh.Returns)
	for _, c := range tx.Changes {
		if c.Shipment != sh.ID {
			continue
		}
		line := c.Change
		s.Tell(tx, sh.Tenant, Event{Subject: store.ShipmentSubject(string(sh.ID)), Seq: line.Seq + 1, Topic: topicOf("shipment", line.Status), At: line.At,
			Snapshot: Snapshot{Shipment: sh, Change: &line, Back: back}})
	}
}

// returnsIn are the returns of these ids as they are once tx is committed. One that cannot be read is not told of: the event itself must not fail
// for it.
func (s *Service) returnsIn(ctx context.Context, tx *store.Tx, tenant string, ids []shipment.ID) (back []*shipment.Shipment) {
	for _, id := range ids {
		if i := slices.IndexFunc(tx.Shipments, func(sh *shipment.Shipment) bool { return sh.ID == id }); i >= 0 {
			back = append(back, tx.Shipments[i])
			continue
		}
		sh, err := s.Store.Shipment(ctx, tenant, id)
		if err != nil {
			s.Log.Error("a return cannot be told of with what it belongs to", "shipment_id", id, "err", err)
			continue
		}
		back = append(back, sh)
	}
	return back
}

// Tracker puts a message for each run of events of one status that have entered together; a run's number is that of its last event.
// What follows a booking of ours is told with its shipment, and an event whose status nobody knows as one in transit.
func (s *Service) Tracker(ctx context.Context, tx *store.Tx, t *tracker.Tracker, entered []tracker.Event) {
	if t.Surface == tracker.OfShipment || !t.ErasedAt.IsZero() {
		return
	}
	back := s.returnsIn(ctx, tx, t.Tenant, t.Returns)
	for len(entered) > 0 {
		n := 1
		for n < len(entered) && entered[n].Status == entered[0].Status {
			n++
		}
		run, last := entered[:n], entered[n-1]
		entered = entered[n:]
		status := last.Status
		if status == "" {
			status = shipping.InTransit
		}
		s.Tell(tx, t.Tenant, Event{Subject: store.TrackerSubject(string(t.ID)), Seq: last.Seq, Topic: topicOf("tracker", status), At: last.Received,
			Snapshot: Snapshot{Tracker: t, Entered: run, Back: back}})
	}
}

func topicOf(kind string, status shipping.Status) string {
	return kind + "." + strings.ToLower(string(status))
}

// Tell puts a message about an event into tx, unless nobody of the tenant wants it. The snapshot is taken now.
func (s *Service) Tell(tx *store.Tx, tenant string, e Event) {
	if !s.interest.wants(tenant, e.Topic) {
		return
	}
	if m, err := message(e); err != nil {
		// Nothing of ours that is stored cannot be written; the event itself must not fail for it.
		s.Log.Error("an event cannot be told", "subject", e.Subject, "topic", e.Topic, "err", err)
	} else {
		tx.Messages = append(tx.Messages, m)
	}
}

func message(e Event) (store.Message, error) {
	body, err := json.Marshal(e.Snapshot, codec)
	if err != nil {
		return store.Message{}, fmt.Errorf("write the snapshot of %s: %w", e.Subject, err)
	}
	var more []string
	if kind, _, _ := strings.Cut(e.Topic, "."); !strings.HasPrefix(e.Subject, kind+"/") { // another count than that of the subject's statuses
		more = append(more, strings.NewReplacer(".", "-", "_", "-").Replace(e.Topic))
	}
	return store.Message{ID: messageID(e.Subject, e.Seq, more...), Subject: e.Subject, Seq: e.Seq, Topic: e.Topic, At: e.At, Body: body}, nil
}

// messageID is the same whenever the same event is told. Standard Webhooks allows no dot in it.
func messageID(subject string, seq int, more ...string) string {
	return strings.Join(append([]string{"msg", strings.Replace(subject, "/", "_", 1), strconv.Itoa(seq)}, more...), "_")
}

// subjectOf returns the subject in a message's id; ok is false where it is not one of ours.
func subjectOf(id string) (subject string, ok bool) {
	parts := strings.Split(id, "_")
	if len(parts) < 4 || parts[0] != "msg" {
		return "", false
	}
	return parts[1] + "/" + parts[2], true
}

func snapshotOf(m store.Message) (Snapshot, error) {
	var out Snapshot
	if err := json.Unmarshal(m.Body, &out, codec); err != nil {
		return out, fmt.Errorf("read the snapshot of message %s: %w", m.ID, err)
	}
	return out, nil
}
