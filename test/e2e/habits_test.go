package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// habit is how a client knocks, as its source has it.
type habit struct {
	name string
	// target is path and query, without the transport.
	target string
	// webSocket and request are the headers of the two kinds of handshake, a line each, beside those without which there is
	// none. HOST stands for the server's host:port.
	webSocket, request []string
	// postType is the Content-Type of what is sent by polling.
	postType string
	// connect is the CONNECT packet, TOKEN standing for the token. Where it has none, the handshake has it as a header.
	connect string
}

func habits() []habit {
	const payload = `40{"token":"TOKEN"}`
	return []habit{
		{"JavaScript in a browser", "/socket.io/?EIO=4&transport=TRANSPORT&t=PabcdE1",
			[]string{"Connection: keep-alive, Upgrade", "Origin: http://HOST", "Sec-WebSocket-Extensions: permessage-deflate", "Sec-Fetch-Mode: websocket"},
			[]string{"Accept: */*", "Accept-Encoding: gzip, deflate, br", "Sec-Fetch-Mode: cors"}, "text/plain;charset=UTF-8", payload},
		{"Java", "/socket.io/?EIO=4&transport=TRANSPORT&t=P1zXk2a",
			[]string{"Connection: Upgrade", "Accept-Encoding: gzip", "Sec-WebSocket-Extensions: permessage-deflate", "User-Agent: okhttp/3.12.12"},
			[]string{"Accept: */*", "Connection: Keep-Alive", "User-Agent: okhttp/3.12.12"}, "text/plain;charset=UTF-8", payload},
		{"Swift", "/socket.io/?transport=TRANSPORT&b64=1&EIO=4",
			[]string{"Connection: Upgrade", "Origin: ws://HOST", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits=15"},
			[]string{"User-Agent: App/1 CFNetwork/1490 Darwin/23.2.0", "Accept-Language: de-DE,de;q=0.9"}, "text/plain; charset=UTF-8", payload},
		{"Swift, the token as a header", "/socket.io/?transport=TRANSPORT&EIO=4", []string{"authorization: bearer TOKEN"},
			[]string{"authorization: bearer TOKEN"}, "text/plain; charset=UTF-8", "40"},
		{"C#", "/socket.io/?EIO=4&transport=TRANSPORT", []string{"Connection: Upgrade"}, []string{"Connection: Keep-Alive"},
			"text/plain; charset=utf-8", payload},
		{"C#, told a path with a slash", "/socket.io//?EIO=4&transport=TRANSPORT", nil, nil, "text/plain; charset=utf-8", payload},
		{"C# of the .NET Framework", "/socket.io/?EIO=4&transport=TRANSPORT&t=1764538021", nil, nil,
			"text/plain; charset=utf-8\r\nExpect: 100-continue", payload},
		{"Dart", "/socket.io/?EIO=4&transport=TRANSPORT",
			[]string{"connection: Upgrade", "upgrade: websocket", "cache-control: no-cache", "sec-websocket-extensions: permessage-deflate; client_max_window_bits"},
			[]string{"user-agent: Dart/3.5 (dart:io)", "accept-encoding: gzip"}, "text/plain;charset=UTF-8", payload},
		{"Dart, no auth", "/socket.io/?EIO=4&transport=TRANSPORT", []string{"authorization: Bearer TOKEN"}, []string{"authorization: Bearer TOKEN"},
			"text/plain;charset=UTF-8", "40null"},
		{"Python", "/socket.io/?transport=TRANSPORT&EIO=4&t=1764538021.123", []string{"Origin: http://HOST"}, []string{"User-Agent: python-requests/2.32"},
			"text/plain", payload},
		{"C++", "/socket.io/?EIO=4&transport=TRANSPORT&t=1764538021", []string{"Connection: Upgrade", "User-Agent: WebSocket++/0.8.2"}, nil, "", payload},
		{"Rust", "/socket.io/?EIO=4&transport=TRANSPORT&t=1764538021.9", nil, nil, "", "40/," + payload[2:]},
		{"no slash behind the path", "/socket.io?EIO=4&transport=TRANSPORT", nil, nil, "", payload},
		{"a slash before the path", "//socket.io/?EIO=4&transport=TRANSPORT", nil, nil, "", payload},
		{"in capitals", "/socket.io/?EIO=4&transport=TRANSPORT",
			[]string{"CONNECTION: UPGRADE", "UPGRADE: WEBSOCKET", "ORIGIN: HTTP://HOST", "AUTHORIZATION: BEARER TOKEN"}, []string{"AUTHORIZATION: BEARER TOKEN"}, "TEXT/PLAIN", "40"},
		{"parameters twice", "/socket.io/?EIO=4&transport=TRANSPORT&EIO=4&transport=TRANSPORT&sid=", nil, nil, "", payload},
		{"parameters of an app", "/socket.io/?token=&user%20id=7&EIO=4&x=%C3%A9&transport=TRANSPORT&_=1", nil, nil, "", payload},
	}
}

// TestHabits: clients of other languages, as their sources have them, are let in by both transports.
func TestHabits(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, nil)
	host := strings.TrimPrefix(server.URL, "http://")
	token := harness.Token(t, harness.Person("knocker", roles.Vendor, ""))
	filled := func(text, transport string) string {
		return strings.NewReplacer("TRANSPORT", transport, "TOKEN", token, "HOST", host).Replace(text)
	}
	for _, h := range habits() {
		t.Run(h.name, func(t *testing.T) {
			conn := &knock{t: t, host: host}
			conn.dial()
			head := "GET " + filled(h.target, "websocket") + " HTTP/1.1\r\nHost: " + host + "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
			lines := filled(strings.Join(h.webSocket, "\r\n"), "")
			for _, needed := range []string{"Connection: Upgrade", "Upgrade: websocket"} {
				name, _, _ := strings.Cut(needed, ":")
				if !strings.Contains(strings.ToLower("\r\n"+lines), "\r\n"+strings.ToLower(name)+":") {
					lines = strings.TrimPrefix(lines+"\r\n"+needed, "\r\n")
				}
			}
			if status, _ := conn.ask(head + lines + "\r\n\r\n"); status != http.StatusSwitchingProtocols {
				t.Fatalf("a WebSocket is answered with %d", status)
			}
			conn.expectMessage("0{")
			conn.send(filled(h.connect, ""))
			conn.expectMessage("40{")

			conn = &knock{t: t, host: host}
			conn.dial()
			headers := filled(strings.Join(append([]string{"Host: " + host}, h.request...), "\r\n"), "")
			target := filled(h.target, "polling")
			status, body := conn.ask("GET " + target + " HTTP/1.1\r\n" + headers + "\r\n\r\n")
			_, sid, _ := strings.Cut(body, `"sid":"`)
			sid, _, _ = strings.Cut(sid, `"`)
			if status != http.StatusOK || !strings.HasPrefix(body, "0{") || sid == "" {
				t.Fatalf("a handshake by polling is answered with %d %s", status, body)
			}
			target = strings.TrimSuffix(target, "&sid=") + "&sid=" + sid
			packet := filled(h.connect, "")
			if h.postType != "" {
				headers += "\r\nContent-Type: " + h.postType
			}
			status, body = conn.ask(fmt.Sprintf("POST %s HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s", target, headers, len(packet), packet))
			if status != http.StatusOK || body != "ok" {
				t.Fatalf("a POST is answered with %d %s", status, body)
			}
			status, body = conn.ask("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
			if status != http.StatusOK || !strings.HasPrefix(body, "40{") {
				t.Errorf("a poll is answered with %d %s", status, body)
			}
		})
	}
}

// knock is a connection on which every byte is the test's.
type knock struct {
	t    *testing.T
	host string
	net.Conn
	r *bufio.Reader
}

func (k *knock) dial() {
	k.t.Helper()
	conn, err := net.Dial("tcp", k.host)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(harness.Deadline))
	k.Conn, k.r = conn, bufio.NewReader(conn)
}

// ask sends a request as it is, and reads the answer.
func (k *knock) ask(request string) (status int, body string) {
	k.t.Helper()
	if _, err := io.WriteString(k.Conn, request); err != nil {
		k.t.Fatal(err)
	}
	for {
		answer, err := http.ReadResponse(k.r, nil)
		if err != nil {
			k.t.Fatal(err)
		}
		if answer.StatusCode == http.StatusContinue {
			continue
		}
		if answer.StatusCode == http.StatusSwitchingProtocols {
			return answer.StatusCode, ""
		}
		content, err := io.ReadAll(answer.Body)
		if err != nil {
			k.t.Fatal(err)
		}
		return answer.StatusCode, string(content)
	}
}

func (k *knock) send(text string) {
	k.t.Helper()
	if err := wsutil.WriteClientText(k.Conn, []byte(text)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *knock) expectMessage(prefix string) {
	k.t.Helper()
	header, err := ws.ReadHeader(k.r)
	if err != nil {
		k.t.Fatal(err)
	}
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(k.r, payload); err != nil || !strings.HasPrefix(string(payload), prefix) {
		k.t.Fatalf("read %q, %v; want %s…", payload, err, prefix)
	}
}
