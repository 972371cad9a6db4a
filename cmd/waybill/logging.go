package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// logFlags are the flags of every command that runs for long.
type logFlags struct {
	level string // "" leaves it to whoever opens the log
	json  bool
}

var logLevels = []string{"trace", "debug", "info", "warn", "error"}

func (f *logFlags) add(cmd *cobra.Command, usual string) {
	cmd.Flags().StringVar(&f.level, "log-level", "", "how much to log: "+strings.Join(logLevels, ", ")+" (default "+usual+")")
	cmd.Flags().BoolVar(&f.json, "log-json", false, "log JSON lines")
}

// open returns the log, at the level of the flag, else at the given one.
func (f *logFlags) open(p *program, level string) (hclog.Logger, error) {
	if f.level != "" {
		if !slices.Contains(logLevels, f.level) {
			return nil, usageError(fmt.Errorf("--log-level %q is not a level; use %s", f.level, strings.Join(logLevels, ", ")))
		}
		level = f.level
	}
	colour := hclog.ColorOff
	if p.colour(p.err) {
		colour = hclog.ForceColor
	}
	return hclog.New(&hclog.LoggerOptions{Name: "waybill", Level: hclog.LevelFromString(level), Output: p.err, JSONFormat: f.json, Color: colour}), nil
}

// terminal reports whether a person sees what is written to w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colour reports whether what is written to w should be coloured: it is a terminal, and nobody has asked for none
// (https://no-color.org).
func (p *program) colour(w io.Writer) bool {
	none, _ := p.getenv("NO_COLOR")
	dumb, _ := p.getenv("TERM")
	return terminal(w) && none == "" && dumb != "dumb"
}
