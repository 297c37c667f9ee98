//go:build unix

package rolling

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"rolecall/test/harness"
)

// orderVariable has this test's binary be a crowd: it holds an order as JSON.
const orderVariable = "ROLLING_CROWD"

// order is what a crowd is to do: to connect so many clients, from the addresses of a network, and to make load until its input
// ends. It writes a line when all are connected, and its report as JSON in the end.
type order struct {
	URL     string
	Crowd   int
	Clients int
}

// report is what a crowd has seen.
type report struct {
	// Connects are by the second, as Unix counts them.
	Connects map[int64]int
	// Messages are the ids of those that were acknowledged, by their clientId, which is their text.
	Messages map[string]string
	// Positions are the times of those that were acknowledged, by driver.
	Positions map[string][]int64
	// Asked is how many requests by REST were answered, and Failures is what has become of those, and of handshakes, that failed.
	Asked    int
	Failures []string
}

func (r *report) add(more *report) {
	for second, count := range more.Connects {
		r.Connects[second] += count
	}
	for clientID, id := range more.Messages {
		r.Messages[clientID] = id
	}
	for driver, times := range more.Positions {
		r.Positions[driver] = append(r.Positions[driver], times...)
	}
	r.Asked += more.Asked
	r.Failures = append(r.Failures, more.Failures...)
}

// connected is how often a client has connected.
func (r *report) connected() (sum int) {
	for _, count := range r.Connects {
		sum += count
	}
	return sum
}

// crowd is a process that plays clients.
type crowd struct {
	command *exec.Cmd
	input   io.Closer
	output  *bufio.Reader
}

func startCrowds(t *testing.T, url string, size scale) []*crowd {
	t.Helper()
	crowds := make([]*crowd, size.crowds)
	for i := range crowds {
		encoded, err := json.Marshal(order{URL: url, Crowd: i, Clients: size.each})
		if err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(t.Context(), os.Args[0])
		command.Env, command.Stderr = append(os.Environ(), orderVariable+"="+string(encoded)), os.Stderr
		input, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		output, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		crowds[i] = &crowd{command: command, input: input, output: bufio.NewReader(output)}
	}
	return crowds
}

// awaitReady waits until all clients are connected.
func (c *crowd) awaitReady(t *testing.T) {
	t.Helper()
	if line, err := c.output.ReadString('\n'); err != nil || line != ready {
		t.Fatalf("a crowd says %q: %v", line, err)
	}
}

// finish ends the crowd and returns its report.
func (c *crowd) finish(t *testing.T) *report {
	t.Helper()
	_ = c.input.Close() // it may have ended
	late := time.AfterFunc(harness.Deadline, func() { _ = c.command.Process.Kill() })
	defer late.Stop()
	said := read(t, c.output)
	if err := c.command.Wait(); err != nil {
		t.Fatalf("a crowd: %v", err)
	}
	made := harness.Decode[report](t, said)
	return &made
}

func read(t *testing.T, from io.Reader) []byte {
	t.Helper()
	content, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// crowdMain is the process of a crowd; it returns the exit code.
func crowdMain(text string) int {
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = newPlay(o).run(os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "a crowd:", err)
		return 1
	}
	return 0
}
