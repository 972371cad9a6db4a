package carrierhost

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAnExchangedBinaryIsNotStartedAgain exchanges a locked binary while its process runs: the process that was checked goes on,
// and no other follows it.
func TestAnExchangedBinaryIsNotStartedAgain(t *testing.T) {
	dir := install(t, "hello")
	path := filepath.Join(dir, Prefix+"hello")
	h := runHost(t, dir, func(c *Config) { c.Lock = lockOf(t, dir, "hello") }, nil, scriptOf("a", "hello", `{}`))
	ready(t, h)
	s := h.Status()[0]
	if s.State != Ready {
		t.Fatalf("a locked adapter is %s, death %+v", s.State, s.LastDeath)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path+".new", append(binary, 0), 0o700), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s = await(t, h, Quarantined)
	if s.LastDeath.Cause != CauseChecksum || strings.Count(s.LastDeath.Detail, "sha256 ") != 2 {
		t.Errorf("death: %+v", s.LastDeath)
	}
}
