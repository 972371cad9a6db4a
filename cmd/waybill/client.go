package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
)

// multiline is how JSON is shown to people.
var multiline = jsontext.Multiline(true)

const (
	defaultURL = "http://127.0.0.1:8080"
	// callTimeout is longer than the engine takes for a create in doubt.
	callTimeout = 90 * time.Second
	maxAnswer   = 64 << 20 // bytes
)

// clientFlags are the flags of every command that asks a running engine.
type clientFlags struct {
	url, key string
	raw      bool
}

func (f *clientFlags) add(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&f.url, "url", "", "where the engine is (default $WAYBILL_URL, else "+defaultURL+")")
	cmd.PersistentFlags().StringVar(&f.key, "key", "", "API key (default $WAYBILL_KEY, else "+devKey+" where the engine is on this machine)")
	cmd.PersistentFlags().BoolVar(&f.raw, "json", false, "print the answer as it came")
}

// client speaks with a running engine.
type client struct {
	base, key string
	http      *http.Client
}

// client returns the client that flags and environment ask for.
func (p *program) client(f *clientFlags) (*client, error) {
	env := func(name string) string { v, _ := p.getenv(name); return v }
	base := strings.TrimRight(firstOf(f.url, env("WAYBILL_URL"), defaultURL), "/")
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError(fmt.Errorf("%q is not the URL of an engine; write it as %s", base, defaultURL))
	}
	key := firstOf(f.key, env("WAYBILL_KEY"))
	if key == "" {
		if !loopback(u.Hostname()) {
			return nil, usageError(fmt.Errorf("an API key is needed for %s; give it as $WAYBILL_KEY or --key", base))
		}
		key = devKey
	}
	return newClient(base, key), nil
}

func newClient(base, key string) *client {
	return &client{base: base, key: key, http: &http.Client{
		Timeout: callTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment},
		// An engine does not redirect, and whoever does must not be sent the key.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// answer is what the engine has said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends one request. A refusal is an *apiError; an engine that cannot be reached is an error with its own exit code.
func (c *client) do(ctx context.Context, method, path string, body []byte, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, usageError(err)
	}
	if c.key != "" {
		req.Header.Set("X-Api-Key", c.key)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, c.unreachable(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, c.unreachable(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: b}
	if res.StatusCode/100 != 2 {
		return a, refusal(a)
	}
	return a, nil
}

func (c *client) unreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // method and URL are said below, and may hold an order's id
	}
	return &exitError{exitConnection, fmt.Errorf("the engine at %s does not answer: %w; is it running (waybill dev, waybill serve), and is --url right?", c.base, err)}
}

// get asks for JSON and decodes it into v.
func (c *client) get(ctx context.Context, path string, v any) error {
	a, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return a.decode(v)
}

// decode reads the answer's JSON.
func (a answer) decode(v any) error {
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("the answer is not that of a Waybill engine: %w; is --url right?", err)
	}
	return nil
}

// apiError is a refusal of the engine.
type apiError struct {
	Status    int    `json:"-"`
	Type      string `json:"type"`
	Message   string `json:"message"`
	RequestID string `json:"requestId"`
	ID        string `json:"id"`
	Errors    []struct {
		Message   string `json:"message"`
		Parameter string `json:"parameter"`
		Provider  string `json:"provider"`
		Code      string `json:"code"`
	} `json:"errors"`
}

func refusal(a answer) error {
	e := &apiError{Status: a.status}
	if err := json.Unmarshal(a.body, e); err != nil || e.Type == "" {
		return fmt.Errorf("HTTP %d, without an error of a Waybill engine; is --url right?", a.status)
	}
	e.Status = a.status
	return e
}

// Error tells everything that the engine has said, one fault a line.
func (e *apiError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d): %s", printable(e.Type), e.Status, printable(e.Message))
	for _, x := range e.Errors {
		if x.Message == e.Message && x.Parameter == "" && x.Provider == "" {
			continue
		}
		b.WriteString("\n  - ")
		if x.Provider != "" {
			b.WriteString(printable(x.Provider) + ": ")
		}
		b.WriteString(printable(x.Message))
		if x.Code != "" {
			b.WriteString(" (" + printable(x.Code) + ")")
		}
	}
	if e.ID != "" {
		b.WriteString("\n  the order is stored: it can be read, edited, retried and cancelled")
	}
	if e.RequestID != "" {
		b.WriteString("\n  request " + printable(e.RequestID))
	}
	return b.String()
}

// shipmentPath is the path of one order.
func shipmentPath(id string, more ...string) string { return pathOf("/shipments/", id, more) }

// trackerPath is the path of one tracker.
func trackerPath(id string, more ...string) string { return pathOf("/trackers/", id, more) }

// webhookPath is the path of one webhook.
func webhookPath(id string, more ...string) string { return pathOf("/webhooks/", id, more) }

func pathOf(all, id string, more []string) string {
	return all + url.PathEscape(id) + strings.Join(more, "")
}
