package zishang520

import (
	"testing"

	"go.uber.org/goleak"

	"rolecall/internal/realtime"
	"rolecall/test/enginetest"
)

// A session by polling that was closed with no request open leaves the library with a timer of 30 s, which has a goroutine.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/zishang520/socket.io/v3/pkg/utils.SetTimeout.func1"))
}

func TestEngine(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{
		New: func(o realtime.Options) realtime.Engine { return New(o) },
		Left: func(e realtime.Engine) int {
			left := 0
			for _, n := range e.(*Engine).all() {
				left += n.io.Adapter().Rooms().Len() + n.io.Adapter().Sids().Len() + n.io.Sockets().Len() + n.sockets.Len()
			}
			return left
		},
		Exceptions: map[string]string{
			"second CONNECT":                         "one that comes before the first is answered makes a second socket",
			"NothingIsDeliveredBeforeTheAnswer":      "a broadcast may overtake the answer to CONNECT, and one before it is lost",
			"ConnectingAnew":                         "a CONNECT right behind a DISCONNECT closes the connection",
			"TooManyConnects":                        "a CONNECT right behind a DISCONNECT closes the connection, and unknown namespaces are free",
			"EventsOnTheWayWhenTheServerDisconnects": "an event that crosses with the server's DISCONNECT closes the connection",
			"DisconnectFromInsideTheHandler":         "what is sent right before the server closes a connection is lost",
			"PingBeforeItsTime":                      "pings are sent by the library's own clock",
			"gathered before a goodbye":              "what is sent right before the server closes a connection is lost",
			"Close by polling":                       "what is sent right before the server closes a connection is lost",
			"Close by websocket":                     "what is sent right before the server closes a connection is lost",
			"parse error":                            "the reason is lost",
			"SlowReaderIsCutOff":                     "what waits for a client has no bound",
			"no HTML escapes":                        "JSON is written anew, with escapes for HTML",
			"unknown namespace to the letter":        "the refusal has data of null as well",
			"raw JSON as it is":                      "JSON is written anew",
		},
	})
}
