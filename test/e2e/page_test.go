package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"rolecall/internal/config"
	"rolecall/test/harness"
)

// Outside the demo nobody is given a token, whoever asks from wherever, and the page knows where else to lead.
func TestOnlyTheDemoGivesTokens(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) { c.SignInURL = "https://id.example/login" })
	ask := func(method, path string) (int, []byte) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, body
	}
	for _, question := range []struct{ method, path string }{
		{http.MethodGet, "/demo/people.json"}, {http.MethodPost, "/demo/people/ada/token"}, {http.MethodGet, "/demo/streets.geojson"},
	} {
		if status, body := ask(question.method, question.path); status != http.StatusNotFound {
			t.Errorf("%s %s: %d %s, want 404", question.method, question.path, status, body)
		}
	}
	var settings struct {
		Demo, OpenRooms bool
		SignInURL       string `json:"signInUrl"`
	}
	status, body := ask(http.MethodGet, "/settings.json")
	if err := json.Unmarshal(body, &settings); err != nil || status != http.StatusOK {
		t.Fatalf("settings: %d %s, %v", status, body, err)
	}
	if settings.Demo || !settings.OpenRooms || settings.SignInURL != "https://id.example/login" {
		t.Errorf("settings: %s", body)
	}
}
