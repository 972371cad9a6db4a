//go:build nowatch

package failpoint

const noWatch = true
