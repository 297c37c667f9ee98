// Package config reads the program's settings from flags and environment variables. No variable is read anywhere else.
package config

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/clientip"
	"rolecall/internal/limit"
	"rolecall/internal/origin"
)

// Prefix begins every environment variable of the program.
const Prefix = "ROLECALL_"

// Config is every setting of the server.
type Config struct {
	// Addr is the public listener, host:port.
	Addr string
	// DataDir holds the database file and the generated secret.
	DataDir string

	// JWTSecret is the shared HS256 key; empty where one is generated into DataDir or a JWKS is used.
	JWTSecret string
	JWKSURL   string
	// JWTAlgorithms pins the accepted algorithms; empty for the default of the kind of key.
	JWTAlgorithms []string
	JWTIssuer     string
	JWTAudience   string

	// AllowedOrigins are the origins whose pages may connect, besides the server's own; "*" allows all.
	AllowedOrigins []string
	// TrustedProxies are the peers whose forwarding headers are believed.
	TrustedProxies []netip.Prefix

	// HandshakesPerIP is how often a client address may open a session; the zero Rate sets no limit.
	HandshakesPerIP limit.Rate
	// MaxConnectionsPerIP is how many sessions a client address may have open; 0 sets no limit.
	MaxConnectionsPerIP int
	// MaxSocketsPerUser is how many sockets a user may have open, over all namespaces.
	MaxSocketsPerUser int

	// CompressFrom is the size in bytes from which messages are compressed for clients that offer it; 0 compresses none.
	CompressFrom int

	TrackingFlush     time.Duration
	PositionRetention time.Duration
	// MessageRetention is 0 where messages are kept for ever.
	MessageRetention time.Duration
	ChatOpenRooms    bool
	Rates            map[limit.Kind]limit.Rate

	ShutdownTimeout time.Duration
	LogLevel        slog.Level
	// LogFormat is text or json.
	LogFormat string
	// Demo runs with throw-away data, ready-made people and a simulated fleet.
	Demo bool
	// DemoDrivers is the size of the simulated fleet.
	DemoDrivers int
}

// Default returns the settings of a server with nothing configured.
func Default() Config {
	return Config{
		Addr: "127.0.0.1:8080", DataDir: "./data",
		HandshakesPerIP:   limit.Rate{Requests: 100, Period: time.Second, Burst: 1000},
		MaxSocketsPerUser: 20,
		TrackingFlush:     100 * time.Millisecond, PositionRetention: 720 * time.Hour,
		ChatOpenRooms: true, Rates: limit.Defaults(),
		ShutdownTimeout: 20 * time.Second, LogFormat: "text", DemoDrivers: 24,
	}
}

// Warning is a setting that is worth a word at start.
type Warning string

// Parse reads args and environ (as from os.Environ). A flag goes before the variable of the same name. The error of a
// bad value names the flag or the variable; flag.ErrHelp tells that help was printed to out.
func Parse(args, environ []string, out io.Writer) (Config, []Warning, error) {
	c := Default()
	flags := c.flags()
	flags.SetOutput(out)
	flags.Usage = func() { usage(flags, out) }
	warnings, err := fromEnvironment(flags, environ)
	if err != nil {
		return Config{}, nil, err
	}
	if err := flags.Parse(args); err != nil {
		return Config{}, nil, err
	}
	if flags.NArg() > 0 {
		argument := flags.Arg(0)
		if c.JWTSecret != "" {
			argument = "…" // it may be a part of the secret, cut off by a blank
		}
		return Config{}, nil, fmt.Errorf("unexpected argument %q", argument)
	}
	warnings = append(warnings, c.warnings()...)
	if err := c.check(); err != nil {
		return Config{}, warnings, err
	}
	return c, warnings, nil
}

// FlagName is the flag of an environment variable: ROLECALL_DATA_DIR is -data-dir.
func FlagName(variable string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, Prefix), "_", "-"))
}

// Variable is the environment variable of a flag.
func Variable(flagName string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

func (c *Config) flags() *flag.FlagSet {
	f := flag.NewFlagSet("server", flag.ContinueOnError)
	f.StringVar(&c.Addr, "addr", c.Addr, "public listener, `host:port`")
	f.StringVar(&c.DataDir, "data-dir", c.DataDir, "`folder` of the database and the generated secret")
	f.StringVar(&c.JWTSecret, "jwt-secret", "", "shared HS256 `secret`, at least 32 bytes; generated into the data folder where not given")
	f.StringVar(&c.JWKSURL, "jwks-url", "", "`URL` of an identity provider's keys, instead of a secret")
	f.Var((*list)(&c.JWTAlgorithms), "jwt-algs", "accepted token `algorithms`, comma-separated")
	f.StringVar(&c.JWTIssuer, "jwt-issuer", "", "the `issuer` a token must name")
	f.StringVar(&c.JWTAudience, "jwt-audience", "", "the `audience` a token must name")
	f.Var((*list)(&c.AllowedOrigins), "allowed-origins", "`origins` whose pages may connect, comma-separated; default: the server's own")
	f.Var((*proxies)(&c.TrustedProxies), "trusted-proxies", "`addresses` and networks whose forwarding headers are believed, comma-separated")
	f.Var((*optionalRate)(&c.HandshakesPerIP), "handshakes-per-ip", "`rate` of new sessions a client address: requests/period:burst, or off")
	f.Var((*optionalCount)(&c.MaxConnectionsPerIP), "max-connections-per-ip", "`number` of open sessions a client address, or off (the default)")
	f.IntVar(&c.MaxSocketsPerUser, "max-sockets-per-user", c.MaxSocketsPerUser, "`number` of open sockets a user")
	f.IntVar(&c.CompressFrom, "compress-from", c.CompressFrom, "size in `bytes` from which messages are compressed for WebSocket clients that offer it; 0 compresses none")
	f.DurationVar(&c.TrackingFlush, "tracking-flush", c.TrackingFlush, "least `time` between two position events of a room; 0 sends each at once")
	f.DurationVar(&c.PositionRetention, "position-retention", c.PositionRetention, "how `long` positions are kept; 0 for ever")
	f.Var((*retention)(&c.MessageRetention), "message-retention", "how `long` messages are kept: a time, or kept")
	f.BoolVar(&c.ChatOpenRooms, "chat-open-rooms", c.ChatOpenRooms, "let every user into rooms that are neither direct nor groups")
	for _, kind := range rateKinds() {
		f.Var(rateValue{c.Rates, kind}, "rate-"+string(kind), "`rate` of this kind of event a user: requests/period:burst")
	}
	f.DurationVar(&c.ShutdownTimeout, "shutdown-timeout", c.ShutdownTimeout, "`time` for an orderly stop")
	f.TextVar(&c.LogLevel, "log-level", c.LogLevel, "least `level` of log lines: debug, info, warn, error")
	f.StringVar(&c.LogFormat, "log-format", c.LogFormat, "`form` of log lines: text or json")
	f.BoolVar(&c.Demo, "demo", false, "throw-away data, ready-made people of every role, a simulated fleet")
	f.IntVar(&c.DemoDrivers, "demo-drivers", c.DemoDrivers, "`number` of simulated drivers in the demo")
	return f
}

func rateKinds() []limit.Kind {
	return []limit.Kind{limit.Chat, limit.Typing, limit.Join, limit.Location, limit.Read, limit.Other, limit.Failure}
}

func usage(flags *flag.FlagSet, out io.Writer) {
	_, _ = fmt.Fprintf(out, "Usage: server [flags]\n       server token|simulate [flags]   (each with -help)\n\n"+
		"Every flag is also an environment variable: -data-dir is %s.\n\n", Variable("data-dir"))
	flags.PrintDefaults()
}

// fromEnvironment sets flags from their variables and reports variables that no flag has.
func fromEnvironment(flags *flag.FlagSet, environ []string) ([]Warning, error) {
	var unknown []Warning
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, Prefix) {
			continue
		}
		flagName := FlagName(name)
		if flags.Lookup(flagName) == nil || Variable(flagName) != name {
			unknown = append(unknown, Warning("unknown variable "+name+", see -help"))
			continue
		}
		if err := flags.Set(flagName, value); err != nil {
			if secretFlag(flagName) {
				value = "…"
			}
			return nil, fmt.Errorf("%s: bad value %q: %w", name, value, err)
		}
	}
	slices.Sort(unknown)
	return unknown, nil
}

func secretFlag(name string) bool { return name == "jwt-secret" }

// check finds values that are well formed and yet unusable.
func (c *Config) check() error {
	bad := func(flagName, reason string) error {
		return fmt.Errorf("%s (-%s): %s", Variable(flagName), flagName, reason)
	}
	switch {
	case !listenAddress(c.Addr):
		return bad("addr", fmt.Sprintf("%q is not of the form host:port", c.Addr))
	case c.DataDir == "":
		return bad("data-dir", "must name a folder")
	case c.JWTSecret != "" && len(c.JWTSecret) < auth.MinSecretBytes:
		return bad("jwt-secret", fmt.Sprintf("has %d bytes, at least %d are needed", len(c.JWTSecret), auth.MinSecretBytes))
	case c.JWTSecret != "" && c.JWKSURL != "":
		return bad("jwks-url", "cannot be set together with "+Variable("jwt-secret"))
	case c.JWKSURL != "" && !httpURL(c.JWKSURL):
		return bad("jwks-url", "must be an http or https URL")
	case c.MaxSocketsPerUser <= 0:
		return bad("max-sockets-per-user", "must be at least 1")
	case c.CompressFrom < 0:
		return bad("compress-from", "must not be negative")
	case c.TrackingFlush < 0:
		return bad("tracking-flush", "must not be negative")
	case c.PositionRetention < 0:
		return bad("position-retention", "must not be negative")
	case c.ShutdownTimeout <= 0:
		return bad("shutdown-timeout", "must be longer than nothing")
	case c.LogFormat != "text" && c.LogFormat != "json":
		return bad("log-format", "must be text or json")
	case c.DemoDrivers < 0 || c.DemoDrivers > 5000:
		return bad("demo-drivers", "must be from 0 to 5000")
	}
	algorithms := auth.SymmetricAlgorithms()
	if c.JWKSURL != "" {
		algorithms = auth.AsymmetricAlgorithms()
	}
	for _, name := range c.JWTAlgorithms {
		if !slices.Contains(algorithms, name) {
			return bad("jwt-algs", fmt.Sprintf("%q is none of %s", name, strings.Join(algorithms, ", ")))
		}
	}
	for _, name := range c.AllowedOrigins {
		if _, err := origin.Canonical(name); err != nil && name != origin.Any {
			return bad("allowed-origins", fmt.Sprintf("%q %s", name, err))
		}
	}
	return nil
}

func listenAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	return err == nil && port != ""
}

func httpURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// warnings names insecure choices.
func (c *Config) warnings() []Warning {
	var all []Warning
	if slices.Contains(c.AllowedOrigins, origin.Any) {
		all = append(all, "pages of every origin may connect (allowed-origins is *)")
	}
	if strings.HasPrefix(c.JWKSURL, "http://") {
		all = append(all, "the identity provider's keys come over plain HTTP (jwks-url)")
	}
	if clientip.TrustsAll(c.TrustedProxies) {
		all = append(all, "clients can make up their address, since every peer is believed (trusted-proxies)")
	}
	return all
}

// Environ is the process's environment.
func Environ() []string { return os.Environ() }
