package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/node"
	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/doordash"
	"github.com/waybill-dev/waybill/simulator/ups"
)

// child is a process of the bench: this program again, under a command of its own. It says its address on standard output and
// ends when its standard input does.
type child struct {
	name    string
	address string
	cmd     *exec.Cmd
	stdin   io.Closer
	log     string
}

// childStart bounds how long a child may take to say its address.
const childStart = 60 * time.Second

// start runs `waybill bench <name> args…`.
func (b *bench) start(ctx context.Context, name string, args ...string) (*child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: name, log: filepath.Join(b.dir, name+".log")}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	c.cmd = exec.Command(exe, append([]string{"bench", name}, args...)...)
	c.cmd.Stderr = log
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	said := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n') // "" where it ends without a word
		said <- strings.TrimSpace(line)
	}()
	limit := time.NewTimer(childStart)
	defer limit.Stop()
	select {
	case c.address = <-said:
	case <-limit.C:
	case <-ctx.Done():
	}
	if c.address == "" {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait() // why it ended is in its log
		return nil, fmt.Errorf("%s did not start: %s", name, tail(c.log))
	}
	return c, nil
}

// stop ends the child and waits until it is gone.
func (c *child) stop() error {
	kill := time.AfterFunc(30*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	if err := errors.Join(c.stdin.Close(), c.cmd.Wait()); err != nil {
		return fmt.Errorf("%s: %w: %s", c.name, err, tail(c.log))
	}
	return nil
}

// tail is the end of a log.
func tail(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-2000):])
}

// whileParent returns a context that ends with standard input.
func whileParent(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // however it ends, nobody is there any more
		cancel()
	}()
	return ctx
}

// profiled runs f, and writes profiles of it to a folder where one is named.
func profiled(dir, name string, f func() error) error {
	if dir == "" {
		return f()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cpu, err := os.Create(filepath.Join(dir, name+".cpu.pprof"))
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return errors.Join(err, cpu.Close())
	}
	err = f()
	pprof.StopCPUProfile()
	heap, failed := os.Create(filepath.Join(dir, name+".heap.pprof"))
	if failed != nil {
		return errors.Join(err, failed, cpu.Close())
	}
	return errors.Join(err, pprof.WriteHeapProfile(heap), heap.Close(), cpu.Close())
}

func newBenchEngineCmd() *cobra.Command {
	file, profiles := "", ""
	cmd := &cobra.Command{Use: "engine", Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return profiled(profiles, "engine", func() error {
			log := hclog.New(&hclog.LoggerOptions{Name: "waybill", Level: hclog.Info, Output: os.Stderr})
			return runEngine(whileParent(cmd.Context()), file, node.Settings{Log: log}, func(n *node.Node, address string) error {
				if err := n.Warm(cmd.Context()); err != nil {
					return err
				}
				_, err := fmt.Println(address)
				return err
			})
		})
	}}
	cmd.Flags().StringVar(&file, "config", "", "")
	cmd.Flags().StringVar(&profiles, "profiles", "", "")
	return cmd
}

// runEngine runs one node until ctx ends; use is called when it serves.
func runEngine(ctx context.Context, file string, s node.Settings, use func(n *node.Node, address string) error) error {
	watcher, err := config.Watch(file, os.LookupEnv, nil, s.Log)
	if err != nil {
		return err
	}
	s.Config, s.Version = watcher, "bench"
	n, err := node.Open(s)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, n.Close())
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.Run(ctx, ln) })
	g.Go(func() error { return use(n, ln.Addr().String()) })
	return errors.Join(g.Wait(), n.Close())
}

func newBenchSimulatorCmd() *cobra.Command {
	profiles := ""
	cmd := &cobra.Command{Use: "simulator", Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return profiled(profiles, "simulator", func() error { return runSimulator(whileParent(cmd.Context())) })
	}}
	cmd.Flags().StringVar(&profiles, "profiles", "", "")
	return cmd
}

func runSimulator(ctx context.Context) error {
	brown, err := ups.New(ups.Config{})
	if err != nil {
		return err
	}
	red, err := doordash.New(doordash.Config{})
	if err != nil {
		return err
	}
	sim, err := simulator.New(simulator.Config{Dialects: []simulator.Dialect{brown, red}})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Println(ln.Addr()); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return sim.Run(ctx) })
	g.Go(func() error { return sim.Serve(ctx, ln) })
	return g.Wait()
}

// echoBytes are a rate request and its answer of common size: one is answered with the other.
const (
	echoRequest = 995
	echoAnswer  = 1143
)

func newBenchEchoCmd() *cobra.Command {
	socket := ""
	cmd := &cobra.Command{Use: "echo", Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return serveEcho(whileParent(cmd.Context()), socket)
	}}
	cmd.Flags().StringVar(&socket, "socket", "", "")
	return cmd
}

// serveEcho answers each request on a unix socket with as many bytes as a rate answer has, until ctx ends.
func serveEcho(ctx context.Context, socket string) error {
	ln, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if _, err := fmt.Println(socket); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = ln.Close() })
	answer := make([]byte, echoAnswer)
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			request := make([]byte, echoRequest)
			for {
				if _, err := io.ReadFull(conn, request); err != nil {
					return // the other side has left
				}
				if _, err := conn.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}
