package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/carrierhost"
)

func newPluginLockCmd(p *program, dir *string) *cobra.Command {
	path := carrierhost.LockFile
	cmd := &cobra.Command{
		Use: "lock", Short: "Accept the adapters that are installed, and no others", Args: cobra.NoArgs,
		Long: "Start each adapter once, and write its name, version and SHA-256 to a lock file. Where that file stands beside the\n" +
			"configuration (or is named as plugins.lock in it), 'waybill serve' and 'waybill dev' refuse adapters that differ, and\n" +
			"each later start of an adapter is checked again. A running engine keeps the lock that it began with.",
		Example: "  waybill plugin lock --plugins /usr/lib/waybill/plugins --lock /etc/waybill/waybill.lock",
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := p.manifests(cmd.Context(), *dir, nil)
			if err != nil {
				return err
			}
			if err := failedAdapters(found); err != nil {
				return fmt.Errorf("nothing was locked: %w", err)
			}
			return p.lock(found, path)
		},
	}
	cmd.Flags().StringVar(&path, "lock", path, "lock file to write")
	return cmd
}

// lock writes the lock file and tells what it changes of the one before.
func (p *program) lock(found []foundAdapter, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return usageError(err)
	}
	before, err := formerLock(path)
	if err != nil {
		return err
	}
	lock := &carrierhost.Lock{}
	t := newTable(p.out, "ADAPTER", "VERSION", "SHA256", "CHANGE")
	for _, f := range found {
		sum, err := carrierhost.SumFile(f.Path)
		if err != nil {
			return err
		}
		a := carrierhost.LockedAdapter{Name: f.Name, Version: f.Manifest.Version, SHA256: hex.EncodeToString(sum)}
		lock.Adapters = append(lock.Adapters, a)
		t.row(a.Name, a.Version, a.SHA256, changeOf(before, a))
	}
	for _, old := range before.Adapters {
		if _, still := lock.Find(old.Name); !still {
			t.row(old.Name, old.Version, old.SHA256, "removed")
		}
	}
	if err := lock.Write(path); err != nil {
		return err
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s: %s locked\n", path, count(len(lock.Adapters), "adapter"))
	return err
}

// formerLock is the lock that is about to be replaced, empty where there is none.
func formerLock(path string) (*carrierhost.Lock, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return &carrierhost.Lock{}, nil
	}
	lock, err := carrierhost.ReadLock(path)
	if err != nil {
		return nil, usageError(fmt.Errorf("%w, after removing what is there", err))
	}
	return lock, nil
}

func changeOf(before *carrierhost.Lock, a carrierhost.LockedAdapter) string {
	switch old, ok := before.Find(a.Name); {
	case !ok:
		return "new"
	case old.SHA256 != a.SHA256:
		return "changed from " + firstOf(old.Version, "?")
	}
	return "same"
}
