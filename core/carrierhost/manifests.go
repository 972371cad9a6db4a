package carrierhost

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

// describeTimeout bounds the start of one binary for its manifest.
const describeTimeout = 10 * time.Second

// Description is what a binary of the plugins folder says about itself. Err tells why it could not be asked.
type Description struct {
	Name     string
	Path     string
	Manifest carrier.Manifest
	Err      error
}

// Manifests asks every adapter of a folder what it can do, without any account, and ends it again. It answers them by name; an
// adapter that cannot be asked is among them, and one that the lock refuses is not started. Without a lock all are. The error is of the
// folder, or says that ctx ended.
func Manifests(ctx context.Context, dir string, lock *Lock, log hclog.Logger) ([]Description, error) {
	found, err := installed(dir)
	if err != nil {
		return nil, err
	}
	var g errgroup.Group
	g.SetLimit(2 * runtime.NumCPU())
	for i := range found {
		g.Go(func() error {
			if _, found[i].Err = lock.sum(found[i].Path, found[i].Name); found[i].Err == nil {
				found[i].Manifest, found[i].Err = describe(ctx, found[i], log)
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("ask the adapters in %s: %w", dir, err)
	}
	return found, nil
}

// installed lists the adapters of a folder, sorted by name.
func installed(dir string) ([]Description, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, fmt.Errorf("list the adapters: %w", err)
	}
	found := []Description{}
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), Prefix); ok && adapterName.MatchString(name) {
			found = append(found, Description{Name: name, Path: filepath.Join(dir, e.Name())})
		}
	}
	return found, nil
}

// Describe answers the adapters of the host's folder. Those of names say what they can do: the host knows it of the ones that run, the
// others are started for it and ended again, as far as the lock allows. Of the rest the manifest is empty.
func (h *Host) Describe(ctx context.Context, names []string) ([]Description, error) {
	found, err := installed(h.cfg.Dir)
	if err != nil {
		return nil, err
	}
	known := map[string]*carrier.Manifest{}
	for _, s := range h.Status() {
		known[s.Name] = s.Manifest
	}
	for i := range found {
		d := &found[i]
		if m := known[d.Name]; m != nil {
			d.Manifest = *m
			continue
		}
		if !slices.Contains(names, d.Name) {
			continue
		}
		if _, d.Err = h.cfg.Lock.sum(d.Path, d.Name); d.Err == nil {
			d.Manifest, d.Err = describe(ctx, *d, h.log)
		}
	}
	return found, nil
}

func describe(ctx context.Context, d Description, log hclog.Logger) (carrier.Manifest, error) {
	if err := executable(d.Path); err != nil {
		return carrier.Manifest{}, err
	}
	p, err := plugin.Dial(ctx, plugin.DialConfig{Path: d.Path, Env: os.Environ(), Log: log, StartTimeout: describeTimeout})
	if err != nil {
		return carrier.Manifest{}, err
	}
	m := p.Manifest()
	if err := p.Stop(ctx); err != nil {
		return carrier.Manifest{}, fmt.Errorf("stop adapter %s: %w", d.Path, err)
	}
	if m.Name != d.Name {
		return carrier.Manifest{}, fmt.Errorf("%w: %s calls itself %q", errWrongName, d.Path, m.Name)
	}
	return m, nil
}
