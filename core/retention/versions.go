package retention

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/ruleset"
	"github.com/waybill-dev/waybill/core/store"
)

// versions is what is known of the versions of a tenant's rules that are kept. A version that has been live until now may decide an order that is
// just being looked at, so one is removed when two looks, a day apart, have found no decision that names it.
type versions struct {
	Named  []string  `json:"named,omitempty"`  // by a decision, when that was last looked for
	Unused []string  `json:"unused,omitempty"` // named by none
	Since  time.Time `json:"since,omitzero"`   // of Named: decisions are erased too, so from time to time it begins anew
}

// namedFor is how long it is believed that a version is named by a decision.
const namedFor = 30 * 24 * time.Hour

// pruneVersions removes the versions of a tenant's rules that no stored decision names and that are not in use, and returns how many. Decisions are
// read only where there is a version of which it is not known whether one names it.
func (s *Service) pruneVersions(ctx context.Context, tenant string, known *versions) (int, error) {
	if s.RulesInUse == nil {
		return 0, nil
	}
	now := s.Clock.Now()
	if now.Sub(known.Since) > namedFor {
		*known = versions{Unused: known.Unused, Since: now}
	}
	names, err := s.Store.DocumentNames(ctx, tenant, ruleset.VersionPrefix)
	if err != nil {
		return 0, err
	}
	inUse := s.RulesInUse(tenant)
	open := map[string]bool{}
	for _, name := range names {
		version := strings.TrimPrefix(name, ruleset.VersionPrefix)
		if !slices.Contains(inUse, version) && !slices.Contains(known.Named, version) {
			open[version] = true
		}
	}
	if len(open) > 0 {
		if err := s.findVersions(ctx, tenant, open, known); err != nil {
			return 0, err
		}
	}
	tx := &store.Tx{Now: now}
	before := known.Unused
	known.Unused = nil
	for _, name := range names {
		version := strings.TrimPrefix(name, ruleset.VersionPrefix)
		switch {
		case !open[version]:
		case slices.Contains(before, version):
			tx.DropDocuments = append(tx.DropDocuments, name)
		default:
			known.Unused = append(known.Unused, version)
		}
	}
	if len(tx.DropDocuments) == 0 {
		return 0, nil
	}
	return len(tx.DropDocuments), s.commit(ctx, tenant, "versions", tx)
}

// findVersions looks through the tenant's orders, newest first, for decisions that name the open versions, and closes those. It ends when none is
// open.
func (s *Service) findVersions(ctx context.Context, tenant string, open map[string]bool, known *versions) error {
	named := func(version string) {
		if open[version] {
			delete(open, version)
			known.Named = append(known.Named, version)
		}
	}
	q := store.ShipmentQuery{Limit: page}
	for {
		p, err := s.Store.ListShipments(ctx, tenant, q)
		if err != nil {
			return err
		}
		for _, sh := range p.Shipments {
			named(sh.Rules)
			decisions, err := s.Store.Decisions(ctx, tenant, sh.ID)
			if err != nil {
				return err
			}
			for _, d := range decisions {
				var record struct {
					Rules string `json:"rules"`
				}
				if err := json.Unmarshal(d.Record, &record); err != nil {
					return err
				}
				if named(record.Rules); d.Trial != nil {
					named(d.Trial.Rules)
				}
			}
			if len(open) == 0 {
				return nil
			}
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			return nil
		}
	}
}
