package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// The ports to choose from begin above what services of a machine usually have.
const lowestPort = 10_000

// freeAddress is an address of this machine that nobody listens at, and that stays free while its process is dead: the system gives
// outgoing connections only ports of its own range, and this one is below.
func freeAddress() (string, error) {
	const where = "/proc/sys/net/ipv4/ip_local_port_range"
	text, err := os.ReadFile(where)
	if err != nil {
		return "", err
	}
	var first, last int
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil {
		return "", fmt.Errorf("%s: %q: %w", where, text, err)
	}
	if first <= lowestPort {
		return "", fmt.Errorf("%s leaves no ports that outgoing connections do not take: it begins at %d, and must begin above %d", where, first, lowestPort)
	}
	var errs []error
	for range 20 {
		address := fmt.Sprintf("127.0.0.1:%d", lowestPort+rand.IntN(first-lowestPort))
		ln, err := net.Listen("tcp", address)
		if err == nil {
			return address, ln.Close()
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}
