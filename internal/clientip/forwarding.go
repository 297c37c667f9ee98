package clientip

import (
	"net/netip"
	"strings"
)

// cutLastEntry takes the last entry off an X-Forwarded-For list; more tells whether others remain.
func cutLastEntry(list string) (rest, last string, more bool) {
	comma := strings.LastIndexByte(list, ',')
	if comma < 0 {
		return "", list, false
	}
	return list[:comma], list[comma+1:], true
}

// cutLastElement takes the last element off a Forwarded list, whose quoted strings may hold commas. It looks from the
// right, so that a quote which a client has left open hides nothing that a proxy has added behind it.
func cutLastElement(list string) (rest, last string, more bool) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch {
		case list[i] == '"' && !escaped(list[:i]):
			quoted = !quoted
		case list[i] == ',' && !quoted:
			return list[:i], list[i+1:], true
		}
	}
	return "", list, false
}

// escaped reports whether what follows text is escaped by a backslash at its end.
func escaped(text string) bool {
	backslashes := len(text) - len(strings.TrimRight(text, `\`))
	return backslashes%2 == 1
}

// parseElement reads the address from one element of a Forwarded list, such as `for="[2001:db8::1]:4711";proto=https`.
// https://www.rfc-editor.org/rfc/rfc7239#section-4
func parseElement(element string) (netip.Addr, bool) {
	var node string
	found := false
	rest := strings.TrimLeft(element, "; \t") // pairs may be empty
	for rest != "" {
		name, value, behind, ok := cutPair(rest)
		if !ok {
			return netip.Addr{}, false
		}
		if strings.EqualFold(name, "for") {
			if found { // a parameter stands in an element once
				return netip.Addr{}, false
			}
			node, found = value, true
		}
		rest = strings.TrimLeft(behind, " \t")
		if rest != "" && rest[0] != ';' {
			return netip.Addr{}, false
		}
		rest = strings.TrimLeft(rest, "; \t")
	}
	if !found {
		return netip.Addr{}, false
	}
	return parseNode(node)
}

// cutPair takes one name=value off the front; the value comes without its quotes.
func cutPair(text string) (name, value, rest string, ok bool) {
	name, rest = cutToken(text)
	if name == "" || rest == "" || rest[0] != '=' {
		return "", "", "", false
	}
	rest = rest[1:]
	if strings.HasPrefix(rest, `"`) {
		value, rest, ok = cutQuoted(rest[1:])
		return name, value, rest, ok
	}
	value, rest = cutToken(rest)
	return name, value, rest, value != ""
}

// cutToken takes the longest token off the front (RFC 9110, section 5.6.2).
func cutToken(text string) (token, rest string) {
	end := 0
	for end < len(text) && isTokenByte(text[end]) {
		end++
	}
	return text[:end], text[end:]
}

func isTokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
	}
}

// cutQuoted takes the rest of a quoted string, whose opening quote is gone, off the front (RFC 9110, section 5.6.4).
func cutQuoted(text string) (value, rest string, ok bool) {
	var unescaped strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return unescaped.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
		}
		unescaped.WriteByte(text[i])
	}
	return "", "", false
}

// parseNode reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or
// [2001:db8::1]:80, each IPv6 address also with a zone. Names such as "unknown" and "_hidden" (RFC 7239, section 6)
// tell no address, and nobody calls from the unspecified or a multicast address.
func parseNode(node string) (netip.Addr, bool) {
	host := trimSpace(node)
	if inBrackets, isIPv6 := strings.CutPrefix(host, "["); isIPv6 {
		within, port, closed := strings.Cut(inBrackets, "]")
		if !closed || port != "" && !isPort(port) {
			return netip.Addr{}, false
		}
		addr, ok := parseAddr(within)
		return addr, ok && strings.Contains(within, ":")
	}
	if at := strings.IndexByte(host, ':'); at >= 0 && at == strings.LastIndexByte(host, ':') {
		if !isPort(host[at:]) {
			return netip.Addr{}, false
		}
		host = host[:at]
	}
	return parseAddr(host)
}

func parseAddr(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	addr = plain(addr)
	return addr, err == nil && !addr.IsUnspecified() && !addr.IsMulticast()
}

// isPort takes ":" with a number, or with a name that hides the number (RFC 7239, section 6.3).
func isPort(text string) bool {
	name, ok := strings.CutPrefix(text, ":")
	if hidden, isHidden := strings.CutPrefix(name, "_"); isHidden {
		token, rest := cutToken(hidden)
		return ok && token != "" && rest == ""
	}
	return ok && 0 < len(name) && len(name) <= 5 && strings.Trim(name, "0123456789") == ""
}

// trimSpace takes off what HTTP calls optional white space.
func trimSpace(text string) string { return strings.Trim(text, " \t") }
