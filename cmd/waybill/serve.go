package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/node"
	"github.com/waybill-dev/waybill/examples"
)

// overrides is what the command line says of a configuration; "" leaves a member to the file.
type overrides struct {
	listen, data, plugins string
}

func (o *overrides) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.listen, "listen", "", "where to serve the API, instead of server.listen; port 0 for any")
	cmd.Flags().StringVar(&o.data, "data", "", "folder of the store, instead of store.dir")
	cmd.Flags().StringVar(&o.plugins, "plugins", "", "folder of the adapters, instead of plugins.dir")
}

// apply changes a loaded configuration. A public URL that the file did not choose follows the address.
func (o *overrides) apply(c *config.Config) {
	if o.listen != "" {
		scheme := "http://"
		if c.Server.TLS != nil {
			scheme = "https://"
		}
		if c.Server.PublicURL == scheme+c.Server.Listen {
			c.Server.PublicURL = scheme + o.listen
		}
		c.Server.Listen = o.listen
	}
	if o.data != "" {
		c.Store.Dir = o.data
	}
	if o.plugins != "" {
		c.Plugins.Dir = o.plugins
	}
}

// absolute makes the folders independent of where the process goes.
func (o *overrides) absolute() error {
	for _, dir := range []*string{&o.data, &o.plugins} {
		if *dir == "" {
			continue
		}
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return fmt.Errorf("folder %s: %w", *dir, err)
		}
		*dir = abs
	}
	return nil
}

func newServeCmd(p *program) *cobra.Command {
	var o overrides
	var l logFlags
	path := "waybill.yaml"
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the engine", Args: cobra.NoArgs,
		Long: "Run one node of the engine: serve the API, run the adapters, do what is due. It ends on SIGINT or SIGTERM, after the\n" +
			"requests under way; what was left to do goes on at the next start.\n\n" +
			"Memory: the collector runs whenever 64 MiB were allocated, or as much as lives where that is more. GOMEMLIMIT is heeded, and GOGC\n" +
			"obeyed instead of this: GOGC=100 takes less memory and makes the slowest hundredth of the decisions some four times slower.",
		Example: "  waybill serve --config /etc/waybill/waybill.yaml --data /var/lib/waybill",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.serve(cmd.Context(), path, o, l)
		},
	}
	cmd.Flags().StringVar(&path, "config", path, "configuration file")
	o.add(cmd)
	l.add(cmd, "server.log_level of the configuration")
	return cmd
}

func (p *program) serve(ctx context.Context, path string, o overrides, l logFlags) error {
	log, err := l.open(p, "info")
	if err != nil {
		return err
	}
	if err := o.absolute(); err != nil {
		return err
	}
	first, err := config.Load(path, p.getenv)
	if err != nil {
		return usageError(err)
	}
	if l.level == "" {
		log.SetLevel(hclog.LevelFromString(first.Server.LogLevel))
	}
	if o.listen == "" {
		o.listen = first.Server.Listen
	}
	ln, err := listen("API", o.listen)
	if err != nil {
		return err
	}
	o.listen = addressOf(ln, o.listen)
	watcher, err := config.Watch(path, p.getenv, o.apply, log.Named("config"))
	if err != nil {
		return errors.Join(usageError(err), ln.Close())
	}
	for _, w := range watcher.Current().Warnings(time.Now()) {
		log.Warn("look at the configuration", "warning", w)
	}
	return runNode(ctx, node.Settings{Config: watcher, Log: log, Version: version, Examples: examples.Rules()}, ln, func() {
		log.Info("ready", "listen", ln.Addr().String(), "public_url", watcher.Current().Server.PublicURL)
	})
}

// addressOf is the address that was asked for, with the port that was given.
func addressOf(ln net.Listener, asked string) string {
	host, _, errAsked := net.SplitHostPort(asked)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil || errAsked != nil {
		return ln.Addr().String()
	}
	return net.JoinHostPort(host, port)
}

// runNode runs a node until ctx ends, calls ready when it can take orders, and takes it apart.
func runNode(ctx context.Context, s node.Settings, ln net.Listener, ready func()) error {
	n, err := node.Open(s)
	if err != nil {
		if _, locked := errors.AsType[*carrierhost.LockError](err); locked {
			err = usageError(err)
		}
		return errors.Join(err, ln.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	warmed := make(chan struct{})
	go func() {
		defer close(warmed)
		if n.Warm(ctx) == nil {
			ready()
		}
	}()
	err = n.Run(ctx, ln)
	cancel()
	<-warmed
	return errors.Join(err, n.Close())
}
