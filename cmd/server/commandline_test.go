package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"rolecall/test/servicetest"
)

// What people get wrong before it works, and what they are told. Nothing of it leaves anything behind.
func TestCommandLineFaults(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	dead := deadAddress(t)
	file, roles := newFile(t, "short"), "admin, driver, company, provider, vendor"
	for name, test := range map[string]struct {
		args string
		env  string // NAME=value, each ended by a semicolon but the last
		says []string
	}{
		"no such command":              {args: "start", says: []string{"start", "serve, token, simulate, backup, restore, doctor, migrate, move, version and help"}},
		"a misspelt command":           {args: "tokn -user a", says: []string{`tokn, did you mean "token"?`}},
		"help for a misspelt one":      {args: "help simulat", says: []string{`did you mean "simulate"?`}},
		"the demo as a command":        {args: "demo", says: []string{"did you mean --demo?"}},
		"two commands":                 {args: "serve token", says: []string{"unexpected argument token"}},
		"an argument too many":         {args: "serve extra", says: []string{"extra"}},
		"no such flag":                 {args: "-nope", says: []string{"--nope", "server help"}},
		"a misspelt flag":              {args: "-adr x", says: []string{`--adr, did you mean "--addr"?`}},
		"a flag of one letter":         {args: "-p 80", says: []string{"-p", "server help"}},
		"a value for a switch":         {args: "-demo true", says: []string{"--demo=true"}},
		"a switch with another value":  {args: "-demo=yes", says: []string{`--demo`, `"yes" is not true or false`}},
		"a flag without its value":     {args: "-addr", says: []string{"ROLECALL_ADDR", "needs a value"}},
		"a port for an address":        {args: "-addr 8080", says: []string{"ROLECALL_ADDR (--addr)", "such as 127.0.0.1:8080"}},
		"a port that is none":          {args: "-addr 127.0.0.1:http:80", says: []string{"ROLECALL_ADDR", "host:port"}},
		"a port too high":              {args: "-addr :99999", says: []string{"ROLECALL_ADDR", "host:port"}},
		"a port by a wrong name":       {args: "-addr :abc", says: []string{"ROLECALL_ADDR", "host:port"}},
		"a port that is taken":         {args: "-addr " + taken.Addr().String(), says: []string{"ROLECALL_ADDR (--addr)", "is taken"}},
		"a taken port, by variable":    {env: "ROLECALL_ADDR=" + taken.Addr().String(), says: []string{"ROLECALL_ADDR (--addr)", "is taken"}},
		"the demo on a taken port":     {args: "-demo -addr " + taken.Addr().String(), says: []string{"ROLECALL_ADDR (--addr)", "is taken"}},
		"another machine's address":    {args: "-addr 192.0.2.77:8080", says: []string{"ROLECALL_ADDR (--addr)", "no address 192.0.2.77"}},
		"a file for a folder":          {args: "-addr 127.0.0.1:0 -data-dir " + file, says: []string{"ROLECALL_DATA_DIR (--data-dir)", file}},
		"another database":             {env: "ROLECALL_DATABASE_URL=mysql://h/n", says: []string{"ROLECALL_DATABASE_URL (--database-url)", "postgres://"}},
		"a database nobody has":        {args: "-addr 127.0.0.1:0 -data-dir " + t.TempDir(), env: "ROLECALL_DATABASE_URL=postgres://u:hidden@127.0.0.1:1/n", says: []string{"ROLECALL_DATABASE_URL (--database-url)", "127.0.0.1:1"}},
		"a migration to where?":        {args: "migrate sideways", says: []string{"sideways", "up, status"}},
		"migrations of no file":        {args: "migrate status -data-dir /no/such", says: []string{"/no/such/rolecall.db"}},
		"a migration in no folder":     {args: "migrate -data-dir /no/such", says: []string{"/no/such"}},
		"a move of nothing":            {args: "move", says: []string{"--from", "--to"}},
		"a move from elsewhere":        {args: "move -from mysql://h/n -to postgres://h/n", says: []string{"--from", "sqlite://"}},
		"a move to elsewhere":          {args: "move -from sqlite:///no/such -to mysql://h/n", says: []string{"--to", "postgres://"}},
		"a move of no file":            {args: "move -from sqlite:///no/such -to postgres://h/n", says: []string{"/no/such"}},
		"a short secret":               {env: "ROLECALL_JWT_SECRET=short", says: []string{"ROLECALL_JWT_SECRET", "at least 32"}},
		"a file with a short secret":   {args: "-jwt-secret-file " + file, says: []string{"ROLECALL_JWT_SECRET_FILE", "5 bytes, at least 32"}},
		"no file with a secret":        {args: "-jwt-secret-file /no/such", says: []string{"ROLECALL_JWT_SECRET_FILE", "/no/such: no such file"}},
		"a claim without quotes":       {args: "-jwt-claim-role https://a.example/role", says: []string{"ROLECALL_JWT_CLAIM_ROLE", "must be quoted"}},
		"a role that is none, mapped":  {args: "-jwt-role-map ops=root", says: []string{"ROLECALL_JWT_ROLE_MAP", roles}},
		"a default role that is none":  {args: "-default-role root", says: []string{"ROLECALL_DEFAULT_ROLE", roles}},
		"a time in words":              {env: "ROLECALL_TRACKING_FLUSH=fast", says: []string{"ROLECALL_TRACKING_FLUSH (--tracking-flush)", `"fast" is not a time such as`, "30d"}},
		"a time without its unit":      {args: "-shutdown-timeout 20", says: []string{`"20" is not a time such as`}},
		"a level that is none":         {args: "-log-level loud", says: []string{"debug, info, warn or error"}},
		"a token of nobody":            {args: "token", says: []string{"--user", "--role", "server token -user", roles}},
		"a token without role":         {args: "token -user a", says: []string{"--role", roles}},
		"a token of an unknown role":   {args: "token -user a -role root", says: []string{`--role: "root"`, roles}},
		"a token by arguments":         {args: "token a admin", says: []string{"unexpected argument a", "flags"}},
		"a token for how long?":        {args: "token -user a -role admin -for soon", says: []string{`--for: "soon" is not a time such as`, "2w"}},
		"a token for no time":          {args: "token -user a -role admin -for 0", says: []string{"--for", "longer than nothing"}},
		"a token of a past time":       {args: "token -user a -role admin -for -1h", says: []string{"--for", "longer than nothing"}},
		"a token of a bad id":          {args: "token -user a/b -role admin", says: []string{`--user: "a/b" is not 1 to 128`}},
		"a token of a bad company":     {args: "token -user a -role driver -company *", says: []string{`--company: "*" is not`}},
		"a company for an admin":       {args: "token -user a -role admin -company acme", says: []string{"--company", "admin belongs to no company"}},
		"a link to nowhere":            {args: "token -user a -role admin -url ftp://x", says: []string{`--url: "ftp://x"`, "http://127.0.0.1:8080"}},
		"a setting elsewhere":          {args: "token -user a -role admin -demo", says: []string{"--demo"}},
		"a token of a provider":        {args: "token -user a -role admin", env: "ROLECALL_JWKS_URL=https://id.example/keys", says: []string{"ROLECALL_JWKS_URL", "identity provider"}},
		"a token that lasts too long":  {args: "token -user a -role admin -for 30d", env: "ROLECALL_JWT_MAX_LIFETIME=1d;ROLECALL_JWT_SECRET=" + secret, says: []string{"would refuse", "at most 24h"}},
		"a fleet to nowhere":           {args: "simulate -url " + dead, says: []string{dead, "connection refused", "--url"}},
		"a fleet without a scheme":     {args: "simulate -url " + strings.TrimPrefix(dead, "http://"), says: []string{dead, "connection refused"}},
		"a fleet to where it is said":  {args: "simulate", env: "ROLECALL_ADDR=" + strings.TrimPrefix(dead, "http://"), says: []string{dead, "connection refused"}},
		"a fleet to no address":        {args: "simulate -url http://", says: []string{`--url: "http://" is not an address`}},
		"a fleet of nobody":            {args: "simulate -drivers 0", says: []string{"--drivers", "at least 1"}},
		"a fleet in slow motion":       {args: "simulate -speed 0.5", says: []string{"--speed", "at least 1"}},
		"a fleet at no speed":          {args: "simulate -speed NaN", says: []string{"--speed", "at least 1"}},
		"a fleet at no rate":           {args: "simulate -rate 0", says: []string{"--rate", "above 0"}},
		"a fleet for less than none":   {args: "simulate -for -1s", says: []string{"--for", "negative"}},
		"a fleet of bad companies":     {args: "simulate -companies a,,b", says: []string{"--companies"}},
		"no folder of trips":           {args: "simulate -traces /no/such", says: []string{"--traces", "/no/such"}},
		"a file for a folder of trips": {args: "simulate -traces " + file, says: []string{"--traces", "is no folder"}},
		"a folder without trips":       {args: "simulate -traces " + t.TempDir(), says: []string{"--traces", "*.csv"}},
	} {
		t.Run(name, func(t *testing.T) {
			here := t.TempDir()
			t.Chdir(here)
			t.Setenv("TMPDIR", here)
			for entry := range strings.SplitSeq(test.env, ";") {
				if variable, value, ok := strings.Cut(entry, "="); ok {
					t.Setenv(variable, value)
				}
			}
			var out servicetest.Lines
			err := run(t.Context(), strings.Fields(test.args), &out, &out)
			if err == nil || errors.Is(err, flag.ErrHelp) {
				t.Fatalf("server %s = %v, printed %s", test.args, err, out.String())
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("server %s: %v; it does not say %s", test.args, err, says)
				}
			}
			if strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
				t.Errorf("too much to read: %v", err)
			}
			if left, err := os.ReadDir(here); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// deadAddress is one where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return "http://" + listener.Addr().String()
}

// What is asked for in different words does the same.
func TestOtherWords(t *testing.T) {
	for _, args := range []string{"version", "-version", "--version", "-v", "-V"} {
		var out servicetest.Lines
		if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil || !strings.HasPrefix(out.String(), "rolecall ") {
			t.Errorf("server %s printed %q, %v", args, out.String(), err)
		}
	}
	for args, says := range map[string]string{
		"help": "version", "-h": "--addr", "--help": "--addr", "help token": "--role", "token help": "--role", "token -h": "--role", "simulate --help": "--traces",
	} {
		var help servicetest.Lines
		if err := run(t.Context(), strings.Fields(args), io.Discard, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), says) {
			t.Errorf("server %s printed %q, %v", args, help.String(), err)
		}
	}
}

// Before any server has started, token makes the folder and the secret that one will take, and simulate makes none.
func TestBeforeTheFirstStart(t *testing.T) {
	t.Chdir(t.TempDir())
	var token, told servicetest.Lines
	if err := run(t.Context(), strings.Fields("token -user ada -role admin"), &token, &told); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(told.String(), "new secret") || !strings.Contains(told.String(), "./data") {
		t.Errorf("told %s", told.String())
	}
	var logs servicetest.Lines
	url := serving(t, &logs, "-data-dir", "data")
	if who := whoIs(t, url, strings.TrimSpace(token.String())); who.UserID != "ada" || who.Role != "admin" {
		t.Errorf("the token speaks for %+v", who)
	}
	err := run(t.Context(), []string{"simulate", "-url", url, "-data-dir", "other"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "has another secret") || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("a fleet with another secret: %v", err)
	}
	if _, err := os.Stat("other"); err == nil {
		t.Error("simulate has made a folder")
	}
	var summary servicetest.Lines
	if err := run(t.Context(), []string{"simulate", "-url", url, "-drivers", "2", "-for", "1s"}, &summary, io.Discard); err != nil || !strings.Contains(summary.String(), "drivers    2") {
		t.Errorf("simulate: %v, %s", err, summary.String())
	}
}

// The token stands alone where scripts read it; beside it stands a link, to where the server is.
func TestTokenPrintsALink(t *testing.T) {
	t.Setenv("ROLECALL_JWT_SECRET", secret)
	for name, test := range map[string]struct{ args, env, link string }{
		"by default":         {"", "", "http://127.0.0.1:8080/#token="},
		"where it listens":   {"", "127.0.0.1:9000", "http://127.0.0.1:9000/#token="},
		"on all addresses":   {"", "0.0.0.0:9000", "http://localhost:9000/#token="},
		"on all, of IPv6":    {"", "[::]:9000", "http://localhost:9000/#token="},
		"on all, in short":   {"", ":http", "http://localhost:80/#token="},
		"elsewhere":          {"-url https://rolecall.example/", "", "https://rolecall.example/#token="},
		"without its scheme": {"-url rolecall.example:81", "", "http://rolecall.example:81/#token="},
	} {
		t.Run(name, func(t *testing.T) {
			if test.env != "" {
				t.Setenv("ROLECALL_ADDR", test.env)
			}
			var token, told servicetest.Lines
			args := append(strings.Fields("token -user d1 -role driver -for 30d"), strings.Fields(test.args)...)
			if err := run(t.Context(), args, &token, &told); err != nil {
				t.Fatal(err)
			}
			if want := test.link + token.String(); strings.Count(token.String(), "\n") != 1 || !strings.Contains(told.String(), "\n"+want) {
				t.Errorf("printed %q and %q, want a link %s", token.String(), told.String(), want)
			}
		})
	}
}

// A development token suits the settings for an identity provider's tokens, too.
func TestTokenOfOtherSettings(t *testing.T) {
	for name, value := range map[string]string{
		"ROLECALL_JWT_SECRET_FILE": newFile(t, secret), "ROLECALL_JWT_ISSUER": "https://id.example", "ROLECALL_JWT_AUDIENCE": "fleet",
		"ROLECALL_JWT_CLAIM_ROLE": "realm_access.roles", "ROLECALL_JWT_CLAIM_COMPANY": `"https://a.example/company"`, "ROLECALL_JWT_ROLE_MAP": "ops=admin",
	} {
		t.Setenv(name, value)
	}
	var logs, token servicetest.Lines
	url := serving(t, &logs)
	if err := run(t.Context(), strings.Fields("token -user c -role company -company acme"), &token, io.Discard); err != nil {
		t.Fatal(err)
	}
	if who := whoIs(t, url, strings.TrimSpace(token.String())); who != (me{"c", "c", "company", "acme"}) {
		t.Errorf("the token speaks for %+v: %s", who, logs.String())
	}
}

// Who listens on all addresses is told by which ones it is found, each of which can be opened.
func TestLinksThatCanBeOpened(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0"} {
		var logs servicetest.Lines
		url := serving(t, &logs, "-addr", addr)
		if !strings.HasPrefix(url, "http://localhost:") || fetch(t, url+"/healthz", "") == "" {
			t.Errorf("%s is found at %s", addr, url)
		}
		if strings.Contains(logs.String(), "://[::]") || strings.Contains(logs.String(), "://0.0.0.0") {
			t.Errorf("%s: told %s", addr, logs.String())
		}
		for line := range strings.Lines(logs.String()) {
			var serving struct{ Others []string }
			if err := json.Unmarshal([]byte(line), &serving); err != nil {
				t.Fatal(err)
			}
			for _, other := range serving.Others {
				if fetch(t, other+"/healthz", "") == "" {
					t.Errorf("%s is not to be found at %s", addr, other)
				}
			}
		}
	}
}
