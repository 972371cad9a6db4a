package rules

import "slices"

// beforeQuotes explains what the rules of exclude came to before anybody was asked, as far as no offer shows it again.
func (e *explaining) beforeQuotes() {
	if e.d.Plan.Hold == nil {
		for i := range e.candidates {
			e.candidate(&e.candidates[i])
		}
	}
	for i := range e.d.Refused {
		if r := &e.d.Refused[i]; !e.refused[selector{r.Account, r.Service}] {
			e.refusal(r)
		}
	}
}

func (e *explaining) refusal(r *Refused) {
	e.line("option %s  NO OFFER: %s %s", selector{r.Account, r.Service}, r.Code, r.Message)
}

// noOffer heads what is said of an account, or of one of its services, without an offer: with why there is none, where that is known.
func (e *explaining) noOffer(who selector) {
	for i := range e.d.Refused {
		if r := &e.d.Refused[i]; r.Account == who.account && r.Service == who.service {
			e.refusal(r)
			if e.refused == nil {
				e.refused = map[selector]bool{}
			}
			e.refused[who] = true
		}
	}
	if !e.refused[who] {
		e.line("option %s  no offer", who)
	}
}

// candidate explains an account that was not asked, or made no offer, and its services of which the same is true.
func (e *explaining) candidate(c *Candidate) {
	o := e.providerOption(c.Account)
	e.look(&o, stageProvider)
	out := e.outBefore(c.Account, "")
	ofAccount := slices.ContainsFunc(out, func(x Exclusion) bool { return x.Service == "" })
	switch {
	case ofAccount:
		e.judged(c.Account, "", stageOrder, stageProvider, out)
		e.passed(c.Account, "", stageProvider, "because the account was out before")
		return
	case !e.offered(c.Account, ""):
		e.judged(c.Account, "", stageOrder, stageProvider, nil)
	}
	for _, s := range c.Services {
		out := e.outBefore(c.Account, s.ID)
		if len(out) == 0 && e.offered(c.Account, s.ID) {
			continue
		}
		o.Service, o.Mode, o.Supports = s.ID, s.Mode, s.Supports
		e.look(&o, stageService)
		e.judged(c.Account, s.ID, stageService, stageService, out)
		if len(out) > 0 {
			e.passed(c.Account, s.ID, stageService, "because it was not quoted")
		}
	}
	if !e.offered(c.Account, "") {
		after := stageProvider
		if len(c.Services) > 0 {
			after = stageService
		}
		e.passed(c.Account, "", after, "because there is no offer")
	}
}

// outBefore lists the exclusions of an account, or of one of its services, that needed no quote.
func (e *explaining) outBefore(account, service string) []Exclusion {
	var out []Exclusion
	for _, x := range e.d.Plan.Excluded {
		if x.Account == account && x.Service == service {
			out = append(out, x)
		}
	}
	return out
}

// offered reports whether there is an offer of an account, or of one of its services, that the rules of exclude were asked about.
func (e *explaining) offered(account, service string) bool {
	return slices.ContainsFunc(e.d.Options, func(o Option) bool {
		return o.Account == account && (service == "" || o.Service == service) && len(e.outBefore(account, o.Service)) == 0
	})
}

// judged writes what the rules of some stages came to. Without any, and without an exclusion, there is nothing to write.
func (e *explaining) judged(account, service string, least, most int, out []Exclusion) {
	for _, x := range out {
		e.line("option %s  EXCLUDED before quoting: %s", selector{account, service}, x.Text)
	}
	headed := len(out) > 0
	if headed {
		e.optionLets(least, most)
	}
	for i := range e.bundle.excludes {
		rule := &e.bundle.excludes[i]
		if rule.stage < least || rule.stage > most || !selects(rule.only, account, service) || !e.inVariant(&rule.variant) {
			continue
		}
		if !headed {
			e.noOffer(selector{account, service})
			e.optionLets(least, most)
			headed = true
		}
		verdict := "exclude passed over"
		if slices.ContainsFunc(out, func(x Exclusion) bool { return x.Phase == PhaseExclude && x.Rule == rule.name }) {
			verdict = "EXCLUDED by"
		}
		e.rule(verdict, &rule.head)
	}
}

// passed names the rules after a stage that would have spoken of an account, or of one of its services, and were not asked.
func (e *explaining) passed(account, service string, after int, because string) {
	for i := range e.bundle.excludes {
		rule := &e.bundle.excludes[i]
		about := selects(rule.only, account, service) ||
			service == "" && slices.ContainsFunc(rule.only, func(s selector) bool { return s.account == account })
		if rule.stage > after && about && e.inVariant(&rule.variant) {
			e.line("  exclude %q not evaluated, %s", rule.name, because)
		}
	}
}
