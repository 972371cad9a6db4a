package carriertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

var processChecks = []Check{
	{"process_speaks_first_line_only", "With an environment of nothing but the handshake's, the process prints the handshake line on stdout and nothing else.", "", checkFirstLine},
	{"process_ends_with_its_host", "The process ends when the pipe on file descriptor 3 does.", "", checkLifeline},
}

// launched is an adapter process without go-plugin around it, as carrier.proto describes it.
type launched struct {
	cmd      *exec.Cmd
	lifeline *os.File
	stdout   *bufio.Reader
	ended    chan error
	clean    func()
}

func (s Subject) launch(ctx context.Context) (*launched, error) {
	if s.Path == "" {
		return nil, skip{"the adapter is not a process of its own"}
	}
	dir, clean, err := tempDir()
	if err != nil {
		return nil, err
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		clean()
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.CommandContext(ctx, s.Path)
	cmd.Dir, cmd.ExtraFiles = dir, []*os.File{theirs}
	cmd.Env = []string{"WAYBILL_CARRIER=carrier.v1", "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + dir, "WAYBILL_LIFELINE=3"}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		clean()
		_ = ours.Close()
		return nil, err
	}
	return &launched{cmd: cmd, lifeline: ours, stdout: bufio.NewReader(out), ended: make(chan error, 1), clean: clean}, nil
}

func (l *launched) stop() {
	_ = l.lifeline.Close()
	_ = l.cmd.Process.Kill() // it may have ended
	_ = l.cmd.Wait()         // killed
	l.clean()
}

// handshake reads the line that starts the protocol.
func (l *launched) handshake() error {
	line, err := l.stdout.ReadString('\n')
	if err != nil {
		return fmt.Errorf("no handshake on stdout: %w", err)
	}
	if parts := strings.Split(strings.TrimSpace(line), "|"); len(parts) < 5 || parts[0] != "1" || parts[1] != "1" || parts[4] != "grpc" {
		return fmt.Errorf("the first line on stdout is %q, want 1|1|unix|<socket>|grpc|", strings.TrimSpace(line))
	}
	return nil
}

func checkFirstLine(ctx context.Context, s Subject) error {
	l, err := s.launch(ctx)
	if err != nil {
		return err
	}
	defer l.stop()
	if err := l.handshake(); err != nil {
		return err
	}
	if err := l.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("the process ended by itself: %w", err)
	}
	rest, err := io.ReadAll(l.stdout)
	if err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("after the handshake stdout has %.100q", rest)
	}
	return nil
}

// lifelineWait is long beside the milliseconds that an end takes, since a program that was built with the race detector takes a
// second to leave.
const lifelineWait = 5 * time.Second

func checkLifeline(ctx context.Context, s Subject) error {
	l, err := s.launch(ctx)
	if err != nil {
		return err
	}
	defer l.stop()
	if err := l.handshake(); err != nil {
		return err
	}
	if err := l.lifeline.Close(); err != nil {
		return err
	}
	eof := make(chan struct{})
	go func() {
		defer close(eof)
		_, _ = io.Copy(io.Discard, l.stdout) // ends when the process does
	}()
	select {
	case <-eof:
		return nil
	case <-time.After(lifelineWait):
		_ = l.cmd.Process.Kill()
		<-eof
		return fmt.Errorf("the process still runs %v after its host's end of the pipe was closed", lifelineWait)
	}
}
