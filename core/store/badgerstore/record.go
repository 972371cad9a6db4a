package badgerstore

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/klauspost/compress/s2"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// schema is the version of the records that this program writes: one byte before each. Every version that was ever written
// can be read for ever.
const schema = 1

// codec keeps nil apart from empty, so that what is read is what was written, and replaces what is not UTF-8: carriers' bodies
// come as they are.
var codec = json.JoinOptions(
	json.FormatNilSliceAsNull(true),
	json.FormatNilMapAsNull(true),
	json.Deterministic(true),
	jsonv1.FormatDurationAsNano(true),
	jsontext.AllowInvalidUTF8(true),
)

// Bits of the byte after the schema.
const (
	headCompressed = 1 << iota
	bodyCompressed
)

// compressFrom is the size from which a part of a record is compressed. A document shrinks to less than half, and what is not
// written need not be synced, flushed and compacted: it saves more processor time than it takes.
const compressFrom = 1 << 10

// maxRecordBytes bounds a record as it is before compression, and what a part may unpack to, so that damage cannot ask for all
// memory.
const maxRecordBytes = maxBatchBytes

// encodeRecord frames a record with its head as JSON and its body as it is.
func encodeRecord(head any, body []byte) ([]byte, error) {
	h, err := json.Marshal(head, codec)
	if err != nil {
		return nil, err
	}
	if n := len(h) + len(body); n > maxRecordBytes {
		return nil, tooLarge(n)
	}
	return frame(h, body), nil
}

func tooLarge(n int) error {
	return fmt.Errorf("%w: one record has %d KiB, at most %d", store.ErrTooLarge, n>>10, maxRecordBytes>>10)
}

// frame writes schema, form, length of the head, head and body.
func frame(head, body []byte) []byte {
	var form byte
	if len(head) >= compressFrom {
		form, head = form|headCompressed, s2.Encode(nil, head)
	}
	var b []byte
	if len(body) >= compressFrom {
		form |= bodyCompressed
		b = make([]byte, 0, 2+binary.MaxVarintLen32+len(head)+s2.MaxEncodedLen(len(body)))
	} else {
		b = make([]byte, 0, 2+binary.MaxVarintLen32+len(head)+len(body))
	}
	b = append(b, schema, form)
	b = binary.AppendUvarint(b, uint64(len(head)))
	b = append(b, head...)
	if form&bodyCompressed == 0 {
		return append(b, body...)
	}
	packed := s2.Encode(b[len(b):cap(b)], body)
	return b[:len(b)+len(packed)]
}

// splitRecord returns head and body, unpacked, or as views into b.
func splitRecord(b []byte) (head, body []byte, err error) {
	form, head, body, err := parts(b)
	if err == nil && form&headCompressed != 0 {
		head, err = unpack(head)
	}
	if err == nil && form&bodyCompressed != 0 {
		body, err = unpack(body)
	}
	return head, body, err
}

func unpack(b []byte) ([]byte, error) {
	n, err := s2.DecodedLen(b)
	if err != nil || n > maxRecordBytes {
		return nil, fmt.Errorf("%w: a compressed part does not read", errDamaged)
	}
	if b, err = s2.Decode(nil, b); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return b, nil
}

// parts returns views into b.
func parts(b []byte) (form byte, head, body []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, fmt.Errorf("%w: it is cut short", errDamaged)
	}
	if b[0] == 0 || b[0] > schema {
		return 0, nil, nil, fmt.Errorf("stored record has schema %d, this program reads up to %d; use the version that wrote it or a newer one", b[0], schema)
	}
	form, rest := b[1], b[2:]
	n, size := binary.Uvarint(rest)
	if size <= 0 || n > uint64(len(rest)-size) {
		return 0, nil, nil, fmt.Errorf("%w: its head is cut short", errDamaged)
	}
	rest = rest[size:]
	return form, rest[:n], rest[n:], nil
}

// decodeRecord reads the head into v and returns the body.
func decodeRecord(b []byte, v any) ([]byte, error) {
	head, body, err := splitRecord(b)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(head, v, codec); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return body, nil
}

// columns is what the store itself needs of a shipment: before the document, and in every list index, so that lists are
// filtered without reading documents.
type columns struct {
	revision   int64
	created    int64 // nanoseconds
	updated    int64
	pickup     int64 // start of the pickup window; noTime where it is open
	delivery   int64 // end of the delivery window
	attention  bool
	externalID string
	grouped    bool
	group      string
	location   string
	status     shipping.Status
	references []string
}

// noTime stands for an instant that is not set.
const noTime = math.MinInt64

func instant(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixNano()
}

func columnsOf(s *shipment.Shipment) columns {
	c := columns{
		revision: s.Revision, created: s.CreatedAt.UnixNano(), updated: s.UpdatedAt.UnixNano(),
		pickup: instant(s.PickupTime.StartsAt.Time), delivery: instant(s.DeliveryTime.EndsAt.Time),
		externalID: s.Order.ExternalID, location: s.Order.LocationID, status: s.Status,
	}
	if s.Order.GroupID != nil {
		c.grouped, c.group = true, *s.Order.GroupID
	}
	for i := range s.Attempts {
		a := &s.Attempts[i]
		if a.Reference != "" {
			c.references = append(c.references, a.Reference)
		}
		c.attention = c.attention || a.NeedsPerson()
	}
	return c
}

// Bits of the byte of flags.
const (
	flagAttention = 1 << iota
	flagGrouped
)

// encode writes the columns; references only before the document, as lists do not narrow by them.
func (c *columns) encode(b []byte, references bool) []byte {
	var flags byte
	if c.attention {
		flags |= flagAttention
	}
	if c.grouped {
		flags |= flagGrouped
	}
	b = append(b, flags)
	for _, n := range []int64{c.revision, c.created, c.updated, c.pickup, c.delivery} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, s := range []string{c.externalID, c.group, c.location, string(c.status)} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	if !references {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(c.references)))
	for _, s := range c.references {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func decodeColumns(b []byte) (columns, error) {
	r := reader{b: b}
	flags := r.byte()
	c := columns{attention: flags&flagAttention != 0, grouped: flags&flagGrouped != 0}
	for _, n := range []*int64{&c.revision, &c.created, &c.updated, &c.pickup, &c.delivery} {
		*n = r.int64()
	}
	c.externalID, c.group, c.location = r.text(), r.text(), r.text()
	c.status = shipping.Status(r.text())
	for range r.count() {
		c.references = append(c.references, r.text())
	}
	if r.bad || len(r.b) != 0 {
		return columns{}, fmt.Errorf("%w: the columns of a shipment do not read", errDamaged)
	}
	return c, nil
}

// reader takes values off the front of bytes and remembers whether there were too few.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// count reads a length, which is never more than there are bytes.
func (r *reader) count() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > uint64(len(r.b)-size) {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) text() string { return string(r.take(r.count())) }

// encodeShipment writes the document under the revision that it will have.
func encodeShipment(s *shipment.Shipment, revision int64) (columns, []byte, error) {
	copied := *s
	copied.Revision, copied.Schema = revision, shipment.Schema
	c := columnsOf(&copied)
	doc, err := json.Marshal(&copied, codec)
	if err != nil {
		return c, nil, fmt.Errorf("shipment %s: %w", s.ID, err)
	}
	if len(doc) > maxRecordBytes {
		return c, nil, fmt.Errorf("shipment %s: %w", s.ID, tooLarge(len(doc)))
	}
	return c, frame(c.encode(make([]byte, 0, 256), true), doc), nil
}

func decodeShipment(b []byte) (*shipment.Shipment, error) {
	_, doc, err := splitRecord(b)
	if err != nil {
		return nil, err
	}
	s := &shipment.Shipment{}
	if err := json.Unmarshal(doc, s, codec); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if s.Schema > shipment.Schema {
		return nil, fmt.Errorf("shipment %s has schema %d, this program reads up to %d; use the version that wrote it or a newer one", s.ID, s.Schema, shipment.Schema)
	}
	return s, nil
}

// shipmentColumns reads the columns before a document.
func shipmentColumns(b []byte) (columns, error) {
	form, head, _, err := parts(b)
	if err == nil && form&headCompressed != 0 {
		head, err = unpack(head)
	}
	if err != nil {
		return columns{}, err
	}
	return decodeColumns(head)
}
