package engineio

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for SHA-1; nothing rests on its strength
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// The opening handshake of a WebSocket, RFC 6455, section 4.2.

const handshakeGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3

// isWebSocketUpgrade says whether the request asks for a WebSocket.
func isWebSocketUpgrade(r *http.Request) bool {
	return headerHasToken(r.Header, "Connection", "upgrade") && headerHasToken(r.Header, "Upgrade", "websocket")
}

func headerHasToken(header http.Header, name, token string) bool {
	for _, value := range header.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// upgradeRequest takes the connection of an opening handshake from the HTTP server, with
// the answer that is to be written to it. It returns nil when it has refused the request.
func (s *Session) upgradeRequest(w http.ResponseWriter, r *http.Request) (c *connection, answer []byte) {
	key := r.Header.Get("Sec-WebSocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	if r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) || err != nil || len(nonce) != 16 {
		errBadRequest().write(w)
		return nil, nil
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		w.Header().Set("Sec-WebSocket-Version", "13")
		errBadRequest().write(w)
		return nil, nil
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 has no connection to take over
		errBadRequest().write(w)
		return nil, nil
	}
	_ = conn.SetDeadline(time.Time{}) // the HTTP server's; a broken connection shows in the write
	limitUnsent(conn)
	compression, extension := s.server.negotiateCompression(r.Header)
	answer = append(make([]byte, 0, 512), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"...)
	answer = append(answer, "Sec-WebSocket-Accept: "+acceptKey(key)+"\r\n"...)
	if protocol := firstProtocol(r.Header); protocol != "" {
		answer = append(answer, "Sec-WebSocket-Protocol: "+protocol+"\r\n"...)
	}
	if extension != "" {
		answer = append(answer, "Sec-WebSocket-Extensions: "+extension+"\r\n"...)
	}
	c = newConnection(conn, s.server.config.WriteTimeout, compression)
	c.textOnly = s.textOnly
	c.reader.limit = &s.incoming.limit
	c.reader.arrived = s.arrived
	c.reader.account = s.server.config.Incoming.Account()
	c.readFirst(buffered.Reader)
	return c, append(answer, "\r\n"...)
}

// firstProtocol is the first subprotocol that a client offers. None means anything
// to Engine.IO, but a client that offers some gives up when none is chosen.
func firstProtocol(header http.Header) string {
	first, _, _ := strings.Cut(header.Get("Sec-WebSocket-Protocol"), ",")
	if first = strings.TrimSpace(first); !httpguts.ValidHeaderFieldName(first) {
		return ""
	}
	return first
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + handshakeGUID)) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}
