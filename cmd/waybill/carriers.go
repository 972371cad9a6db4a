package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi/push"
	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/doordash"
	"github.com/waybill-dev/waybill/simulator/ups"
)

// carrierFlags say how simulated carriers behave: CARRIER=VALUE each, for the environment by carrier as well.
type carrierFlags struct {
	webhooks, authorizations, profiles []string
}

// simulatedCarriers are the dialects with the profiles of each.
func simulatedCarriers() map[string][]string {
	of := map[string][]string{ups.Name: ups.Paces()}
	for _, name := range simulator.ProfileNames() {
		if p, err := simulator.LoadProfile(name); err == nil {
			of[p.Dialect] = append(of[p.Dialect], name)
		}
	}
	return of
}

var pushingCarriers = []string{doordash.Name, ups.Name}

func (f *carrierFlags) add(cmd *cobra.Command) {
	var profiles []string
	for carrier, names := range simulatedCarriers() {
		for _, name := range names {
			profiles = append(profiles, carrier+"="+name)
		}
	}
	slices.Sort(profiles)
	cmd.Flags().StringArrayVar(&f.webhooks, "webhook", nil, "CARRIER=URL that a carrier tells what happens, such as doordash=http://127.0.0.1:9000/hook\n(or WAYBILL_SIM_DOORDASH_WEBHOOK)")
	cmd.Flags().StringArrayVar(&f.authorizations, "webhook-authorization", nil, "CARRIER=VALUE of what its webhooks carry: DoorDash's Authorization header, such as \"doordash=Basic dXNlcjpwYXNz\", UPS's credential\n(or WAYBILL_SIM_DOORDASH_WEBHOOK_AUTHORIZATION)")
	cmd.Flags().StringArrayVar(&f.profiles, "profile", nil, "CARRIER=PROFILE: how deliveries move (or WAYBILL_SIM_UPS_PROFILE, …); there are\n"+strings.Join(profiles, "\n"))
}

// carrierSettings are the simulated carriers as somebody wants them. The zero value is how they are by themselves.
type carrierSettings struct {
	webhook doordash.Webhook
	alert   ups.Webhook
	moves   *simulator.Profile // of DoorDash
	pace    string             // of UPS
}

// read checks flags and environment; a flag wins. The error names all faults.
func (f *carrierFlags) read(getenv func(string) (string, bool)) (carrierSettings, error) {
	profiles := simulatedCarriers()
	carriers := slices.Sorted(maps.Keys(profiles))
	var faults []error
	take := func(flag, variable string, given, allowed []string) map[string]string {
		out := map[string]string{}
		for _, carrier := range allowed {
			if v, ok := getenv("WAYBILL_SIM_" + strings.ToUpper(carrier) + "_" + variable); ok && v != "" {
				out[carrier] = v
			}
		}
		for _, g := range given {
			carrier, value, _ := strings.Cut(g, "=")
			switch {
			case !slices.Contains(carriers, carrier):
				faults = append(faults, fmt.Errorf("--%s: no simulated carrier is named %q%s; there are %s", flag, carrier, simulator.DidYouMean(carrier, carriers), strings.Join(carriers, ", ")))
			case value == "":
				faults = append(faults, fmt.Errorf("--%s %s: write %s=VALUE", flag, carrier, carrier))
			default:
				out[carrier] = value
			}
		}
		return out
	}
	var s carrierSettings
	urls := take("webhook", "WEBHOOK", f.webhooks, pushingCarriers)
	authorizations := take("webhook-authorization", "WEBHOOK_AUTHORIZATION", f.authorizations, pushingCarriers)
	s.webhook.URL, s.webhook.Authorization = urls[doordash.Name], authorizations[doordash.Name]
	s.alert.URL, s.alert.Credential = urls[ups.Name], authorizations[ups.Name]
	chosen := take("profile", "PROFILE", f.profiles, carriers)
	for _, carrier := range pushingCarriers {
		given := urls[carrier]
		if u, err := url.Parse(given); given != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			faults = append(faults, fmt.Errorf("--webhook %s: the URL must be a whole one, such as http://127.0.0.1:9000/hook", carrier))
		}
		if authorizations[carrier] != "" && given == "" {
			faults = append(faults, fmt.Errorf("--webhook-authorization %s: nobody is told; add --webhook %s=URL", carrier, carrier))
		}
	}
	for _, carrier := range slices.Sorted(maps.Keys(chosen)) {
		if name := chosen[carrier]; !slices.Contains(profiles[carrier], name) {
			faults = append(faults, fmt.Errorf("--profile: simulated %s has no profile %q%s; there are %s", carrier, name, simulator.DidYouMean(name, profiles[carrier]), strings.Join(profiles[carrier], ", ")))
		}
	}
	if len(faults) > 0 {
		return s, usageError(errors.Join(faults...))
	}
	s.pace = chosen[ups.Name]
	if name := chosen[doordash.Name]; name != "" {
		p, err := simulator.LoadProfile(name)
		if err != nil {
			return s, err
		}
		s.moves = &p
	}
	return s, nil
}

// tell has the simulated carriers push to an engine, where nobody else is to be told: to those of its accounts whose push secret
// stands in the configuration, with what the account expects of pushes.
func (s *carrierSettings) tell(api string, c *config.Config) {
	for _, a := range c.AllAccounts() {
		secret := a.PushSecret.Reveal()
		if secret == "" {
			continue
		}
		var expects struct {
			Authorization string `json:"push_authorization"`
			Credential    string `json:"push_credential"`
		}
		if json.Unmarshal([]byte(a.Config.Reveal()), &expects) != nil {
			continue // the adapter will say what is wrong with it
		}
		at := push.URL(api, a.ID, secret)
		switch {
		case a.Adapter == doordash.Name && s.webhook.URL == "":
			s.webhook = doordash.Webhook{URL: at, Authorization: expects.Authorization, LocationEvents: true}
		case a.Adapter == ups.Name && s.alert.URL == "":
			s.alert = ups.Webhook{URL: at, Credential: expects.Credential}
		}
	}
}

// dialects makes the carriers.
func (s carrierSettings) dialects(places map[string]doordash.Point) ([]simulator.Dialect, error) {
	client := ups.DevClient
	client.Accounts = slices.Clone(client.Accounts)
	client.Accounts[0].Webhook = s.alert
	parcels, err := ups.New(ups.Config{Pace: s.pace, Clients: []ups.Client{client}})
	if err != nil {
		return nil, err
	}
	couriers, err := doordash.New(doordash.Config{Places: places, Profile: s.moves, Accounts: []doordash.Account{{
		DeveloperID: doordash.DevDeveloperID, KeyID: doordash.DevKeyID, SigningSecret: doordash.DevSigningSecret, Webhook: s.webhook}}})
	if err != nil {
		return nil, err
	}
	return []simulator.Dialect{parcels, couriers}, nil
}
