//go:build linux

// Package process reads from the kernel what another process has used: processor time, resident memory, connections.
package process

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the processor time a process has used so far, in user and kernel mode, over all its threads, also those
// that have ended. The kernel counts it in nanoseconds; the clock is the one of clock_getcpuclockid(3).
func CPU(pid int) (time.Duration, error) {
	// include/linux/posix-timers.h: the complement of the process id, shifted by 3; clock 2 is the scheduler's.
	const schedulerClock = 2
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &used); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(used.Nano()), nil
}

// RSS returns the resident memory of a process, in bytes.
func RSS(pid int) (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, fmt.Errorf("resident memory: %w", err)
	}
	return kilobytes(string(content), "Rss:") // unlike that of statm it is exact, see proc(5)
}

// kilobytes reads a line such as "Rss:  1764 kB", in bytes.
func kilobytes(content, name string) (int64, error) {
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != name || fields[2] != "kB" {
			continue
		}
		number, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s %w", name, err)
		}
		return number << 10, nil
	}
	return 0, fmt.Errorf("no line %s in %q", name, content)
}

// ResetPeakRSS begins anew what PeakRSS tells of a process; see clear_refs in proc(5).
func ResetPeakRSS(pid int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		return fmt.Errorf("peak of resident memory: %w", err)
	}
	return nil
}

// PeakRSS returns the most resident memory a process has had since ResetPeakRSS, in bytes.
func PeakRSS(pid int) (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("peak of resident memory: %w", err)
	}
	return kilobytes(string(content), "VmHWM:")
}

// Established counts the connections that the listener at local holds open to peers in the network remote. One that it
// has closed, but whose last bytes the peer has not read, is not among them.
func Established(local netip.AddrPort, remote netip.Prefix) (int, error) {
	file, err := os.Open("/proc/net/tcp")
	if err != nil {
		return 0, fmt.Errorf("connections: %w", err)
	}
	defer func() { _ = file.Close() }()
	return countEstablished(file, local, remote)
}

// established is the state's number in include/net/tcp_states.h.
const established = "01"

func countEstablished(table io.Reader, local netip.AddrPort, remote netip.Prefix) (int, error) {
	lines := bufio.NewScanner(table)
	count := 0
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[0] == "sl" {
			continue
		}
		here, err := parseAddress(fields[1])
		if err != nil {
			return 0, err
		}
		there, err := parseAddress(fields[2])
		if err != nil {
			return 0, err
		}
		if here == local && remote.Contains(there.Addr()) && fields[3] == established {
			count++
		}
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("connections: %w", err)
	}
	return count, nil
}

// parseAddress reads "0100007F:1F90", which is 127.0.0.1:8080: the address in the machine's byte order, the port not.
func parseAddress(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw) != 4 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of /proc/net/tcp", text)
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of /proc/net/tcp", text)
	}
	var bytes [4]byte
	binary.NativeEndian.PutUint32(bytes[:], binary.BigEndian.Uint32(raw))
	return netip.AddrPortFrom(netip.AddrFrom4(bytes), uint16(number)), nil
}
