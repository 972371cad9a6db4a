package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

// maxBody is the most that is read from a file or standard input: no engine takes more.
const maxBody = 64 << 20

// kind is a kind of thing that an engine keeps and that commands name by its id.
type kind struct {
	command string // the group of its commands
	what    string // in the middle of a sentence
	arg, id string // an id as usage calls it, and one for examples
	told    string // what shows the note of a status
	path    func(id string, more ...string) string
	show    func(*program, answer) error
}

var (
	orderKind   = kind{"shipments", "an order", "ORDER_ID", "7709-001", "history", shipmentPath, (*program).showShipment}
	trackerKind = kind{"trackers", "a tracker", "TRACKER_ID", "tracker001", "timeline", trackerPath, (*program).showTracker}
)

// one is a command that names one thing, and nothing else.
func (k kind) one(p *program, f *clientFlags, use, short, method, path string, show func(*program, answer) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " " + k.arg, Short: short, Args: cobra.ExactArgs(1), Example: "  waybill " + k.command + " " + use + " " + k.id,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.ask(cmd.Context(), f, method, k.path(args[0], path), nil, show)
		},
	}
}

// status is the command that moves one thing on by hand; the example is of a status.
func (k kind) status(p *program, f *clientFlags, example string) *cobra.Command {
	var body struct {
		Status    string `json:"status"`
		SubStatus string `json:"subStatus,omitempty"`
		Note      string `json:"note,omitempty"`
		Override  bool   `json:"override,omitempty"`
	}
	cmd := &cobra.Command{
		Use: "status " + k.arg + " STATUS", Short: "Move " + k.what + " on by hand, as own drivers do", Args: cobra.ExactArgs(2),
		Example: "  waybill " + k.command + " status " + k.id + " " + example + " --note 'left at 17:05'",
		RunE: func(cmd *cobra.Command, args []string) error {
			body.Status = args[1]
			b, err := json.Marshal(body)
			if err != nil {
				return err
			}
			return p.ask(cmd.Context(), f, http.MethodPost, k.path(args[0], "/status"), b, k.show)
		},
	}
	cmd.Flags().StringVar(&body.SubStatus, "sub-status", "", "what kind of it")
	cmd.Flags().StringVar(&body.Note, "note", "", "what the "+k.told+" says beside it")
	cmd.Flags().BoolVar(&body.Override, "override", false, "set it although the carrier tracks the order itself: it will never say what has happened")
	return cmd
}

// ask sends one request and shows its answer, or prints it as it came.
func (p *program) ask(ctx context.Context, f *clientFlags, method, path string, body []byte, show func(*program, answer) error, headers ...string) error {
	c, err := p.client(f)
	if err != nil {
		return err
	}
	a, err := c.do(ctx, method, path, body, headers...)
	if err != nil {
		if f.raw && len(a.body) > 0 {
			_, werr := fmt.Fprintf(p.out, "%s\n", a.body)
			return errors.Join(err, werr)
		}
		return err
	}
	if f.raw {
		_, err := fmt.Fprintf(p.out, "%s\n", a.body)
		return err
	}
	return show(p, a)
}

// read reads a file, or standard input where it is called "-".
func (p *program) read(file string) ([]byte, error) {
	if file == "" {
		return nil, usageError(errors.New("-f is needed: a file with JSON, or - for standard input"))
	}
	in := p.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, usageError(err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(b) > maxBody {
		return nil, usageError(fmt.Errorf("%s is larger than %d MiB; no engine takes that", file, maxBody>>20))
	}
	if len(b) == 0 {
		return nil, usageError(fmt.Errorf("%s is empty; it should hold a JSON object", file))
	}
	return b, nil
}

// warnings are what an engine says beside an answer that it gives all the same.
type warnings []struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (list warnings) show(t *table) {
	for _, w := range list {
		t.row("warning", w.Message+" ("+w.Code+")")
	}
}

// pages lead to the pages of a list before and after, "" at the ends.
type pages struct {
	Next     string `json:"next"`
	Previous string `json:"previous"`
}

func (v pages) show(out io.Writer) error {
	var err error
	if v.Previous != "" {
		_, err = fmt.Fprintf(out, "previous: --page %s\n", v.Previous)
	}
	if v.Next != "" {
		_, nextErr := fmt.Fprintf(out, "next: --page %s\n", v.Next)
		err = errors.Join(err, nextErr)
	}
	return err
}
