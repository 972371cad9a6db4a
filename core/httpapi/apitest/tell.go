package apitest

import (
	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shop"
	"github.com/waybill-dev/waybill/core/tracking"
)

// ShopSecret signs what the shop of the tenant shop sends.
const ShopSecret = "shop-webhook-secret"

// follow makes what follows parcels, and does so for shops.
func (h *Harness) follow(source clock.Source, log hclog.Logger) {
	cfg := func() *config.Config { return h.Config }
	h.Tracking = tracking.New(tracking.Settings{Store: h.Store, Carriers: h.followed(), Config: cfg, Clock: h.Clock, Source: source, Log: log,
		Teller: shop.Teller{Next: h.Notify, Clock: h.Clock}, Moved: h.Service.Wake})
	h.Shop = shop.New(shop.Settings{Store: h.Store, Tracking: h.Tracking, Messages: h.Notify, Config: cfg, Clock: h.Clock, Log: log})
	handlers := h.Tracking.Handlers()
	for kind, handler := range h.Shop.Handlers() {
		handlers[kind] = handler
	}
	handlers[dispatch.JobErase] = h.Service.RunErase
	runner, err := jobs.New(jobs.Config{Store: h.Store, Clock: h.Clock, Source: source, Handlers: handlers, Log: log})
	if err != nil {
		h.t.Fatal(err)
	}
	h.runner = runner
}

// Catch does all that is due now: carriers are asked, and who wants to be told is.
func (h *Harness) Catch() {
	h.t.Helper()
	if err := h.Tracking.Plan(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.runner.RunDue(h.t.Context(), h.Clock.Now()); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.Notify.RunDue(h.t.Context(), h.Clock.Now()); err != nil {
		h.t.Fatal(err)
	}
}
