package badgerstore

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
)

// The first byte of a key says what it holds. A tenant, and every other part that another follows, ends with a zero byte.
// Stored data depends on these: they are never given a new meaning.
const (
	kindMeta       = 'M' // name -> text
	kindShipment   = 's' // tenant, id -> columns and document
	kindExternal   = 'x' // tenant, external id -> id
	kindReference  = 'r' // reference -> tenant, id
	kindList       = 'c' // tenant, created, id -> columns
	kindGroup      = 'g' // tenant, group, created, id -> columns
	kindAttention  = 'n' // tenant, created, id -> columns
	kindChange     = 'h' // tenant, id, seq
	kindDecision   = 'd' // tenant, id, at, row
	kindExchange   = 'e' // tenant, id, at, row
	kindLabel      = 'l' // tenant, id, attempt, parcel -> head
	kindBlob       = 'b' // blob, chunk -> bytes
	kindPending    = 'p' // blob -> nothing: its chunks are written, and not yet named by a row
	kindOpen       = 'o' // tenant, account -> count
	kindToday      = 't' // tenant, account, day -> count
	kindIdempotent = 'k' // tenant, key
	kindExpiry     = 'z' // expires, tenant, key -> nothing
	kindJob        = 'j' // tenant, id

	kindTracker   = 'T' // tenant, id -> columns and document
	kindName      = 'N' // tenant, name -> id
	kindTag       = 'G' // tenant, tag, created, id -> surface
	kindTrackers  = 'C' // tenant, surface or nothing for all, created, id -> nothing
	kindDue       = 'D' // tenant, account, next poll, id -> nothing
	kindParked    = 'P' // tenant, id
	kindParkedKey = 'K' // tenant, account, key, at, id -> nothing
	kindParkedEnd = 'Z' // expires, tenant, id -> nothing

	kindMessage         = 'm' // tenant, position, at
	kindSubject         = 'u' // tenant, subject, position, at -> nothing
	kindLogEnd          = 'q' // tenant -> position
	kindSubscription    = 'S' // tenant, id
	kindDropped         = 'X' // tenant, subscription -> nothing: what is left of its deliveries is to be removed
	kindCursor          = 'v' // tenant, subscription -> position
	kindDelivery        = 'y' // tenant, subscription, position
	kindDeliveryLog     = 'Y' // tenant, subscription, position -> columns
	kindDeliverySubject = 'w' // tenant, subject, subscription, position -> columns
	kindDeliveryDue     = 'a' // tenant, subscription, due, position -> nothing

	kindCount    = 'Q' // period, tenant, name -> count
	kindDocument = 'F' // tenant, name
	kindClaim    = 'O' // name -> tenant, shipment

	kindTenantClaim = 'W' // tenant, name -> shipment; of an earlier version
)

// maxKeyPart bounds each part of a key, so that a whole key stays far below the 64 KiB that Badger takes.
const maxKeyPart = 4096

type key []byte

func newKey(kind byte, parts ...string) key {
	n := 1
	for _, p := range parts {
		n += len(p) + 1
	}
	k := make(key, 0, n+24)
	k = append(k, kind)
	for _, p := range parts {
		k = append(append(k, p...), 0)
	}
	return k
}

// last adds a part that no other follows.
func (k key) last(s string) key { return append(k, s...) }

func (k key) uint(n uint64) key { return binary.BigEndian.AppendUint64(k, n) }

// time adds an instant so that keys sort by it, before and after 1970.
func (k key) time(t time.Time) key { return k.uint(sortable(t.UnixNano())) }

func sortable(nanos int64) uint64 { return uint64(nanos) ^ 1<<63 }

func shipmentKey(tenant string, id shipment.ID) key {
	return newKey(kindShipment, tenant).last(string(id))
}

func ofShipment(kind byte, tenant string, id shipment.ID) key {
	return newKey(kind, tenant, string(id))
}

func labelKey(tenant string, id shipment.ID, attempt, parcel int) key {
	return ofShipment(kindLabel, tenant, id).uint(uint64(attempt)).uint(uint64(parcel))
}

func blobKey(blob uint64, chunk int) key {
	return newKey(kindBlob).uint(blob).uint(uint64(chunk))
}

// newestKey is written by each commit, so that its version is that of the last.
func newestKey() key { return newKey(kindMeta).last("newest") }

func jobKey(tenant, id string) key { return newKey(kindJob, tenant).last(id) }

// checkParts refuses what would run into the next part of a key. It is a fault of the program, so it answers none of the
// contract's errors.
func checkParts(what string, parts ...string) error {
	for _, p := range parts {
		switch {
		case p == "":
			return fmt.Errorf("%s is empty", what)
		case len(p) > maxKeyPart:
			return fmt.Errorf("%s is %d bytes long, at most %d can be stored", what, len(p), maxKeyPart)
		case strings.IndexByte(p, 0) >= 0:
			return fmt.Errorf("%s %q holds a zero byte", what, p)
		}
	}
	return nil
}
