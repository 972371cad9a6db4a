package carrier_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write the golden files")

type zone struct {
	Name string           `json:"name"`
	Fee  shipping.Decimal `json:"fee"`
}

type sampleConfig struct {
	BaseURL  string         `json:"base_url" title:"Base URL" default:"https://api.example.com" example:"http://127.0.0.1:8081/x"`
	ClientID string         `json:"client_id" title:"Client id" doc:"From the developer portal."`
	Password carrier.Secret `json:"password"`
	Mode     string         `json:"mode" enum:"test,live" default:"live"`
	Speed    int            `json:"speed_kmh" default:"25"`
	Zones    []zone         `json:"zones,omitempty"`
	Notify   bool           `json:"notify"`
}

type nothing struct{}

func (nothing) Check(context.Context) error { return nil }

func TestSchemaOfConfig(t *testing.T) {
	got := carrier.Adapter[sampleConfig, nothing]{Name: "sample"}.Manifest().ConfigSchema
	golden := filepath.Join("testdata", "schema.golden.json")
	var indented strings.Builder
	enc := json.NewEncoder(&indented)
	enc.SetIndent("", "  ")
	if err := enc.Encode(json.RawMessage(got)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(indented.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), indented.String()); diff != "" {
		t.Errorf("schema differs (-want +got):\n%s", diff)
	}
}

func TestDecodeConfigFillsDefaults(t *testing.T) {
	got, err := carrier.DecodeConfig[sampleConfig]([]byte(`{"client_id":"a","password":"s3cret","zones":[{"name":"north","fee":3.20}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.BaseURL != "https://api.example.com" || got.Mode != "live" || got.Speed != 25 || got.Zones[0].Fee.String() != "3.20" || got.Password.Reveal() != "s3cret" {
		t.Errorf("got %+v", got)
	}
}

func TestDecodeConfigNamesEveryFault(t *testing.T) {
	for name, tt := range map[string]struct {
		in, field string
		words     []string
	}{
		"missing":    {`{"mode":"live"}`, "client_id", []string{"client_id is required", "password is required"}},
		"enum":       {`{"client_id":"a","password":"b","mode":"prod"}`, "mode", []string{"mode must be one of test, live"}},
		"unknown":    {`{"client_id":"a","password":"b","colour":"red"}`, "colour", []string{"colour is not a member"}},
		"wrong type": {`{"client_id":"a","password":"b","speed_kmh":"fast"}`, "speed_kmh", []string{"speed_kmh cannot be read as int"}},
		"nested":     {`{"client_id":"a","password":"b","zones":[{"name":"n","fee":1},{"fee":1}]}`, "zones[1].name", []string{"is required"}},
		"deep type":  {`{"client_id":"a","password":"b","zones":[{"name":"n","fee":"1"}]}`, "zones[0].fee", nil},
		"not JSON":   {`client_id: a`, "", []string{"not a JSON object"}},
	} {
		_, err := carrier.DecodeConfig[sampleConfig]([]byte(tt.in))
		e := asError(t, err)
		if e.Code != carrier.ConfigInvalid || e.Source != carrier.SourceConfig || e.Field != tt.field {
			t.Errorf("%s: %v, source %s, field %q; want field %q", name, e, e.Source, e.Field, tt.field)
		}
		for _, w := range tt.words {
			if !strings.Contains(e.Message, w) {
				t.Errorf("%s: message %q lacks %q", name, e.Message, w)
			}
		}
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	c := sampleConfig{Password: "hunter22"}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s %q %x %d", c, c, c, c.Password, c.Password, c.Password, c.Password), string(asJSON), fmt.Sprint(&c),
	} {
		if strings.Contains(text, "hunter22") || strings.Contains(text, "68756e746572") {
			t.Errorf("the secret is printed: %s", text)
		}
	}
	if got := carrier.SecretsIn(&c); len(got) != 1 || got[0] != "hunter22" {
		t.Errorf("SecretsIn = %q", got)
	}
}

func FuzzDecodeConfig(f *testing.F) {
	f.Add([]byte(`{"client_id":"a","password":"b","zones":[{"name":"n","fee":1}]}`))
	f.Add([]byte(`{"client_id":[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := carrier.DecodeConfig[sampleConfig](b); err != nil {
			if e := asError(t, err); e.Code != carrier.ConfigInvalid {
				t.Errorf("code %s", e.Code)
			}
		}
	})
}
