// Package plugin puts an adapter into a process of its own. Adapters call Serve in main; hosts call Dial and get a Process,
// whose accounts have every ability of sdk/carrier as if they were in the same program.
//
// What the package promises on top of go-plugin and gRPC: an adapter ends when its host does, however that ends; a panic costs
// one call, not the process; every call has a deadline, and what an adapter learned by then arrives before it; every error is
// a *carrier.Error, also that of a dead process, and says whether the carrier may have acted; nothing of the host's
// environment leaks; no message is larger than 16 MiB.
package plugin

import (
	goplugin "github.com/hashicorp/go-plugin"
)

const (
	maxMessage = 16 << 20  // bytes, both ways
	chunkSize  = 256 << 10 // bytes of label data in one message
	maxLabels  = 32 << 20  // bytes of all labels of a booking
	// labelRoom is how much label data an answer of one message may hold.
	labelRoom = 12 << 20

	protocolVersion = 1 // of carrier.v1
	pluginName      = "carrier"

	lifelineFD  = 3
	envLifeline = "WAYBILL_LIFELINE" // "3": the pipe is there
	envLogLevel = "WAYBILL_LOG_LEVEL"
)

var handshake = goplugin.HandshakeConfig{ProtocolVersion: protocolVersion, MagicCookieKey: "WAYBILL_CARRIER", MagicCookieValue: "carrier.v1"}
