package clientip_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

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

func resolver(t testing.TB, log *slog.Logger) *clientip.Resolver {
	t.Helper()
	proxies, err := clientip.ParseProxies(trusted)
	if err != nil {
		t.Fatal(err)
	}
	return clientip.NewResolver(proxies, log)
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
	resolver(t, slog.New(slog.DiscardHandler)).Middleware(handler).ServeHTTP(httptest.NewRecorder(), request)
	if request.RemoteAddr != peer {
		t.Errorf("the caller's request was changed to %s", request.RemoteAddr)
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
		"trusted all the way":       {proxy, []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3:0"},
		"several lines":             {proxy, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 198.51.100.1, 10.0.0.2", "X-Forwarded-For: 10.0.0.3"}, "198.51.100.1:0"},
		"no blanks":                 {proxy, []string{"X-Forwarded-For: 6.6.6.6,198.51.100.1,10.0.0.2"}, "198.51.100.1:0"},
		"tabs":                      {proxy, []string{"X-Forwarded-For: 6.6.6.6,\t198.51.100.1\t, 10.0.0.2"}, "198.51.100.1:0"},
		"garbage at the end":        {proxy, []string{"X-Forwarded-For: 198.51.100.1, garbage"}, proxy},
		"garbage behind a proxy":    {proxy, []string{"X-Forwarded-For: 198.51.100.1, garbage, 10.0.0.2"}, "10.0.0.2:0"},
		"garbage beyond the client": {proxy, []string{"X-Forwarded-For: garbage, 198.51.100.1"}, "198.51.100.1:0"},
		"empty":                     {proxy, []string{"X-Forwarded-For: "}, proxy},
		"empty hides no Forwarded":  {proxy, []string{"X-Forwarded-For: ", "Forwarded: for=6.6.6.6"}, proxy},
		"empty last entry":          {proxy, []string{"X-Forwarded-For: 6.6.6.6,"}, proxy},
		"empty entry":               {proxy, []string{"X-Forwarded-For: 6.6.6.6, , 10.0.0.2"}, "10.0.0.2:0"},
		"both headers":              {proxy, []string{"Forwarded: for=6.6.6.6", "X-Forwarded-For: 198.51.100.1"}, "198.51.100.1:0"},
		"other headers":             {proxy, []string{"X-Real-Ip: 6.6.6.6", "True-Client-Ip: 6.6.6.6", "X-Forwarded-Host: a"}, proxy},
		"Forwarded":                 {proxy, []string{"Forwarded: for=198.51.100.1"}, "198.51.100.1:0"},
		"Forwarded, all of it":      {proxy, []string{`Forwarded: For="198.51.100.1:80";proto=http;BY=203.0.113.43;host="a,b;for=\"x\""`}, "198.51.100.1:0"},
		"Forwarded chain":           {proxy, []string{"Forwarded: for=6.6.6.6", "Forwarded: for=198.51.100.1;proto=https, for=10.0.0.2"}, "198.51.100.1:0"},
		"Forwarded IPv6":            {proxy, []string{`Forwarded: for="[2001:db8::17]:4711"`}, "[2001:db8::17]:0"},
		"Forwarded, unknown":        {proxy, []string{"Forwarded: for=6.6.6.6, for=unknown, for=10.0.0.2"}, "10.0.0.2:0"},
		"Forwarded, hidden":         {proxy, []string{"Forwarded: for=6.6.6.6, for=_SEVKISEK"}, proxy},
		"Forwarded, open quote":     {proxy, []string{`Forwarded: for=6.6.6.6;x=", for=198.51.100.1`}, "198.51.100.1:0"},
		"Forwarded, quote reopened": {proxy, []string{`Forwarded: for=6.6.6.6;x=", for=198.51.100.1;by="_a"`}, "198.51.100.1:0"},
		"Forwarded, escape at end":  {proxy, []string{`Forwarded: for=6.6.6.6;x="\`, `Forwarded: for=198.51.100.1`}, "198.51.100.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := seen(t, tc.peer, tc.headers...); got != tc.want {
				t.Errorf("%s from %s is seen as %s, want %s", tc.headers, tc.peer, got, tc.want)
			}
		})
	}
}

// A node means the same in both headers, but for the quotes which Forwarded needs around most of them.
func TestNodes(t *testing.T) {
	for node, want := range map[string]string{
		"198.51.100.1": "198.51.100.1:0", "198.51.100.1:443": "198.51.100.1:0", "198.51.100.1:_http": "198.51.100.1:0",
		"2001:db8::1": "[2001:db8::1]:0", "[2001:db8::1]": "[2001:db8::1]:0", "[2001:db8::1]:443": "[2001:db8::1]:0",
		"2001:db8:0:0:0:0:0:1": "[2001:db8::1]:0", "2001:DB8::1": "[2001:db8::1]:0", "::1": "[::1]:0",
		"::ffff:198.51.100.1": "198.51.100.1:0", "[::ffff:198.51.100.1]:80": "198.51.100.1:0", "::ffff:c633:6401": "198.51.100.1:0",
		"fe80::2%eth0": "[fe80::2]:0", "[fe80::2%25eth0]:80": "[fe80::2]:0",
		"fe80::1%eth0": "[fe80::1]:0", // trusted, and the last there is

		"": proxy, "unknown": proxy, "_hidden": proxy, "localhost": proxy, "unix:": proxy, "198.51.100": proxy,
		"198.51.100.256": proxy, "198.51.100.1.1": proxy, "0198.51.100.1": proxy, "3325256705": proxy, "0x7f.1": proxy,
		"198.51.100.1:": proxy, "198.51.100.1:x": proxy, "198.51.100.1:123456": proxy, "198.51.100.1:80:80": proxy,
		"198.51.100.1:+1": proxy, "198.51.100.1:_": proxy, "198.51.100.1 6.6.6.6": proxy, "198.51.100.1/24": proxy,
		"198.51.100.1%eth0": proxy, "[198.51.100.1]": proxy, "[198.51.100.1]:80": proxy, "[2001:db8::1": proxy,
		"2001:db8::1]": proxy, "[]": proxy, "[]:80": proxy, "[2001:db8::1]80": proxy, "[2001:db8::1]:": proxy,
		"[[2001:db8::1]]": proxy, "2001:db8::1::": proxy, "http://198.51.100.1": proxy, "0.0.0.0": proxy, "::": proxy,
		"224.0.0.1": proxy, "ff02::1": proxy, "\u0661.1.1.1": proxy, "198.51.100.1\x00": proxy,
	} {
		if got := seen(t, proxy, "X-Forwarded-For: "+node); got != want {
			t.Errorf("X-Forwarded-For: %s is seen as %s, want %s", node, got, want)
		}
		if got := seen(t, proxy, `Forwarded: for="`+node+`"`); got != want {
			t.Errorf(`Forwarded: for="%s" is seen as %s, want %s`, node, got, want)
		}
	}
}

func TestForwardedElements(t *testing.T) {
	const client = "198.51.100.1:0"
	for element, want := range map[string]string{
		"for=198.51.100.1": client, "FOR=198.51.100.1": client, `for="198.51.100.1"`: client, `for="198.51\.100.1"`: client,
		"proto=https;for=198.51.100.1": client, "for=198.51.100.1; proto=https": client, "for=198.51.100.1 ;proto=https": client,
		";for=198.51.100.1;;": client, `by="a\\";for=198.51.100.1`: client, `host="";for=198.51.100.1`: client,
		`for=198.51.100.1;host="\"for=6.6.6.6"`: client,

		"198.51.100.1": proxy, "for": proxy, "for=": proxy, "=198.51.100.1": proxy, "for =198.51.100.1": proxy, "proto=https": proxy,
		"for= 198.51.100.1": proxy, `for="198.51.100.1`: proxy, `for=198.51.100.1"`: proxy, "for=198.51.100.1;for=6.6.6.6": proxy,
		"for=198.51.100.1;x": proxy, "for=198.51.100.1 x": proxy, `for="198.51.100.1"x`: proxy, `for="198.51.100.1"x=y`: proxy,
		"for=198.51.100.1:80": proxy, "for=[2001:db8::1]": proxy, "for=2001:db8::1": proxy, "f or=198.51.100.1": proxy,
		"for=198.51.100.1;=": proxy, "for=198.51.100.1;x=": proxy, `for=198.51.100.1;x="\`: proxy, "for==198.51.100.1": proxy,
	} {
		if got := seen(t, proxy, "Forwarded: "+element); got != want {
			t.Errorf("Forwarded: %s is seen as %s, want %s", element, got, want)
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
	r := resolver(t, slog.New(slog.DiscardHandler))
	peer := netip.MustParseAddr("10.0.0.1")
	pieces := rapid.SliceOf(rapid.SampledFrom([]string{
		"6.6.6.6", "10.0.0.2", "for=6.6.6.6", `for="[2001:db8::6]"`, `"`, `\`, ",", ";", "=", " ", "for=", "x", ":", "[", "]", "%", "\t",
	}))
	rapid.Check(t, func(t *rapid.T) {
		forged := strings.Join(pieces.Draw(t, "forged"), "")
		octets := rapid.SliceOfN(rapid.Byte(), 2, 2).Draw(t, "client")
		client, _ := netip.AddrFromSlice(append([]byte{203, 0}, octets...)) // untrusted
		separator := rapid.SampledFrom([]string{",", ", "}).Draw(t, "separator")
		for name, added := range map[string]string{
			"X-Forwarded-For": client.String(), "Forwarded": rapid.SampledFrom([]string{
				"for=" + client.String(), `for="` + client.String() + `:80";by="_a,b"`, `host="\\\"";for=` + client.String(),
			}).Draw(t, "element"),
		} {
			if got := r.Client(peer, http.Header{name: {forged + separator + added}}); got != client {
				t.Errorf("%s: %s%s%s is seen as %s, want %s", name, forged, separator, added, got, client)
			}
			if got := r.Client(peer, http.Header{name: {forged, added}}); got != client {
				t.Errorf("%s: %s and %s are seen as %s, want %s", name, forged, added, got, client)
			}
		}
	})
}

func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		"", "198.51.100.1", "6.6.6.6, 198.51.100.1:80, [2001:db8::1]:443, fe80::1%eth0", `for="[2001:db8::1]:4711";by=_x, for=unknown`,
		`for="\`, `for=10.0.0.9,for="10.0.0.2"`, "10.0.0.9,10.0.0.8", `host="a\"b,c";for=1.1.1.1`,
	} {
		f.Add(seed, seed)
	}
	r := resolver(f, slog.New(slog.DiscardHandler))
	peer, stranger := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("203.0.113.9")
	f.Fuzz(func(t *testing.T, forwardedFor, forwarded string) {
		for _, header := range []http.Header{
			{"X-Forwarded-For": {forwardedFor}}, {"Forwarded": {forwarded}}, {"X-Forwarded-For": {forwardedFor}, "Forwarded": {forwarded}},
		} {
			if got := r.Client(stranger, header); got != stranger {
				t.Fatalf("%v of an untrusted peer is believed: %s", header, got)
			}
			got := r.Client(peer, header)
			if !got.IsValid() || got.Is4In6() || got.Zone() != "" || got.IsUnspecified() || got.IsMulticast() {
				t.Fatalf("%v gives %s", header, got)
			}
			if remote := netip.AddrPortFrom(got, 0).String(); clientip.FromRequest(&http.Request{RemoteAddr: remote}) != got {
				t.Fatalf("%v gives %s, which is not read back", header, remote)
			}
			if !clientip.Group(got).Contains(got) {
				t.Fatalf("%s lies outside of its group %s", got, clientip.Group(got))
			}
		}
	})
}

// An operator who forgot to name the proxy hears of it, once; a stranger's forgery is no reason for a hint.
func TestHint(t *testing.T) {
	header := http.Header{"X-Forwarded-For": {"198.51.100.1"}}
	for peer, want := range map[string]int{
		"127.0.0.1": 1, "192.168.0.1": 1, "::1": 1, "fd00::1": 1, "203.0.113.9": 0, "2001:db8::1": 0, "10.0.0.1": 0,
	} {
		var logged bytes.Buffer
		r := resolver(t, slog.New(slog.NewTextHandler(&logged, nil)))
		for range 3 {
			r.Client(netip.MustParseAddr(peer), header)
			r.Client(netip.MustParseAddr(peer), http.Header{})
		}
		if got := strings.Count(logged.String(), "trusted-proxies"); got != want {
			t.Errorf("a header from %s: %d hints, want %d: %s", peer, got, want, logged.String())
		}
	}
}
