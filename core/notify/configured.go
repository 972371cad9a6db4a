package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/store"
)

// ship24ID is the id of the webhook that the ship24 section of a tenant's configuration describes.
const ship24ID = "ship24-config"

// planShip24 makes the configured webhook of the Ship24 surface what the configuration says. It is shown and can be paused, tested and
// read about as others; what is set by hand or by a receiver's 410 stays until the configuration changes. One that begins hears of what
// happens from now on, one whose URL or secret changes goes on where it was.
func (s *Service) planShip24(ctx context.Context, t *config.Tenant) error {
	have, err := s.Store.Subscription(ctx, t.ID, ship24ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the configured webhook of tenant %s: %w", t.ID, err)
	}
	w, now := t.Ship24.Webhook, s.Clock.Now()
	tx := &store.Tx{Now: now}
	switch {
	case w == nil && err != nil:
		return nil
	case w == nil:
		tx.DropSubscriptions = []string{ship24ID}
	default:
		mark := sha256.Sum256([]byte(w.URL + "\n" + w.Secret.Reveal()))
		said := []byte(hex.EncodeToString(mark[:]))
		if err == nil && slices.Equal(have.Extra, said) {
			return nil
		}
		sub := &store.Subscription{ID: ship24ID, Tenant: t.ID, Shape: ShapeShip24, Topics: []string{"tracker.*"}, CreatedBy: "configuration", CreatedAt: now}
		if err == nil {
			sub = have
		} else {
			end, err := s.Store.LogEnd(ctx, t.ID)
			if err != nil {
				return fmt.Errorf("read the end of the log of tenant %s: %w", t.ID, err)
			}
			tx.Cursors = []store.Cursor{{Subscription: ship24ID, Position: end}}
		}
		sub.URL, sub.Bearer, sub.Extra, sub.State, sub.Reason, sub.UpdatedAt = w.URL, w.Secret.Reveal(), said, Active, "", now
		tx.Subscriptions = []*store.Subscription{sub}
	}
	if err := s.write(ctx, t.ID, "configured", tx); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("write the configured webhook of tenant %s: %w", t.ID, err)
	}
	return nil
}
