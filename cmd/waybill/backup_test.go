package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// command runs bin/waybill and answers its exit code, what it printed, and what it said of errors.
func command(t testing.TB, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	binary, _ := built(t)
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &errs, t.TempDir()
	cmd.Env = append(os.Environ(), env...)
	err := cmd.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode(), out.String(), errs.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String(), errs.String()
}

// withServer writes a copy of a configuration with more members: what is appended to it.
func withMembers(t testing.TB, path, members string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("store:\n"), []byte("store:\n  encryption_key: "+strings.Repeat("5a", 32)+"\n"), 1)
	text = bytes.Replace(text, []byte("server:\n"), []byte("server:\n"+members), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBackupWhileServing copies an encrypted store while orders are being created, with an operator's key, and serves from the
// copy: each order that had been acknowledged before is there, with its label; a tenant's key opens nothing.
func TestBackupWhileServing(t *testing.T) {
	t.Parallel()
	const operator = "wb_an-operators-key"
	sum := sha256.Sum256([]byte(operator))
	cfg := withMembers(t, thirds(t), "  admin_keys: [{ name: ops, sha256: "+hex.EncodeToString(sum[:])+" }]\n")
	d := startDev(t, "--config", cfg)
	id := func(i int) string { return fmt.Sprintf("backup-%03d", i) }
	const before = 12
	for i := range before {
		if code, body := d.Request(t, http.MethodPost, "/shipments", boston(id(i))); code != http.StatusCreated {
			t.Fatalf("%s: %d %s", id(i), code, body)
		}
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := before + w; ; i += 4 {
				select {
				case <-stop:
					return
				default:
					d.Request(t, http.MethodPost, "/shipments", boston(id(i)))
				}
			}
		})
	}
	file := filepath.Join(t.TempDir(), "waybill.backup")
	code, out, errs := command(t, []string{"WAYBILL_ADMIN_KEY=" + operator}, "backup", "--url", d.URL, "-o", file)
	if code != 0 {
		t.Fatalf("backup: %d %s%s", code, out, errs)
	}
	if code, _, errs := command(t, nil, "backup", "--url", d.URL, "--key", devKey, "-o", file+".no"); code != exitFailure || !strings.Contains(errs, "operator") {
		t.Errorf("with a tenant's key: %d %s", code, errs)
	}
	if _, err := os.Stat(file + ".no"); err == nil {
		t.Error("a refused backup has left a file")
	}
	if code, body := request(t, http.MethodGet, d.URL+"/admin/backup", "", ""); code != http.StatusUnauthorized {
		t.Errorf("without a key: %d %.100s", code, body)
	}
	// The folder is in use, and the configuration says where to ask: without a key that is said, not tried.
	if code, _, errs := command(t, nil, "backup", "--config", cfg, "--data", filepath.Join(d.Data, "store"), "-o", file+".no"); code != exitUsage || !strings.Contains(errs, "WAYBILL_ADMIN_KEY") {
		t.Errorf("in use, without a key: %d %s", code, errs)
	}
	close(stop)
	all.Wait()
	copied, err := os.ReadFile(file)
	if err != nil || bytes.Contains(copied, []byte("Albany")) {
		t.Errorf("the copy can be read without the key, or not at all: %v", err)
	}
	if code, _, errs := command(t, nil, "restore", "--config", cfg, "--data", filepath.Join(d.Data, "store"), file); code == 0 {
		t.Errorf("restored over a store in use: %s", errs)
	}
	d.Kill(t)

	data := filepath.Join(t.TempDir(), "again")
	if code, out, errs := command(t, nil, "restore", "--config", cfg, "--data", filepath.Join(data, "store"), file); code != 0 {
		t.Fatalf("restore: %d %s%s", code, out, errs)
	}
	again := startDev(t, "--config", cfg, "--data", data)
	labels := 0
	for i := range before {
		code, body := again.Request(t, http.MethodGet, "/shipments/"+id(i), "")
		a := parseOrder(t, body)
		if code != http.StatusOK || a.Status != "ORDER_DISPATCHED" || a.TrackingID == "" {
			t.Errorf("%s after restoring: %d %s", id(i), code, body)
		}
		if a.Label != "" {
			labels++
			if code, label := again.Request(t, http.MethodGet, "/shipments/"+id(i)+"/label", ""); code != http.StatusOK || len(label) < 100 {
				t.Errorf("%s has no label after restoring: %d, %d bytes", id(i), code, len(label))
			}
		}
	}
	if labels == 0 {
		t.Error("no order has a label: the test shows nothing about labels")
	}
	again.Stop(t)
	// The engine has ended: the same command opens the store itself.
	if code, out, errs := command(t, nil, "backup", "--config", cfg, "--data", filepath.Join(data, "store"), "-o", file+".2"); code != 0 {
		t.Errorf("offline: %d %s%s", code, out, errs)
	}
}

// TestABackupThatBreaksIsNotTakenForAWhole has the engine die while its answer is read.
func TestABackupThatBreaksIsNotTakenForAWhole(t *testing.T) {
	broken := listenAndBreak(t)
	file := filepath.Join(t.TempDir(), "waybill.backup")
	code, _, errs := command(t, nil, "backup", "--url", broken, "--key", "k", "-o", file)
	if code != exitFailure || !strings.Contains(errs, "broke off") {
		t.Errorf("%d %s", code, errs)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) > 0 {
		t.Errorf("a part was kept: %v %v", left, err)
	}
}

// listenAndBreak serves an answer that ends before its end.
func listenAndBreak(t testing.TB) string {
	t.Helper()
	ln, err := listen("test", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "waybill-backup {}\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln)
	}()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return urlOf(ln)
}
