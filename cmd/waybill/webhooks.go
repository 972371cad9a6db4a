package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

func newWebhooksCmd(p *program) *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{
		Use: "webhooks", Aliases: []string{"webhook"}, Short: "See and change who is told what happens",
		Long: "See and change who is told what happens at a running engine, through its public API.\n\n" +
			"Exit codes: 1 where the engine refuses, 2 where the command is wrong, 3 where no engine answers.",
	}
	f.add(cmd)
	cmd.AddCommand(newWebhookListCmd(p, f), newWebhookCreateCmd(p, f), newWebhookTestCmd(p, f), newDeliveriesCmd(p, f), newRedeliverCmd(p, f))
	return asGroup(cmd)
}

// webhookView is a webhook as the engine answers it.
type webhookView struct {
	ID           string   `json:"id"`
	URL          string   `json:"url"`
	Topics       []string `json:"topics"`
	Shape        string   `json:"shape"`
	State        string   `json:"state"`
	Reason       string   `json:"reason"`
	FailingSince string   `json:"failingSince"`
	Secret       string   `json:"secret"`
}

func newWebhookListCmd(p *program, f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the webhooks", Args: cobra.NoArgs, Example: "  waybill webhooks list\n  waybill webhooks list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.ask(cmd.Context(), f, http.MethodGet, "/webhooks", nil, (*program).showWebhooks)
		},
	}
}

func (p *program) showWebhooks(a answer) error {
	var list struct {
		Data []webhookView `json:"data"`
	}
	if err := a.decode(&list); err != nil {
		return err
	}
	if len(list.Data) == 0 {
		_, err := fmt.Fprintln(p.out, "Nobody is told anything. 'waybill webhooks create URL' makes a webhook.")
		return err
	}
	t := newTable(p.out, "ID", "STATE", "SHAPE", "TOPICS", "URL", "")
	for _, w := range list.Data {
		why := w.Reason
		if why == "" && w.FailingSince != "" {
			why = "failing since " + w.FailingSince
		}
		t.row(w.ID, w.State, w.Shape, strings.Join(w.Topics, " "), w.URL, why)
	}
	return t.flush()
}

func newWebhookCreateCmd(p *program, f *clientFlags) *cobra.Command {
	var body struct {
		URL    string   `json:"url"`
		Topics []string `json:"topics,omitempty"`
		Shape  string   `json:"shape,omitempty"`
		Bearer string   `json:"bearer,omitempty"`
	}
	cmd := &cobra.Command{
		Use: "create URL", Short: "Have a URL told what happens from now on", Args: cobra.ExactArgs(1),
		Long: "Have a URL told what happens from now on. The secret that deliveries are signed with is printed once; keep it.",
		Example: "  waybill webhooks create https://shop.example.com/hooks/waybill\n" +
			"  waybill webhooks create http://127.0.0.1:9000/ --topic shipment.order_delivered --topic subscription.paused\n" +
			"  waybill webhooks create https://shop.example.com/ds --shape delivery_solutions",
		RunE: func(cmd *cobra.Command, args []string) error {
			body.URL = args[0]
			b, err := json.Marshal(body)
			if err != nil {
				return err
			}
			return p.ask(cmd.Context(), f, http.MethodPost, "/webhooks", b, (*program).showNewWebhook)
		},
	}
	cmd.Flags().StringArrayVar(&body.Topics, "topic", nil, "what to tell, such as shipment.order_delivered, tracker.* or * (default all that a shop must know: shipment.*, tracker.*, return.* and subscription.paused)")
	cmd.Flags().StringVar(&body.Shape, "shape", "", "in whose JSON: waybill (default), delivery_solutions, ship24, tracktor")
	cmd.Flags().StringVar(&body.Bearer, "bearer", "", "the token that ship24 and tracktor send (default one that is made up)")
	return cmd
}

func (p *program) showNewWebhook(a answer) error {
	var w webhookView
	if err := a.decode(&w); err != nil {
		return err
	}
	t := newTable(p.out)
	t.field("id", w.ID)
	t.field("url", w.URL)
	t.field("topics", strings.Join(w.Topics, " "))
	t.field("shape", w.Shape)
	t.field("secret", w.Secret)
	return t.flush()
}

func newWebhookTestCmd(p *program, f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use: "test WEBHOOK_ID", Short: "Send a test event", Args: cobra.ExactArgs(1),
		Example: "  waybill webhooks test 69ad3b60a1b2c3d4e5f60718\n  waybill webhooks deliveries 69ad3b60a1b2c3d4e5f60718",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.ask(cmd.Context(), f, http.MethodPost, webhookPath(args[0], "/test"), nil, func(p *program, a answer) error {
				var sent struct {
					MessageID string `json:"messageId"`
				}
				if err := a.decode(&sent); err != nil {
					return err
				}
				_, err := fmt.Fprintf(p.out, "%s is on its way; 'waybill webhooks deliveries %s' shows what comes of it\n", printable(sent.MessageID), args[0])
				return err
			})
		},
	}
}

// deliveryView is a delivery as the engine answers it.
type deliveryView struct {
	MessageID    string `json:"messageId"`
	Topic        string `json:"topic"`
	State        string `json:"state"`
	NextTryAt    string `json:"nextTryAt"`
	CreatedAt    string `json:"createdAt"`
	AttemptCount int    `json:"attemptCount"`
	Attempts     []struct {
		LatencyMS float64 `json:"latencyMs"`
		Error     string  `json:"error"`
		Response  *struct {
			Status int `json:"status"`
		} `json:"response"`
	} `json:"attempts"`
}

func newDeliveriesCmd(p *program, f *clientFlags) *cobra.Command {
	var state, subject, from, to string
	var limit int
	cmd := &cobra.Command{
		Use: "deliveries WEBHOOK_ID", Short: "Show what was delivered, and what was answered", Args: cobra.ExactArgs(1),
		Example: "  waybill webhooks deliveries 69ad3b60a1b2c3d4e5f60718 --state waiting\n" +
			"  waybill webhooks deliveries 69ad3b60a1b2c3d4e5f60718 --from 2026-03-08T09:00:00Z --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, text := range map[string]string{"from": from, "to": to} {
				if text == "" {
					continue
				}
				ms, err := unixMillis("--"+name, text)
				if err != nil {
					return err
				}
				q.Set(name, strconv.FormatInt(ms, 10))
			}
			if state != "" {
				q.Set("state", state)
			}
			if subject != "" {
				q.Set("subject", subject)
			}
			return p.ask(cmd.Context(), f, http.MethodGet, webhookPath(args[0], "/deliveries?", q.Encode()), nil, (*program).showDeliveries)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only those that are waiting, delivered, failed or dropped")
	cmd.Flags().StringVar(&subject, "subject", "", "only those about this, such as shipment/69ad3b60a1b2c3d4e5f60718")
	cmd.Flags().StringVar(&from, "from", "", "only those made since (RFC 3339)")
	cmd.Flags().StringVar(&to, "to", "", "only those made until (RFC 3339)")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, newest first")
	return cmd
}

// unixMillis reads a time of the command line.
func unixMillis(flag, text string) (int64, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, usageError(fmt.Errorf("%s %q is not a time; write it as 2026-03-08T09:00:00Z", flag, text))
	}
	return at.UnixMilli(), nil
}

func (p *program) showDeliveries(a answer) error {
	var list struct {
		Data []deliveryView `json:"data"`
	}
	if err := a.decode(&list); err != nil {
		return err
	}
	t := newTable(p.out, "CREATED", "MESSAGE", "TOPIC", "STATE", "TRIES", "ANSWER", "LATENCY", "NEXT TRY", "")
	for _, d := range list.Data {
		status, latency, why := "", "", ""
		if n := len(d.Attempts); n > 0 {
			last := d.Attempts[n-1]
			latency, why = fmt.Sprintf("%.0f ms", last.LatencyMS), last.Error
			if last.Response != nil {
				status = strconv.Itoa(last.Response.Status)
			}
		}
		t.row(d.CreatedAt, d.MessageID, d.Topic, d.State, strconv.Itoa(d.AttemptCount), status, latency, d.NextTryAt, why)
	}
	return t.flush()
}

func newRedeliverCmd(p *program, f *clientFlags) *cobra.Command {
	var message, from, to string
	cmd := &cobra.Command{
		Use: "redeliver WEBHOOK_ID --message ID | --from TIME", Short: "Send events again", Args: cobra.ExactArgs(1),
		Example: "  waybill webhooks redeliver 69ad3b60a1b2c3d4e5f60718 --message msg_shipment_69ad3b60a1b2c3d4e5f60718_3\n" +
			"  waybill webhooks redeliver 69ad3b60a1b2c3d4e5f60718 --from 2026-03-08T09:00:00Z --to 2026-03-08T10:00:00Z",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (message == "") == (from == "") {
				return usageError(errors.New("give either --message, or --from with or without --to"))
			}
			body := map[string]any{}
			if message != "" {
				body["messageId"] = message
			}
			for name, text := range map[string]string{"from": from, "to": to} {
				if text == "" {
					continue
				}
				ms, err := unixMillis("--"+name, text)
				if err != nil {
					return err
				}
				body[name] = ms
			}
			b, err := json.Marshal(body)
			if err != nil {
				return err
			}
			return p.ask(cmd.Context(), f, http.MethodPost, webhookPath(args[0], "/redeliver"), b, func(p *program, a answer) error {
				var sent struct {
					Messages int `json:"messages"`
				}
				if err := a.decode(&sent); err != nil {
					return err
				}
				_, err := fmt.Fprintf(p.out, "%d events are on their way\n", sent.Messages)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&message, "message", "", "id of an event, as in the header webhook-id")
	cmd.Flags().StringVar(&from, "from", "", "events since (RFC 3339)")
	cmd.Flags().StringVar(&to, "to", "", "events until (RFC 3339; default now)")
	return cmd
}
