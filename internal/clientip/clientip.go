// Package clientip finds out which address a request comes from when it has passed through proxies, and believes
// nobody's headers but those of the proxies it was told to trust.
package clientip

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	headerForwardedFor = "X-Forwarded-For"
	headerForwarded    = "Forwarded"
)

// groupBits is how much of an IPv6 address counts when clients are told apart: one customer has a whole /64 at least,
// and any of its 2^64 addresses at will (RFC 6177).
const groupBits = 64

// Resolver finds the address of a request's client. It is safe for use by many goroutines.
//
// A forwarding header is a list to which every proxy on the way adds, at the right end, the address it was connected
// from. Whatever stands to the left of the entry that the outermost trusted proxy has added was sent by the client and
// may be made up. So the list is read from the right, entries of trusted proxies are passed over, and the first other
// address is the client's. An entry that cannot be read ends the walk at the last one that could be, or at the peer.
//
//   - X-Forwarded-For is read where a request has it. This is safe when every trusted proxy adds to it or replaces it.
//   - Forwarded (RFC 7239) is read in the same way where there is no X-Forwarded-For. This is safe when every trusted
//     proxy adds to it or replaces it and removes the X-Forwarded-For that a client may have sent.
//   - The peer of the connection is the client where there is neither, and always where the peer is not trusted. This
//     is safe without any condition.
type Resolver struct {
	trusted []netip.Prefix
	log     *slog.Logger
	hinted  atomic.Bool
}

// NewResolver returns a Resolver that believes the headers of these proxies; see ParseProxies.
func NewResolver(trusted []netip.Prefix, log *slog.Logger) *Resolver {
	return &Resolver{trusted: slices.Clone(trusted), log: log}
}

// Middleware gives handlers, in place of the peer's address in RemoteAddr, the address of the client. The port is then
// 0, since forwarding headers seldom tell it.
func (r *Resolver) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		peer := FromRequest(request)
		if client := r.Client(peer, request.Header); client != peer {
			request = request.WithContext(request.Context()) // a copy: a handler's request is not its own
			request.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		}
		next.ServeHTTP(w, request)
	})
}

// Client returns the address of the client behind a peer, which must be as FromRequest returns it. The answer is
// neither an IPv4-mapped IPv6 address nor has it a zone.
func (r *Resolver) Client(peer netip.Addr, header http.Header) netip.Addr {
	forwardedFor, forwarded := header.Values(headerForwardedFor), header.Values(headerForwarded)
	switch {
	case len(forwardedFor) == 0 && len(forwarded) == 0:
		return peer
	case !r.trusts(peer):
		r.hint(peer)
		return peer
	case len(forwardedFor) > 0:
		return r.walk(peer, strings.Join(forwardedFor, ","), cutLastEntry, parseNode)
	default:
		return r.walk(peer, strings.Join(forwarded, ","), cutLastElement, parseElement)
	}
}

// walk goes through a list from the right for as long as its entries are those of trusted proxies.
func (r *Resolver) walk(peer netip.Addr, list string, cutLast func(string) (rest, last string, more bool),
	parse func(string) (netip.Addr, bool),
) netip.Addr {
	client := peer
	for more := true; more && r.trusts(client); {
		var last string
		list, last, more = cutLast(list)
		addr, ok := parse(last)
		if !ok {
			break
		}
		client = addr
	}
	return client
}

// trusts reports whether an address is that of a trusted proxy.
func (r *Resolver) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(r.trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// hint says once that a header was ignored, since a proxy which nobody told the server of makes all clients look like
// one. Only peers of a private network count: anybody can send such a header.
func (r *Resolver) hint(peer netip.Addr) {
	if (peer.IsPrivate() || peer.IsLoopback()) && r.hinted.CompareAndSwap(false, true) {
		r.log.Warn("a forwarding header was ignored; if its sender is your proxy, name it in trusted-proxies", "peer", peer)
	}
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
