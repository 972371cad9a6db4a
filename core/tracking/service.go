package tracking

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/failpoint"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// Carriers finds the accounts of the present configuration.
type Carriers interface {
	// Account returns a tenant's account; ok is false where the configuration has none of that id.
	Account(tenant, id string) (a Account, ok bool)
}

// Account is an account at a carrier, as tracking uses it. Every error is or wraps a *carrier.Error. An ability that the manifest
// lacks answers Unsupported.
type Account interface {
	// Manifest of the adapter; ok is false as long as the adapter has never started.
	Manifest() (m carrier.Manifest, ok bool)
	carrier.Tracker
	carrier.PushReceiver
}

// Settings is what a Service works with. All members are required but Teller, Moved and Registerer.
type Settings struct {
	Store    store.Store
	Carriers Carriers
	Config   func() *config.Config
	Clock    clock.Clock
	Source   clock.Source
	Log      hclog.Logger
	Teller   Teller // nil: nobody is told
	// Moved hears of each order that was changed, once that is committed, for the calls that wait for it. It must not wait. nil: none do.
	Moved      func(shipment.ID)
	Registerer prometheus.Registerer
}

// Service carries out the use cases. What must happen later is a NextPoll or a job in the store; what it keeps itself is how much
// each account may be asked just now.
type Service struct {
	Settings
	metrics *metrics

	mu      sync.Mutex
	paces   map[accountKey]*pace
	signing []byte // of push secrets; read from the store once
}

var _ UseCases = (*Service)(nil)

type accountKey struct{ tenant, id string }

// New returns a Service. It starts nothing.
func New(s Settings) *Service {
	return &Service{Settings: s, metrics: newMetrics(s.Registerer), paces: map[accountKey]*pace{}}
}

// Handlers returns the handlers of the jobs that this package puts.
func (s *Service) Handlers() map[string]jobs.Handler {
	return map[string]jobs.Handler{JobPoll: s.RunPoll}
}

// maxConflicts bounds how often a use case begins anew because somebody else changed the tracker or its shipment.
const maxConflicts = 20

// errUnchanged is returned by a change that finds nothing to do.
var errUnchanged = errors.New("nothing to change")

// commit commits between the two failpoints of what. It does not end with ctx: what a carrier has said must not be lost because
// nobody waits for it any more.
func (s *Service) commit(ctx context.Context, tenant, what string, tx *store.Tx) error {
	if err := failpoint.Hit("tracking", failpoint.Before, what); err != nil {
		return err
	}
	tx.Now = s.Clock.Now()
	if err := s.Store.Commit(context.WithoutCancel(ctx), tenant, tx); err != nil {
		return err
	}
	if s.Moved != nil {
		for _, sh := range tx.Shipments {
			s.Moved(sh.ID)
		}
	}
	return failpoint.Hit("tracking", failpoint.After, what)
}

// tenant returns a tenant of the present configuration.
func (s *Service) tenant(id string) (*config.Tenant, error) {
	if t := s.Config().Tenants[id]; t != nil {
		return t, nil
	}
	return nil, &usecase.Error{Type: usecase.InternalServerError, Message: "The tenant is not configured any more.",
		Err: fmt.Errorf("tenant %q is not in the configuration", id)}
}

// account returns the configuration of an account, nil where there is none.
func (s *Service) account(tenant, id string) *config.Account {
	if t := s.Config().Tenants[tenant]; t != nil {
		return t.Accounts[id]
	}
	return nil
}

// can reports whether an account has an ability, as far as is known: an adapter that has never started may have it.
func (s *Service) can(tenant, account string, a carrier.Ability) bool {
	acc, ok := s.Carriers.Account(tenant, account)
	if !ok {
		return false
	}
	m, known := acc.Manifest()
	return !known || m.Has(a)
}

// refusal words an error for the caller: a refusal stays one, anything else is the engine's.
func refusal(doing string, err error) error {
	if e, ok := errors.AsType[*usecase.Error](err); ok {
		return e
	}
	message := "An unexpected error occurred while processing the request."
	if errors.Is(err, store.ErrUnavailable) {
		message = "The store cannot be used at the moment; nothing was changed. Try again later."
	}
	if row, ok := errors.AsType[*store.DamagedError](err); ok {
		message = row.Public()
	}
	return &usecase.Error{Type: usecase.InternalServerError, Message: message, Err: fmt.Errorf("%s: %w", doing, err)}
}

func notFound(what string) error {
	return usecase.Failf(usecase.NotFound, "Tracker %s is not found.", what)
}

// signingName names the store's secret that push secrets are derived from.
const signingName = "push"

// PushSecret returns the last part of the URL that a carrier pushes to for an account: the operator's word, else one that is always
// the same for this store and account.
func (s *Service) PushSecret(ctx context.Context, tenant, account string) (string, error) {
	a := s.account(tenant, account)
	if a == nil {
		return "", fmt.Errorf("tenant %q has no account %q", tenant, account)
	}
	if own := a.PushSecret.Reveal(); own != "" {
		return own, nil
	}
	return s.derivedSecret(ctx, tenant, account)
}

// derivedSecret is the push secret of an account for which the operator names none, whether it is configured or not.
func (s *Service) derivedSecret(ctx context.Context, tenant, account string) (string, error) {
	key, err := s.signingKey(ctx)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%d:%s%s", len(tenant), tenant, account)
	return hex.EncodeToString(mac.Sum(nil)[:20]), nil
}

// PushURL is where the carrier of an account pushes to.
func (s *Service) PushURL(ctx context.Context, tenant, account string) (string, error) {
	secret, err := s.PushSecret(ctx, tenant, account)
	if err != nil {
		return "", err
	}
	return PushURLAt(s.Config().Server.PublicURL, account, secret), nil
}

// PushURLAt is where the carrier of an account pushes to. base is what the engine's URLs begin with.
func PushURLAt(base, account, secret string) string {
	return base + "/carriers/" + url.PathEscape(account) + "/push/" + url.PathEscape(secret)
}

func (s *Service) signingKey(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signing == nil {
		key, err := s.Store.Secret(ctx, signingName)
		if err != nil {
			return nil, fmt.Errorf("secret of push URLs: %w", err)
		}
		s.signing = key
	}
	return s.signing, nil
}

// trackerOf loads a tracker of the caller's.
func (s *Service) trackerOf(ctx context.Context, tenant string, id tracker.ID) (*tracker.Tracker, error) {
	t, err := s.Store.Tracker(ctx, tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(string(id))
	}
	if err != nil {
		return nil, refusal("read tracker", err)
	}
	return t, nil
}
