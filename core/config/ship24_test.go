package config_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/config"
)

func ship24(t *testing.T, section string) (*config.Config, error) {
	t.Helper()
	text := strings.NewReplacer("${SECRET}", "x", "  demo:\n", "  demo:\n    ship24: "+section+"\n").Replace(minimal)
	return config.Load(write(t, t.TempDir(), "waybill.yaml", text), env(map[string]string{"HOOK": "s3cret"}))
}

func TestShip24(t *testing.T) {
	c, err := ship24(t, `{ quota: 100, webhook: { url: "https://shop.example/ship24", secret: "${HOOK}" } }`)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Tenants["demo"].Ship24
	if got.Quota != 100 || got.Webhook.URL != "https://shop.example/ship24" || got.Webhook.Secret.Reveal() != "s3cret" {
		t.Errorf("%+v", got)
	}
	if masked, err := c.Masked(nil); err != nil || strings.Contains(string(masked), "s3cret") {
		t.Errorf("%v\n%s", err, masked)
	}
	for section, faults := range map[string][]string{
		`{ quota: -1 }`:                          {"ship24.quota"},
		`{ webhook: {} }`:                        {"ship24.webhook.url", "ship24.webhook.secret"},
		`{ webhook: { url: x, secret: "a b" } }`: {"ship24.webhook.url", "ship24.webhook.secret"},
		`{ webhook: { url: "ftp://a", secret: "` + strings.Repeat("x", 201) + `" } }`: {"ship24.webhook.url", "ship24.webhook.secret"},
		`{ webhook: { url: "https://u:p@a.example", secret: x } }`:                    {"ship24.webhook.url"},
	} {
		_, err := ship24(t, section)
		for _, fault := range faults {
			if err == nil || !strings.Contains(err.Error(), fault) {
				t.Errorf("%s: %v, want a fault at %s", section, err, fault)
			}
		}
	}
}
