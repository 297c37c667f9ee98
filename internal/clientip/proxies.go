package clientip

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseProxies reads a comma-separated list of addresses and networks: 127.0.0.1, 10.0.0.0/8, 2001:db8::/32. IPv4
// written as IPv6 is taken for IPv4.
func ParseProxies(text string) ([]netip.Prefix, error) {
	var proxies []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		proxy, err := parseProxy(part)
		if err != nil {
			return nil, err
		}
		proxies = append(proxies, proxy)
	}
	return proxies, nil
}

func parseProxy(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is no address such as 127.0.0.1 and no network such as 10.0.0.0/8", text)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network such as 10.0.0.0/8", text)
	}
	if network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q is an address in the network %s: which of them is meant?", text, network.Masked())
	}
	const mapped = 96 // the bits in front of an IPv4 address that is written as IPv6
	if network.Addr().Is4In6() && network.Bits() >= mapped {
		return netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mapped), nil
	}
	return network, nil
}

// TrustsAll reports whether a list of proxies takes in every address of IPv4 or IPv6, which makes the client's address
// whatever the client says.
func TrustsAll(proxies []netip.Prefix) bool {
	for _, proxy := range proxies {
		if proxy.Bits() == 0 {
			return true
		}
	}
	return false
}
