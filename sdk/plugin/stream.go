package plugin

import (
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/waybill-dev/waybill/sdk/carrier"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
	"github.com/waybill-dev/waybill/sdk/internal/wire"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// sendBooking sends the facts first: whatever becomes of the labels, the engine then knows that it has bought.
func sendBooking(b carrier.Booking, trace *carrier.Trace, stream grpc.ServerStreamingServer[pb.BookChunk]) error {
	first := &pb.BookChunk{Booking: wire.ToBooking(b), Wire: wire.ToWire(trace)}
	total := 0
	for _, p := range first.Booking.Parcels {
		if p.Label != nil {
			p.Label.Data = nil
			total += int(p.Label.Size)
		}
	}
	// A small label rides with the facts: one message where the ordinary case needs no more.
	if data := onlyLabel(b); 0 < len(data) && len(data) <= chunkSize {
		for i, p := range b.Parcels {
			if p.Label != nil {
				first.Parcel = int32(i)
			}
		}
		first.Data = data
		return stream.Send(first)
	}
	if err := stream.Send(first); err != nil {
		return err
	}
	if total > maxLabels {
		return wire.ToStatus(&carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectApplied, Retry: carrier.RetryNever, Code: carrier.CarrierProtocol,
			Message: tooLarge(total)}, nil)
	}
	for i, p := range b.Parcels {
		if p.Label == nil {
			continue
		}
		for data := p.Label.Data; len(data) > 0; {
			n := min(len(data), chunkSize)
			if err := stream.Send(&pb.BookChunk{Parcel: int32(i), Data: data[:n]}); err != nil {
				return err
			}
			data = data[n:]
		}
	}
	return nil
}

func tooLarge(n int) string {
	return fmt.Sprintf("the labels have %d bytes; at most %d can be kept", n, maxLabels)
}

// onlyLabel returns the data of the one label that b has, nil where it has none or several.
func onlyLabel(b carrier.Booking) []byte {
	var data []byte
	for _, p := range b.Parcels {
		if p.Label != nil {
			if data != nil {
				return nil
			}
			data = p.Label.Data
		}
	}
	return data
}

// receiveBooking reads a booking. Once the facts are there the booking is made, and what fails afterwards costs labels only:
// an incomplete label is nil, to be fetched as a document, and a warning says so.
func receiveBooking(stream grpc.ServerStreamingClient[pb.BookChunk], trace *carrier.Trace) (carrier.Booking, error) {
	first, err := stream.Recv()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errNoFacts
		}
		return carrier.Booking{}, err
	}
	if first.Booking == nil {
		return carrier.Booking{}, errNoFacts
	}
	wire.FromWire(first.Wire, trace)
	b := wire.FromBooking(first.Booking)
	missing, total := 0, 0
	sizes := make([]int, len(b.Parcels))
	for i, p := range first.Booking.Parcels {
		if p.GetLabel() != nil {
			sizes[i] = int(max(p.Label.Size, int64(len(p.Label.Data))))
			missing += sizes[i] - len(p.Label.Data)
		}
	}
	chunk := first
	for {
		if i := int(chunk.Parcel); len(chunk.Data) > 0 {
			if total += len(chunk.Data); total > maxLabels {
				err = errors.New(tooLarge(total))
				break
			}
			if i < 0 || i >= len(b.Parcels) || b.Parcels[i].Label == nil {
				err = fmt.Errorf("label data for parcel %d, which has no label", i)
				break
			}
			l := b.Parcels[i].Label
			if l.Data == nil {
				l.Data = make([]byte, 0, min(sizes[i], maxLabels))
			}
			l.Data = append(l.Data, chunk.Data...)
			missing -= len(chunk.Data)
		}
		if chunk, err = stream.Recv(); err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) && missing == 0 {
		return b, nil
	}
	for i := range b.Parcels {
		if l := b.Parcels[i].Label; l != nil && (len(l.Data) != sizes[i] || total > maxLabels) {
			b.Parcels[i].Label = nil
			b.Warnings = append(b.Warnings, fmt.Sprintf("the label of parcel %s was lost on the way and must be fetched again", b.Parcels[i].Number))
		}
	}
	return b, nil
}

var errNoFacts = errors.New("the adapter's answer has no booking")

// fitLabels drops labels that would not fit into an answer of one message; the engine fetches them as documents.
func fitLabels(bs []carrier.Booking) []carrier.Booking {
	total := 0
	for i := range bs {
		for j, p := range bs[i].Parcels {
			if p.Label == nil {
				continue
			}
			if total += len(p.Label.Data); total > labelRoom {
				parcels := append([]carrier.BookedParcel(nil), bs[i].Parcels...)
				parcels[j].Label = nil
				bs[i].Parcels = parcels
				bs[i].Warnings = append(bs[i].Warnings, fmt.Sprintf("the label of parcel %s is too large for this answer and must be fetched alone", p.Number))
			}
		}
	}
	return bs
}

func sendDocument(l shipping.Label, trace *carrier.Trace, stream grpc.ServerStreamingServer[pb.DocumentChunk]) error {
	if len(l.Data) > maxLabels {
		return wire.ToStatus(&carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.CarrierProtocol,
			Message: tooLarge(len(l.Data))}, trace)
	}
	n := min(len(l.Data), chunkSize)
	if err := stream.Send(&pb.DocumentChunk{Format: string(l.Format), Data: l.Data[:n], Wire: wire.ToWire(trace)}); err != nil {
		return err
	}
	for data := l.Data[n:]; len(data) > 0; data = data[n:] {
		n = min(len(data), chunkSize)
		if err := stream.Send(&pb.DocumentChunk{Data: data[:n]}); err != nil {
			return err
		}
	}
	return nil
}

func receiveDocument(stream grpc.ServerStreamingClient[pb.DocumentChunk], trace *carrier.Trace) (shipping.Label, error) {
	var l shipping.Label
	for {
		chunk, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && l.Format != "":
			return l, nil
		case errors.Is(err, io.EOF):
			return shipping.Label{}, errors.New("the adapter's answer has no document")
		case err != nil:
			return shipping.Label{}, err
		case len(l.Data)+len(chunk.Data) > maxLabels:
			return shipping.Label{}, errors.New(tooLarge(len(l.Data) + len(chunk.Data)))
		}
		if chunk.Format != "" {
			l.Format = shipping.LabelFormat(chunk.Format)
		}
		l.Data = append(l.Data, chunk.Data...)
		wire.FromWire(chunk.Wire, trace)
	}
}
