// Package notify tells everybody who asked. What happens is put into a tenant's log in the transaction that made it; each
// subscription reads the log at its own pace and gets every message of its topics at least once, in order for each shipment, signed,
// and tried again for three days where it fails. Buyers are told the same way, by mail and SMS. DESIGN.md tells the protocol.
package notify
