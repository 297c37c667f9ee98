package contracttest

import (
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder stands in for a test that is expected to fail.
type recorder struct {
	testing.TB

	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// expect reports a check that passed although it had to fail, or the other way round.
func (r *recorder) expect(t *testing.T, pass bool) {
	t.Helper()
	switch {
	case pass && len(r.failures) > 0:
		t.Errorf("refused: %v", r.failures)
	case !pass && len(r.failures) == 0:
		t.Error("accepted, though it is against the contract")
	}
}
