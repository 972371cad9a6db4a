package main

import (
	"os"
	"testing"

	"github.com/waybill-dev/waybill/sdk/carriertest"
)

// TestConformance checks the contract in this program and on a process. The checks of a misbehaving carrier are skipped: own
// drivers have none.
func TestConformance(t *testing.T) {
	config := []byte(`{"currency": "USD", "fee": {"flat": 4.50, "per_km": 0.5}, "zone": {"radius_km": 10}}`)
	ownDrivers := carriertest.Fake{Requests: func() int { return 0 }}
	t.Run("in process", func(t *testing.T) { carriertest.Run(t, carriertest.Of(adapter, config, ownDrivers)) })
	t.Run("binary", func(t *testing.T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		carriertest.Run(t, carriertest.Binary(self, config, ownDrivers))
	})
}
