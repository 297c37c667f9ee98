package e2e

import (
	"net/http"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// TestRevokedOnEveryNode: revoking a user on one of three nodes ends every socket on each of them within a second, and each
// refuses the token at every door from then on: also after all have restarted, and where one was down meanwhile.
func TestRevokedOnEveryNode(t *testing.T) {
	t.Parallel()
	harness.RunsOnce(t)
	server := harness.StartNodes(t, nil)
	nodes := server.Nodes()
	who, other := since(harness.Person("d1", roles.Driver, "acme"), -time.Minute), harness.Person("d2", roles.Driver, "acme")
	var sockets, bystanders []*harness.Socket
	for _, node := range nodes {
		for _, namespace := range []string{"/", "/chat", "/tracking", "/system"} {
			sockets = append(sockets, node.Dial(who, namespace))
		}
		bystanders = append(bystanders, node.Dial(other, "/"))
	}
	begun := time.Now()
	revoke(t, nodes[1], "d1", nil)
	endsWithin(t, time.Second, sockets...)
	t.Logf("%d sockets on three nodes were ended %s after the revocation was sent", len(sockets), time.Since(begun).Round(time.Millisecond))
	isOutEverywhere(t, server, who, other)
	for _, socket := range bystanders {
		socket.Fence()
	}

	server.Restart()
	isOutEverywhere(t, server, who, other)

	late := since(harness.Person("d3", roles.Driver, "acme"), -time.Minute)
	nodes[2].Stop()
	revoke(t, nodes[0], "d3", nil)
	nodes[2].Restart()
	isOutEverywhere(t, server, late, other)
}

// isOutEverywhere: each node refuses a person at the socket's door and at that of REST, and lets another in.
func isOutEverywhere(t *testing.T, server *harness.Server, who, other auth.Identity) {
	t.Helper()
	for i, node := range server.Nodes() {
		for namespace := range node.Events() {
			if _, err := node.TryDial(who, namespace); !harness.IsRefused(err, "auth_invalid") {
				t.Errorf("node %d, %s lets a revoked token in: %v", i, namespace, err)
			}
		}
		for _, route := range node.Routes() {
			answer := node.REST(route.Method, pathOf(route), who, nil)
			if problem := harness.Decode[struct{ Code string }](t, answer.Body); answer.Status != http.StatusUnauthorized || problem.Code != "auth_invalid" {
				t.Errorf("node %d, %s %s takes a revoked token: %d %s", i, route.Method, route.Pattern, answer.Status, answer.Body)
			}
		}
		if answer := node.REST("GET", "/api/v1/me", other, nil); answer.Status != http.StatusOK {
			t.Errorf("node %d: another user is out, too: %d %s", i, answer.Status, answer.Body)
		}
		if n := server.SocketCount(roles.UserRoom(who.UserID)); n != 0 {
			t.Errorf("%d sockets of a revoked user stay", n)
		}
	}
}
