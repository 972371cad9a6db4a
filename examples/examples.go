// Package examples is the configuration and the rules of `waybill dev` and `waybill demo`, as files that are part of the program:
// both commands work from any folder.
package examples

import (
	"embed"
	"io/fs"
)

// Files holds waybill.yaml and the rules folder that it names.
//
//go:embed waybill.yaml rules
var Files embed.FS

// Rules holds the folders of example rules: that of waybill.yaml, and below it the larger ones.
func Rules() fs.FS {
	sub, err := fs.Sub(Files, "rules")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}
