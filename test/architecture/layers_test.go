package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layer is a folder of the table of layers in docs/architecture.md, which stands above those of a greater row.
type layer struct {
	row    int
	folder string
}

// root is the module's folder, seen from this package's.
const root = "../.."

// documentedLayers reads the table.
func documentedLayers(t *testing.T) []layer {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	return parseLayers(string(document))
}

func parseLayers(document string) []layer {
	line := regexp.MustCompile("(?m)^\\| (\\d+) \\| `([^`]+)` \\|")
	var layers []layer
	for _, match := range line.FindAllStringSubmatch(document, -1) {
		row, _ := strconv.Atoi(match[1]) // digits
		layers = append(layers, layer{row, match[2]})
	}
	return layers
}

// layerOf is the entry with the longest folder that a package stands below.
func layerOf(layers []layer, path string) (found layer, ok bool) {
	for _, l := range layers {
		if within(path, module+"/"+l.folder) && len(l.folder) > len(found.folder) {
			found, ok = l, true
		}
	}
	return found, ok
}

// wrongWay lists a package's imports that do not point downwards.
func wrongWay(layers []layer, pkg listedPackage) []string {
	own, known := layerOf(layers, pkg.ImportPath)
	if !known {
		return nil
	}
	var wrong []string
	for _, path := range pkg.Imports {
		if target, known := layerOf(layers, path); known && target.folder != own.folder && target.row <= own.row {
			wrong = append(wrong, path)
		}
	}
	return wrong
}

// isProduct leaves out what stands beside the product.
func isProduct(path string) bool {
	return path != module && !within(path, module+"/bench") && !within(path, module+"/test")
}

func TestLayers(t *testing.T) {
	layers, packages := documentedLayers(t), list(t)
	for _, l := range layers {
		if info, err := os.Stat(filepath.Join(root, l.folder)); err != nil || !info.IsDir() {
			t.Errorf("docs/architecture.md names %s, which is no folder", l.folder)
		}
	}
	used := make(map[string]bool)
	for _, pkg := range packages {
		if !isProduct(pkg.ImportPath) {
			continue
		}
		own, known := layerOf(layers, pkg.ImportPath)
		if !known {
			t.Errorf("%s has no row in docs/architecture.md", pkg.ImportPath)
		}
		used[own.folder] = true
		for _, path := range wrongWay(layers, pkg) {
			t.Errorf("%s, of row %d, imports %s", pkg.ImportPath, own.row, path)
		}
		for _, path := range pkg.Imports {
			if within(path, module) && !isProduct(path) {
				t.Errorf("%s imports %s, which is no part of the product", pkg.ImportPath, path)
			}
		}
	}
	for _, l := range layers {
		if !used[l.folder] {
			t.Errorf("docs/architecture.md names %s, in which there is no package", l.folder)
		}
	}
}

// A table that nobody can break holds nothing.
func TestWrongWaysAreFound(t *testing.T) {
	layers := parseLayers("| 1 | `cmd` | x |\n| 2 | `internal/port` | x |\n| 1 | `internal/port/own` | x |\n| 2 | `internal/rules` | x |\n")
	want := []layer{{1, "cmd"}, {2, "internal/port"}, {1, "internal/port/own"}, {2, "internal/rules"}}
	if !slices.Equal(layers, want) {
		t.Fatalf("read %v, want %v", layers, want)
	}
	for name, test := range map[string]struct {
		from, to string
		wrong    bool
	}{
		"downwards":              {"cmd/x", "internal/rules", false},
		"its own folder":         {"internal/rules/a", "internal/rules/b", false},
		"upwards":                {"internal/rules", "cmd/x", true},
		"beside it":              {"internal/rules", "internal/port", true},
		"a port's own":           {"internal/port/own/deep", "internal/port", false},
		"what implements a port": {"internal/rules", "internal/port/own", true},
	} {
		pkg := listedPackage{ImportPath: module + "/" + test.from, Imports: []string{module + "/" + test.to, "fmt", strings.Repeat("x", 3)}}
		if wrong := wrongWay(layers, pkg); len(wrong) > 0 != test.wrong {
			t.Errorf("%s: found %v", name, wrong)
		}
	}
}
