package badgerstore

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// position is a place in a list: the end of each of its keys. Where a list is by creation, it is created, sortable, and id.
type position []byte

const createdBytes = 8

// turn returns one page of a list, from a place on, or from its beginning, and whether there is more after and before it. A walk
// returns up to limit places beyond from: towards newer ones, or towards older ones.
func turn(walk func(from position, newer bool, limit int) ([]position, error), from position, back, ascending bool, limit int) (page []position, next, previous bool, err error) {
	newer := back != ascending
	page, err = walk(from, newer, limit+1)
	if err != nil {
		return nil, false, false, err
	}
	more := len(page) > limit
	page = page[:min(len(page), limit)]
	if back {
		slices.Reverse(page)
	}
	if len(page) == 0 {
		return nil, false, false, nil
	}
	// Behind: what lies on the side from which the walk came. A first page has nothing there.
	behind := false
	if from != nil {
		edge := page[0]
		if back {
			edge = page[len(page)-1]
		}
		found, err := walk(edge, !newer, 1)
		if err != nil {
			return nil, false, false, err
		}
		behind = len(found) > 0
	}
	if back {
		return page, behind, more, nil
	}
	return page, more, behind, nil
}

// walkIndex returns up to limit places under a prefix beyond from. Each says of a place whether it is found, and whether the walk has
// ended before it.
func walkIndex(ctx context.Context, txn *badger.Txn, prefix, start key, from position, newer bool, limit int,
	each func(position, *badger.Item) (found, ended bool, err error)) ([]position, error) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix, Reverse: !newer})
	defer it.Close()
	var hits []position
	it.Seek(start)
	for n := 1; it.Valid() && len(hits) < limit; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		at := position(it.Item().Key()[len(prefix):])
		if !bytes.Equal(at, from) {
			found, ended, err := each(at, it.Item())
			if err != nil || ended {
				return hits, err
			}
			if found {
				hits = append(hits, bytes.Clone(at))
			}
		}
		it.Next()
	}
	return hits, nil
}

// edge is where a walk under a prefix begins: at from, or at the end that it comes from.
func edge(prefix key, from position, newer bool) key {
	start := slices.Clone(prefix)
	switch {
	case from != nil:
		return start.last(string(from))
	case newer:
		return start
	}
	// Beyond every entry, and no longer than an entry: the end of the prefix.
	return append(start, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
}

// Tokens are a direction, a place and a seal, in unpadded base64url. The seal binds them to the tenant and the question.
const sealBytes = 12

// token returns the token of a page that begins beyond at, or ends before it.
func (s *Store) token(tenant string, question any, at position, back bool) string {
	b := make([]byte, 1, 1+len(at)+sealBytes)
	if back {
		b[0] = 1
	}
	b = append(b, at...)
	return base64.RawURLEncoding.EncodeToString(append(b, s.seal(tenant, question, b)...))
}

func (s *Store) seal(tenant string, question any, b []byte) []byte {
	q, err := json.Marshal(question)
	if err != nil {
		panic(fmt.Sprintf("badgerstore: a query does not marshal: %v", err)) // it is made of text, numbers and times
	}
	h := hmac.New(sha256.New, s.secret)
	for _, part := range [][]byte{[]byte(tenant), q, b} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return h.Sum(nil)[:sealBytes]
}

// readToken returns a nil position where there is no token.
func (s *Store) readToken(tenant string, question any, token string) (at position, back bool, err error) {
	if token == "" {
		return nil, false, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || strings.ContainsAny(token, "\r\n") || len(b) < 1+createdBytes+sealBytes {
		return nil, false, store.ErrCursor
	}
	b, seal := b[:len(b)-sealBytes], b[len(b)-sealBytes:]
	if !hmac.Equal(seal, s.seal(tenant, question, b)) {
		return nil, false, store.ErrCursor
	}
	return position(b[1:]), b[0] == 1, nil
}

// question is what a token of a query belongs to.
func question(q store.ShipmentQuery) store.ShipmentQuery {
	q.Cursor, q.Limit, q.Since = "", 0, shipping.Instant{}
	return q
}

func (s *Store) cursor(tenant string, q store.ShipmentQuery, at position, back bool) string {
	return s.token(tenant, question(q), at, back)
}

func (s *Store) readCursor(tenant string, q store.ShipmentQuery) (at position, back bool, err error) {
	return s.readToken(tenant, question(q), q.Cursor)
}
