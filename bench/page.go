//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"rolecall/bench/report"
	"rolecall/bench/scenario"
	"rolecall/bench/target"
)

const introduction = `# Benchmarks

Written by ` + "`make bench`" + `; do not edit. The product runs beside reference servers on one machine in one run, one server
at a time, each as a process of its own on the loopback interface. What counts are the ratios within a section: the figures
themselves change with the machine, and with who else is using it. Each section says when it was measured; one that a run
leaves out (` + "`-scenario`" + `) stays as it was.

The load comes from worker processes that write and read WebSocket frames themselves, so that the clients use little of
the machine: two of them, one where clients connect. They count what they receive; nothing is taken for delivered that
no client has read. CPU is the time of the server's process alone, user and kernel, as the kernel's scheduler counts it.
Latency is from the moment a client writes an event to the moment another has read it, and so includes the clients' own
share of the processors, and what other programs take of them: a load average well above the load of the benchmark
itself, about 1, makes latencies long and costs every server some CPU. Events are sent at fixed times however long the
server takes. Every event of a Socket.IO client asks for an ack and gets one. Each load runs for two seconds before it
is measured.

| server | what it is |
|---|---|
| rolecall | the product: tokens verified, payloads validated, rates limited, everything acked is on disk |
| rolecall-zishang520 | the same with -engine=zishang520 |
| rolecall-postgres | the product on PostgreSQL, whose commits are flushed to the disk; its own processor time is not the product's, and stands beside it where it matters |
| rolecall-shared | one node with PostgreSQL and Redis configured, which is alone |
| rolecall-pair | two such nodes |
| engine | the product's realtime layer alone, with the handlers of the references |
| node | Socket.IO 4.8.4 on Node, token verified, rooms joined, events relayed; nothing validated, limited or stored |
| bun | the same handlers on Bun with @socket.io/bun-engine 0.1.2 |
| zishang520 | the same handlers in Go on zishang520/socket.io v3.0.6 with its defaults |
| hub-queued, hub-direct | a bare WebSocket hub on lxzan/gws 1.8.9: no Socket.IO, no tokens; as cheap as it gets |
`

// start is when something began, and how busy the machine was.
type start struct {
	at time.Time
	// loadAverage is that of the last minute, see proc(5).
	loadAverage string
}

func now() start {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return start{at: time.Now(), loadAverage: "unknown"}
	}
	lastMinute, _, _ := strings.Cut(string(content), " ")
	return start{at: time.Now(), loadAverage: lastMinute}
}

// measured is what a section says of when and on what it was measured, as it ends.
func (s start) measured(on string) string {
	return fmt.Sprintf("%s, in %v, beginning at a load average of %s, on %s",
		s.at.UTC().Format("2006-01-02 15:04 UTC"), time.Since(s.at).Round(time.Second), s.loadAverage, on)
}

// writePage writes the report as Markdown. Sections of scenarios that were not run this time stay as they stand in the page.
func writePage(s settings, sections []report.Section) error {
	if s.page == "-" {
		return nil
	}
	before, err := os.ReadFile(s.page)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the report of before: %w", err)
	}
	standing := standingSections(string(before))
	for _, section := range sections {
		var text strings.Builder
		if err := section.Markdown(&text); err != nil {
			return err
		}
		standing[section.Name] = text.String()
	}
	var page strings.Builder
	page.WriteString(introduction)
	for _, known := range scenario.All() {
		page.WriteString(standing[known.Name])
	}
	if err := os.WriteFile(s.page, []byte(page.String()), 0o644); err != nil { //nolint:gosec // a page of the documentation
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// standingSections are the sections of a page, by name.
func standingSections(page string) map[string]string {
	const heading = "\n## "
	all := make(map[string]string)
	parts := strings.Split(page, heading)
	for _, part := range parts[1:] {
		name, _, _ := strings.Cut(part, "\n")
		all[name] = heading + part
	}
	return all
}

// machine says on what and with what is measured.
func machine(ctx context.Context, w *target.Workshop) string {
	return fmt.Sprintf("%s with %d cores: %s, %s, Node %s, Bun %s", processor(), runtime.NumCPU(), version(ctx, "uname", "-sr"),
		runtime.Version(), version(ctx, "node", "--version"), version(ctx, w.BunProgram(), "--version"))
}

func processor() string {
	content, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(content)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func version(ctx context.Context, program string, arguments ...string) string {
	output, err := exec.CommandContext(ctx, program, arguments...).Output() //nolint:gosec // names are ours
	if err != nil {
		return "not there"
	}
	return strings.TrimSpace(string(output))
}
