package config_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
)

const secret = "a shared secret of forty bytes, or so...."

// help is what -help prints.
func help(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if _, _, err := config.Parse([]string{"-help"}, nil, &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("Parse(-help) = %v, want flag.ErrHelp", err)
	}
	return out.String()
}

// The flags of -help and the settings of this test are the same, so that none is left untried.
func TestHelpListsEverySetting(t *testing.T) {
	var listed, tried []string
	for _, match := range regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllStringSubmatch(help(t), -1) {
		listed = append(listed, match[1])
	}
	for name := range settings(t) {
		tried = append(tried, name)
	}
	slices.Sort(listed)
	slices.Sort(tried)
	if diff := cmp.Diff(tried, listed); diff != "" {
		t.Errorf("tried here and listed by -help differ: %s", diff)
	}
}

func TestHelp(t *testing.T) {
	text := strings.Join(strings.Fields(help(t)), " ") // as if no line were broken
	for _, want := range []string{
		"ROLECALL_DATA_DIR", "127.0.0.1:8080", "./data", "100ms", "720h", "20s", "10/10s:10", "10/1s:50", "default 24", "kept",
		"default 100/1s:1000", "or off (default off)", "default 20)", "--chat-open-rooms=RULES", "--chat-reach=RULES",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("-help does not tell %q", want)
		}
	}
	var out bytes.Buffer
	_, _, err := config.Parse([]string{"-help"}, []string{"ROLECALL_JWT_SECRET=" + secret}, &out)
	if !errors.Is(err, flag.ErrHelp) || strings.Contains(out.String(), secret) {
		t.Errorf("-help shows the secret, or %v", err)
	}
}

func TestEverySettingAsFlagAndVariable(t *testing.T) {
	defaults := config.Default()
	all := settings(t)
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			variable := config.Variable(name)
			for _, tc := range []struct {
				what, flag, env string
				want            any
			}{
				{"the flag", s.one, "", s.wantOne},
				{"the variable", "", s.one, s.wantOne},
				{"the other flag", s.other, "", s.wantOther},
				{"the other variable", "", s.other, s.wantOther},
				{"the flag before the variable", s.one, s.other, s.wantOne},
				{"and the other way round", s.other, s.one, s.wantOther},
			} {
				args, environ := slices.Clone(s.with), []string{"HOME=/root", "ROLE=admin"}
				if tc.flag != "" {
					args = append(args, "-"+name+"="+tc.flag)
				}
				if tc.env != "" {
					environ = append(environ, variable+"="+tc.env)
				}
				got, warnings, err := config.Parse(args, environ, io.Discard)
				if err != nil {
					t.Fatalf("%s: %v", tc.what, err)
				}
				if diff := cmp.Diff(tc.want, s.get(got)); diff != "" {
					t.Errorf("%s: %s", tc.what, diff)
				}
				for _, warning := range warnings {
					if strings.Contains(string(warning), "unknown") {
						t.Errorf("%s: %s", tc.what, warning)
					}
				}
				if other := withoutSetting(all, got, defaults, name, s); other != "" {
					t.Errorf("%s changed something else: %s", tc.what, other)
				}
			}
		})
	}
}

// withoutSetting tells which settings but the one named differ from the defaults.
func withoutSetting(all map[string]setting, got, defaults config.Config, name string, s setting) string {
	var changed []string
	for other, its := range all {
		if other == name || strings.HasPrefix(name, "jwt-secret") && strings.HasPrefix(other, "jwt-secret") || slices.Contains(s.with, "-"+other) {
			continue
		}
		if !cmp.Equal(its.get(got), its.get(defaults)) {
			changed = append(changed, other)
		}
	}
	return strings.Join(changed, " ")
}

// The defaults that operators are promised, written out a second time.
func TestDefaults(t *testing.T) {
	want := config.Config{
		Addr: "127.0.0.1:8080", DataDir: "./data", MinFreeDisk: 512 << 20,
		JWTClaimUser: auth.Claim{{"sub"}, {"userId"}}, JWTClaimName: auth.Claim{{"username"}, {"preferred_username"}, {"name"}},
		JWTClaimRole: auth.Claim{{"role"}}, JWTClaimCompany: auth.Claim{{"companyId"}}, JWTLeeway: 30 * time.Second,
		PresenceGrace: 5 * time.Second, TrackingFlush: 100 * time.Millisecond, PositionRetention: 720 * time.Hour, MessageRetention: 0,
		ChatOpenRooms: roles.EveryOpenRoom(), PublicRoles: []roles.Role{roles.Provider, roles.Vendor}, PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second,
		InboxBacklog: 7 * 24 * time.Hour, AttachmentSize: 50 << 20, AttachmentUnsent: 24 * time.Hour, ImageMemory: 40 << 20,
		Rates: map[limit.Kind]limit.Rate{
			limit.Chat:     {Requests: 10, Period: 10 * time.Second, Burst: 10},
			limit.Typing:   {Requests: 5, Period: time.Second, Burst: 5},
			limit.Join:     {Requests: 20, Period: 10 * time.Second, Burst: 100},
			limit.Location: {Requests: 10, Period: time.Second, Burst: 50},
			limit.Backlog:  {Requests: 50, Period: time.Second, Burst: 4000},
			limit.Read:     {Requests: 20, Period: time.Second, Burst: 20},
			limit.Search:   {Requests: 20, Period: 10 * time.Second, Burst: 10},
			limit.Other:    {Requests: 20, Period: time.Second, Burst: 20},
			limit.Upload:   {Requests: 100, Period: time.Minute, Burst: 1000},
			limit.Connect:  {Requests: 20, Period: 10 * time.Second, Burst: 100},
			limit.Failure:  {Requests: 10, Period: time.Second, Burst: 200},
			limit.Shed:     {Requests: 100, Period: time.Second, Burst: 30_000},
		},
		HandshakesPerIP:      limit.Rate{Requests: 100, Period: time.Second, Burst: 1000},
		PacketsPerConnection: limit.Rate{Requests: 1000, Period: time.Second, Burst: 10_000},
		PacketsPerUser:       limit.Rate{Requests: 3000, Period: time.Second, Burst: 30_000}, MaxSocketsPerUser: 20,
		ShutdownTimeout: 20 * time.Second, LogLevel: slog.LevelInfo, LogFormat: "text", DemoDrivers: 24, AdminUI: "on", Engine: "native",
		TraceRatio: 0.01, RedisPrefix: "rolecall", RedisBridgeKey: "socket.io",
	}
	got, warnings, err := config.Parse(nil, nil, io.Discard)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("nothing configured: %v, %v", warnings, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, config.Default()); diff != "" {
		t.Error(diff)
	}
}

func TestOneParseDoesNotReachTheNext(t *testing.T) {
	if _, _, err := config.Parse([]string{"-rate-chat=1/1s", "-jwt-algs=HS256"}, nil, io.Discard); err != nil {
		t.Fatal(err)
	}
	got, _, err := config.Parse(nil, nil, io.Discard)
	if diff := cmp.Diff(config.Default(), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestUnknownVariables(t *testing.T) {
	_, warnings, err := config.Parse(nil, []string{
		"ROLECALL_DATADIR=x", "ROLECALL_ADDRS=y", "ROLECALL_=z", "ROLECALL_data_dir=low", "ROLECALL_DATA-DIR=dash",
		"ROLECALL_JWT_SECRETS=" + secret, "ROLECALL_HELP=true", "ROLECALLED=1", "XROLECALL_ADDR=1", "rolecall_addr=1", "ROLECALL", "=x", "",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, warning := range warnings {
		name := regexp.MustCompile(`ROLECALL_[^ ,]*`).FindString(string(warning))
		if !strings.HasPrefix(string(warning), "unknown variable ") || strings.Contains(string(warning), secret) {
			t.Errorf("warning %q", warning)
		}
		names = append(names, name)
	}
	for name, meant := range map[string]string{
		"ROLECALL_DATADIR": "ROLECALL_DATA_DIR?", "ROLECALL_data_dir": "ROLECALL_DATA_DIR?", "ROLECALL_JWT_SECRETS": "ROLECALL_JWT_SECRET?", "ROLECALL_": "see -help",
	} {
		if !slices.ContainsFunc(warnings, func(w config.Warning) bool {
			return strings.Contains(string(w), name+",") && strings.Contains(string(w), meant)
		}) {
			t.Errorf("%s is not told to be %s: %q", name, meant, warnings)
		}
	}
	want := []string{
		"ROLECALL_", "ROLECALL_ADDRS", "ROLECALL_DATA-DIR", "ROLECALL_DATADIR", "ROLECALL_HELP", "ROLECALL_JWT_SECRETS", "ROLECALL_data_dir",
	}
	slices.Sort(names)
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// Servers that share something must share the secret as well.
func TestWarnsOfASecretOfItsOwn(t *testing.T) {
	for own, args := range map[bool][]string{true: nil, false: {"-jwks-url=https://a.example"}} {
		_, warnings, err := config.Parse(args, []string{"ROLECALL_REDIS_URL=redis://a.example"}, io.Discard)
		if err != nil || own != (len(warnings) == 1 && strings.Contains(string(warnings[0]), "jwt-secret")) {
			t.Errorf("%q: warnings %q, error %v", args, warnings, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"secure":       {[]string{"-jwks-url=https://a.example", "-allowed-origins=https://b.example"}, nil},
		"every origin": {[]string{"-allowed-origins=https://a.example,*"}, []string{"allowed-origins"}},
		"no origin":    {[]string{"-allowed-origins=null"}, []string{"allowed-origins"}},
		"local pages":  {[]string{"-allowed-origins=localhost,file://,capacitor://localhost"}, nil},
		"plain keys":   {[]string{"-jwks-url=http://a.example"}, []string{"jwks-url"}},
		"all proxies":  {[]string{"-trusted-proxies=10.0.0.0/8,0.0.0.0/0"}, []string{"trusted-proxies"}},
		"a secret":     {[]string{"-jwt-secret", secret}, []string{"jwt-secret"}},
		"with blanks":  {[]string{"-jwt-secret", secret + "\r"}, []string{"jwt-secret", "jwt-secret"}},
		"both":         {[]string{"-jwks-url=http://a.example", "-allowed-origins=*"}, []string{"allowed-origins", "jwks-url"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, err := config.Parse(tc.args, nil, io.Discard)
			if err != nil || len(warnings) != len(tc.want) {
				t.Fatalf("%q, %v; want %d", warnings, err, len(tc.want))
			}
			for i, want := range tc.want {
				if !strings.Contains(string(warnings[i]), want) {
					t.Errorf("%q does not name %s", warnings[i], want)
				}
			}
		})
	}
}

// A bad value stops the start, whichever way it comes, and the error names where it came from.
func TestBadValues(t *testing.T) {
	rate := []string{"", "10", "0/1s", "10/10s:0", "off"}
	for name, values := range map[string][]string{
		"addr":                   {"", "localhost", "127.0.0.1", "::1:80", "127.0.0.1:", "http://a:80"},
		"data-dir":               {""},
		"min-free-disk":          {"", "0", "-1GiB", "much", "1XiB", "99999999999TiB"},
		"node-name":              {"a b", "a.b", "one/", "ü", strings.Repeat("x", 64)},
		"jwt-secret":             {"hunter2", secret[:31]},
		"sign-in-url":            {"id.example", "javascript:alert(1)", "https://", "data:text/html,x", "file:///etc/passwd"},
		"jwks-url":               {"id.example", "ftp://id.example", "https://", "https:id.example", ":", "file:///etc/passwd"},
		"jwt-secret-file":        {"/no/such/file", "/", file(t, secret[:31]), file(t, ""), file(t, strings.Repeat("x", 1<<20+1))},
		"jwt-public-key-file":    {"/no/such/file", "/", file(t, secret), file(t, "")},
		"jwt-claim-user":         {"", "a..b", "https://a.example/id", `"a`},
		"jwt-claim-name":         {"", ","},
		"jwt-claim-role":         {"", "https://app.example/role", "a b"},
		"jwt-claim-company":      {"", "."},
		"jwt-role-map":           {"ops", "ops=", "=admin", "ops=root", "ops=Admin", "a=admin,a=driver"},
		"default-role":           {"", "root", "Vendor", "none"},
		"jwt-leeway":             {"", "-1s", "30"},
		"jwt-max-lifetime":       {"", "0", "-1h", "kept", "30"},
		"jwt-algs":               {"none", "HS512", "RS256", "HS256,none", "hs256"},
		"allowed-origins":        {"a.example", "https://", "https://a.example/", "https://a.example/x", "https://a.example?x", "https://a.example#x", "https://u@a.example", "NULL", "Localhost", "localhost:3000", "https://*.a.example", "https://münchen.example", "https://a.example,b", "https://*.a.example x"},
		"redis-url":              {"localhost:6379", "http://localhost", "redis://", "redis://a:1?addr=b:2", "redis://a:1?cluster=yes", "redis://a:1?x=y"},
		"redis-prefix":           {"", "{a}", "a b", "a*", strings.Repeat("x", 65)},
		"redis-bridge":           {"", "tracking", "chat,chat", "chat,off", "chat notices"}, // also where there is no Redis
		"redis-bridge-key":       {"", "{a}", "a b", "a*", "a#", strings.Repeat("x", 65)},
		"redis-bridge-rooms":     {"a*b", "a b", "*a*", strings.Repeat("x", 201)},
		"redis-bridge-events":    {"a*b", "**"},
		"compress-from":          {"", "-1", "1kB"},
		"ping-interval":          {"", "0", "25", "99ms", "61m", "-1s", "off"},
		"ping-timeout":           {"", "0", "20", "99ms", "61m", "-1s", "off"},
		"presence-grace":         {"", "-1s", "5", "61s", "off"},
		"tracking-flush":         {"", "-1ms", "100", "soon"},
		"position-retention":     {"", "-1h", "-1d", "30", "30 d", "30days", "1d1w", "d", "kept", "200000d"},
		"audit-retention":        {"", "0", "-1h", "30", "forever"},
		"message-retention":      {"", "0", "0s", "0d", "-1h", "-30d", "30", "Kept", "forever"},
		"inbox-backlog":          {"", "0", "-1h", "week"},
		"chat-open-rooms":        {"", "yes", "on", "2", "orders-", "orders-=", "orders-=boss", "=vendor", "a b=vendor", "dm:=vendor", "dm:a:b=vendor", "group:=vendor", "group:x=vendor", "user:=vendor", "a=vendor,a=admin", "*=vendor,", "*=vendor vendor", "true,*=vendor"},
		"chat-reach":             {"", "nobody", "off", "driver", "driver=", "boss=driver", "driver=boss", "driver=admin+", "driver=nobody+admin", "driver=admin,driver=company", "driver=own:", "driver=own:vendor", "vendor=own:company", "admin=own:everyone", "driver=mine:company", "everyone,driver=admin", "driver=admin,"},
		"public-roles":           {"", ",", "boss", "vendor,vendor", "everyone", "Vendor"},
		"trusted-proxies":        {"localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1:80", "*", "127.0.0.1,x"},
		"packets-per-connection": {"", "10", "0/1s", "10/10s:0", "OFF", "none"},
		"packets-per-user":       {"", "10", "0/1s", "10/10s:0", "OFF", "none"},
		"handshakes-per-ip":      {"", "10", "0/1s", "10/10s:0", "OFF", "none"},
		"max-connections-per-ip": {"", "0", "-1", "1.5", "many", "OFF"},
		"max-sockets-per-user":   {"", "0", "-1", "1.5", "off"},
		"rate-chat":              rate, "rate-connect": rate, "rate-typing": rate, "rate-join": rate, "rate-location": rate, "rate-read": rate, "rate-other": rate, "rate-failure": rate,
		"shutdown-timeout": {"", "0", "0s", "-1s", "20"},
		"drain-delay":      {"", "-1s", "10", "16s", "2w"},
		"drain-period":     {"", "-1s", "10", "16s", "2w"},
		"log-level":        {"", "loud", "7"},
		"log-format":       {"", "JSON", "xml"},
		"engine":           {"", "Native", "node"},
		"demo":             {"", "maybe"},
		"demo-drivers":     {"", "-1", "5001", "1.5", "many"},
	} {
		for _, value := range values {
			variable := config.Variable(name)
			if c, _, err := config.Parse(nil, []string{variable + "=" + value}, io.Discard); err == nil {
				t.Errorf("%s=%q is taken: %+v", variable, value, c)
			} else if !strings.Contains(err.Error(), variable) {
				t.Errorf("%s=%q: the error does not name the variable: %v", variable, value, err)
			}
			if _, _, err := config.Parse([]string{"-" + name + "=" + value}, nil, io.Discard); err == nil {
				t.Errorf("-%s=%q is taken", name, value)
			} else if !strings.Contains(err.Error(), "-"+name) {
				t.Errorf("-%s=%q: the error does not name the flag: %v", name, value, err)
			}
		}
	}
}

// Every setting that can be wrong at all is tried above; these cannot.
func TestSettingsThatTakeAnything(t *testing.T) {
	for _, name := range []string{"jwt-issuer", "jwt-audience"} {
		for _, value := range []string{"", " ", "https://a.example/", "any thing"} {
			if _, _, err := config.Parse(nil, []string{config.Variable(name) + "=" + value}, io.Discard); err != nil {
				t.Errorf("%s=%q: %v", name, value, err)
			}
		}
	}
	for _, environ := range [][]string{
		{"ROLECALL_JWT_SECRET="}, {"ROLECALL_JWKS_URL="}, {"ROLECALL_ALLOWED_ORIGINS="}, {"ROLECALL_JWT_ALGS= , "},
		{"ROLECALL_JWT_SECRET_FILE="}, {"ROLECALL_JWT_PUBLIC_KEY_FILE="}, {"ROLECALL_JWT_ROLE_MAP="}, {"ROLECALL_DEFAULT_ROLE=off"}, {"ROLECALL_JWT_MAX_LIFETIME=off"},
		{"ROLECALL_MESSAGE_RETENTION=kept"}, {"ROLECALL_TRUSTED_PROXIES="}, {"ROLECALL_MAX_CONNECTIONS_PER_IP=off"},
	} {
		got, _, err := config.Parse(nil, environ, io.Discard)
		if diff := cmp.Diff(config.Default(), got); err != nil || diff != "" {
			t.Errorf("%s is not the default: %v %s", environ, err, diff)
		}
	}
}

func TestValuesThatContradict(t *testing.T) {
	for name, tc := range map[string]struct {
		args, environ []string
		want          []string
	}{
		"secret and JWKS":          {[]string{"-jwks-url=https://a.example"}, []string{"ROLECALL_JWT_SECRET=" + secret}, []string{"ROLECALL_JWKS_URL", "ROLECALL_JWT_SECRET"}},
		"secret and its file":      {[]string{"-jwt-secret-file=x"}, []string{"ROLECALL_JWT_SECRET=" + secret}, []string{"ROLECALL_JWT_SECRET_FILE", "ROLECALL_JWT_SECRET"}},
		"public keys and JWKS":     {[]string{"-jwt-public-key-file=x", "-jwks-url=https://a.example"}, nil, []string{"ROLECALL_JWKS_URL", "ROLECALL_JWT_PUBLIC_KEY_FILE"}},
		"shared alg, public keys":  {[]string{"-jwt-public-key-file=" + file(t, publicKey(t)), "-jwt-algs=HS256"}, nil, []string{"ROLECALL_JWT_ALGS", "HS256"}},
		"shared key's alg, JWKS":   {[]string{"-jwks-url=https://a.example", "-jwt-algs=HS256"}, nil, []string{"ROLECALL_JWT_ALGS", "HS256"}},
		"public alg, shared key":   {[]string{"-jwt-algs=ES256"}, []string{"ROLECALL_JWT_SECRET=" + secret}, []string{"ROLECALL_JWT_ALGS", "ES256"}},
		"a drain that is too long": {[]string{"-drain-delay=10s", "-drain-period=10s"}, nil, []string{"ROLECALL_SHUTDOWN_TIMEOUT", "20s", "ROLECALL_DRAIN_DELAY", "ROLECALL_DRAIN_PERIOD", "5s"}},
		"a drain and a short stop": {[]string{"-drain-period=1s", "-shutdown-timeout=5s"}, nil, []string{"ROLECALL_SHUTDOWN_TIMEOUT", "ROLECALL_DRAIN_PERIOD"}},
		"a drain beyond counting":  {[]string{"-drain-period=100000d", "-drain-delay=100000d"}, nil, []string{"ROLECALL_SHUTDOWN_TIMEOUT"}},
		"an argument too many":     {[]string{"-demo", "extra"}, nil, []string{"extra"}},
		"a value for a switch":     {[]string{"-rate-shared", "false"}, nil, []string{"false"}},
		"rules behind a blank":     {[]string{"-chat-open-rooms", "maybe"}, nil, []string{"ROLECALL_CHAT_OPEN_ROOMS", `"maybe" is not true, false`}},
		"a flag without its rules": {[]string{"-chat-open-rooms"}, nil, []string{"-chat-open-rooms"}},
		"a flag that is not":       {[]string{"-no-such"}, nil, []string{"-no-such"}},
		"a flag without its value": {[]string{"-addr"}, nil, []string{"-addr"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := config.Parse(tc.args, tc.environ, io.Discard)
			if err == nil {
				t.Fatal("taken")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not name %s: %v", want, err)
				}
			}
		})
	}
}

// A failed Parse gives nothing that could be run by mistake.
func TestFailureGivesNoConfig(t *testing.T) {
	for _, args := range [][]string{{"-addr=x"}, {"-rate-chat=x"}, {"extra"}, {"-jwt-secret=short"}} {
		got, _, err := config.Parse(args, nil, io.Discard)
		if err == nil || !cmp.Equal(got, config.Config{}) {
			t.Errorf("%s: %+v, %v", args, got, err)
		}
	}
}

func TestEnviron(t *testing.T) {
	t.Setenv("ROLECALL_ADDR", "127.0.0.1:7")
	if !slices.Contains(config.Environ(), "ROLECALL_ADDR=127.0.0.1:7") {
		t.Error("the process's variables are not read")
	}
}
