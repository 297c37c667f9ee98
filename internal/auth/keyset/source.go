package keyset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

const (
	// fetchTimeout is how long one answer of a provider may take.
	fetchTimeout = 10 * time.Second
	// maxBody is the most a provider may answer, in bytes.
	maxBody      = 1 << 20
	maxRedirects = 3
)

// source is where an identity provider serves its keys.
type source struct {
	url    string
	client *http.Client
	// shown is the address without what may be secret in it: a name and password, a query.
	shown string
}

func newSource(address string) (*source, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return nil, errors.New("the address of the keys is no http or https URL")
	}
	shown := url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 1, IdleConnTimeout: time.Minute}
	return &source{
		url: address, shown: shown.String(),
		client: &http.Client{Transport: transport, Timeout: fetchTimeout, CheckRedirect: checkRedirect},
	}, nil
}

// checkRedirect follows a provider that has moved, but not out of TLS.
func checkRedirect(next *http.Request, before []*http.Request) error {
	switch {
	case len(before) > maxRedirects:
		return errors.New("too many redirects")
	case before[0].URL.Scheme == "https" && next.URL.Scheme != "https":
		return errors.New("redirected from https to " + next.URL.Scheme)
	default:
		return nil
	}
}

func (s *source) close() { s.client.CloseIdleConnections() }

func (s *source) fetch(ctx context.Context) (Set, []LeftOut, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return nil, nil, fmt.Errorf("ask: %w", withoutURL(err))
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("ask: %w", withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	if response.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("answered %s", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read: %w", err)
	case len(body) > maxBody:
		return nil, nil, fmt.Errorf("answered more than %d bytes", maxBody)
	}
	return ParseJWKS(body)
}

// withoutURL takes off an error the address, which may have a password in it.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// outageInterval is how often a provider that goes on failing is told of.
const outageInterval = time.Minute

// outage tells of a provider that fails: when it begins, every so often while it lasts, and when it is over.
type outage struct {
	log   *slog.Logger
	url   string
	count int
	told  time.Time
}

func (o *outage) note(ctx context.Context, err error) {
	switch {
	case err == nil && o.count > 0:
		o.log.InfoContext(ctx, "identity provider's keys are there again", "url", o.url, "failures", o.count)
		o.count = 0
	case err != nil:
		o.count++
		if o.count == 1 || time.Since(o.told) >= outageInterval {
			o.told = time.Now()
			o.log.WarnContext(ctx, "identity provider's keys could not be fetched", "url", o.url, "failures", o.count, "error", err)
		}
	}
}
