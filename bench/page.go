//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"rolecall/bench/report"
	"rolecall/bench/target"
)

const introduction = `# Benchmarks

Written by ` + "`make bench`" + `; do not edit. The product runs beside reference servers on one machine in one run, one server
at a time, each as a process of its own on the loopback interface. What counts are the ratios within a run: the figures
themselves change with the machine, and with who else is using it.

%s

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
| engine | the product's realtime layer alone, with the handlers of the references |
| node | Socket.IO 4.8.4 on Node, token verified, rooms joined, events relayed; nothing validated, limited or stored |
| bun | the same handlers on Bun with @socket.io/bun-engine 0.1.2 |
| zishang520 | the same handlers in Go on zishang520/socket.io v3.0.6 with its defaults |
| hub-queued, hub-direct | a bare WebSocket hub on lxzan/gws 1.8.9: no Socket.IO, no tokens; as cheap as it gets |
`

// start is when the run began, and how busy the machine was.
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

// writePage writes the report as Markdown.
func writePage(ctx context.Context, s settings, w *target.Workshop, began start, sections []report.Section) error {
	if s.page == "-" {
		return nil
	}
	var page bytes.Buffer
	fmt.Fprintf(&page, introduction, machine(ctx, w, began))
	for _, section := range sections {
		if err := section.Markdown(&page); err != nil {
			return err
		}
	}
	if err := os.WriteFile(s.page, page.Bytes(), 0o644); err != nil { //nolint:gosec // a page of the documentation
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// machine says on what, when and with what was measured.
func machine(ctx context.Context, w *target.Workshop, began start) string {
	table := "| | |\n|---|---|\n"
	for _, row := range [][2]string{
		{"date", began.at.UTC().Format("2006-01-02 15:04 UTC") + fmt.Sprintf(", %v", time.Since(began.at).Round(time.Second))},
		{"load average before", began.loadAverage},
		{"processor", fmt.Sprintf("%s, %d cores", processor(), runtime.NumCPU())},
		{"kernel", version(ctx, "uname", "-sr")},
		{"Go", runtime.Version()},
		{"Node", version(ctx, "node", "--version")},
		{"Bun", version(ctx, w.BunProgram(), "--version")},
	} {
		table += "| " + row[0] + " | " + row[1] + " |\n"
	}
	return strings.TrimRight(table, "\n")
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
