package dispatch

import (
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// option is what an order could be carried with: a service of an account, "" for the account as a whole.
type option struct{ account, service string }

// mayChange reports whether waiting may help an order that nobody can carry: whether there is an option against which nothing
// speaks but what may pass by itself. It does not help where the order is too far, or lacks an account, a service or an ability.
func (e *estimate) mayChange() bool {
	for _, x := range e.errors {
		if x.Type == string(carrier.AdapterUnavailable) {
			return true // it was not even asked
		}
	}
	lasting := map[option]bool{} // whether one of the reasons against an option stays
	for _, x := range e.decision.Excluded {
		o := option{x.Account, x.Service}
		lasting[o] = lasting[o] || !e.bundle.MayPass(x)
	}
	for _, a := range e.asked {
		id := a.config.ID
		if a.err != nil {
			lasting[option{id, ""}] = lasting[option{id, ""}] || a.err.Code == carrier.InvalidField || a.err.Code == carrier.Unsupported
			continue
		}
		for _, r := range a.answer.Refusals {
			o := option{id, r.ServiceID}
			lasting[o] = lasting[o] || lastingRefusals[r.Code]
		}
		if len(a.answer.Quotes)+len(a.answer.Refusals) == 0 {
			return true // no word of why
		}
	}
	for o, stays := range lasting {
		if !stays && !lasting[option{o.account, ""}] {
			return true
		}
	}
	return false
}

// lastingRefusals are the codes of refusals that say something of the order which no waiting changes.
var lastingRefusals = map[string]bool{
	"OUT_OF_ZONE": true, "TOO_FAR": true, "TOO_HEAVY": true, "TOO_LARGE": true, "NOT_SUPPORTED": true, "DISTANCE_UNKNOWN": true,
	string(carrier.InvalidField): true, string(carrier.Unsupported): true,
}

// outOfReach reports whether it is certain that nobody will know by then what became of an attempt in doubt: the carrier may still
// commit it, or a person is asked.
func (s *Service) outOfReach(sh *shipment.Shipment, until time.Time) bool {
	a := sh.Open(sh.Way())
	return a != nil && a.State == shipment.InDoubt && (a.NeedsPerson() || s.firstLook(sh, a, s.Clock.Now()).After(until))
}
