// Package architecture holds the code against the import rule of docs/architecture.md.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module     = "rolecall"
	socketIO   = "github.com/zishang520/socket.io"
	sqlite     = "modernc.org/sqlite"
	native     = module + "/internal/realtime/native"
	zishang520 = module + "/internal/realtime/zishang520"
)

type listedPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// rule says what the packages below a folder must not import, directly or through others.
type rule struct {
	below []string
	// but is whom the rule leaves out.
	but       []string
	forbidden []string
	// direct limits the rule to what the package itself imports.
	direct bool
}

// importRules is the picture of docs/architecture.md: arrows point downwards only.
func importRules() []rule {
	return []rule{
		{below: []string{"internal/services"}, forbidden: []string{socketIO, "net/http", "database/sql", sqlite,
			module + "/internal/store", module + "/internal/realtime", module + "/internal/sockets", module + "/api"},
			direct: true},
		{below: []string{"internal/services"}, forbidden: []string{socketIO, "database/sql", sqlite,
			module + "/internal/store", module + "/internal/realtime", module + "/internal/sockets", module + "/api",
			module + "/internal/app"}},
		{below: []string{"internal/sockets", "api"}, forbidden: []string{"database/sql", sqlite, module + "/internal/store",
			module + "/internal/app", socketIO, native, zishang520}},
		// One place names who implements the port, and one folder names the library. (bench has it as a reference, too.)
		{below: []string{"internal", "api", "cmd", "web"}, but: []string{"internal/app", "internal/realtime/native", "internal/realtime/zishang520"},
			forbidden: []string{native, zishang520}, direct: true},
		{below: []string{"internal", "api", "cmd", "web", "test"}, but: []string{"internal/realtime/zishang520"},
			forbidden: []string{socketIO}, direct: true},
		{below: []string{"internal/realtime/native"}, forbidden: []string{socketIO, zishang520}},
		{below: []string{"internal/realtime/zishang520"}, forbidden: []string{native}},
		{below: []string{"api"}, forbidden: []string{module + "/internal/realtime", module + "/internal/sockets"}},
		{below: []string{"internal/auth", "internal/roles"}, forbidden: []string{module + "/internal/services",
			module + "/internal/sockets", module + "/internal/realtime", module + "/internal/store", module + "/api",
			module + "/internal/app", module + "/internal/config"}},
		{below: []string{"internal/realtime"}, forbidden: []string{module + "/internal/services", module + "/internal/sockets",
			module + "/internal/store", module + "/api", module + "/internal/auth", module + "/internal/roles"}},
		{below: []string{"internal/store"}, forbidden: []string{module + "/internal/sockets", module + "/internal/realtime",
			module + "/api", socketIO}},
		// What a client hears of is the services' to say: a store knows neither faults nor cursors.
		{below: []string{"internal/store"}, forbidden: []string{module + "/internal/fault", module + "/internal/page"}, direct: true},
	}
}

func TestImportRule(t *testing.T) {
	packages := list(t)
	for _, rule := range importRules() {
		checked := 0
		for _, pkg := range packages {
			if !rule.concerns(pkg.ImportPath) {
				continue
			}
			checked++
			for _, broken := range violations(pkg, rule) {
				t.Errorf("%s imports %s", pkg.ImportPath, broken)
			}
		}
		if checked == 0 {
			t.Errorf("no package stands below %v: the rule checks nothing", rule.below)
		}
	}
}

func (r rule) concerns(path string) bool {
	isBelow := func(folder string) bool { return within(path, module+"/"+folder) }
	return slices.ContainsFunc(r.below, isBelow) && !slices.ContainsFunc(r.but, isBelow)
}

// A rule that cannot be broken checks nothing.
func TestViolationsAreFound(t *testing.T) {
	pkg := listedPackage{ImportPath: module + "/internal/services/x",
		Imports: []string{"net/http"}, Deps: []string{"net/http", module + "/internal/store/sqlite"}}
	if got := violations(pkg, rule{forbidden: []string{"net/http"}, direct: true}); len(got) != 1 {
		t.Errorf("direct import: found %v", got)
	}
	if got := violations(pkg, rule{forbidden: []string{module + "/internal/store"}}); len(got) != 1 {
		t.Errorf("import through another package: found %v", got)
	}
	if got := violations(pkg, rule{forbidden: []string{module + "/internal/store"}, direct: true}); len(got) != 0 {
		t.Errorf("a rule on direct imports found %v", got)
	}
	but := rule{below: []string{"internal"}, but: []string{"internal/services/x"}}
	for path, want := range map[string]bool{"internal/services/x": false, "internal/services/x/y": false, "internal/services": true, "cmd": false} {
		if but.concerns(module+"/"+path) != want {
			t.Errorf("the rule concerns %s: %t", path, !want)
		}
	}
}

func violations(pkg listedPackage, rule rule) []string {
	imported := pkg.Deps
	if rule.direct {
		imported = pkg.Imports
	}
	var broken []string
	for _, path := range imported {
		if slices.ContainsFunc(rule.forbidden, func(forbidden string) bool { return within(path, forbidden) }) {
			broken = append(broken, path)
		}
	}
	return broken
}

// within takes a package of the standard library as itself alone, any other path as the tree below it.
func within(path, tree string) bool {
	standard := !strings.Contains(tree, ".") && !strings.HasPrefix(tree, module+"/")
	return path == tree || !standard && strings.HasPrefix(path, tree+"/")
}

func list(t *testing.T) []listedPackage {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps=false", "-json=ImportPath,Imports,Deps", module+"/...")
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, problems.String())
	}
	var packages []listedPackage
	decoder := json.NewDecoder(bytes.NewReader(output))
	for {
		var pkg listedPackage
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, pkg)
	}
}
