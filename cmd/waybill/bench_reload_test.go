package main

import "testing"

// TestReloadStorm is the run of `waybill bench` in short: no decision is dropped or of mixed version.
func TestReloadStorm(t *testing.T) {
	s, err := newReloadStorm(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.run(t.Context(), 200, reloadDecisions); err != nil {
		t.Fatal(err)
	}
	if s.taken != 100 || s.refused != 100 || s.dropped != 0 || s.mixed != 0 || len(s.took) == 0 {
		t.Errorf("%d taken, %d refused; of %d decisions %d dropped and %d mixed", s.taken, s.refused, len(s.took), s.dropped, s.mixed)
	}
}
