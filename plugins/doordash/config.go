package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Config is one access key of DoorDash's developer portal. Sandbox and production share one host: the key decides.
type Config struct {
	BaseURL           string         `json:"base_url,omitempty" title:"Base URL" doc:"DoorDash's API, or a simulator of it" default:"https://openapi.doordash.com"`
	DeveloperID       string         `json:"developer_id" title:"Developer ID" doc:"of the access key, from the developer portal"`
	KeyID             string         `json:"key_id" title:"Key ID" doc:"of the access key"`
	SigningSecret     carrier.Secret `json:"signing_secret" title:"Signing secret" doc:"of the access key, base64url as the portal shows it"`
	PushAuthorization carrier.Secret `json:"push_authorization,omitempty" title:"Webhook authorization" doc:"the whole Authorization header that the portal was told to send with webhooks, such as Basic dXNlcjpwYXNz; without it every webhook is refused"`

	FulfillmentMethod string   `json:"order_fulfillment_method,omitempty" title:"Fulfilment method" doc:"DoorDash's default where empty" enum:"standard,large_order,parcel,shop_stage,shop_deliver,shop_handoff"`
	Vehicles          []string `json:"dasher_allowed_vehicles,omitempty" title:"Vehicles" doc:"what Dashers may come with: car, bicycle, walking; car where empty"`
	BusinessID        string   `json:"pickup_external_business_id,omitempty" title:"Business" doc:"a business of the portal; with a store, it replaces the pickup address"`
	StoreID           string   `json:"pickup_external_store_id,omitempty" title:"Store" doc:"a store of the business"`
	Contactless       bool     `json:"contactless_dropoff,omitempty" title:"Contactless" doc:"leave orders that need no signature at the door"`
	Silent            bool     `json:"suppress_notifications,omitempty" title:"No messages" doc:"DoorDash sends the customer no text messages of its own"`
}

// Account is one access key.
type Account struct {
	env    carrier.Env
	cfg    Config
	tokens *carrier.TokenSource
	push   []byte // hash of the Authorization that webhooks carry; nil: none was agreed
}

var (
	_ carrier.Checker      = (*Account)(nil)
	_ carrier.Quoter       = (*Account)(nil)
	_ carrier.Booker       = (*Account)(nil)
	_ carrier.Canceler     = (*Account)(nil)
	_ carrier.Finder       = (*Account)(nil)
	_ carrier.Tracker      = (*Account)(nil)
	_ carrier.PushReceiver = (*Account)(nil)
	_ carrier.Editor       = (*Account)(nil)
)

func open(_ context.Context, cfg Config, env carrier.Env) (*Account, error) {
	var f shipping.Faults
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://" + defaultHost
	}
	if u, err := url.Parse(cfg.BaseURL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.User != nil {
		f.Add("base_url", "must be a URL such as https://%s", defaultHost)
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	f.Required("developer_id", cfg.DeveloperID, shipping.MaxText)
	f.Required("key_id", cfg.KeyID, shipping.MaxText)
	// DoorDash answers 401 to tokens that were signed with the text of the secret instead of the bytes that it encodes.
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(cfg.SigningSecret.Reveal()), "="))
	if err != nil || len(key) == 0 {
		f.Add("signing_secret", "must be base64url text as the developer portal shows it")
	}
	if (cfg.BusinessID == "") != (cfg.StoreID == "") {
		f.Add("pickup_external_store_id", "and pickup_external_business_id must be given together")
	}
	if m := cfg.FulfillmentMethod; m != "" && !slices.Contains([]string{"standard", "large_order", "parcel", "shop_stage", "shop_deliver", "shop_handoff"}, m) {
		f.Add("order_fulfillment_method", "is not one of DoorDash's")
	}
	if len(cfg.Vehicles) == 0 {
		cfg.Vehicles = []string{"car"}
	}
	for i, v := range cfg.Vehicles {
		if !slices.Contains([]string{"car", "bicycle", "walking"}, v) {
			f.Add(fmt.Sprintf("dasher_allowed_vehicles[%d]", i), "must be one of car, bicycle, walking")
		}
	}
	if err := carrier.ConfigError(f); err != nil {
		return nil, err
	}
	a := &Account{env: env, cfg: cfg, push: digest(strings.TrimSpace(cfg.PushAuthorization.Reveal()))}
	a.tokens = carrier.NewTokenSource(env, func(ctx context.Context) (carrier.Token, error) {
		return sign(cfg.DeveloperID, cfg.KeyID, key, env.Now(ctx))
	})
	return a, nil
}
