package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/waybill-dev/waybill/core/opening"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const day = 24 * time.Hour

func fill[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// defaults fills what the file is silent about. Relative folders are meant from dir.
func (c *Config) defaults(dir string) {
	yes := true
	fill(&c.Server.Listen, "127.0.0.1:8080")
	scheme := "http://"
	if c.Server.TLS != nil {
		scheme = "https://"
	}
	fill(&c.Server.PublicURL, scheme+c.Server.Listen)
	c.Server.PublicURL = strings.TrimRight(c.Server.PublicURL, "/")
	fill(&c.Server.MaxBody, 1<<20)
	fill(&c.Server.ReadTimeout, 10*time.Second)
	fill(&c.Server.WriteTimeout, 60*time.Second)
	fill(&c.Server.IdleTimeout, 120*time.Second)
	fill(&c.Server.LogLevel, "info")
	fill(&c.Server.Metrics, MetricsOperator)
	if t := c.Server.TLS; t != nil && t.Cert != "" && t.Key != "" {
		t.Cert, t.Key = resolve(dir, t.Cert), resolve(dir, t.Key)
	}
	fill(&c.Store.Kind, "badger")
	fill(&c.Store.Dir, "data")
	c.Store.Dir = resolve(dir, c.Store.Dir)
	fill(&c.Plugins.AutoMTLS, &yes)
	fill(&c.Plugins.StartTimeout, 10*time.Second)
	fill(&c.Plugins.Quarantine.Deaths, 5)
	fill(&c.Plugins.Quarantine.Within, time.Minute)
	fill(&c.Plugins.Quarantine.Probe, time.Minute)
	fill(&c.Plugins.Memory, 512<<20)
	if c.Plugins.Dir != "" {
		c.Plugins.Dir = resolve(dir, c.Plugins.Dir)
	}
	if c.Plugins.Lock != "" {
		c.Plugins.Lock = resolve(dir, c.Plugins.Lock)
	} else if beside := filepath.Join(dir, lockFile); exists(beside) {
		c.Plugins.Lock = beside
	}
	fill(&c.Dispatch.AnswerWithin, min(20*time.Second, c.Server.CallWithin()))
	fill(&c.Dispatch.QuoteTimeout, 8*time.Second)
	fill(&c.Dispatch.BookTimeout, 30*time.Second)
	fill(&c.Dispatch.WatchFor, 7*day)
	fill(&c.Dispatch.WatchEvery, 10*time.Minute)
	fill(&c.Dispatch.DownAfter, time.Minute)
	fill(&c.Retention.Exchanges, 30*day)
	fill(&c.Retention.Labels, 180*day)
	c.Tracking.defaults()
	fill(&c.Retention.Messages, 30*day)
	if n := c.Geocoding.Nominatim; n != nil {
		fill(&n.Timeout, 3*time.Second)
		fill(&n.RatePerSecond, 1)
		fill(&n.UserAgent, "waybill")
	}
	for id, t := range c.Tenants {
		t.ID = id
		fill(&t.Brand, id)
		fill(&t.Currency, "USD")
		t.Portal.defaults(t)
		t.Returns.defaults()
		if t.Rules != "" {
			t.Rules = resolve(dir, t.Rules)
		}
		if t.Trial != nil && t.Trial.Rules != "" {
			t.Trial.Rules = resolve(dir, t.Trial.Rules)
		}
		for i := range t.Keys {
			fill(&t.Keys[i].Rate.PerSecond, 50)
			fill(&t.Keys[i].Rate.Burst, int(2*t.Keys[i].Rate.PerSecond))
		}
		for aid, a := range t.Accounts {
			a.ID, a.Tenant = aid, id
			fill(&a.Concurrency, 64)
		}
		for lid, l := range t.Locations {
			l.ID = lid
		}
		t.Notify.defaults()
	}
}

// lockFile is where `waybill plugin lock` writes, beside the configuration.
const lockFile = "waybill.lock"

// exists reports whether something is there, readable or not: a lock that cannot be read must not pass for none.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func resolve(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

var (
	accountID = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	tenantID  = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
)

// reporter reports a mistake at the place of a member.
func (d *decoder) reporter() reporter {
	return func(path, hint, format string, args ...any) {
		n := d.nodes[path]
		for p := path; n == nil && p != ""; n = d.nodes[p] { // a member that is not there: show what it should stand in
			p = p[:max(strings.LastIndexAny(p, ".["), 0)]
			if p == "" {
				break
			}
		}
		d.at(n, path, hint, format, args...)
	}
}

// check finds what is wrong between the members of a decoded configuration.
func check(c *Config, at reporter) {
	checkServer(c, at)
	checkTimeouts(c, at)
	checkTracking(c.Tracking, "tracking", at)
	checkPushSecrets(c, at)
	if len(c.Tenants) == 0 {
		at("tenants", "examples/waybill.yaml shows one", "at least one tenant is needed")
	}
	for _, id := range slices.Sorted(maps.Keys(c.Tenants)) {
		checkTenant(c.Tenants[id], "tenants."+id, at)
	}
	checkKeys(c, at)
	checkTracktorNames(c, at)
}

type reporter func(path, hint, format string, args ...any)

func checkServer(c *Config, at reporter) {
	_, port, err := net.SplitHostPort(c.Server.Listen)
	if err == nil && port != "" {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || port == "" {
		at("server.listen", "write it as host:port, such as 127.0.0.1:8080", "%q is not an address to listen on", c.Server.Listen)
	}
	if u, err := url.Parse(c.Server.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		at("server.public_url", "write it as https://host", "%q is not a URL", c.Server.PublicURL)
	} else if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		at("server.public_url", "write it as https://host", "must hold no user, password, query or fragment: answers and messages show it to everybody")
	}
	checkTLS(c, at)
	if who := []string{MetricsOperator, MetricsOpen}; !slices.Contains(who, c.Server.Metrics) {
		at("server.metrics", "operator wants a key of server.admin_keys, open wants none", "must be operator or open, not %q", c.Server.Metrics)
	}
	if !slices.Contains([]string{"trace", "debug", "info", "warn", "error"}, c.Server.LogLevel) {
		at("server.log_level", "use trace, debug, info, warn or error", "unknown level %q", c.Server.LogLevel)
	}
	if c.Server.MaxBody < 1024 || c.Server.MaxBody > 64<<20 {
		at("server.max_body", "the default is 1048576", "must be between 1024 and 67108864 bytes")
	}
	if c.Store.Kind != "badger" {
		at("store.kind", didYouMean(c.Store.Kind, []string{"badger"}), "unknown store %q", c.Store.Kind)
	}
	if k := c.Store.EncryptionKey.Reveal(); k != "" {
		if b, err := hex.DecodeString(k); err != nil || len(b) != 16 && len(b) != 24 && len(b) != 32 {
			at("store.encryption_key", "64 hex digits, for example from: openssl rand -hex 32", "is not a key")
		}
	}
	if q := c.Plugins.Quarantine; q.Deaths < 1 {
		at("plugins.quarantine.deaths", "", "must be 1 or more")
	}
	if c.Plugins.Memory < 1 {
		at("plugins.memory", "the default is 536870912", "must be more than 0 bytes")
	}
	if n := c.Geocoding.Nominatim; n != nil {
		var f shipping.Faults
		n.Geocoder().Validate(&f)
		report(f, "geocoding.nominatim", at)
	}
}

func checkTenant(t *Tenant, path string, at reporter) {
	if !tenantID.MatchString(t.ID) {
		at(path, "use lower-case letters, digits, - and _", "%q cannot be a tenant's id", t.ID)
	}
	if _, ok := shipping.CurrencyDigits(t.Currency); !ok {
		at(path+".currency", "use an ISO 4217 code such as USD", "unknown currency %q", t.Currency)
	}
	checkRules(t.Rules, path+".rules", at)
	checkTrial(t.Trial, path+".trial", at)
	checkNotify(&t.Notify, path+".notify", at)
	checkPortal(&t.Portal, path+".portal", at)
	checkTracktor(t, path+".tracktor", at)
	checkShip24(&t.Ship24, path+".ship24", at)
	for _, id := range slices.Sorted(maps.Keys(t.Accounts)) {
		checkAccount(t.Accounts[id], path+".accounts."+id, at)
	}
	for _, id := range slices.Sorted(maps.Keys(t.Locations)) {
		checkLocation(t, t.Locations[id], path+".locations."+id, at)
	}
	checkReturns(t, path+".returns", at)
	for _, name := range slices.Sorted(maps.Keys(t.Packages)) {
		p, where := t.Packages[name], path+".packages."+name
		var f shipping.Faults
		if p.Size != (shipping.Size{}) {
			p.Size.Validate(&f, "size")
		}
		if p.Weight != (shipping.Weight{}) {
			p.Weight.Validate(&f, "weight")
		}
		report(f, where, at)
	}
}

// checkRules looks whether there are rules where the configuration says so. What they say is for those who load them.
func checkRules(dir, path string, at reporter) {
	if dir == "" {
		return
	}
	if info, err := os.Stat(dir); err != nil {
		at(path, "a relative folder is meant from the configuration file; without rules the cheapest offer wins", "there is no folder %s", dir)
		return
	} else if !info.IsDir() {
		at(path, "name the folder that holds it", "%s is not a folder", dir)
		return
	}
	if files, err := fs.Glob(os.DirFS(dir), "*.rules.yaml"); err != nil || len(files) == 0 {
		at(path, "name it something.rules.yaml; without rules the cheapest offer wins", "the folder %s has no rule file", dir)
	}
}

func checkTrial(t *Trial, path string, at reporter) {
	if t == nil {
		return
	}
	if t.Rules == "" {
		at(path+".rules", "the folder of the rules that are to be tried", "is required")
	}
	checkRules(t.Rules, path+".rules", at)
	if n, err := strconv.Atoi(strings.TrimSuffix(t.Canary, "%")); t.Canary != "" && (err != nil || n < 0 || n > 100 || !strings.HasSuffix(t.Canary, "%")) {
		at(path+".canary", "write 5%, or leave it out to have the rules look on", "%q is no share of the orders", t.Canary)
	}
}

func checkAccount(a *Account, path string, at reporter) {
	if !accountID.MatchString(a.ID) {
		at(path, "use lower-case letters, digits and _; the id is what rules call the provider", "%q cannot be an account's id", a.ID)
	}
	if !accountID.MatchString(a.Adapter) {
		at(path+".adapter", "name the adapter, such as ups: its binary is waybill-carrier-ups", "%q cannot be an adapter", a.Adapter)
	}
	formats := []string{"", "GIF", "PNG", "ZPL", "EPL", "PDF"}
	if !slices.Contains(formats, string(a.LabelFormat)) {
		at(path+".label_format", didYouMean(string(a.LabelFormat), formats[1:]), "unknown label format %q", a.LabelFormat)
	}
	if !slices.Contains([]string{"", "watch", "attention"}, a.Doubt) {
		at(path+".doubt", "use watch or attention", "unknown policy %q", a.Doubt)
	}
	checkTracking(a.Tracking, path+".tracking", at)
	if a.Concurrency < 1 || a.Concurrency > 10_000 {
		at(path+".concurrency", "the default is 64", "must be between 1 and 10000")
	}
}

func checkLocation(t *Tenant, l *Location, path string, at reporter) {
	var f shipping.Faults
	l.Address.Validate(&f, "address")
	l.Contact.Validate(&f, "contact")
	f.Line("name", l.Name, shipping.MaxText)
	f.Text("instructions", l.Instructions, shipping.MaxNote)
	report(f, path, at)
	if l.Zone != "" {
		if _, err := time.LoadLocation(l.Zone); err != nil {
			at(path+".zone", "use an IANA name such as America/New_York", "unknown time zone %q", l.Zone)
		}
	}
	if l.Currency != "" {
		if _, ok := shipping.CurrencyDigits(l.Currency); !ok {
			at(path+".currency", "use an ISO 4217 code such as USD", "unknown currency %q", l.Currency)
		}
	}
	accounts := slices.Collect(maps.Keys(t.Accounts))
	for i, a := range l.Accounts {
		where := fmt.Sprintf("%s.accounts[%d]", path, i)
		if t.Accounts[a] == nil {
			at(where, didYouMean(a, accounts), "the tenant has no account %q", a)
		}
		if slices.Contains(l.Accounts[:i], a) {
			at(where, "", "the account %q is named twice", a)
		}
	}
	checkFacts(t, l, path, at)
	if l.ReturnLocation != "" && t.Locations[l.ReturnLocation] == nil {
		at(path+".return_location", didYouMean(l.ReturnLocation, slices.Collect(maps.Keys(t.Locations))), "there is no location %q", l.ReturnLocation)
	}
}

// checkFacts checks what rules may ask of a location, and makes its plan of openings.
func checkFacts(t *Tenant, l *Location, path string, at reporter) {
	plan, faults := opening.New(l.Hours, l.Holidays)
	l.Opening = plan
	for _, f := range faults {
		at(path+"."+f.Path, f.Hint, "%s", f.Message)
	}
	if l.Cutoff != "" {
		var err error
		if l.CutoffMinute, err = opening.Minute(l.Cutoff); err != nil {
			at(path+".cutoff", "write 17:30", "%s", err)
		}
	}
	accounts := slices.Collect(maps.Keys(t.Accounts))
	for _, a := range slices.Sorted(maps.Keys(l.Caps)) {
		if t.Accounts[a] == nil {
			at(path+".caps."+a, didYouMean(a, accounts), "the tenant has no account %q", a)
		}
		if l.Caps[a] < 0 {
			at(path+".caps."+a, "0 books nothing with the account", "must be 0 or more")
		}
	}
	if !l.SubsidyBudget.IsZero() {
		if m, err := shipping.BindMoney(l.SubsidyBudget, l.MoneyIn(t)); err != nil || m.Minor < 0 {
			at(path+".subsidy_budget", "write 250.00", "%s is no amount of %s", l.SubsidyBudget, l.MoneyIn(t))
		}
	}
}

func report(f shipping.Faults, path string, at reporter) {
	for _, x := range f {
		at(path+"."+x.Path, "", "%s", x.Message)
	}
}

// checkKeys checks what must hold over all tenants: a key names one tenant, or an operator.
func checkKeys(c *Config, at reporter) {
	k := keyCheck{at: at, owners: map[string]string{}}
	names := map[string]bool{}
	for i, a := range c.Server.AdminKeys {
		k.check(fmt.Sprintf("server.admin_keys[%d]", i), a.Name, a.SHA256, names, "the name stands in the log")
	}
	for _, id := range slices.Sorted(maps.Keys(c.Tenants)) {
		names := map[string]bool{}
		for i, key := range c.Tenants[id].Keys {
			path := fmt.Sprintf("tenants.%s.keys[%d]", id, i)
			k.check(path, key.Name, key.SHA256, names, "the name stands in status histories")
			if key.Rate.PerSecond < 0 || key.Rate.Burst < 1 {
				at(path+".rate", "", "per_second and burst must be more than 0")
			}
		}
	}
}

type keyCheck struct {
	at     reporter
	owners map[string]string // hash -> path
}

func (k *keyCheck) check(path, name, sum string, names map[string]bool, why string) {
	if strings.TrimSpace(name) == "" {
		k.at(path+".name", why, "is required")
	}
	if names[name] {
		k.at(path+".name", "", "another key has the name %q", name)
	}
	names[name] = true
	hash := strings.ToLower(sum)
	if b, err := hex.DecodeString(hash); err != nil || len(b) != sha256.Size {
		k.at(path+".sha256", "waybill keys new prints a key and its hash", "must be 64 hex digits, not the key itself")
		return
	}
	if other, taken := k.owners[hash]; taken {
		k.at(path+".sha256", "", "is the hash of a key that stands at %s already", other)
	}
	k.owners[hash] = path
}

type keyOwner struct {
	tenant *Tenant
	key    *Key
}

func (c *Config) index() {
	c.keys, c.admin = map[[sha256.Size]byte]keyOwner{}, map[[sha256.Size]byte]*AdminKey{}
	for i := range c.Server.AdminKeys {
		if b, err := hex.DecodeString(c.Server.AdminKeys[i].SHA256); err == nil && len(b) == sha256.Size {
			c.admin[[sha256.Size]byte(b)] = &c.Server.AdminKeys[i]
		}
	}
	for _, t := range c.Tenants {
		for i := range t.Keys {
			b, err := hex.DecodeString(t.Keys[i].SHA256)
			if err == nil && len(b) == sha256.Size {
				c.keys[[sha256.Size]byte(b)] = keyOwner{tenant: t, key: &t.Keys[i]}
			}
		}
	}
}

// AdminKeyByHash returns the operator's key with this SHA-256, nil where there is none.
func (c *Config) AdminKeyByHash(hash [sha256.Size]byte) *AdminKey { return c.admin[hash] }

// KeyByHash returns the key with this SHA-256 and its tenant, nil where there is none. The hash of a key with enough
// randomness tells nothing about it, so looking it up in a map leaks nothing that helps to guess one.
func (c *Config) KeyByHash(hash [sha256.Size]byte) (*Tenant, *Key) {
	o := c.keys[hash]
	return o.tenant, o.key
}

// AllAccounts returns the accounts of every tenant, sorted by tenant and id.
func (c *Config) AllAccounts() []*Account {
	var out []*Account
	for _, t := range slices.Sorted(maps.Keys(c.Tenants)) {
		for _, a := range slices.Sorted(maps.Keys(c.Tenants[t].Accounts)) {
			out = append(out, c.Tenants[t].Accounts[a])
		}
	}
	return out
}
