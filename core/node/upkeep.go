package node

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/store"
)

// planRetention plans the jobs that remove what has grown old, for the tenants of now and for those that come. A store that cannot be
// written to just now does not keep the node from running: the next change of the configuration, or the next start, plans them.
func (n *Node) planRetention(ctx context.Context) {
	n.Config.OnChange(func(*config.Config) { n.plan(ctx) })
	n.plan(ctx)
}

func (n *Node) plan(ctx context.Context) {
	if err := n.Tracking.Plan(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
		n.Log.Error("polls of carriers are not planned; parcels are not asked for until the next start", "err", err)
	}
	if err := n.retention.Plan(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
		n.Log.Error("retention is not planned; old data stays until the next start", "err", err)
	}
}
