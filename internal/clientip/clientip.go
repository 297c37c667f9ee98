// Package clientip finds out which address a request comes from when it has passed through proxies, and believes
// nobody's headers but those of the proxies it was told to trust.
//
// X-Forwarded-For is a list to which every proxy on the way adds, at the right end, the address it was connected from.
// Whatever stands to the left of the entry that the outermost trusted proxy has added was sent by the client and may be
// made up. So chi's ClientIPFromXFF reads the list from the right and passes over the addresses of trusted proxies; the
// first other one is the client's. What it cannot read ends the walk without a client, and the peer of the connection
// counts. This is safe when every trusted proxy adds to the header or replaces it. A peer that is not trusted is the
// client itself, whatever it sends.
//
// Of our own are a port behind an address, which some gateways write and chi does not read; a word to the operator when
// a header is not believed or not understood; and the grouping of addresses. Forwarded (RFC 7239) is not read: proxies
// that write it write X-Forwarded-For as well, and two headers of which a client may forge the one that its proxy leaves
// alone are worse than one.
package clientip

import (
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/go-chi/chi/v5/middleware"
)

const headerForwardedFor = "X-Forwarded-For"

// groupBits is how much of an IPv6 address counts when clients are told apart: one customer has a whole /64 at least,
// and any of its 2^64 addresses at will (RFC 6177).
const groupBits = 64

// Middleware gives handlers, in place of the peer's address in RemoteAddr, the address of the client, as it is told by
// the headers of these proxies; see ParseProxies. The port is then 0.
func Middleware(trusted []netip.Prefix, log *slog.Logger) func(http.Handler) http.Handler {
	return Counting(trusted, log, &Tally{})
}

// Counting is Middleware that counts in tally what it finds.
func Counting(trusted []netip.Prefix, log *slog.Logger, tally *Tally) func(http.Handler) http.Handler {
	find := middleware.ClientIPFromRemoteAddr
	if len(trusted) > 0 {
		networks := make([]string, len(trusted))
		for i, network := range trusted {
			networks[i] = network.String()
		}
		find = middleware.ClientIPFromXFF(networks...)
	}
	tell := hints{log: log}
	return func(next http.Handler) http.Handler {
		found := find(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peer, client := FromRequest(r), plain(middleware.GetClientIPAddr(r.Context()))
			switch {
			case len(r.Header[headerForwardedFor]) == 0 || !peer.IsValid():
			case !client.IsValid():
				tally.unreadable.Add(1)
				tell.unreadable(r)
			case client == peer:
				tally.ignore(peer)
				tell.ignored(r, peer)
			default: // the request is a copy, made to carry the client
				tally.believed.Add(1)
				r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
			}
			next.ServeHTTP(w, r)
		}))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { found.ServeHTTP(w, withoutPorts(r)) })
	}
}

// withoutPorts takes the ports off the addresses of X-Forwarded-For, as in "192.0.2.1:4711" and "[2001:db8::1]:4711".
func withoutPorts(r *http.Request) *http.Request {
	if len(r.Header[headerForwardedFor]) == 0 {
		return r
	}
	entries := strings.Split(strings.Join(r.Header[headerForwardedFor], ","), ",")
	changed := false
	for i, entry := range entries {
		if withPort, err := netip.ParseAddrPort(strings.TrimSpace(entry)); err == nil {
			entries[i], changed = withPort.Addr().String(), true
		}
	}
	if !changed {
		return r
	}
	r = r.WithContext(r.Context()) // a copy: a handler's request is not its own
	r.Header = maps.Clone(r.Header)
	r.Header[headerForwardedFor] = []string{strings.Join(entries, ",")}
	return r
}

// hints are said once each, since a mistake with proxies makes all clients look like one.
type hints struct {
	log                 *slog.Logger
	onIgnored, onUnread sync.Once
}

// ignored tells of a proxy that nobody told the server of. Only peers of a private network count: anybody can send such
// a header.
func (h *hints) ignored(r *http.Request, peer netip.Addr) {
	if peer.IsPrivate() || peer.IsLoopback() {
		h.onIgnored.Do(func() {
			h.log.WarnContext(r.Context(), "a forwarding header was ignored; if its sender is your proxy, name it in trusted-proxies", "peer", peer)
		})
	}
}

// unreadable tells of a trusted proxy whose header leads to no client.
func (h *hints) unreadable(r *http.Request) {
	h.onUnread.Do(func() {
		h.log.WarnContext(r.Context(), "X-Forwarded-For of a trusted proxy names no client; such requests count as the proxy's", "peer", r.RemoteAddr)
	})
}

// FromRequest is the address in a request's RemoteAddr: behind Middleware the client's, in front of it the peer's. It
// is the zero Addr where there is none, as with a listener that is not of TCP.
func FromRequest(r *http.Request) netip.Addr {
	addrPort, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plain(addrPort.Addr())
}

// Group is the range of addresses that counts as one client: an IPv4 address, or the /64 of an IPv6 address. The zero
// Addr has the zero Prefix.
func Group(addr netip.Addr) netip.Prefix {
	addr = plain(addr)
	group, err := addr.Prefix(min(groupBits, addr.BitLen()))
	if err != nil { // the zero Addr's only; its length is 0 bits
		return netip.Prefix{}
	}
	return group
}

// plain takes away what makes two spellings of one address differ: the zone, and IPv4 written as IPv6.
func plain(addr netip.Addr) netip.Addr { return addr.WithZone("").Unmap() }
