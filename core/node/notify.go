package node

import (
	"github.com/waybill-dev/waybill/core/httpapi/ship24"
	shippingapi "github.com/waybill-dev/waybill/core/httpapi/shipping"
	trackerapi "github.com/waybill-dev/waybill/core/httpapi/tracker"
	"github.com/waybill-dev/waybill/core/httpapi/tracktor"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
)

// openNotify makes what tells everybody, in the words of the surfaces.
func (n *Node) openNotify() (err error) {
	trackers := trackerapi.Settings{Manifest: n.manifest, Pages: n.pages}
	n.Notify, err = notify.New(notify.Settings{
		Store: n.Store, Config: n.Config.Current, Clock: n.Clock, Source: n.Source, Log: n.Log.Named("notify"), Registerer: n.registry,
		ShowShipment: func(sh *shipment.Shipment, back []*shipment.Shipment) any {
			return shippingapi.Show(sh, back, n.Config.Current().Server.PublicURL, n.pages)
		},
		ShowTracker: func(t *tracker.Tracker, back []*shipment.Shipment) any {
			if tenant := n.Config.Current().Tenants[t.Tenant]; tenant != nil {
				return trackers.Show(tenant, t, back, n.Config.Current().Server.PublicURL)
			}
			return t
		},
		Pages:  n.pages,
		Shapes: map[string]notify.Shape{notify.ShapeShip24: ship24.Webhook, notify.ShapeTracktor: tracktor.Shape},
	})
	return err
}
