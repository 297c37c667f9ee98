package origin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/cors"
	"go.uber.org/goleak"

	"rolecall/internal/origin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		"https://app.example": "https://app.example", "https://App.Example": "https://app.example",
		"HTTPS://app.example": "https://app.example", "https://app.example:443": "https://app.example",
		"http://app.example:80": "http://app.example", "https://app.example:80": "https://app.example:80",
		"http://app.example:443": "http://app.example:443", "http://localhost:3000": "http://localhost:3000",
		"http://[::1]:80": "http://[::1]", "http://[2001:DB8::1]:8080": "http://[2001:db8::1]:8080",
		"capacitor://localhost": "capacitor://localhost", "https://xn--mnchen-3ya.example": "https://xn--mnchen-3ya.example",
		"https://app.example.": "https://app.example.",

		"": "", "null": "", "NULL": "", "*": "", "app.example": "", "//app.example": "", "https://": "", "https:app.example": "",
		"https://:443": "", "https://app.example/": "", "https://app.example/x": "", "https://app.example?x": "",
		"https://app.example?": "", "https://app.example#": "", "https://u@app.example": "", "https://app.example:": "",
		"https://app.example:x": "", "https://*.example": "", "https://münchen.example": "", "https://a.example,https://b.example": "",
		"https://a.example https://b.example": "", " https://a.example": "", "https://a%2eexample": "",

		"wss://own.example:443": "https://own.example", "ws://own.example:80": "http://own.example", "WSS://own.example": "https://own.example",
		"ws://own.example:443": "http://own.example:443", "ionic://localhost": "ionic://localhost", "file://": "file://", "FILE://": "file://",
		"file:///x": "", "ws://": "", "localhost": "",
	} {
		got, err := origin.Canonical(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Canonical(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"https://a.example:443", "null", "http://[::1]:80", "x://y", "https://a:b@c:1/d?e#f", "HTTP://A.B:0080"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		canonical, err := origin.Canonical(text)
		if err != nil {
			return
		}
		if again, err := origin.Canonical(canonical); err != nil || again != canonical {
			t.Fatalf("%q became %q became %q, %v", text, canonical, again, err)
		}
	})
}

func TestPolicy(t *testing.T) {
	local := []string{"localhost"}
	named := []string{"https://friend.example", "https://Upper.Example:443", "capacitor://localhost", "not an origin"}
	for name, tc := range map[string]struct {
		allowed []string
		host    string
		origins []string
		want    bool
	}{
		"no page":                     {nil, "app.example", nil, true},
		"own":                         {nil, "app.example", []string{"https://app.example"}, true},
		"own, without TLS":            {nil, "app.example", []string{"http://app.example"}, true},
		"own, port of the scheme":     {nil, "app.example:443", []string{"https://app.example"}, true},
		"own, port named by the page": {nil, "app.example", []string{"https://app.example:443"}, true},
		"own, case":                   {nil, "App.Example", []string{"https://aPP.example"}, true},
		"own, another port":           {nil, "app.example:8080", []string{"http://app.example:8080"}, true},
		"own, IPv6":                   {nil, "[::1]:8080", []string{"http://[::1]:8080"}, true},
		"another port":                {nil, "app.example:8080", []string{"http://app.example"}, false},
		"own, port of either scheme":  {nil, "app.example:80", []string{"https://app.example"}, true},
		"Swift's client":              {nil, "app.example", []string{"wss://app.example:443"}, true},
		"Swift's client, port twice":  {nil, "app.example:443", []string{"wss://app.example:443"}, true},
		"Swift's client, without TLS": {nil, "app.example:80", []string{"ws://app.example:80"}, true},
		"Swift's client, a port":      {nil, "app.example:8080", []string{"ws://app.example:8080"}, true},
		"a WebSocket of a stranger":   {nil, "app.example", []string{"wss://evil.example:443"}, false},
		"a port that ends like one":   {nil, "app.example:8080", []string{"http://app.example:80"}, false},
		"no host, and no page's host": {nil, ":80", []string{"https://:443"}, false},
		"IPv6, port of the scheme":    {nil, "[2001:db8::80]", []string{"https://[2001:db8::80]:443"}, true},
		"IPv6, another address":       {nil, "[2001:db8::80]", []string{"https://[2001:db8::]"}, false},
		"own host, strange scheme":    {nil, "app.example", []string{"capacitor://app.example"}, false},
		"stranger":                    {nil, "app.example", []string{"https://evil.example"}, false},
		"subdomain":                   {nil, "app.example", []string{"https://x.app.example"}, false},
		"parent":                      {nil, "app.example", []string{"https://example"}, false},
		"own as a prefix":             {nil, "app.example", []string{"https://app.example.evil.example"}, false},
		"own as a user":               {nil, "app.example", []string{"https://app.example@evil.example"}, false},
		"a user of its own":           {nil, "app.example", []string{"https://u@app.example"}, false},
		"own as a path":               {nil, "app.example", []string{"https://evil.example/app.example"}, false},
		"null":                        {nil, "app.example", []string{"null"}, false},
		"empty":                       {nil, "app.example", []string{""}, false},
		"no host":                     {nil, "", []string{"https://"}, false},
		"list with commas":            {nil, "app.example", []string{"https://app.example,https://evil.example"}, false},
		"list with blanks":            {nil, "app.example", []string{"https://app.example https://evil.example"}, false},
		"several headers":             {nil, "app.example", []string{"https://app.example", "https://app.example"}, false},
		"named":                       {named, "app.example", []string{"https://friend.example"}, true},
		"named, default port":         {named, "app.example", []string{"https://friend.example:443"}, true},
		"named, case":                 {named, "app.example", []string{"https://upper.example"}, true},
		"named, own scheme":           {named, "app.example", []string{"capacitor://localhost"}, true},
		"named, other scheme":         {named, "app.example", []string{"http://friend.example"}, false},
		"named, other port":           {named, "app.example", []string{"https://friend.example:8443"}, false},
		"named, but another":          {named, "app.example", []string{"https://evil.example"}, false},
		"named, null":                 {named, "app.example", []string{"null"}, false},
		"named, and the own":          {named, "app.example", []string{"https://app.example"}, true},
		"named, its WebSocket":        {named, "app.example", []string{"wss://friend.example:443"}, true},
		"named, unsafe WebSocket":     {named, "app.example", []string{"ws://friend.example"}, false},
		"local, not asked for":        {nil, "app.example", []string{"http://localhost:3000"}, false},
		"local":                       {local, "app.example", []string{"http://localhost:3000"}, true},
		"local, TLS":                  {local, "127.0.0.1:8080", []string{"https://localhost:5173"}, true},
		"local, a name within":        {local, "app.example", []string{"http://shop.localhost"}, true},
		"local, by address":           {local, "app.example", []string{"http://127.0.0.1:4200"}, true},
		"local, by any such address":  {local, "app.example", []string{"http://127.8.9.10:4200"}, true},
		"local, IPv6":                 {local, "app.example", []string{"http://[::1]:8100"}, true},
		"local as a subdomain":        {local, "app.example", []string{"http://localhost.evil.example"}, false},
		"local as an ending":          {local, "app.example", []string{"http://evillocalhost"}, false},
		"local address as a name":     {local, "app.example", []string{"http://127.0.0.1.evil.example"}, false},
		"local, an app":               {local, "app.example", []string{"capacitor://localhost"}, false},
		"local network":               {local, "app.example", []string{"http://192.168.0.2:3000"}, false},
		"null, named":                 {[]string{"null"}, "app.example", []string{"null"}, true},
		"null, but others not":        {[]string{"null"}, "app.example", []string{"https://evil.example"}, false},
		"file":                        {[]string{"file://"}, "app.example", []string{"file://"}, true},
		"file, not named":             {named, "app.example", []string{"file://"}, false},
		"any":                         {[]string{"*"}, "app.example", []string{"https://evil.example"}, true},
		"any, null":                   {[]string{"*"}, "app.example", []string{"null"}, true},
		"any, several":                {[]string{"*"}, "app.example", []string{"https://a.example", "https://b.example"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Host: tc.host, Header: http.Header{}}
			for _, value := range tc.origins {
				r.Header.Add("Origin", value)
			}
			if got := origin.NewPolicy(tc.allowed).Allows(r); got != tc.want {
				t.Errorf("%q to %q: allowed is %t", tc.origins, tc.host, got)
			}
		})
	}
}

// What browsers are told, with a policy and without one.
func TestCORS(t *testing.T) {
	friends := origin.NewPolicy([]string{"https://friend.example"})
	for name, tc := range map[string]struct {
		allow        func(*http.Request) bool
		method, from string
		asks         [2]string // method and headers of a preflight
		want         http.Header
		status       int
	}{
		"friend":                {friends.Allows, "GET", "https://friend.example", [2]string{}, http.Header{"Vary": {"Origin"}, "Access-Control-Allow-Origin": {"https://friend.example"}, "Access-Control-Expose-Headers": {"Retry-After"}}, 418},
		"stranger":              {friends.Allows, "GET", "https://evil.example", [2]string{}, http.Header{"Vary": {"Origin"}}, 418},
		"no page":               {friends.Allows, "GET", "", [2]string{}, http.Header{"Vary": {"Origin"}}, 418},
		"everyone":              {origin.NewPolicy([]string{"*"}).Allows, "GET", "null", [2]string{}, http.Header{"Vary": {"Origin"}, "Access-Control-Allow-Origin": {"null"}, "Access-Control-Expose-Headers": {"Retry-After"}}, 418},
		"no policy":             {nil, "GET", "https://friend.example", [2]string{}, http.Header{"Vary": {"Origin"}}, 418},
		"plain OPTIONS":         {friends.Allows, "OPTIONS", "https://evil.example", [2]string{}, http.Header{"Vary": {"Origin"}}, 418},
		"preflight":             {friends.Allows, "OPTIONS", "https://friend.example", [2]string{"POST", "authorization"}, http.Header{"Vary": {varyOfPreflight}, "Access-Control-Allow-Origin": {"https://friend.example"}, "Access-Control-Allow-Methods": {"POST"}, "Access-Control-Allow-Headers": {"authorization"}, "Access-Control-Max-Age": {"600"}}, 204},
		"its stranger":          {friends.Allows, "OPTIONS", "https://evil.example", [2]string{"POST", ""}, http.Header{"Vary": {varyOfPreflight}}, 204},
		"its method":            {friends.Allows, "OPTIONS", "https://friend.example", [2]string{"TRACE", ""}, http.Header{"Vary": {varyOfPreflight}}, 204},
		"its header":            {friends.Allows, "OPTIONS", "https://friend.example", [2]string{"POST", "x-other"}, http.Header{"Vary": {varyOfPreflight}}, 204},
		"without a page":        {friends.Allows, "OPTIONS", "", [2]string{"POST", ""}, http.Header{"Vary": {varyOfPreflight}}, 204},
		"without a rule":        {nil, "OPTIONS", "https://friend.example", [2]string{"POST", ""}, http.Header{"Vary": {varyOfPreflight}}, 204},
		"a rule of its options": {nil, "OPTIONS", "https://wild.example", [2]string{"POST", ""}, http.Header{"Vary": {varyOfPreflight}}, 204},
	} {
		t.Run(name, func(t *testing.T) {
			handler := origin.CORS(tc.allow, cors.Options{
				AllowedOrigins: []string{"https://wild.example"}, AllowedMethods: []string{"GET", "POST"},
				AllowedHeaders: []string{"Authorization"}, ExposedHeaders: []string{"Retry-After"}, MaxAge: 600,
			}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
			r := httptest.NewRequest(tc.method, "/", nil)
			for header, value := range map[string]string{
				"Origin": tc.from, "Access-Control-Request-Method": tc.asks[0], "Access-Control-Request-Headers": tc.asks[1],
			} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			if diff := cmp.Diff(tc.want, answer.Header()); diff != "" || answer.Code != tc.status {
				t.Errorf("%d, want %d; headers: %s", answer.Code, tc.status, diff)
			}
		})
	}
}

const varyOfPreflight = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

func TestSingle(t *testing.T) {
	for count, want := range []int{http.StatusNoContent, http.StatusNoContent, http.StatusBadRequest, http.StatusBadRequest} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for range count {
			r.Header.Add("Origin", "https://app.example")
		}
		answer := httptest.NewRecorder()
		origin.Single(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(answer, r)
		if answer.Code != want {
			t.Errorf("%d Origin headers: %d, want %d", count, answer.Code, want)
		}
	}
}

// What browsers keep for the server goes with the requests of pages that are known alone.
func TestNamed(t *testing.T) {
	for entry, want := range map[string]bool{"*": false, "null": false, "localhost": true, "https://friend.example": true, "file://": true} {
		if got := origin.NewPolicy([]string{entry}).Named(); got != want {
			t.Errorf("with %s: %t", entry, got)
		}
		if err := origin.Check(entry); err != nil {
			t.Errorf("%s: %v", entry, err)
		}
	}
	for _, entry := range []string{"", "app.example", "https://app.example/", "https://*.example", "LOCALHOST"} {
		if origin.Check(entry) == nil {
			t.Errorf("%q is taken", entry)
		}
	}
}
