//go:build !race && linux

package carrierhost

import (
	"context"
	"testing"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

func TestAnAdapterThatLeaksDiesAlone(t *testing.T) {
	h := runHost(t, install(t, "hello"), func(c *Config) { c.Memory = 160 << 20 }, nil,
		scriptOf("leak", "hello", `{"do":"leak"}`), scriptOf("good", "hello", `{}`))
	ready(t, h)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := account(t, h, "leak").Book(ctx, carrier.BookRequest{})
	if e := carrier.AsError(err); err == nil || e.Code != carrier.AdapterDied || e.Effect != carrier.EffectUnknown {
		t.Errorf("the call that leaked: %v", err)
	}
	if _, err := account(t, h, "good").Book(ctx, carrier.BookRequest{}); err != nil {
		t.Errorf("another account afterwards: %v", err)
	}
	if d := h.Status()[0].LastDeath; d == nil || d.Cause != CauseMemory || d.Code == 0 {
		t.Errorf("death %+v", d)
	}
}
