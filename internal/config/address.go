package config

import (
	"context"
	"net"
	"net/netip"
	"strconv"
)

// LocalURL is how somebody on the same machine writes the address of a server that listens on host:port. Who listens on
// all addresses is found by the machine's name for itself.
func LocalURL(listens string) string {
	host, port, err := net.SplitHostPort(listens)
	if err != nil {
		return "http://" + listens
	}
	if address, err := netip.ParseAddr(host); host == "" || err == nil && address.IsUnspecified() {
		host = "localhost"
	}
	if number, err := lookUp(port); err == nil {
		port = strconv.Itoa(number)
	}
	return "http://" + net.JoinHostPort(host, port)
}

// listenAddress reports whether a text is host:port, with a number or a name for the port.
func listenAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil || port == "" {
		return false
	}
	_, err = lookUp(port)
	return err == nil
}

// anyPort reports whether host:port leaves the port to the system.
func anyPort(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	number, err := lookUp(port)
	return err == nil && number == 0
}

// loopback reports whether nobody on another machine can reach who listens on host:port.
func loopback(text string) bool {
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// lookUp is the number of a port by its number or by the name that this machine has for it; nobody else is asked.
func lookUp(port string) (int, error) {
	return net.DefaultResolver.LookupPort(context.Background(), "tcp", port)
}
