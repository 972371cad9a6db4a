package config_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/config"
)

// running runs a watcher until the caller stops it.
func running(t *testing.T, w *config.Watcher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestWatcherKeepsTheLastGood(t *testing.T) {
	p := write(t, t.TempDir(), "waybill.yaml", minimal)
	get := env(map[string]string{"SECRET": "x"})
	w, err := config.Watch(p, get, func(c *config.Config) { c.Server.Listen = "adjusted" }, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	w.OnChange(func(*config.Config) { changes++ })
	write(t, filepath.Dir(p), "waybill.yaml", "tenants: 3")
	if w.Reload() == nil || w.Problem() == nil {
		t.Error("a faulty file was taken")
	}
	if w.Current().Tenants["demo"] == nil || changes != 0 {
		t.Error("the last good configuration is gone")
	}
	write(t, filepath.Dir(p), "waybill.yaml", strings.Replace(minimal, "  demo:", "  other:", 1))
	if err := w.Reload(); err != nil {
		t.Fatal(err)
	}
	if w.Current().Tenants["other"] == nil || w.Current().Server.Listen != "adjusted" || changes != 1 || w.Problem() != nil {
		t.Errorf("the new configuration was not taken: %+v", w.Current())
	}
}

// A reload with an account that its adapter refuses leaves the working one alone.
func TestWatcherTakesNoRefusedAccount(t *testing.T) {
	const good = "        config:\n          client_id: a\n          fee: { flat: 5.90 }\n"
	p := write(t, t.TempDir(), "waybill.yaml", withAccount(good))
	w, err := config.Watch(p, env(nil), nil, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	w.CheckAccounts(known)
	was := w.Current()
	write(t, filepath.Dir(p), "waybill.yaml", strings.Replace(withAccount(good), "flat:", "flatt:", 1))
	if err := w.Reload(); err == nil || w.Current() != was {
		t.Errorf("it was taken: %v", err)
	}
	e, ok := errors.AsType[*config.Error](w.Problem())
	if !ok || len(e.About("tenants.demo.accounts.ups")) != 1 || len(e.About("tenants.demo.accounts.up")) != 0 {
		t.Errorf("the problem of the account is %v", w.Problem())
	}
	write(t, filepath.Dir(p), "waybill.yaml", strings.Replace(withAccount(good), "5.90", "6.90", 1))
	if err := w.Reload(); err != nil || !strings.Contains(w.Current().Tenants["demo"].Accounts["ups"].Config.Reveal(), "6.9") || w.Problem() != nil {
		t.Errorf("a good one is not taken: %v", err)
	}
}

// A secret that is changed in its own file is taken within seconds.
func TestWatcherSeesFilesOfSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "secret", "first\n")
	p := write(t, dir, "waybill.yaml", strings.Replace(minimal, "${SECRET}", "${file:secret}", 1))
	w, err := config.Watch(p, env(nil), nil, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan *config.Config, 1)
	w.OnChange(func(c *config.Config) { changed <- c })
	stop := running(t, w)
	write(t, dir, "secret", "second\n")
	select {
	case c := <-changed:
		if got := c.Tenants["demo"].Accounts["ups"].Config.Reveal(); !strings.Contains(got, "second") {
			t.Errorf("the account has %s", got)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the change was not seen")
	}
	stop()
}

// What is saved while what was read before is still being held against the adapters is taken all the same.
func TestWatcherSeesWhatIsSavedDuringAReload(t *testing.T) {
	t.Parallel()
	const account = "        config:\n          client_id: a\n          fee: { flat: 5.90 }\n"
	dir := t.TempDir()
	p := write(t, dir, "waybill.yaml", withAccount(account))
	w, err := config.Watch(p, env(nil), nil, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	var saved sync.Once
	w.CheckAccounts(func(*config.Config) map[string]config.Adapter {
		saved.Do(func() { write(t, dir, "waybill.yaml", strings.Replace(withAccount(account), "5.90", "7.90", 1)) })
		return nil
	})
	if err := w.Reload(); err != nil {
		t.Fatal(err)
	}
	changed := make(chan *config.Config, 1)
	w.OnChange(func(c *config.Config) { changed <- c })
	stop := running(t, w)
	select {
	case c := <-changed:
		if got := c.Tenants["demo"].Accounts["ups"].Config.Reveal(); !strings.Contains(got, "7.9") {
			t.Errorf("the account has %s", got)
		}
	case <-time.After(time.Minute): // reached only where the test fails
		t.Error("the change was not seen")
	}
	stop()
}

// A file that comes to be where the include's pattern looks is taken within seconds.
func TestWatcherSeesNewIncludes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := write(t, dir, "waybill.yaml", "include: [conf.d/*.yaml]\n"+minimal)
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := config.Watch(p, env(map[string]string{"SECRET": "x"}), nil, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan *config.Config, 1)
	w.OnChange(func(c *config.Config) { changed <- c })
	stop := running(t, w)
	write(t, filepath.Join(dir, "conf.d"), "second.yaml", "tenants:\n  second:\n    currency: EUR\n")
	select {
	case c := <-changed:
		if c.Tenants["second"] == nil || c.Tenants["demo"] == nil {
			t.Errorf("the tenants are %v", c.Tenants)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the new file was not seen")
	}
	stop()
}
