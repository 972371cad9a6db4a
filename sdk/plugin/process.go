package plugin

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/waybill-dev/waybill/sdk/carrier"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
	"github.com/waybill-dev/waybill/sdk/internal/wire"
)

// Process is a running adapter. It may be used concurrently. Once it has ended it stays ended: a restart is a new Dial.
type Process struct {
	client   pb.CarrierClient
	manifest carrier.Manifest
	has      map[carrier.Ability]bool
	now      func() time.Time
	done     <-chan struct{}

	cmd    *exec.Cmd // nil in a loopback
	remote *goplugin.Client
	cancel func() // ends a loopback
	files  runFiles

	stopOnce sync.Once
	stopped  chan struct{}
}

// runFiles is what a process leaves behind.
type runFiles struct {
	dir      string
	lifeline *os.File // the end that the host holds
}

func (f runFiles) remove() {
	if f.lifeline != nil {
		_ = f.lifeline.Close() // closed already when stopped twice
	}
	if f.dir != "" {
		_ = os.RemoveAll(f.dir) // a folder that stays is swept with the next start
	}
}

// Exit says how a process ended. It is zero while the process runs.
type Exit struct {
	Exited bool
	Code   int            // -1 where a signal ended it
	Signal syscall.Signal // 0 where none did
}

// String is for people and logs: "exit code 2", "signal killed".
func (e Exit) String() string {
	switch {
	case !e.Exited:
		return "running"
	case e.Signal != 0:
		return "signal " + e.Signal.String()
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Manifest is what the adapter declares about itself.
func (p *Process) Manifest() carrier.Manifest { return p.manifest }

// OpenRequest names an account and its configuration.
type OpenRequest struct {
	AccountID string
	Config    []byte // JSON, secrets resolved
	Retired   bool   // no quotes any more; cancels and tracks what is booked
}

// Open makes an account ready for calls. Opening one again replaces its configuration; calls under way end with the old one.
// A faulty configuration is a *carrier.Error with Code ConfigInvalid and the member's path in Field.
func (p *Process) Open(ctx context.Context, r OpenRequest) (*Account, error) {
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	if _, err := p.client.Open(ctx, &pb.OpenRequest{AccountId: r.AccountID, Config: r.Config, Retired: r.Retired}); err != nil {
		return nil, p.failed(ctx, err, read)
	}
	return &Account{process: p, id: r.AccountID}, nil
}

// Close forgets an account. Closing one that is not open is no error.
func (p *Process) Close(ctx context.Context, accountID string) error {
	if err := p.ready(ctx); err != nil {
		return err
	}
	if _, err := p.client.Close(ctx, &pb.CloseRequest{AccountId: accountID}); err != nil {
		return p.failed(ctx, err, read)
	}
	return nil
}

// Health answers while the process is able to.
func (p *Process) Health(ctx context.Context) error {
	if err := p.ready(ctx); err != nil {
		return err
	}
	if _, err := p.client.Health(ctx, &pb.HealthRequest{}); err != nil {
		return p.failed(ctx, err, read)
	}
	return nil
}

// Done is closed when the process has ended, a few milliseconds after it did.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended.
func (p *Process) Exit() Exit {
	select {
	case <-p.done:
	default:
		return Exit{}
	}
	if p.cmd == nil || p.cmd.ProcessState == nil {
		return Exit{Exited: true}
	}
	return exitOf(p.cmd.ProcessState)
}

func exitOf(s *os.ProcessState) Exit {
	e := Exit{Exited: true, Code: s.ExitCode()}
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		e.Signal = w.Signal()
	}
	return e
}

// PID is the process id, 0 for a loopback.
func (p *Process) PID() int {
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Stop ends the process: asks it to shut down, kills it and everything it has started where it does not, and removes what it
// left. Calls under way are lost; whoever wants to keep them waits for them first. When ctx ends, the process is killed at
// once. Stop may be called again, also after the process has ended by itself, which must be followed by a Stop to clean up.
func (p *Process) Stop(ctx context.Context) error {
	p.stopOnce.Do(func() { go p.stop() })
	select {
	case <-p.stopped:
	case <-ctx.Done():
		p.killGroup()
		<-p.stopped
	}
	return nil
}

func (p *Process) stop() {
	defer close(p.stopped)
	if p.cancel != nil {
		p.cancel()
	}
	if p.remote != nil {
		shut := make(chan struct{})
		go func() {
			defer close(shut)
			p.remote.Kill()
		}()
		select {
		case <-shut:
		case <-p.done:
			p.killGroup()
			<-shut
		case <-time.After(3 * time.Second):
			// A grandchild that holds the pipes keeps go-plugin waiting for their end.
			p.killGroup()
			<-shut
		}
	}
	p.killGroup()
	p.files.remove()
}

// killGroup ends the process and whatever it has started; the group exists as long as any of them does.
func (p *Process) killGroup() {
	if pid := p.PID(); pid > 0 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // no such group: nothing is left
	}
}

// describe asks the adapter what it is.
func (p *Process) describe(ctx context.Context) error {
	m, err := p.client.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		return fmt.Errorf("ask for the manifest: %w", err)
	}
	p.manifest = wire.FromManifest(m)
	p.has = map[carrier.Ability]bool{}
	for _, a := range p.manifest.Abilities {
		p.has[a] = true
	}
	return nil
}
