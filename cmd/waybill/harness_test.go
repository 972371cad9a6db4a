package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// repository is the folder that holds go.mod.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

// built returns what `make build` has put into bin, and skips the test where it has not been run.
func built(t testing.TB) (binary, plugins string) {
	t.Helper()
	bin := filepath.Join(repository(t), "bin")
	binary, plugins = filepath.Join(bin, "waybill"), filepath.Join(bin, "plugins")
	for _, path := range []string{binary, filepath.Join(plugins, "waybill-carrier-ups"), filepath.Join(plugins, "waybill-carrier-doordash"),
		filepath.Join(plugins, "waybill-carrier-selfdelivery")} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("SKIPPED, NOTHING WAS TESTED: %s is missing; run `make build` first", path)
		}
	}
	return binary, plugins
}

// devProcess is a `waybill dev` of its own.
type devProcess struct {
	URL    string // of the API
	SimURL string // of the simulator, without /_sim/
	Key    string
	Data   string // its data folder; another devProcess may go on with it
	PID    int

	cmd    *exec.Cmd
	ended  chan struct{}
	err    error // of Wait; read after ended
	output *lockedBuffer
}

// lockedBuffer is what a process has printed so far.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startDev runs bin/waybill dev on free ports with its data in a folder of the test, waits until it takes orders, and ends it with
// the test. More arguments are appended: "--data", d goes on with the data of an earlier one.
func startDev(t testing.TB, args ...string) *devProcess {
	t.Helper()
	binary, _ := built(t)
	// Nothing moves by itself, unless the test wants it.
	d, err := launch(binary, t.TempDir(), os.Environ(), append([]string{"dev", "--listen", "127.0.0.1:0", "--sim-listen", "127.0.0.1:0",
		"--profile", "doordash=doordash-manual", "--profile", "ups=manual", "--data", filepath.Join(t.TempDir(), "data")}, args...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Stop(t)
		if t.Failed() {
			t.Logf("waybill dev printed:\n%s", d.output)
		}
	})
	d.Key = devKey
	for i, a := range d.cmd.Args {
		if a == "--data" {
			d.Data = d.cmd.Args[i+1]
		}
	}
	return d
}

// launch starts a command that runs until it is told to end, and waits until it is ready.
func launch(binary, dir string, env, args []string) (*devProcess, error) {
	d := &devProcess{ended: make(chan struct{}), output: &lockedBuffer{}}
	d.cmd = exec.Command(binary, args...)
	d.cmd.Dir, d.cmd.Env = dir, env
	d.cmd.Stdout, d.cmd.Stderr = d.output, d.output
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	d.PID = d.cmd.Process.Pid
	go func() {
		d.err = d.cmd.Wait()
		close(d.ended)
	}()
	if err := d.waitReady(); err != nil {
		return nil, errors.Join(err, d.end(syscall.SIGKILL))
	}
	return d, nil
}

var (
	apiLine = regexp.MustCompile(`(?m)^API +(http://\S+)`)
	simLine = regexp.MustCompile(`(?m)^Simulator +(http://\S+?)/_sim/`)
	// what `waybill serve` logs
	readyLine = regexp.MustCompile(`ready: listen=(\S+)`)
)

// waitReady waits for the addresses that the command prints, and for the engine where there is one.
func (d *devProcess) waitReady() error {
	err := d.wait("its addresses", func() bool {
		out := d.output.String()
		if ready := readyLine.FindStringSubmatch(out); ready != nil {
			d.URL = "http://" + ready[1]
			return true
		}
		sim := simLine.FindStringSubmatch(out)
		if sim == nil {
			return false
		}
		d.SimURL = sim[1]
		if api := apiLine.FindStringSubmatch(out); api != nil {
			d.URL = api[1]
		}
		return true
	})
	if err != nil || d.URL == "" {
		return err
	}
	return d.wait("/readyz", func() bool {
		res, err := http.Get(d.URL + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode == http.StatusOK
	})
}

// patient is how long a process may take to start, to end, or to do what a test waits for. It only ends what would never end: on a busy
// machine everything takes long.
const patient = 3 * time.Minute

// wait looks until it is so, the process ends, or patience does.
func (d *devProcess) wait(what string, so func() bool) error {
	late := time.After(patient)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-d.ended:
			return fmt.Errorf("waybill ended (%v) before %s was there; it printed:\n%s", d.err, what, d.output)
		case <-late:
			return fmt.Errorf("%s was not there within %v; waybill printed:\n%s", what, patient, d.output)
		}
	}
	return nil
}

// Stop asks the process to end and waits for it. It may be called again.
func (d *devProcess) Stop(t testing.TB) {
	t.Helper()
	d.endWith(t, syscall.SIGTERM)
}

// Kill kills the process, as a crash of the machine would, and waits for its end. Its adapters end by themselves.
func (d *devProcess) Kill(t testing.TB) {
	t.Helper()
	d.endWith(t, syscall.SIGKILL)
}

func (d *devProcess) endWith(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := d.end(sig); err != nil {
		t.Error(err)
	}
}

func (d *devProcess) end(sig syscall.Signal) error {
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal waybill: %w", err)
	}
	select {
	case <-d.ended:
	case <-time.After(patient):
		_ = d.cmd.Process.Kill()
		<-d.ended
		return fmt.Errorf("waybill did not end within %v of signal %v; it printed:\n%s", patient, sig, d.output)
	}
	return nil
}

// Request sends a request with the key of dev and returns status and body. The body may be "".
func (d *devProcess) Request(t testing.TB, method, path, body string) (int, []byte) {
	t.Helper()
	return request(t, method, d.URL+path, body, d.Key)
}

// Sim sends a request to the simulator's control API: path is what follows /_sim.
func (d *devProcess) Sim(t testing.TB, method, path, body string) (int, []byte) {
	t.Helper()
	return request(t, method, d.SimURL+"/_sim"+path, body, "")
}

func request(t testing.TB, method, url, body, key string) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("x-api-key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res.StatusCode, b
}

// Adapters returns the process ids of the adapters that this dev runs, by name: "ups", "doordash", "selfdelivery". It needs /proc.
func (d *devProcess) Adapters(t testing.TB) map[string]int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: finding the adapters of a process needs /proc")
	}
	found, err := adaptersOf(d.PID)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// closedAddress returns an address of this machine at which nobody listens.
func closedAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
