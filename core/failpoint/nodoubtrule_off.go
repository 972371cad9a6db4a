//go:build !nodoubtrule

package failpoint

const noDoubtRule = false
