package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/alecthomas/kong"
)

// secretFlag is the one flag whose value is never shown.
const secretFlag = "jwt-secret"

// ParseCommand reads args into grammar, a pointer to a struct with the tags of kong. Flags that have an envprefix also
// take the variables of environ (as from os.Environ); a flag goes before the variable of the same name. Long flags have
// one dash or two.
//
// The error of a bad value names its flag, and its variable where there is one, and says what is expected; an error
// that is flag.ErrHelp tells that help was printed to out. No error has a secret in it.
func ParseCommand(grammar any, args, environ []string, out io.Writer, options ...kong.Option) (*kong.Context, error) {
	helped, variables := false, newEnvironment(environ)
	options = append(options, mappers()...)
	options = append(options, defaultRates(), kong.Writers(out, out), kong.Resolvers(variables), kong.Bind(variables),
		kong.ValueFormatter(helpLine),
		// kong wants to leave the program once it has printed help.
		kong.Exit(func(int) { helped = true }),
		kong.WithBeforeReset(func() error {
			if helped {
				return flag.ErrHelp
			}
			return nil
		}),
	)
	parser, err := kong.New(grammar, options...)
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	if args, err = forKong(parser.Model.Node, args); err != nil {
		return nil, err
	}
	chosen, err := parser.Parse(args)
	var refused *refusal
	if errors.As(err, &refused) {
		return nil, refused // without kong's words around it
	}
	return chosen, err
}

// forKong gives every long flag the two dashes that kong knows it by, and joins it with its value, since kong takes none
// that begins with a dash.
func forKong(command *kong.Node, args []string) ([]string, error) {
	var out []string
	flags := command.Flags
	if len(args) > 0 {
		for _, child := range command.Children {
			if child.Name == args[0] {
				flags = slices.Concat(flags, child.Flags)
				out, args = args[:1:1], args[1:]
				break
			}
		}
	}
	secret := slices.ContainsFunc(args, func(arg string) bool {
		return strings.Contains(arg, secretFlag) || strings.Contains(arg, encryptionFlag)
	})
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		name, _, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !strings.HasPrefix(arg, "-") || len(name) < 2 {
			if secret { // which this may be a part of, cut off by a blank
				return nil, fmt.Errorf("unexpected argument, not shown as it may belong to --%s", secretFlag)
			}
			out = append(out, arg)
			continue
		}
		long := "--" + strings.TrimLeft(arg, "-")
		if !joined && len(args) > 0 && takesValue(flags, name) {
			long += "=" + args[0]
			args = args[1:]
		}
		out = append(out, long)
	}
	return out, nil
}

func takesValue(flags []*kong.Flag, name string) bool {
	return slices.ContainsFunc(flags, func(f *kong.Flag) bool { return f.Name == name && !f.IsBool() })
}

// environment is the variables by their names.
type environment map[string]string

func newEnvironment(environ []string) environment {
	values := make(environment, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return values
}

// Validate implements kong.Resolver.
func (environment) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver: it finds the variable of a flag.
func (e environment) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	variable := variableOf(f.Value)
	if value, set := e[variable]; set && variable != "" {
		return value, nil
	}
	return nil, nil //nolint:nilnil // kong's way to say that there is none
}

// unknown reports variables that have the program's prefix and are none of these flags'.
func (e environment) unknown(flags []*kong.Flag) []Warning {
	var unknown []Warning
	for name := range e {
		its := func(f *kong.Flag) bool { return variableOf(f.Value) == name }
		if strings.HasPrefix(name, Prefix) && !slices.ContainsFunc(flags, its) {
			unknown = append(unknown, Warning("unknown variable "+name+hint(name, flags)))
		}
	}
	slices.Sort(unknown)
	return unknown
}

// hint names the variable that is likely meant by a misspelt one.
func hint(name string, flags []*kong.Flag) string {
	nearest, least := "", len(name)/3+1
	for _, f := range flags {
		variable := variableOf(f.Value)
		if variable == "" {
			continue
		}
		if distance := levenshtein.Distance(strings.ToUpper(name), variable, nil); distance < least {
			nearest, least = variable, distance
		}
	}
	if nearest == "" {
		return ", see -help"
	}
	return ", did you mean " + nearest + "?"
}

// Variable is the environment variable of a setting's flag: -data-dir is ROLECALL_DATA_DIR.
func Variable(flagName string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// variableOf is the variable of a flag, empty where it has none.
func variableOf(value *kong.Value) string {
	if value.Tag.EnvPrefix == "" {
		return ""
	}
	return Variable(value.Name)
}

// helpLine shows the default of a flag behind what it is for.
func helpLine(value *kong.Value) string {
	if !value.HasDefault {
		return value.Help
	}
	return fmt.Sprintf("%s (default %s)", strings.TrimSuffix(value.Help, "."), value.Default)
}

// refusal is why a value is not taken.
type refusal struct{ flag, variable, reason string }

func (r *refusal) Error() string {
	if r.variable == "" {
		return fmt.Sprintf("--%s: %s", r.flag, r.reason)
	}
	return fmt.Sprintf("%s (--%s): %s", r.variable, r.flag, r.reason)
}

// IsRefused reports whether an error of ParseCommand is about a value that a setting cannot have.
func IsRefused(err error) bool { return errors.As(err, new(*refusal)) }
