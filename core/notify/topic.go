package notify

import (
	"slices"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Topics that are no status. All others are "shipment." or "tracker." and a status in lower case, begin with "return.",
// or are TopicNotice.
const (
	TopicTest          = "webhook.test"        // to one subscription, on request
	TopicPaused        = "subscription.paused" // a subscription of the tenant has failed for days
	TopicCommunication = "communication.sent"  // a buyer was told
)

// known reports whether a subscription may name a topic: a whole one, or a kind with ".*", or "*".
func known(topic string) bool {
	kind, rest, ok := strings.Cut(topic, ".")
	switch {
	case topic == "*" || topic == TopicPaused || topic == TopicCommunication || topic == TopicNotice:
		return true
	case !ok || !slices.Contains([]string{"shipment", "tracker", "return", "subscription", "communication", "rules"}, kind):
		return false
	case rest == "*":
		return true
	case kind == "shipment" || kind == "tracker":
		return rest == strings.ToLower(rest) && slices.Contains(shipping.Statuses, shipping.Status(strings.ToUpper(rest)))
	}
	return kind == "return" && rest != "" && !strings.ContainsFunc(rest, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
}

// wanted reports whether one of the patterns asks for a topic.
func wanted(patterns []string, topic string) bool {
	for _, p := range patterns {
		if p == "*" || p == topic {
			return true
		}
		if kind, ok := strings.CutSuffix(p, "*"); ok && strings.HasPrefix(topic, kind) {
			return true
		}
	}
	return false
}

// interest is which topics somebody of each tenant wants to be told about, so that an event that nobody asks for costs nothing.
type interest struct {
	mu    sync.RWMutex
	known map[string][]string // by tenant; a tenant that is not here may want anything
}

func newInterest() *interest { return &interest{known: map[string][]string{}} }

func (i *interest) set(tenant string, topics []string) {
	slices.Sort(topics)
	topics = slices.Compact(topics)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.known[tenant] = topics
}

func (i *interest) wants(tenant, topic string) bool {
	i.mu.RLock()
	defer i.mu.RUnlock()
	topics, ok := i.known[tenant]
	return !ok || wanted(topics, topic)
}
