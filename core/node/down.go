package node

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/clock"
)

// outages knows which accounts are out of order and whose orders were told.
type outages struct {
	since map[outage]time.Time // by wall time
	told  map[outage]bool
}

type outage struct{ tenant, account string }

func newOutages() *outages { return &outages{since: map[outage]time.Time{}, told: map[outage]bool{}} }

// look takes in how the accounts stand and returns those that have been out of order for so long without a break, and were not told of yet.
func (o *outages) look(list []carrierhost.AdapterStatus, now time.Time, after time.Duration) []outage {
	down := map[outage]bool{}
	var out []outage
	for _, adapter := range list {
		for _, a := range adapter.Accounts {
			if !a.Down {
				continue
			}
			k := outage{a.Tenant, a.ID}
			down[k] = true
			if _, known := o.since[k]; !known {
				o.since[k] = now
			}
			if !o.told[k] && now.Sub(o.since[k]) >= after {
				out = append(out, k)
			}
		}
	}
	for k := range o.since {
		if !down[k] {
			delete(o.since, k)
			delete(o.told, k)
		}
	}
	return out
}

// watchOutages tells dispatch of accounts that are out of order, once each time, until ctx ends. It goes by wall time, as the supervision of
// adapters does.
func (n *Node) watchOutages(ctx context.Context, every time.Duration) error {
	if n.Host == nil {
		return nil
	}
	known := newOutages()
	for clock.Sleep(ctx, clock.Real(), every) == nil {
		for _, k := range known.look(n.Host.Status(), clock.Real().Now(), n.Config.Current().Dispatch.DownAfter) {
			if err := n.Dispatch.ProviderDown(ctx, k.tenant, k.account); err != nil {
				n.Log.Error("fallback rules were not told that an account is out of order; it is tried again", "tenant", k.tenant, "account", k.account, "err", err)
				continue
			}
			known.told[k] = true
		}
	}
	return nil
}

// outageEvery is how often the accounts are looked at.
const outageEvery = 5 * time.Second
