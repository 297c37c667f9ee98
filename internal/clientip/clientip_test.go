package clientip_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"rolecall/internal/clientip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// trusted are the proxies of these tests.
	trusted = "10.0.0.0/8,192.0.2.7,2001:db8:f::/48,fe80::1"
	// proxy is the peer where a test says nothing else.
	proxy = "10.0.0.1:4000"
)

func middleware(t testing.TB, log *slog.Logger) func(http.Handler) http.Handler {
	t.Helper()
	proxies, err := clientip.ParseProxies(trusted)
	if err != nil {
		t.Fatal(err)
	}
	return clientip.Middleware(proxies, log)
}

// through is the RemoteAddr of a request behind the middleware, with the header it came with.
func through(find func(http.Handler) http.Handler, peer string, header http.Header) (got string) {
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })
	find(handler).ServeHTTP(nil, &http.Request{RemoteAddr: peer, Header: header})
	return got
}

// seen is the RemoteAddr that a handler behind the middleware sees. Headers are "Name: value".
func seen(t testing.TB, peer string, headers ...string) string {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.RemoteAddr = peer
	for _, line := range headers {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("header %q", line)
		}
		request.Header.Add(name, value)
	}
	var got string
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })
	before := request.Header.Clone()
	middleware(t, slog.New(slog.DiscardHandler))(handler).ServeHTTP(httptest.NewRecorder(), request)
	if request.RemoteAddr != peer || !cmp.Equal(before, request.Header) {
		t.Errorf("the caller's request was changed: %s %v", request.RemoteAddr, request.Header)
	}
	return got
}

func TestMiddleware(t *testing.T) {
	for name, tc := range map[string]struct {
		peer    string
		headers []string
		want    string
	}{
		"no header":                 {proxy, nil, proxy},
		"no header, untrusted":      {"203.0.113.9:1", nil, "203.0.113.9:1"},
		"untrusted peer":            {"203.0.113.9:1", []string{"X-Forwarded-For: 198.51.100.1"}, "203.0.113.9:1"},
		"untrusted peer, Forwarded": {"203.0.113.9:1", []string{"Forwarded: for=198.51.100.1"}, "203.0.113.9:1"},
		"no TCP peer":               {"@", []string{"X-Forwarded-For: 198.51.100.1"}, "@"},
		"one proxy":                 {proxy, []string{"X-Forwarded-For: 198.51.100.1"}, "198.51.100.1:0"},
		"trusted single address":    {"192.0.2.7:1", []string{"X-Forwarded-For: 198.51.100.1"}, "198.51.100.1:0"},
		"its neighbour":             {"192.0.2.8:1", []string{"X-Forwarded-For: 198.51.100.1"}, "192.0.2.8:1"},
		"trusted IPv6 peer":         {"[2001:db8:f::9]:1", []string{"X-Forwarded-For: 198.51.100.1"}, "198.51.100.1:0"},
		"trusted peer with a zone":  {"[fe80::1%eth0]:1", []string{"X-Forwarded-For: 198.51.100.1"}, "198.51.100.1:0"},
		"IPv4-mapped trusted peer":  {"[::ffff:10.0.0.1]:1", []string{"X-Forwarded-For: 198.51.100.1"}, "198.51.100.1:0"},
		"made-up entries":           {proxy, []string{"X-Forwarded-For: 6.6.6.6, 7.7.7.7, 198.51.100.1"}, "198.51.100.1:0"},
		"a chain of proxies":        {proxy, []string{"X-Forwarded-For: 6.6.6.6, 198.51.100.1, 10.2.0.1, 192.0.2.7"}, "198.51.100.1:0"},
		"a made-up trusted entry":   {proxy, []string{"X-Forwarded-For: 10.9.9.9, 198.51.100.1"}, "198.51.100.1:0"},
		"trusted all the way":       {proxy, []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, proxy},
		"several lines":             {proxy, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 198.51.100.1, 10.0.0.2", "X-Forwarded-For: 10.0.0.3"}, "198.51.100.1:0"},
		"no blanks":                 {proxy, []string{"X-Forwarded-For: 6.6.6.6,198.51.100.1,10.0.0.2"}, "198.51.100.1:0"},
		"tabs":                      {proxy, []string{"X-Forwarded-For: 6.6.6.6,\t198.51.100.1\t, 10.0.0.2"}, "198.51.100.1:0"},
		"garbage at the end":        {proxy, []string{"X-Forwarded-For: 198.51.100.1, garbage"}, proxy},
		"garbage behind a proxy":    {proxy, []string{"X-Forwarded-For: 198.51.100.1, garbage, 10.0.0.2"}, proxy},
		"garbage beyond the client": {proxy, []string{"X-Forwarded-For: garbage, 198.51.100.1"}, "198.51.100.1:0"},
		"empty":                     {proxy, []string{"X-Forwarded-For: "}, proxy},
		"empty, and Forwarded":      {proxy, []string{"X-Forwarded-For: ", "Forwarded: for=6.6.6.6"}, proxy},
		// Empty members of a list count as not there (RFC 9110, section 5.6.1.2).
		"empty last entry":    {proxy, []string{"X-Forwarded-For: 198.51.100.1,"}, "198.51.100.1:0"},
		"empty entry":         {proxy, []string{"X-Forwarded-For: 198.51.100.1, , 10.0.0.2"}, "198.51.100.1:0"},
		"ports":               {proxy, []string{"X-Forwarded-For: 6.6.6.6:1, 198.51.100.1:80, 10.0.0.2:81"}, "198.51.100.1:0"},
		"a port among others": {proxy, []string{"X-Forwarded-For: 6.6.6.6, 198.51.100.1:80", "X-Forwarded-For: 10.0.0.2"}, "198.51.100.1:0"},
		"both headers":        {proxy, []string{"Forwarded: for=6.6.6.6", "X-Forwarded-For: 198.51.100.1"}, "198.51.100.1:0"},
		"other headers":       {proxy, []string{"X-Real-Ip: 6.6.6.6", "True-Client-Ip: 6.6.6.6", "X-Forwarded-Host: a"}, proxy},
		"Forwarded":           {proxy, []string{"Forwarded: for=198.51.100.1"}, proxy},
	} {
		t.Run(name, func(t *testing.T) {
			if got := seen(t, tc.peer, tc.headers...); got != tc.want {
				t.Errorf("%s from %s is seen as %s, want %s", tc.headers, tc.peer, got, tc.want)
			}
		})
	}
}

// What stands for one client or proxy.
func TestEntries(t *testing.T) {
	for entry, want := range map[string]string{
		"198.51.100.1": "198.51.100.1:0", "198.51.100.1:443": "198.51.100.1:0",
		"2001:db8::1": "[2001:db8::1]:0", "[2001:db8::1]:443": "[2001:db8::1]:0",
		"2001:db8:0:0:0:0:0:1": "[2001:db8::1]:0", "2001:DB8::1": "[2001:db8::1]:0", "::1": "[::1]:0",
		"::ffff:198.51.100.1": "198.51.100.1:0", "[::ffff:198.51.100.1]:80": "198.51.100.1:0", "::ffff:c633:6401": "198.51.100.1:0",
		"fe80::2%eth0": "[fe80::2]:0", "[fe80::2%25eth0]:80": "[fe80::2]:0",
		"fe80::1%eth0": proxy, // trusted, and the last there is

		"": proxy, "unknown": proxy, "_hidden": proxy, "localhost": proxy, "unix:": proxy, "198.51.100": proxy,
		"198.51.100.256": proxy, "198.51.100.1.1": proxy, "0198.51.100.1": proxy, "3325256705": proxy, "0x7f.1": proxy,
		"198.51.100.1:": proxy, "198.51.100.1:x": proxy, "198.51.100.1:123456": proxy, "198.51.100.1:80:80": proxy,
		"198.51.100.1:+1": proxy, "198.51.100.1:_": proxy, "198.51.100.1 6.6.6.6": proxy, "198.51.100.1/24": proxy,
		"198.51.100.1%eth0": proxy, "[198.51.100.1]": proxy, "[198.51.100.1]:80": proxy, "[2001:db8::1": proxy,
		"2001:db8::1]": proxy, "[]": proxy, "[]:80": proxy, "[2001:db8::1]80": proxy, "[2001:db8::1]:": proxy,
		"[[2001:db8::1]]": proxy, "2001:db8::1::": proxy, "http://198.51.100.1": proxy, "[2001:db8::1]": proxy,
		"198.51.100.1:_http": proxy, "\u0661.1.1.1": proxy, "198.51.100.1\x00": proxy,
	} {
		if got := seen(t, proxy, "X-Forwarded-For: "+entry); got != want {
			t.Errorf("X-Forwarded-For: %s is seen as %s, want %s", entry, got, want)
		}
	}
}

func TestFromRequestAndGroup(t *testing.T) {
	for remote, want := range map[string]struct{ addr, group string }{
		"198.51.100.1:80":               {"198.51.100.1", "198.51.100.1/32"},
		"[::ffff:198.51.100.1]:80":      {"198.51.100.1", "198.51.100.1/32"},
		"[2001:db8:1:2:3:4:5:6]:80":     {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		"[2001:db8:1:2:ffff::]:80":      {"2001:db8:1:2:ffff::", "2001:db8:1:2::/64"},
		"[2001:db8:1:3:3:4:5:6]:80":     {"2001:db8:1:3:3:4:5:6", "2001:db8:1:3::/64"},
		"[fe80::1%eth0]:80":             {"fe80::1", "fe80::/64"},
		"":                              {"invalid IP", "invalid Prefix"},
		"@":                             {"invalid IP", "invalid Prefix"},
		"198.51.100.1":                  {"invalid IP", "invalid Prefix"},
		"a.example:80":                  {"invalid IP", "invalid Prefix"},
		"[::ffff:198.51.100.1%eth0]:80": {"198.51.100.1", "198.51.100.1/32"},
	} {
		addr := clientip.FromRequest(&http.Request{RemoteAddr: remote})
		if got := clientip.Group(addr); addr.String() != want.addr || got.String() != want.group {
			t.Errorf("%s is %s of %s, want %s of %s", remote, addr, got, want.addr, want.group)
		}
	}
	if got := clientip.Group(netip.MustParseAddr("::ffff:198.51.100.1")).String(); got != "198.51.100.1/32" {
		t.Errorf("the group of an IPv4-mapped address is %s", got)
	}
}

// Whatever a client sends ahead of what the proxy adds, it is seen as the proxy has seen it.
func TestClientsCannotForge(t *testing.T) {
	find := middleware(t, slog.New(slog.DiscardHandler))
	pieces := rapid.SliceOf(rapid.SampledFrom([]string{
		"6.6.6.6", "10.0.0.2", "[2001:db8::6]:80", "6.6.6.6:80", `"`, `\`, ",", ";", "=", " ", "for=", "x", ":", "[", "]", "%", "\t",
	}))
	rapid.Check(t, func(t *rapid.T) {
		forged := strings.Join(pieces.Draw(t, "forged"), "")
		octets := rapid.SliceOfN(rapid.Byte(), 2, 2).Draw(t, "client")
		client, _ := netip.AddrFromSlice(append([]byte{203, 0}, octets...)) // untrusted
		want := netip.AddrPortFrom(client, 0).String()
		added := rapid.SampledFrom([]string{client.String(), client.String() + ":4711"}).Draw(t, "added")
		separator := rapid.SampledFrom([]string{",", ", "}).Draw(t, "separator")
		for _, lines := range [][]string{{forged + separator + added}, {forged, added}} {
			header := http.Header{"X-Forwarded-For": lines, "Forwarded": {"for=6.6.6.6"}}
			if got := through(find, proxy, header); got != want {
				t.Errorf("%q is seen as %s, want %s", lines, got, want)
			}
		}
	})
}

func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{
		"", "198.51.100.1", "6.6.6.6, 198.51.100.1:80, [2001:db8::1]:443, fe80::1%eth0", "10.0.0.9,10.0.0.8", ",,", "[::ffff:1.2.3.4%x]:1",
	} {
		f.Add(seed, seed)
	}
	find := middleware(f, slog.New(slog.DiscardHandler))
	const stranger = "203.0.113.9:1"
	f.Fuzz(func(t *testing.T, first, second string) {
		header := http.Header{"X-Forwarded-For": {first, second}}
		if got := through(find, stranger, header); got != stranger {
			t.Fatalf("%v of an untrusted peer is believed: %s", header, got)
		}
		remote := through(find, proxy, header)
		got := clientip.FromRequest(&http.Request{RemoteAddr: remote})
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%v gives %s", header, remote)
		}
		if remote != proxy && strings.HasPrefix(remote, "10.") {
			t.Fatalf("%v gives the trusted %s for a client", header, remote)
		}
		if !clientip.Group(got).Contains(got) {
			t.Fatalf("%s lies outside of its group %s", got, clientip.Group(got))
		}
	})
}

// An operator who forgot to name the proxy hears of it, once; a stranger's forgery is no reason for a hint. One whose
// proxy writes what cannot be read hears of that.
func TestHints(t *testing.T) {
	for name, test := range map[string]struct {
		forwardedFor, hint string
		peers              map[string]int
	}{
		"of no proxy": {"198.51.100.1", "trusted-proxies", map[string]int{
			"127.0.0.1:1": 1, "192.168.0.1:1": 1, "[::1]:1": 1, "[fd00::1]:1": 1, "203.0.113.9:1": 0, "[2001:db8::1]:1": 0, "10.0.0.1:1": 0, "@": 0,
		}},
		"unreadable": {"198.51.100.1, unknown", "names no client", map[string]int{"127.0.0.1:1": 0, "10.0.0.1:1": 1, "@": 0}},
	} {
		for peer, want := range test.peers {
			var logged bytes.Buffer
			find := middleware(t, slog.New(slog.NewTextHandler(&logged, nil)))
			for range 3 {
				through(find, peer, http.Header{"X-Forwarded-For": {test.forwardedFor}})
				through(find, peer, http.Header{})
			}
			if got := strings.Count(logged.String(), test.hint); got != want {
				t.Errorf("%s, from %s: %d hints, want %d: %s", name, peer, got, want, logged.String())
			}
		}
	}
}

// Where no proxy is named nobody's header counts, and the operator is told likewise.
func TestNoProxies(t *testing.T) {
	var logged bytes.Buffer
	find := clientip.Middleware(nil, slog.New(slog.NewTextHandler(&logged, nil)))
	for _, peer := range []string{"127.0.0.1:1", "203.0.113.9:1", "@"} {
		if got := through(find, peer, http.Header{"X-Forwarded-For": {"198.51.100.1"}}); got != peer {
			t.Errorf("%s is seen as %s", peer, got)
		}
	}
	if got := strings.Count(logged.String(), "trusted-proxies"); got != 1 {
		t.Errorf("%d hints: %s", got, logged.String())
	}
}
