package store

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Tracking is the part of the store that keeps trackers and what pushes have said of numbers that nobody follows.
type Tracking interface {
	Tracker(ctx context.Context, tenant string, id tracker.ID) (*tracker.Tracker, error)
	// TrackerByName finds the tenant's one tracker with this name (tracker.Name).
	TrackerByName(ctx context.Context, tenant, name string) (*tracker.Tracker, error)
	// TrackersByTag returns the tenant's trackers with this tag, oldest first, at most limit.
	TrackersByTag(ctx context.Context, tenant, tag string, limit int) ([]*tracker.Tracker, error)
	// TrackersByTags returns those with any of the tags, each once, oldest first, at most limit of each tag.
	TrackersByTags(ctx context.Context, tenant string, tags []string, limit int) ([]*tracker.Tracker, error)
	ListTrackers(ctx context.Context, tenant string, q TrackerQuery) (TrackerPage, error)
	// TrackersDue returns the trackers of an account whose NextPoll has come, earliest first, at most limit, and when the next
	// one after these is due; zero where there is none.
	TrackersDue(ctx context.Context, tenant, account string, now time.Time, limit int) (due []*tracker.Tracker, next time.Time, err error)
	// Parked returns what was pushed to an account under a number or reference while nobody followed it, oldest first.
	Parked(ctx context.Context, tenant, account, key string) ([]Parked, error)
}

// TrackerQuery asks for a page of trackers by creation, then by id. Page by Cursor, or by Offset where a surface counts pages; with a
// Cursor, Offset is not looked at.
type TrackerQuery struct {
	Surface   tracker.Surface   // only those of this surface; "": of all
	Tag       string            // only those with this tag
	Statuses  []shipping.Status // only those that stand at one of these; none: at any
	Limit     int               // 0: DefaultLimit
	Offset    int               // how many of the first to pass over
	Ascending bool              // oldest first; else newest first
	Cursor    string
}

// TrackerPage is a page of an answer. Tokens are "" at the ends.
type TrackerPage struct {
	Trackers []*tracker.Tracker
	Next     string
	Previous string
}

// Parked is an update that a carrier pushed about something that nobody follows yet.
type Parked struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Keys    []string  `json:"keys"` // numbers and references it may be found by
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"` // Sweep removes it then
	Update  []byte    `json:"update"`  // carrier.TrackUpdate as JSON
}
