package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rolecall/api"
)

func docsPage(t *testing.T) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	api.DocsHandler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/docs", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("answered with %d: %s", answer.Code, answer.Body)
	}
	return answer
}

func TestDocsPageShowsTheContract(t *testing.T) {
	page := docsPage(t).Body.String()
	for _, want := range []string{
		"GET /api/v1/drivers/{id}/positions", "DELETE /api/v1/notices/{id}", "Idempotency-Key",
		`id="sent-chat:message"`, `id="heard-tracking:positions"`, `id="schema-Position"`, `id="schema-ErrorEvent"`,
		`<a href="#schema-MessagePage">MessagePage</a>`, "10 per 10 s",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "map[") {
		t.Error("the page shows something that is not text")
	}
}

// TestDocsPageLinks: every link within the page has a target.
func TestDocsPageLinks(t *testing.T) {
	page := docsPage(t).Body.String()
	links := strings.Split(page, `href="#`)[1:]
	if len(links) < 50 {
		t.Errorf("only %d links", len(links))
	}
	for _, link := range links {
		target, _, _ := strings.Cut(link, `"`)
		if !strings.Contains(page, `id="`+target+`"`) {
			t.Errorf("#%s leads nowhere", target)
		}
	}
}

// TestDocsPageIsSelfContained: no script, nothing from elsewhere, and a policy that allows the page's own style alone.
func TestDocsPageIsSelfContained(t *testing.T) {
	answer := docsPage(t)
	page := answer.Body.String()
	for _, foreign := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", `href="http`, "style=", "javascript:"} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page contains %q", foreign)
		}
	}
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	if !found {
		t.Fatal("the page has no style")
	}
	digest := sha256.Sum256([]byte(style))
	policy := answer.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %q", policy, want)
		}
	}
	if got := answer.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
}

// TestDocumentsAreCopies: whoever changes what the accessors return changes nobody else's.
func TestDocumentsAreCopies(t *testing.T) {
	for name, document := range map[string]func() []byte{"openapi": api.OpenAPIYAML, "asyncapi": api.AsyncAPIYAML} {
		first := document()
		if !strings.HasPrefix(string(first), name) {
			t.Errorf("%s begins with %q", name, first[:10])
		}
		first[0] = 'X'
		if document()[0] == 'X' {
			t.Errorf("%s is shared", name)
		}
	}
}
