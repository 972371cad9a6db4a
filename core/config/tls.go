package config

import (
	"crypto/tls"
	"fmt"
	"os"
	"time"
)

// checkTLS reads what the API is to be served with, so that what does not fit is told before anything is opened.
func checkTLS(c *Config, at reporter) {
	t := c.Server.TLS
	if t == nil || t.Cert == "" && t.Key == "" {
		return
	}
	if t.Cert == "" || t.Key == "" {
		at("server.tls", "give both or neither", "cert and key belong together")
		return
	}
	const where = "a relative file is meant from the configuration file"
	cert, errCert := os.ReadFile(t.Cert)
	if errCert != nil {
		at("server.tls.cert", where, "the certificate cannot be read: %v", errCert)
	}
	key, errKey := os.ReadFile(t.Key)
	if errKey != nil {
		at("server.tls.key", where, "the key of the certificate cannot be read: %v", errKey)
	}
	if errCert != nil || errKey != nil {
		return
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		at("server.tls", "both are PEM files; the certificate comes first, then those that have signed it", "%s and %s are no certificate and its key: %v", t.Cert, t.Key, err)
		return
	}
	c.certified = pair.Leaf.NotAfter
}

// soon is how long before its end a certificate is worth a word.
const soon = 14 * day

// Warnings are what is good enough to serve with, and what a person should look at all the same.
func (c *Config) Warnings(now time.Time) []string {
	var out []string
	if end := c.certified; !end.IsZero() && !now.Before(end) {
		out = append(out, fmt.Sprintf("the certificate %s has expired at %s; callers will refuse it until it is renewed", c.Server.TLS.Cert, end.UTC().Format(time.RFC3339)))
	} else if !end.IsZero() && !now.Add(soon).Before(end) {
		out = append(out, fmt.Sprintf("the certificate %s expires at %s; renew it, and start the engine again", c.Server.TLS.Cert, end.UTC().Format(time.RFC3339)))
	}
	return out
}
