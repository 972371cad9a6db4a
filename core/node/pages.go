package node

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/core/web/portal"
	"github.com/waybill-dev/waybill/core/web/returns"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// openPages makes the buyers' pages. Their links stay valid for as long as the store's secret does.
func (n *Node) openPages() error {
	secret, err := n.Store.Secret(context.Background(), "portal")
	if err != nil {
		return fmt.Errorf("secret of the links to the buyers' pages: %w", err)
	}
	n.returns = returns.New(returns.Settings{Config: n.Config.Current, Source: n.Source, Log: n.Log.Named("returns"), Secret: secret})
	n.pages = portal.New(portal.Settings{Reader: n.Store, Config: n.Config.Current, Clock: n.Clock, Log: n.Log.Named("portal"), Secret: secret,
		Returns: n.returns.Page, ReturnCode: n.returns.Code})
	return nil
}

// manifest is that of an account's adapter, as far as it has started.
func (n *Node) manifest(tenant, account string) (carrier.Manifest, bool) {
	if a, ok := n.carriers.Account(tenant, account); ok {
		return a.Manifest()
	}
	return carrier.Manifest{}, false
}
