//go:build !noreconcile

package failpoint

const noReconcile = false
