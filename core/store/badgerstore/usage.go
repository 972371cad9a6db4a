package badgerstore

import (
	"context"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// checkUsage refuses what would take an account beyond a bound of the transaction.
func (w *write) checkUsage(txn *badger.Txn) error {
	within := func(k key, n, most int) error {
		if most <= 0 {
			return nil
		}
		has, err := counter(txn, k)
		if err == nil && has+n > most {
			err = fmt.Errorf("%w: %d of %d", store.ErrUsage, has, most)
		}
		return err
	}
	for _, u := range w.usage {
		if err := within(openKey(w.tenant, u.Account), u.Open, u.MaxOpen); err != nil {
			return fmt.Errorf("open bookings of account %s: %w", u.Account, err)
		}
		if err := within(todayKey(w.tenant, u.Account, u.Day), u.Today, u.MaxToday); err != nil {
			return fmt.Errorf("bookings of account %s on %s: %w", u.Account, u.Day, err)
		}
	}
	return nil
}

func openKey(tenant, account string) key { return newKey(kindOpen, tenant).last(account) }

func todayKey(tenant, account, day string) key { return newKey(kindToday, tenant, account).last(day) }

// Usage implements store.Store.
func (s *Store) Usage(ctx context.Context, tenant, account, day string) (carrier.Usage, error) {
	var u carrier.Usage
	err := s.view(ctx, func(txn *badger.Txn) (err error) {
		if u.Open, err = counter(txn, openKey(tenant, account)); err != nil {
			return err
		}
		u.Today, err = counter(txn, todayKey(tenant, account, day))
		return err
	})
	if err != nil {
		return carrier.Usage{}, fmt.Errorf("usage of account %s: %w", account, err)
	}
	return u, nil
}
