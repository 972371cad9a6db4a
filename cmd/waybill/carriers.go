package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/doordash"
	"github.com/waybill-dev/waybill/simulator/ups"
)

// carrierFlags say how simulated carriers behave: CARRIER=VALUE each, for the environment by carrier as well.
type carrierFlags struct {
	webhooks, authorizations, profiles []string
}

// simulatedCarriers are the dialects with the profiles of each. Of these only DoorDash pushes.
func simulatedCarriers() map[string][]string {
	of := map[string][]string{ups.Name: ups.Paces()}
	for _, name := range simulator.ProfileNames() {
		if p, err := simulator.LoadProfile(name); err == nil {
			of[p.Dialect] = append(of[p.Dialect], name)
		}
	}
	return of
}

var pushingCarriers = []string{doordash.Name}

func (f *carrierFlags) add(cmd *cobra.Command) {
	var profiles []string
	for carrier, names := range simulatedCarriers() {
		for _, name := range names {
			profiles = append(profiles, carrier+"="+name)
		}
	}
	slices.Sort(profiles)
	cmd.Flags().StringArrayVar(&f.webhooks, "webhook", nil, "CARRIER=URL that a carrier tells what happens, such as doordash=http://127.0.0.1:9000/hook\n(or WAYBILL_SIM_DOORDASH_WEBHOOK)")
	cmd.Flags().StringArrayVar(&f.authorizations, "webhook-authorization", nil, "CARRIER=VALUE of the Authorization header of its webhooks, such as \"doordash=Basic dXNlcjpwYXNz\"\n(or WAYBILL_SIM_DOORDASH_WEBHOOK_AUTHORIZATION)")
	cmd.Flags().StringArrayVar(&f.profiles, "profile", nil, "CARRIER=PROFILE: how deliveries move (or WAYBILL_SIM_UPS_PROFILE, …); there are\n"+strings.Join(profiles, "\n"))
}

// carrierSettings are the simulated carriers as somebody wants them. The zero value is how they are by themselves.
type carrierSettings struct {
	webhook doordash.Webhook
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
			case !slices.Contains(allowed, carrier):
				faults = append(faults, fmt.Errorf("--%s: simulated %s sends no webhooks; %s does", flag, carrier, strings.Join(allowed, ", ")))
			case value == "":
				faults = append(faults, fmt.Errorf("--%s %s: write %s=VALUE", flag, carrier, carrier))
			default:
				out[carrier] = value
			}
		}
		return out
	}
	var s carrierSettings
	s.webhook.URL = take("webhook", "WEBHOOK", f.webhooks, pushingCarriers)[doordash.Name]
	s.webhook.Authorization = take("webhook-authorization", "WEBHOOK_AUTHORIZATION", f.authorizations, pushingCarriers)[doordash.Name]
	chosen := take("profile", "PROFILE", f.profiles, carriers)
	if u, err := url.Parse(s.webhook.URL); s.webhook.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		faults = append(faults, errors.New("--webhook doordash: the URL must be a whole one, such as http://127.0.0.1:9000/hook"))
	}
	if s.webhook.Authorization != "" && s.webhook.URL == "" {
		faults = append(faults, errors.New("--webhook-authorization doordash: nobody is told; add --webhook doordash=URL"))
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

// dialects makes the carriers.
func (s carrierSettings) dialects(places map[string]doordash.Point) ([]simulator.Dialect, error) {
	parcels, err := ups.New(ups.Config{Pace: s.pace})
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
