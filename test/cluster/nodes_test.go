//go:build unix

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/config"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

// nodeCount is how many servers there are.
const nodeCount = 3

// cluster is servers, each a process of its own, that share a PostgreSQL database and meet in Redis. Each reaches Redis through a
// proxy of its own.
type cluster struct {
	t        *testing.T
	redis    *servers.Redis
	postgres *servers.Postgres
	// database leads to what the nodes store.
	database string
	binary   string
	paths    [nodeCount]*servers.Proxy // to Redis
	web      *http.Client

	mu    sync.Mutex
	nodes [nodeCount]*harness.Process
}

// startCluster starts servers until the end of t.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, redis: servers.StartRedis(t), postgres: servers.StartPostgres(t), binary: harness.Build(t)}
	c.database = c.postgres.Database()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	c.web = &http.Client{Transport: transport, Timeout: callPatience}
	t.Cleanup(transport.CloseIdleConnections)
	for i := range c.nodes {
		c.paths[i] = servers.StartProxy(t, c.redis.Address)
		c.launch(i, "127.0.0.1:0")
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.node(i).Kill()
		}
	})
	return c
}

func (c *cluster) launch(i int, addr string) {
	c.t.Helper()
	made := harness.Launch(c.t, c.binary, addr, c.t.TempDir(),
		config.Variable("redis-url")+"=redis://"+c.paths[i].Address, config.Variable("database-url")+"="+c.database)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i] = made
}

// relaunch starts a node that was killed, on its address.
func (c *cluster) relaunch(i int) {
	c.t.Helper()
	c.launch(i, strings.TrimPrefix(c.node(i).URL, "http://"))
}

func (c *cluster) node(i int) *harness.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[i]
}

// awaitReady waits until a node says that it lacks nothing.
func (c *cluster) awaitReady() {
	c.t.Helper()
	for i := range c.nodes {
		harness.Eventually(c.t, fmt.Sprintf("node %d is ready", i), func() bool {
			var said struct {
				Status string `json:"status"`
			}
			_, err := c.request(c.t.Context(), i, http.MethodGet, "/readyz", "", nil, &said)
			return err == nil && said.Status == "ready"
		})
	}
}

// request asks a node and decodes the answer where it is one that is wanted. Headers are name, value, name, value.
func (c *cluster) request(
	ctx context.Context, node int, method, path, token string, body, into any, headers ...string,
) (status int, err error) {
	var content io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.node(node).URL+path, content)
	if err != nil {
		return 0, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.web.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if into != nil && response.StatusCode < http.StatusMultipleChoices {
		err = json.Unmarshal(answer, into)
	}
	return response.StatusCode, err
}

// list reads all pages of a listing from a node.
func list[T any](ctx context.Context, c *cluster, node int, path, token string, query url.Values) (all []T, err error) {
	asked := url.Values{}
	for name, values := range query {
		asked[name] = values
	}
	for {
		var page struct {
			Items      []T    `json:"items"`
			NextCursor string `json:"nextCursor"`
		}
		status, err := c.request(ctx, node, http.MethodGet, path+"?"+asked.Encode(), token, nil, &page)
		if err != nil || status != http.StatusOK {
			return nil, fmt.Errorf("%s: %d: %w", path, status, err)
		}
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all, nil
		}
		asked.Set("cursor", page.NextCursor)
	}
}

// pass lets something last: what the test waits for is that time itself.
func pass(d time.Duration) { <-time.After(d) }
