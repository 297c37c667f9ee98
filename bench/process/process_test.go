//go:build linux

package process

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The kernel's clock of this process agrees with its own account of itself.
func TestCPUAgreesWithGetrusage(t *testing.T) {
	for deadline := time.Now().Add(30 * time.Millisecond); time.Now().Before(deadline); {
		_ = strings.Repeat("x", 1000)
	}
	before := usage(t)
	got, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	after := usage(t)
	const tolerance = 10 * time.Millisecond // getrusage may count in ticks
	if got < before-tolerance || got > after+tolerance {
		t.Errorf("CPU is %v, getrusage says %v to %v", got, before, after)
	}
	if _, err := CPU(1 << 21); err == nil {
		t.Error("no error for a process that cannot exist")
	}
}

func usage(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestRSSGrowsWithMemoryInUse(t *testing.T) {
	before, err := RSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	memory, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(memory) }()
	for i := 0; i < size; i += os.Getpagesize() {
		memory[i] = 1
	}
	after, err := RSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if grown := after - before; grown < size*9/10 {
		t.Errorf("RSS grew by %d bytes, want about %d", grown, size)
	}
}

func TestPeakRSSOutlivesTheMemory(t *testing.T) {
	if err := ResetPeakRSS(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	before, err := PeakRSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	memory, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < size; i += os.Getpagesize() {
		memory[i] = 1
	}
	if err := syscall.Munmap(memory); err != nil {
		t.Fatal(err)
	}
	after, err := PeakRSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if grown := after - before; grown < size*9/10 {
		t.Errorf("the peak rose by %d bytes, want about %d", grown, size)
	}
}

func TestKilobytes(t *testing.T) {
	const sample = "55d0c8a00000-7ffd35b3d000 ---p 00000000 00:00 0    [rollup]\nRss:             1764 kB\nPss:  399 kB\n"
	if got, err := kilobytes(sample, "Rss:"); got != 1764<<10 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	for _, bad := range []string{"", "Pss: 399 kB\n", "Rss: many kB\n", "Rss: 1764\n"} {
		if got, err := kilobytes(bad, "Rss:"); err == nil {
			t.Errorf("%q gives %d", bad, got)
		}
	}
}

func TestCountEstablished(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000
   1: 0100007F:1F90 0105007F:C001 01 00000000:00000000 00:00000000
   2: 0100007F:1F90 0105007F:C002 04 00000000:00000000 00:00000000
   3: 0100007F:1F90 0106007F:C003 01 00000000:00000000 00:00000000
   4: 0105007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000
   5: 0100007F:1F91 0105007F:C004 01 00000000:00000000 00:00000000
`
	got, err := countEstablished(strings.NewReader(table), netip.MustParseAddrPort("127.0.0.1:8080"), netip.MustParsePrefix("127.0.5.0/24"))
	if got != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", got, err)
	}
	if _, err := countEstablished(strings.NewReader("0: nonsense nonsense 01\n"), netip.AddrPort{}, netip.Prefix{}); err == nil {
		t.Error("no error for a table of another form")
	}
}

func TestEstablishedOfThisMachine(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	local := netip.MustParseAddrPort(listener.Addr().String())
	if got, err := Established(local, netip.MustParsePrefix("127.0.0.0/24")); got != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", got, err)
	}
	if got, err := Established(local, netip.MustParsePrefix("127.0.9.0/24")); got != 0 || err != nil {
		t.Errorf("from another network: got %d, %v, want 0", got, err)
	}
}
