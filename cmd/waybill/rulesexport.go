package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// exportFlags are the flags of commands that read the decisions of a running engine.
type exportFlags struct {
	client clientFlags
	since  string
	out    string
}

func newRulesExportCmd(p *program) *cobra.Command {
	f := &exportFlags{}
	cmd := &cobra.Command{
		Use: "export --since 30d --out FILE", Short: "Save the decisions of past orders, for a backtest", Args: cobra.NoArgs,
		Long: "Save the decisions of past orders of a running engine, one a line, in the form that `waybill rules backtest` reads. The records hold\n" +
			"what the rules saw: no name, phone number, e-mail address or street, but where rules say env: { pii: true }.",
		Example: "  waybill rules export --since 30d --out orders.jsonl && waybill rules backtest --orders orders.jsonl --new rules\n" +
			"  waybill rules export --since 2026-03-01 --out - | waybill rules backtest --orders - --new rules",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.out == "" {
				return usageError(errors.New("--out is needed: a file for the decisions, or - for standard output"))
			}
			return p.save(f.out, func(w io.Writer) error { return p.exportDecisions(cmd.Context(), f, w) })
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.out, "out", "", "file to write, replaced when it is whole; - for standard output")
	return cmd
}

func (f *exportFlags) add(cmd *cobra.Command) {
	f.client.add(cmd)
	cmd.Flags().StringVar(&f.since, "since", "", "only orders created since: a stretch of time such as 30d or 12h, a day, or an instant; all where it is left out")
}

// sinceQuery reads --since.
func sinceQuery(text string, now time.Time) (string, error) {
	if text == "" {
		return "", nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.ParseInLocation(time.DateOnly, text, time.Local)
	}
	if days, ok := strings.CutSuffix(text, "d"); err != nil && ok {
		if n, nerr := strconv.Atoi(days); nerr == nil && n >= 0 {
			at, err = now.AddDate(0, 0, -n), nil
		}
	}
	if err != nil {
		d, derr := time.ParseDuration(text)
		if derr != nil || d < 0 {
			return "", usageError(fmt.Errorf("--since %q is not understood; write 30d, 12h, 2026-03-01 or 2026-03-01T08:00:00Z", text))
		}
		at = now.Add(-d)
	}
	return "?since=" + url.QueryEscape(at.UTC().Format(time.RFC3339)), nil
}

// exportDecisions copies the decisions line by line, and tells whoever watches how many they are.
func (p *program) exportDecisions(ctx context.Context, f *exportFlags, w io.Writer) error {
	query, err := sinceQuery(f.since, time.Now())
	if err != nil {
		return err
	}
	c, err := p.client(&f.client)
	if err != nil {
		return err
	}
	lines := &lineCounter{w: w, bar: p.progress(0)}
	err = c.stream(ctx, "/decisions"+query, lines)
	lines.bar(-1, 0)
	return err
}

// lineCounter counts the lines that pass.
type lineCounter struct {
	w     io.Writer
	bar   func(orders int, done int64)
	lines int
	bytes int64
}

func (l *lineCounter) Write(b []byte) (int, error) {
	n, err := l.w.Write(b)
	l.bytes += int64(n)
	if more := bytes.Count(b[:n], []byte("\n")); more > 0 {
		l.lines += more
		l.bar(l.lines, l.bytes)
	}
	return n, err
}

// stream copies an answer of any length.
func (c *client) stream(ctx context.Context, path string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return usageError(err)
	}
	req.Header.Set("X-Api-Key", c.key)
	endless := *c.http
	endless.Timeout = 0
	res, err := endless.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		if err != nil {
			return c.unreachable(err)
		}
		return refusal(answer{status: res.StatusCode, header: res.Header, body: b})
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the answer broke off: %w; the engine's log says why", err)
	}
	return nil
}

func newRulesTrialCmd(p *program) *cobra.Command {
	f := &exportFlags{}
	var most int
	cmd := &cobra.Command{
		Use: "trial", Short: "Show where rules on trial and live rules came to different decisions", Args: cobra.NoArgs,
		Long: "Show for which orders the rules on trial (trial: of the tenant's configuration) and the live rules came to different decisions: to another\n" +
			"offer, to another charge for the customer, to a hold or to nothing.\n" +
			"The newest come first. Where the rules that looked on needed something that nobody asked for, or have carriers told\n" +
			"another signature, tip, weight, ship_date or other instructions, what they would have decided is not known: such a decision does not differ,\n" +
			"it has an unknown part.\n\n" +
			"To end a trial take trial: out of the configuration; to promote its rules, name their folder as rules: too.",
		Example: "  waybill rules trial --since 7d",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.rulesTrial(cmd.Context(), f, most)
		},
	}
	f.add(cmd)
	cmd.Flags().IntVar(&most, "samples", 20, "how many differences to show")
	return cmd
}

// triedDecision is a line of the export, as far as a trial is told by it.
type triedDecision struct {
	OrderExternalID string `json:"orderExternalId"`
	Round           int    `json:"round"`
	At              string `json:"at"`
	Trial           *struct {
		Canary   bool     `json:"canary"`
		Rules    string   `json:"rules"`
		Differs  bool     `json:"differs"`
		Sentence string   `json:"sentence"`
		By       []string `json:"by"`
		Unknown  []string `json:"unknown"`
	} `json:"trial"`
	Record json.RawMessage `json:"record"`
}

func (p *program) rulesTrial(ctx context.Context, f *exportFlags, most int) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(p.exportDecisions(ctx, f, w)) }()
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxAnswer)
	var tried, canary, differ, unknown int
	var samples []triedDecision
	for lines.Scan() {
		var d triedDecision
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			return fmt.Errorf("the answer is not that of a Waybill engine: %w", err)
		}
		if d.Trial == nil {
			continue
		}
		tried++
		if d.Trial.Canary {
			canary++
		}
		if len(d.Trial.Unknown) > 0 {
			unknown++
		}
		if d.Trial.Differs {
			if differ++; len(samples) < most {
				samples = append(samples, d)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if f.client.raw {
		return p.printJSON(map[string]any{"tried": tried, "canary": canary, "differ": differ, "unknown": unknown, "samples": append([]triedDecision{}, samples...)})
	}
	fmt.Fprintf(p.out, "%s with rules on trial: %d differ (%s), %d with an unknown part; in %d the rules on trial decided\n",
		count(tried, "decision"), differ, share(differ, tried), unknown, canary)
	if len(samples) == 0 {
		return nil
	}
	t := newTable(p.out, "AT", "ORDER", "DECIDED BY", "THE OTHERS", "RULES BEHIND IT")
	for _, d := range samples {
		by := "live rules"
		if d.Trial.Canary {
			by = "rules on trial"
		}
		t.row(d.At, d.OrderExternalID, by, d.Trial.Sentence, strings.Join(d.Trial.By, ", "))
	}
	return t.flush()
}
