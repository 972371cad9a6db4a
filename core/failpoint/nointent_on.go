//go:build nointent

package failpoint

const noIntent = true
