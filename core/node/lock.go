package node

import (
	"fmt"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/config"
)

// LockOf reads the lock that the configuration names, nil for none, and holds the adapters of its accounts against it: a node does
// not begin with one that was exchanged. The host looks again at each start of a process.
func LockOf(cfg *config.Config, dir string) (*carrierhost.Lock, error) {
	if cfg.Plugins.Lock == "" {
		return nil, nil
	}
	lock, err := carrierhost.ReadLock(cfg.Plugins.Lock)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range cfg.AllAccounts() {
		names = append(names, a.Adapter)
	}
	if err := lock.Verify(dir, names...); err != nil {
		return nil, fmt.Errorf("refused to start: %w", err)
	}
	return lock, nil
}
