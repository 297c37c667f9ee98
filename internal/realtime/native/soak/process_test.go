package soak_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// holdings is what this process holds on to.
type holdings struct {
	goroutines int
	heap       int64 // bytes of live objects, after collecting garbage
	files      int   // open file descriptors; 0 where the system does not list them
}

// takeStock measures what the process holds. Objects with finalizers and cached buffers need more than one collection.
func takeStock() holdings {
	for range 3 {
		runtime.GC()
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return holdings{goroutines: runtime.NumGoroutine(), heap: int64(memory.HeapAlloc), files: openFiles()}
}

func (h holdings) String() string {
	return fmt.Sprintf("%d goroutines, %d KiB of heap, %d open files", h.goroutines, h.heap>>10, h.files)
}

func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// residentBytes is the physical memory of the process; 0 where the system does not tell.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatal("no VmRSS in /proc/self/status")
	return 0
}

// settleMemory gives free memory back to the system, so that what comes next shows.
func settleMemory() {
	runtime.GC()
	debug.FreeOSMemory()
}
