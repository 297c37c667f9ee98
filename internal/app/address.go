package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"rolecall/internal/config"
)

// URL is the server's address as somebody on this machine would write it: who listens on all addresses is found by the
// machine's name for itself.
func (p *Program) URL() string { return config.LocalURL(p.listener.Addr().String()) }

// OtherURLs are the addresses by which others may reach a server that listens on all of the machine's; none otherwise.
func (p *Program) OtherURLs() []string {
	listens, err := netip.ParseAddrPort(p.listener.Addr().String())
	if err != nil || !listens.Addr().IsUnspecified() {
		return nil
	}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return nil // the links that are sure are told without them
	}
	var urls []string
	for _, address := range interfaces {
		network, err := netip.ParsePrefix(address.String())
		if err != nil || !network.Addr().IsGlobalUnicast() || listens.Addr().Is4() && !network.Addr().Is4() {
			continue
		}
		urls = append(urls, "http://"+netip.AddrPortFrom(network.Addr(), listens.Port()).String())
	}
	return urls
}

// listenError says what is to be done about an address that cannot be listened on.
func listenError(address string, err error) error {
	setting := fmt.Sprintf("%s (--addr)", config.Variable("addr"))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s is taken, perhaps by another server; choose another: %w", setting, address, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: this user may not listen on %s; ports from 1024 are free to all: %w", setting, address, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine has no address %s: %w", setting, address, err)
	default:
		return fmt.Errorf("%s: %w", setting, err)
	}
}
