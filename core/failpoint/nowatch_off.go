//go:build !nowatch

package failpoint

const noWatch = false
