package badgerstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const (
	// maxLabelBytes is the largest label that an adapter may send.
	maxLabelBytes = 32 << 20
	// aheadBytes: larger labels of one transaction are written before it, so that a group stays small.
	aheadBytes = 1 << 20
	// chunkBytes is how much of a label one row holds. It is larger than valueThreshold: chunks go to the value log.
	chunkBytes = 512 << 10
)

// labelHead names the chunks of a label.
type labelHead struct {
	Format shipping.LabelFormat `json:"format"`
	Size   int                  `json:"size"`
	Blob   uint64               `json:"blob"`
	Chunks int                  `json:"chunks"`
}

type labelWrite struct {
	key   key
	blob  uint64
	value []byte // the head
	rows  []row  // the chunks, views of the caller's label
	bytes int
}

func (w *write) encodeLabels(tx *store.Tx) error {
	for i := range tx.Labels {
		l := &tx.Labels[i]
		if err := checkParts("shipment id of a label", string(l.Shipment)); err != nil {
			return err
		}
		if l.Attempt < 1 || l.Parcel < 1 {
			return fmt.Errorf("label of attempt %d, parcel %d of shipment %s: both count from 1", l.Attempt, l.Parcel, l.Shipment)
		}
		if len(l.Data) > maxLabelBytes {
			return fmt.Errorf("%w: label of shipment %s has %d bytes, at most %d", store.ErrTooLarge, l.Shipment, len(l.Data), maxLabelBytes)
		}
		x := labelWrite{key: labelKey(w.tenant, l.Shipment, l.Attempt, l.Parcel), blob: w.store.rows.Add(1), bytes: len(l.Data)}
		for at := 0; at < len(l.Data); at += chunkBytes {
			x.rows = append(x.rows, row{blobKey(x.blob, len(x.rows)), l.Data[at:min(at+chunkBytes, len(l.Data))]})
		}
		head, err := encodeRecord(labelHead{Format: l.Format, Size: len(l.Data), Blob: x.blob, Chunks: len(x.rows)}, nil)
		if err != nil {
			return err
		}
		x.value = head
		w.labels = append(w.labels, x)
	}
	return nil
}

// sizeLabels decides whether the labels are written with the transaction or ahead of it.
func (w *write) sizeLabels(r *request) {
	if len(w.labels) == 0 {
		return
	}
	total := 0
	for _, l := range w.labels {
		total += l.bytes
		r.bytes += 2 * (len(l.key) + len(l.value) + 64)
		r.entries += 2 + len(l.rows)
	}
	if total <= aheadBytes {
		r.bytes += total
		return
	}
	r.ahead = w.writeAhead
	r.undo = func() error {
		blobs := make([]uint64, len(w.labels))
		for i, l := range w.labels {
			blobs[i] = l.blob
		}
		return w.store.removeBlobs(blobs)
	}
	for i := range w.labels {
		l := &w.labels[i]
		w.rows = append(w.rows, row{key: newKey(kindPending).uint(l.blob)}) // deleted with the row that names the chunks
	}
}

// writeAhead writes the chunks of labels, each group with a mark by which the next opening finds what a crash left.
func (w *write) writeAhead() error {
	txn := w.store.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	bytes := 0
	for _, l := range w.labels {
		if err := txn.Set(newKey(kindPending).uint(l.blob), []byte{}); err != nil {
			return unavailable("write a label", err)
		}
		for _, r := range l.rows {
			if bytes+len(r.value) > maxBatchBytes {
				if err := w.store.commit(txn); err != nil {
					return err
				}
				txn, bytes = w.store.db.NewTransaction(true), 0
			}
			if err := txn.Set(r.key, r.value); err != nil {
				return unavailable("write a label", err)
			}
			bytes += len(r.value)
		}
	}
	return w.store.commit(txn)
}

func (w *write) putLabels(p *putter) {
	for i := range w.labels {
		l := &w.labels[i]
		if p.err == nil {
			p.err = deleteChunks(p.txn, l.key)
		}
		p.set(l.key, l.value)
	}
	if total := w.labelBytes(); total > aheadBytes {
		return
	}
	for i := range w.labels {
		for _, r := range w.labels[i].rows {
			p.set(r.key, r.value)
		}
	}
}

func (w *write) labelBytes() int {
	total := 0
	for i := range w.labels {
		total += w.labels[i].bytes
	}
	return total
}

// deleteChunks removes the chunks of the label that k holds, which is about to be replaced.
func deleteChunks(txn *badger.Txn, k key) error {
	var h labelHead
	if err := readInto(txn, k, &h); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	for i := range h.Chunks {
		if err := txn.Delete(blobKey(h.Blob, i)); err != nil {
			return err
		}
	}
	return nil
}

// removePending removes the chunks of labels that no row has come to name.
func (s *Store) removePending() error {
	var blobs []uint64
	err := s.look(func(txn *badger.Txn) error {
		return scan(txn, newKey(kindPending), func(k, _ []byte) error {
			r := reader{b: k[1:]}
			blobs = append(blobs, uint64(r.int64()))
			return nil
		})
	})
	if err != nil {
		return err
	}
	return s.removeBlobs(blobs)
}

func (s *Store) removeBlobs(blobs []uint64) error {
	for _, blob := range blobs {
		err := s.update(func(txn *badger.Txn) error {
			p := putter{txn: txn}
			err := scanKeys(txn, newKey(kindBlob).uint(blob), func(k []byte) error {
				p.delete(k)
				return p.err
			})
			p.delete(newKey(kindPending).uint(blob))
			return errors.Join(err, p.err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Label implements store.Store.
func (s *Store) Label(ctx context.Context, tenant string, id shipment.ID, attempt, parcel int) (shipping.Label, error) {
	var l shipping.Label
	err := s.view(ctx, func(txn *badger.Txn) error {
		var h labelHead
		k := labelKey(tenant, id, attempt, parcel)
		if err := readInto(txn, k, &h); err != nil {
			return err
		}
		l.Format = h.Format
		if h.Size > 0 {
			l.Data = make([]byte, 0, h.Size)
		}
		for i := range h.Chunks {
			item, err := txn.Get(blobKey(h.Blob, i))
			if err != nil {
				return named(k, fmt.Errorf("%w: chunk %d: %w", errDamaged, i, err))
			}
			if err := value(txn, item, func(b []byte) error { l.Data = append(l.Data, b...); return nil }); err != nil {
				return err
			}
		}
		if len(l.Data) != h.Size {
			return named(k, fmt.Errorf("%w: %d bytes of %d", errDamaged, len(l.Data), h.Size))
		}
		return nil
	})
	if err != nil {
		return shipping.Label{}, fmt.Errorf("label of parcel %d, attempt %d of shipment %s: %w", parcel, attempt, id, err)
	}
	return l, nil
}
