package node

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi/admin"
)

// adapters tells the configuration which adapters there are and what they want to be configured with. One that is there and cannot
// be asked, now or because the lock does not name it, is no fault of a configuration; its accounts say what is wrong.
func (n *Node) adapters(c *config.Config) map[string]config.Adapter {
	ctx, cancel := context.WithTimeout(context.Background(), c.Plugins.StartTimeout)
	defer cancel()
	found, err := n.Host.Describe(ctx, c.AdapterNames())
	if err != nil {
		n.Log.Warn("the adapters could not be listed; accounts are not checked against them", "err", err)
		return nil
	}
	out := map[string]config.Adapter{}
	for _, d := range found {
		if d.Err != nil {
			n.Log.Warn("an adapter could not be asked for its configuration; its accounts are not checked", "carrier", d.Name, "err", d.Err)
		}
		out[d.Name] = config.Adapter{Schema: d.Manifest.ConfigSchema}
	}
	return out
}

// refused says what is wrong with an account in the files as they are now, "" where nothing is.
func (n *Node) refused(tenant, account string) string {
	e, ok := errors.AsType[*config.Error](n.Config.Problem())
	if !ok {
		return ""
	}
	path := "tenants." + tenant + ".accounts." + account
	var words []string
	for _, p := range e.About(path) {
		words = append(words, strings.TrimPrefix(strings.TrimPrefix(p.Path, path)+": "+p.Message, "."))
	}
	if len(words) == 0 {
		return ""
	}
	return "its new configuration was not taken, it goes on with the last good one: " + strings.Join(words, "; ")
}

// pushURL is where the carrier of an account pushes to.
func (n *Node) pushURL(ctx context.Context, tenant, account string) (string, error) {
	return n.Tracking.PushURL(ctx, tenant, account)
}

// provider tells the admin surface about an account.
func (n *Node) provider(tenant, account string) admin.Provider {
	if n.Host == nil {
		if a, ok := n.Carriers.Account(tenant, account); ok {
			m, started := a.Manifest()
			return admin.Provider{Manifest: m, Known: started, State: "ready"}
		}
		return admin.Provider{State: "unknown"}
	}
	for _, s := range n.Host.Status() {
		for _, a := range s.Accounts {
			if a.Tenant != tenant || a.ID != account {
				continue
			}
			p := admin.Provider{State: string(s.State)}
			if s.Manifest != nil {
				p.Manifest, p.Known = *s.Manifest, true
			}
			if a.Problem != nil {
				p.Problem = a.Problem.Error()
			} else if s.LastDeath != nil && s.State != carrierhost.Ready {
				p.Problem = s.LastDeath.Detail
			}
			p.Problem = cmp.Or(p.Problem, n.refused(tenant, account))
			return p
		}
	}
	return admin.Provider{State: "unknown"}
}
