package contracttest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rolecall/internal/fault"
)

// TestCodes: the codes of the documents are those of package fault, each list where it belongs.
func TestCodes(t *testing.T) {
	all := faultCodes(t)
	token := []string{"auth_required", "auth_invalid", "auth_expired", "auth_role"}
	farewell := []string{string(fault.Abuse), string(fault.SlowReader)}
	outside := slices.Concat(token, farewell, []string{string(fault.TooManyConnections)})
	ordinary := slices.DeleteFunc(slices.Clone(all), func(code string) bool { return slices.Contains(outside, code) })
	want := map[string][]string{
		"ErrorCode": ordinary, "TokenErrorCode": token,
		"RefusalCode": append(slices.Clone(token), string(fault.TooManyConnections), string(fault.InvalidPayload)), "FarewellCode": farewell,
	}
	sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	both := documents(t)
	if diff := cmp.Diff(want, namedCodes(t, both["asyncapi.yaml"]), sorted); diff != "" {
		t.Errorf("asyncapi.yaml (-package fault +document):\n%s", diff)
	}
	rest := map[string][]string{"ErrorCode": want["ErrorCode"], "TokenErrorCode": want["TokenErrorCode"]}
	if diff := cmp.Diff(rest, namedCodes(t, both["openapi.yaml"]), sorted); diff != "" {
		t.Errorf("openapi.yaml (-package fault +document):\n%s", diff)
	}
	for name, d := range both {
		checkCodeMembers(t, name, d, all)
	}
}

// namedCodes returns the enums of the schemas whose name ends in Code.
func namedCodes(t *testing.T, d *document) map[string][]string {
	t.Helper()
	codes := map[string][]string{}
	for name, schema := range schemasOf(t, d) {
		if strings.HasSuffix(name, "Code") {
			fields, _ := schema.(map[string]any)
			codes[name] = stringsOf(fields["enum"])
		}
	}
	return codes
}

// checkCodeMembers: a member named code is described by the vocabulary alone.
func checkCodeMembers(t *testing.T, name string, d *document, vocabulary []string) {
	t.Helper()
	seen := 0
	walk(d.root, "#", func(path string, object map[string]any) {
		properties, _ := object["properties"].(map[string]any)
		code, _ := properties["code"].(map[string]any)
		if code == nil {
			return
		}
		seen++
		choices, _ := code["anyOf"].([]any)
		for _, choice := range append(choices, code) {
			fields, _ := choice.(map[string]any)
			target, _ := fields["$ref"].(string)
			values := stringsOf(fields["enum"])
			if only, ok := fields["const"].(string); ok {
				values = append(values, only)
			}
			for _, value := range values {
				if !slices.Contains(vocabulary, value) {
					t.Errorf("%s: %s: unknown code %q", name, path, value)
				}
			}
			if !strings.HasSuffix(target, "Code") && len(values) == 0 && fields["anyOf"] == nil {
				t.Errorf("%s: %s: code may be anything", name, path)
			}
		}
	})
	if seen == 0 {
		t.Errorf("%s has no code at all", name)
	}
}

func stringsOf(value any) []string {
	items, _ := value.([]any)
	var texts []string
	for _, item := range items {
		texts = append(texts, fmt.Sprint(item))
	}
	return texts
}

// faultCodes reads the constants of package fault from its source, so that a new one cannot be forgotten here.
func faultCodes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/fault/fault.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if kind, isName := specType(spec, ok); !isName || kind != "Code" {
			return true
		}
		for _, value := range spec.Values {
			if literal, ok := value.(*ast.BasicLit); ok {
				code, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, code)
			}
		}
		return true
	})
	if !slices.Contains(codes, string(fault.InvalidPayload)) {
		t.Fatalf("the codes were not found: %q", codes)
	}
	return codes
}

func specType(spec *ast.ValueSpec, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	name, isName := spec.Type.(*ast.Ident)
	if !isName {
		return "", false
	}
	return name.Name, true
}
