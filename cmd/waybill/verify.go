package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/sdk/carriertest"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

func newPluginTestCmd(p *program) *cobra.Command {
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "test BINARY", Short: "Check that an adapter keeps the contract", Args: cobra.ExactArgs(1),
		Long: "Check an adapter, written in whatever language, against the contract: it is started, an account is opened, parcels are quoted,\n" +
			"booked and cancelled. So let base_url in the account's configuration lead to a simulator or a sandbox. What the adapter\n" +
			"cannot do is NOT OFFERED, what cannot be brought about from outside is SKIPPED; neither is a pass. Exit code 1 where a\n" +
			"check fails.",
		Example: "  waybill sim serve &\n  waybill plugin test bin/plugins/waybill-carrier-ups --config account.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.verify(cmd.Context(), args[0], config, asJSON)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "file with the account's configuration in JSON; needed where the adapter does not open with {}")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// verdictView is what became of one check.
type verdictView struct {
	Check    string `json:"check"`
	Contract string `json:"contract"`
	Verdict  string `json:"verdict"`
	Reason   string `json:"reason,omitempty"`
}

func (p *program) verify(ctx context.Context, binary, config string, asJSON bool) error {
	binary, err := filepath.Abs(binary) // it is started from other folders too
	if err == nil {
		_, err = os.Stat(binary)
	}
	if err != nil {
		return usageError(err)
	}
	account := []byte("{}")
	if config != "" {
		if account, err = p.read(config); err != nil {
			return err
		}
	}
	f := foundAdapter{Path: binary}
	if f.ask(ctx, nil); f.Manifest == nil {
		return errors.New(f.Problem)
	}
	if config == "" {
		if err := opens(ctx, binary, account); err != nil {
			return usageError(fmt.Errorf("the adapter %s needs the configuration of an account: %w; its members are shown by '%s describe'; write them into a file and run\n"+
				"  waybill plugin test %s --config account.json", f.Manifest.Name, err, binary, binary))
		}
	}
	subject := carriertest.Binary(binary, account, carriertest.Fake{})
	if subject.Secrets, err = secretsOf(account, f.Manifest.ConfigSchema); err != nil {
		return usageError(fmt.Errorf("%s is not the configuration of an account: %w", firstOf(config, "{}"), err))
	}
	if terminal(p.err) {
		fmt.Fprintf(p.err, "Checking %s %s …\n", f.Manifest.DisplayName, f.Manifest.Version)
	}
	views, failed := []verdictView{}, 0
	for _, r := range carriertest.Verify(ctx, subject) {
		views = append(views, verdictView{r.Check.Name, r.Check.Contract, string(r.Verdict), r.Reason})
		if r.Verdict == carriertest.Fail {
			failed++
		}
	}
	if asJSON {
		err = p.printJSON(views)
	} else {
		t := newTable(p.out, "CHECK", "VERDICT", "REASON")
		for _, v := range views {
			t.row(v.Check, v.Verdict, v.Reason)
		}
		err = t.flush()
	}
	if failed > 0 {
		return errors.Join(err, fmt.Errorf("%s of %d failed", count(failed, "check"), len(views)))
	}
	return err
}

// opens reports why the adapter refuses a configuration, nil where it does not.
func opens(ctx context.Context, binary string, config []byte) error {
	proc, err := plugin.Dial(ctx, plugin.DialConfig{Path: binary, Env: os.Environ()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = proc.Open(ctx, plugin.OpenRequest{AccountID: "test", Config: config})
	stop, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancelStop()
	return errors.Join(err, proc.Stop(stop))
}

// secretsOf are the values of the configuration that its schema calls secret.
func secretsOf(config, schema []byte) ([]string, error) {
	var given map[string]any
	if err := json.Unmarshal(config, &given); err != nil {
		return nil, err
	}
	var s struct {
		Properties map[string]struct {
			Secret bool `json:"x-secret"`
		} `json:"properties"`
	}
	if len(schema) > 0 {
		if err := json.Unmarshal(schema, &s); err != nil {
			return nil, fmt.Errorf("the adapter's schema of it: %w", err)
		}
	}
	var out []string
	for name, p := range s.Properties {
		if v, ok := given[name].(string); ok && p.Secret && v != "" {
			out = append(out, v)
		}
	}
	return out, nil
}
