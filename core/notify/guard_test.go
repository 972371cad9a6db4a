package notify

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2606:4700:4700::1111": true, "::ffff:8.8.8.8": true, "64:ff9b::808:808": true,
		"127.0.0.1": false, "127.9.9.9": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false,
		"255.255.255.255": false, "240.0.0.1": false, "192.0.2.1": false, "198.18.0.1": false, "198.51.100.7": false, "203.0.113.9": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12:3456::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false,
		"2001:db8::1": false, "2001::1": false, "fec0::1": false, "100::1": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("public(%s) = %v, want %v", text, got, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	known := map[string][]netip.Addr{
		"good.example": {netip.MustParseAddr("8.8.8.8")}, "mixed.example": {netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("10.0.0.1")},
	}
	resolve := func(_ context.Context, host string) ([]netip.Addr, error) {
		if a, ok := known[host]; ok {
			return a, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for text, fine := range map[string]bool{
		"https://good.example/hook": true, "http://good.example:8080/": true, "https://later.example/": true, "https://8.8.4.4/": true,
		"https://mixed.example/": false, "https://10.1.2.3/": false, "http://[::1]:80/": false, "http://127.0.0.1/": false, "http://169.254.169.254/latest": false,
		"ftp://good.example/": false, "https://": false, "good.example": false, "https://user:pw@good.example/": false, "https://good.example/#x": false,
		"http://2130706433/": false, "http://0x7f.1/": false, "http://0X7F000001:80/": false, "http://0177.0.0.1/": false, "http://127.1/": false, "http://1/": false,
		"http://127.0.0.1./": false, "http://8.8.8.8./": false, "http://good.0x/": false, "https://0x7f.example/": true, "https://1.2.3.example/": true, "https://x0x7f/": true,
		"://": false, "http://[fe80::1%25eth0]/": false,
	} {
		if err := checkURL(t.Context(), resolve, text, false); (err == nil) != fine {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"http://2130706433/", "http://0x7f.1/"} { // nobody means that
		if err := checkURL(t.Context(), resolve, text, true); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	if err := checkURL(t.Context(), resolve, "http://127.0.0.1:9/", true); err != nil {
		t.Errorf("allowed: %v", err)
	}
	if err := checkURL(t.Context(), resolve, "http://127.0.0.1:9/", false); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("%v", err)
	}
}

func TestGuardSeesTheDialledAddress(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := net.Dialer{Control: guard}
	if c, err := d.Dial("tcp", ln.Addr().String()); err == nil {
		c.Close()
		t.Error("loopback was dialled")
	}
}
