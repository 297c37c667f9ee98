package native

import (
	"testing"

	"go.uber.org/goleak"

	"rolecall/internal/realtime"
	"rolecall/test/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEngine(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{
		New: func(o realtime.Options) realtime.Engine { return New(o) },
		Left: func(e realtime.Engine) int {
			left := 0
			for _, n := range e.(*Server).allNamespaces() {
				rooms, memberships := n.rooms.Size()
				left += rooms + memberships + int(n.counters.sockets.Load())
			}
			return left
		},
	})
}
