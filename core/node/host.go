package node

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
)

// NewHost returns the carrier host of a configuration, with its accounts, for the commands that speak with carriers without a node.
// It starts nothing.
func NewHost(cfg *config.Config, log hclog.Logger) (*carrierhost.Host, error) {
	return newHost(cfg, Settings{Log: log, Clock: clock.Real(), Source: clock.Crypto(clock.Real())}, "", nil)
}

// newHost gives each process a temporary folder of its own where runDir is "".
func newHost(cfg *config.Config, s Settings, runDir string, registry prometheus.Registerer) (*carrierhost.Host, error) {
	dir := cfg.Plugins.Dir
	if dir == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the adapters beside the executable: %w; name their folder as plugins.dir", err)
		}
		dir = filepath.Join(filepath.Dir(exe), "plugins")
	}
	lock, err := LockOf(cfg, dir)
	if err != nil {
		return nil, err
	}
	host, err := carrierhost.New(carrierhost.Config{
		Dir: dir, AutoMTLS: *cfg.Plugins.AutoMTLS, StartTimeout: cfg.Plugins.StartTimeout, Quarantine: cfg.Plugins.Quarantine,
		Memory: cfg.Plugins.Memory, RunDir: runDir, Log: s.Log.Named("carrier"), Clock: s.Clock, Source: s.Source, Registerer: registry,
		Lock: lock,
	})
	if err != nil {
		return nil, fmt.Errorf("adapters: %w", err)
	}
	if err := host.Apply(cfg.AllAccounts()); err != nil {
		return nil, fmt.Errorf("carrier accounts: %w", err)
	}
	return host, nil
}
