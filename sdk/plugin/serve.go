package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/waybill-dev/waybill/sdk/carrier"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
)

// Serve is the main function of an adapter. Started by an engine it serves until the engine ends; started by hand it answers
// `describe` (the manifest as JSON), `version`, and otherwise explains itself. It does not return.
func Serve[C, A any](a carrier.Adapter[C, A]) {
	manifest := a.Manifest()
	if os.Getenv(handshake.MagicCookieKey) != handshake.MagicCookieValue {
		os.Exit(byHand(manifest, os.Args, os.Stdout, os.Stderr))
	}
	// The logger keeps the real stderr: go-plugin replaces os.Stderr by a pipe of its own, whose lines lose their level.
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.LevelFromString(os.Getenv(envLogLevel)), Output: os.Stderr, JSONFormat: true})
	hclog.SetDefault(logger)
	log.SetFlags(0)
	log.SetOutput(logger.StandardWriter(&hclog.StandardLoggerOptions{InferLevels: true}))
	if os.Getenv(envLifeline) != "" {
		go endWithHost(os.NewFile(lifelineFD, "lifeline"))
	}
	s := newServer(a, logger)
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  handshake,
		VersionedPlugins: map[int]goplugin.PluginSet{protocolVersion: {pluginName: &served{server: s}}},
		Logger:           logger.Named("go-plugin").With("adapter", manifest.Name),
		GRPCServer:       func(opts []grpc.ServerOption) *grpc.Server { return grpc.NewServer(append(opts, serverOptions...)...) },
	})
	os.Exit(0)
}

// Fixed windows: between two processes of one machine there is no bandwidth to be found out, which gRPC else does with a ping
// after every read.
const (
	streamWindow = 1 << 20
	connWindow   = 16 << 20
)

var serverOptions = []grpc.ServerOption{
	grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
	grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connWindow),
}

// endWithHost ends the process when the host's end of the pipe is closed, by whatever killed the host.
func endWithHost(pipe *os.File) {
	var b [1]byte
	for {
		if _, err := pipe.Read(b[:]); err != nil {
			os.Exit(0)
		}
	}
}

// served is the adapter's side of go-plugin.
type served struct {
	goplugin.NetRPCUnsupportedPlugin
	server *server
}

func (p *served) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterCarrierServer(s, p.server)
	return nil
}

func (p *served) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("an adapter has no client side")
}

// byHand answers a person at a terminal, or a tool that wants the manifest without starting the protocol.
func byHand(m carrier.Manifest, args []string, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 1 {
		command = args[1]
	}
	var err error
	switch command {
	case "describe":
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(describe(m))
	case "version":
		_, err = fmt.Fprintf(stdout, "%s %s (protocol carrier.v%d)\n", m.Name, m.Version, protocolVersion)
	default:
		_, err = fmt.Fprintf(stderr, `This is the %s carrier adapter of Waybill. The engine starts it; alone it does nothing.

  %[2]s describe    print what it can do, as JSON
  %[2]s version     print its version

To use it, put it into the engine's plugins folder and name it in waybill.yaml:

  accounts:
    my_account: {adapter: %[3]s}

To check it, with the configuration of an account in JSON that leads to a simulator or a sandbox:

  waybill plugin test %[2]s --config account.json
`, m.DisplayName, args[0], m.Name)
		if err == nil {
			return 2
		}
	}
	if err != nil {
		return 1
	}
	return 0
}

// describe is the manifest's JSON form: the schema as an object, the grace as a duration in words.
func describe(m carrier.Manifest) any {
	return struct {
		Name         string            `json:"name"`
		DisplayName  string            `json:"displayName"`
		Version      string            `json:"version"`
		Protocol     int               `json:"protocol"`
		Abilities    []carrier.Ability `json:"abilities"`
		Services     []service         `json:"services"`
		Hosts        []string          `json:"hosts"`
		Idempotency  string            `json:"idempotency"`
		Absence      string            `json:"absence"`
		Grace        string            `json:"grace"`
		LabelFormats []string          `json:"labelFormats"`
		MaxParcels   int               `json:"maxParcels"`
		ConfigSchema json.RawMessage   `json:"configSchema"`
	}{
		m.Name, m.DisplayName, m.Version, protocolVersion, nonNil(m.Abilities), services(m), nonNil(m.Hosts), string(m.Idempotency), string(m.Absence),
		m.Grace.String(), labelFormats(m), m.MaxParcels, m.ConfigSchema,
	}
}

// service is the JSON form of a carrier.Service.
type service struct {
	ID       string   `json:"id"`
	Code     string   `json:"code"`
	Name     string   `json:"name"`
	Mode     string   `json:"mode"`
	Supports []string `json:"supports"`
}

func services(m carrier.Manifest) []service {
	out := []service{}
	for _, s := range m.Services {
		out = append(out, service{ID: s.ID, Code: s.Code, Name: s.Name, Mode: s.Mode, Supports: nonNil(s.Supports)})
	}
	return out
}

func labelFormats(m carrier.Manifest) []string {
	out := []string{}
	for _, f := range m.LabelFormats {
		out = append(out, string(f))
	}
	return out
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
