package plugin_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

// TestEnvironmentThatPasses lists every variable that an adapter gets of its host's environment, and what is kept from it although
// it is called alike.
func TestEnvironmentThatPasses(t *testing.T) {
	pass := []string{
		"TZ=UTC", "SSL_CERT_FILE=/etc/ca.pem", "SSL_CERT_DIR=/etc/ca", "HTTP_PROXY=http://proxy.example:3128", "HTTPS_PROXY=proxy.example:3128",
		"NO_PROXY=localhost,.example", "http_proxy=http://proxy.example:3128", "https_proxy=http://proxy.example:3128", "no_proxy=localhost",
		"GOMEMLIMIT=100000000", "GOMAXPROCS=2", "GOGC=150", "GODEBUG=http2debug=0", "GORACE=halt_on_error=0",
		"OTEL_SDK_DISABLED=true", "OTEL_SERVICE_NAME=waybill", "OTEL_TRACES_SAMPLER=always_on", "OTEL_TRACES_SAMPLER_ARG=1", "OTEL_PROPAGATORS=tracecontext",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.example:4317", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://collector.example:4317",
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TIMEOUT=1000",
	}
	pass = append(pass, "GOCOVERDIR="+t.TempDir())
	withheld := []string{
		"PATH=/leak", "HOME=/leak", "AWS_SECRET_ACCESS_KEY=leak", "UPS_CLIENT_SECRET=leak", "OTEL_EXPORTER_OTLP_HEADERS=api-key=leak",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS=api-key=leak", "OTEL_RESOURCE_ATTRIBUTES=token=leak", "OTEL_VENDOR_API_KEY=leak", "OTEL_EXPORTER_OTLP_CLIENT_KEY=/leak",
		"HTTP_PROXY=http://user:leak@proxy.example:3128", "HTTPS_PROXY=user:leak@proxy.example:3128", "https_proxy=http://leak@proxy.example:3128",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:leak@collector.example", "http_proxy=http://user:leak@proxy.example:31%zz",
	}
	p := dial(t, plugin.DialConfig{Env: slices.Concat(withheld, pass)})
	_, err := open(t, p, "").Quote(within(t, patience), carrier.QuoteRequest{Consignment: order("env")})
	got := strings.Split(typed(t, err).Message, "\n")
	for _, want := range pass {
		if !slices.Contains(got, want) {
			t.Errorf("%s did not pass", want)
		}
	}
	for _, e := range got {
		name, _, _ := strings.Cut(e, "=")
		mine := strings.HasPrefix(name, "WAYBILL_") || strings.HasPrefix(name, "PLUGIN_") // of the protocol between host and adapter
		if strings.Contains(e, "leak") || !mine && !slices.Contains(pass, e) {
			t.Errorf("%s passed", e)
		}
	}
}

// TestDescribeNamesItsMembersAlike: every name in the manifest's JSON begins with a small letter, those of services too.
func TestDescribeNamesItsMembersAlike(t *testing.T) {
	out, err := exec.Command(link(t, "adapter"), "describe").Output()
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Services []map[string]any }
	if err := json.Unmarshal(out, &m); err != nil || len(m.Services) == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := slices.Sorted(maps.Keys(m.Services[0])); !slices.Equal(got, []string{"code", "id", "mode", "name", "supports"}) {
		t.Errorf("a service has the members %v", got)
	}
	if capital := regexp.MustCompile(`"[A-Z]\w*":`).FindAllString(string(out), -1); capital != nil {
		t.Errorf("members %v", capital)
	}
}
