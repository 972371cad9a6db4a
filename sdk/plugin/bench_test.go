package plugin_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/carriertest"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
	"github.com/waybill-dev/waybill/sdk/internal/wire"
	"github.com/waybill-dev/waybill/sdk/plugin"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// sampleOrder is a consignment of ordinary size. The sample adapter reads behaviour from the instructions.
func sampleOrder() carrier.Consignment {
	c := carriertest.Consignment()
	c.Delivery.Instructions = ""
	return c
}

func benchmarkQuote(b *testing.B, p *plugin.Process) {
	a := open(b, p, "")
	ctx := within(b, 10*time.Minute)
	r := carrier.QuoteRequest{Consignment: sampleOrder()}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := a.Quote(ctx, r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkQuoteProcess(b *testing.B) { benchmarkQuote(b, dial(b, plugin.DialConfig{})) }

func BenchmarkQuoteProcessMTLS(b *testing.B) {
	benchmarkQuote(b, dial(b, plugin.DialConfig{AutoMTLS: true}))
}

func BenchmarkQuoteLoopback(b *testing.B) {
	p, err := plugin.Loopback(within(b, 5*time.Second), sample(), plugin.LoopbackConfig{})
	if err != nil {
		b.Fatal(err)
	}
	stopAtEnd(b, p)
	benchmarkQuote(b, p)
}

// floor answers with one message that was made before.
type floor struct {
	pb.UnimplementedCarrierServer
	answer *pb.QuoteAnswer
}

func (f *floor) Quote(context.Context, *pb.QuoteRequest) (*pb.QuoteAnswer, error) {
	return f.answer, nil
}

// serveFloor is a process with nothing but gRPC in it.
func serveFloor(socket string) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		os.Exit(1)
	}
	fmt.Println("ready")
	server := grpc.NewServer()
	pb.RegisterCarrierServer(server, &floor{answer: wire.ToQuoteAnswer(carrier.QuoteAnswer{Quotes: []shipping.Quote{{ServiceID: "ground", ServiceType: "Ground",
		Amount: shipping.Money{Minor: 1034, Currency: "USD"}}}})})
	_ = server.Serve(listener) // until it is killed
}

// BenchmarkQuoteFloor is gRPC over a unix socket to another process with the same messages: no mapping, no checks.
func BenchmarkQuoteFloor(b *testing.B) {
	socket := filepath.Join(b.TempDir(), "s")
	process := exec.Command(link(b, "floor"), socket)
	out, err := process.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := process.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait() // killed
	})
	var ready string
	if _, err := fmt.Fscan(out, &ready); err != nil {
		b.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	client := pb.NewCarrierClient(conn)
	ctx := within(b, 10*time.Minute)
	request := wire.ToQuoteRequest(carrier.QuoteRequest{Consignment: sampleOrder()})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.Quote(ctx, request); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkStart(b *testing.B) {
	path := link(b, "adapter")
	for b.Loop() {
		p, err := plugin.Dial(within(b, 10*time.Second), plugin.DialConfig{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Stop(within(b, 5*time.Second)); err != nil {
			b.Fatal(err)
		}
	}
}
