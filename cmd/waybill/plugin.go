package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

func newPluginCmd(p *program) *cobra.Command {
	var dir string
	cmd := &cobra.Command{Use: "plugin", Aliases: []string{"plugins"}, Short: "Show and lock the carrier adapters that are installed"}
	cmd.PersistentFlags().StringVar(&dir, "plugins", "", "folder of the adapters (default plugins beside this program)")
	cmd.AddCommand(newPluginListCmd(p, &dir), newPluginDescribeCmd(p, &dir), newPluginTestCmd(p), newPluginLockCmd(p, &dir))
	return asGroup(cmd)
}

// foundAdapter is one binary and what it says of itself.
type foundAdapter struct {
	Name     string            `json:"name"`
	Path     string            `json:"path"`
	State    string            `json:"state"` // ready, misnamed, refused, failed
	Problem  string            `json:"problem,omitempty"`
	Manifest *carrier.Manifest `json:"-"`
}

// manifests starts every adapter of a folder once and asks for its manifest. One that does not start is told as such, and so is one that
// the lock refuses, which is not started; without a lock all are.
func (p *program) manifests(ctx context.Context, dir string, lock *carrierhost.Lock) ([]foundAdapter, error) {
	dir, err := adapterDir(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, usageError(fmt.Errorf("adapters: %w; name their folder with --plugins", err))
	}
	var found []foundAdapter
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), carrierhost.Prefix); ok && !e.IsDir() {
			found = append(found, foundAdapter{Name: name, Path: filepath.Join(dir, e.Name())})
		}
	}
	var wg sync.WaitGroup
	for i := range found {
		wg.Go(func() { found[i].ask(ctx, lock) })
	}
	wg.Wait()
	return found, nil
}

// adapterDir is the given folder of adapters, else the one beside this program.
func adapterDir(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the adapters beside this program: %w; name their folder with --plugins", err)
	}
	return filepath.Join(filepath.Dir(exe), "plugins"), nil
}

// lockFlag is which lock file says what may be started.
type lockFlag struct{ path string }

func (l *lockFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.path, "lock", carrierhost.LockFile, "lock file that says which adapters may be started; where it is not there, all may, unless it is named")
}

func (l *lockFlag) read(cmd *cobra.Command) (*carrierhost.Lock, error) {
	return lockNamed(l.path, cmd.Flags().Changed("lock"))
}

// lockNamed reads a lock file. One that is only looked for, because none was named, may be absent; then there is no lock.
func lockNamed(path string, named bool) (*carrierhost.Lock, error) {
	if _, err := os.Lstat(path); !named && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	lock, err := carrierhost.ReadLock(path)
	if err != nil {
		return nil, usageError(err)
	}
	return lock, nil
}

// ask starts the adapter for as long as its manifest takes, unless the lock refuses it.
func (f *foundAdapter) ask(ctx context.Context, lock *carrierhost.Lock) {
	var sum []byte // the binary may change between the look at the lock and its start, so whoever starts it checks once more
	if lock != nil {
		err := lock.Verify(filepath.Dir(f.Path), f.Name)
		if err == nil {
			locked, _ := lock.Find(f.Name)
			sum, err = hex.DecodeString(locked.SHA256)
		}
		if err != nil {
			f.State, f.Problem = "refused", "not started: "+err.Error()
			return
		}
	}
	proc, err := plugin.Dial(ctx, plugin.DialConfig{Path: f.Path, Env: os.Environ(), Checksum: sum})
	if err != nil {
		f.State, f.Problem = "failed", err.Error()
		return
	}
	m := proc.Manifest()
	f.State, f.Manifest = "ready", &m
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := proc.Stop(stop); err != nil {
		f.State, f.Problem = "failed", "it has answered, and did not end: "+err.Error()
		return
	}
	if f.Name != "" && m.Name != f.Name { // the engine does not start it either
		f.State = "misnamed"
		f.Problem = fmt.Sprintf("%s says that it is the adapter %s, so the engine will not use it; rename it to %s%s", f.Path, m.Name, carrierhost.Prefix, m.Name)
	}
}

// adapterView is what --json says of an adapter.
type adapterView struct {
	foundAdapter
	DisplayName  string            `json:"displayName,omitempty"`
	Version      string            `json:"version,omitempty"`
	Abilities    []carrier.Ability `json:"abilities,omitempty"`
	Services     []serviceView     `json:"services,omitempty"`
	Hosts        []string          `json:"hosts,omitempty"`
	LabelFormats []string          `json:"labelFormats,omitempty"`
	Idempotency  string            `json:"idempotency,omitempty"`
	Absence      string            `json:"absence,omitempty"`
}

type serviceView struct {
	ID       string   `json:"id"`
	Code     string   `json:"code,omitempty"`
	Name     string   `json:"name"`
	Mode     string   `json:"mode"`
	Supports []string `json:"supports,omitempty"`
}

func (f foundAdapter) view() adapterView {
	v := adapterView{foundAdapter: f}
	m := f.Manifest
	if m == nil {
		return v
	}
	v.DisplayName, v.Version, v.Abilities, v.Hosts = m.DisplayName, m.Version, m.Abilities, m.Hosts
	v.Idempotency, v.Absence = string(m.Idempotency), string(m.Absence)
	for _, l := range m.LabelFormats {
		v.LabelFormats = append(v.LabelFormats, string(l))
	}
	for _, s := range m.Services {
		v.Services = append(v.Services, serviceView{ID: s.ID, Code: s.Code, Name: s.Name, Mode: s.Mode, Supports: s.Supports})
	}
	return v
}

func newPluginListCmd(p *program, dir *string) *cobra.Command {
	var asJSON bool
	var l lockFlag
	cmd := &cobra.Command{
		Use: "list", Short: "Start each adapter once and show what it can do", Args: cobra.NoArgs, Example: "  waybill plugin list --plugins bin/plugins",
		Long: "Start each adapter once and show what it can do. Where a lock file stands, an adapter that it refuses is told as such and not started.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			lock, err := l.read(cmd)
			if err != nil {
				return err
			}
			found, err := p.manifests(cmd.Context(), *dir, lock)
			if err != nil {
				return err
			}
			return errors.Join(p.showAdapters(found, asJSON), failedAdapters(found))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	l.add(cmd)
	return cmd
}

func (p *program) showAdapters(found []foundAdapter, asJSON bool) error {
	if asJSON {
		views := []adapterView{}
		for _, f := range found {
			views = append(views, f.view())
		}
		return p.printJSON(views)
	}
	if len(found) == 0 {
		_, err := fmt.Fprintf(p.out, "no adapters; one is a program called %sNAME\n", carrierhost.Prefix)
		return err
	}
	t := newTable(p.out, "ADAPTER", "NAME", "VERSION", "STATE", "SERVICES", "ABILITIES")
	for _, f := range found {
		if f.Manifest == nil {
			t.row(f.Name, "", "", f.State)
			continue
		}
		t.row(f.Name, f.Manifest.DisplayName, f.Manifest.Version, f.State, fmt.Sprint(len(f.Manifest.Services)), abilities(f.Manifest))
	}
	return t.flush()
}

func abilities(m *carrier.Manifest) string {
	var names []string
	for _, a := range m.Abilities {
		names = append(names, string(a))
	}
	return strings.Join(names, " ")
}

// failedAdapters tells all that is known of the adapters that did not start.
func failedAdapters(found []foundAdapter) error {
	var errs []error
	for _, f := range found {
		if f.Problem != "" {
			errs = append(errs, errors.New(f.Problem))
		}
	}
	return errors.Join(errs...)
}

func newPluginDescribeCmd(p *program, dir *string) *cobra.Command {
	var asJSON bool
	var l lockFlag
	cmd := &cobra.Command{
		Use: "describe NAME", Short: "Show everything that an adapter says of itself", Args: cobra.ExactArgs(1), Example: "  waybill plugin describe ups",
		RunE: func(cmd *cobra.Command, args []string) error {
			lock, err := l.read(cmd)
			if err != nil {
				return err
			}
			found, err := p.manifests(cmd.Context(), *dir, lock)
			if err != nil {
				return err
			}
			var names []string
			for _, f := range found {
				names = append(names, f.Name)
			}
			i := slices.Index(names, strings.TrimPrefix(args[0], carrierhost.Prefix))
			switch {
			case i < 0:
				return usageError(fmt.Errorf("there is no adapter %q; there are %s", args[0], firstOf(strings.Join(names, ", "), "none")))
			case found[i].Problem != "":
				return errors.New(found[i].Problem)
			case asJSON:
				return p.printJSON(found[i].view())
			}
			return p.describe(found[i])
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	l.add(cmd)
	return cmd
}

func (p *program) describe(f foundAdapter) error {
	v := f.view()
	t := newTable(p.out)
	t.field("adapter", v.Name)
	t.field("name", v.DisplayName)
	t.field("version", v.Version)
	t.field("file", v.Path)
	t.field("abilities", abilities(f.Manifest))
	t.field("hosts", strings.Join(v.Hosts, " "))
	t.field("labels", strings.Join(v.LabelFormats, " "))
	t.field("booking twice", v.Idempotency)
	t.field("not found means", v.Absence)
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(p.out)
	t = newTable(p.out, "SERVICE", "CODE", "NAME", "MODE", "SUPPORTS")
	for _, s := range v.Services {
		t.row(s.ID, s.Code, s.Name, s.Mode, strings.Join(s.Supports, " "))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if len(f.Manifest.ConfigSchema) > 0 {
		fmt.Fprintf(p.out, "\nConfiguration (JSON Schema):\n%s\n", f.Manifest.ConfigSchema)
	}
	return nil
}
