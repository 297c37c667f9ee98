package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"rolecall/internal/simulation/sioclient"
	"rolecall/test/servicetest"
)

// serving runs the program, with what the environment says, until the test ends, and returns its address.
func serving(t *testing.T, logs *servicetest.Lines, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	args = append([]string{"-addr", "127.0.0.1:0", "-data-dir", t.TempDir(), "-log-format", "json"}, args...)
	go func() { ended <- run(ctx, args, logs, logs) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("stop: %v\n%s", err, logs.String())
		}
	})
	address := regexp.MustCompile(`"msg":"serving","url":"([^"]+)"`)
	url := ""
	await(t, "the address", func() bool {
		found := address.FindStringSubmatch(logs.String())
		if found != nil {
			url = found[1]
		}
		return found != nil
	})
	return url
}

// whoIs is whom a token speaks for; nobody where it is refused.
func whoIs(t *testing.T, url, token string) me {
	t.Helper()
	var who me
	if err := json.Unmarshal([]byte(fetch(t, url+"/api/v1/me", token)), &who); err != nil {
		t.Fatal(err)
	}
	return who
}

// connects checks that the socket door takes a token as well.
func connects(t *testing.T, url, token string) {
	t.Helper()
	client, err := sioclient.Dial(t.Context(), url, sioclient.Options{Auth: map[string]string{"token": token}})
	if err != nil {
		t.Errorf("connect: %v", err)
		return
	}
	client.Close()
}

// isRefused checks that a token is refused and that this is one line in the log, which names the check and has nothing of
// the token.
func isRefused(t *testing.T, url, token string, logs *servicetest.Lines, check, says string) {
	t.Helper()
	before := refusals(t, logs)
	isAnswered(t, url, token, http.StatusUnauthorized, "auth_")
	fresh := refusals(t, logs)[len(before):]
	if len(fresh) != 1 || fresh[0]["check"] != check || !strings.Contains(fresh[0]["reason"], says) || fresh[0]["level"] != "INFO" {
		t.Errorf("%s: logged %v, want one line that says %q", check, fresh, says)
	}
	if payload := strings.Split(token, ".")[1]; strings.Contains(logs.String(), payload) {
		t.Errorf("%s: the log has the token", check)
	}
}

// isAnswered checks how GET /api/v1/me is answered.
func isAnswered(t *testing.T, url, token string, status int, says string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status || !strings.Contains(string(body), says) {
		t.Errorf("answered with %s %s, %v; want %d that says %q", response.Status, body, err, status, says)
	}
}

// refusals are the lines of the log about refused tokens.
func refusals(t *testing.T, logs *servicetest.Lines) []map[string]string {
	t.Helper()
	var all []map[string]string
	for line := range strings.Lines(logs.String()) {
		if !strings.Contains(line, `"msg":"token refused"`) {
			continue
		}
		var fields map[string]string
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		all = append(all, fields)
	}
	return all
}
