package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// never is the requote of a fallback that books by the offers that are there and asks nobody anew.
const never = "never"

// maxOfferBytes bounds what an order keeps of offers. Carriers choose how large their tokens are, and the order is written with every change.
const maxOfferBytes = 32 << 10

// keep is what the order keeps of the round's offers, so that a fallback can book them when something has happened to the booking. It is nil
// where no fallback rule of the decision wants that.
func (e *estimate) keep(sh *shipment.Shipment, now time.Time) *shipment.Offers {
	wanted := slices.ContainsFunc(e.decision.Fallback, func(f rules.Fallback) bool { return f.Requote == never })
	if !wanted || e.decision.Winner == nil || sh.Way() != shipment.Forward {
		return nil
	}
	out := &shipment.Offers{At: now, Asked: question(sh, e.plan.Set)}
	if e.kept != nil {
		out.At = e.kept.At
	}
	left := maxOfferBytes
	for _, c := range e.decision.Ranked {
		a, q, ok := e.chosen(c)
		if !ok || c.Account == e.decision.Winner.Account {
			continue
		}
		o := shipment.Offer{Account: c.Account, Reference: a.reference, Quote: q, MaxOpen: a.answer.Capacity.Open, MaxToday: a.answer.Capacity.Today}
		if text, err := json.Marshal(o); err == nil && len(text) <= left {
			left -= len(text)
			out.Kept = append(out.Kept, o)
		}
	}
	return out
}

// question is a digest of what carriers are asked about an order.
func question(sh *shipment.Shipment, set rules.Settings) string {
	text, err := json.Marshal(consignment(sh, "", set))
	if err != nil {
		panic(err) // plain words and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// kept are the offers that the walk is to decide on instead of asking; nil where all are to be asked.
func (p *past) kept(sh *shipment.Shipment) *shipment.Offers {
	if p.fallback == nil || !p.fallback.Keeps || p.fallback.Anew {
		return nil
	}
	return sh.Offers
}

// recall answers for the accounts of the plan by the offers that are kept, each with the reason where it has none that can be booked. It is false
// where there are no offers of the order as it is now.
func (e *estimate) recall(sh *shipment.Shipment, kept *shipment.Offers, now time.Time) bool {
	if kept == nil || kept.Asked != question(sh, e.plan.Set) {
		return false
	}
	e.kept = kept
	for _, a := range e.asked {
		for i := range kept.Kept {
			o := &kept.Kept[i]
			if o.Account != a.config.ID || a.services != nil && !slices.Contains(a.services, o.Quote.ServiceID) {
				continue
			}
			if code, why := spent(sh, o, now); code != "" {
				a.answer.Refusals = append(a.answer.Refusals, shipping.Refusal{ServiceID: o.Quote.ServiceID, Code: code, Message: why})
				continue
			}
			a.reference, a.answer.Capacity = o.Reference, carrier.Usage{Open: o.MaxOpen, Today: o.MaxToday}
			a.answer.Quotes = append(a.answer.Quotes, o.Quote)
		}
		if len(a.answer.Quotes)+len(a.answer.Refusals) == 0 {
			a.answer.Refusals = []shipping.Refusal{{Code: notAsked, Message: "The fallback asks nobody anew, and no offer of it is kept."}}
		}
	}
	return true
}

// spent says why a kept offer cannot be booked, "" where it can.
func spent(sh *shipment.Shipment, o *shipment.Offer, now time.Time) (code, why string) {
	switch {
	case slices.ContainsFunc(sh.Attempts, func(a shipment.Attempt) bool { return a.Reference == o.Reference }):
		return notAsked, "The fallback asks nobody anew, and its offer was taken before."
	case o.Stale(now):
		return string(carrier.QuoteExpired), "The fallback asks nobody anew, and its offer has expired."
	}
	return "", ""
}

// bookable reports whether a fallback that asks nobody anew has anybody to book. Where no offers were kept, all are asked.
func bookable(sh *shipment.Shipment, failed []string, now time.Time) bool {
	if sh.Offers == nil {
		return true
	}
	return slices.ContainsFunc(sh.Offers.Kept, func(o shipment.Offer) bool {
		code, _ := spent(sh, &o, now)
		return code == "" && !slices.Contains(failed, o.Account)
	})
}

// wayOf tells the history where the round's offers are from, where they are of an earlier one.
func (e *estimate) wayOf() []func(*shipment.Change) {
	if e.kept == nil {
		return nil
	}
	return []func(*shipment.Change){shipment.WithNote(fmt.Sprintf("OFFERS_KEPT( those of %s, nobody was asked anew )", e.kept.At.UTC().Format(time.RFC3339)))}
}
