package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
)

// DialConfig says which adapter to start, and how.
type DialConfig struct {
	Path string // of the executable
	// RunDir is where the process gets a folder of its own, mode 0700, for its socket; "" for the system's temporary folder.
	// A socket's path may have about 100 bytes.
	RunDir   string
	AutoMTLS bool // certificates for both sides, made for this start: keeps other processes of the same user out
	// Env are "NAME=value" pairs, of which only these are passed on: TZ, SSL_CERT_FILE, SSL_CERT_DIR; HTTP_PROXY, HTTPS_PROXY and
	// NO_PROXY in either case; GOMEMLIMIT, GOMAXPROCS, GOGC, GODEBUG, GORACE, GOCOVERDIR; OTEL_SDK_DISABLED, OTEL_SERVICE_NAME,
	// OTEL_PROPAGATORS, OTEL_TRACES_EXPORTER, OTEL_TRACES_SAMPLER with _ARG, and OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL and _TIMEOUT
	// with their _TRACES_ forms. A proxy or endpoint with a user or password in it is not. os.Environ() is a good value: nothing
	// else of the host's environment reaches the adapter, so that no secret does.
	Env          []string
	Checksum     []byte       // SHA-256 of the executable, nil to trust the path
	Log          hclog.Logger // receives the adapter's records; nil drops them
	StartTimeout time.Duration
	MemoryLimit  int64            // bytes of data the process may have (Linux); 0 for no limit
	Now          func() time.Time // the engine's clock; nil for the real one
}

const (
	defaultStartTimeout = 10 * time.Second
	// A socket's path has at most 103 bytes on the smallest system, of which "/plugin" and ten digits are its name.
	maxSocketDir  = 103 - 17
	socketDirName = 19 // bytes that a process's own folder adds: "/adapter-" and ten digits
)

// Dial starts an adapter and asks for its manifest. Each start uses nothing of an earlier one. The context bounds the start,
// not the life, of the process. An error says what the adapter printed, how it ended and what to do.
func Dial(ctx context.Context, c DialConfig) (*Process, error) {
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = defaultStartTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if deadline, ok := ctx.Deadline(); ok {
		c.StartTimeout = min(c.StartTimeout, max(time.Until(deadline), time.Millisecond))
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("start adapter %s: %w", c.Path, err)
	}
	files, lifeline, err := prepare(c.RunDir)
	if err != nil {
		return nil, fmt.Errorf("start adapter %s: %w", path, err)
	}
	p := &Process{now: c.Now, files: files, stopped: make(chan struct{})}
	seen := &head{}
	p.cmd = command(path, files.dir, lifeline, c)
	p.remote = goplugin.NewClient(clientConfig(p.cmd, c, seen))
	err = p.start(ctx, c)
	_ = lifeline.Close() // the process has its own copy
	if err != nil {
		_ = p.Stop(ctx)
		return nil, startError(path, err, p.cmd, seen)
	}
	return p, nil
}

// start launches the process and speaks with it for the first time.
func (p *Process) start(ctx context.Context, c DialConfig) error {
	protocol, err := p.remote.Client()
	if err != nil {
		return err
	}
	raw, err := protocol.Dispense(pluginName)
	if err != nil {
		return err
	}
	d := raw.(*dialed)
	p.client, p.done = d.client, d.done
	if c.MemoryLimit > 0 {
		if err := limitMemory(p.PID(), c.MemoryLimit); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.StartTimeout)
	defer cancel()
	return p.describe(ctx)
}

// prepare makes the folder of a process and the pipe whose end tells it that its host is gone.
func prepare(parent string) (runFiles, *os.File, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return runFiles{}, nil, err
	}
	dir, err := os.MkdirTemp(parent, "adapter-") // mode 0700
	if err != nil {
		return runFiles{}, nil, err
	}
	if len(dir) > maxSocketDir {
		_ = os.Remove(dir)
		return runFiles{}, nil, fmt.Errorf("run folder %s is too deep: a socket's path must stay short, use a folder of at most %d bytes", parent, maxSocketDir-socketDirName)
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		_ = os.Remove(dir)
		return runFiles{}, nil, err
	}
	return runFiles{dir: dir, lifeline: ours}, theirs, nil
}

func command(path, dir string, lifeline *os.File, c DialConfig) *exec.Cmd {
	cmd := &exec.Cmd{Path: path, Args: []string{path}, Dir: dir, ExtraFiles: []*os.File{lifeline}, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	cmd.Env = append(allowed(c.Env), envLifeline+"=3", envLogLevel+"="+c.Log.GetLevel().String(), goplugin.EnvUnixSocketDir+"="+dir)
	if c.MemoryLimit > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GOMEMLIMIT=%d", c.MemoryLimit/10*9))
	}
	if !slices.ContainsFunc(cmd.Env, func(e string) bool { return strings.HasPrefix(e, "GOGC=") }) {
		cmd.Env = append(cmd.Env, gogc)
	}
	return cmd
}

// gogc lets an adapter's heap, which holds a few megabytes, grow further between collections: they are a tenth of its work else.
const gogc = "GOGC=400"

// allowedEnv names what an adapter gets of its host's environment; true where the value is an address.
var allowedEnv = map[string]bool{
	"TZ": false, "SSL_CERT_FILE": false, "SSL_CERT_DIR": false, "NO_PROXY": false, "no_proxy": false,
	"HTTPS_PROXY": true, "HTTP_PROXY": true, "https_proxy": true, "http_proxy": true,
	"GOMEMLIMIT": false, "GOMAXPROCS": false, "GOGC": false, "GODEBUG": false, "GORACE": false, "GOCOVERDIR": false,
	"OTEL_SDK_DISABLED": false, "OTEL_SERVICE_NAME": false, "OTEL_PROPAGATORS": false, "OTEL_TRACES_EXPORTER": false,
	"OTEL_TRACES_SAMPLER": false, "OTEL_TRACES_SAMPLER_ARG": false,
	"OTEL_EXPORTER_OTLP_ENDPOINT": true, "OTEL_EXPORTER_OTLP_PROTOCOL": false, "OTEL_EXPORTER_OTLP_TIMEOUT": false,
	"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": true, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": false, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": false,
}

// allowed leaves out whatever may hold a secret: names that nobody has looked at, and addresses with a user in them.
func allowed(env []string) []string {
	var out []string
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if address, ok := allowedEnv[name]; ok && !(address && strings.Contains(value, "@")) {
			out = append(out, e)
		}
	}
	return out
}

func clientConfig(cmd *exec.Cmd, c DialConfig, seen *head) *goplugin.ClientConfig {
	config := &goplugin.ClientConfig{
		HandshakeConfig:  handshake,
		VersionedPlugins: map[int]goplugin.PluginSet{protocolVersion: {pluginName: &dialer{}}},
		Cmd:              cmd,
		SkipHostEnv:      true,
		AutoMTLS:         c.AutoMTLS,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		StartTimeout:     c.StartTimeout,
		Logger:           c.Log,
		Stderr:           seen,
		SyncStdout:       &lineLogger{log: c.Log, stream: "stdout"},
		SyncStderr:       &lineLogger{log: c.Log, stream: "stderr"},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
			grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connWindow),
		},
	}
	if c.Checksum != nil {
		config.SecureConfig = &goplugin.SecureConfig{Checksum: c.Checksum, Hash: sha256.New()} // a hash cannot be used twice
	}
	return config
}

// dialer is the host's side of go-plugin.
type dialer struct {
	goplugin.NetRPCUnsupportedPlugin
}

type dialed struct {
	client pb.CarrierClient
	done   <-chan struct{}
}

func (*dialer) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("a host has no adapter side")
}

func (*dialer) GRPCClient(done context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &dialed{client: pb.NewCarrierClient(conn), done: done.Done()}, nil
}

// startError tells all that is known about a failed start.
func startError(path string, err error, cmd *exec.Cmd, seen *head) error {
	var b strings.Builder
	fmt.Fprintf(&b, "start adapter %s: ", path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		b.WriteString("there is no such file")
	case errors.Is(err, os.ErrPermission):
		b.WriteString("it is not executable by this user; chmod +x")
	case errors.Is(err, syscall.ENOEXEC):
		b.WriteString(wrongFormat(path))
	case errors.Is(err, goplugin.ErrChecksumsDoNotMatch):
		b.WriteString("it is not the file that was installed: its SHA-256 differs from the recorded one; install it again if the change is yours")
	default:
		line, _, _ := strings.Cut(err.Error(), "\n")
		if first, ok := strings.CutPrefix(line, "Unrecognized remote plugin message: "); ok {
			line = "it does not speak the adapter protocol"
			if first != "" {
				line += fmt.Sprintf("; its first line on stdout is %q, where nothing may be printed before plugin.Serve", first)
			}
		}
		b.WriteString(line)
	}
	if cmd.ProcessState != nil {
		fmt.Fprintf(&b, " (%s)", exitOf(cmd.ProcessState))
	}
	if text := seen.text(); text != "" {
		fmt.Fprintf(&b, "; on stderr: %s", text)
	}
	return &startFailure{text: b.String(), cause: err}
}

type startFailure struct {
	text  string
	cause error
}

func (e *startFailure) Error() string { return e.text }

func (e *startFailure) Unwrap() error { return e.cause }

// wrongFormat says why the system cannot run a file.
func wrongFormat(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Sprintf("it is no executable for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	defer f.Close()
	return fmt.Sprintf("it is built for another machine (%s); this one is %s/%s", f.Machine, runtime.GOOS, runtime.GOARCH)
}

// head keeps the first lines that an adapter writes to stderr.
type head struct {
	mu  sync.Mutex
	buf []byte
}

const maxHead = 2 << 10

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buf = append(h.buf, p[:min(len(p), max(maxHead-len(h.buf), 0))]...)
	return len(p), nil
}

func (h *head) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(h.buf)), "\n")
	return strings.Join(lines[:min(len(lines), 6)], " | ")
}

// lineLogger reports what an adapter prints past its logger.
type lineLogger struct {
	log    hclog.Logger
	stream string
	rest   []byte
}

// Write is called by one goroutine per stream.
func (l *lineLogger) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok && len(l.rest) < 8<<10 {
			return len(p), nil
		}
		l.log.Warn("unstructured output from adapter", "stream", l.stream, "line", string(line))
		l.rest = append([]byte(nil), rest...)
	}
}
