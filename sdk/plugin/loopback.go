package plugin

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/waybill-dev/waybill/sdk/carrier"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
)

// LoopbackConfig says how to serve an adapter inside the program. The zero value logs nothing and uses the real clock.
type LoopbackConfig struct {
	Log hclog.Logger
	Now func() time.Time
}

// Loopback serves an adapter inside this program, through the same gRPC, mapping and error rules as a process of its own; for
// tests and debuggers. Stop ends it.
func Loopback[C, A any](ctx context.Context, a carrier.Adapter[C, A], c LoopbackConfig) (*Process, error) {
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(serverOptions...)
	pb.RegisterCarrierServer(server, newServer(a, c.Log))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Stop, which is no error
	}()
	conn, err := grpc.NewClient("passthrough:loopback", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		server.Stop()
		return nil, err
	}
	p := &Process{client: pb.NewCarrierClient(conn), now: c.Now, done: done, stopped: make(chan struct{})}
	p.cancel = func() {
		_ = conn.Close() // nothing is lost but the calls that Stop gives up
		server.Stop()
		<-done
	}
	if err := p.describe(ctx); err != nil {
		_ = p.Stop(ctx)
		return nil, err
	}
	return p, nil
}
