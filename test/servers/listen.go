package servers

import (
	"testing"

	"github.com/redis/rueidis"
)

// ListenRedis has heard called with what is published on channels of a pattern, one after the other, until the end of t. It
// returns a client of the same server, by which to publish.
func ListenRedis(t testing.TB, url, pattern string, heard func(rueidis.PubSubMessage)) rueidis.Client {
	t.Helper()
	options, err := rueidis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.DisableCache = true
	client, err := rueidis.NewClient(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	listening, giveBack := client.Dedicate()
	t.Cleanup(giveBack)
	listening.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: heard})
	if err := listening.Do(t.Context(), listening.B().Psubscribe().Pattern(pattern).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	return client
}
