package hostile_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"rolecall/test/harness"
)

// Attackers are a process of their own, as they would be: what keeps them busy is not to keep those waiting whose time is
// taken. Where the system has priorities theirs is low, as in life their processors are not the server's.

// The variables by which a test process learns that it is to attack.
const (
	attackVariable = "HOSTILE_ATTACK"
	urlVariable    = "HOSTILE_URL"
)

// report is what attackers tell, again and again.
type report struct {
	Answers int64
	Limits  map[string]int
}

// attackers are the process.
type attackers struct {
	command *exec.Cmd
	input   io.Closer
	reading sync.WaitGroup

	mu   sync.Mutex
	last report
}

// launch has attackers begin. They go on until stop.
func launch(t *testing.T, name, url string) *attackers {
	t.Helper()
	a := &attackers{command: exec.CommandContext(context.Background(), os.Args[0], "-test.run", "^TestAttackers$", "-test.timeout", "10m")}
	a.command.Env = append(os.Environ(), attackVariable+"="+name, urlVariable+"="+url)
	a.command.Stderr = os.Stderr
	input, err := a.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	a.input = input
	output, err := a.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.command.Start(); err != nil {
		t.Fatal(err)
	}
	yieldTo(a.command.Process.Pid)
	a.reading.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			var told report
			if json.Unmarshal(lines.Bytes(), &told) == nil {
				a.mu.Lock()
				a.last = told
				a.mu.Unlock()
			}
		}
	})
	return a
}

// told returns what they have told last.
func (a *attackers) told() report {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// stop ends them, and fails the test where they have found something wrong.
func (a *attackers) stop(t *testing.T) {
	t.Helper()
	_ = a.input.Close()
	late := time.AfterFunc(harness.Deadline, func() { _ = a.command.Process.Kill() })
	defer late.Stop()
	a.reading.Wait()
	if err := a.command.Wait(); err != nil {
		t.Errorf("the attackers: %v", err)
	}
}

// TestAttackers is the attackers' process: it attacks until its input ends.
func TestAttackers(t *testing.T) {
	attack, is := attacks()[os.Getenv(attackVariable)]
	if !is {
		t.Skip("is run by TestOneClientCannotMakeAllOthersPay")
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &arena{t: t, url: os.Getenv(urlVariable), size: wanted(), ctx: ctx, limits: make(map[string]int)}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	a.together.Go(func() { attack.run(a) })
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		line, err := json.Marshal(report{Answers: a.answers.Load(), Limits: a.met()})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.Write(append(line, '\n')) // who started this may have gone
	}
	a.leave()
}
