package node

import (
	"context"
	"encoding/hex"
	"io"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
)

// StoreConfig is the store that a configuration speaks of, for the commands that open it without a node.
func StoreConfig(c *config.Config) badgerstore.Config {
	return badgerstore.Config{Dir: c.Store.Dir, EncryptionKey: decodeHex(c.Store.EncryptionKey.Reveal())}
}

// decodeHex reads a key that the configuration has checked.
func decodeHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil
	}
	return b
}

// orders writes what an audit compares.
func (n *Node) orders(ctx context.Context, w io.Writer) error {
	return audit.Export(ctx, n.Store, n.Config.Current(), w)
}
