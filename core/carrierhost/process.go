package carrierhost

import (
	"context"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

// process is a started adapter. Done is closed when it has ended, and Exit tells how from then on. Stop ends it, by force when
// ctx ends; it may be called for a process that is dead, and frees what the host holds of it.
type process interface {
	Manifest() carrier.Manifest
	Open(ctx context.Context, account string, config []byte, retired bool) (remote, error)
	Close(ctx context.Context, account string) error
	Health(ctx context.Context) error
	Done() <-chan struct{}
	Death() Death
	PID() int
	Stop(ctx context.Context) error
}
