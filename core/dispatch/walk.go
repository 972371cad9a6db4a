package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/failpoint"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// maxRounds bounds how often one walk asks anew because a quote had expired when it was to be booked.
const maxRounds = 3

// RunDispatch is the handler of dispatch jobs: orders that came asynchronously, are scheduled, wait for their next try, or were
// left by a process that died.
func (s *Service) RunDispatch(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("dispatch job %s: %w", j.ID, err)
	}
	if !s.allStarted(ctx, sh) {
		return jobs.Outcome{}, context.Cause(ctx)
	}
	if _, err := s.walk(ctx, sh, systemUser, j.Tries); err != nil {
		return jobs.Outcome{}, err
	}
	return jobs.Settled(), nil
}

// walk carries an order from wherever it stands to where a carrier has it, nobody has it, or it must wait. It is the dispatch
// job, run inline by a create or by the job runner. tries is how often the job was taken up: each time begins with a round that no
// earlier one can have asked in, though it may have died before it committed its own. The error is one of the machinery: then the
// job is still in the store.
func (s *Service) walk(ctx context.Context, sh *shipment.Shipment, user string, tries int) (*shipment.Shipment, error) {
	begun := s.Clock.Now()
	var waited time.Duration
	defer func() {
		total := s.Clock.Now().Sub(begun)
		s.metrics.walk.Observe(total.Seconds())
		s.metrics.own.Observe((total - waited).Seconds())
	}()
	past := &past{failed: map[string]bool{}, expired: map[string]bool{}, full: map[string]bool{}, fallback: sh.Fallback}
	past.remember()
	round := 0
	var e *estimate
	for expired := 0; expired < maxRounds; {
		var stop bool
		var err error
		if sh, stop, err = s.standing(ctx, sh, round == 0); stop || err != nil {
			return sh, err
		}
		t, err := s.tenant(sh.Tenant)
		if err != nil {
			return sh, err
		}
		if round == 0 {
			round = sh.Round + max(tries, 1)
		} else {
			round = max(round, sh.Round) + 1
		}
		e, err = s.estimate(ctx, t, sh, round, slices.Sorted(maps.Keys(past.failed)), past.kept(sh))
		if err != nil {
			return sh, err
		}
		waited += e.waited
		if ctx.Err() != nil {
			// The job is another's, or the engine stops: that nobody answered says nothing about the carriers.
			return sh, context.Cause(ctx)
		}
		var end ending
		var spent time.Duration
		if a := e.duplicate(sh); a != nil {
			sh, end, err = s.lookFor(ctx, sh, e, a)
		} else {
			sh, end, spent, err = s.decideAndBook(ctx, sh, e, user, past)
		}
		waited += spent
		if err != nil || end == finished {
			s.metrics.orders.WithLabelValues(outcomeOf(sh)).Inc()
			return sh, err
		}
		if end == quoteExpired {
			expired++
		}
	}
	sh, _, err := s.failRound(ctx, sh, e, false, shipping.OrderFailed, user, &shipment.Failure{Type: string(usecase.PlaceOrderFailed),
		Message: fmt.Sprintf("Failed to place the requested order with the configured providers: quotes expired %d times before they could be booked.", maxRounds)})
	return sh, err
}

// past is what earlier rounds of a walk have seen of the accounts: who has refused to book, whose quote had expired already when it
// was to be booked, and whose last place another order had taken. An account is asked anew once; after that an expired quote is a
// refusal like any other, and so is a taken place.
// fallback is how far a fallback rule has come.
type past struct {
	failed, expired, full map[string]bool
	fallback              *shipment.Fallback
	told                  int // steps of the fallback's rule whose notices are sent
}

// remember takes the accounts that failed in earlier walks into those that have failed.
func (p *past) remember() {
	if p.fallback == nil {
		return
	}
	for _, account := range p.fallback.Failed {
		p.failed[account] = true
	}
	p.told = p.fallback.Step
}

// ending is how one round of a walk ended.
type ending int

const (
	// finished: nothing is left to do for this walk.
	finished ending = iota
	// quoteExpired: the carrier wants to be asked anew.
	quoteExpired
	// refused: a carrier has refused, and the rules want all asked anew before the next is booked.
	refused
	// overtaken: the order was changed, or asked about by another, since its estimates were asked for.
	overtaken
)

func outcomeOf(sh *shipment.Shipment) string {
	switch {
	case sh.Live(sh.Way()) != nil:
		return "booked"
	case sh.Open(sh.Way()) != nil:
		return "in_doubt"
	}
	return string(sh.Status)
}

// standing looks at where the shipment stands before anybody is asked. An attempt whose fate is not known when the job is taken up
// was left by a process that died, and goes to reconciliation: no carrier is asked meanwhile. One that appears later is another
// walk's. A shipment that needs no dispatch loses its job.
func (s *Service) standing(ctx context.Context, sh *shipment.Shipment, first bool) (*shipment.Shipment, bool, error) {
	stop := false
	sh, err := s.change(ctx, sh, "settled", func(sh *shipment.Shipment) (*store.Tx, error) {
		stop = true
		a := sh.Open(sh.Way())
		switch {
		case a != nil && first:
			return s.doubt(sh, a, &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectUnknown, Code: carrier.OutcomeUnknown,
				Message: "The engine stopped while the carrier was being asked."}), nil
		case a != nil:
			return nil, errUnchanged
		case !sh.Waiting() || sh.Live(sh.Way()) != nil:
			return &store.Tx{DropJobs: drop(sh, JobDispatch)}, nil
		case sh.Order.DispatchAt.After(s.Clock.Now()):
			return nil, errUnchanged // an edit has put it off, and has put the job
		}
		stop = false
		return nil, errUnchanged
	})
	return sh, stop, err
}

// decideAndBook commits what was learned and decided, with the intent to book the winner, and books down the ranking until a
// carrier has the order, one is in doubt, or none is left.
func (s *Service) decideAndBook(ctx context.Context, sh *shipment.Shipment, e *estimate, user string, past *past) (_ *shipment.Shipment, end ending, spent time.Duration, err error) {
	counted, err := s.recount(ctx, sh, e)
	if err != nil {
		return sh, finished, 0, err
	}
	defer func() { counted() }()
	s.compare(e)
	s.tellFailed(sh, e)
	course := e.course(past.fallback, s.Clock.Now())
	if len(course.queue) == 0 {
		counted()
		sh, end, err = s.nothingToBook(ctx, sh, e, course, user, past)
		return sh, end, 0, err
	}
	var errs []shipment.ProviderError
	unmapped, first, fresh := false, true, true // fresh: what was counted and decided is of this moment
	for n := 0; n < len(course.queue); n++ {
		choice := course.queue[n]
		a, q, ok := e.chosen(choice)
		if !ok {
			return sh, finished, spent, fmt.Errorf("decision of order %s names offer %q, which nobody made", sh.ID, choice.ID)
		}
		if ctx.Err() != nil {
			return sh, finished, spent, context.Cause(ctx)
		}
		if course.over(past.fallback, s.Clock.Now()) {
			break
		}
		if !fresh {
			if counted, err = s.recount(ctx, sh, e); err != nil {
				return sh, finished, spent, err
			}
			if !e.stands(choice) {
				return sh, overtaken, spent, nil // others have used up what it needs
			}
		}
		fresh = false
		if !e.limited(choice) {
			counted()
		}
		e.fallback, e.notices = course.taken(past.fallback, n), course.ahead(s, sh, past, n)
		var attempt int
		sh, attempt, end, err = s.intend(ctx, sh, e, a, q, choice, user, first)
		counted()
		if errors.Is(err, store.ErrUsage) {
			var again bool
			if sh, again, err = s.full(ctx, sh, choice, past); again || err != nil {
				return sh, overtaken, spent, err
			}
			errs = append(errs, tookPlace(a))
			continue
		}
		if err != nil || attempt == 0 {
			return sh, end, spent, err
		}
		first = false
		past.tell(&course, n)
		begun := s.Clock.Now()
		booking, trace, cerr := s.book(ctx, sh, sh.Attempt(attempt), a.account, e.plan.Set)
		spent += s.Clock.Now().Sub(begun)
		next := e.onward(course, past, n, cerr, begun, s.Clock.Now())
		sh, err = s.booked(ctx, sh, attempt, user, booking, trace, cerr, next.kept())
		switch {
		case err != nil || cerr == nil || cerr.Effect != carrier.EffectNone || sh.Attempt(attempt).Open():
			return sh, finished, spent, err
		case next.anew:
			past.expired[choice.Account] = true
			return sh, quoteExpired, spent, nil
		case !sh.Waiting():
			return sh, finished, spent, nil // cancelled meanwhile
		}
		errs = append(errs, providerError(a.name(), cerr))
		unmapped = cerr.Code == carrier.CarrierRejected || cerr.Code == carrier.Internal
		course, n = past.goOn(choice.Account, next)
		if course.rule != nil && course.rule.Requote == "always" && n+1 < len(course.queue) {
			return sh, refused, spent, nil
		}
	}
	sh, end, err = s.exhausted(ctx, sh, e, course, past, first, user, placeFailure(errs, unmapped && len(errs) == 1))
	return sh, end, spent, err
}

// onward is how a walk goes on when the booking of a place in its course has come to nothing: on which course, behind which place of that,
// how far the fallback has come then, and of how many of its steps the notices are sent.
type onward struct {
	course   course
	place    int
	fallback *shipment.Fallback
	told     int
	anew     bool // instead, the carrier is asked for another quote: the one that was booked had expired
}

// kept is the fallback that an engine which stops before the next intent must find again: one that asks nobody anew. Any other begins afresh,
// as all are asked then.
func (o onward) kept() *shipment.Fallback {
	if o.fallback == nil || !o.fallback.Keeps {
		return nil
	}
	return o.fallback
}

// onward is how the walk goes on by a carrier's answer to the booking of a place in its course, should that come to nothing. The course is
// another one then where the rules have one for carriers that are out of order and none is at work.
func (e *estimate) onward(c course, p *past, place int, cerr *carrier.Error, begun, now time.Time) onward {
	switch {
	case cerr == nil:
		return onward{}
	case cerr.Code == carrier.QuoteExpired && !p.expired[c.queue[place].Account] && !c.keeps():
		return onward{anew: true}
	}
	if p.fallback == nil && c.rule == nil && down(cerr) {
		if turned, done, ok := e.turn(c.queue[place], begun, now); ok {
			return onward{course: turned, place: -1, fallback: done}
		}
	}
	return onward{course: c, place: place, fallback: c.failed(p.fallback, place, begun), told: p.told}
}

// goOn notes that an account has failed, and gives the course on which the walk goes on, and the place in it behind which it does.
func (p *past) goOn(account string, next onward) (course, int) {
	p.failed[account] = true
	p.fallback, p.told = next.fallback, next.told
	return next.course, next.place
}

// tell notes that the notices up to a place of the course are committed with the intent to book it.
func (p *past) tell(c *course, place int) {
	if c.rule != nil {
		p.told = max(p.told, c.steps[place])
	}
}

// nothingToBook ends a round that books nothing: the order is held, its fallback has nobody left, or nobody can carry it.
func (s *Service) nothingToBook(ctx context.Context, sh *shipment.Shipment, e *estimate, c course, user string, past *past) (*shipment.Shipment, ending, error) {
	last := sh.Last(sh.Way())
	left := e.kept != nil && last != nil && last.State == shipment.Refused // by a walk that died after its last refusal
	switch h := e.held(); {
	case h != nil:
		return s.hold(ctx, sh, e, h)
	case e.decision.Winner != nil || c.hold > 0 || left:
		return s.exhausted(ctx, sh, e, c, past, true, user, placeFailure(nil, false))
	}
	return s.nobody(ctx, sh, e, past, user)
}

// placeFailure words that every provider that could be asked has refused to book; unmapped that the only one did so in words that
// nobody knows.
func placeFailure(errs []shipment.ProviderError, unmapped bool) *shipment.Failure {
	f := &shipment.Failure{Type: string(usecase.PlaceOrderFailed), Message: "Failed to place the requested order with the configured providers.", Errors: errs}
	if unmapped {
		f.Type, f.Message = string(usecase.UnmappedError), "Request received unidentifiable error response."
	}
	return f
}

// capacityFull is the refusal of an account that has no place left for an order.
const capacityFull = "CAPACITY_FULL"

// tookPlace is that refusal: others were quoted at the same time and have taken the last place.
func tookPlace(a *asked) shipment.ProviderError {
	return shipment.ProviderError{Provider: a.name(), Type: capacityFull, Message: "Another order has taken the last place."}
}

// full notes that an account has no place left. It is asked about once more before it counts as failed.
func (s *Service) full(ctx context.Context, sh *shipment.Shipment, choice rules.Choice, past *past) (_ *shipment.Shipment, again bool, err error) {
	fresh, err := s.reload(ctx, sh)
	if err != nil {
		return sh, false, err
	}
	if !past.full[choice.Account] {
		past.full[choice.Account] = true
		return fresh, true, nil
	}
	past.failed[choice.Account] = true
	return fresh, false, nil
}

// estimated fills a transaction with what a round has learned.
func (s *Service) estimated(sh *shipment.Shipment, e *estimate, tx *store.Tx) error {
	record, err := e.decision.JSON()
	if err != nil {
		return fmt.Errorf("decision record of order %s: %w", sh.ID, err)
	}
	sh.Round = e.round
	sh.Failure, sh.Offers = nil, nil
	sh.Warnings = append(withoutRound(sh.Warnings), e.warnings...)
	tx.Decisions = append(tx.Decisions, store.Decision{Shipment: sh.ID, Round: e.round, At: s.Clock.Now(), Record: record, Trial: e.tried})
	tx.Exchanges = append(tx.Exchanges, e.exchanges(sh)...)
	return nil
}

// withoutRound drops the warnings that belong to one round of asking.
func withoutRound(ws []shipment.Warning) []shipment.Warning {
	var out []shipment.Warning
	for _, w := range ws {
		switch w.Code {
		case ruleWarning, ruleFailed, "PROVIDER_NOT_ASSIGNED", "SERVICE_NOT_OFFERED", nothingYet:
		default:
			out = append(out, w)
		}
	}
	return out
}

// intend commits the intent to book, and with the first one what the round has learned. attempt is 0 where the shipment no
// longer wants to be booked, or not like this.
func (s *Service) intend(ctx context.Context, sh *shipment.Shipment, e *estimate, a *asked, q shipping.Quote, choice rules.Choice, user string, first bool) (_ *shipment.Shipment, attempt int, end ending, err error) {
	intent := func(sh *shipment.Shipment) (*store.Tx, error) {
		attempt = 0
		var stop bool
		if end, stop = e.outrun(sh, first); stop {
			return nil, errUnchanged
		}
		now := s.Clock.Now()
		tx := &store.Tx{}
		if first {
			tx = changed(sh, sh.Move(shipping.EstimatesReceived, now, user, e.wayOf()...))
			if err := s.estimated(sh, e, tx); err != nil {
				return nil, err
			}
			sh.Offers = e.keep(sh, now)
		}
		informed(sh) // who is asked to book is told all of the order
		fee, err := choice.Fee.Add(choice.Charge)
		if err != nil {
			return nil, fmt.Errorf("fee of order %s: %w", sh.ID, err)
		}
		attempt = len(sh.Attempts) + 1
		sv, _ := a.manifest.Service(q.ServiceID)
		sh.Attempts = append(sh.Attempts, shipment.Attempt{
			Number: attempt, Kind: sh.Way(), Round: e.round, Reference: a.reference, State: shipment.Intended,
			Account: a.config.ID, Adapter: a.manifest.Name, Provider: a.manifest.DisplayName, DisplayName: firstOf(a.config.Name, a.manifest.DisplayName),
			ServiceID: q.ServiceID, ServiceCode: firstOf(q.ServiceCode, sv.Code), ServiceType: firstOf(q.ServiceType, sv.Name),
			Quote: q, Fee: fee, LabelFormat: labelFormat(sh, e.plan.Set, a), Set: settingsOf(e.plan.Set),
			IntendedAt: now, Deadline: now.Add(firstPositive(a.config.BookTimeout, s.Config().Dispatch.BookTimeout)), Counted: e.counted(sh, choice), LatePickups: e.latePickups(), Heeds: e.heeds(),
		})
		tx.Counts = e.count(&sh.Attempts[attempt-1])
		if e.fallback != nil {
			sh.Fallback = e.fallback
		}
		s.notify(tx, sh, e.notices)
		sh.UpdatedAt = now
		tx.Usage = []store.UsageDelta{{Account: a.config.ID, Day: sh.Day(now), Open: 1, Today: 1,
			MaxOpen: a.answer.Capacity.Open, MaxToday: a.answer.Capacity.Today}}
		return tx, nil
	}
	if failpoint.WithoutIntent {
		_, err = intent(sh)
		return sh, attempt, end, err
	}
	sh, err = s.change(ctx, sh, "intent", intent)
	if errors.Is(err, store.ErrOverCounted) { // by another node: what was decided may not stand
		sh, err = s.reload(context.WithoutCancel(ctx), sh)
		return sh, 0, overtaken, err
	}
	return sh, attempt, end, err
}

// book asks the carrier to do what the attempt intends, and is answered by the deadline that the intent has told.
func (s *Service) book(ctx context.Context, sh *shipment.Shipment, at *shipment.Attempt, acc Account, set rules.Settings) (carrier.Booking, *carrier.Trace, *carrier.Error) {
	left := at.Deadline.Sub(s.Clock.Now())
	if left <= 0 {
		return carrier.Booking{}, nil, &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetrySafe, Code: carrier.DeadlineExceeded,
			Message: "The time to book was over before the carrier could be asked."}
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	ctx, trace := carrier.WithTrace(ctx)
	do := acc.Book
	if m, _ := acc.Manifest(); at.Kind == shipment.Return && m.Has(carrier.CanReturn) {
		do = acc.BookReturn
	}
	b, err := do(ctx, carrier.BookRequest{
		Consignment: consignment(sh, at.Reference, set), ServiceID: at.ServiceID, Token: at.Quote.Token, Quoted: at.Quote.Amount, LabelFormat: at.LabelFormat,
	})
	if err == nil && !readable(b) {
		err = &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectUnknown, Retry: carrier.RetryNever, Code: carrier.CarrierProtocol,
			Message: "The adapter answered a booking without any number of it, or with what cannot be one."}
	}
	cerr := carrierError(err)
	if failpoint.WithoutDoubt && cerr != nil {
		cerr.Effect = carrier.EffectNone
	}
	return b, trace, cerr
}

// held returns what a rule says that the order must wait for: before anybody is asked, or a guard after the offers are in.
func (e *estimate) held() *rules.Hold {
	if e.plan.Hold != nil {
		return e.plan.Hold
	}
	return e.decision.Hold
}

// hold puts the order aside as a rule says: until a time, or until a person changes or releases it.
func (s *Service) hold(ctx context.Context, sh *shipment.Shipment, e *estimate, h *rules.Hold) (_ *shipment.Shipment, end ending, err error) {
	sh, err = s.change(ctx, sh, "hold", func(sh *shipment.Shipment) (*store.Tx, error) {
		var stop bool
		if end, stop = e.outrun(sh, true); stop {
			return nil, errUnchanged
		}
		now := s.Clock.Now()
		tx := changed(sh, sh.Move(shipping.PendingRelease, now, systemUser, shipment.WithNote(h.Rule+"( "+h.Reason+" )")))
		if err := s.estimated(sh, e, tx); err != nil {
			return nil, err
		}
		sh.Waited, sh.Rules = sh.WaitedOut(now), "" // when it is decided again, it is by the rules of then
		sh.Hold = &shipment.Hold{Rule: h.Rule, Reason: h.Reason, Since: now, Until: h.Until}
		if h.Until.IsZero() {
			tx.DropJobs = drop(sh, JobDispatch)
		} else {
			plan(tx, sh, s.job(sh, JobDispatch, h.Until))
		}
		s.notify(tx, sh, e.notices)
		return tx, nil
	})
	return sh, end, err
}

// outrun reports whether a round must end without a word: the order needs it no more, or is not what the round asked about, as
// whoever edits it or asks in another round counts the rounds up. first is as long as the round has committed nothing of its own.
func (e *estimate) outrun(sh *shipment.Shipment, first bool) (end ending, stop bool) {
	at := e.round
	if first {
		at = e.base
	}
	switch {
	case !sh.Waiting() || sh.Open(sh.Way()) != nil || sh.Live(sh.Way()) != nil:
		return finished, true
	case sh.Round != at:
		return overtaken, true
	}
	return finished, false
}

// nobody ends a round without a winner: the rules may want to wait and try again, else the estimates have failed.
func (s *Service) nobody(ctx context.Context, sh *shipment.Shipment, e *estimate, past *past, user string) (_ *shipment.Shipment, end ending, err error) {
	none := e.decision.None
	if none != nil && none.HoldFor > 0 && sh.Retries < none.Retry && e.mayChange() {
		sh, err = s.change(ctx, sh, "no-offer", func(sh *shipment.Shipment) (*store.Tx, error) {
			var stop bool
			if end, stop = e.outrun(sh, true); stop {
				return nil, errUnchanged
			}
			now := s.Clock.Now()
			tx := &store.Tx{}
			if err := s.estimated(sh, e, tx); err != nil {
				return nil, err
			}
			sh.Retries++
			sh.Rules = e.bundle.Hash()
			due := now.Add(time.Duration(none.HoldFor))
			sh.RetryAt = due
			line := sh.Move(shipping.PendingAutoRetry, now, systemUser,
				shipment.WithNote(fmt.Sprintf("RETRY( %d of %d at %s )", sh.Retries, none.Retry, due.UTC().Format(time.RFC3339))))
			tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
			plan(tx, sh, s.job(sh, JobDispatch, due))
			sh.Warnings = append(sh.Warnings, shipment.Warning{Code: nothingYet,
				Message: "No provider can carry the order now; it is tried again at " + due.UTC().Format(time.RFC3339) + ". " + e.reasons()})
			return tx, nil
		})
		return sh, end, err
	}
	e.notices = s.unserved(sh, e, past)
	if none != nil && none.Hold {
		return s.hold(ctx, sh, e, &rules.Hold{Rule: noOption, Reason: firstOf(none.Message, "Nobody can carry the order. "+e.reasons())})
	}
	f := &shipment.Failure{Type: string(usecase.NoProviderMatched), Message: "No Provider matched the criteria for the requested delivery.", Errors: e.errors}
	for _, w := range e.warnings {
		if w.Provider != "" {
			f.Errors = append(f.Errors, shipment.ProviderError{Provider: w.Provider, Type: w.Code, Message: w.Message})
		}
	}
	for _, x := range e.decision.Excluded {
		f.Errors = append(f.Errors, shipment.ProviderError{Provider: x.Account, Type: "EXCLUDED_BY_RULE", Code: x.Rule, Message: x.Text})
	}
	return s.failRound(ctx, sh, e, true, shipping.EstimatesFailed, user, f)
}

// nothingYet warns of an order that waits because nobody can carry it now.
const nothingYet = "NOTHING_AVAILABLE_YET"

// reasons says in one line why nobody can carry the order.
func (e *estimate) reasons() string {
	var out []string
	for _, x := range e.errors {
		out = append(out, x.Provider+": "+x.Message)
	}
	for _, x := range e.decision.Excluded {
		out = append(out, x.Account+": "+x.Text)
	}
	return strings.Join(out[:min(len(out), maxReasons)], "; ")
}

// maxReasons bounds what a warning tells; the decision has the rest.
const maxReasons = 6

// failRound commits that nobody has the order; with the first word of a round, what that has learned.
func (s *Service) failRound(ctx context.Context, sh *shipment.Shipment, e *estimate, first bool, to shipping.Status, user string, f *shipment.Failure) (_ *shipment.Shipment, end ending, err error) {
	sh, err = s.change(ctx, sh, "failure", func(sh *shipment.Shipment) (*store.Tx, error) {
		var stop bool
		if end, stop = e.outrun(sh, first); stop {
			return nil, errUnchanged
		}
		tx := changed(sh, sh.Move(to, s.Clock.Now(), user, shipment.WithNote(f.Type)))
		if first {
			if err := s.estimated(sh, e, tx); err != nil {
				return nil, err
			}
		}
		sh.Failure, sh.Rules, sh.Fallback, sh.Offers = f, "", nil, nil
		tx.DropJobs = drop(sh, JobDispatch)
		s.notify(tx, sh, e.notices)
		return tx, nil
	})
	return sh, end, err
}
