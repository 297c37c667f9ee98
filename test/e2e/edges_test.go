package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rolecall/api"
	"rolecall/internal/auth"
	"rolecall/test/harness"
)

// TestEdgesOfEveryRoute: what is wrong with a request of any route before anybody looks at what it asks for is told by the
// status that HTTP has for it.
func TestEdgesOfEveryRoute(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, nil)
	methodsOf := func(path string) (methods []string) { // of all patterns that it fits
		for _, route := range server.Routes() {
			pattern := regexp.MustCompile(`^` + regexp.MustCompile(`\\{\w+\\}`).ReplaceAllString(regexp.QuoteMeta(api.Prefix+route.Pattern), `[^/]+`) + `$`)
			if pattern.MatchString(path) && !slices.Contains(methods, route.Method) {
				methods = append(methods, route.Method)
			}
		}
		return methods
	}
	for _, route := range server.Routes() {
		var who auth.Identity
		for role, person := range everyone() {
			if route.Rule.Allows(role) {
				who = person
			}
		}
		path := pathOf(route)
		check := func(what string, status int, field string, answer harness.Answer) {
			t.Helper()
			problem := harness.Decode[struct{ Code, Field string }](t, answer.Body)
			if answer.Status != status || problem.Code != "invalid_payload" || problem.Field != field {
				t.Errorf("%s %s, %s: %d %s, want %d at %q", route.Method, route.Pattern, what, answer.Status, answer.Body, status, field)
			}
		}
		var body any
		if route.HasBody {
			body = "{}"
		}
		for _, query := range []string{"colour=red", "colour=", "access_token=x", "Limit=1"} {
			name, _, _ := strings.Cut(query, "=")
			check(query, http.StatusBadRequest, name, server.REST(route.Method, path+"?"+query, who, body))
		}
		check("a malformed query", http.StatusBadRequest, "", server.REST(route.Method, path+"?a=%zz", who, body))
		checkMethods(t, server, methodsOf(path), path, who)
		if !route.HasBody {
			continue
		}
		check("compressed", http.StatusUnsupportedMediaType, "Content-Encoding", server.REST(route.Method, path, who, "{}", "Content-Encoding", "gzip"))
		if route.Pattern == "/attachments" { // a file is whatever it is
			continue
		}
		for what, broken := range map[string]string{
			"half of the JSON": `{"`, "two documents": "{}{}", "a form": "a=b", "no body": "", "a comment": "{/**/}", "bad UTF-8": "\xff", "NaN": "NaN",
		} {
			if broken == "" && route.MayLackBody {
				continue
			}
			check(what, http.StatusBadRequest, "", server.REST(route.Method, path, who, broken))
		}
		for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json; charset=utf-16"} {
			check(kind, http.StatusUnsupportedMediaType, "Content-Type", server.REST(route.Method, path, who, "{}", "Content-Type", kind))
		}
	}
}

// checkMethods: an address names the methods that it knows to those who ask it by others.
func checkMethods(t *testing.T, server *harness.Server, known []string, path string, who auth.Identity) {
	t.Helper()
	known = append(slices.Clone(known), http.MethodOptions)
	if slices.Contains(known, http.MethodGet) {
		known = append(known, http.MethodHead)
	}
	slices.Sort(known)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
		want := http.StatusMethodNotAllowed
		switch {
		case method == http.MethodOptions:
			want = http.StatusNoContent
		case slices.Contains(known, method):
			continue
		}
		answer := request(t, server, "", method, path, "", "Authorization", "Bearer "+harness.Token(t, who))
		allowed := strings.Split(answer.header.Get("Allow"), ", ")
		slices.Sort(allowed)
		if answer.status != want || !slices.Equal(allowed, known) {
			t.Errorf("%s %s: %d with Allow %q, want %d with %q", method, path, answer.status, allowed, want, known)
		}
	}
	for _, wrong := range []string{path + "/", path + "/x/y/z/1", strings.Replace(path, api.Prefix, "/api/v2", 1), strings.Replace(path, "/api/", "/API/", 1)} {
		if answer := request(t, server, "", "GET", wrong, "", "Authorization", "Bearer "+harness.Token(t, who)); answer.status != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", wrong, answer.status)
		}
	}
}
