package config

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// The flags whose value may have a password in it.
const (
	databaseFlag = "database-url"
	redisFlag    = "redis-url"
)

// databaseURL reports whether a text is the URL of a PostgreSQL database. What else it says is found out by who opens it.
func databaseURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") && len(u.Path) > 1
}

// hasPassword reports whether a URL has one in it.
func hasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return true // for all that is known
	}
	_, has := u.User.Password()
	query := u.Query()
	return has || query.Has("password") || query.Has("sslpassword") || query.Has("sentinel_password")
}

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
