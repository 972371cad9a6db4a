// Package node puts one node of the engine together from a configuration, runs it, and takes it apart in order. It is the only
// package that knows all others of core.
package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/admin"
	"github.com/waybill-dev/waybill/core/httpapi/push"
	"github.com/waybill-dev/waybill/core/httpapi/ship24"
	shippingapi "github.com/waybill-dev/waybill/core/httpapi/shipping"
	trackerapi "github.com/waybill-dev/waybill/core/httpapi/tracker"
	"github.com/waybill-dev/waybill/core/httpapi/tracktor"
	"github.com/waybill-dev/waybill/core/httpapi/webhooks"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/retention"
	"github.com/waybill-dev/waybill/core/ruleset"
	"github.com/waybill-dev/waybill/core/shop"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/web/console"
	"github.com/waybill-dev/waybill/core/web/portal"
	"github.com/waybill-dev/waybill/core/web/returns"
	"github.com/waybill-dev/waybill/rules"
)

// Settings is what a node is made from.
type Settings struct {
	Config  *config.Watcher
	Log     hclog.Logger
	Version string
	// Clock and Source are the real ones where nil.
	Clock  clock.Clock
	Source clock.Source
	// Carriers replaces the adapter processes, for measuring the engine without them; nil runs those of the configuration.
	Carriers dispatch.Carriers
	// Examples are folders of rules that the console offers to begin from; nil for none.
	Examples fs.FS
}

// Node is one node. Open makes it, Run runs it, Close closes what Open has opened.
type Node struct {
	Settings
	Dispatch *dispatch.Service
	Tracking *tracking.Service
	Notify   *notify.Service
	Store    store.Store
	Host     *carrierhost.Host // nil where Settings.Carriers stands in

	runDir    string // of the adapters' sockets; "" where none run
	placer    *geo.Placer
	rules     *ruleset.Set
	retention *retention.Service
	runner    *jobs.Runner
	server    *httpapi.Server
	pages     *portal.Pages
	returns   *returns.Pages
	carriers  dispatch.Carriers
	registry  *prometheus.Registry
	backup    func(ctx context.Context, w io.Writer) error
	garbage   func(ctx context.Context) error
	close     sync.Once
	closed    error
	warm      chan struct{} // closed when carriers and rules are ready to be used
	failed    error         // why they never will be; read after warm
}

// Open opens the store and wires everything. It starts no adapter and serves nothing.
func Open(s Settings) (*Node, error) {
	if s.Clock == nil {
		s.Clock = clock.Real()
	}
	if s.Source == nil {
		s.Source = clock.Crypto(s.Clock)
	}
	n := &Node{Settings: s, registry: prometheus.NewRegistry(), warm: make(chan struct{})}
	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := n.openStore(); err != nil {
		return nil, err
	}
	if err := n.wire(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Node) openStore() error {
	cfg := StoreConfig(n.Config.Current())
	cfg.Log = n.Log.Named("store")
	st, err := badgerstore.Open(cfg)
	if err != nil {
		return fmt.Errorf("open the store in %s: %w", cfg.Dir, err)
	}
	n.Store, n.backup, n.garbage = st, st.Backup, st.CollectGarbage
	return nil
}

func (n *Node) wire() error {
	cfg := n.Config.Current()
	placing := geo.Config{}
	if g := cfg.Geocoding.Nominatim; g != nil {
		geocoder := g.Geocoder()
		placing.Nominatim = &geocoder
	}
	var err error
	if n.placer, err = geo.New(placing); err != nil {
		return fmt.Errorf("geocoding: %w", err)
	}
	carriers := n.Carriers
	if carriers == nil {
		if err := n.openHost(cfg); err != nil {
			return err
		}
		carriers = hostCarriers{n.Host}
	}
	n.carriers = carriers
	n.rules = ruleset.New(ruleset.Settings{Config: n.Config.Current, Providers: n.providers(carriers), Log: n.Log.Named("rules"), Registerer: n.registry, Kept: n.Store})
	if err := n.openPages(); err != nil {
		return err
	}
	if err := n.openNotify(); err != nil {
		return err
	}
	n.Config.OnChange(func(*config.Config) { n.Notify.Reload() })
	n.Dispatch = dispatch.New(dispatch.Settings{
		Store: n.Store, Carriers: carriers, Placer: n.placer, Config: n.Config.Current, Rules: n.rules.Bundle, Trial: n.trial, Version: n.rules.Version, Clock: n.Clock, Source: n.Source,
		Log: n.Log.Named("dispatch"), Teller: n.Notify, Exchanges: n.Notify, Notices: n.Notify, Registerer: n.registry,
		CallWithin: cfg.Server.CallWithin(),
	})
	n.Tracking = tracking.New(tracking.Settings{
		Store: n.Store, Carriers: followed{carriers}, Config: n.Config.Current, Clock: n.Clock, Source: n.Source, Log: n.Log.Named("tracking"),
		Teller: shop.Teller{Next: n.Notify, Clock: n.Clock}, Moved: n.Dispatch.Wake, Registerer: n.registry,
	})
	n.retention = retention.New(retention.Settings{Store: n.Store, Config: n.Config.Current, Clock: n.Clock, Log: n.Log.Named("retention"), EraseTracker: n.Tracking.EraseAged,
		CollectGarbage: n.garbage, RulesInUse: n.rules.InUse})
	n.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "waybill_config_degraded",
		Help: "1 while the configuration's files are faulty and an earlier configuration serves."}, n.configDegraded))
	handlers := n.Dispatch.Handlers()
	maps.Copy(handlers, n.Tracking.Handlers())
	shops := shop.New(shop.Settings{Store: n.Store, Tracking: n.Tracking, Messages: n.Notify, Config: n.Config.Current, Clock: n.Clock, Log: n.Log.Named("shop")})
	maps.Copy(handlers, shops.Handlers())
	handlers[retention.JobRetention], handlers[retention.JobUpkeep] = n.retention.RunRetention, n.retention.RunUpkeep
	n.runner, err = jobs.New(jobs.Config{
		Store: n.Store, Clock: n.Clock, Source: n.Source, Log: n.Log.Named("jobs"), Metrics: jobs.NewMetrics(n.registry),
		Handlers: handlers,
	})
	if err != nil {
		return fmt.Errorf("job runner: %w", err)
	}
	router := httpapi.New(httpapi.Settings{Config: n.Config.Current, Clock: n.Clock, Source: n.Source, Log: n.Log.Named("http"), Registerer: n.registry})
	push.Mount(router, n.Tracking) // first, as routes are tried in their order and carriers ask most
	shippingapi.Mount(router, n.Dispatch, n.Tracking, n.pages)
	ship24.Mount(router, n.Tracking, n.Notify)
	webhooks.Mount(router, n.Notify)
	trackerapi.Mount(router, trackerapi.Settings{Cases: n.Tracking, Manifest: n.manifest, Placer: n.placer, Pages: n.pages, Back: n.Dispatch,
		Elsewhere: map[string]trackerapi.Finder{string(tracker.OfShip24): ship24.Finder(n.Tracking), string(tracker.OfTracktor): shops.Find}})
	n.pages.Mount(router)
	n.returns.Cases = n.Dispatch
	n.returns.Mount(router)
	tracktor.Mount(router, tracktor.Settings{Shop: shops, Webhooks: n.Notify, Config: n.Config.Current, Log: n.Log.Named("shop")})
	admin.Mount(router, admin.Settings{Provider: n.provider, PushURL: n.pushURL, Ready: n.ready, Degraded: n.degraded, Version: n.Version, Backup: n.backup, Orders: n.orders, RuleVersion: n.rules.Files,
		Metrics: promhttp.HandlerFor(n.registry, promhttp.HandlerOpts{})})
	console.Mount(router, console.Settings{Orders: n.Dispatch, Live: n.liveRules, Providers: n.providers(carriers), Examples: n.Examples})
	n.server = &httpapi.Server{Handler: router, Config: cfg.Server, Log: n.Log.Named("http")}
	return nil
}

func (n *Node) openHost(cfg *config.Config) (err error) {
	if n.runDir, err = openRunDir(cfg.Store.Dir); err != nil { // the open store proves that nobody else uses it
		return err
	}
	if n.Host, err = newHost(cfg, n.Settings, n.runDir, n.registry); err != nil {
		return err
	}
	n.Config.CheckAccounts(n.adapters)
	n.Config.OnChange(func(c *config.Config) {
		if err := n.Host.Apply(c.AllAccounts()); err != nil {
			n.Log.Error("carrier accounts of the new configuration were not taken", "err", err)
		}
	})
	return nil
}

// hostCarriers is the carrier host as dispatch sees it.
type hostCarriers struct{ host *carrierhost.Host }

func (h hostCarriers) Account(tenant, id string) (dispatch.Account, bool) {
	a, ok := h.host.Account(tenant, id)
	return a, ok
}

// followed is the same as tracking sees it. Carriers that stand in for measuring need not be able to.
type followed struct{ dispatch.Carriers }

func (f followed) Account(tenant, id string) (tracking.Account, bool) {
	a, ok := f.Carriers.Account(tenant, id)
	acc, can := a.(tracking.Account)
	return acc, ok && can
}

// providers tells rules which services the tenant's accounts have, as far as their adapters have started.
func (n *Node) providers(carriers dispatch.Carriers) func(*config.Tenant) map[string]rules.Provider {
	return func(t *config.Tenant) map[string]rules.Provider {
		out := map[string]rules.Provider{}
		for id := range t.Accounts {
			var p rules.Provider
			if a, ok := carriers.Account(t.ID, id); ok {
				if m, started := a.Manifest(); started {
					for _, sv := range m.Services {
						p.Services = append(p.Services, rules.ServiceInfo{ID: sv.ID, Mode: sv.Mode, Supports: sv.Supports})
					}
				}
			}
			out[id] = p
		}
		return out
	}
}

// liveRules tells how a tenant's rules stand.
func (n *Node) liveRules(tenant string) console.Live {
	s := n.rules.Status(tenant)
	return console.Live{Bundle: n.rules.Bundle(tenant), Since: s.Since, Problem: s.Problem}
}

// Run serves on ln and does what is due until ctx ends, then stops accepting, lets requests and calls end, and returns. What it
// was doing for jobs goes on at the next start.
func (n *Node) Run(ctx context.Context, ln net.Listener) error {
	defer PaceCollector()()
	// Carriers must outlive the requests that use them, so they stop last.
	hostCtx, stopHost := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHost()
	hostDone := make(chan error, 1)
	go func() {
		if n.Host == nil {
			hostDone <- nil
			return
		}
		hostDone <- n.Host.Run(hostCtx)
	}()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.Config.Run(gctx) })
	g.Go(func() error { return trim(gctx, lookEvery) })
	g.Go(func() error { return n.server.Serve(gctx, ln) })
	g.Go(func() error { return n.pages.Run(gctx) })
	g.Go(func() error {
		if err := n.warmUp(gctx); err != nil {
			return err
		}
		n.planRetention(gctx)
		inner, ictx := errgroup.WithContext(gctx)
		inner.Go(func() error { return n.rules.Run(ictx) })
		inner.Go(func() error { return n.watchOutages(ictx, outageEvery) })
		inner.Go(func() error { return n.runner.Run(ictx) })
		inner.Go(func() error { return n.Notify.Run(ictx) })
		return inner.Wait()
	})
	err := g.Wait()
	n.Dispatch.Drain()
	stopHost()
	return errors.Join(err, <-hostDone)
}

// warmUp waits for the adapters' first news, then loads the rules, whose names are checked against the adapters' services.
func (n *Node) warmUp(ctx context.Context) error {
	defer close(n.warm)
	if n.Host != nil {
		wait, cancel := context.WithTimeout(ctx, n.Config.Current().Plugins.StartTimeout)
		err := n.Host.Ready(wait)
		cancel()
		if err != nil && ctx.Err() == nil {
			n.Log.Warn("some adapters are not ready yet; orders do not wait for them", "err", err)
		}
	}
	_ = n.rules.Load() // logged, and told by degraded where there are rules to serve by
	n.failed = n.rules.Missing()
	return n.failed
}

// trial is what dispatch tries beside a tenant's live rules.
func (n *Node) trial(tenant, order string) dispatch.Trial {
	b, decides := n.rules.Trial(tenant, order)
	return dispatch.Trial{Rules: b, Decides: decides}
}

func (n *Node) configDegraded() float64 {
	if n.Config.Problem() != nil {
		return 1
	}
	return 0
}

// Warm waits until the node can take orders.
func (n *Node) Warm(ctx context.Context) error {
	select {
	case <-n.warm:
		return n.failed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready returns what keeps the node from taking orders. Files that were not taken do not: the last good ones serve. See degraded.
func (n *Node) ready(ctx context.Context) error {
	select {
	case <-n.warm:
	default:
		return errors.New("adapters are starting")
	}
	return errors.Join(n.failed, n.Store.Check(ctx))
}

// degraded returns what is wrong with files as they are now, while the node serves by earlier ones.
func (n *Node) degraded() error {
	err := n.rules.Problem()
	if p := n.Config.Problem(); p != nil {
		err = errors.Join(fmt.Errorf("the configuration was not taken; the last good one serves:\n%w", p), err)
	}
	return err
}

// Close closes what Open has opened, after Run has returned. It may be called twice.
func (n *Node) Close() error {
	n.close.Do(func() {
		if n.placer != nil {
			n.placer.Close()
		}
		if n.runDir != "" { // while the store keeps others from it
			_ = os.Remove(n.runDir) // what is left in it is swept with the next start
		}
		if n.Store != nil {
			n.closed = n.Store.Close()
		}
	})
	return n.closed
}
