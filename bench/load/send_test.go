//go:build linux

package load

import (
	"testing"
	"time"
)

func TestEventAtATime(t *testing.T) {
	now := time.UnixMicro(1_700_000_000_123_456)
	for _, test := range []struct {
		name string
		send Send
		want string
	}{
		{"one", Send{Event: `["a",{"ts":{millis},"seq":{stamp}}]`}, `["a",{"ts":1700000000123,"seq":1700000000123456}]`},
		{"several, the newest last", Send{Event: `["a",[{items}]]`, Item: `{millis}/{stamp}`, Items: 3},
			`["a",[1700000000121/1700000000123454,1700000000122/1700000000123455,1700000000123/1700000000123456]]`},
	} {
		if got := test.send.at(now); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
