package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// foundMessage is a message that was found, as far as these tests are concerned.
type foundMessage struct {
	RoomID    string `json:"roomId"`
	MessageID string `json:"messageId"`
	Seq       int64  `json:"seq"`
	UserID    string `json:"userId"`
	Timestamp string `json:"timestamp"`
	Excerpt   []struct {
		Text string `json:"text"`
		Hit  bool   `json:"hit"`
	} `json:"excerpt"`
}

// marked is the excerpt with what was looked for in brackets.
func (f foundMessage) marked() (text string) {
	for _, piece := range f.Excerpt {
		if piece.Hit {
			text += "[" + piece.Text + "]"
		} else {
			text += piece.Text
		}
	}
	return text
}

// searchFor asks by both doors, which must answer the same, and returns the excerpts of all pages.
func searchFor(t *testing.T, server *harness.Server, who auth.Identity, socket *harness.Socket, q string, more ...string) []string {
	t.Helper()
	query, payload := url.Values{"q": {q}}, map[string]any{"q": q}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
		payload[more[i]] = more[i+1]
	}
	query.Set("limit", "2")
	payload["limit"] = 2
	type page struct {
		Items      []foundMessage `json:"items"`
		NextCursor string         `json:"nextCursor"`
	}
	texts := []string{}
	for {
		answer := server.REST("GET", "/api/v1/search?"+query.Encode(), who, nil)
		if answer.Status != http.StatusOK {
			t.Fatalf("search %q: %d %s", q, answer.Status, answer.Body)
		}
		got, same := harness.Decode[page](t, answer.Body), harness.Must[page](socket, "chat:search", payload)
		if fmt.Sprint(got) != fmt.Sprint(same) {
			t.Errorf("search %q: by REST %+v, by the socket %+v", q, got, same)
		}
		for _, item := range got.Items {
			texts = append(texts, item.marked())
		}
		if got.NextCursor == "" {
			return texts
		}
		query.Set("cursor", got.NextCursor)
		payload["cursor"] = got.NextCursor
	}
}

func lively(c *config.Config) {
	for kind := range c.Rates {
		c.Rates[kind] = limit.Rate{Requests: 1000, Period: 1e9, Burst: 1000}
	}
}

// What was said to somebody is found by its words, by them and by nobody else, as it is by now.
func TestSearch(t *testing.T) {
	server := harness.Start(t, lively)
	ada, ben, eve := harness.Person("ada", roles.Admin, ""), harness.Person("ben", roles.Vendor, ""), harness.Person("eve", roles.Vendor, "")
	writing, reading, outside := server.Dial(ada, "/"), server.Dial(ben, "/chat"), server.Dial(eve, "/")
	say := func(to, text string) string {
		return harness.Must[struct{ MessageID string }](writing, "chat:message", map[string]any{"to": to, "text": text}).MessageID
	}
	say("ben", "The bridge in Łódź is closed")
	second := say("ben", "Take the other Bridge, at the café")
	third := say("ben", "明日は東京駅の橋で")
	say("eve", "bridge club tonight")
	harness.Must[any](writing, "chat:message", map[string]any{"roomId": "lobby", "text": "bridges are open"})
	group := harness.Must[struct{ RoomID string }](writing, "room:create", map[string]any{"name": "crew", "members": []string{"ada", "ben"}}).RoomID
	harness.Must[any](writing, "chat:message", map[string]any{"roomId": group, "text": "group bridge"})

	for _, test := range []struct {
		q    string
		more []string
		want []string
	}{
		{"bridge", nil, []string{"group [bridge]", "[bridges] are open", "Take the other [Bridge], at the café", "The [bridge] in Łódź is closed"}},
		{"CAFE bridge", nil, []string{"Take the other [Bridge], at the [café]"}},
		{"lodz", nil, []string{"The bridge in [Łódź] is closed"}},
		{"東京", nil, []string{"明日は[東京]駅の橋で"}},
		{"橋", nil, []string{"明日は東京駅の[橋]で"}},
		{"bridge", []string{"room", "dm:ben:ada"}, []string{"Take the other [Bridge], at the café", "The [bridge] in Łódź is closed"}},
		{"bridge", []string{"user", "ben"}, []string{}},
		{"bridge", []string{"to", "2020-01-01T00:00:00Z"}, []string{}},
		{"bridge", []string{"from", "2020-01-01T00:00:00Z", "room", group}, []string{"group [bridge]"}},
		{"tunnel", nil, []string{}},
	} {
		if got := searchFor(t, server, ben, reading, test.q, test.more...); !slices.Equal(got, test.want) {
			t.Errorf("%q %v: %q", test.q, test.more, got)
		}
	}
	if got := searchFor(t, server, eve, outside, "bridge"); !slices.Equal(got, []string{"[bridges] are open", "[bridge] club tonight"}) {
		t.Errorf("eve finds %q", got)
	}
	harness.Must[any](writing, "chat:edit", map[string]any{"roomId": "dm:ada:ben", "messageId": second, "text": "Take the ferry"})
	harness.Must[any](writing, "chat:delete", map[string]any{"roomId": "dm:ada:ben", "messageId": third})
	harness.Must[any](writing, "room:remove", map[string]any{"roomId": group, "members": []string{"ben"}})
	if got := searchFor(t, server, ben, reading, "bridge"); !slices.Equal(got, []string{"[bridges] are open", "The [bridge] in Łódź is closed"}) {
		t.Errorf("once things have changed: %q", got)
	}
	if got := searchFor(t, server, ben, reading, "ferry"); len(got) != 1 {
		t.Errorf("what was edited: %q", got)
	}
	if got := searchFor(t, server, ben, reading, "東京"); len(got) != 0 {
		t.Errorf("what was deleted: %q", got)
	}
	for _, room := range []string{"dm:ada:ben", group} {
		if ack := outside.Ask("chat:search", map[string]any{"q": "bridge", "room": room}); ack.Code != "room_forbidden" {
			t.Errorf("another's room: %s", ack.Raw)
		}
	}
	if ack := reading.Ask("chat:search", map[string]any{"q": "bridge", "room": group}); ack.Code != "room_forbidden" {
		t.Errorf("a room that one has left: %s", ack.Raw)
	}
}

// A search asks for something, and comes from a listing of its own.
func TestSearchRefused(t *testing.T) {
	const burst = 8
	server := harness.Start(t, func(c *config.Config) {
		c.Rates[limit.Search] = limit.Rate{Requests: 1, Period: time.Hour, Burst: burst}
	})
	ada := harness.Person("ada", roles.Admin, "")
	socket := server.Dial(ada, "/")
	long := make([]rune, 201)
	for i := range long {
		long[i] = '橋'
	}
	for field, payload := range map[string]map[string]any{
		"q":      {"q": "..."},
		"cursor": {"q": "bridge", "cursor": "abc"},
		"user":   {"q": "bridge", "user": "a:b"},
		"to":     {"q": "bridge", "from": 1767268800000, "to": 1767268800000},
		"limit":  {"q": "bridge", "limit": 101},
	} {
		ack := socket.Ask("chat:search", payload)
		if ack.Code != "invalid_payload" || ack.Field != field {
			t.Errorf("%v: %s", payload, ack.Raw)
		}
	}
	if ack := socket.Ask("chat:search", map[string]any{}); ack.Code != "invalid_payload" || ack.Field != "q" {
		t.Errorf("nothing to search for: %s", ack.Raw)
	}
	if ack := socket.Ask("chat:search", map[string]any{"q": string(long)}); ack.Code != "too_large" || ack.Field != "q" {
		t.Errorf("a long one: %s", ack.Raw)
	}
	for range burst { // on each of several nodes
		if socket.Ask("chat:search", map[string]any{"q": "bridge"}).Code == "rate_limited" {
			return
		}
	}
	t.Error("there is no limit of searches")
}
