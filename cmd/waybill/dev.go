package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/node"
	"github.com/waybill-dev/waybill/examples"
)

const (
	devKey = "dev-key" // of the tenant demo in the example configuration
	// maxDevSpeed keeps what the engine measures by the world's time, such as how long a quote is good, well above what its calls
	// take by the wall clock.
	maxDevSpeed = 60
	simURLName  = "WAYBILL_SIM_URL" // what the example configuration takes the simulator's address from
)

// devFlags are the flags of `dev`.
type devFlags struct {
	overrides
	config, simListen string
	speed             float64
	carriers          carrierFlags
	log               logFlags
}

func newDevCmd(p *program) *cobra.Command {
	f := &devFlags{}
	cmd := &cobra.Command{
		Use: "dev", Short: "Run the engine and the simulated carriers together", Args: cobra.NoArgs,
		Long: "Run the engine and the simulator in one process, with an example merchant and its rules. No carrier account is needed and\n" +
			"nothing leaves this machine. Orders are kept in the data folder; the simulated carriers forget when the process ends.\n\n" +
			"Without --config the example files stand in the folder config of the data folder: edit them, they are read again. A file\n" +
			"that you have edited is never overwritten; delete it to have the example back. Example rules are put only where there is no\n" +
			"rule file, or theirs is as it was: never beside rules of your own.",
		Example: "  waybill dev\n  waybill dev --data ./data --speed 60\n  waybill dev --webhook doordash=http://127.0.0.1:9000/hook --profile doordash=doordash-rush",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.dev(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8080", "where to serve the API; port 0 for any")
	cmd.Flags().StringVar(&f.simListen, "sim-listen", "127.0.0.1:8081", "where the simulator listens; port 0 for any")
	cmd.Flags().StringVar(&f.data, "data", "", "folder of all data (default waybill-data in the user's cache folder)")
	cmd.Flags().StringVar(&f.config, "config", "", "configuration file (default the example, in the data folder)")
	cmd.Flags().StringVar(&f.plugins, "plugins", "", "folder of the adapters (default plugins beside this program)")
	cmd.Flags().Float64Var(&f.speed, "speed", 1, fmt.Sprintf("seconds of engine and carriers in one second, at most %d", maxDevSpeed))
	f.carriers.add(cmd)
	f.log.add(cmd, "warn")
	return cmd
}

func (p *program) dev(ctx context.Context, f *devFlags) error {
	log, err := f.log.open(p, "warn")
	if err != nil {
		return err
	}
	if f.speed > maxDevSpeed {
		return usageError(fmt.Errorf("--speed %v is too fast for an engine that makes real calls; use at most %d, or 'waybill sim serve --speed' for the carriers alone", f.speed, maxDevSpeed))
	}
	carriers, err := f.carriers.read(p.getenv)
	if err != nil {
		return err
	}
	if f.data == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return usageError(fmt.Errorf("find a folder for the data: %w; name one with --data", err))
		}
		f.data = filepath.Join(cache, "waybill-data")
	}
	if err := f.absolute(); err != nil {
		return err
	}
	if f.config == "" {
		if f.config, err = layOut(examples.Files, filepath.Join(f.data, "config")); err != nil {
			return err
		}
	}
	r, err := p.openRig(rigConfig{overrides: f.overrides, config: f.config, simListen: f.simListen, speed: f.speed, seed: uint64(time.Now().UnixNano()), log: log,
		carriers: carriers})
	if err != nil {
		return err
	}
	if terminal(p.err) {
		fmt.Fprintln(p.err, "Starting the adapters …")
	}
	return r.run(ctx, func() { p.devBanner(r, f) })
}

// devBanner tells a person what runs where and what to try.
func (p *program) devBanner(r *rig, f *devFlags) {
	fmt.Fprintf(p.out, `API        %s   (%s/openapi.yaml)
Simulator  %s/_sim/
Rules      %s/console/rules
Key        %s
Config     %s
Data       %s

Try:
  curl -s %s/shipments -H 'x-api-key: %s' -d '{
    "locationExternalId": "7709", "orderExternalId": "my-first", "orderValue": 60,
    "deliveryContact": {"name": "Ann", "phone": "+1 617-555-0123"},
    "deliveryAddress": {"street1": "725 Albany Street", "city": "Boston", "state": "MA", "postalCode": "02118", "countryCode": "US"},
    "package": {"name": "small"}}'
  waybill shipments history my-first --url %s

Ctrl-C ends it.
`, r.api, r.api, r.sim, r.api, devKey, f.config, f.data, r.api, devKey, r.api)
}

// rigConfig says how an engine and a simulated world are put together.
type rigConfig struct {
	overrides
	config, simListen string
	speed             float64
	seed              uint64
	log               hclog.Logger
	carriers          carrierSettings
	worldTime         bool             // the engine lives by the world's time even where that is the real one at first
	tracking          *config.Tracking // instead of the configuration's; nil for that
}

// rig is an engine and the simulated carriers that it books with, in one process.
type rig struct {
	api, sim    string // base URLs
	world       *world
	settings    node.Settings
	apiLn, ship net.Listener
}

// openRig opens the addresses and reads the configuration, whose accounts are sent to the simulator.
func (p *program) openRig(c rigConfig) (_ *rig, err error) {
	r := &rig{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.ship, err = listen("simulator", c.simListen); err != nil {
		return r, err
	}
	if r.apiLn, err = listen("API", c.listen); err != nil {
		return r, err
	}
	r.api, r.sim = urlOf(r.apiLn), urlOf(r.ship)
	o := c.overrides
	o.listen, o.data = addressOf(r.apiLn, c.listen), filepath.Join(c.data, "store")
	getenv := func(name string) (string, bool) {
		if name == simURLName {
			return r.sim, true
		}
		return p.getenv(name)
	}
	secret, err := pushSecret(c.data) // of whoever the simulated carriers push to; trackers of an earlier start wait for them too
	if err != nil {
		return r, err
	}
	watcher, err := config.Watch(c.config, getenv, func(cfg *config.Config) {
		o.apply(cfg)
		plain := false // one person's processes on one machine need no certificates
		cfg.Plugins.AutoMTLS = &plain
		cfg.Server.Metrics = config.MetricsOpen // the key is everybody's too
		for _, a := range cfg.AllAccounts() {
			if a.PushSecret == "" {
				a.PushSecret = config.Secret(secret + "-" + a.Tenant + "-" + a.ID)
			}
		}
		if c.tracking != nil {
			cfg.Tracking = *c.tracking
		}
	}, c.log.Named("config"))
	if err != nil {
		return r, usageError(err)
	}
	if err := adaptersThere(watcher.Current()); err != nil {
		return r, err
	}
	c.carriers.tell(r.api, watcher.Current())
	if r.world, err = newWorld(worldConfig{speed: c.speed, seed: c.seed, log: c.log, carriers: c.carriers}); err != nil {
		return r, err
	}
	r.settings = node.Settings{Config: watcher, Log: c.log, Version: version, Examples: examples.Rules()}
	if c.speed != 1 || c.worldTime {
		r.settings.Clock = engineClock{r.world.clock}
	}
	return r, nil
}

// pushSecret is what push URLs of a data folder are made of: made up at the first start, and the same ever after.
func pushSecret(data string) (string, error) {
	path := filepath.Join(data, "push-secret")
	kept, err := os.ReadFile(path)
	if secret := strings.TrimSpace(string(kept)); err == nil && secret != "" {
		return secret, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the secret of push URLs: %w; make it readable, or choose another folder with --data", err)
	}
	secret := rand.Text()
	if err = os.MkdirAll(data, 0o700); err == nil {
		err = os.WriteFile(path, []byte(secret+"\n"), 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("keep the secret of push URLs: %w; choose another folder with --data", err)
	}
	return secret, nil
}

// adaptersThere finds the adapters that accounts need and that are not installed: waiting for them would tell less.
func adaptersThere(c *config.Config) error {
	dir, err := adapterDir(c.Plugins.Dir)
	if err != nil {
		return err
	}
	var missing []string
	for _, a := range c.AllAccounts() {
		name := carrierhost.Prefix + a.Adapter
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return usageError(fmt.Errorf("%s must be in %s and cannot be found there; run 'make build', or name the folder with --plugins", strings.Join(missing, ", "), dir))
	}
	return nil
}

// close gives the addresses up.
func (r *rig) close() error {
	var errs []error
	for _, ln := range []net.Listener{r.apiLn, r.ship} {
		if ln != nil {
			errs = append(errs, ln.Close())
		}
	}
	return errors.Join(errs...)
}

// run runs both until ctx ends. The carriers outlive the engine, which may still have to speak with them.
func (r *rig) run(ctx context.Context, ready func()) error {
	simCtx, stopSim := context.WithCancel(context.WithoutCancel(ctx))
	nodeCtx, stopNode := context.WithCancel(ctx)
	defer stopNode()
	simDone := make(chan error, 1)
	go func() {
		err := r.world.run(simCtx, r.ship)
		stopNode() // an engine without carriers is of no use here
		simDone <- err
	}()
	err := runNode(nodeCtx, r.settings, r.apiLn, ready)
	stopSim()
	return errors.Join(err, <-simDone)
}

// laidOut is the file that remembers what layOut has written: SHA-256 by name.
const laidOut = ".examples.json"

// layOut writes the example files into a folder and returns the path of the configuration. Files that somebody has changed stay, and folders
// with rules of somebody's own get none beside them.
func layOut(files fs.FS, dir string) (string, error) {
	written := map[string]string{}
	record := filepath.Join(dir, laidOut)
	if b, err := os.ReadFile(record); err == nil {
		_ = json.Unmarshal(b, &written) // what cannot be read counts as changed, and stays
	}
	shop := exampleRules{files: files, dir: dir, written: written, known: map[string]bool{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() || !shop.takes(name) {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		switch there, err := os.ReadFile(path); {
		case err == nil && hashOf(there) != written[name]:
			return nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
		written[name] = hashOf(data)
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil {
		return "", fmt.Errorf("lay out the example files: %w; choose another folder with --data", err)
	}
	b, err := json.Marshal(written, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(record, b, 0o600); err != nil {
		return "", fmt.Errorf("lay out the example files: %w", err)
	}
	return filepath.Join(dir, "waybill.yaml"), nil
}

// rulesFolder is that of the example rules; the folders below it are examples by themselves.
const rulesFolder = "rules"

// exampleRules tells which folders of rules are still those of the examples, as they are before anything is written.
type exampleRules struct {
	files   fs.FS
	dir     string
	written map[string]string // as it was laid out, by name
	known   map[string]bool   // by folder; what is known already
}

// takes reports whether an example file may be written: rules that are somebody's own would be merged with those of the examples.
func (e *exampleRules) takes(name string) bool {
	folder := path.Dir(name)
	if folder != rulesFolder && !strings.HasPrefix(folder, rulesFolder+"/") {
		return true
	}
	for folder != rulesFolder && len(e.rules(folder)) == 0 { // lists and the like are of the rules above them
		folder = path.Dir(folder)
	}
	return e.ours(rulesFolder) && e.ours(folder) || e.untouched(folder)
}

// ours reports whether a folder has no rule file, or one of the examples that nobody has changed.
func (e *exampleRules) ours(folder string) bool {
	is, ok := e.known[folder]
	if !ok {
		there, err := fs.Glob(os.DirFS(e.dir), folder+"/*.rules.yaml") // the path before it may hold what means something in patterns
		is = err == nil && len(there) == 0 || e.untouched(folder)
		e.known[folder] = is
	}
	return is
}

// untouched reports whether a rule file of the examples stands in a folder as it was laid out.
func (e *exampleRules) untouched(folder string) bool {
	return slices.ContainsFunc(e.rules(folder), func(name string) bool {
		there, err := os.ReadFile(filepath.Join(e.dir, filepath.FromSlash(name)))
		return err == nil && hashOf(there) == e.written[name]
	})
}

// rules are the rule files that the examples have in a folder.
func (e *exampleRules) rules(folder string) []string {
	names, _ := fs.Glob(e.files, folder+"/*.rules.yaml") // which fails for patterns alone
	return names
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
