package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/config"
)

// certificate writes name.pem and name.key, good until end.
func certificate(t *testing.T, dir, name string, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: end.AddDate(-1, 0, 0), NotAfter: end}
	signed, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: signed}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLSIsReadWithTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	end := time.Date(2027, 3, 8, 9, 0, 0, 0, time.UTC)
	certificate(t, dir, "good", end)
	certificate(t, dir, "other", end)
	load := func(tls string) (*config.Config, error) {
		return config.Load(write(t, dir, "waybill.yaml", "server: { tls: "+tls+" }\ntenants: { shop: { currency: USD } }\n"), env(nil))
	}
	c, err := load("{ cert: good.pem, key: good.key }")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Server.TLS; got.Cert != filepath.Join(dir, "good.pem") || got.Key != filepath.Join(dir, "good.key") {
		t.Errorf("files are meant from the configuration's folder, not %+v", got)
	}
	for now, words := range map[time.Time]string{end.AddDate(0, -1, 0): "", end.AddDate(0, 0, -3): "expires at 2027-03-08", end: "has expired"} {
		got := strings.Join(c.Warnings(now), "\n")
		if words == "" && got != "" || !strings.Contains(got, words) {
			t.Errorf("at %v: %q, want %q", now, got, words)
		}
	}
	for tls, words := range map[string][]string{
		"{ cert: /nonexistent/cert.pem, key: nowhere.key }": {"server.tls.cert: the certificate cannot be read", "server.tls.key: the key of the certificate cannot be read"},
		"{ cert: good.pem, key: other.key }":                {"server.tls: ", "does not match"},
		"{ cert: good.key, key: good.pem }":                 {"server.tls: ", "are no certificate and its key"},
		"{ cert: good.pem }":                                {"cert and key belong together"},
	} {
		_, err := load(tls)
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v; it lacks %q", tls, err, w)
			}
		}
	}
}
