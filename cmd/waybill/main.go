// Command waybill is the one binary: it serves the engine, runs it together with the simulator, and is its client on the command
// line. Every command is a file here; what they do is in the packages below core, rules and simulator.
//
// Exit codes: 0 done, 1 failed or refused by the API, 2 used wrongly or configured wrongly, 3 no connection to the engine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitFailure    = 1
	exitUsage      = 2
	exitConnection = 3
)

// version is set by a release build: -ldflags "-X main.version=1.2.3".
var version = "dev"

// program is what a run of the command line works with.
type program struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) (string, bool)
}

// exitError is an error that has an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usageError is a mistake of whoever typed the command or wrote the configuration.
func usageError(err error) error { return &exitError{exitUsage, err} }

func main() { os.Exit(run()) }

// run runs the command line of this process.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.LookupEnv}
	return p.execute(ctx, os.Args[1:])
}

// execute runs one command and tells its error, if it has one.
func (p *program) execute(ctx context.Context, args []string) int {
	root, started := newRoot(p)
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(p.err, "waybill: %v\n", err)
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if !*started { // the command line itself was refused
		fmt.Fprintf(p.err, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailure
}
