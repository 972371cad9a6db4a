package dispatch_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
)

// faultyStore is a store whose commits can be made to fail, before they write or after they have.
type faultyStore struct {
	*badgerstore.Store

	mu      sync.Mutex
	commits int // since fail was called
	nth     int // which commit fails, from 1; 0 for none
	count   int // how many in a row fail
	written bool
	before  func(tx *store.Tx) // called before each commit, without the lock
	refuse  func(tx *store.Tx) error
}

// fail makes the nth commit from now on, and n-1 after it, answer that the store is unavailable; written says whether they write
// all the same.
func (f *faultyStore) fail(nth, n int, written bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits, f.nth, f.count, f.written = 0, nth, n, written
}

func (f *faultyStore) heal() { f.fail(0, 0, false) }

// onCommit has a hook called before each commit.
func (f *faultyStore) onCommit(hook func(*store.Tx)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = hook
}

func (f *faultyStore) Commit(ctx context.Context, tenant string, tx *store.Tx) error {
	f.mu.Lock()
	f.commits++
	bad := f.nth > 0 && f.commits >= f.nth && f.commits < f.nth+f.count
	written, hook, n := f.written, f.before, f.commits
	f.mu.Unlock()
	if hook != nil {
		hook(tx)
	}
	if bad && !written {
		return fmt.Errorf("commit %d: %w", n, store.ErrUnavailable)
	}
	if f.refuse != nil {
		if err := f.refuse(tx); err != nil {
			return err
		}
	}
	err := f.Store.Commit(ctx, tenant, tx)
	if bad && err == nil {
		return fmt.Errorf("commit %d, which was written: %w", n, store.ErrUnavailable)
	}
	return err
}
