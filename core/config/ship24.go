package config

import (
	"net/url"
	"strings"
)

// Ship24 is what a tenant would set for its account in Ship24's dashboard, for the Ship24 surface.
type Ship24 struct {
	// Webhook is told every new event of the tenant's trackers of this surface. More webhooks are made with POST /webhooks.
	Webhook *Ship24Webhook `yaml:"webhook"`
	// Quota is how many trackers may be created in a calendar month of UTC; 0 for as many as one likes.
	Quota int64 `yaml:"quota"`
}

// Ship24Webhook is a subscriber who is known by the configuration alone.
type Ship24Webhook struct {
	URL    string `yaml:"url"`
	Secret Secret `yaml:"secret"` // sent as Authorization: Bearer, as Ship24 does
}

// maxBearer is what a header is sure to take.
const maxBearer = 200

func checkShip24(c *Ship24, path string, at reporter) {
	if c.Quota < 0 {
		at(path+".quota", "0 is no limit", "must not be below 0")
	}
	w := c.Webhook
	if w == nil {
		return
	}
	if u, err := url.Parse(w.URL); err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "" {
		at(path+".webhook.url", "write it as https://host/path", "is not a URL that webhooks can be sent to")
	}
	secret := w.Secret.Reveal()
	if secret == "" || len(secret) > maxBearer || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		at(path+".webhook.secret", "write it as ${SHIP24_WEBHOOK_SECRET}", "must be 1 to %d visible ASCII characters: it proves to the receiver who sends", maxBearer)
	}
}
