package ship24_test

import (
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// TestTwins: the same payload from many callers at once is one tracker, and so is that of a caller who waits for the carrier.
func TestTwins(t *testing.T) {
	a := newAPI(t)
	asked, answerNow := make(chan struct{}, 100), make(chan struct{})
	a.UPS.Set(apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		asked <- struct{}{}
		<-answerNow
		return said(r.Parcels[0].Number, journey()[:2]...), nil
	}})
	body := `{"trackingNumber":"` + ours + `"}`
	waits := make(chan *answer)
	go func() { waits <- a.ask("POST", "/trackers/track", body) }()
	<-asked // the first caller waits for the carrier

	var all sync.WaitGroup
	got := make([]*answer, 16)
	for i := range got {
		all.Go(func() { got[i] = a.ask("POST", "/trackers", body) })
	}
	all.Wait()
	close(answerNow)
	first := (<-waits).want(200).is(map[string]any{"data.trackings.0.shipment.statusMilestone": "in_transit"})
	for _, one := range got {
		one.want(201).is(map[string]any{"data.tracker.trackerId": first.at("data.trackings.0.tracker.trackerId")})
	}
	a.ask("GET", "/trackers?page=1&limit=10", "").is(map[string]any{"data.trackers.1": nil})
}
