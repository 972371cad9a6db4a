// Package examples is the configuration and the rules of `waybill dev` and `waybill demo`, as files that are part of the program:
// both commands work from any folder.
package examples

import "embed"

// Files holds waybill.yaml and the rules folder that it names.
//
//go:embed waybill.yaml rules
var Files embed.FS
