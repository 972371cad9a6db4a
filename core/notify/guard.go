package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// ErrForbiddenAddress: a subscriber's URL leads to an address of the operator's own network.
var ErrForbiddenAddress = errors.New("the address is not a public one")

// special are the networks that no public server has, beyond those that netip knows: IANA's special-purpose registries.
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10")

// nat64 are the prefixes whose last four bytes are an address of IPv4.
var nat64 = prefixes("64:ff9b::/96", "64:ff9b:1::/48")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// public reports whether an address may be a stranger's server. Addresses of IPv4 inside of IPv6 are judged by what they lead to.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range nat64 {
		if p.Contains(a) {
			b := a.As16()
			return public(netip.AddrFrom4([4]byte(b[12:])))
		}
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast()
}

// checkURL returns what is wrong with a subscriber's URL, nil for nothing. A name that does not resolve now may do so later, and is
// checked again when it is dialled.
func checkURL(ctx context.Context, resolve func(ctx context.Context, host string) ([]netip.Addr, error), text string, allowPrivate bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("is not a URL: %w", errors.Unwrap(err))
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https:// or http://")
	case u.Hostname() == "":
		return errors.New("names no host")
	case u.User != nil:
		return errors.New("must not hold a user or password")
	case u.Fragment != "":
		return errors.New("must not have a fragment")
	case numeric(u.Hostname()):
		return errors.New("names its host by a number; write an address of IPv4 as four decimal numbers such as 192.0.2.1, or a name")
	case allowPrivate:
		return nil
	}
	addresses := []netip.Addr{}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		addresses = append(addresses, a)
	} else if found, err := resolve(ctx, u.Hostname()); err == nil {
		addresses = found
	}
	for _, a := range addresses {
		if !public(a) {
			return fmt.Errorf("leads to %s: %w; notify.allow_private in the tenant's configuration allows it", a, ErrForbiddenAddress)
		}
	}
	return nil
}

// numeric reports whether a host is an address of IPv4 in another form than four decimal numbers: by the URL Standard a host whose last
// part is a number is one, and resolvers read it as such (2130706433, 0x7f.1 and 0177.0.0.1 are loopback).
func numeric(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := strings.ToLower(parts[len(parts)-1])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// guard is a Dialer's Control: it sees the address that is dialled after the name was resolved, so that a name that changes its
// mind between two look-ups gets nowhere.
func guard(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	if !public(at.Addr()) {
		return &net.AddrError{Err: ErrForbiddenAddress.Error(), Addr: address}
	}
	return nil
}
