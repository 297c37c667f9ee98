package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Path leads to a claim through nested objects: the names of their members, from the outermost.
type Path []string

// Claim is where something is found in a token: at the first of the paths that leads to something.
type Claim []Path

// ParseClaim reads paths, comma-separated. The names of a path are separated by dots; one with other characters than
// letters, digits and any of _ - : @ $ is quoted, by either kind of quotes: realm_access.roles, "https://app.example/role".
func ParseClaim(text string) (Claim, error) {
	var claim Claim
	rest := strings.TrimSpace(text)
	for {
		var path Path
		var err error
		if path, rest, err = readPath(rest); err != nil {
			return nil, err
		}
		claim = append(claim, path)
		rest = strings.TrimSpace(rest)
		if rest == "" {
			return claim, nil
		}
		if !strings.HasPrefix(rest, ",") {
			return nil, unquoted(text)
		}
		rest = strings.TrimSpace(rest[1:])
	}
}

func readPath(text string) (path Path, rest string, err error) {
	for rest = text; ; rest = rest[1:] {
		var name string
		if name, rest, err = readName(rest, text); err != nil {
			return nil, "", err
		}
		path = append(path, name)
		if !strings.HasPrefix(rest, ".") {
			return path, rest, nil
		}
	}
}

func readName(text, whole string) (name, rest string, err error) {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		name, rest, closed := strings.Cut(text[1:], text[:1])
		if !closed || name == "" {
			return "", "", fmt.Errorf("%q has a quote without its other, or nothing in between", whole)
		}
		return unwrapped(name), rest, nil
	}
	end := strings.IndexFunc(text, func(r rune) bool { return !plain(r) })
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		if text == "" || strings.ContainsRune(".,", rune(text[0])) {
			return "", "", fmt.Errorf("%q lacks a name", whole)
		}
		return "", "", unquoted(whole)
	}
	return text[:end], text[end:], nil
}

// unwrapped takes a second pair of quotes off: some readers of environment files take none away.
func unwrapped(name string) string {
	last := len(name) - 1
	if last > 1 && name[0] == name[last] && (name[0] == '"' || name[0] == '\'') {
		return name[1:last]
	}
	return name
}

func plain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-:@$", r)
}

func unquoted(text string) error {
	return fmt.Errorf(`%q has a name that must be quoted, as in "'https://app.example/role'": a shell takes one pair of quotes away`, text)
}

// String is the form that ParseClaim reads.
func (c Claim) String() string {
	paths := make([]string, len(c))
	for i, path := range c {
		paths[i] = path.String()
	}
	return strings.Join(paths, ",")
}

// String is the form that ParseClaim reads.
func (p Path) String() string {
	names := make([]string, len(p))
	for i, name := range p {
		switch {
		case strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0:
			names[i] = name
		case strings.Contains(name, `"`):
			names[i] = "'" + name + "'"
		default:
			names[i] = `"` + name + `"`
		}
	}
	return strings.Join(names, ".")
}

// finding is what a path leads to: several values where it leads through an array, or to one. What is null or empty
// text is nothing.
type finding struct {
	path   Path
	values []jsontext.Value
	listed bool
}

// find follows the paths one after the other until one leads to something.
func (c Claim) find(claims members) (finding, bool) {
	for _, path := range c {
		found := finding{path: path}
		if value, ok := claims[path[0]]; ok {
			found.follow(value, path[1:])
		}
		if len(found.values) > 0 {
			return found, true
		}
	}
	return finding{}, false
}

func (f *finding) follow(value jsontext.Value, path Path) {
	switch value.Kind() {
	case jsontext.KindBeginArray:
		f.listed = true
		var list []jsontext.Value
		if json.Unmarshal(value, &list) == nil { // it has been read once before, as a part of the whole
			for _, member := range list {
				f.follow(member, path)
			}
		}
	case jsontext.KindBeginObject:
		if len(path) == 0 {
			f.values = append(f.values, value)
			return
		}
		var inner members
		if json.Unmarshal(value, &inner) == nil {
			if next, ok := inner[path[0]]; ok {
				f.follow(next, path[1:])
			}
		}
	default:
		if len(path) == 0 && value.Kind() != jsontext.KindNull && string(value) != `""` {
			f.values = append(f.values, value)
		}
	}
}

// members are those of an object, as they came.
type members map[string]jsontext.Value

var (
	errNoText   = errors.New("neither text nor a number")
	errNoDigits = errors.New("a number that is not written in digits alone")
)

// asText is a claim's value as text. A number is its digits, exactly, however many; one written with a fraction or an
// exponent may have lost some on its way, and then it would be another's.
func asText(value jsontext.Value) (string, error) {
	switch value.Kind() {
	case jsontext.KindString:
		var sent string
		err := json.Unmarshal(value, &sent)
		return sent, err
	case jsontext.KindNumber:
		if strings.Trim(string(value), "0123456789") != "" {
			return "", fmt.Errorf("%w (%s)", errNoDigits, value)
		}
		return string(value), nil
	default:
		return "", errNoText
	}
}
