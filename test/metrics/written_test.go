package metrics

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"rolecall/test/servers"
)

// root is the module's folder, seen from this package's.
const root = "../.."

// expression is one that is written for Prometheus, and where.
type expression struct{ where, text string }

// alerts lists the expressions of the alerts.
func alerts(t *testing.T) []expression {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	content, err := os.ReadFile(filepath.Join(root, "deploy", "prometheus", "rolecall.rules.yml"))
	if err == nil {
		err = yaml.Unmarshal(content, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []expression
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			all = append(all, expression{"alert " + rule.Alert, rule.Expr})
		}
	}
	return all
}

// panels lists the expressions of the dashboard, with what Grafana puts in for its variables.
func panels(t *testing.T) []expression {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	content, err := os.ReadFile(filepath.Join(root, "deploy", "grafana", "rolecall.json"))
	if err == nil {
		err = json.Unmarshal(content, &board)
	}
	if err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$job", "rolecall", "$instance", ".*")
	var all []expression
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			all = append(all, expression{"panel " + panel.Title, variables.Replace(target.Expr)})
		}
	}
	return all
}

// TestWhatIsAskedForExists: every metric that an alert or a panel names is one that the program has.
func TestWhatIsAskedForExists(t *testing.T) {
	t.Parallel()
	s := watched(t, nil)
	do(t, s)
	known := s.Scrape().Series()
	known["up"] = true // Prometheus's own
	named := regexp.MustCompile(`\b(?:rolecall|go|process|promhttp)_[a-z0-9_]+\b|\bup\b`)
	for _, asked := range [][]expression{alerts(t), panels(t)} {
		found := 0
		for _, one := range asked {
			names := named.FindAllString(one.text, -1)
			if len(names) == 0 {
				t.Errorf("%s names no metric: %s", one.where, one.text)
			}
			for _, name := range names {
				found++
				if !known[name] {
					t.Errorf("%s names %s, which there is not", one.where, name)
				}
			}
		}
		if found < 10 {
			t.Errorf("only %d metrics were found: %v", found, asked)
		}
	}
}

// TestTableIsWhole: the table of docs/operations.md has every metric of the program's own, with its labels, and no other.
func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]string)
	line := regexp.MustCompile("(?m)^\\| `(rolecall_[a-z_]+)` \\| ([a-z, `]*)\\|")
	for _, match := range line.FindAllStringSubmatch(string(content), -1) {
		table[match[1]] = strings.Join(regexp.MustCompile("[a-z]+").FindAllString(match[2], -1), ",")
	}
	s := watched(t, nil)
	do(t, s)
	program := make(map[string]string)
	for name, family := range s.Scrape() {
		if !strings.HasPrefix(name, "rolecall_") {
			continue
		}
		var labels []string
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		slices.Sort(labels)
		program[name] = strings.Join(labels, ",")
	}
	for _, name := range slices.Sorted(maps.Keys(program)) {
		if written, known := table[name]; !known || written != program[name] {
			t.Errorf("the table has %s as %q (%t), the program has the labels %q", name, written, known, program[name])
		}
	}
	for name := range table {
		if _, known := program[name]; !known {
			t.Errorf("the table has %s, which the program has not", name)
		}
	}
}

// promtool runs it, with a text to read, and returns what it prints; the test fails where it finds fault.
func promtool(t *testing.T, input string, arguments ...string) string {
	t.Helper()
	servers.Install(t, "command -v promtool", "prometheus")
	command := exec.CommandContext(t.Context(), "promtool", arguments...)
	command.Stdin, command.Dir = strings.NewReader(input), root
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %v: %v\n%s", arguments, err, output)
	}
	return string(output)
}

// What Prometheus's own tool says of names, helps and units: nothing.
func TestMetricsAreWellFormed(t *testing.T) {
	t.Parallel()
	s := watched(t, nil)
	do(t, s)
	scraped, err := io.ReadAll(s.Admin("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	if said := promtool(t, string(scraped), "check", "metrics"); said != "" {
		t.Errorf("promtool says: %s", said)
	}
}

func TestRulesAreWellFormed(t *testing.T) {
	t.Parallel()
	promtool(t, "", "check", "rules", "deploy/prometheus/rolecall.rules.yml")
	promtool(t, "", "test", "rules", "deploy/prometheus/rolecall.rules.test.yml")
}

// The panels' expressions are understood: they are checked as rules.
func TestPanelsAreUnderstood(t *testing.T) {
	t.Parallel()
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	for _, panel := range panels(t) {
		rules = append(rules, rule{"panel:expression", panel.text})
	}
	file, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", "--lint=none", path)
}
