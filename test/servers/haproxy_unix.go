//go:build unix

package servers

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// HAProxy is the proxy of deploy/ in front of three nodes.
type HAProxy struct {
	// URL is where clients connect.
	URL string

	t       testing.TB
	folder  string
	running *exec.Cmd
}

// StartHAProxy starts a proxy in front of nodes, each host:port, in the order of their names, until the end of t. It takes
// clients at once; those who come before it is up wait.
func StartHAProxy(t testing.TB, nodes []string) *HAProxy {
	t.Helper()
	folder, err := os.MkdirTemp("", "rolecall-haproxy-") // short enough for the address of a socket
	if err != nil {
		t.Fatal(err)
	}
	p := &HAProxy{t: t, folder: folder}
	public, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.URL = "http://" + public.Addr().String()
	tcp, _ := public.(*net.TCPListener)
	handed, err := tcp.File() // which is open in the proxy, so that nobody else gets the port
	if err != nil {
		t.Fatal(err)
	}
	output, err := os.Create(p.path("output.log"))
	if err != nil {
		t.Fatal(err)
	}
	p.running = exec.Command(haproxyBinary(t), "-db", "-f", p.configure(nodes), "-f", p.observe())
	p.running.Stdout, p.running.Stderr, p.running.ExtraFiles = output, output, []*os.File{handed}
	err = p.running.Start()
	for _, ours := range []interface{ Close() error }{output, handed, public} {
		_ = ours.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *HAProxy) path(name string) string { return filepath.Join(p.folder, name) }

// configure writes the configuration of deploy/ with the addresses of this test in it, and returns the file's name.
func (p *HAProxy) configure(nodes []string) string {
	p.t.Helper()
	const file = "haproxy.cfg"
	content, err := os.ReadFile(filepath.Join(folder(), "..", "..", "deploy", "haproxy", file))
	if err != nil {
		p.t.Fatal(err)
	}
	text := string(content)
	replace := func(from, to string) {
		p.t.Helper()
		if !strings.Contains(text, from) {
			p.t.Fatalf("%s has no %q", file, from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	replace("bind :8080", "bind fd@3")        // the listener that it is handed
	replace("maxconn 100000", "maxconn 8000") // within what tests may open
	replace("default-server init-addr", "default-server source "+ProxyAddress+" init-addr")
	for i, name := range NodeNames() {
		replace(name+":8080", nodes[i])
	}
	return p.write(file, text)
}

// observe writes a second file of configuration, by which a test sees what the proxy counts.
func (p *HAProxy) observe() string {
	p.t.Helper()
	return p.write("observed.cfg", fmt.Sprintf("global\n    stats socket %s mode 600\n", p.path("stats")))
}

func (p *HAProxy) write(name, text string) string {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return p.path(name)
}

// Log is what the proxy has written: a line for each request that has ended.
func (p *HAProxy) Log() string {
	text, _ := os.ReadFile(p.path("output.log"))
	return string(text)
}

func (p *HAProxy) kill() {
	_ = p.running.Process.Kill() // it may have ended by itself
	_ = p.running.Wait()
	defer func() { _ = os.RemoveAll(p.folder) }()
	if p.t.Failed() {
		lines := strings.SplitAfter(p.Log(), "\n")
		p.t.Logf("the proxy's last lines:\n%s", strings.Join(lines[max(0, len(lines)-20):], ""))
	}
}

// haproxyBinary finds the proxy, installed where there is none.
func haproxyBinary(t testing.TB) string {
	t.Helper()
	Install(t, "command -v haproxy", "haproxy")
	path, err := exec.LookPath("haproxy")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Ask sends a command to the proxy's socket for operators, and returns the answer.
func (p *HAProxy) Ask(command string) string {
	p.t.Helper()
	conn, err := net.DialTimeout("unix", p.path("stats"), patience)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answer, err := "", conn.SetDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = fmt.Fprintf(conn, "%s\n", command)
	}
	if err == nil {
		var content []byte
		content, err = io.ReadAll(conn)
		answer = string(content)
	}
	if err != nil {
		p.t.Fatalf("%s: %v", command, err)
	}
	return answer
}
