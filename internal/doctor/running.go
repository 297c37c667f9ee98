package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"rolecall/internal/config"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// running asks a server that runs how it is, and what proxies have told it.
func running(ctx context.Context, o Options) []Finding {
	status, body, date, err := get(ctx, o.URL+"/readyz", "")
	if err != nil {
		return append(one("server", Skipped, "", "none answers at %s", o.URL),
			one("proxies", Skipped, "Start the server, let clients connect, and ask again; -url names where it is.", "only a server that runs can tell")...)
	}
	all := ready(status, body)
	if ahead := time.Until(date); !date.IsZero() && ahead.Abs() > clockSlack {
		all = append(all, one("clock", Failed, "Have a time service keep both clocks.", "the server's differs from this one by %s", ahead.Round(time.Second))...)
	}
	if o.Token == "" {
		return append(all, one("proxies", Skipped, "Give an admin's token by -token.", "only admins are told, and nobody here can sign a token")...)
	}
	return append(all, proxies(ctx, o)...)
}

func ready(status int, body []byte) []Finding {
	if status == http.StatusOK {
		return one("server", Fine, "", "runs and takes traffic")
	}
	var problem struct{ Detail string }
	_ = json.Unmarshal(body, &problem) // what is no document has nothing to say
	if problem.Detail == "" {
		problem.Detail = http.StatusText(status)
	}
	return one("server", Failed, "The server's log says what to do.", "runs and takes no traffic: %d, %s", status, problem.Detail)
}

// proxies holds the setting against what arrives.
func proxies(ctx context.Context, o Options) []Finding {
	const check = "proxies"
	setting := config.Variable("trusted-proxies")
	status, body, _, err := get(ctx, o.URL+"/api/v1/stats", o.Token)
	var told struct {
		Forwarding struct {
			Believed, Ignored, Unreadable int64
			IgnoredFrom                   string
		}
	}
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(body, &told)
	}
	switch f := told.Forwarding; {
	case err != nil:
		return one(check, Failed, "Look whether it is Rolecall that answers there.", "the server's statistics cannot be read: %s", err)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return one(check, Skipped, "Give an admin's token by -token.", "the server does not take the token: %d", status)
	case status != http.StatusOK:
		return one(check, Failed, "Look at the server's log.", "the server's statistics: %d", status)
	case f.Unreadable > 0:
		return one(check, Warning, "Have the proxy write the client's address into X-Forwarded-For; where it does, "+setting+" names the clients as well.", "%d requests of trusted proxies named no client, and count as the proxy's", f.Unreadable)
	case f.IgnoredFrom != "":
		return one(check, Warning, fmt.Sprintf("If %s is your proxy, name it in %s: its clients share the limits of one address.", f.IgnoredFrom, setting),
			"%d requests had a forwarding header that was ignored, the last from %s", f.Ignored, f.IgnoredFrom)
	case len(o.Config.TrustedProxies) > 0 && f.Believed == 0:
		return one(check, Warning, "Look whether "+setting+" names the proxy, and whether that sends X-Forwarded-For.", "proxies are trusted, and no request has come through one")
	case len(o.Config.TrustedProxies) == 0:
		return one(check, Fine, "", "none is trusted, and none seems to be there")
	default:
		return one(check, Fine, "", "%d requests came through those that are trusted", f.Believed)
	}
}

// get reads what a server answers, and what time it has.
func get(ctx context.Context, url, token string) (status int, body []byte, date time.Time, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, time.Time{}, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, nil, time.Time{}, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	date, _ = http.ParseTime(response.Header.Get("Date")) // the zero Time where there is none
	return response.StatusCode, body, date, err
}
