//go:build linux

package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"rolecall/test/servers/launch"
)

// Process is one process of a server.
type Process struct {
	Addr netip.AddrPort
	PID  int

	metrics string // host:port, empty where it serves none
	process *exec.Cmd
	data    string
	ended   chan struct{} // closed when the process has ended
}

// command is what starts a process of a server. The product listens at addr, for metrics at metrics if that is not empty.
func (w *Workshop) command(ctx context.Context, name Name, p *Process) *exec.Cmd {
	switch name {
	case Node:
		return exec.CommandContext(ctx, "node", //nolint:gosec // the path is ours
			filepath.Join(w.root, "bench/servers/node/server.mjs"))
	case Bun:
		return exec.CommandContext(ctx, w.BunProgram(), //nolint:gosec // as above
			filepath.Join(w.root, "bench/servers/bun/server.mjs"))
	}
	var arguments []string
	if name.isProduct() {
		arguments = []string{"-addr", p.Addr.String(), "-data-dir", p.data, "-log-level", "error"}
	}
	if name == RolecallZishang520 {
		arguments = append(arguments, "-engine", "zishang520")
	}
	if p.metrics != "" {
		arguments = append(arguments, "-admin-addr", p.metrics)
	}
	return exec.CommandContext(ctx, filepath.Join(w.bin, string(name.program())), arguments...) //nolint:gosec // as above
}

// startProcess starts a process of a server. Where it fails nothing is left of it.
func (w *Workshop) startProcess(ctx context.Context, name Name, settings []string, o Options) (*Process, error) {
	p := &Process{ended: make(chan struct{})}
	var err error
	if p.Addr, err = freePort(ctx); err != nil {
		return nil, err
	}
	if o.Metrics && name.isProduct() {
		if p.metrics, err = launch.FreeAddress(ctx); err != nil {
			return nil, err
		}
	}
	if p.data, err = os.MkdirTemp("", "rolecall-bench-data-"); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	p.process = w.command(ctx, name, p)
	p.process.Env = slices.Concat(os.Environ(), environment(name, fmt.Sprint(p.Addr.Port())), settings)
	p.process.Stderr = os.Stderr
	if err := p.process.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.data))
	}
	p.PID = p.process.Process.Pid
	go func() {
		defer close(p.ended)
		_ = p.process.Wait() // how it ended is in process.ProcessState
	}()
	if err := p.awaitListening(ctx); err != nil {
		p.stop()
		return nil, errors.Join(err, os.RemoveAll(p.data))
	}
	return p, nil
}

// environment configures a server. The product's limits are raised out of the way: the references have none.
func environment(name Name, port string) []string {
	if !name.isProduct() {
		mode := "queued"
		if name == HubDirect {
			mode = "direct"
		}
		return []string{"BENCH_PORT=" + port, "BENCH_SECRET=" + Secret, "BENCH_MODE=" + mode, "NODE_ENV=production"}
	}
	set := []string{"ROLECALL_JWT_SECRET=" + Secret, "ROLECALL_HANDSHAKES_PER_IP=off", "ROLECALL_PACKETS_PER_CONNECTION=off", "ROLECALL_PACKETS_PER_USER=off"}
	for _, kind := range []string{"CHAT", "TYPING", "JOIN", "LOCATION", "BACKLOG", "READ", "OTHER", "CONNECT", "FAILURE", "SHED"} {
		set = append(set, "ROLECALL_RATE_"+kind+"=1000000/1s:1000000")
	}
	return set
}

func freePort(ctx context.Context) (netip.AddrPort, error) {
	address, err := launch.FreeAddress(ctx)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
	}
	return addr, nil
}

func (p *Process) awaitListening(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Addr.String())
		if err == nil {
			return connection.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended before it listened: %s", p.process.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("it does not listen: %w", err)
		case <-tick.C:
		}
	}
}

// alive returns nil while the process runs, and how it ended after that.
func (p *Process) alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("process %d: %s", p.PID, p.process.ProcessState)
	default:
		return nil
	}
}

// stop ends the process, in an orderly way if it can do so in time.
func (p *Process) stop() {
	_ = p.process.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.process.Process.Kill() // as above
		<-p.ended
	}
}

// errNoMetric is for a metric that a process does not serve.
var errNoMetric = errors.New("the process serves no such metric")

// Metric is the value of one of the metrics of the product, summed up over its labels. The server must have been started with
// Options.Metrics.
func (p *Process) Metric(ctx context.Context, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.metrics+"/metrics", http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	request.Close = true // it is asked seldom
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	family := families[name]
	if family == nil {
		return 0, fmt.Errorf("%w: %s", errNoMetric, name)
	}
	total := 0.0
	for _, one := range family.GetMetric() {
		total += one.GetCounter().GetValue() + one.GetGauge().GetValue() + one.GetUntyped().GetValue()
	}
	return total, nil
}
