package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/node"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
)

// backupFlags are the flags of `backup` and `restore`.
type backupFlags struct {
	config, data, out, url, key string
}

func newBackupCmd(p *program) *cobra.Command {
	f := &backupFlags{}
	cmd := &cobra.Command{
		Use: "backup -o FILE", Short: "Copy everything that is stored, also while the engine serves", Args: cobra.NoArgs,
		Long: "Copy everything that is stored, as it is at one moment. Where an engine has the store open, the copy is asked of it, with\n" +
			"an operator's key (server.admin_keys); else the store is opened for as long as it takes. A store that is encrypted gives\n" +
			"a copy that is encrypted with the same key; keep the key elsewhere than the copy.",
		Example: "  waybill backup --config waybill.yaml -o waybill.backup\n  WAYBILL_ADMIN_KEY=… waybill backup --url https://ship.example.com -o waybill.backup",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.out == "" {
				return usageError(errors.New("-o is needed: a file for the copy, or - for standard output"))
			}
			return p.backup(cmd.Context(), f)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&f.out, "output", "o", "", "file to write, replaced when the copy is whole; - for standard output")
	cmd.Flags().StringVar(&f.url, "url", "", "engine to ask, instead of what --config says")
	cmd.Flags().StringVar(&f.key, "key", "", "operator's key for an engine that serves (default $WAYBILL_ADMIN_KEY)")
	return cmd
}

func (f *backupFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.config, "config", "waybill.yaml", "configuration file, which says where the store is and its encryption key")
	cmd.Flags().StringVar(&f.data, "data", "", "folder of the store, instead of store.dir")
}

func (p *program) backup(ctx context.Context, f *backupFlags) error {
	if f.url != "" {
		return p.save(f.out, func(w io.Writer) error { return p.fetchStream(ctx, f.url, "/admin/backup", f.key, w) })
	}
	c, cfg, err := p.storeOf(f)
	if err != nil {
		return err
	}
	if files, err := os.ReadDir(cfg.Dir); err != nil || len(files) == 0 {
		return noStore(cfg.Dir)
	}
	return p.save(f.out, func(w io.Writer) error {
		st, err := badgerstore.Open(cfg)
		if errors.Is(err, badgerstore.ErrInUse) {
			return p.fetchStream(ctx, c.Server.PublicURL, "/admin/backup", f.key, w)
		}
		if err != nil {
			return err
		}
		return errors.Join(st.Backup(ctx, w), st.Close())
	})
}

// storeOf reads the configuration and says which store it speaks of.
func (p *program) storeOf(f *backupFlags) (*config.Config, badgerstore.Config, error) {
	o := overrides{data: f.data}
	if err := o.absolute(); err != nil {
		return nil, badgerstore.Config{}, err
	}
	c, err := config.Load(f.config, p.getenv)
	if err != nil {
		return nil, badgerstore.Config{}, usageError(err)
	}
	o.apply(c)
	return c, node.StoreConfig(c), nil
}

// fetchStream asks an engine for what only operators get.
func (p *program) fetchStream(ctx context.Context, base, path, key string, w io.Writer) error {
	env, _ := p.getenv("WAYBILL_ADMIN_KEY")
	if key = firstOf(key, env); key == "" {
		return usageError(fmt.Errorf("the engine at %s has the store; give an operator's key (server.admin_keys) as $WAYBILL_ADMIN_KEY or --key, or stop the engine", base))
	}
	target, err := url.JoinPath(base, path)
	if err != nil {
		return usageError(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return usageError(err)
	}
	req.Header.Set("X-Api-Key", key)
	c := newClient(base, key)
	c.http.Timeout = 0 // a large store takes its time
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
		if err != nil {
			return c.unreachable(err)
		}
		return refusal(answer{status: res.StatusCode, body: b})
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the answer broke off: %w; the engine's log says why", err)
	}
	return nil
}

// save has a file written whole or not at all.
func (p *program) save(path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(p.out)
	}
	if err := replaceable(path); err != nil {
		return usageError(err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // readable by this user alone
	if err != nil {
		return usageError(fmt.Errorf("write %s: %w", path, err))
	}
	count := &counting{w: tmp}
	err = write(count)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	_, err = fmt.Fprintf(p.out, "%s: %d bytes\n", path, count.n)
	return err
}

// replaceable refuses what a file must not take the place of: a device, a pipe, a link to somewhere else.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	what := "a device"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeSymlink != 0:
		what = "a symbolic link"
	case mode&(fs.ModeNamedPipe|fs.ModeSocket) != 0:
		what = "a pipe or a socket"
	}
	return fmt.Errorf("%s is %s, which a file would replace; name a file, or - for standard output", path, what)
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func newRestoreCmd(p *program) *cobra.Command {
	f := &backupFlags{}
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Make a store from a backup", Args: cobra.ExactArgs(1),
		Long: "Make a store from a backup, in the folder that the configuration names, which must be empty. A backup of a newer version\n" +
			"is refused; an encrypted one needs the key of its store as store.encryption_key. Orders that were booked after the copy\n" +
			"was made are not in it: run 'waybill audit' before you serve from it.",
		Example: "  waybill restore --config waybill.yaml waybill.backup",
		RunE: func(_ *cobra.Command, args []string) error {
			_, cfg, err := p.storeOf(f)
			if err != nil {
				return err
			}
			in := p.in
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return usageError(err)
				}
				defer file.Close()
				in = file
			}
			if err := badgerstore.Restore(cfg, in); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.out, "%s: restored\n", cfg.Dir)
			return err
		},
	}
	f.add(cmd)
	return cmd
}
